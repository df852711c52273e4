//! INT 13h: disks.
//!
//! Drives are numbered as ever: floppies from 00h, hard disks from 80h, the CD-ROM E0h. A service ends with its
//! status in AH, CF set if that is not zero, and leaves it in the data area, where AH=01 finds it. What a
//! drive does that holds no disk, and which services it refuses, is what SeaBIOS does.

mod cdrom;
pub(super) mod chs;
pub mod describe;
mod edd;
mod floppy;
pub mod status;

use super::data_area::{self, EBDA};
use super::{Outcome, Pc};
use crate::disk::el_torito::Media;
use crate::disk::geometry::Geometry;
use crate::disk::image::AccessError;
use crate::disk::{CD_SECTOR_SIZE, Disk, Emulated, Image, SECTOR_SIZE};
use crate::x86::{Gpr, Phys};
use floppy::Place;
use status::Status;

/// The first hard disk's number.
pub const HARD_DISK: u8 = 0x80;
/// The CD-ROM's number.
pub const CD_ROM: u8 = 0xe0;

/// What a drive number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drive {
    Floppy(usize),
    HardDisk(usize),
    /// The disk that the CD-ROM was booted as.
    Emulated,
    CdRom,
}

/// Where the parameters of the two hard disks are, to which INT 41h and INT 46h point, in the extended data area.
const HARD_DISK_PARAMETERS: [(u8, u16); 2] = [(0x41, 0x3d), (0x46, 0x4d)];

/// What an access to a hard disk leaves in its drive's registers: no sectors left, the number of the second sector, the
/// first drive by such numbers.
const ATA_REGISTERS: [(u16, u8); 5] =
    [(0x1f2, 0x00), (0x1f3, 0x01), (0x1f4, 0x00), (0x1f5, 0x00), (0x1f6, 0xe0)];
const ATA_STATUS: u16 = 0x1f7;
const ATA_CONTROL: u16 = 0x3f6;

/// Prepares the data areas and the drives.
pub fn power_on(pc: &mut Pc<'_>) {
    // Drive A: is always there, with or without a disk in it.
    const FLOPPY_INSTALLED: u16 = 0x0001;
    const SECOND_FLOPPY: u16 = 0x0040;
    const FLOPPY_BITS: u16 = 0x00c1;
    const DETERMINED: [u8; 2] = [0x07, 0x77];
    let has_two = floppy_drives(pc) > 1;
    let second = if has_two { SECOND_FLOPPY } else { 0 };
    pc.write_u8(data_area::FLOPPY_DRIVES, DETERMINED[usize::from(has_two)]);
    let equipment = pc.read_u16(data_area::EQUIPMENT) & !FLOPPY_BITS;
    pc.write_u16(data_area::EQUIPMENT, equipment | FLOPPY_INSTALLED | second);
    let hard_disks = hard_disks(pc);
    pc.write_u8(data_area::DISK_COUNT, hard_disks);
    for status in [data_area::FLOPPY_STATUS, data_area::DISK_STATUS] {
        pc.write_u8(status, Status::Success.code());
    }
    leave_drives(pc);
    // The boot sector has just been read.
    if let Some(drive @ Drive::Floppy(number)) = find(pc, pc.low(Gpr::Rdx))
        && let Some(geometry) = drive.geometry(pc)
    {
        floppy::prepare(pc, number, geometry, 0);
        floppy::done(pc, number, geometry, Place { cylinder: 0, head: 0, sector: 1 }, 1);
    }
    for (place, (vector, offset)) in HARD_DISK_PARAMETERS.into_iter().enumerate() {
        let Some(disk) = pc.disks.hard.get(place).and_then(Option::as_ref) else { continue };
        let table = hard_disk_parameters(disk.geometry);
        pc.write(Phys((u64::from(EBDA) << 4) + u64::from(offset)), &table);
        pc.write_u16(Phys(u64::from(vector) * 4), offset);
        pc.write_u16(Phys(u64::from(vector) * 4 + 2), EBDA);
    }
}

/// Leaves the drives of the ATA channel as they are after the first sector was read from there. Drives that are not
/// there take nothing.
fn leave_drives(pc: &mut Pc<'_>) {
    const NO_INTERRUPT: u8 = 0x02;
    const RECALIBRATE: u8 = 0x10;
    pc.port_write(ATA_CONTROL, NO_INTERRUPT);
    for (port, value) in ATA_REGISTERS {
        pc.port_write(port, value);
    }
    pc.port_write(ATA_STATUS, RECALIBRATE);
    pc.port_read(ATA_STATUS);
    pc.port_write(ATA_CONTROL, 0);
}

