//! The exact step: one instruction, on every host, whatever the instruction is.
//!
//! A processor's trap flag is not enough: it loses the trap with an access that leaves the guest, runs
//! through `INT n`, shows itself in what PUSHF pushes, hides the guest's own trap flag, and takes a repeated
//! string instruction whole or by iterations as the implementation likes. So the instruction is decoded
//! first, and what the trap flag does not step faithfully is stepped in another way (SDM vol. 3B, 18.3.1.4).

mod by_hand;
mod dangers;
mod debug_exception;
mod frame;
mod handlers;
mod own_handler;
pub(super) mod repeat;
mod task_gates;
mod trap_flag;
mod undeliverable;
mod user;
pub(super) mod watch;

use super::crash::ShutDownBy;
use super::interrupts::Look;
use super::{Machine, StopReason};
use crate::kvm::{KvmError, probe};
use crate::x86::instruction::{self, Facts, Hazard, Kind};
use crate::x86::registers::RFLAGS_TF;
use crate::x86::{CpuMode, Gpr, Linear, SegmentName};

/// How a step went.
#[derive(Debug)]
struct Step {
    stop: StopReason,
    /// The instruction, or one iteration of it, is done: traps after it are due. Not so after a fault, after an
    /// interrupt of its own will, and when nothing has run.
    completed: bool,
}

impl Step {
    const COMPLETED: Step = Step { stop: StopReason::Stepped, completed: true };
    const ENTERED: Step = Step { stop: StopReason::Stepped, completed: false };

    /// Ends for `stop`, with no trap to follow.
    fn stopped(stop: StopReason) -> Step {
        Step { stop, completed: false }
    }
}

impl Machine {
    /// Executes one instruction, or one iteration of a repeated string instruction. Breakpoints do not
    /// matter, watchpoints do. [`StopReason::Kicked`] means that a kick came first and nothing has run.
    pub fn step(&mut self) -> StopReason {
        self.crash = None;
        self.start_time();
        self.note_user_steps(true);
        let stop = match self.look_for_interrupt(false) {
            Ok(Look::Nothing) => self.step_noticing(),
            // The handler's first instruction is a step's end like any other.
            Ok(
                Look::Stop(StopReason::Breakpoint(_))
                | Look::Entered
                | Look::Stepped
                | Look::Exit(_),
            ) => Ok(StopReason::Stepped),
            Ok(Look::Stop(stop)) => Ok(stop),
            Err(error) => Err(error),
        };
        self.note_user_steps(false);
        self.stop_time();
        self.with_account(stop)
    }

    /// A step off a breakpoint at which the guest goes on at once: interrupts wait while the instruction is executed, if
    /// they do in steps, and come behind it.
    pub fn step_off(&mut self) -> StopReason {
        let accesses = self.port_accesses();
        match self.step() {
            StopReason::Stepped => {}
            stop => return stop,
        }
        self.start_time();
        let stop = self.let_interrupt_in(accesses);
        self.stop_time();
        self.with_account(stop)
    }

    /// The breakpoint on the repetition that is under way at the next instruction, if there is one.
    #[must_use]
    pub fn hit_in_repetition(&self) -> Option<StopReason> {
        let at = self.mid_rep.filter(|at| *at == self.vcpu.cpu().pc())?;
        self.breakpoints.contains(at).then_some(StopReason::Breakpoint(at))
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
        if let Some(stop) = self.limit_stop() {
            return Ok(stop);
        }
        self.checkpoint_if_needed()?;
        let before = self.before_step();
        let mid_rep = self.mid_rep.take();
        self.shut_down_by = Some(ShutDownBy::Instruction);
        let stop = self.step_with_traps()?;
        if !matches!(stop, StopReason::Shutdown { .. }) {
            self.shut_down_by = None;
        }
        if stop == StopReason::Kicked {
            // Nothing has run: the repetition is where it was.
            self.mid_rep = mid_rep;
        } else {
            self.stats.steps += 1;
            self.note_step(before);
            self.count_step(&stop);
        }
        Ok(stop)
    }

