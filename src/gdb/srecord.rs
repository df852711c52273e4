//! Motorola S-records: a program that gdb takes no architecture from, as it does from an ELF.
//!
//! gdb wants a program when it connects, complains without one, and compares memory (`compare-sections`) with
//! none but that.

use std::fmt::Write;

use crate::machine::{Boot, Image};

/// Data bytes of one record.
const ROW: usize = 32;
/// A longer program stays empty: gdb reads all of it at each switch of the mode.
const MOST: usize = 1 << 20;

/// The guest of `boot` as the text of S-records; without contents if it is large.
pub(super) fn program(boot: &Boot) -> String {
    let pieces: Vec<(u64, &[u8])> = match &boot.image {
        Image::Flat(data) => vec![(boot.load_address().0, data)],
        // Its bytes are on the disk.
        Image::Disk(_) => Vec::new(),
        Image::Rom(_) => {
            boot.image.roms().into_iter().take(1).map(|(at, rom)| (at.0, rom)).collect()
        }
        Image::Elf(elf) => elf.segments.iter().map(|s| (s.addr.0, s.data.as_slice())).collect(),
    };
    let mut text = String::new();
    record(&mut text, '0', &[0, 0], b"");
    let fits = pieces.iter().map(|(_, data)| data.len()).sum::<usize>() <= MOST;
    for (start, data) in pieces.into_iter().filter(|_| fits) {
        for (at, row) in (start..).step_by(ROW).zip(data.chunks(ROW)) {
            // RAM ends below 4 GiB.
            let Ok(at) = u32::try_from(at) else { break };
            record(&mut text, '3', &at.to_be_bytes(), row);
        }
    }
    let entry = boot.first_instruction().map_or(0, |entry| entry.linear().0);
    record(&mut text, '7', &u32::try_from(entry).unwrap_or_default().to_be_bytes(), b"");
    text
}

/// One line: type, count of what follows, address, data, and the complement of the sum of all that.
fn record(text: &mut String, kind: char, addr: &[u8], data: &[u8]) {
    // At most ROW + 5.
    let count = (addr.len() + data.len() + 1).to_le_bytes()[0];
    let bytes = [&[count][..], addr, data].concat();
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    let _ = write!(text, "S{kind}");
    for byte in bytes.iter().chain([&!sum]) {
        let _ = write!(text, "{byte:02X}");
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(data: Vec<u8>) -> Boot {
        Boot { image: Image::Flat(data), load: None, entry: None, drive: 0x80 }
    }

    #[test]
    fn records_have_the_sums_of_the_format() {
        assert_eq!(
            program(&flat(b"\xfa\xf4".to_vec())),
            "S0030000FC\r\nS30700007C00FAF48E\r\nS70500007C007E\r\n"
        );
    }

    #[test]
    fn a_large_program_has_no_contents() {
        let large = program(&flat(vec![0; MOST + 1]));
        assert_eq!(large, "S0030000FC\r\nS70500007C007E\r\n");
        assert_eq!(program(&flat(vec![0; MOST])).lines().count(), 2 + MOST / ROW);
    }
}
