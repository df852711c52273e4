//! What `stepvisor doctor` says is impossible is what a guest that does it sees, and what it does not say works.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::{DATA, DATA0, End, IDT, Mode, STACK, machine_in, run, segment, set_flags};
use common::{read, set, write};
use stepvisor::kvm::probe::{AsManual, as_manual, host_facts};
use stepvisor::machine::Machine;
use stepvisor::x86::registers::{
    CR0_PG, CR4_PAE, RFLAGS_AC, RFLAGS_IF, RFLAGS_IOPL, RFLAGS_SF, RFLAGS_VM, RFLAGS_ZF,
};
use stepvisor::x86::{Gpr, Linear};

const UD2: [u8; 2] = [0x0f, 0x0b];

fn claims() -> AsManual {
    as_manual().unwrap()
}

/// A gate's bit for presence, and the one that makes it of 32 bits.
const PRESENT: u64 = 1 << 47;
const WIDE: u64 = 1 << 43;

fn change_gate(machine: &mut Machine, vector: u64, change: impl FnOnce(u64) -> u64) {
    let at = IDT + 8 * vector;
    let gate = u64::from_le_bytes(read(machine, at, 8).try_into().unwrap());
    write(machine, at, &change(gate).to_le_bytes());
}

fn word(machine: &Machine, at: u64) -> u16 {
    u16::from_le_bytes(read(machine, at, 2).try_into().unwrap())
}

#[test]
fn virtual_8086_mode_is_there_as_claimed() {
    // out 0xf4, al ends the run as ring 3 of virtual-8086 mode may with its ports open.
    let mut machine = machine_in(Mode::V86, &[0x90]);
    let there = run(&mut machine) == End::Done && machine.cpu().rflags & RFLAGS_VM != 0;
    assert_eq!(there, claims().virtual_8086);
}

#[test]
fn paging_outside_long_mode_is_there_as_claimed() {
    // mov cr0, eax
    let switch = [0x0f, 0x22, 0xc0];
    let try_with = |cr4: u64, entry: u64| {
        let mut machine = machine_in(Mode::Protected, &switch);
        // Of PAE paging a table whose first entry is a directory, else a directory; then a large page.
        write(&mut machine, 0x1_1000, &entry.to_le_bytes());
        write(&mut machine, 0x1_2000, &0x87_u64.to_le_bytes());
        set(&mut machine, |cpu| {
            *cpu.get_mut(Gpr::Rax) = cpu.cr0 | CR0_PG;
            cpu.cr3 = 0x1_1000;
            cpu.cr4 |= cr4;
        });
        run(&mut machine) == End::Done && machine.cpu().cr0 & CR0_PG != 0
    };
    const CR4_PSE: u64 = 1 << 4;
    assert_eq!(try_with(CR4_PSE, 0x87), host_facts().unwrap().paging32, "32-bit");
    assert_eq!(try_with(CR4_PAE, 0x1_2001), claims().paging_pae, "PAE");
}

#[test]
fn exceptions_through_16_bit_gates_push_words_as_claimed() {
    let mut machine = machine_in(Mode::Protected, &UD2);
    change_gate(&mut machine, 6, |gate| gate & !WIDE);
    assert_eq!(run(&mut machine), End::Handler(6));
    let pushed = STACK - machine.cpu().get(Gpr::Rsp);
    assert_eq!(pushed, if claims().gates16 { 6 } else { 12 });
}

#[test]
fn pushf_in_ring_3_shows_the_guests_flags_as_claimed() {
    // pushfq
    let mut machine = machine_in(Mode::Long3, &[0x9c]);
    set_flags(&mut machine, Mode::Long3, |flags| *flags &= !RFLAGS_IF);
    assert_eq!(run(&mut machine), End::Done);
    let shown = u64::from(word(&machine, STACK - 8)) & (RFLAGS_IF | RFLAGS_IOPL);
    assert_eq!(shown == 0, claims().ring3_flags, "{shown:#x}");
}

