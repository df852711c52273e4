//! Where interrupts and exceptions lead, what they push, and what a bad table makes of them.

use super::*;
use crate::emulator::fault::Fault;
use crate::emulator::{Delivery, Event, Unsupported, deliver};
use crate::x86::SegmentName;
use crate::x86::registers::{
    CR0_WP, CR4_VME, RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM,
};

/// All flags that a delivery may change.
const FLAGS: u64 = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | 1;

impl Pc {
    fn deliver(&mut self, event: Event) -> Result<Delivery, Unsupported> {
        deliver(&mut self.cpu, &mut self.memory, event)
    }

    /// INT `vector` of two bytes.
    pub(super) fn int(&mut self, vector: u8) -> Result<Delivery, Unsupported> {
        self.deliver(Event::software(vector, self.cpu.rip + 2))
    }

    /// Makes handlers for all exceptions, each at its own address.
    fn handlers(&mut self) {
        for vector in 0..32 {
            self.gate(vector, CODE0, HANDLER + u64::from(vector), 0x8e);
        }
    }

    /// The vector that was entered, and its error code.
    #[track_caller]
    fn entered(&self) -> (u64, u64) {
        assert!((HANDLER..HANDLER + 32).contains(&self.cpu.rip), "{:#x}", self.cpu.rip);
        (self.cpu.rip - HANDLER, self.stack(1, 4)[0])
    }
}

fn entered(vector: u8) -> Result<Delivery, Unsupported> {
    Ok(Delivery::Entered { vector })
}

#[test]
fn real_mode_pushes_three_words_and_jumps_through_the_table() {
    let mut pc = Pc::real();
    pc.cpu.rflags = FLAGS;
    pc.put(0x80 * 4, 0x07c0_0100, 4);
    assert_eq!(pc.int(0x80), entered(0x80));
    assert_eq!(pc.cpu.location(), "07C0:0100");
    assert_eq!(pc.cpu.segments.cs.base, 0x7c00);
    assert_eq!(pc.stack(3, 2), [CODE + 2, 0, FLAGS]);
    assert_eq!(pc.cpu.rflags, FLAGS & !(RFLAGS_IF | RFLAGS_TF));
}

#[test]
fn real_mode_exceptions_have_no_error_code_and_return_to_the_instruction() {
    let mut pc = Pc::real();
    pc.put(13 * 4, HANDLER, 4);
    let before = pc.cpu.rip;
    assert_eq!(pc.deliver(Event::fault(&Fault::gp(0), before)), entered(13));
    assert_eq!(pc.stack(3, 2), [CODE, 0, RFLAGS_FIXED]);
}

#[test]
fn a_vector_beyond_the_table_is_a_general_protection_then_a_double_fault_then_a_shutdown() {
    let mut pc = Pc::real();
    pc.put(13 * 4, HANDLER + 13, 4);
    pc.put(8 * 4, HANDLER + 8, 4);
    pc.cpu.idtr.limit = 0x80 * 4 + 2;
    assert_eq!(pc.clone().int(0x80), entered(13));
    pc.cpu.idtr.limit = 13 * 4 + 2;
    let mut second = pc.clone();
    assert_eq!(second.int(0x80), entered(8));
    assert_eq!(second.stack(1, 2), [CODE]);
    pc.cpu.idtr.limit = 0;
    let before = pc.cpu.clone();
    assert_eq!(pc.int(0x80), Ok(Delivery::Shutdown));
    assert_eq!(pc.cpu, before);
}

#[test]
fn a_gate_of_the_same_ring_pushes_three_doublewords_or_words() {
    for (kind, size, disables) in
        [(0x8e, 4, true), (0x8f, 4, false), (0x86, 2, true), (0x87, 2, false)]
    {
        let mut pc = Pc::protected(0);
        pc.cpu.rflags = FLAGS;
        pc.gate(0x30, CODE0, HANDLER, kind);
        assert_eq!(pc.int(0x30), entered(0x30), "{kind:#x}");
        assert_eq!(pc.cpu.rip, HANDLER);
        assert_eq!(pc.stack(3, size), [CODE + 2, CODE0.into(), FLAGS], "{kind:#x}");
        let left = if disables { RFLAGS_FIXED | 1 } else { RFLAGS_FIXED | RFLAGS_IF | 1 };
        assert_eq!(pc.cpu.rflags, left, "{kind:#x}");
    }
}

