//! What a terminal sends when somebody presses keys, as keys of the guest's keyboard (ECMA-48; XTerm Control
//! Sequences, "PC-Style Function Keys"; console_codes(4)).
//!
//! Keys come out as texts in the notation of [`keymap`](crate::devices::keyboard::keymap), such as `a`, `{Up}` or
//! `{Ctrl+C}`. A terminal does not tell Esc from the beginning of a sequence: whoever feeds the [`Decoder`] says when
//! nothing has followed for a while.

/// So long a sequence is none.
const LONGEST: usize = 32;
const ESC: u8 = 0x1b;

/// Something that a terminal sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Keys in the notation of [`keymap`](crate::devices::keyboard::keymap).
    Keys(String),
    /// What no key of the guest's keyboard gives.
    NoKey,
    /// The terminal's answer to [`ASK_ATTRIBUTES`]: what it can (DEC VT510, DA1).
    Attributes(Vec<u16>),
}

/// Asks a terminal what it can.
pub const ASK_ATTRIBUTES: &str = "\x1b[c";
/// The attribute of one that draws [sixels](super::sixel).
pub const SIXELS: u16 = 4;

/// Takes the bytes, and keeps those of a sequence that has not ended.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// What `bytes` and those before come to.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.bytes.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        while let Some((input, len)) = first(&self.bytes) {
            self.bytes.drain(..len);
            inputs.push(input);
        }
        inputs
    }

    /// Whether more has to follow to tell what was sent.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Nothing follows: takes what there is as it is.
    pub fn give_up(&mut self) -> Vec<Input> {
        let bytes = std::mem::take(&mut self.bytes);
        match bytes.as_slice() {
            [] => Vec::new(),
            [ESC] => vec![keys("{Esc}")],
            [ESC, rest @ ..] if matches!(rest, [b'[' | b'O']) => {
                vec![Input::Keys(format!("{{Alt+{}}}", char::from(rest[0])))]
            }
            _ => vec![Input::NoKey],
        }
    }
}

fn keys(text: &str) -> Input {
    Input::Keys(text.to_owned())
}

/// What `bytes` begin with, and its length; nothing if they end too early to tell.
fn first(bytes: &[u8]) -> Option<(Input, usize)> {
    match *bytes {
        [] | [ESC] => None,
        [ESC, b'[', b'[', ..] => {
            // F1 to F5 of the Linux console.
            let letter = *bytes.get(3)?;
            let number = matches!(letter, b'A'..=b'E').then(|| letter - b'A' + 1);
            Some((number.map_or(Input::NoKey, |n| Input::Keys(format!("{{F{n}}}"))), 4))
        }
        [ESC, b'[', ref rest @ ..] => {
            let end = rest.iter().position(|byte| matches!(byte, 0x40..=0x7e));
            match end {
                Some(end) => Some((sequence(&rest[..end], rest[end]), end + 3)),
                None if rest.len() < LONGEST => None,
                None => Some((Input::NoKey, bytes.len())),
            }
        }
        [ESC, b'O', letter, ..] => Some((sequence(&[], letter), 3)),
        [ESC, b'O'] => None,
        [ESC, ESC, ..] => Some((keys("{Esc}"), 1)),
        [ESC, ref rest @ ..] => {
            let (input, len) = first(rest)?;
            let Input::Keys(text) = input else { return Some((input, len + 1)) };
            Some((Input::Keys(with_modifier("Alt", &text)), len + 1))
        }
        [byte, ..] if byte.is_ascii() => Some((ascii(byte), 1)),
        [byte, ..] => {
            // A character of UTF-8, which no key has.
            let len = (byte.leading_ones() as usize).clamp(2, 4);
            (bytes.len() >= len).then_some((Input::NoKey, len))
        }
    }
}

/// `text`, which is one key, with a modifier more.
fn with_modifier(modifier: &str, text: &str) -> String {
    match text {
        // The names of these end a name.
        "{{" => format!("{{{modifier}+Shift+[}}"),
        "}}" => format!("{{{modifier}+Shift+]}}"),
        " " => format!("{{{modifier}+Space}}"),
        _ => format!("{{{modifier}+{}}}", text.trim_start_matches('{').trim_end_matches('}')),
    }
}

/// A key that sends a byte of ASCII.
fn ascii(byte: u8) -> Input {
    let character = char::from(byte);
    Input::Keys(match byte {
        b'\r' => "{Enter}".to_owned(),
        b'\t' => "{Tab}".to_owned(),
        // Terminals send one or the other for the key above Enter.
        0x08 | 0x7f => "{Backspace}".to_owned(),
        0x00 => "{Ctrl+2}".to_owned(),
        0x01..=0x1a => format!("{{Ctrl+{}}}", char::from(byte + b'a' - 1)),
        0x1b => "{Esc}".to_owned(),
        0x1c => "{Ctrl+\\}".to_owned(),
        0x1d => "{Ctrl+]}".to_owned(),
        0x1e => "{Ctrl+6}".to_owned(),
        0x1f => "{Ctrl+-}".to_owned(),
        b'{' | b'}' => format!("{character}{character}"),
        _ => character.to_string(),
    })
}

