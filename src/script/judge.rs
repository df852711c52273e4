//! Compares what became of a guest with what the header expects.

use super::check::{Golden, Mismatch};
use super::ending::Ending;
use super::header::Header;
use super::scene::Snapshot;
use super::verdict::Verdict;
use crate::machine::{Machine, StopReason};

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub verdict: Verdict,
    /// The line in the test; 0 for the test as a whole.
    pub line: usize,
    pub text: String,
    pub mismatch: Option<Mismatch>,
    pub snapshot: Option<Snapshot>,
}

impl Finding {
    pub(super) fn new(verdict: Verdict, line: usize, text: impl Into<String>) -> Finding {
        Finding { verdict, line, text: text.into(), mismatch: None, snapshot: None }
    }

    /// With the place where `machine` is.
    pub(super) fn at(self, machine: &Machine) -> Finding {
        Finding { snapshot: Some(Snapshot::of(machine)), ..self }
    }
}

/// Judges the stop of a guest that is to end as `expected` says.
pub(super) fn ending(expected: Ending, line: usize, machine: &Machine) -> Result<(), Box<Finding>> {
    let stop = machine.last_stop();
    let found = stop.and_then(Ending::of);
    if found == Some(expected) {
        return Ok(());
    }
    let words = stop.map_or_else(|| "it has not run".to_owned(), StopReason::to_string);
    let (verdict, text) = match (found, stop) {
        (_, Some(StopReason::HostFailure(_))) => (Verdict::CannotRun, words.clone()),
        (Some(Ending::TripleFault), _) => {
            (Verdict::TripleFault, "the processor shut down unexpectedly".to_owned())
        }
        (Some(Ending::Refused), _) => {
            (Verdict::Refused, "this host cannot run an instruction of the guest's".to_owned())
        }
        (Some(Ending::Limit), _) => {
            (Verdict::Hang, "the guest executes more instructions than it may".to_owned())
        }
        _ => (Verdict::WrongEnding, "the guest ended in another way".to_owned()),
    };
    let found = found.map_or_else(|| words.clone(), |found| format!("{found} ({words})"));
    let mismatch = Some(Mismatch { expected: expected.to_string(), found });
    Err(Box::new(Finding { mismatch, ..Finding::new(verdict, line, text) }.at(machine)))
}

/// Judges all other assertions of the header.
pub(super) fn checks(
    header: &Header,
    machine: &Machine,
    golden: Golden,
) -> Result<(), Box<Finding>> {
    for (line, check) in &header.checks {
        if let Err(mismatch) = check.compare(machine, golden) {
            let finding = Finding::new(Verdict::Failed, *line, check.to_string());
            return Err(Box::new(Finding { mismatch: Some(mismatch), ..finding }.at(machine)));
        }
    }
    Ok(())
}
