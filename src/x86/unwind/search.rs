//! The stack searched for a return address: for code that does not return, or whose way is not known.

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind};

use super::super::paging::PhysRead;
use super::super::vectors;
use super::vector;
use super::walk::{Outcome, reaches};
use super::{
    Caller, CpuState, Entered, FIXED_FLAGS, Gpr, SegmentName, call_before, code_mask, set_segment,
    set_stack_pointer, stack_address, stack_pointer, stack_word,
};

/// How many words up the stack are looked at.
const WORDS: u64 = 256;

/// The nearest return address of the code of `cpu`. A direct call must lead there; `doubtful` accepts what
/// cannot be followed, and indirect calls.
pub(super) fn search(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    doubtful: bool,
) -> Option<Caller> {
    let size = u64::from(cpu.mode().code_bits() / 8);
    let sp = stack_pointer(cpu);
    // Behind a frame pointer is the surest place.
    if let Some(caller) = behind_frame_pointer(cpu, mem, size, doubtful) {
        return Some(caller);
    }
    (0..WORDS)
        .map(|n| sp.wrapping_add(n * size))
        .take_while(|at| *at >= sp && *at <= cpu.stack_mask())
        .find_map(|at| returns_from(cpu, mem, at, size, doubtful))
}

fn behind_frame_pointer(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    size: u64,
    doubtful: bool,
) -> Option<Caller> {
    let bp = cpu.get(Gpr::Rbp) & cpu.stack_mask();
    let sp = stack_pointer(cpu);
    if bp < sp || bp - sp > WORDS * size {
        return None;
    }
    let saved = stack_word(cpu, mem, bp, size)?;
    let mut caller = returns_from(cpu, mem, bp.wrapping_add(size), size, doubtful)?;
    let mask = code_mask(cpu.mode());
    let value = caller.cpu.get_mut(Gpr::Rbp);
    *value = *value & !mask | saved & mask;
    Some(caller)
}

/// The caller, if what is on the stack at `at` is where the code of `cpu` returns to.
fn returns_from(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    at: u64,
    size: u64,
    doubtful: bool,
) -> Option<Caller> {
    let word = |n: u64| stack_word(cpu, mem, at.wrapping_add(n * size), size);
    let mut near = cpu.clone();
    near.rip = word(0)?;
    let mut far = near.clone();
    let selector = word(1).map(|word| (word & 0xffff) as u16);
    let has_far =
        selector.is_some_and(|selector| set_segment(&mut far, mem, SegmentName::Cs, selector));
    let candidates = [(Some(near), 1), (has_far.then_some(far), 2)];
    for (caller, words) in candidates {
        let Some(mut caller) = caller else { continue };
        let Some(call) = call_before(&caller, mem) else { continue };
        let Some((entered, target)) = target(&caller, mem, &call) else { continue };
        let words = match (entered, words) {
            (Entered::Near, 1) | (Entered::Far, 2) => words,
            (Entered::Interrupt, 2) => 3,
            _ => continue,
        };
        if entered == Entered::Interrupt {
            let flags = word(2)?;
            if flags & FIXED_FLAGS != 2 {
                continue;
            }
            caller.rflags = caller.rflags & !0xffff | flags & 0xffff;
        }
        let credible = match target {
            None => doubtful,
            Some(mut entry) => {
                set_stack_pointer(&mut entry, at);
                match reaches(&entry, mem, cpu.pc(), stack_pointer(cpu)) {
                    Outcome::Found(()) => true,
                    Outcome::Never => false,
                    Outcome::Unknown => doubtful,
                }
            }
        };
        if credible {
            set_stack_pointer(&mut caller, at.wrapping_add(words * size));
            let frame = stack_address(cpu, at.wrapping_add(size));
            return Some(Caller { cpu: caller, entered, frame });
        }
    }
    None
}

/// How `call`, made by `caller`, enters what it calls, and the state there if that is known.
fn target(
    caller: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    call: &Instruction,
) -> Option<(Entered, Option<CpuState>)> {
    let mut entry = caller.clone();
    match call.flow_control() {
        FlowControl::Interrupt => {
            let number = match call.mnemonic() {
                Mnemonic::Int => call.immediate8(),
                Mnemonic::Int1 => 1,
                Mnemonic::Int3 => 3,
                _ => 4,
            };
            let handler = vectors::handler(caller, mem, number);
            let entry = handler.map(|handler| vector::entry(caller, handler));
            Some((Entered::Interrupt, entry))
        }
        FlowControl::Call => match call.op0_kind() {
            OpKind::FarBranch16 | OpKind::FarBranch32 => {
                let known =
                    set_segment(&mut entry, mem, SegmentName::Cs, call.far_branch_selector());
                entry.rip = if call.op0_kind() == OpKind::FarBranch16 {
                    call.far_branch16().into()
                } else {
                    call.far_branch32().into()
                };
                Some((Entered::Far, known.then_some(entry)))
            }
            _ => {
                entry.rip = call.near_branch_target() & code_mask(entry.mode());
                Some((Entered::Near, Some(entry)))
            }
        },
        FlowControl::IndirectCall if call.is_call_far_indirect() => Some((Entered::Far, None)),
        FlowControl::IndirectCall => Some((Entered::Near, None)),
        _ => None,
    }
}
