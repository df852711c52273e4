//! AH=1C: saves and restores the state of the VGA in a guest's buffer. The buffer's layout is the firmware's own.

use super::super::{data_area, pc::Pc};
use super::{palette, registers};
use crate::devices::vga::Vga;
use crate::x86::{Gpr, Phys, SegmentName};

/// CX: the VGA's registers.
const HARDWARE: u16 = 0x01;
/// CX: the BIOS data area and vectors.
const DATA_AREA: u16 = 0x02;
/// CX: the DAC.
const DAC: u16 = 0x04;
/// What a buffer is counted in, in bytes.
const BLOCK: usize = 64;

const SEQUENCER: usize = 5;
const CRTC: usize = 25;
const GRAPHICS: usize = 9;
const ATTRIBUTE: usize = 21;
/// Misc output, feature control, and the indices of the CRT controller, the sequencer and the graphics controller.
const SINGLE: usize = 5;
const HARDWARE_SIZE: usize = SINGLE + SEQUENCER + CRTC + GRAPHICS + ATTRIBUTE;

/// What of the BIOS data area is video's.
const FIELDS: [(Phys, usize); 3] =
    [(data_area::VIDEO_MODE, 30), (data_area::VIDEO_ROWS, 7), (data_area::VIDEO_SAVE_POINTER, 4)];
/// Vectors 1Fh and 43h.
const VECTORS: [Phys; 2] = [Phys(0x1f * 4), Phys(0x43 * 4)];
const DATA_AREA_SIZE: usize = 30 + 7 + 4 + 2 * 4;

/// Mask, write index, and the colours.
const DAC_SIZE: usize = 2 + 256 * 3;

/// AH=1C: tells the size of (AL = 0), saves or restores what CX asks for, at ES:BX.
pub fn serve(pc: &mut Pc) {
    let what = pc.word(Gpr::Rcx);
    if what & !(HARDWARE | DATA_AREA | DAC) != 0 {
        return;
    }
    match pc.low(Gpr::Rax) {
        0 => {
            let blocks = size(what).div_ceil(BLOCK);
            pc.set_word(Gpr::Rbx, blocks as u16);
        }
        1 => save(pc, what),
        2 => restore(pc, what),
        _ => return,
    }
    pc.set_low(Gpr::Rax, 0x1c);
}

/// Bytes of the states asked for.
#[must_use]
pub fn size(what: u16) -> usize {
    let parts = [(HARDWARE, HARDWARE_SIZE), (DATA_AREA, DATA_AREA_SIZE), (DAC, DAC_SIZE)];
    parts.into_iter().filter(|(part, _)| what & part != 0).map(|(_, size)| size).sum()
}

/// Saves what is asked for at ES:BX.
pub fn save(pc: &mut Pc, what: u16) {
    let mut bytes = Vec::new();
    if what & HARDWARE != 0 {
        save_hardware(pc.devices.vga_mut(), &mut bytes);
    }
    if what & DATA_AREA != 0 {
        for (at, len) in FIELDS.into_iter().chain(VECTORS.map(|vector| (vector, 4))) {
            let start = bytes.len();
            bytes.resize(start + len, 0);
            pc.read(at, &mut bytes[start..]);
        }
    }
    if what & DAC != 0 {
        let vga = pc.devices.vga_mut();
        bytes.extend([0x3c6, 0x3c8].map(|port| vga.port_read(port).unwrap_or_default()));
        bytes.extend((0..=u8::MAX).flat_map(|number| palette::read_dac(vga, number)));
        if let Some(&index) = bytes.get(bytes.len() - DAC_SIZE + 1) {
            vga.port_write(0x3c8, index);
        }
    }
    let at = pc.address(SegmentName::Es, pc.word(Gpr::Rbx));
    pc.write(at, &bytes);
}

fn save_hardware(vga: &mut Vga, bytes: &mut Vec<u8>) {
    let crtc = registers::crtc_port(vga);
    for port in [0x3cc, 0x3ca, crtc, 0x3c4, 0x3ce] {
        bytes.push(vga.port_read(port).unwrap_or_default());
    }
    bytes.extend((0..SEQUENCER as u8).map(|index| registers::sequencer(vga, index)));
    bytes.extend((0..CRTC as u8).map(|index| registers::crtc(vga, index)));
    bytes.extend((0..GRAPHICS as u8).map(|index| registers::graphics(vga, index)));
    bytes.extend((0..ATTRIBUTE as u8).map(|index| registers::attribute(vga, index)));
    let start = bytes.len() - HARDWARE_SIZE;
    put_indices(vga, crtc, [bytes[start + 2], bytes[start + 3], bytes[start + 4]]);
}

fn put_indices(vga: &mut Vga, crtc: u16, indices: [u8; 3]) {
    for (port, index) in [crtc, 0x3c4, 0x3ce].into_iter().zip(indices) {
        vga.port_write(port, index);
    }
}

/// Restores what is asked for from ES:BX.
pub fn restore(pc: &mut Pc, what: u16) {
    let mut bytes = vec![0; size(what)];
    pc.read(pc.address(SegmentName::Es, pc.word(Gpr::Rbx)), &mut bytes);
    let mut rest = bytes.as_slice();
    let mut take = |len: usize| {
        let (first, others) = rest.split_at(len);
        rest = others;
        first
    };
    if what & HARDWARE != 0 {
        restore_hardware(pc.devices.vga_mut(), take(HARDWARE_SIZE));
    }
    if what & DATA_AREA != 0 {
        for (at, len) in FIELDS.into_iter().chain(VECTORS.map(|vector| (vector, 4))) {
            pc.write(at, take(len));
        }
    }
    if what & DAC != 0 {
        let vga = pc.devices.vga_mut();
        let (single, colours) = take(DAC_SIZE).split_at(2);
        vga.port_write(0x3c6, single[0]);
        vga.port_write(0x3c8, 0);
        colours.iter().for_each(|&part| _ = vga.port_write(0x3c9, part));
        vga.port_write(0x3c8, single[1]);
    }
}

fn restore_hardware(vga: &mut Vga, bytes: &[u8]) {
    let (single, rest) = bytes.split_at(SINGLE);
    let (sequencer, rest) = rest.split_at(SEQUENCER);
    let (crtc, rest) = rest.split_at(CRTC);
    let (graphics, attribute) = rest.split_at(GRAPHICS);
    vga.port_write(0x3c2, single[0]);
    let port = registers::crtc_port(vga);
    vga.port_write(port + 6, single[1]);
    (0..).zip(sequencer).for_each(|(index, &value)| registers::set_sequencer(vga, index, value));
    // Without the protection of the registers 0 to 7.
    registers::set_crtc(vga, 0x11, crtc[0x11] & 0x7f);
    (0..).zip(crtc).for_each(|(index, &value)| {
        if index != 0x11 {
            registers::set_crtc(vga, index, value);
        }
    });
    registers::set_crtc(vga, 0x11, crtc[0x11]);
    (0..).zip(graphics).for_each(|(index, &value)| registers::set_graphics(vga, index, value));
    (0..).zip(attribute).for_each(|(index, &value)| registers::set_attribute(vga, index, value));
    registers::show_picture(vga);
    put_indices(vga, port, [single[2], single[3], single[4]]);
}
