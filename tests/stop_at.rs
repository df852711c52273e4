//! Catchpoints: stops at software interrupts, ports and switches of the mode, the same on every host.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::{self, End, Mode, machine_in};
use common::{START, boot, halted, machine_with, read, record, set, visible, write};
use stepvisor::machine::{Boot, Image, Machine, OnUnclaimed, StopReason, Watch, WatchKind};
use stepvisor::x86::registers::{RFLAGS_FIXED, RFLAGS_OF};
use stepvisor::x86::{Gpr, Linear};

fn stop_at(machine: &mut Machine, text: &str) -> u32 {
    machine.stop_on_mut().catchpoints.insert(text.parse().unwrap())
}

fn hits(machine: &Machine) -> Vec<u64> {
    machine.stop_on().catchpoints.iter().map(|entry| entry.hits).collect()
}

/// The line that tells of a stop at a catchpoint.
#[track_caller]
fn caught(stop: &StopReason) -> String {
    let StopReason::Caught(caught) = stop else { panic!("{stop}") };
    caught.to_string()
}

/// Steps to the instruction; one that is caught there counts as a step.
fn arrive(machine: &mut Machine, mode: Mode) {
    for _ in 0..mode.steps_before() {
        machine.step();
    }
    assert_eq!(machine.cpu().pc().0, START);
}

const MODES: [Mode; 5] = [Mode::Real, Mode::Protected, Mode::Long, Mode::Protected3, Mode::Long3];

#[test]
fn an_interrupt_stops_the_guest_before_it_and_then_takes_its_course() {
    for mode in MODES {
        let mut machine = machine_in(mode, &[0x90, 0xcd, 0x41]);
        stop_at(&mut machine, "int 0x41");
        arrive(&mut machine, mode);
        let before = visible(machine.cpu());
        let stack = read(&machine, modes::STACK - 0x40, 0x40);
        let stop = machine.run();
        let text = caught(&stop);
        assert!(text.starts_with("int 0x41 with AX = 0x0000, at "), "{mode:?}: {text}");
        assert!(text.ends_with("7C01"), "{mode:?}: {text}");
        let mut expected = before;
        expected.rip += 1;
        assert_eq!(visible(machine.cpu()), expected, "{mode:?}");
        assert_eq!(read(&machine, modes::STACK - 0x40, 0x40), stack, "{mode:?}");
        assert_eq!(modes::run(&mut machine), End::Handler(0x41), "{mode:?}");
        assert_eq!(hits(&machine), [1], "{mode:?}");
    }
}

#[test]
fn a_step_from_a_caught_interrupt_enters_the_handler() {
    let mut machine = boot(&[0xcd, 0x10, 0xf4]);
    write(&mut machine, 4 * 0x10, &[0, 5, 0, 0]);
    write(&mut machine, 0x500, &[0xcf]);
    stop_at(&mut machine, "int 0x10");
    caught(&machine.run());
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, 0x500);
    assert_eq!(machine.run(), halted("0000:7C03"));
}

#[test]
fn the_registers_decide_when_the_user_wants_them_to() {
    // mov ah, 2; int 0x10; mov ax, 0x0e41; int 0x10; int 0x13; hlt
    let code = [0xb4, 2, 0xcd, 0x10, 0xb8, 0x41, 0x0e, 0xcd, 0x10, 0xcd, 0x13, 0xf4];
    for (filter, line) in [
        ("ah=0x0e", "int 0x10 with AH = 0x0e, at 0000:7C07"),
        ("al=0x41", "int 0x10 with AL = 0x41, at 0000:7C07"),
        ("ax=0x0e41", "int 0x10 with AX = 0x0e41, at 0000:7C07"),
    ] {
        let mut machine = boot(&code);
        for vector in [0x10, 0x13] {
            write(&mut machine, 4 * vector, &[0, 5, 0, 0]);
        }
        write(&mut machine, 0x500, &[0xcf]);
        set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 0);
        stop_at(&mut machine, &format!("int 0x10 {filter}"));
        assert_eq!(caught(&machine.run()), line);
        assert_eq!(machine.run(), halted("0000:7C0C"), "{filter}");
    }
}

#[test]
fn an_interrupt_without_a_handler_stops_the_guest_all_the_same() {
    let mut machine = boot(&[0xcd, 0x77, 0xf4]);
    stop_at(&mut machine, "int 0x77");
    assert!(caught(&machine.run()).ends_with("at 0000:7C00"));
    // Beyond the table, and none at all.
    for limit in [0xff, 0] {
        let mut machine = machine_in(Mode::Protected, &[0xcd, 0x77]);
        set(&mut machine, |cpu| cpu.idtr.limit = limit);
        stop_at(&mut machine, "int 0x77");
        assert!(caught(&machine.run()).ends_with("at 0008:00007C00"));
    }
}

