//! The server: owns the machine while it is debugged, runs it, and listens to one client after the other.
//!
//! All of it happens on the caller's thread. While the guest runs, what comes kicks the machine; while it is
//! stopped, the server sleeps until something comes.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::extended::Hold;
use super::inbox::{Inbox, Slot, inbox};
use super::monitor::{Extend, Extension};
use super::outbox::{Outbox, Relay};
use super::program::Program;
use super::segments::Segments;
use super::session::{Demand, Session};
use super::target::{Guest, Resume};
use super::transport::{Address, Connection, ConnectionId, Farewells, Input, Listener};
use crate::kvm::kick::InputKick;
use crate::machine::{Machine, Observer, StopReason};

/// How long the server looks out for a debugger's next packet before it sleeps. Mostly it follows at once, and
/// being woken for it takes longer than all the rest.
const ATTENTION: Duration = Duration::from_micros(200);
/// How long a client may take to leave after the end of its guest.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a client may take to leave after it has detached.
const PATIENCE: Duration = Duration::from_secs(10);

/// How serving ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client killed the guest, or the user quit.
    Killed,
    /// The guest asked for the end, with this status.
    Exited {
        /// The status.
        status: u32,
    },
    /// The only client there can be is gone.
    ClientGone,
    /// [`Stopper::stop`] was called.
    Stopped,
}

/// What arrives in the inbox.
#[derive(Debug)]
enum Message {
    Client(Connection, Input),
    Stop,
}

/// What happens to the server.
#[derive(Debug)]
enum Event {
    Message(Message),
    /// The client sent bytes; none at the end.
    Bytes(Vec<u8>),
}

/// The client's side of a session.
#[derive(Debug)]
struct Client {
    input: Input,
    kick: InputKick,
    /// It has just been served.
    is_busy: bool,
}

/// Ends a server from another thread.
#[derive(Clone, Debug)]
pub struct Stopper(Slot<Message>);

impl Stopper {
    /// Makes [`Server::serve`] return [`End::Stopped`]. Does nothing if it has returned already.
    pub fn stop(&self) {
        self.0.put(Message::Stop);
    }
}

/// What the guest is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Motion {
    Stopped,
    Running(Resume),
    /// In HLT, or shut down, until something comes.
    Asleep(Resume),
}

/// A debug server for one machine.
#[derive(Debug)]
pub struct Server<'m> {
    guest: Guest<'m>,
    listener: Option<Listener>,
    address: Address,
    inbox: Inbox<Message>,
    slot: Slot<Message>,
    outbox: Rc<RefCell<Outbox>>,
    session: Option<Session<'m>>,
    client: Option<Client>,
    farewells: Farewells,
    motion: Motion,
    /// What the guest was doing when the present client came.
    motion_before: Motion,
    last_stop: StopReason,
    /// A wait for an interrupt is a stop.
    stops_at_waits: bool,
}

