//! What a machine keeps of a run for whoever judges it: port writes, instructions, the last stop.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use common::{boot, halted, machine_with_firmware, step_to_end};
use stepvisor::devices::keyboard::keymap;
use stepvisor::disk::Disks;
use stepvisor::machine::record::PortWrite;
use stepvisor::machine::{Boot, Image, Interrupts, Machine, StopReason};
use stepvisor::x86::{Linear, Phys};

/// `mov cx, 3; mov si, 0x7c00; mov dx, 0xe9; rep outsb; mov ax, 0x1234; out 0x80, ax; hlt`
const CODE: &[u8] = &[
    0xb9, 0x03, 0x00, 0xbe, 0x00, 0x7c, 0xba, 0xe9, 0x00, 0xf3, 0x6e, 0xb8, 0x34, 0x12, 0xe7, 0x80,
    0xf4,
];
const END: &str = "0000:7C11";
/// Three moves, three iterations, a move, an OUT, and HLT.
const INSTRUCTIONS: u64 = 9;

fn expected_writes() -> Vec<PortWrite> {
    let byte = |value| PortWrite { port: 0xe9, size: 1, value };
    vec![byte(0xb9), byte(0x03), byte(0x00), PortWrite { port: 0x80, size: 2, value: 0x1234 }]
}

fn check_writes(machine: &Machine) {
    assert_eq!(machine.port_writes(), expected_writes());
    assert_eq!(machine.lost_port_writes(), 0);
}

#[test]
fn port_writes_are_kept_alike_whether_the_guest_runs_or_is_stepped() {
    let mut machine = boot(CODE);
    machine.keep_port_writes();
    assert_eq!(machine.run(), halted(END));
    check_writes(&machine);

    let mut machine = boot(CODE);
    machine.keep_port_writes();
    assert_eq!(step_to_end(&mut machine, 20), halted(END));
    check_writes(&machine);

    machine.reset().unwrap();
    assert_eq!(machine.port_writes(), []);
}

#[test]
fn nothing_is_kept_unless_somebody_wants_it() {
    let mut machine = boot(CODE);
    machine.run();
    assert_eq!(machine.port_writes(), []);
    assert_eq!(machine.instructions(), None);
    assert_eq!(machine.recent_instructions(), []);
}

#[test]
fn instructions_are_counted_and_each_iteration_is_one() {
    let mut machine = boot(CODE);
    machine.count_instructions();
    machine.remember_instructions(4);
    assert_eq!(machine.run(), halted(END));
    assert_eq!(machine.instructions(), Some(INSTRUCTIONS));
    assert_eq!(machine.last_stop(), Some(&halted(END)));
    let recent: Vec<String> = machine
        .recent_instructions()
        .iter()
        .map(|executed| format!("{} {} x{}", executed.location, executed.text, executed.times))
        .collect();
    let expected = [
        "0000:7C09 rep outsb x3",
        "0000:7C0B mov ax, 0x1234 x1",
        "0000:7C0E out 0x80, ax x1",
        "0000:7C10 hlt x1",
    ];
    assert_eq!(recent, expected);

    machine.reset().unwrap();
    assert_eq!(machine.instructions(), Some(0));
    assert_eq!(machine.last_stop(), None);
}

#[test]
fn the_limit_of_instructions_stops_the_guest_for_good() {
    let limit = StopReason::Limit { instructions: 4, location: "0000:7C09".to_owned() };
    let mut machine = boot(CODE);
    machine.limit_instructions(4);
    assert_eq!(machine.run(), limit);
    assert_eq!(machine.step(), limit);
    assert_eq!(machine.run(), limit);

    let mut machine = boot(CODE);
    machine.limit_instructions(INSTRUCTIONS);
    assert_eq!(machine.run(), halted(END));
}

#[test]
fn a_breakpoint_in_the_source_counts_as_the_instruction_that_it_is() {
    // int3; nop; hlt
    let code = [0xcc, 0x90, 0xf4];
    let mut machine = boot(&code);
    machine.stop_on_mut().marks.int3 = true;
    machine.remember_instructions(4);
    machine.limit_instructions(2);
    assert!(matches!(machine.run(), StopReason::Mark(_)));
    assert_eq!(machine.instructions(), Some(1));
    assert_eq!(machine.recent_instructions().len(), 1);
    let location = "0000:7C02".to_owned();
    assert_eq!(machine.run(), StopReason::Limit { instructions: 2, location });

    let mut machine = boot(&code);
    machine.stop_on_mut().marks.int3 = true;
    machine.limit_instructions(0);
    assert!(matches!(machine.run(), StopReason::Limit { instructions: 0, .. }));
}

/// What begins with `code` and ends with zeros and a signature.
fn sector(code: &[u8]) -> Vec<u8> {
    let mut sector = code.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}

