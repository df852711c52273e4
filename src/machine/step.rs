//! The exact step: one instruction, on every host, whatever the instruction is.
//!
//! A processor's trap flag is not enough: it loses the trap with an access that leaves the guest, runs
//! through `INT n`, shows itself in what PUSHF pushes, and takes a repeated string instruction whole or
//! by iterations as the implementation likes. So the instruction is decoded first, and what the trap
//! flag does not step faithfully is stepped in another way (SDM vol. 3B, 18.3.1.4).

use super::{Machine, StopReason};
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, GuestDebug, KvmError};
use crate::x86::instruction::{self, Facts, Kind, Rep, StopsOn};
use crate::x86::registers::{RFLAGS_OF, RFLAGS_RF, RFLAGS_TF, RFLAGS_ZF};
use crate::x86::{CpuMode, CpuState, Gpr, Linear, SegmentName};

impl Machine {
    /// Executes one instruction, or one iteration of a repeated string instruction. Breakpoints do not
    /// matter, except as what a user finds afterwards at the new place. [`StopReason::Kicked`] means
    /// that a kick came first and nothing has run.
    pub fn step(&mut self) -> StopReason {
        self.try_step().unwrap_or_else(|error| StopReason::HostFailure(error.to_string()))
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
        match instruction::decode(&buffer[..len], mode) {
            Some(Facts { kind: Kind::Hlt, len }) if self.is_ring_0() => self.step_hlt(len),
            Some(Facts { kind: Kind::Rep(rep), len }) => self.step_rep(rep, len),
            Some(Facts { kind: Kind::Int(vector), len }) if mode == CpuMode::Real => {
                self.step_interrupt(vector, len)
            }
            Some(Facts { kind: Kind::Int3, len }) if mode == CpuMode::Real => {
                self.step_interrupt(3, len)
            }
            Some(Facts { kind: Kind::Into, len })
                if mode == CpuMode::Real && self.vcpu.cpu().rflags & RFLAGS_OF != 0 =>
            {
                self.step_interrupt(4, len)
            }
            Some(Facts { kind: Kind::Pushf(_), .. }) => self.step_pushf(),
            _ => self.step_by_trap_flag(),
        }
    }

    fn is_ring_0(&self) -> bool {
        let cpu = self.vcpu.cpu();
        match cpu.mode() {
            CpuMode::Real => true,
            CpuMode::Virtual8086 => false,
            _ => cpu.segments.ss.access.dpl == 0,
        }
    }

