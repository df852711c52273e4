//! Text to keys: the US layout, with names in braces for what is no character.
//!
//! `hi{Enter}` types three keys; `{F1}`, `{Up}`, `{Ctrl+C}`, `{Ctrl+Alt+Delete}`; `{{` and `}}` are the braces
//! themselves. A capital letter or a sign is typed with Shift. Names are those printed on keys, in any case.
//! A modifier alone, as `{Shift}`, is pressed and released; `{+Shift}` and `{-Shift}` do one of both, and so
//! with any key.

use serde::{Deserialize, Serialize};

use super::scancode::Key;

/// A key goes down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    /// Which.
    pub key: Key,
    /// Down.
    pub pressed: bool,
}

/// Why a text cannot be typed. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No key of the layout gives it.
    #[error("character {position}: no key of a US keyboard types {character:?}")]
    NoKey {
        /// Where.
        position: usize,
        /// What.
        character: char,
    },
    /// No key is called so.
    #[error("character {position}: no key is called `{name}`; such are F1, Enter, Up, Ctrl+C")]
    NoName {
        /// Where.
        position: usize,
        /// What.
        name: String,
    },
    /// Something before the last `+` is no modifier.
    #[error("character {position}: `{name}` is no modifier: Shift, Ctrl, Alt, AltGr or Win")]
    NoModifier {
        /// Where.
        position: usize,
        /// What.
        name: String,
    },
    /// An opening brace without a closing one.
    #[error("character {position}: the brace is not closed; a brace itself is written {{{{")]
    NotClosed {
        /// Where.
        position: usize,
    },
    /// A closing brace without an opening one.
    #[error("character {position}: the brace was not opened; a brace itself is written }}}}")]
    NotOpened {
        /// Where.
        position: usize,
    },
}

/// The keys that a person presses and releases to type `text`.
///
/// # Errors
/// The first thing in `text` that cannot be typed.
pub fn parse(text: &str) -> Result<Vec<KeyEvent>, KeymapError> {
    let mut events = Vec::new();
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let position = at + 1;
        let doubled = characters.get(at + 1) == Some(&character);
        match character {
            '{' if !doubled => {
                // A brace right behind belongs to the name, so that there is one for each.
                let rest = characters.get(position..).unwrap_or_default();
                let len = rest.iter().position(|c| *c == '}');
                let len = len.ok_or(KeymapError::NotClosed { position })?;
                let name: String = rest.iter().take(len).collect();
                named(&name, position + 1, &mut events)?;
                at += len + 2;
            }
            '}' if !doubled => return Err(KeymapError::NotOpened { position }),
            '{' | '}' => {
                stroke(character, position, &mut events)?;
                at += 2;
            }
            _ => {
                stroke(character, position, &mut events)?;
                at += 1;
            }
        }
    }
    Ok(events)
}

/// Types one character.
fn stroke(character: char, position: usize, events: &mut Vec<KeyEvent>) -> Result<(), KeymapError> {
    let no_key = KeymapError::NoKey { position, character };
    let (key, shifted) = key_of(character).ok_or(no_key)?;
    let modifiers: &[Key] = if shifted { &[Key::LEFT_SHIFT] } else { &[] };
    chord(modifiers, key, events);
    Ok(())
}

