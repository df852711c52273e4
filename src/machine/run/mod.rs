//! Running the guest until something stops it.

mod complete;
pub(super) mod endless;
mod fast_call;
mod free;
mod long_mode;
pub(super) mod partial;
mod refusal;
mod undefined;
mod watched_access;

use self::undefined::TakenBack;
use super::idle::Wait;
use super::interrupts::Look;
use super::plan::Drive;
use super::{Machine, StopReason};
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError, probe};
use crate::x86::instruction::Kind;
use crate::x86::registers::RFLAGS_IF;
use crate::x86::{CpuState, instruction};

impl Machine {
    /// Runs the guest until a breakpoint, an ending or a kick. A breakpoint at the next instruction
    /// stops it before anything has run; a halted processor stays halted.
    pub fn run(&mut self) -> StopReason {
        self.crash = None;
        self.start_time();
        let stop = self.run_by_plan();
        self.rest_from_interrupts();
        self.stop_time();
        self.with_account(stop)
    }

    /// Has a halted processor wait for an interrupt as [`Machine::run`] does, and stops at the handler's first
    /// instruction; the reason is that of a halt if no interrupt can come.
    pub fn wake(&mut self) -> StopReason {
        self.crash = None;
        self.start_time();
        let stop = self.wait_in_halt(Wait::Handler);
        self.rest_from_interrupts();
        self.stop_time();
        self.with_account(stop.map(|stop| stop.unwrap_or(StopReason::Stepped)))
    }

    fn run_by_plan(&mut self) -> Result<StopReason, KvmError> {
        self.feed_serial();
        if self.halted
            && let Some(stop) = self.wait_in_halt(Wait::Use)?
        {
            return Ok(stop);
        }
        // A repetition under way is finished first if it has a breakpoint, which has had its turn.
        while self.mid_rep.is_some_and(|at| self.breakpoints.contains(at)) {
            match self.step_noticing()? {
                StopReason::Stepped => {}
                stop => return Ok(stop),
            }
        }
        self.mid_rep = None;
        if let Some(stop) = self.catch_here() {
            return Ok(stop);
        }
        if self.breakpoints.contains(self.vcpu.cpu().pc()) {
            return Ok(StopReason::Breakpoint(self.vcpu.cpu().pc()));
        }
        self.guard.begin();
        self.checkpoint_if_needed()?;
        loop {
            // Whatever drives the guest leaves it when it is halted.
            match self.drive()? {
                Some(StopReason::Halted { .. }) => {
                    if let Some(stop) = self.wait_in_halt(Wait::Use)? {
                        return Ok(stop);
                    }
                }
                Some(stop) => return Ok(stop),
                None => {}
            }
        }
    }

    /// Runs in the way that is right at present. No stop means that another may be now.
    fn drive(&mut self) -> Result<Option<StopReason>, KvmError> {
        if self.stops_at_mode_switch {
            // A switch has no exit.
            return self.run_stepping(false);
        }
        let plan = self.plan()?;
        self.follow_plan(&plan)?;
        match plan.drive {
            // Told where it was asked for.
            _ if self.record.counts() => self.run_stepping(false),
            _ if self.stop_on.needs_steps() => {
                self.tell_stepping();
                self.run_stepping(false)
            }
            Drive::Free(_) if self.is_beyond_guard() => self.run_stepping(true),
            Drive::Free(slots) if !self.guard.steps_instead() => self.run_free(&plan, slots),
            Drive::Free(_) => self.run_stepping(false),
            Drive::StepEngine => {
                self.tell_slow(&plan);
                self.run_stepping(plan.recheck)
            }
        }
    }

    /// One exact step at a time. No stop means that another way may be right now: the guest's own breakpoints have
    /// come or gone, or it has changed its mode or ring or EFER, which matters only to those who ask for a `recheck`.
    fn run_stepping(&mut self, recheck: bool) -> Result<Option<StopReason>, KvmError> {
        let place = |cpu: &CpuState| (cpu.mode(), cpu.cpl(), cpu.efer);
        let began = place(self.vcpu.cpu());
        let own_breakpoints = self.has_own_breakpoints()?;
        loop {
            let accesses = self.port_accesses();
            let stop = match self.look_for_interrupt(false)? {
                Look::Stop(stop) => stop,
                Look::Entered | Look::Stepped => StopReason::Stepped,
                Look::Nothing | Look::Exit(_) => self.step_noticing()?,
            };
            if stop != StopReason::Stepped {
                return Ok(Some(stop));
            }
            self.note_stepped(accesses);
            let now = self.vcpu.cpu().mode();
            if self.stops_at_mode_switch && now != began.0 {
                return Ok(Some(StopReason::ModeSwitch(now)));
            }
            let pc = self.vcpu.cpu().pc();
            if self.mid_rep.is_none() && self.breakpoints.contains(pc) {
                return Ok(Some(StopReason::Breakpoint(pc)));
            }
            // Steps that never enter the guest would not notice the kick.
            if self.vcpu.take_kick() {
                return Ok(Some(StopReason::Kicked));
            }
            let moved = recheck && place(self.vcpu.cpu()) != began;
            if self.mid_rep.is_none() && (moved || self.has_own_breakpoints()? != own_breakpoints) {
                return Ok(None);
            }
        }
    }