    /// HLT needs no processor: the next instruction is behind it, and the processor waits there.
    fn step_hlt(&mut self, len: u8) -> Result<StopReason, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        self.halted = true;
        Ok(self.halted_stop())
    }

    /// One iteration: a counter of 1 makes any implementation stop after one. Where it leaves the
    /// instruction pointer then differs, so that is set here.
    fn step_rep(&mut self, rep: Rep, len: u8) -> Result<StopReason, KvmError> {
        let mask = u64::MAX >> (64 - 8 * u32::from(rep.address_size));
        let before = self.vcpu.cpu().clone();
        let count = before.get(Gpr::Rcx) & mask;
        if count == 0 {
            return self.step_by_trap_flag();
        }
        let with_count = |rcx: u64, count: u64| (rcx & !mask) | count;
        let mut once = before.clone();
        *once.get_mut(Gpr::Rcx) = with_count(before.get(Gpr::Rcx), 1);
        self.vcpu.set_cpu(&once)?;
        let stop = self.step_by_trap_flag()?;

        let mut after = self.vcpu.cpu().clone();
        if after.get(Gpr::Rcx) & mask != 0 {
            // No iteration: a fault, whose handler has to find the counter as it was.
            *after.get_mut(Gpr::Rcx) = before.get(Gpr::Rcx);
            self.vcpu.set_cpu(&after)?;
            return Ok(stop);
        }
        let left = count - 1;
        *after.get_mut(Gpr::Rcx) = with_count(after.get(Gpr::Rcx), left);
        let zero = after.rflags & RFLAGS_ZF != 0;
        let goes_on = left != 0
            && match rep.stops_on {
                StopsOn::None => true,
                StopsOn::ZeroClear => zero,
                StopsOn::ZeroSet => !zero,
            };
        after.rip = before.rip;
        after.rflags = (after.rflags & !RFLAGS_RF) | (before.rflags & RFLAGS_RF);
        if !goes_on {
            after.advance(len);
        }
        self.vcpu.set_cpu(&after)?;
        self.mid_rep = goes_on.then(|| after.pc());
        Ok(stop)
    }

    /// PUSHF pushes the trap flag that steps it: the guest must find its own instead.
    fn step_pushf(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        let stop = self.step_by_trap_flag()?;
        let after = self.vcpu.cpu().clone();
        let pushed = stop == StopReason::Stepped && after.rip != before.rip;
        if pushed && before.rflags & RFLAGS_TF == 0 && after.get(Gpr::Rsp) != before.get(Gpr::Rsp) {
            // TF is bit 8: the second byte of what was pushed, whatever the size.
            let top = self.stack_address(1);
            let mut byte = [0];
            if self.read_linear(top, &mut byte) == 1 && byte[0] & 1 != 0 {
                self.write_linear(top, &[byte[0] & !1]);
            }
        }
        Ok(stop)
    }

    /// Linear address `offset` bytes above the top of the stack, in the stack segment's width.
    pub(super) fn stack_address(&self, offset: u64) -> Linear {
        let cpu = self.vcpu.cpu();
        let sp = cpu.get(Gpr::Rsp).wrapping_add(offset);
        let sp = match cpu.mode() {
            CpuMode::Long64 => sp,
            _ if cpu.segments.ss.access.default_big => sp & 0xffff_ffff,
            _ => sp & 0xffff,
        };
        cpu.linear(SegmentName::Ss, sp)
    }

    /// The ordinary step: run under the trap flag, and serve what the instruction asks for on its way.
    pub(super) fn step_by_trap_flag(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        let mut idle_stops = 0;
        loop {
            self.vcpu.arm(GuestDebug::SINGLE_STEP)?;
            let mut exit = self.enter()?;
            loop {
                match exit {
                    Exit::Debug { .. } => {
                        // Some hosts stop once more before the instruction. One that jumps to itself
                        // looks the same, and may as well be repeated.
                        if idle_stops < MAX_IDLE_STOPS && is_unchanged(&before, self.vcpu.cpu()) {
                            idle_stops += 1;
                            break;
                        }
                        return Ok(StopReason::Stepped);
                    }
                    Exit::Interrupted => {
                        if self.vcpu.cpu().rip != before.rip {
                            return Ok(StopReason::Stepped);
                        }
                        if self.vcpu.take_kick() {
                            return Ok(StopReason::Kicked);
                        }
                        break;
                    }
                    Exit::PortRead(_)
                    | Exit::PortWrite(_)
                    | Exit::MmioRead { .. }
                    | Exit::MmioWrite { .. } => {
                        let stop = self.serve(&exit);
                        match self.complete()? {
                            Completion::Done if self.vcpu.cpu().rip == before.rip => {
                                // Served in part: the instruction goes on at the next entry.
                                if let Some(stop) = stop {
                                    return Ok(stop);
                                }
                                break;
                            }
                            Completion::Done | Completion::Exit(Exit::Debug { .. }) => {
                                return Ok(stop.unwrap_or(StopReason::Stepped));
                            }
                            Completion::Exit(next) => exit = next,
                        }
                    }
                    // Left over from an earlier instruction on some hosts: HLT itself never gets here.
                    Exit::Hlt => break,
                    exit => {
                        let stop = self.serve_or_end(&exit, &before)?;
                        return Ok(stop.unwrap_or(StopReason::Stepped));
                    }
                }
            }
        }
    }
}

/// How many stops without progress a step bears with.
const MAX_IDLE_STOPS: u32 = 2;

/// Whether nothing has been executed between two states, or a mere jump to itself.
fn is_unchanged(before: &CpuState, after: &CpuState) -> bool {
    let registers = |cpu: &CpuState| (cpu.rip, cpu.gpr, cpu.rflags & !RFLAGS_RF);
    registers(before) == registers(after)
        && before.segments.cs.selector == after.segments.cs.selector
}
