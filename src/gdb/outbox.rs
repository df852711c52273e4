//! What goes to the client: replies, and what the guest says while it runs.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::acks::Acks;
use super::frame::Reply;
use super::transport::{Connection, ConnectionId};
use crate::machine::Observer;

/// Guest output is sent at the end of a line, or after so many bytes without one.
const LONGEST_LINE: usize = 512;

/// The way to the client, if there is one. Without one, the guest is heard by a fallback.
pub struct Outbox {
    connection: Option<Connection>,
    acks: Acks,
    /// The next report of a stop has an acknowledgement ahead of it.
    owes_ack: bool,
    /// The client waits for a stop; only then does it take console output.
    running: bool,
    /// What the guest says does not concern the client.
    released: bool,
    /// Lines for when it does.
    notices: Vec<String>,
    line: Vec<u8>,
    /// The client's console shows guest output whose line is not at its end.
    in_line: bool,
    fallback: Box<dyn Observer>,
    /// A write failed: the client is as good as gone.
    broken: Option<ConnectionId>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("connection", &self.connection)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An outbox without a client; what the guest says goes to `fallback`.
    #[must_use]
    pub fn new(fallback: Box<dyn Observer>) -> Outbox {
        Outbox {
            connection: None,
            acks: Acks::default(),
            owes_ack: false,
            running: false,
            released: false,
            notices: Vec::new(),
            line: Vec::new(),
            in_line: false,
            fallback,
            broken: None,
        }
    }

    /// Takes `connection` as the way to a new client.
    pub fn attach(&mut self, connection: Connection) {
        self.connection = Some(connection);
        self.acks = Acks::default();
        self.owes_ack = false;
        self.running = false;
        self.released = false;
        self.line.clear();
        self.in_line = false;
    }

    /// Gives the connection back.
    pub fn detach(&mut self) -> Option<Connection> {
        self.flush_line();
        self.running = false;
        for text in std::mem::take(&mut self.notices) {
            self.fallback.notice(&text);
        }
        self.connection.take()
    }

    /// Whether writing failed: the client is as good as gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The connection on which writing failed, once.
    pub fn take_broken(&mut self) -> Option<ConnectionId> {
        self.broken.take()
    }

    /// The fallback observer, for after the last client.
    #[must_use]
    pub fn into_fallback(self) -> Box<dyn Observer> {
        self.fallback
    }

    /// Whether packets are still acknowledged, and how.
    pub fn acks(&mut self) -> &mut Acks {
        &mut self.acks
    }

    /// Sends the reply to a packet: one write, the acknowledgement ahead of it.
    pub fn reply(&mut self, frames: &[u8]) {
        let bytes = [self.acks.accept(), frames].concat();
        self.acks.sent(frames);
        self.write(&bytes);
    }

    /// Acknowledges a packet whose reply comes later.
    pub fn accept(&mut self) {
        self.write(self.acks.accept());
    }

    /// Acknowledges a packet that resumes in one write with the report of the stop, which follows at once.
    pub fn accept_with_report(&mut self) {
        if self.notices.is_empty() {
            self.owes_ack = true;
        } else {
            // The client overlooks what comes ahead of the acknowledgement.
            self.accept();
        }
    }

    /// Sends the reply to a packet that was accepted.
    pub fn reply_late(&mut self, frames: &[u8]) {
        self.acks.sent(frames);
        self.write(frames);
    }

    /// Has a damaged packet sent again.
    pub fn reject(&mut self) {
        self.write(self.acks.reject());
    }

    /// Sends the last reply again.
    pub fn repeat(&mut self) {
        let bytes = self.acks.again().to_vec();
        self.write(&bytes);
    }

    /// From now on the client waits for a stop.
    pub fn resumed(&mut self) {
        self.running = true;
        for text in std::mem::take(&mut self.notices) {
            self.say(&text);
        }
    }

    /// From now on the client waits for nothing; if it has `released` the guest, that speaks to others.
    pub fn rest(&mut self, released: bool) {
        self.flush_line();
        self.running = false;
        self.released = released;
    }

    /// Reports a stop, the lines `notes` before it.
    pub fn stopped(&mut self, notes: &[String], report: &[u8]) {
        self.flush_line();
        let mut frames = Vec::new();
        for note in notes {
            frames.extend(self.console_line(note));
        }
        frames.extend_from_slice(report);
        // What the client prints about the stop stands between.
        self.in_line = false;
        self.running = false;
        self.acks.sent(&frames);
        let ack: &[u8] = if std::mem::take(&mut self.owes_ack) { self.acks.accept() } else { b"" };
        let bytes = [ack, &frames].concat();
        self.write(&bytes);
    }

    /// Prints a line where somebody sees it.
    fn say(&mut self, text: &str) {
        match (&self.connection, self.running) {
            (None, _) => self.fallback.notice(text),
            (Some(_), false) if self.released => self.fallback.notice(text),
            (Some(_), false) => self.notices.push(text.to_owned()),
            (Some(_), true) => {
                self.flush_line();
                let frame = self.console_line(text);
                self.acks.sent(&frame);
                self.write(&frame);
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.connection.is_none() {
            return self.fallback.console(bytes);
        }
        self.line.extend_from_slice(bytes);
        if bytes.contains(&b'\n') || self.line.len() >= LONGEST_LINE {
            self.flush_line();
        }
    }

    fn flush_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        if self.running {
            self.in_line = !line.ends_with(b"\n");
            let frame = Reply::new().text("O").hex(&line).frame();
            self.acks.sent(&frame);
            self.write(&frame);
        } else {
            self.fallback.console(&line);
        }
    }

    /// The frame that prints `text` on a line of its own.
    fn console_line(&mut self, text: &str) -> Vec<u8> {
        let start = if std::mem::take(&mut self.in_line) { "\n" } else { "" };
        Reply::console(&format!("{start}stepvisor: {text}\n")).frame()
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(connection) = &mut self.connection else { return };
        // Each further attempt would wait as long as the one that failed.
        if self.broken.is_some() {
            return;
        }
        let sent: io::Result<()> = connection.send(bytes);
        if let Err(error) = sent {
            log::info!("the debugger takes nothing any more: {error}");
            self.broken = Some(connection.id());
        }
    }
}

/// The machine's end of an outbox.
#[derive(Clone, Debug)]
pub struct Relay(pub Rc<RefCell<Outbox>>);

impl Observer for Relay {
    fn notice(&mut self, text: &str) {
        self.0.borrow_mut().say(text);
    }

    fn console(&mut self, bytes: &[u8]) {
        self.0.borrow_mut().hear(bytes);
    }

    fn serial(&mut self, _: usize, bytes: &[u8]) {
        self.0.borrow_mut().hear(bytes);
    }
}
