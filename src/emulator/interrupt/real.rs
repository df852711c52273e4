//! Real mode: three words on the stack and a far jump through the vector table (SDM vol. 3A, 21.1.4).

use super::super::execution::Execution;
use super::super::fault::{Fault, Trouble};
use super::Event;
use crate::x86::Segment;

impl Execution<'_> {
    pub(super) fn enter_real(&mut self, event: &Event) -> Result<(), Trouble> {
        let offset = u64::from(event.vector) * 4;
        if offset + 3 > self.cpu.idtr.limit.into() {
            return Err(Fault::gp(self.gate_code(event.vector)).into());
        }
        let target = self.system_read(self.cpu.idtr.base, offset, 4)?;
        let (ip, cs) = (target & 0xffff, (target >> 16) as u16);
        // Error codes do not exist here.
        let flags = self.pushed_flags(event);
        self.push(flags, 2)?;
        self.push(self.cpu.segments.cs.selector.into(), 2)?;
        self.push(event.return_rip, 2)?;
        let segment = Segment { selector: cs, base: u64::from(cs) << 4, ..self.cpu.segments.cs };
        if !segment.contains(ip) {
            return Err(Fault::gp(self.code(0)).into());
        }
        self.cpu.segments.cs = segment;
        self.cpu.rip = ip;
        self.cpu.rflags = self.real_handler_flags();
        Ok(())
    }
}
