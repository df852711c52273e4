use super::*;
use crate::bios::Ending;

#[test]
fn equipment_and_memory_are_what_there_is() {
    let mut bench = Bench::new();
    // A floppy drive, a coprocessor, 80 columns, two serial ports.
    assert_eq!(bench.call(0x11, [0; 4])[0], 0x0423);
    assert_eq!(bench.call(0x12, [0; 4])[0], 639);
    assert_eq!(bench.call(0x15, [0x8800, 0, 0, 0])[0], 63 * 1024);
    let sizes = bench.call(0x15, [0xe801, 0, 0, 0]);
    assert_eq!(sizes, [15 * 1024, 48 * 16, 15 * 1024, 48 * 16]);
    assert_eq!((bench.word(0x400), bench.word(0x402), bench.word(0x40e)), (0x3f8, 0x2f8, 0x9fc0));
}

#[test]
fn the_map_of_memory_has_all_of_it_once() {
    let mut bench = Bench::new();
    let (mut next, mut map) = (0, Vec::new());
    loop {
        for (register, value) in [
            (Gpr::Rax, 0xe820),
            (Gpr::Rbx, next),
            (Gpr::Rcx, 24),
            (Gpr::Rdx, 0x534d_4150),
            (Gpr::Rdi, 0x800),
        ] {
            *bench.cpu.get_mut(register) = value;
        }
        bench.serve(Service::Interrupt(0x15));
        assert_eq!((bench.cpu.get(Gpr::Rax), bench.cpu.get(Gpr::Rcx)), (0x534d_4150, 20));
        map.push((bench.double(0x800), bench.double(0x808), bench.double(0x810)));
        next = bench.cpu.get(Gpr::Rbx);
        if next == 0 {
            break;
        }
    }
    let expected = [
        (0, 0x9_fc00, 1),
        (0x9_fc00, 0x400, 2),
        (0xf_0000, 0x1_0000, 2),
        (0x10_0000, 0x3f0_0000, 1),
    ];
    assert_eq!(map, expected);
    assert_eq!(bench.call(0x15, [0xe820, 9, 20, 0])[0], 0x8620);
    assert!(bench.carry());
    // Of EBX its lower half counts.
    for (register, value) in
        [(Gpr::Rax, 0xe820), (Gpr::Rbx, 0x1234_0001), (Gpr::Rcx, 24), (Gpr::Rdx, 0x534d_4150)]
    {
        *bench.cpu.get_mut(register) = value;
    }
    bench.serve(Service::Interrupt(0x15));
    assert_eq!((bench.cpu.get(Gpr::Rbx), bench.double(0x800)), (0x1234_0002, 0x9_fc00));
}

#[test]
fn a_block_moves_beyond_the_first_megabyte_and_back() {
    let mut bench = Bench::new();
    bench.pc().write(Phys(0x600), b"moved!");
    let mut table = [0; 0x30];
    table[0x12..0x15].copy_from_slice(&[0x00, 0x06, 0x00]);
    table[0x1a..0x1d].copy_from_slice(&[0x00, 0x00, 0x20]);
    bench.pc().write(Phys(0x1000), &table);
    bench.pc().set_word(Gpr::Rsi, 0x1000);
    assert_eq!(bench.call(0x15, [0x8700, 0, 3, 0])[0], 0x0000);
    let mut data = [0; 6];
    bench.pc().read(Phys(0x20_0000), &mut data);
    assert_eq!((&data, bench.carry()), (b"moved!", false));
}

