//! Registers written and read back: what a debugger sets is what is there, or is refused whole.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::sync::mpsc;
use std::thread;

use common::samples::sample;
use common::{AX, START, boot, machine, set, visible};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{Access, CpuMode, CpuState, FpuState, Segment};

/// A machine in the mode that the shipped guest `name` ends in.
fn at_the_end_of(name: &str) -> Machine {
    let mut machine = machine(sample(name).boot());
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    machine
}

/// Sets registers and checks that all of them, and no others, have changed.
#[track_caller]
fn round_trip(machine: &mut Machine, change: impl FnOnce(&mut CpuState)) {
    let mut cpu = machine.cpu().clone();
    change(&mut cpu);
    machine.set_cpu(&cpu).unwrap();
    assert_eq!(visible(machine.cpu()), visible(&cpu));
}

#[test]
fn each_register_of_real_mode_keeps_a_value_of_its_own() {
    let mut machine = boot(&[0x90]);
    round_trip(&mut machine, |cpu| {
        for (value, register) in (1..).zip(&mut cpu.gpr) {
            *register = 0x0101_0101 * value;
        }
        cpu.rip = 0x1234;
        cpu.rflags = 0xed7;
        for (value, segment) in (1..).zip([
            &mut cpu.segments.cs,
            &mut cpu.segments.ss,
            &mut cpu.segments.ds,
            &mut cpu.segments.es,
            &mut cpu.segments.fs,
            &mut cpu.segments.gs,
        ]) {
            *segment = Segment::paragraph(0x111 * value, segment.access);
        }
        (cpu.gdtr.base, cpu.gdtr.limit) = (0x1_2345, 0x27);
        (cpu.idtr.base, cpu.idtr.limit) = (0x6789, 0x3f7);
        cpu.cr2 = 0xdead_b000;
        cpu.cr3 = 0x4000;
        cpu.cr8 = 5;
    });
    let cpu = machine.cpu();
    assert_eq!(cpu.pc().0, 0x1110 + 0x1234);
}

#[test]
fn each_register_of_long_mode_keeps_a_value_of_its_own() {
    let mut machine = at_the_end_of("long");
    assert_eq!(machine.cpu().mode(), CpuMode::Long64);
    round_trip(&mut machine, |cpu| {
        for (value, register) in (1..).zip(&mut cpu.gpr) {
            *register = 0x0101_0101_0101_0101 * value;
        }
        cpu.rip = 0xffff_8000_1234_5678;
        cpu.rflags = 0x202;
        cpu.segments.fs.base = 0xffff_8000_0000_1111;
        cpu.segments.gs.base = 0x7fff_0000_2222;
        (cpu.gdtr.base, cpu.gdtr.limit) = (0xffff_8000_0000_3000, 0x37);
        (cpu.idtr.base, cpu.idtr.limit) = (0xffff_8000_0000_4000, 0xfff);
        cpu.cr2 = 0xffff_8000_dead_beef;
        cpu.cr3 = 0x2000;
        cpu.cr4 |= 0x600;
        cpu.cr8 = 9;
    });
    assert_eq!(machine.cpu().pc().0, 0xffff_8000_1234_5678);
}

#[test]
fn a_mode_can_be_entered_by_setting_registers() {
    // In 32-bit code: inc eax; mov ecx, 0x12345678
    let mut machine = boot(&[0x40, 0xb9, 0x78, 0x56, 0x34, 0x12]);
    let flat = |kind| Segment {
        selector: 8,
        base: 0,
        limit: u32::MAX,
        access: Access { kind, default_big: true, granularity: true, ..Access::DATA16 },
    };
    round_trip(&mut machine, |cpu| {
        cpu.cr0 |= 1;
        cpu.segments.cs = flat(0xb);
        cpu.segments.ss = flat(0x3);
        cpu.gpr[AX] = 0xffff_ffff;
    });
    assert_eq!(machine.cpu().mode(), CpuMode::Protected32);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[AX]), (START + 1, 0));
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[common::CX]), (START + 6, 0x1234_5678));
}

