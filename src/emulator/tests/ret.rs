//! IRET, far returns and call gates.

use super::*;
use crate::emulator::{Outcome, Unsupported};
use crate::x86::registers::{RFLAGS_IF, RFLAGS_IOPL, RFLAGS_VM};
use crate::x86::{CpuMode, SegmentName};

const RETURNED: Result<Outcome, Unsupported> =
    Ok(Outcome::Completed { single_step: false, unblocks_nmi: true });

impl Pc {
    /// Puts `words` of `size` bytes on top of the stack.
    fn frame(&mut self, words: &[u64], size: usize) {
        let top = STACK - (words.len() * size) as u64;
        for (index, word) in words.iter().enumerate() {
            self.put(top + (index * size) as u64, *word, size);
        }
        *self.cpu.get_mut(Gpr::Rsp) = top;
    }

    /// Makes a #GP handler, executes `code`, and gives the error code that the handler finds.
    #[track_caller]
    fn fault_of(&mut self, code: &[u8], vector: u8) -> u64 {
        self.gate(vector, CODE0, HANDLER, 0x8e);
        let sp = self.cpu.get(Gpr::Rsp);
        assert_eq!(self.execute(code), Ok(Outcome::Entered { vector }));
        let size = if self.cpu.efer & EFER_LMA != 0 { 8 } else { 4 };
        let found = self.stack(2, size);
        assert_eq!(found[1], CODE, "returns to the instruction");
        assert!(self.cpu.get(Gpr::Rsp) < sp, "nothing has been popped");
        found[0]
    }
}

#[test]
fn real_mode_takes_all_flags_that_exist() {
    let mut pc = Pc::real();
    pc.frame(&[0x1234, 0x07c0, 0xffff], 2);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!(pc.cpu.location(), "07C0:1234");
    assert_eq!((pc.cpu.rflags, pc.cpu.get(Gpr::Rsp)), (0x7fd7, STACK));
}

#[test]
fn the_same_ring_keeps_its_stack_and_an_outer_one_takes_its_own() {
    let mut pc = Pc::protected(0);
    pc.frame(&[0x1234, CODE0.into(), 0x3202], 4);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!((pc.cpu.rip, pc.cpu.rflags, pc.cpu.get(Gpr::Rsp)), (0x1234, 0x3202, STACK));

    let mut pc = Pc::protected(0);
    pc.frame(&[0x1234, CODE3.into(), 0x3202, 0x5000, DATA3.into()], 4);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    let selectors = (pc.cpu.segments.cs.selector, pc.cpu.segments.ss.selector);
    assert_eq!((selectors, pc.cpu.get(Gpr::Rsp), pc.cpu.cpl()), ((CODE3, DATA3), 0x5000, 3));
    // What ring 3 could not have loaded is gone.
    let ds = pc.cpu.segments.ds;
    assert_eq!((ds.selector, ds.access.unusable), (0, true));
}

#[test]
fn ring_3_changes_neither_iopl_nor_without_it_the_interrupt_flag() {
    let mut pc = Pc::protected(3);
    pc.frame(&[0x1234, CODE3.into(), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_IOPL | 1], 4);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!(pc.cpu.rflags, RFLAGS_FIXED | 1);
    let mut pc = Pc::protected(3);
    pc.cpu.rflags |= RFLAGS_IOPL;
    pc.frame(&[0x1234, CODE3.into(), RFLAGS_FIXED | RFLAGS_IF], 4);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!(pc.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_IOPL);
}

