//! Steps that the processor makes itself, under its trap flag.

use super::Step;
use super::user::Detour;
use crate::emulator::Outcome;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, GuestDebug, KvmError};
use crate::machine::run::INTERNAL_ERROR_EMULATION;
use crate::machine::{Machine, Stats, StopReason};
use crate::x86::debug::DebugHits;
use crate::x86::instruction::Facts;
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};
use crate::x86::{CpuState, Gpr, Linear};

impl Machine {
    /// A step over an instruction that only goes on to the next one, unless it faults.
    pub(super) fn step_plain(&mut self, facts: Facts) -> Result<Step, KvmError> {
        self.step_native(|machine| machine.step_forward(facts))
    }

    /// A step over a near branch.
    pub(super) fn step_branch(&mut self, facts: Facts) -> Result<Step, KvmError> {
        self.step_native(|machine| machine.step_by_trap_flag(Some(facts)))
    }

    /// A step over an instruction that leaves the trap flag alone, if the processor itself has executed it.
    fn step_native(
        &mut self,
        step: impl FnOnce(&mut Machine) -> Result<Step, KvmError>,
    ) -> Result<Step, KvmError> {
        let counted = |stats: &Stats| (stats.accesses(), stats.coalesced_writes, stats.completed);
        let (exits, accesses) = (self.stats.total(), counted(&self.stats));
        let step = step(self)?;
        // An access that KVM reported or queued was emulated, which loses the flag on hardware.
        let native = self.stats.total() == exits + 1 && counted(&self.stats) == accesses;
        if native && step.completed {
            self.vcpu.note_plain_step();
        }
        Ok(step)
    }

    /// A step over an instruction that does not branch: it leads to another address or changes
    /// something. Some processors stop before it once more, with nothing done. A handler that nobody could tell of
    /// may return to it time and again: that is a step, too.
    pub(super) fn step_forward(&mut self, facts: Facts) -> Result<Step, KvmError> {
        let before = self.vcpu.cpu().clone();
        let mut idle_steps = 0;
        loop {
            let step = self.step_by_trap_flag(Some(facts))?;
            let is_idle =
                step.stop == StopReason::Stepped && is_unchanged(&before, self.vcpu.cpu());
            if !is_idle || idle_steps == MAX_IDLE_STOPS {
                return Ok(step);
            }
            idle_steps += 1;
        }
    }

    /// PUSHF pushes the trap flag that steps it, or none: the guest must find its own instead.
    pub(super) fn step_pushf(&mut self, facts: Facts) -> Result<Step, KvmError> {
        let own = u8::from(self.vcpu.cpu().rflags & RFLAGS_TF != 0);
        let step = self.step_forward(facts)?;
        if step.completed {
            // TF is bit 8: the second byte of what was pushed, whatever the size.
            let top = self.stack_address(1);
            let mut byte = [0];
            if self.read_linear(top, &mut byte) == 1 && byte[0] & 1 != own {
                self.amend_linear(top, &[byte[0] & !1 | own]);
            }
        }
        Ok(step)
    }

    /// The ordinary step: run under the trap flag, and serve what the instruction asks for on its way.
    pub(super) fn step_by_trap_flag(&mut self, facts: Option<Facts>) -> Result<Step, KvmError> {
        let lent = self.lend_gate()?;
        let step = self.step_with_detour(facts);
        self.take_gate_back(lent);
        step
    }

    fn step_with_detour(&mut self, facts: Option<Facts>) -> Result<Step, KvmError> {
        let before = self.vcpu.cpu().clone();
        let detour = self.detour_of_user_trap()?;
        if matches!(detour, Detour::Missing) {
            return Ok(Step::stopped(self.refused(
                "it steps ring 3 of long mode by a handler of the guest's, and there is none, or no stack for it",
            )));
        }
        let mut progress = Progress { handler: detour.handler(), ..Progress::default() };
        let step = self.step_with_progress(&before, facts, &mut progress);
        if progress.kicked {
            // It was for whoever drives the machine.
            self.vcpu.kicker().kick();
        }
        let step = step?;
        self.return_from_detour(&before, detour, step)
    }

    fn step_with_progress(
        &mut self,
        before: &CpuState,
        facts: Option<Facts>,
        progress: &mut Progress,
    ) -> Result<Step, KvmError> {
        let (armed, at_own_handler) = self.guarded_step(facts, progress.handler);
        if !at_own_handler {
            return self.step_armed(before, armed, progress);
        }
        let diverted = self.divert_own_handlers(facts);
        let (armed, _) = self.guarded_step(facts, progress.handler);
        let step = self.step_armed(before, armed, progress);
        self.restore_handlers(&diverted, before)?;
        step
    }

