//! A program in a session: fed line by line, heard to its end, never waited for without a limit.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process_group};

/// A session that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What happens to a program.
#[derive(Debug)]
enum Event {
    /// It printed something.
    Output(Vec<u8>),
    /// gdb sent or received a packet: its own log of it.
    Packet(String),
    /// It closed its output.
    End,
}

/// A running program, leader of its process group.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
    output: Vec<u8>,
    /// The guest runs, by what gdb sent last.
    running: bool,
    deadline: Instant,
    /// Kept open, so that the log has a reader and a writer.
    log: Option<PipeWriter>,
}

/// Where gdb writes its log of packets.
#[derive(Debug)]
pub struct PacketLog {
    reader: PipeReader,
    writer: PipeWriter,
}

impl PacketLog {
    pub fn new() -> std::io::Result<PacketLog> {
        let (reader, writer) = std::io::pipe()?;
        Ok(PacketLog { reader, writer })
    }

    /// The name under which a child opens it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.writer.as_raw_fd())
    }
}

impl Program {
    /// Starts `command`. Both output streams go through one pipe, in the order a terminal would show.
    pub fn start(mut command: Command, log: Option<PacketLog>) -> std::io::Result<Program> {
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::piped()).stderr(writer.try_clone()?).stdout(writer).process_group(0);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        // The command holds writing ends.
        drop(command);
        let (sender, events) = channel();
        hear(reader, sender.clone());
        let log = log.map(|log| {
            let reader = BufReader::new(log.reader);
            thread::spawn(move || {
                for line in reader.split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if sender.send(Event::Packet(line)).is_err() {
                        return;
                    }
                }
            });
            log.writer
        });
        let deadline = Instant::now() + LIMIT;
        Ok(Program { child, stdin, events, output: Vec::new(), running: false, deadline, log })
    }

    /// Gives it a line to read.
    pub fn write_line(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            // A program that has ended reads nothing; its output says why.
            let _ = writeln!(stdin, "{line}");
        }
    }

    /// Waits until it has printed `text`.
    pub fn wait_for(&mut self, text: &str) -> Result<(), Failed> {
        while !String::from_utf8_lossy(&self.output).contains(text) {
            self.next_event(&format!("`{text}` is printed"))?;
        }
        Ok(())
    }

    /// Waits until gdb has let the guest go on and waits for it. A ^C between the two is lost: gdb notes only
    /// after sending the packet that there is something to interrupt.
    pub fn wait_until_running(&mut self) -> Result<(), Failed> {
        while !self.running {
            self.next_event("the guest runs")?;
        }
        while !self.sleeps()? {
            if Instant::now() > self.deadline {
                return Err(self.failure("gdb never waits for the guest"));
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Whether gdb sleeps until something happens. It is the program itself, or the first that it started.
    fn sleeps(&self) -> std::io::Result<bool> {
        let id = self.child.id();
        let name = |id: &str| std::fs::read_to_string(format!("/proc/{id}/comm"));
        let mut gdb = id.to_string();
        if name(&gdb)?.trim() != "gdb" {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
            gdb = children.split_whitespace().next().unwrap_or_default().to_owned();
        }
        let stat = std::fs::read_to_string(format!("/proc/{gdb}/stat"))?;
        // The state follows the name, which ends with the last parenthesis.
        Ok(stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S')))
    }

    /// Sends `signal` to it and its children.
    pub fn signal(&self, signal: Signal) -> Result<(), Failed> {
        Ok(kill_process_group(self.group()?, signal)?)
    }

    /// Lets it end; gives its whole output.
    pub fn finish(mut self) -> Result<(String, ExitStatus), Failed> {
        self.stdin = None;
        while !self.next_event("it ends")? {}
        self.log = None;
        let status = self.child.wait()?;
        Ok((String::from_utf8_lossy(&self.output).into_owned(), status))
    }

    /// Takes in what happens next; true at the end.
    fn next_event(&mut self, wish: &str) -> Result<bool, Failed> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let event = self.events.recv_timeout(left);
        match event {
            Ok(Event::Output(bytes)) => self.output.extend(bytes),
            Ok(Event::Packet(line)) if line.starts_with("w ") => {
                self.running = line.contains("$vCont;c") || line.contains("$c#");
            }
            Ok(Event::Packet(_)) => {}
            Ok(Event::End) if wish == "it ends" => return Ok(true),
            Ok(Event::End) => return Err(self.failure(&format!("it ended before {wish}"))),
            Err(_) => {
                self.kill();
                return Err(self.failure(&format!(
                    "it was killed: {} s, and never came that {wish}",
                    LIMIT.as_secs()
                )));
            }
        }
        Ok(false)
    }

    fn failure(&self, text: &str) -> Failed {
        format!("{text}; so far:\n{}", String::from_utf8_lossy(&self.output)).into()
    }

    fn group(&self) -> Result<Pid, Failed> {
        let id = i32::try_from(self.child.id())?;
        Pid::from_raw(id).ok_or_else(|| "no process id".into())
    }

    fn kill(&mut self) {
        // Not yet waited for, so that the number still is its own.
        let _ = self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After a failure elsewhere; does nothing to one that has been waited for.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

fn hear(mut reader: PipeReader, sender: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if sender.send(Event::Output(buffer[..count].to_vec())).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::End);
    });
}
