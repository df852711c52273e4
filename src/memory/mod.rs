//! Guest RAM and ROM: owns the host mapping, knows the layout, and counts nothing else.
//!
//! Reads and writes are in guest-physical terms. What lies outside RAM (video memory, holes) is the
//! business of the layer that also has the devices. ROM is memory that [`Ram::write`] leaves alone: shadow RAM
//! that is write-protected below 1 MiB, as on a PC, and a mapping of its own elsewhere. Memory of a device's own can be
//! shown to the guest in a [`Window`].

pub mod layout;

mod a20;
mod window;

pub use window::{Shown, Window};

use std::ops::Range;
use std::sync::Arc;

use vm_memory::bitmap::AtomicBitmap;
use vm_memory::{
    Address, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion,
    GuestRegionMmap, MmapRegion,
};

use crate::pages::Pages;
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
    /// A ROM that cannot be where it is to be.
    #[error(
        "no ROM of {len:#x} bytes can be at {addr}: it takes whole pages of 4 KiB, all of them RAM before or none"
    )]
    Rom {
        /// Start of the ROM.
        addr: Phys,
        /// Its length in bytes.
        len: usize,
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

/// A stretch of guest-physical addresses, as the guest finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it is, its length, and the host's memory behind it.
    pub region: Region,
    /// Where [`Ram`] has it: elsewhere while address line A20 is off, and of a [`Window`]. Nowhere if it is a device's
    /// own.
    pub shows: Option<Phys>,
    /// It is ROM.
    pub read_only: bool,
}

