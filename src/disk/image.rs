//! What is on a disk: a file of the host, or bytes, under the sectors that the guest has written.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SECTOR_SIZE;

/// What becomes of the guest's writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// They last as long as the machine, until it is started anew; the file stays as it is.
    #[default]
    CopyOnWrite,
    /// They go to the file.
    Writable,
    /// They fail, as on a disk with its write protection set.
    ReadOnly,
}

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be opened.
    #[error("cannot open the disk image {path}", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The host's reason.
        #[source]
        source: io::Error,
    },
    /// A directory, a pipe.
    #[error("the disk image {path} is neither a file nor a block device", path = .0.display())]
    NotAFile(PathBuf),
    /// Nothing in it.
    #[error("the disk image {path} is empty", path = .0.display())]
    Empty(PathBuf),
}

/// Why sectors cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// They lie behind the end of the disk.
    #[error("sector {sector} is behind the end of a disk of {size} sectors")]
    Outside {
        /// The first sector outside.
        sector: u64,
        /// The disk's size in sectors.
        size: u64,
    },
    /// The disk is write-protected.
    #[error("the disk is write-protected")]
    Protected,
    /// The host failed.
    #[error("cannot access sector {sector} of {name}")]
    Host {
        /// The first sector of the access.
        sector: u64,
        /// The file.
        name: String,
        /// The host's reason.
        #[source]
        source: io::Error,
    },
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Arc<[u8]>),
    File(Arc<File>, Arc<Path>),
}

/// An image: a row of sectors. A copy of it sees the same file, but not what is written afterwards.
#[derive(Clone, Debug)]
pub struct Image {
    source: Source,
    /// Where it begins in the source, in bytes.
    start: u64,
    /// Its length in the source in bytes; what the disk has beyond that reads as zeros.
    len: u64,
    /// Size of the disk in sectors.
    sectors: u64,
    access: Access,
    written: BTreeMap<u64, Arc<[u8; SECTOR_SIZE]>>,
}

impl Image {
    /// The image in the file or block device `path`.
    ///
    /// # Errors
    /// It cannot be opened in the way that `access` needs, is no file, or is empty.
    pub fn open(path: &Path, access: Access) -> Result<Image, ImageError> {
        let fail = |source| ImageError::Open { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(access == Access::Writable)
            .open(path)
            .map_err(fail)?;
        let kind = file.metadata().map_err(fail)?.file_type();
        if kind.is_dir() {
            return Err(ImageError::NotAFile(path.to_owned()));
        }
        // Also the size of a block device, which its metadata does not have. Pipes cannot seek.
        let end = file.seek(SeekFrom::End(0));
        let len = end.map_err(|_| ImageError::NotAFile(path.to_owned()))?;
        if len == 0 {
            return Err(ImageError::Empty(path.to_owned()));
        }
        Ok(Image::new(Source::File(Arc::new(file), path.into()), len, access))
    }

    /// An image of `bytes`, which exists in memory only.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Image {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        Image::new(Source::Bytes(bytes), len, Access::CopyOnWrite)
    }

    fn new(source: Source, len: u64, access: Access) -> Image {
        let sectors = len.div_ceil(SECTOR_SIZE as u64);
        Image { source, start: 0, len, sectors, access, written: BTreeMap::new() }
    }

    /// The same image on a disk of at least `sectors` sectors, the last of which are empty.
    #[must_use]
    pub fn on_disk_of(self, sectors: u64) -> Image {
        Image { sectors: self.sectors.max(sectors), ..self }
    }

    /// The `sectors` sectors from `first` on as an image of their own, which cannot be written.
    #[must_use]
    pub fn part(&self, first: u64, sectors: u64) -> Image {
        let offset = first.saturating_mul(SECTOR_SIZE as u64);
        let len = self.len.saturating_sub(offset).min(sectors.saturating_mul(SECTOR_SIZE as u64));
        let start = self.start.saturating_add(offset);
        let source = self.source.clone();
        Image { source, start, len, sectors, access: Access::ReadOnly, written: BTreeMap::new() }
    }

    /// Size in sectors; the last ones may be only partly in the file, or not at all.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// What becomes of writes.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether writes go to a file of the host.
    #[must_use]
    pub fn changes_its_file(&self) -> bool {
        self.access == Access::Writable && matches!(self.source, Source::File(..))
    }