    /// The instruction, and the debug exceptions that the guest itself has asked for before and after it.
    fn step_with_traps(&mut self) -> Result<StopReason, KvmError> {
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let code = &buffer[..len];
        let facts = instruction::decode(code, self.vcpu.cpu().mode());
        if !self.behind_load_of_ss
            && let Some(stop) = self.debug_fault(facts)?
        {
            return Ok(stop);
        }
        let traps = self.traps_after(code, facts)?;
        self.stepped_special =
            facts.is_some_and(|facts| matches!(facts.kind, Kind::Special | Kind::DebugRegister));
        let step = match self.step_at_task_gates(facts)? {
            Some(step) => step,
            None => self.step_decoded(facts)?,
        };
        if step.stop != StopReason::Kicked {
            let loads_ss = matches!(facts, Some(Facts { kind: Kind::LoadSs, .. }));
            self.behind_load_of_ss = step.completed && loads_ss;
        }
        if !step.completed {
            // After a kick nothing has run: they are due still.
            if step.stop != StopReason::Kicked {
                self.held_traps = 0;
            }
            return Ok(step.stop);
        }
        if self.behind_load_of_ss {
            // Held back for one instruction, but for single-step, which is lost (SDM vol. 3A, 6.8.3).
            self.held_traps = traps.data;
            return Ok(step.stop);
        }
        let mut traps = traps;
        if matches!(facts, Some(Facts { kind: Kind::FastCall, .. })) {
            traps.single_step = self.single_step_cause();
        }
        let due = traps.all() | std::mem::take(&mut self.held_traps);
        let end = if due == 0 { None } else { self.debug_trap(due)? };
        Ok(match step.stop {
            StopReason::Stepped => end.unwrap_or(StopReason::Stepped),
            stop => stop,
        })
    }

    fn step_decoded(&mut self, facts: Option<Facts>) -> Result<Step, KvmError> {
        if let Some(step) = self.step_undeliverable(facts)? {
            return Ok(step);
        }
        let Some(facts) = facts else { return self.step_invalid() };
        if facts.kind == Kind::Special
            && let Some(stop) = self.paging_refused_here()?
        {
            return Ok(Step::stopped(stop));
        }
        let cpu = self.vcpu.cpu();
        let (cpl, mode, trap_flag) = (cpu.cpl(), cpu.mode(), cpu.rflags & RFLAGS_TF != 0);
        if let Some(service) = self.trap_here(facts.kind) {
            return self.step_trap(service, facts.len);
        }
        match facts.kind {
            // With the trap flag set the trap ends the halt at once.
            Kind::Hlt if cpl == 0 && trap_flag => self.step_over_hlt(facts.len),
            Kind::Hlt if cpl == 0 => self.step_hlt(facts.len),
            Kind::Int(_)
            | Kind::Int3
            | Kind::Into
            | Kind::Int1
            | Kind::Iret
            | Kind::LoadSs
            | Kind::FastCall
            | Kind::Untrapped
            | Kind::Movbe => self.step_by_hand(facts),
            Kind::Rep(rep) => self.step_rep(rep, facts),
            Kind::Pushf(_) => self.step_pushf(facts),
            Kind::Popf(_) => self.step_popf(facts),
            Kind::DebugRegister => {
                let step = self.step_forward(facts);
                self.vcpu.forget_debug_registers();
                step
            }
            Kind::Hypercall if self.is_endless(probe::host_facts()?) => {
                self.answer_hypercall()?;
                Ok(Step::COMPLETED)
            }
            _ if facts.stays_in_registers() && probe::host_facts()?.refuses_integers() => {
                self.step_in_registers(facts)
            }
            // In the outer rings a software KVM makes #UD of what it does not know.
            _ if cpl == 3 && mode != CpuMode::Real && probe::host_facts()?.refuses_integers() => {
                self.step_by_hand(facts)
            }
            _ if facts.pushes_in_pieces() && self.pushes_to_device() => self.step_by_hand(facts),
            Kind::Other if facts.hazard == Hazard::LoadSegment && self.has_table_outside_ram() => {
                self.step_by_hand(facts)
            }
            // The flags of the new task would replace the trap flag.
            Kind::Other if facts.is_far() && self.switches_task() => self.step_by_hand(facts),
            Kind::Other | Kind::PushAll if !facts.branches => self.step_plain(facts),
            Kind::Other if facts.hazard == Hazard::None => self.step_branch(facts),
            _ if !facts.branches => self.step_forward(facts),
            _ => self.step_by_trap_flag(Some(facts)),
        }
    }

    /// Whether a push goes to a device's memory, where KVM lets the last write of an instruction arrive only.
    pub(super) fn pushes_to_device(&self) -> bool {
        const BELOW_TOP: u64 = u64::MAX;
        self.is_in_device(self.stack_address(BELOW_TOP))
    }

    /// Linear address `offset` bytes above the top of the stack, in the stack segment's width.
    pub(super) fn stack_address(&self, offset: u64) -> Linear {
        let cpu = self.vcpu.cpu();
        let sp = cpu.get(Gpr::Rsp).wrapping_add(offset) & cpu.stack_mask();
        cpu.linear(SegmentName::Ss, sp)
    }
}