/// The RAM and ROM of one machine.
#[derive(Debug)]
pub struct Ram {
    mapping: GuestMemoryMmap<AtomicBitmap>,
    /// What of it is ROM, in ascending order; ranges that touch are one.
    rom: Vec<Range<u64>>,
    a20_is_off: bool,
    window: Option<Window>,
    /// All that any window has shown.
    shown_pages: Vec<Pages>,
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
        Ok(Ram {
            mapping,
            rom: Vec::new(),
            a20_is_off: false,
            window: None,
            shown_pages: Vec::new(),
        })
    }

    /// Makes ROM with the contents `bytes` at `addr`: of RAM, or where there is nothing.
    ///
    /// # Errors
    /// Not whole pages, or partly in RAM; or a host that cannot map it.
    pub fn add_rom(&mut self, addr: Phys, bytes: &[u8]) -> Result<(), MemoryError> {
        let len = bytes.len();
        let refused = MemoryError::Rom { addr, len };
        let end = addr.0.checked_add(len as u64);
        let whole = addr.0.is_multiple_of(PAGE_SIZE) && (len as u64).is_multiple_of(PAGE_SIZE);
        let Some(end) = end.filter(|_| whole && len > 0) else { return Err(refused) };
        let overlaps =
            |region: Region| region.start.0 < end && addr.0 < region.start.0 + region.size;
        if self.contiguous(addr, len) < len {
            if self.regions().any(overlaps) {
                return Err(refused);
            }
            let failed = |source| MemoryError::Map { size: len as u64, source };
            let region = GuestRegionMmap::from_range(GuestAddress(addr.0), len, None);
            let region = region.map_err(failed)?;
            let inserted = self.mapping.insert_region(Arc::new(region));
            self.mapping = inserted.map_err(|_| refused)?;
        }
        if self.mapping.write(bytes, GuestAddress(addr.0)).unwrap_or(0) != len {
            return Err(MemoryError::Rom { addr, len });
        }
        self.rom.push(addr.0..end);
        self.rom.sort_by_key(|range| range.start);
        self.rom.dedup_by(|next, range| {
            let touches = next.start <= range.end;
            if touches {
                range.end = range.end.max(next.end);
            }
            touches
        });
        Ok(())
    }

    /// Adds `size` bytes of zeroed memory at `addr`, where there is nothing: a device's, which the guest reaches as
    /// it does RAM.
    ///
    /// # Errors
    /// Not whole pages, or something is there; or a host that cannot map it.
    pub fn add_device_memory(&mut self, addr: Phys, size: u32) -> Result<(), MemoryError> {
        let len = size as usize;
        let whole = addr.0.is_multiple_of(PAGE_SIZE) && u64::from(size).is_multiple_of(PAGE_SIZE);
        if !whole || addr.0 < *layout::RAM_SIZES.end() {
            return Err(MemoryError::Rom { addr, len });
        }
        let failed = |source| MemoryError::Map { size: size.into(), source };
        let region =
            GuestRegionMmap::from_range(GuestAddress(addr.0), len, None).map_err(failed)?;
        let inserted = self.mapping.insert_region(Arc::new(region));
        self.mapping = inserted.map_err(|_| MemoryError::Rom { addr, len })?;
        Ok(())
    }

    /// The memory from `addr` on, for a device that shares it with the guest.
    #[must_use]
    pub fn share(&self, addr: Phys) -> Shared {
        Shared { mapping: self.mapping.clone(), start: addr }
    }

    /// Whether there is ROM at `addr`.
    #[must_use]
    pub fn is_rom(&self, addr: Phys) -> bool {
        let addr = self.through_a20(addr).0;
        self.rom.iter().any(|range| range.contains(&addr))
    }

    /// All that the guest finds, in ascending order, ROM and RAM apart.
    #[must_use]
    pub fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = self.pieces();
        stretches.extend(self.shown());
        stretches.sort_by_key(|stretch| stretch.region.start);
        self.wrapped(stretches)
    }

    /// The pieces of RAM in ascending order, without what is ROM.
    pub fn writable_regions(&self) -> impl Iterator<Item = Region> {
        self.pieces().into_iter().filter(|piece| !piece.read_only).map(|piece| piece.region)
    }

    /// All that there is, in its own place.
    fn pieces(&self) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        for Region { start, size, host } in self.regions() {
            let mut at = start.0;
            let end = start.0 + size;
            while at < end {
                let rom = self.rom.iter().find(|range| range.end > at && range.start < end);
                let (until, read_only) = match rom {
                    Some(range) if range.start <= at => (range.end, true),
                    Some(range) => (range.start, false),
                    None => (end, false),
                };
                // What A20 moves is apart as well.
                let boundary = if at < 2 * a20::A20 { (at / a20::A20 + 1) * a20::A20 } else { end };
                let until = until.min(end).min(boundary);
                let region =
                    Region { start: Phys(at), size: until - at, host: host + (at - start.0) };
                stretches.push(Stretch { region, shows: Some(region.start), read_only });
                at = until;
            }
        }
        stretches
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
        let (addr, len) = self.route(addr, len);
        let region = self.region_of(addr);
        let rest = region.map_or(0, |region| region.start.0 + region.size - addr.0);
        usize::try_from(rest).map_or(len, |rest| rest.min(len))
    }

    /// Number of bytes from `addr` on, at most `len`, where there is neither RAM nor ROM.
    #[must_use]
    pub fn gap(&self, addr: Phys, len: usize) -> usize {
        let (addr, len) = self.route(addr, len);
        if self.region_of(addr).is_some() {
            return 0;
        }
        let next = self.regions().map(|region| region.start.0).find(|start| *start > addr.0);
        let gap = next.map_or(u64::MAX, |start| start - addr.0);
        usize::try_from(gap).map_or(len, |gap| gap.min(len))
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
        let (addr, len) = self.route(addr, data.len());
        self.read_behind_a20(addr, &mut data[..len])
    }

    /// The same, whatever the state of A20.
    #[must_use]
    pub fn read_behind_a20(&self, addr: Phys, data: &mut [u8]) -> usize {
        self.mapping.read(data, GuestAddress(addr.0)).unwrap_or(0)
    }

    /// Writes `data` at `addr` as far as there is RAM, and not ROM; returns the number of bytes written.
    #[must_use]
    pub fn write(&self, addr: Phys, data: &[u8]) -> usize {
        let (addr, len) = self.route(addr, data.len());
        self.write_behind_a20(addr, &data[..len])
    }

    /// The same, whatever the state of A20.
    #[must_use]
    pub fn write_behind_a20(&self, addr: Phys, data: &[u8]) -> usize {
        let len = self.writable(addr, data.len());
        self.mapping.write(&data[..len], GuestAddress(addr.0)).unwrap_or(0)
    }

    /// How many of the `len` bytes at `addr` come before the next ROM.
    fn writable(&self, addr: Phys, len: usize) -> usize {
        let next = self.rom.iter().find(|range| range.end > addr.0);
        let before = next.map_or(u64::MAX, |range| range.start.saturating_sub(addr.0));
        usize::try_from(before).map_or(len, |before| before.min(len))
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
        let ram = self.regions().filter(|region| region.start.0 < *layout::RAM_SIZES.end());
        let ram = ram.map(|r| (r.start.0, r.start.0 + r.size)).collect();
        MemoryError::Outside { addr, len, ram }
    }

    /// Fills the RAM of `region` with zeros.
    pub fn clear(&self, region: Region) {
        const ZEROS: [u8; 0x1000] = [0; 0x1000];
        let mut page = [0; 0x1000];
        for offset in (0..region.size).step_by(ZEROS.len()) {
            let addr = region.start.offset(offset);
            // Only what is not zero is written: untouched pages stay without host memory behind them.
            if self.read_behind_a20(addr, &mut page) == page.len() && page != ZEROS {
                let _ = self.write_behind_a20(addr, &ZEROS);
            }
        }
    }
}

