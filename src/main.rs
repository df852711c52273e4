//! The `stepvisor` command.
#![warn(clippy::print_stderr, clippy::print_stdout)]

/// Prints a line on standard error. Unlike `eprintln!` it bears with a reader that has gone away: the
/// guest must not die of it.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($text)*);
    }};
}

mod cli;
mod cmd;
mod exit_code;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::from_arguments();
    let level = if cli.verbose { "debug" } else { "warn" };
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("STEPVISOR_LOG", level))
        // As all other lines that the command prints; the level says how loud, not how it looks.
        .format(|line, record| writeln!(line, "stepvisor: {}", record.args()))
        .init();
    match cmd::dispatch(cli.command()) {
        Ok(code) => code.into(),
        Err(error) => {
            say!("stepvisor: {error:#}");
            exit_code::of_error(&error).into()
        }
    }
}
