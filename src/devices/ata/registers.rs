//! The registers that name sectors: count, number, cylinder and device, and what they mean.

use serde::{Deserialize, Serialize};

/// The device register: a sector is named by its number, and not by cylinder, head and sector.
const BY_NUMBER: u8 = 0x40;
/// The device register: the second drive.
pub(super) const SECOND: u8 = 0x10;
/// The device register: the head, or bits 24 to 27 of the number.
const HEAD: u8 = 0x0f;
/// Bits of the device register that are always ones.
const ONES: u8 = 0xa0;

const COUNT: u16 = 2;
const LOW: u16 = 3;
const MID: u16 = 4;
const HIGH: u16 = 5;
const DEVICE: u16 = 6;

/// In which of two ways a command takes the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// One byte each: 28 bits of a number, or cylinder, head and sector.
    Short,
    /// Two bytes each, the one that was written before above the other: 48 bits.
    Extended,
}

/// The registers. Each of the first four has two bytes: the one written last, and the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registers {
    count: [u8; 2],
    low: [u8; 2],
    mid: [u8; 2],
    high: [u8; 2],
    device: u8,
}

impl Registers {
    /// What they say after a reset, by which a drive is told from one that takes packets (ATA/ATAPI-6, 9.12).
    pub(super) fn signature() -> Registers {
        Registers { count: [1, 0], low: [1, 0], mid: [0; 2], high: [0; 2], device: ONES }
    }

    fn pair(&mut self, offset: u16) -> Option<&mut [u8; 2]> {
        match offset {
            COUNT => Some(&mut self.count),
            LOW => Some(&mut self.low),
            MID => Some(&mut self.mid),
            HIGH => Some(&mut self.high),
            _ => None,
        }
    }

    /// Reads the register at `offset`, or what was written to it `before` the last time.
    pub(super) fn read(&self, offset: u16, before: bool) -> u8 {
        let pair = match offset {
            COUNT => self.count,
            LOW => self.low,
            MID => self.mid,
            HIGH => self.high,
            _ => return self.device,
        };
        pair[usize::from(before)]
    }

    /// Writes the register at `offset`.
    pub(super) fn write(&mut self, offset: u16, value: u8) {
        if let Some(pair) = self.pair(offset) {
            *pair = [value, pair[0]];
        } else if offset == DEVICE {
            self.device = value | ONES;
        }
    }

    /// The head.
    pub(super) fn head(&self) -> u8 {
        self.device & HEAD
    }

    /// The byte of the count that was written last.
    pub(super) fn count(&self) -> u8 {
        self.count[0]
    }

    pub(super) fn set_count(&mut self, count: u8) {
        self.count[0] = count;
    }

    /// How many sectors a command is for: 0 is the next power of two.
    pub(super) fn sectors(&self, place: Place) -> u32 {
        let (count, all) = match place {
            Place::Short => (u32::from(self.count[0]), 0x100),
            Place::Extended => (u16::from_le_bytes(self.count).into(), 0x1_0000),
        };
        if count == 0 { all } else { count }
    }

    /// The sector, counted from 0, that is named by its number or, with so many `heads` of so many `sectors`, by its
    /// place; nothing if there is no such place.
    pub(super) fn sector(&self, place: Place, heads: u8, sectors: u8) -> Option<u64> {
        let [low, mid, high] = [self.low, self.mid, self.high];
        if self.device & BY_NUMBER == 0 {
            let cylinder = u64::from(u16::from_le_bytes([mid[0], high[0]]));
            if self.head() >= heads || !(1..=sectors).contains(&low[0]) {
                return None;
            }
            let track = cylinder * u64::from(heads) + u64::from(self.head());
            return Some(track * u64::from(sectors) + u64::from(low[0] - 1));
        }
        let bytes = match place {
            Place::Short => [low[0], mid[0], high[0], self.head(), 0, 0, 0, 0],
            Place::Extended => [low[0], mid[0], high[0], low[1], mid[1], high[1], 0, 0],
        };
        Some(u64::from_le_bytes(bytes))
    }

    /// Names `sector`, as the registers name sectors now.
    pub(super) fn set_sector(&mut self, sector: u64, place: Place, heads: u8, sectors: u8) {
        if self.device & BY_NUMBER == 0 {
            let per_cylinder = u64::from(heads.max(1)) * u64::from(sectors.max(1));
            let (cylinder, rest) = (sector / per_cylinder, sector % per_cylinder);
            let [mid, high, ..] = cylinder.to_le_bytes();
            (self.mid[0], self.high[0]) = (mid, high);
            let (head, number) =
                (rest / u64::from(sectors.max(1)), rest % u64::from(sectors.max(1)));
            self.device = self.device & !HEAD | (head as u8 & HEAD);
            self.low[0] = number as u8 + 1;
            return;
        }
        let [low, mid, high, fourth, fifth, sixth, ..] = sector.to_le_bytes();
        (self.low[0], self.mid[0], self.high[0]) = (low, mid, high);
        match place {
            Place::Short => self.device = self.device & !HEAD | fourth & HEAD,
            Place::Extended => (self.low[1], self.mid[1], self.high[1]) = (fourth, fifth, sixth),
        }
    }

    /// `count` sectors are done: names the next, and how many are left.
    pub(super) fn go_on(&mut self, place: Place, count: u32, heads: u8, sectors: u8) {
        if let Some(sector) = self.sector(place, heads, sectors) {
            self.set_sector(sector.saturating_add(count.into()), place, heads, sectors);
        }
        let [low, high, ..] = self.sectors(place).wrapping_sub(count).to_le_bytes();
        self.count[0] = low;
        if place == Place::Extended {
            self.count[1] = high;
        }
    }
}