#[test]
fn a_block_goes_where_it_is_meant_to_while_a20_is_off() {
    let mut bench = Bench::new();
    bench.ram.set_a20(false);
    bench.pc().write(Phys(0x600), b"moved!");
    bench.pc().write(Phys(0x700), b"intact");
    let mut table = [0; 0x30];
    table[0x12..0x15].copy_from_slice(&[0x00, 0x06, 0x00]);
    table[0x1a..0x1d].copy_from_slice(&[0x00, 0x07, 0x10]);
    bench.pc().write(Phys(0x1000), &table);
    bench.pc().set_word(Gpr::Rsi, 0x1000);
    assert_eq!(bench.call(0x15, [0x8700, 0, 3, 0])[0], 0x0000);
    assert!(!bench.ram.a20());
    bench.ram.set_a20(true);
    let mut data = [[0; 6]; 2];
    for (data, at) in data.iter_mut().zip([0x700, 0x10_0700]) {
        bench.pc().read(Phys(at), data);
    }
    assert_eq!(data, [*b"intact", *b"moved!"]);
}

#[test]
fn a20_is_one_latch_with_that_of_port_92() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x15, [0x2402, 0, 0, 0])[0], 0x0001);
    bench.call(0x15, [0x2400, 0, 0, 0]);
    assert_eq!((bench.call(0x15, [0x2402, 0, 0, 0])[0], bench.pc().port_read(0x92) & 2), (0, 0));
    bench.call(0x15, [0x2401, 0, 0, 0]);
    assert!(bench.devices.chipset().keyboard().a20());
    assert_eq!(bench.call(0x15, [0x2403, 0, 0, 0]), [0x0003, 3, 0, 0]);
}

#[test]
fn power_goes_off_for_all_devices_only() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x15, [0x5300, 0, 9, 0]), [0x0102, 0x504d, 0, 0]);
    bench.call(0x15, [0x5307, 0, 3, 0]);
    let mut pc = bench.pc();
    for (register, value) in [(Gpr::Rax, 0x5307), (Gpr::Rbx, 1), (Gpr::Rcx, 3)] {
        pc.set_word(register, value);
    }
    assert_eq!(bench.serve(Service::Interrupt(0x15)), Outcome::End(Ending::PowerOff));
}

#[test]
fn what_there_is_not_says_so() {
    let mut bench = Bench::new();
    for function in [0x00, 0x80, 0x84, 0xc2, 0xd8, 0xff] {
        assert_eq!(bench.call(0x15, [function << 8, 1, 2, 3]), [0x8600, 1, 2, 3]);
        assert!(bench.carry());
    }
    for (vector, values) in [(0x14, [0x0300, 0, 0, 3]), (0x17, [0x0200, 0, 0, 0])] {
        assert_eq!(bench.call(vector, values), values);
        assert!(bench.carry());
    }
}

#[test]
fn a_hardware_interrupt_without_a_handler_ends_and_leaves_its_line() {
    let mut bench = Bench::new();
    bench.serve(Service::Unexpected { second: false });
    assert_eq!(bench.byte(0x46b), 0xff, "an interrupt instruction");
    bench.pc().port_write(0x21, 0x00);
    bench.devices.chipset_mut().rtc_mut().poke(0x0b, 0x42);
    bench.pc().port_write(0xa1, 0x00);
    bench.devices.pass(10_000_000);
    assert_eq!(bench.devices.chipset_mut().acknowledge(), 0x70);
    bench.serve(Service::Unexpected { second: true });
    assert_eq!(bench.byte(0x46b), 0x01);
    // Nothing is in service any more.
    for port in [0x20, 0xa0] {
        bench.pc().port_write(port, 0x0b);
        assert_eq!(bench.pc().port_read(port), 0);
    }
}

#[test]
fn serial_output_goes_through_the_port() {
    let mut bench = Bench::new();
    bench.call(0x14, [0x00e3, 0, 0, 0]);
    for byte in *b"ok" {
        bench.call(0x14, [0x0100 | u16::from(byte), 0, 0, 0]);
        assert!(!bench.carry());
    }
    let port = bench.devices.chipset_mut().serial_mut(0).unwrap();
    assert_eq!(port.take_output(), b"ok");
    assert!(port.send(b"!"));
    // With the line status: the byte is there, and the transmitter is empty.
    assert_eq!(bench.call(0x14, [0x0200, 0, 0, 0])[0], 0x6100 | u16::from(b'!'));
}

