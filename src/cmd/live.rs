//! The guest's screen on the user's terminal, while it runs: shows it, takes keys, and starts gdb on it.
//!
//! Nothing polls: the terminal's input kicks the machine, and so does a ticker while the guest runs and may have
//! changed its screen. While the guest sleeps nothing happens at all; what it shows has been painted before.

mod screen;
mod terminal;
mod ticker;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGTSTP, SIGWINCH};
use stepvisor::devices::keyboard::keymap;
use stepvisor::gdb::client::Target;
use stepvisor::gdb::server;
use stepvisor::kvm::Kicker;
use stepvisor::machine::{Machine, Observer, StopReason};
use stepvisor::ui::keys::{Decoder, Input};

use super::console::Console;
use super::end::End;
use super::gdb::{self, Gdb};
use super::interruptions::{self, Interruption, Interruptions};
use super::symbols::Symbols;
use crate::cli::{Live, Run};
use screen::{Observing, Screen};
use terminal::Terminal;

/// The key that leaves, and the one that starts gdb; how they are called in our line.
const LEAVE: (&str, &str) = ("{Ctrl+]}", "Ctrl-]");
const DEBUG: (&str, &str) = ("{Ctrl+\\}", "Ctrl-\\");

const BELL: &str = "\x07";

/// So long an answer of the terminal is waited for before somebody else has it.
const ANSWER: Duration = Duration::from_millis(200);

/// Whether the screen is to be shown while the guest runs.
pub fn is_wanted(args: &Run) -> bool {
    // Messages of that kind would come in between.
    let is_quiet = log::max_level() <= log::LevelFilter::Warn;
    let has_terminal =
        !args.guest.uses_stdin() && !args.guest.uses_stdout() && Terminal::is_there();
    args.live == Live::Auto && is_quiet && has_terminal
}

/// Runs `machine` to its end. What the guest sends goes to `console`, afterwards if that is the terminal.
///
/// # Errors
/// The terminal cannot be had.
pub fn run(
    machine: &mut Machine,
    args: &Run,
    console: Console,
    interruptions: &Interruptions,
) -> anyhow::Result<End> {
    let terminal = Terminal::take()?;
    let name = args.guest.name();
    let name = name.rsplit('/').next().unwrap_or_default();
    let leaves = format!("{} leaves", LEAVE.1);
    let line = format!("{name}   {leaves}, {} starts gdb", DEBUG.1);
    let screen = Screen::new(line, leaves, &machine.kicker())?;
    let mut session = Session {
        terminal,
        args,
        screen: Rc::new(RefCell::new(screen)),
        console: Rc::new(RefCell::new(console)),
        decoder: Decoder::default(),
        resized: flag(SIGWINCH, machine.kicker())?,
        suspended: flag(SIGTSTP, machine.kicker())?,
    };
    machine.expect_input(true);
    session.observe(machine);
    machine.tell_of_missing_signature();
    let end = session.run(machine, interruptions);
    if end.as_ref().is_ok_and(End::is_the_guests) {
        machine.look_back_for_padding();
    }
    session.give_back();
    session.screen.borrow_mut().say_what_was_held(&mut session.console.borrow_mut());
    end
}

/// A flag that `signal` sets, with a kick.
fn flag(signal: i32, kicker: Kicker) -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    interruptions::on_signals(&[signal], move || {
        set.store(true, Ordering::SeqCst);
        kicker.kick();
    })?;
    Ok(flag)
}

/// A run on the terminal.
#[derive(Debug)]
struct Session<'a> {
    terminal: Terminal,
    args: &'a Run,
    screen: Rc<RefCell<Screen>>,
    console: Rc<RefCell<Console>>,
    decoder: Decoder,
    resized: Arc<AtomicBool>,
    suspended: Arc<AtomicBool>,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Leave,
    Debug,
    /// The terminal is gone.
    HangUp,
}

