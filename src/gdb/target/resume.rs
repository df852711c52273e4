//! Resuming: `vCont`, `c`, `s`. Only the wish is noted; the server runs the machine.

use std::convert::Infallible;
use std::ops::Range;

use gdbstub::common::Signal;
use gdbstub::target::ext::base::singlethread::{
    SingleThreadRangeStepping, SingleThreadRangeSteppingOps, SingleThreadResume,
    SingleThreadSingleStep, SingleThreadSingleStepOps,
};

use super::Guest;
use crate::machine::StopReason;
use crate::x86::Linear;

/// How the guest goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something stops it.
    Continue,
    /// By one instruction.
    Step,
    /// Until the program counter leaves the range.
    Range(Range<Linear>),
}

impl Guest<'_> {
    /// Lets the guest go on as `resume` says.
    pub fn run(&mut self, resume: &Resume) -> StopReason {
        self.stepping = *resume != Resume::Continue;
        self.remember_watched();
        let stop = loop {
            let mode = self.machine.cpu().mode();
            let stop = match resume {
                Resume::Continue => self.machine.run(),
                // A range may be left at any place, here at a switch of the mode.
                Resume::Range(_) if self.machine.stops_at_mode_switch() => self.machine.step(),
                Resume::Step => self.machine.step(),
                Resume::Range(range) => self.machine.step_range(range.clone()),
            };
            let now = self.machine.cpu().mode();
            if stop == StopReason::Stepped && self.machine.stops_at_mode_switch() && now != mode {
                break StopReason::ModeSwitch(now);
            }
            if !self.passes(&stop) {
                break stop;
            }
            // On from the breakpoint; the next step through a range leaves it anyway.
            if *resume == Resume::Continue {
                match self.machine.step() {
                    StopReason::Stepped => {}
                    stop => break stop,
                }
            }
            self.has_moved();
        };
        // After a kick with nothing done, the breakpoint has had its turn already.
        if stop != StopReason::Kicked {
            self.has_moved();
        }
        stop
    }
}

/// A signal to be delivered has no meaning for a machine and is ignored, as gdb passes the one that it was
/// told last.
impl SingleThreadResume for Guest<'_> {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.resume = Some(Resume::Continue);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<SingleThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Guest<'_> {
    fn step(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.resume = Some(Resume::Step);
        Ok(())
    }
}

impl SingleThreadRangeStepping for Guest<'_> {
    fn resume_range_step(&mut self, start: u64, end: u64) -> Result<(), Infallible> {
        self.resume = Some(Resume::Range(Linear(start)..Linear(end)));
        Ok(())
    }
}
