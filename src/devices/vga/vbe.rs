//! The registers by which Bochs and QEMU set large modes, ports 1CEh to 1D0h, and the linear framebuffer ("Bochs VBE
//! Display API"): 8, 15, 16, 24 or 32 bits a pixel, one after the other, in a memory of its own.
//!
//! That memory is the guest's like RAM, at [`FRAMEBUFFER`]; the device reaches it as [`LinearMemory`].

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Registers, Vga};
use crate::devices::frame::{GraphicsFrame, Rgb};
use crate::x86::Phys;

/// Where the guest finds the framebuffer.
pub const FRAMEBUFFER: Phys = Phys(0xfd00_0000);
/// Its size in bytes.
pub const FRAMEBUFFER_SIZE: u32 = 16 << 20;
/// The port of the index, and two of which either is the data; words.
pub const PORTS: RangeInclusive<u16> = 0x1ce..=0x1d0;

/// Memory that the device shares with the guest.
pub trait LinearMemory: fmt::Debug + Send + Sync {
    /// Reads from `offset` on.
    fn read(&self, offset: u32, data: &mut [u8]);
    /// Writes from `offset` on.
    fn write(&self, offset: u32, data: &[u8]);
}

const INDEX_PORT: u16 = 0x1ce;
/// Bytes of a bank, which the window at A0000h shows.
const BANK_SIZE: u32 = 0x1_0000;
const COUNT: usize = 11;
const ID: usize = 0;
const WIDTH: usize = 1;
const HEIGHT: usize = 2;
const DEPTH: usize = 3;
const ENABLE: usize = 4;
const BANK: usize = 5;
const VIRTUAL_WIDTH: usize = 6;
const VIRTUAL_HEIGHT: usize = 7;
const X_OFFSET: usize = 8;
const Y_OFFSET: usize = 9;
const MEMORY_SIZE: usize = 10;

/// The latest version of the interface, and the part of the number that all have.
const LATEST: u16 = 0xb0c5;
const VERSIONS: RangeInclusive<u16> = 0xb0c0..=LATEST;

/// [`ENABLE`]: the mode is on.
const ENABLED: u16 = 0x01;
/// [`ENABLE`]: width, height and depth read as the largest.
const CAPABILITIES: u16 = 0x02;
/// [`ENABLE`]: the DAC takes 8 bits a component.
const DAC_8_BITS: u16 = 0x20;
/// [`ENABLE`]: the framebuffer is used, not the window; both always work.
const LINEAR: u16 = 0x40;
/// [`ENABLE`]: memory is left as it is.
const KEEP: u16 = 0x80;

const LARGEST: (u16, u16, u16) = (3840, 2160, 32);

/// The registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vbe {
    index: u16,
    registers: [u16; COUNT],
}

impl Default for Vbe {
    fn default() -> Vbe {
        let mut registers = [0; COUNT];
        registers[ID] = LATEST;
        Vbe { index: 0, registers }
    }
}

/// A mode of these registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearMode {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Bits a pixel: 8, 15, 16, 24 or 32.
    pub depth: u16,
    /// Pixels from a row to the next.
    pub virtual_width: u16,
    /// The first pixel shown.
    pub start: (u16, u16),
}

impl LinearMode {
    /// Bytes a pixel.
    #[must_use]
    pub fn pixel_size(&self) -> u32 {
        u32::from(self.depth).div_ceil(8)
    }

    /// Bytes from a row to the next.
    #[must_use]
    pub fn pitch(&self) -> u32 {
        u32::from(self.virtual_width) * self.pixel_size()
    }

    /// Rows that there is memory for.
    #[must_use]
    pub fn virtual_height(&self) -> u16 {
        u16::try_from(FRAMEBUFFER_SIZE / self.pitch().max(1)).unwrap_or(u16::MAX)
    }
}

