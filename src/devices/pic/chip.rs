//! One 8259A.

use serde::{Deserialize, Serialize};

const ICW1: u8 = 0x10;
const ICW1_NEEDS_ICW4: u8 = 0x01;
const ICW1_SINGLE: u8 = 0x02;
const ICW1_LEVEL: u8 = 0x08;
const ICW4_AUTO_EOI: u8 = 0x02;
const ICW4_SPECIAL_NESTED: u8 = 0x10;
const OCW3: u8 = 0x08;
/// The line of an interrupt whose request has gone.
const SPURIOUS: u8 = 7;

/// What the next write to the port with A0 set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expects {
    Icw2,
    Icw3,
    Icw4,
    /// The mask.
    Ocw1,
}

/// A controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chip {
    /// It is the second of the pair, whose ICW3 is its number, not its cascades.
    is_second: bool,
    expects: Expects,
    icw1: u8,
    /// The upper five bits of the vectors.
    base: u8,
    icw3: u8,
    icw4: u8,
    mask: u8,
    /// Edges that were seen; in level mode the lines themselves count.
    edges: u8,
    lines: u8,
    in_service: u8,
    /// The line of the lowest priority.
    lowest: u8,
    rotates_at_auto_eoi: bool,
    special_mask: bool,
    reads_in_service: bool,
    polled: bool,
}

impl Chip {
    /// As firmware leaves one: fully nested, edges, vectors from `base` on.
    pub(super) fn new(is_second: bool, base: u8, mask: u8) -> Chip {
        Chip {
            is_second,
            expects: Expects::Ocw1,
            icw1: ICW1 | ICW1_NEEDS_ICW4,
            base,
            icw3: if is_second { 0x02 } else { 0x04 },
            icw4: 0x01,
            mask,
            edges: 0,
            lines: 0,
            in_service: 0,
            lowest: 7,
            rotates_at_auto_eoi: false,
            special_mask: false,
            reads_in_service: false,
            polled: false,
        }
    }

    /// The interrupt request register.
    fn requests(&self) -> u8 {
        if self.icw1 & ICW1_LEVEL != 0 { self.lines } else { self.edges & self.lines }
    }

    pub(super) fn set_line(&mut self, line: u8, high: bool) {
        let bit = 1 << (line & 7);
        if high {
            self.edges |= bit & !self.lines;
            self.lines |= bit;
        } else {
            self.lines &= !bit;
            self.edges &= !bit;
        }
    }

    pub(super) fn forget_edges(&mut self) {
        self.edges = 0;
    }

    /// The lines from the highest priority to the lowest.
    fn by_priority(&self) -> impl Iterator<Item = u8> + use<> {
        let lowest = self.lowest;
        (1..=8).map(move |rank| (lowest + rank) & 7)
    }

    /// The line whose interrupt is due.
    pub(super) fn request(&self) -> Option<u8> {
        if self.expects != Expects::Ocw1 {
            return None;
        }
        let requests = self.requests() & !self.mask;
        for line in self.by_priority() {
            let bit = 1 << line;
            let is_served = self.in_service & bit != 0;
            // Only another controller may interrupt itself.
            let nests = self.icw4 & ICW4_SPECIAL_NESTED != 0 && self.has_cascade(line);
            if requests & bit != 0 && (!is_served || nests) {
                return Some(line);
            }
            // One in service holds back those below, unless it is masked in special mask mode.
            if is_served && !(self.special_mask && self.mask & bit != 0) {
                return None;
            }
        }
        None
    }

    /// Whether another controller is at `line`.
    pub(super) fn has_cascade(&self, line: u8) -> bool {
        !self.is_second && self.icw1 & ICW1_SINGLE == 0 && self.icw3 >> line & 1 != 0
    }

    /// The vector of line 0.
    pub(super) fn first_vector(&self) -> u8 {
        self.base
    }

    /// Takes the interrupt that is due: its line, and its vector.
    pub(super) fn acknowledge(&mut self) -> (Option<u8>, u8) {
        let line = self.request();
        if let Some(line) = line {
            let bit = 1 << line;
            self.edges &= !bit;
            self.in_service |= bit;
            if self.icw4 & ICW4_AUTO_EOI != 0 {
                self.in_service &= !bit;
                if self.rotates_at_auto_eoi {
                    self.lowest = line;
                }
            }
        }
        (line, self.base | line.unwrap_or(SPURIOUS))
    }

