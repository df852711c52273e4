//! One counter of the 8254: its six modes, and how it is read and written.
//!
//! [`Counter::tick`] is one cycle as the data sheet's waveforms show it. [`Counter::pass`] gives the same as so
//! many of them, but passes over stretches in which nothing happens.

use serde::{Deserialize, Serialize};

/// Which bytes of a count are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Access {
    Low,
    High,
    /// Low, then high.
    Both,
}

impl Access {
    /// As the control word has it; `None` is the latch command.
    pub(super) fn of_control(control: u8) -> Option<Access> {
        match control >> 4 & 3 {
            0 => None,
            1 => Some(Access::Low),
            2 => Some(Access::High),
            _ => Some(Access::Both),
        }
    }

    fn bits(self) -> u8 {
        match self {
            Access::Low => 0x10,
            Access::High => 0x20,
            Access::Both => 0x30,
        }
    }
}

/// What the next cycle does besides counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// No count has been written since the control word.
    #[default]
    Idle,
    /// A count is there, but the trigger is not.
    Armed,
    /// The next cycle takes the count over.
    Load,
    /// Counts, towards a change of the output.
    Counting,
    /// Modes 4 and 5: the output is low for this cycle.
    Strobe,
    /// Counts on behind the change.
    Expired,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    access: Access,
    /// 0 to 5.
    mode: u8,
    bcd: bool,
    gate: bool,
    output: bool,
    /// The output has gone up, and nobody has been told.
    rose: bool,
    phase: Phase,
    /// As written; 0 stands for the whole range.
    count: u16,
    /// The counting element, as a plain number below the modulus.
    element: u16,
    /// The length that the element began with.
    loaded: u32,
    /// A count was written that the counting element has not taken over.
    null_count: bool,
    /// The low byte, when the high byte is still to be written.
    low_written: Option<u8>,
    /// The high byte is the next to be read.
    high_next: bool,
    latched: Option<u16>,
    latched_status: Option<u8>,
}

impl Counter {
    pub(super) fn new(gate: bool) -> Counter {
        Counter {
            access: Access::Both,
            mode: 0,
            bcd: false,
            gate,
            output: false,
            rose: false,
            phase: Phase::Idle,
            count: 0,
            element: 0,
            loaded: 0,
            null_count: true,
            low_written: None,
            high_next: false,
            latched: None,
            latched_status: None,
        }
    }

    /// Takes a control word.
    pub(super) fn set_control(&mut self, access: Access, mode: u8, bcd: bool) {
        self.access = access;
        // Modes 2 and 3 have a bit that does not count.
        self.mode = if mode > 5 { mode - 4 } else { mode };
        self.bcd = bcd;
        self.phase = Phase::Idle;
        self.null_count = true;
        self.low_written = None;
        self.high_next = false;
        self.latched = None;
        self.latched_status = None;
        if bcd {
            self.element %= 10_000;
        }
        self.set_output(self.mode != 0);
    }

    /// Writes a byte of the count.
    pub(super) fn write(&mut self, value: u8) {
        let count = match (self.access, self.low_written.take()) {
            (Access::Low, _) => u16::from(value),
            (Access::High, _) => u16::from(value) << 8,
            (Access::Both, None) => {
                self.low_written = Some(value);
                if self.mode == 0 {
                    // It stops until the count is whole.
                    self.phase = Phase::Idle;
                    self.set_output(false);
                }
                return;
            }
            (Access::Both, Some(low)) => u16::from_le_bytes([low, value]),
        };
        self.count = count;
        self.null_count = true;
        match (self.mode, self.phase) {
            (0, _) => {
                self.set_output(false);
                self.phase = Phase::Load;
            }
            (4, _) => self.phase = Phase::Load,
            (2 | 3, Phase::Idle) => self.phase = Phase::Load,
            (1 | 5, Phase::Idle) => self.phase = Phase::Armed,
            // The others take it over at the end of their cycle, or when they are triggered.
            _ => {}
        }
    }

    /// Reads a byte: of a latched status, of a latched count, or of the count as it is.
    pub(super) fn read(&mut self) -> u8 {
        if let Some(status) = self.latched_status.take() {
            return status;
        }
        let [low, high] = self.latched.unwrap_or_else(|| self.value()).to_le_bytes();
        let (byte, is_last) = match (self.access, self.high_next) {
            (Access::Low, _) => (low, true),
            (Access::High, _) | (Access::Both, true) => (high, true),
            (Access::Both, false) => (low, false),
        };
        self.high_next = !is_last;
        if is_last {
            self.latched = None;
        }
        byte
    }

