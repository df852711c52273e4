//! Faults that the memory operands of an instruction raise, whatever the instruction is.

use iced_x86::{InstructionInfoFactory, OpAccess};

use super::Environment;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::AccessKind;
use super::operands::segment_name;
use crate::x86::CpuState;

/// The fault of the first memory operand of the instruction at CS:IP that has one, stack slots among them.
/// What else the instruction may raise, before or after, is not looked at. `env` should drop what is written
/// to it: accessed and dirty bits.
pub fn operand_fault(cpu: &CpuState, env: &mut dyn Environment) -> Option<Fault> {
    let mut execution = Execution::new(cpu, env);
    let instruction = execution.decode().ok()?;
    let mut factory = InstructionInfoFactory::new();
    for memory in factory.info(&instruction).used_memory() {
        let kind = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => AccessKind::Read,
            OpAccess::None | OpAccess::NoMemAccess => continue,
            _ => AccessKind::Write,
        };
        let name = segment_name(memory.segment());
        let offset = memory.try_virtual_address(0, |register, _, _| {
            if register.is_segment_register() {
                return Some(0);
            }
            let value =
                *cpu.gpr.get(register.is_gpr().then(|| register.full_register().number())?)?;
            Some(value & u64::MAX >> (64 - 8 * register.size()))
        })?;
        // Of a repetition iced gives no size, for it does not count.
        let len = match memory.memory_size().size() {
            0 => instruction.memory_size().size().max(1),
            size => size,
        };
        let rights = execution.own_rights(kind);
        let checked = execution
            .logical(name, offset, len, kind)
            .and_then(|addr| execution.pieces(addr, len, rights).map(|_| addr))
            .and_then(|addr| execution.check_alignment(addr, len));
        if let Err(Trouble::Fault(fault)) = checked {
            return Some(fault);
        }
    }
    None
}
