//! The attribute controller, ports 3C0h and 3C1h: from the colours of characters and pixels to the numbers that the
//! DAC knows (IBM VGA, "Attribute Controller Registers").

use serde::{Deserialize, Serialize};

/// Registers that there are.
pub const COUNT: usize = 21;
/// The index bit without which the screen shows nothing: the palette belongs to the host then.
const PALETTE_ADDRESS_SOURCE: u8 = 0x20;

const MODE_CONTROL: usize = 0x10;
const OVERSCAN: usize = 0x11;
const PLANE_ENABLE: usize = 0x12;
const PANNING: usize = 0x13;
const COLOUR_SELECT: usize = 0x14;

/// The attribute controller's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Which register is next, and the bit that shows the picture.
    pub index: u8,
    /// The next write to port 3C0h is data.
    pub expects_data: bool,
    pub(super) registers: [u8; COUNT],
}

impl Attribute {
    /// The register at the index; those that do not exist read 0.
    #[must_use]
    pub fn read(&self) -> u8 {
        self.registers.get(usize::from(self.index & 0x1f)).copied().unwrap_or(0)
    }

    /// A write to port 3C0h: index and data in turn.
    pub fn write(&mut self, value: u8) {
        if self.expects_data {
            let index = usize::from(self.index & 0x1f);
            let mask = match index {
                0..MODE_CONTROL => 0x3f,
                MODE_CONTROL => 0xef,
                OVERSCAN => 0xff,
                PLANE_ENABLE => 0x3f,
                _ => 0x0f,
            };
            if let Some(register) = self.registers.get_mut(index) {
                *register = value & mask;
            }
        } else {
            self.index = value & 0x3f;
        }
        self.expects_data = !self.expects_data;
    }

    /// A read of input status 1: an index is next.
    pub fn reset_flip_flop(&mut self) {
        self.expects_data = false;
    }

    /// The picture is shown, not the overscan colour.
    #[must_use]
    pub fn shows_picture(&self) -> bool {
        self.index & PALETTE_ADDRESS_SOURCE != 0
    }

    pub(super) fn show_picture(&mut self) {
        self.index |= PALETTE_ADDRESS_SOURCE;
    }

    /// Attribute bit 7 makes characters blink.
    #[must_use]
    pub fn blinks(&self) -> bool {
        self.registers[MODE_CONTROL] & 0x08 != 0
    }

    /// The ninth dot of the characters C0h-DFh repeats the eighth.
    #[must_use]
    pub fn joins_line_graphics(&self) -> bool {
        self.registers[MODE_CONTROL] & 0x04 != 0
    }

    /// Panning ends at the line compare.
    #[must_use]
    pub fn pans_first_part_only(&self) -> bool {
        self.registers[MODE_CONTROL] & 0x20 != 0
    }

    /// The panning register: dots to the left, 8 for none where characters have 9.
    #[must_use]
    pub fn panning(&self) -> u8 {
        self.registers[PANNING] & 0x0f
    }

    /// The planes that count for colours, a bit for each.
    #[must_use]
    pub fn plane_enable(&self) -> u8 {
        self.registers[PLANE_ENABLE] & 0x0f
    }

    /// The colour around the picture, as the DAC knows it.
    #[must_use]
    pub fn overscan(&self) -> u8 {
        self.registers[OVERSCAN]
    }

    /// The DAC's number of the colour `colour` of 16.
    #[must_use]
    pub fn to_dac(&self, colour: u8) -> u8 {
        let palette = self.registers[usize::from(colour & self.plane_enable())] & 0x3f;
        let select = self.registers[COLOUR_SELECT];
        let low = if self.registers[MODE_CONTROL] & 0x80 == 0 {
            palette
        } else {
            palette & 0x0f | (select & 3) << 4
        };
        low | (select & 0x0c) << 4
    }
}
