//! The Test Anything Protocol, version 14: a line for each test, its failure in a YAML block.

use std::time::Duration;

use super::Result;
use super::report::{Report, print};

/// Numbers the tests as they come.
#[derive(Debug)]
pub struct Tap {
    number: usize,
}

impl Tap {
    /// For `tests` tests.
    pub fn new(tests: usize) -> Tap {
        print(&format!("TAP version 14\n1..{tests}\n"));
        Tap { number: 0 }
    }
}

impl Report for Tap {
    fn result(&mut self, result: &Result) {
        self.number += 1;
        let Result { path, outcome, time } = result;
        let not = if outcome.is_passed() { "" } else { "not " };
        // `#` begins a directive.
        let name = path.display().to_string().replace('\\', "\\\\").replace('#', "\\#");
        let mut text = format!("{not}ok {} - {name}\n  ---\n", self.number);
        text += &format!("  duration_ms: {}\n", time.as_millis());
        if let Some(failure) = &outcome.failure {
            text += &format!("  verdict: {}\n  message: |\n", outcome.verdict);
            let report = failure.to_string();
            for line in report.lines() {
                text += format!("    {line}").trim_end();
                text.push('\n');
            }
        }
        text += "  ...\n";
        print(&text);
    }

    fn end(&mut self, _: &[Result], _: usize, _: Duration) {}
}
