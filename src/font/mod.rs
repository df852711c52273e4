//! The character generator: the fonts of code page 437 that a PC's video ROM has, 8 pixels wide and 8, 14 or
//! 16 high, and what the codes mean.
//!
//! Of 8x16: lines, blocks and shades are drawn by rule (`lines`), so that they join without gaps; what the Spleen
//! font of Frederic Cambus (BSD-2-Clause, from the crate `spleen-font`) has comes from there (`spleen`); the few
//! left are drawn by hand (`drawn`), to match it. [`FONT_8X14`] is made of that. The letters of 8x8 are those of
//! a PC (`small`): programs draw and compare them pixel by pixel; its symbols are drawn by hand (`symbols`).
//! Knows no device and no screen.

pub mod cp437;

mod drawn;
mod lines;
mod small;
mod spleen;
mod symbols;

use std::sync::LazyLock;

/// Scan lines of a glyph of the 8x16 font. It is 8 pixels wide.
pub const GLYPH_HEIGHT: usize = 16;

/// The scan lines of a glyph from the top; bit 7 is the leftmost pixel.
pub type Glyph = [u8; GLYPH_HEIGHT];

/// The same of the 8x8 font.
pub type SmallGlyph = [u8; 8];

/// The font of 16 scan lines: the text modes of a VGA.
pub static FONT_8X16: LazyLock<[Glyph; 256]> = LazyLock::new(|| {
    let spleen = spleen::glyphs();
    std::array::from_fn(|code| {
        let character = cp437::to_char(code as u8);
        lines::glyph(character)
            .or_else(|| drawn::glyph(character))
            .or_else(|| spleen.get(&character).copied())
            .unwrap_or(drawn::UNKNOWN)
    })
});

/// The font of 14 scan lines, that of an EGA: lines are drawn for this height, all else is the 8x16 font
/// without two of its scan lines, blank ones if it has them to spare.
pub static FONT_8X14: LazyLock<[[u8; 14]; 256]> = LazyLock::new(|| {
    std::array::from_fn(|code| {
        lines::glyph(cp437::to_char(code as u8)).unwrap_or_else(|| shortened(&FONT_8X16[code]))
    })
});

/// The font of 8 scan lines, for graphics modes of 200 lines and for 43 or 50 rows of text: lines are drawn
/// for this height, letters are a PC's, symbols are drawn by hand; of the rest, two scan lines of the 8x16 font become
/// one.
pub static FONT_8X8: LazyLock<[SmallGlyph; 256]> = LazyLock::new(|| {
    std::array::from_fn(|code| {
        let character = cp437::to_char(code as u8);
        lines::glyph(character)
            .or_else(|| symbols::glyph(character))
            .or_else(|| small::glyph(character))
            .unwrap_or_else(|| squeezed(&FONT_8X16[code]))
    })
});

/// The glyph of `character` in the 8x16 font.
#[must_use]
pub fn glyph(character: u8) -> &'static Glyph {
    &FONT_8X16[usize::from(character)]
}

/// 14 scan lines of 16: blank ones at the ends go first, then those that look like the line above.
fn shortened(glyph: &Glyph) -> [u8; 14] {
    let mut rows = glyph.to_vec();
    for from_the_top in [true, false] {
        let end = if from_the_top { 0 } else { rows.len() - 1 };
        let repeated = || (1..rows.len()).find(|&row| rows[row] == rows[row - 1]);
        let victim = if rows[end] == 0 { end } else { repeated().unwrap_or(end) };
        rows.remove(victim);
    }
    std::array::from_fn(|row| rows[row])
}

/// 8 scan lines of 16, of which nothing is lost.
fn squeezed(glyph: &Glyph) -> SmallGlyph {
    std::array::from_fn(|row| glyph[2 * row] | glyph[2 * row + 1])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn assert_distinct<const H: usize>(font: &[[u8; H]; 256]) {
        let mut seen = HashMap::new();
        for code in (0..=255).filter(|&code| !cp437::is_blank(code)) {
            let glyph = font[usize::from(code)];
            assert_ne!(glyph, [0; H], "{code:#04x} is empty");
            let other = seen.insert(glyph, code);
            assert_eq!(other, None, "{code:#04x} looks like another of height {H}");
        }
        assert_eq!([0x00, 0x20, 0xff].map(|code| font[code]), [[0; H]; 3]);
    }

    #[test]
    fn every_code_has_a_glyph_of_its_own_at_each_height() {
        assert_distinct(&FONT_8X16);
        assert_distinct(&FONT_8X14);
        assert_distinct(&FONT_8X8);
        assert!(FONT_8X16.iter().all(|glyph| *glyph != drawn::UNKNOWN));
    }

    #[test]
    fn letters_of_the_small_font_are_a_pcs() {
        assert_eq!(FONT_8X8[usize::from(b'H')], [0xcc, 0xcc, 0xcc, 0xfc, 0xcc, 0xcc, 0xcc, 0]);
        assert_eq!(FONT_8X8[usize::from(b'!')], [0x30, 0x78, 0x78, 0x30, 0x30, 0, 0x30, 0]);
        // e with an acute accent
        assert_eq!(FONT_8X8[0x82], [0x1c, 0, 0x78, 0xcc, 0xfc, 0xc0, 0x78, 0]);
    }

    #[test]
    fn the_font_of_14_lines_is_that_of_16_without_two() {
        let letter = FONT_8X14[usize::from(b'A')];
        assert_eq!(letter[..], FONT_8X16[usize::from(b'A')][1..15]);
    }
}
