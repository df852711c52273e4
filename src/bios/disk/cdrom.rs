//! What the firmware does for CD-ROMs that were booted (El Torito specification 1.0, chapter 4).

use super::status::Status;
use super::{CD_ROM, HARD_DISK};
use crate::bios::{Pc, data_area};
use crate::disk::el_torito::Media;
use crate::x86::{Gpr, SegmentName};

/// Bytes of the specification packet.
const PACKET_SIZE: u8 = 0x13;

/// The second channel of ATA controllers, where PCs have their CD-ROM. It is told although that channel is not there,
/// since the CD-ROM is not on the first.
const CONTROLLER: u8 = 1;

/// AH = 4B: tells at DS:SI what was booted; with AL = 00 its disk is one no longer. Then only the media type changes,
/// as by SeaBIOS: the specification does not say. Other values of AL than 00 and 01 are not specified, and only tell.
pub(super) fn emulation(pc: &mut Pc<'_>) -> Status {
    let mut packet = [0; PACKET_SIZE as usize];
    packet[0] = PACKET_SIZE;
    if let Some(emulated) = &pc.disks.emulated {
        let entry = emulated.entry;
        packet[1] = if emulated.ended { 0 } else { entry.media_type };
        packet[2] = match entry.media {
            Media::NoEmulation => CD_ROM,
            Media::Floppy(_) => 0,
            Media::HardDisk => HARD_DISK,
        };
        packet[3] = CONTROLLER;
        packet[4..8].copy_from_slice(&entry.first.to_le_bytes());
        packet[0xc..0xe].copy_from_slice(&entry.segment.to_le_bytes());
        packet[0xe..0x10].copy_from_slice(&entry.sectors.to_le_bytes());
        if let Some(geometry) = emulated.disk.as_ref().map(|disk| disk.geometry) {
            let cylinder = geometry.cylinders.saturating_sub(1);
            packet[0x10] = (cylinder & 0xff) as u8;
            packet[0x11] = ((cylinder >> 2 & 0xc0) | (geometry.sectors & 0x3f)) as u8;
            packet[0x12] = (geometry.heads.saturating_sub(1) & 0xff) as u8;
        }
    }
    if pc.low(Gpr::Rax) == 0
        && let Some(emulated) = &mut pc.disks.emulated
    {
        emulated.ended = true;
    }
    let at = pc.address(SegmentName::Ds, pc.word(Gpr::Rsi));
    pc.write(at, &packet);
    Status::Success
}

/// AH = 45: locks the disk in the drive once more (AL = 00), takes back one of the locks (01), or tells (02). AL
/// becomes 01 while it is locked, else 00.
pub(super) fn lock(pc: &mut Pc<'_>) -> Status {
    let locks = pc.read_u8(data_area::CD_ROM_LOCKS);
    let (locks, status) = match (pc.low(Gpr::Rax), locks) {
        (0x00, u8::MAX) => (locks, Status::LockedTooOften),
        (0x00, _) => (locks + 1, Status::Success),
        (0x01, 0) => (locks, Status::NotLocked),
        (0x01, _) => (locks - 1, Status::Success),
        (0x02, _) => (locks, Status::Success),
        _ => return Status::InvalidParameter,
    };
    pc.write_u8(data_area::CD_ROM_LOCKS, locks);
    pc.set_low(Gpr::Rax, u8::from(locks != 0));
    status
}

/// AH = 46: takes the disk out, which nobody does: it stays, as under SeaBIOS.
pub(super) fn eject(pc: &Pc<'_>) -> Status {
    if pc.read_u8(data_area::CD_ROM_LOCKS) == 0 { Status::Success } else { Status::Locked }
}
