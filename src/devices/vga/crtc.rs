//! The CRT controller, ports 3D4h and 3D5h or, for a monochrome monitor, 3B4h and 3B5h: the timing of the picture,
//! and which memory it is fetched from (IBM VGA, "CRT Controller Registers").

use serde::{Deserialize, Serialize};

/// Registers that there are.
pub const COUNT: usize = 25;

/// The CRT controller's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crtc {
    /// Which register the data port is.
    pub index: u8,
    pub(super) registers: [u8; COUNT],
}

const OVERFLOW: usize = 0x07;
const MAXIMUM_SCAN_LINE: usize = 0x09;
const CURSOR_START: usize = 0x0a;
const VERTICAL_RETRACE_END: usize = 0x11;
const UNDERLINE: usize = 0x14;
const MODE_CONTROL: usize = 0x17;

impl Crtc {
    /// The register at the index; those that do not exist read 0.
    #[must_use]
    pub fn read(&self) -> u8 {
        self.registers.get(usize::from(self.index)).copied().unwrap_or(0)
    }

    /// Writes the register at the index. While bit 7 of register 11h is set, registers 0 to 7 are protected,
    /// but for bit 4 of 7, which belongs to the line compare.
    pub fn write(&mut self, value: u8) {
        let index = usize::from(self.index);
        let protects = self.registers[VERTICAL_RETRACE_END] & 0x80 != 0;
        let Some(register) = self.registers.get_mut(index) else { return };
        *register = match index {
            OVERFLOW if protects => *register & !0x10 | value & 0x10,
            0..=OVERFLOW if protects => return,
            _ => value,
        };
    }

    fn wide(&self, high: usize, low: usize) -> u16 {
        u16::from_be_bytes([self.registers[high], self.registers[low]])
    }

    /// Ten bits: 8 of register `low`, bit 8 at `eighth` of the overflow register, bit 9 given.
    fn ten_bits(&self, low: usize, eighth: u8, ninth: u8) -> u16 {
        let eighth = self.registers[OVERFLOW] >> eighth & 1;
        u16::from(self.registers[low]) | u16::from(eighth) << 8 | u16::from(ninth & 1) << 9
    }

    /// Character clocks in a line, of which [`columns`](Self::columns) are shown.
    #[must_use]
    pub fn line_clocks(&self) -> u16 {
        u16::from(self.registers[0x00]) + 5
    }

    /// Character clocks that are shown of a line.
    #[must_use]
    pub fn columns(&self) -> u16 {
        u16::from(self.registers[0x01]) + 1
    }

    /// Lines in a frame, of which [`shown_lines`](Self::shown_lines) are shown.
    #[must_use]
    pub fn frame_lines(&self) -> u16 {
        (self.ten_bits(0x06, 0, self.registers[OVERFLOW] >> 5) + 2) * self.line_factor()
    }

    /// Lines that are shown of a frame.
    #[must_use]
    pub fn shown_lines(&self) -> u16 {
        (self.ten_bits(0x12, 1, self.registers[OVERFLOW] >> 6) + 1) * self.line_factor()
    }

    /// The first line of the vertical retrace, and how many it takes.
    #[must_use]
    pub fn retrace(&self) -> (u16, u16) {
        let start = self.ten_bits(0x10, 2, self.registers[OVERFLOW] >> 7);
        // Its end is known by its low four bits.
        let end = u16::from(self.registers[VERTICAL_RETRACE_END]);
        let lines = match end.wrapping_sub(start) & 0xf {
            0 => 16,
            lines => lines,
        };
        (start * self.line_factor(), lines * self.line_factor())
    }

    /// The vertical registers may count pairs of lines.
    fn line_factor(&self) -> u16 {
        if self.registers[MODE_CONTROL] & 0x04 == 0 { 1 } else { 2 }
    }

    /// Behind this line the picture goes on with the memory's beginning: the split screen.
    #[must_use]
    pub fn line_compare(&self) -> u16 {
        self.ten_bits(0x18, 4, self.registers[MAXIMUM_SCAN_LINE] >> 6)
    }

    /// Where the picture begins, in units of the address counter.
    #[must_use]
    pub fn start_address(&self) -> u16 {
        self.wide(0x0c, 0x0d)
    }

    /// Where the cursor is, in units of the address counter.
    #[must_use]
    pub fn cursor_address(&self) -> u16 {
        self.wide(0x0e, 0x0f)
    }

    /// The first and the last line of a cell that the cursor covers; `None` if it is off.
    #[must_use]
    pub fn cursor_lines(&self) -> Option<(u8, u8)> {
        let start = self.registers[CURSOR_START];
        let (first, last) = (start & 0x1f, self.registers[CURSOR_START + 1] & 0x1f);
        (start & 0x20 == 0 && first <= last).then_some((first, last))
    }

    /// How far a row of characters, or of pixels, is from the next, in units of the address counter.
    #[must_use]
    pub fn row_pitch(&self) -> u16 {
        u16::from(self.registers[0x13]) * 2
    }

    /// The line within a row that the picture begins with.
    #[must_use]
    pub fn first_row_line(&self) -> u8 {
        self.registers[0x08] & 0x1f
    }

    /// Characters that the picture is shifted to the left in addition to the start address.
    #[must_use]
    pub fn byte_panning(&self) -> u16 {
        u16::from(self.registers[0x08] >> 5 & 3)
    }

    /// The last line of a row, counted from 0.
    #[must_use]
    pub fn last_row_line(&self) -> u8 {
        self.registers[MAXIMUM_SCAN_LINE] & 0x1f
    }

    /// Each line is shown twice.
    #[must_use]
    pub fn doubles_lines(&self) -> bool {
        self.registers[MAXIMUM_SCAN_LINE] & 0x80 != 0
    }

    /// The line of a cell that is underlined where the attribute asks for it.
    #[must_use]
    pub fn underline(&self) -> u8 {
        self.registers[UNDERLINE] & 0x1f
    }

    /// Character clocks after which the address counter counts on.
    #[must_use]
    pub fn clocks_per_count(&self) -> u16 {
        match (self.registers[UNDERLINE] & 0x20, self.registers[MODE_CONTROL] & 0x08) {
            (0, 0) => 1,
            (0, _) => 2,
            _ => 4,
        }
    }

    /// The lines of a row are in different places, as on a CGA or a Hercules card.
    #[must_use]
    pub fn has_banks(&self) -> bool {
        self.registers[MODE_CONTROL] & 3 != 3
    }

    /// The offset in the planes that the address counter's `counter` leads to in line `row_line` of a row: it is
    /// turned left by two bits in doubleword mode, by one in word mode.
    #[must_use]
    pub fn offset(&self, counter: u16, row_line: u8) -> u16 {
        let mode = self.registers[MODE_CONTROL];
        let mut offset = if self.registers[UNDERLINE] & 0x40 != 0 {
            counter << 2 | counter >> 12 & 3
        } else if mode & 0x40 == 0 {
            counter << 1 | counter >> if mode & 0x20 == 0 { 13 } else { 15 } & 1
        } else {
            counter
        };
        for (bit, place) in [(0, 13), (1, 14)] {
            if mode >> bit & 1 == 0 {
                offset = offset & !(1 << place) | u16::from(row_line >> bit & 1) << place;
            }
        }
        offset
    }
}
