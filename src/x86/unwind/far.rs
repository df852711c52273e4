//! Far jumps and calls: where they lead, and calls that stand for an interrupt.
//!
//! A handler that was there first is kept as a far pointer. The next one goes on to it by a far jump through
//! the pointer, or calls it behind a PUSHF, as its IRET takes the flags (SDM vol. 1, 6.5.1).

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::super::paging::{PhysRead, read_linear};
use super::path::{Lost, Path};
use super::walk::{Limits, Outcome, Visit, explore, immediate, operand_size};
use super::{CpuState, Linear, SegmentName, read, set_segment};

/// PUSHF and its 32-bit and 64-bit forms; a prefix of operand size is before it.
const PUSHF: u8 = 0x9c;

/// Takes `path` to where `instruction`, a far jump or call, leads. A pointer in memory counts as it is now.
pub(super) fn enter(
    path: &mut Path,
    instruction: &Instruction,
    mem: &(impl PhysRead + ?Sized),
) -> Result<(), Lost> {
    // Behind a change of mode they may mean anything.
    if path.switched {
        return Err(Lost);
    }
    let (selector, offset) = target(path, instruction, mem).ok_or(Lost)?;
    if !set_segment(&mut path.cpu, mem, SegmentName::Cs, selector) {
        return Err(Lost);
    }
    path.cpu.rip = offset;
    Ok(())
}

/// How many bytes, of those that were pushed before it, the far `call` takes off the stack: the flags, if it
/// stands for an interrupt. A callee whose return cannot be found takes them.
pub(super) fn flags_taken(
    path: &Path,
    call: &Instruction,
    mem: &(impl PhysRead + ?Sized),
    limits: &mut Limits,
) -> u64 {
    if !(call.is_call_far() || call.is_call_far_indirect()) || !behind_pushf(&path.cpu, mem) {
        return 0;
    }
    let size = u64::from(call.stack_pointer_increment().unsigned_abs() / 2);
    let mut callee = path.clone();
    if limits.is_callee || enter(&mut callee, call, mem).is_err() {
        return size;
    }
    let mut within = Limits { left: limits.left, is_callee: true };
    let taken = explore(callee, mem, &mut within, |_, instruction| {
        match (instruction.flow_control(), instruction.mnemonic()) {
            (FlowControl::Return, Mnemonic::Ret | Mnemonic::Retf) => {
                Visit::Done(immediate(instruction))
            }
            (FlowControl::Return, _) => operand_size(instruction).map_or(Visit::Lost, Visit::Done),
            _ => Visit::On,
        }
    });
    limits.left = within.left;
    match taken {
        Outcome::Found(taken) => taken,
        Outcome::Never | Outcome::Unknown => size,
    }
}

fn behind_pushf(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> bool {
    let mut byte = [0];
    let before = cpu.rip.checked_sub(1).map(|offset| cpu.linear(SegmentName::Cs, offset));
    before.is_some_and(|addr| read(cpu, mem, addr, &mut byte) == 1) && byte == [PUSHF]
}

/// Selector and offset that the far `instruction` loads; nothing if its pointer is not to be known, or 0000:0000,
/// which is none.
fn target(
    path: &Path,
    instruction: &Instruction,
    mem: &(impl PhysRead + ?Sized),
) -> Option<(u16, u64)> {
    match instruction.op0_kind() {
        OpKind::FarBranch16 => {
            Some((instruction.far_branch_selector(), instruction.far_branch16().into()))
        }
        OpKind::FarBranch32 => {
            Some((instruction.far_branch_selector(), instruction.far_branch32().into()))
        }
        OpKind::Memory => {
            let addr = pointer_address(path, instruction)?;
            let mut bytes = [0; 10];
            let bytes = bytes.get_mut(..instruction.memory_size().size())?;
            read_linear(&path.cpu, mem, addr, bytes).ok()?;
            let (offset, selector) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
            let offset = offset.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
            let selector = u16::from_le_bytes(selector.try_into().ok()?);
            (selector != 0 || offset != 0).then_some((selector, offset))
        }
        _ => None,
    }
}

/// Where the pointer is, if no register but that of the segment says so.
fn pointer_address(path: &Path, instruction: &Instruction) -> Option<Linear> {
    let is_fixed =
        matches!(instruction.memory_base(), Register::None | Register::RIP | Register::EIP)
            && instruction.memory_index() == Register::None;
    let name = path.known_segment(instruction.memory_segment())?;
    is_fixed.then(|| path.cpu.linear(name, instruction.memory_displacement64()))
}
