//! The colours that the BIOS loads into the DAC when it sets a mode (IBM VGA BIOS).

use super::dac::{COLOURS, Colour};

/// One of the sets of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Black, normal and bright, for a monochrome monitor.
    Monochrome,
    /// The 16 colours of a CGA, four times: bit 4 is the intensity.
    Cga,
    /// The 64 colours of an EGA: two bits for each of red, green and blue.
    Ega,
    /// 16 colours, 16 greys, and 216 colours in nine circles of hues.
    Vga,
}

/// One third, two thirds and all of a component's 6 bits.
const LOW: u8 = 0x15;
const HIGH: u8 = 0x2a;
const FULL: u8 = 0x3f;

impl Palette {
    /// All colours of the DAC; those that the set does not have are black.
    #[must_use]
    pub fn colours(self) -> Vec<Colour> {
        let mut colours: Vec<Colour> = match self {
            Palette::Monochrome => (0..64).map(monochrome).collect(),
            Palette::Cga => (0..64).map(cga).collect(),
            Palette::Ega => (0..64).map(ega).collect(),
            Palette::Vga => vga(),
        };
        colours.resize(COLOURS, [0; 3]);
        colours
    }
}

/// Bits 3 and 4 are the video signal and the intensity, of which either makes grey and both make white.
fn monochrome(number: u8) -> Colour {
    let level = match number >> 3 & 3 {
        0 => 0,
        3 => FULL,
        _ => HIGH,
    };
    [level; 3]
}

/// Bit 0 is blue, 1 green, 2 red, 4 the intensity. Dark yellow is made brown.
fn cga(number: u8) -> Colour {
    if number & 0x17 == 6 {
        return [HIGH, LOW, 0];
    }
    let intensity = if number & 0x10 == 0 { 0 } else { LOW };
    [2, 1, 0].map(|bit| intensity + if number >> bit & 1 == 0 { 0 } else { HIGH })
}

/// Bits 0 to 2 are two thirds of blue, green and red, bits 3 to 5 one third.
fn ega(number: u8) -> Colour {
    [2, 1, 0].map(|bit| {
        let high = if number >> bit & 1 == 0 { 0 } else { HIGH };
        high + if number >> (bit + 3) & 1 == 0 { 0 } else { LOW }
    })
}

/// The sixteen greys.
const GREYS: [u8; 16] = [
    0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f,
];

/// The levels that a component takes on around each circle of hues: three circles of falling saturation, at
/// full, half and a quarter of the brightness.
const CIRCLES: [[u8; 5]; 9] = [
    [0x00, 0x10, 0x1f, 0x2f, 0x3f],
    [0x1f, 0x27, 0x2f, 0x37, 0x3f],
    [0x2d, 0x31, 0x36, 0x3a, 0x3f],
    [0x00, 0x07, 0x0e, 0x15, 0x1c],
    [0x0e, 0x11, 0x15, 0x18, 0x1c],
    [0x14, 0x16, 0x18, 0x1a, 0x1c],
    [0x00, 0x04, 0x08, 0x0c, 0x10],
    [0x08, 0x0a, 0x0c, 0x0e, 0x10],
    [0x0b, 0x0c, 0x0d, 0x0f, 0x10],
];

fn vga() -> Vec<Colour> {
    let basic = (0..16).map(|number: u8| cga(number & 7 | (number & 8) << 1));
    let greys = GREYS.into_iter().map(|level| [level; 3]);
    let circles = CIRCLES.into_iter().flat_map(circle);
    basic.chain(greys).chain(circles).collect()
}

/// 24 hues from blue over red and green: each component stays at one end for eight of them, moves to the other in
/// four, stays there for eight and moves back.
fn circle(levels: [u8; 5]) -> impl Iterator<Item = Colour> {
    let level = move |phase: usize| match phase % 24 {
        rising @ 0..4 => levels[rising],
        falling @ 12..16 => levels[16 - falling],
        4..12 => levels[4],
        _ => levels[0],
    };
    // Red rises first; blue has risen 16 hues before, and green follows red after 8.
    (0..24).map(move |hue| [level(hue), level(hue + 16), level(hue + 8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_colours_are_in_their_places() {
        let vga = Palette::Vga.colours();
        assert_eq!((vga.len(), vga[6], vga[15]), (256, [0x2a, 0x15, 0], [0x3f; 3]));
        assert_eq!((vga[8], vga[16], vga[31]), ([0x15; 3], [0; 3], [0x3f; 3]));
        let corners = [32, 36, 40, 44, 48, 52].map(|number| vga[number]);
        let expected = [[0, 0, 1], [1, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1]];
        assert_eq!(corners, expected.map(|colour: [u8; 3]| colour.map(|part| part * 0x3f)));
        assert_eq!((vga[33], vga[55]), ([0x10, 0, 0x3f], [0, 0x10, 0x3f]));
        assert_eq!((vga[104], vga[247], vga[248]), ([0, 0, 0x1c], [0x0b, 0x0c, 0x10], [0; 3]));
        let ega = Palette::Ega.colours();
        assert_eq!((ega[0x14], ega[0x38], ega[0x3f]), ([0x2a, 0x15, 0], [0x15; 3], [0x3f; 3]));
        assert_eq!(Palette::Cga.colours()[0x17], [0x3f; 3]);
        assert_eq!(Palette::Monochrome.colours()[0x18], [0x3f; 3]);
    }
}
