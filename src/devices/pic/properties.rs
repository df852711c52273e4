//! The pair against a model written from the data sheet alone (Intel 8259A, 231468).

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// One controller as the data sheet tells of it.
#[derive(Clone, Default)]
struct Model {
    is_second: bool,
    /// The initialization words that are still to come.
    to_come: Vec<u8>,
    single: bool,
    level: bool,
    base: u8,
    cascades: u8,
    automatic: bool,
    nested: bool,
    high: [bool; 8],
    edge: [bool; 8],
    masked: [bool; 8],
    served: [bool; 8],
    /// From the highest priority to the lowest.
    order: Vec<usize>,
    rotates: bool,
    special_mask: bool,
    shows_served: bool,
    polled: bool,
}

fn byte(bits: [bool; 8]) -> u8 {
    (0..8).map(|line| u8::from(bits[line]) << line).sum()
}

fn bits(byte: u8) -> [bool; 8] {
    std::array::from_fn(|line| byte >> line & 1 != 0)
}

impl Model {
    fn line(&mut self, line: usize, high: bool) {
        self.edge[line] = high && (self.edge[line] || !self.high[line]);
        self.high[line] = high;
    }

    fn requested(&self) -> [bool; 8] {
        if self.level { self.high } else { self.edge }
    }

    /// "Fully nested mode", "special mask mode" and "the special fully nested mode".
    fn due(&self) -> Option<usize> {
        if !self.to_come.is_empty() {
            return None;
        }
        for &line in &self.order {
            let is_cascade = !self.is_second && !self.single && self.cascades >> line & 1 != 0;
            let again = self.nested && is_cascade;
            if self.requested()[line] && !self.masked[line] && (!self.served[line] || again) {
                return Some(line);
            }
            if self.served[line] && !(self.special_mask && self.masked[line]) {
                return None;
            }
        }
        None
    }

    fn make_lowest(&mut self, line: usize) {
        self.order = (1..=8).map(|rank| (line + rank) % 8).collect();
    }

    fn take(&mut self) -> Option<usize> {
        let line = self.due()?;
        self.edge[line] = false;
        self.served[line] = !self.automatic;
        if self.automatic && self.rotates {
            self.make_lowest(line);
        }
        Some(line)
    }

    fn read(&mut self, offset: u16) -> u8 {
        if std::mem::take(&mut self.polled) {
            return self.take().map_or(0, |line| 0x80 + line as u8);
        }
        match (offset, self.shows_served) {
            (1, _) => byte(self.masked),
            (_, true) => byte(self.served),
            (_, false) => byte(self.requested()),
        }
    }

    fn write(&mut self, offset: u16, value: u8) {
        if offset == 1 {
            match if self.to_come.is_empty() { 1 } else { self.to_come.remove(0) } {
                2 => self.base = value & 0xf8,
                3 => self.cascades = value,
                4 => (self.automatic, self.nested) = (value & 2 != 0, value & 0x10 != 0),
                _ => self.masked = bits(value),
            }
        } else if value & 0x10 != 0 {
            let Model { is_second, base, cascades, high, .. } = self.clone();
            *self = Model { is_second, base, cascades, high, ..Model::default() };
            (self.single, self.level) = (value & 2 != 0, value & 8 != 0);
            self.to_come = [(2, true), (3, value & 2 == 0), (4, value & 1 != 0)]
                .into_iter()
                .filter_map(|(word, comes)| comes.then_some(word))
                .collect();
            self.make_lowest(7);
        } else if value & 0x08 != 0 {
            match value & 0x60 {
                0x60 => self.special_mask = true,
                0x40 => self.special_mask = false,
                _ => {}
            }
            self.polled = value & 4 != 0;
            match value & 3 {
                3 => self.shows_served = true,
                2 => self.shows_served = false,
                _ => {}
            }
        } else {
            self.command(value);
        }
    }

    fn command(&mut self, value: u8) {
        let (rotate, specific, end) = (value & 0x80 != 0, value & 0x40 != 0, value & 0x20 != 0);
        let named = usize::from(value & 7);
        // An IS bit that is masked is not cleared by a non-specific EOI in special mask mode.
        let highest = self
            .order
            .iter()
            .copied()
            .find(|&line| self.served[line] && !(self.special_mask && self.masked[line]));
        match (end, specific) {
            (false, false) => self.rotates = rotate,
            (false, true) => {
                if rotate {
                    self.make_lowest(named);
                }
            }
            (true, _) => {
                if let Some(line) = if specific { Some(named) } else { highest } {
                    self.served[line] = false;
                    if rotate {
                        self.make_lowest(line);
                    }
                }
            }
        }
    }
}

