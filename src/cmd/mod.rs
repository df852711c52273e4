//! One file a subcommand: each turns its flags into a machine, drives it, and says how it ended.

mod console;
mod debug;
mod doctor;
mod end;
mod gdb;
mod gdb_script;
mod gdbserver;
mod interruptions;
mod line_terminal;
mod live;
mod report;
mod run;
mod symbols;
mod test;

use crate::cli::Command;
use crate::exit_code::ExitCode;

/// Carries out `command`.
pub fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::GdbServer(args) => gdbserver::run(&args),
        Command::Debug(args) => debug::run(&args),
        Command::GdbScript(args) => gdb_script::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Test(args) => test::run(&args),
    }
}