#[test]
fn impossible_control_registers_are_refused_and_nothing_changes() {
    type Change = fn(&mut CpuState);
    let changes: [(&str, Change); 3] = [
        ("paging without protection", |cpu| cpu.cr0 = (cpu.cr0 & !1) | 1 << 31),
        ("reserved bits of CR4", |cpu| cpu.cr4 |= 1 << 31),
        ("long mode without PAE", |cpu| {
            cpu.cr0 |= 1 << 31 | 1;
            cpu.cr4 &= !0x20;
            cpu.efer |= 0x500;
        }),
    ];
    for name in ["hello", "protected", "long"] {
        let mut machine = at_the_end_of(name);
        let before = machine.cpu().clone();
        for (what, change) in changes {
            let mut cpu = before.clone();
            // Good values beside the bad one must not get through either.
            cpu.gpr[AX] = 0x5555;
            cpu.cr2 = 0x6666;
            cpu.rip = 0x7777;
            change(&mut cpu);
            let error = machine.set_cpu(&cpu).expect_err(what).to_string();
            assert!(error.contains("the processor refuses this value"), "{what}: {error}");
            assert_eq!(machine.cpu(), &before, "{name}: {what}");
            assert!(machine.is_halted(), "{name}: {what}");
        }
        // And the processor can go on.
        set(&mut machine, |cpu| cpu.gpr[AX] = 1);
        assert_eq!(machine.cpu().gpr[AX], 1);
    }
}

#[test]
fn a_refused_register_costs_neither_a_kick_nor_the_guest() {
    // inc ax, again and again
    let mut machine = boot(&[0x40, 0xeb, 0xfd]);
    let kicker = machine.kicker();
    // One for each attempt, at any moment of it.
    let (attempt, attempts) = mpsc::channel::<()>();
    let kicking = thread::spawn(move || attempts.iter().for_each(|()| kicker.kick()));
    for _ in 0..300 {
        let before = machine.cpu().clone();
        let mut cpu = before.clone();
        // Paged protected mode, which some hosts have not.
        cpu.cr0 |= 1 << 31 | 1;
        cpu.cr3 = 0x1000;
        attempt.send(()).unwrap();
        if machine.set_cpu(&cpu).is_ok() {
            machine.set_cpu(&before).unwrap();
        }
        assert_eq!(machine.cpu(), &before);
        machine.take_kick();
        let stop = machine.step();
        assert!(matches!(stop, StopReason::Stepped | StopReason::Kicked), "{stop}");
    }
    drop(attempt);
    kicking.join().unwrap();
    machine.take_kick();
    let mut cpu = machine.cpu().clone();
    cpu.cr0 |= 1 << 31 | 1;
    machine.kicker().kick();
    let _ = machine.set_cpu(&cpu);
    assert!(machine.take_kick() && !machine.take_kick());
}

fn all_different() -> FpuState {
    FpuState {
        fcw: 0x27f,
        fsw: 0x3a00,
        ftw: 0xff,
        fop: 0x123,
        fip: 0x1234_5678,
        fcs: 8,
        fdp: 0x1abc_def0,
        fds: 16,
        st: std::array::from_fn(|n| [n as u8 + 1, 2, 3, 4, 5, 6, 7, 0x88, n as u8, 0x40]),
        mxcsr: 0x9fc0,
        xmm: std::array::from_fn(|n| 0x0011_2233_4455_6677_8899_aabb_ccdd_ee00 + n as u128),
    }
}

#[test]
fn each_register_of_x87_and_sse_keeps_a_value_of_its_own() {
    for name in ["hello", "protected", "long"] {
        let mut machine = at_the_end_of(name);
        machine.set_fpu(&all_different()).unwrap();
        assert_eq!(machine.fpu().unwrap(), all_different(), "{name}");
    }
}

