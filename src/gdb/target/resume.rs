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
use crate::machine::interrupts::Interrupts;
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
        self.machine.remember_breakpoints(self.stepping);
        if let Some(hit) = self.next_hit() {
            return hit;
        }
        self.remember_watched();
        let mut again = self.pass_reported(resume);
        let stop = loop {
            let mode = self.machine.cpu().mode();
            let stop = match resume {
                Resume::Continue => again.take().unwrap_or_else(|| self.machine.run()),
                // A range may be left at any place, here at a switch of the mode.
                Resume::Range(_) if self.machine.stops_at_mode_switch() => self.step(),
                Resume::Step => self.step(),
                Resume::Range(_) if self.machine.is_halted() => self.step(),
                Resume::Range(range) => {
                    let before = self.machine.cpu().pc();
                    let stop = self.machine.step_range(range.clone());
                    self.behind_halt(before, stop)
                }
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
                match self.leave_breakpoint() {
                    StopReason::Stepped => {}
                    stop => break stop,
                }
            }
            self.has_moved();
            // gdb, which goes on from a breakpoint by a step, looks at it before each iteration.
            if let Some(hit) = self.machine.hit_in_repetition()
                && *resume == Resume::Continue
            {
                again = Some(hit);
            }
            // Instructions that never enter the guest would not notice the kick.
            if self.machine.take_kick() {
                break StopReason::Kicked;
            }
        };
        // After a kick with nothing done, the breakpoint has had its turn already.
        if stop != StopReason::Kicked {
            self.has_moved();
        }
        if let StopReason::Breakpoint(addr) = stop {
            self.reported = Some(addr);
        }
        self.first_hit(stop)
    }
}

impl Guest<'_> {
    /// One step. A halted processor wakes for those who want interrupts in steps, and for a client that steps off a
    /// breakpoint behind the HLT: it goes on from wherever that ends, and would never get away from there.
    fn step(&mut self) -> StopReason {
        let before = self.machine.cpu().pc();
        let steps_off = self.steps_off.unwrap_or_else(|| {
            self.machine.remembered_breakpoints().contains(before)
                && !self.machine.breakpoints().contains(before)
        });
        let wakes = steps_off || self.machine.interrupts() == Interrupts::On;
        if self.machine.is_halted() && wakes {
            return match self.machine.wake() {
                // As behind any step.
                StopReason::Breakpoint(_) => StopReason::Stepped,
                stop => stop,
            };
        }
        let stop = self.machine.step();
        self.behind_halt(before, stop)
    }

    /// HLT is an instruction like any other to those who step over it from `before`, if an interrupt can end it.
    fn behind_halt(&self, before: Linear, stop: StopReason) -> StopReason {
        let waits = matches!(stop, StopReason::Halted { interruptible: true, .. });
        if waits && self.machine.cpu().pc() != before { StopReason::Stepped } else { stop }
    }

    /// Steps off the breakpoint at the next instruction, and on to the next one if that is near: to arm and
    /// disarm debug registers takes as long as a few steps.
    fn leave_breakpoint(&mut self) -> StopReason {
        let steps = self.nearness.steps();
        for _ in 0..steps {
            let (before, mode) = (self.machine.cpu().pc(), self.machine.cpu().mode());
            if self.machine.is_halted() {
                // Going on wakes it.
                return StopReason::Stepped;
            }
            let stop = self.machine.step_off();
            match self.behind_halt(before, stop) {
                StopReason::Stepped => {}
                stop => return stop,
            }
            let (pc, now) = (self.machine.cpu().pc(), self.machine.cpu().mode());
            if self.machine.stops_at_mode_switch() && now != mode {
                return StopReason::ModeSwitch(now);
            }
            if pc == before {
                // A repetition, whose breakpoint has had its turn, or a jump to itself.
                return StopReason::Stepped;
            }
            if self.machine.breakpoints().contains(pc) {
                self.nearness.found();
                return StopReason::Stepped;
            }
        }
        self.nearness.missed(steps);
        StopReason::Stepped
    }
}

/// Whether breakpoints follow on each other so closely that it pays to step from one to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nearness {
    /// How many breakpoints are left without a look at what follows.
    pause: u32,
    /// How long the last such pause was.
    last: u32,
}

impl Nearness {
    /// Steps that are worth trying.
    const NEAR: u32 = 4;
    /// Longest pause, in breakpoints.
    const LONGEST: u32 = 1024;

    /// How many steps to make from a breakpoint on, at least the one that leaves it.
    fn steps(&mut self) -> u32 {
        if self.pause == 0 {
            return Nearness::NEAR;
        }
        self.pause -= 1;
        1
    }

    fn found(&mut self) {
        *self = Nearness::default();
    }

    fn missed(&mut self, steps: u32) {
        if steps > 1 {
            self.last = (2 * self.last + 1).min(Nearness::LONGEST);
            self.pause = self.last;
        }
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
