//! One client's session: what it is in the middle of, and what may come in which state. What becomes of a packet is
//! in `packet`, how the client hears of a stop in `report`.

mod packet;
mod report;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::bulk::Job;
use super::crashes::Crashes;
use super::engine::Engine;
use super::extended::{Extended, Hold};
use super::follow::Follower;
use super::frame::{Decoder, FrameEvent, MAX_PACKET, Reply};
use super::outbox::Outbox;
use super::target::{Guest, Resume};
use super::transport::ConnectionId;
use crate::machine::StopReason;

/// How long after a ^C that a stop has overtaken a resume is a debugger's own doing: it evaluates a condition, or
/// steps off a breakpoint, and takes the stop for no answer. No user is as fast.
const OWN_DOING: Duration = Duration::from_millis(250);
/// Most bytes a client may send ahead while the guest runs.
const MOST_QUEUED: usize = 1 << 20;

/// What a session wants of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Let the guest go on, and report its stop.
    Run(Resume),
    /// The guest would go on as it is said here, but has come to its end: wait for a ^C.
    Wait(Resume),
    /// Stop the guest: ^C.
    Interrupt,
    /// Keep the guest where it is; its past is over.
    Halt,
    /// Let the guest go on; the client stays, and does not care.
    Release,
    /// The client leaves; the guest goes on without it.
    Detach,
    /// The client ends the guest.
    Kill,
    /// The user ends the server.
    Quit,
    /// The client cannot be served any more.
    Drop,
}

/// The state of a session between two packets.
#[derive(Debug)]
pub struct Session<'m> {
    id: ConnectionId,
    decoder: Decoder,
    engine: Engine<'m>,
    outbox: Rc<RefCell<Outbox>>,
    queue: VecDeque<FrameEvent>,
    queued: usize,
    /// What the client waits for that is not done yet.
    job: Option<Job>,
    /// The client waits for the guest to stop.
    running: bool,
    /// Why the guest stopped last.
    last_stop: StopReason,
    multiprocess: bool,
    follower: Follower,
    extended: Extended,
    crashes: Crashes,
    /// When a stop was reported last.
    stopped: Option<Instant>,
    /// When a ^C came that a stop had overtaken.
    overtaken: Option<Instant>,
    /// The last stop is to be reported again if the client goes on at once: it came in a step, which may have been
    /// its own.
    again: bool,
    /// It sent a packet, so it is a debugger and not somebody looking for open ports.
    spoke: bool,
}

impl<'m> Session<'m> {
    /// A session with a client that has just connected as `id`; the guest is stopped for `last_stop`.
    pub fn new(
        id: ConnectionId,
        guest: &mut Guest<'m>,
        outbox: Rc<RefCell<Outbox>>,
        last_stop: StopReason,
    ) -> Session<'m> {
        guest.forget_client();
        Session {
            id,
            decoder: Decoder::new(MAX_PACKET),
            engine: Engine::new(guest),
            outbox,
            queue: VecDeque::new(),
            queued: 0,
            job: None,
            running: false,
            last_stop,
            multiprocess: false,
            follower: Follower::default(),
            extended: Extended::default(),
            crashes: Crashes::default(),
            stopped: None,
            overtaken: None,
            again: false,
            spoke: false,
        }
    }

    /// Which connection this is.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whether the client ever sent a packet.
    #[must_use]
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// What the client has to do with the guest.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.extended.hold()
    }

    /// Whether the client stays when its guest has ended.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.extended.is_on()
    }

    /// Whether something is to be done for the client, by [`Session::work`].
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.job.is_some()
    }

    /// Whether the client waits for the guest to stop.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Takes what the client sent.
    pub fn receive(&mut self, guest: &mut Guest<'m>, bytes: &[u8]) -> Vec<Demand> {
        let mut demands = Vec::new();
        for event in self.decoder.push(bytes) {
            if self.outbox.borrow().is_broken() {
                break;
            }
            match event {
                FrameEvent::Ack => {}
                // It only finds that the reply takes long.
                FrameEvent::Nak if self.has_work() => {}
                FrameEvent::Interrupt if self.has_work() => {
                    self.job = None;
                    self.outbox.borrow_mut().reply_late(&Reply::error("interrupted").frame());
                }
                FrameEvent::Nak => self.outbox.borrow_mut().repeat(),
                // A stop has overtaken it, which is enough for a user, but not for a debugger that resumes by
                // itself.
                FrameEvent::Interrupt if !self.running => {
                    let recent = self.stopped.is_some_and(|since| since.elapsed() < OWN_DOING);
                    let answered = self.last_stop == StopReason::Kicked;
                    self.overtaken = (recent && !answered).then(Instant::now);
                }
                FrameEvent::Interrupt => demands.push(Demand::Interrupt),
                event if self.running && !ends_session(&event) => {
                    self.queued += weight(&event);
                    self.queue.push_back(event);
                    if self.queued > MOST_QUEUED {
                        log::warn!("the debugger sends without waiting for replies");
                        return vec![Demand::Drop];
                    }
                }
                event => demands.extend(self.handle(guest, event)),
            }
        }
        demands
    }

    /// Does a part of what the client waits for.
    pub fn work(&mut self, guest: &Guest<'m>) {
        if let Some(reply) = self.job.as_mut().and_then(|job| job.go_on(guest)) {
            self.job = None;
            self.outbox.borrow_mut().reply_late(&reply.frame());
        }
    }

    /// Handles what came while the guest was running, as far as it is not running again.
    pub fn catch_up(&mut self, guest: &mut Guest<'m>) -> Vec<Demand> {
        let mut demands = Vec::new();
        while !self.running && !self.outbox.borrow().is_broken() {
            let Some(event) = self.queue.pop_front() else { break };
            self.queued = self.queued.saturating_sub(weight(&event));
            demands.extend(self.handle(guest, event));
        }
        demands
    }

    fn handle(&mut self, guest: &mut Guest<'m>, event: FrameEvent) -> Option<Demand> {
        // A client that goes on has given up waiting: a late reply would be taken for another.
        self.job = None;
        match event {
            FrameEvent::Packet(body) => {
                self.spoke = true;
                self.crashes.note(&body);
                self.packet(guest, &body)
            }
            FrameEvent::BadChecksum if self.outbox.borrow_mut().acks().in_use() => {
                self.outbox.borrow_mut().reject();
                None
            }
            FrameEvent::BadChecksum => self.reply(Reply::error("bad checksum")),
            FrameEvent::Oversized => {
                self.reply(Reply::error(&format!("packet longer than {MAX_PACKET} bytes")))
            }
            FrameEvent::Ack | FrameEvent::Nak | FrameEvent::Interrupt => None,
        }
    }

    /// How the client calls the one thread.
    fn thread(&self) -> &'static str {
        if self.multiprocess { "p01.01" } else { "01" }
    }

    fn reply(&self, reply: Reply) -> Option<Demand> {
        self.outbox.borrow_mut().reply(&reply.frame());
        None
    }
}

/// Whether a packet is to be handled even while the guest runs: it ends the session.
fn ends_session(event: &FrameEvent) -> bool {
    let FrameEvent::Packet(body) = event else { return false };
    matches!(&body[..], b"k" | b"D" | [b'D', b';', ..]) || body.starts_with(b"vKill")
}

fn weight(event: &FrameEvent) -> usize {
    if let FrameEvent::Packet(body) = event { body.len() + 1 } else { 1 }
}
