//! When the guest gets what was typed ahead: as late as it comes from a person, and when it is ready for it.

use super::{Chipset, KEYBOARD_LINE};
use crate::devices::clock::Time;
use crate::devices::keyboard::KeyEvent;

/// From when a guest has read a scan code to the next that it gets by an interrupt, in nanoseconds: what a key
/// takes on its way, and a typist who is not too fast for it.
const KEY_PAUSE: u64 = 5_000_000;
/// The same before a key goes up: longer than a tick of the timer, so that a guest that looks at port 60h once a tick or
/// once a frame sees the key down.
const KEY_HOLD: u64 = 60_000_000;
/// The same if a person has typed more than [`KEYS_IN_TIME`] that wait: what is pasted comes soon, and a key that repeats
/// does not go on when it was let go.
const SHORT_HOLD: u64 = 10_000_000;
/// Keys, going down or up, that wait for a guest which keeps up with a typist.
const KEYS_IN_TIME: usize = 8;
/// From power-on, and from when a guest has first given the interrupts vectors of its own, to the first key that comes by an
/// interrupt: who opens the interrupt before the handler is in place does not lose what was typed ahead.
pub(super) const FIRST_KEY: u64 = 500_000_000;

impl Chipset {
    pub(super) fn type_timed_keys(&mut self) {
        // While too many wait, they wait as well.
        while let Some((at, keys)) = self.timed_keys.front()
            && *at <= self.now
            && self.keyboard.type_keys(keys)
        {
            self.timed_keys.pop_front();
            // Who names the time knows when the guest is ready.
            self.keys_from = Time::default();
        }
    }

    /// Types `keys` when the time is `at`, after all that is typed by then.
    pub fn type_keys_at(&mut self, at: Time, keys: Vec<KeyEvent>) {
        let place = self.timed_keys.partition_point(|(other, _)| *other <= at);
        self.timed_keys.insert(place, (at, keys));
        self.type_timed_keys();
    }

    /// Whether keys will be typed later.
    #[must_use]
    pub fn has_timed_keys(&self) -> bool {
        !self.timed_keys.is_empty()
    }

    /// Says whether the guest has no room for another key at present, so that none is sent with an interrupt.
    pub fn hold_keys(&mut self, hold: bool) {
        self.keys_held = hold;
    }

    /// Says whether the guest waits for a key and does not care how long one is held: the next comes at once.
    pub fn hurry_keys(&mut self, hurry: bool) {
        self.keys_hurried = hurry;
    }

    /// Says whether a person types, who waits for what the guest makes of it, or all was typed ahead.
    pub fn expect_typist(&mut self, expects: bool) {
        self.has_typist = expects;
    }

    /// The guest has asked its firmware for a key: it may have one at once.
    pub fn ask_for_key(&mut self) {
        self.keys_from = Time::default();
    }

    /// When the next code of the keyboard may interrupt the guest.
    pub(super) fn key_due(&self) -> Time {
        self.timed_key_due().max(self.keys_from)
    }

    /// The same if its time has been named, and has come.
    pub(super) fn timed_key_due(&self) -> Time {
        let lags = self.has_typist && self.keyboard.waiting_keys() > KEYS_IN_TIME;
        let pause = match self.keyboard.releases_next() {
            _ if self.keys_hurried => 0,
            true if lags => SHORT_HOLD,
            true => KEY_HOLD,
            false => KEY_PAUSE,
        };
        self.key_read.after(pause).max(self.now)
    }