    pub(super) fn latch_count(&mut self) {
        self.latched = self.latched.or(Some(self.value()));
    }

    pub(super) fn latch_status(&mut self) {
        self.latched_status = self.latched_status.or(Some(self.status()));
    }

    fn status(&self) -> u8 {
        let bits = [(self.output, 0x80), (self.null_count, 0x40), (self.bcd, 0x01)];
        let bits =
            bits.into_iter().filter(|(is_set, _)| *is_set).fold(0, |bits, (_, bit)| bits | bit);
        bits | self.access.bits() | self.mode << 1
    }

    pub(super) fn output(&self) -> bool {
        self.output
    }

    pub(super) fn take_rise(&mut self) -> bool {
        std::mem::take(&mut self.rose)
    }

    fn set_output(&mut self, high: bool) {
        self.rose |= high && !self.output;
        self.output = high;
    }

    /// Sets the gate. Its rising edge triggers in modes 1, 2, 3 and 5.
    pub(super) fn set_gate(&mut self, high: bool) {
        let rises = high && !self.gate;
        self.gate = high;
        if self.phase == Phase::Idle {
            return;
        }
        match self.mode {
            1 | 2 | 3 | 5 if rises => self.phase = Phase::Load,
            2 | 3 if !high => self.set_output(true),
            _ => {}
        }
    }

    /// What the counting element shows.
    fn value(&self) -> u16 {
        if self.bcd { to_bcd(self.element) } else { self.element }
    }

    /// Counts until the element is where it started.
    fn modulus(&self) -> u32 {
        if self.bcd { 10_000 } else { 0x1_0000 }
    }

    /// The count as a number of cycles, 1 to the modulus.
    fn length(&self) -> u32 {
        let count = u32::from(if self.bcd { from_bcd(self.count) } else { self.count });
        if count == 0 { self.modulus() } else { count }
    }

    fn set_element(&mut self, value: u32) {
        self.element = u16::try_from(value % self.modulus()).unwrap_or_default();
    }

    /// The element takes the count over. In mode 3 it is made even.
    fn load(&mut self) {
        let length = self.length();
        self.set_element(if self.mode == 3 { length & !1 } else { length });
        self.loaded = length;
        self.null_count = false;
    }

    /// Takes `by` off the element, around its end.
    fn count_down(&mut self, by: u32) {
        let modulus = self.modulus();
        self.set_element(u32::from(self.element) + modulus - by % modulus);
    }

    /// Whether the element counts in this cycle if nothing is loaded.
    fn counts(&self) -> bool {
        let waits = matches!(self.phase, Phase::Idle | Phase::Armed | Phase::Load);
        // In modes 1 and 5 the gate triggers only.
        !waits && (self.gate || matches!(self.mode, 1 | 5))
    }

    /// One cycle.
    pub(super) fn tick(&mut self) {
        if self.phase == Phase::Strobe {
            self.set_output(true);
            self.phase = Phase::Expired;
        }
        if self.phase == Phase::Load {
            self.load();
            self.phase = Phase::Counting;
            self.set_output(!matches!(self.mode, 0 | 1));
            return;
        }
        if !self.counts() {
            return;
        }
        match self.mode {
            2 => self.tick_rate(),
            3 => self.tick_square_wave(),
            _ => {
                self.count_down(1);
                if self.element == 0 && self.phase == Phase::Counting {
                    let is_strobe = self.mode >= 4;
                    self.set_output(!is_strobe);
                    self.phase = if is_strobe { Phase::Strobe } else { Phase::Expired };
                }
            }
        }
    }

    /// Mode 2: low while the element is 1, then from the beginning.
    fn tick_rate(&mut self) {
        if self.element == 1 {
            self.load();
        } else {
            self.count_down(1);
        }
        self.set_output(self.element != 1);
    }

    /// Mode 3: down by two; the high half of an odd count is one cycle longer, in which the element is 0.
    fn tick_square_wave(&mut self) {
        let is_last = match self.element {
            2 => !self.is_odd() || !self.output,
            0 => self.is_odd() && self.output && !self.is_whole_range(),
            _ => false,
        };
        if is_last {
            let high = !self.output;
            self.load();
            self.set_output(high);
        } else {
            self.count_down(2);
        }
    }

    fn is_odd(&self) -> bool {
        self.loaded & 1 != 0
    }

    /// Whether the element has 0 for its beginning, not its end.
    fn is_whole_range(&self) -> bool {
        self.loaded == self.modulus()
    }

