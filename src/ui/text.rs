//! A frame as plain text in UTF-8: what a person would copy off the screen. Of a graphics mode there is no text, but
//! the name of the mode.

use crate::devices::frame::{Cell, Frame};

use crate::font::cp437;

/// The frame's text: a line for each row, without trailing blanks, and without the blank rows at the end.
/// An empty screen gives an empty text, a graphics mode a line in brackets.
#[must_use]
pub fn plain(frame: &Frame) -> String {
    let mut text = String::new();
    // Where the last row that is not blank ends.
    let mut end = 0;
    for line in lines(frame) {
        let line = line.trim_end_matches(' ');
        text.push_str(line);
        text.push('\n');
        if !line.is_empty() {
            end = text.len();
        }
    }
    text.truncate(end);
    text
}

/// The frame's text with every row and column, each row on a line of its own.
#[must_use]
pub fn grid(frame: &Frame) -> String {
    lines(frame).into_iter().flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// The rows as text of full width.
fn lines(frame: &Frame) -> Vec<String> {
    let character = |cell: &Cell| cp437::to_char(cell.character);
    match frame {
        Frame::Text(text) => {
            text.lines().map(|cells| cells.iter().map(character).collect()).collect()
        }
        Frame::Graphics(graphics) => vec![format!("[{}]", graphics.mode)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::{GraphicsFrame, TextFrame};

    fn frame(columns: u16, rows: u16, text: &[u8]) -> Frame {
        let cells = text.iter().map(|&character| Cell { character, ..Cell::BLANK }).collect();
        Frame::Text(TextFrame::new(columns, rows, cells))
    }

    #[test]
    fn blanks_at_the_ends_of_rows_and_of_the_screen_are_left_out() {
        let frame = frame(5, 5, b"     hi \0\xff      a b\n ");
        assert_eq!(plain(&frame), "\nhi\n\n a b◙\n");
        assert_eq!(grid(&frame), "     \nhi   \n     \n a b◙\n     \n");
    }

    #[test]
    fn an_empty_screen_is_an_empty_text() {
        assert_eq!(plain(&frame(80, 25, b"")), "");
        assert_eq!(plain(&frame(0, 0, b"")), "");
        assert_eq!(grid(&frame(0, 25, b"")), "");
        assert_eq!(grid(&frame(80, 25, b"")).lines().filter(|line| line.len() == 80).count(), 25);
    }

    #[test]
    fn a_graphics_mode_is_named() {
        let frame = Frame::Graphics(GraphicsFrame {
            width: 1,
            height: 1,
            pixels: vec![0],
            palette: vec![[0; 3]],
            direct: None,
            pixel_aspect: (1, 1),
            mode: "mode 13h: 320x200, 256 colours".to_owned(),
        });
        assert_eq!(plain(&frame), "[mode 13h: 320x200, 256 colours]\n");
    }

    #[test]
    fn a_full_screen_loses_nothing() {
        let full = frame(16, 16, &(0..=255).collect::<Vec<u8>>());
        let all: String = (0..=255).map(cp437::to_char).collect();
        assert_eq!(grid(&full).replace('\n', ""), all);
        assert_eq!(plain(&full), GOLDEN);
    }

    const GOLDEN: &str = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼
►◄↕‼¶§▬↨↑↓→←∟↔▲▼
 !\"#$%&'()*+,-./
0123456789:;<=>?
@ABCDEFGHIJKLMNO
PQRSTUVWXYZ[\\]^_
`abcdefghijklmno
pqrstuvwxyz{|}~⌂
ÇüéâäàåçêëèïîìÄÅ
ÉæÆôöòûùÿÖÜ¢£¥₧ƒ
áíóúñÑªº¿⌐¬½¼¡«»
░▒▓│┤╡╢╖╕╣║╗╝╜╛┐
└┴┬├─┼╞╟╚╔╩╦╠═╬╧
╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀
αßΓπΣσµτΦΘΩδ∞φε∩
≡±≥≤⌠⌡÷≈°∙·√ⁿ²■
";
}
