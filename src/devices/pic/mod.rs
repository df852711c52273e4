//! The pair of 8259A interrupt controllers at ports 20h and A0h, the second on line 2 of the first (Intel 8259A
//! data sheet, 231468).
//!
//! The owner sets the levels of the lines, asks whether an interrupt is requested, and acknowledges it as the
//! processor does. Calls of the MCS-80 mode do not exist. At power-on they are as firmware leaves them:
//! vectors 08h and 70h, all lines masked but 0, 1, 2 and 6, and 12, 13 and 14.

mod chip;

use serde::{Deserialize, Serialize};

use chip::Chip;

/// The first port of each.
pub const PORTS: [u16; 2] = [0x20, 0xa0];
/// Interrupt lines of the pair.
pub const LINES: u8 = 16;
/// The line of the first at which the second is.
const CASCADE: u8 = 2;

/// Both controllers.
#[derive(Clone, Debug)]
pub struct Pics {
    state: State,
}

/// All that a guest can have changed in [`Pics`], and the levels of their lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    first: Chip,
    second: Chip,
}

impl Default for Pics {
    fn default() -> Pics {
        let (first, second) = (Chip::new(false, 0x08, 0xb8), Chip::new(true, 0x70, 0x8f));
        Pics { state: State { first, second } }
    }
}

impl Pics {
    /// Reads the port at `offset` (0 or 1) of the first or the second.
    pub fn read(&mut self, second: bool, offset: u16) -> u8 {
        let value = self.chip(second).read(offset);
        self.cascade();
        value
    }

    /// Writes the port at `offset` (0 or 1) of the first or the second.
    pub fn write(&mut self, second: bool, offset: u16, value: u8) {
        self.chip(second).write(offset, value);
        self.cascade();
    }

    /// Sets the level of line `line`, 0 to 15; line 2 is the second's own.
    pub fn set_line(&mut self, line: u8, high: bool) {
        match line {
            CASCADE => {}
            0..8 => self.state.first.set_line(line, high),
            _ => self.state.second.set_line(line & 7, high),
        }
        self.cascade();
    }

    /// Forgets the edges that nobody has taken yet: firmware has dealt with those.
    pub fn forget_edges(&mut self) {
        self.state.first.forget_edges();
        self.state.second.forget_edges();
        self.cascade();
    }

    /// Whether the processor is asked to take an interrupt.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.state.first.request().is_some()
    }

    /// The line of the first whose interrupt the processor would be given.
    #[must_use]
    pub fn requested(&self) -> Option<u8> {
        self.state.first.request()
    }

    /// Whether the processor would be asked to take an interrupt if `line` rose.
    #[must_use]
    pub fn would_interrupt(&self, line: u8) -> bool {
        let mut pics = self.clone();
        pics.set_line(line, false);
        pics.set_line(line, true);
        pics.interrupt()
    }

    /// The first vectors of the two.
    #[must_use]
    pub fn first_vectors(&self) -> [u8; 2] {
        [self.state.first.first_vector(), self.state.second.first_vector()]
    }

    /// The processor takes the interrupt: gives its vector. One whose line has gone meanwhile is the spurious
    /// interrupt, line 7.
    pub fn acknowledge(&mut self) -> u8 {
        let (line, vector) = self.state.first.acknowledge();
        let vector = if line == Some(CASCADE) && self.state.first.has_cascade(CASCADE) {
            let (_, vector) = self.state.second.acknowledge();
            // Its output drops, so that a further request is an edge.
            self.state.first.set_line(CASCADE, false);
            vector
        } else {
            vector
        };
        self.cascade();
        vector
    }

    /// The second's output is the first's line 2.
    fn cascade(&mut self) {
        let requests = self.state.second.request().is_some();
        self.state.first.set_line(CASCADE, requests);
    }

    fn chip(&mut self, second: bool) -> &mut Chip {
        if second { &mut self.state.second } else { &mut self.state.first }
    }

    /// Both, a line each, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "first:  {}\nsecond: {}\n",
            self.state.first.describe(),
            self.state.second.describe()
        )
    }

    /// The devices' state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        self.state.first.bound();
        self.state.second.bound();
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
