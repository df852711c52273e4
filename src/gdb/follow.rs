//! Following the guest from one CPU mode to another within a session.
//!
//! gdb reads the target description once, at connect, and again after one event only: the report that
//! the process executes a new program. So a stop in a mode with another description is reported in two
//! parts. First comes such a report, whose program is the name of the mode; gdb reads the new description,
//! sets its breakpoints again and resumes. Then, with nothing executed in between, comes the stop itself,
//! in words that fit what gdb has kept of its plans.

use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason;

use super::frame::Reply;
use super::stop::{self, Report};
use super::target::{Inserted, Resume};
use crate::machine::StopReason;
use crate::x86::{CpuMode, Linear};

/// The first part: the guest is in `mode` now.
#[must_use]
pub fn switch(mode: CpuMode, thread: &str) -> Reply {
    let program = format!("[{mode}]");
    Reply::new().text("T05exec:").hex(program.as_bytes()).text(&format!(";thread:{thread};"))
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
