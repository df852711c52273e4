//! What the terminal shows of the guest, and when it is painted.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::time::{Duration, Instant};

use stepvisor::devices::frame::Frame;
use stepvisor::kvm::Kicker;
use stepvisor::machine::Observer;
use stepvisor::ui::keys::{ASK_ATTRIBUTES, SIXELS};
use stepvisor::ui::painter::Painter;

use super::ticker::Ticker;
use super::{earlier, terminal};
use crate::cmd::console::{Console, wants_colours};

/// From one picture to the next; pictures in pixels take a terminal longer.
const PAUSE: Duration = Duration::from_millis(33);
const PAUSE_OF_PIXELS: Duration = Duration::from_millis(100);
/// After so long without another byte, Esc is a key.
const ESC_ALONE: Duration = Duration::from_millis(30);
/// Bytes that are held back at the most.
const MOST_HELD: usize = 1 << 20;

/// The screen.
#[derive(Debug)]
pub struct Screen {
    painter: Painter,
    ticker: Ticker,
    /// Our own line: the keys, or only the one that leaves, and what was said last.
    line: String,
    leaves: String,
    notice: String,
    /// When the next picture may be painted.
    next: Instant,
    /// The picture that the terminal shows with all that belongs to it.
    shown: Option<Frame>,
    /// The guest has been typed to, so that its user knows how that is done.
    was_typed_to: bool,
    has_asked: bool,
    /// The terminal has not answered yet.
    awaits_answer: bool,
    draws_pixels: bool,
    /// Bytes came that may be the beginning of a key: until when the rest is waited for.
    decoding: Option<Instant>,
    held: Vec<Held>,
    /// Bytes in it, and those that there was no room for.
    held_bytes: usize,
    lost_bytes: usize,
}

/// What would be written over the screen.
#[derive(Debug)]
enum Held {
    Notice(String),
    Console(Vec<u8>),
    Serial(usize, Vec<u8>),
}

impl Screen {
    /// With `line` as our own line, or `leaves` where that has no room; kicks by `kicker` when there is something to do.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn new(line: String, leaves: String, kicker: &Kicker) -> io::Result<Screen> {
        Ok(Screen {
            painter: painter(false),
            ticker: Ticker::start(kicker.clone())?,
            line,
            leaves,
            notice: String::new(),
            next: Instant::now(),
            shown: None,
            was_typed_to: false,
            has_asked: false,
            awaits_answer: false,
            draws_pixels: false,
            decoding: None,
            held: Vec::new(),
            held_bytes: 0,
            lost_bytes: 0,
        })
    }

    /// The terminal shows anything, and has any size.
    pub fn begin_anew(&mut self) {
        self.painter = painter(self.draws_pixels);
        self.next = Instant::now();
        self.shown = None;
    }

    /// Before the guest runs: paints if it is time, and will be asked again if not.
    pub fn show(&mut self, frame: Frame) {
        if self.next <= Instant::now() {
            self.paint(frame);
        }
        self.ticker.set(earlier(Some(self.next), self.decoding));
    }

    fn paint(&mut self, frame: Frame) {
        let is_picture = matches!(&frame, Frame::Graphics(_));
        if is_picture && !self.has_asked && wants_colours() {
            (self.has_asked, self.awaits_answer) = (true, true);
            terminal::write(ASK_ATTRIBUTES);
        }
        let line = own_line(&self.line, &self.leaves, &self.notice, self.painter.columns());
        let out = self.painter.paint(&frame, &line, !self.was_typed_to);
        if !out.is_empty() {
            terminal::write(&out);
        }
        let pause = if is_picture && self.draws_pixels { PAUSE_OF_PIXELS } else { PAUSE };
        self.next = Instant::now() + pause;
        self.shown = Some(frame);
    }

    /// What the terminal can.
    pub fn learn(&mut self, attributes: &[u16]) {
        self.awaits_answer = false;
        self.draws_pixels = attributes.contains(&SIXELS);
        if self.draws_pixels {
            self.begin_anew();
        }
    }

    /// Whether the terminal has not said yet what it can; it is not waited for twice.
    pub fn stop_awaiting_answer(&mut self) -> bool {
        std::mem::take(&mut self.awaits_answer)
    }

    /// Somebody has typed.
    pub fn was_typed_to(&mut self) {
        if !std::mem::replace(&mut self.was_typed_to, true) {
            self.shown = None;
        }
    }

    /// Whether bytes may be the beginning of a key.
    pub fn expect_more_input(&mut self, expects: bool) {
        self.decoding = match (expects, self.decoding) {
            (true, Some(at)) => Some(at),
            (true, None) => Some(Instant::now() + ESC_ALONE),
            (false, _) => None,
        };
    }

    /// Whether bytes have been waited for in vain.
    pub fn decoding_is_over(&mut self) -> bool {
        self.decoding.take_if(|at| *at <= Instant::now()).is_some()
    }

    fn note(&mut self, text: &str) {
        text.clone_into(&mut self.notice);
        self.shown = None;
    }

    fn hold(&mut self, held: Held) {
        let len = match &held {
            Held::Notice(text) => text.len(),
            Held::Console(bytes) | Held::Serial(_, bytes) => bytes.len(),
        };
        if self.held_bytes + len > MOST_HELD {
            self.lost_bytes += len;
            return;
        }
        self.held_bytes += len;
        self.held.push(held);
    }

    /// Gives what was held back to `console`.
    pub fn say_what_was_held(&mut self, console: &mut Console) {
        for held in self.held.drain(..) {
            match held {
                Held::Notice(text) => console.notice(&text),
                Held::Console(bytes) => console.console(&bytes),
                Held::Serial(port, bytes) => console.serial(port, &bytes),
            }
        }
        if self.lost_bytes > 0 {
            console.notice(&format!(
                "{} more bytes were said while the screen was shown; `--serial FILE`, `2> FILE` or `--live never` \
                 has them all",
                self.lost_bytes
            ));
        }
    }
}