#[test]
fn exceptions_leave_ac_and_esp_alone_as_claimed() {
    let mut machine = machine_in(Mode::Protected, &UD2);
    set(&mut machine, |cpu| cpu.rflags |= RFLAGS_AC);
    assert_eq!(run(&mut machine), End::Handler(6));
    assert_eq!(machine.cpu().rflags & RFLAGS_AC != 0, claims().exception_keeps_ac);

    let mut machine = machine_in(Mode::Real, &UD2);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rsp) |= 0x1234_0000);
    assert_eq!(run(&mut machine), End::Handler(6));
    let kept = machine.cpu().get(Gpr::Rsp) == 0x1234_0000 | (STACK - 6);
    assert_eq!(kept, claims().exception_keeps_esp);
}

#[test]
fn aam_and_enter_are_right_as_claimed() {
    // aam
    let mut machine = machine_in(Mode::Real, &[0xd4, 10]);
    set(&mut machine, |cpu| *cpu.get_mut(Gpr::Rax) = 30);
    assert_eq!(run(&mut machine), End::Done);
    let by_al = machine.cpu().rflags & (RFLAGS_SF | RFLAGS_ZF) == RFLAGS_ZF;
    assert_eq!(by_al, claims().aam_flags);

    // enter 0, 0 with 32-bit operands
    let mut machine = machine_in(Mode::Real, &[0x66, 0xc8, 0, 0, 0]);
    assert_eq!(run(&mut machine), End::Done);
    let pushed = STACK - machine.cpu().get(Gpr::Rsp);
    assert_eq!(pushed, if claims().enter_width { 4 } else { 2 });
}

#[test]
fn faults_met_by_a_gate_that_is_not_present_are_as_claimed() {
    let mut machine = machine_in(Mode::Protected, &UD2);
    change_gate(&mut machine, 6, |gate| gate & !PRESENT);
    let end = run(&mut machine);
    assert_eq!(end, End::Handler(if claims().absent_gate { 11 } else { 8 }));
    let error_code = word(&machine, machine.cpu().get(Gpr::Rsp));
    let expected = match claims() {
        // A double fault's is 0.
        AsManual { absent_gate: false, .. } => 0,
        AsManual { error_code_ext: true, .. } => 6 * 8 + 3,
        _ => 6 * 8 + 2,
    };
    assert_eq!(error_code, expected);

    // div bl
    let mut machine = machine_in(Mode::Protected, &[0xf6, 0xf3]);
    change_gate(&mut machine, 0, |gate| gate & !PRESENT);
    let end = run(&mut machine);
    assert_eq!(end, End::Handler(if claims().double_fault { 8 } else { 11 }));
}

#[test]
fn exceptions_go_through_gates_for_them_alone_as_claimed() {
    let mut machine = machine_in(Mode::Protected, &UD2);
    // A call gate.
    change_gate(&mut machine, 6, |gate| gate & !(0xf << 40) | 0xc << 40);
    let end = run(&mut machine);
    assert_eq!(end, End::Handler(if claims().gate_types { 13 } else { 6 }));
}

#[test]
fn iretq_takes_ring_0s_segments_away_as_claimed() {
    let mut machine = machine_in(Mode::Long3, &[0x90]);
    set(&mut machine, |cpu| cpu.segments.ds = segment(DATA0));
    assert_eq!(run(&mut machine), End::Done);
    let selector = machine.cpu().segments.ds.selector;
    assert_eq!(selector & !3 == 0, claims().iretq_nulls_segments, "{selector:#x}");
}

#[test]
fn breakpoints_that_a_guest_sets_beside_the_debuggers_are_noticed_as_claimed() {
    // mov dr0, eax; mov dr7, ebx; again: inc word [si]; jmp again
    let code = [0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0xff, 0x04, 0xeb, 0xfc];
    let mut machine = machine_in(Mode::Real, &code);
    set(&mut machine, |cpu| {
        *cpu.get_mut(Gpr::Rsi) = DATA;
        *cpu.get_mut(Gpr::Rax) = DATA;
        // A write of two bytes.
        *cpu.get_mut(Gpr::Rbx) = 0x5_0402;
    });
    machine.breakpoints_mut().insert(Linear(DATA));
    assert_eq!(run(&mut machine), End::Handler(1));
    let at_once = word(&machine, DATA) == 1;
    assert!(at_once || !host_facts().unwrap().general_detect);
}
