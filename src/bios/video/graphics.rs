//! The pixels of a graphics mode, eight at a time.

use super::super::pc::Pc;
use super::modes::{Layout, Mode};
use super::registers;
use crate::devices::VIDEO_MEMORY;
use crate::devices::frame::VGA_PALETTE;
use crate::devices::vga::Vga;
use crate::devices::vga::vbe::{FRAMEBUFFER, FRAMEBUFFER_SIZE};
use crate::x86::Phys;

/// Where the odd rows of a CGA's picture are.
const ODD_ROWS: u32 = 0x2000;

/// Where the pixels of a mode are at present.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    layout: Layout,
    /// Where video memory begins, counted from A0000h.
    memory: u32,
    /// Bytes from a row to the next; on a CGA to the next but one.
    pitch: u32,
}

/// The bytes of a pixel of the linear framebuffer: with a palette the colour's number, without, the 16 colours of text
/// modes.
fn direct(colour: u8, size: u8) -> impl Iterator<Item = u8> {
    let [red, green, blue] = VGA_PALETTE[usize::from(colour & 15)];
    let value = match size {
        1 => u32::from(colour),
        2 => {
            let part = |value: u8, bits: u32| u32::from(value) >> (8 - bits);
            part(red, 5) << 11 | part(green, 6) << 5 | part(blue, 5)
        }
        _ => u32::from_be_bytes([0, red, green, blue]),
    };
    value.to_le_bytes().into_iter().take(size.into())
}

/// The bits of a CGA's byte that have the colour `colour` in every pixel.
fn spread(colour: u8, bits: u8) -> u8 {
    if bits == 1 { (colour & 1) * 0xff } else { (colour & 3) * 0x55 }
}

impl Picture {
    /// That of `mode`: its first page, whichever is shown, as in SeaBIOS.
    #[must_use]
    pub fn of(pc: &mut Pc, mode: &Mode) -> Picture {
        let vga = pc.devices.vga_mut();
        if let (Layout::Linear { .. }, Some(linear)) = (mode.layout, vga.linear_mode()) {
            return Picture { layout: mode.layout, memory: 0, pitch: linear.pitch() };
        }
        let pitch = u32::from(registers::crtc(vga, 0x13));
        let memory = (mode.memory.0.saturating_sub(VIDEO_MEMORY.0) & 0x1_ffff) as u32;
        let unit = mode.layout.address_unit();
        Picture { layout: mode.layout, memory, pitch: pitch * 2 * unit }
    }

    /// Where a pixel is in the linear framebuffer; behind its end for those that it does not have.
    fn in_framebuffer(&self, x: u16, y: u16, size: u8) -> Phys {
        let offset = u64::from(y) * u64::from(self.pitch) + u64::from(x) * u64::from(size);
        FRAMEBUFFER.offset(offset.min(FRAMEBUFFER_SIZE.into()))
    }

    /// Whether row `y` of the linear framebuffer is there at all.
    fn has_row(&self, y: u16) -> bool {
        u64::from(y) * u64::from(self.pitch) < u64::from(FRAMEBUFFER_SIZE)
    }

    /// The byte with the pixel, counted from the beginning of video memory and within its 64 KiB.
    fn at(&self, x: u16, y: u16) -> u32 {
        let (x, y) = (u32::from(x), u32::from(y));
        let offset = match self.layout {
            Layout::Cga { bits } => {
                y / 2 * self.pitch + (y & 1) * ODD_ROWS + x / 8 * u32::from(bits)
            }
            Layout::Planar => y * self.pitch + x / 8,
            Layout::Packed | Layout::Text | Layout::Linear { .. } => y * self.pitch + x,
        };
        offset & 0xffff
    }

    /// Eight pixels from `x` on, which is a multiple of eight.
    #[must_use]
    pub fn pixels(&self, pc: &mut Pc, x: u16, y: u16) -> [u8; 8] {
        if let Layout::Linear { size } = self.layout {
            let mut bytes = [0; 8 * 4];
            let used = &mut bytes[..8 * usize::from(size)];
            pc.read(self.in_framebuffer(x, y, size), used);
            return std::array::from_fn(|pixel| bytes[pixel * usize::from(size)]);
        }
        let vga = pc.devices.vga_mut();
        let at = self.at(x, y);
        let mut byte = |offset: u32| vga.read(self.memory + at + offset).unwrap_or(0);
        match self.layout {
            Layout::Text | Layout::Linear { .. } => [0; 8],
            Layout::Packed => [0, 1, 2, 3, 4, 5, 6, 7].map(byte),
            Layout::Cga { bits: 1 } => {
                let bits = byte(0);
                std::array::from_fn(|pixel| bits >> (7 - pixel) & 1)
            }
            Layout::Cga { .. } => {
                let pairs = u16::from_be_bytes([byte(0), byte(1)]);
                std::array::from_fn(|pixel| (pairs >> (14 - 2 * pixel) & 3) as u8)
            }
            Layout::Planar => {
                let planes = vga.planes_at((at & 0xffff) as u16);
                std::array::from_fn(|pixel| {
                    (0..4).fold(0, |colour, plane| {
                        colour | (planes[plane] >> (7 - pixel) & 1) << plane
                    })
                })
            }
        }
    }

