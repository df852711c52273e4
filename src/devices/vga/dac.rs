//! The DAC, ports 3C6h to 3C9h: 256 colours of 18 bits (IBM VGA, "Video Digital-to-Analog Converter").

use serde::{Deserialize, Serialize};

/// Colours that it has.
pub const COLOURS: usize = 256;

/// Red, green and blue, 6 bits each.
pub type Colour = [u8; 3];

/// The DAC and where the host is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dac {
    /// Taken from the number of each pixel's colour.
    pub mask: u8,
    /// The colour that is written next.
    pub write_index: u8,
    /// The colour that is read next.
    pub read_index: u8,
    /// The component that is next: 0 red, 1 green, 2 blue.
    component: u8,
    /// The last index written was the one for reading.
    reading: bool,
    /// Components have 8 bits, not 6.
    #[serde(default)]
    pub(super) wide: bool,
    /// The components of a colour that is not complete.
    pending: Colour,
    /// Always [`COLOURS`] of them.
    pub(super) colours: Vec<Colour>,
}

impl Default for Dac {
    fn default() -> Dac {
        Dac::new(vec![[0; 3]; COLOURS])
    }
}

impl Dac {
    /// All colours let through; those that are missing are black.
    #[must_use]
    pub fn new(mut colours: Vec<Colour>) -> Dac {
        colours.resize(COLOURS, [0; 3]);
        Dac {
            mask: 0xff,
            write_index: 0,
            read_index: 0,
            component: 0,
            reading: false,
            wide: false,
            pending: [0; 3],
            colours,
        }
    }

    /// Port 3C7h: whether the colours are being read (3) or written (0).
    #[must_use]
    pub fn state(&self) -> u8 {
        if self.reading { 3 } else { 0 }
    }

    /// Port 3C7h: begins to read at colour `index`.
    pub fn set_read_index(&mut self, index: u8) {
        (self.read_index, self.component, self.reading) = (index, 0, true);
    }

    /// Port 3C8h: begins to write at colour `index`.
    pub fn set_write_index(&mut self, index: u8) {
        (self.write_index, self.component, self.reading) = (index, 0, false);
    }

    /// Port 3C9h: the next component of the colour being read.
    pub fn read(&mut self) -> u8 {
        let colour = self.colours.get(usize::from(self.read_index)).copied().unwrap_or_default();
        let value = colour.get(usize::from(self.component)).copied().unwrap_or(0);
        self.count();
        if self.component == 0 {
            self.read_index = self.read_index.wrapping_add(1);
        }
        value
    }

    /// Port 3C9h: the next component of the colour being written, which changes with the last of the three.
    pub fn write(&mut self, value: u8) {
        if let Some(component) = self.pending.get_mut(usize::from(self.component)) {
            *component = if self.wide { value } else { value & 0x3f };
        }
        self.count();
        if self.component == 0 {
            if let Some(colour) = self.colours.get_mut(usize::from(self.write_index)) {
                *colour = self.pending;
            }
            self.write_index = self.write_index.wrapping_add(1);
        }
    }

    fn count(&mut self) {
        self.component = if self.component < 2 { self.component + 1 } else { 0 };
    }

    /// The colour that the monitor shows for `number`, 8 bits a component.
    #[must_use]
    pub fn shown(&self, number: u8) -> [u8; 3] {
        let colour = self.colours.get(usize::from(number & self.mask)).copied().unwrap_or_default();
        if self.wide {
            return colour;
        }
        colour.map(|component| (component & 0x3f) << 2 | (component & 0x3f) >> 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_writes_make_a_colour_and_the_index_moves_on() {
        let mut dac = Dac::default();
        dac.set_write_index(255);
        [1, 2, 0xff, 4, 5].into_iter().for_each(|value| dac.write(value));
        assert_eq!((dac.colours[255], dac.colours[0]), ([1, 2, 0x3f], [0; 3]));
        dac.write(6);
        assert_eq!((dac.colours[0], dac.write_index, dac.state()), ([4, 5, 6], 1, 0));
        dac.set_read_index(255);
        assert_eq!(dac.state(), 3);
        assert_eq!([0; 6].map(|_| dac.read()), [1, 2, 0x3f, 4, 5, 6]);
        assert_eq!(dac.read_index, 1);
    }

    #[test]
    fn an_index_drops_a_colour_that_is_not_complete() {
        let mut dac = Dac::default();
        dac.set_write_index(7);
        dac.write(9);
        dac.set_write_index(7);
        [1, 2, 3].into_iter().for_each(|value| dac.write(value));
        assert_eq!((dac.colours[7], dac.colours[8]), ([1, 2, 3], [0; 3]));
    }

    #[test]
    fn six_bits_become_eight_from_black_to_white() {
        let mut dac = Dac::default();
        dac.colours[3] = [0, 0x15, 0x3f];
        assert_eq!(dac.shown(3), [0, 0x55, 0xff]);
        dac.mask = 0xfc;
        assert_eq!(dac.shown(3), [0; 3]);
    }
}
