//! The debug console at port E9h: each byte written is a byte of output.
//!
//! Follows QEMU's `isa-debugcon` and Bochs' port E9 hack: a read gives E9h, by which guests detect it.

use serde::{Deserialize, Serialize};

/// The port that guests expect it at.
pub const PORT: u16 = 0xe9;

/// Bytes that wait for the owner at most; a guest that writes on without them being taken loses the rest.
pub const CAPACITY: usize = 1 << 20;

/// What a read gives.
const SIGNATURE: u8 = 0xe9;

/// The debug console.
#[derive(Clone, Debug, Default)]
pub struct DebugPort {
    output: Vec<u8>,
}

/// All that a guest can have changed in a [`DebugPort`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    output: Vec<u8>,
}

impl DebugPort {
    /// What the guest reads.
    #[must_use]
    pub fn read(&self) -> u8 {
        SIGNATURE
    }

    /// Appends `value` to the output, unless [`CAPACITY`] bytes wait already.
    pub fn write(&mut self, value: u8) {
        if self.output.len() < CAPACITY {
            self.output.push(value);
        }
    }

    /// Hands over the output since the last call, leaving none.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        State { output: self.output.clone() }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.output.clone_from(&state.output);
        self.output.truncate(CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_taken_once() {
        let mut port = DebugPort::default();
        b"hi".iter().for_each(|&byte| port.write(byte));
        assert_eq!(port.take_output(), b"hi");
        assert_eq!(port.take_output(), b"");
    }

    #[test]
    fn a_read_identifies_the_console() {
        assert_eq!(DebugPort::default().read(), 0xe9);
    }

    #[test]
    fn output_that_nobody_takes_is_bounded() {
        let mut port = DebugPort::default();
        (0..=CAPACITY).for_each(|_| port.write(b'x'));
        assert_eq!(port.take_output().len(), CAPACITY);
    }

    #[test]
    fn waiting_output_survives_save_and_restore() {
        let mut port = DebugPort::default();
        port.write(7);
        let mut other = DebugPort::default();
        other.restore(&port.save());
        assert_eq!(other.take_output(), [7]);
    }
}