    /// The file it is in, unless it is in memory only.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File(_, path) => Some(path),
            Source::Bytes(_) => None,
        }
    }

    /// Whether it is in the file or block device that `path` names, by whatever other name it was opened.
    #[must_use]
    pub fn is_in(&self, path: &Path) -> bool {
        let named = std::fs::metadata(path).ok().map(|metadata| identity(&metadata));
        named.is_some() && self.identity() == named
    }

    /// What tells its file from all others of the host.
    pub(super) fn identity(&self) -> Option<[u64; 2]> {
        match &self.source {
            Source::File(file, _) => file.metadata().ok().map(|metadata| identity(&metadata)),
            Source::Bytes(_) => None,
        }
    }

    /// Number of sectors that the guest has written and the file does not have.
    #[must_use]
    pub fn changed_sectors(&self) -> usize {
        self.written.len()
    }

    /// Reads from `sector` on as many bytes as `data` has.
    ///
    /// # Errors
    /// Something of it lies behind the end, or the host cannot read it.
    pub fn read(&self, sector: u64, data: &mut [u8]) -> Result<(), AccessError> {
        self.check(sector, data.len())?;
        for (number, chunk) in (sector..).zip(data.chunks_mut(SECTOR_SIZE)) {
            match self.written.get(&number) {
                Some(written) => chunk.copy_from_slice(&written[..chunk.len()]),
                None => self.read_source(number, chunk)?,
            }
        }
        Ok(())
    }

    fn read_source(&self, sector: u64, data: &mut [u8]) -> Result<(), AccessError> {
        let offset = sector.saturating_mul(SECTOR_SIZE as u64);
        let there = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (there, beyond) = data.split_at_mut(there.min(data.len()));
        beyond.fill(0);
        let start = self.start.saturating_add(offset);
        match &self.source {
            Source::Bytes(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                if let Some(from) = bytes.get(start..).and_then(|rest| rest.get(..there.len())) {
                    there.copy_from_slice(from);
                }
            }
            Source::File(file, path) => file.read_exact_at(there, start).map_err(|source| {
                let source = match source.kind() {
                    io::ErrorKind::UnexpectedEof => io::Error::other("the file has become shorter"),
                    _ => source,
                };
                AccessError::Host { sector, name: path.display().to_string(), source }
            })?,
        }
        Ok(())
    }

    /// Writes `data`, whole sectors, from `sector` on.
    ///
    /// # Errors
    /// Something of it lies behind the end, the disk is write-protected, or the host cannot write it.
    pub fn write(&mut self, sector: u64, data: &[u8]) -> Result<(), AccessError> {
        if self.access == Access::ReadOnly {
            return Err(AccessError::Protected);
        }
        self.check(sector, data.len())?;
        if let (Access::Writable, Source::File(file, path)) = (self.access, &self.source) {
            file.write_all_at(data, sector * SECTOR_SIZE as u64).map_err(|source| {
                AccessError::Host { sector, name: path.display().to_string(), source }
            })?;
            // A last sector that was cut short is whole from now on.
            self.len = self.len.max(sector * SECTOR_SIZE as u64 + data.len() as u64);
            return Ok(());
        }
        for (number, chunk) in (sector..).zip(data.chunks_exact(SECTOR_SIZE)) {
            let mut whole = [0; SECTOR_SIZE];
            whole.copy_from_slice(chunk);
            self.written.insert(number, Arc::new(whole));
        }
        Ok(())
    }

    fn check(&self, sector: u64, len: usize) -> Result<(), AccessError> {
        let size = self.sectors();
        let count = len.div_ceil(SECTOR_SIZE) as u64;
        match sector.checked_add(count) {
            Some(end) if end <= size => Ok(()),
            _ => Err(AccessError::Outside { sector: sector.max(size), size }),
        }
    }

    /// Takes back what the guest has written and the file does not have.
    pub fn forget_changes(&mut self) {
        self.written.clear();
    }
}

