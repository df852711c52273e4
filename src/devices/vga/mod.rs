//! The VGA: registers, 256 KiB of video memory, and the picture that they make (IBM Personal System/2 Hardware
//! Interface Technical Reference, "Video Subsystem").
//!
//! Knows nothing of where its memory is mapped beyond the window that its own registers select, of a terminal, or of
//! a clock: time is handed in, see [`Vga::set_time`]. There is no vertical interrupt, no light pen and no second
//! head; a write to the palette takes effect whether or not the screen is on, as on the clones.

mod access;
mod attribute;
mod beam;
mod crtc;
mod dac;
mod direct;
mod graphics;
mod memory;
mod modes;
mod palettes;
mod scan;
mod screen;
mod sequencer;
pub mod vbe;
mod view;

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RestoreError;
use crate::font;
use attribute::Attribute;
use beam::Beam;
use crtc::Crtc;
use dac::Dac;
use graphics::Graphics;
use memory::{Memory, Place};
use sequencer::Sequencer;
use vbe::{LinearMemory, Vbe};

pub use direct::{DIRECT_SIZE, Direct};
pub use memory::SIZE as MEMORY_SIZE;
pub use modes::{Mode, mode};

/// Addresses from the first byte of the largest window to the last.
pub const WINDOW_SIZE: u32 = 0x2_0000;
/// The ports of the CRT controller and of input status 1 for a monochrome monitor, those that every VGA has, and the
/// first ones again for a colour monitor.
pub const PORTS: [RangeInclusive<u16>; 8] = [
    0x3b4..=0x3b5,
    0x3ba..=0x3ba,
    0x3c0..=0x3c2,
    0x3c4..=0x3ca,
    0x3cc..=0x3cc,
    0x3ce..=0x3cf,
    0x3d4..=0x3d5,
    0x3da..=0x3da,
];

/// Misc output: the CRT controller is at 3D4h, not at 3B4h.
const MISC_COLOUR: u8 = 0x01;
/// Misc output: the host reaches video memory.
const MISC_MEMORY: u8 = 0x02;
/// Input status 0: a colour monitor is there.
const MONITOR_SENSE: u8 = 0x10;

/// A font takes 32 bytes for each character in plane 2, whatever its height.
const FONT_STRIDE: u16 = 32;
const FONT_PLANE: u8 = 1 << 2;
/// What the window of a text mode has, in bytes.
const TEXT_SIZE: u16 = 0x8000;

/// The VGA.
#[derive(Clone, Debug)]
pub struct Vga {
    registers: Registers,
    memory: Memory,
    /// Behind [`vbe::FRAMEBUFFER`].
    linear: Option<Arc<dyn LinearMemory>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Registers {
    misc: u8,
    feature_control: u8,
    sequencer: Sequencer,
    graphics: Graphics,
    crtc: Crtc,
    attribute: Attribute,
    dac: Dac,
    beam: Beam,
    vbe: Vbe,
    /// By what number the BIOS has set a mode last; some set the same registers.
    mode_set: u8,
}

/// All that a guest can have changed in a [`Vga`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    registers: Registers,
    memory: Vec<u8>,
}

impl Vga {
    /// The device as the firmware leaves it: mode 3, the screen blank.
    #[must_use]
    pub fn new() -> Vga {
        Vga::with(Memory::new(), None)
    }

    /// The same with these memories, of which the first is all zeros.
    fn with(memory: Memory, linear: Option<Arc<dyn LinearMemory>>) -> Vga {
        let mut vga = Vga { registers: Registers::default(), memory, linear };
        vga.set_mode(3, true);
        vga
    }

    /// Sets mode `number` as the BIOS does: registers, colours, in text modes the font. `clear` says whether
    /// the picture is blank afterwards, or what the memory holds. False if there is no such mode.
    pub fn set_mode(&mut self, number: u8, clear: bool) -> bool {
        let Some(mode) = mode(number) else { return false };
        let registers = &mut self.registers;
        registers.mode_set = number;
        registers.vbe = Vbe::default();
        registers.misc = mode.misc;
        registers.feature_control = 0;
        registers.sequencer.registers[0] = 3;
        registers.sequencer.registers[1..].copy_from_slice(&mode.sequencer);
        registers.crtc.registers = mode.crtc;
        registers.attribute.registers = mode.attribute;
        registers.attribute.reset_flip_flop();
        registers.attribute.show_picture();
        registers.graphics.registers = mode.graphics;
        registers.dac = Dac::new(mode.palette.colours());
        if clear {
            self.clear(mode);
        }
        if !self.registers.graphics.shows_graphics() {
            self.load_font(0, &font::FONT_8X16);
        }
        true
    }

