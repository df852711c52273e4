//! `stepvisor debug`: the server and a gdb that is connected to it, in one terminal.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use stepvisor::gdb::server::Server;
use stepvisor::gdb::transport::{Address, Listener};
use stepvisor::gdb::{client, extension};
use stepvisor::machine::observer::Deaf;

use super::interruptions;
use super::symbols::Symbols;
use crate::cli::{DEMO_SYMBOLS, Debug, ModeEvents};
use crate::exit_code::{ExitCode, Failure};

/// Carries out `stepvisor debug`.
pub fn run(args: &Debug) -> anyhow::Result<ExitCode> {
    let directory = tempfile::Builder::new()
        .prefix("stepvisor-")
        .tempdir()
        .context("cannot make a directory for the socket")?;
    let socket = directory.path().join("gdb");
    let symbols = match Symbols::find(&args.guest, args.symbols.as_deref())? {
        Some(Symbols::File(path)) => Some(path),
        Some(Symbols::Demo) => {
            let path = directory.path().join("demo.elf");
            fs::write(&path, DEMO_SYMBOLS).context("cannot write the demo's symbols")?;
            Some(path)
        }
        None => None,
    };

    let listener = Listener::bind(&Address::Unix(socket.clone()), false)?;
    let mut machine = args.guest.machine()?;
    let program = client::write_programs(directory.path(), machine.boot());
    let program = program.context("cannot write the program for gdb")?;
    machine.stop_at_mode_switch(args.mode_events == ModeEvents::Eager);
    let mut server = Server::new(&mut machine, listener, Box::new(Deaf))?;
    server.expect_no_architecture();

    // ^C belongs to gdb, which is in the same terminal: it stops the guest, not the server.
    interruptions::ignore_keyboard()?;
    let terminal = Terminal::remember();
    let mut child = start_gdb(args, directory.path(), &socket, &program, symbols.as_deref())?;
    // A termination signal ends both, gdb in its own good order.
    // The number of a gdb that has been waited for may be another process's.
    let gdb = Arc::new(Mutex::new(Some(Pid::from_child(&child))));
    let (signalled_gdb, on_signal) = (Arc::clone(&gdb), server.stopper());
    let terminated = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&terminated);
    interruptions::on_termination(move || {
        signalled.store(true, Ordering::SeqCst);
        if let Some(gdb) = *lock(&signalled_gdb) {
            // Fails only if gdb has ended already.
            let _ = kill_process(gdb, Signal::HUP);
        }
        on_signal.stop();
    })?;
    let stopper = server.stopper();
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("gdb".to_owned()).spawn(move || {
        wait_for_end(&child);
        lock(&gdb).take();
        let _ = sender.send(child.wait());
        stopper.stop();
    })?;
    server.serve()?;
    // gdb may outlive its guest: `kill` ends the guest only.
    let status = receiver.recv().context("gdb was lost")??;
    terminal.restore();
    if terminated.load(Ordering::SeqCst) {
        return Ok(ExitCode::Interrupted);
    }
    Ok(code_of(status))
}

/// Waits until gdb has ended, and leaves its number in use.
fn wait_for_end(child: &Child) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Fails only if somebody else has waited for it.
    let wait = || waitid(WaitId::Pid(Pid::from_child(child)), options);
    while matches!(wait(), Err(Errno::INTR)) {}
}

/// Nobody leaves it half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// gdb, told to connect before anything the user asks for.
fn start_gdb(
    args: &Debug,
    directory: &Path,
    socket: &Path,
    program: &Path,
    symbols: Option<&Path>,
) -> anyhow::Result<Child> {
    let mut command = Command::new(&args.gdb);
    command.arg("-q");
    if !args.no_gdb_script {
        // Before the program, and before what the user asks for.
        let script = extension::write(directory).context("cannot write the script for gdb")?;
        command.arg("-ix").arg(script);
    }
    command.arg("-e").arg(program).arg("-d").arg(directory);
    if let Some(symbols) = symbols {
        command.arg("-s").arg(symbols);
    }
    let mut target = OsString::from("target extended-remote ");
    target.push(socket);
    command.arg("-ex").arg(target).args(&args.gdb_args);
    command.spawn().map_err(|error| {
        let gdb = args.gdb.display();
        let text = if error.kind() == std::io::ErrorKind::NotFound {
            format!("{gdb} is not installed: apt-get install gdb, or name another with --gdb")
        } else {
            format!("cannot start {gdb}: {error}")
        };
        Failure::new(ExitCode::Gdb, text).into()
    })
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

/// The terminal's settings, to be put back if gdb dies without doing so.
struct Terminal(Option<Termios>);

impl Terminal {
    fn remember() -> Terminal {
        Terminal(tcgetattr(std::io::stdin()).ok())
    }

    fn restore(&self) {
        if let Some(settings) = &self.0 {
            // Fails only when the terminal is gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, settings);
        }
    }
}