/// What stands between braces, from `position` on.
fn named(name: &str, position: usize, events: &mut Vec<KeyEvent>) -> Result<(), KeymapError> {
    let held = [("+", true), ("-", false)].into_iter().find_map(|(sign, pressed)| {
        let name = name.strip_prefix(sign).filter(|name| !name.is_empty())?;
        Some((key_called(name)?.0, pressed))
    });
    if let Some((key, pressed)) = held {
        events.push(KeyEvent { key, pressed });
        return Ok(());
    }
    let mut position = position;
    let mut modifiers = Vec::new();
    let mut rest = name;
    // The last may be a plus itself.
    while let Some((modifier, behind)) =
        rest.split_once('+').filter(|(first, behind)| !first.is_empty() && !behind.is_empty())
    {
        let no_modifier = || KeymapError::NoModifier { position, name: modifier.to_owned() };
        modifiers.push(modifier_called(modifier).ok_or_else(no_modifier)?);
        position += modifier.chars().count() + 1;
        rest = behind;
    }
    let no_name = || KeymapError::NoName { position, name: rest.to_owned() };
    let (key, shifted) = key_called(rest).ok_or_else(no_name)?;
    if shifted && !modifiers.contains(&Key::LEFT_SHIFT) {
        modifiers.push(Key::LEFT_SHIFT);
    }
    let with = |key: Key| modifiers.contains(&key);
    let key = match key {
        Key::PAUSE if with(Key::LEFT_CTRL) => Key::CTRL_BREAK,
        Key::PRINT_SCREEN if with(Key::LEFT_ALT) => Key::SYS_RQ,
        key => key,
    };
    chord(&modifiers, key, events);
    Ok(())
}

/// `key` while `modifiers` are held, which go down in order and up in the opposite one.
fn chord(modifiers: &[Key], key: Key, events: &mut Vec<KeyEvent>) {
    let down = modifiers.iter().copied().chain([key]);
    let up = [key].into_iter().chain(modifiers.iter().rev().copied());
    events.extend(down.map(|key| KeyEvent { key, pressed: true }));
    events.extend(up.map(|key| KeyEvent { key, pressed: false }));
}

/// The key that types `character`, and whether with Shift.
fn key_of(character: char) -> Option<(Key, bool)> {
    let character = match character {
        '\n' | '\r' => return Some((Key(0x5a), false)),
        '\t' => return Some((Key(0x0d), false)),
        '\u{8}' => return Some((Key(0x66), false)),
        '\u{1b}' => return Some((Key(0x76), false)),
        character => u8::try_from(character).ok()?,
    };
    let find = |&&(_, plain, shifted): &&(u16, u8, u8)| [plain, shifted].contains(&character);
    let &(code, plain, _) = CHARACTERS.iter().find(find)?;
    Some((Key(code), character != plain))
}

/// The key called `name`, or that types it, and whether with Shift.
fn key_called(name: &str) -> Option<(Key, bool)> {
    let mut characters = name.chars();
    if let (Some(character), None) = (characters.next(), characters.next()) {
        // In a chord a capital letter is just the key's name.
        return key_of(character.to_ascii_lowercase());
    }
    if let Some(modifier) = modifier_called(name) {
        return Some((modifier, false));
    }
    let named = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|&(_, code)| (Key(code), false))
}

fn modifier_called(name: &str) -> Option<Key> {
    let named = MODIFIERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|&(_, key)| key)
}

const MODIFIERS: [(&str, Key); 10] = [
    ("Shift", Key::LEFT_SHIFT),
    ("RightShift", Key(0x59)),
    ("Ctrl", Key::LEFT_CTRL),
    ("Control", Key::LEFT_CTRL),
    ("RightCtrl", Key(0xe014)),
    ("Alt", Key::LEFT_ALT),
    ("AltGr", Key(0xe011)),
    ("RightAlt", Key(0xe011)),
    ("Win", Key::LEFT_GUI),
    ("RightWin", Key(0xe027)),
];

