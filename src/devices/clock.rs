//! Time in the guest, which devices take from here and never from the host.
//!
//! Time is nanoseconds since power-on. It stands still until the owner of the devices lets it pass, by
//! [`Devices::pass`](super::Devices::pass) *before* each access of the guest: a device that is asked what it
//! shows works that out from how much time has passed since it was asked last, and nothing runs in between.
//!
//! **Who lets it pass** is the machine, in one of two ways, and no device can tell which:
//!
//! - *Virtual*: what the guest does takes a fixed time, [`PORT_ACCESS`] for each access to a port, as on the
//!   ISA bus; nothing else takes any. So the same guest sees the same times on every host, stepped or free, and a
//!   guest that waits for a device by polling waits for so many polls. This is for tests.
//! - *Wall*: as much passes as does for the person in front of it, but only while the guest runs: while a
//!   debugger has it stopped, time stands still. This is for people.
//!
//! **Interrupts** need one thing more: a device tells at which time it requests the next one if nobody touches it;
//! see [`Chipset::next_interrupt`](super::chipset::Chipset::next_interrupt). A processor in HLT lets time jump to the
//! earliest of these (virtual), or sleeps until then (wall), so that an idle guest costs nothing. A guest that spins
//! without an access to wait for an interrupt gives virtual time nothing to go by: it is brought back by a
//! deadline of the host, and time then jumps to the next request as well. The order of all events is still the same
//! each time, but not the instruction at which they come; exactly that needs counted instructions, which single
//! steps give.

use serde::{Deserialize, Serialize};

/// How long an access to a port takes in virtual time, in nanoseconds: eight cycles of an ISA bus.
pub const PORT_ACCESS: u64 = 1_000;

/// How long a service of the firmware takes in virtual time, in nanoseconds: about what a PC/AT needs.
pub const SERVICE: u64 = 20_000;

/// A moment: nanoseconds since power-on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment `nanoseconds` later; time ends after 584 years.
    #[must_use]
    pub fn after(self, nanoseconds: u64) -> Time {
        Time(self.0.saturating_add(nanoseconds))
    }

    /// When `cycles` cycles of a clock of `hertz` are complete.
    #[must_use]
    pub fn of_cycles(cycles: u64, hertz: u64) -> Time {
        const SECOND: u128 = 1_000_000_000;
        let nanoseconds = (u128::from(cycles) * SECOND).div_ceil(u128::from(hertz.max(1)));
        Time(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// How many cycles of a clock of `hertz` are complete by now.
    #[must_use]
    pub fn cycles(self, hertz: u64) -> u64 {
        const SECOND: u128 = 1_000_000_000;
        let cycles = u128::from(self.0) * u128::from(hertz) / SECOND;
        u64::try_from(cycles).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_do_not_drift() {
        assert_eq!(Time(1_000_000_000).cycles(1_193_182), 1_193_182);
        assert_eq!(Time(3_600_000_000_000).cycles(1_193_182), 3600 * 1_193_182);
        assert_eq!((Time(838).cycles(1_193_182), Time(839).cycles(1_193_182)), (0, 1));
        assert_eq!(Time(u64::MAX).cycles(u64::MAX), u64::MAX);
        for cycles in [0, 1, 2, 65_536, 1_193_182, u64::MAX >> 16] {
            let time = Time::of_cycles(cycles, 1_193_182);
            assert_eq!(time.cycles(1_193_182), cycles);
            assert!(cycles == 0 || Time(time.0 - 1).cycles(1_193_182) < cycles);
        }
        assert_eq!(Time(u64::MAX).after(1), Time(u64::MAX));
    }
}
