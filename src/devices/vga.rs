//! VGA text memory: the 32 KiB at B8000-BFFFF and the 80x25 screen of mode 3 that they show.
//!
//! Each cell is two bytes, character and attribute; rows follow each other without a gap and the screen
//! starts at offset 0 (IBM VGA, mode 3). Knows nothing of where it is mapped, of fonts, or of a terminal.

use serde::{Deserialize, Serialize};

use super::RestoreError;
use super::frame::{Cell, Frame, TextFrame};

/// Bytes of text memory.
pub const MEMORY_SIZE: usize = 0x8000;
/// Cells in a row of mode 3.
pub const COLUMNS: u16 = 80;
/// Rows of mode 3.
pub const ROWS: u16 = 25;

/// Text memory and its screen.
#[derive(Clone, Debug)]
pub struct VgaText {
    memory: Box<[u8; MEMORY_SIZE]>,
}

/// All that a guest can have changed in a [`VgaText`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    memory: Vec<u8>,
}

impl VgaText {
    /// The device as the firmware leaves it: mode 3, the whole memory blank.
    #[must_use]
    pub fn new() -> VgaText {
        let mut memory = Box::new([0; MEMORY_SIZE]);
        for cell in memory.as_chunks_mut::<2>().0 {
            *cell = [Cell::BLANK.character, Cell::BLANK.attribute];
        }
        VgaText { memory }
    }

    /// Reads from text memory at any alignment. Beyond its end the bus is open: FFh.
    ///
    /// Text memory has no side effects on reading, so this serves the guest and a debugger alike.
    pub fn read(&self, offset: u32, data: &mut [u8]) {
        let inside = self.memory.get(offset as usize..).unwrap_or_default();
        let present = inside.len().min(data.len());
        data[..present].copy_from_slice(&inside[..present]);
        data[present..].fill(super::OPEN_BUS);
    }

    /// What [`read`](Self::read) would give, for those who must not disturb the device.
    pub fn peek(&self, offset: u32, data: &mut [u8]) {
        self.read(offset, data);
    }

    /// Writes to text memory at any alignment. What lies beyond its end is dropped.
    pub fn write(&mut self, offset: u32, data: &[u8]) {
        let inside = self.memory.get_mut(offset as usize..).unwrap_or_default();
        let present = inside.len().min(data.len());
        inside[..present].copy_from_slice(&data[..present]);
    }

    /// The screen as it is now.
    #[must_use]
    pub fn frame(&self) -> Frame {
        let shown = usize::from(COLUMNS) * usize::from(ROWS);
        let cells = self.memory.as_chunks().0.iter().take(shown);
        let cells = cells.map(|&[character, attribute]| Cell { character, attribute }).collect();
        Frame::Text(TextFrame::new(COLUMNS, ROWS, cells))
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        State { memory: self.memory.to_vec() }
    }

    /// Puts back a state that [`save`](Self::save) gave. On an error nothing has changed.
    pub fn restore(&mut self, state: &State) -> Result<(), RestoreError> {
        let found = state.memory.len();
        if found != MEMORY_SIZE {
            return Err(RestoreError::MemorySize {
                device: "vga text",
                expected: MEMORY_SIZE,
                found,
            });
        }
        self.memory.copy_from_slice(&state.memory);
        Ok(())
    }
}

impl Default for VgaText {
    fn default() -> VgaText {
        VgaText::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::random::Random;

    fn text(vga: &VgaText) -> TextFrame {
        let Frame::Text(text) = vga.frame();
        text
    }

    #[test]
    fn power_on_shows_80_by_25_blanks() {
        let frame = text(&VgaText::new());
        assert_eq!((frame.columns(), frame.rows()), (80, 25));
        assert!(frame.lines().flatten().all(|&cell| cell == Cell::BLANK));
    }

    #[test]
    fn both_bytes_of_the_first_and_the_last_cell_count() {
        let mut vga = VgaText::new();
        vga.write(0, &[b'A', 0x1e]);
        vga.write(3998, &[b'Z', 0x4f]);
        vga.write(4000, &[b'!', 0x70]);
        let frame = text(&vga);
        assert_eq!(frame.cell(0, 0), Some(Cell { character: b'A', attribute: 0x1e }));
        assert_eq!(frame.cell(79, 24), Some(Cell { character: b'Z', attribute: 0x4f }));
        assert_eq!(frame.lines().flatten().filter(|&&cell| cell != Cell::BLANK).count(), 2);
    }

    #[test]
    fn any_mix_of_accesses_agrees_with_an_array_of_bytes() {
        let mut random = Random::new(1);
        let mut vga = VgaText::new();
        let mut model = [0x20, 0x07].repeat(MEMORY_SIZE / 2);
        for _ in 0..50_000 {
            let length = 1 + random.below(8) as usize;
            // A few bytes beyond the end too: those writes are lost, those reads give FFh.
            let offset = random.below(MEMORY_SIZE as u32 + 16);
            let at = |i: usize| offset as usize + i;
            if random.below(2) == 0 {
                let data: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
                vga.write(offset, &data);
                (0..length).filter(|&i| at(i) < MEMORY_SIZE).for_each(|i| model[at(i)] = data[i]);
            } else {
                let mut data = vec![0; length];
                vga.read(offset, &mut data);
                let expected: Vec<u8> =
                    (0..length).map(|i| *model.get(at(i)).unwrap_or(&0xff)).collect();
                assert_eq!(data, expected, "offset {offset:#x}");
            }
        }
        let mut all = vec![0; MEMORY_SIZE];
        vga.peek(0, &mut all);
        assert_eq!(all, model);
    }

    #[test]
    fn the_farthest_offset_is_open_bus() {
        let mut vga = VgaText::new();
        let mut data = [0; 8];
        vga.write(u32::MAX, &data);
        vga.read(u32::MAX, &mut data);
        assert_eq!(data, [0xff; 8]);
    }

    #[test]
    fn scrolling_up_by_a_row_keeps_text_and_colours() {
        let mut vga = VgaText::new();
        vga.write(160, b"h\x1ei\x1e");
        for offset in (0..3840).step_by(2) {
            let mut word = [0; 2];
            vga.read(offset + 160, &mut word);
            vga.write(offset, &word);
        }
        let frame = text(&vga);
        assert_eq!(frame.cell(1, 0), Some(Cell { character: b'i', attribute: 0x1e }));
        assert_eq!(frame.cell(1, 1), Some(Cell::BLANK));
    }

    #[test]
    fn a_saved_state_comes_back_through_json() {
        let mut vga = VgaText::new();
        vga.write(0x7ffe, b"ok");
        let json = serde_json::to_string(&vga.save()).unwrap();
        let mut other = VgaText::new();
        other.restore(&serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(other.save(), vga.save());
    }

    #[test]
    fn a_state_of_the_wrong_size_is_refused() {
        let mut vga = VgaText::new();
        for size in [0, MEMORY_SIZE - 1, MEMORY_SIZE + 1] {
            let error = vga.restore(&State { memory: vec![0; size] }).unwrap_err().to_string();
            assert!(error.contains(&size.to_string()) && error.contains("32768"), "{error}");
        }
        assert_eq!(vga.save(), VgaText::new().save());
    }
}