    /// The guest takes interrupts: the keyboard sends the next code of what is typed if it is time.
    pub fn send_key(&mut self) {
        let may_send = !self.keys_held && self.key_due() <= self.now;
        let can_send = may_send && self.keyboard.can_send();
        if can_send && self.pics.would_interrupt(KEYBOARD_LINE) {
            self.keyboard.send();
            self.set_lines();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Chip;
    use crate::devices::keyboard::keymap;

    const MILLISECOND: u64 = 1_000_000;

    /// A guest has given the controllers vectors of its own, and opened the keyboard's line alone.
    fn chipset() -> Chipset {
        let mut chipset = Chipset::default();
        for (offset, value) in [(0, 0x11), (1, 0x20), (1, 0x04), (1, 0x01), (1, 0xfd)] {
            chipset.write(Chip::Pic { second: false }, offset, value);
        }
        chipset
    }

    /// When the first code interrupts the guest, in milliseconds.
    fn first_key(mut chipset: Chipset) -> u64 {
        while !chipset.interrupt() {
            let next = chipset.next_interrupt().expect("a key comes");
            chipset.pass(next.0.saturating_sub(chipset.now().0).max(1));
            chipset.send_key();
        }
        chipset.now().0 / MILLISECOND
    }

    #[test]
    fn what_is_typed_ahead_waits_for_a_handler() {
        let mut chipset = chipset();
        assert!(chipset.keyboard_mut().type_keys(&keymap::parse("a").unwrap()));
        assert_eq!(first_key(chipset), FIRST_KEY / MILLISECOND);
    }

    #[test]
    fn a_guest_that_goes_back_and_forth_between_vectors_gets_its_keys() {
        let mut chipset = chipset();
        assert!(chipset.keyboard_mut().type_keys(&keymap::parse("a").unwrap()));
        for vectors in [0x08, 0x20, 0x08, 0x20] {
            chipset.pass(100 * MILLISECOND);
            for (offset, value) in [(0, 0x11), (1, vectors), (1, 0x04), (1, 0x01), (1, 0xfd)] {
                chipset.write(Chip::Pic { second: false }, offset, value);
            }
        }
        assert_eq!(first_key(chipset), FIRST_KEY / MILLISECOND);
    }

    /// When each code of `keys` interrupts a guest that reads it at once, in milliseconds from the first.
    fn times(mut chipset: Chipset, keys: &str) -> Vec<u64> {
        assert!(chipset.keyboard_mut().type_keys(&keymap::parse(keys).unwrap()));
        let mut times = Vec::new();
        while chipset.keyboard().waiting_keys() > 0 {
            let next = chipset.next_interrupt().expect("a key comes");
            chipset.pass(next.0.saturating_sub(chipset.now().0));
            chipset.send_key();
            assert!(chipset.interrupt());
            chipset.acknowledge();
            chipset.read(Chip::KeyboardData, 0);
            chipset.write(Chip::Pic { second: false }, 0, 0x20);
            times.push(chipset.now().0 / MILLISECOND);
        }
        times.iter().map(|time| time - times[0]).collect()
    }

    #[test]
    fn what_a_person_pastes_comes_soon_and_single_keys_are_held() {
        let of_a_person = |keys| {
            let mut chipset = chipset();
            chipset.expect_typist(true);
            times(chipset, keys)
        };
        assert_eq!(of_a_person("abcd"), [0, 60, 65, 125, 130, 190, 195, 255]);
        let pasted = of_a_person(&"x".repeat(100));
        assert_eq!(pasted[..4], [0, 10, 15, 25]);
        assert!(pasted[199] < 2_000, "{pasted:?}");
        // Who typed ahead waits for nothing: each key can be seen.
        assert_eq!(times(chipset(), &"x".repeat(100))[199], 99 * 65 + 60);
    }

    #[test]
    fn keys_that_are_waited_for_come_at_once() {
        let mut chipset = chipset();
        chipset.hurry_keys(true);
        assert_eq!(times(chipset, "abcd"), [0; 8]);
    }

    #[test]
    fn a_key_comes_at_the_time_that_is_named() {
        let mut chipset = chipset();
        chipset.type_keys_at(Time(100 * MILLISECOND), keymap::parse("a").unwrap());
        assert_eq!(first_key(chipset), 100);
    }
}
