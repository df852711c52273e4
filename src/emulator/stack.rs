//! PUSHA, ENTER with nesting and BOUND (SDM vol. 2A).

use iced_x86::{Code, Instruction};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::AccessKind;
use crate::x86::{Gpr, SegmentName};

impl Execution<'_> {
    /// PUSHA: the general registers in words of `size` bytes, SP as it was before.
    pub(super) fn push_all(&mut self, size: u8) -> Result<(), Trouble> {
        let registers = self.cpu.gpr;
        for value in registers.into_iter().take(8) {
            self.push(value, size)?;
        }
        Ok(())
    }

    /// ENTER: a stack frame, with copies of the frame pointers of the procedures around it.
    pub(super) fn enter_frame(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size: u8 = match instruction.code() {
            Code::Enterw_imm16_imm8 => 2,
            Code::Enterq_imm16_imm8 => 8,
            _ => 4,
        };
        let allocated = u64::from(instruction.immediate16());
        let level = instruction.immediate8_2nd() % 32;
        let mask = self.cpu.stack_mask();
        let mut outer = self.gpr(Gpr::Rbp);
        self.push(outer, size)?;
        let frame = self.gpr(Gpr::Rsp);
        if level > 0 {
            for _ in 1..level {
                outer = outer.wrapping_sub(size.into());
                let mut bytes = [0; 8];
                self.read(SegmentName::Ss, outer & mask, &mut bytes[..usize::from(size)])?;
                self.push(u64::from_le_bytes(bytes), size)?;
            }
            self.push(frame, size)?;
        }
        let rbp = self.gpr(Gpr::Rbp);
        let kept = if mask == 0xffff { rbp & !mask } else { 0 };
        *self.cpu.get_mut(Gpr::Rbp) = kept | frame & mask;
        self.set_stack_pointer(self.gpr(Gpr::Rsp).wrapping_sub(allocated));
        // The new top of the stack has to be writable.
        let top = self.gpr(Gpr::Rsp) & mask;
        let addr = self.logical(SegmentName::Ss, top, usize::from(size), AccessKind::Write)?;
        self.pieces(addr, usize::from(size), self.own_rights(AccessKind::Write))?;
        Ok(())
    }

    /// BOUND: a signed index between two bounds in memory, the upper one included.
    pub(super) fn bound(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size = self.register_size(instruction);
        let signed = |value: u64| {
            let unused = 64 - 8 * size as u32;
            (value << unused) as i64 >> unused
        };
        let index = self.operand(instruction, 0, size)?;
        let (segment, offset) = self.effective_address(instruction);
        let mut bounds = [0; 8];
        self.read(segment, offset, &mut bounds[..2 * size])?;
        let bounds = u64::from_le_bytes(bounds);
        let (lower, upper) = (signed(bounds), signed(bounds >> (8 * size)));
        if (lower..=upper).contains(&signed(index)) { Ok(()) } else { Err(Fault::BR.into()) }
    }
}
