//! Where the guest's program is linked to run, as far as it is above 4 GiB: a client that knows 32-bit registers sends
//! the lower half of such an address.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use object::Endianness;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::x86::Linear;

/// The headers of an ELF file are looked for in so many bytes from its start on.
pub const HEADERS: usize = 1 << 16;

/// The linear addresses of a program's segments.
#[derive(Clone, Debug, Default)]
pub struct Segments(Vec<Range<u64>>);

impl Segments {
    /// Those of the file `path`; none if that is no 64-bit ELF file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> io::Result<Segments> {
        let mut head = Vec::new();
        File::open(path)?.take(HEADERS as u64).read_to_end(&mut head)?;
        Ok(Segments::parse(&head))
    }

    /// Those of a file that starts with `head`; none if that is no 64-bit ELF file.
    #[must_use]
    pub fn parse(head: &[u8]) -> Segments {
        Segments(ranges(head).unwrap_or_default())
    }

    /// The addresses in segments of which `addr` is the lower half, and not the whole.
    #[must_use]
    pub fn high_addresses(&self, addr: Linear) -> Vec<Linear> {
        if addr.0 >> 32 != 0 {
            return Vec::new();
        }
        let ends = self.0.iter().flat_map(|segment| [segment.start, segment.end - 1]);
        let upper: BTreeSet<u64> = ends.map(|end| end >> 32).filter(|upper| *upper != 0).collect();
        let addresses = upper.into_iter().map(|upper| upper << 32 | addr.0);
        addresses
            .filter(|addr| self.0.iter().any(|segment| segment.contains(addr)))
            .map(Linear)
            .collect()
    }
}

fn ranges(head: &[u8]) -> object::read::Result<Vec<Range<u64>>> {
    let header = FileHeader64::<Endianness>::parse(head)?;
    let endian = header.endian()?;
    let range = |segment: &ProgramHeader64<Endianness>| {
        let start = segment.p_vaddr(endian);
        start..start.saturating_add(segment.p_memsz(endian))
    };
    let segments = header.program_headers(endian, head)?.iter();
    let loaded = segments.filter(|segment| segment.p_type(endian) == elf::PT_LOAD).map(range);
    Ok(loaded.filter(|range| !range.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_stands_for_each_address_in_a_segment() {
        let segments = Segments(vec![
            0x7c00..0x8000,
            0xffff_8000_0001_0000..0xffff_8000_0002_0000,
            0xffff_ffff_8001_0000..0xffff_ffff_8001_1000,
            0xffff_ffff_ffff_f000..u64::MAX,
        ]);
        let high = |addr| segments.high_addresses(Linear(addr));
        assert_eq!(high(0x7c00), [], "it is whole");
        assert_eq!(high(0x1_0000), [Linear(0xffff_8000_0001_0000)]);
        assert_eq!(high(0x8001_0fff), [Linear(0xffff_ffff_8001_0fff)]);
        assert_eq!(high(0x8001_1000), []);
        assert_eq!(high(0x1_8001_0000), [], "it is whole");
        assert_eq!(high(0xffff_fffe), [Linear(0xffff_ffff_ffff_fffe)]);
    }

    #[test]
    fn what_is_no_64_bit_elf_file_has_none() {
        let elf32 = include_bytes!("../../guests/bin/hello.elf");
        let elf64 = include_bytes!("../../guests/bin/long.elf");
        for head in [&b""[..], b"\x7fELF", elf32, &elf64[..70]] {
            assert!(Segments::parse(head).0.is_empty());
        }
        assert!(Segments::parse(elf64).0.iter().any(|segment| segment.start == 0x7c00));
    }
}
