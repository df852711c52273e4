//! Video memory: 256 KiB in four planes, and how an address of the host leads there.

use super::graphics::{Graphics, Planes};
use super::sequencer::Sequencer;

/// Bytes in a plane.
pub const PLANE_SIZE: usize = 0x1_0000;
/// Bytes in all.
pub const SIZE: usize = 4 * PLANE_SIZE;

/// The four planes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Always [`PLANE_SIZE`] of them: what is fetched together lies together.
    planes: Box<[Planes]>,
}

/// Where an access of the host leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset in each plane.
    pub offset: u16,
    /// The plane that is read in read mode 0.
    pub read_plane: u8,
    /// The planes that are written, a bit for each.
    pub written: u8,
}

impl Place {
    /// Where the byte `address` of the window leads.
    #[must_use]
    pub fn of(address: u32, sequencer: &Sequencer, graphics: &Graphics) -> Place {
        let low = (address & 3) as u8;
        let mask = sequencer.map_mask();
        // Only the window of 128 KiB has more than 16 bits.
        let offset = (address & 0xffff) as u16;
        if sequencer.chains_four() {
            // The highest bits take the place of those that select the plane.
            let offset = offset & !3 | offset >> 14;
            return Place { offset, read_plane: low, written: mask & 1 << low };
        }
        let odd = low & 1;
        Place {
            offset: if graphics.chains_odd_even() {
                offset & !1 | (address >> 16 & 1) as u16
            } else {
                offset
            },
            read_plane: if graphics.reads_odd_even() {
                graphics.read_map() & 2 | odd
            } else {
                graphics.read_map()
            },
            written: if sequencer.writes_odd_even() { mask & 0b0101 << odd } else { mask },
        }
    }
}

impl Memory {
    /// All zeros.
    #[must_use]
    pub fn new() -> Memory {
        Memory { planes: vec![[0; 4]; PLANE_SIZE].into_boxed_slice() }
    }

    /// What the planes hold at `offset`.
    #[must_use]
    pub fn get(&self, offset: u16) -> Planes {
        self.planes.get(usize::from(offset)).copied().unwrap_or_default()
    }

    /// Writes `data` to those planes whose bit in `planes` is set.
    pub fn set(&mut self, offset: u16, data: Planes, planes: u8) {
        let Some(present) = self.planes.get_mut(usize::from(offset)) else { return };
        for (plane, (byte, new)) in present.iter_mut().zip(data).enumerate() {
            if planes >> plane & 1 != 0 {
                *byte = new;
            }
        }
    }

    /// All bytes, those of the four planes at one offset together.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.planes.as_flattened().to_vec()
    }

    /// Puts back what [`save`](Self::save) gave; false, and nothing is changed, if it has another size.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        let (planes, rest) = bytes.as_chunks::<4>();
        let fits = planes.len() == PLANE_SIZE && rest.is_empty();
        if fits {
            self.planes.copy_from_slice(planes);
        }
        fits
    }
}
