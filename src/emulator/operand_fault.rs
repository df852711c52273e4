//! Faults that the memory operands of an instruction raise, whatever the instruction is.

use iced_x86::{InstructionInfoFactory, OpAccess};

use super::Environment;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::AccessKind;
use super::operands::segment_name;
use crate::x86::{CpuMode, CpuState, SegmentName};

/// A memory operand.
#[derive(Clone, Copy, Debug)]
struct Operand {
    segment: SegmentName,
    offset: u64,
    len: usize,
    kind: AccessKind,
}

/// A memory operand of which something lies behind the limit of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BehindLimit {
    /// The segment.
    pub segment: SegmentName,
    /// Where the operand is in it.
    pub offset: u64,
    /// The segment's limit.
    pub limit: u32,
}

/// The fault of the first memory operand of the instruction at CS:IP that has one, stack slots among them. What else
/// the instruction may raise, before or after, is not looked at. `env` should drop what is written to it: accessed
/// and dirty bits.
pub fn operand_fault(cpu: &CpuState, env: &mut dyn Environment) -> Option<Fault> {
    let mut execution = Execution::new(cpu, env);
    for Operand { segment, offset, len, kind } in operands(cpu, &mut execution) {
        let rights = execution.own_rights(kind);
        let checked = execution
            .logical(segment, offset, len, kind)
            .and_then(|addr| execution.pieces(addr, len, rights).map(|_| addr))
            .and_then(|addr| execution.check_alignment(addr, len));
        if let Err(Trouble::Fault(fault)) = checked {
            return Some(fault);
        }
    }
    None
}

/// The first memory operand of the instruction at CS:IP that lies behind the limit of its segment. In 64-bit mode there
/// are no limits.
pub fn behind_limit(cpu: &CpuState, env: &mut dyn Environment) -> Option<BehindLimit> {
    if cpu.mode() == CpuMode::Long64 {
        return None;
    }
    let operands = operands(cpu, &mut Execution::new(cpu, env));
    let behind = operands.into_iter().find(|operand| {
        let segment = cpu.segments.get(operand.segment);
        let last = operand.offset.saturating_add(operand.len.saturating_sub(1) as u64);
        // One without rights is another matter.
        let inside = segment.contains(operand.offset) && segment.contains(last);
        !segment.access.unusable && !inside
    });
    behind.map(|Operand { segment, offset, .. }| BehindLimit {
        segment,
        offset,
        limit: cpu.segments.get(segment).limit,
    })
}

/// The memory operands up to the first whose address is not known.
fn operands(cpu: &CpuState, execution: &mut Execution<'_>) -> Vec<Operand> {
    let Ok(instruction) = execution.decode() else { return Vec::new() };
    let mut factory = InstructionInfoFactory::new();
    let mut operands = Vec::new();
    for memory in factory.info(&instruction).used_memory() {
        let kind = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => AccessKind::Read,
            OpAccess::None | OpAccess::NoMemAccess => continue,
            _ => AccessKind::Write,
        };
        let offset = memory.try_virtual_address(0, |register, _, _| {
            if register.is_segment_register() {
                return Some(0);
            }
            let value =
                *cpu.gpr.get(register.is_gpr().then(|| register.full_register().number())?)?;
            Some(value & u64::MAX >> (64 - 8 * register.size()))
        });
        let Some(offset) = offset else { break };
        let segment = segment_name(memory.segment());
        // Of a repetition iced gives no size, for it does not count.
        let len = match memory.memory_size().size() {
            0 => instruction.memory_size().size().max(1),
            size => size,
        };
        operands.push(Operand { segment, offset, len, kind });
    }
    operands
}
