//! A frame as sixels, for terminals that draw pixels (DEC VT340 Graphics Programming, chapter 14).
//!
//! A sixel is a character for six pixels, one below the other. Each colour of a band of six rows is drawn in a pass of
//! its own; runs are shortened. A palette has 256 colours at most: pictures with more are cut to 3 bits of red and
//! green and 2 of blue.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::raster::Raster;
use crate::devices::frame::{Frame, Rgb};

/// Colours that there can be.
const MOST_COLOURS: usize = 256;
/// The character for six pixels of which none is set.
const NONE: u8 = b'?';

/// The picture of `frame`, as large as fits into `width` by `height` pixels of the terminal, which are square.
#[must_use]
pub fn sixels(frame: &Frame, width: usize, height: usize) -> String {
    let raster = Raster::of(frame);
    let (width, height) = fit(&raster, width, height);
    let colour = |x: usize, y: usize| {
        raster.colour(x * raster.width.max(1) / width, y * raster.height.max(1) / height)
    };
    let mut picture: Vec<Rgb> = Vec::with_capacity(width * height);
    picture.extend(
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| colour(x, y)),
    );
    let mut numbers = numbered(&picture);
    if numbers.len() > MOST_COLOURS {
        picture.iter_mut().for_each(|colour| *colour = cut(*colour));
        numbers = numbered(&picture);
    }
    let mut out = format!("\x1bP0;1q\"1;1;{width};{height}");
    for ([red, green, blue], number) in &numbers {
        let percent = |part: u8| u32::from(part) * 100 / 255;
        let _ = write!(out, "#{number};2;{};{};{}", percent(*red), percent(*green), percent(*blue));
    }
    for band in picture.chunks(6 * width) {
        push_band(&mut out, band, width, &numbers);
        out.push('-');
    }
    out.push_str("\x1b\\");
    out
}

/// Width and height: the largest that fit, the picture's sides as on its own screen.
fn fit(raster: &Raster, width: usize, height: usize) -> (usize, usize) {
    let (wide, high) = raster.pixel_aspect;
    let across = (raster.width * wide as usize).max(1);
    let down = (raster.height * high as usize).max(1);
    let (width, height) = (width.max(1), height.max(1));
    let by_height = (height * across / down).max(1);
    if by_height <= width { (by_height, height) } else { (width, (width * down / across).max(1)) }
}

/// The colours of `picture`, each with a number.
fn numbered(picture: &[Rgb]) -> BTreeMap<Rgb, usize> {
    let mut numbers = BTreeMap::new();
    let mut last = None;
    for colour in picture {
        // Most pixels are like their neighbours.
        if last != Some(colour) {
            let next = numbers.len();
            numbers.entry(*colour).or_insert(next);
            last = Some(colour);
        }
    }
    numbers
}

/// The nearest colour of those with 3 bits of red and green and 2 of blue.
fn cut([red, green, blue]: Rgb) -> Rgb {
    let keep = |part: u8, levels: u16| {
        let level = (u16::from(part) * (levels - 1) + 127) / 255;
        u8::try_from(level * 255 / (levels - 1)).unwrap_or(u8::MAX)
    };
    [keep(red, 8), keep(green, 8), keep(blue, 4)]
}

/// Draws six rows of pixels or fewer, colour by colour.
fn push_band(out: &mut String, band: &[Rgb], width: usize, numbers: &BTreeMap<Rgb, usize>) {
    let mut passes: BTreeMap<Rgb, Vec<u8>> = BTreeMap::new();
    for (at, colour) in band.iter().enumerate() {
        let sixels = passes.entry(*colour).or_insert_with(|| vec![0; width]);
        sixels[at % width] |= 1 << (at / width);
    }
    for (pass, (colour, sixels)) in passes.iter().enumerate() {
        let Some(number) = numbers.get(colour) else { continue };
        let _ = write!(out, "{}#{number}", if pass > 0 { "$" } else { "" });
        let end = sixels.iter().rposition(|sixel| *sixel != 0).map_or(0, |last| last + 1);
        for run in sixels[..end].chunk_by(|a, b| a == b) {
            push_run(out, char::from(NONE + run[0]), run.len());
        }
    }
}