/// The two, the second at line 2.
struct Pair([Model; 2]);

impl Pair {
    fn join(&mut self) {
        let requests = self.0[1].due().is_some();
        self.0[0].line(2, requests);
    }

    fn acknowledge(&mut self) -> u8 {
        let line = self.0[0].take();
        let cascades = !self.0[0].single && self.0[0].cascades & 4 != 0;
        let of = usize::from(line == Some(2) && cascades);
        let mut vector = self.0[0].base + line.unwrap_or(7) as u8;
        if of == 1 {
            vector = self.0[1].take().unwrap_or(7) as u8 + self.0[1].base;
            self.0[0].line(2, false);
        }
        self.join();
        vector
    }
}

#[derive(Clone, Debug)]
enum Act {
    Initialize { second: bool, icw1: u8, words: [u8; 4] },
    Line(u8, bool),
    Write { second: bool, offset: u16, value: u8 },
    Read { second: bool, offset: u16 },
    Acknowledge,
}

fn act() -> impl Strategy<Value = Act> {
    let words = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    let initialize = (any::<bool>(), 0x10..0x20_u8, words).prop_map(|(second, icw1, words)| {
        let words = [words.0, if second { 2 } else { words.1 | 4 }, words.2, words.3 & words.0];
        Act::Initialize { second, icw1, words }
    });
    let write = (any::<bool>(), 0..2_u16, any::<u8>());
    prop_oneof![
        1 => initialize,
        12 => (0..16_u8, any::<bool>()).prop_map(|(line, high)| Act::Line(line, high)),
        4 => write.prop_map(|(second, offset, value)| Act::Write { second, offset, value }),
        6 => (any::<bool>(), 0..8_u8, 0..8_u8).prop_map(|(second, command, line)| {
            Act::Write { second, offset: 0, value: command << 5 | line }
        }),
        3 => (any::<bool>(), 0..2_u16).prop_map(|(second, offset)| Act::Read { second, offset }),
        8 => Just(Act::Acknowledge),
    ]
}

/// Two that firmware has set up, nothing masked, with `icw4`.
fn start(icw4: u8) -> Vec<Act> {
    let of =
        |second, base, icw3| Act::Initialize { second, icw1: 0x11, words: [base, icw3, icw4, 0] };
    vec![of(false, 0x20, 4), of(true, 0x28, 2)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_pair_does_what_its_data_sheet_says(icw4 in 0..0x20_u8, acts in vec(act(), 1..150)) {
        let mut pics = Pics::default();
        let mut pair = Pair([false, true].map(|is_second| Model { is_second, ..Model::default() }));
        for (at, act) in start(icw4).into_iter().chain(acts).enumerate() {
            match act {
                Act::Initialize { second, icw1, words } => {
                    let writes = [(0, icw1)].into_iter().chain(words.map(|word| (1, word)));
                    for (offset, value) in writes {
                        pics.write(second, offset, value);
                        pair.0[usize::from(second)].write(offset, value);
                        pair.join();
                    }
                }
                // That is the second's own.
                Act::Line(2, _) => {}
                Act::Line(line, high) => {
                    pics.set_line(line, high);
                    pair.0[usize::from(line / 8)].line(usize::from(line % 8), high);
                }
                Act::Write { second, offset, value } => {
                    pics.write(second, offset, value);
                    pair.0[usize::from(second)].write(offset, value);
                }
                Act::Read { second, offset } => {
                    let wanted = pair.0[usize::from(second)].read(offset);
                    prop_assert_eq!(pics.read(second, offset), wanted, "{:?}", act);
                }
                Act::Acknowledge => {
                    let wanted = pair.acknowledge();
                    prop_assert_eq!(pics.acknowledge(), wanted, "{}", pics.describe());
                }
            }
            pair.join();
            if at == 0 {
                // The other is still as firmware leaves it.
                continue;
            }
            prop_assert_eq!(pics.interrupt(), pair.0[0].due().is_some(), "after {:?}", act);
            for (second, model) in [false, true].into_iter().zip(&pair.0) {
                let mut seen = pics.clone();
                seen.write(second, 0, 0x0a);
                prop_assert_eq!(seen.read(second, 0), byte(model.requested()), "irr, {:?}", act);
                seen.write(second, 0, 0x0b);
                prop_assert_eq!(seen.read(second, 0), byte(model.served), "isr, {:?}", act);
                prop_assert_eq!(seen.read(second, 1), byte(model.masked), "imr, {:?}", act);
            }
        }
    }
}
