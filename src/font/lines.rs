//! Lines, blocks and shades, drawn by rule.
//!
//! A box-drawing character is four arms that meet in the middle, each absent, single or double. A single
//! vertical line takes columns 3-4 and a horizontal one the last row of the upper half; the two lines of a
//! double one lie at equal distances on either side of that. So it is in a glyph of any height.

use std::ops::RangeInclusive;

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
const COLUMNS: (u8, u8) = (3, 4);
const LEFT_COLUMNS: (u8, u8) = (1, 2);
const RIGHT_COLUMNS: (u8, u8) = (5, 6);

/// The rows of a glyph that lines lie on.
#[derive(Clone, Copy)]
struct Rows {
    upper: u8,
    middle: u8,
    lower: u8,
    last: u8,
}

impl Rows {
    /// Those of a glyph that is `height` rows high, 4 at least.
    const fn of(height: usize) -> Rows {
        let height = height as u8;
        let middle = height / 2 - 1;
        Rows { upper: middle - 1, middle, lower: middle + 1, last: height - 1 }
    }
}

/// The glyph of a box-drawing, block or shade character.
pub fn glyph<const H: usize>(character: char) -> Option<[u8; H]> {
    let (half, last) = (Rows::of(H).middle + 1, Rows::of(H).last);
    let shade = |even, odd| std::array::from_fn(|row| if row % 2 == 0 { even } else { odd });
    let block = |columns, rows| {
        let mut canvas = Canvas([0; H]);
        canvas.fill(columns, rows);
        canvas.0
    };
    Some(match character {
        '░' => shade(0x22, 0x88),
        '▒' => shade(0x55, 0xaa),
        '▓' => shade(0xdd, 0x77),
        '█' => block(0..=7, 0..=last),
        '▀' => block(0..=7, 0..=half - 1),
        '▄' => block(0..=7, half..=last),
        '▌' => block(0..=3, 0..=last),
        '▐' => block(4..=7, 0..=last),
        _ => box_glyph(BOXES.iter().find(|(of, _)| *of == character)?.1),
    })
}

/// Draws the box of the given arms, of which opposite ones have one weight.
fn box_glyph<const H: usize>([up, right, down, left]: [Weight; 4]) -> [u8; H] {
    let Rows { upper, middle, lower, last } = Rows::of(H);
    let mut canvas = Canvas([0; H]);
    match (up.max(down), left.max(right)) {
        (2, 2) => draw_double(&mut canvas, [up, right, down, left].map(|arm| arm > 0)),
        (2, _) => {
            // Two vertical lines meet or cross a single horizontal one.
            let rows = if up > 0 { 0 } else { middle }..=if down > 0 { last } else { middle };
            canvas.fill(LEFT_COLUMNS.0..=LEFT_COLUMNS.1, rows.clone());
            canvas.fill(RIGHT_COLUMNS.0..=RIGHT_COLUMNS.1, rows);
            let through = up > 0 && down > 0;
            if left > 0 {
                let end = if through { LEFT_COLUMNS.1 } else { RIGHT_COLUMNS.1 };
                canvas.fill(0..=end, middle..=middle);
            }
            if right > 0 {
                let start = if through { RIGHT_COLUMNS.0 } else { LEFT_COLUMNS.0 };
                canvas.fill(start..=LAST_COLUMN, middle..=middle);
            }
            if left > 0 && right > 0 {
                canvas.fill(0..=LAST_COLUMN, middle..=middle);
            }
        }
        (_, 2) => {
            // Two horizontal lines meet or cross a single vertical one.
            let start = if left > 0 { 0 } else { COLUMNS.0 };
            let end = if right > 0 { LAST_COLUMN } else { COLUMNS.1 };
            canvas.fill(start..=end, upper..=upper);
            canvas.fill(start..=end, lower..=lower);
            let through = left > 0 && right > 0;
            if up > 0 {
                let end = if through { upper } else { lower };
                canvas.fill(COLUMNS.0..=COLUMNS.1, 0..=end);
            }
            if down > 0 {
                let start = if through { lower } else { upper };
                canvas.fill(COLUMNS.0..=COLUMNS.1, start..=last);
            }
            if up > 0 && down > 0 {
                canvas.fill(COLUMNS.0..=COLUMNS.1, 0..=last);
            }
        }
        _ => {
            let rows = if up > 0 { 0 } else { middle }..=if down > 0 { last } else { middle };
            if up > 0 || down > 0 {
                canvas.fill(COLUMNS.0..=COLUMNS.1, rows);
            }
            let start = if left > 0 { 0 } else { COLUMNS.0 };
            let end = if right > 0 { LAST_COLUMN } else { COLUMNS.1 };
            if left > 0 || right > 0 {
                canvas.fill(start..=end, middle..=middle);
            }
        }
    }
    canvas.0
}

