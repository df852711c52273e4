//! What firmware does with video memory in bulk: the same as the host's accesses one by one, faster.

use std::ops::Range;

use super::dac::Dac;
use super::graphics::Planes;
use super::memory::Place;
use super::{Registers, Vga};

/// The palette with the overscan colour, and the DAC.
#[derive(Clone, Debug)]
pub struct Colours {
    palette: [u8; PALETTE],
    dac: Dac,
}

/// Registers of the attribute controller from the first that are the palette, mode control left out.
const PALETTE: usize = 0x12;
const MODE_CONTROL: usize = 0x10;

/// See [`Vga::unit`].
#[derive(Clone, Copy, Debug)]
struct Unit {
    size: u32,
    /// A bit for each.
    planes: u8,
}

impl Vga {
    /// The colours, to be put back after a change of mode.
    #[must_use]
    pub fn save_colours(&self) -> Colours {
        let Registers { attribute, dac, .. } = &self.registers;
        let palette = std::array::from_fn(|index| attribute.registers[index]);
        Colours { palette, dac: dac.clone() }
    }

    /// Puts back what [`save_colours`](Self::save_colours) gave.
    pub fn set_colours(&mut self, colours: Colours) {
        let Registers { attribute, dac, .. } = &mut self.registers;
        *dac = colours.dac;
        for (index, value) in colours.palette.into_iter().enumerate() {
            if index != MODE_CONTROL {
                attribute.registers[index] = value;
            }
        }
    }

    /// Copies `len` bytes of the window from `from` to `to`, both counted from A0000h, as reads and writes of the
    /// host would, one by one and in the order in which none is overwritten before it is read. What lies outside the
    /// window reads FFh and is not written.
    pub fn copy(&mut self, from: u32, to: u32, len: u32) {
        if let Some(unit) = self.unit()
            && (from | to | len).is_multiple_of(unit.size)
        {
            self.copy_units(from, to, len, unit);
            return;
        }
        let upwards = to <= from;
        for at in 0..len {
            let at = if upwards { at } else { len - 1 - at };
            let byte = self.read(from + at).unwrap_or(crate::devices::OPEN_BUS);
            self.write(to + at, byte);
        }
    }

    /// Writes `data` again and again from `at`, counted from A0000h, for `len` bytes.
    pub fn fill(&mut self, at: u32, data: [u8; 2], len: u32) {
        for offset in 0..len {
            self.write(at + offset, data[(offset & 1) as usize]);
        }
    }

    /// A write leaves in the planes what is written.
    fn is_plain(&self) -> bool {
        self.registers.graphics.writes_plainly()
    }

    /// Bytes of the window that are at the same offset in planes, and can be read and written together.
    fn unit(&self) -> Option<Unit> {
        let (sequencer, graphics) = (&self.registers.sequencer, &self.registers.graphics);
        let mask = sequencer.map_mask() & 0b1111;
        if !self.is_plain() || self.linear_mode().is_some() {
            return None;
        }
        if sequencer.chains_four() {
            return (mask == 0b1111).then_some(Unit { size: 4, planes: mask });
        }
        let has_one_plane = !sequencer.writes_odd_even()
            && !graphics.reads_odd_even()
            && mask == 1 << graphics.read_map();
        if has_one_plane {
            return Some(Unit { size: 1, planes: mask });
        }
        let has_cells = sequencer.writes_odd_even()
            && mask == 0b0011
            && graphics.chains_odd_even()
            && graphics.reads_odd_even()
            && graphics.read_map() & 2 == 0;
        has_cells.then_some(Unit { size: 2, planes: mask })
    }

    fn copy_units(&mut self, from: u32, to: u32, len: u32, unit: Unit) {
        let Some(window) = self.window() else { return };
        let upwards = to <= from;
        for at in (0..len).step_by(unit.size as usize) {
            let at = if upwards { at } else { len - unit.size - at };
            let bytes = match self.offset_in(&window, from + at) {
                Some(offset) => self.memory.get(offset),
                None => [crate::devices::OPEN_BUS; 4],
            };
            if let Some(offset) = self.offset_in(&window, to + at) {
                self.memory.set(offset, bytes, unit.planes);
            }
        }
    }

    fn offset_in(&self, window: &Range<u32>, address: u32) -> Option<u16> {
        let Vga { registers, .. } = self;
        window.contains(&address).then(|| {
            Place::of(address - window.start, &registers.sequencer, &registers.graphics).offset
        })
    }

    /// The bytes of the four planes at `offset`, whatever the registers say.
    #[must_use]
    pub fn planes_at(&self, offset: u16) -> Planes {
        self.memory.get(offset)
    }

    /// Writes those bytes of the four planes at `offset` whose bits in `planes` are set, whatever the registers say.
    pub fn set_planes_at(&mut self, offset: u16, data: Planes, planes: u8) {
        self.memory.set(offset, data, planes);
    }

    /// Copies `len` bytes of each plane; offsets wrap at 64 KiB.
    pub fn copy_planes(&mut self, from: u16, to: u16, len: u16) {
        for at in 0..len {
            let at = if to <= from { at } else { len - 1 - at };
            let planes = self.memory.get(from.wrapping_add(at));
            self.memory.set(to.wrapping_add(at), planes, 0b1111);
        }
    }
}
