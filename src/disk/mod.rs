//! Disks: images as rows of sectors, copy-on-write over what the host has.
//!
//! [`Disks`] has them at the places where a PC has them: two floppy drives, hard disks, a CD-ROM drive. Nothing
//! here knows of the BIOS, of ports or of KVM.

pub mod el_torito;
pub mod geometry;
pub mod image;

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
    /// Hard disks, the first ones in a row.
    pub hard: [Option<Disk>; HARD_DISKS],
    /// The CD-ROM.
    pub cdrom: Option<Image>,
}

impl Disk {
    /// The disk as a floppy; its geometry is that of the smallest format that holds it.
    #[must_use]
    pub fn floppy(image: Image) -> Disk {
        let geometry = Geometry::floppy(image.sectors());
        Disk { image, geometry }
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
    /// Takes back what the guest has written and the host's files do not have.
    pub fn forget_changes(&mut self) {
        let disks = self.floppies.iter_mut().chain(&mut self.hard).flatten();
        for disk in disks {
            disk.image.forget_changes();
        }
    }

    /// Number of hard disks: those before the first place that is empty.
    #[must_use]
    pub fn hard_disks(&self) -> u8 {
        let count = self.hard.iter().take_while(|disk| disk.is_some()).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }
}
