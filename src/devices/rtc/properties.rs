//! The clock against a model that counts second by second, written from the data sheet alone (Motorola MC146818A). Left
//! out are the day of the week, which follows from the date here, and registers in a form that the mode does not have.

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::{get, put};
use super::*;

/// Bits of register B by the data sheet's names.
const PIE: u8 = 0x40;
const AIE: u8 = 0x20;
const UIE: u8 = 0x10;
const DM: u8 = 0x04;
const B24: u8 = 0x02;

/// Seconds, minutes, hours, day, month, year and century, as plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Model {
    fields: [u32; 7],
    /// Second, minute and hour as they are in the registers; `None` is "don't care".
    alarm: [Option<u32>; 3],
    a: u8,
    b: u8,
    c: u8,
    now: u64,
    /// When the divider would have begun if there had been an update just then.
    origin: i64,
}

#[derive(Clone, Debug)]
enum Act {
    Pass(u64),
    /// The time, by a program that stops the updates meanwhile, in one of the four forms.
    SetTime([u32; 7], u8),
    Alarm([Option<u32>; 3]),
    /// Which interrupts are enabled.
    Enable(u8),
    Rate(u8),
    /// DV2 to DV0.
    Divider(u8),
    ReadC,
}

fn act() -> impl Strategy<Value = Act> {
    let time = prop_oneof![0..1_000_000_u64, 0..3_000_000_000_u64, 0..100_000_000_000_u64];
    let late = prop_oneof![Just([58, 59, 23]), Just([59, 59, 11]), Just([57, 30, 0])];
    let of_day =
        prop_oneof![late, (0..60_u32, 0..60_u32, 0..24_u32).prop_map(|(s, m, h)| [s, m, h])];
    let date = (prop_oneof![Just(31_u32), 1..32_u32], 1..13_u32, 0..100_u32, 19..21_u32);
    let set = (of_day, date).prop_map(|([s, m, h], (day, month, year, century))| {
        [s, m, h, day.min(days(month, century * 100 + year)), month, year, century]
    });
    let field = |count| prop_oneof![1 => Just(None), 1 => (0..count).prop_map(Some)];
    prop_oneof![
        4 => time.prop_map(Act::Pass),
        2 => (set, 0..4_u8).prop_map(|(time, form)| Act::SetTime(time, form << 1)),
        1 => (field(60_u32), field(60_u32), field(24_u32)).prop_map(|(s, m, h)| Act::Alarm([s, m, h])),
        1 => (0..8_u8).prop_map(|bits| Act::Enable(bits << 4)),
        1 => (0..16_u8).prop_map(Act::Rate),
        1 => prop_oneof![Just(6), Just(7), Just(2)].prop_map(Act::Divider),
        2 => Just(Act::ReadC),
    ]
}

