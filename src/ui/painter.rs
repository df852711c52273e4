//! A frame on a terminal that goes on showing it: only what has changed since the last one is sent.
//!
//! The guest's screen is at the terminal's top left. Of one that is larger than the terminal, the part with the cursor
//! is shown. Below it, or on the last row, is a line of ours. Pictures are drawn in half blocks, or in
//! [sixels](super::sixel) where the terminal has them.

use super::blocks::{UPPER_HALF, pairs};
use super::look::{BLACK, Look, push_change, push_reversal};
use super::sixel::sixels;
use crate::devices::frame::{Cursor, Frame, Rgb, TextFrame, VGA_PALETTE};
use crate::font::cp437;

/// Unchanged characters between two changed ones that are sent rather than leapt over.
const GAP: usize = 6;
/// The look of our own line.
const OWN: Look = Look { foreground: BLACK, background: VGA_PALETTE[7], blink: false };

/// Sides of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Width and height of a character in pixels, of a terminal that draws sixels.
    pub cell: Option<(usize, usize)>,
}

/// A character on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Glyph {
    character: char,
    look: Look,
}

const BLANK: Glyph = Glyph { character: ' ', look: Look::DEFAULT };

/// How the terminal's cursor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Caret {
    row: usize,
    column: usize,
    /// It fills half of the cell at least.
    block: bool,
}

/// What a terminal shows.
#[derive(Clone, Debug)]
pub struct Painter {
    size: Size,
    colours: bool,
    /// The terminal's rows; empty if it is not known what it shows.
    shown: Vec<Vec<Glyph>>,
    caret: Option<Caret>,
    /// The picture that is drawn in pixels.
    picture: Option<Frame>,
}

impl Painter {
    /// For a terminal of which nothing is known but its size. Without `colours` characters that are darker than what
    /// is behind them are in reverse video, and of pictures there is only the mode.
    #[must_use]
    pub fn new(size: Size, colours: bool) -> Painter {
        Painter { size, colours, shown: Vec::new(), caret: None, picture: None }
    }

    /// Characters in a row of the terminal.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.size.columns
    }

    /// What has to be sent for the terminal to show `frame`, and `line` as our own line, which ends in `…` if it is too
    /// long. Nothing, if it does already.
    /// With `line_is_needed` the line is there even if it hides the guest's last row.
    #[must_use]
    pub fn paint(&mut self, frame: &Frame, line: &str, line_is_needed: bool) -> String {
        let Size { columns, rows, cell } = self.size;
        let mut out = String::new();
        let picture = match (frame, cell) {
            (Frame::Graphics(_), Some(cell)) if self.colours => Some(cell),
            _ => None,
        };
        if self.shown.is_empty() || self.picture.is_some() && picture.is_none() {
            out.push_str("\x1b[0m\x1b[2J");
            self.shown = vec![vec![Glyph { character: '\0', ..BLANK }; columns]; rows];
            self.picture = None;
        }
        let mut wanted = vec![vec![BLANK; columns]; rows];
        let mut caret = None;
        let used = match frame {
            _ if picture.is_some() => rows.saturating_sub(1),
            Frame::Text(text) => {
                let height = text.rows().len();
                let room =
                    if line_is_needed && height >= rows { rows.saturating_sub(1) } else { rows };
                caret = draw_text(text, &mut wanted[..room.min(rows)]);
                height.min(room)
            }
            Frame::Graphics(graphics) if !self.colours => {
                let text = format!("[{}]", graphics.mode);
                for (glyph, character) in wanted.iter_mut().flatten().zip(text.chars()) {
                    glyph.character = character;
                }
                rows.saturating_sub(1)
            }
            Frame::Graphics(_) => {
                let room = rows.saturating_sub(1);
                for (row, pairs) in wanted.iter_mut().zip(pairs(frame, columns, room)) {
                    for (glyph, pair) in row.iter_mut().zip(pairs) {
                        *glyph = half_block(pair);
                    }
                }
                room
            }
        };
        if let Some(row) = wanted.get_mut(used..).and_then(<[_]>::last_mut) {
            let mut characters = line.chars();
            for glyph in &mut *row {
                *glyph = Glyph { character: characters.next().unwrap_or(' '), look: OWN };
            }
            if characters.next().is_some()
                && let Some(last) = row.last_mut()
            {
                last.character = '…';
            }
        }
        if let Some((wide, high)) = picture
            && self.picture.as_ref() != Some(frame)
        {
            if self.picture.is_none() {
                out.push_str("\x1b[0m\x1b[2J");
                self.shown.clone_from(&wanted);
                self.shown.iter_mut().skip(used).flatten().for_each(|glyph| glyph.character = '\0');
            }
            out.push_str("\x1b[H");
            out.push_str(&sixels(frame, columns * wide, used * high));
            self.picture = Some(frame.clone());
        }
        for (row, (shown, wanted)) in self.shown.iter().zip(&wanted).enumerate() {
            push_row(&mut out, row, shown, wanted, self.colours);
        }
        self.shown = wanted;
        if out.is_empty() && caret == self.caret {
            return out;
        }
        self.caret = caret;
        // Hidden, so that it does not leap about meanwhile.
        format!("\x1b[?25l{out}{}", caret.map(shown_caret).unwrap_or_default())
    }
}