    pub(super) fn read(&mut self, offset: u16) -> u8 {
        if std::mem::take(&mut self.polled) {
            // The read is the acknowledge.
            return self.acknowledge().0.map_or(0, |line| 0x80 | line);
        }
        match (offset, self.reads_in_service) {
            (0, true) => self.in_service,
            (0, false) => self.requests(),
            _ => self.mask,
        }
    }

    pub(super) fn write(&mut self, offset: u16, value: u8) {
        match (offset, self.expects) {
            (0, _) if value & ICW1 != 0 => self.initialize(value),
            (0, _) if value & OCW3 != 0 => self.set_ocw3(value),
            (0, _) => self.set_ocw2(value),
            (_, Expects::Icw2) => {
                self.base = value & 0xf8;
                self.expects = match self.icw1 & (ICW1_SINGLE | ICW1_NEEDS_ICW4) {
                    0 | ICW1_NEEDS_ICW4 => Expects::Icw3,
                    ICW1_SINGLE => Expects::Ocw1,
                    _ => Expects::Icw4,
                };
            }
            (_, Expects::Icw3) => {
                self.icw3 = value;
                let needs_icw4 = self.icw1 & ICW1_NEEDS_ICW4 != 0;
                self.expects = if needs_icw4 { Expects::Icw4 } else { Expects::Ocw1 };
            }
            (_, Expects::Icw4) => {
                self.icw4 = value & 0x1f;
                self.expects = Expects::Ocw1;
            }
            (_, Expects::Ocw1) => self.mask = value,
        }
    }

    fn initialize(&mut self, icw1: u8) {
        self.icw1 = icw1;
        self.expects = Expects::Icw2;
        self.icw4 = 0;
        self.mask = 0;
        // An edge is to come again; a line that is high already gives none.
        self.edges = 0;
        self.in_service = 0;
        self.lowest = 7;
        self.rotates_at_auto_eoi = false;
        self.special_mask = false;
        self.reads_in_service = false;
        self.polled = false;
    }

    /// End of interrupt and rotation.
    fn set_ocw2(&mut self, value: u8) {
        let named = value & 7;
        // In special mask mode a masked one is not ended unless it is named.
        let hidden = if self.special_mask { self.mask } else { 0 };
        let can_end = self.in_service & !hidden;
        let highest = self.by_priority().find(|line| can_end >> line & 1 != 0);
        let (ended, lowest) = match value >> 5 {
            // Non-specific, and with rotation.
            1 => (highest, None),
            5 => (highest, highest),
            // Specific, and with rotation.
            3 => (Some(named), None),
            7 => (Some(named), Some(named)),
            // Priority alone.
            6 => (None, Some(named)),
            command @ (0 | 4) => {
                self.rotates_at_auto_eoi = command == 4;
                (None, None)
            }
            _ => (None, None),
        };
        if let Some(line) = ended {
            self.in_service &= !(1 << line);
        }
        self.lowest = lowest.unwrap_or(self.lowest);
    }

    fn set_ocw3(&mut self, value: u8) {
        if value & 0x40 != 0 {
            self.special_mask = value & 0x20 != 0;
        }
        self.polled = value & 0x04 != 0;
        if value & 0x02 != 0 {
            self.reads_in_service = value & 0x01 != 0;
        }
    }

    /// For a person.
    pub(super) fn describe(&self) -> String {
        let Chip { mask, in_service, base, lowest, .. } = *self;
        let modes = [
            (self.icw1 & ICW1_LEVEL != 0, "level triggered"),
            (self.icw4 & ICW4_AUTO_EOI != 0, "automatic EOI"),
            (self.icw4 & ICW4_SPECIAL_NESTED != 0, "special fully nested"),
            (self.special_mask, "special mask"),
            (self.expects != Expects::Ocw1, "initialization not complete"),
        ];
        let modes = modes.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
        let modes: String = modes.map(|name| format!(", {name}")).collect();
        format!(
            "vectors {base:02x}-{:02x}, irr {:02x}, imr {mask:02x}, isr {in_service:02x}, \
             highest priority {}{modes}",
            base | 7,
            self.requests(),
            (lowest + 1) & 7
        )
    }

    /// Bounds what a saved state may hold.
    pub(super) fn bound(&mut self) {
        self.lowest &= 7;
        self.base &= 0xf8;
    }
}
