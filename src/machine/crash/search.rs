//! The patience of the search for a shutdown: how long it may take, and what the user hears of it.

use std::fmt;
use std::time::{Duration, Instant};

use crate::kvm::Deadline;
use crate::machine::Observer;

/// After so long the user is told what is going on.
const QUIET: Duration = Duration::from_secs(1);
/// The second run may take so many times as long as the first.
const FACTOR: u32 = 4;
/// And so much longer, for what a busy host makes of a short one.
const RUNNING: Duration = Duration::from_secs(5);
/// With the steps at its end it may take so much longer instead.
const STEPPING: Duration = Duration::from_secs(30);

/// What the user is told.
const TOLD: &str = "the processor shut down, and this host's KVM has destroyed its registers: the guest is run \
                    a second time, unheard, to find them; ^C ends that";

/// Why the instruction was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    #[error("a second run takes too long")]
    TooLong,
    /// The user wants something else.
    #[error("the search was interrupted")]
    Kicked,
    /// A second run cannot be bounded.
    #[error("{0}")]
    NoTimer(String),
}

/// A search under way.
pub(super) struct Search {
    /// Who is told, and hears nothing of the guest meanwhile.
    pub(super) observer: Box<dyn Observer>,
    /// For runs of some length.
    pub(super) deadline: Deadline,
    /// Time in the guest that the first run took.
    first: Duration,
    started: Instant,
    told: bool,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("started", &self.started).finish_non_exhaustive()
    }
}

impl Search {
    /// The search for the end of a run that took the time `first` in the guest.
    pub(super) fn new(observer: Box<dyn Observer>, deadline: Deadline, first: Duration) -> Search {
        Search { observer, deadline, first, started: Instant::now(), told: false }
    }

    /// To be called at least every second of a run: whether that may go on.
    pub(super) fn bear_run(&mut self) -> Result<(), Lost> {
        self.bear(RUNNING)
    }

    /// To be called before each step: whether it may be made.
    pub(super) fn bear_step(&mut self) -> Result<(), Lost> {
        self.bear(STEPPING)
    }

    fn bear(&mut self, patience: Duration) -> Result<(), Lost> {
        let elapsed = self.started.elapsed();
        if elapsed >= QUIET && !self.told {
            self.told = true;
            self.observer.notice(TOLD);
        }
        let patience = patience.saturating_add(self.first.saturating_mul(FACTOR));
        if elapsed < patience { Ok(()) } else { Err(Lost::TooLong) }
    }
}