#[test]
fn all_instructions_that_call_the_handler_of_a_vector_count() {
    for (vector, code, text) in [
        (3, &[0xcc][..], "int3, vector 0x03 with"),
        (3, &[0xcd, 3], "int 0x03 with"),
        (4, &[0xce], "into, vector 0x04 with"),
        (4, &[0xcd, 4], "int 0x04 with"),
        (1, &[0xf1], "int1, vector 0x01 with"),
        (0x21, &[0x66, 0xcd, 0x21], "int 0x21 with"),
    ] {
        for mode in [Mode::Real, Mode::Protected] {
            let mut machine = machine_in(mode, code);
            set(&mut machine, |cpu| cpu.rflags = RFLAGS_FIXED | RFLAGS_OF);
            stop_at(&mut machine, &format!("int {vector}"));
            let line = caught(&machine.run());
            assert!(line.starts_with(text), "{code:x?} {mode:?}: {line}");
            assert_eq!(machine.cpu().rip, START);
        }
    }
}

#[test]
fn into_without_an_overflow_calls_nothing() {
    let mut machine = machine_in(Mode::Protected, &[0xce]);
    stop_at(&mut machine, "int 4");
    assert_eq!(modes::run(&mut machine), End::Done);
    assert_eq!(hits(&machine), [0]);
}

#[test]
fn exceptions_and_jumps_to_the_handler_are_no_interrupts() {
    // ud2; and jmp to the handler of #UD.
    let to_handler = (modes::HANDLER + 24 - (START + 5)) as u32;
    let jump = [&[0xe9][..], &to_handler.to_le_bytes()].concat();
    for code in [&[0x0f, 0x0b][..], &jump] {
        let mut machine = machine_in(Mode::Protected, code);
        stop_at(&mut machine, "int 6");
        assert_eq!(modes::run(&mut machine), End::Handler(6));
    }
}

#[test]
fn an_interrupt_in_a_loop_stops_the_guest_each_time() {
    // mov cx, 3; next: int 0x20; loop next; hlt
    let mut machine = boot(&[0xb9, 3, 0, 0xcd, 0x20, 0xe2, 0xfc, 0xf4]);
    write(&mut machine, 4 * 0x20, &[0, 5, 0, 0]);
    write(&mut machine, 0x500, &[0xcf]);
    stop_at(&mut machine, "int 0x20");
    for _ in 0..3 {
        caught(&machine.run());
        assert_eq!(machine.cpu().rip, START + 3);
    }
    assert_eq!(machine.run(), halted("0000:7C08"));
    assert_eq!(hits(&machine), [3]);
}

#[test]
fn an_interrupt_that_jumps_to_itself_stops_the_guest_each_time() {
    // The handler is the instruction.
    let mut machine = boot(&[0xcd, 0x20]);
    write(&mut machine, 4 * 0x20, &[0, 0x7c, 0, 0]);
    stop_at(&mut machine, "int 0x20");
    for n in 0..3 {
        caught(&machine.run());
        assert_eq!(machine.cpu().get(Gpr::Rsp), 0x7c00 - 6 * n);
    }
}

#[test]
fn a_step_that_arrives_at_an_interrupt_tells_of_it_and_the_next_goes_on() {
    let mut machine = machine_in(Mode::Real, &[0x90, 0x90, 0xcd, 0x41]);
    stop_at(&mut machine, "int 0x41");
    assert_eq!(machine.step(), StopReason::Stepped);
    caught(&machine.step());
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, modes::HANDLER + 4 * 0x41);
    // So do steps through a range.
    let mut machine = machine_in(Mode::Real, &[0x90, 0x90, 0xcd, 0x41]);
    stop_at(&mut machine, "int 0x41");
    caught(&machine.step_range(Linear(START)..Linear(START + 4)));
    assert_eq!(machine.cpu().rip, START + 2);
}

#[test]
fn a_breakpoint_on_the_interrupt_does_not_hide_it() {
    let mut machine = machine_in(Mode::Real, &[0x90, 0xcd, 0x41]);
    stop_at(&mut machine, "int 0x41");
    machine.breakpoints_mut().insert(Linear(START + 1));
    caught(&machine.run());
    assert_eq!(machine.cpu().rip, START + 1);
}

