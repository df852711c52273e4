//! Task switches.

use super::*;
use crate::emulator::{Delivery, Outcome, Unsupported};
use crate::x86::registers::{CR0_TS, RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM};

const COMPLETED: Result<Outcome, Unsupported> =
    Ok(Outcome::Completed { single_step: false, unblocks_nmi: false });
const RETURNED: Result<Outcome, Unsupported> =
    Ok(Outcome::Completed { single_step: false, unblocks_nmi: true });
/// The other task's segment, its selector, and where it goes on.
const OTHER: u64 = 0x3800;
const SELECTOR: u16 = 0x40;
const GOES_ON: u64 = 0x8888;
const OTHER_STACK: u64 = 0x6800;
/// A far JMP and a far CALL to it.
const JUMP: [u8; 7] = [0xea, 0, 0, 0, 0, SELECTOR as u8, 0];
const CALL: [u8; 7] = [0x9a, 0, 0, 0, 0, SELECTOR as u8, 0];
const IRET: [u8; 1] = [0xcf];

/// In ring 0, with another task that has `rights` and `limit`.
fn with_task(rights: u8, limit: u32) -> Pc {
    let mut pc = Pc::protected(0);
    pc.put(GDT + u64::from(SELECTOR), descriptor(OTHER as u32, limit, rights, 0), 8);
    let wide = rights & 8 != 0;
    let (size, rip, segments) = if wide { (4, 0x20, 6) } else { (2, 0x0e, 4) };
    pc.put(OTHER + rip, GOES_ON, size);
    pc.put(OTHER + rip + size as u64, RFLAGS_FIXED | RFLAGS_IF, size);
    let registers = OTHER + rip + 2 * size as u64;
    for index in 0..8 {
        pc.put(registers + index * size as u64, 0x1100 + index, size);
    }
    pc.put(registers + 4 * size as u64, OTHER_STACK, size);
    for index in 0..segments {
        let selector = if index == 1 { CODE0 } else { DATA0 };
        pc.put(registers + (8 + index) * size as u64, selector.into(), size);
    }
    pc
}

fn rights(pc: &Pc, selector: u16) -> u64 {
    pc.get(GDT + u64::from(selector) + 5, 1)
}

#[test]
fn a_jump_stores_one_task_and_loads_the_other() {
    let mut pc = with_task(0x89, 0x67);
    *pc.cpu.get_mut(Gpr::Rax) = 0x1234_5678;
    pc.cpu.rflags |= RFLAGS_RF | 1;
    assert_eq!(pc.execute(&JUMP), COMPLETED);
    assert_eq!((pc.get(TSS + 0x20, 4), pc.get(TSS + 0x24, 4)), (CODE + 7, RFLAGS_FIXED | 1));
    assert_eq!((pc.get(TSS + 0x28, 4), pc.get(TSS + 0x38, 4)), (0x1234_5678, STACK));
    assert_eq!((pc.get(TSS + 0x48, 2), pc.get(TSS + 0x4c, 2)), (DATA0.into(), CODE0.into()));
    assert_eq!((pc.cpu.rip, pc.cpu.rflags), (GOES_ON, RFLAGS_FIXED | RFLAGS_IF));
    let expected = [0x1100, 0x1101, 0x1102, 0x1103, OTHER_STACK, 0x1105, 0x1106, 0x1107];
    assert_eq!(pc.cpu.gpr[..8], expected);
    assert_eq!((pc.cpu.tr.selector, pc.cpu.tr.base, pc.cpu.tr.access.kind), (SELECTOR, OTHER, 11));
    assert_ne!(pc.cpu.cr0 & CR0_TS, 0);
    // The one is available again, the other busy, and has no way back.
    assert_eq!((rights(&pc, TASK), rights(&pc, SELECTOR), pc.get(OTHER, 2)), (0x89, 0x8b, 0));
    assert!(!pc.memory.local_breakpoints);
}

#[test]
fn a_call_leaves_the_way_back_that_iret_takes() {
    let mut pc = with_task(0x89, 0x67);
    assert_eq!(pc.execute(&CALL), COMPLETED);
    assert_eq!(pc.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_NT);
    assert_eq!((rights(&pc, TASK), rights(&pc, SELECTOR)), (0x8b, 0x8b));
    assert_eq!(pc.get(OTHER, 2), u64::from(TASK));

    pc.cpu.rip = CODE;
    assert_eq!(pc.execute(&IRET), RETURNED);
    assert_eq!((pc.cpu.rip, pc.cpu.tr.selector), (CODE + 7, TASK));
    assert_eq!(pc.cpu.rflags, RFLAGS_FIXED);
    assert_eq!((rights(&pc, TASK), rights(&pc, SELECTOR)), (0x8b, 0x89));
    // It goes on behind its IRET the next time.
    assert_eq!((pc.get(OTHER + 0x20, 4), pc.get(OTHER + 0x24, 4)), (CODE + 1, 0x202));
}

