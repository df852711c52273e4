//! Reads the Spleen font of 8x16 pixels, a file of PSF version 1: a header, bitmaps, and a table of the
//! characters they show.

use std::collections::HashMap;

use super::Glyph;

/// Magic number, mode, and bytes of a glyph.
const HEADER_SIZE: usize = 4;
const MAGIC: [u8; 2] = [0x36, 0x04];
const MODE_512_GLYPHS: u8 = 0x01;
/// In the table: ends the characters of a glyph.
const SEPARATOR: u16 = 0xffff;
/// In the table: begins a sequence of characters that make up one glyph together.
const SEQUENCE: u16 = 0xfffe;

/// The glyphs of 8x16 pixels by character; none if the font is not of the kind known here.
pub fn glyphs() -> HashMap<char, Glyph> {
    parse(spleen_font::FONT_8X16).unwrap_or_default()
}

fn parse(font: &[u8]) -> Option<HashMap<char, Glyph>> {
    const HEIGHT: usize = size_of::<Glyph>();
    let (&[magic0, magic1, mode, height], rest) = font.split_first_chunk::<HEADER_SIZE>()?;
    if [magic0, magic1] != MAGIC || usize::from(height) != HEIGHT {
        return None;
    }
    let count = if mode & MODE_512_GLYPHS != 0 { 512 } else { 256 };
    let (bitmaps, table) = rest.split_at_checked(count * HEIGHT)?;
    let units: Vec<u16> =
        table.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    let (bitmaps, _) = bitmaps.as_chunks::<HEIGHT>();
    let mut glyphs = HashMap::new();
    for (bitmap, characters) in bitmaps.iter().zip(units.split(|&unit| unit == SEPARATOR)) {
        let single = characters.iter().take_while(|&&unit| unit != SEQUENCE);
        for character in single.filter_map(|&unit| char::from_u32(unit.into())) {
            glyphs.entry(character).or_insert(*bitmap);
        }
    }
    Some(glyphs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_all_of_printable_ascii() {
        let glyphs = glyphs();
        assert!((' '..='~').all(|character| glyphs.contains_key(&character)));
        assert_eq!(glyphs[&'|'][2..12], [0x18; 10]);
    }

    #[test]
    fn a_font_of_another_kind_gives_nothing() {
        let font = spleen_font::FONT_8X16;
        for length in [0, 3, 4, 100, 8195] {
            assert_eq!(parse(&font[..length]), None);
        }
        assert_eq!(parse(&[&[0x72], &font[1..]].concat()), None);
    }
}
