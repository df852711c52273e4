//! What a screen shows at one moment, free of how the device came to it.
//!
//! Frames are the only thing that renderers see. A frame is complete: it carries every setting that
//! decides how it looks, so that two equal frames look equal.

use crate::font;

/// Red, green and blue, 8 bits each.
pub type Rgb = [u8; 3];

/// The 16 colours of text modes, as the BIOS sets the palette and the DAC.
pub const VGA_PALETTE: [Rgb; 16] = {
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

/// One picture of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A grid of characters.
    Text(TextFrame),
    /// A picture of pixels.
    Graphics(GraphicsFrame),
}

/// A text-mode screen: `columns` times `rows` cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFrame {
    columns: u16,
    rows: Vec<Row>,
    /// What is shown below the last row where not a whole one has room, as 8 lines below 28 rows of 14 in 400 lines: a
    /// part of the picture, but not of the text.
    pub rest: Option<Row>,
    /// The text cursor, unless it is switched off or outside the screen; its row is that behind the last one if it is
    /// in the rest.
    pub cursor: Option<Cursor>,
    /// Whether attribute bit 7 makes a character blink; if not, it makes the background bright.
    pub blink: bool,
    /// How characters become pixels.
    pub generator: Generator,
    /// What the 16 colours look like.
    pub palette: [Rgb; 16],
    /// How wide to how high a pixel is to be shown.
    pub pixel_aspect: (u32, u32),
    /// Pixels that the picture is shifted to the left, less than a cell.
    pub panning: u8,
}

/// A row of cells, and which scan lines of it are on the screen: all, but for a picture that is scrolled by parts of
/// a row, or split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The cells from the left; those beyond the screen's columns come into view by panning only.
    pub cells: Vec<Cell>,
    /// The scan line of the cells that the row begins with.
    pub first_line: u8,
    /// Scan lines that are shown.
    pub lines: u8,
}

/// How characters become pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    /// The glyphs of 256 characters; if there are 512, the second half is for those with attribute bit 3 set. Up
    /// to 32 scan lines, bit 7 the leftmost pixel.
    pub glyphs: Vec<[u8; 32]>,
    /// Pixels that a cell is wide: 8 or 9.
    pub cell_width: u8,
    /// The ninth pixel of the characters C0h-DFh repeats the eighth, so that box drawing joins.
    pub joins: bool,
    /// The scan line that is underlined in cells with foreground 1 or 9; none if cells have no such line.
    pub underline: u8,
}

/// A character as text memory holds it: two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The character's number in the font, by default in code page 437.
    pub character: u8,
    /// Bits 0-3 the foreground colour, 4-6 the background, 7 see [`TextFrame::blink`].
    pub attribute: u8,
}

/// Where the cursor is and which scan lines of the cell it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Counted from 0 at the top.
    pub row: u16,
    /// Counted from 0 at the left.
    pub column: u16,
    /// The first scan line of the cell that the cursor covers, from 0 at the top.
    pub first_line: u8,
    /// The last one.
    pub last_line: u8,
}

/// A graphics-mode screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphicsFrame {
    /// Pixels in a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Row by row, an index into `palette` for each pixel: `width * height` of them.
    pub pixels: Vec<u8>,
    /// What the colours look like.
    pub palette: Vec<Rgb>,
    /// In modes without a palette, the colour of each pixel; `pixels` and `palette` are empty then.
    pub direct: Option<Vec<Rgb>>,
    /// How wide to how high a pixel is to be shown.
    pub pixel_aspect: (u32, u32),
    /// What mode this is, for a person: `mode 13h: 320x200, 256 colours`.
    pub mode: String,
}

impl Cell {
    /// A blank, light grey on black: what the BIOS fills a text screen with.
    pub const BLANK: Cell = Cell { character: b' ', attribute: 0x07 };
}

impl Default for Cell {
    fn default() -> Cell {
        Cell::BLANK
    }
}

impl Row {
    /// A row that shows `lines` scan lines of its cells from the top.
    #[must_use]
    pub fn whole(cells: Vec<Cell>, lines: u8) -> Row {
        Row { cells, first_line: 0, lines }
    }
}

