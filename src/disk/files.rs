//! Which files of the host are the disks of a machine.

use std::path::PathBuf;

use super::{Access, Disk, Disks, HARD_DISKS, Image, ImageError};

/// The files, as the user names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// In drive A.
    pub fda: Option<PathBuf>,
    /// In drive B.
    pub fdb: Option<PathBuf>,
    /// The hard disks.
    pub hda: Option<PathBuf>,
    /// The second of them; the first if there is no other.
    pub hdb: Option<PathBuf>,
    /// In the CD-ROM drive; it is never written.
    pub cdrom: Option<PathBuf>,
    /// The guest's writes to floppies and hard disks go to the files.
    pub writable: bool,
}

impl Files {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Files { fda, fdb, hda, hdb, cdrom, writable: _ } = self;
        [fda, fdb, hda, hdb, cdrom].into_iter().all(Option::is_none)
    }

    /// What becomes of the guest's writes.
    #[must_use]
    pub fn access(&self) -> Access {
        if self.writable { Access::Writable } else { Access::CopyOnWrite }
    }

    /// Opens them.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn open(&self) -> Result<Disks, ImageError> {
        let open = |path: &Option<PathBuf>, access| {
            path.as_ref().map(|path| Image::open(path, access)).transpose()
        };
        let floppy = |path| Ok::<_, ImageError>(open(path, self.access())?.map(Disk::floppy));
        let mut disks = Disks {
            floppies: [floppy(&self.fda)?, floppy(&self.fdb)?],
            cdrom: open(&self.cdrom, Access::ReadOnly)?,
            ..Disks::default()
        };
        let hard = [&self.hda, &self.hdb].map(|path| open(path, self.access()));
        let mut place = 0;
        for image in hard {
            if let (Some(image), true) = (image?, place < HARD_DISKS) {
                disks.hard[place] = Some(Disk::hard(image));
                place += 1;
            }
        }
        Ok(disks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_hard_disk_is_the_first() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [1; 512]).unwrap();
        let path = Some(file.path().to_owned());
        let disks = Files { hdb: path.clone(), fdb: path, ..Files::default() }.open().unwrap();
        assert_eq!((disks.hard_disks(), disks.floppy_drives()), (1, 2));
        assert!(disks.floppies[0].is_none() && disks.cdrom.is_none());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let files = Files { cdrom: Some("/nowhere/boot.iso".into()), ..Files::default() };
        assert!(!files.is_empty() && Files::default().is_empty());
        assert!(files.open().unwrap_err().to_string().contains("/nowhere/boot.iso"));
    }
}
