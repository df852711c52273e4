//! A frame as coloured half blocks, for a terminal: each character is two pixels, one above the other, in 24-bit
//! colours (SGR 38;2 and 48;2).
//!
//! A terminal's cells are about twice as high as wide, so that half of one is about a square. The picture is made as
//! large as the room allows, but not larger than it is, with its sides as on a screen; a pixel is the mean of those
//! that it covers.

use std::ops::Range;

use super::raster::Raster;
use crate::devices::frame::{Frame, Rgb};

/// The picture of `frame` in at most `columns` and `rows` of a terminal, each row a line.
#[must_use]
pub fn half_blocks(frame: &Frame, columns: usize, rows: usize) -> String {
    let mut out = String::new();
    for row in pairs(frame, columns, rows) {
        let mut now = None;
        for colours in row {
            if now != Some(colours) {
                let ([r, g, b], lower) = colours;
                let below = lower.map_or("49".to_owned(), |[r, g, b]| format!("48;2;{r};{g};{b}"));
                out.push_str(&format!("\x1b[38;2;{r};{g};{b};{below}m"));
                now = Some(colours);
            }
            out.push(UPPER_HALF);
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// The character whose upper half has the foreground's colour.
pub(super) const UPPER_HALF: char = '▀';

/// The colours of the upper and the lower half of each character; the last row may have no lower ones.
pub(super) fn pairs(
    frame: &Frame,
    columns: usize,
    rows: usize,
) -> impl Iterator<Item = Vec<(Rgb, Option<Rgb>)>> {
    let raster = Raster::of(frame);
    let (width, height) = size(&raster, columns, rows);
    (0..height.div_ceil(2)).map(move |row| {
        let colour = |x: usize, y: usize| {
            let across = share(raster.width, x, width);
            (y < height).then(|| mean(&raster, across, share(raster.height, y, height)))
        };
        (0..width)
            .map(|x| (colour(x, 2 * row).unwrap_or_default(), colour(x, 2 * row + 1)))
            .collect()
    })
}

/// Width and height in half blocks.
fn size(raster: &Raster, columns: usize, rows: usize) -> (usize, usize) {
    // The picture in square pixels, as wide as it is.
    let (wide, high) = raster.pixel_aspect;
    let height = (raster.height * high as usize).div_ceil((wide as usize).max(1));
    let (width, height) = (raster.width.max(1), height.max(1));
    let columns = columns.min(width).max(1);
    let by_height = (2 * rows * width / height).max(1);
    let columns = columns.min(by_height);
    (columns, (columns * height / width).max(1))
}

/// The part of `whole` that number `index` of `count` parts covers; never empty.
fn share(whole: usize, index: usize, count: usize) -> Range<usize> {
    let start = index * whole / count.max(1);
    start..((index + 1) * whole / count.max(1)).max(start + 1)
}

fn mean(raster: &Raster, xs: Range<usize>, ys: Range<usize>) -> Rgb {
    let count = (xs.len() * ys.len()).max(1);
    let mut sums = [0; 3];
    for y in ys {
        for x in xs.clone() {
            for (sum, part) in sums.iter_mut().zip(raster.colour(x, y)) {
                *sum += usize::from(part);
            }
        }
    }
    sums.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::GraphicsFrame;

    fn frame(width: usize, height: usize, pixels: Vec<u8>) -> Frame {
        let palette = vec![[0, 0, 0], [200, 100, 0]];
        let mode = "a test".to_owned();
        Frame::Graphics(GraphicsFrame {
            width,
            height,
            pixels,
            palette,
            direct: None,
            pixel_aspect: (1, 1),
            mode,
        })
    }

    #[test]
    fn a_character_is_two_pixels() {
        let shown = half_blocks(&frame(2, 2, vec![0, 1, 1, 1]), 80, 25).replace('\x1b', "^");
        assert_eq!(shown, "^[38;2;0;0;0;48;2;200;100;0m▀^[38;2;200;100;0;48;2;200;100;0m▀^[0m\n");
    }

    #[test]
    fn a_last_row_of_one_pixel_leaves_the_terminal_below() {
        let shown = half_blocks(&frame(1, 1, vec![1]), 80, 25).replace('\x1b', "^");
        assert_eq!(shown, "^[38;2;200;100;0;49m▀^[0m\n");
    }

    #[test]
    fn a_picture_is_made_to_fit_and_keeps_its_sides() {
        let large = frame(640, 480, vec![1; 640 * 480]);
        let lines = |columns, rows| {
            let shown = half_blocks(&large, columns, rows);
            (shown.lines().count(), shown.lines().next().unwrap().matches('▀').count())
        };
        assert_eq!(lines(80, 50), (30, 80));
        assert_eq!(lines(80, 24), (24, 64));
        assert_eq!(lines(0, 0), (1, 1));
    }

    #[test]
    fn a_pixel_is_the_mean_of_those_it_covers() {
        let shown = half_blocks(&frame(2, 4, vec![0, 1, 0, 1, 1, 1, 0, 0]), 1, 25);
        assert!(shown.contains("38;2;100;50;0;48;2;100;50;0"), "{shown:?}");
    }

    #[test]
    fn a_frame_without_pixels_is_black() {
        assert!(half_blocks(&frame(0, 0, vec![]), 80, 25).contains('▀'));
    }
}