#[test]
fn of_an_interrupt_that_faults_both_are_told() {
    let mut machine = machine_in(Mode::Protected, &[0xcd, 0x99]);
    set(&mut machine, |cpu| cpu.idtr.limit = 0xff);
    stop_at(&mut machine, "int 0x99");
    machine.stop_on_mut().set_exceptions("gp".parse().unwrap());
    caught(&machine.run());
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Exception(_)), "{stop}");
    assert_eq!(modes::run(&mut machine), End::Handler(13));
    assert_eq!(hits(&machine), [1]);
}

#[test]
fn a_port_stops_the_guest_behind_the_access_with_the_value() {
    // out 0x44, al; in al, 0x44; in ax, 0x44; hlt
    let code = [0xe6, 0x44, 0xe4, 0x44, 0xe5, 0x44, 0xf4];
    let mut machine = boot(&code);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 0x1234_5678);
    stop_at(&mut machine, "io 0x44");
    let heard = record(&mut machine);
    for (rip, line) in [
        (2, "write of 0x78 (1 byte) to port 0x0044, at 0000:7C00"),
        (4, "read of 0xff (1 byte) from port 0x0044, at 0000:7C02"),
        (6, "read of 0xffff (2 bytes) from port 0x0044, at 0000:7C04"),
    ] {
        assert_eq!(caught(&machine.run()), line);
        assert_eq!(machine.cpu().rip, START + rip);
    }
    assert_eq!(machine.cpu().get(Gpr::Rax), 0x1234_ffff, "the guest has read");
    assert_eq!(machine.run(), halted("0000:7C07"));
    // The stop says it all: no warning that nothing is there, and no step was needed.
    assert!(heard.borrow().notices.is_empty(), "{:?}", heard.borrow().notices);
}

#[test]
fn the_way_the_port_and_the_value_decide() {
    // mov dx, 0x1ce; out dx, ax; inc dx; out dx, ax; out dx, al; in al, dx; hlt
    let code = [0xba, 0xce, 0x01, 0xef, 0x42, 0xef, 0xee, 0xec, 0xf4];
    for (text, stops) in [
        ("out 0x1ce", &[4][..]),
        ("in 0x1ce", &[]),
        ("out 0x1cf", &[6, 7]),
        ("io 0x1cf", &[6, 7, 8]),
        ("out 0x1ce-0x1cf", &[4, 6, 7]),
        ("out 0x1cf 0x4f02", &[6]),
        ("out 0x1cf 2", &[7]),
        ("io 0x1cf 0xff", &[8]),
        ("io 0-0xffff 0xff", &[8]),
    ] {
        let mut machine = boot(&code);
        set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 0x4f02);
        stop_at(&mut machine, text);
        for rip in stops {
            caught(&machine.run());
            assert_eq!(machine.cpu().rip, START + rip, "{text}");
        }
        assert_eq!(machine.run(), halted("0000:7C09"), "{text}");
    }
}

#[test]
fn string_output_stops_at_the_element() {
    // mov dx, 0xe9; mov si, 0x600; mov cx, 4; rep outsb; hlt
    let code = [0xba, 0xe9, 0, 0xbe, 0, 6, 0xb9, 4, 0, 0xf3, 0x6e, 0xf4];
    let mut machine = boot(&code);
    write(&mut machine, 0x600, b"abcd");
    stop_at(&mut machine, "out 0xe9 0x62");
    let heard = record(&mut machine);
    let stop = machine.run();
    assert_eq!(caught(&stop), "write of 0x62 (1 byte) to port 0x00e9, at 0000:7C09");
    assert_eq!(machine.cpu().get(Gpr::Rcx), 2);
    assert_eq!(machine.cpu().get(Gpr::Rsi), 0x602);
    assert_eq!(heard.borrow().console, b"ab");
    assert_eq!(machine.run(), halted("0000:7C0C"));
    assert_eq!(heard.borrow().console, b"abcd");
}

#[test]
fn string_input_stops_with_what_was_read_in_memory() {
    // mov dx, 0x44; mov di, 0x600; insb; hlt
    let mut machine = boot(&[0xba, 0x44, 0, 0xbf, 0, 6, 0x6c, 0xf4]);
    stop_at(&mut machine, "in 0x44");
    caught(&machine.run());
    assert_eq!((machine.cpu().rip, read(&machine, 0x600, 2)), (START + 7, vec![0xff, 0]));
}

