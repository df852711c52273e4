//! Guest RAM: owns the host mapping, knows the layout, and counts nothing else.
//!
//! Reads and writes are in guest-physical terms. What lies outside RAM (video memory, holes) is the
//! business of the layer that also has the devices.

pub mod layout;

use vm_memory::bitmap::AtomicBitmap;
use vm_memory::{
    Address, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion,
    MmapRegion,
};

use crate::x86::Phys;
use crate::x86::paging::PhysRead;

/// Why guest RAM could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The size is not one the machine can have.
    #[error(
        "memory size of {size} bytes is not possible: from {} MiB to {} MiB are",
        layout::RAM_SIZES.start() >> 20,
        layout::RAM_SIZES.end() >> 20
    )]
    Size {
        /// The size asked for, in bytes.
        size: u64,
    },
    /// The host has no memory to back the guest's.
    #[error("cannot map {size} bytes of guest memory")]
    Map {
        /// The size asked for, in bytes.
        size: u64,
        /// The host's reason.
        #[source]
        source: vm_memory::mmap::FromRangesError,
    },
    /// A range reaches outside RAM.
    #[error("{len} bytes at {addr} do not fit into RAM ({})", ranges_text(.ram))]
    Outside {
        /// Start of the range.
        addr: Phys,
        /// Its length in bytes.
        len: usize,
        /// The ranges that are RAM, as start and end.
        ram: Vec<(u64, u64)>,
    },
}

fn ranges_text(ranges: &[(u64, u64)]) -> String {
    let texts: Vec<String> =
        ranges.iter().map(|(start, end)| format!("{start:#x}-{:#x}", end - 1)).collect();
    texts.join(", ")
}

/// Size of a page in bytes, the unit in which writes are noted.
pub const PAGE_SIZE: u64 = 0x1000;

/// One contiguous piece of guest RAM and where the host keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First guest-physical address.
    pub start: Phys,
    /// Length in bytes.
    pub size: u64,
    /// Host virtual address of the first byte.
    pub host: u64,
}

/// The RAM of one machine.
#[derive(Debug)]
pub struct Ram {
    mapping: GuestMemoryMmap<AtomicBitmap>,
}

impl Ram {
    /// Maps `size` bytes of zeroed RAM, the video window left out.
    ///
    /// # Errors
    /// A size outside [`layout::RAM_SIZES`] or not a multiple of 4 KiB, or a host that cannot map it.
    pub fn new(size: u64) -> Result<Ram, MemoryError> {
        if !layout::RAM_SIZES.contains(&size) || !size.is_multiple_of(0x1000) {
            return Err(MemoryError::Size { size });
        }
        let ranges = layout::ram_ranges(size)
            .map(|range| (GuestAddress(range.start), (range.end - range.start) as usize));
        let mapping = GuestMemoryMmap::from_ranges(&ranges)
            .map_err(|source| MemoryError::Map { size, source })?;
        Ok(Ram { mapping })
    }