    fn step_armed(
        &mut self,
        before: &CpuState,
        armed: GuestDebug,
        progress: &mut Progress,
    ) -> Result<Step, KvmError> {
        loop {
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
                        if progress.handler != Some(self.vcpu.cpu().pc()) {
                            self.land_on_handler(before)?;
                        }
                        progress.entered = true;
                    } else if self.is_in_unforeseen_handler(before) {
                        // Its first instruction has run.
                        self.land_on_handler(before)?;
                        progress.entered = true;
                    } else if !progress.started
                        && progress.idle_stops < MAX_IDLE_STOPS
                        && is_unchanged(before, self.vcpu.cpu())
                    {
                        // A jump to itself looks the same, and may as well be repeated.
                        progress.idle_stops += 1;
                        continue;
                    }
                }
                Exit::Interrupted if self.vcpu.cpu().rip == before.rip => {
                    if self.vcpu.take_kick() {
                        if !progress.started {
                            return Ok(Step::stopped(StopReason::Kicked));
                        }
                        // Half an instruction is no place to stop.
                        progress.kicked = true;
                    }
                    continue;
                }
                Exit::Interrupted | Exit::MsrWritten => {}
                // Left over from an earlier instruction on some hosts: HLT itself never gets here.
                Exit::Hlt => continue,
                Exit::InternalError { suberror: INTERNAL_ERROR_EMULATION } => {
                    if !self.is_in_unforeseen_handler(before) {
                        return self.step_refused();
                    }
                    self.land_on_handler(before)?;
                    progress.entered = true;
                }
                Exit::Shutdown => {
                    // Some of it may have happened, and AMD processors are reset.
                    let stop = self.shutdown(before)?;
                    self.vcpu.set_cpu(before)?;
                    return Ok(Step::stopped(stop));
                }
                exit => {
                    let end = self.serve_or_end(&exit, before)?;
                    progress.stop = end.or(progress.stop.take());
                    progress.entered = true;
                }
            }
            let stop = progress.stop.take().unwrap_or(StopReason::Stepped);
            return Ok(Step { stop, completed: !progress.entered });
        }
    }

    /// Whether the instruction of `before` has led to a handler at which no debug register waited: some KVMs go through
    /// gates that no processor goes through.
    fn is_in_unforeseen_handler(&self, before: &CpuState) -> bool {
        let cpu = self.vcpu.cpu();
        let same_ring = cpu.cpl() == before.cpl();
        let pushed = before.get(Gpr::Rsp).wrapping_sub(cpu.get(Gpr::Rsp)) & before.stack_mask();
        cpu.rip != before.rip
            && (!same_ring || (SHORTEST_FRAME..=LONGEST_FRAME).contains(&pushed))
            && self.pushed_flags(before).is_some()
    }

    /// Does what KVM has refused to.
    fn step_refused(&mut self) -> Result<Step, KvmError> {
        Ok(match self.execute_at_pc()? {
            Ok((outcome, stop)) => {
                self.stats.completed += 1;
                let completed = matches!(outcome, Outcome::Completed { .. });
                Step { stop: stop.unwrap_or(StopReason::Stepped), completed }
            }
            Err(unsupported) => Step::stopped(self.beyond(unsupported)),
        })
    }
}

/// How far a step has got.
#[derive(Default)]
struct Progress {
    /// Where this host's KVM takes the step to, if that is no exception of the instruction's.
    handler: Option<Linear>,
    /// It was no end of the instruction.
    entered: bool,
    /// An access has been served: the instruction has to be finished.
    started: bool,
    /// The first reason to stop that an access gave.
    stop: Option<StopReason>,
    /// A kick came in the middle.
    kicked: bool,
    /// Stops with nothing executed.
    idle_stops: u32,
}

/// Bytes of what an exception pushes in the ring it comes in, with what the stack is aligned by.
const SHORTEST_FRAME: u64 = 6;
const LONGEST_FRAME: u64 = 64;

/// How many stops before the instruction a step bears with.
const MAX_IDLE_STOPS: u32 = 8;

/// Whether nothing has been executed between two states, or a mere jump to itself. Some hosts change
/// the access rights of real-mode segments, which no program sees, when they first enter the guest.
fn is_unchanged(before: &CpuState, after: &CpuState) -> bool {
    let registers = |cpu: &CpuState| (cpu.rip, cpu.gpr, cpu.rflags & !RFLAGS_RF);
    registers(before) == registers(after)
        && before.segments.cs.selector == after.segments.cs.selector
}