/// The other keys without a character of their own.
#[rustfmt::skip]
const NAMES: &[(&str, u16)] = &[
    ("Esc", 0x76), ("Escape", 0x76), ("Enter", 0x5a), ("Return", 0x5a), ("Tab", 0x0d), ("Space", 0x29),
    ("Backspace", 0x66), ("CapsLock", 0x58), ("NumLock", 0x77), ("ScrollLock", 0x7e),
    ("F1", 0x05), ("F2", 0x06), ("F3", 0x04), ("F4", 0x0c), ("F5", 0x03), ("F6", 0x0b),
    ("F7", 0x83), ("F8", 0x0a), ("F9", 0x01), ("F10", 0x09), ("F11", 0x78), ("F12", 0x07),
    ("Up", 0xe075), ("Down", 0xe072), ("Left", 0xe06b), ("Right", 0xe074),
    ("Home", 0xe06c), ("End", 0xe069), ("PageUp", 0xe07d), ("PgUp", 0xe07d), ("PageDown", 0xe07a),
    ("PgDn", 0xe07a), ("Insert", 0xe070), ("Ins", 0xe070), ("Delete", 0xe071), ("Del", 0xe071),
    ("PrintScreen", 0xe07c), ("PrtSc", 0xe07c), ("Pause", 0xe114), ("Menu", 0xe02f), ("102nd", 0x61),
    ("KP0", 0x70), ("KP1", 0x69), ("KP2", 0x72), ("KP3", 0x7a), ("KP4", 0x6b),
    ("KP5", 0x73), ("KP6", 0x74), ("KP7", 0x6c), ("KP8", 0x75), ("KP9", 0x7d),
    ("KPDot", 0x71), ("KPEnter", 0xe05a), ("KPPlus", 0x79), ("KPMinus", 0x7b), ("KPStar", 0x7c),
    ("KPSlash", 0xe04a),
];

