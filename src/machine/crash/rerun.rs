//! Finding the instruction that shut the processor down, where the shutdown has destroyed the registers: the
//! guest runs once more from the last checkpoint, its output muted, in shorter and shorter pieces with a
//! checkpoint after each, then step by step.
//!
//! What is found is believed only if the second run was the first one over again: the same accesses with the
//! same data, the same memory after the shutdown, and the same registers where those of the first run are known.
//! A guest whose second run takes another course, because it looks at a clock, is not found; all is put back
//! then, and the caller has what was known before.

use std::mem;
use std::time::{Duration, Instant};

use super::search::{Lost, Search};
use crate::kvm::vcpu::Completion;
use crate::kvm::{Deadline, Exit, GuestDebug, KvmError};
use crate::machine::checkpoint::{Course, Pages, Rest, Rewind, overlay};
use crate::machine::observer::Deaf;
use crate::machine::{Machine, StopReason};
use crate::x86::CpuState;
use crate::x86::registers::{CR0_PG, RFLAGS_RF};

/// Pieces are not made shorter than this; what is left is stepped.
const SHORTEST: Duration = Duration::from_micros(2);
/// So many pieces without an instruction, one after the other, are borne with.
const MOST_IDLE: u32 = 3;
/// The bit of a paging-structure entry that says that it was used (SDM vol. 3A, 4.8).
const ACCESSED: u8 = 1 << 5;
/// A run is looked at so often.
const LOOK: Duration = Duration::from_millis(500);

/// What is searched for, or why it is not found.
type Found<T = ()> = Result<Result<T, Lost>, KvmError>;

/// The value of a [`Found`], whose other outcomes are the function's.
macro_rules! found {
    ($found:expr) => {
        match $found? {
            Ok(value) => value,
            Err(lost) => return Ok(Err(lost)),
        }
    };
}

/// What is known of the run that ended in the shutdown.
struct First {
    course: Course,
    /// RAM after the shutdown.
    memory: Pages,
    /// Accesses up to the last that left the guest.
    served: u64,
    /// Time in the guest after that.
    tail: Duration,
    /// Only steps, so many before the one that shut down.
    steps: Option<u64>,
    /// The registers before the instruction, where it was stepped.
    before: Option<CpuState>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ran {
    /// Its time was over, or it had made the accesses it was to make.
    Over,
    Shutdown,
}

/// How far a run goes, if no shutdown ends it.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// So many accesses are made.
    Accesses(u64),
    /// So much time is over.
    Time(Duration),
}

impl Machine {
    /// After a shutdown that has reset the vCPU: puts the machine before the instruction that did it. If that
    /// cannot be found, all is put back as it was at the shutdown, but for the processor, which stands at the
    /// checkpoint. `before` is the state at the last moment it was known.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(in crate::machine) fn find_shutdown(&mut self, before: &CpuState) -> Found {
        // What has become stale since its run began is none that the run could be repeated from.
        let first = self.rewind.as_deref().filter(|rewind| !rewind.stale).cloned();
        let Some(first) = first else { return Ok(Err(Lost::NoCheckpoint)) };
        if first.interrupted {
            return Ok(Err(Lost::Interrupted));
        }
        let deadline = match Deadline::new() {
            Ok(deadline) => deadline,
            Err(error) => return Ok(Err(Lost::NoTimer(error.with_cause()))),
        };
        let took = self.vcpu.guest_time().saturating_sub(first.taken);
        let before = self.vcpu.is_stepping().then(|| before.clone());
        let rest = self.rest();

        let observer = mem::replace(&mut self.observer, Box::new(Deaf));
        let trace = self.trace.take();
        let stats = self.stats.clone();
        let kicked = self.vcpu.take_kick();
        // Their signals would cut the second run into pieces of their own.
        self.guard.rest();
        self.rest_from_interrupts();
        let mut search = Search::new(observer, deadline, took);
        let found = self.search(first, before, &rest, &mut search);

