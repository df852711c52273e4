//! The 8042 keyboard controller at ports 60h and 64h (IBM PS/2 Hardware Interface Technical Reference, Keyboard
//! Controller; Intel UPI-41/42 for the bits of the status register).
//!
//! It takes a byte at once, so its input buffer is never full. Answers, its own and the keyboard's, go into the output
//! buffer as soon as that is free; a guest that does not read one before it asks for the next has the last one only,
//! and a scan code that it has not read yet comes after the answers. **Scan codes go in when the guest asks for
//! them**: after [`PATIENCE`] reads of the status or of the data port in a row that found nothing. So a guest that
//! polls either port sees each code for a while, one that empties the buffer before it begins loses none, and what a
//! guest sees depends on what it does alone, on no clock. A guest that takes interrupts does not ask: to it the owner
//! sends them one by one, by [`Controller::send`], as a typist would.
//!
//! The state at power-on is what firmware leaves: self test passed, translation and interrupts on, A20 on. There
//! is no mouse; a byte for one is answered as by a line that is dead: FEh with the time-out bit.
//!
//! A20 is one latch, which port 92h shows and sets too; the one who writes last wins. What it gates is the owner's.

use serde::{Deserialize, Serialize};

use super::keymap::KeyEvent;
use super::ps2::Keyboard;
use super::scancode::{BREAK, translate};

/// The port of data in both directions.
pub const DATA_PORT: u16 = 0x60;
/// The port of status and commands.
pub const COMMAND_PORT: u16 = 0x64;
/// Reads that find nothing before a guest counts as waiting for a key.
pub const PATIENCE: u8 = 4;

const STATUS_OUTPUT_FULL: u8 = 0x01;
const STATUS_SYSTEM: u8 = 0x04;
/// The last write was to the command port.
const STATUS_COMMAND: u8 = 0x08;
/// The keyboard is not locked by its key.
const STATUS_UNLOCKED: u8 = 0x10;
const STATUS_AUXILIARY: u8 = 0x20;
const STATUS_TIMEOUT: u8 = 0x40;

const MODE_INTERRUPT: u8 = 0x01;
const MODE_AUXILIARY_INTERRUPT: u8 = 0x02;
const MODE_SYSTEM: u8 = 0x04;
const MODE_KEYBOARD_OFF: u8 = 0x10;
const MODE_AUXILIARY_OFF: u8 = 0x20;
const MODE_TRANSLATE: u8 = 0x40;

const OUTPUT_NO_RESET: u8 = 0x01;
const OUTPUT_A20: u8 = 0x02;
const OUTPUT_INTERRUPT: u8 = 0x10;
const OUTPUT_AUXILIARY_INTERRUPT: u8 = 0x20;
/// The lines of the keyboard, idle, and unused ones.
const OUTPUT_ONES: u8 = 0xcc;
/// Keyboard not locked, colour display, manufacturing jumper open, 512 KiB on the board.
const INPUT_PORT: u8 = 0xb0;

/// A byte on its way to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Byte {
    value: u8,
    source: Source,
    /// On behalf of the mouse.
    auxiliary: bool,
    timeout: bool,
}

/// Where a byte comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Source {
    Controller,
    /// The keyboard's answer to a command.
    Answer,
    ScanCode,
}

impl Byte {
    /// The controller's own.
    fn plain(value: u8) -> Byte {
        Byte { value, source: Source::Controller, auxiliary: false, timeout: false }
    }
}

/// The controller and the keyboard behind it.
#[derive(Clone, Debug, Default)]
pub struct Controller {
    state: State,
}

/// All that a guest can have changed in a [`Controller`], and the keys that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    keyboard: Keyboard,
    /// The command byte, and the other bytes of RAM that commands reach.
    ram: Vec<u8>,
    output: Option<Byte>,
    /// What the data port reads while there is nothing.
    last: u8,
    /// Its own answer that waits for the output buffer.
    answer: Option<Byte>,
    /// A scan code that has made room for the answer to a command.
    displaced: Option<Byte>,
    /// The command that waits for a byte on the data port.
    awaits: Option<u8>,
    after_command: bool,
    system: bool,
    a20: bool,
    /// The keyboard has sent F0h, which translation turns into bit 7 of the next code.
    breaks: bool,
    /// Reads in a row that found nothing.
    idle: u8,
}

const RAM_SIZE: usize = 32;

impl Default for State {
    fn default() -> State {
        let mut ram = vec![0; RAM_SIZE];
        ram[0] = MODE_INTERRUPT | MODE_SYSTEM | MODE_AUXILIARY_OFF | MODE_TRANSLATE;
        State {
            keyboard: Keyboard::default(),
            ram,
            output: None,
            last: 0,
            answer: None,
            displaced: None,
            awaits: None,
            after_command: false,
            system: true,
            a20: true,
            breaks: false,
            idle: 0,
        }
    }
}

impl Controller {
    /// Reads the data port.
    pub fn read_data(&mut self) -> u8 {
        let Some(byte) = self.state.output.take() else {
            let last = self.state.last;
            self.found_nothing();
            return last;
        };
        self.state.last = byte.value;
        self.state.idle = 0;
        self.fill();
        byte.value
    }

