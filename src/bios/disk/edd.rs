//! The services that name sectors by their number (Phoenix, BIOS Enhanced Disk Drive Specification 3.0).

use super::status::Status;
use super::{Drive, Run, cdrom};
use crate::bios::Pc;
use crate::disk::geometry::Geometry;
use crate::x86::{Gpr, Phys, SegOff, SegmentName};

/// EDD 3.0.
const VERSION: u8 = 0x30;
/// Extended access, removable media control, and this information.
const INTERFACES: u16 = 0x0007;
/// A packet with a 64-bit address of the buffer. The size of others is not looked at, as by SeaBIOS.
const LONG_PACKET_SIZE: u8 = 24;
/// The most bytes that one call transfers.
const MAX_BYTES: usize = 0x1_0000;

pub(super) fn serve(pc: &mut Pc<'_>, drive: Drive, function: u8) -> Status {
    match function {
        0x41 => {
            pc.set_word(Gpr::Rbx, 0xaa55);
            pc.set_word(Gpr::Rcx, INTERFACES);
            pc.set_high(Gpr::Rax, VERSION);
            Status::Success
        }
        0x42 => access(pc, drive, Drive::read),
        0x43 => access(pc, drive, Drive::write),
        0x44 => access(pc, drive, |_, _, run| (run.count, Status::Success)),
        0x47 => access(pc, drive, |_, _, run| (run.count, Status::Success)),
        0x45 if drive == Drive::CdRom => cdrom::lock(pc),
        0x46 if drive == Drive::CdRom => cdrom::eject(pc),
        // A hard disk stays where it is.
        0x45 => Status::Success,
        // A CD-ROM drive cannot tell.
        0x49 if drive == Drive::CdRom => Status::Changed,
        0x49 => Status::Success,
        0x46 => Status::NotRemovable,
        0x48 => parameters(pc, drive),
        0x4e => hardware(pc),
        _ => Status::InvalidParameter,
    }
}

/// AH = 42 to 44 and 47: the packet at DS:SI says which sectors, and where the buffer is.
fn access(
    pc: &mut Pc<'_>,
    drive: Drive,
    transfer: impl Fn(Drive, &mut Pc<'_>, Run) -> (u16, Status),
) -> Status {
    let packet = packet(pc);
    let field = |offset| packet.offset(offset);
    let size = pc.read_u8(packet);
    let pointer = pc.read_u32(field(4));
    let buffer = if pointer == u32::MAX && size >= LONG_PACKET_SIZE {
        Phys(quad(pc, field(16)))
    } else {
        Phys(SegOff::new((pointer >> 16) as u16, (pointer & 0xffff) as u16).linear().0)
    };
    let run = Run { first: quad(pc, field(8)), count: pc.read_u16(field(2)), buffer };
    if run.first >= drive.sectors(pc) {
        return Status::InvalidParameter;
    }
    let (done, status) = if usize::from(run.count) * drive.sector_size() > MAX_BYTES {
        (0, Status::DmaBoundary)
    } else {
        transfer(drive, pc, run)
    };
    pc.write_u16(field(2), done);
    status
}

/// AH = 48: tells at DS:SI what the drive is.
fn parameters(pc: &mut Pc<'_>, drive: Drive) -> Status {
    const SHORT: u16 = 26;
    const WITH_CONFIGURATION: u16 = 30;
    // Removable, lockable, tells changes; what is told of its size is the most that can be, whatever disk is in it.
    const REMOVABLE: u16 = 0x0074;
    const NONE: u32 = u32::MAX;
    let at = packet(pc);
    let room = pc.read_u16(at);
    if room < SHORT {
        return Status::InvalidParameter;
    }
    let size = if room < WITH_CONFIGURATION { SHORT } else { WITH_CONFIGURATION };
    let mut result = [0; WITH_CONFIGURATION as usize];
    let sectors_in_all = drive.sectors(pc);
    let physical = drive.geometry(pc).map(|geometry| physical(geometry, sectors_in_all));
    let (flags, [cylinders, heads, sectors], sectors_in_all) = physical.map_or(
        (REMOVABLE, [NONE; 3], u64::MAX),
        |(flags, Geometry { cylinders, heads, sectors })| {
            (flags, [cylinders, heads, sectors], sectors_in_all)
        },
    );
    result[0..2].copy_from_slice(&size.to_le_bytes());
    result[2..4].copy_from_slice(&flags.to_le_bytes());
    result[4..8].copy_from_slice(&cylinders.to_le_bytes());
    result[8..12].copy_from_slice(&heads.to_le_bytes());
    result[12..16].copy_from_slice(&sectors.to_le_bytes());
    result[16..24].copy_from_slice(&sectors_in_all.to_le_bytes());
    result[24..26].copy_from_slice(&(drive.sector_size() as u16).to_le_bytes());
    // There is no table of configuration parameters.
    result[26..30].copy_from_slice(&NONE.to_le_bytes());
    pc.write(at, &result[..size.into()]);
    Status::Success
}

/// The geometry of the drive itself, whatever other one INT 13h shows of its disk of `size` sectors, and the
/// information flags: whether it is all of the disk that way.
fn physical(shown: Geometry, size: u64) -> (u16, Geometry) {
    const GEOMETRY_IS_VALID: u16 = 0x0002;
    const MOST_CYLINDERS: u32 = 0x3fff;
    let physical = shown.of_drive(size);
    let is_too_large = physical.cylinders == MOST_CYLINDERS && size > physical.size();
    (if is_too_large { 0 } else { GEOMETRY_IS_VALID }, physical)
}

/// AH = 4E: how to drive the hardware. What would make it slower or is off already can be had.
fn hardware(pc: &Pc<'_>) -> Status {
    match pc.low(Gpr::Rax) {
        0x01 | 0x03 | 0x04 | 0x06 => Status::Success,
        _ => Status::InvalidParameter,
    }
}

fn packet(pc: &Pc<'_>) -> Phys {
    pc.address(SegmentName::Ds, pc.word(Gpr::Rsi))
}

fn quad(pc: &Pc<'_>, at: Phys) -> u64 {
    u64::from(pc.read_u32(at.offset(4))) << 32 | u64::from(pc.read_u32(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SECTOR_SIZE;

    fn told(size: u64) -> (u16, Geometry) {
        physical(Geometry::hard_disk(size, &[0; SECTOR_SIZE]), size)
    }

    #[test]
    fn the_drives_own_geometry_is_told_and_not_the_translated_one() {
        assert_eq!(told(20_480), (2, Geometry::new(20, 16, 63)));
        assert_eq!(told(512 << 11), (2, Geometry::new(1040, 16, 63)));
        assert_eq!(told(600 << 11), (2, Geometry::new(1219, 16, 63)));
        assert_eq!(told(4096 << 11), (2, Geometry::new(8322, 16, 63)));
    }

    #[test]
    fn beyond_what_cylinders_can_say_the_geometry_is_not_valid() {
        let all = Geometry::new(0x3fff, 16, 63);
        assert_eq!(told(all.size()), (2, all));
        assert_eq!(told(all.size() + 1), (0, all));
        assert_eq!(told(1 << 40), (0, all));
    }
}