/// Memory that a device shares with the guest.
#[derive(Clone, Debug)]
pub struct Shared {
    mapping: GuestMemoryMmap<AtomicBitmap>,
    start: Phys,
}

impl Shared {
    /// Reads `data` from `offset` on, as far as there is memory.
    pub fn read(&self, offset: u32, data: &mut [u8]) {
        let at = GuestAddress(self.start.offset(offset.into()).0);
        let _ = self.mapping.read(data, at);
    }

    /// Writes `data` from `offset` on, as far as there is memory.
    pub fn write(&self, offset: u32, data: &[u8]) {
        let at = GuestAddress(self.start.offset(offset.into()).0);
        let _ = self.mapping.write(data, at);
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
    fn rom_is_read_and_never_written() {
        let mut ram = Ram::new(2 << 20).unwrap();
        ram.add_rom(Phys(0xf_0000), &[0xaa; 0x1_0000]).unwrap();
        assert_eq!(ram.write(Phys(0xe_fffe), &[1, 2, 3, 4]), 2);
        let mut data = [0; 4];
        assert_eq!(ram.read(Phys(0xe_fffe), &mut data), 4);
        assert_eq!(data, [1, 2, 0xaa, 0xaa]);
        assert_eq!(ram.write(Phys(0xf_0000), &[7]), 0);
        ram.writable_regions().for_each(|region| ram.clear(region));
        assert_eq!(ram.read(Phys(0xf_fffe), &mut data), 4);
        assert_eq!(data, [0xaa, 0xaa, 0, 0]);
        let parts: Vec<_> = ram.stretches();
        let parts: Vec<_> =
            parts.iter().map(|s| (s.region.start.0, s.region.size, s.read_only)).collect();
        let expected = [
            (0, 0xa_0000, false),
            (0xc_0000, 0x3_0000, false),
            (0xf_0000, 0x1_0000, true),
            (0x10_0000, 0x10_0000, false),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn rom_can_be_where_nothing_was_but_not_half_in_ram() {
        let mut ram = Ram::new(2 << 20).unwrap();
        ram.add_rom(Phys(0xffff_0000), &[0x55; 0x1_0000]).unwrap();
        let mut data = [0; 2];
        assert_eq!(ram.read(Phys(0xffff_ffff), &mut data), 1);
        assert_eq!(data, [0x55, 0]);
        for (addr, len) in [(0x1f_f000, 0x2000), (0xf_0800, 0x1000), (0xf_0000, 0x800), (0, 0)] {
            let refused = ram.add_rom(Phys(addr), &vec![0; len]).unwrap_err().to_string();
            assert!(refused.contains(&format!("{len:#x} bytes")), "{refused}");
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 0xf_ffff, 0x10_0001, 0xc000_1000, u64::MAX] {
            assert!(matches!(Ram::new(size), Err(MemoryError::Size { .. })), "{size:#x}");
        }
    }

    #[test]
    fn gaps_end_where_ram_begins() {
        let ram = Ram::new(2 << 20).unwrap();
        let gaps =
            [0x9_ffff, 0xa_0000, 0xb_fffe, 0xc_0000, 0x20_0000].map(|at| ram.gap(Phys(at), 0x1000));
        assert_eq!(gaps, [0, 0x1000, 2, 0, 0x1000]);
    }

    #[test]
    fn clearing_zeroes_everything() {
        let ram = Ram::new(2 << 20).unwrap();
        ram.load(Phys(0x1f_ffff), &[5]).unwrap();
        ram.writable_regions().for_each(|region| ram.clear(region));
        let mut byte = [7];
        assert_eq!(ram.read(Phys(0x1f_ffff), &mut byte), 1);
        assert_eq!(byte, [0]);
    }
}