/// Runs off its end and halts a little behind it, at 7E22: `mov byte [0x7e20], 0xfa; mov byte [0x7e21], 0xf4`, which are
/// `cli; hlt`.
const RUNS_OFF: &[u8] = &[0xc6, 0x06, 0x20, 0x7e, 0xfa, 0xc6, 0x06, 0x21, 0x7e, 0xf4];
const HALT: &str = "0000:7E22";
/// How another run begins to be told of.
const AGAIN: &str = "run once more";

#[test]
fn a_guest_that_ran_off_its_end_is_found_out_afterwards() {
    let mut machine = boot(&sector(RUNS_OFF));
    assert_eq!(machine.run(), halted(HALT));
    machine.look_back_for_padding();
    let [told] = machine.told() else { panic!("{:?}", machine.told()) };
    assert!(told.contains(AGAIN), "{told}");
    assert!(told.contains("it has run off the end of its program"), "{told}");
    assert_eq!(machine.cpu().location(), HALT);

    let mut machine = boot(CODE);
    machine.run();
    machine.look_back_for_padding();
    assert_eq!(machine.told(), [""; 0]);
}

#[test]
fn the_same_is_told_of_a_guest_found_among_zeros_as_of_one_that_is_out_of_them() {
    let mut late = boot(&sector(RUNS_OFF));
    assert_eq!(late.run(), halted(HALT));
    late.look_back_for_padding();
    for place in [0x7d00, 0x7dde] {
        let mut machine = boot(&sector(RUNS_OFF));
        machine.breakpoints_mut().insert(Linear(place));
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(place)));
        assert_eq!(machine.told(), late.told());
        machine.breakpoints_mut().clear();
        assert_eq!(machine.run(), halted(HALT));
        machine.look_back_for_padding();
        assert_eq!(machine.told(), late.told());
    }
}

#[test]
fn no_other_run_is_told_of_where_somebody_has_led_the_guest() {
    let changes: [fn(&mut Machine); 4] = [
        |machine| {
            let cpu = machine.cpu().clone();
            machine.set_cpu(&cpu).unwrap();
        },
        |machine| assert_eq!(machine.write_phys(Phys(0x9000), &[0]), 1),
        |machine| machine.type_keys(&keymap::parse("a").unwrap()).unwrap(),
        |machine| machine.send_serial(1, b"a").unwrap(),
    ];
    for change in changes {
        let mut machine = boot(&sector(RUNS_OFF));
        change(&mut machine);
        assert_eq!(machine.run(), halted(HALT));
        machine.look_back_for_padding();
        let told = machine.told();
        assert!(told.iter().all(|told| !told.contains(AGAIN)), "{told:?}");
        machine.reset().unwrap();
        assert_eq!(machine.told(), [""; 0]);
        assert_eq!(machine.run(), halted(HALT));
        machine.look_back_for_padding();
        assert!(machine.told()[0].contains(AGAIN), "{:?}", machine.told());
    }
}

#[test]
fn what_comes_from_outside_while_the_guest_runs_leads_it_too() {
    // Runs off unless something has come: mov dx, 0x3fd; mov cx, 50; in al, dx; test al, 1; loopz; jz; jmp 0xa000:0,
    // where no code is
    let code = sector(&[
        0xba, 0xfd, 0x03, 0xb9, 0x32, 0x00, 0xec, 0xa8, 0x01, 0xe1, 0xfb, 0x74, 0x05, 0xea, 0x00,
        0x00, 0x00, 0xa0,
    ]);
    let mut machine = boot(&code);
    machine.set_serial_source(1, Box::new(&b"a"[..])).unwrap();
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Nowhere { .. }), "{stop}");
    machine.look_back_for_padding();
    assert_eq!(machine.told(), [""; 0]);
}

#[test]
fn another_run_has_interrupts_as_the_first_had_them() {
    // The timer's handler is zeros that lead behind the end: mov word [0x20], 0x7d00; mov word [0x22], 0. A tick each
    // 27 us: mov al, 0x34; out 0x43, al; mov al, 0x20; out 0x40, al; mov al, 0; out 0x40, al. Long enough for some:
    // sti; mov cx, 200; in al, 0x61; loop; jmp 0xa000:0, where no code is
    let code = sector(&[
        0xc7, 0x06, 0x20, 0x00, 0x00, 0x7d, 0xc7, 0x06, 0x22, 0x00, 0x00, 0x00, 0xb0, 0x34, 0xe6,
        0x43, 0xb0, 0x20, 0xe6, 0x40, 0xb0, 0x00, 0xe6, 0x40, 0xfb, 0xb9, 0xc8, 0x00, 0xe4, 0x61,
        0xe2, 0xfc, 0xea, 0x00, 0x00, 0x00, 0xa0,
    ]);
    let mut machine =
        machine_with_firmware(Boot::new(Image::parse(&code).unwrap()), Disks::default());
    machine.set_interrupts(Interrupts::Off);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Nowhere { .. }), "{stop}");
    machine.look_back_for_padding();
    assert_eq!(machine.told(), [""; 0]);
}