/// Draws double arms: first the bands that the two lines of each enclose, then the corridors inside, so
/// that corners and crossings come out right.
fn draw_double<const H: usize>(canvas: &mut Canvas<H>, [up, right, down, left]: [bool; 4]) {
    let Rows { upper, middle, lower, last } = Rows::of(H);
    let band = LEFT_COLUMNS.0..=RIGHT_COLUMNS.1;
    let corridor = LEFT_COLUMNS.1 + 1..=RIGHT_COLUMNS.0 - 1;
    if up {
        canvas.fill(band.clone(), 0..=lower);
    }
    if down {
        canvas.fill(band.clone(), upper..=last);
    }
    if left {
        canvas.fill(0..=*band.end(), upper..=lower);
    }
    if right {
        canvas.fill(*band.start()..=LAST_COLUMN, upper..=lower);
    }
    if up {
        canvas.clear(corridor.clone(), 0..=middle);
    }
    if down {
        canvas.clear(corridor.clone(), middle..=last);
    }
    if left {
        canvas.clear(0..=*corridor.end(), middle..=middle);
    }
    if right {
        canvas.clear(*corridor.start()..=LAST_COLUMN, middle..=middle);
    }
}

struct Canvas<const H: usize>([u8; H]);

impl<const H: usize> Canvas<H> {
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
            let glyph: [u8; 16] = glyph(character).unwrap();
            let at_edge = |bit: u8| -> Vec<usize> {
                (0..glyph.len()).filter(|&row| glyph[row] & bit != 0).collect()
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
            let flipped = glyph::<16>(character).unwrap().map(u8::reverse_bits);
            assert_eq!(flipped, glyph(mirrored).unwrap(), "{character} and {mirrored}");
        }
    }

    #[test]
    fn a_double_cross_leaves_its_corridors_open() {
        let cross = glyph::<16>('╬').unwrap();
        assert_eq!(cross[5..10], [0x66, 0xe7, 0x00, 0xe7, 0x66]);
        let corner = glyph::<16>('╔').unwrap();
        assert_eq!(corner[5..10], [0x00, 0x7f, 0x60, 0x67, 0x66]);
    }

    #[test]
    fn shades_cover_a_quarter_a_half_and_three_quarters() {
        let covered = |character| {
            glyph::<16>(character).unwrap().iter().map(|row| row.count_ones()).sum::<u32>()
        };
        assert_eq!(['░', '▒', '▓', '█'].map(covered), [32, 64, 96, 128]);
    }

    #[test]
    fn boxes_join_at_every_height() {
        for (character, [up, right, down, left]) in BOXES {
            fn edges<const H: usize>(character: char, weights: [Weight; 4]) {
                let [up, right, down, left] = weights;
                let glyph: [u8; H] = glyph(character).unwrap();
                let rows = |bit: u8| glyph.iter().filter(|row| *row & bit != 0).count();
                assert_eq!([rows(0x80), rows(0x01)], [left, right].map(usize::from), "{character}");
                assert_eq!(glyph[0], vertical_ends(up), "{character}");
                assert_eq!(glyph[H - 1], vertical_ends(down), "{character}");
            }
            edges::<8>(character, [up, right, down, left]);
            edges::<14>(character, [up, right, down, left]);
        }
    }
}