#[test]
fn an_inner_ring_has_a_stack_of_its_own() {
    let mut pc = Pc::protected(3);
    pc.gate(0x30, CODE0, HANDLER, 0xee);
    assert_eq!(pc.int(0x30), entered(0x30));
    let frame = [CODE + 2, CODE3.into(), RFLAGS_FIXED, STACK, DATA3.into()];
    assert_eq!(pc.stack(5, 4), frame);
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK0 - 20);
    let selectors = (pc.cpu.segments.cs.selector, pc.cpu.segments.ss.selector);
    assert_eq!(selectors, (CODE0, DATA0));
    assert_eq!(pc.cpu.cpl(), 0);
}

#[test]
fn a_16_bit_task_state_segment_has_a_stack_too() {
    let mut pc = Pc::protected(3);
    pc.cpu.tr.access.kind = 3;
    pc.put(TSS + 2, STACK0, 2);
    pc.put(TSS + 4, DATA0.into(), 2);
    pc.gate(0x30, CODE0, HANDLER, 0xe6);
    assert_eq!(pc.int(0x30), entered(0x30));
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK0 - 10);
    assert_eq!(pc.stack(5, 2), [CODE + 2, CODE3.into(), 2, STACK, DATA3.into()]);
}

#[test]
fn a_conforming_handler_stays_in_the_ring_of_its_program() {
    let mut pc = Pc::protected(3);
    pc.gate(0x30, CONFORMING, HANDLER, 0xee);
    assert_eq!(pc.int(0x30), entered(0x30));
    assert_eq!((pc.cpu.cpl(), pc.cpu.segments.cs.selector), (3, CONFORMING | 3));
    assert_eq!(pc.stack(3, 4), [CODE + 2, CODE3.into(), RFLAGS_FIXED]);
    assert_eq!(pc.get(GDT + u64::from(CONFORMING) + 5, 1), 0x9f, "marked as accessed");
}

#[test]
fn an_exception_pushes_its_error_code_and_the_resume_flag() {
    let mut pc = Pc::protected(0);
    pc.handlers();
    let rip = pc.cpu.rip;
    assert_eq!(pc.deliver(Event::fault(&Fault::gp(0x1234), rip)), entered(13));
    assert_eq!(pc.stack(4, 4), [0x1234, CODE, CODE0.into(), RFLAGS_FIXED | RFLAGS_RF]);
    let mut pc = Pc::protected(0);
    pc.handlers();
    assert_eq!(pc.deliver(Event::fault(&Fault::UD, rip)), entered(6));
    assert_eq!(pc.stack(3, 4), [CODE, CODE0.into(), RFLAGS_FIXED | RFLAGS_RF]);
}

#[test]
fn a_bad_gate_is_a_fault_whose_code_names_the_gate() {
    let code = 0x30 << 3 | 2;
    // Not a gate, a call gate, not present, not for ring 3.
    for (ring, kind, fault) in
        [(0, 0, 13), (0, 0x8c, 13), (0, 0x0e, 11), (3, 0x8e, 13), (3, 0x0e, 13)]
    {
        let mut pc = Pc::protected(ring);
        pc.handlers();
        pc.gate(0x30, CODE0, HANDLER, kind);
        assert_eq!(pc.int(0x30), entered(fault), "{kind:#x}");
        assert_eq!(pc.entered(), (fault.into(), code), "{kind:#x}");
        assert_eq!(pc.stack(2, 4)[1], CODE, "returns to the INT");
    }
    let mut pc = Pc::protected(0);
    pc.handlers();
    pc.cpu.idtr.limit = 0x30 * 8 + 6;
    assert_eq!(pc.int(0x30), entered(13));
    assert_eq!(pc.entered(), (13, code));
}

#[test]
fn events_from_outside_and_exceptions_set_ext_and_do_not_mind_the_gates_ring() {
    let mut pc = Pc::protected(3);
    pc.handlers();
    pc.gate(0x20, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.clone().deliver(Event::external(0x20, CODE)), entered(0x20));
    pc.gate(0x20, CODE0, HANDLER, 0x0e);
    assert_eq!(pc.deliver(Event::external(0x20, CODE)), entered(11));
    assert_eq!(pc.entered(), (11, 0x20 << 3 | 3));
}