impl Vbe {
    /// The mode that is on.
    #[must_use]
    pub fn mode(&self) -> Option<LinearMode> {
        let register = |index: usize| self.registers[index];
        (register(ENABLE) & ENABLED != 0).then(|| {
            let depth = match register(DEPTH) {
                depth @ (8 | 15 | 16 | 24 | 32) => depth,
                _ => 8,
            };
            let width = register(WIDTH).clamp(8, LARGEST.0) & !7;
            let mut mode = LinearMode {
                width,
                height: register(HEIGHT).clamp(1, LARGEST.1),
                depth,
                virtual_width: register(VIRTUAL_WIDTH).clamp(width, 0x4000),
                start: (register(X_OFFSET), register(Y_OFFSET)),
            };
            // All of the screen is in memory.
            mode.start.0 = mode.start.0.min(mode.virtual_width - width);
            mode.height = mode.height.min(mode.virtual_height());
            mode.start.1 = mode.start.1.min(mode.virtual_height() - mode.height);
            mode
        })
    }

    /// The DAC takes 8 bits a component.
    #[must_use]
    pub fn wide_dac(&self) -> bool {
        let enable = self.registers[ENABLE];
        enable & ENABLED != 0 && enable & DAC_8_BITS != 0
    }

    fn read(&self) -> u16 {
        let index = usize::from(self.index);
        let largest = self.registers[ENABLE] & CAPABILITIES != 0;
        match (index, self.mode()) {
            (WIDTH, _) if largest => LARGEST.0,
            (HEIGHT, _) if largest => LARGEST.1,
            (DEPTH, _) if largest => LARGEST.2,
            (VIRTUAL_WIDTH, Some(mode)) => mode.virtual_width,
            (VIRTUAL_HEIGHT, Some(mode)) => mode.virtual_height(),
            (X_OFFSET, Some(mode)) => mode.start.0,
            (Y_OFFSET, Some(mode)) => mode.start.1,
            (MEMORY_SIZE, _) => (FRAMEBUFFER_SIZE / BANK_SIZE) as u16,
            _ => self.registers.get(index).copied().unwrap_or(0),
        }
    }

    /// Writes the register at the index. True if a mode has been switched on.
    fn write(&mut self, value: u16) -> bool {
        let before = self.registers[ENABLE];
        let index = usize::from(self.index);
        match index {
            ID if !VERSIONS.contains(&value) => return false,
            VIRTUAL_HEIGHT | MEMORY_SIZE => return false,
            BANK => {
                let banks = (FRAMEBUFFER_SIZE / BANK_SIZE) as u16;
                self.registers[BANK] = value & (banks - 1);
            }
            ENABLE => {
                self.registers[ENABLE] =
                    value & (ENABLED | CAPABILITIES | DAC_8_BITS | LINEAR | KEEP);
                if before & ENABLED == 0 || value & ENABLED == 0 {
                    self.registers[BANK] = 0;
                }
                if value & ENABLED != 0 && before & ENABLED == 0 {
                    self.registers[VIRTUAL_WIDTH] = self.registers[WIDTH];
                    (self.registers[X_OFFSET], self.registers[Y_OFFSET]) = (0, 0);
                    return true;
                }
            }
            _ => {
                if let Some(register) = self.registers.get_mut(index) {
                    *register = value;
                }
            }
        }
        false
    }
}

impl Vga {
    /// Gives the device the memory behind [`FRAMEBUFFER`], of [`FRAMEBUFFER_SIZE`] bytes. Without it there are no
    /// linear modes.
    pub fn attach(&mut self, memory: Arc<dyn LinearMemory>) {
        self.linear = Some(memory);
    }

    /// The device at power-on, with the memory that it has.
    pub(in crate::devices) fn reset(&mut self) {
        // The guest may have been shown it.
        *self = Vga::with(self.memory.cleared(), self.linear.take());
    }

    /// The linear mode that is on.
    #[must_use]
    pub fn linear_mode(&self) -> Option<LinearMode> {
        self.linear.as_ref().and(self.registers.vbe.mode())
    }

    /// Reads one of [`PORTS`], a word; `None` if there is nothing.
    #[must_use]
    pub fn vbe_read(&self, port: u16) -> Option<u16> {
        let vbe = &self.registers.vbe;
        let there = self.linear.is_some() && PORTS.contains(&port);
        there.then(|| if port == INDEX_PORT { vbe.index } else { vbe.read() })
    }

