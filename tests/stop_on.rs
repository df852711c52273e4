//! Stops at exceptions, before the guest's handler runs, and at breakpoints in the guest's source: the same on
//! every host and in every mode.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::{self, End, Mode, machine_in};
use common::{START, boot, halted, record, set, visible, write};
use stepvisor::machine::{Machine, Mark, StopReason};
use stepvisor::x86::Gpr;

fn stop_on(machine: &mut Machine, list: &str) {
    machine.stop_on_mut().set_exceptions(list.parse().unwrap());
}

fn break_on(machine: &mut Machine, list: &str) {
    machine.stop_on_mut().marks = list.parse().unwrap();
}

/// Vector, error code and address of the exception that stopped it.
#[track_caller]
fn exception(stop: &StopReason) -> (u8, Option<u32>, Option<u64>) {
    let StopReason::Exception(stop) = stop else { panic!("{stop}") };
    (stop.vector, stop.error_code, stop.address)
}

struct Case<'a> {
    asm: &'a str,
    mode: Mode,
    code: &'a [u8],
    before: fn(&mut Machine),
    expected: (u8, Option<u32>, Option<u64>),
    text: &'a str,
}

fn nothing(_: &mut Machine) {}

const CASES: &[Case] = &[
    Case {
        asm: "ud2",
        mode: Mode::Real,
        code: &[0x0f, 0x0b],
        before: nothing,
        expected: (6, None, None),
        text: "0000:7C00: `ud2` (bytes 0f 0b) raises #UD, invalid opcode; its handler has not run",
    },
    Case {
        asm: "div bl",
        mode: Mode::Real,
        code: &[0xf6, 0xf3],
        before: nothing,
        expected: (0, None, None),
        text: "raises #DE, divide error",
    },
    Case {
        asm: "ud2",
        mode: Mode::Protected,
        code: &[0x0f, 0x0b],
        before: nothing,
        expected: (6, None, None),
        text: "0008:00007C00: `ud2`",
    },
    Case {
        asm: "mov ds, ax",
        mode: Mode::Protected,
        code: &[0x8e, 0xd8],
        before: |machine| set(machine, |cpu| *cpu.get_mut(Gpr::Rax) = modes::ABSENT.into()),
        expected: (11, Some(0x48), None),
        text: "raises #NP, segment not present (error code 0x48: selector 0x48 of the GDT)",
    },
    Case {
        asm: "int 0x99, beyond the table",
        mode: Mode::Protected,
        code: &[0xcd, 0x99],
        before: |machine| set(machine, |cpu| cpu.idtr.limit = 0xff),
        // The interrupt itself is none; the fault of its delivery is.
        expected: (13, Some(0x99 * 8 + 2), None),
        text: "raises #GP, general protection (error code 0x4ca: entry 0x99 of the IDT)",
    },
    Case {
        asm: "mov al, [UNMAPPED]",
        mode: Mode::Long,
        code: &[0x8a, 0x04, 0x25, 0, 0xa0, 0, 0],
        before: nothing,
        expected: (14, Some(0), Some(0xa000)),
        text: "raises #PF, page fault at 0xa000 (error code 0x0: supervisor read, not present)",
    },
    Case {
        asm: "ud2",
        mode: Mode::Long3,
        code: &[0x0f, 0x0b],
        before: nothing,
        expected: (6, None, None),
        text: "0033:0000000000007C00: `ud2`",
    },
];

/// Steps to the instruction.
fn arrive(machine: &mut Machine, mode: Mode) {
    for _ in 0..mode.steps_before() {
        assert_eq!(machine.step(), StopReason::Stepped);
    }
    assert_eq!(machine.cpu().pc().0, START);
}

#[track_caller]
fn check(case: &Case) {
    for list in ["all", "de,ud,np,gp,pf"] {
        let Case { asm, mode, code, before, expected, text } = case;
        let mut machine = machine_in(*mode, code);
        before(&mut machine);
        stop_on(&mut machine, list);
        arrive(&mut machine, *mode);
        let registers = visible(machine.cpu());
        let stop = machine.run();
        assert_eq!(exception(&stop), *expected, "{asm} {mode:?}: {stop}");
        assert!(stop.to_string().contains(text), "{asm} {mode:?}: `{stop}`");
        assert_eq!(visible(machine.cpu()), registers, "{asm} {mode:?}");
        // Then the guest takes it.
        assert_eq!(modes::run(&mut machine), End::Handler(expected.0), "{asm} {mode:?}");
    }
}

#[test]
fn an_exception_stops_the_guest_before_its_handler_with_its_registers() {
    CASES.iter().for_each(check);
}

/// By itself: QEMU's emulated AMD-V aborts where ring 3 of protected mode raises an exception after a
/// KVM_SET_SREGS, which leaves the task-state segment busy as it has to be.
#[test]
fn an_exception_in_ring_3_of_protected_mode_stops_the_guest() {
    check(&Case {
        asm: "hlt",
        mode: Mode::Protected3,
        code: &[0xf4],
        before: nothing,
        expected: (13, Some(0), None),
        text: "`hlt` (bytes f4) raises #GP",
    });
}

#[test]
fn stepping_stops_at_the_exception_first_and_then_enters_the_handler() {
    let mut machine = machine_in(Mode::Protected, &[0x40, 0x0f, 0x0b]);
    stop_on(&mut machine, "ud");
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(exception(&machine.step()).0, 6);
    assert_eq!(machine.cpu().rip, START + 1);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, modes::HANDLER + 4 * 6);
    assert_eq!(modes::stack(&machine, 1, 4), [START + 1]);
}

