//! The 8254 programmable interval timer at ports 40h to 43h (Intel 8254 data sheet, 231164).
//!
//! Counters 0 and 1 always count, the gate of counter 2 is the owner's. Time comes as cycles of
//! [`FREQUENCY`]. At power-on counter 0 runs as firmware leaves it, in mode 2 through the whole range, and counter
//! 1 requests a refresh every 18 cycles; counter 2 is in mode 3, as for a tone, and its output high while its gate is low.

mod counter;

use serde::{Deserialize, Serialize};

use counter::{Access, Counter};

/// Cycles a second.
pub const FREQUENCY: u64 = 1_193_182;
/// The first of its four ports.
pub const PORT: u16 = 0x40;
/// Ports that it takes up.
pub const PORTS: u16 = 4;
/// Offset of the control word's port.
const CONTROL: u16 = 3;
/// Cycles from one refresh of memory to the next.
const REFRESH: u8 = 18;

/// The timer.
#[derive(Clone, Debug)]
pub struct Pit {
    state: State,
}

/// All that a guest can have changed in a [`Pit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    counters: [Counter; 3],
}

impl Default for Pit {
    fn default() -> Pit {
        let mut pit = Pit { state: State { counters: [true, true, false].map(Counter::new) } };
        let counters: [&[(u16, u8)]; 3] = [
            &[(CONTROL, 0x34), (0, 0), (0, 0)],
            &[(CONTROL, 0x54), (1, REFRESH)],
            &[(CONTROL, 0xb6), (2, 0), (2, 0)],
        ];
        for (offset, value) in counters.into_iter().flatten() {
            pit.write(*offset, *value);
        }
        pit
    }
}

impl Pit {
    /// Lets `cycles` pass.
    pub fn pass(&mut self, cycles: u64) {
        self.state.counters.iter_mut().for_each(|counter| counter.pass(cycles));
    }

    /// Reads the port at `offset` (0 to 3). The control word cannot be read.
    pub fn read(&mut self, offset: u16) -> u8 {
        let counter = self.state.counters.get_mut(usize::from(offset));
        counter.map_or(super::OPEN_BUS, Counter::read)
    }

    /// Writes the port at `offset` (0 to 3).
    pub fn write(&mut self, offset: u16, value: u8) {
        if offset != CONTROL {
            if let Some(counter) = self.state.counters.get_mut(usize::from(offset)) {
                counter.write(value);
            }
            return;
        }
        let selected = usize::from(value >> 6);
        if let Some(counter) = self.state.counters.get_mut(selected) {
            match Access::of_control(value) {
                None => counter.latch_count(),
                Some(access) => counter.set_control(access, value >> 1 & 7, value & 1 != 0),
            }
            return;
        }
        // Read-back: the bits for count and status are active low.
        for (number, counter) in self.state.counters.iter_mut().enumerate() {
            if value >> (number + 1) & 1 == 0 {
                continue;
            }
            if value & 0x20 == 0 {
                counter.latch_count();
            }
            if value & 0x10 == 0 {
                counter.latch_status();
            }
        }
    }

    /// Sets the gate of counter 2.
    pub fn set_gate(&mut self, high: bool) {
        self.state.counters[2].set_gate(high);
    }

    /// The output of counter `number` (0 to 2).
    #[must_use]
    pub fn output(&self, number: usize) -> bool {
        self.state.counters.get(number).is_some_and(Counter::output)
    }

    /// Whether the output of counter 0, the timer interrupt, has risen since the last call.
    pub fn take_tick(&mut self) -> bool {
        self.state.counters[0].take_rise()
    }

    /// Cycles until the output of counter 0 rises next, if nobody touches it.
    #[must_use]
    pub fn cycles_to_tick(&self) -> Option<u64> {
        self.state.counters[0].cycles_to_rise()
    }

    /// The counters, a line each, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let lines = (0..).zip(&self.state.counters);
        lines
            .map(|(number, counter)| format!("counter {number}: {}\n", counter.describe()))
            .collect()
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        self.state.counters.iter_mut().for_each(Counter::bound);
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
