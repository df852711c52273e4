//! A gdb in this terminal, connected to a machine of this process.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use stepvisor::gdb::server::{End, Server};
use stepvisor::gdb::transport::{Address, Listener};
use stepvisor::gdb::{client, extension};
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

/// What a guest is to gdb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Started by it, and may be started anew.
    Started,
    /// Found running, and goes on when gdb leaves.
    Found,
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
        let socket = directory.join("gdb");
        let listener = Listener::bind(&Address::Unix(socket.clone()), false)?;
        let program = client::write_programs(directory, machine.boot());
        let program = program.context("cannot write the program for gdb")?;
        let mut command = self.command(directory, &socket, &program)?;
        let mut server = Server::new(machine, listener, Box::new(Deaf))?;
        server.expect_no_architecture();

        // ^C belongs to gdb, which is in the same terminal: it stops the guest, not the server.
        interruptions::ignore_keyboard()?;
        let terminal = Terminal::remember();
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
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

    /// gdb, told to connect before anything the user asks for.
    fn command(&self, directory: &Path, socket: &Path, program: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(self.program);
        command.arg("-q");
        if self.loads_script {
            // Before the program, and before what the user asks for.
            let script = extension::write(directory);
            command.arg("-ix").arg(script.context("cannot write the script for gdb")?);
        }
        command.arg("-e").arg(program).arg("-d").arg(directory);
        if let Some(symbols) = self.symbols_in(directory)? {
            command.arg("-s").arg(symbols);
        }
        let mut target = OsString::from(match self.target {
            Target::Started => "target extended-remote ",
            Target::Found => "target remote ",
        });
        target.push(socket);
        command.arg("-ex").arg(target).args(self.args);
        Ok(command)
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

    fn not_started(&self, error: &std::io::Error) -> Failure {
        let gdb = self.program.display();
        let text = if error.kind() == std::io::ErrorKind::NotFound {
            format!("{gdb} is not installed: apt-get install gdb, or name another with --gdb")
        } else {
            format!("cannot start {gdb}: {error}")
        };
        Failure::new(ExitCode::Gdb, text)
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