impl<'m> Server<'m> {
    /// A server for `machine` behind `listener`. What the guest says goes to the client, and to `fallback`
    /// while there is none.
    ///
    /// # Errors
    ///
    /// The system has no descriptors left.
    pub fn new(
        machine: &'m mut Machine,
        listener: Listener,
        fallback: Box<dyn Observer>,
    ) -> io::Result<Server<'m>> {
        let kicker = machine.kicker();
        let (slot, inbox) = inbox(move || kicker.kick())?;
        let outbox = Rc::new(RefCell::new(Outbox::new(fallback)));
        machine.set_observer(Box::new(Relay(Rc::clone(&outbox))));
        Ok(Server {
            guest: Guest::new(machine, Box::new(Relay(Rc::clone(&outbox)))),
            address: listener.address().clone(),
            listener: Some(listener),
            inbox,
            slot,
            outbox,
            session: None,
            client: None,
            farewells: Farewells::default(),
            motion: Motion::Stopped,
            motion_before: Motion::Stopped,
            last_stop: StopReason::Stepped,
            stops_at_waits: false,
        })
    }

    /// Where clients find the server.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A handle that ends the server.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.slot.clone())
    }

    /// Offers `program`, which has the guest's symbols, to clients that come without one.
    pub fn offer_program(&mut self, program: Program) {
        self.guest.set_segments(program.segments());
        self.guest.set_program(program);
    }

    /// Says where the guest's program is linked to run, for clients that have its symbols.
    pub fn know_segments(&mut self, segments: Segments) {
        self.guest.set_segments(segments);
    }

    /// Clients come with no program of an architecture, and have not to be made to forget it.
    pub fn expect_no_architecture(&mut self) {
        self.guest.set_welcomes(false);
    }

    /// Has `extend` answer the client's `monitor` commands before the server's own do.
    pub fn extend_monitor(&mut self, extend: Box<Extend>) {
        self.guest.set_extension(Extension(extend));
    }

    /// Reports a guest that waits in HLT for an interrupt as stopped, instead of waiting with it.
    pub fn stop_at_waits(&mut self) {
        self.stops_at_waits = true;
    }

    /// Lets the guest run until the first client comes, instead of waiting for it at the first instruction.
    pub fn let_guest_run(&mut self) {
        self.motion = Motion::Running(Resume::Continue);
    }

    /// Serves clients until one of them, the guest or the caller ends it.
    ///
    /// # Errors
    ///
    /// The system has no threads left.
    pub fn serve(mut self) -> io::Result<End> {
        let Some(listener) = self.listener.take() else { return Ok(End::Stopped) };
        let slot = self.slot.clone();
        let _acceptor = listener.start(Arc::new(move |connection, input| {
            slot.put(Message::Client(connection, input));
        }))?;
        let end = self.main_loop();
        self.say_farewell(&end);
        Ok(end)
    }

    fn main_loop(&mut self) -> End {
        loop {
            // Before looking at what came: a later kick is for something that comes later.
            self.guest.machine().take_kick();
            let end = match self.motion.clone() {
                _ if self.session.as_ref().is_some_and(Session::has_work) => self.work(),
                Motion::Running(resume) => self.run(resume),
                Motion::Stopped => {
                    let event = self.sleep();
                    self.receive(event)
                }
                Motion::Asleep(resume) => {
                    let event = self.sleep();
                    self.motion = Motion::Running(resume);
                    self.receive(event)
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Goes on with what the client waits for, unless something has come meanwhile.
    fn work(&mut self) -> Option<End> {
        if let Some(event) = self.look() {
            return self.receive(event);
        }
        if let Some(session) = &mut self.session {
            session.work(&self.guest);
        }
        self.drop_broken()
    }

    /// Lets the guest go on, unless something has come meanwhile.
    fn run(&mut self, resume: Resume) -> Option<End> {
        // Before the look: what comes after it kicks.
        let armed = self.client.as_ref().map(|client| client.kick.arm());
        if let Some(event) = self.look() {
            return self.receive(event);
        }
        let stop = self.guest.run(&resume);
        // Before the client learns of it: its next packet needs no signal.
        drop(armed);
        self.stopped(stop, resume).or_else(|| self.drop_broken())
    }

    /// What has happened, if anything has.
    fn look(&mut self) -> Option<Event> {
        self.poll(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    /// What happens next.
    fn sleep(&mut self) -> Event {
        let is_busy =
            self.client.as_mut().is_some_and(|client| std::mem::take(&mut client.is_busy));
        let start = Instant::now();
        while is_busy && start.elapsed() < ATTENTION {
            if let Some(event) = self.look() {
                return event;
            }
            thread::yield_now();
        }
        loop {
            if let Some(event) = self.poll(None) {
                return event;
            }
        }
    }

    fn poll(&mut self, timeout: Option<&Timespec>) -> Option<Event> {
        let bell = PollFd::from_borrowed_fd(self.inbox.bell(), PollFlags::IN);
        let Some(client) = &self.client else {
            let _ = poll(&mut [bell], timeout);
            return self.inbox.look().map(Event::Message);
        };
        let mut files = [bell, PollFd::new(&client.input, PollFlags::IN)];
        // Fails when a signal comes, which is as good as a look.
        let _ = poll(&mut files, timeout);
        let [has_message, has_bytes] = files.map(|file| !file.revents().is_empty());
        let message = has_message.then(|| self.inbox.look()).flatten();
        if let Some(message) = message {
            return Some(Event::Message(message));
        }
        let client = self.client.as_mut().filter(|_| has_bytes)?;
        client.is_busy = true;
        Some(Event::Bytes(client.input.read()))
    }

    fn receive(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Message(Message::Stop) => return Some(End::Stopped),
            Event::Message(Message::Client(connection, input)) => self.welcome(connection, input),
            Event::Bytes(bytes) if bytes.is_empty() => {
                let id = self.session.as_ref().map(Session::id);
                return id.and_then(|id| self.lost(id));
            }
            Event::Bytes(bytes) => {
                let demands = self.session.as_mut().map(|s| s.receive(&mut self.guest, &bytes));
                if let Some(end) = self.fulfil(demands.unwrap_or_default()) {
                    return Some(end);
                }
            }
        }
        self.drop_broken()
    }

    /// Parts with a client that takes nothing any more.
    fn drop_broken(&mut self) -> Option<End> {
        let broken = self.outbox.borrow_mut().take_broken();
        broken.and_then(|id| self.lost(id))
    }

    fn welcome(&mut self, connection: Connection, input: Input) {
        let kick = match self.guest.machine().kicker().on_input(&input) {
            Ok(kick) => kick,
            Err(error) => return log::error!("cannot serve a debugger: {error}"),
        };
        log::info!("a debugger is attached");
        self.client = Some(Client { input, kick, is_busy: true });
        self.motion_before = std::mem::replace(&mut self.motion, Motion::Stopped);
        if self.motion_before != Motion::Stopped {
            self.last_stop = StopReason::Stepped;
        }
        let (id, outbox) = (connection.id(), Rc::clone(&self.outbox));
        self.outbox.borrow_mut().attach(connection);
        self.session = Some(Session::new(id, &mut self.guest, outbox, self.last_stop.clone()));
    }

    /// The client `id` is gone without a word.
    fn lost(&mut self, id: ConnectionId) -> Option<End> {
        let spoke = self.session.as_ref().filter(|session| session.id() == id)?.spoke();
        if self.address == Address::Stdio {
            return Some(End::ClientGone);
        }
        log::info!("the debugger is gone");
        self.part(spoke);
        None
    }

    /// Ends the session; the guest goes on, or does what it did before a client that never said a word.
    fn part(&mut self, spoke: bool) {
        let hold = self.session.take().map(|session| session.hold());
        self.client = None;
        self.outbox.borrow_mut().detach();
        self.guest.forget_client();
        match hold {
            // Somebody else may start it, or look at its first instruction.
            Some(Hold::Ended) => self.start_anew(),
            Some(Hold::Released) => {}
            _ if spoke => self.motion = Motion::Running(Resume::Continue),
            _ => self.motion = std::mem::replace(&mut self.motion_before, Motion::Stopped),
        }
    }

    /// Puts a guest that has ended back to its first instruction, where it waits.
    fn start_anew(&mut self) {
        self.motion = Motion::Stopped;
        self.last_stop = StopReason::Stepped;
        if let Err(error) = self.guest.machine().reset() {
            log::error!("cannot start the guest anew: {error}");
        }
    }

    fn fulfil(&mut self, demands: Vec<Demand>) -> Option<End> {
        for demand in demands {
            match demand {
                Demand::Run(resume) => self.motion = Motion::Running(resume),
                Demand::Wait(resume) => self.motion = Motion::Asleep(resume),
                // Unless an earlier ^C has done it.
                Demand::Interrupt if self.motion == Motion::Stopped => {}
                Demand::Interrupt => {
                    self.guest.machine().look_back_at_a_pause();
                    if let Some(end) = self.report(StopReason::Kicked) {
                        return Some(end);
                    }
                }
                Demand::Halt => {
                    self.motion = Motion::Stopped;
                    self.last_stop = StopReason::Stepped;
                }
                Demand::Release => self.motion = Motion::Running(Resume::Continue),
                Demand::Detach => {
                    if self.address == Address::Stdio {
                        return Some(End::ClientGone);
                    }
                    log::info!("the debugger is detached");
                    self.let_go();
                    self.part(true);
                    return None;
                }
                Demand::Drop => {
                    let id = self.session.as_ref().map(Session::id);
                    return id.and_then(|id| self.lost(id));
                }
                Demand::Kill | Demand::Quit => return Some(End::Killed),
            }
        }
        None
    }

    /// The guest came to a stop while it was to go on as `resume` says.
    fn stopped(&mut self, stop: StopReason, resume: Resume) -> Option<End> {
        if stop.is_an_end() {
            self.guest.machine().look_back_for_padding();
        }
        match stop {
            StopReason::Kicked => None,
            // Waits for an interrupt as the processor does; a ^C ends the wait. Whoever steps is told.
            StopReason::Halted { interruptible: true, .. }
                if resume == Resume::Continue && !self.stops_at_waits =>
            {
                self.motion = Motion::Asleep(resume);
                None
            }
            StopReason::Exit { status } => {
                if let Some(session) = &mut self.session {
                    if session.hold() == Hold::Released {
                        Relay(Rc::clone(&self.outbox)).notice(&stop.to_string());
                    }
                    let status = status.to_le_bytes()[0];
                    session.report_exit(&mut self.guest, &stop.to_string(), status);
                    if session.is_extended() {
                        self.motion = Motion::Stopped;
                        let demands = session.catch_up(&mut self.guest);
                        return self.fulfil(demands);
                    }
                }
                Some(End::Exited { status })
            }
            stop => self.report(stop),
        }
    }

    /// Stops, and tells whoever is there.
    fn report(&mut self, stop: StopReason) -> Option<End> {
        self.motion = Motion::Stopped;
        self.last_stop = stop.clone();
        let attached = |session: &&mut Session<'m>| session.hold() == Hold::Debugged;
        let Some(session) = self.session.as_mut().filter(attached) else {
            if matches!(stop, StopReason::ModeSwitch(_)) {
                // Nobody follows it.
                self.motion = Motion::Running(Resume::Continue);
                return None;
            }
            let text = format!("{stop}; a debugger may attach and look");
            let mut relay = Relay(Rc::clone(&self.outbox));
            relay.notice(&text);
            let account = self.guest.machine().crash().map(|crash| crash.lines().to_vec());
            account.unwrap_or_default().iter().for_each(|line| relay.notice(line));
            return None;
        };
        session.report(&mut self.guest, stop);
        let demands = session.catch_up(&mut self.guest);
        self.fulfil(demands)
    }

    /// Ends the connection of a client that has detached, but does not cut it off: the reply is on its way.
    fn let_go(&mut self) {
        let connection = self.outbox.borrow_mut().detach();
        if let (Some(connection), Some(client)) = (connection, self.client.take()) {
            connection.finish();
            self.farewells.bid(client.input, PATIENCE);
        }
    }

    /// Lets the client read what was sent last, and gives the machine its observer back.
    fn say_farewell(&mut self, end: &End) {
        let waits = self.session.as_ref().is_some_and(Session::is_running);
        if waits && matches!(end, End::Stopped) {
            let terminated = super::frame::Reply::new().text("X0f").frame();
            self.outbox.borrow_mut().stopped(&[], &terminated);
        }
        let connection = self.outbox.borrow_mut().detach();
        if let (Some(connection), Some(client)) = (connection, self.client.take()) {
            connection.finish();
            client.input.wait_for_end(FAREWELL);
        }
        let deaf = Outbox::new(Box::new(crate::machine::observer::Deaf));
        let fallback = self.outbox.replace(deaf).into_fallback();
        self.guest.machine().set_observer(fallback);
    }
}
