//! Packets about much memory at once, which gdbstub does not have: `qSearch:memory`, `qCRC` and the binary
//! read `x` (gdb manual, E.2 "Packets" and E.4 "General Query Packets").

use super::frame::{MAX_PACKET, Reply, decode_number, unescape};
use crate::machine::Machine;
use crate::x86::Linear;

/// How much is read at a time, in bytes.
const CHUNK: usize = 1 << 16;

/// The reply to the packet with the body `body`; `None` if it is none of these.
pub fn answer(machine: &Machine, body: &[u8]) -> Option<Reply> {
    if let Some(request) = body.strip_prefix(b"qSearch:memory:") {
        return Some(search(machine, request));
    }
    if let Some(range) = body.strip_prefix(b"qCRC:") {
        return Some(crc(machine, range));
    }
    body.strip_prefix(b"x").map(|range| read(machine, range))
}

/// An error that no client takes for data.
fn refusal() -> Reply {
    Reply::new().text("E01")
}

/// `ADDR,LEN` at the front of `text`.
fn range(text: &[u8], separator: u8) -> Option<(u64, u64)> {
    let mut parts = text.split(|byte| *byte == separator);
    let range = (decode_number(parts.next()?)?, decode_number(parts.next()?)?);
    parts.next().is_none().then_some(range)
}

/// `x`: memory as binary data, as much as is there and fits.
fn read(machine: &Machine, text: &[u8]) -> Reply {
    // A `b`, and twice the length if every byte has to be escaped.
    const MOST: u64 = MAX_PACKET as u64 / 2 - 1;
    let Some((addr, len)) = range(text, b',') else { return refusal() };
    let mut data = vec![0; usize::try_from(len.min(MOST)).unwrap_or_default()];
    let count = machine.read_linear(Linear(addr), &mut data);
    if count == 0 && len != 0 {
        return refusal();
    }
    Reply::new().text("b").binary(data.get(..count).unwrap_or_default())
}

/// Hands memory to `take`, a part at a time and no more than `len` bytes, until that returns something. `Err`
/// if memory ends before.
fn scan<T>(
    machine: &Machine,
    addr: u64,
    len: u64,
    mut take: impl FnMut(&[u8]) -> Option<T>,
) -> Result<Option<T>, ()> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    while done < len {
        let most = usize::try_from(len - done).unwrap_or(CHUNK).min(CHUNK);
        let part = chunk.get_mut(..most).ok_or(())?;
        let count = machine.read_linear(Linear(addr.wrapping_add(done)), part);
        if let Some(found) = take(part.get(..count).unwrap_or_default()) {
            return Ok(Some(found));
        }
        if count < most {
            return Err(());
        }
        done += count as u64;
    }
    Ok(None)
}

/// `qSearch:memory:ADDR;LEN;PATTERN`.
fn search(machine: &Machine, request: &[u8]) -> Reply {
    let mut parts = request.splitn(3, |byte| *byte == b';');
    let mut next = || parts.next().unwrap_or_default();
    let (addr, len) = (decode_number(next()), decode_number(next()));
    let pattern = unescape(next());
    let (Some(addr), Some(len)) = (addr, len) else { return refusal() };
    if pattern.is_empty() {
        return refusal();
    }
    let mut matcher = Matcher::new(&pattern);
    match scan(machine, addr, len, |part| matcher.feed(part)) {
        Ok(Some(end)) => {
            let found = addr.wrapping_add(end - pattern.len() as u64);
            Reply::new().text(&format!("1,{found:x}"))
        }
        Ok(None) => Reply::new().text("0"),
        Err(()) => refusal(),
    }
}

/// Knuth, Morris and Pratt's search: a time that the pattern cannot stretch, and no need to look back.
struct Matcher<'a> {
    pattern: &'a [u8],
    /// For each length of a match, how long the next shorter one is.
    shorter: Vec<usize>,
    matched: usize,
    seen: u64,
}

impl<'a> Matcher<'a> {
    fn new(pattern: &'a [u8]) -> Matcher<'a> {
        let mut matcher = Matcher { pattern, shorter: vec![0, 0], matched: 0, seen: 0 };
        for &byte in pattern.iter().skip(1) {
            matcher.advance(byte);
            matcher.shorter.push(matcher.matched);
        }
        matcher.matched = 0;
        matcher
    }

    fn advance(&mut self, byte: u8) {
        while self.matched > 0 && self.pattern.get(self.matched) != Some(&byte) {
            self.matched = self.shorter.get(self.matched).copied().unwrap_or_default();
        }
        if self.pattern.get(self.matched) == Some(&byte) {
            self.matched += 1;
        }
    }

    /// Where the first match ends, counted from the first byte ever fed.
    fn feed(&mut self, data: &[u8]) -> Option<u64> {
        for (n, &byte) in data.iter().enumerate() {
            self.advance(byte);
            if self.matched == self.pattern.len() {
                return Some(self.seen + n as u64 + 1);
            }
        }
        self.seen += data.len() as u64;
        None
    }
}

/// `qCRC:ADDR,LEN`.
fn crc(machine: &Machine, text: &[u8]) -> Reply {
    let Some((addr, len)) = range(text, b',') else { return refusal() };
    let table = crc_table();
    let mut sum = u32::MAX;
    let summed = scan(machine, addr, len, |part| {
        sum = part.iter().fold(sum, |sum, byte| {
            let index = (sum >> 24) as usize ^ usize::from(*byte);
            sum << 8 ^ table.get(index).copied().unwrap_or_default()
        });
        None::<()>
    });
    if summed.is_err() { refusal() } else { Reply::new().text(&format!("C{sum:x}")) }
}

/// The polynomial 04C11DB7h, most significant bit first.
fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    for (entry, byte) in table.iter_mut().zip(0u32..) {
        *entry =
            (0..8).fold(
                byte << 24,
                |sum, _| {
                    if sum >> 31 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 }
                },
            );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a match ends, with the data fed in pieces of `size`.
    fn find(pattern: &[u8], data: &[u8], size: usize) -> Option<u64> {
        let mut matcher = Matcher::new(pattern);
        data.chunks(size).find_map(|part| matcher.feed(part))
    }

    #[test]
    fn a_pattern_is_found_across_the_pieces_of_memory() {
        let data = b"aabaabaaabaab aabaac";
        for pattern in [&b"aabaac"[..], b"aaab", b"a", b"aabaabaaabaab aabaac", b"ab aa", b"c"] {
            let place = data.windows(pattern.len()).position(|part| part == pattern).unwrap();
            for size in 1..=data.len() {
                let end = Some((place + pattern.len()) as u64);
                assert_eq!(find(pattern, data, size), end, "{}", pattern.escape_ascii());
            }
        }
        assert_eq!(find(b"aabaad", data, 3), None);
    }
}