#[test]
fn an_exception_that_is_mended_does_not_come() {
    // div bl; hlt
    let mut machine = boot(&[0xf6, 0xf3, 0xf4]);
    stop_on(&mut machine, "de");
    assert_eq!(exception(&machine.run()).0, 0);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rbx) = 1);
    assert_eq!(machine.run(), halted("0000:7C03"));
}

#[test]
fn exceptions_that_nobody_asked_for_are_the_guests_own() {
    let mut machine = machine_in(Mode::Protected, &[0x0f, 0x0b]);
    stop_on(&mut machine, "de,gp");
    assert_eq!(modes::run(&mut machine), End::Handler(6));
}

#[test]
fn interrupts_and_jumps_to_a_handler_are_no_exceptions() {
    // int 6; and, by itself, jmp to the handler of #UD.
    let to_handler = (modes::HANDLER + 24 - (START + 5)) as u32;
    let jump = [&[0xe9][..], &to_handler.to_le_bytes()].concat();
    for code in [&[0xcd, 6][..], &jump] {
        let mut machine = machine_in(Mode::Protected, code);
        stop_on(&mut machine, "all");
        assert_eq!(modes::run(&mut machine), End::Handler(6));
    }
}

#[test]
fn one_handler_for_all_exceptions_does_not_hide_which_it_is() {
    // mov ax, [si] is fine; ud2
    let mut machine = boot(&[0x8b, 0x04, 0x0f, 0x0b]);
    for vector in 0..32 {
        write(&mut machine, 4 * vector, &[0, 5, 0, 0]);
    }
    write(&mut machine, 0x500, &[0xf4]);
    stop_on(&mut machine, "de");
    assert_eq!(machine.run(), halted("0000:0501"));
    let mut machine = boot(&[0x8b, 0x04, 0x0f, 0x0b]);
    for vector in 0..32 {
        write(&mut machine, 4 * vector, &[0, 5, 0, 0]);
    }
    stop_on(&mut machine, "ud");
    assert_eq!(exception(&machine.run()).0, 6);
}

#[test]
fn tables_that_the_guest_sets_up_while_it_runs_count() {
    // mov word [24], handler; mov word [26], 0; ud2
    let code =
        [&[0xc7, 0x06, 24, 0, 0x10, 0x05][..], &[0xc7, 0x06, 26, 0, 0, 0], &[0x0f, 0x0b]].concat();
    let mut machine = boot(&code);
    stop_on(&mut machine, "ud");
    assert_eq!(exception(&machine.run()).0, 6);
    assert_eq!(machine.cpu().rip, START + 12);
}

#[test]
fn an_exception_without_a_handler_is_explained_as_a_triple_fault() {
    let mut machine = machine_in(Mode::Protected, &[0x0f, 0x0b]);
    set(&mut machine, |cpu| cpu.idtr.limit = 0);
    stop_on(&mut machine, "all");
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
    let account = machine.crash().expect("an account").to_string();
    assert!(account.contains("raised #UD"), "{account}");
    assert!(account.contains("#DF is not delivered"), "{account}");
}

#[test]
fn the_double_fault_can_be_stopped_on_by_itself() {
    let mut machine = machine_in(Mode::Protected, &[0x8e, 0xd8]);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = modes::BEYOND.into());
    // #GP has no gate, #DF has one.
    write(&mut machine, modes::IDT + 8 * 13, &[0; 8]);
    stop_on(&mut machine, "df");
    assert_eq!(exception(&machine.run()), (8, Some(0), None));
    assert_eq!(machine.cpu().rip, START);
    assert_eq!(modes::run(&mut machine), End::Handler(8));
}

#[test]
fn int3_stops_behind_itself_and_its_handler_does_not_run() {
    for mode in [Mode::Real, Mode::Protected, Mode::Long, Mode::Protected3, Mode::Long3] {
        let mut machine = machine_in(mode, &[0xcc]);
        break_on(&mut machine, "int3");
        arrive(&mut machine, mode);
        let stop = machine.run();
        let StopReason::Mark(mark) = &stop else { panic!("{mode:?}: {stop}") };
        assert_eq!(mark.mark, Mark::Int3);
        assert_eq!(machine.cpu().rip, START + 1, "{mode:?}");
        assert_eq!(modes::run(&mut machine), End::Done, "{mode:?}");
    }
}

#[test]
fn xchg_bx_bx_stops_behind_itself_and_other_exchanges_do_not() {
    for (mode, code) in [
        (Mode::Real, &[0x87, 0xd9, 0x87, 0xdb][..]),
        (Mode::Protected, &[0x87, 0xd9, 0x66, 0x87, 0xdb]),
        (Mode::Long, &[0x86, 0xdb, 0x87, 0xdb]),
    ] {
        let mut machine = machine_in(mode, code);
        break_on(&mut machine, "xchg");
        let stop = machine.run();
        assert!(stop.to_string().contains("xchg bx, bx, a breakpoint"), "{mode:?}: {stop}");
        assert_eq!(machine.cpu().rip, START + code.len() as u64);
        assert_eq!(modes::run(&mut machine), End::Done, "{mode:?}");
    }
}

#[test]
fn the_user_is_told_once_that_it_is_slow() {
    let mut machine = boot(&[0x90, 0xcc, 0xcc, 0xf4]);
    break_on(&mut machine, "int3");
    let heard = record(&mut machine);
    machine.run();
    machine.run();
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("instruction by instruction now"), "{notices:?}");
    assert!(notices[0].contains("it is to break on int3"), "{notices:?}");
}
