//! The code walked forwards, all ways of it, to a return or to a given place.

use std::collections::HashSet;

use iced_x86::{Code, FlowControl, Instruction, Mnemonic};

use super::super::paging::PhysRead;
use super::super::registers::{EFER_LMA, RFLAGS_VM};
use super::path::{Lost, Path};
use super::{
    Caller, CpuState, Entered, FIXED_FLAGS, Gpr, Linear, SegmentName, call_before, code_mask,
    decode, far, push_before, set_segment, set_stack_pointer, stack_address, stack_pointer,
};

/// How many instructions one question may cost.
const MOST: usize = 3000;

/// What a walk may cost.
pub(super) struct Limits {
    /// Instructions that are left.
    pub left: usize,
    /// It is about something that the code of the question calls; what that calls is not looked at.
    pub is_callee: bool,
}

impl Limits {
    pub(super) fn new() -> Limits {
        Limits { left: MOST, is_callee: false }
    }
}

/// What a walk came to.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    Found(T),
    /// Every way ends in a loop or a fault.
    Never,
    /// Some way could not be followed to its end.
    Unknown,
}

/// Where the code of `cpu` returns to.
pub(super) fn to_return(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> Outcome<Box<Caller>> {
    explore(Path::new(cpu), mem, &mut Limits::new(), |path, instruction| {
        if instruction.flow_control() != FlowControl::Return {
            return Visit::On;
        }
        let is_iret = !matches!(instruction.mnemonic(), Mnemonic::Ret | Mnemonic::Retf);
        if is_iret && is_jump(path, cpu, mem) {
            return if leads_outwards(path, mem, instruction) { Visit::End } else { Visit::Lost };
        }
        match returned(path.clone(), cpu, mem, instruction) {
            Some(caller) => Visit::Done(Box::new(caller)),
            None => Visit::Lost,
        }
    })
}

/// Whether the code of `from` gets to `pc` with the stack pointer `sp`.
pub(super) fn reaches(
    from: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    pc: Linear,
    sp: u64,
) -> Outcome<()> {
    explore(Path::new(from), mem, &mut Limits::new(), |path, instruction| {
        let there = path.cpu.pc() == pc && stack_pointer(&path.cpu) == sp;
        match instruction.flow_control() {
            _ if there => Visit::Done(()),
            FlowControl::Return => Visit::End,
            _ => Visit::On,
        }
    })
}

/// What to do at an instruction.
pub(super) enum Visit<T> {
    Done(T),
    On,
    End,
    Lost,
}

/// Goes all ways from `start` until `visit`, called at each instruction, is done.
pub(super) fn explore<T>(
    start: Path,
    mem: &(impl PhysRead + ?Sized),
    limits: &mut Limits,
    visit: impl Fn(&Path, &Instruction) -> Visit<T>,
) -> Outcome<T> {
    let mut open = vec![start];
    let mut seen = HashSet::new();
    let mut lost = false;
    while let Some(mut path) = open.pop() {
        loop {
            if limits.left == 0 {
                return Outcome::Unknown;
            }
            if !seen.insert((path.cpu.pc(), stack_pointer(&path.cpu))) {
                break;
            }
            limits.left -= 1;
            let Some(instruction) = decode(&path.cpu, mem) else {
                lost = true;
                break;
            };
            match visit(&path, &instruction) {
                Visit::Done(found) => return Outcome::Found(found),
                Visit::On => {}
                Visit::End => break,
                Visit::Lost => {
                    lost = true;
                    break;
                }
            }
            match follow(&mut path, &instruction, mem, limits) {
                Ok(Some(other)) => open.push(other),
                Ok(None) => {}
                Err(Lost) => {
                    lost = true;
                    break;
                }
            }
        }
    }
    if lost { Outcome::Unknown } else { Outcome::Never }
}

/// Takes `path` behind `instruction`; the other way too, if it branches.
fn follow(
    path: &mut Path,
    instruction: &Instruction,
    mem: &(impl PhysRead + ?Sized),
    limits: &mut Limits,
) -> Result<Option<Path>, Lost> {
    let mask = code_mask(path.cpu.mode());
    let next = instruction.next_ip() & mask;
    match instruction.flow_control() {
        FlowControl::Call
            if instruction.is_call_near() && instruction.near_branch_target() & mask == next =>
        {
            // `call $+n` for the sake of the address.
            path.push(instruction.stack_pointer_increment().unsigned_abs().into(), Some(next));
            path.cpu.rip = next;
            Ok(None)
        }
        FlowControl::Next
        | FlowControl::Call
        | FlowControl::IndirectCall
        | FlowControl::Interrupt => {
            path.apply(instruction, mem)?;
            let taken = far::flags_taken(path, instruction, mem, limits);
            let sp = stack_pointer(&path.cpu).wrapping_add(taken);
            set_stack_pointer(&mut path.cpu, sp);
            path.cpu.rip = next;
            Ok(None)
        }
        FlowControl::ConditionalBranch => {
            path.apply(instruction, mem)?;
            let mut other = path.clone();
            other.cpu.rip = instruction.near_branch_target() & mask;
            path.cpu.rip = next;
            Ok(Some(other))
        }
        FlowControl::UnconditionalBranch if !instruction.is_jmp_far() => {
            path.cpu.rip = instruction.near_branch_target() & mask;
            Ok(None)
        }
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
            if instruction.is_jmp_far() || instruction.is_jmp_far_indirect() =>
        {
            far::enter(path, instruction, mem)?;
            Ok(None)
        }
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Return
        | FlowControl::Exception
        | FlowControl::XbeginXabortXend => Err(Lost),
    }
}

/// Where the return `instruction` at the end of `path` leads from the frame `original`, if that is credible.
fn returned(
    mut path: Path,
    original: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    instruction: &Instruction,
) -> Option<Caller> {
    let size = operand_size(instruction)?;
    let at = stack_pointer(&path.cpu);
    let frame = stack_address(&path.cpu, at.wrapping_add(size));
    let ip = path.pop(mem, size)?;
    let entered = match instruction.mnemonic() {
        Mnemonic::Ret => Entered::Near,
        Mnemonic::Retf => Entered::Far,
        _ => Entered::Interrupt,
    };
    let mode = path.cpu.mode();
    let (cpl, long) = (path.cpu.cpl(), path.cpu.efer & EFER_LMA != 0);
    let protected = !mode.has_paragraph_segments();
    let mut cpu = if entered == Entered::Near {
        path.into_cpu(original)
    } else {
        let selector = (path.pop(mem, size)? & 0xffff) as u16;
        let outer = protected && (selector & 3) as u8 > cpl;
        let mut flags = None;
        if entered == Entered::Interrupt {
            let value = path.pop(mem, size)?;
            if value & FIXED_FLAGS != 2 {
                return None;
            }
            flags = Some(value);
        } else {
            let extra = immediate(instruction);
            let sp = stack_pointer(&path.cpu).wrapping_add(extra);
            set_stack_pointer(&mut path.cpu, sp);
        }
        let into_v86 =
            flags.is_some_and(|value| value & RFLAGS_VM != 0) && protected && !long && size == 4;
        let always = long && entered == Entered::Interrupt;
        let stack = if outer || into_v86 || always {
            Some((path.pop(mem, size)?, (path.pop(mem, size)? & 0xffff) as u16))
        } else {
            None
        };
        let mut segments = [0; 4];
        if into_v86 {
            for value in &mut segments {
                *value = (path.pop(mem, size)? & 0xffff) as u16;
            }
        }
        let mut cpu = path.into_cpu(original);
        if let Some(value) = flags {
            let mask = if size == 2 { 0xffff } else { 0xffff_ffff };
            cpu.rflags = cpu.rflags & !mask | value & mask;
        }
        if !set_segment(&mut cpu, mem, SegmentName::Cs, selector) {
            return None;
        }
        if let Some((sp, ss)) = stack {
            if !set_segment(&mut cpu, mem, SegmentName::Ss, ss) {
                return None;
            }
            *cpu.get_mut(Gpr::Rsp) = sp;
        }
        if into_v86 {
            use SegmentName::{Ds, Es, Fs, Gs};
            for (name, selector) in [Es, Ds, Fs, Gs].into_iter().zip(segments) {
                set_segment(&mut cpu, mem, name, selector);
            }
        }
        cpu
    };
    if entered == Entered::Near {
        let sp = stack_pointer(&cpu).wrapping_add(immediate(instruction));
        set_stack_pointer(&mut cpu, sp);
    }
    cpu.rip = ip;
    let credible = match entered {
        Entered::Interrupt => decode(&cpu, mem).is_some(),
        Entered::Near | Entered::Far => call_before(&cpu, mem).is_some(),
    };
    credible.then_some(Caller { cpu, entered, frame })
}

/// Whether the IRET at the end of `path`, which began at `original`, is a jump by a frame that the code has pushed itself,
/// as kernels enter ring 3.
fn is_jump(path: &Path, original: &CpuState, mem: &(impl PhysRead + ?Sized)) -> bool {
    let at = stack_pointer(&path.cpu);
    let below = at < stack_pointer(original) && path.has_pushed(at);
    // In the middle of the pushes, and right behind them.
    below || path.cpu.pc() == original.pc() && push_before(original, mem)
}

/// Whether `jump`, an IRET, leads to an outer ring, as far as that is known.
fn leads_outwards(path: &Path, mem: &(impl PhysRead + ?Sized), jump: &Instruction) -> bool {
    let (mut path, protected) = (path.clone(), !path.cpu.mode().has_paragraph_segments());
    let selector = operand_size(jump).and_then(|size| {
        path.pop(mem, size)?;
        path.pop(mem, size)
    });
    protected && selector.is_some_and(|selector| (selector & 3) as u8 > path.cpu.cpl())
}

/// Bytes of an offset on the stack.
pub(super) fn operand_size(instruction: &Instruction) -> Option<u64> {
    Some(match instruction.code() {
        Code::Retnw | Code::Retnw_imm16 | Code::Retfw | Code::Retfw_imm16 | Code::Iretw => 2,
        Code::Retnd | Code::Retnd_imm16 | Code::Retfd | Code::Retfd_imm16 | Code::Iretd => 4,
        Code::Retnq | Code::Retnq_imm16 | Code::Retfq | Code::Retfq_imm16 | Code::Iretq => 8,
        _ => return None,
    })
}

/// What the return takes off the stack besides its own.
pub(super) fn immediate(instruction: &Instruction) -> u64 {
    if instruction.op_count() == 0 { 0 } else { instruction.immediate16().into() }
}
