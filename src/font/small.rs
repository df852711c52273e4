//! The letters of the 8x8 font as a PC has them: those of the crate `font8x8`, which has the leftmost pixel in
//! bit 0, and two that it draws otherwise.

use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, MISC_FONTS, UnicodeFonts};

use super::SmallGlyph;

/// The glyph of a letter, digit or sign, if it is one of a PC's.
pub fn glyph(character: char) -> Option<SmallGlyph> {
    match character {
        // The stem is wider at the top.
        '!' => Some([0x30, 0x78, 0x78, 0x30, 0x30, 0, 0x30, 0]),
        // One scan line longer.
        '"' => Some([0x6c, 0x6c, 0x6c, 0, 0, 0, 0, 0]),
        _ => MISC_FONTS
            .get(character)
            .or_else(|| BASIC_FONTS.get(character))
            .or_else(|| LATIN_FONTS.get(character))
            .or_else(|| GREEK_FONTS.get(character))
            .filter(|glyph| character == ' ' || *glyph != [0; 8])
            .map(|glyph| glyph.map(u8::reverse_bits)),
    }
}