#[test]
fn a_bad_code_segment_is_a_fault_whose_code_names_it() {
    let cases = [
        (0, 13, 0),
        (DATA0, 13, DATA0),
        (0x200, 13, 0x200),
        (ABSENT, 11, ABSENT),
        (CODE3, 13, 0x18),
    ];
    for (selector, fault, code) in cases {
        let mut pc = Pc::protected(0);
        pc.handlers();
        pc.gate(0x30, selector, HANDLER, 0x8e);
        assert_eq!(pc.int(0x30), entered(fault), "{selector:#x}");
        assert_eq!(pc.entered(), (fault.into(), code.into()), "{selector:#x}");
    }
}

#[test]
fn a_bad_inner_stack_is_an_invalid_tss_or_a_stack_fault() {
    let cases = [
        (0, 10, 0),
        (DATA3, 10, DATA3 & !3),
        (CODE0, 10, CODE0),
        (0x200, 10, 0x200),
        (DATA0 | 1, 10, DATA0),
        (ABSENT + 0x20, 12, ABSENT + 0x20),
    ];
    for (selector, fault, code) in cases {
        let mut pc = Pc::protected(3);
        pc.handlers();
        pc.put(GDT + u64::from(ABSENT) + 0x20, descriptor(0, 0xf_ffff, 0x13, 0xc), 8);
        pc.cpu.gdtr.limit = ABSENT + 0x27;
        pc.put(TSS + 8, selector.into(), 4);
        pc.gate(0x30, CODE0, HANDLER, 0xee);
        // The fault finds the same stack, and so does the double fault.
        assert_eq!(pc.int(0x30), Ok(Delivery::Shutdown), "{selector:#x}");
        // A handler that needs no other stack tells what it was.
        pc.gate(fault, CONFORMING, HANDLER + u64::from(fault), 0x8e);
        assert_eq!(pc.int(0x30), entered(fault), "{selector:#x}");
        assert_eq!(pc.entered(), (fault.into(), code.into()), "{selector:#x}");
    }
    let mut pc = Pc::protected(3);
    pc.gate(10, CONFORMING, HANDLER + 10, 0x8e);
    pc.gate(0x30, CODE0, HANDLER, 0xee);
    pc.cpu.tr.limit = 8;
    assert_eq!(pc.int(0x30), entered(10));
    assert_eq!(pc.entered(), (10, TASK.into()));
}

#[test]
fn a_frame_that_does_not_fit_leaves_the_stack_as_it_was() {
    let mut pc = Pc::protected(0);
    pc.handlers();
    pc.gate(12, CODE0, HANDLER + 12, 0x86);
    pc.gate(0x30, CODE0, HANDLER, 0x8e);
    // Expands down: 12 bytes do not fit, the six words of a 16-bit gate do not either.
    pc.cpu.segments.ss.access.kind = 7;
    pc.cpu.segments.ss.limit = STACK as u32 - 9;
    let before = pc.cpu.clone();
    assert_eq!(pc.int(0x30), entered(12));
    assert_eq!(pc.stack(4, 2), [0, CODE, CODE0.into(), RFLAGS_FIXED & 0xffff]);
    pc.cpu = before;
    pc.cpu.segments.ss.limit = STACK as u32 - 1;
    pc.put(STACK - 16, u64::MAX, 8);
    assert_eq!(pc.int(0x30), Ok(Delivery::Shutdown));
    assert_eq!(pc.get(STACK - 16, 8), u64::MAX);
}

#[test]
fn the_stack_is_looked_at_before_the_handlers_offset() {
    // Beyond the 64 KiB of the segment.
    let beyond = 0x2_0000;
    let mut pc = Pc::protected(3);
    pc.handlers();
    pc.gate(0x30, CODE16, beyond, 0xee);
    let mut without_stack = pc.clone();
    assert_eq!(pc.int(0x30), entered(13));
    assert_eq!(pc.entered(), (13, 0));
    without_stack.put(TSS + 8, 0, 4);
    without_stack.gate(10, CONFORMING, HANDLER + 10, 0x8e);
    assert_eq!(without_stack.int(0x30), entered(10));
    assert_eq!(without_stack.entered(), (10, 0));

    let mut pc = Pc::protected(0);
    pc.handlers();
    pc.gate(12, CODE0, HANDLER + 12, 0x86);
    pc.gate(0x30, CODE16, beyond, 0x8e);
    pc.cpu.segments.ss.access.kind = 7;
    pc.cpu.segments.ss.limit = STACK as u32 - 9;
    assert_eq!(pc.int(0x30), entered(12));

    let mut pc = Pc::long(0);
    for vector in [12, 13] {
        pc.gate64(vector, CODE64, HANDLER + u64::from(vector), 0x8e, 1);
    }
    pc.put(TSS + 36, STACK0, 8);
    pc.gate64(0x30, CODE64, 1 << 63, 0x8e, 0);
    let mut bad_stack = pc.clone();
    assert_eq!(pc.int(0x30), entered(13));
    *bad_stack.cpu.get_mut(Gpr::Rsp) = 1 << 63 | 0x100;
    assert_eq!(bad_stack.int(0x30), entered(12));
}

