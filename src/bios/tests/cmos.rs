//! What guests find in the memory of the clock.

use super::Bench;
use crate::disk::{CD_SECTOR_SIZE, Disk, Disks, Image, SECTOR_SIZE};

/// An empty disk of so many KiB.
fn image(kib: u64) -> Image {
    Image::from_bytes(vec![0; SECTOR_SIZE]).on_disk_of(kib * 2)
}

/// The bytes from `first` on.
fn bytes<const N: usize>(bench: &Bench, first: u8) -> [u8; N] {
    std::array::from_fn(|at| bench.devices.chipset().rtc().peek(first + at as u8))
}

#[test]
fn hard_disks_are_described_as_their_drives_have_them() {
    let disks = |first: Option<u64>, second: Option<u64>| {
        let hard = [first, second].map(|kib| kib.map(|kib| Disk::hard(image(kib))));
        Bench::booted(Disks { hard, ..Disks::default() }, 0x80)
    };
    let small = [0x28, 0x00, 0x10, 0xff, 0xff, 0xc8, 0x28, 0x00, 0x3f];
    let large = [0xc3, 0x04, 0x10, 0xff, 0xff, 0xc8, 0xc3, 0x04, 0x3f];
    let none = [0; 9];
    let (mib_20, mib_600) = (Some(20 << 10), Some(600 << 10));
    for (first, second, types, described, translations) in [
        (None, None, [0x00, 0, 0], [none, none], 0),
        (mib_20, None, [0xf0, 0x2f, 0], [small, none], 0),
        (mib_20, mib_600, [0xff, 0x2f, 0x2f], [small, large], 4),
        (mib_600, mib_20, [0xff, 0x2f, 0x2f], [large, small], 1),
    ] {
        let bench = disks(first, second);
        let [drives] = bytes(&bench, 0x12);
        let [first, second] = bytes(&bench, 0x19);
        assert_eq!([drives, first, second], types);
        assert_eq!([bytes(&bench, 0x1b), bytes(&bench, 0x24)], described);
        assert_eq!(bytes(&bench, 0x39), [translations]);
    }
}

#[test]
fn floppy_drives_are_of_the_type_that_int_13h_tells() {
    let floppy = |kib| Some(Disk::floppy(image(kib)));
    for (first, second, types, equipment) in [
        (None, None, 0x40, 0x03),
        (floppy(1440), None, 0x40, 0x03),
        (floppy(2880), floppy(360), 0x51, 0x43),
        (floppy(1200), floppy(720), 0x23, 0x43),
    ] {
        let disks = Disks { floppies: [first, second], ..Disks::default() };
        let mut bench = Bench::booted(disks, 0);
        assert_eq!((bytes(&bench, 0x10), bytes(&bench, 0x14)), ([types], [equipment]));
        let [_, kind, ..] = bench.call(0x13, [0x0800, 0, 0, 0]);
        assert_eq!(kind, u16::from(types >> 4));
    }
}

#[test]
fn the_device_that_was_booted_is_all_of_the_boot_order() {
    for (drive, device) in [(0x00, 1), (0x01, 1), (0x80, 2), (0x81, 2)] {
        assert_eq!(bytes(&Bench::booted(Disks::default(), drive), 0x3d), [device]);
    }
    // As the floppy drive A, which is none.
    let mut bytes_of_cd = vec![0; 24 * CD_SECTOR_SIZE];
    bytes_of_cd[17 * CD_SECTOR_SIZE..][..30].copy_from_slice(b"\0CD001\x01EL TORITO SPECIFICATION");
    bytes_of_cd[17 * CD_SECTOR_SIZE + 0x47] = 20;
    let catalogue = &mut bytes_of_cd[20 * CD_SECTOR_SIZE..];
    (catalogue[0], catalogue[32], catalogue[33], catalogue[40]) = (1, 0x88, 2, 21);
    catalogue[28..32].copy_from_slice(&[0xaa, 0x55, 0x55, 0xaa]);
    let cdrom = Some(Image::from_bytes(bytes_of_cd));
    let mut disks = Disks { cdrom, ..Disks::default() };
    disks.emulate().unwrap();
    let bench = Bench::booted(disks, 0x00);
    assert_eq!(
        (bytes(&bench, 0x3d), bytes(&bench, 0x10), bytes(&bench, 0x14)),
        ([3], [0x40], [0x03])
    );
}
