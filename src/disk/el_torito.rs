//! What a bootable CD-ROM boots ("El Torito" Bootable CD-ROM Format Specification 1.0, Phoenix and IBM 1995).

use super::{CD_SECTOR_SIZE, Geometry, Image, SECTOR_SIZE};

/// Sectors of the disk image in one of the CD-ROM.
const SECTORS: u64 = (CD_SECTOR_SIZE / SECTOR_SIZE) as u64;
/// Where the boot record volume descriptor is, in sectors of the CD-ROM.
const BOOT_RECORD: u64 = 17;
const ENTRY_SIZE: usize = 32;

/// What the boot image pretends to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Nothing: it is loaded and started, and reads the CD-ROM in sectors of 2,048 bytes.
    NoEmulation,
    /// The floppy disk A, of 1.2, 1.44 or 2.88 MB.
    Floppy(Geometry),
    /// The first hard disk.
    HardDisk,
}

/// The default entry of a boot catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootEntry {
    /// What the boot image pretends to be.
    pub media: Media,
    /// That as the byte in the catalogue.
    pub media_type: u8,
    /// Where the boot image is loaded, a segment.
    pub segment: u16,
    /// Sectors of 512 bytes that are loaded.
    pub sectors: u16,
    /// First sector of the boot image, in 2,048 bytes.
    pub first: u32,
}

/// Why a CD-ROM cannot be booted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BootError {
    /// There is no disc.
    #[error("there is no CD-ROM to boot from")]
    NoCdRom,
    /// Its seventeenth sector is not a boot record.
    #[error("the CD-ROM is not bootable: it has no El Torito boot record")]
    NoBootRecord,
    /// Where the boot record points to is no catalogue.
    #[error("the boot catalogue of the CD-ROM, in sector {sector}, is damaged: {what}")]
    Catalogue {
        /// Where it should be, in sectors of 2,048 bytes.
        sector: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A kind of boot image that nobody defined.
    #[error("the boot image of the CD-ROM is of unknown type {0:#04x}")]
    Media(u8),
}

/// Whether `disk` says of itself that it is a CD-ROM to boot from, which [`boot_entry`] may deny.
#[must_use]
pub fn has_boot_record(disk: &Image) -> bool {
    boot_record(disk).is_some()
}

/// Finds what `cdrom` boots.
///
/// # Errors
/// It is not bootable, or not as the specification says.
pub fn boot_entry(cdrom: &Image) -> Result<BootEntry, BootError> {
    let record = boot_record(cdrom).ok_or(BootError::NoBootRecord)?;
    let sector = u32::from_le_bytes([record[0x47], record[0x48], record[0x49], record[0x4a]]);
    let damaged = |what| BootError::Catalogue { sector, what };
    let mut catalogue = [0; SECTOR_SIZE];
    cdrom
        .read(u64::from(sector) * SECTORS, &mut catalogue)
        .map_err(|_| damaged("it is behind the end"))?;
    let validation = &catalogue[..ENTRY_SIZE];
    if validation[0] != 1 || validation[0x1e..] != [0x55, 0xaa] {
        return Err(damaged("its validation entry lacks 01h, or 55h AAh at the end"));
    }
    let words = validation.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    if words.fold(0, u16::wrapping_add) != 0 {
        return Err(damaged("the checksum of its validation entry is wrong"));
    }
    let entry = &catalogue[ENTRY_SIZE..2 * ENTRY_SIZE];
    if entry[0] != 0x88 {
        return Err(damaged("its default entry is not marked as bootable"));
    }
    let media = match entry[1] & 0x0f {
        0 => Media::NoEmulation,
        1 => Media::Floppy(Geometry::new(80, 2, 15)),
        2 => Media::Floppy(Geometry::new(80, 2, 18)),
        3 => Media::Floppy(Geometry::new(80, 2, 36)),
        4 => Media::HardDisk,
        _ => return Err(BootError::Media(entry[1])),
    };
    let segment = u16::from_le_bytes([entry[2], entry[3]]);
    Ok(BootEntry {
        media_type: entry[1],
        media,
        segment: if segment == 0 { 0x7c0 } else { segment },
        sectors: u16::from_le_bytes([entry[6], entry[7]]).max(1),
        first: u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]),
    })
}

/// The sector that points to the catalogue, if `disk` has one.
fn boot_record(disk: &Image) -> Option<[u8; SECTOR_SIZE]> {
    let mut record = [0; SECTOR_SIZE];
    disk.read(BOOT_RECORD * SECTORS, &mut record).ok()?;
    record.starts_with(b"\0CD001\x01EL TORITO SPECIFICATION").then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CD-ROM whose catalogue is in sector 20 and whose boot image is in sector 21.
    fn cdrom(change: impl Fn(&mut [u8])) -> Image {
        let mut bytes = vec![0; 24 * CD_SECTOR_SIZE];
        let record = 17 * CD_SECTOR_SIZE;
        bytes[record..record + 30].copy_from_slice(b"\0CD001\x01EL TORITO SPECIFICATION");
        bytes[record + 0x47] = 20;
        let catalogue = 20 * CD_SECTOR_SIZE;
        bytes[catalogue] = 1;
        // The words of the entry add up to 0: its first, the checksum, its signature.
        let sum = 0x0001_u16.wrapping_add(0xaa55).wrapping_neg();
        bytes[catalogue + 0x1c..catalogue + 0x1e].copy_from_slice(&sum.to_le_bytes());
        bytes[catalogue + 0x1e..catalogue + 0x20].copy_from_slice(&[0x55, 0xaa]);
        bytes[catalogue + 32..catalogue + 44]
            .copy_from_slice(&[0x88, 0, 0, 0, 0, 0, 4, 0, 21, 0, 0, 0]);
        change(&mut bytes);
        Image::from_bytes(bytes)
    }

    const CATALOGUE: usize = 20 * CD_SECTOR_SIZE;

    #[test]
    fn the_default_entry_is_found() {
        let entry = boot_entry(&cdrom(|_| {}));
        let expected = BootEntry {
            media_type: 0,
            media: Media::NoEmulation,
            segment: 0x7c0,
            sectors: 4,
            first: 21,
        };
        assert_eq!(entry, Ok(expected));
    }

    #[test]
    fn what_is_not_bootable_is_said() {
        assert_eq!(boot_entry(&Image::from_bytes(vec![0; 1 << 20])), Err(BootError::NoBootRecord));
        assert_eq!(boot_entry(&Image::from_bytes(vec![0; 10])), Err(BootError::NoBootRecord));
        let wrong_sum = boot_entry(&cdrom(|bytes| bytes[CATALOGUE + 4] = 1)).unwrap_err();
        assert!(wrong_sum.to_string().contains("sector 20"), "{wrong_sum}");
        let nowhere = boot_entry(&cdrom(|bytes| bytes[17 * CD_SECTOR_SIZE + 0x4a] = 0xff));
        assert!(nowhere.unwrap_err().to_string().contains("behind the end"));
    }
}