/// Draws one sixel `count` times.
fn push_run(out: &mut String, sixel: char, count: usize) {
    match count {
        0..=3 => (0..count).for_each(|_| out.push(sixel)),
        _ => {
            let _ = write!(out, "!{count}{sixel}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::frame::GraphicsFrame;

    fn frame(width: usize, height: usize, direct: Vec<Rgb>) -> Frame {
        Frame::Graphics(GraphicsFrame {
            width,
            height,
            pixels: Vec::new(),
            palette: Vec::new(),
            direct: Some(direct),
            pixel_aspect: (1, 1),
            mode: "a test".to_owned(),
        })
    }

    /// Draws `sixels` as a terminal does: the colours as they were defined, in percent.
    fn drawn(sixels: &str, width: usize, height: usize) -> Vec<[u32; 3]> {
        let size = format!("\"1;1;{width};{height}");
        let body = sixels.strip_prefix("\x1bP0;1q").unwrap().strip_suffix("\x1b\\").unwrap();
        let body = body.strip_prefix(&size).unwrap();
        let mut picture = vec![[0; 3]; width * height];
        let (mut palette, mut colour) = (BTreeMap::new(), [0; 3]);
        let (mut x, mut band, mut count) = (0, 0, 1);
        let mut at = 0;
        let number = |at: &mut usize| {
            let digits: String = body[*at..].chars().take_while(char::is_ascii_digit).collect();
            *at += digits.len();
            digits.parse::<u32>().unwrap()
        };
        while at < body.len() {
            let character = body.as_bytes()[at];
            at += 1;
            match character {
                b'#' => {
                    let register = number(&mut at);
                    if body.as_bytes().get(at) == Some(&b';') {
                        let parts = [0; 4].map(|_| {
                            at += 1;
                            number(&mut at)
                        });
                        assert_eq!(parts[0], 2);
                        palette.insert(register, [parts[1], parts[2], parts[3]]);
                    } else {
                        colour = palette[&register];
                    }
                }
                b'!' => count = number(&mut at) as usize,
                b'$' => x = 0,
                b'-' => (x, band) = (0, band + 1),
                b'?'..=b'~' => {
                    for x in x..x + count {
                        for row in (0..6).filter(|row| (character - b'?') >> row & 1 == 1) {
                            picture[(6 * band + row) * width + x] = colour;
                        }
                    }
                    (x, count) = (x + count, 1);
                }
                _ => panic!("{character:#x}"),
            }
        }
        picture
    }

    #[test]
    fn a_terminal_draws_the_picture() {
        let (width, height) = (11, 14);
        let colours = [[0, 0, 0], [255, 0, 0], [0, 255, 255], [255, 255, 255]];
        let picture: Vec<Rgb> =
            (0..width * height).map(|n| colours[(n * n / 7 + n / 5) % 4]).collect();
        let percent = |colour: &Rgb| colour.map(|part| u32::from(part) * 100 / 255);
        let expected: Vec<[u32; 3]> = picture.iter().map(percent).collect();
        let shown = sixels(&frame(width, height, picture), width, height);
        assert_eq!(drawn(&shown, width, height), expected);
    }

    #[test]
    fn runs_are_shortened() {
        let shown = sixels(&frame(40, 6, vec![[255; 3]; 240]), 40, 6);
        assert_eq!(shown, "\x1bP0;1q\"1;1;40;6#0;2;100;100;100#0!40~-\x1b\\");
    }

    #[test]
    fn pictures_of_many_colours_keep_256() {
        let picture: Vec<Rgb> =
            (0..4096u32).map(|n| [n as u8, (n >> 3) as u8, (n >> 5) as u8]).collect();
        let shown = sixels(&frame(64, 64, picture), 64, 64);
        let colours = shown.matches(";2;").count();
        assert!((64..=256).contains(&colours), "{colours}");
        drawn(&shown, 64, 64);
    }

    #[test]
    fn pictures_are_as_large_as_fits_with_their_sides() {
        let size = |width, height, room: (usize, usize)| {
            let shown = sixels(&frame(width, height, vec![[9; 3]; width * height]), room.0, room.1);
            let sides = shown.split(['"', '#']).nth(1).unwrap().to_owned();
            sides.trim_start_matches("1;1;").to_owned()
        };
        assert_eq!(size(320, 240, (640, 1000)), "640;480");
        assert_eq!(size(320, 240, (1000, 480)), "640;480");
        assert_eq!(size(0, 0, (0, 0)), "1;1");
    }
}
