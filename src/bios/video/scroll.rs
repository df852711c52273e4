//! Windows of text that scroll: AH=06 and 07, and what teletype does at the last row.

use super::super::{data_area, pc::Pc};
use super::cursor::{self, Place};
use super::graphics::Picture;
use super::modes::{self, Layout, Mode};
use crate::devices::VIDEO_MEMORY;
use crate::x86::Gpr;

/// Where the text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To lower rows: AH=06.
    Up,
    /// To higher rows: AH=07.
    Down,
}

/// A rectangle of characters.
#[derive(Clone, Copy, Debug)]
struct Window {
    page: u8,
    top: u8,
    left: u8,
    rows: u8,
    columns: u8,
}

/// An attribute for text modes where none is given.
const PLAIN: u8 = 0x07;

/// AH=06 and 07: scrolls the window from CH, CL to DH, DL on the page shown by AL rows, and gives those that come in
/// the attribute or the colour BH. Zero rows, or more than there are, are all.
pub fn serve(pc: &mut Pc, direction: Direction) {
    let [left, top] = pc.word(Gpr::Rcx).to_le_bytes();
    let [right, bottom] = pc.word(Gpr::Rdx).to_le_bytes();
    let columns = pc.read_u16(data_area::VIDEO_COLUMNS).min(0x100);
    let right = u16::from(right).min(columns.saturating_sub(1));
    let bottom = bottom.min(pc.read_u8(data_area::VIDEO_ROWS));
    let Ok(right) = u8::try_from(right) else { return };
    let (Some(across), Some(down)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
        return;
    };
    let page = pc.read_u8(data_area::VIDEO_PAGE);
    let window =
        Window { page, top, left, rows: down.saturating_add(1), columns: across.saturating_add(1) };
    let attribute = pc.high(Gpr::Rbx);
    let lines = pc.low(Gpr::Rax);
    let lines = if lines == 0 || lines > window.rows { window.rows } else { lines };
    scroll(pc, window, lines, direction, attribute, attribute);
}

/// Scrolls all of `page` up by a row.
pub fn one_line(pc: &mut Pc, page: u8) {
    let columns = pc.read_u8(data_area::VIDEO_COLUMNS);
    let rows = pc.read_u8(data_area::VIDEO_ROWS).saturating_add(1);
    let window = Window { page, top: 0, left: 0, rows, columns };
    scroll(pc, window, 1, Direction::Up, PLAIN, 0);
}

/// Scrolls `window` by `lines`, no more than it has; `attribute` is for text modes and `colour` for others.
fn scroll(pc: &mut Pc, window: Window, lines: u8, direction: Direction, attribute: u8, colour: u8) {
    let Some(mode) = modes::current(pc) else { return };
    let kept = window.rows - lines;
    // Of 256 rows the last has no other behind it; no row is kept then.
    let behind = window.top.saturating_add(lines);
    let (from, to, freed) = match direction {
        Direction::Up => (behind, window.top, window.top + kept),
        Direction::Down => (window.top, behind, window.top),
    };
    if mode.layout == Layout::Text {
        copy_cells(pc, &mode, Window { rows: kept, ..window }, from, to);
        clear_cells(pc, &mode, Window { top: freed, rows: lines, ..window }, attribute);
        return;
    }
    let height = u16::from(pc.read_u8(data_area::CHARACTER_HEIGHT));
    let picture = Picture::of(pc, &mode);
    let (x, width) = (u16::from(window.left) * 8, u16::from(window.columns) * 8);
    let pixels = |rows: u8| u16::from(rows) * height;
    picture.copy(pc, (x, pixels(from)), (x, pixels(to)), (width, pixels(kept)));
    picture.fill(pc, (x, pixels(freed)), (width, pixels(lines)), colour);
    picture.done(pc);
}

/// Where the first cell of `row` in `window` is, counted from A0000h.
fn row_start(pc: &Pc, mode: &Mode, window: Window, row: u8) -> u32 {
    let at = Place { page: window.page, row, column: window.left };
    let memory = mode.memory.0.saturating_sub(VIDEO_MEMORY.0) & 0x1_ffff;
    memory as u32 + (cursor::cell_offset(pc, at) & 0xffff)
}

fn copy_cells(pc: &mut Pc, mode: &Mode, window: Window, from: u8, to: u8) {
    for row in 0..window.rows {
        let row = if to <= from { row } else { window.rows - 1 - row };
        let source = row_start(pc, mode, window, from + row);
        let target = row_start(pc, mode, window, to + row);
        pc.devices.vga_mut().copy(source, target, u32::from(window.columns) * 2);
    }
}

fn clear_cells(pc: &mut Pc, mode: &Mode, window: Window, attribute: u8) {
    for row in 0..window.rows {
        let start = row_start(pc, mode, window, window.top + row);
        let len = u32::from(window.columns) * 2;
        pc.devices.vga_mut().fill(start, [b' ', attribute], len);
    }
}