#[test]
fn a_task_of_16_bits_has_half_of_the_registers() {
    let mut pc = with_task(0x81, 0x2b);
    assert_eq!(pc.execute(&JUMP), COMPLETED);
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp), pc.cpu.gpr[7]), (GOES_ON, OTHER_STACK, 0x1107));
    assert_eq!((pc.cpu.segments.fs.selector, pc.cpu.segments.ds.selector), (0, DATA0));
}

#[test]
fn a_task_gate_leads_to_a_task_and_its_stack_has_the_error_code() {
    let mut pc = with_task(0x89, 0x67);
    pc.gate(0x30, SELECTOR, 0, 0x85);
    pc.gate(13, SELECTOR, 0, 0x85);
    let mut faulty = pc.clone();
    assert_eq!(pc.int(0x30), Ok(Delivery::Entered { vector: 0x30 }));
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp)), (GOES_ON, OTHER_STACK));
    assert_eq!((pc.get(TSS + 0x20, 4), pc.get(OTHER, 2)), (CODE + 2, TASK.into()));

    // Beyond the interrupt table.
    faulty.cpu.idtr.limit = 0x32 * 8 - 1;
    assert_eq!(faulty.int(0x32), Ok(Delivery::Entered { vector: 13 }));
    assert_eq!((faulty.cpu.rip, faulty.cpu.get(Gpr::Rsp)), (GOES_ON, OTHER_STACK - 4));
    assert_eq!(faulty.get(OTHER_STACK - 4, 4), 0x32 * 8 + 2);
    // The instruction is executed again, without its breakpoint.
    assert_eq!((faulty.get(TSS + 0x20, 4), faulty.get(TSS + 0x26, 1)), (CODE, 1));
    // A far jump through a gate in the descriptor table.
    let mut pc = with_task(0x89, 0x67);
    pc.put(GDT + 0x28, u64::from(SELECTOR) << 16 | 0x85 << 40, 8);
    assert_eq!(pc.execute(&[0xea, 0, 0, 0, 0, 0x28, 0]), COMPLETED);
    assert_eq!((pc.cpu.rip, pc.cpu.tr.selector), (GOES_ON, SELECTOR));
}

