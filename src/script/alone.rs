//! A test without gdb: the guest runs to its end, and the header is judged.

use std::io;

use super::check::Golden;
use super::clock::Clock;
use super::ending::Ending;
use super::header::Header;
use super::judge::{self, Finding};
use super::verdict::Verdict;
use crate::machine::{Machine, StopReason};
use std::time::Duration;

/// Runs `machine` to its end; nothing if all is as `header` says.
///
/// # Errors
/// The system has no more threads.
pub(super) fn run(
    header: &Header,
    machine: &mut Machine,
    time: Duration,
    golden: Golden,
) -> io::Result<Option<Box<Finding>>> {
    let expected = header.ends.unwrap_or(Ending::Halt);
    let over = run_to_end(machine, time)?;
    let line = header.ends_line;
    let judged = match (over, expected) {
        (true, Ending::Timeout) => Ok(()),
        (true, _) => {
            let text = format!("the guest still runs after {}", words(time));
            Err(Box::new(Finding::new(Verdict::Hang, line, text).at(machine)))
        }
        (false, _) => judge::ending(expected, line, machine),
    };
    Ok(judged.and_then(|()| judge::checks(header, machine, golden)).err())
}

/// Whether the time is over before the guest has ended.
pub(super) fn run_to_end(machine: &mut Machine, time: Duration) -> io::Result<bool> {
    let kicker = machine.kicker();
    let clock = Clock::start(time, move || kicker.kick())?;
    loop {
        match machine.run() {
            StopReason::Kicked if clock.is_over() => return Ok(true),
            StopReason::Kicked => {}
            _ => return Ok(false),
        }
    }
}

/// A time as users write it.
pub(super) fn words(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}
