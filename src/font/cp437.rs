//! Code page 437, the character set in a PC's video ROM, as Unicode.
//!
//! The codes below 20h and 7Fh are pictures on a screen, not control characters. 00h and FFh look like a
//! space and are one here, so that text can be searched and compared.

/// What each byte looks like on the screen.
#[rustfmt::skip]
const CHARACTERS: [char; 256] = [
    ' ', '☺', '☻', '♥', '♦', '♣', '♠', '•', '◘', '○', '◙', '♂', '♀', '♪', '♫', '☼',
    '►', '◄', '↕', '‼', '¶', '§', '▬', '↨', '↑', '↓', '→', '←', '∟', '↔', '▲', '▼',
    ' ', '!', '"', '#', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '@', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '[', '\\', ']', '^', '_',
    '`', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '{', '|', '}', '~', '⌂',
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å',
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ',
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»',
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐',
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧',
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩',
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', ' ',
];

/// What `byte` looks like on the screen.
#[must_use]
pub fn to_char(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

/// Whether `byte` leaves its cell empty.
#[must_use]
pub fn is_blank(byte: u8) -> bool {
    to_char(byte) == ' '
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn printable_ascii_is_itself() {
        assert!((b' '..0x7f).all(|byte| to_char(byte) == char::from(byte)));
    }

    #[test]
    fn only_the_blanks_look_alike() {
        let blanks: Vec<u8> = (0..=255).filter(|&byte| is_blank(byte)).collect();
        assert_eq!(blanks, [0x00, 0x20, 0xff]);
        let distinct: HashSet<char> = CHARACTERS.into_iter().collect();
        assert_eq!(distinct.len(), 254);
        assert!(distinct.iter().all(|character| !character.is_control()));
    }

    #[test]
    fn well_known_codes_are_in_their_places() {
        let known = [(0x01, '☺'), (0x10, '►'), (0x7f, '⌂'), (0x80, 'Ç'), (0x9b, '¢')];
        assert!(known.iter().all(|&(byte, character)| to_char(byte) == character));
        let known = [(0xb3, '│'), (0xc9, '╔'), (0xdb, '█'), (0xe3, 'π'), (0xfe, '■')];
        assert!(known.iter().all(|&(byte, character)| to_char(byte) == character));
    }
}