/// Fewer columns are for the notice alone.
const ROOM_FOR_KEY: usize = 60;

/// The keys, and the notice behind them; in their place the one that leaves, if there are not columns enough, or none.
fn own_line(keys: &str, leaves: &str, notice: &str, columns: usize) -> String {
    let both = format!(" {keys}   {notice}");
    match notice {
        "" => format!(" {keys}"),
        _ if both.chars().count() <= columns => both,
        _ if columns >= ROOM_FOR_KEY => format!(" {leaves}   {notice}"),
        _ => format!(" {notice}"),
    }
}

/// For the terminal as large as it is at present.
fn painter(draws_pixels: bool) -> Painter {
    Painter::new(terminal::size(draws_pixels), wants_colours())
}

/// Hears what the guest does, for the screen.
#[derive(Debug)]
pub struct Observing {
    screen: Rc<RefCell<Screen>>,
    console: Rc<RefCell<Console>>,
    /// The console would write over the screen.
    holds: bool,
}

impl Observing {
    pub fn new(screen: Rc<RefCell<Screen>>, console: Rc<RefCell<Console>>) -> Observing {
        Observing { screen, console, holds: io::stderr().is_terminal() }
    }
}

impl Observer for Observing {
    fn notice(&mut self, text: &str) {
        self.screen.borrow_mut().note(text);
        match self.holds {
            true => self.screen.borrow_mut().hold(Held::Notice(text.to_owned())),
            false => self.console.borrow_mut().notice(text),
        }
    }

    fn console(&mut self, bytes: &[u8]) {
        match self.holds {
            true => self.screen.borrow_mut().hold(Held::Console(bytes.to_vec())),
            false => self.console.borrow_mut().console(bytes),
        }
    }

    fn serial(&mut self, port: usize, bytes: &[u8]) {
        match self.holds {
            true => self.screen.borrow_mut().hold(Held::Serial(port, bytes.to_vec())),
            false => self.console.borrow_mut().serial(port, bytes),
        }
    }

    fn sleeps(&mut self, screen: &dyn Fn() -> Frame) {
        let mut own = self.screen.borrow_mut();
        let picture = screen();
        let is_new = own.shown.as_ref() != Some(&picture);
        let is_early = own.next > Instant::now();
        if is_new && !is_early {
            own.paint(picture);
        }
        // A picture that it is too early for is painted in a while; if there is none, nobody wakes.
        let next = (is_new && is_early).then_some(own.next);
        own.ticker.set(earlier(next, own.decoding));
    }

    fn wakes(&mut self) {
        let own = self.screen.borrow();
        // Most go back to sleep soon, and are painted then.
        let next = own.next.max(Instant::now() + PAUSE);
        own.ticker.set(earlier(Some(next), own.decoding));
    }
}

#[cfg(test)]
mod tests {
    use super::own_line;

    #[test]
    fn where_there_is_no_room_for_both_the_notice_is_shown_before_the_keys() {
        let line = |notice: &str, columns| own_line("many keys", "key", notice, columns);
        assert_eq!(line("", 3), " many keys");
        assert_eq!(line("a notice", 21), " many keys   a notice");
        assert_eq!(line("a notice", 20), " a notice");
        let long = "a notice ".repeat(7);
        assert_eq!(line(&long, 80), format!(" many keys   {long}"));
        assert_eq!(line(&long, 70), format!(" key   {long}"));
    }
}
