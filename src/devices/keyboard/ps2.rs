//! The keyboard on its cable: what it answers to commands, and the scan codes of keys (IBM PS/2 Hardware
//! Interface Technical Reference, Keyboard).
//!
//! It scans in sets 1 and 2, and refuses set 3. It does not repeat a key that is held (the typematic rate is
//! kept), and sends no extra Shift codes around the grey keys while Shift or Num Lock is on. Keys that the owner
//! types wait until the controller asks for a scan code: nothing overruns.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::keymap::KeyEvent;
use super::scancode;

/// Keys that wait at most.
pub const CAPACITY: usize = 1 << 16;

const ACKNOWLEDGE: u8 = 0xfa;
const RESEND: u8 = 0xfe;
const ECHO: u8 = 0xee;
const SELF_TEST_PASSED: u8 = 0xaa;
/// What a keyboard of this kind is called.
const IDENTITY: [u8; 2] = [0xab, 0x83];
/// 500 ms until a key repeats, 10.9 times a second.
const TYPEMATIC: u8 = 0x2b;

/// Commands that take a byte.
const SET_LEDS: u8 = 0xed;
const SET_SCAN_CODES: u8 = 0xf0;
const SET_TYPEMATIC: u8 = 0xf3;

/// A PS/2 keyboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyboard {
    /// Answers to commands, which go before scan codes.
    answers: VecDeque<u8>,
    /// The rest of a key's scan codes.
    codes: VecDeque<u8>,
    keys: VecDeque<KeyEvent>,
    settings: Settings,
    /// The command that waits for its byte.
    awaits: Option<u8>,
    last_sent: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    scanning: bool,
    set_1: bool,
    /// Scroll Lock, Num Lock, Caps Lock, from bit 0.
    leds: u8,
    typematic: u8,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { scanning: true, set_1: false, leds: 0, typematic: TYPEMATIC }
    }
}

impl Keyboard {
    /// A byte from the controller. Whether the keyboard forgets by this what it has sent of keys, too.
    pub fn command(&mut self, byte: u8) -> bool {
        // What was not sent is not sent any more.
        self.answers.clear();
        self.obey(byte);
        matches!(byte, 0xf5 | 0xf6 | 0xff)
    }

    fn obey(&mut self, byte: u8) {
        if let Some(command) = self.awaits.take()
            && byte < 0xed
        {
            return self.finish(command, byte);
        }
        match byte {
            SET_LEDS | SET_SCAN_CODES | SET_TYPEMATIC => {
                self.awaits = Some(byte);
                self.answer([ACKNOWLEDGE]);
            }
            ECHO => self.answer([ECHO]),
            0xf2 => {
                self.answer([ACKNOWLEDGE]);
                self.answer(IDENTITY);
            }
            0xf4 => {
                self.settings.scanning = true;
                self.answer([ACKNOWLEDGE]);
            }
            // Default settings, and in the first case no scanning.
            0xf5 | 0xf6 => {
                self.codes.clear();
                let leds = self.settings.leds;
                self.settings = Settings { scanning: byte == 0xf6, leds, ..Settings::default() };
                self.answer([ACKNOWLEDGE]);
            }
            // Typematic and make/break for each key, which concern set 3 only.
            0xf7..=0xfa => self.answer([ACKNOWLEDGE]),
            RESEND => {
                let last = self.last_sent;
                self.answer([last]);
            }
            0xff => {
                self.codes.clear();
                self.settings = Settings::default();
                self.answer([ACKNOWLEDGE, SELF_TEST_PASSED]);
            }
            _ => self.answer([RESEND]),
        }
    }

    /// The byte that belongs to `command`.
    fn finish(&mut self, command: u8, byte: u8) {
        match (command, byte) {
            (SET_LEDS, leds) => self.settings.leds = leds & 7,
            (SET_TYPEMATIC, rate) => self.settings.typematic = rate & 0x7f,
            (_, 0) => {
                let set = if self.settings.set_1 { 1 } else { 2 };
                return self.answer([ACKNOWLEDGE, set]);
            }
            (_, 1 | 2) => self.settings.set_1 = byte == 1,
            _ => return self.answer([RESEND]),
        }
        self.answer([ACKNOWLEDGE]);
    }

    fn answer<const N: usize>(&mut self, bytes: [u8; N]) {
        self.answers.extend(bytes);
    }

    /// The next byte of an answer.
    pub fn take_answer(&mut self) -> Option<u8> {
        let byte = self.answers.pop_front()?;
        self.last_sent = byte;
        Some(byte)
    }

    /// The next byte of a scan code.
    pub fn take_code(&mut self) -> Option<u8> {
        if !self.settings.scanning {
            return None;
        }
        // Some keys send nothing when they go up.
        while self.codes.is_empty() {
            let KeyEvent { key, pressed } = self.keys.pop_front()?;
            self.codes.extend(scancode::codes(key, pressed, self.settings.set_1));
        }
        let byte = self.codes.pop_front()?;
        self.last_sent = byte;
        Some(byte)
    }

    /// Types keys after those that wait. False, and nothing is typed, if more than [`CAPACITY`] would wait.
    pub fn type_keys(&mut self, events: &[KeyEvent]) -> bool {
        let fits = self.keys.len() + events.len() <= CAPACITY;
        if fits {
            self.keys.extend(events);
        }
        fits
    }

    /// Whether a scan code may be there for [`Keyboard::take_code`].
    pub fn has_code(&self) -> bool {
        self.settings.scanning && self.waiting() > 0
    }

    /// Whether the next scan code is the first of a key that goes up.
    pub fn releases_next(&self) -> bool {
        self.codes.is_empty() && self.keys.front().is_some_and(|event| !event.pressed)
    }

    /// Keys that go down or up and that the guest has not had yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.keys.len() + usize::from(!self.codes.is_empty())
    }

    /// The settings in one line, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let Settings { scanning, set_1, leds, typematic } = self.settings;
        let names = ["scroll lock", "num lock", "caps lock"];
        let lit: Vec<&str> =
            (0..).zip(names).filter(|(bit, _)| leds >> bit & 1 != 0).map(|l| l.1).collect();
        let lit = if lit.is_empty() { "none".to_owned() } else { lit.join(", ") };
        format!(
            "scanning {}, scan code set {}, typematic {typematic:02x}, LEDs: {lit}; keys that wait: {}",
            if scanning { "on" } else { "off" },
            if set_1 { 1 } else { 2 },
            self.waiting()
        )
    }

    /// Bounds what a saved state may hold.
    pub(super) fn bound(&mut self) {
        self.keys.truncate(CAPACITY);
        self.codes.truncate(16);
        self.answers.truncate(16);
    }
}
