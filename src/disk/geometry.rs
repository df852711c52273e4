//! Cylinders, heads and sectors: how a disk of so many sectors is divided, and which sector an address in
//! them is.
//!
//! Floppy formats are those of the PC's drives; a hard disk has the geometry that its partition table was
//! made for (each entry ends at a head and sector), or else 16 heads of 63 sectors.

use super::SECTOR_SIZE;

/// How a disk is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Cylinders, or tracks of a side.
    pub cylinders: u32,
    /// Heads, or sides.
    pub heads: u32,
    /// Sectors of a track.
    pub sectors: u32,
}

/// The formats of 3½ and 5¼ inch disks, smallest first.
const FLOPPY_FORMATS: [Geometry; 13] = [
    Geometry::new(40, 1, 8),
    Geometry::new(40, 1, 9),
    Geometry::new(40, 2, 8),
    Geometry::new(40, 2, 9),
    Geometry::new(80, 2, 8),
    Geometry::new(80, 2, 9),
    Geometry::new(80, 2, 10),
    Geometry::new(80, 2, 15),
    Geometry::new(80, 2, 18),
    Geometry::new(80, 2, 20),
    Geometry::new(80, 2, 21),
    Geometry::new(82, 2, 21),
    Geometry::new(80, 2, 36),
];
/// The usual one: 1.44 MB.
const USUAL_FLOPPY: Geometry = Geometry::new(80, 2, 18);
/// The most sectors and heads that an interface between BIOS and disk has.
const HARD_DISK: Geometry = Geometry::new(16_383, 16, 63);
/// The most cylinders that INT 13h can name.
const MAX_CYLINDERS: u32 = 1024;

impl Geometry {
    /// So many of each.
    #[must_use]
    pub const fn new(cylinders: u32, heads: u32, sectors: u32) -> Geometry {
        Geometry { cylinders, heads, sectors }
    }

    /// All sectors.
    #[must_use]
    pub fn size(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors)
    }

    /// The format of a floppy image of `sectors` sectors: the one of exactly that size, else 1.44 MB if that holds
    /// it, else the smallest that does, else the largest.
    #[must_use]
    pub fn floppy(sectors: u64) -> Geometry {
        let exact = FLOPPY_FORMATS.into_iter().find(|format| format.size() == sectors);
        let holds = |format: &Geometry| format.size() >= sectors;
        exact
            .or(Some(USUAL_FLOPPY).filter(holds))
            .or_else(|| FLOPPY_FORMATS.into_iter().find(holds))
            .unwrap_or(FLOPPY_FORMATS[FLOPPY_FORMATS.len() - 1])
    }

    /// Whether an image of `sectors` sectors has the size of a floppy format.
    #[must_use]
    pub fn is_floppy_size(sectors: u64) -> bool {
        FLOPPY_FORMATS.iter().any(|format| format.size() == sectors)
    }

    /// The geometry of a hard disk of `sectors` sectors whose first one is `first`, as INT 13h shows it: at most
    /// 1024 cylinders, 255 heads, 63 sectors.
    #[must_use]
    pub fn hard_disk(sectors: u64, first: &[u8; SECTOR_SIZE]) -> Geometry {
        if let Some((heads, per_track)) = partitioned_for(sectors, first) {
            let cylinders = sectors / u64::from(heads * per_track);
            return Geometry::new(clamp(cylinders, MAX_CYLINDERS), heads, per_track);
        }
        let per_cylinder = u64::from(HARD_DISK.heads * HARD_DISK.sectors);
        let cylinders = clamp(sectors / per_cylinder, HARD_DISK.cylinders).max(2);
        if cylinders <= MAX_CYLINDERS {
            return Geometry { cylinders, ..HARD_DISK };
        }
        // More heads than the disk has make up for the missing cylinders ("LBA-assisted translation"). SeaBIOS rounds
        // down what is needed, and gives up the cylinders beyond of a disk that is slightly too large for 16.
        let needed = sectors / 63 / u64::from(MAX_CYLINDERS);
        let heads = [16, 32, 64, 128].into_iter().find(|heads| needed <= u64::from(*heads));
        let heads: u32 = heads.unwrap_or(255);
        let cylinders = sectors / u64::from(heads * 63);
        Geometry::new(clamp(cylinders, MAX_CYLINDERS), heads, 63)
    }

    /// The same disk of `sectors` sectors as its drive has it, between which and the geometry that INT 13h shows the
    /// firmware translates: 16,383 cylinders of 16 heads at most.
    #[must_use]
    pub fn of_drive(self, sectors: u64) -> Geometry {
        let fits = self.heads <= HARD_DISK.heads && self.sectors <= HARD_DISK.sectors;
        let divided = if fits { self } else { HARD_DISK };
        let per_cylinder = u64::from(divided.heads * divided.sectors).max(1);
        let least = if fits { u64::from(self.cylinders) } else { 1 };
        let cylinders = clamp((sectors / per_cylinder).max(least), HARD_DISK.cylinders);
        Geometry { cylinders, ..divided }
    }

    /// The sector at `cylinder`, `head`, `sector` (from 1), counted from 0; nothing if there is no such place.
    #[must_use]
    pub fn lba(self, cylinder: u32, head: u32, sector: u32) -> Option<u64> {
        let exists =
            cylinder < self.cylinders && head < self.heads && (1..=self.sectors).contains(&sector);
        let track = u64::from(cylinder) * u64::from(self.heads) + u64::from(head);
        exists.then(|| track * u64::from(self.sectors) + u64::from(sector - 1))
    }
}

fn clamp(number: u64, most: u32) -> u32 {
    u32::try_from(number).map_or(most, |number| number.clamp(1, most))
}

