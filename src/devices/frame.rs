//! What a screen shows at one moment, free of how the device came to it.
//!
//! Frames are the only thing that renderers see. A frame is complete: it carries every setting that
//! decides how it looks, so that two equal frames look equal.

/// One picture of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A grid of characters.
    Text(TextFrame),
}

/// A text-mode screen: `columns` times `rows` cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFrame {
    columns: u16,
    rows: u16,
    /// Row by row; always `columns * rows` of them.
    cells: Vec<Cell>,
    /// The text cursor, unless it is switched off or outside the screen.
    pub cursor: Option<Cursor>,
    /// Whether attribute bit 7 makes a character blink; if not, it makes the background bright.
    pub blink: bool,
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

impl Cell {
    /// A blank, light grey on black: what the BIOS fills a text screen with.
    pub const BLANK: Cell = Cell { character: b' ', attribute: 0x07 };
}

impl Default for Cell {
    fn default() -> Cell {
        Cell::BLANK
    }
}

impl TextFrame {
    /// A screen of `cells`, row by row, without a cursor, bit 7 blinking. Missing cells are blank and
    /// surplus ones dropped.
    #[must_use]
    pub fn new(columns: u16, rows: u16, mut cells: Vec<Cell>) -> TextFrame {
        cells.resize(usize::from(columns) * usize::from(rows), Cell::BLANK);
        TextFrame { columns, rows, cells, cursor: None, blink: true }
    }

    /// Cells in a row.
    #[must_use]
    pub fn columns(&self) -> u16 {
        self.columns
    }

    /// Rows on the screen.
    #[must_use]
    pub fn rows(&self) -> u16 {
        self.rows
    }

    /// The cells of each row, from the top.
    pub fn lines(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks(usize::from(self.columns).max(1))
    }

    /// The cell at `column` of `row`, if the screen has it.
    #[must_use]
    pub fn cell(&self, column: u16, row: u16) -> Option<Cell> {
        let on_screen = column < self.columns && row < self.rows;
        let index = usize::from(row) * usize::from(self.columns) + usize::from(column);
        self.cells.get(index).copied().filter(|_| on_screen)
    }
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
}