    /// Reads the status.
    pub fn read_status(&mut self) -> u8 {
        let status = self.status();
        if self.state.output.is_none() {
            self.found_nothing();
        }
        status
    }

    fn status(&self) -> u8 {
        let output = self.state.output;
        let bits = [
            (output.is_some(), STATUS_OUTPUT_FULL),
            (self.state.system, STATUS_SYSTEM),
            (self.state.after_command, STATUS_COMMAND),
            (true, STATUS_UNLOCKED),
            (output.is_some_and(|byte| byte.auxiliary), STATUS_AUXILIARY),
            (output.is_some_and(|byte| byte.timeout), STATUS_TIMEOUT),
        ];
        bits.into_iter().filter(|(is_set, _)| *is_set).fold(0, |bits, (_, bit)| bits | bit)
    }

    /// Writes the data port. Whether the guest resets the machine by this.
    pub fn write_data(&mut self, value: u8) -> bool {
        self.state.after_command = false;
        self.state.idle = 0;
        let mut resets = false;
        match self.state.awaits.take() {
            None => self.command_keyboard(value),
            Some(0x60) => {
                self.state.ram[0] = value;
                self.state.system = value & MODE_SYSTEM != 0;
            }
            Some(command @ 0x61..=0x7f) => self.state.ram[usize::from(command & 0x1f)] = value,
            Some(0xd1) => resets = self.set_output_port(value),
            Some(0xd2) => self.answer(Byte::plain(value)),
            Some(0xd3) => {
                self.answer(Byte { auxiliary: true, ..Byte::plain(value) });
            }
            Some(0xd4) => {
                self.answer(Byte { auxiliary: true, timeout: true, ..Byte::plain(0xfe) });
            }
            Some(_) => {}
        }
        self.fill();
        resets
    }

    /// Writes a command. Whether the guest resets the machine by this.
    pub fn write_command(&mut self, command: u8) -> bool {
        self.state.after_command = true;
        self.state.idle = 0;
        self.state.awaits = None;
        let mode = self.state.ram[0];
        let answer = match command {
            0x20..=0x3f => Some(self.state.ram[usize::from(command & 0x1f)]),
            0x60..=0x7f | 0xd1..=0xd4 => {
                self.state.awaits = Some(command);
                None
            }
            // No password is installed.
            0xa4 => Some(0xf1),
            0xa7 => self.set_mode(mode | MODE_AUXILIARY_OFF),
            0xa8 => self.set_mode(mode & !MODE_AUXILIARY_OFF),
            // Neither interface has a fault.
            0xa9 | 0xab => Some(0x00),
            0xaa => {
                self.state.system = true;
                Some(0x55)
            }
            0xad => self.set_mode(mode | MODE_KEYBOARD_OFF),
            0xae => self.set_mode(mode & !MODE_KEYBOARD_OFF),
            0xc0 => Some(INPUT_PORT),
            0xd0 => Some(self.output_port()),
            0xdd | 0xdf => {
                self.state.a20 = command == 0xdf;
                None
            }
            // The clocks of keyboard and mouse, both idle and high unless the interface is off.
            0xe0 => {
                let off = [(MODE_KEYBOARD_OFF, 1), (MODE_AUXILIARY_OFF, 2)];
                Some(off.into_iter().fold(
                    3,
                    |bits, (off, bit)| {
                        if mode & off != 0 { bits & !bit } else { bits }
                    },
                ))
            }
            // Pulses those of the lower four output lines whose bit is 0; line 0 is the reset.
            0xf0..=0xff => return command & OUTPUT_NO_RESET == 0,
            _ => None,
        };
        if let Some(value) = answer {
            self.answer(Byte::plain(value));
        }
        self.fill();
        false
    }

    /// Answers in place of an earlier answer that was not read, or once the output buffer is free of what the
    /// keyboard has sent.
    fn answer(&mut self, byte: Byte) {
        self.state.output.take_if(|unread| unread.source == Source::Controller);
        self.state.answer = Some(byte);
    }

    /// Passes a byte on to the keyboard. What is left of its answer to the one before is lost, even if that is
    /// in the output buffer.
    fn command_keyboard(&mut self, byte: u8) {
        // The controller enables the interface to send.
        self.state.ram[0] &= !MODE_KEYBOARD_OFF;
        let unread = self.state.output.take_if(|unread| unread.source != Source::Controller);
        self.state.displaced =
            unread.filter(|unread| unread.source == Source::ScanCode).or(self.state.displaced);
        if self.state.keyboard.command(byte) {
            self.state.displaced = None;
        }
        if unread.is_some()
            && let Some(answer) = self.state.keyboard.take_answer()
        {
            self.receive(answer, Source::Answer);
        }
    }

    fn set_mode(&mut self, mode: u8) -> Option<u8> {
        self.state.ram[0] = mode;
        None
    }