/// Virtual-8086 mode with CS = 07C0, SS = 0100.
fn v86(iopl: u64) -> Pc {
    let mut pc = Pc::protected(3);
    pc.cpu.rflags = FLAGS | RFLAGS_VM | iopl << 12;
    pc.cpu.rip = 5;
    let access = |kind| Access { kind, dpl: 3, ..Access::DATA16 };
    pc.cpu.segments.cs = Segment::paragraph(0x7c0, access(0xb));
    for (name, selector) in
        SegmentName::ALL.into_iter().skip(1).zip([0x100, 0x200, 0x300, 0x400, 0x500])
    {
        *pc.cpu.segments.get_mut(name) = Segment::paragraph(selector, access(3));
    }
    pc.handlers();
    pc.gate(0x30, CODE0, HANDLER, 0xee);
    pc.gate(3, CODE0, HANDLER + 3, 0xee);
    pc
}

#[test]
fn virtual_8086_mode_is_left_through_a_gate_of_ring_0() {
    let mut pc = v86(3);
    let flags = pc.cpu.rflags;
    assert_eq!(pc.int(0x30), entered(0x30));
    let frame = [7, 0x7c0, flags, STACK, 0x100, 0x300, 0x200, 0x400, 0x500];
    assert_eq!(pc.stack(9, 4), frame);
    assert_eq!(pc.cpu.rflags & (RFLAGS_VM | RFLAGS_TF | RFLAGS_NT | RFLAGS_IF), 0);
    for name in SegmentName::ALL.into_iter().skip(2) {
        let segment = pc.cpu.segments.get(name);
        assert!(segment.selector == 0 && segment.access.unusable, "{name:?}");
    }
    assert_eq!(pc.cpu.cpl(), 0);
}

#[test]
fn int_n_in_virtual_8086_mode_needs_iopl_3_and_int3_does_not() {
    let mut pc = v86(0);
    assert_eq!(pc.clone().int(0x30), entered(13));
    assert_eq!(pc.clone().deliver(Event::int3(6)), entered(3));
    pc.int(0x30).unwrap();
    assert_eq!(pc.entered(), (13, 0));
    assert_eq!(pc.stack(2, 4)[1], 5);
    let mut pc = v86(0);
    pc.cpu.cr4 |= CR4_VME;
    assert_eq!(pc.int(0x30), Err(Unsupported::Vme));
}

#[test]
fn virtual_8086_mode_refuses_a_handler_outside_ring_0() {
    let mut pc = v86(3);
    pc.gate(0x30, CONFORMING, HANDLER, 0xee);
    pc.int(0x30).unwrap();
    assert_eq!(pc.entered(), (13, CONFORMING.into()));
}

#[test]
fn long_mode_aligns_the_stack_and_pushes_five_quadwords() {
    let mut pc = Pc::long(0);
    *pc.cpu.get_mut(Gpr::Rsp) = STACK - 5;
    pc.cpu.rflags = FLAGS;
    pc.gate64(0x30, CODE64, 0x1234_5678_9abc, 0x8e, 0);
    assert_eq!(pc.int(0x30), entered(0x30));
    assert_eq!(pc.cpu.rip, 0x1234_5678_9abc);
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK - 16 - 40);
    assert_eq!(pc.stack(5, 8), [CODE + 2, CODE64.into(), FLAGS, STACK - 5, DATA0.into()]);
    assert_eq!(pc.cpu.segments.ss.selector, DATA0, "the same ring keeps its stack segment");
}