/// Draws what of `text` fits into `rows`, and where the cursor is then.
fn draw_text(text: &TextFrame, rows: &mut [Vec<Glyph>]) -> Option<Caret> {
    let columns = rows.first().map_or(0, Vec::len);
    let cursor = text.cursor_in_text();
    let at = cursor.map_or((0, 0), |at| (usize::from(at.row), usize::from(at.column)));
    // The part with the cursor.
    let first = |at: usize, room: usize| (at + 1).saturating_sub(room);
    let (top, left) = (first(at.0, rows.len()), first(at.1, columns));
    let lines = text.lines().skip(top);
    for (row, line) in rows.iter_mut().zip(lines) {
        for (glyph, cell) in row.iter_mut().zip(line.iter().skip(left)) {
            let character = cp437::to_char(cell.character);
            *glyph = Glyph { character, look: Look::of(cell.attribute, text) };
        }
    }
    let Cursor { first_line, last_line, .. } = cursor?;
    let height = text.rows().get(at.0).map_or(16, |row| row.lines);
    let block = 2 * (u16::from(last_line.saturating_sub(first_line)) + 1) >= u16::from(height);
    let caret = Caret { row: at.0 - top, column: at.1 - left, block };
    (caret.row < rows.len() && caret.column < columns).then_some(caret)
}

fn half_block((upper, lower): (Rgb, Option<Rgb>)) -> Glyph {
    let look = Look { foreground: upper, background: lower.unwrap_or(BLACK), blink: false };
    if look.foreground == look.background {
        return Glyph { character: ' ', look };
    }
    Glyph { character: UPPER_HALF, look }
}

/// Sends what of a row has changed.
fn push_row(out: &mut String, row: usize, shown: &[Glyph], wanted: &[Glyph], colours: bool) {
    let push_change = if colours { push_change } else { push_reversal };
    let changed: Vec<usize> =
        (0..wanted.len()).filter(|&x| shown.get(x) != Some(&wanted[x])).collect();
    for run in changed.chunk_by(|a, b| b - a <= GAP) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        out.push_str(&format!("\x1b[{};{}H", row + 1, first + 1));
        let mut now = None;
        for (x, Glyph { character, look }) in (*first..=*last).zip(&wanted[*first..=*last]) {
            push_change(out, now, Some(*look));
            now = Some(*look);
            out.push(*character);
            if is_of_doubtful_width(*character) {
                out.push_str(&format!("\x1b[{}G", x + 2));
            }
        }
        push_change(out, now, None);
    }
}

/// Whether terminals do not agree on how wide `character` is.
fn is_of_doubtful_width(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{21ff}' | '\u{25a0}'..='\u{27bf}') && character != '■'
}

