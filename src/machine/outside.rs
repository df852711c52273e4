//! The other ends of the machine's cables: keys that a person types, serial lines, and what the guest sends.

use std::fmt;
use std::io::{Cursor, Write};
use std::time::Duration;

use super::Machine;
use crate::devices::chipset::SERIAL_PORTS;
use crate::devices::keyboard::{Controller, KeyEvent};

/// Why the machine does not take what is sent to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideError {
    /// The keyboard has too many already.
    #[error("{waiting} keys wait for the guest already: there is no room for {more} more")]
    TooManyKeys {
        /// Those that wait.
        waiting: usize,
        /// Those to be typed.
        more: usize,
    },
    /// The serial line is full.
    #[error("there is no room for {bytes} more bytes on the line to serial port {port}")]
    LineFull {
        /// The port, 1 for COM1.
        port: usize,
        /// Bytes to be sent.
        bytes: usize,
    },
    /// There is no such port.
    #[error("there is no serial port {port}: there are 1 and 2")]
    NoPort {
        /// The port asked for, 1 for COM1.
        port: usize,
    },
}

/// What is typed on the guest's keyboard, and sent to its first serial port, each time it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typing {
    /// At once; the guest gets these when it asks for them.
    pub keys: Vec<KeyEvent>,
    /// Later: so much of the guest's time after its start.
    pub timed: Vec<(Duration, Vec<KeyEvent>)>,
    /// Sent to COM1, as the guest asks for it.
    pub serial: Vec<u8>,
}

/// Where the guest's serial ports send to, if not to the observer.
#[derive(Default)]
pub(super) struct SerialSinks([Option<Box<dyn Write>>; SERIAL_PORTS]);

impl fmt::Debug for SerialSinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Option::is_some)).finish()
    }
}

impl Machine {
    /// Types `events` on the guest's keyboard, after the keys that wait there. The guest gets them when it asks for
    /// them; see [`crate::devices::keyboard::controller`].
    ///
    /// # Errors
    /// Too many keys wait; none of these was typed.
    pub fn type_keys(&mut self, events: &[KeyEvent]) -> Result<(), OutsideError> {
        self.add_keys(events)?;
        self.altered = true;
        Ok(())
    }

    fn add_keys(&mut self, events: &[KeyEvent]) -> Result<(), OutsideError> {
        let keyboard = self.devices.chipset_mut().keyboard_mut();
        let waiting = keyboard.waiting_keys();
        if !keyboard.type_keys(events) {
            return Err(OutsideError::TooManyKeys { waiting, more: events.len() });
        }
        self.forget_checkpoint();
        Ok(())
    }

    /// Types what `typing` says now and later, and again each time the guest is started anew.
    ///
    /// # Errors
    /// As of [`Machine::type_keys`], for what is typed at any one time.
    pub fn type_at_start(&mut self, typing: Typing) -> Result<(), OutsideError> {
        for (_, keys) in &typing.timed {
            if !Controller::default().type_keys(keys) {
                return Err(OutsideError::TooManyKeys { waiting: 0, more: keys.len() });
            }
        }
        self.add_keys(&typing.keys)?;
        self.typing = typing;
        self.type_later();
        self.send_at_start();
        Ok(())
    }

    /// The guest starts anew: types as at its first start.
    pub(super) fn type_again(&mut self) {
        // They waited at its first start too.
        let _ = self.devices.chipset_mut().keyboard_mut().type_keys(&self.typing.keys);
        self.type_later();
        self.send_at_start();
    }

    fn type_later(&mut self) {
        let start = self.devices.now();
        for (after, keys) in &self.typing.timed {
            let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
            self.devices.chipset_mut().type_keys_at(start.after(after), keys.clone());
        }
    }

    fn send_at_start(&mut self) {
        if !self.typing.serial.is_empty() {
            // There is always a COM1.
            let source = Cursor::new(self.typing.serial.clone());
            let _ = self.connect_serial_source(1, Box::new(source), true);
        }
    }

    /// Sends `bytes` to the guest's serial port `port`, 1 for COM1.
    ///
    /// # Errors
    /// There is no such port, or too much waits on the line; nothing was sent.
    pub fn send_serial(&mut self, port: usize, bytes: &[u8]) -> Result<(), OutsideError> {
        let number = port.checked_sub(1).filter(|number| *number < SERIAL_PORTS);
        let number = number.ok_or(OutsideError::NoPort { port })?;
        if !self.devices.chipset_mut().send_serial(number, bytes) {
            return Err(OutsideError::LineFull { port, bytes: bytes.len() });
        }
        self.forget_checkpoint();
        self.altered = true;
        Ok(())
    }

    /// Has serial port `port`, 1 for COM1, send to `sink` at once, instead of to the observer.
    ///
    /// # Errors
    /// There is no such port.
    pub fn set_serial_sink(
        &mut self,
        port: usize,
        sink: Box<dyn Write>,
    ) -> Result<(), OutsideError> {
        let slot = port.checked_sub(1).and_then(|number| self.serial_sinks.0.get_mut(number));
        *slot.ok_or(OutsideError::NoPort { port })? = Some(sink);
        Ok(())
    }

    /// The keyboard and its controller as they are, in lines.
    #[must_use]
    pub fn describe_keyboard(&self) -> String {
        self.devices.chipset().keyboard().describe()
    }

    /// The timer and the speaker as they are, in lines.
    #[must_use]
    pub fn describe_timer(&self) -> String {
        self.devices.chipset().describe_timer()
    }

    /// The interrupt controllers as they are, a line each.
    #[must_use]
    pub fn describe_pics(&self) -> String {
        self.devices.chipset().pics().describe()
    }

    /// The real-time clock and its memory, in lines.
    #[must_use]
    pub fn describe_clock(&self) -> String {
        self.devices.chipset().rtc().describe()
    }

    /// The serial ports as they are, a line each.
    #[must_use]
    pub fn describe_serial(&self) -> String {
        let chipset = self.devices.chipset();
        let ports =
            (0..SERIAL_PORTS).filter_map(|number| Some((number + 1, chipset.serial(number)?)));
        ports.map(|(port, uart)| format!("COM{port}: {}\n", uart.describe())).collect()
    }

    /// Gives the observer what the guest has sent.
    pub(super) fn pass_output_on(&mut self) {
        let console = self.devices.take_output();
        if !console.is_empty() {
            self.observer.console(&console);
        }
        for number in 0..SERIAL_PORTS {
            let uart = self.devices.chipset_mut().serial_mut(number);
            let output = uart.map(|uart| uart.take_output()).unwrap_or_default();
            if !output.is_empty() {
                self.send_out(number, &output);
            }
        }
    }

    fn send_out(&mut self, number: usize, output: &[u8]) {
        // A second run of the same is not to be heard.
        if self.rerunning {
            return;
        }
        self.record.note_serial(number, output);
        let Some(slot) = self.serial_sinks.0.get_mut(number) else { return };
        let Some(sink) = slot else { return self.observer.serial(number + 1, output) };
        if let Err(error) = sink.write_all(output).and_then(|()| sink.flush()) {
            *slot = Some(Box::new(std::io::sink()));
            // A reader that has gone away has seen what it wanted.
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                let text = format!("what COM{} sends is lost: {error}", number + 1);
                self.observer.notice(&text);
            }
        }
    }
}
