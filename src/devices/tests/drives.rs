//! The interrupts of the ATA channel, as the processor gets them through the interrupt controllers.

use super::*;
use crate::devices::ata::{ACCESS_TIME, Drive, Request, SECTOR_SIZE};

const VECTOR: u8 = 0x76;

/// With one drive, and the controllers as firmware leaves them, but for IRQ 14 alone.
fn with_drive() -> Devices {
    let mut devices = devices();
    devices.attach_drives([Some(Drive { cylinders: 2, heads: 16, sectors: 63, size: 2016 }), None]);
    for (pic, vectors, mask) in [(0x20, 0x08, 0xfb), (0xa0, 0x70, 0xbf)] {
        let wiring = if pic == 0x20 { 4 } else { 2 };
        devices.port_write(pic, 1, 0x11);
        for value in [vectors, wiring, 1, mask] {
            devices.port_write(pic + 1, 1, value);
        }
    }
    devices
}

fn command(devices: &mut Devices, command: u8) {
    devices.port_write(0x1f7, 1, command.into());
    serve(devices);
}

fn serve(devices: &mut Devices) {
    while let Some(request) = devices.chipset().disk_request() {
        let count = match request {
            Request::Read { count, .. } => count.into(),
            Request::Write { .. } => 0,
        };
        devices.chipset_mut().answer_disk_request(Ok(vec![0; count * SECTOR_SIZE]));
    }
}

/// Whether the processor gets IRQ 14 within the time of an access; its handler says that it is over.
fn is_interrupted(devices: &mut Devices) -> bool {
    devices.pass(ACCESS_TIME);
    devices.chipset_mut().complete_disk_access();
    let interrupted = devices.chipset().interrupt();
    if interrupted {
        assert_eq!(devices.chipset_mut().acknowledge(), VECTOR);
        devices.port_write(0xa0, 1, 0x20);
        devices.port_write(0x20, 1, 0x20);
    }
    interrupted
}

#[test]
fn each_command_interrupts_also_where_nobody_looks_at_the_status() {
    let mut devices = with_drive();
    for round in 0..3 {
        command(&mut devices, 0x70);
        assert!(is_interrupted(&mut devices), "round {round}");
        assert!(!is_interrupted(&mut devices), "round {round}");
    }
}

#[test]
fn each_sector_interrupts_whether_its_handler_reads_status_or_data_first() {
    for status_first in [false, true] {
        let mut devices = with_drive();
        devices.port_write(0x1f2, 1, 4);
        command(&mut devices, 0x20);
        for sector in 0..4 {
            assert!(is_interrupted(&mut devices), "sector {sector}, {status_first}");
            if status_first {
                devices.port_read(0x1f7, 1);
            }
            for _ in 0..SECTOR_SIZE / 2 {
                devices.port_read(0x1f0, 2);
                serve(&mut devices);
            }
            if !status_first {
                devices.port_read(0x1f7, 1);
            }
        }
        assert!(!is_interrupted(&mut devices), "{status_first}");
    }
}

#[test]
fn who_polls_the_interrupt_controller_sees_the_request() {
    let mut devices = with_drive();
    devices.port_write(0xa0, 1, 0x0a);
    command(&mut devices, 0x20);
    assert_eq!(devices.port_read(0xa0, 1).map(|requests| requests & 0x40), Some(0));
    devices.pass(ACCESS_TIME);
    assert_eq!(devices.port_read(0xa0, 1).map(|requests| requests & 0x40), Some(0x40));
}
