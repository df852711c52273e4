//! What the prelude asks of the server while the guest is stopped: to compare, to remember where the guest is, and
//! whether it may have ended.

use std::cell::RefCell;
use std::rc::Rc;

use super::check::{self, Check, Golden};
use super::ending::Ending;
use super::header;
use super::judge::{self, Finding};
use super::scene::Snapshot;
use super::test::Test;
use super::verdict::Verdict;
use crate::machine::{Machine, StopReason};

/// What the server's side knows.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) finding: Option<Box<Finding>>,
    /// Where the prelude saw something fail.
    pub(super) snapshot: Option<Snapshot>,
    /// The header has been judged.
    pub(super) finished: bool,
}

/// Answers what the prelude asks.
pub(super) struct Answerer {
    pub(super) test: Test,
    pub(super) golden: Golden,
    pub(super) live: Rc<RefCell<Live>>,
}

impl Answerer {
    /// The answer to the `monitor` command `line`, if it is one for us.
    pub(super) fn answer(&self, machine: &mut Machine, line: &str) -> Option<String> {
        let request = line.trim().strip_prefix("stepvisor-test ")?;
        let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
        let answer = match verb {
            "check" => self.check(machine, rest),
            "scene" => {
                self.live.borrow_mut().snapshot = Some(Snapshot::of(machine));
                "ok".to_owned()
            }
            "stopped" => self.stopped(machine, rest.parse().unwrap_or(0)),
            "finish" => self.finish(machine),
            _ => return None,
        };
        Some(answer + "\n")
    }

    fn found(&self, finding: Finding) {
        self.live.borrow_mut().finding.get_or_insert(Box::new(finding));
    }

    /// `LINE KEY: VALUE`.
    fn check(&self, machine: &Machine, request: &str) -> String {
        let (line, assertion) = request.split_once(' ').unwrap_or_default();
        let line = line.parse().unwrap_or(0);
        let (key, value) = header::split(assertion).unwrap_or((assertion, ""));
        match Check::parse(key, value, &self.test.directory) {
            Ok(Some(check)) => match check.compare(machine, self.golden) {
                Ok(()) => "ok".to_owned(),
                Err(mismatch) => {
                    // As it stands there: addresses have been computed.
                    let written = self.test.script.iter().find(|(number, _)| *number == line);
                    let text = written.map_or(assertion, |(_, text)| text.trim());
                    let finding = Finding::new(Verdict::Failed, line, text).at(machine);
                    self.found(Finding { mismatch: Some(mismatch), ..finding });
                    "no".to_owned()
                }
            },
            Ok(None) => {
                let keys = check::KEYS.join(", ");
                format!("error unknown assertion `{key}`: there are {keys}")
            }
            Err(error) => format!("error {error}"),
        }
    }

    /// The guest has stopped while the script's `line` was executed: whether it may have.
    fn stopped(&self, machine: &Machine, line: usize) -> String {
        if let Some(StopReason::HostFailure(text)) = machine.last_stop() {
            // Nothing that follows would say anything about the guest.
            self.found(Finding::new(Verdict::CannotRun, line, text.clone()));
            return "end".to_owned();
        }
        let Some(found) = machine.last_stop().and_then(Ending::of) else {
            return "on".to_owned();
        };
        let header = &self.test.header;
        let judged = match header.ends {
            // What it can go on after may be part of the script.
            Some(expected) if found.is_final() => judge::ending(expected, line, machine),
            None if matches!(
                found,
                Ending::TripleFault
                    | Ending::Refused
                    | Ending::Nowhere
                    | Ending::Limit
                    | Ending::Reset
                    | Ending::Exit(_)
            ) =>
            {
                // Any ending would do that is not one of these.
                judge::ending(Ending::Halt, line, machine)
            }
            _ => Ok(()),
        };
        match judged {
            Ok(()) => "on".to_owned(),
            Err(mut finding) => {
                if header.ends.is_none()
                    && let Some(mismatch) = &mut finding.mismatch
                {
                    "no such ending (the header says nothing of one)"
                        .clone_into(&mut mismatch.expected);
                }
                self.found(*finding);
                "end".to_owned()
            }
        }
    }

    fn finish(&self, machine: &Machine) -> String {
        let header = &self.test.header;
        if let Some(expected) = header.ends {
            let ended = machine.last_stop().and_then(Ending::of);
            if ended.is_none_or(|ended| ended != expected && !ended.is_final()) {
                return "continue".to_owned();
            }
            if let Err(finding) = judge::ending(expected, header.ends_line, machine) {
                self.found(*finding);
                return "no".to_owned();
            }
        }
        self.live.borrow_mut().finished = true;
        match judge::checks(header, machine, self.golden) {
            Ok(()) => "ok".to_owned(),
            Err(finding) => {
                self.found(*finding);
                "no".to_owned()
            }
        }
    }
}