    /// Blanks what a mode shows: all of the memory, or text and attributes.
    fn clear(&mut self, mode: &Mode) {
        let [even, odd] = mode.fill;
        let data = [even, odd, 0, 0];
        if self.registers.graphics.shows_graphics() {
            (0..=u16::MAX).for_each(|offset| self.memory.set(offset, data, 0b1111));
        } else {
            (0..TEXT_SIZE).step_by(2).for_each(|offset| self.memory.set(offset, data, 0b0011));
        }
    }

    /// Puts a font of 256 characters, of `H` scan lines each, into plane 2, `offset` bytes from its beginning.
    pub fn load_font<const H: usize>(&mut self, offset: u16, glyphs: &[[u8; H]; 256]) {
        let places = (0..).step_by(usize::from(FONT_STRIDE));
        for (glyph, place) in glyphs.iter().zip(places) {
            let lines = glyph.iter().copied().chain(std::iter::repeat(0));
            for (line, at) in lines.zip(0..FONT_STRIDE) {
                let at = offset.wrapping_add(place).wrapping_add(at);
                self.memory.set(at, [0, 0, line, 0], FONT_PLANE);
            }
        }
    }

    /// Sets the time, in nanoseconds since power-on, by which the beam moves over the screen. Without it, each read
    /// of the status moves the beam on.
    pub fn set_time(&mut self, nanoseconds: u64) {
        self.registers.beam.set_time(nanoseconds);
    }

    /// Reads a port; `None` if the VGA does not answer there at present.
    pub fn port_read(&mut self, port: u16) -> Option<u8> {
        let (clock, port) = (self.dot_clock(), self.present(port)?);
        let registers = &mut self.registers;
        Some(match port {
            Port::CrtcIndex => registers.crtc.index,
            Port::CrtcData => registers.crtc.read(),
            Port::Status1 => {
                registers.attribute.reset_flip_flop();
                registers.beam.poll(&registers.crtc, &registers.sequencer, clock)
            }
            Port::Shared(0x3c0) => registers.attribute.index,
            Port::Shared(0x3c1) => registers.attribute.read(),
            Port::Shared(0x3c2) => MONITOR_SENSE,
            Port::Shared(0x3c4) => registers.sequencer.index,
            Port::Shared(0x3c5) => registers.sequencer.read(),
            Port::Shared(0x3c6) => registers.dac.mask,
            Port::Shared(0x3c7) => registers.dac.state(),
            Port::Shared(0x3c8) => registers.dac.write_index,
            Port::Shared(0x3c9) => registers.dac.read(),
            Port::Shared(0x3ca) => registers.feature_control,
            Port::Shared(0x3cc) => registers.misc,
            Port::Shared(0x3ce) => registers.graphics.index,
            Port::Shared(0x3cf) => registers.graphics.read(),
            Port::Shared(_) => return None,
        })
    }

    /// Writes a port; false if the VGA does not answer there at present.
    pub fn port_write(&mut self, port: u16, value: u8) -> bool {
        let Some(port) = self.present(port) else { return false };
        let registers = &mut self.registers;
        match port {
            Port::CrtcIndex => registers.crtc.index = value & 0x1f,
            Port::CrtcData => registers.crtc.write(value),
            // The port of input status 1 is that of feature control when written.
            Port::Status1 => registers.feature_control = value & 0x0b,
            Port::Shared(0x3c0) => registers.attribute.write(value),
            Port::Shared(0x3c2) => registers.misc = value & 0xef,
            Port::Shared(0x3c4) => registers.sequencer.index = value & 0x07,
            Port::Shared(0x3c5) => registers.sequencer.write(value),
            Port::Shared(0x3c6) => registers.dac.mask = value,
            Port::Shared(0x3c7) => registers.dac.set_read_index(value),
            Port::Shared(0x3c8) => registers.dac.set_write_index(value),
            Port::Shared(0x3c9) => registers.dac.write(value),
            Port::Shared(0x3ce) => registers.graphics.index = value & 0x0f,
            Port::Shared(0x3cf) => registers.graphics.write(value),
            // These can only be read.
            Port::Shared(0x3c1 | 0x3ca | 0x3cc) => {}
            Port::Shared(_) => return false,
        }
        true
    }