/// A block device is the same one in all of its nodes.
fn identity(metadata: &Metadata) -> [u64; 2] {
    match metadata.file_type().is_block_device() {
        true => [u64::MAX, metadata.rdev()],
        false => [metadata.dev(), metadata.ino()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(image: &Image, number: u64) -> [u8; SECTOR_SIZE] {
        let mut data = [9; SECTOR_SIZE];
        image.read(number, &mut data).unwrap();
        data
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn the_last_sector_is_filled_up_with_zeros() {
        let on_disk = file(&[7; 700]);
        let of_file = Image::open(on_disk.path(), Access::CopyOnWrite).unwrap();
        for image in [Image::from_bytes(vec![7; 700]), of_file] {
            assert_eq!(image.sectors(), 2);
            let last = sector(&image, 1);
            assert_eq!((last[187], last[188], last[511]), (7, 0, 0));
        }
    }

    #[test]
    fn writes_are_kept_beside_the_file_and_can_be_forgotten() {
        let on_disk = file(&[1; 1024]);
        let mut image = Image::open(on_disk.path(), Access::CopyOnWrite).unwrap();
        image.write(1, &[2; SECTOR_SIZE]).unwrap();
        let before = image.clone();
        image.write(0, &[3; SECTOR_SIZE]).unwrap();
        assert_eq!((sector(&image, 0)[0], sector(&image, 1)[0]), (3, 2));
        assert_eq!((sector(&before, 0)[0], sector(&before, 1)[0]), (1, 2));
        assert_eq!(image.changed_sectors(), 2);
        assert_eq!(std::fs::read(on_disk.path()).unwrap(), [1; 1024]);
        image.forget_changes();
        assert_eq!(sector(&image, 1)[0], 1);
    }

    #[test]
    fn a_writable_image_is_changed_in_its_file() {
        let on_disk = file(&[1; 600]);
        let mut image = Image::open(on_disk.path(), Access::Writable).unwrap();
        image.write(1, &[2; SECTOR_SIZE]).unwrap();
        assert_eq!(sector(&image, 1), [2; SECTOR_SIZE]);
        let bytes = std::fs::read(on_disk.path()).unwrap();
        assert_eq!((bytes.len(), bytes[511], bytes[512], bytes[1023]), (1024, 1, 2, 2));
    }

    #[test]
    fn a_part_is_an_image_and_a_larger_disk_is_empty_at_its_end() {
        let whole = Image::from_bytes((0..4).flat_map(|n| [n; SECTOR_SIZE]).collect::<Vec<u8>>());
        let mut part = whole.part(2, 3);
        assert_eq!((sector(&part, 0)[0], sector(&part, 1)[0], sector(&part, 2)[0]), (2, 3, 0));
        assert!(part.write(0, &[0; SECTOR_SIZE]).is_err());
        let mut larger = whole.on_disk_of(2880);
        assert_eq!(
            (larger.sectors(), sector(&larger, 3)[0], sector(&larger, 2879)[0]),
            (2880, 3, 0)
        );
        larger.write(2879, &[5; SECTOR_SIZE]).unwrap();
        assert_eq!(sector(&larger, 2879)[0], 5);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_said() {
        let mut image = Image::from_bytes(vec![0; 1024]);
        let mut data = [0; 1024];
        let text = image.read(1, &mut data).unwrap_err().to_string();
        assert_eq!(text, "sector 2 is behind the end of a disk of 2 sectors");
        assert!(image.read(u64::MAX, &mut data).is_err());
        assert!(image.write(2, &[0; SECTOR_SIZE]).is_err());
        image.access = Access::ReadOnly;
        let text = image.write(0, &[0; SECTOR_SIZE]).unwrap_err().to_string();
        assert_eq!(text, "the disk is write-protected");
    }

    #[test]
    fn a_file_that_becomes_shorter_is_named() {
        let on_disk = file(&[7; 2048]);
        let image = Image::open(on_disk.path(), Access::CopyOnWrite).unwrap();
        on_disk.as_file().set_len(1024).unwrap();
        assert_eq!(sector(&image, 1)[0], 7);
        let error = image.read(2, &mut [0; SECTOR_SIZE]).unwrap_err();
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(reason, "the file has become shorter");
        assert!(error.to_string().contains(&on_disk.path().display().to_string()));
    }

    #[test]
    fn what_is_no_image_is_refused_by_name() {
        let empty = file(&[]);
        let refusal = |path: &Path| Image::open(path, Access::CopyOnWrite).unwrap_err().to_string();
        assert!(refusal(empty.path()).ends_with("is empty"));
        let directory = tempfile::tempdir().unwrap();
        assert!(refusal(directory.path()).ends_with("is neither a file nor a block device"));
        assert!(refusal(Path::new("/nowhere/disk.img")).contains("/nowhere/disk.img"));
    }
}
