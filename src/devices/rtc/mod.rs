//! The real-time clock and its battery-backed memory at ports 70h and 71h (Motorola MC146818A data sheet; IBM PC/AT
//! Technical Reference for what the memory holds).
//!
//! The time of day is that of the start, which the owner sets, and what has passed since. Nothing else here knows of
//! a clock: flags and interrupts are worked out from the time handed in. The square wave and daylight saving are not
//! there.

pub mod calendar;

use serde::{Deserialize, Serialize};

use super::clock::Time;
use calendar::{DAY, Date};

/// The port of the index; bit 7 masks the NMI, of which there is none. The data port follows.
pub const PORT: u16 = 0x70;
/// Number of ports.
pub const PORTS: u16 = 2;
/// Bytes of memory, clock included.
pub const SIZE: usize = 128;
/// The time of day that a machine starts with if nobody says another: noon on the first of January 2000.
pub const START: i64 = 946_728_000;

/// Registers.
pub const SECOND: u8 = 0x00;
const SECOND_ALARM: u8 = 0x01;
/// The minute.
pub const MINUTE: u8 = 0x02;
const MINUTE_ALARM: u8 = 0x03;
/// The hour.
pub const HOUR: u8 = 0x04;
const HOUR_ALARM: u8 = 0x05;
const WEEKDAY: u8 = 0x06;
/// The day of the month.
pub const DAY_OF_MONTH: u8 = 0x07;
/// The month.
pub const MONTH: u8 = 0x08;
/// The year without its century.
pub const YEAR: u8 = 0x09;
/// Rate, and whether an update is near.
pub const STATUS_A: u8 = 0x0a;
/// What is enabled, and in which form numbers are.
pub const STATUS_B: u8 = 0x0b;
/// What has happened since it was last read.
pub const STATUS_C: u8 = 0x0c;
/// Whether the battery is good.
const STATUS_D: u8 = 0x0d;
/// The century.
pub const CENTURY: u8 = 0x32;
/// The same where a PS/2 has it.
const CENTURY_OF_PS2: u8 = 0x37;

const UPDATE_IN_PROGRESS: u8 = 0x80;
/// In status A: by what the oscillator is divided.
const DIVIDER: u8 = 0x70;
/// Up to this one, the one for a PC's oscillator, the divider runs. Those for faster oscillators are taken for it; the
/// others hold the divider, or are for the chip's tests.
const DIVIDER_RUNS: u8 = 0x20;
/// The oscillator runs, and the periodic flag comes 1024 times a second.
const DEFAULT_A: u8 = 0x26;
/// Updates are inhibited.
pub const SET: u8 = 0x80;
/// Interrupts, in status B; their flags in status C have the same bits.
pub const PERIODIC: u8 = 0x40;
/// At the time of the alarm registers.
pub const ALARM: u8 = 0x20;
const UPDATED: u8 = 0x10;
const BINARY: u8 = 0x04;
/// Hours from 0 to 23, in status B.
pub const HOURS_24: u8 = 0x02;
const VALID: u8 = 0x80;
const REQUEST: u8 = 0x80;
const AFTERNOON: u8 = 0x80;
/// An alarm register with these bits matches anything.
const ANY: u8 = 0xc0;

/// How long before an update status A says so, in nanoseconds.
const NOTICE: u64 = 244_000;
const SECOND_NS: u64 = 1_000_000_000;
/// The oscillator's frequency in Hz.
const OSCILLATOR: u64 = 32_768;

/// What the checksum is of, and where it is.
const SUMMED: std::ops::RangeInclusive<usize> = 0x10..=0x2d;
const CHECKSUM: usize = 0x2e;

/// The clock.
#[derive(Clone, Debug)]
pub struct Rtc {
    state: State,
}

/// All that a guest can have changed in an [`Rtc`], and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    ram: Vec<u8>,
    index: u8,
    /// Seconds since 1970 at power-on, if what the guest has set since is right.
    start: i64,
    /// The same without the guest's doing.
    power_on: i64,
    now: Time,
    /// How long the divider has been counting: the update is when this is a whole second, and periods begin with it.
    counted: Time,
    /// Status C without the request.
    flags: u8,
    /// How often the periodic flag has come since it was read last.
    periods: u64,
}

