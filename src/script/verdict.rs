//! What came of a test, in the words that a user reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// All that it asserts is so.
    Passed,
    /// An assertion does not hold.
    Failed,
    /// A gdb command has failed.
    GdbError,
    /// The script is over, and an assertion in it has not been executed.
    NotReached,
    /// The time or the instructions that it may take are over.
    Hang,
    /// The processor shut down, which was not expected.
    TripleFault,
    /// This host's KVM cannot run an instruction.
    Refused,
    /// The guest ended in another way than expected, or not at all.
    WrongEnding,
    /// Nothing is asserted.
    NoAssertion,
    /// The guest cannot be built or loaded.
    BuildError,
    /// The header makes no sense.
    BadHeader,
    /// gdb ended before the script did.
    GdbCrashed,
    /// The process that ran the test ended.
    Crashed,
    /// The host cannot run it: no KVM, no gdb.
    CannotRun,
}

impl Verdict {
    /// The word, or two.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::GdbError => "gdb error",
            Verdict::NotReached => "not reached",
            Verdict::Hang => "hang",
            Verdict::TripleFault => "triple fault",
            Verdict::Refused => "refused instruction",
            Verdict::WrongEnding => "wrong ending",
            Verdict::NoAssertion => "no assertion",
            Verdict::BuildError => "build error",
            Verdict::BadHeader => "bad header",
            Verdict::GdbCrashed => "gdb crashed",
            Verdict::Crashed => "crashed",
            Verdict::CannotRun => "cannot run",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What came of a test, and all that is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What came of it.
    pub verdict: Verdict,
    /// Why, unless it passed.
    pub failure: Option<Box<Failure>>,
}

impl Outcome {
    /// All is as it should be.
    pub const PASSED: Outcome = Outcome { verdict: Verdict::Passed, failure: None };

    /// Something is not, in `place`.
    #[must_use]
    pub fn failed(verdict: Verdict, place: impl Into<String>, text: impl Into<String>) -> Outcome {
        let failure = Failure { place: place.into(), text: text.into(), ..Failure::default() };
        Outcome { verdict, failure: Some(Box::new(failure)) }
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

/// Why a test did not pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// FILE:LINE, or the test's name.
    pub place: String,
    /// What happened, in one line or more.
    pub text: String,
    /// What was expected, if there was something to compare.
    pub expected: Option<String>,
    /// What was found instead.
    pub found: Option<String>,
    /// Where the guest was.
    pub scene: Option<Scene>,
    /// The last lines that gdb printed.
    pub gdb: Vec<String>,
}

/// Where a guest was when something went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// CS:IP.
    pub location: String,
    /// The instruction there.
    pub instruction: String,
    /// Its source line, if it is known.
    pub source: Option<String>,
    /// Why it stopped last, and the account of a crash.
    pub stop: Vec<String>,
    /// What the screen showed.
    pub screen: String,
    /// What came before, or why nobody knows; whole lines.
    pub history: Vec<String>,
}

/// A text whose further lines are indented below the first.
fn entry(f: &mut fmt::Formatter<'_>, key: &str, text: &str) -> fmt::Result {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    writeln!(f, "{}", format!("  {key:<10}{first}").trim_end())?;
    lines.try_for_each(|line| writeln!(f, "{}", format!("    {line}").trim_end()))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.place, self.text)?;
        if let Some(expected) = &self.expected {
            entry(f, "expected", expected)?;
        }
        if let Some(found) = &self.found {
            entry(f, "found", found)?;
        }
        if let Some(scene) = &self.scene {
            scene.fmt(f)?;
        }
        if !self.gdb.is_empty() {
            entry(f, "gdb", &format!("\n{}", self.gdb.join("\n")))?;
        }
        Ok(())
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scene { location, instruction, source, stop, screen, history } = self;
        let source = source.as_ref().map(|line| format!("  ({line})")).unwrap_or_default();
        entry(f, "at", &format!("{location}  {instruction}{source}"))?;
        if !stop.is_empty() {
            entry(f, "stop", &stop.join("\n"))?;
        }
        if screen.is_empty() {
            entry(f, "screen", "empty")?;
        } else {
            let rows: Vec<String> = screen.lines().map(|row| format!("| {row}")).collect();
            entry(f, "screen", &format!("\n{}", rows.join("\n")))?;
        }
        if !history.is_empty() {
            entry(f, "history", &history.join("\n"))?;
        }
        Ok(())
    }
}
