//! A frame as pixels: what a VGA puts on the wire to the monitor.
//!
//! A text cell of mode 3 is 9 pixels wide and 16 high, so that 80x25 cells make 720x400. A glyph is 8 wide: the
//! ninth column is background, but repeats the eighth for the codes C0h-DFh, so that box drawing joins
//! (IBM VGA, attribute mode control bit 2). A monitor stretches the picture to 4:3, so a pixel of 720x400 is 20/27
//! as wide as high. Blinking characters and the cursor are drawn as seen in their visible phase.

use crate::devices::frame::{Cell, Cursor, Frame, Rgb, TextFrame};

/// A picture, with a palette of at most 256 colours or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    /// Pixels in a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Row by row, an index into `palette` for each pixel.
    pub pixels: Vec<u8>,
    /// Red, green and blue of each colour.
    pub palette: Vec<Rgb>,
    /// The colour of each pixel, if there is no palette; `pixels` and `palette` are empty then.
    pub direct: Option<Vec<Rgb>>,
    /// How wide to how high a pixel is to be shown.
    pub pixel_aspect: (u32, u32),
}

impl Raster {
    /// Draws `frame`.
    #[must_use]
    pub fn of(frame: &Frame) -> Raster {
        match frame {
            Frame::Text(text) => Raster::of_text(text),
            Frame::Graphics(graphics) => Raster {
                width: graphics.width,
                height: graphics.height,
                pixels: graphics.pixels.clone(),
                palette: graphics.palette.clone(),
                direct: graphics.direct.clone(),
                pixel_aspect: graphics.pixel_aspect,
            },
        }
    }

    fn of_text(text: &TextFrame) -> Raster {
        let width = usize::from(text.columns()) * usize::from(text.generator.cell_width);
        let height = text.height();
        let mut pixels = Vec::with_capacity(width * height);
        for (number, row) in (0..=u16::MAX).zip(text.shown()) {
            for line in row.first_line..row.first_line.saturating_add(row.lines) {
                let end = pixels.len() + width;
                let cells = (0..=u16::MAX).zip(&row.cells);
                let cells = cells.flat_map(|(column, &cell)| {
                    let cursor = text.cursor.filter(|at| (at.row, at.column) == (number, column));
                    cell_line(text, cell, line, cursor)
                });
                pixels.extend(cells.skip(text.panning.into()).take(width));
                // Whoever pans has cells to fill the gap.
                pixels.resize(end, 0);
            }
        }
        let (palette, pixel_aspect) = (text.palette.to_vec(), text.pixel_aspect);
        Raster { width, height, pixels, palette, direct: None, pixel_aspect }
    }

    /// The colour of the pixel at `x` and `y`; black beyond the edges.
    #[must_use]
    pub fn colour(&self, x: usize, y: usize) -> Rgb {
        let inside = x < self.width && y < self.height;
        if let Some(colours) = self.direct.as_ref().filter(|_| inside) {
            return colours.get(y * self.width + x).copied().unwrap_or_default();
        }
        let pixel = self.pixels.get(y * self.width + x).copied().filter(|_| inside);
        let colour = pixel.and_then(|pixel| self.palette.get(usize::from(pixel)));
        colour.copied().unwrap_or_default()
    }
}

