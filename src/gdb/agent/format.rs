//! The formats of `dprintf`, as gdb hands them over: C's escapes and conversions still in them.

use super::LONGEST_TEXT;
use super::context::Context;

/// A width or a precision beyond this is a mistake.
const WIDEST: usize = 4096;

/// Why a format cannot be printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A conversion that does not exist, or not for integers and strings.
    #[error("the conversion %{0} is not supported")]
    Conversion(String),
    /// A `%` at the end.
    #[error("the format ends within a conversion")]
    Unfinished,
    /// More conversions than arguments.
    #[error("there are fewer arguments than conversions")]
    Arguments,
    /// A width or a precision out of reason.
    #[error("a width or a precision above {WIDEST}")]
    Width,
    /// A string with no end, or in no memory.
    #[error("there is no string at {0:#x}")]
    Text(u64),
    /// Too much text.
    #[error("the text is longer than {LONGEST_TEXT} bytes")]
    Length,
}

/// One conversion, from `%` on.
#[derive(Clone, Debug, Default)]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// Bytes of the argument that count.
    size: u32,
}

/// Appends `format`, up to its NUL, with `arguments` to `output`.
pub(super) fn print(
    format: &[u8],
    arguments: &[u64],
    context: &mut dyn Context,
    output: &mut Vec<u8>,
) -> Result<(), FormatError> {
    let mut rest = format.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut arguments = arguments.iter().copied();
    let start = output.len();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'\\' => escape(tail, output),
            b'%' if tail.first() == Some(&b'%') => {
                output.push(b'%');
                tail.get(1..).unwrap_or_default()
            }
            b'%' => conversion(tail, &mut arguments, context, output)?,
            _ => {
                output.push(byte);
                tail
            }
        };
        if output.len() - start > LONGEST_TEXT {
            output.truncate(start + LONGEST_TEXT);
            return Err(FormatError::Length);
        }
    }
    Ok(())
}

/// Takes one escape, behind its backslash, from the front of `text`.
fn escape<'a>(text: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    let Some((&byte, rest)) = text.split_first() else {
        output.push(b'\\');
        return text;
    };
    let octal = text.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    if octal > 0 {
        let (digits, rest) = text.split_at(octal);
        let value = digits.iter().fold(0u32, |value, digit| value << 3 | u32::from(digit & 7));
        output.push(value.to_le_bytes()[0]);
        return rest;
    }
    output.push(match byte {
        b'a' => 0x07,
        b'b' => 0x08,
        b'e' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        // Quotes, the backslash, and what means nothing.
        other => other,
    });
    rest
}

/// Takes one conversion, behind its `%`, from the front of `text`.
fn conversion<'a>(
    text: &'a [u8],
    arguments: &mut impl Iterator<Item = u64>,
    context: &mut dyn Context,
    output: &mut Vec<u8>,
) -> Result<&'a [u8], FormatError> {
    let mut spec = Conversion { size: 4, ..Conversion::default() };
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'-' => spec.left = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alternate = true,
            b'0' => spec.zero = true,
            b'\'' => {}
            _ => break,
        }
        rest = tail;
    }
    (spec.width, rest) = number(rest)?;
    if let Some(tail) = rest.strip_prefix(b".") {
        let (precision, tail) = number(tail)?;
        spec.precision = Some(precision);
        rest = tail;
    }
    for (modifier, size) in
        [(&b"hh"[..], 1), (b"h", 2), (b"ll", 8), (b"l", 8), (b"j", 8), (b"z", 8), (b"t", 8)]
    {
        if let Some(tail) = rest.strip_prefix(modifier) {
            (spec.size, rest) = (size, tail);
            break;
        }
    }
    let Some((&letter, rest)) = rest.split_first() else { return Err(FormatError::Unfinished) };
    if !matches!(letter, b'd' | b'i' | b'u' | b'o' | b'x' | b'X' | b'c' | b's' | b'p') {
        let used = text.get(..text.len() - rest.len()).unwrap_or(text);
        return Err(FormatError::Conversion(used.escape_ascii().to_string()));
    }
    let value = arguments.next().ok_or(FormatError::Arguments)?;
    match letter {
        b's' => {
            let text = string_at(value, spec.precision, context)?;
            spec.pad(&text, output);
        }
        #[allow(clippy::cast_possible_truncation)]
        b'c' => spec.pad(&[value as u8], output),
        b'p' => spec.pad(format!("{value:#x}").as_bytes(), output),
        letter => spec.integer(value, letter, output),
    }
    Ok(rest)
}

fn number(text: &[u8]) -> Result<(usize, &[u8]), FormatError> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let value = digits.iter().fold(0usize, |value, digit| {
        value.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    });
    if value > WIDEST { Err(FormatError::Width) } else { Ok((value, rest)) }
}

impl Conversion {
    fn integer(&self, value: u64, letter: u8, output: &mut Vec<u8>) {
        let unused = 64 - 8 * self.size;
        let (signed, unsigned) =
            ((value << unused).cast_signed() >> unused, value << unused >> unused);
        let is_signed = matches!(letter, b'd' | b'i');
        let mut digits = match letter {
            b'd' | b'i' => signed.unsigned_abs().to_string(),
            b'o' => format!("{unsigned:o}"),
            b'x' => format!("{unsigned:x}"),
            b'X' => format!("{unsigned:X}"),
            _ => unsigned.to_string(),
        };
        if self.precision == Some(0) && unsigned == 0 {
            digits.clear();
        }
        let missing = self.precision.unwrap_or(1).saturating_sub(digits.len());
        digits.insert_str(0, &"0".repeat(missing));
        let sign = match (is_signed, signed < 0, self.plus, self.space) {
            (true, true, ..) => "-",
            (true, false, true, _) => "+",
            (true, false, false, true) => " ",
            _ => "",
        };
        let prefix = match letter {
            b'x' if self.alternate && unsigned != 0 => "0x",
            b'X' if self.alternate && unsigned != 0 => "0X",
            b'o' if self.alternate && !digits.starts_with('0') => "0",
            _ => sign,
        };
        if self.zero && !self.left && self.precision.is_none() {
            let missing = self.width.saturating_sub(prefix.len() + digits.len());
            digits.insert_str(0, &"0".repeat(missing));
        }
        self.pad(format!("{prefix}{digits}").as_bytes(), output);
    }

    fn pad(&self, text: &[u8], output: &mut Vec<u8>) {
        let spaces = self.width.saturating_sub(text.len());
        if self.left {
            output.extend_from_slice(text);
        }
        output.extend(std::iter::repeat_n(b' ', spaces));
        if !self.left {
            output.extend_from_slice(text);
        }
    }
}

/// The bytes up to a NUL, or to the precision.
fn string_at(
    addr: u64,
    precision: Option<usize>,
    context: &mut dyn Context,
) -> Result<Vec<u8>, FormatError> {
    const CHUNK: usize = 64;
    let most = precision.unwrap_or(LONGEST_TEXT);
    let mut text = Vec::new();
    while text.len() < most {
        let mut chunk = [0; CHUNK];
        let place = addr.wrapping_add(text.len() as u64);
        let read = context.memory(place, &mut chunk);
        let data = chunk.get(..read).unwrap_or_default();
        let end = data.iter().position(|byte| *byte == 0);
        text.extend_from_slice(data.get(..end.unwrap_or(read)).unwrap_or_default());
        if end.is_some() {
            break;
        }
        if read < CHUNK && text.len() < most {
            return Err(FormatError::Text(addr));
        }
    }
    if precision.is_none() && text.len() >= most {
        return Err(FormatError::Text(addr));
    }
    text.truncate(most);
    Ok(text)
}
