//! The sequencer, ports 3C4h and 3C5h: character clock, plane mask, and how the host sees the planes (IBM VGA,
//! "Sequencer Registers").

use serde::{Deserialize, Serialize};

/// Registers that there are.
pub const COUNT: usize = 5;
/// The bits that each has.
const MASKS: [u8; COUNT] = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];

const CLOCKING_MODE: usize = 1;
const MAP_MASK: usize = 2;
const CHARACTER_MAP: usize = 3;
const MEMORY_MODE: usize = 4;

/// The sequencer's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequencer {
    /// Which register port 3C5h is.
    pub index: u8,
    pub(super) registers: [u8; COUNT],
}

impl Sequencer {
    /// The register at the index; those that do not exist read 0.
    #[must_use]
    pub fn read(&self) -> u8 {
        self.registers.get(usize::from(self.index)).copied().unwrap_or(0)
    }

    /// Writes the register at the index.
    pub fn write(&mut self, value: u8) {
        let index = usize::from(self.index);
        if let (Some(register), Some(mask)) = (self.registers.get_mut(index), MASKS.get(index)) {
            *register = value & mask;
        }
    }

    /// Dots that a character is wide: 8 or 9.
    #[must_use]
    pub fn dots(&self) -> u8 {
        if self.registers[CLOCKING_MODE] & 1 == 0 { 9 } else { 8 }
    }

    /// The dot clock is halved: 320 or 360 dots in a line instead of 640 or 720.
    #[must_use]
    pub fn halves_dot_clock(&self) -> bool {
        self.registers[CLOCKING_MODE] & 0x08 != 0
    }

    /// The screen is off, which gives the host all of the memory's time.
    #[must_use]
    pub fn screen_off(&self) -> bool {
        self.registers[CLOCKING_MODE] & 0x20 != 0
    }

    /// The planes that can be written, a bit for each.
    #[must_use]
    pub fn map_mask(&self) -> u8 {
        self.registers[MAP_MASK]
    }

    /// Where in plane 2 the fonts begin: that of characters whose attribute bit 3 is 0, and that of the others.
    #[must_use]
    pub fn font_offsets(&self) -> [u16; 2] {
        let select = u16::from(self.registers[CHARACTER_MAP]);
        let offset = |low: u16, high: u16| low * 0x4000 + high * 0x2000;
        [offset(select & 3, select >> 4 & 1), offset(select >> 2 & 3, select >> 5 & 1)]
    }

    /// The low two bits of an address select the plane ("chain 4").
    #[must_use]
    pub fn chains_four(&self) -> bool {
        self.registers[MEMORY_MODE] & 0x08 != 0
    }

    /// Even addresses are written to planes 0 and 2, odd ones to 1 and 3.
    #[must_use]
    pub fn writes_odd_even(&self) -> bool {
        self.registers[MEMORY_MODE] & 0x04 == 0
    }
}
