use super::*;
use crate::bios::Ending;
use crate::devices::keyboard::keymap;

/// What the scan codes of set 1 do to INT 09h, one after the other.
fn scan(bench: &mut Bench, codes: &[u8]) -> Outcome {
    let mut outcome = Outcome::Return;
    for code in codes {
        bench.pc().set_low(Gpr::Rax, *code);
        outcome = bench.serve(Service::ScanCode);
    }
    outcome
}

fn keys(bench: &mut Bench) -> Vec<u16> {
    let mut keys = Vec::new();
    loop {
        bench.call(0x16, [0x1100, 0, 0, 0]);
        if bench.zero() {
            return keys;
        }
        keys.push(bench.call(0x16, [0x1000, 0, 0, 0])[0]);
    }
}

#[test]
fn keys_are_what_a_us_keyboard_types() {
    let mut bench = Bench::new();
    // a, Shift+a, Ctrl+c, Alt+x, F1, Shift+F1, Ctrl+F11, Up, Ctrl+Left, keypad Enter, keypad 5.
    let cases: [(&[u8], u16); 11] = [
        (&[0x1e, 0x9e], 0x1e61),
        (&[0x2a, 0x1e, 0x9e, 0xaa], 0x1e41),
        (&[0x1d, 0x2e, 0xae, 0x9d], 0x2e03),
        (&[0x38, 0x2d, 0xad, 0xb8], 0x2d00),
        (&[0x3b, 0xbb], 0x3b00),
        (&[0x36, 0x3b, 0xbb, 0xb6], 0x5400),
        (&[0xe0, 0x1d, 0x57, 0xd7, 0xe0, 0x9d], 0x8900),
        (&[0xe0, 0x48, 0xe0, 0xc8], 0x48e0),
        (&[0x1d, 0xe0, 0x4b, 0xe0, 0xcb, 0x9d], 0x73e0),
        (&[0xe0, 0x1c, 0xe0, 0x9c], 0xe00d),
        (&[0x4c, 0xcc], 0x4c00),
    ];
    for (codes, key) in cases {
        scan(&mut bench, codes);
        assert_eq!(keys(&mut bench), [key], "{codes:02x?}");
        assert_eq!((bench.word(0x417), bench.byte(0x496)), (0, 0x10), "{codes:02x?}");
    }
}

#[test]
fn locks_toggle_and_turn_shift_around() {
    let mut bench = Bench::new();
    scan(&mut bench, &[0x3a, 0x3a, 0xba]);
    assert_eq!(bench.word(0x417), 0x40);
    scan(&mut bench, &[0x1e, 0x9e, 0x2a, 0x1e, 0x9e, 0xaa, 0x02, 0x82]);
    assert_eq!(keys(&mut bench), [0x1e41, 0x1e61, 0x0231]);
    scan(&mut bench, &[0x3a, 0xba, 0x45, 0xc5, 0x47, 0xc7, 0x2a, 0x47, 0xc7, 0xaa]);
    assert_eq!(keys(&mut bench), [0x4737, 0x4700]);
    assert_eq!(bench.word(0x417), 0x20);
}

/// They are in 497h, too.
#[test]
fn the_lights_follow_the_locks_when_a_function_of_int_16h_is_called() {
    let mut bench = Bench::new();
    let lit = |bench: &mut Bench| {
        let text = bench.devices.chipset().keyboard().describe();
        let lights = text.split_once("LEDs: ").unwrap().1.split_once(';').unwrap().0.to_owned();
        (lights, bench.byte(0x497), bench.pc().port_read(0x60))
    };
    scan(&mut bench, &[0x3a, 0xba]);
    assert_eq!(lit(&mut bench), ("none".to_owned(), 0x00, 0xfa));
    for function in [0x02, 0x01, 0x05, 0x12, 0x55] {
        // A program may change the locks itself.
        bench.pc().write(Phys(0x417), &[0x20]);
        bench.pc().set_high(Gpr::Rax, function);
        bench.serve(Service::Interrupt(0x16));
        assert_eq!(lit(&mut bench), ("num lock".to_owned(), 0x02, 0xfa), "{function:x}");
        bench.pc().write(Phys(0x417), &[0x50]);
        bench.serve(Service::Interrupt(0x16));
        assert_eq!(lit(&mut bench), ("scroll lock, caps lock".to_owned(), 0x05, 0xfa));
    }
    // Neither an interrupt nor another command byte comes of it.
    let mut pc = bench.pc();
    pc.port_write(0x64, 0x20);
    assert_eq!(pc.port_read(0x60), 0x65);
    pc.port_write(0x20, 0x0a);
    assert_eq!(pc.port_read(0x20) & 0x02, 0);
}

