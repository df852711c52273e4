//! Tests of a boot sector in Rust, as an OS project would have them in its `tests` directory: there each of these
//! functions is a `#[test]` that returns its `Result`.
//!
//! `cargo run --example boot_test` runs them, and shows the report of one that fails.
#![allow(clippy::print_stdout)]

use stepvisor::testing::{Ending, Failed, Test};

fn it_greets_and_halts() -> Result<(), Failed> {
    Test::guest("guests/bin/hello.bin")
        .ends(Ending::Halt)
        .screen_row(0, "Hello from a boot sector!")
        .instructions(..1000)
        .run()
}

fn it_finds_a_stack_below_itself() -> Result<(), Failed> {
    let commands = "break print\ncontinue\nassert $sp == 0x7c00 - 2\nassert string $si: Hello from a boot sector!";
    Test::guest("guests/bin/hello.elf").ends(Ending::Halt).gdb(commands).run()
}

fn it_exits_with_a_status() -> Result<(), Failed> {
    Test::guest("tests/guests/exit.asm").ends(Ending::Exit(42)).console("bye").run()
}

/// Fails, for the sake of its report.
fn it_says_goodbye() -> Result<(), Failed> {
    Test::guest("guests/bin/hello.elf").screen_contains("Goodbye").run()
}

fn main() -> Result<(), Failed> {
    it_greets_and_halts()?;
    it_finds_a_stack_below_itself()?;
    it_exits_with_a_status()?;
    if let Err(failed) = it_says_goodbye() {
        println!("{failed}");
    }
    Ok(())
}
