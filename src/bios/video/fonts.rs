//! Fonts: AH=11.

use super::super::{data_area, pc::Pc};
use super::set_mode::set_vector;
use super::{cursor, modes, registers, rom};
use crate::x86::{Gpr, Phys, SegOff, SegmentName};

/// Bytes that a character takes in plane 2.
const STRIDE: u16 = 32;
/// The plane of fonts.
const PLANE: u8 = 1 << 2;
/// AL: a function that loads a font also sets the lines of a character by it.
const WITH_HEIGHT: u8 = 0x10;

/// AH=11.
pub fn serve(pc: &mut Pc) {
    let (al, bl) = (pc.low(Gpr::Rax), pc.low(Gpr::Rbx));
    match al {
        0x00 | 0x10 => {
            let font = SegOff::new(pc.cpu.segments.es.selector, pc.word(Gpr::Rbp));
            let (count, first) = (pc.word(Gpr::Rcx), pc.word(Gpr::Rdx));
            let height = pc.high(Gpr::Rbx);
            load(pc, font, count, first, bl, height);
            finish(pc, al, height);
        }
        0x01 | 0x11 => load_own(pc, al, bl, rom::FONT_8X14, 14),
        0x02 | 0x12 => load_own(pc, al, bl, rom::FONT_8X8, 8),
        0x04 | 0x14 => load_own(pc, al, bl, rom::FONT_8X16, 16),
        0x03 => registers::set_sequencer(pc.devices.vga_mut(), 0x03, bl),
        0x20 => set_vector(pc, 0x1f, caller_pointer(pc)),
        0x21 => {
            set_vector(pc, 0x43, caller_pointer(pc));
            set_rows(pc, pc.word(Gpr::Rcx));
        }
        0x22 => set_own(pc, rom::FONT_8X14, 14),
        0x23 => set_own(pc, rom::FONT_8X8, 8),
        0x24 => set_own(pc, rom::FONT_8X16, 16),
        0x30 => serve_information(pc),
        _ => {}
    }
}

/// ES:BP, as a far pointer lies in memory.
fn caller_pointer(pc: &Pc) -> u32 {
    u32::from(pc.cpu.segments.es.selector) << 16 | u32::from(pc.word(Gpr::Rbp))
}

fn load_own(pc: &mut Pc, function: u8, block: u8, font: u16, height: u8) {
    load(pc, SegOff::new(rom::SEGMENT, font), 0x100, 0, block, height);
    finish(pc, function, height);
}

/// Loads `count` characters from `first` on into font `block`.
fn load(pc: &mut Pc, font: SegOff, count: u16, first: u16, block: u8, height: u8) {
    // The blocks 4 to 7 are between the others.
    let block = u16::from(block & 3) << 14 | u16::from(block & 4) << 11;
    let mut from = font.offset;
    for character in 0..count.min(0x100) {
        let to = block.wrapping_add(first.wrapping_add(character).wrapping_mul(STRIDE));
        for line in 0..u16::from(height) {
            let byte = pc.read_u8(Phys(SegOff::new(font.segment, from).linear().0));
            let data = [0, 0, byte, 0];
            pc.devices.vga_mut().set_planes_at(to.wrapping_add(line), data, PLANE);
            from = from.wrapping_add(1);
        }
    }
}

/// Sets the lines of a character, the rows of the screen, and the cursor accordingly, if the function does so.
fn finish(pc: &mut Pc, function: u8, height: u8) {
    if function & WITH_HEIGHT == 0 || height == 0 {
        return;
    }
    let vga = pc.devices.vga_mut();
    let lines = registers::crtc(vga, 0x09);
    registers::set_crtc(vga, 0x09, lines & 0xe0 | (height - 1) & 0x1f);
    let shown = vga.shown_lines();
    let rows = (shown / u16::from(height)).clamp(1, 0x100);
    pc.write_u16(data_area::CHARACTER_HEIGHT, height.into());
    if height == 8 {
        cursor::set_shape(pc, 6, 7);
    } else {
        cursor::set_shape(pc, height.saturating_sub(3), height.saturating_sub(2));
    }
    pc.write_u8(data_area::VIDEO_ROWS, (rows - 1) as u8);
    let columns = pc.read_u16(data_area::VIDEO_COLUMNS);
    pc.write_u16(data_area::VIDEO_PAGE_SIZE, modes::text_page_size(columns, rows));
}

/// Makes a font of the ROM that of graphics modes.
fn set_own(pc: &mut Pc, font: u16, height: u16) {
    set_vector(pc, 0x43, rom::pointer(font));
    set_rows(pc, height);
}

/// Sets the rows of a graphics mode by BL, and the lines of its characters.
fn set_rows(pc: &mut Pc, height: u16) {
    let rows = match pc.low(Gpr::Rbx) {
        0 => pc.low(Gpr::Rdx),
        1 => 14,
        3 => 43,
        _ => 25,
    };
    pc.write_u8(data_area::VIDEO_ROWS, rows.wrapping_sub(1));
    pc.write_u16(data_area::CHARACTER_HEIGHT, height);
}

/// AL=30: where the font BH is, the lines of a character and the last row.
fn serve_information(pc: &mut Pc) {
    let font = match pc.high(Gpr::Rbx) {
        0 => pc.vector(0x1f),
        1 => pc.vector(0x43),
        2 => SegOff::new(rom::SEGMENT, rom::FONT_8X14),
        3 => SegOff::new(rom::SEGMENT, rom::FONT_8X8),
        4 => SegOff::new(rom::SEGMENT, rom::FONT_8X8_UPPER),
        5 | 7 => SegOff::new(rom::SEGMENT, rom::FONT_9_WIDE),
        6 => SegOff::new(rom::SEGMENT, rom::FONT_8X16),
        _ => return,
    };
    let height = pc.read_u16(data_area::CHARACTER_HEIGHT);
    let rows = pc.read_u8(data_area::VIDEO_ROWS);
    let es = pc.cpu.segments.get_mut(SegmentName::Es);
    es.selector = font.segment;
    es.base = u64::from(font.segment) << 4;
    pc.set_word(Gpr::Rbp, font.offset);
    pc.set_word(Gpr::Rcx, height);
    pc.set_low(Gpr::Rdx, rows);
}
