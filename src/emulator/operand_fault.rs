//! Faults that the memory operands of an instruction raise, whatever the instruction is.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess};

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

/// The fault of the first memory operand of the instruction at CS:IP that has one, stack slots among them, or else
/// that of reaching the descriptor that it loads. What else the instruction may raise, before or after, is not looked at. `env` should drop what is written
/// to it: accessed and dirty bits.
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
    let instruction = execution.decode().ok()?;
    match execution.reach_descriptor(&instruction) {
        Err(Trouble::Fault(fault)) => Some(fault),
        _ => None,
    }
}

impl Execution<'_> {
    /// Reads the descriptor of a segment register that `instruction` loads, and marks it. Its type and its rights
    /// are not looked at, but for whether it is marked at all.
    fn reach_descriptor(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        if self.cpu.mode().has_paragraph_segments() {
            return Ok(());
        }
        let Some(selector) = self.loaded_selector(instruction)? else { return Ok(()) };
        let is_system = matches!(instruction.mnemonic(), Mnemonic::Ltr | Mnemonic::Lldt);
        if selector & !3 == 0 || is_system && self.cpu.cpl() != 0 {
            return Ok(());
        }
        let wrong = Fault::gp(self.code(selector));
        if is_system && selector & 4 != 0 {
            return Err(wrong.into());
        }
        let descriptor = self.descriptor_or(selector, wrong)?;
        let access = descriptor.segment.access;
        let ring = self.cpu.cpl().max(selector as u8 & 3);
        let is_task = !access.code_or_data && matches!(access.kind, 1 | 9);
        match () {
            () if !access.present => {}
            () if instruction.mnemonic() == Mnemonic::Ltr && is_task => {
                self.set_busy(descriptor, true)?;
            }
            () if !is_system && access.is_readable() && access.dpl >= ring => {
                self.access_segment(descriptor)?;
            }
            () => {}
        }
        Ok(())
    }

    /// The selector that `instruction` loads into a data segment register, LDTR or TR.
    fn loaded_selector(&mut self, instruction: &Instruction) -> Result<Option<u16>, Trouble> {
        match instruction.mnemonic() {
            Mnemonic::Ltr | Mnemonic::Lldt => {
                return Ok(Some(self.operand(instruction, 0, 2)? as u16));
            }
            Mnemonic::Mov if instruction.op0_register().is_segment_register() => {
                return Ok(Some(self.operand(instruction, 1, 2)? as u16));
            }
            Mnemonic::Pop if instruction.op0_register().is_segment_register() => {
                return Ok(Some(self.pop(2)? as u16));
            }
            Mnemonic::Lds | Mnemonic::Les | Mnemonic::Lfs | Mnemonic::Lgs | Mnemonic::Lss => {}
            _ => return Ok(None),
        }
        let (segment, offset) = self.effective_address(instruction);
        // Behind the offset.
        let at = instruction.memory_size().size().saturating_sub(2) as u64;
        let mut bytes = [0; 2];
        self.read(segment, offset.wrapping_add(at), &mut bytes)?;
        Ok(Some(u16::from_le_bytes(bytes)))
    }
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