    /// What `port` is at present: the CRT controller is in one of two places.
    fn present(&self, port: u16) -> Option<Port> {
        let first = if self.registers.misc & MISC_COLOUR == 0 { 0x3b0 } else { 0x3d0 };
        match (port & 0xfff0, port & 0xf) {
            (0x3c0, _) => Some(Port::Shared(port)),
            (base, 0x4) if base == first => Some(Port::CrtcIndex),
            (base, 0x5) if base == first => Some(Port::CrtcData),
            (base, 0xa) if base == first => Some(Port::Status1),
            _ => None,
        }
    }

    /// In Hz.
    fn dot_clock(&self) -> u64 {
        if self.registers.misc >> 2 & 3 == 1 { 28_322_000 } else { 25_175_000 }
    }

    /// Scan lines that the screen shows, doubled ones twice.
    #[must_use]
    pub fn shown_lines(&self) -> u16 {
        self.registers.crtc.shown_lines()
    }

    /// The addresses at which video memory is at present, counted from A0000h; none if the host is kept out.
    #[must_use]
    pub fn window(&self) -> Option<Range<u32>> {
        (self.registers.misc & MISC_MEMORY != 0).then(|| self.registers.graphics.window())
    }

    /// Where the byte `address`, counted from A0000h, leads.
    fn place(&self, address: u32) -> Option<Place> {
        let window = self.window()?;
        let inside = window.contains(&address);
        let Registers { sequencer, graphics, .. } = &self.registers;
        inside.then(|| Place::of(address - window.start, sequencer, graphics))
    }

    /// Reads the byte at `address`, counted from A0000h, which loads the latches. `None` outside the window.
    ///
    /// On an IBM VGA a read loads them always. Here it does not where the guest may be shown the memory itself, see
    /// [`Vga::direct`]: nobody would notice the read, and what a guest finds later must not depend on that.
    pub fn read(&mut self, address: u32) -> Option<u8> {
        let place = self.place(address).filter(|_| !self.is_direct(address));
        if let Some(place) = place {
            self.registers.graphics.latches = self.memory.get(place.offset);
        }
        self.peek(address)
    }

    /// What [`read`](Self::read) would give, for those who must not disturb the device.
    #[must_use]
    pub fn peek(&self, address: u32) -> Option<u8> {
        if let Some((memory, offset)) = self.banked(address) {
            let mut byte = [0];
            memory.read(offset, &mut byte);
            return Some(byte[0]);
        }
        let place = self.place(address)?;
        let planes = self.memory.get(place.offset);
        Some(self.registers.graphics.value_read(planes, place.read_plane))
    }

    /// Writes the byte at `address`, counted from A0000h; false outside the window.
    pub fn write(&mut self, address: u32, value: u8) -> bool {
        if let Some((memory, offset)) = self.banked(address) {
            memory.write(offset, &[value]);
            return true;
        }
        let Some(place) = self.place(address) else { return false };
        let planes = self.registers.graphics.value_written(value);
        self.memory.set(place.offset, planes, place.written);
        true
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        State { registers: self.registers.clone(), memory: self.memory.save() }
    }

    /// Puts back a state that [`save`](Self::save) gave. On an error nothing has changed.
    pub fn restore(&mut self, state: &State) -> Result<(), RestoreError> {
        let wrong = |expected, found| RestoreError::MemorySize { device: "vga", expected, found };
        let colours = state.registers.dac.colours.len();
        if colours != dac::COLOURS {
            return Err(wrong(dac::COLOURS * 3, colours * 3));
        }
        if !self.memory.restore(&state.memory) {
            return Err(wrong(MEMORY_SIZE, state.memory.len()));
        }
        self.registers.clone_from(&state.registers);
        Ok(())
    }
}

/// What a port leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    CrtcIndex,
    CrtcData,
    Status1,
    /// One that is at 3C0h-3CFh whatever the monitor.
    Shared(u16),
}

impl Default for Vga {
    fn default() -> Vga {
        Vga::new()
    }
}

#[cfg(test)]
mod tests;
