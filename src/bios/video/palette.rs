//! Colours: AH=10, the attribute controller's palette and the DAC, and AH=0B, which does what a CGA could.

use super::super::pc::Pc;
use super::registers;
use crate::devices::vga::Vga;
use crate::x86::{Gpr, SegmentName};

const MODE_CONTROL: u8 = 0x10;
const OVERSCAN: u8 = 0x11;
const COLOUR_SELECT: u8 = 0x14;
/// Mode control: attribute bit 7 blinks.
const BLINK: u8 = 0x08;
/// Mode control: 16 pages of 16 colours in the DAC, not 4 of 64.
const PAGES_OF_16: u8 = 0x80;
/// Colours in the palette.
const COLOURS: u8 = 16;

const DAC_MASK: u16 = 0x3c6;
const DAC_READ: u16 = 0x3c7;
const DAC_WRITE: u16 = 0x3c8;
const DAC_DATA: u16 = 0x3c9;

/// AH=0B: the background and the border (BH = 0), or which four colours mode 4 has.
pub fn serve_colour(pc: &mut Pc) {
    let (which, value) = (pc.high(Gpr::Rbx), pc.low(Gpr::Rbx));
    let vga = pc.devices.vga_mut();
    match which {
        0 => {
            // Bit 3 is the CGA's intensity, which is bit 4 in the palette.
            let low = value & 0x0f;
            registers::set_attribute(vga, 0, if low & 8 == 0 { low } else { low + 8 });
            (1..4).for_each(|index| registers::change_attribute(vga, index, 0x10, value));
        }
        1 => (1..4).for_each(|index| registers::change_attribute(vga, index, 0x01, value)),
        _ => {}
    }
}

/// AH=10.
pub fn serve(pc: &mut Pc) {
    let (bl, bh, bx) = (pc.low(Gpr::Rbx), pc.high(Gpr::Rbx), pc.word(Gpr::Rbx));
    let [low, high] = bx.to_le_bytes();
    match pc.low(Gpr::Rax) {
        0x00 => set_register(pc.devices.vga_mut(), bl, bh),
        0x01 => registers::set_attribute(pc.devices.vga_mut(), OVERSCAN, bh),
        0x02 => set_all(pc),
        0x03 => {
            let blink = if bl & 1 == 0 { 0 } else { BLINK };
            registers::change_attribute(pc.devices.vga_mut(), MODE_CONTROL, BLINK, blink);
        }
        0x07 if low <= COLOUR_SELECT => {
            let value = registers::attribute(pc.devices.vga_mut(), low);
            pc.set_high(Gpr::Rbx, value);
        }
        0x08 => {
            let value = registers::attribute(pc.devices.vga_mut(), OVERSCAN);
            pc.set_high(Gpr::Rbx, value);
        }
        0x09 => get_all(pc),
        0x10 => {
            let colour = [pc.high(Gpr::Rdx), pc.high(Gpr::Rcx), pc.low(Gpr::Rcx)];
            write_dac(pc.devices.vga_mut(), low, &colour);
        }
        0x12 => set_block(pc),
        0x13 => set_page(pc.devices.vga_mut(), low, high),
        0x15 => {
            let [red, green, blue] = read_dac(pc.devices.vga_mut(), low);
            pc.set_high(Gpr::Rdx, red);
            pc.set_word(Gpr::Rcx, u16::from_be_bytes([green, blue]));
        }
        0x17 => get_block(pc),
        0x18 => {
            pc.devices.vga_mut().port_write(DAC_MASK, low);
        }
        0x19 => {
            let mask = pc.devices.vga_mut().port_read(DAC_MASK).unwrap_or_default();
            pc.set_low(Gpr::Rbx, mask);
        }
        0x1a => get_page(pc),
        0x1b => sum_to_grey(pc.devices.vga_mut(), low, pc.cpu.get(Gpr::Rcx) as u16),
        _ => {}
    }
}

/// AL=00: a register of the attribute controller.
fn set_register(vga: &mut Vga, index: u8, value: u8) {
    if index <= COLOUR_SELECT {
        registers::set_attribute(vga, index, value);
    }
}