    fn output_port(&self) -> u8 {
        let full = self.state.output;
        let mut port = OUTPUT_ONES | OUTPUT_NO_RESET;
        if self.state.a20 {
            port |= OUTPUT_A20;
        }
        port | match full {
            Some(byte) if byte.auxiliary => OUTPUT_AUXILIARY_INTERRUPT,
            Some(_) => OUTPUT_INTERRUPT,
            None => 0,
        }
    }

    fn set_output_port(&mut self, value: u8) -> bool {
        self.state.a20 = value & OUTPUT_A20 != 0;
        value & OUTPUT_NO_RESET == 0
    }

    /// The guest looked and there was nothing: it may be waiting for a key.
    fn found_nothing(&mut self) {
        self.state.idle = self.state.idle.saturating_add(1);
        if self.state.idle < PATIENCE || self.state.ram[0] & MODE_KEYBOARD_OFF != 0 {
            return;
        }
        while self.state.output.is_none() {
            let Some(byte) = self.state.keyboard.take_code() else { return };
            self.receive(byte, Source::ScanCode);
        }
        self.state.idle = 0;
    }

    /// Whether a scan code could be sent now, with an interrupt.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.would_send() && self.state.keyboard.has_code()
    }

    /// Whether a scan code could be sent if a key were pressed.
    #[must_use]
    pub fn would_send(&self) -> bool {
        let mode = self.state.ram[0];
        self.state.output.is_none() && mode & (MODE_INTERRUPT | MODE_KEYBOARD_OFF) == MODE_INTERRUPT
    }

    /// Sends the next scan code, if it [can](Controller::can_send).
    pub fn send(&mut self) {
        while self.can_send() {
            let Some(byte) = self.state.keyboard.take_code() else { return };
            self.receive(byte, Source::ScanCode);
        }
    }

    /// Whether there is something to be read at the data port.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.state.output.is_some()
    }

    /// Puts what waits into the output buffer if that is free.
    fn fill(&mut self) {
        while self.state.output.is_none() {
            if let Some(byte) = self.state.answer.take() {
                self.state.output = Some(byte);
            } else if self.state.ram[0] & MODE_KEYBOARD_OFF != 0 {
                return;
            } else if let Some(byte) = self.state.keyboard.take_answer() {
                self.receive(byte, Source::Answer);
            } else {
                self.state.output = self.state.displaced.take();
                return;
            }
        }
    }

    /// A byte from the keyboard.
    fn receive(&mut self, byte: u8, source: Source) {
        let value = match (self.state.ram[0] & MODE_TRANSLATE != 0, byte) {
            (false, byte) => byte,
            (true, BREAK) => {
                self.state.breaks = true;
                return;
            }
            (true, byte) if std::mem::take(&mut self.state.breaks) => translate(byte) | 0x80,
            (true, byte) => translate(byte),
        };
        self.state.output = Some(Byte { source, ..Byte::plain(value) });
    }

    /// The level of the keyboard's interrupt line, IRQ 1. While the keyboard is disabled it stays low, for the
    /// controller's own answers too: programs that switch A20 disable it, and poll for these.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        let enabled = self.state.ram[0] & (MODE_INTERRUPT | MODE_KEYBOARD_OFF) == MODE_INTERRUPT;
        enabled && self.state.output.is_some_and(|byte| !byte.auxiliary)
    }

    /// The level of the mouse's interrupt line, IRQ 12.
    #[must_use]
    pub fn auxiliary_interrupt(&self) -> bool {
        let enabled = self.state.ram[0] & MODE_AUXILIARY_INTERRUPT != 0;
        enabled && self.state.output.is_some_and(|byte| byte.auxiliary)
    }

    /// Whether address line A20 is on.
    #[must_use]
    pub fn a20(&self) -> bool {
        self.state.a20
    }

    /// Sets address line A20, for port 92h.
    pub fn set_a20(&mut self, on: bool) {
        self.state.a20 = on;
    }

    /// Types keys after those that wait. False, and nothing is typed, if too many would wait.
    pub fn type_keys(&mut self, events: &[KeyEvent]) -> bool {
        self.state.keyboard.type_keys(events)
    }

    /// Whether a key goes up next.
    #[must_use]
    pub fn releases_next(&self) -> bool {
        self.state.keyboard.releases_next()
    }

    /// Keys that go down or up and that the guest has not had yet.
    #[must_use]
    pub fn waiting_keys(&self) -> usize {
        self.state.keyboard.waiting()
    }

    /// Controller and keyboard in a line each, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let buffer = match self.state.output {
            Some(byte) => format!("output buffer {:02x}", byte.value),
            None => "output buffer empty".to_owned(),
        };
        format!(
            "controller: status {:02x}, command byte {:02x}, {buffer}, output port {:02x}, A20 {}\n\
             keyboard: {}\n",
            self.status(),
            self.state.ram[0],
            self.output_port(),
            if self.state.a20 { "on" } else { "off" },
            self.state.keyboard.describe()
        )
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        self.state.ram.resize(RAM_SIZE, 0);
        self.state.keyboard.bound();
    }
}

#[cfg(test)]
mod tests;
