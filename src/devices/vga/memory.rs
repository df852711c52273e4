//! Video memory: 256 KiB in four planes, and how an address of the host leads there.
//!
//! What is fetched together lies together: the bytes of the planes at one offset are a word. The words are kept in the
//! order in which chain 4 shows them, those that it leaves out behind those. So the first 64 KiB are what the host sees
//! in mode 13h, see [`Vga::direct`](super::Vga::direct).

use super::graphics::{Graphics, Planes};
use super::sequencer::Sequencer;
use crate::pages::{self, Pages};

/// Bytes in a plane.
pub const PLANE_SIZE: usize = 0x1_0000;
/// Bytes in all.
pub const SIZE: usize = 4 * PLANE_SIZE;

/// The four planes.
#[derive(Debug)]
pub struct Memory(Pages);

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
        Memory(Pages::new(SIZE / pages::PAGE_SIZE))
    }

    /// What the planes hold at `offset`.
    #[must_use]
    pub fn get(&self, offset: u16) -> Planes {
        self.0.get(word(offset))
    }

    /// Writes `data` to those planes whose bit in `planes` is set.
    pub fn set(&mut self, offset: u16, data: Planes, planes: u8) {
        let word = word(offset);
        if planes == 0b1111 {
            self.0.set(word, data);
            return;
        }
        let mut bytes = self.0.get(word);
        for (plane, (byte, new)) in bytes.iter_mut().zip(data).enumerate() {
            if planes >> plane & 1 != 0 {
                *byte = new;
            }
        }
        self.0.set(word, bytes);
    }

    /// All bytes, in the order in which they are kept.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Puts back what [`save`](Self::save) gave; false, and nothing is changed, if it has another size.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        let (words, rest) = bytes.as_chunks::<4>();
        let fits = words.len() == PLANE_SIZE && rest.is_empty();
        if fits {
            words.iter().enumerate().for_each(|(index, word)| self.0.set(index, *word));
        }
        fits
    }

    /// The memory itself, to be shown to the guest.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.0
    }

    /// The same memory, all zeros.
    #[must_use]
    pub fn cleared(&self) -> Memory {
        (0..PLANE_SIZE).for_each(|index| self.0.set(index, [0; 4]));
        Memory(self.0.clone())
    }
}

impl Clone for Memory {
    /// Memory of its own with the same contents.
    fn clone(&self) -> Memory {
        let clone = Memory::new();
        (0..PLANE_SIZE).for_each(|index| clone.0.set(index, self.0.get(index)));
        clone
    }
}

/// Which word has what the planes hold at `offset`. Chain 4 reaches the offsets whose highest two bits are their lowest
/// two as well; there the address without the bits for the plane is the word.
fn word(offset: u16) -> usize {
    let offset = usize::from(offset);
    ((offset >> 14 ^ offset) & 3) << 14 | offset >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_a_word_of_its_own() {
        let mut memory = Memory::new();
        for offset in 0..=u16::MAX {
            let [low, high] = offset.to_le_bytes();
            memory.set(offset, [low, high, !low, 0], 0b0111);
        }
        for offset in 0..=u16::MAX {
            let [low, high] = offset.to_le_bytes();
            assert_eq!(memory.get(offset), [low, high, !low, 0], "{offset:#x}");
        }
    }
}