#[test]
fn bad_frames_are_faults_that_pop_nothing() {
    let cases: [(&[u64], u8, u64); 8] = [
        (&[0, 0, 2], 13, 0),
        (&[0, DATA0 as u64, 2], 13, DATA0.into()),
        (&[0, 0x200, 2], 13, 0x200),
        (&[0, ABSENT as u64, 2], 11, ABSENT.into()),
        (&[0, CODE0 as u64 | 1, 2, STACK, DATA0 as u64], 13, CODE0.into()),
        (&[0, CODE3 as u64, 2, STACK, DATA0 as u64], 13, DATA0.into()),
        (&[0, CODE3 as u64, 2, STACK, 0], 13, 0),
        (&[0x1_0000, CODE16 as u64, 2], 13, 0),
    ];
    for (frame, vector, code) in cases {
        let mut pc = Pc::protected(0);
        pc.frame(frame, 4);
        assert_eq!(pc.fault_of(&[0xcf], vector), code, "{frame:x?}");
    }
}

#[test]
fn virtual_8086_mode_is_entered_from_ring_0_and_returns_within_itself_at_iopl_3() {
    let mut pc = Pc::protected(0);
    let flags = RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IOPL;
    pc.frame(&[0x10, 0x7c0, flags, 0x400, 0x100, 0x200, 0x300, 0x400, 0x500], 4);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!((pc.cpu.location(), pc.cpu.rflags, pc.cpu.cpl()), ("07C0:0010".into(), flags, 3));
    let bases = SegmentName::ALL.map(|name| pc.cpu.segments.get(name).base);
    assert_eq!(bases, [0x7c00, 0x1000, 0x3000, 0x2000, 0x4000, 0x5000]);
    // In the task: a frame on its own stack.
    pc.put(0x1400, 0x20, 2);
    pc.put(0x1402, 0x7c0, 2);
    pc.put(0x1404, 0x202, 2);
    assert_eq!(pc.execute(&[0xcf]), RETURNED);
    assert_eq!((pc.cpu.rip, pc.cpu.rflags), (0x20, flags | RFLAGS_IF));
    assert_eq!(pc.cpu.get(Gpr::Rsp), 0x406);
    pc.cpu.rflags &= !RFLAGS_IOPL;
    pc.gate(13, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.execute(&[0xcf]), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn long_mode_takes_the_stack_in_any_case_and_a_null_one_outside_ring_3() {
    let mut pc = Pc::long(0);
    pc.frame(&[0x1234, CODE64.into(), 2, 0x5001, 0], 8);
    assert_eq!(pc.execute(&[0x48, 0xcf]), RETURNED);
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp)), (0x1234, 0x5001));
    assert_eq!(pc.cpu.segments.ss.selector, 0);
    // To 32-bit code of ring 3.
    let mut pc = Pc::long(0);
    pc.frame(&[0x1234, CODE3.into(), 2, 0x5000, DATA3.into()], 8);
    assert_eq!(pc.execute(&[0x48, 0xcf]), RETURNED);
    assert_eq!((pc.cpu.mode().code_bits(), pc.cpu.cpl()), (32, 3));
    // And not where no address is.
    let mut pc = Pc::long(0);
    pc.gate64(13, CODE64, HANDLER, 0x8e, 0);
    pc.frame(&[1 << 47, CODE64.into(), 2, 0x5000, 0], 8);
    assert_eq!(pc.execute(&[0x48, 0xcf]), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn a_far_return_to_an_outer_ring_drops_parameters_on_both_stacks() {
    let mut pc = Pc::protected(0);
    pc.frame(&[0x1234, CODE3.into(), 0xaaaa, 0xbbbb, 0x5000, DATA3.into()], 4);
    let done = Ok(Outcome::Completed { single_step: false, unblocks_nmi: false });
    assert_eq!(pc.execute(&[0xca, 8, 0]), done); // retf 8
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp), pc.cpu.cpl()), (0x1234, 0x5008, 3));
}

