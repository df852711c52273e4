//! Single characters at a place, which do not move the cursor: AH=08, 09 and 0A.

use super::super::{data_area, pc::Pc};
use super::cursor::{self, Place};
use super::graphics::Picture;
use super::modes::{self, Layout, Mode};
use super::rest;
use crate::x86::{Gpr, Phys, SegOff};

/// A character and how it is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Character {
    /// Its number in the font.
    pub code: u8,
    /// The attribute in text modes; in graphics modes the colour, and bit 7 for XOR.
    pub attribute: u8,
    /// In text modes the attribute that is there already stays.
    pub keep_attribute: bool,
}

/// Where the bytes of a cell are, if they are in the mode's 64 KiB.
fn cell(pc: &Pc, mode: &Mode, at: Place) -> Phys {
    mode.memory.offset(u64::from(cursor::cell_offset(pc, at) & 0xffff))
}

/// Writes a character at a place.
pub fn write(pc: &mut Pc, at: Place, character: Character) {
    let Some(mode) = modes::current(pc) else { return };
    if mode.layout == Layout::Text {
        let cell = cell(pc, &mode, at);
        let bytes = [character.code, character.attribute];
        pc.write(cell, if character.keep_attribute { &bytes[..1] } else { &bytes });
    } else if u16::from(at.column) < pc.read_u16(data_area::VIDEO_COLUMNS) {
        write_glyph(pc, &mode, at, character);
    }
}

/// The place after `at`: where a row ends, the next begins.
#[must_use]
pub fn behind(pc: &Pc, at: Place) -> Place {
    let column = at.column.wrapping_add(1);
    if u16::from(column) == pc.read_u16(data_area::VIDEO_COLUMNS) {
        return Place { row: at.row.wrapping_add(1), column: 0, ..at };
    }
    Place { column, ..at }
}

/// AH=09 and 0A: writes AL CX times at the cursor of page BH, with BL as its colour; in text modes only AH=09 sets that.
pub fn serve_write(pc: &mut Pc, with_attribute: bool) {
    let at = cursor::get(pc, pc.high(Gpr::Rbx));
    write_rest(pc, with_attribute, 0, at);
}

/// The same from character `done` on, which goes to `at`.
pub fn write_rest(pc: &mut Pc, with_attribute: bool, done: u16, mut at: Place) {
    let character = Character {
        code: pc.low(Gpr::Rax),
        attribute: pc.low(Gpr::Rbx),
        keep_attribute: !with_attribute,
    };
    for number in done..pc.word(Gpr::Rcx) {
        if number - done == rest::AT_ONCE {
            return rest::keep(pc, number, at);
        }
        write(pc, at, character);
        at = behind(pc, at);
    }
}

/// AH=08: the character at the cursor of page BH, and its attribute or, in graphics modes, its colour.
pub fn serve_read(pc: &mut Pc) {
    let at = cursor::get(pc, pc.high(Gpr::Rbx));
    let Some(mode) = modes::current(pc) else { return };
    let found = if mode.layout == Layout::Text {
        pc.read_u16(cell(pc, &mode, at))
    } else {
        read_glyph(pc, &mode, at)
    };
    pc.set_word(Gpr::Rax, found);
}

/// Pixels that a character is wide in graphics modes.
const WIDTH: u16 = 8;
/// A character's colour: its pixels change those that are there.
const XOR: u8 = 0x80;

/// The bytes of a character in the font that the vectors 43h and, for the upper half of 8 lines, 1Fh point to.
fn glyph(pc: &Pc, code: u8, height: u8) -> Vec<u8> {
    let upper = height == 8 && code >= 0x80;
    let (vector, number) = if upper { (0x1f, code & 0x7f) } else { (0x43, code) };
    let font = pc.vector(vector);
    let first = font.offset.wrapping_add(u16::from(number).wrapping_mul(height.into()));
    let line = |line: u8| {
        let at = SegOff::new(font.segment, first.wrapping_add(line.into()));
        pc.read_u8(Phys(at.linear().0))
    };
    (0..height).map(line).collect()
}

fn write_glyph(pc: &mut Pc, mode: &Mode, at: Place, character: Character) {
    let height = pc.read_u8(data_area::CHARACTER_HEIGHT);
    let glyph = glyph(pc, character.code, height);
    let mut colour = character.attribute;
    let changes = colour & XOR != 0 && mode.layout.has_few_colours();
    if changes {
        colour &= !XOR;
    }
    let picture = Picture::of(pc, mode);
    let (x, top) = (u16::from(at.column) * WIDTH, u16::from(at.row) * u16::from(height));
    for (y, bits) in (top..).zip(glyph) {
        let drawn: [u8; 8] =
            std::array::from_fn(|pixel| if bits << pixel & 0x80 == 0 { 0 } else { colour });
        let pixels = if changes {
            let before = picture.pixels(pc, x, y);
            std::array::from_fn(|pixel| before[pixel] ^ drawn[pixel])
        } else {
            drawn
        };
        picture.set_pixels(pc, x, y, pixels);
    }
    picture.done(pc);
}

/// The character whose pixels are at a place, in the low byte, and its colour in the high one; 0 if there is none.
fn read_glyph(pc: &mut Pc, mode: &Mode, at: Place) -> u16 {
    let height = pc.read_u8(data_area::CHARACTER_HEIGHT);
    let picture = Picture::of(pc, mode);
    let (x, top) = (u16::from(at.column) * WIDTH, u16::from(at.row) * u16::from(height));
    let mut colour = 0;
    let mut lines = Vec::new();
    for y in (top..).take(height.into()) {
        let pixels = picture.pixels(pc, x, y);
        lines.push(pixels.iter().fold(0, |bits, &pixel| bits << 1 | u8::from(pixel != 0)));
        colour = pixels.into_iter().rfind(|&pixel| pixel != 0).unwrap_or(colour);
    }
    picture.done(pc);
    let code = (0..=u8::MAX).find(|&code| glyph(pc, code, height) == lines);
    code.map_or(0, |code| u16::from_le_bytes([code, colour]))
}
