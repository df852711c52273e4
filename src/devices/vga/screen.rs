//! The picture: what the registers make of the planes.

use super::Vga;
use super::graphics::{Planes, Shift};
use super::modes::{Mode, mode};
use super::scan::Line;
use crate::devices::frame::{
    Cell, Cursor, Frame, Generator, GraphicsFrame, Rgb, Row, TextFrame, aspect_on_4_by_3,
};

impl Vga {
    /// The screen as it is now.
    #[must_use]
    pub fn frame(&self) -> Frame {
        if let Some(mode) = self.linear_mode() {
            Frame::Graphics(self.linear_frame(mode))
        } else if self.registers.graphics.shows_graphics() {
            Frame::Graphics(self.graphics_frame())
        } else {
            Frame::Text(self.text_frame())
        }
    }

    /// Why the screen shows nothing but the overscan colour, if it does.
    pub(super) fn blank(&self) -> Option<&'static str> {
        if !self.registers.attribute.shows_picture() {
            Some("off: bit 5 of the attribute index, port 3C0h, is 0")
        } else if self.registers.sequencer.screen_off() {
            Some("off: bit 5 of sequencer register 1 is 1")
        } else {
            None
        }
    }

    /// The mode of the BIOS whose timing and memory layout the registers have.
    #[must_use]
    pub fn mode(&self) -> Option<&'static Mode> {
        let registers = &self.registers;
        (0..=0x6a).filter_map(mode).find(|mode| {
            // Neither the cursor, nor where the picture begins, nor what is protected.
            let decides = |index: &usize| matches!(index, 0..=7 | 9 | 0x10 | 0x12..=0x15 | 0x17);
            let same = |&index: &usize| mode.crtc[index] == registers.crtc.registers[index];
            let sequencer = &registers.sequencer.registers;
            (0..mode.crtc.len()).filter(decides).all(|index| same(&index))
                && (mode.sequencer[0], mode.sequencer[3]) == (sequencer[1], sequencer[4])
                // Not the read and write modes, with which a guest draws.
                && mode.graphics[5] & 0x70 == registers.graphics.registers[5] & 0x70
                && mode.graphics[6] == registers.graphics.registers[6]
                && mode.attribute[0x10] & 0x43 == registers.attribute.registers[0x10] & 0x43
                && mode.attribute[0x12] == registers.attribute.registers[0x12]
                // 11h differs from 12h in nothing else.
                && (mode.number != 0x11 || mode.attribute == registers.attribute.registers)
        })
    }

    /// The mode in words.
    pub(super) fn mode_text(&self, text: &str) -> String {
        let Some(shown) = self.mode() else { return format!("no mode of the BIOS: {text}") };
        let set = self.registers.mode_set;
        let is_shown = mode(set).is_some_and(|mode| mode.number == shown.number);
        match if is_shown { set } else { shown.number } {
            number @ ..10 => format!("mode {number}: {text}"),
            number => format!("mode {number:X}h: {text}"),
        }
    }

    /// The 16 colours.
    pub(super) fn palette(&self) -> [Rgb; 16] {
        std::array::from_fn(|colour| {
            let number = self.registers.attribute.to_dac(colour as u8);
            self.registers.dac.shown(number)
        })
    }

    fn planes(&self, line: Line, character: u16) -> Planes {
        let crtc = &self.registers.crtc;
        let counter = line.start.wrapping_add(character / crtc.clocks_per_count());
        self.memory.get(crtc.offset(counter, line.row_line))
    }

    fn text_frame(&self) -> TextFrame {
        let crtc = &self.registers.crtc;
        let lines = self.lines();
        let columns = crtc.columns();
        let cell_width = self.registers.sequencer.dots();
        let blank = self.blank().is_some();
        let mut rows: Vec<(Line, Row)> = Vec::new();
        let mut before: Option<Line> = None;
        for &line in &lines {
            let goes_on = before.is_some_and(|before| {
                (before.start, before.split) == (line.start, line.split)
                    && before.row_line + 1 == line.row_line
            });
            before = Some(line);
            match rows.last_mut() {
                Some((_, row)) if goes_on => row.lines += 1,
                _ => {
                    let cell = |column| match self.planes(Line { row_line: 0, ..line }, column) {
                        _ if blank => Cell { character: b' ', attribute: 0 },
                        [character, attribute, ..] => Cell { character, attribute },
                    };
                    let cells = (0..=columns).map(cell).collect();
                    rows.push((line, Row { cells, first_line: line.row_line, lines: 1 }));
                }
            }
        }
        let mut cursor = None;
        if let Some((first_line, last_line)) = crtc.cursor_lines().filter(|_| !blank) {
            let place = (0..).zip(&rows).find_map(|(row, (line, _))| {
                let column = crtc.cursor_address().wrapping_sub(line.start);
                (column < columns).then_some((row, column))
            });
            cursor = place.map(|(row, column)| Cursor { row, column, first_line, last_line });
        }
        let width = usize::from(columns) * usize::from(cell_width);
        let panning = lines.first().map_or(0, |line| self.panning(*line, cell_width));
        let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        let rest = take_rest(&mut rows, crtc.last_row_line() + 1);
        let mut text = TextFrame::of_rows(columns, rows);
        text.rest = rest;
        text.cursor = cursor;
        text.blink = self.registers.attribute.blinks();
        text.generator = Generator {
            glyphs: self.glyphs(),
            cell_width,
            joins: self.registers.attribute.joins_line_graphics(),
            underline: crtc.underline(),
        };
        text.palette = if blank { [self.overscan(); 16] } else { self.palette() };
        text.pixel_aspect = aspect_on_4_by_3(width, lines.len());
        text.panning = panning;
        text
    }

    pub(super) fn overscan(&self) -> Rgb {
        self.registers.dac.shown(self.registers.attribute.overscan())
    }

    /// The glyphs in plane 2 that the character map selects.
    fn glyphs(&self) -> Vec<[u8; 32]> {
        let [first, second] = self.registers.sequencer.font_offsets();
        let font = |offset: u16| {
            (0..256u16).map(move |character| {
                std::array::from_fn(|line| {
                    let at = offset.wrapping_add(character * super::FONT_STRIDE);
                    self.memory.get(at.wrapping_add(line as u16))[2]
                })
            })
        };
        let mut glyphs: Vec<[u8; 32]> = font(first).collect();
        if first != second {
            glyphs.extend(font(second));
        }
        glyphs
    }

    fn graphics_frame(&self) -> GraphicsFrame {
        let lines = self.lines();
        let repetition = self.repetition(&lines);
        let columns = self.registers.crtc.columns();
        let shift = self.registers.graphics.shift();
        let a_character = if shift == Shift::Packed256 { 4 } else { 8 };
        let width = usize::from(columns) * a_character;
        let rows = lines.iter().step_by(repetition);
        let height = rows.len();
        let mut pixels = Vec::with_capacity(width * height);
        let blank = self.blank().is_some();
        for &line in rows {
            let panning = match shift {
                Shift::Packed256 => self.panning(line, 8) / 2,
                _ => self.panning(line, 8),
            };
            if blank {
                pixels.resize(pixels.len() + width, 0);
                continue;
            }
            let row = (0..=columns).flat_map(|character| {
                pixels_of(self.planes(line, character), shift).into_iter().take(a_character)
            });
            pixels.extend(row.skip(panning.into()).take(width));
        }
        let (palette, colours) = match shift {
            _ if blank => (vec![self.overscan()], self.colours()),
            Shift::Packed256 => {
                ((0..=255).map(|n| self.registers.dac.shown(n)).collect(), self.colours())
            }
            _ => (self.palette().to_vec(), self.colours()),
        };
        let how = match shift {
            Shift::Packed256 if !self.registers.sequencer.chains_four() => ", unchained",
            _ => "",
        };
        let mode = self.mode_text(&format!("{width}x{height}, {colours} colours{how}"));
        let pixel_aspect = aspect_on_4_by_3(width, height);
        GraphicsFrame { width, height, pixels, palette, direct: None, pixel_aspect, mode }
    }

    /// How many colours there can be at once.
    fn colours(&self) -> u16 {
        match (self.mode(), self.registers.graphics.shift()) {
            (Some(mode), _) => mode.colours,
            (None, Shift::Packed256) => 256,
            (None, _) => 1 << self.registers.attribute.plane_enable().count_ones(),
        }
    }
}