#[test]
fn x87_and_sse_registers_last_while_the_guest_runs() {
    let mut machine = boot(&[0x90, 0x90, 0xe6, 0xe9, 0xf4]);
    machine.set_fpu(&all_different()).unwrap();
    assert_eq!(machine.step(), StopReason::Stepped);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    let FpuState { fcw, fsw, ftw, st, mxcsr, xmm, .. } = machine.fpu().unwrap();
    let expected = all_different();
    assert_eq!((fcw, fsw, ftw, mxcsr), (expected.fcw, expected.fsw, expected.ftw, expected.mxcsr));
    assert_eq!(st, expected.st);
    // XMM8 and up exist in long mode only, but nothing has touched them.
    assert_eq!(xmm, expected.xmm);
}

#[test]
fn the_guest_reads_the_sse_registers_it_was_given() {
    // movups [0x500], xmm0, in real mode with SSE enabled
    let mut machine = boot(&[0x0f, 0x11, 0x06, 0, 5, 0xf4]);
    set(&mut machine, |cpu| cpu.cr4 |= 0x200);
    machine.set_fpu(&all_different()).unwrap();
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(common::read(&machine, 0x500, 16), all_different().xmm[0].to_le_bytes());
}

#[test]
fn reserved_bits_of_mxcsr_are_refused_and_nothing_changes() {
    let mut machine = boot(&[0x90]);
    machine.set_fpu(&all_different()).unwrap();
    let bad = FpuState { mxcsr: 0xffff_0000, fcw: 0x37f, ..FpuState::default() };
    let error = machine.set_fpu(&bad).unwrap_err().to_string();
    assert!(error.contains("the processor refuses this value"), "{error}");
    assert_eq!(machine.fpu().unwrap(), all_different());
}

#[test]
fn the_guests_debug_registers_keep_values_of_their_own() {
    let mut machine = boot(&[0x90]);
    let dr = [0x1111, 0x2222, 0x3333, 0x4444, 0, 0, 0xffff_0ff0, 0x400];
    machine.set_debug_registers(&dr).unwrap();
    assert_eq!(machine.debug_registers().unwrap(), dr);
    for (register, value) in [(6, 1 << 32), (7, 1 << 32)] {
        let mut bad = [0x5555, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x400];
        bad[register] |= value;
        let error = machine.set_debug_registers(&bad).unwrap_err().to_string();
        assert!(error.contains("the processor refuses this value"), "{error}");
        assert_eq!(machine.debug_registers().unwrap(), dr);
    }
}

#[test]
fn a_users_breakpoints_do_not_show_in_the_guests_debug_registers() {
    let mut machine = boot(&[0x90, 0x90, 0xf4]);
    let before = machine.debug_registers().unwrap();
    machine.breakpoints_mut().insert(stepvisor::x86::Linear(START + 1));
    assert!(matches!(machine.run(), StopReason::Breakpoint(_)));
    assert_eq!(machine.debug_registers().unwrap(), before);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.debug_registers().unwrap()[7], before[7]);
}

#[test]
fn a_guest_that_takes_out_its_own_breakpoints_is_stepped_no_more() {
    // mov dr7, eax; mov cx, 8000h; loop $; hlt
    let mut machine = boot(&[0x0f, 0x23, 0xf8, 0xb9, 0, 0x80, 0xe2, 0xfe, 0xf4]);
    // A write of one byte.
    machine.set_debug_registers(&[0x500, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x1_0402]).unwrap();
    set(&mut machine, |cpu| cpu.gpr[AX] = 0x400);
    machine.breakpoints_mut().insert(stepvisor::x86::Linear(START + 8));
    assert!(matches!(machine.run(), StopReason::Breakpoint(_)));
    assert!(machine.stats().steps < 10, "{}", machine.stats());
}