/// The table of a hard disk (IBM PC/AT Technical Reference): cylinders, heads, where write precompensation begins
/// (nowhere), control byte, landing zone, sectors of a track.
pub(super) fn hard_disk_parameters(geometry: Geometry) -> [u8; 16] {
    const RETRIES_OFF: u8 = 0xc0;
    const MORE_THAN_8_HEADS: u8 = 0x08;
    let [cylinders, cylinders_high] = ((geometry.cylinders & 0xffff) as u16).to_le_bytes();
    let many = if geometry.heads > 8 { MORE_THAN_8_HEADS } else { 0 };
    let mut table = [0; 16];
    (table[0], table[1]) = (cylinders, cylinders_high);
    table[2] = (geometry.heads & 0xff) as u8;
    (table[5], table[6]) = (0xff, 0xff);
    table[8] = RETRIES_OFF | many;
    (table[12], table[13]) = (cylinders, cylinders_high);
    table[14] = (geometry.sectors & 0xff) as u8;
    table
}

/// INT 13h.
///
/// What is read may cover the caller's stack: programs load themselves over it, and still get back, as under firmware
/// that has a stack of its own.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    let function = pc.high(Gpr::Rax);
    let frame = pc.frame();
    // Some services leave something else in DL.
    let last_status = last_status(pc);
    let status = match find(pc, pc.low(Gpr::Rdx)) {
        // Of the CD-ROM that was booted, whatever drive is asked.
        _ if function == 0x4b => cdrom::emulation(pc),
        Some(drive) => serve_drive(pc, drive, function),
        None => Status::InvalidParameter,
    };
    // Two services have something else to say in AH when all is well.
    let answers = matches!(function, 0x15 | 0x41) && status == Status::Success;
    if !answers {
        pc.set_high(Gpr::Rax, status.code());
    }
    pc.set_frame(frame);
    pc.set_carry(status != Status::Success);
    pc.write_u8(last_status, status.code());
    Outcome::Return
}

/// The drive of that number, if there is one.
fn find(pc: &Pc<'_>, number: u8) -> Option<Drive> {
    if number >= CD_ROM {
        return (number == CD_ROM && pc.disks.cdrom.is_some()).then_some(Drive::CdRom);
    }
    let is_hard = number >= HARD_DISK;
    // An emulated disk is the first of its kind, and the others come after it.
    let mut place = number & !HARD_DISK;
    if emulates(pc, is_hard) {
        if place == 0 {
            return Some(Drive::Emulated);
        }
        place -= 1;
    }
    if is_hard {
        let disk = pc.disks.hard.get(usize::from(place));
        disk.is_some_and(Option::is_some).then_some(Drive::HardDisk(place.into()))
    } else {
        (place < pc.disks.floppy_drives()).then_some(Drive::Floppy(place.into()))
    }
}

/// Whether the CD-ROM was booted as a disk of that kind.
fn emulates(pc: &Pc<'_>, hard: bool) -> bool {
    match pc.disks.emulated.as_ref().map(Emulated::media) {
        Some(Media::Floppy(_)) => !hard,
        Some(Media::HardDisk) => hard,
        Some(Media::NoEmulation) | None => false,
    }
}

fn floppy_drives(pc: &Pc<'_>) -> u8 {
    pc.disks.floppy_drives() + u8::from(emulates(pc, false))
}

fn hard_disks(pc: &Pc<'_>) -> u8 {
    pc.disks.hard_disks() + u8::from(emulates(pc, true))
}

fn serve_drive(pc: &mut Pc<'_>, drive: Drive, function: u8) -> Status {
    match (function, drive) {
        (0x00, _) => {
            if let Drive::Floppy(_) = drive {
                floppy::reset(pc);
            }
            Status::Success
        }
        (0x01, _) => Status::of_code(pc.read_u8(last_status(pc))),
        (0x02, _) => chs::access(pc, drive, chs::read),
        (0x03, _) => chs::access(pc, drive, chs::write),
        (0x04, _) => chs::access(pc, drive, chs::verify),
        (0x05, _) if drive.is_floppy(pc) => chs::format(pc, drive),
        (0x08, _) => chs::parameters(pc, drive),
        (0x15, _) => chs::kind(pc, drive),
        // No floppy drive here can tell whether its disk was changed.
        (0x16, _) if drive.is_floppy(pc) => Status::Changed,
        (0x05, Drive::CdRom) => Status::InvalidParameter,
        (0x05 | 0x09 | 0x0c | 0x0d | 0x10 | 0x11 | 0x14, _) if !drive.is_floppy(pc) => {
            Status::Success
        }
        (0x41..=0x4e, Drive::HardDisk(_) | Drive::CdRom) => edd::serve(pc, drive, function),
        _ => Status::InvalidParameter,
    }
}

/// Where the status of the last operation of this kind of drive is.
fn last_status(pc: &Pc<'_>) -> Phys {
    let is_floppy = pc.low(Gpr::Rdx) < HARD_DISK;
    if is_floppy { data_area::FLOPPY_STATUS } else { data_area::DISK_STATUS }
}

