//! Running at full speed, the debug registers armed, until something is hit.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::long_mode::Tables;
use super::undefined::TakenBack;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, GuestDebug, KvmError, probe};
use crate::machine::interrupts::Look;
use crate::machine::plan::{DebugPlan, Slots};
use crate::machine::stop::WatchHit;
use crate::machine::{Machine, StopReason};
use crate::x86::debug::{DEBUG_SLOTS, DR6_BS, DebugHits, DebugSlot};
use crate::x86::registers::{CR0_PE, RFLAGS_RF};
use crate::x86::{CpuState, Linear, vectors};

impl Machine {
    /// Runs as `plan` says, with `slots` armed. No stop means that another plan is needed.
    pub(in crate::machine) fn run_free(
        &mut self,
        plan: &DebugPlan,
        slots: Slots,
    ) -> Result<Option<StopReason>, KvmError> {
        self.behind_load_of_ss = false;
        self.pass_interrupt();
        self.guard.watch(plan.recheck)?;
        let end = self.run_guarded(plan, &slots);
        self.guard.rest();
        let end = end?;
        match end {
            None => {}
            Some(StopReason::Kicked) if self.single_step_cause() == 0 => {
                self.pass_finished_repetition()?;
            }
            Some(StopReason::Kicked) => {}
            Some(ref stop) => self.clear_left_resume_flag(stop)?,
        }
        Ok(end)
    }

    /// RF is clear after any instruction but the IRET that sets it (SDM vol. 3B, 18.3.1.1). KVM leaves it set in three
    /// places more: between the iterations of a repetition that it emulates, behind a fault that it delivers itself, in
    /// real mode, until the handler's first instruction is done, and before one that it cannot deliver.
    fn clear_left_resume_flag(&mut self, stop: &StopReason) -> Result<(), KvmError> {
        let cpu = self.vcpu.cpu();
        if cpu.rflags & RFLAGS_RF == 0 {
            return Ok(());
        }
        let is_handler = |vector| vectors::handler(cpu, self, vector) == Some(cpu.pc());
        let enters = cpu.cr0 & CR0_PE == 0 && (0..=vectors::LAST_EXCEPTION).any(is_handler);
        let behind_iret = match stop {
            // It stops before the first iteration.
            StopReason::Breakpoint(_) => !enters,
            StopReason::Watchpoint(_) => !enters && self.rep_here().is_none(),
            _ => false,
        };
        if behind_iret {
            return Ok(());
        }
        let mut cpu = self.vcpu.cpu().clone();
        cpu.rflags &= !RFLAGS_RF;
        self.vcpu.set_cpu(&cpu)
    }

    fn run_guarded(
        &mut self,
        plan: &DebugPlan,
        slots: &Slots,
    ) -> Result<Option<StopReason>, KvmError> {
        if let Some(stop) = self.settle_trap()? {
            return Ok(Some(stop));
        }
        self.arm_free(slots)?;
        let mut unfinished = false;
        let mut carried = None;
        let mut tables = Tables::of(self.vcpu.cpu());
        loop {
            let looked = match carried.take() {
                Some(exit) => Look::Exit(exit),
                None => self.look_for_interrupt(unfinished)?,
            };
            let before = self.vcpu.cpu().clone();
            let exit = match looked {
                Look::Stop(stop) => return Ok(Some(stop)),
                Look::Exit(exit) => exit,
                Look::Entered | Look::Stepped | Look::Nothing
                    if self.steps_to_interrupt()
                        || self.steps_into_long_mode(plan)?
                        || self.pushes_to_watched_device(plan)
                        || plan.recheck && tables != Tables::of(self.vcpu.cpu()) =>
                {
                    if std::mem::take(&mut unfinished)
                        && let Completion::Exit(exit) = self.complete()?
                    {
                        carried = Some(exit);
                        continue;
                    }
                    if let Some(stop) = self.breakpoint_here() {
                        return Ok(Some(stop));
                    }
                    if let Some(stop) = self.step_alone()? {
                        return Ok(Some(stop));
                    }
                    if plan.recheck && !self.still_fits(plan)? {
                        return Ok(None);
                    }
                    tables = Tables::of(self.vcpu.cpu());
                    continue;
                }
                Look::Entered | Look::Stepped | Look::Nothing => {
                    if self.vcpu.is_stepping() {
                        if let Some(stop) = self.settle_trap()? {
                            return Ok(Some(stop));
                        }
                        self.arm_free(slots)?;
                    }
                    self.prepare_to_interrupt()?;
                    let exit = self.enter()?;
                    self.settle_call(exit)?
                }
            };
            if let TakenBack::Completed(stop) = self.take_back_call(&exit, &before)? {
                self.arm_free(slots)?;
                if let Some(stop) = stop.or_else(|| self.breakpoint_here()) {
                    return Ok(Some(stop));
                }
                // A signal may mean more than that.
                if exit != Exit::Interrupted {
                    unfinished = false;
                    continue;
                }
            }
            unfinished = exit.is_access();
            let stop = match exit {
                Exit::InterruptWindow => self.leave_trap()?,
                Exit::MsrWritten => {
                    // SYSCALL may be trapped from here on.
                    self.arm_free(slots)?;
                    self.breakpoint_here()
                }
                Exit::Interrupted => match self.after_signal(plan, slots)? {
                    ControlFlow::Break(end) => return Ok(end),
                    ControlFlow::Continue(()) => None,
                },
                Exit::Debug { dr6 } => {
                    let stop = self.debug_exit(dr6, slots)?;
                    // Those that the guest has just set, where general detect ends the entry.
                    let own = stop.is_none() && self.has_own_breakpoints()?;
                    if own && !self.still_fits(plan)? {
                        return Ok(None);
                    }
                    stop
                }
                exit if exit.is_access() => {
                    let stop = self.serve_watching(&exit, &before)?;
                    // A repetition of it may have been stepped.
                    let stop = if stop.is_none() { self.settle_trap()? } else { stop };
                    self.arm_free(slots)?;
                    stop
                }
                exit @ (Exit::InternalError { .. } | Exit::Shutdown) => {
                    let stop = self.end_watched(&exit, &before)?;
                    // It may have been the way to ring 3.
                    self.arm_free(slots)?;
                    let stop = stop.or_else(|| self.breakpoint_here());
                    if stop.is_none() && self.is_beyond_guard() {
                        return Ok(None);
                    }
                    stop
                }
                exit => self.end_watched(&exit, &before)?,
            };
            if stop.is_some() {
                return Ok(stop);
            }
        }
    }