    /// Sets eight pixels from `x` on, which is a multiple of eight.
    pub fn set_pixels(&self, pc: &mut Pc, x: u16, y: u16, pixels: [u8; 8]) {
        if let Layout::Linear { size } = self.layout {
            let row: Vec<u8> = pixels.iter().flat_map(|&pixel| direct(pixel, size)).collect();
            return pc.write(self.in_framebuffer(x, y, size), &row);
        }
        let vga = pc.devices.vga_mut();
        let at = self.at(x, y);
        let mut write = |offset: u32, byte: u8| vga.write(self.memory + at + offset, byte);
        match self.layout {
            Layout::Text | Layout::Linear { .. } => {}
            Layout::Packed => {
                for (offset, pixel) in (0..).zip(pixels) {
                    write(offset, pixel);
                }
            }
            Layout::Cga { bits: 1 } => {
                write(0, pixels.iter().fold(0, |bits, pixel| bits << 1 | pixel & 1));
            }
            Layout::Cga { .. } => {
                for (offset, four) in (0..).zip(pixels.chunks(4)) {
                    write(offset, four.iter().fold(0, |bits, pixel| bits << 2 | pixel & 3));
                }
            }
            Layout::Planar => {
                let plane = |plane: usize| {
                    pixels.iter().fold(0, |bits, pixel| bits << 1 | pixel >> plane & 1)
                };
                vga.set_planes_at((at & 0xffff) as u16, std::array::from_fn(plane), 0b1111);
            }
        }
    }

    /// Bytes, in each plane if there are planes, of a row of `width` pixels.
    fn row_bytes(&self, width: u16) -> u32 {
        match self.layout {
            Layout::Cga { bits } => u32::from(width) / 8 * u32::from(bits),
            Layout::Planar => u32::from(width) / 8,
            Layout::Packed | Layout::Text => u32::from(width),
            Layout::Linear { size } => u32::from(width) * u32::from(size),
        }
    }

    /// Copies a rectangle, whose sides are multiples of eight across, from `from` to `to`.
    pub fn copy(&self, pc: &mut Pc, from: (u16, u16), to: (u16, u16), (width, height): (u16, u16)) {
        let len = self.row_bytes(width);
        if let Layout::Linear { size } = self.layout {
            let mut row = vec![0; len as usize];
            for y in 0..height {
                let y = if to.1 <= from.1 { y } else { height - 1 - y };
                if self.has_row(to.1 + y) {
                    pc.read(self.in_framebuffer(from.0, from.1 + y, size), &mut row);
                    pc.write(self.in_framebuffer(to.0, to.1 + y, size), &row);
                }
            }
            return;
        }
        let vga = pc.devices.vga_mut();
        for y in 0..height {
            let y = if to.1 <= from.1 { y } else { height - 1 - y };
            let (source, target) = (self.at(from.0, from.1 + y), self.at(to.0, to.1 + y));
            match self.layout {
                Layout::Planar => vga.copy_planes(source as u16, target as u16, len as u16),
                _ => vga.copy(self.memory + source, self.memory + target, len),
            }
        }
    }

    /// Gives a rectangle, whose sides are multiples of eight across, one colour.
    pub fn fill(&self, pc: &mut Pc, at: (u16, u16), (width, height): (u16, u16), colour: u8) {
        let len = self.row_bytes(width);
        if let Layout::Linear { size } = self.layout {
            let row: Vec<u8> = (0..width).flat_map(|_| direct(colour, size)).collect();
            let rows = (at.1..at.1 + height).filter(|y| self.has_row(*y));
            rows.for_each(|y| pc.write(self.in_framebuffer(at.0, y, size), &row));
            return;
        }
        let vga = pc.devices.vga_mut();
        let byte = match self.layout {
            Layout::Cga { bits } => spread(colour, bits),
            _ => colour,
        };
        let planes = std::array::from_fn(|plane| (colour >> plane & 1) * 0xff);
        for y in 0..height {
            let start = self.at(at.0, at.1 + y);
            match self.layout {
                Layout::Planar => fill_planes(vga, start as u16, planes, len as u16),
                _ => vga.fill(self.memory + start, [byte; 2], len),
            }
        }
    }

    /// To be called after the last access: leaves the registers that choose planes as every mode begins.
    pub fn done(&self, pc: &mut Pc) {
        if self.layout == Layout::Planar {
            let vga = pc.devices.vga_mut();
            registers::set_sequencer(vga, 0x02, 0x0f);
            registers::set_graphics(vga, 0x04, 0x00);
        }
    }
}

fn fill_planes(vga: &mut Vga, start: u16, planes: [u8; 4], len: u16) {
    (0..len).for_each(|at| vga.set_planes_at(start.wrapping_add(at), planes, 0b1111));
}
