//! The services that name sectors by cylinder, head and sector, as since the first PC.

use super::floppy::{self, Place};
use super::status::Status;
use super::{Drive, Run, floppy_drives, hard_disks};
use crate::bios::{Pc, rom};
use crate::disk::SECTOR_SIZE;
use crate::disk::geometry::Geometry;
use crate::x86::{Gpr, SegmentName};

/// The most sectors that one call transfers.
const MAX_SECTORS: u8 = 128;
/// What formatting fills sectors with.
const FILL: u8 = 0xf6;

/// AH = 02, 03, 04: AL sectors from cylinder CH and CL bits 6 and 7, head DH, sector CL bits 0 to 5, at ES:BX.
/// They may go on over the end of a track and of a cylinder. AL becomes the number of those transferred.
pub(super) fn access(
    pc: &mut Pc<'_>,
    drive: Drive,
    transfer: impl Fn(&mut Pc<'_>, Drive, Run) -> (u16, Status),
) -> Status {
    let count = pc.low(Gpr::Rax);
    let Some(geometry) = drive.geometry(pc).or_else(|| empty_drive(drive)) else {
        return Status::InvalidParameter;
    };
    let Place { cylinder, head, sector } = place(pc);
    let Some(first) = geometry.lba(cylinder, head, sector) else {
        return Status::InvalidParameter;
    };
    if count == 0 || count > MAX_SECTORS {
        return Status::InvalidParameter;
    }
    if let Drive::Floppy(number) = drive {
        floppy::prepare(pc, number, geometry, cylinder);
    }
    let buffer = pc.address(SegmentName::Es, pc.word(Gpr::Rbx));
    let run = Run { first, count: count.into(), buffer };
    let (done, status) = transfer(pc, drive, run);
    pc.set_low(Gpr::Rax, done as u8);
    status
}

pub(super) fn read(pc: &mut Pc<'_>, drive: Drive, run: Run) -> (u16, Status) {
    by_controller(pc, drive, run, Drive::read)
}

pub(super) fn write(pc: &mut Pc<'_>, drive: Drive, run: Run) -> (u16, Status) {
    by_controller(pc, drive, run, Drive::write)
}

/// A transfer, of which a floppy's controller tells how it went.
fn by_controller(
    pc: &mut Pc<'_>,
    drive: Drive,
    run: Run,
    transfer: impl Fn(Drive, &mut Pc<'_>, Run) -> (u16, Status),
) -> (u16, Status) {
    if crosses_dma_boundary(drive, run) {
        return (0, Status::DmaBoundary);
    }
    let Drive::Floppy(number) = drive else { return transfer(drive, pc, run) };
    let from = place(pc);
    let Some(geometry) = drive.geometry(pc) else {
        floppy::failed(pc, number, from);
        return (0, Status::ControllerFailure);
    };
    let outcome = transfer(drive, pc, run);
    if outcome.1 == Status::Success {
        floppy::done(pc, number, geometry, from, run.count.into());
    } else {
        floppy::failed(pc, number, from);
    }
    outcome
}

/// Nothing is compared, as by most firmware, and the buffer is not used; a drive need not have a disk for it.
pub(super) fn verify(_: &mut Pc<'_>, _: Drive, run: Run) -> (u16, Status) {
    (run.count, Status::Success)
}

/// The sector that CH, CL and DH name.
fn place(pc: &Pc<'_>) -> Place {
    let low = pc.low(Gpr::Rcx);
    Place {
        cylinder: u32::from(pc.high(Gpr::Rcx)) | u32::from(low & 0xc0) << 2,
        head: pc.high(Gpr::Rdx).into(),
        sector: u32::from(low & 0x3f),
    }
}

/// What an empty floppy drive takes for the geometry of the disk that it does not have.
fn empty_drive(drive: Drive) -> Option<Geometry> {
    matches!(drive, Drive::Floppy(_)).then(|| Geometry::floppy(0))
}

/// Whether `drive` is a floppy whose DMA controller cannot transfer `run`: its counter has 16 bits.
fn crosses_dma_boundary(drive: Drive, run: Run) -> bool {
    let last = run.buffer.offset(u64::from(run.count) * SECTOR_SIZE as u64 - 1);
    matches!(drive, Drive::Floppy(_)) && run.buffer.0 >> 16 != last.0 >> 16
}

/// AH = 05: formats the track CH of head DH, of which ES:BX lists the sectors.
pub(super) fn format(pc: &mut Pc<'_>, drive: Drive) -> Status {
    let Some(geometry) = drive.geometry(pc).or_else(|| empty_drive(drive)) else {
        return Status::ControllerFailure;
    };
    let (cylinder, head) = (pc.high(Gpr::Rcx), pc.high(Gpr::Rdx));
    let count = u32::from(pc.low(Gpr::Rax));
    if count == 0 || count > geometry.sectors {
        return Status::InvalidParameter;
    }
    for sector in 1..=count {
        let Some(first) = geometry.lba(cylinder.into(), head.into(), sector) else {
            return Status::InvalidParameter;
        };
        if let Drive::Floppy(number) = drive {
            floppy::prepare(pc, number, geometry, cylinder.into());
        }
        if drive.image(pc).is_some()
            && let Err(status) = drive.put(pc, first, &[FILL; SECTOR_SIZE])
        {
            return status;
        }
    }
    Status::Success
}

/// AH = 08: the geometry, as the largest cylinder, head and sector that there are.
pub(super) fn parameters(pc: &mut Pc<'_>, drive: Drive) -> Status {
    let Some(geometry) = drive.geometry(pc).or_else(|| empty_drive(drive)) else {
        return Status::InvalidParameter;
    };
    // The last cylinder of a hard disk is the controller's own, for tests.
    let is_floppy = drive.is_floppy(pc);
    let (reserved, drives) = if is_floppy { (0, floppy_drives(pc)) } else { (1, hard_disks(pc)) };
    let cylinder = geometry.cylinders.saturating_sub(1 + reserved);
    pc.set_low(Gpr::Rax, 0);
    pc.set_high(Gpr::Rcx, (cylinder & 0xff) as u8);
    pc.set_low(Gpr::Rcx, ((cylinder >> 2 & 0xc0) | (geometry.sectors & 0x3f)) as u8);
    pc.set_high(Gpr::Rdx, (geometry.heads.saturating_sub(1) & 0xff) as u8);
    pc.set_low(Gpr::Rdx, drives);
    if is_floppy {
        pc.set_word(Gpr::Rbx, floppy_type(geometry));
        pc.set_word(Gpr::Rdi, rom::DISKETTE_PARAMETERS);
        pc.set_segment(SegmentName::Es, rom::SEGMENT);
    }
    Status::Success
}

/// The type of the drive that a disk of that format is for, as in the CMOS.
#[must_use]
pub fn floppy_type(geometry: Geometry) -> u16 {
    match (geometry.cylinders, geometry.sectors) {
        (..=40, _) => 1,
        (_, ..=10) => 3,
        (_, ..=15) => 2,
        (_, ..=21) => 4,
        _ => 5,
    }
}

/// AH = 15: what the drive is, and for a hard disk its size in CX:DX.
pub(super) fn kind(pc: &mut Pc<'_>, drive: Drive) -> Status {
    const FLOPPY: u8 = 1;
    const HARD: u8 = 3;
    match drive.geometry(pc) {
        Some(geometry) if !drive.is_floppy(pc) => {
            let usable = Geometry { cylinders: geometry.cylinders.saturating_sub(1), ..geometry };
            let [low, high] = [usable.size(), usable.size() >> 16].map(|part| part as u16);
            pc.set_word(Gpr::Rcx, high);
            pc.set_word(Gpr::Rdx, low);
            pc.set_high(Gpr::Rax, HARD);
        }
        _ => pc.set_high(Gpr::Rax, FLOPPY),
    }
    Status::Success
}
