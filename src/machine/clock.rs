//! How time passes in the guest; [`crate::devices::clock`] says what devices make of it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Machine;
use crate::bios;
use crate::devices::clock::{PORT_ACCESS, SERVICE};
use crate::devices::rtc;

/// By what time passes in the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// By what the guest does: the same on every host and in every run.
    #[default]
    Virtual,
    /// By the host's clock, which stands still for the guest while that is stopped.
    Wall,
}

/// The clock, and where it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passing {
    clock: Clock,
    /// While the guest runs by the wall clock: up to where its time has passed.
    until: Option<Instant>,
}

impl Machine {
    /// Has time pass by `clock` from now on. At first it is virtual. To be told before the guest runs: the time of
    /// day at its start is the host's (in UTC) by the wall clock, and always the same otherwise.
    pub fn set_clock(&mut self, clock: Clock) {
        self.time = Passing { clock, until: None };
        self.set_time_of_day();
        if self.firmware {
            let mut cpu = self.vcpu.cpu().clone();
            bios::timer::power_on(&mut self.lend(&mut cpu));
        }
    }

    /// The machine is switched on: sets its real-time clock.
    pub(super) fn set_time_of_day(&mut self) {
        let seconds = match self.time.clock {
            Clock::Virtual => rtc::START,
            Clock::Wall => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_secs()).unwrap_or(rtc::START)
            }
        };
        self.devices.chipset_mut().rtc_mut().set_start(seconds);
    }

    /// The guest runs from now on.
    pub(super) fn start_time(&mut self) {
        if self.time.clock == Clock::Wall {
            self.time.until = Some(Instant::now());
        }
    }

    /// The guest is stopped.
    pub(super) fn stop_time(&mut self) {
        self.pass_wall_time();
        self.time.until = None;
    }

    /// The guest accesses a port.
    pub(super) fn pass_time(&mut self) {
        match self.time.clock {
            Clock::Virtual => self.devices.pass(PORT_ACCESS),
            Clock::Wall => self.pass_wall_time(),
        }
    }

    /// By what time passes.
    pub(super) fn clock(&self) -> Clock {
        self.time.clock
    }

    /// The guest has called the firmware.
    pub(super) fn pass_service_time(&mut self) {
        match self.time.clock {
            Clock::Virtual => self.devices.pass(SERVICE),
            Clock::Wall => self.pass_wall_time(),
        }
    }

    /// By the wall clock: lets pass what has passed for the person in front of the guest.
    pub(super) fn pass_wall_time(&mut self) {
        if let Some(until) = self.time.until {
            let now = Instant::now();
            let passed = now.saturating_duration_since(until).as_nanos();
            self.devices.pass(u64::try_from(passed).unwrap_or(u64::MAX));
            self.time.until = Some(now);
        }
    }
}
