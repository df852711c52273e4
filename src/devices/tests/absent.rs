//! The ports of parts that the machine does not have.

use super::devices;

#[test]
fn ports_of_parts_that_are_not_there_belong_to_nobody_and_keep_nothing() {
    let mut devices = devices();
    let before = devices.save();
    let ata = (0x1f0..=0x1f7).chain(0x170..=0x177).chain([0x376, 0x3f6]);
    let pci = (0xcf8..=0xcff).chain(0xc000..=0xc0ff);
    // The last of the floppy controller's is before COM1's, which a wide access reaches.
    let floppy = 0x3f0..=0x3f4;
    // DMA, sound, printers.
    let others = [0x00, 0x08, 0xc0, 0xd0, 0x220, 0x278, 0x330, 0x378, 0x388];
    for port in ata.chain(pci).chain(floppy).chain(others) {
        for (size, value) in [(1, 0x55), (2, 0x5555), (4, 0x8000_0000)] {
            if port == 0x3f6 && size == 4 {
                continue;
            }
            assert_eq!(devices.port_write(port, size, value), None, "{port:#x} size {size}");
            assert_eq!(devices.port_read(port, size), None, "{port:#x} size {size}");
        }
    }
    for port in [0x3f5, 0x3f7] {
        assert_eq!((devices.port_write(port, 1, 0x55), devices.port_read(port, 1)), (None, None));
    }
    assert!(devices.save() == before);
}