/// The pixels of scan line `line` of a cell, as colours.
fn cell_line(
    text: &TextFrame,
    cell: Cell,
    line: u8,
    cursor: Option<Cursor>,
) -> impl Iterator<Item = u8> + use<> {
    let generator = &text.generator;
    let foreground = cell.attribute & 15;
    let background = cell.attribute >> 4 & if text.blink { 7 } else { 15 };
    let joins = generator.joins && matches!(cell.character, 0xc0..=0xdf);
    let second = generator.glyphs.len() > 256 && cell.attribute & 8 != 0;
    let glyph = generator.glyphs.get(usize::from(cell.character) + if second { 256 } else { 0 });
    let dots = glyph.and_then(|glyph| glyph.get(usize::from(line))).copied().unwrap_or(0);
    let dots = u16::from(dots);
    let under_cursor = cursor.is_some_and(|at| (at.first_line..=at.last_line).contains(&line));
    let underlined = line == generator.underline && cell.attribute & 7 == 1;
    let bits = match (under_cursor || underlined, joins) {
        (true, _) => 0x1ff,
        (false, true) => dots << 1 | dots & 1,
        (false, false) => dots << 1,
    };
    let width = generator.cell_width.min(9);
    (9 - width..9).rev().map(move |bit| if bits >> bit & 1 == 1 { foreground } else { background })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::{GraphicsFrame, VGA_PALETTE};

    fn draw(text: &TextFrame) -> Vec<String> {
        let raster = Raster::of(&Frame::Text(text.clone()));
        assert_eq!(raster.pixels.len(), raster.width * raster.height);
        let digit = |&pixel: &u8| char::from_digit(pixel.into(), 16).unwrap();
        raster.pixels.chunks(raster.width).map(|row| row.iter().map(digit).collect()).collect()
    }

    fn one(character: u8, attribute: u8) -> TextFrame {
        TextFrame::new(1, 1, vec![Cell { character, attribute }])
    }

    #[test]
    fn mode_3_is_720_by_400() {
        let raster = Raster::of(&Frame::Text(TextFrame::new(80, 25, vec![])));
        assert_eq!((raster.width, raster.height), (720, 400));
        // 4:3 after stretching.
        let (wide, high) = raster.pixel_aspect;
        assert_eq!(720 * wide * 3, 400 * high * 4);
    }

    #[test]
    fn the_palette_is_the_one_of_the_bios() {
        let hex = VGA_PALETTE.map(|[r, g, b]| format!("{r:02x}{g:02x}{b:02x}"));
        let expected = "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa \
                        555555 5555ff 55ff55 55ffff ff5555 ff55ff ffff55 ffffff";
        assert_eq!(hex.join(" "), expected);
    }

    #[test]
    fn box_drawing_reaches_into_the_ninth_column_and_text_does_not() {
        assert_eq!(draw(&one(0xc4, 0x1e))[7], "eeeeeeeee");
        assert_eq!(draw(&one(0xdb, 0x1e)), vec!["eeeeeeeee"; 16]);
        assert_eq!(draw(&one(0xb2, 0x1e))[0].as_bytes()[8], b'1');
        assert_eq!(draw(&one(b' ', 0x1e)), vec!["111111111"; 16]);
    }

    #[test]
    fn bit_7_is_a_bright_background_only_without_blinking() {
        let mut text = one(b' ', 0x97);
        assert_eq!(draw(&text)[0], "111111111");
        text.blink = false;
        assert_eq!(draw(&text)[0], "999999999");
    }

    #[test]
    fn the_cursor_covers_its_lines_of_its_cell() {
        let mut text = TextFrame::new(2, 1, vec![]);
        text.cursor = Some(Cursor { row: 0, column: 1, first_line: 13, last_line: 14 });
        let rows = draw(&text);
        assert_eq!(rows[12], "0".repeat(18));
        assert_eq!(rows[13], "000000000777777777");
        assert_eq!(rows[14], rows[13]);
        assert_eq!(rows[15], rows[12]);
        text.cursor = Some(Cursor { row: 9, column: 9, first_line: 30, last_line: 255 });
        assert_eq!(draw(&text), vec!["0".repeat(18); 16]);
    }

    #[test]
    fn cells_of_8_pixels_have_no_ninth_column() {
        let mut text = one(0xc4, 0x1e);
        text.generator.cell_width = 8;
        assert_eq!(draw(&text)[7], "eeeeeeee");
        assert_eq!(
            draw(&one(b'H', 0x1e))[5][..8],
            draw(&{
                let mut text = one(b'H', 0x1e);
                text.generator.cell_width = 8;
                text
            })[5]
        );
    }

    #[test]
    fn line_graphics_end_at_the_eighth_column_when_switched_off() {
        let mut text = one(0xc4, 0x1e);
        text.generator.joins = false;
        assert_eq!(draw(&text)[7], "eeeeeeee1");
    }

    #[test]
    fn a_second_font_is_for_attribute_bit_3() {
        let mut text = one(b'A', 0x07);
        text.generator.glyphs.extend([[0xff; 32]; 256]);
        let plain = draw(&text);
        assert_eq!(plain, draw(&one(b'A', 0x07)));
        let mut bright = one(b'A', 0x0f);
        bright.generator = text.generator;
        assert_eq!(draw(&bright)[0], "ffffffff0");
    }

    #[test]
    fn monochrome_text_is_underlined() {
        let mut text = one(b' ', 0x01);
        text.generator.underline = 15;
        assert_eq!(draw(&text)[15], "111111111");
        assert_eq!(draw(&text)[14], "000000000");
    }

    #[test]
    fn parts_of_rows_are_drawn_as_they_are() {
        let row = |first_line, lines| crate::devices::frame::Row {
            cells: vec![Cell { character: 0xdb, attribute: 0x0e }; 2],
            first_line,
            lines,
        };
        let mut text = TextFrame::of_rows(1, vec![row(12, 4), row(0, 16), row(0, 2)]);
        assert_eq!(draw(&text), vec!["eeeeeeeee"; 22]);
        text.panning = 3;
        assert_eq!(draw(&text), vec!["eeeeeeeee"; 22]);
        text.rest = Some(row(0, 3));
        assert_eq!(draw(&text), vec!["eeeeeeeee"; 25]);
    }

    #[test]
    fn graphics_are_drawn_one_to_one() {
        let frame = GraphicsFrame {
            width: 2,
            height: 1,
            pixels: vec![1, 9],
            palette: vec![[0; 3], [1, 2, 3]],
            direct: None,
            pixel_aspect: (1, 1),
            mode: "a test".to_owned(),
        };
        let raster = Raster::of(&Frame::Graphics(frame));
        assert_eq!([0, 1, 2].map(|x| raster.colour(x, 0)), [[1, 2, 3], [0; 3], [0; 3]]);
    }
}
