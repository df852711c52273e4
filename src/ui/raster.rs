//! A frame as pixels: what a VGA puts on the wire to the monitor.
//!
//! A text cell is 9 pixels wide and 16 high, so that 80x25 cells make 720x400. The font is 8 wide: the
//! ninth column is background, but repeats the eighth for the codes C0h-DFh, so that box drawing joins
//! (IBM VGA, attribute mode control bit 2). A monitor stretches 720x400 to 4:3, so a pixel is 20/27 as
//! wide as high. Blinking characters and the cursor are drawn as seen in their visible phase.

use crate::devices::frame::{Cell, Cursor, Frame, TextFrame};

use super::font::{self, GLYPH_HEIGHT};

/// Pixels that a text cell is wide.
pub const CELL_WIDTH: usize = 9;
/// Pixels that a text cell is high.
pub const CELL_HEIGHT: usize = GLYPH_HEIGHT;

/// The 16 colours of text modes, as the BIOS sets the palette and the DAC: red, green and blue.
pub const VGA_PALETTE: [[u8; 3]; 16] = {
    let mut palette = [[0; 3]; 16];
    let mut colour = 0;
    while colour < 16 {
        let low = if colour & 8 == 0 { 0 } else { 0x55 };
        let full = low + 0xaa;
        palette[colour] = [
            if colour & 4 == 0 { low } else { full },
            if colour & 2 == 0 { low } else { full },
            if colour & 1 == 0 { low } else { full },
        ];
        colour += 1;
    }
    // Dark yellow is made brown.
    palette[6][1] = 0x55;
    palette
};

/// A picture with a palette of at most 256 colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    /// Pixels in a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Row by row, an index into `palette` for each pixel.
    pub pixels: Vec<u8>,
    /// Red, green and blue of each colour.
    pub palette: Vec<[u8; 3]>,
    /// How wide to how high a pixel is to be shown.
    pub pixel_aspect: (u32, u32),
}

impl Raster {
    /// Draws `frame`.
    #[must_use]
    pub fn of(frame: &Frame) -> Raster {
        match frame {
            Frame::Text(text) => Raster::of_text(text),
        }
    }

    fn of_text(text: &TextFrame) -> Raster {
        let width = usize::from(text.columns()) * CELL_WIDTH;
        let height = usize::from(text.rows()) * CELL_HEIGHT;
        let mut pixels = Vec::with_capacity(width * height);
        for (row, line) in (0..=u16::MAX).zip(text.lines()) {
            for y in 0..CELL_HEIGHT {
                for (column, &cell) in (0..=u16::MAX).zip(line) {
                    let cursor = text.cursor.filter(|at| (at.row, at.column) == (row, column));
                    pixels.extend(cell_line(cell, y, text.blink, cursor));
                }
            }
        }
        Raster { width, height, pixels, palette: VGA_PALETTE.to_vec(), pixel_aspect: (20, 27) }
    }
}

/// The pixels of scan line `y` of a cell, as colours.
fn cell_line(
    cell: Cell,
    y: usize,
    blink: bool,
    cursor: Option<Cursor>,
) -> impl Iterator<Item = u8> {
    let foreground = cell.attribute & 15;
    let background = cell.attribute >> 4 & if blink { 7 } else { 15 };
    let joins = matches!(cell.character, 0xc0..=0xdf);
    let glyph = u16::from(font::glyph(cell.character)[y]);
    let under_cursor = cursor
        .is_some_and(|at| (usize::from(at.first_line)..=usize::from(at.last_line)).contains(&y));
    let bits = match (under_cursor, joins) {
        (true, _) => 0x1ff,
        (false, true) => glyph << 1 | glyph & 1,
        (false, false) => glyph << 1,
    };
    (0..CELL_WIDTH).rev().map(move |bit| if bits >> bit & 1 == 1 { foreground } else { background })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