    /// Writes one of [`PORTS`], a word; false if there is nothing.
    pub fn vbe_write(&mut self, port: u16, value: u16) -> bool {
        let Some(memory) = self.linear.clone().filter(|_| PORTS.contains(&port)) else {
            return false;
        };
        let Registers { vbe, graphics, dac, .. } = &mut self.registers;
        if port == INDEX_PORT {
            vbe.index = value;
            return true;
        }
        let switched_on = vbe.write(value);
        dac.wide = vbe.wide_dac();
        if let Some(mode) = vbe.mode().filter(|_| switched_on) {
            graphics.show_graphics();
            if vbe.registers[ENABLE] & KEEP == 0 {
                let row = vec![0; mode.pitch() as usize];
                (0..u32::from(mode.height)).for_each(|y| memory.write(y * mode.pitch(), &row));
            }
        }
        true
    }

    /// Where the byte `address` of the window, counted from A0000h, is in the framebuffer while a linear mode is on.
    pub(super) fn banked(&self, address: u32) -> Option<(&Arc<dyn LinearMemory>, u32)> {
        let bank = self.bank()?;
        let memory = self.linear.as_ref()?;
        (address < BANK_SIZE).then(|| (memory, bank + address))
    }

    /// Where the bank that the window at A0000h shows is in the framebuffer, while a linear mode is on.
    pub(super) fn bank(&self) -> Option<u32> {
        self.linear_mode()?;
        Some(u32::from(self.registers.vbe.registers[BANK]) * BANK_SIZE)
    }

    pub(super) fn linear_frame(&self, mode: LinearMode) -> GraphicsFrame {
        let (width, height) = (usize::from(mode.width), usize::from(mode.height));
        let mut indexed = Vec::new();
        let mut direct = Vec::new();
        let mut row = vec![0; width * mode.pixel_size() as usize];
        for y in 0..u32::from(mode.height) {
            let first = u32::from(mode.start.0) * mode.pixel_size();
            let offset = (u32::from(mode.start.1) + y) * mode.pitch() + first;
            if let Some(memory) = &self.linear {
                memory.read(offset, &mut row);
            }
            let pixels = row.chunks_exact(mode.pixel_size() as usize);
            match mode.depth {
                8 => indexed.extend_from_slice(&row),
                depth => direct.extend(pixels.map(|pixel| colour(pixel, depth))),
            }
        }
        let blank = self.blank().is_some();
        let (kind, palette) = match mode.depth {
            8 => (
                "256 colours".to_owned(),
                (0..=255).map(|number| self.registers.dac.shown(number)).collect(),
            ),
            depth => (format!("{depth} bits a pixel"), Vec::new()),
        };
        let (pixels, palette, direct) = match (blank, mode.depth) {
            (true, _) => (vec![0; width * height], vec![self.overscan()], None),
            (false, 8) => (indexed, palette, None),
            _ => (Vec::new(), Vec::new(), Some(direct)),
        };
        GraphicsFrame {
            width,
            height,
            pixels,
            palette,
            direct,
            pixel_aspect: crate::devices::frame::aspect_on_4_by_3(width, height),
            mode: format!("VBE: {width}x{height}, {kind}"),
        }
    }
}

/// The colour of a pixel's bytes: blue in the lowest bits.
fn colour(pixel: &[u8], depth: u16) -> Rgb {
    let wide = |value: u16, bits: u32| {
        let value = value & ((1 << bits) - 1);
        (value << (8 - bits) | value >> (2 * bits - 8)) as u8
    };
    match (depth, pixel) {
        (15, &[low, high]) => {
            let value = u16::from_le_bytes([low, high]);
            [wide(value >> 10, 5), wide(value >> 5, 5), wide(value, 5)]
        }
        (16, &[low, high]) => {
            let value = u16::from_le_bytes([low, high]);
            [wide(value >> 11, 5), wide(value >> 5, 6), wide(value, 5)]
        }
        (_, &[blue, green, red, ..]) => [red, green, blue],
        _ => [0; 3],
    }
}
