//! A `stepvisor gdbserver` of a test's own, on a TCP port that the system picks.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A server that does not do what is waited for in this time never will.
const LIMIT: Duration = Duration::from_secs(60);

/// A running server; it ends with the test.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// What it has said when it was ready.
    pub greeting: String,
    /// The rest of what it prints, at its end.
    rest: Receiver<String>,
}

impl Server {
    /// Debugs what `arguments` say.
    pub fn with(arguments: &[&str]) -> Server {
        let mut command = stepvisor();
        command.arg("gdbserver").args(arguments).args(["--listen", "127.0.0.1:0"]);
        Server::start(command)
    }

    /// Starts `command`, which listens on port 0.
    pub fn start(mut command: Command) -> Server {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut greeting = String::new();
            let _ = reader.read_line(&mut greeting);
            let _ = sender.send(greeting);
            let mut rest = String::new();
            let _ = reader.read_to_string(&mut rest);
            let _ = sender.send(rest);
        });
        let greeting = lines.recv_timeout(LIMIT).expect("a server that is ready");
        let address = greeting.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        Server { child, address, greeting, rest: lines }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        // Its standard error ends with it.
        self.rest.recv_timeout(LIMIT).expect("a server that ends");
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `stepvisor`, started where the guests are.
pub fn stepvisor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("STEPVISOR_LOG");
    command
}

/// `program` as a user has it who has installed stepvisor, but for settings of their own.
pub fn beside_stepvisor(program: &str) -> Command {
    let binaries = std::path::Path::new(env!("CARGO_BIN_EXE_stepvisor")).parent().unwrap();
    let mut path = binaries.as_os_str().to_owned();
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    let mut command = Command::new(program);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env_remove("DEBUGINFOD_URLS")
        .env_remove("STEPVISOR_LOG");
    command
}