    /// `cycles` cycles.
    pub(super) fn pass(&mut self, cycles: u64) {
        let mut left = cycles;
        while left > 0 {
            let quiet = self.quiet().min(left);
            if quiet > 0 {
                self.skip(quiet);
                left -= quiet;
                continue;
            }
            self.tick();
            left -= 1;
            if left > 0 {
                left = self.skip_periods(left);
            }
        }
    }

    /// Cycles until the output rises, if ever.
    pub(super) fn cycles_to_rise(&self) -> Option<u64> {
        // Down, up, and what may come before in each of the modes.
        const CHANGES: u32 = 8;
        let mut counter = Counter { rose: false, ..self.clone() };
        let mut cycles: u64 = 0;
        for _ in 0..CHANGES {
            let quiet = counter.quiet();
            if quiet == u64::MAX {
                return None;
            }
            counter.skip(quiet);
            counter.tick();
            cycles += quiet + 1;
            if counter.rose {
                return Some(cycles);
            }
        }
        None
    }

    /// How many cycles do nothing but count.
    fn quiet(&self) -> u64 {
        let forever = u64::MAX;
        match self.phase {
            Phase::Idle | Phase::Armed => return forever,
            Phase::Load | Phase::Strobe => return 0,
            Phase::Counting | Phase::Expired => {}
        }
        if !self.counts() {
            return forever;
        }
        let element = match u64::from(self.element) {
            0 => u64::from(self.modulus()),
            element => element,
        };
        match self.mode {
            // Down to 2; the next makes it 1 and the output low.
            2 => element.saturating_sub(2),
            // An odd element never comes to its end: the count was changed under it.
            3 if self.element == 0 && !self.is_whole_range() => 0,
            3 => (element.saturating_sub(2)) / 2,
            _ if self.phase == Phase::Expired => forever,
            _ => element - 1,
        }
    }

    fn skip(&mut self, cycles: u64) {
        if !self.counts() {
            return;
        }
        let by = cycles % u64::from(self.modulus());
        let by = u32::try_from(by).unwrap_or_default();
        self.count_down(if self.mode == 3 { 2 * by } else { by });
    }

    /// Leaves whole periods out of `cycles`, at the beginning of one.
    fn skip_periods(&mut self, cycles: u64) -> u64 {
        let length = u64::from(self.length());
        // An odd count of 1 has no low half: the element goes through its whole range instead, down by two.
        let period = match (self.mode, length) {
            (3, 1) => u64::from(self.modulus()) / 2 + 1,
            _ => length,
        };
        let begins = self.phase == Phase::Counting
            && self.counts()
            && !self.null_count
            && match self.mode {
                2 => {
                    let is_whole = u64::from(self.element) == length % u64::from(self.modulus());
                    is_whole && self.output == (period > 1)
                }
                3 => {
                    let beginning = (length % u64::from(self.modulus())) & !1;
                    self.output && u64::from(self.element) == beginning
                }
                _ => false,
            };
        if !begins || cycles < period {
            return cycles;
        }
        // A count of 1 keeps the output low.
        self.rose |= period > 1;
        cycles % period
    }

    /// For a person.
    pub(super) fn describe(&self) -> String {
        let state = match self.phase {
            Phase::Idle => "waits for a count",
            Phase::Armed => "waits for its trigger",
            _ if !self.counts() && self.phase != Phase::Load => "stopped by its gate",
            _ => "counts",
        };
        let level = |high| if high { "high" } else { "low" };
        format!(
            "mode {}{}, count {}, at {:04x}, {state}; gate {}, output {}, status {:02x}",
            self.mode,
            if self.bcd { " BCD" } else { "" },
            self.length(),
            self.value(),
            level(self.gate),
            level(self.output),
            self.status()
        )
    }

    /// Bounds what a saved state may hold.
    pub(super) fn bound(&mut self) {
        self.mode = self.mode.min(5);
        self.set_element(u32::from(self.element));
    }
}

/// Four digits from a number below 10,000.
fn to_bcd(number: u16) -> u16 {
    let digit = |unit: u16| number / unit % 10;
    digit(1000) << 12 | digit(100) << 8 | digit(10) << 4 | digit(1)
}

/// The number that four digits make; digits above 9 carry.
fn from_bcd(digits: u16) -> u16 {
    let digit = |shift: u32| u32::from(digits >> shift & 0xf);
    let number = digit(12) * 1000 + digit(8) * 100 + digit(4) * 10 + digit(0);
    u16::try_from(number % 10_000).unwrap_or_default()
}
