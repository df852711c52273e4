//! AH=4F: VBE, the modes of the linear framebuffer (VESA BIOS Extension Core Functions Standard 3.0). Mode numbers
//! above 11Bh are those that QEMU's firmware has.

use super::super::{data_area, pc::Pc};
use super::modes::{self, Layout, Mode};
use super::{palette, rom, set_mode, state};
use crate::devices::vga::vbe::{FRAMEBUFFER, FRAMEBUFFER_SIZE, LinearMode};
use crate::x86::{Gpr, Phys, SegmentName};

/// AX: the function is there and has succeeded.
const DONE: u16 = 0x004f;
/// AX: it is there and has failed.
const FAILED: u16 = 0x014f;
/// AX: it is not there in this mode.
const NOT_IN_THIS_MODE: u16 = 0x034f;
/// AX: there is no such function.
const ABSENT: u16 = 0x0100;

/// BX of AL=02: the linear framebuffer is wanted.
const LINEAR: u16 = 0x4000;
/// BX of AL=02: memory is left as it is.
const KEEP: u16 = 0x8000;
/// BX of AL=02: the mode's number.
const NUMBER: u16 = 0x01ff;

const VERSION: u16 = 0x0300;
/// The DAC can take 8 bits a component.
const WIDE_DAC: u32 = 1;
/// Bytes of a bank.
const BANK: u32 = 0x1_0000;

/// Ports of the Bochs VBE Display API.
const INDEX: u16 = 0x1ce;
const DATA: u16 = 0x1cf;
const ENABLE: u16 = 4;
const ENABLED: u16 = 0x01;
const DAC_8_BITS: u16 = 0x20;

/// Numbers, width, height, and the bits a pixel of the first number, the second and so on.
type Group = (&'static [u16], u16, u16, &'static [u16]);

#[rustfmt::skip]
static GROUPS: [Group; 21] = [
    (&[0x100, 0x141], 640, 400, &[8, 32]),
    (&[0x101, 0x110, 0x111, 0x112, 0x142], 640, 480, &[8, 15, 16, 24, 32]),
    (&[0x103, 0x113, 0x114, 0x115, 0x143], 800, 600, &[8, 15, 16, 24, 32]),
    (&[0x105, 0x116, 0x117, 0x118, 0x144], 1024, 768, &[8, 15, 16, 24, 32]),
    (&[0x107, 0x119, 0x11a, 0x11b, 0x145], 1280, 1024, &[8, 15, 16, 24, 32]),
    (&[0x146, 0x10d, 0x10e, 0x10f, 0x140], 320, 200, &[8, 15, 16, 24, 32]),
    (&[0x11c, 0x11d, 0x11e, 0x11f, 0x147], 1600, 1200, &[8, 15, 16, 24, 32]),
    (&[0x148, 0x149, 0x14a, 0x14b, 0x14c], 1152, 864, &[8, 15, 16, 24, 32]),
    (&[0x175, 0x176, 0x177], 1280, 768, &[16, 24, 32]),
    (&[0x178, 0x179, 0x17a], 1280, 800, &[16, 24, 32]),
    (&[0x17b, 0x17c, 0x17d], 1280, 960, &[16, 24, 32]),
    (&[0x17e, 0x17f, 0x180], 1440, 900, &[16, 24, 32]),
    (&[0x181, 0x182, 0x183], 1400, 1050, &[16, 24, 32]),
    (&[0x184, 0x185, 0x186], 1680, 1050, &[16, 24, 32]),
    (&[0x187, 0x188, 0x189], 1920, 1200, &[16, 24, 32]),
    (&[0x18a, 0x18b, 0x18c], 2560, 1600, &[16, 24, 32]),
    (&[0x18d, 0x18e, 0x18f], 1280, 720, &[16, 24, 32]),
    (&[0x190, 0x191, 0x192], 1920, 1080, &[16, 24, 32]),
    (&[0x193, 0x194, 0x195], 1600, 900, &[16, 24, 32]),
    (&[0x196, 0x197, 0x198], 2560, 1440, &[16, 24, 32]),
    (&[0x199], 3840, 2160, &[16]),
];

/// The VGA's own modes among those of VBE.
const OWN: [u16; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13, 0x6a];
/// 800x600 in 16 colours, which is a mode of the VGA's registers.
const PLANAR_800: u16 = 0x102;

