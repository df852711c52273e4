//! The graphics controller, ports 3CEh and 3CFh: what lies between the host and the four planes (IBM VGA,
//! "Graphics Controller Registers"). It has the latches, which every read by the host loads.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Registers that there are.
pub const COUNT: usize = 9;
/// The bits that each has.
const MASKS: [u8; COUNT] = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];

const SET_RESET: usize = 0;
const ENABLE_SET_RESET: usize = 1;
const COLOUR_COMPARE: usize = 2;
const DATA_ROTATE: usize = 3;
const READ_MAP: usize = 4;
const MODE: usize = 5;
const MISCELLANEOUS: usize = 6;
const COLOUR_DONT_CARE: usize = 7;
const BIT_MASK: usize = 8;

/// A byte of each plane.
pub type Planes = [u8; 4];

/// The graphics controller's registers and latches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graphics {
    /// Which register port 3CFh is.
    pub index: u8,
    pub(super) registers: [u8; COUNT],
    /// What the last read by the host found in the planes.
    pub latches: Planes,
}

/// How the planes' bits make up pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// A bit of each plane for each of 8 pixels.
    Planar,
    /// Two bits a pixel, the first four pixels from planes 0 and 2, the others from 1 and 3: as on a CGA.
    Interleaved,
    /// Eight bits a pixel, a pixel from each plane.
    Packed256,
}

impl Graphics {
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

    /// Which addresses are video memory, counted from A0000h.
    #[must_use]
    pub fn window(&self) -> Range<u32> {
        match self.registers[MISCELLANEOUS] >> 2 & 3 {
            0 => 0..0x2_0000,
            1 => 0..0x1_0000,
            2 => 0x1_0000..0x1_8000,
            _ => 0x1_8000..0x2_0000,
        }
    }

    /// The screen shows pixels, not characters.
    #[must_use]
    pub fn shows_graphics(&self) -> bool {
        self.registers[MISCELLANEOUS] & 1 != 0
    }

    /// Has the screen show pixels, and the host reach 64 KiB at A0000h.
    pub(super) fn show_graphics(&mut self) {
        self.registers[MISCELLANEOUS] = 0x05;
    }

    /// Address bit 0 selects between planes and is not part of the offset in them.
    #[must_use]
    pub fn chains_odd_even(&self) -> bool {
        self.registers[MISCELLANEOUS] & 2 != 0
    }

    /// Even addresses are read from planes 0 and 2, odd ones from 1 and 3.
    #[must_use]
    pub fn reads_odd_even(&self) -> bool {
        self.registers[MODE] & 0x10 != 0
    }

    /// The plane that is read in read mode 0.
    #[must_use]
    pub fn read_map(&self) -> u8 {
        self.registers[READ_MAP]
    }

    /// How pixels are made up.
    #[must_use]
    pub fn shift(&self) -> Shift {
        match self.registers[MODE] {
            mode if mode & 0x40 != 0 => Shift::Packed256,
            mode if mode & 0x20 != 0 => Shift::Interleaved,
            _ => Shift::Planar,
        }
    }

    /// What the host reads where the planes hold `planes`: in mode 0 those of `plane`, in mode 1 a bit for each
    /// pixel that is the colour compared with.
    #[must_use]
    pub fn value_read(&self, planes: Planes, plane: u8) -> u8 {
        if self.registers[MODE] & 0x08 == 0 {
            return planes[usize::from(plane & 3)];
        }
        let (wanted, cares) = (self.registers[COLOUR_COMPARE], self.registers[COLOUR_DONT_CARE]);
        let differs = |plane: usize| planes[plane] ^ spread(wanted, plane);
        (0..4)
            .filter(|plane| cares >> plane & 1 != 0)
            .fold(0xff, |same, plane| same & !differs(plane))
    }

    /// What the planes hold after the host has written `value`, those that it may write.
    #[must_use]
    pub fn value_written(&self, value: u8) -> Planes {
        let rotated = value.rotate_right(u32::from(self.registers[DATA_ROTATE] & 7));
        let set_reset = self.registers[SET_RESET];
        let mask = self.registers[BIT_MASK];
        let write_mode = self.registers[MODE] & 3;
        std::array::from_fn(|plane| match write_mode {
            0 if self.registers[ENABLE_SET_RESET] >> plane & 1 == 0 => {
                self.mix(plane, rotated, mask)
            }
            0 => self.mix(plane, spread(set_reset, plane), mask),
            1 => self.latches[plane],
            2 => self.mix(plane, spread(value, plane), mask),
            _ => self.mix(plane, spread(set_reset, plane), mask & rotated),
        })
    }

