//! Lines, blocks and shades, drawn by rule.
//!
//! A box-drawing character is four arms that meet in the middle, each absent, single or double. A single
//! vertical line takes columns 3-4 and a horizontal one row 7; the two lines of a double one lie at equal
//! distances on either side of that.

use std::ops::RangeInclusive;

use super::{GLYPH_HEIGHT, Glyph};

/// How many lines an arm has.
type Weight = u8;

/// The arms of each character: up, right, down, left.
const BOXES: [(char, [Weight; 4]); 40] = [
    ('│', [1, 0, 1, 0]),
    ('┤', [1, 0, 1, 1]),
    ('╡', [1, 0, 1, 2]),
    ('╢', [2, 0, 2, 1]),
    ('╖', [0, 0, 2, 1]),
    ('╕', [0, 0, 1, 2]),
    ('╣', [2, 0, 2, 2]),
    ('║', [2, 0, 2, 0]),
    ('╗', [0, 0, 2, 2]),
    ('╝', [2, 0, 0, 2]),
    ('╜', [2, 0, 0, 1]),
    ('╛', [1, 0, 0, 2]),
    ('┐', [0, 0, 1, 1]),
    ('└', [1, 1, 0, 0]),
    ('┴', [1, 1, 0, 1]),
    ('┬', [0, 1, 1, 1]),
    ('├', [1, 1, 1, 0]),
    ('─', [0, 1, 0, 1]),
    ('┼', [1, 1, 1, 1]),
    ('╞', [1, 2, 1, 0]),
    ('╟', [2, 1, 2, 0]),
    ('╚', [2, 2, 0, 0]),
    ('╔', [0, 2, 2, 0]),
    ('╩', [2, 2, 0, 2]),
    ('╦', [0, 2, 2, 2]),
    ('╠', [2, 2, 2, 0]),
    ('═', [0, 2, 0, 2]),
    ('╬', [2, 2, 2, 2]),
    ('╧', [1, 2, 0, 2]),
    ('╨', [2, 1, 0, 1]),
    ('╤', [0, 2, 1, 2]),
    ('╥', [0, 1, 2, 1]),
    ('╙', [2, 1, 0, 0]),
    ('╘', [1, 2, 0, 0]),
    ('╒', [0, 2, 1, 0]),
    ('╓', [0, 1, 2, 0]),
    ('╫', [2, 1, 2, 1]),
    ('╪', [1, 2, 1, 2]),
    ('┘', [1, 0, 0, 1]),
    ('┌', [0, 1, 1, 0]),
];

const LAST_COLUMN: u8 = 7;
const LAST_ROW: u8 = GLYPH_HEIGHT as u8 - 1;
const ROW: u8 = 7;
const COLUMNS: (u8, u8) = (3, 4);
const UPPER_ROW: u8 = 6;
const LOWER_ROW: u8 = 8;
const LEFT_COLUMNS: (u8, u8) = (1, 2);
const RIGHT_COLUMNS: (u8, u8) = (5, 6);

/// The glyph of a box-drawing, block or shade character.
pub fn glyph(character: char) -> Option<Glyph> {
    let shade = |even, odd| std::array::from_fn(|row| if row % 2 == 0 { even } else { odd });
    let block = |columns, rows| {
        let mut canvas = Canvas([0; GLYPH_HEIGHT]);
        canvas.fill(columns, rows);
        canvas.0
    };
    Some(match character {
        '░' => shade(0x22, 0x88),
        '▒' => shade(0x55, 0xaa),
        '▓' => shade(0xdd, 0x77),
        '█' => block(0..=7, 0..=15),
        '▀' => block(0..=7, 0..=7),
        '▄' => block(0..=7, 8..=15),
        '▌' => block(0..=3, 0..=15),
        '▐' => block(4..=7, 0..=15),
        _ => box_glyph(BOXES.iter().find(|(of, _)| *of == character)?.1),
    })
}

/// Draws the box of the given arms, of which opposite ones have one weight.
fn box_glyph([up, right, down, left]: [Weight; 4]) -> Glyph {
    let mut canvas = Canvas([0; GLYPH_HEIGHT]);
    match (up.max(down), left.max(right)) {
        (2, 2) => draw_double(&mut canvas, [up, right, down, left].map(|arm| arm > 0)),
        (2, _) => {
            // Two vertical lines meet or cross a single horizontal one.
            let rows = if up > 0 { 0 } else { ROW }..=if down > 0 { LAST_ROW } else { ROW };
            canvas.fill(LEFT_COLUMNS.0..=LEFT_COLUMNS.1, rows.clone());
            canvas.fill(RIGHT_COLUMNS.0..=RIGHT_COLUMNS.1, rows);
            let through = up > 0 && down > 0;
            if left > 0 {
                let end = if through { LEFT_COLUMNS.1 } else { RIGHT_COLUMNS.1 };
                canvas.fill(0..=end, ROW..=ROW);
            }
            if right > 0 {
                let start = if through { RIGHT_COLUMNS.0 } else { LEFT_COLUMNS.0 };
                canvas.fill(start..=LAST_COLUMN, ROW..=ROW);
            }
            if left > 0 && right > 0 {
                canvas.fill(0..=LAST_COLUMN, ROW..=ROW);
            }
        }
        (_, 2) => {
            // Two horizontal lines meet or cross a single vertical one.
            let start = if left > 0 { 0 } else { COLUMNS.0 };
            let end = if right > 0 { LAST_COLUMN } else { COLUMNS.1 };
            canvas.fill(start..=end, UPPER_ROW..=UPPER_ROW);
            canvas.fill(start..=end, LOWER_ROW..=LOWER_ROW);
            let through = left > 0 && right > 0;
            if up > 0 {
                let end = if through { UPPER_ROW } else { LOWER_ROW };
                canvas.fill(COLUMNS.0..=COLUMNS.1, 0..=end);
            }
            if down > 0 {
                let start = if through { LOWER_ROW } else { UPPER_ROW };
                canvas.fill(COLUMNS.0..=COLUMNS.1, start..=LAST_ROW);
            }
            if up > 0 && down > 0 {
                canvas.fill(COLUMNS.0..=COLUMNS.1, 0..=LAST_ROW);
            }
        }
        _ => {
            let rows = if up > 0 { 0 } else { ROW }..=if down > 0 { LAST_ROW } else { ROW };
            if up > 0 || down > 0 {
                canvas.fill(COLUMNS.0..=COLUMNS.1, rows);
            }
            let start = if left > 0 { 0 } else { COLUMNS.0 };
            let end = if right > 0 { LAST_COLUMN } else { COLUMNS.1 };
            if left > 0 || right > 0 {
                canvas.fill(start..=end, ROW..=ROW);
            }
        }
    }
    canvas.0
}

