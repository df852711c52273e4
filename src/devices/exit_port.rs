//! The exit port: a write ends the run with a status that the guest chooses.
//!
//! Follows QEMU's `isa-debug-exit` with `iosize=4`: four ports that take accesses of any width whole,
//! a value `v` asks for status `(v << 1) | 1`, so that a guest can never claim a plain success (0). A read
//! gives 0. The owner decides what to do with a status that is wider than an exit code.

use serde::{Deserialize, Serialize};

/// The first port, by the convention of operating systems that test themselves under QEMU.
pub const PORT: u16 = 0xf4;

/// Ports that it takes up.
pub const PORTS: u16 = 4;

/// The exit port.
#[derive(Clone, Debug, Default)]
pub struct ExitPort {
    requested: Option<u32>,
}

/// All that a guest can have changed in an [`ExitPort`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    requested: Option<u32>,
}

impl ExitPort {
    /// What the guest reads.
    #[must_use]
    pub fn read(&self) -> u32 {
        0
    }

    /// Asks for the end of the run; gives the status, of which the uppermost bit of `value` is lost.
    pub fn write(&mut self, value: u32) -> u32 {
        let status = (value << 1) | 1;
        self.requested = Some(status);
        status
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        State { requested: self.requested }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.requested = state.requested;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_twice_the_value_plus_one() {
        let mut port = ExitPort::default();
        assert_eq!([0, 1, 0x10].map(|value| port.write(value)), [1, 3, 0x21]);
        assert_eq!(port.write(u32::MAX), u32::MAX);
        assert_eq!(port.read(), 0);
    }

    #[test]
    fn the_request_survives_save_and_restore() {
        let mut port = ExitPort::default();
        assert_eq!(port.save(), State { requested: None });
        port.write(2);
        let mut other = ExitPort::default();
        other.restore(&port.save());
        assert_eq!(other.save(), State { requested: Some(5) });
    }
}
