//! Tests of the dispatch to devices; each device's own tests are in its file.

mod absent;
mod drives;
mod port_sequences;
mod properties;
pub(crate) mod random;

use super::*;
use random::Random;

fn devices() -> Devices {
    Devices::new(&Config::default()).unwrap()
}

#[test]
fn debug_output_reaches_the_owner() {
    let mut devices = devices();
    assert_eq!(devices.port_write(0xe9, 1, b'h'.into()), Some(PortEffect::Output));
    assert_eq!(devices.port_write(0xe9, 1, b'i'.into()), Some(PortEffect::Output));
    assert_eq!(devices.take_output(), b"hi");
    assert_eq!(devices.port_read(0xe9, 1), Some(0xe9));
}

#[test]
fn a_post_code_is_kept() {
    let mut devices = devices();
    assert_eq!(devices.port_write(0x80, 1, 0x42), Some(PortEffect::Done));
    assert_eq!(devices.port_read(0x80, 1), Some(0x42));
}

#[test]
fn a_port_without_a_device_is_left_to_the_owner() {
    let mut devices = devices();
    for size in [1, 2, 4] {
        assert_eq!(devices.port_read(0x300, size), None);
        assert_eq!(devices.port_write(0x300, size, 0), None);
    }
}

#[test]
fn a_wide_access_is_split_into_bytes_of_consecutive_ports() {
    let mut devices = devices();
    assert_eq!(devices.port_read(0xe8, 2), Some(0xe9ff));
    assert_eq!(devices.port_read(0xe7, 4), Some(0xffe9_ffff));
    assert_eq!(devices.port_read(0xe9, 2), Some(0xffe9));
    assert_eq!(devices.port_write(0xe7, 4, 0x3332_3130), Some(PortEffect::Output));
    assert_eq!(devices.take_output(), b"2");
    assert_eq!(devices.port_write(0x7f, 2, 0xab00), Some(PortEffect::Done));
    assert_eq!(devices.port_read(0x80, 1), Some(0xab));
}

/// Bit 5 of port 61h.
#[test]
fn the_output_of_counter_2_stands_high_until_its_gate_opens() {
    const HALF: u64 = 27_462_000;
    let mut devices = devices();
    let mut output = |gate: u32, time| {
        devices.port_write(0x61, 1, gate);
        devices.pass(time);
        devices.port_read(0x61, 1).map(|value| value & 0x20)
    };
    assert_eq!(
        (output(0, 0), output(0, HALF), output(0, HALF)),
        (Some(0x20), Some(0x20), Some(0x20))
    );
    // It divides by the whole range, a square wave.
    assert_eq!(
        (output(1, HALF), output(1, 10_000), output(1, HALF)),
        (Some(0x20), Some(0), Some(0x20))
    );
    assert_eq!((output(1, HALF), output(0, 0)), (Some(0), Some(0x20)));
}

#[test]
fn the_exit_port_takes_any_width_whole() {
    let exit = |status| Some(PortEffect::Exit { status });
    let mut devices = devices();
    assert_eq!(devices.port_write(0xf4, 1, 0xffff_ff10), exit(0x21));
    assert_eq!(devices.port_write(0xf4, 2, 0xffff_1234), exit(0x2469));
    assert_eq!(devices.port_write(0xf4, 4, 0x0001_0000), exit(0x0002_0001));
    assert_eq!(devices.port_write(0xf7, 1, 0), exit(1));
    assert_eq!(devices.port_read(0xf4, 4), Some(0));
    // Only its last byte is in the exit port.
    assert_eq!(devices.port_write(0xf3, 2, 0x0300), exit(7));
    assert_eq!(devices.port_read(0xf3, 2), Some(0x00ff));
}

#[test]
fn an_exit_beats_output_in_the_same_access() {
    let config = Config { debug_port: Some(0xf3), exit_port: Some(0xf4) };
    let mut devices = Devices::new(&config).unwrap();
    let effect = devices.port_write(0xf3, 2, 0x0121);
    assert_eq!(effect, Some(PortEffect::Exit { status: 3 }));
    assert_eq!(devices.take_output(), b"!");
}

#[test]
fn optional_devices_can_be_absent_or_elsewhere() {
    let config = Config { debug_port: None, exit_port: Some(0xfffe) };
    let mut devices = Devices::new(&config).unwrap();
    assert_eq!(devices.port_write(0xe9, 1, 0), None);
    assert_eq!(devices.port_write(0xf4, 1, 0), None);
    assert_eq!(devices.port_write(0xffff, 1, 1), Some(PortEffect::Exit { status: 3 }));
    // The space ends at FFFFh and does not wrap.
    assert_eq!(devices.port_read(0xffff, 2), Some(0xff00));
}

