//! What is there and how it is set: AH=1A and 1B.

use super::super::{data_area, pc::Pc};
use super::modes::{self, Layout};
use super::rom;
use crate::x86::{Gpr, SegmentName};

/// Bytes of the table of AH=1B.
const TABLE: usize = 0x40;

/// AH=1A: reads (AL = 0) or sets the display combination.
pub fn serve_combination(pc: &mut Pc) {
    match pc.low(Gpr::Rax) {
        0 => {
            let active = pc.read_u8(data_area::VIDEO_COMBINATION);
            pc.set_word(Gpr::Rbx, active.into());
        }
        1 => pc.write_u8(data_area::VIDEO_COMBINATION, pc.low(Gpr::Rbx)),
        _ => return,
    }
    pc.set_low(Gpr::Rax, 0x1a);
}

/// AH=1B: functionality and state, 64 bytes at ES:DI, whatever BX asks for.
pub fn serve_state(pc: &mut Pc) {
    let mut table = [0; TABLE];
    table[..4].copy_from_slice(&rom::pointer(rom::FUNCTIONALITY).to_le_bytes());
    // Mode, columns, page size and start, cursors and their shape, page, CRTC, mode and palette registers.
    pc.read(data_area::VIDEO_MODE, &mut table[0x04..0x22]);
    pc.read(data_area::VIDEO_ROWS, &mut table[0x22..0x25]);
    table[0x25] = pc.read_u8(data_area::VIDEO_COMBINATION);
    let vga = pc.devices.vga();
    let colours = vga.mode().map_or(16, |mode| mode.colours);
    table[0x27..0x29].copy_from_slice(&colours.to_le_bytes());
    table[0x29] = match modes::current(pc).map(|mode| mode.layout) {
        Some(Layout::Text) => 8,
        _ => 1,
    };
    table[0x2a] = match vga.shown_lines() {
        480.. => 3,
        400.. => 2,
        350.. => 1,
        _ => 0,
    };
    // 256 KiB.
    table[0x31] = 3;
    let at = pc.address(SegmentName::Es, pc.word(Gpr::Rdi));
    pc.write(at, &table);
    pc.set_low(Gpr::Rax, 0x1b);
}