/// The numbers of all modes, in ascending order but for the VGA's own, which come last.
fn numbers() -> Vec<u16> {
    let mut numbers: Vec<u16> = GROUPS.iter().flat_map(|(numbers, ..)| *numbers).copied().collect();
    numbers.push(PLANAR_800);
    numbers.sort_unstable();
    numbers.extend(OWN);
    numbers
}

/// The mode of the framebuffer that has the number.
fn linear(number: u16) -> Option<LinearMode> {
    GROUPS.iter().find_map(|&(numbers, width, height, depths)| {
        let (_, &depth) =
            numbers.iter().zip(depths).find(|(candidate, _)| **candidate == number)?;
        Some(LinearMode { width, height, depth, virtual_width: width, start: (0, 0) })
    })
}

/// The mode of the VGA's registers that has the number.
fn own(number: u16) -> Option<&'static Mode> {
    match number {
        PLANAR_800 => modes::find(0x6a),
        number if OWN.contains(&number) => modes::find(number.to_le_bytes()[0]),
        _ => None,
    }
}

/// AH=4F.
pub fn serve(pc: &mut Pc) {
    let result = match pc.low(Gpr::Rax) {
        0x00 => controller(pc),
        0x01 => mode_information(pc),
        0x02 => set(pc),
        0x03 => get(pc),
        0x04 => save_restore(pc),
        0x05 => bank(pc),
        0x06 => line_length(pc),
        0x07 => display_start(pc),
        0x08 => dac_width(pc),
        0x09 => colours(pc),
        0x10 => power(pc),
        _ => ABSENT,
    };
    pc.set_word(Gpr::Rax, result);
}

/// Where ES:DI points.
fn buffer(pc: &Pc) -> Phys {
    pc.address(SegmentName::Es, pc.word(Gpr::Rdi))
}

/// A register of the Bochs VBE Display API.
fn register(pc: &mut Pc, index: u16) -> u16 {
    let vga = pc.devices.vga_mut();
    vga.vbe_write(INDEX, index);
    vga.vbe_read(DATA).unwrap_or(0)
}

fn set_register(pc: &mut Pc, index: u16, value: u16) {
    let vga = pc.devices.vga_mut();
    vga.vbe_write(INDEX, index);
    vga.vbe_write(DATA, value);
}

/// AL=00: what there is, 256 bytes, or 512 if the buffer asks for VBE 2; no more than 256 are used.
fn controller(pc: &mut Pc) -> u16 {
    const LIST: usize = 0x22;
    let mut block = vec![0; 256];
    let list = u32::from(pc.cpu.segments.es.selector) << 16
        | u32::from(pc.word(Gpr::Rdi).wrapping_add(LIST as u16));
    block[0x00..0x04].copy_from_slice(b"VESA");
    block[0x04..0x06].copy_from_slice(&VERSION.to_le_bytes());
    block[0x06..0x0a].copy_from_slice(&rom::pointer(rom::OEM_NAME).to_le_bytes());
    block[0x0a..0x0e].copy_from_slice(&WIDE_DAC.to_le_bytes());
    block[0x0e..0x12].copy_from_slice(&list.to_le_bytes());
    let banks = (FRAMEBUFFER_SIZE / BANK) as u16;
    block[0x12..0x14].copy_from_slice(&banks.to_le_bytes());
    for (at, text) in [(0x16, rom::OEM_VENDOR), (0x1a, rom::OEM_PRODUCT), (0x1e, rom::OEM_REVISION)]
    {
        block[at..at + 4].copy_from_slice(&rom::pointer(text).to_le_bytes());
    }
    let numbers = numbers().into_iter().chain([0xffff]).flat_map(u16::to_le_bytes);
    block.iter_mut().skip(LIST).zip(numbers).for_each(|(byte, new)| *byte = new);
    let at = buffer(pc);
    pc.write(at, &block);
    DONE
}

/// AL=01: what mode CX is like.
fn mode_information(pc: &mut Pc) -> u16 {
    let number = pc.word(Gpr::Rcx) & NUMBER;
    let block = match (linear(number), own(number)) {
        (Some(mode), _) => linear_block(mode),
        (None, Some(mode)) => own_block(mode),
        (None, None) => return FAILED,
    };
    let at = buffer(pc);
    pc.write(at, &block);
    DONE
}

