//! AH=12, "alternate select": what the EGA's and the VGA's firmware can be asked, by BL.

use super::super::{data_area, pc::Pc};
use super::set_mode::{GREY, KEEP_PALETTE};
use crate::devices::vga::Vga;
use crate::x86::Gpr;

const MISC_READ: u16 = 0x3cc;
const MISC_WRITE: u16 = 0x3c2;
/// Misc output: the host reaches video memory.
const MEMORY: u8 = 0x02;
/// What AL is if the function is there.
const SUPPORTED: u8 = 0x12;

/// AH=12.
pub fn serve(pc: &mut Pc) {
    let al = pc.low(Gpr::Rax);
    match pc.low(Gpr::Rbx) {
        0x10 => {
            let monochrome = pc.read_u16(data_area::CRTC_PORT) == 0x3b4;
            let switches = pc.read_u8(data_area::VIDEO_SWITCHES) & 0x0f;
            // 256 KiB, and no feature bits.
            pc.set_word(Gpr::Rbx, u16::from_be_bytes([monochrome.into(), 3]));
            pc.set_word(Gpr::Rcx, switches.into());
        }
        0x30 => set_lines(pc, al),
        0x31 => change(pc, data_area::VIDEO_MODE_OPTIONS, KEEP_PALETTE, al & 1 != 0),
        0x32 => {
            reach_memory(pc.devices.vga_mut(), al & 1 == 0);
            pc.set_low(Gpr::Rax, SUPPORTED);
        }
        0x33 => change(pc, data_area::VIDEO_MODE_OPTIONS, GREY, al & 1 == 0),
        0x34 => change(pc, data_area::VIDEO_CONTROL, 0x01, al & 1 != 0),
        0x35 | 0x36 => pc.set_low(Gpr::Rax, SUPPORTED),
        _ => {}
    }
}

fn change(pc: &mut Pc, field: crate::x86::Phys, bit: u8, set: bool) {
    let value = pc.read_u8(field);
    pc.write_u8(field, if set { value | bit } else { value & !bit });
    pc.set_low(Gpr::Rax, SUPPORTED);
}

/// BL=30: the lines of the text modes to be set: 200, 350 or 400.
fn set_lines(pc: &mut Pc, which: u8) {
    pc.set_low(Gpr::Rax, SUPPORTED);
    let options = pc.read_u8(data_area::VIDEO_MODE_OPTIONS) & !0x90;
    let switches = pc.read_u8(data_area::VIDEO_SWITCHES) & 0xf0;
    let (options, switches) = match which {
        0 => (options | 0x80, switches | 0x08),
        1 => (options, switches | 0x09),
        2 => (options | 0x10, switches | 0x09),
        _ => return,
    };
    pc.write_u8(data_area::VIDEO_MODE_OPTIONS, options);
    pc.write_u8(data_area::VIDEO_SWITCHES, switches);
}

fn reach_memory(vga: &mut Vga, reach: bool) {
    let misc = vga.port_read(MISC_READ).unwrap_or_default();
    vga.port_write(MISC_WRITE, if reach { misc | MEMORY } else { misc & !MEMORY });
}