#[test]
fn each_element_of_repeated_string_input_counts() {
    // mov dx, 0x44; mov di, 0x600; mov cx, 4; rep insb; hlt
    let code = [0xba, 0x44, 0, 0xbf, 0, 6, 0xb9, 4, 0, 0xf3, 0x6c, 0xf4];
    let mut machine = boot(&code);
    stop_at(&mut machine, "in 0x44 0xff");
    let mut left = 4;
    loop {
        let stop = machine.run();
        if !matches!(stop, StopReason::Caught(_)) {
            assert_eq!(stop, halted("0000:7C0C"));
            break;
        }
        // One element, or as many as KVM reads at once.
        let now = machine.cpu().get(Gpr::Rcx);
        assert!(now < left, "{now} of {left}");
        left = now;
        assert_eq!(machine.cpu().get(Gpr::Rdi), 0x600 + 4 - left);
    }
    assert_eq!((left, hits(&machine)), (0, vec![4]));
    assert_eq!(read(&machine, 0x600, 5), [0xff, 0xff, 0xff, 0xff, 0]);
}

#[test]
fn ports_cost_no_steps() {
    let mut machine = boot(&[0xe6, 0x80, 0xf4]);
    stop_at(&mut machine, "out 0x80");
    assert!(!machine.stop_on().needs_steps());
    caught(&machine.run());
    assert_eq!(machine.stats().steps, 0);
}

#[test]
fn an_access_to_nothing_that_is_not_caught_is_reported_as_ever() {
    let image = Image::parse(&[0xe6, 0x44, 0xe6, 0x44, 0xf4]).unwrap();
    let mut machine = machine_with(Boot::new(image), OnUnclaimed::Stop);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 5);
    stop_at(&mut machine, "out 0x44 6");
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Unclaimed(_)), "{stop}");
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 6);
    caught(&machine.run());
}

#[test]
fn a_switch_of_the_mode_stops_the_guest_behind_it() {
    // In real mode: mov cr0, eax with PE set; nop; mov cr0, eax with PE clear; hlt
    let code = [0x0f, 0x22, 0xc0, 0x90, 0x66, 0x35, 1, 0, 0, 0, 0x0f, 0x22, 0xc0, 0xf4];
    let mut machine = boot(&code);
    let cr0 = machine.cpu().cr0;
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = cr0 | 1);
    stop_at(&mut machine, "mode");
    let line = caught(&machine.run());
    assert_eq!(line, "switch from real mode to 16-bit protected mode, at 0000:7C03");
    let line = caught(&machine.run());
    assert_eq!(line, "switch from 16-bit protected mode to real mode, at 0000:7C0D");
    assert_eq!(machine.run(), halted("0000:7C0E"));
    assert_eq!(hits(&machine), [2]);
}

#[test]
fn a_watchpoint_on_the_way_hides_no_switch_of_the_mode() {
    // jmp far [DATA], to 16-bit code behind it; nop
    let code = [&[0xff, 0x2d][..], &(modes::DATA as u32).to_le_bytes(), &[0x90]].concat();
    for steps in [false, true] {
        let mut machine = machine_in(Mode::Protected, &code);
        let target = [&(START as u32 + 6).to_le_bytes()[..], &modes::CODE16.to_le_bytes()].concat();
        write(&mut machine, modes::DATA, &target);
        stop_at(&mut machine, "mode");
        let watch = Watch { addr: Linear(modes::DATA), len: 6, kind: WatchKind::Read };
        machine.breakpoints_mut().insert_watch(watch);
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Watchpoint(_)), "{stop}");
        let stop = if steps { machine.step() } else { machine.run() };
        let line = "switch from 32-bit protected mode to 16-bit protected mode, at 0070:7C0";
        assert!(caught(&stop).starts_with(line), "{stop}");
        if !steps {
            assert_eq!(machine.cpu().rip, START + 6);
            assert_eq!(modes::run(&mut machine), End::Done);
        }
        assert_eq!(hits(&machine), [1]);
    }
}

#[test]
fn what_is_taken_back_stops_no_more() {
    let mut machine = boot(&[0xe6, 0x80, 0xe6, 0x80, 0xf4]);
    let number = stop_at(&mut machine, "out 0x80");
    stop_at(&mut machine, "int 3");
    caught(&machine.run());
    assert!(machine.stop_on_mut().catchpoints.remove(number));
    assert_eq!(machine.run(), halted("0000:7C05"));
}

#[test]
fn catchpoints_outlive_a_reset() {
    let mut machine = boot(&[0xcd, 0x20]);
    stop_at(&mut machine, "int 0x20");
    caught(&machine.run());
    machine.reset().unwrap();
    caught(&machine.run());
    assert_eq!(hits(&machine), [2]);
}

#[test]
fn the_user_is_told_once_why_it_is_slow() {
    let mut machine = boot(&[0x90, 0xcd, 0x20, 0xf4]);
    stop_at(&mut machine, "int 0x20 ah=2");
    let heard = record(&mut machine);
    machine.run();
    machine.run();
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("it is to stop at `int 0x20 ah=0x02`"), "{notices:?}");
}
