//! The POST port 80h: keeps the last progress code that firmware or a boot loader wrote.
//!
//! On a PC a card shows the code in hexadecimal; a read gives the code back. Old code also writes here
//! just to lose a microsecond.

use serde::{Deserialize, Serialize};

/// The port that guests expect it at.
pub const PORT: u16 = 0x80;

/// The POST code latch.
#[derive(Clone, Debug, Default)]
pub struct PostPort {
    code: u8,
}

/// All that a guest can have changed in a [`PostPort`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    code: u8,
}

impl PostPort {
    /// The last code written; 0 at power-on.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Keeps `code`.
    pub fn write(&mut self, code: u8) {
        self.code = code;
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        State { code: self.code }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.code = state.code;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_code_is_kept_saved_and_restored() {
        let mut port = PostPort::default();
        assert_eq!(port.code(), 0);
        port.write(0x55);
        port.write(0xaa);
        assert_eq!(port.code(), 0xaa);
        let mut other = PostPort::default();
        other.restore(&port.save());
        assert_eq!(other.code(), 0xaa);
    }
}