#[test]
fn a_serial_port_with_nothing_to_read_is_waited_for_until_its_timeout() {
    let mut bench = Bench::new();
    bench.pc().port_write(0x3fc, 0x0b);
    bench.pc().set_word(Gpr::Rax, 0x02a5);
    bench.pc().set_word(Gpr::Rdx, 0);
    // Ten ticks; whatever else interrupts counts for nothing.
    for _ in 0..10 {
        assert_eq!(bench.serve(Service::Interrupt(0x14)), Outcome::Wait);
        assert_eq!(bench.serve(Service::Interrupt(0x14)), Outcome::Wait);
        assert_eq!(bench.pc().word(Gpr::Rax), 0x02a5, "the call is the same again");
        bench.serve(Service::Interrupt(0x08));
    }
    assert_eq!(bench.serve(Service::Interrupt(0x14)), Outcome::Return);
    assert_eq!((bench.pc().word(Gpr::Rax), bench.carry()), (0xe0a5, false));
    // Another wait has all its time, and ends with the byte.
    bench.pc().set_word(Gpr::Rax, 0x0200);
    assert_eq!(bench.serve(Service::Interrupt(0x14)), Outcome::Wait);
    bench.serve(Service::Interrupt(0x08));
    assert!(bench.devices.chipset_mut().serial_mut(0).unwrap().send(b"?"));
    assert_eq!(bench.call(0x14, [0x0200, 0, 0, 0])[0], 0x6100 | u16::from(b'?'));
    assert_eq!(bench.pc().port_read(0x3fc), 0x0b, "the modem's lines are the guest's");
    // Without a timeout there is none.
    bench.pc().write_u8(Phys(0x47c), 0);
    assert_eq!(bench.call(0x14, [0x0200, 0, 0, 0])[0], 0xe000);
}

#[test]
fn power_management_says_what_it_does_not_do() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x15, [0x5301, 0, 9, 9])[0], 0x5301);
    assert!(!bench.carry());
    let errors =
        [(0x02, 0x06), (0x03, 0x08), (0x09, 0x0c), (0x0b, 0x80), (0x0c, 0x0c), (0x80, 0x0c)];
    for (function, error) in errors {
        let answer = bench.call(0x15, [0x5300 | function, 1, 2, 3]);
        assert_eq!(answer, [error << 8 | function, 1, 2, 3], "{function:02x}");
        assert!(bench.carry());
    }
    assert_eq!(bench.call(0x15, [0x5310, 0x0101, 9, 9]), [0x5310, 0x0100, 0, 9]);
    assert!(!bench.carry());
}

/// Whether `memory` has `signature` where paragraphs begin.
fn has(memory: &[u8], signature: &[u8]) -> bool {
    memory.chunks(16).any(|paragraph| paragraph.starts_with(signature))
}

#[test]
fn who_scans_for_tables_of_later_firmware_finds_none() {
    let mut bench = Bench::new();
    let mut memory = vec![0; 0xa_0000];
    bench.pc().read(Phys(0), &mut memory);
    let areas = [rom::image(), &memory[0x9_fc00..], &memory[..0x600]];
    assert!(has(&[&[0; 16][..], b"_MP_"].concat(), b"_MP_"));
    let signatures: [&[u8]; 9] =
        [b"RSD PTR ", b"_MP_", b"_SM_", b"_SM3_", b"_DMI_", b"$PnP", b"$PIR", b"_32_", b"PCMP"];
    for signature in signatures {
        for area in areas {
            assert!(!has(area, signature), "{}", String::from_utf8_lossy(signature));
        }
    }
    // Nor are they asked for: PCI, and Plug and Play by the equipment.
    for function in 0xb100..=0xb18f {
        assert_eq!(bench.call(0x1a, [function, 1, 2, 3]), [function, 1, 2, 3]);
        assert!(bench.carry());
    }
}
