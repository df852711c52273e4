//! gdb's machine interface: commands with a token, and records that are waited for.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A gdb that says nothing for so long hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A running gdb.
pub struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// All that it has said.
    said: Vec<String>,
    /// How many of these lines have been looked through for stops.
    looked: usize,
    token: u32,
}

impl Conversation {
    /// Starts `command`, a gdb with the interpreter mi.
    pub fn start(mut command: Command) -> Conversation {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::piped()).stderr(writer.try_clone().unwrap()).stdout(writer);
        let mut child = command.spawn().expect("gdb is installed");
        drop(command);
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Conversation { child, stdin, lines, said: Vec::new(), looked: 0, token: 0 }
    }

    fn next_line(&mut self, wish: &str) {
        let line = self.lines.recv_timeout(LIMIT);
        match line {
            Ok(line) => self.said.push(line),
            Err(error) => {
                panic!("{error} while waiting for {wish}; so far:\n{}", self.said.join("\n"))
            }
        }
    }

    /// Gives `command` and waits for its result record, which is returned without the token.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.token += 1;
        let result = format!("{}^", self.token);
        let stdin = self.stdin.as_mut().unwrap();
        // One that has ended reads nothing; the wait says what it has printed.
        let _ = writeln!(stdin, "{}{command}", self.token);
        let from = self.said.len();
        loop {
            let found = self.said[from..].iter().find_map(|line| line.strip_prefix(&result));
            if let Some(record) = found {
                return record.to_owned();
            }
            self.next_line(&format!("the result of {command}"));
        }
    }

    /// The same of a command that must succeed.
    #[track_caller]
    pub fn order(&mut self, command: &str) -> String {
        let record = self.ask(command);
        assert!(!record.starts_with("error"), "{command}: {record}");
        record
    }

    /// As the extension has gdb do what is no command of the machine interface.
    #[track_caller]
    pub fn console(&mut self, command: &str) -> String {
        let escaped = command.replace('\\', "\\\\").replace('"', "\\\"");
        let from = self.said.len();
        self.order(&format!("-interpreter-exec console \"{escaped}\""));
        self.said[from..].join("\n")
    }

    /// The next stop that has not been looked at.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        loop {
            while self.looked < self.said.len() {
                self.looked += 1;
                if let Some(record) = self.said[self.looked - 1].strip_prefix("*stopped,") {
                    return record.to_owned();
                }
            }
            self.next_line("a stop");
        }
    }

    /// Lets the guest go on by `command` until its next stop.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> String {
        assert_eq!(self.order(command), "running", "{command}");
        self.stop()
    }

    /// Whether it has printed `text`, which may have been escaped.
    pub fn has_said(&self, text: &str) -> bool {
        self.said.iter().any(|line| line.contains(text))
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