    /// A byte written arrives in the planes as it is.
    #[must_use]
    pub fn writes_plainly(&self) -> bool {
        self.registers[MODE] & 0x0b == 0
            && self.registers[DATA_ROTATE] == 0
            && self.registers[ENABLE_SET_RESET] == 0
            && self.registers[BIT_MASK] == 0xff
    }

    /// Combines `data` with the latch of `plane` by the function of the data rotate register, where `mask` has
    /// ones; elsewhere the latch stays.
    fn mix(&self, plane: usize, data: u8, mask: u8) -> u8 {
        let latch = self.latches[plane];
        let result = match self.registers[DATA_ROTATE] >> 3 & 3 {
            0 => data,
            1 => data & latch,
            2 => data | latch,
            _ => data ^ latch,
        };
        result & mask | latch & !mask
    }
}

/// Eight times the bit of `plane` in `bits`.
fn spread(bits: u8, plane: usize) -> u8 {
    if bits >> plane & 1 == 0 { 0 } else { 0xff }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graphics(registers: [u8; COUNT], latches: Planes) -> Graphics {
        let mut graphics = Graphics { latches, ..Graphics::default() };
        for (index, value) in (0..).zip(registers) {
            graphics.index = index;
            graphics.write(value);
        }
        graphics
    }

    const LATCHES: Planes = [0x0f, 0xf0, 0x55, 0xaa];

    #[test]
    fn write_mode_0_rotates_and_masks() {
        let plain = graphics([0, 0, 0, 0, 0, 0, 0, 0, 0xff], LATCHES);
        assert_eq!(plain.value_written(0x81), [0x81; 4]);
        let rotated = graphics([0, 0, 0, 3, 0, 0, 0, 0, 0xff], LATCHES);
        assert_eq!(rotated.value_written(0x81), [0x30; 4]);
        let masked = graphics([0, 0, 0, 0, 0, 0, 0, 0, 0x0f], LATCHES);
        assert_eq!(masked.value_written(0x36), [0x06, 0xf6, 0x56, 0xa6]);
    }

    #[test]
    fn set_reset_takes_the_place_of_the_data_where_enabled() {
        let graphics = graphics([0b0101, 0b0011, 0, 0, 0, 0, 0, 0, 0xff], LATCHES);
        assert_eq!(graphics.value_written(0x12), [0xff, 0x00, 0x12, 0x12]);
    }

    #[test]
    fn functions_combine_with_the_latches() {
        let result = |function: u8| {
            graphics([0, 0, 0, function << 3, 0, 0, 0, 0, 0xff], LATCHES).value_written(0x3c)
        };
        assert_eq!(result(1), LATCHES.map(|latch| latch & 0x3c));
        assert_eq!(result(2), LATCHES.map(|latch| latch | 0x3c));
        assert_eq!(result(3), LATCHES.map(|latch| latch ^ 0x3c));
    }

    #[test]
    fn write_mode_1_copies_the_latches() {
        let graphics = graphics([0xf, 0xf, 0, 0x1f, 0, 1, 0, 0, 0], LATCHES);
        assert_eq!(graphics.value_written(0x99), LATCHES);
    }

    #[test]
    fn write_mode_2_writes_a_colour() {
        let graphics = graphics([0, 0, 0, 0, 0, 2, 0, 0, 0x80], [0; 4]);
        assert_eq!(graphics.value_written(0x0a), [0, 0x80, 0, 0x80]);
    }

    #[test]
    fn write_mode_3_masks_with_the_data() {
        let graphics = graphics([0b1001, 0, 0, 1, 0, 3, 0, 0, 0xf0], [0, 0xff, 0, 0xff]);
        // 81h turned right by one is C0h, of which the mask leaves C0h.
        assert_eq!(graphics.value_written(0x81), [0xc0, 0x3f, 0, 0xff]);
    }

    #[test]
    fn read_mode_1_compares_colours() {
        let planes = [0b1100_1010, 0b1010_0110, 0, 0xff];
        // Colour 1011b: plane 0, 1 and 3.
        let mut graphics = graphics([0, 0, 0b1011, 0, 2, 8, 0, 0b1111, 0], LATCHES);
        assert_eq!(graphics.value_read(planes, 2), 0b1000_0010);
        graphics.registers[COLOUR_DONT_CARE] = 0b0001;
        assert_eq!(graphics.value_read(planes, 2), planes[0]);
        graphics.registers[COLOUR_DONT_CARE] = 0;
        assert_eq!(graphics.value_read(planes, 2), 0xff);
        graphics.registers[MODE] = 0;
        assert_eq!(graphics.value_read(planes, 1), planes[1]);
    }
}