/// A row of sectors, as a drive transfers them.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first, counted from 0 in the drive's own sectors.
    first: u64,
    /// How many.
    count: u16,
    /// Where in memory.
    buffer: Phys,
}

impl Drive {
    /// Whether it is used as a floppy.
    fn is_floppy(self, pc: &Pc<'_>) -> bool {
        match self {
            Drive::Floppy(_) => true,
            Drive::Emulated => emulates(pc, false),
            Drive::HardDisk(_) | Drive::CdRom => false,
        }
    }

    /// Bytes of one of its sectors.
    fn sector_size(self) -> usize {
        if self == Drive::CdRom { CD_SECTOR_SIZE } else { SECTOR_SIZE }
    }

    fn image<'a>(self, pc: &'a Pc<'_>) -> Option<&'a Image> {
        match self {
            Drive::CdRom => pc.disks.cdrom.as_ref(),
            _ => self.disk(pc).map(|disk| &disk.image),
        }
    }

    fn image_mut<'a>(self, pc: &'a mut Pc<'_>) -> Option<&'a mut Image> {
        let disk = match self {
            Drive::Floppy(number) => pc.disks.floppies.get_mut(number)?,
            Drive::HardDisk(number) => pc.disks.hard.get_mut(number)?,
            Drive::Emulated => &mut pc.disks.emulated.as_mut()?.disk,
            Drive::CdRom => return pc.disks.cdrom.as_mut(),
        };
        disk.as_mut().map(|disk| &mut disk.image)
    }

    fn disk<'a>(self, pc: &'a Pc<'_>) -> Option<&'a Disk> {
        match self {
            Drive::Floppy(number) => pc.disks.floppies.get(number)?.as_ref(),
            Drive::HardDisk(number) => pc.disks.hard.get(number)?.as_ref(),
            Drive::Emulated => pc.disks.emulated.as_ref()?.disk.as_ref(),
            Drive::CdRom => None,
        }
    }

    fn geometry(self, pc: &Pc<'_>) -> Option<Geometry> {
        self.disk(pc).map(|disk| disk.geometry)
    }

    /// All sectors, in the drive's own size.
    fn sectors(self, pc: &Pc<'_>) -> u64 {
        let sectors = self.image(pc).map_or(0, Image::sectors);
        sectors / (self.sector_size() / SECTOR_SIZE) as u64
    }

    /// Reads `run` into memory. Returns how many sectors there were before something failed.
    fn read(self, pc: &mut Pc<'_>, run: Run) -> (u16, Status) {
        self.transfer(run, |first, at| {
            let mut data = [0; CD_SECTOR_SIZE];
            let data = &mut data[..self.sector_size()];
            let read = self.image(pc).ok_or(Status::MediaMissing)?.read(first, data);
            read.map_err(|error| failed(pc, &error))?;
            pc.write(at, data);
            Ok(())
        })
    }

    /// Writes `run` from memory. Returns how many sectors went well before something failed.
    fn write(self, pc: &mut Pc<'_>, run: Run) -> (u16, Status) {
        self.transfer(run, |first, at| {
            let mut data = [0; CD_SECTOR_SIZE];
            let data = &mut data[..self.sector_size()];
            pc.read(at, data);
            self.put(pc, first, data)
        })
    }

    /// Writes `data` from the sector `first` of the image on.
    fn put(self, pc: &mut Pc<'_>, first: u64, data: &[u8]) -> Result<(), Status> {
        let image = self.image_mut(pc).ok_or(Status::MediaMissing)?;
        let (written, to_file) = (image.write(first, data), image.changes_its_file());
        pc.disks.news.file_written |= to_file;
        written.map_err(|error| failed(pc, &error))
    }

    /// Does `one` with each sector of `run`, as the image counts them, and its place in memory.
    fn transfer(
        self,
        run: Run,
        mut one: impl FnMut(u64, Phys) -> Result<(), Status>,
    ) -> (u16, Status) {
        let size = self.sector_size();
        for number in 0..run.count {
            let sector = run.first.saturating_add(number.into());
            let first = sector.saturating_mul((size / SECTOR_SIZE) as u64);
            let at = run.buffer.offset(u64::from(number) * size as u64);
            if let Err(status) = one(first, at) {
                return (number, status);
            }
        }
        (run.count, Status::Success)
    }
}

/// What the guest learns of `error`, and whoever runs the machine of one of the host.
fn failed(pc: &mut Pc<'_>, error: &AccessError) -> Status {
    match error {
        AccessError::Outside { .. } => Status::BadTrack,
        AccessError::Protected => Status::WriteProtected,
        AccessError::Host { source, .. } => {
            let status = Status::ControllerFailure;
            let text = format!("{error}: {source}; the guest gets status {:02X}h", status.code());
            pc.disks.news.trouble = Some(text);
            status
        }
    }
}

#[cfg(test)]
mod tests;
