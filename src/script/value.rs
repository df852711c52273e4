//! Values as users write them: numbers, sizes, times, texts.

use std::path::PathBuf;
use std::time::Duration;

use crate::devices::keyboard::{KeyEvent, keymap};
use crate::memory::layout;
use crate::x86::{self, Linear, SegOff};

/// Why a text is no such value, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub String);

fn error<T>(text: String) -> Result<T, ValueError> {
    Err(ValueError(text))
}

/// A number as C writes it: decimal, or hexadecimal after 0x.
///
/// # Errors
/// It is none, or wider than 64 bits.
pub fn number(text: &str) -> Result<u64, ValueError> {
    x86::address::number(text).ok_or_else(|| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hint = if digits { format!("; in hexadecimal it is 0x{text}") } else { String::new() };
        ValueError(format!("`{text}` is not a number such as 31744 or 0x7c00{hint}"))
    })
}

/// A linear address: a number, or a real-mode pair SEG:OFF in hexadecimal.
///
/// # Errors
/// It is neither.
pub fn address(text: &str) -> Result<Linear, ValueError> {
    if text.contains(':') {
        return match text.parse::<SegOff>() {
            Ok(pair) => Ok(pair.linear()),
            Err(reason) => error(reason.to_string()),
        };
    }
    number(text).map(Linear)
}

/// A drive number: one byte.
///
/// # Errors
/// It is none.
pub fn drive(text: &str) -> Result<u8, ValueError> {
    let value = number(text)?;
    u8::try_from(value)
        .map_err(|_| ValueError(format!("drive {text} is not between 0x00 and 0xff")))
}

/// A size of RAM in bytes, with K, M or G.
///
/// # Errors
/// It is none, or no machine has as much or as little.
pub fn memory_size(text: &str) -> Result<u64, ValueError> {
    let bad = || ValueError(format!("`{text}` is not a size such as 640K, 16M or 1G"));
    let upper = text.to_ascii_uppercase();
    let (digits, shift) = match upper.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if upper.ends_with('K') => (digits, 10),
        Some(digits) if upper.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (upper.as_str(), 0),
    };
    let count: u64 = digits.parse().map_err(|_| bad())?;
    let size = count.checked_mul(1 << shift).ok_or_else(bad)?;
    if !layout::RAM_SIZES.contains(&size) || !size.is_multiple_of(0x1000) {
        return error("memory must be between 1M and 3G, in steps of 4K".to_owned());
    }
    Ok(size)
}

/// A time with ms, s or m.
///
/// # Errors
/// It is none.
pub fn time(text: &str) -> Result<Duration, ValueError> {
    let bad = || ValueError(format!("`{text}` is not a time such as 500ms, 10s or 2m"));
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let (digits, unit) = text.split_at(split);
    let count: u64 = digits.parse().map_err(|_| bad())?;
    let millis = match unit {
        "ms" => Some(count),
        "s" => count.checked_mul(1000),
        "m" => count.checked_mul(60_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(bad)
}

/// Keys and when they are typed, as TIME:KEYS; the keys as [`keymap`] reads them, behind `unquote`.
///
/// # Errors
/// There is no colon, or one of both is none.
pub fn timed_keys(
    text: &str,
    unquote: impl FnOnce(&str) -> Result<String, ValueError>,
) -> Result<(Duration, Vec<KeyEvent>), ValueError> {
    let (at, keys) = text.split_once(':').ok_or_else(|| {
        ValueError(format!("`{text}` is not TIME:KEYS, such as 500ms:hi{{Enter}}"))
    })?;
    let at = time(at.trim())?;
    let keys = keymap::parse(&unquote(keys)?);
    Ok((at, keys.map_err(|error| ValueError(format!("in the keys, {error}")))?))
}

/// A text: as it stands, or in double quotes with the escapes `\n \r \t \\ \" \xNN`.
///
/// # Errors
/// The closing quote is missing, or an escape is unknown.
pub fn text(value: &str) -> Result<String, ValueError> {
    let Some(quoted) = value.strip_prefix('"') else { return Ok(value.to_owned()) };
    let mut text = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' if rest.as_str().is_empty() => return Ok(text),
            '"' => return error(format!("there is more behind the closing quote of {value}")),
            '\\' => match rest.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '"')) => text.push(c),
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    match u8::from_str_radix(&digits, 16) {
                        Ok(byte) if digits.len() == 2 => text.push(char::from(byte)),
                        _ => return error(format!("`\\x{digits}` has not two digits in {value}")),
                    }
                }
                other => {
                    let other = other.map_or_else(String::new, String::from);
                    return error(format!("unknown escape `\\{other}` in {value}"));
                }
            },
            c => text.push(c),
        }
    }
    error(format!("the closing quote of {value} is missing"))
}

