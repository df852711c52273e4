//! The ports of parts that the machine does not have.

use super::devices;
use crate::devices::power;

#[test]
fn ports_of_parts_that_are_not_there_belong_to_nobody_and_keep_nothing() {
    let mut devices = devices();
    let before = devices.save();
    // The second channel's.
    let ata = (0x170..=0x177).chain([0x376]);
    let pci = (0xcf8..=0xcff).chain(0xc000..=0xc0ff);
    // The last of the floppy controller's are before those of ATA and COM1, which a wide access reaches.
    let floppy = 0x3f0..=0x3f2;
    // DMA, sound, printers.
    let others = [0x00, 0x08, 0xc0, 0xd0, 0x220, 0x278, 0x330, 0x378, 0x388];
    for port in ata.chain(pci).chain(floppy).chain(others) {
        // The reset control register is a byte in the middle of PCI's.
        for (size, value) in [(1, 0x55), (2, 0x5555), (4, 0x8000_0400)] {
            if (port, size) == (power::RESET_CONTROL, 1) {
                continue;
            }
            assert_eq!(devices.port_write(port, size, value), None, "{port:#x} size {size}");
            assert_eq!(devices.port_read(port, size), None, "{port:#x} size {size}");
        }
    }
    for port in [0x3f3, 0x3f4, 0x3f5, 0x3f7] {
        assert_eq!((devices.port_write(port, 1, 0x55), devices.port_read(port, 1)), (None, None));
    }
    assert!(devices.save() == before);
}
