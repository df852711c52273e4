//! The way of the beam through video memory: for each line of the screen, where its row begins and which line of it
//! this is.

use super::Vga;

/// One line of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The address counter at the row's first character.
    pub start: u16,
    /// The line within the row.
    pub row_line: u8,
    /// The line is below the line compare.
    pub split: bool,
}

impl Vga {
    /// The lines of the screen from the top, as the monitor draws them; those that are doubled, once.
    pub(super) fn lines(&self) -> Vec<Line> {
        let crtc = &self.registers.crtc;
        let first_only = self.registers.attribute.pans_first_part_only();
        let start = crtc.start_address().wrapping_add(crtc.byte_panning());
        let mut line = Line { start, row_line: crtc.first_row_line(), split: false };
        let times = if crtc.doubles_lines() { 2 } else { 1 };
        let compare = crtc.line_compare();
        let mut lines = Vec::new();
        let mut shown = 0;
        for number in 0..crtc.shown_lines() {
            if shown == 0 {
                lines.push(line);
            }
            shown += 1;
            if number == compare {
                let panning = if first_only { 0 } else { crtc.byte_panning() };
                (line, shown) = (Line { start: panning, row_line: 0, split: true }, 0);
            } else if shown == times {
                shown = 0;
                if line.row_line == crtc.last_row_line() {
                    line.start = line.start.wrapping_add(crtc.row_pitch());
                    line.row_line = 0;
                } else {
                    line.row_line = (line.row_line + 1) & 0x1f;
                }
            }
        }
        lines
    }

    /// How many lines of a graphics mode show the same pixels, all over the screen: they are one row of pixels, that
    /// are higher.
    pub(super) fn repetition(&self, lines: &[Line]) -> usize {
        let crtc = &self.registers.crtc;
        if crtc.has_banks() || crtc.first_row_line() != 0 {
            return 1;
        }
        let height = usize::from(crtc.last_row_line()) + 1;
        let whole = |row: &[Line]| {
            row.iter().all(|line| (line.start, line.split) == (row[0].start, row[0].split))
        };
        if lines.chunks(height).all(whole) { height } else { 1 }
    }

    /// Pixels that the picture is shifted to the left.
    pub(super) fn panning(&self, line: Line, width: u8) -> u8 {
        let attribute = &self.registers.attribute;
        if line.split && attribute.pans_first_part_only() {
            return 0;
        }
        match (attribute.panning(), width) {
            (8.., 9) => 0,
            (dots, 9) => dots + 1,
            (dots, _) => dots & 7,
        }
    }
}
