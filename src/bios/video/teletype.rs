//! Text that moves the cursor on: AH=0E and 13.

use super::super::{data_area, pc::Pc};
use super::characters::{self, Character};
use super::cursor::{self, Place};
use super::{rest, scroll};
use crate::x86::{Gpr, SegmentName};

const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const LINE_FEED: u8 = 0x0a;
const CARRIAGE_RETURN: u8 = 0x0d;
/// AL of AH=13: the cursor ends behind the text.
const MOVE_CURSOR: u8 = 0x01;
/// AL of AH=13: each character is followed by its attribute.
const WITH_ATTRIBUTES: u8 = 0x02;

/// AH=0E: writes AL at the cursor of the page shown, with BL as its colour in graphics modes.
pub fn serve(pc: &mut Pc) {
    let at = cursor::get(pc, pc.read_u8(data_area::VIDEO_PAGE));
    let character =
        Character { code: pc.low(Gpr::Rax), attribute: pc.low(Gpr::Rbx), keep_attribute: true };
    let at = write(pc, at, character);
    cursor::set(pc, at);
}

/// AH=13: writes the CX characters at ES:BP from DH, DL on page BH on.
pub fn serve_string(pc: &mut Pc) {
    let page = pc.high(Gpr::Rbx);
    let at = Place { page, row: pc.high(Gpr::Rdx), column: pc.low(Gpr::Rdx) };
    write_rest(pc, 0, at);
}

/// The same from character `done` on, which goes to `at`.
pub fn write_rest(pc: &mut Pc, done: u16, mut at: Place) {
    let mode = pc.low(Gpr::Rax);
    let mut attribute = pc.low(Gpr::Rbx);
    let size = if mode & WITH_ATTRIBUTES == 0 { 1 } else { 2 };
    let mut offset = pc.word(Gpr::Rbp).wrapping_add(done.wrapping_mul(size));
    for number in done..pc.word(Gpr::Rcx) {
        if number - done == rest::AT_ONCE {
            return rest::keep(pc, number, at);
        }
        let mut next = || {
            let byte = pc.read_u8(pc.address(SegmentName::Es, offset));
            offset = offset.wrapping_add(1);
            byte
        };
        let code = next();
        if mode & WITH_ATTRIBUTES != 0 {
            attribute = next();
        }
        at = write(pc, at, Character { code, attribute, keep_attribute: false });
    }
    if mode & MOVE_CURSOR != 0 {
        cursor::set(pc, at);
    }
}

/// Writes a character, or does what a control character says. Returns where the next goes.
fn write(pc: &mut Pc, mut at: Place, character: Character) -> Place {
    match character.code {
        BELL => {}
        BACKSPACE => at.column = at.column.saturating_sub(1),
        CARRIAGE_RETURN => at.column = 0,
        LINE_FEED => at.row = at.row.wrapping_add(1),
        _ => {
            characters::write(pc, at, character);
            at = characters::behind(pc, at);
        }
    }
    if at.row > pc.read_u8(data_area::VIDEO_ROWS) {
        at.row -= 1;
        scroll::one_line(pc, at.page);
    }
    at
}
