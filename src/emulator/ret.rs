//! IRET in every mode and far RET to an outer ring (SDM vol. 2A and 2B; vol. 3A, 5.8.6 and 21.2).

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::segments::Descriptor;
use crate::x86::registers::{
    CR0_PE, CR4_VME, RFLAGS_AC, RFLAGS_DF, RFLAGS_FIXED, RFLAGS_ID, RFLAGS_IF, RFLAGS_IOPL,
    RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VIF, RFLAGS_VIP, RFLAGS_VM,
};
use crate::x86::{Access, CpuMode, Gpr, Segment, SegmentName};

/// Flags that any IRET takes from the stack.
const ALWAYS: u64 = super::flags::STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
/// Flags above bit 15, which a 16-bit IRET leaves alone.
const HIGH: u64 = RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;

impl Execution<'_> {
    /// IRET with an operand size of `size` bytes: 2, 4 or 8; behind it is `next`.
    pub(super) fn iret(&mut self, size: u8, next: u64) -> Result<(), Trouble> {
        match self.cpu.mode() {
            CpuMode::Real => self.iret_paragraphs(size, ALWAYS | HIGH | RFLAGS_IF | RFLAGS_IOPL),
            CpuMode::Virtual8086 => {
                if self.cpu.rflags & RFLAGS_IOPL != RFLAGS_IOPL {
                    if self.cpu.cr4 & CR4_VME != 0 && size == 2 {
                        return Err(Unsupported::Vme.into());
                    }
                    return Err(Fault::gp(0).into());
                }
                self.iret_paragraphs(size, ALWAYS | HIGH | RFLAGS_IF)
            }
            _ => self.iret_protected(size, next),
        }
    }

    /// In real and virtual-8086 mode; the flags of `mask` are taken from the stack.
    fn iret_paragraphs(&mut self, size: u8, mask: u64) -> Result<(), Trouble> {
        let rip = self.pop(size)?;
        let selector = self.pop(size)? as u16;
        let flags = self.pop(size)?;
        let base = u64::from(selector) << 4;
        let cs = Segment { selector, base, ..self.cpu.segments.cs };
        if !cs.contains(rip) {
            return Err(Fault::gp(0).into());
        }
        self.cpu.segments.cs = cs;
        self.cpu.rip = rip;
        self.take_flags(flags, mask, size);
        Ok(())
    }

    fn iret_protected(&mut self, size: u8, next: u64) -> Result<(), Trouble> {
        if self.cpu.rflags & RFLAGS_NT != 0 {
            return match self.is_ia32e() {
                true => Err(Fault::gp(0).into()),
                false => self.return_to_task(next),
            };
        }
        let cpl = self.cpu.cpl();
        let rip = self.pop(size)?;
        let selector = self.pop(size)? as u16;
        let flags = self.pop(size)?;
        if flags & RFLAGS_VM != 0 && size == 4 && cpl == 0 && !self.is_ia32e() {
            return self.iret_to_v86(rip, selector, flags);
        }
        let mut mask = ALWAYS | HIGH;
        if cpl <= (self.cpu.rflags >> 12 & 3) as u8 {
            mask |= RFLAGS_IF;
        }
        if cpl == 0 {
            mask |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
        }
        let always_stack = self.in_64_bit_mode();
        self.return_far(rip, selector, size, always_stack, 0)?;
        self.take_flags(flags, mask, size);
        Ok(())
    }

    /// Far RET with `released` bytes of parameters, in protected mode.
    pub(super) fn retf(&mut self, size: u8, released: u64) -> Result<(), Trouble> {
        if self.cpu.cr0 & CR0_PE == 0 || self.cpu.mode() == CpuMode::Virtual8086 {
            return Err(Unsupported::Unknown.into());
        }
        let rip = self.pop(size)?;
        let selector = self.pop(size)? as u16;
        self.return_far(rip, selector, size, false, released)
    }

    /// To CS:RIP from the stack, and to an outer ring's stack if CS is in one; 64-bit IRET takes the
    /// stack in any case.
    fn return_far(
        &mut self,
        rip: u64,
        selector: u16,
        size: u8,
        always_stack: bool,
        released: u64,
    ) -> Result<(), Trouble> {
        let cpl = self.cpu.cpl();
        let cs = self.return_code(selector, cpl)?;
        let ring = (selector & 3) as u8;
        let long = self.is_ia32e() && cs.segment.access.long;
        let reachable = if long { self.is_canonical(rip) } else { cs.segment.contains(rip) };
        let outer = ring > cpl;
        // An outer ring's stack is looked at first.
        if !reachable && !outer {
            return Err(Fault::gp(0).into());
        }
        self.release(released);
        let mut stack = None;
        if outer || always_stack {
            let rsp = self.pop(size)?;
            let ss_selector = self.pop(size)? as u16;
            let ss = self.return_stack(ss_selector, ring, long)?;
            stack = Some((rsp, ss));
        }
        if !reachable {
            return Err(Fault::gp(0).into());
        }
        let mut code = self.access_segment(cs)?;
        code.selector = selector;
        self.cpu.segments.cs = code;
        self.cpu.rip = rip;
        if let Some((rsp, ss)) = stack {
            self.cpu.segments.ss = ss;
            if size == 8 || self.cpu.stack_mask() == u64::MAX {
                *self.cpu.get_mut(Gpr::Rsp) = rsp;
            } else {
                self.set_stack_pointer(rsp);
            }
            self.release(released);
        }
        if outer {
            self.drop_inner_segments(ring);
        }
        Ok(())
    }

    fn release(&mut self, bytes: u64) {
        if bytes != 0 {
            self.set_stack_pointer(self.gpr(Gpr::Rsp).wrapping_add(bytes));
        }
    }

    /// The code segment to return to.
    fn return_code(&mut self, selector: u16, cpl: u8) -> Result<Descriptor, Trouble> {
        if selector & !3 == 0 {
            return Err(Fault::gp(0).into());
        }
        let fault = Fault::gp(self.code(selector));
        let descriptor = self.descriptor_or(selector, fault)?;
        let access = descriptor.segment.access;
        let ring = (selector & 3) as u8;
        let level = if access.is_conforming() { access.dpl <= ring } else { access.dpl == ring };
        let both_widths = self.is_ia32e() && access.long && access.default_big;
        if !access.is_code() || ring < cpl || !level || both_widths {
            return Err(fault.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        Ok(descriptor)
    }

    /// The stack segment to return to.
    fn return_stack(&mut self, selector: u16, ring: u8, long: bool) -> Result<Segment, Trouble> {
        if selector & !3 == 0 {
            return if long && ring != 3 && selector & 3 == u16::from(ring) {
                Ok(Segment::null_stack(selector, ring))
            } else {
                Err(Fault::gp(0).into())
            };
        }
        let wrong = Fault::gp(self.code(selector));
        let descriptor = self.stack_descriptor(selector, ring, wrong)?;
        let mut segment = self.access_segment(descriptor)?;
        segment.selector = selector;
        Ok(segment)
    }

    /// An outer ring does not keep what it could not have loaded (SDM vol. 3A, 5.8.6).
    fn drop_inner_segments(&mut self, ring: u8) {
        for name in [SegmentName::Es, SegmentName::Fs, SegmentName::Gs, SegmentName::Ds] {
            let segment = self.cpu.segments.get(name);
            let access = segment.access;
            if access.dpl < ring && !access.is_conforming() {
                let base = if self.is_ia32e() { segment.base } else { 0 };
                *self.cpu.segments.get_mut(name) = Segment { base, ..Segment::null(0, 0) };
            }
        }
    }

    fn iret_to_v86(&mut self, rip: u64, selector: u16, flags: u64) -> Result<(), Trouble> {
        if rip > 0xffff {
            return Err(Fault::gp(0).into());
        }
        let rsp = self.pop(4)?;
        let names =
            [SegmentName::Ss, SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs];
        let access = Access { dpl: 3, ..Access::DATA16 };
        let mut segments = self.cpu.segments;
        for name in names {
            let selector = self.pop(4)? as u16;
            *segments.get_mut(name) = Segment::paragraph(selector, access);
        }
        segments.cs = Segment::paragraph(selector, access);
        self.cpu.segments = segments;
        self.cpu.rip = rip;
        *self.cpu.get_mut(Gpr::Rsp) = rsp;
        let mask = ALWAYS | HIGH | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP;
        self.take_flags(flags, mask, 4);
        Ok(())
    }

    fn take_flags(&mut self, flags: u64, mask: u64, size: u8) {
        let mask = if size == 2 { mask & 0xffff } else { mask };
        let kept = self.cpu.rflags & !mask & !RFLAGS_RF;
        self.cpu.rflags = kept | flags & mask | RFLAGS_FIXED;
    }
}
