//! Scan codes of a 102-key keyboard in sets 1 and 2, and the controller's way from one to the other (IBM PS/2
//! Hardware Interface Technical Reference, Keyboard and Keyboard Controller).

use serde::{Deserialize, Serialize};

/// A key, by its make code in set 2: the prefix in the upper byte, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key(pub(super) u16);

/// Before a make code of set 2: the key goes up.
pub(super) const BREAK: u8 = 0xf0;

impl Key {
    /// Left Ctrl.
    pub const LEFT_CTRL: Key = Key(0x14);
    /// Left Alt.
    pub const LEFT_ALT: Key = Key(0x11);
    /// Left Shift.
    pub const LEFT_SHIFT: Key = Key(0x12);
    /// Left GUI, the Windows key.
    pub const LEFT_GUI: Key = Key(0xe01f);
    /// Print Screen. It comes with a Shift of its own.
    pub const PRINT_SCREEN: Key = Key(0xe07c);
    /// Print Screen while Alt is held: SysRq.
    pub const SYS_RQ: Key = Key(0x84);
    /// Pause. It has no break code.
    pub const PAUSE: Key = Key(0xe114);
    /// Pause while Ctrl is held: Break. It sends all when pressed.
    pub const CTRL_BREAK: Key = Key(0xe07e);
}

/// The codes that `key` sends when it goes down or up: in set 2, or in set 1.
pub(super) fn codes(key: Key, pressed: bool, set_1: bool) -> Vec<u8> {
    let mut codes = Vec::new();
    let mut add = |Key(key): Key, pressed: bool| {
        let [prefix, code] = key.to_be_bytes();
        if prefix != 0 {
            codes.push(prefix);
        }
        match (set_1, pressed) {
            (true, true) => codes.push(translate(code)),
            (true, false) => codes.push(translate(code) | 0x80),
            (false, true) => codes.push(code),
            (false, false) => codes.extend([BREAK, code]),
        }
    };
    const OWN_SHIFT: Key = Key(0xe012);
    const NUM_LOCK: Key = Key(0x77);
    match (key, pressed) {
        (Key::PRINT_SCREEN, true) => [OWN_SHIFT, key].map(|key| add(key, true)).len(),
        (Key::PRINT_SCREEN, false) => [key, OWN_SHIFT].map(|key| add(key, false)).len(),
        (Key::PAUSE, true) => [(key, true), (NUM_LOCK, true), (key, false), (NUM_LOCK, false)]
            .map(|(key, pressed)| add(key, pressed))
            .len(),
        (Key::CTRL_BREAK, true) => [true, false].map(|pressed| add(key, pressed)).len(),
        (Key::PAUSE | Key::CTRL_BREAK, false) => 0,
        _ => [add(key, pressed)].len(),
    };
    codes
}

/// The code of set 1 for a make code of set 2, as the controller's table has it. What is no code of a key
/// stays as it is.
pub(super) fn translate(code: u8) -> u8 {
    match code {
        0x83 => 0x41,
        0x84 => 0x54,
        0x80.. => code,
        _ => SET_1[usize::from(code)],
    }
}

/// By the make code of set 2. Codes without a key have one here all the same.
#[rustfmt::skip]
const SET_1: [u8; 0x80] = [
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sets_agree_with_the_reference() {
        // Escape, A, Enter, F7, F12, left and right Shift, keypad 5, Up, right Ctrl.
        let keys = [
            (0x76, 0x01),
            (0x1c, 0x1e),
            (0x5a, 0x1c),
            (0x83, 0x41),
            (0x07, 0x58),
            (0x12, 0x2a),
            (0x59, 0x36),
            (0x73, 0x4c),
        ];
        for (two, one) in keys {
            assert_eq!(codes(Key(two), true, true), [one]);
            assert_eq!(codes(Key(two), false, true), [one | 0x80]);
            assert_eq!(codes(Key(two), false, false), [0xf0, two.to_be_bytes()[1]]);
        }
        assert_eq!(codes(Key(0xe075), true, true), [0xe0, 0x48]);
        assert_eq!(codes(Key(0xe075), false, false), [0xe0, 0xf0, 0x75]);
        assert_eq!(codes(Key(0xe014), false, true), [0xe0, 0x9d]);
    }

    #[test]
    fn the_odd_keys_send_their_sequences() {
        let print = Key::PRINT_SCREEN;
        assert_eq!(codes(print, true, true), [0xe0, 0x2a, 0xe0, 0x37]);
        assert_eq!(codes(print, false, true), [0xe0, 0xb7, 0xe0, 0xaa]);
        assert_eq!(codes(print, false, false), [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12]);
        let pause = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
        assert_eq!(codes(Key::PAUSE, true, false), pause);
        assert_eq!(codes(Key::PAUSE, true, true), [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
        assert_eq!(codes(Key::CTRL_BREAK, true, true), [0xe0, 0x46, 0xe0, 0xc6]);
        for key in [Key::PAUSE, Key::CTRL_BREAK] {
            assert!(codes(key, false, true).is_empty());
        }
    }

    #[test]
    fn no_two_codes_are_translated_to_one_but_where_the_reference_has_it() {
        let mut seen = std::collections::BTreeMap::new();
        for code in 1..=0x7f {
            if let Some(other) = seen.insert(translate(code), code) {
                panic!("{code:02x} and {other:02x} both give {:02x}", translate(code));
            }
        }
        assert!(seen.keys().all(|code| (1..=0x7f).contains(code)));
    }
}
