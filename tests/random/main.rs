//! Instruction streams by chance, valid and invalid, stepped by the machine and by another implementation of
//! the processor: QEMU's TCG, through QEMU's own gdb stub. Registers are compared after each step, memory at
//! the end of each stream.
//!
//! `left_out.rs` and `reach.rs` say what is not compared and why; a run counts it. `scripts/random-guests` runs more than the tests do, and
//! repeats a stream that a report names.
#![allow(missing_docs, missing_debug_implementations)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

#[path = "../common/mod.rs"]
mod common;

mod generate;
mod left_out;
mod lockstep;
mod qemu;
mod reach;
mod state;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use lockstep::{Lockstep, Mode};

/// How many instructions a mode gets unless it is told.
const INSTRUCTIONS: [(Mode, &str, u64); 3] = [
    (Mode::Real, "real", 40_000),
    (Mode::Protected, "protected", 30_000),
    (Mode::Long, "long", 30_000),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let here = qemu::is_here();
    let mut trials = vec![];
    for (mode, name, instructions) in INSTRUCTIONS {
        let name = format!("{name}_mode_steps_as_another_processor_does");
        let trial = Trial::test(name, move || compare(mode, instructions));
        trials.push(trial.with_ignored_flag(!here));
    }
    if !here && !arguments.list {
        println!("\n{} is not installed: NO RANDOM GUEST IS RUN", qemu::PROGRAM);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(format!("STEPVISOR_RANDOM_{name}")).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

fn compare(mode: Mode, instructions: u64) -> Result<(), Failed> {
    let seed = number("SEED", 1);
    let instructions = number("INSTRUCTIONS", instructions) as usize;
    let mut lockstep = Lockstep::new(mode, seed)?;
    let reports = lockstep.run(number("STREAM", 0), instructions)?;
    println!(
        "{mode:?}, seed {seed}: {} instructions compared, {} of them into handlers",
        lockstep.compared, lockstep.handlers
    );
    for (reason, count) in &lockstep.left_out {
        println!("  {count:6} left out: {reason}");
    }
    if reports.is_empty() { Ok(()) } else { Err(reports.join("\n\n").into()) }
}
