//! Instructions that the step engine executes itself, because no trap stops behind them in time.

use crate::kvm::KvmError;
use crate::machine::{Machine, StopReason};
use crate::x86::operands::{self, SelectorSource};
use crate::x86::registers::RFLAGS_RF;
use crate::x86::{Gpr, SegmentName};

impl Machine {
    /// HLT needs no processor: the next instruction is behind it, and the processor waits there.
    pub(super) fn step_hlt(&mut self, len: u8) -> Result<StopReason, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        self.halted = true;
        Ok(self.halted_stop())
    }

    /// MOV SS and POP SS hold back the trap until the instruction after them has run, too, so they are
    /// done by hand; a load that faults is the processor's business and raises no shadow.
    pub(super) fn step_load_ss(&mut self, bytes: &[u8], len: u8) -> Result<StopReason, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        let Some(source) = operands::stack_segment_source(bytes, &cpu) else {
            return self.step_forward();
        };
        let mut word = [0; 2];
        let (selector, popped) = match source {
            SelectorSource::Register(selector) => (Some(selector), 0),
            SelectorSource::Memory(addr) => {
                let read = self.read_linear(addr, &mut word) == 2;
                (read.then(|| u16::from_le_bytes(word)), 0)
            }
            SelectorSource::Stack(size) => {
                let read = self.read_linear(self.stack_address(0), &mut word) == 2;
                (read.then(|| u16::from_le_bytes(word)), size)
            }
        };
        let loaded =
            selector.and_then(|selector| self.load_segment(SegmentName::Ss, selector).ok());
        let Some(segment) = loaded else { return self.step_forward() };
        let mask = cpu.stack_mask();
        let sp = cpu.get(Gpr::Rsp);
        *cpu.get_mut(Gpr::Rsp) = (sp & !mask) | (sp.wrapping_add(popped) & mask);
        cpu.segments.ss = segment;
        cpu.rflags &= !RFLAGS_RF;
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        Ok(StopReason::Stepped)
    }
}
