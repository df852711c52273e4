//! One client's session: which packets go to the engine, which are answered here, and what a reply becomes
//! on its way out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::agent::Plan;
use super::bulk::{self, Job};
use super::crashes::Crashes;
use super::engine::{Engine, Outcome};
use super::extended::{Effect, Extended, Hold};
use super::follow::{self, Follower, Postponed};
use super::form;
use super::frame::{Decoder, FrameEvent, MAX_PACKET, Reply, decode_number};
use super::outbox::Outbox;
use super::packets;
use super::questions;
use super::stop;
use super::target::{Guest, Resume};
use super::transport::ConnectionId;
use crate::machine::StopReason;
use crate::x86::Linear;

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

    /// Reports that the guest stopped for `stop`.
    pub fn report(&mut self, guest: &mut Guest<'m>, stop: StopReason) {
        let switched = matches!(stop, StopReason::ModeSwitch(_));
        if self.follower.is_able() && switched {
            self.report_switch(guest);
            // A step has ended with it; else there is nothing more to tell.
            if guest.was_stepping() {
                self.follower.postpone(StopReason::Stepped);
            }
        } else if self.follower.is_able() && guest.is_in_another_layout() {
            self.report_switch(guest);
            guest.conceal(&stop);
            self.follower.postpone(stop.clone());
        } else {
            let report = stop::report(&stop, guest.inserted());
            let in_step = guest.was_stepping() && report.looks_like_a_step();
            self.again = in_step && !self.follower.is_able();
            let tells_gdb = in_step && self.follower.is_able();
            self.send_report(guest, &if tells_gdb { report.of_step() } else { report });
        }
        self.last_stop = stop;
    }

    fn send_report(&mut self, guest: &mut Guest<'m>, report: &stop::Report) {
        let frame = self.engine.report(guest, report.reason, &guest.expedited());
        let mut notes = report.notes.clone();
        // Without words of its own it is a report of something that was told at the time.
        let crash = guest.machine().crash().filter(|_| !notes.is_empty());
        notes.extend(self.crashes.account(crash));
        self.outbox.borrow_mut().stopped(&notes, &frame);
        self.running = false;
        self.stopped = Some(Instant::now());
    }

    /// Has the client read the description of the mode that the guest is in now.
    fn report_switch(&mut self, guest: &mut Guest<'m>) {
        // gdbstub has no such report.
        self.end_wait(guest);
        guest.forget_breakpoints();
        let frame = follow::switch(guest.machine().cpu().mode(), self.thread()).frame();
        self.outbox.borrow_mut().stopped(&[], &frame);
    }

    /// Tells a client that waits that the guest has ended with `status`.
    pub fn report_exit(&mut self, guest: &mut Guest<'m>, note: &str, status: u8) {
        if self.extended.hold() != Hold::Debugged {
            self.extended.ended();
            return;
        }
        self.extended.ended();
        let frame = Reply::new().text("W").hex(&[status]).frame();
        self.outbox.borrow_mut().stopped(&[note.to_owned()], &frame);
        self.end_wait(guest);
    }

    /// Lets gdbstub, which waits for a stop, know of some stop.
    fn end_wait(&mut self, guest: &mut Guest<'m>) {
        if std::mem::take(&mut self.running) {
            let some = stop::report(&StopReason::Stepped, guest.inserted());
            let _ = self.engine.report(guest, some.reason, &[]);
        }
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

    fn packet(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let thread = self.thread();
        let stopped = || Reply::new().text(&format!("T05thread:{thread};"));
        if let Some((reply, effect)) = self.extended.packet(guest, body, stopped) {
            return self.change_hold(guest, reply, effect);
        }
        match body {
            b"QStartNoAckMode" if guest.welcomes() && self.follower.needs_acks() => {
                self.reply(Reply::error("acknowledgements stay"))
            }
            b"QStartNoAckMode" => {
                self.reply(Reply::new().text("OK"));
                self.outbox.borrow_mut().acks().stop();
                None
            }
            b"?" if guest.welcomes() && self.follower.welcome() => {
                self.reply(follow::switch(guest.machine().cpu().mode(), self.thread()))
            }
            b"?" => self.reply(self.reason_for_halt()),
            body if self.follower.is_answered(body) => {
                self.outbox.borrow_mut().accept();
                None
            }
            b"vCont?"
                if !self.outbox.borrow_mut().acks().in_use() && self.follower.answer_ahead() =>
            {
                let actions = self.engine.handle(guest, body);
                let Outcome::Replies(mut frames) = actions else {
                    return self.reply(Reply::new());
                };
                frames.extend(self.reason_for_halt().frame());
                self.outbox.borrow_mut().reply(&frames);
                None
            }
            b"k" => {
                // gdb takes no reply to this one and has hung up; lldb waits for it.
                self.reply(Reply::new().text("X09"));
                Some(Demand::Kill)
            }
            [b'v', b'K', b'i', b'l', b'l', ..] => {
                self.reply(Reply::new().text("OK"));
                Some(Demand::Kill)
            }
            [b'D'] | [b'D', b';', ..] => {
                self.reply(Reply::new().text("OK"));
                Some(Demand::Detach)
            }
            [b'c' | b's', _, ..] => {
                self.reply(Reply::error("set pc instead of resuming elsewhere"))
            }
            [b'm', range @ ..] => match clamped_read(range) {
                Some(body) => self.ask(guest, &body),
                // A text would be taken for data.
                None => self.reply(Reply::new().text("E01")),
            },
            body if !form::is_sound(body) => self.reply(Reply::error("malformed packet")),
            body if body.starts_with(b"qSupported") => self.negotiate(guest, body),
            body if questions::is_search(body) => self.reply(questions::search(guest, body)),
            body if bulk::is_job(body) => {
                let mut job = Job::new(body);
                match job.go_on(guest) {
                    Some(reply) => self.reply(reply),
                    None => {
                        self.outbox.borrow_mut().accept();
                        self.job = Some(job);
                        None
                    }
                }
            }
            [b'Z', kind @ (b'0' | b'1'), b',', place @ ..] => {
                self.insert(guest, body, *kind, place)
            }
            body => {
                if body == b"vCont?" {
                    self.follower.is_asked();
                }
                if body.starts_with(b"qXfer:features:read:target.xml:0,") {
                    guest.serve_layout(!self.follower.awaits_welcome());
                }
                match packets::answer(guest, body) {
                    Some(reply) => self.reply(reply),
                    None => self.ask(guest, body),
                }
            }
        }
    }

    /// A breakpoint, with what the client wants decided at it.
    fn insert(
        &mut self,
        guest: &mut Guest<'m>,
        body: &[u8],
        kind: u8,
        place: &[u8],
    ) -> Option<Demand> {
        let end = body.iter().position(|byte| *byte == b';').unwrap_or(body.len());
        let (fixed, behind) = body.split_at(end);
        let plan = match behind {
            [b';', lists @ ..] => Plan::parse(lists),
            _ => Some(Plan::default()),
        };
        let addr = place.split(|byte| *byte == b',').next().and_then(decode_number);
        let (Some(plan), Some(addr)) = (plan, addr) else {
            return self.reply(Reply::error("malformed packet"));
        };
        guest.set_plan(kind - b'0', Linear(addr), plan);
        self.ask(guest, fixed)
    }

    /// Sends the reply to a packet of the extended mode, and passes on what the server has to do.
    fn change_hold(
        &mut self,
        guest: &mut Guest<'m>,
        reply: Option<Reply>,
        effect: Effect,
    ) -> Option<Demand> {
        let mut outbox = self.outbox.borrow_mut();
        match reply {
            Some(reply) => outbox.reply(&reply.frame()),
            None => outbox.accept(),
        }
        if effect == Effect::None {
            return None;
        }
        outbox.rest(effect == Effect::Release);
        drop(outbox);
        self.end_wait(guest);
        self.last_stop = StopReason::Stepped;
        self.again = false;
        self.follower.settle();
        Some(if effect == Effect::Halt { Demand::Halt } else { Demand::Release })
    }

    /// Hands a packet to the engine and its reply to the client.
    fn ask(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let outcome = self.engine.handle(guest, body);
        let error = guest.take_error();
        match (outcome, error) {
            (Outcome::Replies(frames), Some(text)) if frames.starts_with(b"$E") => {
                self.reply(Reply::error(&text))
            }
            (Outcome::Replies(frames), _) => {
                self.outbox.borrow_mut().reply(&frames);
                guest.wants_to_quit().then_some(Demand::Quit)
            }
            (Outcome::Failed(reason), _) => self.reply(Reply::error(&reason)),
            (Outcome::Resumed, _) if self.hold() != Hold::Debugged => {
                let _ = guest.take_resume();
                self.running = true;
                self.end_wait(guest);
                self.reply(Reply::error("no guest is being debugged"))
            }
            (Outcome::Resumed, _) => {
                let mut outbox = self.outbox.borrow_mut();
                if self.follower.owes_welcome() {
                    outbox.accept_with_report();
                } else {
                    outbox.accept();
                }
                outbox.resumed();
                drop(outbox);
                self.running = true;
                let resume = guest.take_resume().unwrap_or(Resume::Continue);
                guest.reveal();
                let again = std::mem::take(&mut self.again) && resume == Resume::Continue;
                let overtaken = self.overtaken.take().filter(|since| since.elapsed() < OWN_DOING);
                // The guest has run already: this is what the client has been waiting for.
                match self.follower.take_postponed() {
                    None if overtaken.is_some() => self.report(guest, StopReason::Kicked),
                    None if self.crashes.is_ignored() => return Some(Demand::Wait(resume)),
                    None if again => {
                        let mut report = stop::report(&self.last_stop, guest.inserted());
                        report.notes.clear();
                        self.send_report(guest, &report);
                    }
                    None => return Some(Demand::Run(resume)),
                    Some(Postponed::Stop(stop)) => {
                        let pc = guest.machine().cpu().pc();
                        let report = follow::postponed(&stop, &resume, pc, guest.inserted());
                        self.send_report(guest, &report);
                    }
                    Some(Postponed::Welcome) => {
                        let mut report = stop::report(&self.last_stop, guest.inserted());
                        // What there was to say was said at the time.
                        report.notes.clear();
                        self.send_report(guest, &report);
                    }
                }
                None
            }
        }
    }

    /// Of what the client can do, gdbstub needs to know one thing only, and is particular about the rest.
    fn negotiate(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let has = |name: &[u8]| {
            body.split(|byte| matches!(byte, b':' | b';')).any(|feature| feature == name)
        };
        self.multiprocess = has(b"multiprocess+");
        self.follower.negotiate(has(b"exec-events+"));
        let sign = if self.multiprocess { '+' } else { '-' };
        let asked = format!("qSupported:multiprocess{sign}");
        let Outcome::Replies(frames) = self.engine.handle(guest, asked.as_bytes()) else {
            return self.reply(Reply::new());
        };
        let Some(FrameEvent::Packet(reply)) = Decoder::new(MAX_PACKET).push(&frames).pop() else {
            return self.reply(Reply::new());
        };
        // gdbstub gives the size of its buffer, framing included.
        let features = reply.split(|byte| *byte == b';').filter(|f| !f.starts_with(b"PacketSize="));
        let size = format!("PacketSize={MAX_PACKET:x}").into_bytes();
        let own: [&[u8]; 6] = [
            &size,
            b"exec-events+",
            b"qXfer:exec-file:read+",
            b"binary-upload+",
            b"ConditionalBreakpoints+",
            b"BreakpointCommands+",
        ];
        let all: Vec<&[u8]> = own.into_iter().chain(features).collect();
        self.reply(Reply::escaped(&all.join(&b';')))
    }

    /// The reply to `?`.
    fn reason_for_halt(&self) -> Reply {
        let signal = stop::signal_number(&self.last_stop);
        Reply::new().text(&format!("T{signal:02x}thread:{};", self.thread()))
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

/// The `m` packet for `ADDR,LEN` with a length whose reply fits a packet. Asking for less than wanted is
/// what the protocol provides for; beyond one buffer gdbstub would read on behind a hole.
fn clamped_read(range: &[u8]) -> Option<Vec<u8>> {
    let mut parts = range.split(|byte| *byte == b',');
    let (addr, len) = (parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (addr, len) = (decode_number(addr)?, decode_number(len)?);
    let len = len.min(MAX_PACKET as u64 / 2);
    Some(format!("m{addr:x},{len:x}").into_bytes())
}
