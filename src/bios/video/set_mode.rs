//! AH=00: sets a mode, and what the BIOS data area says of it.

use super::super::{data_area, pc::Pc};
use super::modes::{self, Layout, Mode};
use super::{palette, registers, rom};
use crate::x86::{Gpr, Phys};

/// AL: video memory is left as it is.
const KEEP: u8 = 0x80;
/// [`data_area::VIDEO_CONTROL`]: 256 KiB, a colour monitor.
const CONTROL: u8 = 0x60;
/// [`data_area::VIDEO_SWITCHES`]: an enhanced colour monitor.
const SWITCHES: u8 = 0xf9;
/// [`data_area::VIDEO_MODE_OPTIONS`]: a VGA is active, text has 400 lines.
const OPTIONS: u8 = 0x51;
/// [`data_area::VIDEO_MODE_OPTIONS`]: modes leave the colours alone.
pub const KEEP_PALETTE: u8 = 0x08;
/// [`data_area::VIDEO_MODE_OPTIONS`]: modes make their colours grey.
pub const GREY: u8 = 0x02;
/// [`data_area::VIDEO_COMBINATION`]: a VGA with an analog colour monitor.
const COMBINATION: u8 = 0x08;

/// AH=00: sets mode AL. One that does not exist changes nothing.
pub fn serve(pc: &mut Pc) {
    let al = pc.low(Gpr::Rax);
    let number = al & !KEEP;
    // What the BIOS of the first PC left in AL.
    pc.set_low(
        Gpr::Rax,
        match number {
            6 => 0x3f,
            0..=7 => 0x30,
            _ => 0x20,
        },
    );
    if let Some(mode) = modes::find(number) {
        set(pc, mode, al & KEEP == 0);
    }
}

/// Mode 3, and the fields of the BIOS data area that a mode does not set.
pub fn power_on(pc: &mut Pc) {
    pc.write_u8(data_area::VIDEO_MODE_OPTIONS, OPTIONS);
    pc.write_u8(data_area::VIDEO_COMBINATION, COMBINATION);
    pc.write_u32(data_area::VIDEO_SAVE_POINTER, rom::pointer(rom::SAVE_POINTERS));
    if let Some(mode) = modes::find(3) {
        set(pc, mode, true);
    }
}

/// Sets a mode of the VGA.
pub fn set(pc: &mut Pc, mode: &Mode, clear: bool) {
    let options = pc.read_u8(data_area::VIDEO_MODE_OPTIONS);
    let vga = pc.devices.vga_mut();
    let colours = (options & KEEP_PALETTE != 0).then(|| vga.save_colours());
    vga.set_mode(mode.number, clear);
    if let Some(colours) = colours {
        vga.set_colours(colours);
    } else if options & GREY != 0 {
        palette::sum_to_grey(vga, 0, 0x100);
    }
    note(pc, mode, clear);
}

/// Sets what the BIOS data area and the vectors say of the mode.
pub fn note(pc: &mut Pc, mode: &Mode, clear: bool) {
    let options = pc.read_u8(data_area::VIDEO_MODE_OPTIONS);
    let crtc_port = registers::crtc_port(pc.devices.vga_mut());
    pc.write_u8(data_area::VIDEO_MODE, mode.number);
    pc.write_u16(data_area::VIDEO_COLUMNS, mode.columns);
    pc.write_u16(data_area::VIDEO_PAGE_SIZE, mode.page_size);
    pc.write_u16(data_area::VIDEO_PAGE_START, 0);
    (0..8).for_each(|page| pc.write_u16(data_area::CURSOR_POSITIONS.offset(page * 2), 0));
    let shape = if mode.layout == Layout::Text { 0x0607 } else { 0 };
    pc.write_u16(data_area::CURSOR_SHAPE, shape);
    pc.write_u8(data_area::VIDEO_PAGE, 0);
    pc.write_u16(data_area::CRTC_PORT, crtc_port);
    pc.write_u8(data_area::VIDEO_ROWS, mode.rows - 1);
    pc.write_u16(data_area::CHARACTER_HEIGHT, mode.height.into());
    pc.write_u8(data_area::VIDEO_CONTROL, CONTROL | if clear { 0 } else { KEEP });
    pc.write_u8(data_area::VIDEO_SWITCHES, SWITCHES);
    pc.write_u8(data_area::VIDEO_MODE_OPTIONS, options & 0x7f);
    let font = match mode.height {
        8 => rom::FONT_8X8,
        14 => rom::FONT_8X14,
        _ => rom::FONT_8X16,
    };
    set_vector(pc, 0x1f, rom::pointer(rom::FONT_8X8_UPPER));
    set_vector(pc, 0x43, rom::pointer(font));
}

/// Puts a far pointer into the interrupt vector table.
pub fn set_vector(pc: &mut Pc, vector: u8, pointer: u32) {
    pc.write_u32(Phys(u64::from(vector) * 4), pointer);
}
