//! How a terminal is told to draw: SGR sequences of ECMA-48 with the 16 colours of aixterm (30-37 and 90-97,
//! 40-47 and 100-107), which every terminal has. A colour that the guest has made its own is sent in full (38;2
//! and 48;2).

use crate::devices::frame::{Rgb, TextFrame, VGA_PALETTE};

/// Colours of a character, and whether it blinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) foreground: Rgb,
    pub(super) background: Rgb,
    pub(super) blink: bool,
}

pub(super) const BLACK: Rgb = [0; 3];

impl Look {
    /// Light grey on black, what the BIOS fills the screen with.
    pub(super) const DEFAULT: Look =
        Look { foreground: VGA_PALETTE[7], background: BLACK, blink: false };

    /// The look that `attribute` asks for.
    pub(super) fn of(attribute: u8, text: &TextFrame) -> Look {
        let high = attribute >> 4;
        let colour = |number: u8| text.palette[usize::from(number & 15)];
        Look {
            foreground: colour(attribute),
            background: colour(if text.blink { high & 7 } else { high }),
            blink: text.blink && high & 8 != 0,
        }
    }
}

/// Appends the shortest sequence that turns the look `from` into `to`; `None` is the terminal's own.
pub(super) fn push_change(out: &mut String, from: Option<Look>, to: Option<Look>) {
    let mut parameters: Vec<String> = Vec::new();
    match to {
        None if from.is_some() => parameters.push("0".to_owned()),
        None => {}
        Some(to) => {
            if from.is_none_or(|from| from.foreground != to.foreground) {
                parameters.push(parameter(to.foreground, 30));
            }
            if from.is_none_or(|from| from.background != to.background) {
                parameters.push(parameter(to.background, 40));
            }
            if from.is_some_and(|from| from.blink) != to.blink {
                parameters.push(if to.blink { "5" } else { "25" }.to_owned());
            }
        }
    }
    if !parameters.is_empty() {
        out.push_str(&format!("\x1b[{}m", parameters.join(";")));
    }
}

/// The same without colours: reverse video is all that there is.
pub(super) fn push_reversal(out: &mut String, from: Option<Look>, to: Option<Look>) {
    let light = |colour: Rgb| colour.iter().map(|part| u32::from(*part)).sum::<u32>();
    let is_reverse = |look: Look| light(look.background) > light(look.foreground);
    match (from.is_some_and(is_reverse), to.is_some_and(is_reverse)) {
        (false, true) => out.push_str("\x1b[7m"),
        (true, false) => out.push_str("\x1b[27m"),
        _ => {}
    }
}

/// The SGR parameter of a colour, where `base` is that of black: one of the 16, or the colour in full.
fn parameter(rgb: Rgb, base: u8) -> String {
    match (0..).zip(VGA_PALETTE).find(|(_, known)| *known == rgb) {
        Some((vga, _)) => colour(vga, base).to_string(),
        None => format!("{};2;{};{};{}", base + 8, rgb[0], rgb[1], rgb[2]),
    }
}

/// The SGR parameter of a VGA colour, where `base` is that of black.
///
/// VGA counts blue as 1 and red as 4, ECMA-48 the other way round; the bright colours begin at 60 more.
fn colour(vga: u8, base: u8) -> u8 {
    let (red, green, blue) = (vga >> 2 & 1, vga >> 1 & 1, vga & 1);
    let bright = if vga & 8 != 0 { 60 } else { 0 };
    base + bright + red + 2 * green + 4 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_colour_has_its_parameter() {
        let foreground: Vec<u8> = (0..16).map(|vga| colour(vga, 30)).collect();
        assert_eq!(foreground[..8], [30, 34, 32, 36, 31, 35, 33, 37]);
        assert_eq!(foreground[8..], [90, 94, 92, 96, 91, 95, 93, 97]);
        assert_eq!([colour(4, 40), colour(12, 40)], [41, 101]);
    }
}
