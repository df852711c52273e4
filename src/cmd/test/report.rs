//! What a person reads: a line for each test, the failures, and a summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::Result;
use crate::cmd::console;

/// Takes results as they come.
pub trait Report {
    /// A test has been run.
    fn result(&mut self, result: &Result);

    /// All have been, in order of their names; `filtered` more were not to be.
    fn end(&mut self, results: &[Result], filtered: usize, time: Duration);
}

/// Writes to standard output; a reader that has gone away has read what it wanted.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints the names of `tests`.
pub fn list(tests: &[PathBuf]) {
    let lines: String = tests.iter().map(|path| format!("{}\n", path.display())).collect();
    print(&lines);
}

/// A line for each test, in the layout of cargo's.
#[derive(Debug)]
pub struct Lines {
    colours: bool,
    number: usize,
    done: usize,
    failed: usize,
}

impl Lines {
    /// For `number` tests, coloured and with a count on a terminal.
    pub fn new(number: usize) -> Lines {
        let colours = io::stdout().is_terminal() && console::wants_colours();
        let lines = Lines { colours, number, done: 0, failed: 0 };
        print(&format!("\nrunning {number} {}\n", tests(number)));
        lines.progress();
        lines
    }

    fn colour(&self, code: u8, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// How far it is, on a line that the next one takes the place of.
    fn progress(&self) {
        if self.colours && self.done < self.number {
            let failed = match self.failed {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            print(&format!("{} of {} done{failed}", self.done, self.number));
        }
    }
}

fn tests(number: usize) -> &'static str {
    if number == 1 { "test" } else { "tests" }
}

impl Report for Lines {
    fn result(&mut self, result: &Result) {
        self.done += 1;
        let verdict = result.outcome.verdict;
        let word = if result.outcome.is_passed() {
            self.colour(32, "ok")
        } else {
            self.failed += 1;
            self.colour(31, &format!("FAILED: {verdict}"))
        };
        let clear = if self.colours { "\r\x1b[K" } else { "" };
        print(&format!("{clear}test {} ... {word}\n", result.path.display()));
        self.progress();
    }

    fn end(&mut self, results: &[Result], filtered: usize, time: Duration) {
        let mut text = String::new();
        let failed: Vec<&Result> =
            results.iter().filter(|result| !result.outcome.is_passed()).collect();
        let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
        if !failed.is_empty() {
            text.push_str("\nfailures:\n");
        }
        for result in &failed {
            let verdict = result.outcome.verdict.word();
            *verdicts.entry(verdict).or_default() += 1;
            let title = self.colour(31, verdict);
            let _ = write!(text, "\n---- {}: {title} ----\n", result.path.display());
            if let Some(failure) = &result.outcome.failure {
                let _ = write!(text, "{failure}");
            }
        }
        let word =
            if failed.is_empty() { self.colour(32, "ok") } else { self.colour(31, "FAILED") };
        let passed = results.len() - failed.len();
        let _ = write!(text, "\ntest result: {word}. {passed} passed; {} failed", failed.len());
        if !verdicts.is_empty() {
            let counts = verdicts.iter().map(|(word, count)| format!("{count} {word}"));
            let _ = write!(text, " ({})", counts.collect::<Vec<_>>().join(", "));
        }
        let _ =
            writeln!(text, "; {filtered} filtered out; finished in {:.2}s\n", time.as_secs_f64());
        print(&text);
    }
}