/// Fills in what every mode has: attributes, the window, and sizes.
fn block(attributes: u16, segment: u16, pitch: u32, (width, height): (u16, u16)) -> Vec<u8> {
    let mut block = vec![0; 256];
    let mut put = |at: usize, word: u16| block[at..at + 2].copy_from_slice(&word.to_le_bytes());
    put(0x00, attributes);
    // Window A can be moved, read and written, and is 64 KiB as its steps are; there is no window B.
    put(0x02, 0x0007);
    put(0x04, 64);
    put(0x06, 64);
    put(0x08, segment);
    let [low, high] = [rom::SET_BANK, rom::SEGMENT];
    put(0x0c, low);
    put(0x0e, high);
    put(0x10, pitch as u16);
    put(0x12, width);
    put(0x14, height);
    block[0x16..0x18].copy_from_slice(&[8, 16]);
    // Planes, banks as on a CGA, and a reserved byte that is 1.
    block[0x18] = 1;
    block[0x1a] = 1;
    block[0x1e] = 1;
    block
}

fn linear_block(mode: LinearMode) -> Vec<u8> {
    // Supported, all fields valid, colour, graphics, no VGA registers, linear framebuffer.
    let mut block = block(0x00bb, 0xa000, mode.pitch(), (mode.width, mode.height));
    let page = (mode.pitch() * u32::from(mode.height)).next_multiple_of(BANK);
    let packed = mode.depth == 8;
    block[0x19] = mode.depth as u8;
    block[0x1b] = if packed { 4 } else { 6 };
    block[0x1d] = ((FRAMEBUFFER_SIZE / page).clamp(2, 0x80) - 1) as u8;
    // Size and position of red, green, blue and the rest.
    let fields: [u8; 8] = match mode.depth {
        8 => [0; 8],
        15 => [5, 10, 5, 5, 5, 0, 1, 15],
        16 => [5, 11, 6, 5, 5, 0, 0, 0],
        24 => [8, 16, 8, 8, 8, 0, 0, 0],
        _ => [8, 16, 8, 8, 8, 0, 8, 24],
    };
    block[0x1f..0x27].copy_from_slice(&fields);
    // The rest of 32 bits is free to be used.
    block[0x27] = if mode.depth == 32 { 2 } else { 0 };
    block[0x28..0x2c].copy_from_slice(&(FRAMEBUFFER.0 as u32).to_le_bytes());
    block[0x32..0x34].copy_from_slice(&(mode.pitch() as u16).to_le_bytes());
    block[0x36..0x3e].copy_from_slice(&fields);
    block
}

fn own_block(mode: &Mode) -> Vec<u8> {
    let size = match mode.layout {
        Layout::Text => (mode.columns, mode.rows.into()),
        _ => (mode.columns * 8, u16::from(mode.rows) * u16::from(mode.height)),
    };
    let segment = (mode.memory.0 >> 4) as u16;
    let (attributes, pitch, depth, model, planes) = match mode.layout {
        // Supported, all fields valid, text output by the BIOS, colour, no VGA registers: of those that are here.
        Layout::Text => (0x002f, u32::from(mode.columns) * 2, 4, 0, 1),
        Layout::Cga { bits } => (0x003b, u32::from(mode.columns) * u32::from(bits), bits, 1, 1),
        Layout::Planar => (0x003b, mode.columns.into(), 4, 3, 4),
        Layout::Packed | Layout::Linear { .. } => (0x003b, u32::from(mode.columns) * 8, 8, 4, 1),
    };
    let mut block = block(attributes, segment, pitch, size);
    block[0x16..0x18].copy_from_slice(&[if model == 0 { 9 } else { 8 }, mode.height]);
    (block[0x18], block[0x19], block[0x1b]) = (planes, depth, model);
    block
}

