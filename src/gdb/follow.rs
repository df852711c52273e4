//! Following the guest from one CPU mode to another within a session.
//!
//! gdb reads the target description once, at connect, and again after one event only: the report that
//! the process executes a new program. So a stop in a mode with another description is reported in two
//! parts. First comes such a report, whose program is the name of the mode; gdb reads the new description,
//! sets its breakpoints again and resumes. Then, with nothing executed in between, comes the stop itself,
//! in words that fit what gdb has kept of its plans.
//!
//! The same report as the answer to `?`, at connect, makes gdb give up the program that it was started with,
//! of which it would take the width of code; symbols stay.

use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason;

use super::frame::Reply;
use super::stop::{self, Report};
use super::target::{Inserted, Resume};
use crate::machine::StopReason;
use crate::x86::{CpuMode, Linear};

/// What a client that follows has still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// A stop in another mode than the last.
    Stop(StopReason),
    /// Where the guest is: the client has just connected.
    Welcome,
}

/// Whether and how far a client follows the guest.
#[derive(Debug, Default)]
pub struct Follower {
    /// It understands the report.
    able: bool,
    /// It has asked where the guest is.
    welcomed: bool,
    postponed: Option<Postponed>,
    /// It has been told ahead what its next resumption would come to.
    answered: bool,
    /// It has asked how it may resume before it asked where the guest is.
    asked_early: bool,
}

impl Follower {
    /// The client says whether it understands the report.
    pub fn negotiate(&mut self, able: bool) {
        self.able = able;
    }

    /// Whether the client understands the report.
    #[must_use]
    pub fn is_able(&self) -> bool {
        self.able
    }

    /// Whether the client has still to be told of the mode, and will be.
    #[must_use]
    pub fn awaits_welcome(&self) -> bool {
        self.able && !self.welcomed
    }

    /// Whether to answer the client's `?` with a report of the mode: the first time it asks. The stop is owed
    /// then.
    pub fn welcome(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.welcomed, true);
        if self.able && first {
            self.postponed = Some(Postponed::Welcome);
        }
        self.able && first
    }

    /// Owes the client the report of `stop`.
    pub fn postpone(&mut self, stop: StopReason) {
        self.postponed = Some(Postponed::Stop(stop));
    }

    /// Forgets what the client is owed: it is about something that is over.
    pub fn settle(&mut self) {
        self.postponed = None;
        self.answered = false;
    }

    /// What the client is owed, once it resumes.
    pub fn take_postponed(&mut self) -> Option<Postponed> {
        self.postponed.take()
    }

    /// Whether to answer the first resumption at once, before it comes.
    ///
    /// gdb asks how it may resume (`vCont?`) and then does so, still connecting. Without acknowledgements it
    /// does not expect a stop so soon, and prints one complaint after the other until it has sorted things
    /// out; a stop that is there already when it looks for one is fine.
    pub fn answer_ahead(&mut self) -> bool {
        let owed = self.owes_welcome();
        if owed {
            self.postponed = None;
            self.answered = true;
        }
        owed
    }

    /// The client asks how it may resume (`vCont?`).
    pub fn is_asked(&mut self) {
        self.asked_early |= !self.welcomed;
    }

    /// Whether acknowledgements have to stay, since the first resumption cannot be answered ahead.
    ///
    /// gdb 16 asks how it may resume first of all, so that nothing tells when it is about to. With
    /// acknowledgements it waits for that of the resumption, and the stop arrives along with it.
    #[must_use]
    pub fn needs_acks(&self) -> bool {
        self.awaits_welcome() && self.asked_early
    }

    /// Whether the client's next resumption is the one that it connects with.
    #[must_use]
    pub fn owes_welcome(&self) -> bool {
        self.postponed == Some(Postponed::Welcome)
    }

    /// Whether the packet `body` asks for what has been answered ahead.
    pub fn is_answered(&mut self, body: &[u8]) -> bool {
        let answered = std::mem::take(&mut self.answered);
        answered && (body.starts_with(b"vCont;c") || body == b"c")
    }
}

/// The name under which `mode` is reported.
#[must_use]
pub fn name(mode: CpuMode) -> String {
    format!("[{mode}]")
}

/// All such names.
#[must_use]
pub fn names() -> [String; 7] {
    CpuMode::ALL.map(name)
}

/// The first part: the guest is in `mode` now.
#[must_use]
pub fn switch(mode: CpuMode, thread: &str) -> Reply {
    let name = name(mode);
    Reply::new().text("T05exec:").hex(name.as_bytes()).text(&format!(";thread:{thread};"))
}

/// The second part: the report of `stop`, which was kept back, to a client that has resumed as `resume`
/// says and inserted `inserted` meanwhile. The next instruction is at `pc`.
#[must_use]
pub fn postponed(stop: &StopReason, resume: &Resume, pc: Linear, inserted: &Inserted) -> Report {
    let quiet = |signal| Report {
        notes: Vec::new(),
        reason: SingleThreadStopReason::SignalWithThread { tid: (), signal },
    };
    match stop {
        StopReason::Stepped | StopReason::Breakpoint(_) => {
            let here = stop::report(&StopReason::Breakpoint(pc), inserted);
            match here.reason {
                SingleThreadStopReason::SwBreak(()) | SingleThreadStopReason::HwBreak(()) => here,
                // The end of a step that gdb goes on with; or of one that it forgot over the switch, and
                // a breakpoint of its own that it took back: SIGTRAP would be taken for the guest's.
                _ if matches!(resume, Resume::Continue) => quiet(Signal::SIGZERO),
                _ => quiet(Signal::SIGTRAP),
            }
        }
        stop => stop::report(stop, inserted),
    }
}
