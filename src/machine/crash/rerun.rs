//! Finding the instruction that shut the processor down, where the shutdown has destroyed the registers: the
//! guest runs once more from the last checkpoint, its output muted, in shorter and shorter pieces with a
//! checkpoint after each, then step by step.
//!
//! A guest whose second run takes another course, because it looks at a clock, is not found; the caller then
//! has what was known before.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::kvm::vcpu::Completion;
use crate::kvm::{Deadline, Exit, GuestDebug, KvmError};
use crate::machine::observer::Deaf;
use crate::machine::{Machine, StopReason};

/// Pieces are not made shorter than this; what is left is stepped.
const SHORTEST: Duration = Duration::from_micros(2);
/// So many pieces are tried.
const MOST_PIECES: u32 = 400;
/// So many pieces without an instruction are borne with.
const MOST_IDLE: u32 = 3;
/// How long stepping may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the instruction was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::machine) enum Lost {
    /// There is no checkpoint.
    #[error("there is nothing to go back to")]
    NoCheckpoint,
    /// What happened depends on when an interrupt came.
    #[error("interrupts came in between, and a second run would get them elsewhere")]
    Interrupted,
    /// Something else happened than before.
    #[error("a second run took another course")]
    OtherCourse,
    /// It took too long.
    #[error("it takes too many instructions")]
    TooLong,
    /// The user wants something else.
    #[error("the search was interrupted")]
    Kicked,
}

/// How a piece ended.
enum Piece {
    /// Its time was over, or it came to the access it was to come to.
    Over,
    Shutdown,
}

impl Machine {
    /// After a shutdown that has reset the vCPU: puts the machine before the instruction that did it. If that
    /// cannot be found, all is put back as it was at the shutdown, but for the processor, which stands at the
    /// checkpoint.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(in crate::machine) fn find_shutdown(&mut self) -> Result<Result<(), Lost>, KvmError> {
        let Some(rewind) = &self.rewind else { return Ok(Err(Lost::NoCheckpoint)) };
        if rewind.interrupted {
            return Ok(Err(Lost::Interrupted));
        }
        let course = Course {
            accesses: rewind.accesses,
            digest: rewind.digest,
            steps: (!rewind.free).then_some(rewind.steps),
            tail: rewind.tail,
        };

        let observer = mem::replace(&mut self.observer, Box::new(Deaf));
        let trace = self.trace.take();
        let stats = self.stats.clone();
        let devices = self.devices.save();
        let reported = self.reported.clone();
        let kicked = self.vcpu.take_kick();
        let (changed, found) = match self.rewind() {
            Ok(changed) => (changed, self.run_again(&course)),
            Err(error) => (BTreeMap::new(), Err(error)),
        };

        self.observer = observer;
        self.trace = trace;
        self.stats = stats;
        if kicked || matches!(found, Ok(Err(Lost::Kicked))) {
            self.vcpu.kicker().kick();
        }
        if !matches!(found, Ok(Ok(()))) {
            self.rewind()?;
            for (addr, contents) in &changed {
                let _ = self.vm.ram().write(*addr, contents);
            }
            if let Err(error) = self.devices.restore(&devices) {
                log::error!("{error}");
            }
            self.reported = reported;
        }
        self.forget_checkpoint();
        found
    }

    fn run_again(&mut self, course: &Course) -> Result<Result<(), Lost>, KvmError> {
        if let Some(steps) = course.steps {
            return self.step_again(steps);
        }
        if course.accesses > 0 {
            match self.run_to_access(course)? {
                Ok(()) => self.checkpoint()?,
                Err(lost) => return Ok(Err(lost)),
            }
        }
        let mut piece = course.tail / 2;
        let mut idle = 0;
        for _ in 0..MOST_PIECES {
            if piece < SHORTEST || idle > MOST_IDLE {
                break;
            }
            let before = self.vcpu.cpu().clone();
            match self.run_piece(piece)? {
                // The guest is entered more slowly than that.
                Ok(Piece::Over) if *self.vcpu.cpu() == before => idle += 1,
                Ok(Piece::Over) => self.checkpoint()?,
                Ok(Piece::Shutdown) => {
                    self.rewind()?;
                    piece /= 2;
                }
                Err(lost) => return Ok(Err(lost)),
            }
        }
        self.step_to_shutdown()
    }

    /// Runs to the last access before the shutdown, and completes it.
    fn run_to_access(&mut self, course: &Course) -> Result<Result<(), Lost>, KvmError> {
        self.vcpu.arm(GuestDebug::OFF)?;
        let done = |machine: &Machine| {
            machine.rewind.as_ref().is_some_and(|rewind| rewind.accesses == course.accesses)
        };
        while !done(self) {
            let before = self.vcpu.cpu().clone();
            match self.enter()? {
                Exit::Interrupted if self.vcpu.take_kick() => return Ok(Err(Lost::Kicked)),
                Exit::Interrupted => {}
                exit if exit.is_access() => {
                    self.serve(&exit);
                }
                Exit::InternalError { .. } => match self.complete_refused()? {
                    None if self.vcpu.cpu() != &before => {}
                    _ => return Ok(Err(Lost::OtherCourse)),
                },
                _ => return Ok(Err(Lost::OtherCourse)),
            }
        }
        let same = self.rewind.as_ref().is_some_and(|rewind| rewind.digest == course.digest);
        let completed = self.complete()? == Completion::Done;
        Ok(if same && completed { Ok(()) } else { Err(Lost::OtherCourse) })
    }

    /// Runs for about `time`.
    fn run_piece(&mut self, time: Duration) -> Result<Result<Piece, Lost>, KvmError> {
        self.vcpu.arm(GuestDebug::OFF)?;
        let mut deadline = Deadline::new()?;
        deadline.start(time);
        let exit = self.enter();
        deadline.stop();
        Ok(match exit? {
            Exit::Interrupted if self.vcpu.take_kick() => Err(Lost::Kicked),
            Exit::Interrupted => Ok(Piece::Over),
            Exit::Shutdown => Ok(Piece::Shutdown),
            _ => Err(Lost::OtherCourse),
        })
    }

    /// Steps to the instruction that shuts down, and goes back to before it.
    fn step_to_shutdown(&mut self) -> Result<Result<(), Lost>, KvmError> {
        let start = Instant::now();
        self.checkpoint()?;
        loop {
            match self.try_step()? {
                StopReason::Stepped => {}
                StopReason::Shutdown { .. } => break,
                StopReason::Kicked => return Ok(Err(Lost::Kicked)),
                _ => return Ok(Err(Lost::OtherCourse)),
            }
            if self.vcpu.take_kick() {
                return Ok(Err(Lost::Kicked));
            }
            if start.elapsed() > PATIENCE {
                return Ok(Err(Lost::TooLong));
            }
        }
        let steps = self.rewind.as_ref().map_or(0, |rewind| rewind.steps);
        self.rewind()?;
        self.step_again(steps)
    }

    /// Makes `steps` steps from the checkpoint: a step that shuts down loses more than its registers.
    fn step_again(&mut self, steps: u64) -> Result<Result<(), Lost>, KvmError> {
        for _ in 0..steps {
            match self.try_step()? {
                StopReason::Stepped => {}
                StopReason::Kicked => return Ok(Err(Lost::Kicked)),
                _ => return Ok(Err(Lost::OtherCourse)),
            }
        }
        Ok(Ok(()))
    }
}

/// What is known of the run that ended in the shutdown.
struct Course {
    accesses: u64,
    digest: u64,
    /// Only steps, so many before the one that shut down.
    steps: Option<u64>,
    /// Time in the guest after the last access.
    tail: Duration,
}