/// AL=02: sets mode BX.
fn set(pc: &mut Pc) -> u16 {
    let bx = pc.word(Gpr::Rbx);
    let (number, clear) = (bx & NUMBER, bx & KEEP == 0);
    if let Some(mode) = own(number) {
        set_mode::set(pc, mode, clear);
        return DONE;
    }
    let Some(mode) = linear(number) else { return FAILED };
    // Colours and window are those of mode 13h; what it shows is not to be cleared here.
    pc.devices.vga_mut().set_mode(0x13, false);
    set_register(pc, ENABLE, 0);
    for (index, value) in [(1, mode.width), (2, mode.height), (3, mode.depth)] {
        set_register(pc, index, value);
    }
    let flags = ENABLED | (bx & LINEAR) >> 8 | if clear { 0 } else { 0x80 };
    set_register(pc, ENABLE, flags);
    if pc.devices.vga().linear_mode().is_none() {
        return FAILED;
    }
    set_mode::note(pc, &modes::linear(mode), clear);
    DONE
}

/// AL=03: the mode.
fn get(pc: &mut Pc) -> u16 {
    let number = match pc.devices.vga().linear_mode() {
        Some(now) => {
            let same = |number: &u16| {
                linear(*number).is_some_and(|mode| {
                    (mode.width, mode.height, mode.depth) == (now.width, now.height, now.depth)
                })
            };
            let flags = register(pc, ENABLE);
            let number = numbers().into_iter().find(same).unwrap_or(NUMBER);
            number | (flags & (LINEAR >> 8)) << 8 | (flags & (KEEP >> 8)) << 8
        }
        None => pc.read_u8(data_area::VIDEO_MODE).into(),
    };
    pc.set_word(Gpr::Rbx, number);
    DONE
}

/// CX of AL=04: the registers of the linear modes, too.
const SUPER_VGA: u16 = 0x08;
/// Registers of the Bochs VBE Display API that are saved, [`ENABLE`] last.
const SAVED: [u16; 8] = [1, 2, 3, 5, 6, 8, 9, 4];

/// AL=04: the size of (DL = 0), saves or restores what CX asks for, at ES:BX.
fn save_restore(pc: &mut Pc) -> u16 {
    let what = pc.word(Gpr::Rcx);
    let (plain, linear) = (what & 0x07, what & SUPER_VGA != 0);
    if what & !0x0f != 0 {
        return FAILED;
    }
    let size = state::size(plain);
    let at = |index: u64| index * 2 + size as u64;
    let start = pc.address(SegmentName::Es, pc.word(Gpr::Rbx));
    match pc.low(Gpr::Rdx) {
        0 => {
            let bytes = size + if linear { SAVED.len() * 2 } else { 0 };
            pc.set_word(Gpr::Rbx, bytes.div_ceil(64) as u16);
        }
        1 => {
            state::save(pc, plain);
            if linear {
                for (index, number) in (0..).zip(SAVED) {
                    let value = register(pc, number);
                    pc.write_u16(start.offset(at(index)), value);
                }
            }
        }
        2 => {
            if linear {
                set_register(pc, ENABLE, 0);
                let values: Vec<u16> = (0..)
                    .zip(SAVED)
                    .map(|(index, _)| pc.read_u16(start.offset(at(index))))
                    .collect();
                // Switching on sets some of the others, so that they come after it once more.
                let enable = values[SAVED.len() - 1] | 0x80;
                for (number, &value) in SAVED.into_iter().zip(&values).take(3) {
                    set_register(pc, number, value);
                }
                set_register(pc, ENABLE, if enable & ENABLED == 0 { 0 } else { enable });
                for (number, &value) in SAVED.into_iter().zip(&values).skip(3).take(4) {
                    set_register(pc, number, value);
                }
            }
            state::restore(pc, plain);
        }
        _ => return FAILED,
    }
    DONE
}

/// AL=05: sets (BH = 0) or gets the bank that the window shows.
fn bank(pc: &mut Pc) -> u16 {
    if pc.low(Gpr::Rbx) != 0 || pc.devices.vga().linear_mode().is_none() {
        return FAILED;
    }
    if register(pc, ENABLE) & LINEAR >> 8 != 0 {
        return NOT_IN_THIS_MODE;
    }
    match pc.high(Gpr::Rbx) {
        0 => {
            let bank = pc.word(Gpr::Rdx);
            if u32::from(bank) >= FRAMEBUFFER_SIZE / BANK {
                return FAILED;
            }
            set_register(pc, 5, bank);
        }
        1 => {
            let bank = register(pc, 5);
            pc.set_word(Gpr::Rdx, bank);
        }
        _ => return FAILED,
    }
    DONE
}