#[test]
fn long_mode_switches_stacks_by_ring_and_by_table() {
    let mut pc = Pc::long(3);
    pc.gate64(0x30, CODE64, HANDLER, 0xee, 0);
    assert_eq!(pc.clone().int(0x30), entered(0x30));
    pc.int(0x30).unwrap();
    assert_eq!(pc.stack(5, 8), [CODE + 2, CODE64_3.into(), 2, STACK, DATA3.into()]);
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK0 - 40);
    assert_eq!((pc.cpu.segments.ss.selector, pc.cpu.cpl()), (0, 0));

    let mut pc = Pc::long(0);
    pc.gate64(0x30, CODE64, HANDLER, 0x8e, 2);
    pc.put(TSS + 44, 0x5008, 8);
    assert_eq!(pc.int(0x30), entered(0x30));
    assert_eq!(pc.cpu.get(Gpr::Rsp), 0x5000 - 40);
    assert_eq!(pc.cpu.segments.ss.selector, DATA0);
}

#[test]
fn long_mode_takes_no_32_bit_handlers_and_no_bad_stacks() {
    let handlers = |pc: &mut Pc| {
        for vector in 0..32 {
            pc.gate64(vector, CODE64, HANDLER + u64::from(vector), 0x8e, 1);
        }
        pc.put(TSS + 36, 0x5000, 8);
    };
    let mut pc = Pc::long(0);
    handlers(&mut pc);
    pc.gate64(0x30, CODE0, HANDLER, 0x8e, 0);
    pc.int(0x30).unwrap();
    assert_eq!((pc.cpu.rip - HANDLER, pc.stack(1, 8)[0]), (13, CODE0.into()));

    let mut pc = Pc::long(0);
    handlers(&mut pc);
    *pc.cpu.get_mut(Gpr::Rsp) = 0x8000_0000_1000;
    pc.gate64(0x30, CODE64, HANDLER, 0x8e, 0);
    pc.int(0x30).unwrap();
    assert_eq!((pc.cpu.rip - HANDLER, pc.stack(1, 8)[0]), (12, 0));

    let mut pc = Pc::long(0);
    handlers(&mut pc);
    pc.put(TSS + 44, 0x8000_0000_0000, 8);
    pc.gate64(0x30, CODE64, HANDLER, 0x8e, 2);
    pc.int(0x30).unwrap();
    assert_eq!((pc.cpu.rip - HANDLER, pc.stack(1, 8)[0]), (12, 0));
}

#[test]
fn a_page_fault_on_the_stack_is_delivered_with_its_address() {
    let mut pc = Pc::long(0);
    pc.gate64(14, CODE64, HANDLER, 0x8e, 1);
    pc.put(TSS + 36, 0x5000, 8);
    pc.gate64(0x30, CODE64, HANDLER, 0x8e, 0);
    // The page below the stack's top is not there.
    *pc.cpu.get_mut(Gpr::Rsp) = 0x7010;
    pc.put(PAGES + 0x3000 + 8 * 6, 0, 8);
    assert_eq!(pc.int(0x30), entered(14));
    assert_eq!(pc.cpu.cr2, 0x6ff8);
    assert_eq!(pc.stack(2, 8), [2, CODE]);

    // Read-only, which counts in ring 0 with CR0.WP only.
    pc.cpu.rip = CODE;
    *pc.cpu.get_mut(Gpr::Rsp) = 0x7010;
    pc.put(PAGES + 0x3000 + 8 * 6, 0x6005, 8);
    let mut protected = pc.clone();
    assert_eq!(pc.int(0x30), entered(0x30));
    assert_eq!(pc.get(PAGES + 0x3000 + 8 * 6, 8), 0x6065, "accessed and dirty");
    protected.cpu.cr0 |= CR0_WP;
    assert_eq!(protected.int(0x30), entered(14));
    assert_eq!(protected.stack(1, 8), [3]);
}

#[test]
fn faults_while_faults_are_delivered_follow_the_table() {
    // First exception, the gate that fails: what is delivered.
    for (first, expected) in [(6, 11), (13, 8), (0, 8), (1, 11)] {
        let mut pc = Pc::protected(0);
        pc.handlers();
        pc.gate(first, CODE0, HANDLER, 0x0e);
        let fault = Fault { vector: first, error_code: (first == 13).then_some(0), address: None };
        assert_eq!(pc.deliver(Event::fault(&fault, CODE)), entered(expected), "{first}");
        let code = if expected == 8 { 0 } else { u64::from(first) << 3 | 3 };
        assert_eq!(pc.entered(), (expected.into(), code), "{first}");
    }
}