/// The keys with characters: set 2, without and with Shift.
#[rustfmt::skip]
const CHARACTERS: &[(u16, u8, u8)] = &[
    (0x0e, b'`', b'~'), (0x16, b'1', b'!'), (0x1e, b'2', b'@'), (0x26, b'3', b'#'), (0x25, b'4', b'$'),
    (0x2e, b'5', b'%'), (0x36, b'6', b'^'), (0x3d, b'7', b'&'), (0x3e, b'8', b'*'), (0x46, b'9', b'('),
    (0x45, b'0', b')'), (0x4e, b'-', b'_'), (0x55, b'=', b'+'),
    (0x15, b'q', b'Q'), (0x1d, b'w', b'W'), (0x24, b'e', b'E'), (0x2d, b'r', b'R'), (0x2c, b't', b'T'),
    (0x35, b'y', b'Y'), (0x3c, b'u', b'U'), (0x43, b'i', b'I'), (0x44, b'o', b'O'), (0x4d, b'p', b'P'),
    (0x54, b'[', b'{'), (0x5b, b']', b'}'), (0x5d, b'\\', b'|'),
    (0x1c, b'a', b'A'), (0x1b, b's', b'S'), (0x23, b'd', b'D'), (0x2b, b'f', b'F'), (0x34, b'g', b'G'),
    (0x33, b'h', b'H'), (0x3b, b'j', b'J'), (0x42, b'k', b'K'), (0x4b, b'l', b'L'), (0x4c, b';', b':'),
    (0x52, b'\'', b'"'),
    (0x1a, b'z', b'Z'), (0x22, b'x', b'X'), (0x21, b'c', b'C'), (0x2a, b'v', b'V'), (0x32, b'b', b'B'),
    (0x31, b'n', b'N'), (0x3a, b'm', b'M'), (0x41, b',', b'<'), (0x49, b'.', b'>'), (0x4a, b'/', b'?'),
    (0x29, b' ', b' '),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::keyboard::scancode::codes;

    /// The text in scan codes of set 1.
    fn typed(text: &str) -> Vec<u8> {
        let events = parse(text).unwrap();
        events.into_iter().flat_map(|event| codes(event.key, event.pressed, true)).collect()
    }

    #[test]
    fn text_is_typed_key_by_key() {
        assert_eq!(typed("hi{Enter}"), [0x23, 0xa3, 0x17, 0x97, 0x1c, 0x9c]);
        assert_eq!(typed("a b\n"), [0x1e, 0x9e, 0x39, 0xb9, 0x30, 0xb0, 0x1c, 0x9c]);
        assert!(typed("").is_empty());
    }

    #[test]
    fn capitals_and_signs_take_shift() {
        for (text, key) in [("A", 0x1e), ("!", 0x02), ("_", 0x0c), ("?", 0x35), ("{{", 0x1a)] {
            assert_eq!(typed(text), [0x2a, key, key | 0x80, 0xaa], "{text}");
        }
        assert_eq!(typed("}}"), [0x2a, 0x1b, 0x9b, 0xaa]);
    }

    #[test]
    fn every_printable_character_has_one_key() {
        let mut seen = std::collections::BTreeSet::new();
        for character in ' '..='~' {
            let (key, shifted) = key_of(character).unwrap();
            assert!(seen.insert((key.0, shifted)), "{character}");
        }
    }

    #[test]
    fn names_and_chords() {
        assert_eq!(typed("{F1}{up}"), [0x3b, 0xbb, 0xe0, 0x48, 0xe0, 0xc8]);
        assert_eq!(typed("{Ctrl+C}"), [0x1d, 0x2e, 0xae, 0x9d]);
        assert_eq!(typed("{ctrl+c}"), typed("{Ctrl+C}"));
        let all = [0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d];
        assert_eq!(typed("{Ctrl+Alt+Delete}"), all);
        assert_eq!(typed("{Shift+Tab}"), [0x2a, 0x0f, 0x8f, 0xaa]);
        assert_eq!(typed("{Ctrl++}"), [0x1d, 0x2a, 0x0d, 0x8d, 0xaa, 0x9d]);
        assert_eq!(typed("{Ctrl+Pause}"), [0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0x9d]);
        assert_eq!(typed("{Alt+PrintScreen}"), [0x38, 0x54, 0xd4, 0xb8]);
        assert_eq!(typed("{Shift}"), [0x2a, 0xaa]);
    }

    #[test]
    fn a_key_can_be_held() {
        assert_eq!(typed("{+Shift}a{-Shift}"), [0x2a, 0x1e, 0x9e, 0xaa]);
        assert_eq!(typed("{+}{-}"), [0x2a, 0x0d, 0x8d, 0xaa, 0x0c, 0x8c]);
    }

    #[test]
    fn every_name_is_a_key_of_its_own_or_another_name_of_one() {
        for (name, code) in NAMES {
            let events = parse(&format!("{{{name}}}")).unwrap();
            assert_eq!(events.len(), 2, "{name}");
            assert_eq!((events[0].key, events[0].pressed), (Key(*code), true), "{name}");
            assert!(CHARACTERS.iter().all(|(other, ..)| other != code || *name == "Space"));
        }
    }

    #[test]
    fn what_cannot_be_typed_is_named_with_its_place() {
        let cases = [
            ("aé", "character 2: no key of a US keyboard types 'é'"),
            ("a{Entr}", "character 3: no key is called `Entr`"),
            ("{}", "character 2: no key is called ``"),
            ("{Ctrl+Foo}", "character 7: no key is called `Foo`"),
            ("{Ctrl+Hyper+a}", "character 7: `Hyper` is no modifier"),
            ("äö", "character 1: "),
            ("ab{Enter", "character 3: the brace is not closed; a brace itself is written {{"),
            ("ab}c", "character 3: the brace was not opened; a brace itself is written }}"),
            ("{+Nix}", "character 2: no key is called `+Nix`"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn any_text_is_typed_or_refused() {
        let mut random = crate::devices::tests::random::Random::new(3);
        let parts =
            ["{", "}", "+", "-", "Ctrl", "F1", "a", "Z", "é", "\u{0}", "Up", " ", "{{", "}}"];
        for _ in 0..20_000 {
            let text: String = (0..random.below(9))
                .map(|_| parts[random.below(parts.len() as u32) as usize])
                .collect();
            if let Ok(events) = parse(&text) {
                let pressed = events.iter().filter(|event| event.pressed).count();
                assert!(text.contains("{+") || text.contains("{-") || 2 * pressed == events.len());
            }
        }
    }
}
