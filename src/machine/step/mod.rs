//! The exact step: one instruction, on every host, whatever the instruction is.
//!
//! A processor's trap flag is not enough: it loses the trap with an access that leaves the guest, runs
//! through `INT n`, shows itself in what PUSHF pushes, and takes a repeated string instruction whole or
//! by iterations as the implementation likes. So the instruction is decoded first, and what the trap
//! flag does not step faithfully is stepped in another way (SDM vol. 3B, 18.3.1.4).

mod by_hand;
mod handlers;
mod interrupt;
mod repeat;
mod trap_flag;
mod watch;

use super::{Machine, StopReason};
use crate::kvm::KvmError;
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::registers::RFLAGS_OF;
use crate::x86::{CpuMode, Gpr, Linear, SegmentName};

impl Machine {
    /// Executes one instruction, or one iteration of a repeated string instruction. Breakpoints do not
    /// matter, watchpoints do. [`StopReason::Kicked`] means that a kick came first and nothing has run.
    pub fn step(&mut self) -> StopReason {
        self.step_watched().unwrap_or_else(|error| StopReason::HostFailure(error.with_cause()))
    }

    /// Steps until the next instruction lies outside `range` or has a breakpoint.
    pub fn step_range(&mut self, range: std::ops::Range<Linear>) -> StopReason {
        loop {
            match self.step() {
                StopReason::Stepped => {}
                stop => return stop,
            }
            let pc = self.vcpu.cpu().pc();
            if !range.contains(&pc) {
                return StopReason::Stepped;
            }
            if self.mid_rep.is_none() && self.breakpoints.contains(pc) {
                return StopReason::Breakpoint(pc);
            }
            if self.vcpu.take_kick() {
                return StopReason::Kicked;
            }
        }
    }

    pub(super) fn try_step(&mut self) -> Result<StopReason, KvmError> {
        if self.halted {
            return Ok(self.halted_stop());
        }
        let mid_rep = self.mid_rep.take();
        let stop = self.step_decoded()?;
        if stop == StopReason::Kicked {
            // Nothing has run: the repetition is where it was.
            self.mid_rep = mid_rep;
        } else {
            self.stats.steps += 1;
        }
        Ok(stop)
    }

    fn step_decoded(&mut self) -> Result<StopReason, KvmError> {
        let mut buffer = [0; 15];
        let len = self.code_bytes(&mut buffer);
        let mode = self.vcpu.cpu().mode();
        let facts = instruction::decode(&buffer[..len], mode);
        match facts {
            Some(Facts { kind: Kind::Hlt, len, .. }) if self.vcpu.cpu().cpl() == 0 => {
                self.step_hlt(len)
            }
            Some(Facts { kind: Kind::Rep(rep), len, .. }) => self.step_rep(rep, len),
            Some(Facts { kind: Kind::Int(vector), len, .. }) if mode == CpuMode::Real => {
                self.step_interrupt(vector, len)
            }
            Some(Facts { kind: Kind::Int3, len, .. }) if mode == CpuMode::Real => {
                self.step_interrupt(3, len)
            }
            Some(Facts { kind: Kind::Into, len, .. })
                if mode == CpuMode::Real && self.vcpu.cpu().rflags & RFLAGS_OF != 0 =>
            {
                self.step_interrupt(4, len)
            }
            Some(Facts { kind: Kind::Pushf(_), len, .. }) => self.step_pushf(len),
            Some(Facts { kind: Kind::LoadSs, len, .. }) => self.step_load_ss(&buffer, len),
            Some(Facts { kind: Kind::Other, len, branches: false }) => self.step_plain(len),
            Some(Facts { branches: false, .. }) => self.step_forward(),
            _ => self.step_by_trap_flag(),
        }
    }

    /// Linear address `offset` bytes above the top of the stack, in the stack segment's width.
    pub(super) fn stack_address(&self, offset: u64) -> Linear {
        let cpu = self.vcpu.cpu();
        let sp = cpu.get(Gpr::Rsp).wrapping_add(offset) & cpu.stack_mask();
        cpu.linear(SegmentName::Ss, sp)
    }
}
