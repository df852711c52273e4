//! `xp`: guest-physical memory in many formats.

use super::CommandError;
use super::address::physical;
use crate::machine::Machine;
use crate::x86::{Phys, disasm, instruction};

/// Most bytes that one command shows.
const MOST: usize = 0x4000;

/// What the slash and the words behind the address ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    count: usize,
    format: char,
    /// Bytes an item.
    size: usize,
}

/// Carries out `xp` with its arguments.
pub(super) fn examine(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    let (request, rest) = match arguments.strip_prefix('/') {
        Some(text) => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            let (format, rest) = text.split_at(end);
            (parse_format(format)?, rest)
        }
        None => (parse_format("")?, arguments),
    };
    let mut words = rest.split_whitespace();
    let Some(addr) = words.next() else {
        return Err(CommandError("xp needs an address, such as xp/8i 0x7c00".to_owned()));
    };
    let addr = physical(machine, addr)?;
    let width = match words.next().map(|word| word.trim_start_matches('-')) {
        None => machine.cpu().mode().code_bits(),
        Some("16") => 16,
        Some("32") => 32,
        Some("64") => 64,
        Some(other) => {
            return Err(CommandError(format!("`{other}` is no code width: 16, 32 or 64")));
        }
    };
    if let Some(more) = words.next() {
        return Err(CommandError(format!("`{more}` is one word too many")));
    }
    Ok(match request.format {
        'i' => instructions(machine, addr, request.count, width),
        's' => strings(machine, addr, request.count),
        _ => items(machine, addr, request),
    })
}

/// Reads `[COUNT][FORMAT][SIZE]`, the letters in either order, as gdb and QEMU do.
fn parse_format(text: &str) -> Result<Request, CommandError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, letters) = text.split_at(digits);
    let bad = || CommandError(format!("`/{text}` is no format such as /8i, /16xb or /4xw"));
    let count = if count.is_empty() { 1 } else { count.parse().map_err(|_| bad())? };
    let mut request = Request { count, format: 'x', size: 0 };
    for letter in letters.chars() {
        match letter {
            'b' => request.size = 1,
            'h' => request.size = 2,
            'w' => request.size = 4,
            'g' => request.size = 8,
            'x' | 'd' | 'u' | 'o' | 't' | 'c' | 's' | 'i' => request.format = letter,
            _ => return Err(bad()),
        }
    }
    if request.size == 0 {
        request.size = if request.format == 'c' { 1 } else { 4 };
    }
    let fits = request.count.checked_mul(request.size).is_some_and(|bytes| bytes <= MOST);
    if fits {
        Ok(request)
    } else {
        Err(CommandError(format!("`/{text}` is more than {MOST} bytes")))
    }
}

/// As much of `len` bytes from `addr` on as is there.
fn read(machine: &Machine, addr: Phys, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    let count = machine.read_phys(addr, &mut data);
    data.truncate(count);
    data
}

fn missing(addr: Phys) -> String {
    format!("{addr}: nothing is there\n")
}

fn items(machine: &Machine, addr: Phys, request: Request) -> String {
    let Request { count, format, size } = request;
    let data = read(machine, addr, count * size);
    let a_line = if format == 'c' { 8 } else { 16 / size };
    let whole = data.len() / size * size;
    let mut text = String::new();
    for (line, chunk) in data.get(..whole).unwrap_or_default().chunks(a_line * size).enumerate() {
        text.push_str(&format!("{:08x}:", addr.offset((line * a_line * size) as u64)));
        for item in chunk.chunks(size) {
            let value = item.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            text.push(' ');
            text.push_str(&item_text(format, value, size));
        }
        text.push('\n');
    }
    if whole < count * size {
        text.push_str(&missing(addr.offset(whole as u64)));
    }
    text
}

fn item_text(format: char, value: u64, size: usize) -> String {
    let bits = 8 * size;
    match format {
        // The sign bit moved to the top and back.
        'd' => ((value << (64 - bits)).cast_signed() >> (64 - bits)).to_string(),
        'u' => value.to_string(),
        'o' if value == 0 => "0".to_owned(),
        'o' => format!("0{value:o}"),
        't' => format!("{value:0bits$b}"),
        'c' => {
            let byte = value.to_le_bytes()[0];
            format!("{byte:#04x} {:<6}", format!("'{}'", byte.escape_ascii()))
        }
        _ => format!("{value:#0width$x}", width = 2 + 2 * size),
    }
}

fn strings(machine: &Machine, mut addr: Phys, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let data = read(machine, addr, MOST.min(256));
        if data.is_empty() {
            text.push_str(&missing(addr));
            break;
        }
        let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        let string = data.get(..end).unwrap_or_default();
        let more = if end < data.len() { "" } else { "..." };
        text.push_str(&format!("{addr:08x}: \"{}\"{more}\n", string.escape_ascii()));
        addr = addr.offset((end + usize::from(end < data.len())) as u64);
    }
    text
}

/// The listing's offsets are physical addresses, so branch targets are right where CS.base is zero or code
/// is seen as linear.
fn instructions(machine: &Machine, addr: Phys, count: usize, width: u32) -> String {
    let mut text = String::new();
    let mut at = addr;
    for _ in 0..count {
        let data = read(machine, at, instruction::MAX_LEN);
        let Some(code) = disasm::disassemble(&data, width, at.0) else {
            text.push_str(&missing(at));
            break;
        };
        text.push_str(&format!("{at:08x}: {:<20} {}\n", code.hex(), code.text));
        at = at.offset(code.size() as u64);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_as_gdb_reads_them() {
        let parsed = |text| parse_format(text).map(|r| (r.count, r.format, r.size));
        assert_eq!(parsed(""), Ok((1, 'x', 4)));
        assert_eq!(parsed("8i"), Ok((8, 'i', 4)));
        assert_eq!(parsed("16xb"), Ok((16, 'x', 1)));
        assert_eq!(parsed("2gd"), Ok((2, 'd', 8)));
        assert_eq!(parsed("4c"), Ok((4, 'c', 1)));
        for bad in ["8z", "-1x", "99999999999999999999x", "100000xb", "x8"] {
            assert!(parse_format(bad).unwrap_err().to_string().contains(&format!("`/{bad}`")));
        }
    }

    #[test]
    fn items_print_in_their_width() {
        assert_eq!(item_text('x', 0x5, 2), "0x0005");
        assert_eq!(item_text('d', 0xfffe, 2), "-2");
        assert_eq!(item_text('d', u64::MAX, 8), "-1");
        assert_eq!(item_text('u', 0xfffe, 2), "65534");
        assert_eq!((item_text('o', 0o174, 1), item_text('o', 0, 1)), ("0174".into(), "0".into()));
        assert_eq!(item_text('t', 5, 1), "00000101");
        assert_eq!(item_text('c', u64::from(b'A'), 1).trim(), "0x41 'A'");
    }
}
