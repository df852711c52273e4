//! One step is one instruction, whatever the instruction is and whatever KVM the host has.
//!
//! The tests state what a user sees: the registers, all of them, and memory after a step. How a host is
//! brought to do it is none of their business.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

#[path = "../common/mod.rs"]
mod common;

mod control;
mod exceptions;
mod flags;
mod halt;
mod io;
mod memory;
mod shipped;
mod strings;

use common::{START, boot, load, read, record, set, visible, write};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{CpuState, SegOff};

/// A piece of memory: where, and its bytes.
type Piece<'a> = (u64, &'a [u8]);

/// One instruction at 0000:7C00, and what a step over it does.
struct Case<'a> {
    /// The instruction in NASM's words.
    asm: &'a str,
    /// Its bytes.
    code: &'a [u8],
    /// Registers before the step.
    before: fn(&mut CpuState),
    /// Memory before the step.
    memory: &'a [Piece<'a>],
    /// What the step does to the registers, but for moving past the instruction.
    effect: fn(&mut CpuState),
    /// Memory after the step.
    expected: &'a [Piece<'a>],
    /// Output on the debug console.
    console: &'a [u8],
    /// Parts of the notices to the user, in order.
    notices: &'a [&'a str],
    /// What the step returns.
    stop: StopReason,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Case {
            asm: "",
            code: &[],
            before: |_| {},
            memory: &[],
            effect: |_| {},
            expected: &[],
            console: &[],
            notices: &[],
            stop: StopReason::Stepped,
        }
    }
}

impl Case<'_> {
    /// Steps once, checks everything, and hands the machine over for more.
    #[track_caller]
    fn check(&self) -> Machine {
        let asm = self.asm;
        // What follows would be noticed: INC changes registers and flags.
        let code = [self.code, &[0x40; 16]].concat();
        let mut machine = boot(&code);
        let heard = record(&mut machine);
        set(&mut machine, distinct);
        set(&mut machine, self.before);
        for (addr, data) in self.memory {
            write(&mut machine, *addr, data);
        }
        let mut expected = machine.cpu().clone();
        expected.advance(u8::try_from(self.code.len()).unwrap());
        (self.effect)(&mut expected);

        let stop = machine.step();
        assert_eq!(stop, self.stop, "{asm}");
        assert_eq!(visible(machine.cpu()), visible(&expected), "{asm}: registers after the step");
        for (addr, data) in self.expected {
            let found = read(&machine, *addr, data.len());
            assert_eq!(found, *data, "{asm}: memory at {addr:#x}");
        }
        let heard = heard.borrow();
        assert_eq!(heard.console, self.console, "{asm}: console");
        assert_eq!(heard.notices.len(), self.notices.len(), "{asm}: {:?}", heard.notices);
        for (found, part) in heard.notices.iter().zip(self.notices) {
            assert!(found.contains(part), "{asm}: `{found}` does not say `{part}`");
        }
        drop(heard);
        machine
    }
}

/// Gives each general register its own value, but for the stack pointer.
fn distinct(cpu: &mut CpuState) {
    for (value, register) in (1..).zip(&mut cpu.gpr[..8]) {
        *register = 0x1010_1010 * value + 0x0102_0304;
    }
    cpu.gpr[common::SP] = START;
    load(&mut cpu.segments.ds, 0);
    load(&mut cpu.segments.es, 0);
}

/// Puts the machine at `offset` in the code segment it is in.
fn go_to(machine: &mut Machine, offset: u16) {
    set(machine, |cpu| cpu.rip = offset.into());
}

#[test]
fn ordinary_instructions_step_one_by_one() {
    // mov ax, 5; mov bx, 4; add ax, bx; push ax; pop cx; nop; xchg ax, dx; lea si, [bx + 3]
    let code = [0xb8, 5, 0, 0xbb, 4, 0, 0x01, 0xd8, 0x50, 0x59, 0x90, 0x92, 0x8d, 0x77, 3, 0x90];
    let mut machine = boot(&code);
    let mut places = vec![];
    for _ in 0..8 {
        assert_eq!(machine.step(), StopReason::Stepped);
        places.push(machine.cpu().rip - START);
    }
    assert_eq!(places, [3, 6, 8, 9, 10, 11, 12, 15]);
    let cpu = machine.cpu();
    assert_eq!([common::CX, common::DX, common::SI].map(|index| cpu.gpr[index]), [9, 9, 7]);
}

#[test]
fn a_step_works_at_any_cs_and_wraps_nowhere_else_than_the_processor_does() {
    for entry in [SegOff::new(0x7c0, 0), SegOff::new(0x700, 0xc00), SegOff::new(0, 0x7c00)] {
        let mut machine = common::boot_at(&[0x90, 0xe6, 0xe9, 0x90], START, entry);
        for offset in [1, 3, 4] {
            assert_eq!(machine.step(), StopReason::Stepped);
            let there = SegOff::new(entry.segment, entry.offset + offset);
            assert_eq!(machine.cpu().cs_ip(), there);
            assert_eq!(machine.cpu().pc(), there.linear());
        }
    }
}

#[test]
fn prefixes_belong_to_their_instruction() {
    Case {
        asm: "es ds o32 mov ax, bx",
        code: &[0x26, 0x3e, 0x66, 0x89, 0xd8],
        before: |cpu| cpu.gpr[common::BX] = 0x8765_4321,
        effect: |cpu| cpu.gpr[common::AX] = 0x8765_4321,
        ..Case::default()
    }
    .check();
}
