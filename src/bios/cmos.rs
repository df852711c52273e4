//! What the setup of a PC leaves in the battery-backed memory of its clock (IBM PC/AT Technical Reference; from 19h on,
//! as most firmware has it).

use super::data_area::EQUIPMENT;
use super::disk::{self, HARD_DISK};
use super::{Pc, system};
use crate::disk::{Disk, FLOPPY_DRIVES, Geometry, HARD_DISKS};
use crate::x86::Gpr;

/// KiB of conventional memory, the extended data area included.
const BASE_MEMORY: u16 = 640;
/// The type of all hard disks, which the bytes from 1Bh on describe.
const USER_TYPE: u8 = 47;
/// Bytes that describe a hard disk.
const DISK_SIZE: usize = 9;
const DISKS_AT: u8 = 0x1b;
/// Cylinders that INT 13h can name as they are.
const UNTRANSLATED_CYLINDERS: u32 = 1024;

/// Writes all that is known of the machine. Disks are those in the drives, not one that a CD-ROM is booted as.
pub(super) fn power_on(pc: &mut Pc<'_>) {
    let [base, base_high] = BASE_MEMORY.to_le_bytes();
    let end = system::end_of_ram(pc);
    let extended = (end.saturating_sub(1 << 20) / 1024).min(0xffff).to_le_bytes();
    let above = (end.saturating_sub(16 << 20) >> 16).min(0xffff).to_le_bytes();
    let [first, second] = pc.disks.hard.each_ref().map(|disk| disk.is_some());
    let mut bytes = vec![
        (0x10, floppy_types(pc)),
        // A type of 15: see 19h.
        (0x12, if first { 0xf0 } else { 0 } | if second { 0x0f } else { 0 }),
        (0x14, equipment(pc)),
        (0x15, base),
        (0x16, base_high),
        (0x17, extended[0]),
        (0x18, extended[1]),
        (0x19, if first { USER_TYPE } else { 0 }),
        (0x1a, if second { USER_TYPE } else { 0 }),
        (0x30, extended[0]),
        (0x31, extended[1]),
        (0x34, above[0]),
        (0x35, above[1]),
        (0x39, translations(pc)),
        (0x3d, boot_device(pc)),
    ];
    let disks =
        pc.disks.hard.iter().flat_map(|disk| disk.as_ref().map_or([0; DISK_SIZE], describe));
    bytes.extend((DISKS_AT..).zip(disks));
    pc.devices.chipset_mut().rtc_mut().configure(&bytes);
}

/// The first drive's type in the upper half.
fn floppy_types(pc: &Pc<'_>) -> u8 {
    let types: [u8; FLOPPY_DRIVES] = std::array::from_fn(|number| {
        let is_there = number < usize::from(pc.disks.floppy_drives());
        let disk = pc.disks.floppies[number].as_ref();
        let geometry = disk.map_or_else(|| Geometry::floppy(0), |disk| disk.geometry);
        if is_there { disk::chs::floppy_type(geometry).to_le_bytes()[0] } else { 0 }
    });
    types[0] << 4 | types[1]
}

/// What INT 11h tells, with a display that has a BIOS of its own.
fn equipment(pc: &Pc<'_>) -> u8 {
    const DISPLAY: u8 = 0x30;
    const FLOPPIES: u8 = 0xc0;
    let [equipment, _] = pc.read_u16(EQUIPMENT).to_le_bytes();
    equipment & !(DISPLAY | FLOPPIES) | (pc.disks.floppy_drives() - 1) << 6
}

/// Cylinders, heads, where write precompensation begins (nowhere), control byte, landing zone, sectors of a track: as
/// the drive itself has them.
fn describe(disk: &Disk) -> [u8; DISK_SIZE] {
    let geometry = disk.geometry.of_drive(disk.image.sectors());
    let table = disk::hard_disk_parameters(geometry);
    [table[0], table[1], table[2], table[5], table[6], table[8], table[12], table[13], table[14]]
}

/// Two bits a disk: 1 if INT 13h has it in another geometry than the drive.
fn translations(pc: &Pc<'_>) -> u8 {
    let translation = |number: usize| {
        let disk = pc.disks.hard[number].as_ref();
        let drive = disk.map(|disk| disk.geometry.of_drive(disk.image.sectors()));
        let is_translated = drive.is_some_and(|drive| drive.cylinders > UNTRANSLATED_CYLINDERS);
        u8::from(is_translated) << (2 * number)
    };
    (0..HARD_DISKS).map(translation).sum()
}

/// The one that was booted, since no other is tried: floppy, hard disk, CD-ROM.
fn boot_device(pc: &Pc<'_>) -> u8 {
    match pc.low(Gpr::Rdx) {
        _ if pc.disks.emulated.is_some() => 3,
        ..HARD_DISK => 1,
        _ => 2,
    }
}
