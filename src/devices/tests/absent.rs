//! The ports of parts that the machine does not have.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::devices;

proptest! {
    #[test]
    fn ports_of_parts_that_are_not_there_belong_to_nobody_whatever_was_written(
        writes in vec((select(ABSENT.to_vec()), select(vec![1u8, 2, 4]), any::<u32>()), 1..40),
    ) {
        let mut devices = devices();
        let before = devices.save();
        for (port, size, value) in writes {
            prop_assert_eq!(devices.port_write(port, size, value), None, "{:x}", port);
        }
        for port in ABSENT {
            for size in [1, 2, 4] {
                prop_assert_eq!(devices.port_read(port, size), None, "{:x}", port);
            }
        }
        prop_assert!(devices.save() == before);
    }
}

/// DMA, ATA, the floppy controller, the printers, sound, PCI configuration by both mechanisms.
const ABSENT: [u16; 22] = [
    0x00, 0x08, 0xc0, 0xd0, 0x170, 0x172, 0x174, 0x1f0, 0x1f2, 0x1f4, 0x220, 0x278, 0x330, 0x374,
    0x378, 0x388, 0x3f0, 0x3f4, 0xcf8, 0xcfa, 0xcfc, 0xc000,
];
