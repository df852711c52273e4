//! A `stepvisor gdbserver` of a test's own.

use std::io::{BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;

/// A server that does not print or do what is waited for in this time never will.
const LIMIT: Duration = Duration::from_secs(30);

/// A running server; it ends with the test.
pub struct Server {
    child: Child,
    directory: TempDir,
    stderr: Receiver<Vec<u8>>,
    printed: String,
}

impl Server {
    /// Debugs the shipped guest `name` on a unix socket.
    pub fn of(name: &str) -> Server {
        Server::with(&[&format!("guests/bin/{name}.elf")])
    }

    /// Debugs what `arguments` say on a unix socket.
    pub fn with(arguments: &[&str]) -> Server {
        Server::start(arguments, true)
    }

    /// Debugs what `arguments` say on a TCP port that the system picks.
    pub fn on_tcp(arguments: &[&str]) -> Server {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--listen", "127.0.0.1:0"]).collect();
        Server::start(&arguments, false)
    }

    fn start(arguments: &[&str], unix: bool) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
        command.arg("gdbserver").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
        if unix {
            command.arg("--listen").arg(format!("unix:{}", directory.path().join("gdb").display()));
        }
        command.env_remove("STEPVISOR_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let (sender, stderr) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut server = Server { child, directory, stderr, printed: String::new() };
        server.wait_for("waits for gdb: target remote ");
        server.wait_for("\n");
        server
    }

    /// A new client.
    pub fn connect(&self) -> Client {
        Client::unix(&self.directory.path().join("gdb"))
    }

    /// A new client, unless the server has ended.
    pub fn try_connect(&self) -> Option<Client> {
        Client::try_unix(&self.directory.path().join("gdb"))
    }

    /// Where a server on TCP listens.
    pub fn address(&self) -> &str {
        self.printed.split("target remote ").nth(1).and_then(|rest| rest.lines().next()).unwrap()
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.printed.contains(text) {
            let bytes = self.stderr.recv_timeout(LIMIT);
            let bytes = bytes.unwrap_or_else(|_| panic!("no `{text}` in: {}", self.printed));
            self.printed.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// What it printed until now, after which it is forgotten.
    pub fn take_printed(&mut self) -> String {
        while let Ok(bytes) = self.stderr.try_recv() {
            self.printed.push_str(&String::from_utf8_lossy(&bytes));
        }
        std::mem::take(&mut self.printed)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still is there.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        // Its standard error ends with it.
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.printed.push_str(&String::from_utf8_lossy(&bytes)),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(_) => panic!("the server does not end; it printed {}", self.printed),
            }
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let alive = self.is_alive();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.take_printed();
        if thread::panicking() {
            eprintln!(
                "the server {}; it printed:\n{printed}",
                if alive { "was alive" } else { "had ended" }
            );
        } else {
            assert!(!printed.contains("panicked"), "{printed}");
        }
    }
}
