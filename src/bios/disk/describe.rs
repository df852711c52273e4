//! The disks and the status of their last operations in words, for a person.

use std::fmt::Write;

use super::status::Status;
use super::{CD_ROM, HARD_DISK, data_area};
use crate::disk::el_torito::Media;
use crate::disk::{Access, CD_SECTOR_SIZE, Disk, Disks, Emulated, Image, SECTOR_SIZE};
use crate::x86::Phys;

/// The drives with what is in them, a line each, and the status bytes that `read` gives.
#[must_use]
pub fn describe(disks: &Disks, read: impl Fn(Phys) -> u8) -> String {
    let mut text = String::new();
    let mut line = |number: u8, what: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{number:02X}h  {what}");
    };
    let emulated = disks.emulated.as_ref();
    let media = emulated.map(Emulated::media);
    let boots_as = emulated.and_then(|emulated| emulated.disk.as_ref());
    let mut first = 0;
    if let (Some(Media::Floppy(_)), Some(disk)) = (media, boots_as) {
        line(0, format!("floppy, the boot image of the CD-ROM: {}", contents(disk)));
        first = 1;
    }
    for (number, floppy) in (first..).zip(disks.floppies.iter().take(disks.floppy_drives().into()))
    {
        let what = floppy.as_ref().map_or_else(|| "no disk in it".to_owned(), contents);
        line(number, format!("floppy, {what}"));
    }
    let mut first = HARD_DISK;
    if let (Some(Media::HardDisk), Some(disk)) = (media, boots_as) {
        line(first, format!("hard disk, the boot image of the CD-ROM: {}", contents(disk)));
        first += 1;
    }
    for (number, disk) in (first..).zip(&disks.hard) {
        if let Some(disk) = disk {
            line(number, format!("hard disk, {}", contents(disk)));
        }
    }
    if let Some(cdrom) = &disks.cdrom {
        let sectors = cdrom.sectors() / (CD_SECTOR_SIZE / SECTOR_SIZE) as u64;
        let booted = match emulated.map(|emulated| (emulated.entry.media, emulated.ended)) {
            Some((Media::NoEmulation, _)) => ", booted without emulation",
            Some((_, false)) => ", booted",
            Some((_, true)) => ", booted; the emulation is ended",
            None => "",
        };
        let name = name(cdrom);
        line(CD_ROM, format!("CD-ROM, {sectors} sectors of 2048 bytes, {name}{booted}"));
    }
    for (kind, at) in [("floppy", data_area::FLOPPY_STATUS), ("hard disk", data_area::DISK_STATUS)]
    {
        let status = Status::of_code(read(at));
        let _ = writeln!(text, "last {kind} status ({:03x}): {}", at.0, status.describe());
    }
    text
}

fn contents(disk: &Disk) -> String {
    let Disk { image, geometry } = disk;
    let changes = match (image.access(), image.changed_sectors()) {
        (Access::ReadOnly, _) => "write-protected".to_owned(),
        (Access::Writable, _) if image.changes_its_file() => "writes go to the file".to_owned(),
        (_, 0) => "unchanged".to_owned(),
        (_, 1) => "1 sector changed, not in the file".to_owned(),
        (_, changed) => format!("{changed} sectors changed, not in the file"),
    };
    format!(
        "{} cylinders, {} heads, {} sectors a track, {} sector{}, {}: {changes}",
        geometry.cylinders,
        geometry.heads,
        geometry.sectors,
        image.sectors(),
        if image.sectors() == 1 { "" } else { "s" },
        name(image)
    )
}

fn name(image: &Image) -> String {
    let file = image.path().map(|path| path.file_name().unwrap_or(path.as_os_str()));
    file.map_or_else(|| "in memory".to_owned(), |name| name.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_say_what_is_in_them_and_what_was_changed() {
        let mut disk = Disk::hard(Image::from_bytes(vec![0; 2 * SECTOR_SIZE]));
        disk.image.write(1, &[1; SECTOR_SIZE]).unwrap();
        let disks = Disks { hard: [Some(disk), None], ..Disks::default() };
        let text = describe(&disks, |at| if at == data_area::DISK_STATUS { 0x0c } else { 0 });
        let expected = "\
            00h  floppy, no disk in it\n\
            80h  hard disk, 2 cylinders, 16 heads, 63 sectors a track, 2 sectors, in memory: 1 sector changed, not in the file\n\
            last floppy status (441): 00h, success\n\
            last hard disk status (474): 0Ch, behind the end of the disk\n";
        assert_eq!(text, expected);
    }
}