    /// One entry into the guest, counted and traced, the queued writes applied.
    pub(super) fn enter(&mut self) -> Result<Exit, KvmError> {
        self.follow_video_memory()?;
        let (start, efer) = (self.vcpu.guest_time(), self.vcpu.cpu().efer);
        let exit = self.vcpu.run()?;
        self.note_efer(efer);
        self.note_call_target()?;
        self.keep_beginning(&exit)?;
        self.account(&exit, start);
        Ok(exit)
    }

    /// Finishes an access that was just served; see [`crate::kvm::Vcpu::complete`].
    pub(super) fn complete(&mut self) -> Result<Completion, KvmError> {
        let start = self.vcpu.guest_time();
        let completion = self.vcpu.complete()?;
        match &completion {
            Completion::Exit(exit) => {
                self.keep_beginning(exit)?;
                self.account(exit, start);
            }
            // The rest of the instruction may have written to a device.
            Completion::Done => {
                self.partial = None;
                self.drain_coalesced();
            }
        }
        Ok(completion)
    }

    fn account(&mut self, exit: &Exit, start: std::time::Duration) {
        let elapsed = self.vcpu.guest_time() - start;
        self.stats.count(exit, elapsed);
        let counts = exit.is_access() && !self.is_direct_access(exit);
        if let Some(rewind) = &mut self.rewind {
            rewind.note(counts, self.vcpu.is_stepping(), elapsed);
        }
        // Older than the exit.
        self.drain_coalesced();
        if self.trace.is_none() {
            return;
        }
        let port_data = self.vcpu.port_data_mut().to_vec();
        let location = self.exit_location(exit);
        if let Some(trace) = &mut self.trace {
            trace.exit(exit, &port_data, &location, elapsed);
        }
    }

    /// Serves an access, or turns an exit that ends the run into its reason. `before` is the state at
    /// the last moment it was known.
    pub(super) fn serve_or_end(
        &mut self,
        exit: &Exit,
        before: &CpuState,
    ) -> Result<Option<StopReason>, KvmError> {
        if let Some((service, rip)) = self.trap_of(exit) {
            return self.serve_call(service, rip);
        }
        if let Some(stop) = self.serve(exit) {
            // The user is about to look: let the instruction finish first, with all that it accesses.
            let held = self.hold_repetition(exit)?;
            while let Completion::Exit(next) = self.complete()? {
                if !next.is_access() {
                    break;
                }
                self.serve(&next);
            }
            self.settle_repetition(held)?;
            return Ok(Some(stop));
        }
        Ok(match *exit {
            Exit::Hlt => {
                self.halted = true;
                Some(self.halted_stop())
            }
            Exit::Shutdown => match self.take_back_shutdown()? {
                TakenBack::Completed(stop) => stop,
                TakenBack::No => Some(self.shutdown(before)?),
            },
            Exit::InternalError { suberror: INTERNAL_ERROR_EMULATION } => {
                match self.vcpu.trapped_interrupt() {
                    Some(_) => self.leave_trap()?,
                    None if self.executes_unshown() => {
                        // Some kernels raise #UD along with their refusal.
                        self.vcpu.drop_exception()?;
                        None
                    }
                    None => self.complete_refused()?,
                }
            }
            // KVM on Intel delivers nothing to a stack in a device's memory.
            Exit::InternalError { suberror: INTERNAL_ERROR_DELIVERY } if self.is_at_interrupt() => {
                self.vcpu.drop_interrupt()?;
                self.complete_refused()?
            }
            Exit::InternalError { suberror } => {
                Some(self.refused(&format!("KVM internal error, suberror {suberror}")))
            }
            Exit::FailEntry { reason } => {
                Some(self.refused(&format!("the processor refuses the guest state ({reason:#x})")))
            }
            Exit::Other { reason } => {
                Some(self.refused(&format!("KVM exit reason {reason}, which is not handled")))
            }
            _ => None,
        })
    }

    /// Whether the next instruction is a software interrupt.
    fn is_at_interrupt(&self) -> bool {
        let mut code = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut code);
        let facts = instruction::decode(&code[..len], self.vcpu.cpu().mode());
        facts.is_some_and(|facts| matches!(facts.kind, Kind::Int(_) | Kind::Int3 | Kind::Into))
    }

    pub(super) fn halted_stop(&self) -> StopReason {
        let cpu = self.vcpu.cpu();
        StopReason::Halted { interruptible: cpu.rflags & RFLAGS_IF != 0, location: cpu.location() }
    }

    /// AMD processors are reset by a shutdown before anyone can look: the state before it is put back then,
    /// as far as it is known.
    pub(super) fn shutdown(&mut self, before: &CpuState) -> Result<StopReason, KvmError> {
        let now = self.vcpu.cpu();
        let was_reset = now.cs_ip() == self.reset_state.cs_ip()
            && now.segments.cs.base == self.reset_state.segments.cs.base
            && before.pc() != now.pc();
        if was_reset || probe::known_facts().is_some_and(|facts| facts.shutdown_resets) {
            self.recover(before)?;
        }
        let after = if self.inexact.is_some() { "after " } else { "" };
        let location = format!("{after}{}", self.vcpu.cpu().location());
        Ok(StopReason::Shutdown { location })
    }
}

/// KVM_INTERNAL_ERROR_DELIVERY_EV.
const INTERNAL_ERROR_DELIVERY: u32 = 3;
/// KVM_INTERNAL_ERROR_EMULATION.
pub(super) const INTERNAL_ERROR_EMULATION: u32 = 1;
