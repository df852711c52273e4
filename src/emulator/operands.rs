//! Operands of a decoded instruction: registers, immediates and memory.

use iced_x86::{Instruction, OpKind, Register};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use crate::x86::{CpuMode, CpuState, Gpr, SegmentName};

/// The value of a general register, in its own width.
pub(super) fn register(cpu: &CpuState, register: Register) -> u64 {
    let Some(&full) = cpu.gpr.get(register.full_register().number()) else { return 0 };
    match register.size() {
        1 if is_high_byte(register) => full >> 8 & 0xff,
        1 => full & 0xff,
        2 => full & 0xffff,
        4 => full & 0xffff_ffff,
        _ => full,
    }
}

/// Sets a general register. A 32-bit write clears the upper half, narrower ones leave the rest.
pub(super) fn set_register(cpu: &mut CpuState, register: Register, value: u64) {
    let Some(full) = cpu.gpr.get_mut(register.full_register().number()) else { return };
    *full = match register.size() {
        1 if is_high_byte(register) => *full & !0xff00 | (value & 0xff) << 8,
        1 => *full & !0xff | value & 0xff,
        2 => *full & !0xffff | value & 0xffff,
        4 => value & 0xffff_ffff,
        _ => value,
    };
}

fn is_high_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

pub(super) fn segment_name(register: Register) -> SegmentName {
    match register {
        Register::CS => SegmentName::Cs,
        Register::SS => SegmentName::Ss,
        Register::ES => SegmentName::Es,
        Register::FS => SegmentName::Fs,
        Register::GS => SegmentName::Gs,
        _ => SegmentName::Ds,
    }
}

impl Execution<'_> {
    /// Operand `index` in `size` bytes: a register, an immediate or memory.
    pub(super) fn operand(
        &mut self,
        instruction: &Instruction,
        index: u32,
        size: usize,
    ) -> Result<u64, Trouble> {
        match instruction.op_kind(index) {
            OpKind::Register => {
                let mask = u64::MAX >> (64 - 8 * size as u32);
                Ok(register(&self.cpu, instruction.op_register(index)) & mask)
            }
            OpKind::Memory => {
                let mut bytes = [0; 8];
                let (segment, offset) = self.effective_address(instruction);
                self.read(segment, offset, &mut bytes[..size])?;
                Ok(u64::from_le_bytes(bytes))
            }
            _ => Ok(instruction.immediate(index)),
        }
    }

    /// Sets operand `index`, a register or `size` bytes of memory.
    pub(super) fn set_operand(
        &mut self,
        instruction: &Instruction,
        index: u32,
        size: usize,
        value: u64,
    ) -> Result<(), Trouble> {
        match instruction.op_kind(index) {
            OpKind::Register => {
                set_register(&mut self.cpu, instruction.op_register(index), value);
                Ok(())
            }
            OpKind::Memory => {
                let (segment, offset) = self.effective_address(instruction);
                self.write(segment, offset, &value.to_le_bytes()[..size])
            }
            _ => Err(Fault::UD.into()),
        }
    }

    /// Segment and offset of the memory operand.
    pub(super) fn effective_address(&self, instruction: &Instruction) -> (SegmentName, u64) {
        let value = |name: Register, _, _| {
            // The base of the segment comes later, with its checks.
            Some(if name.is_segment_register() { 0 } else { register(&self.cpu, name) })
        };
        let memory = (0..instruction.op_count())
            .find(|&index| instruction.op_kind(index) == OpKind::Memory)
            .unwrap_or(0);
        let offset = instruction.try_virtual_address(memory, 0, value).unwrap_or(0);
        (segment_name(instruction.memory_segment()), offset)
    }

    /// Bytes of the instruction's operands, for those that say it by their registers: 2, 4 or 8.
    pub(super) fn register_size(&self, instruction: &Instruction) -> usize {
        instruction.op0_register().size()
    }

    /// The width of addresses and of near pointers on the stack's side.
    pub(super) fn in_64_bit_mode(&self) -> bool {
        self.cpu.mode() == CpuMode::Long64
    }

    /// The low half of a general register, or all of it in 64 bits.
    pub(super) fn gpr(&self, gpr: Gpr) -> u64 {
        self.cpu.get(gpr)
    }
}
