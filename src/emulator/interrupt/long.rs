//! IA-32e mode: 16-byte gates, aligned frames of five quadwords, and the interrupt stack table
//! (SDM vol. 3A, 6.14).

use super::super::execution::Execution;
use super::super::fault::{Fault, Trouble};
use super::Event;
use super::protected::Gate;
use crate::x86::{Gpr, Segment};

/// Offset of RSP0 in a 64-bit task-state segment, in bytes.
const TSS_RSP0: u64 = 4;
/// Offset of IST1, in bytes.
const TSS_IST1: u64 = 36;

impl Execution<'_> {
    pub(super) fn enter_long(&mut self, event: &Event) -> Result<(), Trouble> {
        let (gate, ist) = self.long_gate(event)?;
        let cpl = self.cpu.cpl();
        let cs = self.handler_code(gate.selector)?;
        let access = cs.segment.access;
        if !access.present {
            return Err(Fault::np(self.code(gate.selector)).into());
        }
        if !access.long || access.default_big {
            return Err(Fault::gp(self.code(gate.selector)).into());
        }
        let inner = !access.is_conforming() && access.dpl < cpl;
        let ring = if inner { access.dpl } else { cpl };
        let rsp = match (ist, inner) {
            (0, false) => self.cpu.get(Gpr::Rsp),
            (0, true) => self.ring_stack_pointer(ring)?,
            (ist, _) => self.long_stack(TSS_IST1 + u64::from(ist - 1) * 8)?,
        };
        let top = rsp & !0xf;
        let words = 5 + u64::from(event.error_code.is_some());
        if !self.is_canonical(top.wrapping_sub(words * 8))
            || !self.is_canonical(top.wrapping_sub(1))
        {
            return Err(Fault::ss(self.code(0)).into());
        }
        if !self.is_canonical(gate.offset) {
            return Err(Fault::gp(self.code(0)).into());
        }
        let old = self.cpu.clone();
        let flags = self.pushed_flags(event);
        self.cpu.rflags = self.handler_flags(gate.interrupt);
        let mut code = self.access_segment(cs)?;
        code.selector = gate.selector & !3 | u16::from(ring);
        self.cpu.segments.cs = code;
        if inner {
            self.cpu.segments.ss = Segment::null_stack(ring.into(), ring);
        }
        *self.cpu.get_mut(Gpr::Rsp) = top;
        self.push(old.segments.ss.selector.into(), 8)?;
        self.push(old.get(Gpr::Rsp), 8)?;
        self.push_frame(event, flags, old.segments.cs.selector, 8)?;
        self.cpu.rip = gate.offset;
        Ok(())
    }

    fn long_gate(&mut self, event: &Event) -> Result<(Gate, u8), Trouble> {
        let offset = u64::from(event.vector) * 16;
        let code = self.gate_code(event.vector);
        if offset + 15 > self.cpu.idtr.limit.into() {
            return Err(Fault::gp(code).into());
        }
        let low = self.system_read(self.cpu.idtr.base, offset, 8)?;
        let high = self.system_read(self.cpu.idtr.base, offset + 8, 8)?;
        let kind = (low >> 40) as u8 & 0x1f;
        if !matches!(kind, 0xe | 0xf) {
            return Err(Fault::gp(code).into());
        }
        self.check_gate(event, low, self.cpu.cpl())?;
        let gate = Gate {
            selector: (low >> 16) as u16,
            offset: low & 0xffff | low >> 32 & 0xffff_0000 | high << 32,
            interrupt: kind == 0xe,
            size: 8,
        };
        Ok((gate, (low >> 32) as u8 & 7))
    }

    /// RSP that the task-state segment has for `ring`, 0 to 2.
    pub(super) fn ring_stack_pointer(&mut self, ring: u8) -> Result<u64, Trouble> {
        self.long_stack(TSS_RSP0 + u64::from(ring) * 8)
    }

    /// A stack pointer of the task-state segment.
    fn long_stack(&mut self, offset: u64) -> Result<u64, Trouble> {
        let tr = self.cpu.tr;
        if tr.access.unusable || offset + 7 > tr.limit.into() {
            return Err(Fault::ts(self.code(tr.selector)).into());
        }
        let rsp = self.system_read(tr.base, offset, 8)?;
        if self.is_canonical(rsp) { Ok(rsp) } else { Err(Fault::ss(self.code(0)).into()) }
    }
}
