//! The exactness suite: one instruction a step, each breakpoint and watchpoint hit, and nothing of the
//! debugger in what the guest sees, in every processor mode and on every KVM.
//!
//! What a case expects is written from the manual (Intel SDM) and is the same on all hosts. After each step
//! everything is compared: stop reason, registers, DR0 to DR7, memory with tables, code and stack, video
//! memory and console. `known.txt` says what does not hold, where and why; an entry there whose case passes
//! fails the run. `scripts/exactness` runs the suite on other KVMs than the host's.
//!
//! `STEPVISOR_EXACT_KNOWN=ignore` shows the failures that are known.
#![allow(missing_docs, missing_debug_implementations)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod cases;
mod known;
mod subject;
mod want;
mod world;

use std::collections::BTreeMap;

use libtest_mimic::{Arguments, Failed, Trial};

use known::Known;
use subject::{Subject, Verdict};
use world::Mode;

/// A few instructions in some modes.
#[derive(Clone, Copy)]
pub struct Case {
    /// A sentence or the instruction.
    pub name: &'static str,
    /// The modes it applies to.
    pub modes: &'static [Mode],
    /// Sets up, steps and compares.
    pub run: fn(&mut Subject) -> Verdict,
}

fn main() {
    let arguments = Arguments::from_args();
    let host = known::host();
    let heed = std::env::var_os("STEPVISOR_EXACT_KNOWN").is_none_or(|value| value != "ignore");
    let mut trials = vec![];
    let mut count = 0;
    let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for case in cases::all() {
        for &mode in case.modes {
            let name = format!("{mode:?}/{}", case.name);
            let known = known::known(&host, &format!("{mode:?}"), case.name).filter(|_| heed);
            count += 1;
            if let Some(Known { kind, reason }) = known {
                *reasons.entry((kind, reason)).or_default() += 1;
            }
            let trial = Trial::test(name, move || judge(check(&case, mode), known));
            let kind = known.map_or("", |known| known.kind);
            trials
                .push(trial.with_kind(kind).with_ignored_flag(matches!(kind, "kills" | "chance")));
        }
    }
    trials.push(Trial::test("the list of known failures is sound", || {
        let cases: Vec<&str> = cases::all().map(|case| case.name).collect();
        let faults = known::faults(&cases);
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let listed: usize = reasons.values().sum();
        println!("{host}: {count} cases, {listed} of them as known.txt says");
        for ((kind, reason), count) in reasons {
            println!("  {count:4} {kind}: {reason}");
        }
    }
    conclusion.exit();
}

fn check(case: &Case, mode: Mode) -> Verdict {
    let mut subject = Subject::new(mode)?;
    (case.run)(&mut subject)?;
    subject.settle()?;
    subject.finish();
    Ok(())
}

fn judge(verdict: Verdict, known: Option<Known>) -> Result<(), Failed> {
    match (verdict, known) {
        (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
        (Err(difference), None) => Err(difference.into()),
        (Ok(()), Some(known)) => {
            Err(format!("passes, but known.txt says: {}", known.reason).into())
        }
    }
}