fn days(month: u32, year: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// "Time, Calendar, and Alarm Data Modes": a number in binary or in BCD.
fn number(value: u32, b: u8) -> u8 {
    let value = if b & DM == 0 { value / 10 * 16 + value % 10 } else { value };
    u8::try_from(value).unwrap()
}

/// The same for hours: in the 12-hour mode 12 comes before 1, and bit 7 says that it is afternoon.
fn hours(value: u32, b: u8) -> u8 {
    if b & B24 != 0 {
        return number(value, b);
    }
    number((value + 11) % 12 + 1, b) | if value < 12 { 0 } else { 0x80 }
}

impl Model {
    /// The calendar, one second more.
    fn count(&mut self) {
        let [second, minute, hour, day, month, year, century] = &mut self.fields;
        let last = days(*month, *century * 100 + *year);
        for (counter, first, last) in [
            (second, 0, 59),
            (minute, 0, 59),
            (hour, 0, 23),
            (day, 1, last),
            (month, 1, 12),
            (year, 0, 99),
            (century, 0, 99),
        ] {
            if *counter != last {
                *counter += 1;
                return;
            }
            *counter = first;
        }
    }

    /// "Update cycle": UF, and AF if the alarm bytes match the new time.
    fn update(&mut self) {
        self.count();
        self.c |= UIE;
        let matches = self.alarm.iter().zip(self.fields);
        if matches.into_iter().all(|(alarm, field)| alarm.is_none_or(|alarm| alarm == field)) {
            self.c |= AIE;
        }
    }

    /// Periods of the rate that RS3 to RS0 select, in a second ("Periodic Interrupt Rate", 32.768 kHz).
    fn rate(&self) -> Option<u64> {
        const RATES: [u64; 16] =
            [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2];
        Some(RATES[usize::from(self.a & 0x0f)]).filter(|rate| *rate != 0)
    }

    /// "Divider Control": 11x is "divider reset", in which there are neither updates nor periods.
    fn is_reset(&self) -> bool {
        self.a & 0x60 == 0x60
    }

    /// "When the divider is changed from reset to an operating time base, the first update cycle is one-half second
    /// later."
    fn write_a(&mut self, value: u8) {
        let was_reset = self.is_reset();
        self.a = value;
        if was_reset && !self.is_reset() {
            self.origin = i64::try_from(self.now).unwrap() - 500_000_000;
        }
    }

    /// Nanoseconds since the origin.
    fn divided(&self) -> u64 {
        u64::try_from(i64::try_from(self.now).unwrap() - self.origin).unwrap()
    }

    fn pass(&mut self, nanoseconds: u64) {
        let before = self.divided();
        self.now += nanoseconds;
        if self.is_reset() {
            return;
        }
        let after = self.divided();
        let periods = |at: u64, rate| u128::from(at) * u128::from(rate) / 1_000_000_000;
        if self.rate().is_some_and(|rate| periods(before, rate) != periods(after, rate)) {
            self.c |= PIE;
        }
        for _ in before / 1_000_000_000..after / 1_000_000_000 {
            self.update();
        }
    }

    /// IRQF, and the flags.
    fn shown_c(&self) -> u8 {
        self.c | if self.c & self.b & (PIE | AIE | UIE) == 0 { 0 } else { 0x80 }
    }

    fn registers(&self) -> [u8; 7] {
        let [second, minute, hour, day, month, year, century] = self.fields;
        let plain = [second, minute].map(|value| number(value, self.b));
        let date = [day, month, year].map(|value| number(value, self.b));
        // Not the chip's: in BCD on a PC.
        let century = number(century, 0);
        [plain[0], plain[1], hours(hour, self.b), date[0], date[1], date[2], century]
    }
}

/// The alarm bytes, which have the form of the mode as well; C0h to FFh are "don't care".
fn write_alarm(rtc: &mut Rtc, model: &Model) {
    let [second, minute, hour] = model.alarm;
    put(rtc, 0x01, second.map_or(0xc0, |second| number(second, model.b)));
    put(rtc, 0x03, minute.map_or(0xff, |minute| number(minute, model.b)));
    put(rtc, 0x05, hour.map_or(0xd5, |hour| hours(hour, model.b)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_clock_does_what_its_data_sheet_says(acts in vec(act(), 1..40)) {
        let mut rtc = Rtc::default();
        let mut model = Model {
            fields: [0, 0, 12, 1, 1, 0, 20],
            // The registers hold 0: midnight.
            alarm: [Some(0); 3],
            a: 0x26,
            b: B24,
            c: 0,
            now: 0,
            origin: 0,
        };
        for act in acts {
            match act {
                Act::Pass(nanoseconds) => {
                    model.pass(nanoseconds);
                    rtc.pass(Time(model.now));
                }
                Act::SetTime(fields, form) => {
                    (model.fields, model.b) = (fields, model.b & !(DM | B24 | UIE) | form);
                    // "The SET bit": no updates until it is cleared, but periods go on. It clears UIE.
                    put(&mut rtc, 0x0b, model.b | 0x80 | UIE);
                    prop_assert_eq!(get(&mut rtc, 0x0b), model.b | 0x80);
                    let registers = [0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32];
                    for (index, value) in registers.into_iter().zip(model.registers()) {
                        put(&mut rtc, index, value);
                    }
                    write_alarm(&mut rtc, &model);
                    let others = model.c & (UIE | AIE);
                    model.pass(2_500_000_000);
                    (model.fields, model.c) = (fields, model.c & PIE | others);
                    rtc.pass(Time(model.now));
                    for (index, value) in registers.into_iter().zip(model.registers()) {
                        prop_assert_eq!(get(&mut rtc, index), value, "register {:x} with SET", index);
                    }
                    prop_assert_eq!(get(&mut rtc, 0x0a) & 0x80, 0, "UIP with SET");
                    put(&mut rtc, 0x0b, model.b);
                }
                Act::Alarm(alarm) => {
                    model.alarm = alarm;
                    write_alarm(&mut rtc, &model);
                }
                Act::Enable(bits) => {
                    model.b = model.b & !(PIE | AIE | UIE) | bits;
                    put(&mut rtc, 0x0b, model.b);
                }
                Act::Rate(rate) => {
                    model.write_a(model.a & 0x70 | rate);
                    put(&mut rtc, 0x0a, model.a | 0x80);
                }
                Act::Divider(bits) => {
                    model.write_a(model.a & 0x0f | bits << 4);
                    put(&mut rtc, 0x0a, model.a);
                }
                Act::ReadC => {
                    prop_assert_eq!(get(&mut rtc, 0x0c), model.shown_c());
                    model.c = 0;
                }
            }
            let registers = [0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32];
            for (index, value) in registers.into_iter().zip(model.registers()) {
                prop_assert_eq!(get(&mut rtc, index), value, "register {:x}", index);
            }
            // UIP, 244 microseconds before an update and no earlier.
            let near = 1_000_000_000 - model.divided() % 1_000_000_000 <= 244_000 && !model.is_reset();
            prop_assert_eq!(get(&mut rtc, 0x0a), model.a | if near { 0x80 } else { 0 });
            prop_assert_eq!(get(&mut rtc, 0x0b), model.b);
            prop_assert_eq!(get(&mut rtc, 0x0d), 0x80, "VRT");
            prop_assert_eq!(rtc.interrupt(), model.shown_c() & 0x80 != 0);
            if let Some(at) = rtc.next_interrupt() {
                prop_assert!(at.0 > model.now);
                // Nothing comes earlier.
                let mut before = rtc.clone();
                before.pass(Time(at.0 - 1));
                prop_assert!(!before.interrupt());
            }
        }
    }
}
