//! What a drive tells of itself: the 256 words of IDENTIFY DEVICE (ATA/ATAPI-6, 8.15).

use super::{Drive, MOST_MULTIPLE, SECTOR_SIZE};

/// The most sectors that 28 bits name.
pub(super) const MOST_SHORT: u64 = 0x0fff_ffff;
/// The most sectors that 48 bits name.
pub(super) const MOST_EXTENDED: u64 = 0xffff_ffff_ffff;

/// The most cylinders that a drive tells of.
const MOST_CYLINDERS: u16 = 16_383;

const MODEL: &str = "STEPVISOR DISK";
const FIRMWARE: &str = "1.0";
/// Their numbers follow.
const SERIAL: &str = "SV0000";

/// Not removable.
const FIXED_DISK: u16 = 0x0040;
/// Sectors are named by their number; transfers are controlled by IORDY.
const CAPABILITIES: u16 = 0x0a00;
/// Words 54 to 58 and 64 to 70 are valid.
const VALID: u16 = 0x0003;
/// PIO modes 3 and 4.
const FAST_PIO: u16 = 0x0003;
/// Nanoseconds of a cycle of those.
const CYCLE: u16 = 120;
/// ATA-4 to ATA-6.
const VERSIONS: u16 = 0x0070;
/// Command sets: power management.
const POWER: u16 = 0x0008;
/// Command sets: flush cache in both forms, 48-bit addresses. Bit 14 says that the word is valid.
const COMMANDS: u16 = 0x7400;
const VALID_WORD: u16 = 0x4000;

/// The data of drive `number`, from 0, with its `translation`, heads and sectors, and so many sectors between two
/// interrupts of a command for multiple sectors.
pub(super) fn words(drive: Drive, number: usize, translation: (u8, u8), multiple: u8) -> Vec<u8> {
    let mut words = [0_u16; SECTOR_SIZE / 2];
    let Drive { cylinders, heads, sectors, size } = drive;
    words[0] = FIXED_DISK;
    (words[1], words[3], words[6]) = (cylinders, heads.into(), sectors.into());
    put_text(&mut words[10..20], &format!("{SERIAL}{:02}", number + 1));
    put_text(&mut words[23..27], FIRMWARE);
    put_text(&mut words[27..47], MODEL);
    words[47] = 0x8000 | u16::from(MOST_MULTIPLE);
    // The data can be accessed in 32 bits.
    words[48] = 1;
    words[49] = CAPABILITIES;
    words[50] = VALID_WORD;
    // The slowest cycle of PIO, mode 2.
    words[51] = 0x0200;
    words[53] = VALID;
    let (heads, sectors) = translation;
    let per_cylinder = (u64::from(heads) * u64::from(sectors)).max(1);
    let cylinders = if translation == (drive.heads, drive.sectors) {
        cylinders
    } else {
        u16::try_from(size / per_cylinder).unwrap_or(MOST_CYLINDERS).clamp(1, MOST_CYLINDERS)
    };
    (words[54], words[55], words[56]) = (cylinders, heads.into(), sectors.into());
    put_number(&mut words[57..59], u64::from(cylinders) * per_cylinder);
    words[59] = if multiple == 0 { 0 } else { 0x0100 | u16::from(multiple) };
    put_number(&mut words[60..62], size.min(MOST_SHORT));
    words[64] = FAST_PIO;
    (words[67], words[68]) = (CYCLE, CYCLE);
    words[80] = VERSIONS;
    (words[82], words[83], words[84]) = (POWER, COMMANDS, VALID_WORD);
    (words[85], words[86], words[87]) = (POWER, COMMANDS & !VALID_WORD, VALID_WORD);
    put_number(&mut words[100..104], size.min(MOST_EXTENDED));
    words.into_iter().flat_map(u16::to_le_bytes).collect()
}

/// The lowest word first.
fn put_number(words: &mut [u16], number: u64) {
    for (at, word) in words.iter_mut().enumerate() {
        *word = (number >> (16 * at)) as u16;
    }
}

/// Two characters a word, the first in its upper half, blanks at the end.
fn put_text(words: &mut [u16], text: &str) {
    let mut characters = text.bytes().chain(std::iter::repeat(b' '));
    for word in words {
        let [first, second] = [(); 2].map(|()| characters.next().unwrap_or(b' '));
        *word = u16::from_be_bytes([first, second]);
    }
}
