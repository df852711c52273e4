//! Far CALL and JMP, outside real mode through call gates as well (SDM vol. 2A, CALL and JMP; vol. 3A, 5.8).

use iced_x86::{Code, Instruction, Mnemonic};

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::segments::Descriptor;
use super::task::By;
use crate::x86::{Gpr, Segment, SegmentName};

/// Where a far transfer leads.
#[derive(Clone, Copy)]
struct Target {
    selector: u16,
    offset: u64,
    /// Bytes of each thing that is pushed: 2, 4 or 8.
    size: u8,
}

/// A call gate.
struct CallGate {
    target: Target,
    /// Things to be copied to an inner ring's stack.
    parameters: u64,
}

impl Execution<'_> {
    /// CALL or JMP with a far operand; the next instruction is at `next`.
    pub(super) fn far_transfer(
        &mut self,
        instruction: &Instruction,
        next: u64,
    ) -> Result<(), Trouble> {
        let calls = instruction.mnemonic() == Mnemonic::Call;
        let target = self.far_operand(instruction)?;
        if self.cpu.mode().has_paragraph_segments() {
            return self.transfer_to_paragraph(target, calls.then_some(next));
        }
        if target.selector & !3 == 0 {
            return Err(Fault::gp(0).into());
        }
        let fault = Fault::gp(self.code(target.selector));
        let descriptor = self.descriptor_or(target.selector, fault)?;
        let access = descriptor.segment.access;
        if access.code_or_data {
            return self.jump_to_code(descriptor, target, calls.then_some(next));
        }
        match access.kind {
            0xc => {}
            0x4 if !self.is_ia32e() => {}
            0x1 | 0x3 | 0x5 | 0x9 | 0xb if !self.is_ia32e() => {
                let by = if calls { By::Call } else { By::Jump };
                return self.far_to_task(descriptor, target.selector, by, next);
            }
            _ => return Err(fault.into()),
        }
        if access.dpl < self.cpu.cpl() || access.dpl < (target.selector & 3) as u8 {
            return Err(fault.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(target.selector)).into());
        }
        let gate = self.call_gate(descriptor, target.selector)?;
        self.through_gate(gate, calls.then_some(next))
    }

    /// In real and virtual-8086 mode.
    fn transfer_to_paragraph(
        &mut self,
        target: Target,
        return_rip: Option<u64>,
    ) -> Result<(), Trouble> {
        let Target { selector, offset, size } = target;
        let old = self.cpu.segments.cs;
        let cs = Segment { selector, base: u64::from(selector) << 4, ..old };
        if !cs.contains(offset) {
            return Err(Fault::gp(0).into());
        }
        if let Some(rip) = return_rip {
            self.push(old.selector.into(), size)?;
            self.push(rip, size)?;
        }
        self.cpu.segments.cs = cs;
        self.cpu.rip = offset;
        Ok(())
    }

    /// The far pointer that the instruction contains or points to.
    fn far_operand(&mut self, instruction: &Instruction) -> Result<Target, Trouble> {
        let selector = instruction.far_branch_selector();
        let size: u8 = match instruction.code() {
            Code::Call_ptr1616 | Code::Jmp_ptr1616 => {
                let offset = instruction.far_branch16().into();
                return Ok(Target { selector, offset, size: 2 });
            }
            Code::Call_ptr1632 | Code::Jmp_ptr1632 => {
                let offset = instruction.far_branch32().into();
                return Ok(Target { selector, offset, size: 4 });
            }
            Code::Call_m1616 | Code::Jmp_m1616 => 2,
            Code::Call_m1632 | Code::Jmp_m1632 => 4,
            Code::Call_m1664 | Code::Jmp_m1664 => 8,
            _ => return Err(Unsupported::Unknown.into()),
        };
        let (segment, offset) = self.effective_address(instruction);
        let mut bytes = [0; 10];
        let len = usize::from(size);
        self.read(segment, offset, &mut bytes[..len + 2])?;
        let selector = u16::from_le_bytes([bytes[len], bytes[len + 1]]);
        let mut offset = [0; 8];
        offset[..len].copy_from_slice(&bytes[..len]);
        Ok(Target { selector, offset: u64::from_le_bytes(offset), size })
    }

    /// To a code segment named directly, in the present ring.
    fn jump_to_code(
        &mut self,
        cs: Descriptor,
        target: Target,
        return_rip: Option<u64>,
    ) -> Result<(), Trouble> {
        let access = cs.segment.access;
        let cpl = self.cpu.cpl();
        let level = if access.is_conforming() {
            access.dpl <= cpl
        } else {
            (target.selector & 3) as u8 <= cpl && access.dpl == cpl
        };
        let both_widths = self.is_ia32e() && access.long && access.default_big;
        if !access.is_code() || !level || both_widths {
            return Err(Fault::gp(self.code(target.selector)).into());
        }
        if !access.present {
            return Err(Fault::np(self.code(target.selector)).into());
        }
        self.enter_code(cs, target, return_rip, cpl)
    }

    /// The gate that `descriptor` is.
    fn call_gate(&mut self, descriptor: Descriptor, selector: u16) -> Result<CallGate, Trouble> {
        let raw = descriptor.raw;
        let low = raw & 0xffff | raw >> 32 & 0xffff_0000;
        let (offset, size, parameters) = if self.is_ia32e() {
            let high = self.upper_half(selector)?;
            // Where another descriptor's type would be, there has to be none.
            if high >> 40 & 0x1f != 0 {
                return Err(Fault::gp(self.code(selector)).into());
            }
            (low | high << 32, 8, 0)
        } else if descriptor.segment.access.kind == 0xc {
            (low, 4, raw >> 32 & 0x1f)
        } else {
            (low & 0xffff, 2, raw >> 32 & 0x1f)
        };
        let target = Target { selector: (raw >> 16) as u16, offset, size };
        Ok(CallGate { target, parameters })
    }

    /// The second eight bytes of a 16-byte descriptor.
    fn upper_half(&mut self, selector: u16) -> Result<u64, Trouble> {
        let fault = Fault::gp(self.code(selector));
        let (base, limit) = if selector & 4 == 0 {
            (self.cpu.gdtr.base, u32::from(self.cpu.gdtr.limit))
        } else {
            (self.cpu.ldtr.base, self.cpu.ldtr.limit)
        };
        let offset = u32::from(selector & !7) + 8;
        if offset + 7 > limit {
            return Err(fault.into());
        }
        self.system_read(base, offset.into(), 8)
    }

    fn through_gate(&mut self, gate: CallGate, return_rip: Option<u64>) -> Result<(), Trouble> {
        let CallGate { target, parameters } = gate;
        if target.selector & !3 == 0 {
            return Err(Fault::gp(0).into());
        }
        let fault = Fault::gp(self.code(target.selector));
        let cs = self.descriptor_or(target.selector, fault)?;
        let access = cs.segment.access;
        let cpl = self.cpu.cpl();
        let inner = !access.is_conforming() && access.dpl < cpl;
        // A JMP changes no ring.
        let reachable = access.dpl <= cpl && (return_rip.is_some() || !inner);
        let right_width = !self.is_ia32e() || access.long && !access.default_big;
        if !access.is_code() || !reachable || !right_width {
            return Err(fault.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(target.selector)).into());
        }
        if !inner {
            return self.enter_code(cs, target, return_rip, cpl);
        }
        let old = self.cpu.clone();
        let copied = self.parameters(parameters, target.size)?;
        self.switch_stack(access.dpl)?;
        if self.is_ia32e() {
            // The stack is that of 64-bit code already, which the program need not be.
            self.cpu.segments.cs.access = access;
        } else {
            let words = 4 + copied.len() as u64;
            self.check_stack_room(words * u64::from(target.size), true)?;
        }
        self.push(old.segments.ss.selector.into(), target.size)?;
        self.push(old.get(Gpr::Rsp), target.size)?;
        for value in copied {
            self.push(value, target.size)?;
        }
        self.enter_code(cs, target, return_rip, access.dpl)
    }

    /// The topmost `count` things of the stack, the deepest first.
    fn parameters(&mut self, count: u64, size: u8) -> Result<Vec<u64>, Trouble> {
        let (rsp, mask) = (self.cpu.get(Gpr::Rsp), self.cpu.stack_mask());
        (0..count)
            .rev()
            .map(|n| {
                let offset = rsp.wrapping_add(n * u64::from(size)) & mask;
                let mut bytes = [0; 8];
                self.read(SegmentName::Ss, offset, &mut bytes[..usize::from(size)])?;
                Ok(u64::from_le_bytes(bytes))
            })
            .collect()
    }

    /// Pushes the return address if there is one, and goes to `target` in the ring `ring`.
    fn enter_code(
        &mut self,
        cs: Descriptor,
        target: Target,
        return_rip: Option<u64>,
        ring: u8,
    ) -> Result<(), Trouble> {
        let long = self.is_ia32e() && cs.segment.access.long;
        let old_cs = self.cpu.segments.cs.selector;
        if let Some(rip) = return_rip {
            self.push(old_cs.into(), target.size)?;
            self.push(rip, target.size)?;
        }
        let reachable = if long {
            self.is_canonical(target.offset)
        } else {
            cs.segment.contains(target.offset)
        };
        if !reachable {
            return Err(Fault::gp(0).into());
        }
        let mut code: Segment = self.access_segment(cs)?;
        code.selector = target.selector & !3 | u16::from(ring);
        self.cpu.segments.cs = code;
        self.cpu.rip = target.offset;
        Ok(())
    }
}