impl Default for Rtc {
    fn default() -> Rtc {
        let mut ram = vec![0; SIZE];
        ram[usize::from(STATUS_A)] = DEFAULT_A;
        ram[usize::from(STATUS_B)] = HOURS_24;
        Rtc {
            state: State {
                ram,
                index: 0,
                start: START,
                power_on: START,
                now: Time::default(),
                counted: Time::default(),
                flags: 0,
                periods: 0,
            },
        }
    }
}

impl Rtc {
    /// Sets the time of day that it was at power-on, in seconds since 1970.
    pub fn set_start(&mut self, seconds: i64) {
        self.state.start = seconds;
        self.state.power_on = seconds;
    }

    /// Back to power-on with the machine: the time is again that of the start, and the memory is as it was before any
    /// guest.
    pub fn reset(&mut self) {
        let start = self.state.power_on;
        *self = Rtc::default();
        self.set_start(start);
    }

    /// The time of day in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.state.start.saturating_add(self.updates())
    }

    /// Updates since power-on.
    fn updates(&self) -> i64 {
        i64::try_from(self.state.counted.0 / SECOND_NS).unwrap_or(i64::MAX)
    }

    fn register(&self, register: u8) -> u8 {
        self.state.ram.get(usize::from(register)).copied().unwrap_or(0)
    }

    /// Reads the port at `offset`.
    pub fn read(&mut self, offset: u16) -> u8 {
        // The index cannot be read back.
        if offset == 0 {
            return super::OPEN_BUS;
        }
        let value = self.peek(self.state.index);
        if self.state.index == STATUS_C {
            self.state.flags = 0;
            self.state.periods = 0;
        }
        value
    }

    /// The byte of memory at `index`, without effects.
    #[must_use]
    pub fn peek(&self, index: u8) -> u8 {
        let index = place(index);
        match index {
            SECOND | MINUTE | HOUR | WEEKDAY..=YEAR | CENTURY if !self.is_set() => {
                self.field(index, Date::of_seconds(self.seconds()))
            }
            STATUS_A => {
                let near = SECOND_NS - self.state.counted.0 % SECOND_NS <= NOTICE;
                let shown = near && self.counts() && !self.is_set();
                self.register(STATUS_A) | if shown { UPDATE_IN_PROGRESS } else { 0 }
            }
            STATUS_C => {
                let request = if self.interrupt() { REQUEST } else { 0 };
                self.state.flags | request
            }
            STATUS_D => VALID,
            _ => self.register(index),
        }
    }

    /// Writes the port at `offset`.
    pub fn write(&mut self, offset: u16, value: u8) {
        if offset == 0 {
            self.state.index = value & 0x7f;
        } else {
            self.poke(self.state.index, value);
        }
    }

    /// Writes the byte of memory at `index`, as the guest would.
    pub fn poke(&mut self, index: u8, value: u8) {
        let index = place(index);
        let clock = matches!(index, SECOND | MINUTE | HOUR | WEEKDAY..=YEAR | CENTURY);
        match index {
            STATUS_A => {
                let counted = self.counts();
                self.store(index, value & !UPDATE_IN_PROGRESS);
                if self.counts() && !counted {
                    // Half a second is left to the first update.
                    let whole = self.state.counted.0 / SECOND_NS * SECOND_NS;
                    self.state.counted = Time(whole.saturating_add(SECOND_NS / 2));
                }
            }
            STATUS_B => {
                let (before, after) = (self.is_set(), value & SET != 0);
                if after && !before {
                    self.keep_fields();
                }
                // No update-ended interrupt while there are no updates.
                self.store(index, if after { value & !UPDATED } else { value });
                if before && !after {
                    self.take_fields();
                }
            }
            STATUS_C | STATUS_D => {}
            _ if clock && !self.is_set() => {
                self.keep_fields();
                self.store(index, value);
                self.take_fields();
            }
            _ => self.store(index, value),
        }
    }

    fn store(&mut self, index: u8, value: u8) {
        if let Some(byte) = self.state.ram.get_mut(usize::from(index)) {
            *byte = value;
        }
    }

    /// Whether the divider is not held.
    fn counts(&self) -> bool {
        self.register(STATUS_A) & DIVIDER <= DIVIDER_RUNS
    }

    fn is_set(&self) -> bool {
        self.register(STATUS_B) & SET != 0
    }

    /// Puts the time of day into the registers.
    fn keep_fields(&mut self) {
        let date = Date::of_seconds(self.seconds());
        for index in [SECOND, MINUTE, HOUR, WEEKDAY, DAY_OF_MONTH, MONTH, YEAR, CENTURY] {
            let value = self.field(index, date);
            self.store(index, value);
        }
    }

    /// Makes the registers the time of day.
    fn take_fields(&mut self) {
        let number = |index| self.number(self.register(index));
        let hour = self.hour(self.register(HOUR));
        // The century is in binary coded decimal in any case.
        let century = i64::from(from_bcd(self.register(CENTURY)));
        let date = Date {
            year: century * 100 + i64::from(number(YEAR)),
            month: number(MONTH).clamp(1, 12),
            day: number(DAY_OF_MONTH).clamp(1, 31),
            hour: hour.min(23),
            minute: number(MINUTE).min(59),
            second: number(SECOND).min(59),
        };
        self.state.start = date.seconds().saturating_sub(self.updates());
    }

    fn number(&self, value: u8) -> u8 {
        if self.register(STATUS_B) & BINARY != 0 { value } else { from_bcd(value) }
    }

    /// The hour of 24 that the register's value means.
    fn hour(&self, value: u8) -> u8 {
        if self.register(STATUS_B) & HOURS_24 != 0 {
            return self.number(value);
        }
        let hour = self.number(value & !AFTERNOON) % 12;
        if value & AFTERNOON != 0 { hour + 12 } else { hour }
    }

    /// The value of a clock register at `date`.
    fn field(&self, index: u8, date: Date) -> u8 {
        let status = self.register(STATUS_B);
        let shown = |value: u8| if status & BINARY != 0 { value } else { to_bcd(value) };
        let small = |value: i64| u8::try_from(value).unwrap_or(0);
        match index {
            SECOND => shown(date.second),
            MINUTE => shown(date.minute),
            HOUR if status & HOURS_24 != 0 => shown(date.hour),
            HOUR => {
                let of_12 = match date.hour % 12 {
                    0 => 12,
                    hour => hour,
                };
                shown(of_12) | if date.hour >= 12 { AFTERNOON } else { 0 }
            }
            WEEKDAY => shown(date.weekday()),
            DAY_OF_MONTH => shown(date.day),
            MONTH => shown(date.month),
            YEAR => shown(small(date.year.rem_euclid(100))),
            _ => to_bcd(small(date.year.div_euclid(100).rem_euclid(100))),
        }
    }

    /// Lets time pass until `now`.
    pub fn pass(&mut self, now: Time) {
        let passed = now.0.saturating_sub(self.state.now.0);
        self.state.now = now;
        if !self.counts() {
            return;
        }
        let before = self.state.counted;
        let now = before.after(passed);
        self.state.counted = now;
        let cycles =
            self.rate().map_or(0, |hertz| now.cycles(hertz).saturating_sub(before.cycles(hertz)));
        if cycles > 0 {
            self.state.flags |= PERIODIC;
            self.state.periods = self.state.periods.saturating_add(cycles);
        }
        let (first, last) = (before.0 / SECOND_NS, now.0 / SECOND_NS);
        if first == last || self.is_set() {
            return;
        }
        self.state.flags |= UPDATED;
        // After a day every alarm has come.
        let seconds = (last - first).min(DAY.unsigned_abs());
        let latest = self.seconds();
        let alarms = (0..seconds).any(|back| {
            let back = i64::try_from(back).unwrap_or(0);
            self.alarm_matches(Date::of_seconds(latest.saturating_sub(back)))
        });
        if alarms {
            self.state.flags |= ALARM;
        }
    }

    fn alarm_matches(&self, date: Date) -> bool {
        [(SECOND_ALARM, SECOND), (MINUTE_ALARM, MINUTE), (HOUR_ALARM, HOUR)].into_iter().all(
            |(alarm, field)| {
                let alarm = self.register(alarm);
                alarm & ANY == ANY || alarm == self.field(field, date)
            },
        )
    }

    /// How often the periodic flag has come since status C was read: more than once if the host was late.
    #[must_use]
    pub fn periods(&self) -> u64 {
        self.state.periods
    }

    /// How often the periodic flag comes, in Hz.
    fn rate(&self) -> Option<u64> {
        match self.register(STATUS_A) & 0x0f {
            0 => None,
            // The divider gives these twice.
            rate @ (1 | 2) => Some(OSCILLATOR >> (rate + 6)),
            rate => Some(OSCILLATOR >> (rate - 1)),
        }
    }

    /// The level of the interrupt line, IRQ 8.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.state.flags & self.register(STATUS_B) & (PERIODIC | ALARM | UPDATED) != 0
    }

    /// When the line rises next if nobody touches the clock. For an alarm, the next second will do.
    #[must_use]
    pub fn next_interrupt(&self) -> Option<Time> {
        let enabled = self.register(STATUS_B);
        if self.interrupt() || !self.counts() {
            return None;
        }
        let now = self.state.counted;
        let periodic = self.rate().filter(|_| enabled & PERIODIC != 0).map(|hertz| {
            let next = u128::from(now.cycles(hertz)) + 1;
            let at = (next * u128::from(SECOND_NS)).div_ceil(u128::from(hertz));
            Time(u64::try_from(at).unwrap_or(u64::MAX))
        });
        let second = (enabled & (ALARM | UPDATED) != 0 && !self.is_set())
            .then(|| Time((now.0 / SECOND_NS).saturating_add(1).saturating_mul(SECOND_NS)));
        let counted = periodic.into_iter().chain(second).min()?;
        Some(self.state.now.after(counted.0.saturating_sub(now.0)))
    }

    /// Writes what the firmware's setup has found out, and the checksum of it.
    pub fn configure(&mut self, bytes: &[(u8, u8)]) {
        for (index, value) in bytes {
            self.store(*index, *value);
        }
        let sum = SUMMED.fold(0, |sum: u16, at| {
            sum.wrapping_add(self.state.ram.get(at).copied().unwrap_or(0).into())
        });
        let bytes = sum.to_be_bytes();
        if let Some(checksum) = self.state.ram.get_mut(CHECKSUM..CHECKSUM + 2) {
            checksum.copy_from_slice(&bytes);
        }
    }

    /// All of the memory with the time of day, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let Date { year, month, day, hour, minute, second } = Date::of_seconds(self.seconds());
        let mut text = format!(
            "clock: {year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}, index {:02x}, IRQ 8 {}\n",
            self.state.index,
            if self.interrupt() { "requested" } else { "idle" }
        );
        for row in 0..SIZE as u8 / 16 {
            text.push_str(&format!("{:02x}:", row * 16));
            for column in 0..16 {
                text.push_str(&format!(" {:02x}", self.peek(row * 16 + column)));
            }
            text.push('\n');
        }
        text
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        self.state.ram.resize(SIZE, 0);
        self.state.index &= 0x7f;
    }
}

/// Where the byte at `index` is kept.
fn place(index: u8) -> u8 {
    if index == CENTURY_OF_PS2 { CENTURY } else { index }
}

fn to_bcd(value: u8) -> u8 {
    ((value / 10 % 10) << 4) | (value % 10)
}

fn from_bcd(value: u8) -> u8 {
    (value >> 4).wrapping_mul(10).wrapping_add(value & 0x0f)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
