//! Loads of segment registers, LDTR and TR.

use super::*;
use crate::emulator::{Outcome, Unsupported};
use crate::x86::SegmentName;

const COMPLETED: Result<Outcome, Unsupported> =
    Ok(Outcome::Completed { single_step: false, unblocks_nmi: false });
const MOV_DS_AX: [u8; 2] = [0x8e, 0xd8];
const LTR_AX: [u8; 3] = [0x0f, 0x00, 0xd8];
const LLDT_AX: [u8; 3] = [0x0f, 0x00, 0xd0];
/// A free place in the descriptor table.
const FREE: u16 = 0x40;

fn with_ax(mut pc: Pc, selector: u16) -> Pc {
    *pc.cpu.get_mut(Gpr::Rax) = selector.into();
    pc
}

#[test]
fn a_data_segment_comes_with_its_descriptor_which_is_marked() {
    let mut pc = with_ax(Pc::protected(0), FREE);
    pc.put(GDT + u64::from(FREE), descriptor(0x1234, 0x5678, 0x92, 0), 8);
    assert_eq!(pc.execute(&MOV_DS_AX), COMPLETED);
    let Segment { selector, base, limit, access } = pc.cpu.segments.ds;
    assert_eq!((selector, base, limit, access.kind), (FREE, 0x1234, 0x5678, 3));
    assert_eq!(pc.get(GDT + u64::from(FREE) + 5, 1), 0x93);
    assert_eq!(pc.cpu.rip, CODE + 2);
    // Null, which faults when it is used.
    let mut pc = with_ax(Pc::protected(3), 3);
    assert_eq!(pc.execute(&MOV_DS_AX), COMPLETED);
    assert!(pc.cpu.segments.ds.access.unusable);
    assert_eq!(pc.cpu.segments.ds.selector, 3);
    // pop fs
    let mut pc = Pc::protected(0);
    pc.put(STACK, DATA3.into(), 4);
    assert_eq!(pc.execute(&[0x0f, 0xa1]), COMPLETED);
    assert_eq!((pc.cpu.segments.fs.selector, pc.cpu.get(Gpr::Rsp)), (DATA3, STACK + 4));
    let mut pc = with_ax(Pc::real(), 0x1234);
    assert_eq!(pc.execute(&MOV_DS_AX), COMPLETED);
    assert_eq!((pc.cpu.segments.ds.selector, pc.cpu.segments.ds.base), (0x1234, 0x1_2340));
}

#[test]
fn a_segment_that_does_not_fit_is_a_fault_with_its_selector() {
    for (ring, selector, vector) in [
        (0, 0x200, 13),
        (0, ABSENT, 13),
        (3, DATA0, 13),
        (0, DATA0 | 3, 13),
        (0, TASK, 13),
        (0, FREE, 11),
    ] {
        let mut pc = with_ax(Pc::protected(ring), selector);
        pc.put(GDT + u64::from(FREE), descriptor(0, 0xffff, 0x13, 0), 8);
        pc.put(GDT + u64::from(ABSENT) + 5, 0x99, 1);
        pc.gate(vector, CODE0, HANDLER, 0x8e);
        let ds = pc.cpu.segments.ds;
        assert_eq!(pc.execute(&MOV_DS_AX), Ok(Outcome::Entered { vector }), "{selector:#x}");
        assert_eq!(pc.stack(1, 4), [u64::from(selector & !3)], "{selector:#x}");
        assert_eq!(pc.cpu.segments.ds, ds);
    }
    // Of conforming code the ring does not count. mov cs, ax is no instruction.
    let mut pc = with_ax(Pc::protected(3), CONFORMING);
    pc.put(GDT + u64::from(CONFORMING) + 5, 0x9f, 1);
    assert_eq!(pc.execute(&MOV_DS_AX), COMPLETED);
    let mut pc = Pc::protected(0);
    pc.gate(6, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.execute(&[0x8e, 0xc8]), Ok(Outcome::Entered { vector: 6 }));
}

