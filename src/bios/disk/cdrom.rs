//! What the firmware does for CD-ROMs that were booted (El Torito specification 1.0, chapter 4).

use super::status::Status;
use super::{CD_ROM, HARD_DISK};
use crate::bios::Pc;
use crate::disk::el_torito::Media;
use crate::x86::{Gpr, SegmentName};

/// Bytes of the specification packet.
const PACKET_SIZE: u8 = 0x13;

/// AH = 4B: tells at DS:SI what was booted; with AL = 00 its disk is one no longer. Other values of AL than 00 and 01 are
/// not specified, and only tell, as by SeaBIOS.
pub(super) fn emulation(pc: &mut Pc<'_>) -> Status {
    let mut packet = [0; PACKET_SIZE as usize];
    packet[0] = PACKET_SIZE;
    if let Some(emulated) = &pc.disks.emulated {
        let entry = emulated.entry;
        packet[1] = entry.media_type;
        packet[2] = match entry.media {
            Media::NoEmulation => CD_ROM,
            Media::Floppy(_) => 0,
            Media::HardDisk => HARD_DISK,
        };
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
    if pc.low(Gpr::Rax) == 0 {
        pc.disks.emulated = None;
    }
    let at = pc.address(SegmentName::Ds, pc.word(Gpr::Rsi));
    pc.write(at, &packet);
    Status::Success
}