/// Heads and sectors of the disk that a master boot record was written for: its partitions end with a cylinder. What
/// looks like a table in the code of a boot sector is taken for one, too, if the disk of `size` sectors has room for
/// such a cylinder.
fn partitioned_for(size: u64, first: &[u8; SECTOR_SIZE]) -> Option<(u32, u32)> {
    const TABLE: usize = 446;
    const ENTRY: usize = 16;
    if first[510..] != [0x55, 0xaa] {
        return None;
    }
    first[TABLE..510].chunks_exact(ENTRY).find_map(|entry| {
        let length = u32::from_le_bytes([entry[12], entry[13], entry[14], entry[15]]);
        let (heads, sectors) = (u32::from(entry[5]) + 1, u32::from(entry[6] & 0x3f));
        // A table for more heads was itself made for a translation, which follows from the size.
        let plausible = length != 0 && (2..=HARD_DISK.heads).contains(&heads) && sectors > 0;
        let plausible = plausible && size >= u64::from(heads * sectors);
        plausible.then_some((heads, sectors))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> [u8; SECTOR_SIZE] {
        [0; SECTOR_SIZE]
    }

    #[test]
    fn floppies_have_the_format_of_their_size() {
        let formats = [
            (320, Geometry::new(40, 1, 8)),
            (720, Geometry::new(40, 2, 9)),
            (1280, Geometry::new(80, 2, 8)),
            (1440, Geometry::new(80, 2, 9)),
            (2400, Geometry::new(80, 2, 15)),
            (2880, Geometry::new(80, 2, 18)),
            (5760, Geometry::new(80, 2, 36)),
        ];
        for (sectors, format) in formats {
            assert_eq!(Geometry::floppy(sectors), format);
            assert!(Geometry::is_floppy_size(sectors));
        }
        assert!(!Geometry::is_floppy_size(1));
    }

    #[test]
    fn a_floppy_image_that_was_cut_short_is_one_of_1440_kilobytes() {
        for sectors in [1, 17, 2879] {
            assert_eq!(Geometry::floppy(sectors), USUAL_FLOPPY);
        }
        assert_eq!(Geometry::floppy(2881), Geometry::new(80, 2, 20));
        assert_eq!(Geometry::floppy(1 << 30), Geometry::new(80, 2, 36));
    }

    #[test]
    fn hard_disks_have_16_heads_of_63_sectors_as_long_as_that_suffices() {
        assert_eq!(Geometry::hard_disk(1, &blank()), Geometry::new(2, 16, 63));
        assert_eq!(Geometry::hard_disk(20_480, &blank()), Geometry::new(20, 16, 63));
        assert_eq!(Geometry::hard_disk(1024 * 1008, &blank()), Geometry::new(1024, 16, 63));
    }

    #[test]
    fn larger_ones_have_more_heads_in_1024_cylinders() {
        let mebibytes = |size: u64| Geometry::hard_disk(size << 11, &blank());
        assert_eq!(mebibytes(536), Geometry::new(544, 32, 63));
        assert_eq!(mebibytes(600), Geometry::new(609, 32, 63));
        assert_eq!(mebibytes(1100), Geometry::new(558, 64, 63));
        assert_eq!(mebibytes(4096), Geometry::new(522, 255, 63));
        assert_eq!(mebibytes(9216), Geometry::new(1024, 255, 63));
        assert_eq!(Geometry::hard_disk(u64::MAX, &blank()), Geometry::new(1024, 255, 63));
    }

    #[test]
    fn slightly_larger_ones_have_16_heads_and_lose_the_cylinders_beyond_1024() {
        for sectors in [1025 * 1008, 505 << 11, 512 << 11, 520 << 11, 17 * 63 * 1024 - 1] {
            let geometry = Geometry::hard_disk(sectors, &blank());
            assert_eq!(geometry, Geometry::new(1024, 16, 63), "{sectors}");
            assert_eq!(u64::from(geometry.of_drive(sectors).cylinders), sectors / 1008);
        }
        assert_eq!(Geometry::hard_disk(17 * 63 * 1024, &blank()), Geometry::new(544, 32, 63));
    }

    #[test]
    fn a_drive_has_16_heads_at_most() {
        let of_drive = |sectors| Geometry::hard_disk(sectors, &blank()).of_drive(sectors);
        assert_eq!(of_drive(1), Geometry::new(2, 16, 63));
        assert_eq!(of_drive(20_480), Geometry::new(20, 16, 63));
        assert_eq!(of_drive(4096 << 11), Geometry::new(8322, 16, 63));
        assert_eq!(of_drive(1 << 40), Geometry::new(16_383, 16, 63));
    }

    #[test]
    fn a_partition_table_says_what_it_was_made_for() {
        let mut first = blank();
        first[510] = 0x55;
        first[511] = 0xaa;
        first[446..462].copy_from_slice(&[0x80, 1, 1, 0, 6, 3, 17, 50, 17, 0, 0, 0, 1, 2, 0, 0]);
        assert_eq!(Geometry::hard_disk(4 * 17 * 100, &first), Geometry::new(100, 4, 17));
        // Of a boot sector alone these bytes are code.
        assert_eq!(Geometry::hard_disk(4 * 17 - 1, &first), Geometry::new(2, 16, 63));
    }

    #[test]
    fn places_become_sectors() {
        let floppy = USUAL_FLOPPY;
        assert_eq!(floppy.lba(0, 0, 1), Some(0));
        assert_eq!(floppy.lba(0, 1, 1), Some(18));
        assert_eq!(floppy.lba(79, 1, 18), Some(2879));
        assert_eq!(floppy.lba(80, 0, 1), None);
        assert_eq!(floppy.lba(0, 2, 1), None);
        assert_eq!(floppy.lba(0, 0, 0), None);
        assert_eq!(floppy.lba(0, 0, 19), None);
    }
}
