//! `stepvisor gdbserver`: boots a guest and waits at its first instruction for gdb.

use stepvisor::gdb::server::{End, Server};
use stepvisor::gdb::transport::{Address, Listener};

use super::console::{self, Console};
use super::interruptions;
use super::line_terminal::LineTerminal;
use super::symbols::Symbols;
use crate::cli::{GdbServer, ModeEvents};
use crate::exit_code::{ExitCode, Failure};

/// Carries out `stepvisor gdbserver`.
pub fn run(args: &GdbServer) -> anyhow::Result<ExitCode> {
    if args.stdio && args.guest.uses_stdout() {
        let text =
            "--serial - would write into the conversation with gdb: --stdio has standard output";
        return Err(Failure::new(ExitCode::Usage, text).into());
    }
    if args.stdio && args.guest.uses_stdin() {
        let text =
            "--serial-in - would take what gdb says to the server: --stdio has standard input";
        return Err(Failure::new(ExitCode::Usage, text).into());
    }
    let address = if args.stdio { &Address::Stdio } else { &args.listen };
    // A taken port shows before the machine is built.
    let listener = Listener::bind(address, args.allow_remote)?;
    let symbols = Symbols::find(&args.guest, args.symbols.as_deref())?;
    let mut machine = args.guest.machine()?;
    console::tell_before_gdb(&mut machine);
    machine.stop_at_mode_switch(args.mode_events == ModeEvents::Eager);
    let mut server = Server::new(&mut machine, listener, Box::new(Console::default()))?;
    if let Some(symbols) = symbols {
        server.offer_program(symbols.program()?);
    }
    if *server.address() != Address::Stdio {
        say!(
            "stepvisor: {} waits for gdb: {}",
            args.guest.name(),
            how_to_connect(server.address())
        );
    }
    if args.no_wait {
        server.let_guest_run();
    }
    let _terminal = args.guest.uses_stdin().then(LineTerminal::take);
    let stopper = server.stopper();
    interruptions::on_signal(move || stopper.stop())?;
    let end = server.serve()?;
    Ok(code_of(&end))
}

/// What a user types in gdb.
fn how_to_connect(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("target remote {host}:{port}"),
        Address::Unix(path) => format!("target remote {}", path.display()),
        Address::Stdio => "standard input and output".to_owned(),
    }
}

/// The exit code of a debugging session.
pub fn code_of(end: &End) -> ExitCode {
    match end {
        End::Killed | End::ClientGone => ExitCode::Success,
        End::Exited { status } => ExitCode::Guest((status & 0xff) as u8),
        End::Stopped => ExitCode::Interrupted,
    }
}
