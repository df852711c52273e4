//! The timer against formulas of its data sheet (Intel 8254, 231164): what counter 2 shows so long after it was loaded.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Counter 2, by how many cycles it has counted.
struct Model {
    mode: u8,
    length: u64,
    modulus: u64,
    gate: bool,
    /// Cycles counted since it was loaded.
    counted: Option<u64>,
    loads: bool,
    /// The gate has put the output of modes 2 and 3 up.
    forced: bool,
    /// The strobe of modes 4 and 5 lasts one cycle, counted or not.
    strobe_is_over: bool,
}

impl Model {
    fn set_gate(&mut self, high: bool) {
        let rises = high && !self.gate;
        self.gate = high;
        self.loads |= rises && matches!(self.mode, 1 | 2 | 3 | 5);
        self.forced |= !high && matches!(self.mode, 2 | 3);
    }

    fn pass(&mut self, mut cycles: u64) {
        if cycles > 0 && self.loads {
            (self.loads, self.forced, self.strobe_is_over) = (false, false, false);
            self.counted = Some(0);
            cycles -= 1;
        }
        let Some(counted) = &mut self.counted else { return };
        if self.gate || matches!(self.mode, 1 | 5) {
            *counted += cycles;
        } else if cycles > 0 && *counted == self.length {
            self.strobe_is_over = true;
        }
    }

    fn output(&self) -> bool {
        let length = self.length;
        let Some(counted) = self.counted else { return self.mode != 0 };
        self.forced
            || match self.mode {
                0 | 1 => counted >= length,
                2 => counted % length != length - 1,
                3 => counted % length < length.div_ceil(2),
                _ => counted != length || self.strobe_is_over,
            }
    }

    fn value(&self) -> Option<u16> {
        let counted = self.counted?;
        let value = match self.mode {
            2 => self.length - counted % self.length,
            3 => {
                let (at, high) = (counted % self.length, self.length.div_ceil(2));
                (self.length & !1) - 2 * if at < high { at } else { at - high }
            }
            _ => self.length + self.modulus - counted % self.modulus,
        } % self.modulus;
        let digits = if self.modulus == 10_000 { format!("{value}") } else { format!("{value:x}") };
        u16::from_str_radix(&digits, 16).ok()
    }
}

/// Reads what is latched, of which `access` gives some bytes: as the same bytes of a word.
fn read(pit: &mut Pit, access: u8) -> u16 {
    let low = if access & 1 != 0 { pit.read(2) } else { 0 };
    let high = if access & 2 != 0 { pit.read(2) } else { 0 };
    u16::from_le_bytes([low, high])
}

fn count() -> impl Strategy<Value = u16> {
    prop_oneof![0..6_u16, any::<u16>(), Just(u16::MAX), Just(0x100), Just(0x9999)]
}

fn cycles() -> impl Strategy<Value = u64> {
    prop_oneof![0..8_u64, 0..0x400_u64, 0..0x4_0000_u64]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn count_output_and_status_are_those_of_the_data_sheet_at_any_time(
        mode in 0..6_u8,
        access in 1..4_u8,
        bcd in any::<bool>(),
        count in count(),
        gate in any::<bool>(),
        acts in vec((cycles(), proptest::option::of(any::<bool>()), any::<bool>()), 1..30),
    ) {
        let mut count = if bcd {
            (0..4).fold(0, |digits, at| digits | ((count >> (4 * at) & 0xf) % 10) << (4 * at))
        } else {
            count
        };
        let shown = [0, 0x00ff, 0xff00, 0xffff][usize::from(access)];
        count &= shown;
        let number = if bcd { format!("{count:x}").parse().unwrap() } else { u64::from(count) };
        // "A count of 1 is illegal in mode 2", and in mode 3.
        prop_assume!(number != 1 || !matches!(mode, 2 | 3));
        let modulus = if bcd { 10_000 } else { 0x1_0000 };

        let mut pit = Pit::default();
        pit.set_gate(gate);
        pit.write(3, 0x80 | access << 4 | mode << 1 | u8::from(bcd));
        let [low, high] = count.to_le_bytes();
        if access & 1 != 0 { pit.write(2, low); }
        if access & 2 != 0 { pit.write(2, high); }
        let length = if number == 0 { modulus } else { number };
        let loads = !matches!(mode, 1 | 5);
        let mut model = Model {
            mode, length, modulus, gate, loads,
            counted: None, forced: false, strobe_is_over: false,
        };
        for (cycles, gate, reads_back) in acts {
            if let Some(gate) = gate {
                pit.set_gate(gate);
                model.set_gate(gate);
            }
            pit.pass(cycles);
            model.pass(cycles);
            prop_assert_eq!(pit.output(2), model.output(), "{}", pit.describe());
            let status = u8::from(model.output()) << 7
                | u8::from(model.counted.is_none()) << 6
                | access << 4 | mode << 1 | u8::from(bcd);
            if reads_back {
                // Count and status of all; the status comes first, and a second latch changes nothing.
                pit.write(3, 0xce);
                pit.write(3, 0xc8);
                prop_assert_eq!(pit.read(2), status, "{}", pit.describe());
            } else {
                pit.write(3, 0x80);
            }
            let later = pit.clone();
            // What is latched stays as it is, whatever time passes.
            pit.pass(3);
            let value = read(&mut pit, access);
            pit = later;
            let again = read(&mut pit, access);
            prop_assert_eq!(value, again);
            if let Some(wanted) = model.value() {
                prop_assert_eq!(value, wanted & shown, "{}", pit.describe());
                prop_assert_eq!(read(&mut pit, access), wanted & shown, "not latched");
            }
        }
    }
}