        self.observer = search.observer;
        self.trace = trace;
        self.stats = stats;
        if kicked || matches!(found, Ok(Err(Lost::Kicked))) {
            self.vcpu.kicker().kick();
        }
        self.forget_checkpoint();
        found
    }

    fn search(
        &mut self,
        checkpoint: Rewind,
        before: Option<CpuState>,
        rest: &Rest,
        search: &mut Search,
    ) -> Found {
        let mut memory = checkpoint.pages.clone();
        overlay(&mut memory, self.rewind()?);
        let first = First {
            course: checkpoint.course,
            memory,
            served: checkpoint.served,
            tail: checkpoint.tail,
            steps: (!checkpoint.free).then_some(checkpoint.steps),
            before,
        };
        let found = self.run_again(&first, search);
        if !matches!(found, Ok(Ok(()))) {
            self.finish_access()?;
            self.put_aside_back(checkpoint, first.memory, rest)?;
        }
        found
    }

    /// An access under way would be finished at the next entry, in the state that is put back.
    fn finish_access(&mut self) -> Result<(), KvmError> {
        while let Completion::Exit(next) = self.vcpu.complete()? {
            if !next.is_access() {
                break;
            }
        }
        Ok(())
    }

    fn run_again(&mut self, first: &First, search: &mut Search) -> Found {
        if let Some(steps) = first.steps {
            found!(self.step_again(steps, search));
        } else {
            found!(self.run_near(first, search));
            found!(self.step_near(search));
        }
        if first.before.as_ref().is_some_and(|before| !is_same(before, self.vcpu.cpu())) {
            return Ok(Err(Lost::OtherCourse));
        }
        self.shut_down_again(first, search)
    }

    /// Runs to shortly before the shutdown.
    fn run_near(&mut self, first: &First, search: &mut Search) -> Found {
        if first.served > 0 {
            let until = Until::Accesses(first.served);
            match found!(self.run_on(until, first, search)) {
                Ran::Over => self.checkpoint()?,
                // The last accesses were queued this time.
                Ran::Shutdown => found!(self.check_end(first)),
            }
        }
        // That the pieces are too many for what is left of the run.
        let most = first.tail.saturating_mul(4).saturating_add(Duration::from_secs(2));
        let mut ran = Duration::ZERO;
        let mut piece = first.tail / 2;
        let mut idle = 0;
        while piece >= SHORTEST && idle <= MOST_IDLE {
            let before = (self.vcpu.cpu().clone(), self.course());
            let start = self.vcpu.guest_time();
            match found!(self.run_on(Until::Time(piece), first, search)) {
                Ran::Over => {
                    // The guest may be entered more slowly than that.
                    let moved = (self.vcpu.cpu(), self.course()) != (&before.0, before.1);
                    idle = if moved { 0 } else { idle + 1 };
                    ran += self.vcpu.guest_time() - start;
                    self.checkpoint()?;
                }
                Ran::Shutdown => {
                    found!(self.check_end(first));
                    piece /= 2;
                }
            }
            if ran > most {
                return Ok(Err(Lost::OtherCourse));
            }
        }
        Ok(Ok(()))
    }

    /// Runs freely until a shutdown or `until`; no access is under way then.
    fn run_on(&mut self, until: Until, first: &First, search: &mut Search) -> Found<Ran> {
        self.vcpu.arm(GuestDebug::OFF)?;
        search.deadline.start(match until {
            Until::Accesses(_) => LOOK,
            Until::Time(time) => time.min(LOOK),
        });
        let ran = self.run_on_timed(until, first, search);
        search.deadline.stop();
        ran
    }

    fn run_on_timed(&mut self, until: Until, first: &First, search: &mut Search) -> Found<Ran> {
        let start = Instant::now();
        loop {
            let before = self.vcpu.cpu().clone();
            match self.enter()? {
                Exit::Shutdown => return Ok(Ok(Ran::Shutdown)),
                Exit::Interrupted if self.vcpu.take_kick() => return Ok(Err(Lost::Kicked)),
                Exit::Interrupted => {
                    if let Some(vector) = self.vcpu.trapped_interrupt() {
                        self.lead_to_handler(vector)?;
                    }
                    if matches!(until, Until::Time(time) if start.elapsed() >= time) {
                        return Ok(Ok(Ran::Over));
                    }
                }
                Exit::MsrWritten => {}
                exit if exit.is_access() => {
                    if let Some((service, rip)) = self.trap_of(&exit) {
                        if self.serve_call(service, rip)?.is_some() {
                            return Ok(Err(Lost::OtherCourse));
                        }
                    } else {
                        self.serve(&exit);
                    }
                    let made = self.course().accesses;
                    if made > first.course.accesses {
                        return Ok(Err(Lost::OtherCourse));
                    }
                    if matches!(until, Until::Accesses(wanted) if made >= wanted) {
                        let done = self.complete()? == Completion::Done;
                        return Ok(if done { Ok(Ran::Over) } else { Err(Lost::OtherCourse) });
                    }
                }
                Exit::InternalError { .. } => match self.vcpu.trapped_interrupt() {
                    Some(vector) => self.lead_to_handler(vector)?,
                    None => match self.complete_refused()? {
                        None if self.vcpu.cpu() != &before => {}
                        _ => return Ok(Err(Lost::OtherCourse)),
                    },
                },
                _ => return Ok(Err(Lost::OtherCourse)),
            }
            if let Err(lost) = search.bear_run() {
                return Ok(Err(lost));
            }
        }
    }

    /// Steps to the instruction that shuts down.
    fn step_near(&mut self, search: &mut Search) -> Found {
        self.checkpoint()?;
        let last = loop {
            let before = self.vcpu.cpu().clone();
            match found!(self.step_on(search)) {
                StopReason::Stepped => {}
                StopReason::Shutdown { .. } => break before,
                _ => return Ok(Err(Lost::OtherCourse)),
            }
            // A jump to itself, which nothing interrupts.
            if self.mid_rep.is_none() && *self.vcpu.cpu() == before {
                return Ok(Err(Lost::OtherCourse));
            }
        };
        let steps = self.rewind.as_ref().map_or(0, |rewind| rewind.steps);
        self.rewind()?;
        found!(self.step_again(steps, search));
        let same = is_same(&last, self.vcpu.cpu());
        Ok(if same { Ok(()) } else { Err(Lost::OtherCourse) })
    }

    /// Makes `steps` steps from the checkpoint: a step that shuts down loses more than its registers.
    fn step_again(&mut self, steps: u64, search: &mut Search) -> Found {
        for _ in 0..steps {
            if found!(self.step_on(search)) != StopReason::Stepped {
                return Ok(Err(Lost::OtherCourse));
            }
        }
        Ok(Ok(()))
    }

    fn step_on(&mut self, search: &mut Search) -> Found<StopReason> {
        if let Err(lost) = search.bear_step() {
            return Ok(Err(lost));
        }
        let stop = self.try_step()?;
        let kicked = stop == StopReason::Kicked || self.vcpu.take_kick();
        Ok(if kicked { Err(Lost::Kicked) } else { Ok(stop) })
    }

    /// Before the instruction that is to shut down: sees that it does, in the way of the first run, and goes
    /// back to before it.
    fn shut_down_again(&mut self, first: &First, search: &mut Search) -> Found {
        self.checkpoint()?;
        let shuts_down = if first.before.is_some() {
            matches!(found!(self.step_on(search)), StopReason::Shutdown { .. })
        } else {
            found!(self.run_on(Until::Time(LOOK), first, search)) == Ran::Shutdown
        };
        if shuts_down { self.check_end(first) } else { Ok(Err(Lost::OtherCourse)) }
    }

    /// After a shutdown: goes back to the checkpoint, and says whether the guest has come to the same end as the
    /// first time.
    fn check_end(&mut self, first: &First) -> Found {
        let course = self.course();
        let mut memory = self.rewind.as_ref().map(|last| last.pages.clone()).unwrap_or_default();
        overlay(&mut memory, self.rewind()?);
        let paging = self.vcpu.cpu().cr0 & CR0_PG != 0;
        let same = course == first.course && is_same_memory(&memory, &first.memory, paging);
        Ok(if same { Ok(()) } else { Err(Lost::OtherCourse) })
    }

    fn course(&self) -> Course {
        self.rewind.as_ref().map(|rewind| rewind.course).unwrap_or_default()
    }
}

/// Whether a program cannot tell `a` from `b`, nor anybody who stepped to the one and ran to the other.
fn is_same(a: &CpuState, b: &CpuState) -> bool {
    let visible = |cpu: &CpuState| (cpu.rip, cpu.gpr, cpu.rflags & !RFLAGS_RF, cpu.cs_ip());
    visible(a) == visible(b)
}

/// Whether RAM holds the same. With `paging`, a processor may mark what it has only thought of accessing as
/// accessed, in one run and not in the other.
fn is_same_memory(a: &Pages, b: &Pages, paging: bool) -> bool {
    let is_mark = |(at, (a, b)): (usize, (&u8, &u8))| {
        a == b || paging && at.is_multiple_of(4) && a ^ b == ACCESSED
    };
    let same = |(a, b): (&[u8], &[u8])| a == b || a.iter().zip(b).enumerate().all(is_mark);
    a.len() == b.len() && a.iter().zip(b).all(|((at, a), (other, b))| at == other && same((a, b)))
}
