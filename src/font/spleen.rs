//! Reads the Spleen fonts: of 8x16 pixels in a file of PSF version 1, of 5x8 in one of version 2. Either has a
//! header, bitmaps, and a table of the characters they show.

use std::collections::HashMap;

use super::{Glyph, SmallGlyph};

/// Magic number, mode, and bytes of a glyph.
const HEADER_SIZE: usize = 4;
const MAGIC: [u8; 2] = [0x36, 0x04];
const MODE_512_GLYPHS: u8 = 0x01;
/// In the table: ends the characters of a glyph.
const SEPARATOR: u16 = 0xffff;
/// In the table: begins a sequence of characters that make up one glyph together.
const SEQUENCE: u16 = 0xfffe;

/// The same of version 2: eight numbers of 32 bits, of which the first is this one.
const MAGIC_2: u32 = 0x864a_b572;
const SEPARATOR_2: u8 = 0xff;
const SEQUENCE_2: u8 = 0xfe;

/// The glyphs of 8x16 pixels by character; none if the font is not of the kind known here.
pub fn glyphs() -> HashMap<char, Glyph> {
    parse(spleen_font::FONT_8X16).unwrap_or_default()
}

/// The glyphs of 5x8 pixels by character, of which the leftmost pixel is bit 7. The font has empty ones for some
/// that it does not know; those are left out.
pub fn small_glyphs() -> HashMap<char, SmallGlyph> {
    let mut glyphs = parse_2(spleen_font::FONT_5X8).unwrap_or_default();
    glyphs.retain(|character, glyph| *character == ' ' || *glyph != [0; 8]);
    glyphs
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

fn parse_2(font: &[u8]) -> Option<HashMap<char, SmallGlyph>> {
    const HEIGHT: usize = size_of::<SmallGlyph>();
    let (header, _) = font.split_first_chunk::<32>()?;
    let (words, _) = header.as_chunks::<4>();
    let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let &[magic, _, start, _, count, size, height, width] = words.as_slice() else { return None };
    if magic != MAGIC_2 || [size as usize, height as usize] != [HEIGHT; 2] || width > 8 {
        return None;
    }
    let bitmaps = font.get(start as usize..)?;
    let (bitmaps, table) = bitmaps.split_at_checked((count as usize).checked_mul(HEIGHT)?)?;
    let (bitmaps, _) = bitmaps.as_chunks::<HEIGHT>();
    let mut glyphs = HashMap::new();
    for (bitmap, text) in bitmaps.iter().zip(table.split(|&byte| byte == SEPARATOR_2)) {
        let single = text.split(|&byte| byte == SEQUENCE_2).next().unwrap_or_default();
        for character in std::str::from_utf8(single).unwrap_or_default().chars() {
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

    #[test]
    fn the_small_font_has_all_of_printable_ascii() {
        let glyphs = small_glyphs();
        assert!((' '..='~').all(|character| glyphs.contains_key(&character)));
        assert_eq!(glyphs[&'H'], [0, 0x90, 0x90, 0xf0, 0x90, 0x90, 0x90, 0]);
    }

    #[test]
    fn a_small_font_of_another_kind_gives_nothing() {
        let font = spleen_font::FONT_5X8;
        for length in [0, 31, 32, 100, 4095] {
            assert_eq!(parse_2(&font[..length]), None);
        }
        assert_eq!(parse_2(&[&[0x71], &font[1..]].concat()), None);
    }
}
