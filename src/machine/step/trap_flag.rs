//! Steps that the processor makes itself, under its trap flag.

use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::machine::{Machine, StopReason};
use crate::x86::CpuState;
use crate::x86::debug::DebugHits;
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};

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

    /// PUSHF, `len` bytes long, pushes the trap flag that steps it: the guest must find its own instead.
    pub(super) fn step_pushf(&mut self, len: u8) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        let mut next = before.clone();
        next.advance(len);
        let stop = self.step_forward()?;
        let pushed = stop == StopReason::Stepped && self.vcpu.cpu().rip == next.rip;
        if pushed && before.rflags & RFLAGS_TF == 0 {
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
        let mut progress = Progress::default();
        let stop = self.step_with_progress(&mut progress);
        if progress.kicked {
            // It was for whoever drives the machine.
            self.vcpu.kicker().kick();
        }
        stop
    }

    fn step_with_progress(&mut self, progress: &mut Progress) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        loop {
            let armed = self.guarded_step();
            self.vcpu.arm(armed)?;
            let mut exit = self.enter()?;
            // What the instruction accesses on its way, until KVM has finished with all of it.
            while exit.is_access() {
                let stop = self.serve(&exit);
                progress.stop = progress.stop.take().or(stop);
                progress.started = true;
                match self.complete()? {
                    Completion::Exit(next) => exit = next,
                    Completion::Done => exit = Exit::Interrupted,
                }
            }
            match exit {
                Exit::Debug { dr6 } => {
                    if DebugHits::decode(dr6).among(&armed.slots).next().is_some() {
                        self.land_on_handler(&before)?;
                    } else if !progress.started
                        && progress.idle_stops < MAX_IDLE_STOPS
                        && is_unchanged(&before, self.vcpu.cpu())
                    {
                        // A jump to itself looks the same, and may as well be repeated.
                        progress.idle_stops += 1;
                        continue;
                    }
                }
                Exit::Interrupted if self.vcpu.cpu().rip == before.rip => {
                    if self.vcpu.take_kick() {
                        if !progress.started {
                            return Ok(StopReason::Kicked);
                        }
                        // Half an instruction is no place to stop.
                        progress.kicked = true;
                    }
                    continue;
                }
                Exit::Interrupted => {}
                // Left over from an earlier instruction on some hosts: HLT itself never gets here.
                Exit::Hlt => continue,
                exit => {
                    let end = self.serve_or_end(&exit, &before)?;
                    progress.stop = end.or(progress.stop.take());
                }
            }
            return Ok(progress.stop.take().unwrap_or(StopReason::Stepped));
        }
    }
}

/// How far a step has got.
#[derive(Default)]
struct Progress {
    /// An access has been served: the instruction has to be finished.
    started: bool,
    /// The first reason to stop that an access gave.
    stop: Option<StopReason>,
    /// A kick came in the middle.
    kicked: bool,
    /// Stops with nothing executed.
    idle_stops: u32,
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
