//! What the firmware boots from disks: it tries one after the other, and loads what the first bootable one says.
//!
//! A floppy or a hard disk is bootable if its first sector ends in 55h AAh; of a CD-ROM see
//! [`el_torito`].

use std::fmt;
use std::str::FromStr;

use super::image::{BOOT_SECTOR, FromDisk, Image};
use super::{Boot, Machine};
use crate::disk::el_torito::Media;
use crate::disk::image::AccessError;
use crate::disk::{CD_SECTOR_SIZE, Disk, Disks, SECTOR_SIZE, el_torito};
use crate::memory::{MemoryError, Ram};
use crate::x86::Phys;

/// The first floppy drive's number.
pub const FLOPPY: u8 = 0x00;
/// The first hard disk's.
pub const HARD_DISK: u8 = 0x80;
/// That of a CD-ROM which emulates no disk.
pub const CD_ROM: u8 = 0xe0;

/// Where the signature of a boot sector is.
const SIGNATURE_AT: usize = 510;
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// A disk that can be booted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Drive A.
    Floppy,
    /// The first hard disk.
    HardDisk,
    /// The CD-ROM.
    CdRom,
}

/// Which disks are tried, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(Vec<Device>);

/// Why a disk cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum NotBootable {
    /// There is none in the drive.
    #[error("{0} has no disk in it")]
    Empty(Device),
    /// It has not the mark of one that can.
    #[error("the disk in {0} is not bootable: its first sector does not end in 55 AA")]
    NoSignature(Device),
    /// Its first sector cannot be read.
    #[error("the first sector of the disk in {device} cannot be read")]
    Unreadable {
        /// The drive.
        device: Device,
        /// Why.
        #[source]
        source: AccessError,
    },
    /// An image of a disk for a drive that has one.
    #[error(
        "drive {0:02X}h has another disk in it: the image needs a place of its own, such as --drive {1:#04x}"
    )]
    Taken(u8, u8),
    /// An image of a disk for a drive that no machine has.
    #[error(
        "there is no drive {0:02X}h that the image could be in: floppies are 00h and 01h, hard disks 80h and 81h"
    )]
    NoDrive(u8),
    /// An image of a CD-ROM for a machine that has one.
    #[error("the image is that of a CD-ROM, and the drive has another disc in it")]
    CdRomTaken,
    /// A CD-ROM that is not bootable.
    #[error(transparent)]
    CdRom(#[from] el_torito::BootError),
}

/// Why what a disk boots cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The disk is not what it was.
    #[error(transparent)]
    Disk(#[from] NotBootable),
    /// There is not enough RAM.
    #[error("what the disk boots does not fit")]
    DoesNotFit(#[from] MemoryError),
}

/// Why a text is no [`Order`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no boot order: letters of a (floppy), c (hard disk) and d (CD-ROM), such as `ca`"
)]
pub struct ParseOrderError(String);

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Device::Floppy => "drive 00h",
            Device::HardDisk => "drive 80h",
            Device::CdRom => "the CD-ROM drive",
        })
    }
}

impl Default for Order {
    /// Floppy, hard disk, CD-ROM.
    fn default() -> Order {
        Order(vec![Device::Floppy, Device::HardDisk, Device::CdRom])
    }
}

impl FromStr for Order {
    type Err = ParseOrderError;

    /// Reads letters of `a`, `c` and `d`, each at most once.
    fn from_str(text: &str) -> Result<Order, ParseOrderError> {
        let error = || ParseOrderError(text.to_owned());
        let mut devices = Vec::new();
        for letter in text.chars() {
            let device = match letter {
                'a' => Device::Floppy,
                'c' => Device::HardDisk,
                'd' => Device::CdRom,
                _ => return Err(error()),
            };
            if devices.contains(&device) {
                return Err(error());
            }
            devices.push(device);
        }
        if devices.is_empty() { Err(error()) } else { Ok(Order(devices)) }
    }
}