#[test]
fn a_task_that_cannot_be_switched_to_is_a_fault_of_the_old_one() {
    // Busy, not present, too short, of code.
    for (rights, limit, vector) in
        [(0x8b, 0x67, 13), (0x09, 0x67, 11), (0x89, 0x66, 10), (0x81, 0x2a, 10)]
    {
        let mut pc = with_task(rights, limit);
        pc.gate(vector, CODE0, HANDLER, 0x8e);
        assert_eq!(pc.execute(&JUMP), Ok(Outcome::Entered { vector }), "{rights:#x}");
        assert_eq!(pc.stack(2, 4), [SELECTOR.into(), CODE], "{rights:#x}");
        assert_eq!((pc.cpu.tr.selector, pc.cpu.cr0 & CR0_TS), (TASK, 0));
    }
    let mut pc = Pc::protected(3);
    pc.put(GDT + u64::from(SELECTOR), descriptor(OTHER as u32, 0x67, 0x89, 0), 8);
    pc.gate(13, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.execute(&JUMP), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn a_bad_segment_is_a_fault_of_the_new_task() {
    // Of CS, SS and DS: none, beyond the table, absent; an instruction pointer beyond the limit.
    for (at, value, vector, code) in [
        (0x4c, 0, 10, 0),
        (0x4c, 0x200, 10, 0x200),
        (0x4c, u64::from(ABSENT), 11, u64::from(ABSENT)),
        (0x50, u64::from(CODE0), 10, u64::from(CODE0)),
        (0x54, 0x200, 10, 0x200),
        (0x60, u64::from(DATA0), 10, u64::from(DATA0)),
    ] {
        let mut pc = with_task(0x89, 0x67);
        pc.put(OTHER + at, value, 4);
        pc.gate(vector, CODE0, HANDLER, 0x8e);
        assert_eq!(pc.execute(&JUMP), Ok(Outcome::Entered { vector }), "{at:#x}: {value:#x}");
        assert_eq!(pc.stack(2, 4), [code, GOES_ON], "{at:#x}: {value:#x}");
        assert_eq!((pc.cpu.tr.selector, rights(&pc, SELECTOR)), (SELECTOR, 0x8b));
    }
}

#[test]
fn a_fault_of_a_task_in_ring_3_is_told_on_its_own_stack_of_ring_0() {
    let mut pc = with_task(0x89, 0x67);
    for (at, value) in [(0x48, 0x200), (0x4c, CODE3), (0x50, DATA3), (0x54, DATA3)] {
        pc.put(OTHER + at, value.into(), 4);
    }
    pc.put(OTHER + 4, STACK0, 4);
    pc.put(OTHER + 8, DATA0.into(), 4);
    pc.gate(10, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.execute(&JUMP), Ok(Outcome::Entered { vector: 10 }));
    let flags = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF;
    let frame = [0x200, GOES_ON, CODE3.into(), flags, OTHER_STACK, DATA3.into()];
    assert_eq!(pc.stack(6, 4), frame);
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK0 - 24);
}

#[test]
fn a_task_of_virtual_8086_mode_is_refused_and_nothing_changes() {
    let mut pc = with_task(0x89, 0x67);
    pc.put(OTHER + 0x24, RFLAGS_FIXED | RFLAGS_VM, 4);
    assert_eq!(pc.execute(&JUMP), Err(Unsupported::NoVirtual8086));
    assert_eq!((rights(&pc, TASK), rights(&pc, SELECTOR)), (0x8b, 0x89));
}

#[test]
fn an_iret_to_no_task_is_an_invalid_one_and_in_long_mode_a_fault() {
    let mut pc = Pc::protected(0);
    pc.cpu.rflags |= RFLAGS_NT;
    pc.gate(10, CODE0, HANDLER, 0x8e);
    for link in [0, 0x200, DATA0] {
        let mut pc = pc.clone();
        pc.put(TSS, link.into(), 2);
        assert_eq!(pc.execute(&IRET), Ok(Outcome::Entered { vector: 10 }), "{link:#x}");
        assert_eq!(pc.stack(1, 4), [u64::from(link)]);
    }
    let mut pc = Pc::long(0);
    pc.cpu.rflags |= RFLAGS_NT;
    pc.gate64(13, CODE64, HANDLER, 0x8e, 0);
    assert_eq!(pc.execute(&[0x48, 0xcf]), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn a_task_with_the_debug_trap_flag_is_refused_and_nothing_changes() {
    let mut pc = with_task(0x89, 0x67);
    pc.put(OTHER + 0x64, 1, 2);
    pc.cpu.rflags |= RFLAGS_TF;
    let before = (pc.cpu.clone(), pc.memory.bytes.clone());
    assert_eq!(pc.execute(&JUMP), Err(Unsupported::TaskTrap));
    assert_eq!(pc.cpu, before.0);
    assert_eq!(rights(&pc, TASK), 0x8b);
}

#[test]
fn an_interrupt_from_outside_takes_a_task_gate_too() {
    let mut pc = with_task(0x89, 0x67);
    pc.gate(0x20, SELECTOR, 0, 0x85);
    let event = crate::emulator::Event::external(0x20, CODE);
    let delivered = crate::emulator::deliver(&mut pc.cpu, &mut pc.memory, event);
    assert_eq!(delivered, Ok(Delivery::Entered { vector: 0x20 }));
    assert_eq!((pc.cpu.rip, pc.get(TSS + 0x20, 4)), (GOES_ON, CODE));
}

#[test]
fn a_shutdown_behind_a_switch_of_tasks_has_changed_nothing() {
    // The double fault's task has no code.
    let mut pc = with_task(0x89, 0x67);
    pc.put(OTHER + 0x4c, 0, 4);
    pc.gate(8, SELECTOR, 0, 0x85);
    let before = (pc.cpu.clone(), pc.memory.bytes.clone());
    assert_eq!(pc.execute(&[0x0f, 0x0b]), Ok(Outcome::Shutdown));
    assert_eq!(pc.cpu, before.0);
    assert_eq!((rights(&pc, SELECTOR), pc.get(OTHER, 2)), (0x89, 0));
}
