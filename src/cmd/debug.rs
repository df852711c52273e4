//! `stepvisor debug`: the server and a gdb that is connected to it, in one terminal.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use stepvisor::gdb::client::Target;

use super::console;
use super::gdb::Gdb;
use super::symbols::Symbols;
use crate::cli::{Debug, ModeEvents};
use crate::exit_code::{ExitCode, Failure};

/// Carries out `stepvisor debug`.
pub fn run(args: &Debug) -> anyhow::Result<ExitCode> {
    if args.guest.uses_stdin() {
        let text = "--serial-in - would take what is typed to gdb: name a file, a pipe or another terminal";
        return Err(Failure::new(ExitCode::Usage, text).into());
    }
    let gdb = Gdb {
        program: &args.gdb,
        symbols: Symbols::find(&args.guest, args.symbols.as_deref())?,
        loads_script: !args.no_gdb_script,
        target: Target::Started,
        args: &args.gdb_args,
    };
    let mut machine = args.guest.machine()?;
    console::tell_before_gdb(&mut machine);
    machine.stop_at_mode_switch(args.mode_events == ModeEvents::Eager);
    let session = gdb.debug(&mut machine)?;
    Ok(session.status.map_or(ExitCode::Interrupted, code_of))
}

/// gdb's own exit code, so that `quit 3` in a script reaches the shell.
fn code_of(status: ExitStatus) -> ExitCode {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::OfGdb((code & 0xff) as u8),
        (None, signal) => {
            say!("stepvisor: gdb was ended by signal {}", signal.unwrap_or_default());
            ExitCode::Gdb
        }
    }
}