impl Default for Generator {
    /// That of mode 3: cells of 9x16 pixels.
    fn default() -> Generator {
        let glyph = |glyph: &font::Glyph| {
            std::array::from_fn(|line| glyph.get(line).copied().unwrap_or_default())
        };
        let glyphs = font::FONT_8X16.iter().map(glyph).collect();
        Generator { glyphs, cell_width: 9, joins: true, underline: 0x1f }
    }
}

impl TextFrame {
    /// A screen of `cells`, row by row, that looks as in mode 3, without a cursor, bit 7 blinking. Missing cells are
    /// blank and surplus ones dropped.
    #[must_use]
    pub fn new(columns: u16, rows: u16, mut cells: Vec<Cell>) -> TextFrame {
        cells.resize(usize::from(columns) * usize::from(rows), Cell::BLANK);
        let row = |cells: &[Cell]| Row::whole(cells.to_vec(), font::GLYPH_HEIGHT as u8);
        TextFrame::of_rows(columns, cells.chunks(usize::from(columns).max(1)).map(row).collect())
    }

    /// The same of rows as they are.
    #[must_use]
    pub fn of_rows(columns: u16, rows: Vec<Row>) -> TextFrame {
        TextFrame {
            columns,
            rows,
            rest: None,
            cursor: None,
            blink: true,
            generator: Generator::default(),
            palette: VGA_PALETTE,
            // 720x400 on a screen of 4:3.
            pixel_aspect: (20, 27),
            panning: 0,
        }
    }

    /// Cells in a row.
    #[must_use]
    pub fn columns(&self) -> u16 {
        self.columns
    }

    /// Rows of the text.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All that the picture shows, from the top.
    pub fn shown(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(&self.rest)
    }

    /// Scan lines of the picture.
    #[must_use]
    pub fn height(&self) -> usize {
        self.shown().map(|row| usize::from(row.lines)).sum()
    }

    /// The cursor, if it is in the text.
    #[must_use]
    pub fn cursor_in_text(&self) -> Option<Cursor> {
        self.cursor.filter(|at| usize::from(at.row) < self.rows.len())
    }

    /// The cells of each row, from the top.
    pub fn lines(&self) -> impl Iterator<Item = &[Cell]> {
        let columns = usize::from(self.columns);
        self.rows.iter().map(move |row| &row.cells[..columns.min(row.cells.len())])
    }

    /// The cell at `column` of `row`, if the screen has it.
    #[must_use]
    pub fn cell(&self, column: u16, row: u16) -> Option<Cell> {
        let on_screen = column < self.columns;
        let row = self.rows.get(usize::from(row))?;
        row.cells.get(usize::from(column)).copied().filter(|_| on_screen)
    }
}

/// How wide to how high a pixel is where `width` times `height` of them fill a screen of 4:3.
#[must_use]
pub fn aspect_on_4_by_3(width: usize, height: usize) -> (u32, u32) {
    fn greatest_common_divisor(a: usize, b: usize) -> usize {
        if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
    }
    let (wide, high) = (4 * height.max(1), 3 * width.max(1));
    let common = greatest_common_divisor(wide, high);
    let side = |part: usize| u32::try_from(part / common).unwrap_or(1);
    (side(wide), side(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_always_has_all_its_cells() {
        let cell = Cell { character: b'x', attribute: 0x1f };
        for given in [0, 3, 6, 9] {
            let frame = TextFrame::new(3, 2, vec![cell; given]);
            let lines: Vec<_> = frame.lines().collect();
            assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [3, 3]);
            assert_eq!(frame.cell(2, 1).unwrap() == cell, given >= 6);
        }
    }

    #[test]
    fn cells_beyond_the_edge_do_not_exist() {
        let frame = TextFrame::new(3, 2, vec![]);
        assert_eq!(frame.cell(3, 0), None);
        assert_eq!(frame.cell(0, 2), None);
        assert_eq!(TextFrame::new(0, 5, vec![]).lines().count(), 0);
    }

    #[test]
    fn pixels_fill_a_screen_of_4_by_3() {
        assert_eq!(aspect_on_4_by_3(720, 400), (20, 27));
        assert_eq!(aspect_on_4_by_3(640, 480), (1, 1));
        assert_eq!(aspect_on_4_by_3(320, 200), (5, 6));
        assert_eq!(aspect_on_4_by_3(0, 0), (4, 3));
    }
}
