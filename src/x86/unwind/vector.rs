//! Real-mode handlers that do not return, or not in a way that can be followed: the vector table says what they are.

use super::super::paging::PhysRead;
use super::super::vectors;
use super::path::Path;
use super::walk::{Limits, Outcome, Visit, explore, reaches};
use super::{
    Caller, CpuMode, CpuState, Entered, FIXED_FLAGS, Linear, SegmentName, code_mask, decode,
    set_segment, set_stack_pointer, stack_address, stack_pointer, stack_word,
};

/// How far behind its entry code is taken for that of a handler, in bytes.
const NEAR: u64 = 0x1000;
/// How much of the stack a handler may use, in bytes.
const DEEP: u64 = 0x200;

/// What was interrupted, if a vector of real mode leads to the code of `cpu` with an interrupt's frame on the stack.
pub(super) fn interrupted(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> Option<Caller> {
    if cpu.mode() != CpuMode::Real {
        return None;
    }
    let Linear(pc) = cpu.pc();
    let mut handlers: Vec<u64> = (0..=u8::MAX)
        .filter_map(|vector| vectors::handler(cpu, mem, vector))
        .map(|Linear(entry)| entry)
        // 0000:0000 is no handler.
        .filter(|entry| *entry != 0)
        .filter(|entry| pc.checked_sub(*entry).is_some_and(|distance| distance < NEAR))
        .collect();
    handlers.sort_unstable_by(|a, b| b.cmp(a));
    handlers.dedup();
    let mut limits = Limits::new();
    handlers.into_iter().find_map(|entry| behind(cpu, mem, Linear(entry), &mut limits))
}

/// A state at the first instruction of a handler.
pub(super) fn entry(cpu: &CpuState, Linear(pc): Linear) -> CpuState {
    let mut entry = cpu.clone();
    // Segments do not matter to the walk, as long as the linear address is right.
    entry.rip = pc.wrapping_sub(entry.segments.cs.base);
    if entry.rip > code_mask(entry.mode()) {
        entry.segments.cs.base = pc & !0xf;
        entry.rip = pc & 0xf;
    }
    entry
}

/// What was interrupted, if the handler at `handler` leads to the code of `cpu`.
fn behind(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    handler: Linear,
    limits: &mut Limits,
) -> Option<Caller> {
    let (pc, sp) = (cpu.pc(), stack_pointer(cpu));
    let mut entry = entry(cpu, handler);
    // Another stack pointer than that of `cpu`: code that sets it to a number is to be told from code that pushes.
    let start = sp.checked_sub(DEEP)?;
    set_stack_pointer(&mut entry, start);
    let depth = explore(Path::new(&entry), mem, limits, |path, _| {
        match start.checked_sub(stack_pointer(&path.cpu)) {
            Some(depth) if path.cpu.pc() == pc && depth < DEEP => Visit::Done(depth),
            _ => Visit::On,
        }
    });
    let Outcome::Found(depth) = depth else { return None };
    let at = sp + depth;
    set_stack_pointer(&mut entry, at);
    let Outcome::Found(()) = reaches(&entry, mem, pc, sp) else { return None };
    frame(cpu, mem, at)
}

/// The caller by the interrupt's frame at the stack's offset `at`, if it is credible.
fn frame(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), at: u64) -> Option<Caller> {
    let word = |n: u64| stack_word(cpu, mem, at.wrapping_add(n * 2), 2);
    let (ip, selector, flags) = (word(0)?, word(1)?, word(2)?);
    let mut caller = cpu.clone();
    set_segment(&mut caller, mem, SegmentName::Cs, (selector & 0xffff) as u16);
    caller.rip = ip;
    caller.rflags = caller.rflags & !0xffff | flags;
    set_stack_pointer(&mut caller, at.wrapping_add(6));
    let credible = flags & FIXED_FLAGS == 2 && decode(&caller, mem).is_some();
    let frame = stack_address(cpu, at.wrapping_add(2));
    credible.then_some(Caller { cpu: caller, entered: Entered::Interrupt, frame })
}
