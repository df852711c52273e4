//! The 8x16 font of the screen: a glyph for each code of code page 437.
//!
//! Lines, blocks and shades are drawn by rule (`lines`), so that they join without gaps; what the Spleen
//! font of Frederic Cambus (BSD-2-Clause, from the crate `spleen-font`) has comes from there (`spleen`);
//! the few left are drawn by hand (`drawn`), to match it.

mod drawn;
mod lines;
mod spleen;

use std::sync::LazyLock;

use super::cp437;

/// Scan lines of a glyph. It is 8 pixels wide.
pub const GLYPH_HEIGHT: usize = 16;

/// The scan lines of a glyph from the top; bit 7 is the leftmost pixel.
pub type Glyph = [u8; GLYPH_HEIGHT];

/// The glyph of `character`.
#[must_use]
pub fn glyph(character: u8) -> &'static Glyph {
    static GLYPHS: LazyLock<[Glyph; 256]> = LazyLock::new(glyphs);
    &GLYPHS[usize::from(character)]
}

fn glyphs() -> [Glyph; 256] {
    let spleen = spleen::glyphs();
    std::array::from_fn(|code| {
        let character = cp437::to_char(code as u8);
        lines::glyph(character)
            .or_else(|| drawn::glyph(character))
            .or_else(|| spleen.get(&character).copied())
            .unwrap_or(drawn::UNKNOWN)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_code_has_a_glyph_of_its_own() {
        let mut seen = HashMap::new();
        for code in (0..=255).filter(|&code| !cp437::is_blank(code)) {
            let glyph = glyph(code);
            assert_ne!(*glyph, drawn::UNKNOWN, "{code:#04x} has no glyph");
            assert_ne!(*glyph, [0; 16], "{code:#04x} is empty");
            let other = seen.insert(glyph, code);
            assert_eq!(other, None, "{code:#04x} looks like another");
        }
    }

    #[test]
    fn blanks_are_empty() {
        assert_eq!([0x00, 0x20, 0xff].map(glyph), [&[0; 16]; 3]);
    }
}
