//! Questions about selectors: ARPL, LAR, LSL, VERR and VERW (SDM vol. 3A, 5.10). They answer in ZF.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::segments::Descriptor;
use crate::x86::registers::RFLAGS_ZF;

impl Execution<'_> {
    /// None of them exists where selectors are paragraphs.
    fn needs_selectors(&self) -> Result<(), Trouble> {
        let paragraphs = self.cpu.mode().has_paragraph_segments();
        if paragraphs { Err(Fault::UD.into()) } else { Ok(()) }
    }

    /// ARPL.
    pub(super) fn arpl(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        self.needs_selectors()?;
        let selector = self.operand(instruction, 0, 2)?;
        let level = self.operand(instruction, 1, 2)? & 3;
        let raise = selector & 3 < level;
        let raised = selector & !3 | level;
        match instruction.op0_kind() {
            _ if !raise => {}
            // Never more than 16 bits of a register.
            OpKind::Register => {
                let low = instruction.op0_register().full_register32().number();
                let full = &mut self.cpu.gpr[low];
                *full = *full & !0xffff | raised;
            }
            _ => self.set_operand(instruction, 0, 2, raised)?,
        }
        self.set_flag(RFLAGS_ZF, raise);
        Ok(())
    }

    /// LAR and LSL.
    pub(super) fn load_rights_or_limit(
        &mut self,
        instruction: &Instruction,
    ) -> Result<(), Trouble> {
        self.needs_selectors()?;
        let selector = self.operand(instruction, 1, 2)? as u16;
        let rights = instruction.mnemonic() == Mnemonic::Lar;
        let Some(descriptor) = self.visible_descriptor(selector, rights)? else {
            self.set_flag(RFLAGS_ZF, false);
            return Ok(());
        };
        let value = if rights {
            descriptor.raw >> 32 & 0x00f0_ff00
        } else {
            descriptor.segment.limit.into()
        };
        let size = self.register_size(instruction);
        self.set_operand(instruction, 0, size, value)?;
        self.set_flag(RFLAGS_ZF, true);
        Ok(())
    }

    /// The descriptor of `selector`, if its type has what LAR (`rights`) or LSL asks for and the program
    /// may know of it.
    fn visible_descriptor(
        &mut self,
        selector: u16,
        rights: bool,
    ) -> Result<Option<Descriptor>, Trouble> {
        if selector & !3 == 0 {
            return Ok(None);
        }
        let Some(descriptor) = self.descriptor(selector)? else { return Ok(None) };
        let access = descriptor.segment.access;
        let known = access.code_or_data
            || match (self.is_ia32e(), access.kind) {
                (_, 2 | 9 | 11) | (false, 1 | 3) => true,
                // Gates have rights and no limit.
                (_, 12) | (false, 4 | 5) => rights,
                _ => false,
            };
        let permitted = access.is_conforming() || self.may_use(selector, access.dpl);
        Ok((known && permitted).then_some(descriptor))
    }

    /// VERR, or VERW with `write`.
    pub(super) fn verify(&mut self, instruction: &Instruction, write: bool) -> Result<(), Trouble> {
        self.needs_selectors()?;
        let selector = self.operand(instruction, 0, 2)? as u16;
        let descriptor = if selector & !3 == 0 { None } else { self.descriptor(selector)? };
        let usable = descriptor.is_some_and(|descriptor| {
            let access = descriptor.segment.access;
            let permitted = self.may_use(selector, access.dpl);
            if write {
                access.is_writable_data() && permitted
            } else {
                access.is_readable() && (access.is_conforming() || permitted)
            }
        });
        self.set_flag(RFLAGS_ZF, usable);
        Ok(())
    }

    /// Neither the program nor whoever gave it `selector` is less privileged than `dpl`.
    fn may_use(&self, selector: u16, dpl: u8) -> bool {
        dpl >= self.cpu.cpl().max((selector & 3) as u8)
    }
}
