//! A gdb in this terminal, connected to a machine of this process.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use stepvisor::gdb::client::{Client, Target};
use stepvisor::gdb::segments::Segments;
use stepvisor::gdb::server::{End, Server};
use stepvisor::gdb::transport::{Address, Listener};
use stepvisor::machine::Machine;
use stepvisor::machine::observer::Deaf;

use super::interruptions;
use super::symbols::Symbols;
use crate::cli::DEMO_SYMBOLS;
use crate::exit_code::{ExitCode, Failure};

/// How gdb is started.
#[derive(Debug)]
pub struct Gdb<'a> {
    pub program: &'a Path,
    pub symbols: Option<Symbols>,
    /// It is given its script for 16-bit frames and commands.
    pub loads_script: bool,
    pub target: Target,
    pub args: &'a [OsString],
}

/// How a session went.
#[derive(Debug)]
pub struct Session {
    /// What gdb ended with; nothing if this process was to end.
    pub status: Option<ExitStatus>,
    /// How the server ended.
    pub end: End,
}

impl Gdb<'_> {
    /// Starts it on `machine`, and serves it until it ends.
    ///
    /// # Errors
    /// It cannot be started, or what it needs cannot be had.
    pub fn debug(self, machine: &mut Machine) -> anyhow::Result<Session> {
        let directory = tempfile::Builder::new()
            .prefix("stepvisor-")
            .tempdir()
            .context("cannot make a directory for the socket")?;
        let directory = directory.path();
        let symbols = self.symbols_in(directory)?;
        let client = Client {
            gdb: self.program,
            directory,
            loads_script: self.loads_script,
            symbols: symbols.as_deref(),
            target: self.target,
        };
        let listener = Listener::bind(&Address::Unix(client.socket()), false)?;
        let command = client.command(machine.boot());
        let mut command = command.context("cannot write what gdb reads")?;
        command.args(self.args);
        let mut server = Server::new(machine, listener, Box::new(Deaf))?;
        server.expect_no_architecture();
        if let Some(symbols) = &symbols {
            server.know_segments(Segments::read(symbols).context("cannot read the symbols")?);
        }

        // ^C belongs to gdb, which is in the same terminal: it stops the guest, not the server.
        interruptions::ignore_keyboard()?;
        let terminal = Terminal::remember();
        let mut child = command
            .spawn()
            .map_err(|error| Failure::new(ExitCode::Gdb, client.not_started(&error)))?;
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
        let end = server.serve()?;
        // gdb may outlive its guest: `kill` ends the guest only.
        let status = receiver.recv().context("gdb was lost")??;
        terminal.restore();
        let status = (!terminated.load(Ordering::SeqCst)).then_some(status);
        Ok(Session { status, end })
    }

    /// The file with the symbols; it is made in `directory` if there is none.
    fn symbols_in(&self, directory: &Path) -> anyhow::Result<Option<PathBuf>> {
        Ok(match &self.symbols {
            Some(Symbols::File(path)) => Some(path.clone()),
            Some(Symbols::Demo) => {
                let path = directory.join("demo.elf");
                fs::write(&path, DEMO_SYMBOLS).context("cannot write the demo's symbols")?;
                Some(path)
            }
            None => None,
        })
    }
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
