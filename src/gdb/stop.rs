//! From the machine's reasons for stopping to what a client is told.

use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason;
use gdbstub::target::ext::breakpoints::WatchKind;

use super::target::Inserted;
use crate::bios::Ending;
use crate::machine::{self, StopReason};

/// The report of a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Lines that the client prints before it shows where the guest is.
    pub notes: Vec<String>,
    /// The reason in the protocol's terms.
    pub reason: SingleThreadStopReason<u64>,
}

impl Report {
    /// Whether a client that has asked for a step takes it for the end of that, though there is something to
    /// tell. The step may be one of its own, off a breakpoint, from which it goes on without a word.
    #[must_use]
    pub fn looks_like_a_step(&self) -> bool {
        self.reason == signal(Signal::SIGTRAP) && !self.notes.is_empty()
    }

    /// Whether gdb takes it for the hit of a breakpoint, if it has inserted one there, though there is something else
    /// to tell: it may go on from that without a word.
    #[must_use]
    pub fn looks_like_a_breakpoint(&self) -> bool {
        let signals = [Signal::SIGTRAP, Signal::SIGILL, Signal::SIGSEGV];
        let is_one = signals.into_iter().any(|one| self.reason == signal(one));
        is_one && !self.notes.is_empty()
    }

    /// The same in words that stop a gdb which steps or has a breakpoint there: no signal.
    #[must_use]
    pub fn without_signal(self) -> Report {
        Report { reason: signal(Signal::SIGZERO), ..self }
    }
}

/// The report of `stop` to a client that has inserted `inserted`.
///
/// A signal stands for what has no word of its own in the protocol. It is never SIGTRAP when the processor
/// stays in HLT, since gdb would step on for ever.
#[must_use]
pub fn report(stop: &StopReason, inserted: &Inserted) -> Report {
    let signal = match stop {
        StopReason::Breakpoint(addr) if inserted.software(*addr) => {
            return plain(SingleThreadStopReason::SwBreak(()));
        }
        StopReason::Breakpoint(addr) if inserted.hardware(*addr) => {
            return plain(SingleThreadStopReason::HwBreak(()));
        }
        StopReason::Watchpoint(hit) => {
            let kind = match hit.kind {
                machine::WatchKind::Write => WatchKind::Write,
                machine::WatchKind::Read => WatchKind::Read,
                machine::WatchKind::Access => WatchKind::ReadWrite,
            };
            return plain(SingleThreadStopReason::Watch { tid: (), kind, addr: hit.addr.0 });
        }
        StopReason::Stepped | StopReason::Breakpoint(_) => {
            return plain(signal(Signal::SIGTRAP));
        }
        // To a client that does not follow the guest.
        StopReason::ModeSwitch(_) => Signal::SIGTRAP,
        StopReason::Kicked => return plain(signal(Signal::SIGINT)),
        StopReason::Halted { .. } | StopReason::Firmware { ending: Ending::Key, .. } => {
            Signal::SIGINT
        }
        StopReason::Exit { .. }
        | StopReason::Reset { .. }
        | StopReason::PowerOff { .. }
        | StopReason::Firmware { .. } => Signal::SIGTERM,
        StopReason::Shutdown { .. } | StopReason::Nowhere { .. } => Signal::SIGSEGV,
        StopReason::Exception(stop) => exception_signal(stop.vector),
        StopReason::Mark(_) | StopReason::Caught(_) => Signal::SIGTRAP,
        StopReason::Refused(_) => Signal::SIGILL,
        StopReason::Unclaimed(_) => Signal::SIGBUS,
        StopReason::Limit { .. } => Signal::SIGXCPU,
        StopReason::HostFailure(_) => Signal::SIGABRT,
    };
    Report {
        notes: vec![stop.to_string()],
        reason: SingleThreadStopReason::SignalWithThread { tid: (), signal },
    }
}

/// What a process would be sent for the exception `vector`.
fn exception_signal(vector: u8) -> Signal {
    match vector {
        // #DE, #OF, #MF, #XM.
        0 | 4 | 16 | 19 => Signal::SIGFPE,
        1 | 3 => Signal::SIGTRAP,
        6 => Signal::SIGILL,
        17 | 18 => Signal::SIGBUS,
        _ => Signal::SIGSEGV,
    }
}

fn plain(reason: SingleThreadStopReason<u64>) -> Report {
    Report { notes: Vec::new(), reason }
}

fn signal(signal: Signal) -> SingleThreadStopReason<u64> {
    SingleThreadStopReason::SignalWithThread { tid: (), signal }
}

/// The signal number in the report of `stop`.
#[must_use]
pub fn signal_number(stop: &StopReason) -> u8 {
    match report(stop, &Inserted::default()).reason {
        SingleThreadStopReason::SignalWithThread { signal, .. } => signal.0,
        _ => Signal::SIGTRAP.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::Linear;

    #[test]
    fn a_breakpoint_that_nobody_inserted_is_a_plain_trap() {
        // gdb silently resumes from a breakpoint that it does not know.
        let report = report(&StopReason::Breakpoint(Linear(0x7c00)), &Inserted::default());
        assert_eq!(report, plain(signal(Signal::SIGTRAP)));
    }

    #[test]
    fn a_stop_that_a_user_asked_for_is_no_end_of_a_step() {
        let stop = StopReason::Mark(crate::machine::MarkStop {
            mark: crate::machine::Mark::Xchg,
            location: "0000:7C04".to_owned(),
        });
        let report = report(&stop, &Inserted::default());
        assert!(report.looks_like_a_step());
        assert!(!report.without_signal().looks_like_a_step());
        let plain = super::report(&StopReason::Stepped, &Inserted::default());
        assert!(!plain.looks_like_a_step());
    }

    #[test]
    fn a_halted_processor_never_reports_a_trap() {
        for interruptible in [false, true] {
            let stop = StopReason::Halted { interruptible, location: "0000:7C04".to_owned() };
            assert_eq!(signal_number(&stop), Signal::SIGINT.0);
            assert!(report(&stop, &Inserted::default()).notes[0].contains("0000:7C04"));
        }
    }

    #[test]
    fn endings_say_what_happened() {
        let stop = StopReason::Shutdown { location: "0008:00007C5E".to_owned() };
        let report = report(&stop, &Inserted::default());
        assert_eq!(report.reason, signal(Signal::SIGSEGV));
        assert!(report.notes[0].contains("triple fault"), "{report:?}");
    }
}
