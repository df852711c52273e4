//! INT 10h: video (IBM PS/2 BIOS Interface Technical Reference, "Interrupt 10h"; Ralf Brown's Interrupt List; VESA
//! BIOS Extension 3.0).
//!
//! Owns nothing: the mode, the cursors and the font's height are in the BIOS data area, the picture is in the VGA, so
//! that programs which write either share one state with the services. What the sources leave open is as in SeaBIOS'
//! VGA BIOS.

mod alternate;
mod characters;
mod cursor;
mod fonts;
mod graphics;
mod info;
mod modes;
mod palette;
mod pixels;
mod registers;
mod rest;
pub mod rom;
mod scroll;
mod set_mode;
mod state;
mod teletype;
mod vbe;

use super::Pc;
use super::{Outcome, data_area};
use crate::x86::Gpr;

/// Serves INT 10h. A function that does not exist changes nothing.
pub fn serve(pc: &mut Pc) -> Outcome {
    let (al, bh) = (pc.low(Gpr::Rax), pc.high(Gpr::Rbx));
    match pc.high(Gpr::Rax) {
        0x00 => set_mode::serve(pc),
        0x01 => cursor::set_shape(pc, pc.high(Gpr::Rcx), pc.low(Gpr::Rcx)),
        0x02 => {
            let at = cursor::Place { page: bh, row: pc.high(Gpr::Rdx), column: pc.low(Gpr::Rdx) };
            cursor::set(pc, at);
        }
        0x03 => cursor::serve_read(pc),
        0x04 => {
            [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx].iter().for_each(|&gpr| pc.set_word(gpr, 0))
        }
        0x05 => cursor::show_page(pc, al),
        0x06 => scroll::serve(pc, scroll::Direction::Up),
        0x07 => scroll::serve(pc, scroll::Direction::Down),
        0x08 => characters::serve_read(pc),
        0x09 => characters::serve_write(pc, true),
        0x0a => characters::serve_write(pc, false),
        0x0b => palette::serve_colour(pc),
        0x0c => pixels::serve_write(pc),
        0x0d => pixels::serve_read(pc),
        0x0e => teletype::serve(pc),
        0x0f => serve_get_mode(pc),
        0x10 => palette::serve(pc),
        0x11 => fonts::serve(pc),
        0x12 => alternate::serve(pc),
        0x13 => teletype::serve_string(pc),
        0x1a => info::serve_combination(pc),
        0x1b => info::serve_state(pc),
        0x1c => state::serve(pc),
        0x4f => vbe::serve(pc),
        _ => {}
    }
    Outcome::Return
}

/// Goes on with a text that AH=09, 0A or 13 has begun with.
pub fn serve_rest(pc: &mut Pc) -> Outcome {
    let (done, at) = rest::take(pc);
    match pc.high(Gpr::Rax) {
        function @ (0x09 | 0x0a) => characters::write_rest(pc, function == 0x09, done, at),
        0x13 => teletype::write_rest(pc, done, at),
        _ => {}
    }
    Outcome::Return
}

/// Puts the VGA and its part of the BIOS data area into the state that programs start in: mode 3, blank, the cursor at
/// the beginning.
pub fn power_on(pc: &mut Pc) {
    set_mode::power_on(pc);
}

/// AH=0F: the mode, its columns and the page shown.
fn serve_get_mode(pc: &mut Pc) {
    let mode = pc.read_u8(data_area::VIDEO_MODE);
    let kept = pc.read_u8(data_area::VIDEO_CONTROL) & 0x80;
    let page = pc.read_u8(data_area::VIDEO_PAGE);
    let columns = pc.read_u8(data_area::VIDEO_COLUMNS);
    pc.set_high(Gpr::Rbx, page);
    pc.set_word(Gpr::Rax, u16::from_be_bytes([columns, mode | kept]));
}

#[cfg(test)]
mod tests;