/// Puts the cursor there and shows it, as an underline or as a block; on a VGA both blink.
fn shown_caret(Caret { row, column, block }: Caret) -> String {
    format!("\x1b[{};{}H\x1b[{} q\x1b[?25h", row + 1, column + 1, if block { 1 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::{Cell, GraphicsFrame};

    fn size(columns: usize, rows: usize) -> Size {
        Size { columns, rows, cell: None }
    }

    fn text(columns: u16, rows: u16, characters: &[u8]) -> TextFrame {
        let cells = characters.iter().map(|&character| Cell { character, ..Cell::BLANK }).collect();
        TextFrame::new(columns, rows, cells)
    }

    fn picture(colour: u8) -> Frame {
        Frame::Graphics(GraphicsFrame {
            width: 4,
            height: 4,
            pixels: vec![colour; 16],
            palette: vec![[0; 3], [255; 3]],
            direct: None,
            pixel_aspect: (1, 1),
            mode: "a test".to_owned(),
        })
    }

    fn paint(painter: &mut Painter, frame: TextFrame) -> String {
        painter.paint(&Frame::Text(frame), "own", false).replace('\x1b', "^")
    }

    #[test]
    fn only_what_has_changed_is_sent() {
        let mut painter = Painter::new(size(10, 3), true);
        let first = paint(&mut painter, text(10, 2, b"hello     "));
        assert_eq!(
            first,
            "^[?25l^[0m^[2J^[1;1H^[37;40mhello     ^[0m^[2;1H^[37;40m          ^[0m\
             ^[3;1H^[30;47mown       ^[0m"
        );
        assert_eq!(paint(&mut painter, text(10, 2, b"hello     ")), "");
        assert_eq!(paint(&mut painter, text(10, 2, b"hallo     ")), "^[?25l^[1;2H^[37;40ma^[0m");
    }

    #[test]
    fn without_colours_there_is_reverse_video() {
        let mut painter = Painter::new(size(3, 2), false);
        let cells = [(b'a', 0x07), (b'b', 0x1e), (b'c', 0x70)];
        let cells = cells.map(|(character, attribute)| Cell { character, attribute }).to_vec();
        let shown = paint(&mut painter, TextFrame::new(3, 1, cells));
        assert_eq!(shown, "^[?25l^[0m^[2J^[1;1Hab^[7mc^[27m^[2;1H^[7mown^[27m");
        let mut painter = Painter::new(Size { cell: Some((10, 20)), ..size(8, 3) }, false);
        let shown = painter.paint(&picture(1), "own", false).replace('\x1b', "^");
        assert!(shown.contains("^[1;1H[a test]^[") && shown.contains("^[7mown"), "{shown}");
    }

    #[test]
    fn the_cursor_is_where_the_guests_is_and_looks_like_it() {
        let mut painter = Painter::new(size(10, 3), true);
        let mut frame = text(10, 2, b"");
        let _ = paint(&mut painter, frame.clone());
        frame.cursor = Some(Cursor { row: 1, column: 4, first_line: 13, last_line: 14 });
        assert_eq!(paint(&mut painter, frame.clone()), "^[?25l^[2;5H^[3 q^[?25h");
        frame.cursor = Some(Cursor { row: 1, column: 4, first_line: 0, last_line: 15 });
        assert_eq!(paint(&mut painter, frame.clone()), "^[?25l^[2;5H^[1 q^[?25h");
        frame.cursor = None;
        assert_eq!(paint(&mut painter, frame), "^[?25l");
    }

    #[test]
    fn of_a_screen_larger_than_the_terminal_the_part_with_the_cursor_is_shown() {
        let mut painter = Painter::new(size(2, 2), true);
        let mut frame = text(4, 4, b"abcdefghijklmnop");
        frame.cursor = Some(Cursor { row: 3, column: 2, first_line: 14, last_line: 15 });
        let shown = paint(&mut painter, frame.clone());
        assert!(shown.contains("jk") && shown.contains("no"), "{shown}");
        assert!(shown.ends_with("^[2;2H^[3 q^[?25h"), "{shown}");
        // Our line hides the last row if it has to be seen.
        let shown = painter.paint(&Frame::Text(frame), "own", true);
        assert!(shown.contains("no") && shown.contains("o…"), "{shown}");
    }

    #[test]
    fn a_line_of_ours_that_does_not_fit_shows_that() {
        let shown = |line: &str| {
            let mut painter = Painter::new(size(6, 2), false);
            painter.paint(&Frame::Text(text(6, 1, b"")), line, true).replace('\x1b', "^")
        };
        assert!(shown("a line").contains("^[7ma line^["), "{}", shown("a line"));
        assert!(shown("a line of ours").contains("^[7ma lin…^["), "{}", shown("a line of ours"));
    }

    #[test]
    fn pictures_are_half_blocks() {
        let mut painter = Painter::new(size(4, 3), true);
        let shown = painter.paint(&picture(1), "own", false).replace('\x1b', "^");
        assert!(shown.contains("^[1;1H^[97;107m    ^[0m^[2;1H^[97;107m    ^[0m"), "{shown}");
        assert_eq!(painter.paint(&picture(1), "own", false), "");
        let text = paint(&mut painter, text(4, 2, b"text"));
        assert!(text.contains("text") && !text.contains("2J"), "{text}");
    }

    #[test]
    fn pictures_are_pixels_where_the_terminal_has_them() {
        let mut painter = Painter::new(Size { cell: Some((10, 20)), ..size(4, 3) }, true);
        let shown = painter.paint(&picture(1), "own", false);
        assert!(shown.contains("\x1bP0;1q\"1;1;40;40") && shown.contains("own"), "{shown:?}");
        assert_eq!(painter.paint(&picture(1), "own", false), "");
        assert!(painter.paint(&picture(0), "own", false).contains("\x1bP"));
        // Text is on a screen without the picture.
        let text = paint(&mut painter, text(4, 2, b"text"));
        assert!(text.contains("^[2J") && text.contains("text"), "{text}");
    }
}