/// AL=06: sets or gets the length of a row, by BL in pixels or bytes; BX bytes, CX pixels, DX rows.
fn line_length(pc: &mut Pc) -> u16 {
    let Some(mode) = pc.devices.vga().linear_mode() else { return FAILED };
    let cx = pc.word(Gpr::Rcx);
    let size = mode.pixel_size() as u16;
    match pc.low(Gpr::Rbx) {
        0 => set_register(pc, 6, cx),
        1 => {}
        2 => set_register(pc, 6, cx / size),
        // The longest.
        3 => {
            pc.set_word(Gpr::Rbx, 0x4000_u16.saturating_mul(size));
            pc.set_word(Gpr::Rcx, 0x4000);
            pc.set_word(Gpr::Rdx, (FRAMEBUFFER_SIZE / (0x4000 * u32::from(size))) as u16);
            return DONE;
        }
        _ => return FAILED,
    }
    let Some(mode) = pc.devices.vga().linear_mode() else { return FAILED };
    pc.set_word(Gpr::Rbx, mode.pitch() as u16);
    pc.set_word(Gpr::Rcx, mode.virtual_width);
    pc.set_word(Gpr::Rdx, mode.virtual_height());
    DONE
}

/// AL=07: sets (BL = 0 or 80h) or gets the first pixel shown, CX and DX.
fn display_start(pc: &mut Pc) -> u16 {
    if pc.devices.vga().linear_mode().is_none() {
        return FAILED;
    }
    match pc.low(Gpr::Rbx) {
        0x00 | 0x80 => {
            let (x, y) = (pc.word(Gpr::Rcx), pc.word(Gpr::Rdx));
            set_register(pc, 8, x);
            set_register(pc, 9, y);
        }
        0x01 => {
            let (x, y) = (register(pc, 8), register(pc, 9));
            pc.set_high(Gpr::Rbx, 0);
            pc.set_word(Gpr::Rcx, x);
            pc.set_word(Gpr::Rdx, y);
        }
        _ => return FAILED,
    }
    DONE
}

/// AL=08: sets (BL = 0) or gets the bits of a component in the DAC, BH: 6 or 8.
fn dac_width(pc: &mut Pc) -> u16 {
    let Some(mode) = pc.devices.vga().linear_mode() else { return FAILED };
    if mode.depth != 8 {
        return NOT_IN_THIS_MODE;
    }
    let flags = register(pc, ENABLE);
    match pc.low(Gpr::Rbx) {
        0 => {
            let wide = match pc.high(Gpr::Rbx) {
                6 => 0,
                8 => DAC_8_BITS,
                _ => return FAILED,
            };
            set_register(pc, ENABLE, flags & !DAC_8_BITS | wide);
        }
        1 => {}
        _ => return FAILED,
    }
    let bits = if register(pc, ENABLE) & DAC_8_BITS != 0 { 8 } else { 6 };
    pc.set_high(Gpr::Rbx, bits);
    DONE
}

/// AL=10: the monitor's power, which is always on: what there is (BL = 0), set, get.
fn power(pc: &mut Pc) -> u16 {
    match pc.low(Gpr::Rbx) {
        // On, standby, suspend, off and reduced, of version 3.0.
        0 => pc.set_word(Gpr::Rbx, 0x0f30),
        1 => {}
        2 => pc.set_high(Gpr::Rbx, 0),
        _ => return FAILED,
    }
    DONE
}

/// AL=09: sets (BL = 0 or 80h) or gets CX colours from DX on, at ES:DI: blue, green, red and a byte of nothing.
fn colours(pc: &mut Pc) -> u16 {
    let (count, first) = (pc.word(Gpr::Rcx), pc.word(Gpr::Rdx));
    if u32::from(first) + u32::from(count) > 0x100 {
        return FAILED;
    }
    for (index, number) in (0..).zip(first..first + count) {
        let at = buffer(pc).offset(index * 4);
        let number = number.to_le_bytes()[0];
        match pc.low(Gpr::Rbx) {
            0x00 | 0x80 => {
                let [blue, green, red, _] = pc.read_u32(at).to_le_bytes();
                palette::write_dac(pc.devices.vga_mut(), number, &[red, green, blue]);
            }
            0x01 => {
                let [red, green, blue] = palette::read_dac(pc.devices.vga_mut(), number);
                pc.write(at, &[blue, green, red, 0]);
            }
            _ => return FAILED,
        }
    }
    DONE
}
