//! Loads of the segment registers, LDTR and TR (SDM vol. 2A and 2B: MOV, POP, LDS, LLDT, LTR; vol. 3A, 5.6 and 5.7).
//! CS is no register to load; far transfers change it.

use iced_x86::{Instruction, Mnemonic};

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::operands::{segment_name, set_register};
use crate::x86::{Gpr, Segment, SegmentName};

/// The type of a local descriptor table, and of task-state segments that are available.
const LOCAL_TABLE: u8 = 2;
const NARROW_TASK: u8 = 1;
const TASK: u8 = 9;
/// In the type of a task-state segment.
const BUSY: u8 = 2;

/// Whether it is MOV or POP of a segment register.
pub(super) fn loads_segment_register(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Pop)
        && instruction.op0_register().is_segment_register()
}

impl Execution<'_> {
    /// MOV and POP to a segment register. What those of SS hold back for one instruction is the caller's business.
    pub(super) fn load_segment_register(
        &mut self,
        instruction: &Instruction,
    ) -> Result<(), Trouble> {
        let name = segment_name(instruction.op0_register());
        if name == SegmentName::Cs {
            return Err(Fault::UD.into());
        }
        let selector = match instruction.mnemonic() {
            Mnemonic::Pop => {
                let size = u64::try_from(instruction.stack_pointer_increment()).unwrap_or(2);
                let sp = self.gpr(Gpr::Rsp) & self.cpu.stack_mask();
                // The selector is read, whatever the pointer moves by.
                let selector = self.pop(2)?;
                self.set_stack_pointer(sp.wrapping_add(size));
                selector
            }
            _ => self.operand(instruction, 1, 2)?,
        } as u16;
        self.load_segment(name, selector)
    }

    /// LDS, LES, LFS, LGS and LSS: an offset, and the selector behind it.
    pub(super) fn load_far_pointer(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let name = match instruction.mnemonic() {
            Mnemonic::Lds => SegmentName::Ds,
            Mnemonic::Les => SegmentName::Es,
            Mnemonic::Lfs => SegmentName::Fs,
            Mnemonic::Lgs => SegmentName::Gs,
            _ => SegmentName::Ss,
        };
        let size = self.register_size(instruction);
        let (segment, offset) = self.effective_address(instruction);
        let mut bytes = [0; 10];
        self.read(segment, offset, &mut bytes[..size + 2])?;
        let selector = u16::from_le_bytes([bytes[size], bytes[size + 1]]);
        self.load_segment(name, selector)?;
        let mut pointer = [0; 8];
        pointer[..size].copy_from_slice(&bytes[..size]);
        set_register(&mut self.cpu, instruction.op0_register(), u64::from_le_bytes(pointer));
        Ok(())
    }

    fn load_segment(&mut self, name: SegmentName, selector: u16) -> Result<(), Trouble> {
        let segment = if self.cpu.mode().has_paragraph_segments() {
            let base = u64::from(selector) << 4;
            Segment { selector, base, ..*self.cpu.segments.get(name) }
        } else if name == SegmentName::Ss {
            self.stack_segment(selector)?
        } else {
            self.data_segment(name, selector)?
        };
        *self.cpu.segments.get_mut(name) = segment;
        Ok(())
    }

    /// SS with `selector` in it.
    fn stack_segment(&mut self, selector: u16) -> Result<Segment, Trouble> {
        let ring = self.cpu.cpl();
        if selector & !3 == 0 {
            let allowed = self.in_64_bit_mode() && ring != 3 && selector == u16::from(ring);
            return if allowed {
                Ok(Segment::null_stack(selector, ring))
            } else {
                Err(Fault::gp(0).into())
            };
        }
        let wrong = Fault::gp(self.code(selector));
        let descriptor = self.stack_descriptor(selector, ring, wrong)?;
        self.access_segment(descriptor)
    }

    /// DS, ES, FS or GS with `selector` in it.
    fn data_segment(&mut self, name: SegmentName, selector: u16) -> Result<Segment, Trouble> {
        if selector & !3 == 0 {
            // Processors differ in what becomes of the base.
            let has_base = matches!(name, SegmentName::Fs | SegmentName::Gs);
            return if has_base && self.in_64_bit_mode() {
                Err(Unsupported::Unknown.into())
            } else {
                Ok(Segment::null(selector, 0))
            };
        }
        let wrong = Fault::gp(self.code(selector));
        let descriptor = self.descriptor_or(selector, wrong)?;
        let access = descriptor.segment.access;
        let ring = self.cpu.cpl().max((selector & 3) as u8);
        if !access.is_readable() || !access.is_conforming() && access.dpl < ring {
            return Err(wrong.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        self.access_segment(descriptor)
    }

    /// LLDT and LTR.
    pub(super) fn load_system_segment(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        if self.cpu.mode().has_paragraph_segments() {
            return Err(Fault::UD.into());
        }
        if self.cpu.cpl() != 0 {
            return Err(Fault::gp(0).into());
        }
        let selector = self.operand(instruction, 0, 2)? as u16;
        let is_task = instruction.mnemonic() == Mnemonic::Ltr;
        if selector & !3 == 0 {
            if is_task {
                return Err(Fault::gp(0).into());
            }
            self.cpu.ldtr = Segment::null(selector, 0);
            return Ok(());
        }
        let wrong = Fault::gp(self.code(selector));
        if selector & 4 != 0 {
            return Err(wrong.into());
        }
        let descriptor = self.descriptor_or(selector, wrong)?;
        let Segment { access, .. } = descriptor.segment;
        let fits = match access.kind {
            TASK => is_task,
            NARROW_TASK => is_task && !self.is_ia32e(),
            LOCAL_TABLE => !is_task,
            _ => false,
        };
        if access.code_or_data || !fits {
            return Err(wrong.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        if is_task {
            self.set_busy(descriptor, true)?;
            self.cpu.tr = descriptor.segment;
            self.cpu.tr.access.kind |= BUSY;
        } else {
            self.cpu.ldtr = descriptor.segment;
        }
        Ok(())
    }
}