impl Session<'_> {
    /// Is told from now on what the guest does.
    fn observe(&self, machine: &mut Machine) {
        machine.set_observer(Box::new(self.observer()));
    }

    fn observer(&self) -> Observing {
        Observing::new(Rc::clone(&self.screen), Rc::clone(&self.console))
    }

    fn run(&mut self, machine: &mut Machine, interruptions: &Interruptions) -> anyhow::Result<End> {
        let kick = machine.kicker().on_input(io::stdin())?;
        loop {
            if self.suspended.swap(false, Ordering::SeqCst) {
                self.suspend()?;
            }
            if self.resized.swap(false, Ordering::SeqCst) {
                self.screen.borrow_mut().begin_anew();
            }
            // Before the look at what has come: what comes later kicks.
            let armed = kick.arm();
            match self.take_input(machine)? {
                Some(Wish::Leave) => return Ok(End::Left),
                Some(Wish::HangUp) => return Ok(End::Interruption(Interruption::Signal)),
                Some(Wish::Debug) => {
                    drop(armed);
                    if let Some(end) = interruptions.without_keyboard(|| self.debug(machine))? {
                        return Ok(end);
                    }
                    continue;
                }
                None => {}
            }
            self.screen.borrow_mut().show(machine.frame());
            let stop = machine.run();
            drop(armed);
            match (stop, interruptions.take()) {
                (_, Some(interruption)) => return Ok(End::Interruption(interruption)),
                (StopReason::Kicked, None) => {}
                (stop, None) => return Ok(End::Stop(stop)),
            }
        }
    }

    /// Types what has come from the terminal.
    fn take_input(&mut self, machine: &mut Machine) -> io::Result<Option<Wish>> {
        let mut inputs = Vec::new();
        while let Some(bytes) = self.terminal.read(Duration::ZERO)? {
            if bytes.is_empty() {
                return Ok(Some(Wish::HangUp));
            }
            inputs.extend(self.decoder.feed(&bytes));
        }
        let mut screen = self.screen.borrow_mut();
        if screen.decoding_is_over() {
            inputs.extend(self.decoder.give_up());
        }
        screen.expect_more_input(self.decoder.is_waiting());
        let mut wish = None;
        for input in inputs {
            let typed = match &input {
                Input::Attributes(attributes) => {
                    screen.learn(attributes);
                    true
                }
                // What follows is not the guest's any more.
                _ if wish.is_some() => true,
                Input::Keys(keys) if keys == LEAVE.0 => {
                    wish = Some(Wish::Leave);
                    true
                }
                Input::Keys(keys) if keys == DEBUG.0 => {
                    wish = Some(Wish::Debug);
                    true
                }
                Input::Keys(keys) => {
                    screen.was_typed_to();
                    // More than wait already are not taken.
                    keymap::parse(keys).is_ok_and(|events| machine.type_keys(&events).is_ok())
                }
                Input::NoKey => false,
            };
            if !typed {
                terminal::write(BELL);
            }
        }
        Ok(wish)
    }

    /// Gives the terminal back. An answer of it that is still on its way would be typed to who has it next: it is
    /// waited for, with what is typed meanwhile.
    fn give_back(&mut self) {
        if self.screen.borrow_mut().stop_awaiting_answer() {
            let deadline = Instant::now() + ANSWER;
            let left = || deadline.saturating_duration_since(Instant::now());
            // Ends at its end as well.
            while let Ok(Some(bytes)) = self.terminal.read(left())
                && !bytes.is_empty()
            {
                let inputs = self.decoder.feed(&bytes);
                let answer = inputs.iter().find_map(|input| match input {
                    Input::Attributes(attributes) => Some(attributes),
                    _ => None,
                });
                if let Some(attributes) = answer {
                    self.screen.borrow_mut().learn(attributes);
                    break;
                }
            }
        }
        self.terminal.give_back();
    }

    /// Stops until the shell lets us go on.
    fn suspend(&mut self) -> anyhow::Result<()> {
        self.give_back();
        kill_process(getpid(), Signal::STOP)?;
        self.take_back()
    }

    fn take_back(&mut self) -> anyhow::Result<()> {
        self.terminal.take_again()?;
        self.screen.borrow_mut().begin_anew();
        Ok(())
    }

    /// Has the user debug the guest where it is. Gives an end if the run is over then.
    fn debug(&mut self, machine: &mut Machine) -> anyhow::Result<Option<End>> {
        self.give_back();
        say!("stepvisor: `detach` or `quit` goes back to the guest, `kill` ends it");
        let gdb = Gdb {
            program: &self.args.gdb,
            symbols: Symbols::find(&self.args.guest, None)?,
            loads_script: true,
            target: Target::Found,
            args: &[],
        };
        let session = gdb.debug(machine);
        match &session {
            Ok(gdb::Session { status: None, .. }) => {
                return Ok(Some(End::Interruption(Interruption::Signal)));
            }
            Ok(gdb::Session { end: server::End::Killed, .. }) => return Ok(Some(End::Left)),
            Ok(gdb::Session { end: server::End::Exited { status }, .. }) => {
                return Ok(Some(End::Stop(StopReason::Exit { status: *status })));
            }
            _ => {}
        }
        machine.take_kick();
        self.observe(machine);
        self.take_back()?;
        if let Err(error) = session {
            // The guest is worth more than a gdb that could not be had.
            self.observer().notice(&format!("{error:#}"));
            terminal::write(BELL);
        }
        Ok(None)
    }
}

/// When something is to happen next.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn all_keys_that_a_terminal_sends_can_be_typed(parts in proptest::collection::vec(
            proptest::sample::select(b"\x1b\x1b\x1b[[OA~1;5MPZ?c{} \t\r\x00\x7f\x1f\xc3\xa9a".to_vec()), 0..12,
        )) {
            let mut decoder = Decoder::default();
            let mut inputs = decoder.feed(&parts);
            inputs.extend(decoder.give_up());
            for input in inputs {
                if let Input::Keys(keys) = input {
                    proptest::prop_assert!(keymap::parse(&keys).is_ok(), "{}", keys);
                }
            }
        }
    }

    #[test]
    fn each_byte_that_is_a_key_can_be_typed() {
        for byte in 0..=0x7f {
            let mut decoder = Decoder::default();
            let mut inputs = decoder.feed(&[byte]);
            inputs.extend(decoder.give_up());
            let [Input::Keys(keys)] = inputs.as_slice() else { panic!("{byte:#x}: {inputs:?}") };
            assert!(keymap::parse(keys).is_ok(), "{byte:#x}: {keys}");
        }
    }
}