impl Boot {
    /// Boots the first of `order` that can be booted from.
    ///
    /// # Errors
    /// None can: why the first one that has a disk in it cannot.
    pub fn from_disks(order: &Order, disks: &Disks) -> Result<Boot, NotBootable> {
        let mut reason = None;
        for device in &order.0 {
            match from_device(*device, disks) {
                Ok(boot) => return Ok(boot),
                Err(why @ NotBootable::Empty(_)) => reason = reason.or(Some(why)),
                Err(why) if matches!(reason, None | Some(NotBootable::Empty(_))) => {
                    reason = Some(why);
                }
                Err(_) => {}
            }
        }
        Err(reason.unwrap_or(NotBootable::Empty(Device::Floppy)))
    }

    /// Boots the flat image `data`, which `disk` has as well, as the disk `drive`: one of a floppy's size is drive
    /// 00h, any other 80h, when not given. If `data` is larger than a sector and its first one has the mark of a boot
    /// sector, the firmware loads that alone; otherwise all of it. If it has not that mark, but the boot record of a
    /// CD-ROM, and no `drive` is given, it is one.
    ///
    /// The disk takes its place in `disks`, if that is free. What is loaded whole does without.
    ///
    /// # Errors
    /// It is to be booted from a drive that there is not, or that has a disk; or it is a CD-ROM that cannot be
    /// booted.
    pub fn from_flat(
        data: Vec<u8>,
        disk: crate::disk::Image,
        drive: Option<u8>,
        disks: &mut Disks,
    ) -> Result<Boot, NotBootable> {
        use crate::disk::geometry::Geometry;
        let bootable = has_signature(&data);
        if !bootable && drive.is_none() && el_torito::has_boot_record(&disk) {
            if disks.cdrom.is_some() {
                return Err(NotBootable::CdRomTaken);
            }
            disks.cdrom = Some(disk);
            return from_device(Device::CdRom, disks);
        }
        let usual = if Geometry::is_floppy_size(disk.sectors()) { FLOPPY } else { HARD_DISK };
        let drive = drive.unwrap_or(usual);
        let number = usize::from(drive & !HARD_DISK);
        let is_disk = data.len() > SECTOR_SIZE && bootable;
        let (place, disk) = if drive < HARD_DISK {
            (disks.floppies.get_mut(number), Disk::floppy(disk))
        } else {
            (disks.hard.get_mut(number), Disk::hard(disk))
        };
        match place {
            Some(place) if place.is_none() => *place = Some(disk),
            Some(_) if is_disk => return Err(NotBootable::Taken(drive, drive ^ 1)),
            None if is_disk => return Err(NotBootable::NoDrive(drive)),
            _ => {}
        }
        let image = if is_disk { Image::Disk(FromDisk::Sector) } else { Image::Flat(data) };
        Ok(Boot { drive, ..Boot::new(image) })
    }

    /// Loads what is booted from a disk; nothing if the guest is loaded in another way.
    ///
    /// # Errors
    /// The disk cannot be read any more, or has to be loaded where there is no RAM.
    pub(super) fn load_from_disk(&self, disks: &mut Disks, ram: &Ram) -> Result<(), LoadError> {
        let Image::Disk(from) = &self.image else { return Ok(()) };
        let (data, at) = match from {
            FromDisk::Sector => {
                let device = if self.drive < HARD_DISK { Device::Floppy } else { Device::HardDisk };
                let disk = disk_of(self.drive, disks).ok_or(NotBootable::Empty(device))?;
                let mut sector = vec![0; SECTOR_SIZE];
                disk.image
                    .read(0, &mut sector)
                    .map_err(|source| NotBootable::Unreadable { device, source })?;
                (sector, BOOT_SECTOR)
            }
            FromDisk::CdRom(entry) => {
                disks.emulate().map_err(NotBootable::from)?;
                let mut data = vec![0; usize::from(entry.sectors) * SECTOR_SIZE];
                let first = u64::from(entry.first) * (CD_SECTOR_SIZE / SECTOR_SIZE) as u64;
                let cdrom = disks.cdrom.as_ref().ok_or(el_torito::BootError::NoCdRom);
                cdrom
                    .map_err(NotBootable::from)?
                    .read(first, &mut data)
                    .map_err(|source| NotBootable::Unreadable { device: Device::CdRom, source })?;
                (data, Phys(u64::from(entry.segment) << 4))
            }
        };
        ram.load(at, &data)?;
        Ok(())
    }
}

