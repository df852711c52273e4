//! The cursors of eight pages, their shape, and the page shown: AH=01, 02, 03 and 05.

use super::super::{data_area, pc::Pc};
use super::modes;
use super::registers;
use crate::x86::Gpr;

/// Pages whose cursor is kept.
const PAGES: u8 = 8;
/// [`data_area::VIDEO_CONTROL`]: the cursor's lines are taken as they are, not as those of a CGA.
const NO_EMULATION: u8 = 0x01;
/// The cursor's first line: there is no cursor.
const OFF: u8 = 0x20;
/// What the CRT controller takes of the last line; the data area keeps all that it was given.
const LAST_MASK: u8 = 0x1f;

/// Where a character goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The page.
    pub page: u8,
    /// The row, from 0 at the top.
    pub row: u8,
    /// The column, from 0 at the left.
    pub column: u8,
}

/// The cursor of `page`; the beginning of page 0 if there is no such page.
#[must_use]
pub fn get(pc: &Pc, page: u8) -> Place {
    if page >= PAGES {
        return Place { page: 0, row: 0, column: 0 };
    }
    let [column, row] =
        pc.read_u16(data_area::CURSOR_POSITIONS.offset(u64::from(page) * 2)).to_le_bytes();
    Place { page, row, column }
}

/// Moves the cursor of a page; on the page shown the one that is seen as well.
pub fn set(pc: &mut Pc, to: Place) {
    let page = to.page;
    if page >= PAGES {
        return;
    }
    if page == pc.read_u8(data_area::VIDEO_PAGE) {
        let cell = cell_offset(pc, to) / 2;
        registers::set_crtc_word(pc.devices.vga_mut(), 0x0e, (cell & 0xffff) as u16);
    }
    let at = data_area::CURSOR_POSITIONS.offset(u64::from(page) * 2);
    pc.write_u16(at, u16::from_le_bytes([to.column, to.row]));
}

/// How far a cell is from the beginning of video memory in text modes, in bytes.
#[must_use]
pub fn cell_offset(pc: &Pc, at: Place) -> u32 {
    let page_size = u32::from(pc.read_u16(data_area::VIDEO_PAGE_SIZE));
    let columns = u32::from(pc.read_u16(data_area::VIDEO_COLUMNS));
    u32::from(at.page) * page_size + (u32::from(at.row) * columns + u32::from(at.column)) * 2
}

/// AH=01: sets the cursor's first and last line, those of a character of 8 unless emulation is off.
pub fn set_shape(pc: &mut Pc, first: u8, last: u8) {
    pc.write_u16(data_area::CURSOR_SHAPE, u16::from_le_bytes([last, first]));
    let (first, last) = lines(pc);
    let vga = pc.devices.vga_mut();
    registers::set_crtc(vga, 0x0a, first);
    registers::set_crtc(vga, 0x0b, last);
}

/// The lines of the cursor as the CRT controller takes them.
fn lines(pc: &Pc) -> (u8, u8) {
    let [last, first] = pc.read_u16(data_area::CURSOR_SHAPE).to_le_bytes();
    let last = last & LAST_MASK;
    let height = u16::from(pc.read_u8(data_area::CHARACTER_HEIGHT));
    let emulates = pc.read_u8(data_area::VIDEO_CONTROL) & NO_EMULATION == 0;
    if !emulates || height <= 8 || last >= 8 || first >= OFF {
        return (first, last);
    }
    let scaled = |line: u8, less: u16| {
        ((u16::from(line) + 1) * height / 8).saturating_sub(less).to_le_bytes()[0]
    };
    let above = if last == first + 1 { scaled(last, 2) } else { scaled(first, 1) };
    (above, scaled(last, 1))
}

/// AH=03: where the cursor of page BH is, and its shape.
pub fn serve_read(pc: &mut Pc) {
    let at = get(pc, pc.high(Gpr::Rbx));
    let shape = pc.read_u16(data_area::CURSOR_SHAPE);
    pc.set_word(Gpr::Rcx, shape);
    pc.set_word(Gpr::Rdx, u16::from_le_bytes([at.column, at.row]));
}

/// AH=05: shows `page`.
pub fn show_page(pc: &mut Pc, page: u8) {
    let Some(mode) = modes::current(pc).filter(|_| page < PAGES) else { return };
    let start = u32::from(page) * u32::from(pc.read_u16(data_area::VIDEO_PAGE_SIZE));
    let counter = start / mode.layout.address_unit();
    registers::set_crtc_word(pc.devices.vga_mut(), 0x0c, (counter & 0xffff) as u16);
    pc.write_u16(data_area::VIDEO_PAGE_START, (start & 0xffff) as u16);
    pc.write_u8(data_area::VIDEO_PAGE, page);
    let cursor = get(pc, page);
    set(pc, cursor);
}
