//! Disks: images as rows of sectors, copy-on-write over what the host has.
//!
//! [`Disks`] has them at the places where a PC has them: two floppy drives, hard disks, a CD-ROM drive. Nothing
//! here knows of the BIOS, of ports or of KVM.

pub mod el_torito;
pub mod files;
pub mod geometry;
pub mod image;

pub use files::Files;
pub use geometry::Geometry;
pub use image::{Access, Image, ImageError};

/// Bytes of a sector of floppy and hard disks.
pub const SECTOR_SIZE: usize = 512;
/// Bytes of a sector of CD-ROMs.
pub const CD_SECTOR_SIZE: usize = 2048;
/// Floppy drives of a machine.
pub const FLOPPY_DRIVES: usize = 2;
/// Hard disks of a machine.
pub const HARD_DISKS: usize = 2;

/// A disk, and how it is divided.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What is on it.
    pub image: Image,
    /// Cylinders, heads and sectors.
    pub geometry: Geometry,
}

/// The disks of a machine.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    /// Drives A and B.
    pub floppies: [Option<Disk>; FLOPPY_DRIVES],
    /// Hard disks.
    pub hard: [Option<Disk>; HARD_DISKS],
    /// The CD-ROM.
    pub cdrom: Option<Image>,
    /// The disk that the CD-ROM has been booted as.
    pub emulated: Option<Emulated>,
    /// What has come of accesses that whoever runs the machine should know.
    pub news: News,
}

/// What has come of accesses to disks besides what the guest learns.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// A file was written.
    pub file_written: bool,
    /// Why the host has refused an access.
    pub trouble: Option<String>,
    /// The user knows of such trouble.
    pub told: bool,
}

/// The boot image of a CD-ROM, in the place of a disk.
#[derive(Clone, Debug)]
pub struct Emulated {
    /// What the boot catalogue says of it.
    pub entry: el_torito::BootEntry,
    /// It as a disk, unless it emulates none.
    pub disk: Option<Disk>,
    /// The guest has put an end to that, and the disk has its place no longer.
    pub ended: bool,
}

impl Emulated {
    /// What the boot image still pretends to be.
    #[must_use]
    pub fn media(&self) -> el_torito::Media {
        if self.ended { el_torito::Media::NoEmulation } else { self.entry.media }
    }
}

impl Disk {
    /// The disk as a floppy. One that is smaller than its format is empty at the end.
    #[must_use]
    pub fn floppy(image: Image) -> Disk {
        let geometry = Geometry::floppy(image.sectors());
        Disk { image: image.on_disk_of(geometry.size()), geometry }
    }

    /// The disk as a hard disk; its geometry is what its partition table was made for, if it has one.
    #[must_use]
    pub fn hard(image: Image) -> Disk {
        let mut first = [0; SECTOR_SIZE];
        // Of a disk that cannot be read, the size says all there is to say.
        let _ = image.read(0, &mut first);
        let geometry = Geometry::hard_disk(image.sectors(), &first);
        Disk { image, geometry }
    }
}

impl Disks {
    /// Finds what the CD-ROM boots, and puts it in the place of the disk that it emulates.
    ///
    /// # Errors
    /// There is no CD-ROM, or it cannot be booted.
    pub fn emulate(&mut self) -> Result<&Emulated, el_torito::BootError> {
        let cdrom = self.cdrom.as_ref().ok_or(el_torito::BootError::NoCdRom)?;
        let entry = el_torito::boot_entry(cdrom)?;
        let first = u64::from(entry.first) * (CD_SECTOR_SIZE / SECTOR_SIZE) as u64;
        let floppy =
            |geometry: Geometry| Disk { image: cdrom.part(first, geometry.size()), geometry };
        let disk = match entry.media {
            el_torito::Media::NoEmulation => None,
            el_torito::Media::Floppy(geometry) => Some(floppy(geometry)),
            el_torito::Media::HardDisk => {
                Some(Disk::hard(cdrom.part(first, cdrom.sectors().saturating_sub(first))))
            }
        };
        Ok(self.emulated.insert(Emulated { entry, disk, ended: false }))
    }

    /// Takes back what the guest has written and the host's files do not have, and what it has booted.
    pub fn forget_changes(&mut self) {
        let disks = self.floppies.iter_mut().chain(&mut self.hard).flatten();
        for disk in disks {
            disk.image.forget_changes();
        }
        self.emulated = None;
        self.news = News::default();
    }

    /// A disk whose file the guest's writes go to, while it is in another drive as well.
    #[must_use]
    pub fn written_in_two_drives(&self) -> Option<&Image> {
        let disks = self.floppies.iter().chain(&self.hard).flatten().map(|disk| &disk.image);
        let images: Vec<&Image> = disks.chain(&self.cdrom).collect();
        images.iter().copied().find(|image| {
            let file = image.identity().filter(|_| image.changes_its_file());
            let drives = images.iter().filter(|other| other.identity() == file);
            file.is_some() && drives.count() > 1
        })
    }

    /// Number of floppy drives: the first is always there, with or without a disk in it.
    #[must_use]
    pub fn floppy_drives(&self) -> u8 {
        if self.floppies[1].is_some() { 2 } else { 1 }
    }

    /// Number of hard disks, as PCs count them: up to the last that is there.
    #[must_use]
    pub fn hard_disks(&self) -> u8 {
        let count = self.hard.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        u8::try_from(count).unwrap_or(u8::MAX)
    }
}