    /// The pieces of RAM in ascending order.
    pub fn regions(&self) -> impl Iterator<Item = Region> + '_ {
        self.mapping.iter().map(|region| Region {
            start: Phys(region.start_addr().raw_value()),
            size: region.len(),
            host: region
                .get_host_address(vm_memory::MemoryRegionAddress(0))
                .map_or(0, |pointer| pointer as u64),
        })
    }

    /// The piece of RAM that holds `addr`.
    #[must_use]
    pub fn region_of(&self, addr: Phys) -> Option<Region> {
        self.regions().find(|region| (addr.0.wrapping_sub(region.start.0)) < region.size)
    }

    /// Number of bytes from `addr` on that are RAM without a gap, at most `len`.
    #[must_use]
    pub fn contiguous(&self, addr: Phys, len: usize) -> usize {
        let region = self.region_of(addr);
        let rest = region.map_or(0, |region| region.start.0 + region.size - addr.0);
        usize::try_from(rest).map_or(len, |rest| rest.min(len))
    }

    /// The pieces of RAM, each with a bit for every page of it that was written through this mapping since the
    /// last call, the lowest bit of the first word first. What the guest writes is not among them.
    pub fn take_written(&self) -> impl Iterator<Item = (Region, Vec<u64>)> + '_ {
        let written = self.mapping.iter().map(|region| {
            let mapping: &MmapRegion<AtomicBitmap> = region;
            mapping.bitmap().get_and_reset()
        });
        self.regions().zip(written)
    }

    /// Reads from `addr` up to the end of `data` or of the RAM there; returns the number of bytes read.
    #[must_use]
    pub fn read(&self, addr: Phys, data: &mut [u8]) -> usize {
        self.mapping.read(data, GuestAddress(addr.0)).unwrap_or(0)
    }

    /// Writes `data` at `addr` as far as there is RAM; returns the number of bytes written.
    #[must_use]
    pub fn write(&self, addr: Phys, data: &[u8]) -> usize {
        self.mapping.write(data, GuestAddress(addr.0)).unwrap_or(0)
    }

    /// Writes all of `data` at `addr`, or nothing.
    ///
    /// # Errors
    /// A range that is not wholly RAM.
    pub fn load(&self, addr: Phys, data: &[u8]) -> Result<(), MemoryError> {
        let fits = GuestMemoryBackend::check_range(&self.mapping, GuestAddress(addr.0), data.len());
        if !fits || self.write(addr, data) != data.len() {
            return Err(self.outside(addr, data.len()));
        }
        Ok(())
    }

    /// The error for `len` bytes at `addr` that are not wholly RAM.
    #[must_use]
    pub fn outside(&self, addr: Phys, len: usize) -> MemoryError {
        let ram = self.regions().map(|r| (r.start.0, r.start.0 + r.size)).collect();
        MemoryError::Outside { addr, len, ram }
    }

    /// Fills all RAM with zeros, as at power-on.
    pub fn clear(&self) {
        const ZEROS: [u8; 0x1000] = [0; 0x1000];
        let mut page = [0; 0x1000];
        for region in self.regions() {
            for offset in (0..region.size).step_by(ZEROS.len()) {
                let addr = region.start.offset(offset);
                // Only what is not zero is written: untouched pages stay without host memory behind them.
                if self.read(addr, &mut page) == page.len() && page != ZEROS {
                    let _ = self.write(addr, &ZEROS);
                }
            }
        }
    }
}

impl PhysRead for Ram {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        self.read(addr, data) == data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_leaves_out_the_video_window() {
        let ram = Ram::new(16 << 20).unwrap();
        let regions: Vec<_> = ram.regions().map(|r| (r.start.0, r.size)).collect();
        assert_eq!(regions, [(0, 0xa_0000), (0xc_0000, (16 << 20) - 0xc_0000)]);
    }

    #[test]
    fn reads_and_writes_stop_where_ram_stops() {
        let ram = Ram::new(1 << 20).unwrap();
        assert_eq!(ram.write(Phys(0x9_fffe), &[1, 2, 3, 4]), 2);
        let mut data = [9; 4];
        assert_eq!(ram.read(Phys(0x9_fffe), &mut data), 2);
        assert_eq!(data, [1, 2, 9, 9]);
        assert_eq!(ram.read(Phys(u64::MAX), &mut data), 0);
        assert_eq!(ram.contiguous(Phys(0x9_fffe), 10), 2);
        assert_eq!(ram.contiguous(Phys(0xa_0000), 10), 0);
    }

    #[test]
    fn an_image_that_does_not_fit_is_refused_whole() {
        let ram = Ram::new(1 << 20).unwrap();
        let error = ram.load(Phys(0x9_ffff), &[1, 2]).unwrap_err().to_string();
        assert_eq!(error, "2 bytes at 0x9ffff do not fit into RAM (0x0-0x9ffff, 0xc0000-0xfffff)");
        let mut byte = [7];
        assert_eq!(ram.read(Phys(0x9_ffff), &mut byte), 1);
        assert_eq!(byte, [0]);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 0xf_ffff, 0x10_0001, 0xc000_1000, u64::MAX] {
            assert!(matches!(Ram::new(size), Err(MemoryError::Size { .. })), "{size:#x}");
        }
    }

    #[test]
    fn clearing_zeroes_everything() {
        let ram = Ram::new(2 << 20).unwrap();
        ram.load(Phys(0x1f_ffff), &[5]).unwrap();
        ram.clear();
        let mut byte = [7];
        assert_eq!(ram.read(Phys(0x1f_ffff), &mut byte), 1);
        assert_eq!(byte, [0]);
    }
}