#[test]
fn a_far_pointer_is_loaded_whole_or_not_at_all() {
    // les eax, [0x7000]
    let les = [0xc4, 0x05, 0, 0x70, 0, 0];
    let mut pc = Pc::protected(0);
    pc.put(STACK, 0x1234_5678, 4);
    pc.put(STACK + 4, DATA3.into(), 2);
    let mut faulty = pc.clone();
    assert_eq!(pc.execute(&les), COMPLETED);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.cpu.segments.es.selector), (0x1234_5678, DATA3));
    faulty.put(STACK + 4, 0x200, 2);
    faulty.gate(13, CODE0, HANDLER, 0x8e);
    assert_eq!(faulty.execute(&les), Ok(Outcome::Entered { vector: 13 }));
    assert_eq!((faulty.cpu.get(Gpr::Rax), faulty.cpu.segments.es.selector), (0, DATA0));
}

#[test]
fn in_64_bit_mode_the_base_of_a_null_segment_is_left_to_the_processor() {
    // mov ds, ax; mov fs, ax
    assert_eq!(Pc::long(0).execute(&MOV_DS_AX), COMPLETED);
    assert_eq!(Pc::long(0).execute(&[0x8e, 0xe0]), Err(Unsupported::Unknown));
    let mut pc = with_ax(Pc::long(0), DATA3);
    assert_eq!(pc.execute(&[0x8e, 0xe0]), COMPLETED);
    assert_eq!(pc.cpu.segments.get(SegmentName::Fs).selector, DATA3);
}

#[test]
fn ltr_makes_a_task_busy_and_takes_no_busy_one() {
    let mut pc = with_ax(Pc::protected(0), FREE);
    pc.put(GDT + u64::from(FREE), descriptor(0x3800, 0x67, 0x89, 0), 8);
    assert_eq!(pc.execute(&LTR_AX), COMPLETED);
    assert_eq!((pc.cpu.tr.selector, pc.cpu.tr.base, pc.cpu.tr.access.kind), (FREE, 0x3800, 0xb));
    assert_eq!(pc.get(GDT + u64::from(FREE) + 5, 1), 0x8b);
    for (ring, selector, rights, vector, code) in [
        (0, FREE, 0x8b, 13, FREE),
        (0, FREE, 0x82, 13, FREE),
        (0, FREE, 0x09, 11, FREE),
        (0, FREE | 4, 0x89, 13, FREE | 4),
        (0, 0, 0x89, 13, 0),
        (3, FREE, 0x89, 13, 0),
    ] {
        let mut pc = with_ax(Pc::protected(ring), selector);
        pc.put(GDT + u64::from(FREE), descriptor(0x3800, 0x67, rights, 0), 8);
        pc.gate(vector, CODE0, HANDLER, 0x8e);
        assert_eq!(pc.execute(&LTR_AX), Ok(Outcome::Entered { vector }), "{rights:#x}");
        assert_eq!(pc.stack(1, 4), [u64::from(code)], "{rights:#x}");
    }
    let mut pc = Pc::real();
    pc.put(6 * 4, HANDLER, 4);
    assert_eq!(pc.execute(&LTR_AX), Ok(Outcome::Entered { vector: 6 }));
}

#[test]
fn lldt_takes_a_table_or_none() {
    let mut pc = with_ax(Pc::protected(0), FREE);
    pc.put(GDT + u64::from(FREE), descriptor(0x3800, 0x1f, 0x82, 0), 8);
    assert_eq!(pc.execute(&LLDT_AX), COMPLETED);
    assert_eq!((pc.cpu.ldtr.selector, pc.cpu.ldtr.base, pc.cpu.ldtr.limit), (FREE, 0x3800, 0x1f));
    let mut pc = with_ax(pc, 0);
    pc.cpu.rip = CODE;
    assert_eq!(pc.execute(&LLDT_AX), COMPLETED);
    assert!(pc.cpu.ldtr.access.unusable);
}
