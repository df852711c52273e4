//! Steps that the processor makes itself, under its trap flag.

use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::machine::{Machine, StopReason};
use crate::x86::debug::DebugHits;
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};
use crate::x86::{CpuState, Gpr};

impl Machine {
    /// A step over an instruction that only goes on to the next one, unless it faults.
    pub(super) fn step_plain(&mut self, len: u8) -> Result<StopReason, KvmError> {
        let next = self.vcpu.cpu().rip.wrapping_add(len.into());
        let (exits, queued) = (self.stats.total(), self.stats.coalesced_writes);
        let stop = self.step_forward()?;
        // A write that KVM queued had no exit, but was emulated, which loses the flag on hardware.
        let native = self.stats.total() == exits + 1 && self.stats.coalesced_writes == queued;
        if native && self.vcpu.cpu().rip == next {
            self.vcpu.trap_flag_survived();
        }
        Ok(stop)
    }

    /// A step over an instruction that does not branch: it leads to another address or changes
    /// something. Some processors stop before it once more, with nothing done.
    pub(super) fn step_forward(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        loop {
            let stop = self.step_by_trap_flag()?;
            if stop != StopReason::Stepped || !is_unchanged(&before, self.vcpu.cpu()) {
                return Ok(stop);
            }
        }
    }

    /// PUSHF pushes the trap flag that steps it: the guest must find its own instead.
    pub(super) fn step_pushf(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        let stop = self.step_forward()?;
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

    /// The ordinary step: run under the trap flag, and serve what the instruction asks for on its way.
    pub(super) fn step_by_trap_flag(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        let mut idle_stops = 0;
        loop {
            self.vcpu.arm(self.guarded_step())?;
            let mut exit = self.enter()?;
            loop {
                match exit {
                    Exit::Debug { dr6 } => {
                        if DebugHits::decode(dr6).slots != 0 {
                            self.land_on_handler(&before)?;
                        } else if idle_stops < MAX_IDLE_STOPS
                            && is_unchanged(&before, self.vcpu.cpu())
                        {
                            // A jump to itself looks the same, and may as well be repeated.
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

/// How many stops before the instruction a step bears with.
const MAX_IDLE_STOPS: u32 = 2;

/// Whether nothing has been executed between two states, or a mere jump to itself. Some hosts change
/// the access rights of real-mode segments, which no program sees, when they first enter the guest.
fn is_unchanged(before: &CpuState, after: &CpuState) -> bool {
    let registers = |cpu: &CpuState| (cpu.rip, cpu.gpr, cpu.rflags & !RFLAGS_RF);
    registers(before) == registers(after)
        && before.segments.cs.selector == after.segments.cs.selector
}