/// Bytes: two hexadecimal digits each, with or without spaces between them.
///
/// # Errors
/// It is none, or empty.
pub fn bytes(text: &str) -> Result<Vec<u8>, ValueError> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))
    });
    match pairs.collect::<Option<Vec<u8>>>() {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => error(format!("`{text}` is not a row of bytes such as 0a 1b ff")),
    }
}

/// Numbers with spaces between them.
///
/// # Errors
/// One of them is none, or there is none.
pub fn numbers(text: &str) -> Result<Vec<u32>, ValueError> {
    let values = text.split_whitespace().map(|word| {
        let value = number(word)?;
        u32::try_from(value).map_err(|_| ValueError(format!("{word} is wider than 32 bits")))
    });
    let values: Vec<u32> = values.collect::<Result<_, _>>()?;
    if values.is_empty() {
        return error("there is no number".to_owned());
    }
    Ok(values)
}

/// The firmware of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bios {
    /// The one that comes with it.
    #[default]
    BuiltIn,
    /// None: the guest is alone on the bare machine.
    None,
    /// A ROM image.
    File(PathBuf),
}

/// A firmware: `built-in`, `none` or a file.
///
/// # Errors
/// No text.
pub fn bios(text: &str) -> Result<Bios, ValueError> {
    Ok(match text {
        "" => return Err(ValueError("there is no firmware of that name".to_owned())),
        "built-in" => Bios::BuiltIn,
        "none" => Bios::None,
        file => Bios::File(PathBuf::from(file)),
    })
}

/// What is sent on a serial line: a [`text`] whose characters are bytes, `\xNN` among them.
///
/// # Errors
/// As of [`text`], or a character is no byte.
pub fn line_bytes(value: &str) -> Result<Vec<u8>, ValueError> {
    let text = text(value)?;
    let byte =
        |c| u8::try_from(c).map_err(|_| ValueError(format!("`{c}` is no byte of a serial line")));
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_for_themselves_unless_they_are_quoted() {
        assert_eq!(text("Hello, \"you\""), Ok("Hello, \"you\"".to_owned()));
        assert_eq!(text(r#""  a\n\x41\"""#), Ok("  a\nA\"".to_owned()));
        for bad in [r#""a"#, r#""a" b"#, r#""\q""#, r#""\x4""#, r#""\"#] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn characters_of_a_line_are_bytes() {
        assert_eq!(line_bytes(r#""ok\r\xff\x00""#), Ok(b"ok\r\xff\0".to_vec()));
        assert_eq!(line_bytes("as it is"), Ok(b"as it is".to_vec()));
        assert!(line_bytes("5 €").is_err());
    }

    #[test]
    fn bytes_and_numbers_are_read_in_rows() {
        assert_eq!(bytes("0a1b FF"), Ok(vec![0x0a, 0x1b, 0xff]));
        for bad in ["", "0", "0a b", "xx", "+1"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(numbers("1 0x42"), Ok(vec![1, 0x42]));
        assert!(numbers("").is_err());
        assert!(numbers("0x100000000").is_err());
    }

    #[test]
    fn addresses_are_numbers_or_pairs() {
        assert_eq!(address("0x7c00"), Ok(Linear(0x7c00)));
        assert_eq!(address("07C0:0005"), Ok(Linear(0x7c05)));
        assert!(address("07C0:x").is_err());
        assert!(address("main").is_err());
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(number("0x7c00"), Ok(0x7c00));
        assert_eq!(number("10"), Ok(10));
        for bad in ["", "0x", "7c00", "-1", "+1", "0x+1", "99999999999999999999"] {
            assert!(number(bad).unwrap_err().0.contains(&format!("`{bad}`")));
        }
        let error = number("7c00").unwrap_err().0;
        assert!(error.ends_with("in hexadecimal it is 0x7c00"), "{error}");
        assert!(!number("boot").unwrap_err().0.contains("hexadecimal"));
        assert!(drive("0x100").is_err());
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(memory_size("16M"), Ok(16 << 20));
        assert_eq!(memory_size("1048576"), Ok(1 << 20));
        assert!(memory_size("640K").unwrap_err().0.contains("between 1M and 3G"));
        assert!(memory_size("99999999999G").is_err());
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "5", "s", "1h", "-1s", "99999999999999999999s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