#[test]
fn two_devices_on_one_port_are_refused() {
    let config = Config { debug_port: Some(0xf6), exit_port: Some(0xf4) };
    let error = Devices::new(&config).unwrap_err().to_string();
    assert!(error.contains("0xf4-0xf7 overlap 0xf6-0xf6"), "{error}");
}

#[test]
fn sizes_that_no_bus_has_reach_no_device() {
    let mut devices = devices();
    for size in [0, 3, 5, 8, 255] {
        assert_eq!(devices.port_read(0xf4, size), None);
        assert_eq!(devices.port_write(0xe9, size, 0), None);
    }
}

#[test]
fn any_port_access_has_an_outcome() {
    let mut random = Random::new(2);
    let mut devices = devices();
    for _ in 0..20_000 {
        let near =
            [0, 0x62, 0x80, 0x92, 0xe9, 0xf4, 0x2fb, 0x3fb, 0xffff][random.below(9) as usize];
        let port = (near + random.below(9) - 4 * u32::from(near > 4)).min(0xffff) as u16;
        let size = random.below(6) as u8;
        let read = devices.port_read(port, size);
        assert_eq!(
            devices.port_write(port, size, random.below(u32::MAX)).is_some(),
            read.is_some()
        );
        let fits = |value: u32| size == 4 || value >> (8 * u32::from(size)) == 0;
        assert!(read.is_none_or(fits), "port {port:#x} size {size} read {read:x?}");
    }
}

#[test]
fn what_is_written_to_text_memory_is_read_and_seen() {
    let mut devices = devices();
    assert!(devices.mmio_write(Phys(0xb8000), b"H\x1fi\x1f"));
    let mut data = [0; 4];
    assert!(devices.mmio_read(Phys(0xb8000), &mut data));
    assert_eq!(&data, b"H\x1fi\x1f");
    let Frame::Text(text) = devices.frame() else { panic!("not text") };
    assert_eq!(text.cell(1, 0).map(|cell| cell.character), Some(b'i'));
}

#[test]
fn an_access_over_the_border_of_a_device_works_on_its_part() {
    let mut devices = devices();
    assert!(devices.mmio_write(Phys(0xbfffe), &[1, 2, 3, 4]));
    assert!(devices.mmio_write(Phys(0xb7ffd), &[5, 6, 7, 8]));
    let mut data = [0; 4];
    assert!(devices.mmio_peek(Phys(0xbfffe), &mut data));
    assert_eq!(data, [1, 2, 0xff, 0xff]);
    assert!(devices.mmio_read(Phys(0xb7ffd), &mut data));
    assert_eq!(data, [0xff, 0xff, 0xff, 8]);
}

#[test]
fn memory_without_a_device_is_left_to_the_owner() {
    let mut devices = devices();
    let mut data = [0; 8];
    for address in [0, 0xb7ff8, 0xc0000, u64::MAX - 3, u64::MAX] {
        assert!(!devices.mmio_read(Phys(address), &mut data));
        assert_eq!(data, [0xff; 8]);
        assert!(!devices.mmio_write(Phys(address), &data));
    }
    assert!(!devices.mmio_write(Phys(0xb8000), &[]));
}

#[test]
fn a_saved_state_comes_back_through_json() {
    let mut devices = devices();
    devices.mmio_write(Phys(0xb8123), b"abc");
    devices.port_write(0xe9, 1, 1);
    devices.port_write(0x80, 1, 2);
    devices.port_write(0xf4, 1, 3);
    let saved = devices.save();
    let json = serde_json::to_string(&saved).unwrap();
    devices.reset();
    let _ = devices.take_output();
    assert_ne!(devices.save(), saved);
    devices.restore(&serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(devices.save(), saved);
}

#[test]
fn reset_is_power_on_but_loses_no_output() {
    let mut devices = devices();
    devices.mmio_write(Phys(0xb8000), b"x");
    devices.port_write(0x80, 1, 2);
    devices.port_write(0xe9, 1, b'o'.into());
    devices.reset();
    assert_eq!(devices.take_output(), b"o");
    assert_eq!(devices.save(), Devices::new(&Config::default()).unwrap().save());
}
