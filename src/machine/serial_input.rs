//! What is sent to the guest's serial ports from outside.
//!
//! The guest gets it as it asks for it (see [`Uart::asks`]): so nothing is lost to one
//! that is not ready yet, and no more is taken from whoever sends than the guest has use for.

use std::fmt;
use std::io::{ErrorKind, Read};

use super::{Machine, OutsideError};
use crate::devices::chipset::SERIAL_PORTS;
use crate::devices::uart::Uart;

/// Bytes that are taken from a source at a time.
const CHUNK: usize = 256;

/// The source of each port that has one that is not at its end.
#[derive(Default)]
pub(super) struct SerialSources([Option<Source>; SERIAL_PORTS]);

struct Source {
    stream: Box<dyn Read>,
    /// It sends the same at each start of the guest.
    repeats: bool,
}

impl Machine {
    /// Has serial port `port`, 1 for COM1, hear what `source` has, as the guest asks for it. It must not block: where it
    /// has nothing yet, that is [`ErrorKind::WouldBlock`], and a kick when it has, or is at its end.
    ///
    /// # Errors
    /// There is no such port.
    pub fn set_serial_source(
        &mut self,
        port: usize,
        source: Box<dyn Read>,
    ) -> Result<(), OutsideError> {
        self.connect_serial_source(port, source, false)
    }

    /// The same; `repeats` says whether that is what another run gets, too.
    pub(super) fn connect_serial_source(
        &mut self,
        port: usize,
        stream: Box<dyn Read>,
        repeats: bool,
    ) -> Result<(), OutsideError> {
        let slot = port.checked_sub(1).and_then(|number| self.serial_sources.0.get_mut(number));
        *slot.ok_or(OutsideError::NoPort { port })? = Some(Source { stream, repeats });
        Ok(())
    }

    /// Gives the guest what it asks for. To be called when it may have asked, and before it is entered after a kick.
    pub(super) fn feed_serial(&mut self) {
        if self.rerunning {
            return;
        }
        for number in 0..SERIAL_PORTS {
            self.feed_port(number);
        }
    }

    fn feed_port(&mut self, number: usize) {
        let Some(slot) = self.serial_sources.0.get_mut(number) else { return };
        let Some(source) = slot else { return };
        if !self.devices.chipset().serial(number).is_some_and(Uart::asks) {
            return;
        }
        let mut bytes = [0; CHUNK];
        match source.stream.read(&mut bytes) {
            Ok(0) => *slot = None,
            Ok(len) => {
                self.altered |= !source.repeats;
                // An empty line has room for more than that.
                let _ = self.devices.chipset_mut().send_serial(number, &bytes[..len]);
                self.forget_checkpoint();
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => {
                *slot = None;
                let text = format!("nothing more is sent to COM{}: {error}", number + 1);
                self.observer.notice(&text);
            }
        }
    }

    /// Whether what is still to be sent to a serial port may interrupt the guest.
    pub(super) fn may_hear_serial(&self) -> bool {
        let sources = self.serial_sources.0.iter().enumerate();
        let mut open = sources.filter(|(_, source)| source.is_some());
        open.any(|(number, _)| {
            self.devices.chipset().serial(number).is_some_and(Uart::interrupts_on_receipt)
        })
    }
}

impl fmt::Debug for SerialSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Option::is_some)).finish()
    }
}