    /// After a signal, whatever it has been for. In this order: an interrupt or an #UD that the guest is in the middle of
    /// is led to its end, what is to be told of the guest is told, and a pause or a breakpoint ends the run; only then
    /// comes what needs another plan, and the deadline. Breaks with how the run ends, as of [`Machine::run_free`].
    fn after_signal(
        &mut self,
        plan: &DebugPlan,
        slots: &Slots,
    ) -> Result<ControlFlow<Option<StopReason>>, KvmError> {
        self.note_signal();
        if let Some(stop) = self.leave_trap()? {
            return Ok(ControlFlow::Break(Some(stop)));
        }
        self.look_for_padding();
        if let TakenBack::Completed(stop) = self.take_from_circle()? {
            if stop.is_some() {
                return Ok(ControlFlow::Break(stop));
            }
            self.arm_free(slots)?;
        }
        // A breakpoint comes first.
        if self.breakpoint_here().is_none()
            && let Some(stop) = self.find_refused_paging()?
        {
            return Ok(ControlFlow::Break(Some(stop)));
        }
        self.look_for_unanswered()?;
        if self.vcpu.take_kick() {
            return Ok(ControlFlow::Break(Some(StopReason::Kicked)));
        }
        // The signal came before the debug register's turn; what follows may step.
        if let Some(stop) = self.breakpoint_here() {
            return Ok(ControlFlow::Break(Some(stop)));
        }
        if plan.recheck && !self.still_fits(plan)? || self.guard.steps_instead() {
            return Ok(ControlFlow::Break(None));
        }
        if self.guard.has_struck() {
            let stop = self.look_after_deadline()?;
            self.arm_free(slots)?;
            if stop.is_some() {
                return Ok(ControlFlow::Break(stop));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// An exit that is no access: it may end in an instruction completed by hand, which no debug register and
    /// no exit shows.
    fn end_watched(
        &mut self,
        exit: &Exit,
        before: &CpuState,
    ) -> Result<Option<StopReason>, KvmError> {
        let end = |machine: &mut Machine| {
            let stop = machine.serve_or_end(exit, before)?;
            Ok(stop.unwrap_or(StopReason::Stepped))
        };
        let stop = self.watched(end)?;
        Ok((stop != StopReason::Stepped).then_some(stop))
    }

    /// Whether the guest has its stack in a device's memory while some such is watched: steps lose nothing there.
    fn pushes_to_watched_device(&self, plan: &DebugPlan) -> bool {
        !plan.shows_video && self.pushes_to_device()
    }

    /// Whether what the plan was made for is still so.
    fn still_fits(&self, plan: &DebugPlan) -> Result<bool, KvmError> {
        let now = self.plan()?;
        let needs = |plan: &DebugPlan| (plan.drive, plan.coalesce, plan.shows_video);
        Ok(needs(&now) == needs(plan))
    }

    /// Arms what the plan wants, and in the registers that it leaves free first the guard for which it reserves one, then
    /// that of SYSCALL, and last the instructions that this host never gets past: those the deadline notices as well.
    fn arm_free(&mut self, slots: &Slots) -> Result<(), KvmError> {
        let debug = GuestDebug { slots: slots.armed, general_detect: true, ..GuestDebug::OFF };
        let mut debug = self.with_call_guard(self.with_undefined_guard(debug));
        let sites = self.guard.sites().filter(|site| !self.breakpoints.contains(*site));
        let free = debug.slots.iter_mut().filter(|slot| slot.is_none());
        for (slot, site) in free.zip(sites) {
            *slot = Some(DebugSlot::execute(site));
        }
        self.vcpu.arm(debug)
    }

    fn debug_exit(&mut self, dr6: u64, slots: &Slots) -> Result<Option<StopReason>, KvmError> {
        if dr6 & DR6_BS != 0 {
            // The guest's own trap flag, whose exception KVM leaves to whoever uses the debug registers: its frame is
            // pushed by hand, which they do not notice.
            let end = |machine: &mut Machine| {
                Ok(machine.debug_trap(DR6_BS)?.unwrap_or(StopReason::Stepped))
            };
            let stop = self.watched(end)?;
            let stop = (stop != StopReason::Stepped).then_some(stop);
            let stop = stop.or_else(|| self.watchpoint(&data_hits(dr6, slots)));
            return Ok(stop.or_else(|| self.breakpoint_here()));
        }
        let hit = self.watchpoint(&data_hits(dr6, slots));
        if hit.is_some() {
            self.note_repetition();
            return Ok(hit);
        }
        if let TakenBack::Completed(stop) = self.take_back_undefined()? {
            self.arm_free(slots)?;
            return Ok(stop.or_else(|| self.breakpoint_here()));
        }
        let pc = self.vcpu.cpu().pc();
        if self.breakpoints.contains(pc) {
            return Ok(Some(StopReason::Breakpoint(pc)));
        }
        let stop = if self.guard.has_site(pc) {
            self.pass_endless(probe::host_facts()?)?
        } else {
            // Not one of ours: general detect, or something that the guest armed. A step leads past it.
            match self.step_watched()? {
                StopReason::Stepped => self.settle_trap()?,
                stop => Some(stop),
            }
        };
        self.arm_free(slots)?;
        Ok(stop.or_else(|| self.breakpoint_here()))
    }

    /// After a step over an access: kvm-intel may have left its trap pending in the processor, and a guest that
    /// runs freely would get it as its own debug exception. A step over something else takes it away. A software KVM has
    /// nothing pending there, and may be unable to step the ring that the guest is in now.
    fn settle_trap(&mut self) -> Result<Option<StopReason>, KvmError> {
        while self.trap_may_linger && !self.vcpu.may_be_software() {
            if let Some(stop) = self.step_alone()? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    /// A step of a guest that runs freely.
    fn step_alone(&mut self) -> Result<Option<StopReason>, KvmError> {
        match self.step_watched()? {
            StopReason::Stepped => {}
            stop => return Ok(Some(stop)),
        }
        if let Some(stop) = self.breakpoint_here() {
            return Ok(Some(stop));
        }
        // Steps that never enter the guest would not notice the kick.
        let kicked = self.vcpu.take_kick();
        Ok(kicked.then_some(StopReason::Kicked))
    }

    /// The stop for a breakpoint at the next instruction, if there is one.
    pub(in crate::machine) fn breakpoint_here(&self) -> Option<StopReason> {
        let pc = self.vcpu.cpu().pc();
        let hits = self.mid_rep.is_none() && self.breakpoints.contains(pc);
        hits.then_some(StopReason::Breakpoint(pc))
    }

    /// The stop for the watchpoints with these numbers, if there are any: all hit by one instruction.
    pub(in crate::machine) fn watchpoint(&mut self, numbers: &[usize]) -> Option<StopReason> {
        let watches = self.breakpoints.watches();
        self.watch_hits = numbers.iter().filter_map(|n| watches.get(*n).copied()).collect();
        let first = self.watch_hits.first()?;
        Some(StopReason::Watchpoint(WatchHit { addr: first.addr, kind: first.kind }))
    }

    /// After an access that stops the guest: if the next instruction is a repetition that is not finished, it
    /// is under way. A breakpoint on it would have stopped it before its first iteration.
    pub(in crate::machine) fn note_repetition(&mut self) {
        let pc = self.vcpu.cpu().pc();
        if self.rep_here().is_some() && !self.breakpoints.contains(pc) {
            self.mid_rep = Some(pc);
        }
    }
}

/// The watchpoints whose debug registers `dr6` names, each once though it may take several.
fn data_hits(dr6: u64, slots: &Slots) -> Vec<usize> {
    let hits = DebugHits::decode(dr6).among(&slots.armed);
    let numbers: BTreeSet<usize> = hits.filter_map(|slot| slots.watch[slot]).collect();
    numbers.into_iter().collect()
}

/// How many sites of endless instructions are worth remembering.
pub(in crate::machine) const SITES: usize = DEBUG_SLOTS;

/// Where such an instruction is.
pub(in crate::machine) type Site = Linear;