impl Machine {
    /// Tells the user if the guest is what looks like a boot sector, and no firmware would boot it from a disk. A flat
    /// image of another size is a program that knows its place.
    pub fn tell_of_missing_signature(&mut self) {
        let Image::Flat(data) = &self.boot.image else { return };
        let is_sector = data.len() == SECTOR_SIZE && self.boot.load_address() == BOOT_SECTOR;
        if self.firmware && is_sector && !has_signature(data) {
            self.tell(
                "no boot signature 55 AA at byte 510: firmware would not boot this from a disk"
                    .to_owned(),
            );
        }
    }
}

/// Whether `sector` begins with a boot sector's 512 bytes.
pub(super) fn has_signature(sector: &[u8]) -> bool {
    sector.get(SIGNATURE_AT..SIGNATURE_AT + SIGNATURE.len()) == Some(&SIGNATURE[..])
}

fn disk_of(drive: u8, disks: &Disks) -> Option<&Disk> {
    let number = usize::from(drive & !HARD_DISK);
    let place = if drive < HARD_DISK { disks.floppies.get(number) } else { disks.hard.get(number) };
    place.and_then(Option::as_ref)
}

fn from_device(device: Device, disks: &Disks) -> Result<Boot, NotBootable> {
    let drive = match device {
        Device::Floppy => FLOPPY,
        Device::HardDisk => HARD_DISK,
        Device::CdRom => {
            let cdrom = disks.cdrom.as_ref().ok_or(NotBootable::Empty(device))?;
            let entry = el_torito::boot_entry(cdrom)?;
            let drive = match entry.media {
                Media::NoEmulation => CD_ROM,
                Media::Floppy(_) => FLOPPY,
                Media::HardDisk => HARD_DISK,
            };
            return Ok(Boot { drive, ..Boot::new(Image::Disk(FromDisk::CdRom(entry))) });
        }
    };
    let disk = disk_of(drive, disks).ok_or(NotBootable::Empty(device))?;
    let mut sector = [0; SECTOR_SIZE];
    let read = disk.image.read(0, &mut sector);
    read.map_err(|source| NotBootable::Unreadable { device, source })?;
    if !has_signature(&sector) {
        return Err(NotBootable::NoSignature(device));
    }
    Ok(Boot { drive, ..Boot::new(Image::Disk(FromDisk::Sector)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;

    fn bootable(sectors: usize) -> Vec<u8> {
        let mut data = vec![0x90; sectors * SECTOR_SIZE];
        data[SIGNATURE_AT..SECTOR_SIZE].copy_from_slice(&SIGNATURE);
        data
    }

    fn flat(data: Vec<u8>, drive: Option<u8>) -> (Boot, Disks) {
        let mut disks = Disks::default();
        let image = disk::Image::from_bytes(data.clone());
        (Boot::from_flat(data, image, drive, &mut disks).unwrap(), disks)
    }

    #[test]
    fn a_boot_sector_is_loaded_whole_and_is_a_disk_too() {
        let (boot, disks) = flat(bootable(1), None);
        assert_eq!((boot.image, boot.drive), (Image::Flat(bootable(1)), 0x80));
        assert_eq!(disks.hard_disks(), 1);
    }

    #[test]
    fn of_a_disk_image_only_the_first_sector_is_loaded() {
        let (boot, disks) = flat(bootable(2880), None);
        assert_eq!((&boot.image, boot.drive), (&Image::Disk(FromDisk::Sector), 0x00));
        let ram = Ram::new(1 << 20).unwrap();
        boot.load_from_disk(&mut disks.clone(), &ram).unwrap();
        let mut bytes = [0; 514];
        assert_eq!(ram.read(BOOT_SECTOR, &mut bytes), 514);
        assert_eq!((bytes[0], bytes[511], bytes[512]), (0x90, 0xaa, 0));
        let (boot, _) = flat(bootable(2880), Some(0x80));
        assert_eq!(boot.drive, 0x80);
    }

    #[test]
    fn an_image_of_a_disk_needs_a_drive_of_its_own() {
        let (_, mut disks) = flat(bootable(4), None);
        let mut refusal = |data: Vec<u8>, drive| {
            let image = disk::Image::from_bytes(data.clone());
            let boot = Boot::from_flat(data, image, drive, &mut disks);
            boot.map(|boot| boot.drive).map_err(|error| error.to_string())
        };
        assert!(refusal(bootable(4), None).unwrap_err().contains("drive 80h has another disk"));
        assert!(refusal(bootable(4), Some(0x82)).unwrap_err().contains("no drive 82h"));
        assert_eq!(refusal(bootable(1), None), Ok(0x80));
        assert_eq!(refusal(bootable(4), Some(0x81)), Ok(0x81));
    }

    #[test]
    fn what_has_no_signature_is_loaded_whole() {
        let data = vec![0x90; 3 * SECTOR_SIZE];
        assert_eq!(flat(data.clone(), None).0.image, Image::Flat(data));
    }

    #[test]
    fn an_image_of_a_cd_rom_is_one_unless_a_drive_is_named_or_it_is_a_hard_disk_too() {
        let mut disc = vec![0; 20 * CD_SECTOR_SIZE];
        disc[17 * CD_SECTOR_SIZE..][..30].copy_from_slice(b"\0CD001\x01EL TORITO SPECIFICATION");
        let boot = |disc: &[u8], drive, disks: &mut Disks| {
            let image = disk::Image::from_bytes(disc.to_vec());
            let boot = Boot::from_flat(disc.to_vec(), image, drive, disks);
            boot.map(|boot| boot.drive).map_err(|error| error.to_string())
        };
        // It has no catalogue, which is told of CD-ROMs only.
        let error = boot(&disc, None, &mut Disks::default()).unwrap_err();
        assert!(error.contains("boot catalogue"), "{error}");
        let inside = disk::Image::from_bytes(vec![0; CD_SECTOR_SIZE]);
        let mut full = Disks { cdrom: Some(inside), ..Disks::default() };
        assert!(boot(&disc, None, &mut full).unwrap_err().contains("another disc"));
        assert_eq!(boot(&disc, Some(0x80), &mut Disks::default()), Ok(0x80));
        disc[SIGNATURE_AT..SECTOR_SIZE].copy_from_slice(&SIGNATURE);
        assert_eq!(boot(&disc, None, &mut Disks::default()), Ok(0x80));
    }

    #[test]
    fn the_first_bootable_disk_is_booted() {
        let empty = || disk::Image::from_bytes(vec![0; SECTOR_SIZE]);
        let mut disks = Disks {
            floppies: [Some(Disk::floppy(empty())), None],
            hard: [Some(Disk::hard(disk::Image::from_bytes(bootable(4)))), None],
            ..Disks::default()
        };
        let drive = |order: &str, disks: &Disks| {
            let boot = Boot::from_disks(&order.parse().unwrap(), disks);
            boot.map(|boot| boot.drive).map_err(|error| error.to_string())
        };
        assert_eq!(drive("acd", &disks), Ok(0x80));
        assert_eq!(
            drive("ad", &disks).unwrap_err(),
            "the disk in drive 00h is not bootable: its first sector does not end in 55 AA"
        );
        disks.floppies[0] = None;
        assert_eq!(drive("a", &disks).unwrap_err(), "drive 00h has no disk in it");
    }

    #[test]
    fn orders_are_letters() {
        assert_eq!("acd".parse(), Ok(Order::default()));
        assert_eq!("d".parse(), Ok(Order(vec![Device::CdRom])));
        for text in ["", "b", "aa", "a,c"] {
            assert!(text.parse::<Order>().unwrap_err().to_string().contains(text));
        }
    }
}