#[test]
fn an_outer_ring_is_left_for_its_stack_before_its_code_ends() {
    let mut pc = Pc::protected(0);
    // Ring 3's code ends before the return address, and there is no such stack.
    pc.put(GDT + u64::from(CODE3 & !7), descriptor(0, 0xff, 0xfb, 4), 8);
    pc.frame(&[0x1234, CODE3.into(), 2, STACK, 0x200], 4);
    assert_eq!(pc.clone().fault_of(&[0xcf], 13), 0x200);
    pc.frame(&[0x1234, CODE3.into(), 2, STACK, DATA3.into()], 4);
    assert_eq!(pc.fault_of(&[0xcf], 13), 0);
}

#[test]
fn a_call_gate_whose_stack_has_no_room_names_that_stack() {
    const GATE: u16 = 0x6b;
    const SMALL: u16 = 0x70;
    let mut pc = Pc::protected(3);
    pc.put(GDT + u64::from(GATE & !7), HANDLER | u64::from(CODE0) << 16 | 0xec << 40, 8);
    pc.put(GDT + u64::from(SMALL), descriptor(0, 0xfff, 0x93, 4), 8);
    pc.cpu.gdtr.limit += 16;
    pc.put(TSS + 8, SMALL.into(), 4);
    pc.gate(12, CODE0, HANDLER, 0x8e);
    let [low, high] = GATE.to_le_bytes();
    let stack = |pc: &mut Pc| pc.execute(&[0x9a, 0, 0, 0, 0, low, high]);
    // The fault finds no room either, on the same stack, nor does the double fault.
    let mut told = pc.clone();
    assert_eq!(stack(&mut told), Ok(Outcome::Shutdown));
    // With a handler in ring 3 the stack is not switched.
    pc.gate(12, CODE3, HANDLER, 0x8e);
    assert_eq!(stack(&mut pc), Ok(Outcome::Entered { vector: 12 }));
    assert_eq!(pc.stack(2, 4), [SMALL.into(), CODE]);
}

#[test]
fn a_call_gate_leads_from_compatibility_mode_to_64_bit_code_of_ring_0() {
    const GATE: u16 = 0x6b;
    let mut pc = Pc::long(3);
    pc.cpu.segments.cs = pc.segment(CODE3);
    let at = GDT + u64::from(GATE & !7);
    pc.put(at, HANDLER | u64::from(CODE64) << 16 | 0xec << 40, 8);
    pc.cpu.gdtr.limit += 16;
    let [low, high] = GATE.to_le_bytes();
    let called = Ok(Outcome::Completed { single_step: false, unblocks_nmi: false });
    assert_eq!(pc.execute(&[0x9a, 0, 0, 0, 0, low, high]), called);
    assert_eq!((pc.cpu.rip, pc.cpu.cpl(), pc.cpu.mode()), (HANDLER, 0, CpuMode::Long64));
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK0 - 32);
    assert_eq!(pc.stack(4, 8), [CODE + 7, CODE3.into(), STACK, DATA3.into()]);
}

#[test]
fn a_far_transfer_of_real_mode_loads_a_paragraph() {
    // call 0x0800:0x0123, and jmp there
    for (opcode, pushed) in [(0x9a, &[CODE + 5, 0][..]), (0xea, &[])] {
        let mut pc = Pc::real();
        *pc.cpu.get_mut(Gpr::Rsp) = STACK;
        assert!(matches!(
            pc.execute(&[opcode, 0x23, 0x01, 0x00, 0x08]),
            Ok(Outcome::Completed { .. })
        ));
        assert_eq!(pc.cpu.location(), "0800:0123");
        assert_eq!(pc.cpu.get(Gpr::Rsp), STACK - 2 * pushed.len() as u64);
        assert_eq!(pc.stack(pushed.len() as u64, 2), pushed);
    }
    // call dword 0x0800:0x12345, beyond the segment's end
    let mut pc = Pc::real();
    pc.put(13 * 4, HANDLER, 4);
    assert_eq!(
        pc.execute(&[0x66, 0x9a, 0x45, 0x23, 0x01, 0x00, 0x00, 0x08]),
        Ok(Outcome::Entered { vector: 13 })
    );
}