/// AL=02: the palette and the overscan colour, 17 bytes at ES:DX.
fn set_all(pc: &mut Pc) {
    for index in 0..=COLOURS {
        let value = pc.read_u8(table_byte(pc, index.into()));
        let register = if index == COLOURS { OVERSCAN } else { index };
        registers::set_attribute(pc.devices.vga_mut(), register, value);
    }
}

/// AL=09: the same the other way.
fn get_all(pc: &mut Pc) {
    for index in 0..=COLOURS {
        let register = if index == COLOURS { OVERSCAN } else { index };
        let value = registers::attribute(pc.devices.vga_mut(), register);
        pc.write_u8(table_byte(pc, index.into()), value);
    }
}

/// Where byte `index` of the table at ES:DX is.
fn table_byte(pc: &Pc, index: u16) -> crate::x86::Phys {
    pc.address(SegmentName::Es, pc.word(Gpr::Rdx).wrapping_add(index))
}

/// AL=12: CX colours of the DAC from BX on, of the table at ES:DX.
fn set_block(pc: &mut Pc) {
    let first = pc.low(Gpr::Rbx);
    for number in 0..pc.word(Gpr::Rcx) {
        let part = |part| pc.read_u8(table_byte(pc, number.wrapping_mul(3).wrapping_add(part)));
        let colour = [0, 1, 2].map(part);
        write_dac(pc.devices.vga_mut(), first.wrapping_add(number as u8), &colour);
    }
}

/// AL=17: the same the other way.
fn get_block(pc: &mut Pc) {
    let first = pc.low(Gpr::Rbx);
    for number in 0..pc.word(Gpr::Rcx) {
        let colour = read_dac(pc.devices.vga_mut(), first.wrapping_add(number as u8));
        for (part, value) in (0..).zip(colour) {
            let at = table_byte(pc, number.wrapping_mul(3).wrapping_add(part));
            pc.write_u8(at, value);
        }
    }
}

/// Writes a colour of the DAC.
pub fn write_dac(vga: &mut Vga, number: u8, colour: &[u8; 3]) {
    vga.port_write(DAC_WRITE, number);
    for &part in colour {
        vga.port_write(DAC_DATA, part);
    }
}

/// Reads a colour of the DAC.
pub fn read_dac(vga: &mut Vga, number: u8) -> [u8; 3] {
    vga.port_write(DAC_READ, number);
    [(); 3].map(|()| vga.port_read(DAC_DATA).unwrap_or_default())
}

/// AL=13: into how many pages the DAC is divided (BL = 0), and which is shown.
fn set_page(vga: &mut Vga, which: u8, value: u8) {
    if which & 1 == 0 {
        let divided = if value & 1 == 0 { 0 } else { PAGES_OF_16 };
        registers::change_attribute(vga, MODE_CONTROL, PAGES_OF_16, divided);
    } else {
        let small = registers::attribute(vga, MODE_CONTROL) & PAGES_OF_16 != 0;
        let select = if small { value & 0x0f } else { value << 2 & 0x0c };
        registers::set_attribute(vga, COLOUR_SELECT, select);
    }
}

/// AL=1A: the same the other way.
fn get_page(pc: &mut Pc) {
    let vga = pc.devices.vga_mut();
    let small = registers::attribute(vga, MODE_CONTROL) & PAGES_OF_16 != 0;
    let select = registers::attribute(vga, COLOUR_SELECT) & 0x0f;
    let page = if small { select } else { select >> 2 };
    pc.set_word(Gpr::Rbx, u16::from_be_bytes([page, small.into()]));
}

/// AL=1B: makes `count` colours of the DAC grey, as bright as they are.
pub fn sum_to_grey(vga: &mut Vga, first: u8, count: u16) {
    for number in 0..count.min(256) {
        let number = first.wrapping_add(number as u8);
        let [red, green, blue] = read_dac(vga, number).map(u16::from);
        // 30 % of the red, 59 % of the green, 11 % of the blue.
        let grey = ((77 * red + 151 * green + 28 * blue + 0x80) >> 8).min(0x3f) as u8;
        write_dac(vga, number, &[grey; 3]);
    }
}
