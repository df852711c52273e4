//! A frame as text with colours, for a terminal.
//!
//! Attribute 07h, what the BIOS fills the screen with, is shown in the terminal's own colours, so that
//! plain output blends in; any other attribute names both its colours. As on a VGA in its power-on state,
//! attribute bit 7 blinks (SGR 5); a frame that says otherwise gets a bright background instead. Every
//! line ends in the terminal's own colours, and a sequence is sent only where the look changes. For graphics see
//! [`blocks`](super::blocks).

use super::look::{BLACK, Look, push_change};
use super::text;
use crate::devices::frame::{Cell, Frame, TextFrame};
use crate::font::cp437;

/// The frame's text with its colours. As in [`text::plain`], what can't be seen at the
/// ends of rows and of the screen is left out; a blank on a colour can be seen. A graphics mode is named.
#[must_use]
pub fn ansi(frame: &Frame) -> String {
    let Frame::Text(text) = frame else { return text::plain(frame) };
    let mut out = String::new();
    let mut end = 0;
    for line in text.lines() {
        let visible = line.iter().rposition(|&cell| !is_invisible(cell, text));
        push_line(&mut out, &line[..visible.map_or(0, |last| last + 1)], text);
        out.push('\n');
        if visible.is_some() {
            end = out.len();
        }
    }
    out.truncate(end);
    out
}

/// The look that `attribute` asks for; `None` for the terminal's own.
fn look_of(attribute: u8, text: &TextFrame) -> Option<Look> {
    let look = Look::of(attribute, text);
    (attribute != Cell::BLANK.attribute || look != Look::DEFAULT).then_some(look)
}

/// Whether `cell` shows nothing at all.
fn is_invisible(cell: Cell, text: &TextFrame) -> bool {
    let black = look_of(cell.attribute, text).is_none_or(|look| look.background == BLACK);
    cp437::is_blank(cell.character) && black
}

/// Appends one row, starting and ending in the terminal's own colours.
fn push_line(out: &mut String, line: &[Cell], text: &TextFrame) {
    let mut now = None;
    for &Cell { character, attribute } in line {
        let mut wanted = look_of(attribute, text);
        if cp437::is_blank(character) {
            // Of a blank only the background shows, and black may well be the terminal's own.
            let background = |look: Option<Look>| look.map_or(BLACK, |look| look.background);
            if background(now) == background(wanted) {
                wanted = now;
            }
        }
        push_change(out, now, wanted);
        now = wanted;
        out.push(cp437::to_char(character));
    }
    push_change(out, now, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, u8)]) -> TextFrame {
        let cell = |attribute| move |character| Cell { character, attribute };
        let cells = cells.iter().flat_map(|&(text, attribute)| text.bytes().map(cell(attribute)));
        TextFrame::new(20, 2, cells.collect())
    }

    fn show(frame: TextFrame) -> String {
        ansi(&Frame::Text(frame)).replace('\x1b', "^")
    }

    #[test]
    fn grey_on_black_is_plain_text() {
        assert_eq!(show(row(&[("hello", 7)])), "hello\n");
        assert_eq!(show(row(&[("", 7)])), "");
    }

    #[test]
    fn only_what_changes_is_sent_and_each_line_ends_plain() {
        let shown = show(row(&[("a", 0x1e), ("b", 0x1e), ("c", 0x1f), ("d", 0x4f), ("e", 7)]));
        assert_eq!(shown, "^[93;44mab^[97mc^[41md^[0me\n");
        assert_eq!(show(row(&[("x", 0x02)])), "^[32;40mx^[0m\n");
    }

    #[test]
    fn blanks_count_by_their_background_only() {
        assert_eq!(show(row(&[("a ", 0x0f), (" ", 7), ("b", 0x0f)])), "^[97;40ma  b^[0m\n");
        assert_eq!(show(row(&[("a", 7), (" ", 0x0f), ("b", 7)])), "a b\n");
        assert_eq!(show(row(&[("a", 7), ("  ", 0x10)])), "a^[30;44m  ^[0m\n");
        assert_eq!(show(row(&[("a", 7), ("   ", 0x0c)])), "a\n");
    }

    #[test]
    fn bit_7_blinks_or_brightens_as_the_frame_says() {
        let mut frame = row(&[("a", 0x9e), ("b", 0x1e)]);
        assert_eq!(show(frame.clone()), "^[93;44;5ma^[25mb^[0m\n");
        frame.blink = false;
        assert_eq!(show(frame), "^[93;104ma^[44mb^[0m\n");
    }

    #[test]
    fn without_its_sequences_it_is_the_plain_text() {
        let cells = (0..=255).map(|n: u8| Cell { character: n, attribute: n & 0x8f }).collect();
        let frame = Frame::Text(TextFrame::new(16, 16, cells));
        let mut shown = String::new();
        let mut inside = false;
        for character in ansi(&frame).chars() {
            inside |= character == '\x1b';
            shown.extend((!inside).then_some(character));
            inside &= character != 'm';
        }
        assert_eq!(shown, super::super::text::plain(&frame));
    }

    #[test]
    fn colours_of_the_guests_own_are_sent_in_full() {
        let mut frame = row(&[("a", 0x1e), ("b", 7)]);
        frame.palette[14] = [1, 2, 3];
        assert_eq!(show(frame.clone()), "^[38;2;1;2;3;44ma^[0mb\n");
        frame.palette[7] = [9, 9, 9];
        assert_eq!(show(frame), "^[38;2;1;2;3;44ma^[38;2;9;9;9;40mb^[0m\n");
    }
}
