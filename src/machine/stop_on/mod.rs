//! Stops that the user asks for besides breakpoints and watchpoints: at exceptions, before the guest's handler
//! runs, at breakpoints in the guest's own source, and at catchpoints: software interrupts, ports, switches of
//! the mode.

pub mod catchpoint;
pub mod caught;
pub mod exceptions;
pub mod marks;

use std::fmt;

use super::{Machine, StopReason};
use crate::kvm::KvmError;
use crate::x86::exceptions::ExceptionSet;
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::{CpuMode, Linear};
use catchpoint::Catchpoints;
use marks::{Mark, MarkStop, Marks};

/// What the machine stops on at the user's wish, and where it stands with that.
#[derive(Clone, Debug, Default)]
pub struct StopOn {
    exceptions: ExceptionSet,
    /// Breakpoints in the guest's source.
    pub marks: Marks,
    /// Catchpoints.
    pub catchpoints: Catchpoints,
    /// The stop has been told: the exception of the instruction here takes its course.
    told: Option<Linear>,
    /// The same of a software interrupt.
    caught: Option<Linear>,
    /// A switch out of this mode that another reason to stop has come before.
    left_mode: Option<CpuMode>,
    /// Causes of a debug exception that is due before the next instruction.
    due_traps: u64,
}

impl StopOn {
    /// Whether the guest has to be stepped for it.
    #[must_use]
    pub fn needs_steps(&self) -> bool {
        self.looks_at_instructions() || self.catchpoints.need_steps()
    }

    /// Whether exceptions or marks are wanted.
    fn looks_at_instructions(&self) -> bool {
        !self.exceptions.is_empty() || self.marks.int3 || self.marks.xchg || self.due_traps != 0
    }

    /// The exceptions.
    #[must_use]
    pub fn exceptions(&self) -> ExceptionSet {
        self.exceptions
    }

    /// Stops on these exceptions from now on.
    pub fn set_exceptions(&mut self, exceptions: ExceptionSet) {
        self.exceptions = exceptions;
        self.told = None;
    }

    /// Forgets where it stands: the guest starts anew.
    pub(super) fn reset(&mut self) {
        self.told = None;
        self.caught = None;
        self.left_mode = None;
        self.due_traps = 0;
    }
}

impl Machine {
    /// What the machine stops on besides breakpoints.
    #[must_use]
    pub fn stop_on(&self) -> &StopOn {
        &self.stop_on
    }

    /// The same, to be changed.
    pub fn stop_on_mut(&mut self) -> &mut StopOn {
        &mut self.stop_on
    }

    /// One step that stops at what the user wants to know of.
    pub(super) fn step_noticing(&mut self) -> Result<StopReason, KvmError> {
        if !self.stop_on.needs_steps() || self.halted {
            self.pass_interrupt();
            return self.step_watched();
        }
        let now = self.vcpu.cpu().mode();
        let mode = self.stop_on.left_mode.take().unwrap_or(now);
        let stop = if self.stop_on.looks_at_instructions() {
            self.step_to_exception()?
        } else {
            self.step_watched()?
        };
        // Otherwise nothing has run.
        if !matches!(stop, StopReason::Kicked | StopReason::Exception(_)) {
            self.pass_interrupt();
        }
        if stop != StopReason::Stepped {
            let left = mode != self.vcpu.cpu().mode();
            self.stop_on.left_mode = left.then_some(mode);
            return Ok(stop);
        }
        let caught = self.catch_mode_switch(mode).or_else(|| self.catch_interrupt());
        Ok(caught.unwrap_or(stop))
    }

    /// The stop that is due before anything runs: a catchpoint that has not been told.
    pub(super) fn catch_here(&mut self) -> Option<StopReason> {
        let left = self.stop_on.left_mode.take();
        left.and_then(|mode| self.catch_mode_switch(mode)).or_else(|| self.catch_interrupt())
    }

    /// The same but for catchpoints.
    fn step_to_exception(&mut self) -> Result<StopReason, KvmError> {
        let before = self.vcpu.cpu().clone();
        if self.stop_on.due_traps != 0 {
            let cause = std::mem::take(&mut self.stop_on.due_traps);
            self.stop_on.told = Some(before.pc());
            let stop = self.debug_trap(cause)?;
            self.stop_on.told = None;
            return Ok(stop.unwrap_or(StopReason::Stepped));
        }
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let facts = instruction::decode(&buffer[..len], before.mode());
        if let Some(Facts { kind: Kind::Int3, len, .. }) = facts
            && self.stop_on.marks.int3
        {
            return self.pass_int3(&before, len);
        }
        let is_mark =
            self.stop_on.marks.xchg && instruction::is_xchg_bx(&buffer[..len], before.mode());
        let mid_rep = self.mid_rep;
        let passes = self.stop_on.told == Some(before.pc());
        let stop = self.step_watched()?;
        match stop {
            // Nothing has run.
            StopReason::Kicked => return Ok(stop),
            StopReason::Exception(_) => return Ok(stop),
            _ => self.stop_on.told = None,
        }
        let stepped = matches!(stop, StopReason::Stepped | StopReason::Watchpoint(_));
        if is_mark && stop == StopReason::Stepped {
            return Ok(StopReason::Mark(MarkStop {
                mark: Mark::Xchg,
                location: before.location(),
            }));
        }
        if !stepped || passes || self.stop_on.exceptions.is_empty() {
            return Ok(stop);
        }
        let Some(found) = self.exception_entered(&before, facts)? else { return Ok(stop) };
        // What the exception wrote below the stack pointer stays; it will be written again.
        self.vcpu.set_cpu(&before)?;
        self.mid_rep = mid_rep;
        self.forget_checkpoint();
        self.stop_on.told = Some(before.pc());
        Ok(StopReason::Exception(found))
    }

    /// Tells the user once that the guest is stepped for this.
    pub(super) fn tell_stepping(&mut self) {
        if !std::mem::replace(&mut self.told_slow, true) {
            self.observer.notice(&format!(
                "the guest runs instruction by instruction now, tens of times slower: {}",
                self.stop_on
            ));
        }
    }
}

impl fmt::Display for StopOn {
    /// Why the guest is stepped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopOn { exceptions, marks, catchpoints, .. } = self;
        let mut wishes = Vec::new();
        if !exceptions.is_empty() {
            wishes.push(format!("to stop on {exceptions}"));
        }
        if marks.int3 || marks.xchg {
            wishes.push(format!("to break on {marks}"));
        }
        let points = catchpoints.iter().filter(|entry| entry.catchpoint.needs_steps());
        wishes.extend(points.map(|entry| format!("to stop at `{}`", entry.catchpoint)));
        write!(f, "it is {}", wishes.join(" and "))
    }
}