/// Takes the last of `rows`, of which whole ones have `height` lines, if it is cut off at the end of the screen. Where
/// others are cut off as well, the picture is scrolled or split, and all parts of rows are of the text.
fn take_rest(rows: &mut Vec<Row>, height: u8) -> Option<Row> {
    let (last, others) = rows.split_last()?;
    let is_whole = |row: &Row| row.first_line == 0 && row.lines == height;
    let is_rest = !others.is_empty() && others.iter().all(is_whole) && !is_whole(last);
    if is_rest { rows.pop() } else { None }
}

/// The pixels of a byte of each plane, from the left: eight, or four of 256 colours.
fn pixels_of(planes: Planes, shift: Shift) -> [u8; 8] {
    match shift {
        Shift::Packed256 => {
            let [a, b, c, d] = planes;
            [a, b, c, d, 0, 0, 0, 0]
        }
        Shift::Interleaved => std::array::from_fn(|pixel| {
            let (half, at) = (pixel / 4, 6 - 2 * (pixel % 4));
            planes[half] >> at & 3 | (planes[half + 2] >> at & 3) << 2
        }),
        Shift::Planar => std::array::from_fn(|pixel| {
            let bit = |plane: usize| (planes[plane] >> (7 - pixel) & 1) << plane;
            bit(0) | bit(1) | bit(2) | bit(3)
        }),
    }
}