/// A control sequence: its parameters and its last byte.
fn sequence(parameters: &[u8], last: u8) -> Input {
    let text = String::from_utf8_lossy(parameters);
    if let (Some(attributes), b'c') = (text.strip_prefix('?'), last) {
        return Input::Attributes(attributes.split(';').filter_map(|n| n.parse().ok()).collect());
    }
    let mut numbers = text.split(';').map(|number| number.parse::<u16>().ok());
    let (key, modifiers) = (numbers.next().flatten(), numbers.next().flatten());
    let name = match (last, key) {
        (b'A', _) => "Up",
        (b'B', _) => "Down",
        (b'C', _) => "Right",
        (b'D', _) => "Left",
        (b'E', _) => "KP5",
        (b'F', _) | (b'~', Some(4 | 8)) => "End",
        (b'H', _) | (b'~', Some(1 | 7)) => "Home",
        (b'M', None) => "KPEnter",
        (b'P', _) | (b'~', Some(11)) => "F1",
        (b'Q', _) | (b'~', Some(12)) => "F2",
        (b'R', _) | (b'~', Some(13)) => "F3",
        (b'S', _) | (b'~', Some(14)) => "F4",
        (b'Z', _) => return keys("{Shift+Tab}"),
        (b'~', Some(2)) => "Insert",
        (b'~', Some(3)) => "Delete",
        (b'~', Some(5)) => "PageUp",
        (b'~', Some(6)) => "PageDown",
        (b'~', Some(15)) => "F5",
        (b'~', Some(17)) => "F6",
        (b'~', Some(18)) => "F7",
        (b'~', Some(19)) => "F8",
        (b'~', Some(20)) => "F9",
        (b'~', Some(21)) => "F10",
        (b'~', Some(23)) => "F11",
        (b'~', Some(24)) => "F12",
        _ => return Input::NoKey,
    };
    // One more than the sum of 1 for Shift, 2 for Alt, 4 for Ctrl.
    let held = modifiers.unwrap_or(1).wrapping_sub(1);
    let modifiers = [(1, "Shift+"), (2, "Alt+"), (4, "Ctrl+")];
    let held: String =
        modifiers.iter().filter(|(bit, _)| held & bit != 0).map(|(_, name)| *name).collect();
    Input::Keys(format!("{{{held}{name}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that `bytes` are, in one text.
    fn typed(bytes: &[u8]) -> String {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.feed(bytes);
        inputs.extend(decoder.give_up());
        let text = |input| match input {
            Input::Keys(text) => text,
            other => format!("<{other:?}>"),
        };
        inputs.into_iter().map(text).collect()
    }

    #[test]
    fn characters_are_themselves() {
        assert_eq!(typed(b"dir A~{}"), "dir A~{{}}");
        assert_eq!(typed(b"\r\t\x7f\x08"), "{Enter}{Tab}{Backspace}{Backspace}");
        assert_eq!(typed(b"\x03\x1a\x1c"), "{Ctrl+c}{Ctrl+z}{Ctrl+\\}");
    }

    #[test]
    fn keys_of_several_terminals_are_known() {
        assert_eq!(
            typed(b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~\x1b[6;2~"),
            "{Up}{Down}{Ctrl+Right}{Delete}{Shift+PageDown}"
        );
        assert_eq!(typed(b"\x1bOP\x1b[11~\x1b[[A\x1b[1;2P\x1b[24~"), "{F1}{F1}{F1}{Shift+F1}{F12}");
        assert_eq!(typed(b"\x1b[H\x1bOF\x1b[4~\x1b[Z"), "{Home}{End}{End}{Shift+Tab}");
        assert_eq!(typed(b"\x1b[1;8A"), "{Shift+Alt+Ctrl+Up}");
    }

    #[test]
    fn esc_is_a_key_if_nothing_follows() {
        assert_eq!(typed(b"\x1b"), "{Esc}");
        assert_eq!(typed(b"\x1b\x1b[A"), "{Esc}{Up}");
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty() && decoder.is_waiting());
        assert!(decoder.feed(b"[").is_empty() && decoder.is_waiting());
        assert_eq!(decoder.feed(b"A"), [keys("{Up}")]);
        assert!(!decoder.is_waiting());
    }

    #[test]
    fn alt_comes_as_esc_before_the_key() {
        assert_eq!(
            typed(b"\x1bx\x1b{\x1b \x1b\r\x1b["),
            "{Alt+x}{Alt+Shift+[}{Alt+Space}{Alt+Enter}{Alt+[}"
        );
    }

    #[test]
    fn what_no_key_has_is_told() {
        assert_eq!(typed("é€".as_bytes()), "<NoKey><NoKey>");
        assert_eq!(typed(b"\x1b[99~a"), "<NoKey>a");
    }

    #[test]
    fn an_answer_of_the_terminals_is_no_key() {
        assert_eq!(
            Decoder::default().feed(b"\x1b[?62;4;22ca"),
            [Input::Attributes(vec![62, 4, 22]), keys("a")]
        );
    }
}