/// Draws double arms: first the bands that the two lines of each enclose, then the corridors inside, so
/// that corners and crossings come out right.
fn draw_double(canvas: &mut Canvas, [up, right, down, left]: [bool; 4]) {
    let band = LEFT_COLUMNS.0..=RIGHT_COLUMNS.1;
    let corridor = LEFT_COLUMNS.1 + 1..=RIGHT_COLUMNS.0 - 1;
    if up {
        canvas.fill(band.clone(), 0..=LOWER_ROW);
    }
    if down {
        canvas.fill(band.clone(), UPPER_ROW..=LAST_ROW);
    }
    if left {
        canvas.fill(0..=*band.end(), UPPER_ROW..=LOWER_ROW);
    }
    if right {
        canvas.fill(*band.start()..=LAST_COLUMN, UPPER_ROW..=LOWER_ROW);
    }
    if up {
        canvas.clear(corridor.clone(), 0..=ROW);
    }
    if down {
        canvas.clear(corridor.clone(), ROW..=LAST_ROW);
    }
    if left {
        canvas.clear(0..=*corridor.end(), ROW..=ROW);
    }
    if right {
        canvas.clear(*corridor.start()..=LAST_COLUMN, ROW..=ROW);
    }
}

struct Canvas(Glyph);

impl Canvas {
    fn fill(&mut self, columns: RangeInclusive<u8>, rows: RangeInclusive<u8>) {
        let bits = columns.fold(0, |bits, column| bits | 0x80 >> column);
        rows.for_each(|row| self.0[usize::from(row)] |= bits);
    }

    fn clear(&mut self, columns: RangeInclusive<u8>, rows: RangeInclusive<u8>) {
        let bits = columns.fold(0, |bits, column| bits | 0x80 >> column);
        rows.for_each(|row| self.0[usize::from(row)] &= !bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixels with which a line of the given weight meets the neighbouring cell.
    fn horizontal_ends(weight: Weight) -> Vec<usize> {
        [vec![], vec![7], vec![6, 8]][usize::from(weight)].clone()
    }

    fn vertical_ends(weight: Weight) -> u8 {
        [0, 0b0001_1000, 0b0110_0110][usize::from(weight)]
    }

    #[test]
    fn every_arm_reaches_its_edge_and_no_other_does() {
        for (character, [up, right, down, left]) in BOXES {
            let glyph = glyph(character).unwrap();
            let at_edge = |bit: u8| -> Vec<usize> {
                (0..GLYPH_HEIGHT).filter(|&row| glyph[row] & bit != 0).collect()
            };
            assert_eq!(glyph[0], vertical_ends(up), "{character} up");
            assert_eq!(glyph[15], vertical_ends(down), "{character} down");
            assert_eq!(at_edge(0x80), horizontal_ends(left), "{character} left");
            assert_eq!(at_edge(0x01), horizontal_ends(right), "{character} right");
        }
    }

    #[test]
    fn boxes_mirror_each_other() {
        let mirrors = [('╔', '╗'), ('╚', '╝'), ('╒', '╕'), ('╙', '╜'), ('├', '┤'), ('╟', '╢')];
        for (character, mirrored) in mirrors {
            let flipped = glyph(character).unwrap().map(u8::reverse_bits);
            assert_eq!(flipped, glyph(mirrored).unwrap(), "{character} and {mirrored}");
        }
    }

    #[test]
    fn a_double_cross_leaves_its_corridors_open() {
        let cross = glyph('╬').unwrap();
        assert_eq!(cross[5..10], [0x66, 0xe7, 0x00, 0xe7, 0x66]);
        let corner = glyph('╔').unwrap();
        assert_eq!(corner[5..10], [0x00, 0x7f, 0x60, 0x67, 0x66]);
    }

    #[test]
    fn shades_cover_a_quarter_a_half_and_three_quarters() {
        let covered =
            |character| glyph(character).unwrap().iter().map(|row| row.count_ones()).sum::<u32>();
        assert_eq!(['░', '▒', '▓', '█'].map(covered), [32, 64, 96, 128]);
    }
}