#[test]
fn lights_wait_for_a_scan_code_that_nobody_has_read() {
    let mut bench = Bench::new();
    bench.pc().port_write(0x64, 0xd2);
    bench.pc().port_write(0x60, 0x1e);
    bench.pc().write(Phys(0x417), &[0x20]);
    bench.call(0x16, [0x0200, 0, 0, 0]);
    assert_eq!((bench.byte(0x497), bench.pc().port_read(0x60)), (0, 0x1e));
    bench.call(0x16, [0x0200, 0, 0, 0]);
    assert_eq!((bench.byte(0x497), bench.pc().port_read(0x60)), (0x02, 0xfa));
}

#[test]
fn the_old_functions_know_no_enhanced_keyboard() {
    let mut bench = Bench::new();
    for (stored, shown) in [
        (0x48e0, 0x4800),
        (0xe00d, 0x1c0d),
        (0xe02f, 0x352f),
        (0x1e61, 0x1e61),
        (0x00e0, 0x00e0),
        (0x85f0, 0x8500),
    ] {
        assert_eq!(bench.call(0x16, [0x0500, 0, stored, 0])[0], 0x0500);
        assert_eq!(bench.call(0x16, [0x0100, 0, 0, 0])[0], shown);
        assert!(!bench.zero());
        assert_eq!(bench.call(0x16, [0x0000, 0, 0, 0])[0], shown);
    }
    bench.pc().set_high(Gpr::Rax, 0);
    assert_eq!(bench.serve(Service::Interrupt(0x16)), Outcome::Wait);
}

#[test]
fn who_looks_with_interrupts_disabled_has_those_that_are_due_first() {
    for (vector, function) in [(0x16, 0x0100), (0x16, 0x1100), (0x1a, 0x0000)] {
        let mut bench = Bench::new();
        bench.call(0x16, [0x0500, 0, 0x1e61, 0]);
        let mut pc = bench.pc();
        pc.set_caller_flags(FLAGS & !(RFLAGS_IF as u16));
        pc.set_word(Gpr::Rax, function);
        assert_eq!(bench.serve(Service::Interrupt(vector)), Outcome::LetIn, "{function:04x}");
        assert_eq!(bench.pc().word(Gpr::Rax), function);
        assert_eq!(bench.serve(Service::Look(vector)), Outcome::Return);
        let expected = if vector == 0x16 { 0x1e61 } else { 0 };
        assert_eq!(bench.pc().word(Gpr::Rax), expected);
    }
}

#[test]
fn a_handler_of_the_guests_may_read_the_scan_code_before_the_firmwares() {
    let mut bench = Bench::new();
    let a = keymap::parse("a").unwrap();
    assert!(bench.devices.chipset_mut().keyboard_mut().type_keys(&a));
    bench.devices.chipset_mut().keyboard_mut().send();
    assert_eq!(bench.pc().port_read(0x60), 0x1e);
    bench.serve(Service::Interrupt(0x09));
    assert_eq!(bench.pc().word(Gpr::Rax), 0x4f1e);
    assert_ne!(bench.pc().cpu.rflags & RFLAGS_CF, 0, "there is one");
}

#[test]
fn the_buffer_takes_fifteen_keys() {
    let mut bench = Bench::new();
    for n in 0..15 {
        assert_eq!(bench.call(0x16, [0x0500, 0, n, 0])[0], 0x0500);
    }
    assert_eq!(bench.call(0x16, [0x0500, 0, 99, 0])[0], 0x0501);
    assert_eq!(keys(&mut bench), (0..15).collect::<Vec<u16>>());
}

#[test]
fn alt_and_a_number_type_that_character() {
    let mut bench = Bench::new();
    // Alt down, 1 5 6 on the keypad, Alt up.
    scan(&mut bench, &[0x38, 0x4f, 0xcf, 0x4c, 0xcc, 0x4d, 0xcd, 0xb8]);
    assert_eq!(keys(&mut bench), [156]);
    assert_eq!(bench.byte(0x419), 0);
}

#[test]
fn break_print_screen_and_restart_are_more_than_keys() {
    let mut bench = Bench::new();
    scan(&mut bench, &[0x1e, 0x1d, 0xe0, 0x46]);
    assert_eq!(bench.cpu.rip, u64::from(rom::BREAK));
    assert_eq!(bench.byte(0x471), 0x80);
    assert_eq!(keys(&mut bench), [0]);
    scan(&mut bench, &[0xe0, 0xc6, 0x9d, 0xe0, 0x2a, 0xe0, 0x37]);
    assert_eq!(bench.cpu.rip, u64::from(rom::PRINT_SCREEN));
    scan(&mut bench, &[0xe0, 0xb7, 0xe0, 0xaa]);
    // Pause is no key.
    scan(&mut bench, &[0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    assert!(keys(&mut bench).is_empty());
    assert_eq!((bench.word(0x417), bench.byte(0x496)), (0, 0x10));
    let end = scan(&mut bench, &[0x1d, 0x38, 0xe0, 0x53]);
    assert_eq!(end, Outcome::End(Ending::Reset));
    assert_eq!(bench.word(0x472), 0x1234);
}

#[test]
fn what_is_typed_comes_through_the_controller() {
    let mut bench = Bench::new();
    let typed = keymap::parse("Hi{Up}").unwrap();
    assert!(bench.devices.chipset_mut().keyboard_mut().type_keys(&typed));
    for _ in 0..20 {
        bench.devices.chipset_mut().keyboard_mut().send();
        bench.serve(Service::Interrupt(0x09));
        if bench.cpu.rflags & RFLAGS_CF == 0 {
            break;
        }
        assert_eq!(bench.pc().high(Gpr::Rax), 0x4f);
        bench.serve(Service::ScanCode);
    }
    assert_eq!(keys(&mut bench), [0x2348, 0x1769, 0x48e0]);
}

/// Programs call it again and again and load AH only once.
#[test]
fn the_shift_keys_are_told_in_al_and_ah_stays() {
    let mut bench = Bench::new();
    scan(&mut bench, &[0x2a, 0x1d]);
    assert_eq!(bench.call(0x16, [0x0200, 1, 2, 3]), [0x0206, 1, 2, 3]);
}

/// A filter that goes on to it by a far call may have left any flags.
#[test]
fn a_scan_code_that_comes_to_the_firmware_passes() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x15, [0x4f1e, 0, 0, 0]), [0x4f1e, 0, 0, 0]);
    assert!(bench.carry());
}

#[test]
fn until_a_key_comes_the_data_port_has_what_the_keyboard_said_last() {
    let mut bench = Bench::new();
    let mut pc = bench.pc();
    assert_eq!([0x60, 0x64, 0x60].map(|port| pc.port_read(port)), [0xfa, 0x1c, 0xfa]);
    // IRQ 1 is not requested: OCW3 selects the request register.
    pc.port_write(0x20, 0x0a);
    assert_eq!(pc.port_read(0x20) & 2, 0);
}
