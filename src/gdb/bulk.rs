//! Packets about much memory at once, which gdbstub does not have: `qSearch:memory`, `qCRC` and the binary
//! read `x` (gdb manual, E.2 "Packets" and E.4 "General Query Packets").
//!
//! A search and a sum can take as long as a guest maps addresses. They are [`Job`]s, done in parts, between
//! which the server can look what else has come.

use super::frame::{MAX_PACKET, Reply, decode_number, decode_range, unescape};
use super::target::Guest;
use crate::x86::Linear;

/// How much of a job is done at a time, in bytes: a few milliseconds.
const PART: usize = 1 << 18;

/// An error that no client takes for data.
fn refusal() -> Reply {
    Reply::new().text("E01")
}

/// The reply to `xRANGE`: memory as binary data, as much as is there and fits.
pub fn read(guest: &Guest<'_>, text: &[u8]) -> Reply {
    // A `b`, and twice the length if every byte has to be escaped.
    const MOST: u64 = MAX_PACKET as u64 / 2 - 1;
    let Some((addr, len)) = decode_range(text) else { return refusal() };
    let mut data = vec![0; usize::try_from(len.min(MOST)).unwrap_or_default()];
    let count = guest.read(Linear(addr), &mut data);
    if count == 0 && len != 0 {
        return refusal();
    }
    Reply::new().text("b").binary(data.get(..count).unwrap_or_default())
}

/// Whether the packet with the body `body` asks for a [`Job`].
#[must_use]
pub fn is_job(body: &[u8]) -> bool {
    body.starts_with(b"qSearch:memory:") || body.starts_with(b"qCRC:")
}

/// Something to be done with a range of memory that may be long.
#[derive(Debug)]
pub struct Job {
    addr: u64,
    len: u64,
    /// Bytes that are behind it.
    done: u64,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Search(Matcher),
    Sum {
        sum: u32,
        table: Box<[u32; 256]>,
    },
    /// Nothing that makes sense.
    Refuse,
}

impl Job {
    /// What the packet with the body `body` asks for.
    #[must_use]
    pub fn new(body: &[u8]) -> Job {
        let job = match body.strip_prefix(b"qSearch:memory:") {
            Some(request) => Job::search(request),
            None => body.strip_prefix(b"qCRC:").and_then(Job::sum),
        };
        job.unwrap_or(Job { addr: 0, len: 0, done: 0, task: Task::Refuse })
    }

    /// `ADDR;LEN;PATTERN`.
    fn search(request: &[u8]) -> Option<Job> {
        let mut parts = request.splitn(3, |byte| *byte == b';');
        let (addr, len) = (decode_number(parts.next()?)?, decode_number(parts.next()?)?);
        let pattern = unescape(parts.next()?);
        let task = Task::Search(Matcher::new(pattern));
        Some(Job { addr, len, done: 0, task })
    }

    /// `ADDR,LEN`.
    fn sum(request: &[u8]) -> Option<Job> {
        let (addr, len) = decode_range(request)?;
        let task = Task::Sum { sum: u32::MAX, table: Box::new(crc_table()) };
        Some(Job { addr, len, done: 0, task })
    }

    /// Does the next part; the reply, if it was the last.
    pub fn go_on(&mut self, guest: &Guest<'_>) -> Option<Reply> {
        let is_void = match &self.task {
            Task::Search(matcher) => matcher.pattern.is_empty(),
            Task::Sum { .. } => false,
            Task::Refuse => true,
        };
        if is_void {
            return Some(refusal());
        }
        let left = self.len - self.done;
        let mut part = vec![0; usize::try_from(left).unwrap_or(PART).min(PART)];
        let count = guest.read(Linear(self.addr.wrapping_add(self.done)), &mut part);
        let data = part.get(..count).unwrap_or_default();
        match &mut self.task {
            Task::Search(matcher) => {
                if let Some(end) = matcher.feed(data) {
                    let found = self.addr.wrapping_add(end - matcher.pattern.len() as u64);
                    return Some(Reply::new().text(&format!("1,{found:x}")));
                }
            }
            Task::Sum { sum, table } => {
                *sum = data.iter().fold(*sum, |sum, byte| {
                    let index = (sum >> 24) as usize ^ usize::from(*byte);
                    sum << 8 ^ table.get(index).copied().unwrap_or_default()
                });
            }
            Task::Refuse => {}
        }
        self.done += count as u64;
        if count < part.len() {
            // Memory ends before the range does.
            return Some(refusal());
        }
        (self.done == self.len).then(|| match &self.task {
            Task::Sum { sum, .. } => Reply::new().text(&format!("C{sum:x}")),
            _ => Reply::new().text("0"),
        })
    }
}

/// Knuth, Morris and Pratt's search: a time that the pattern cannot stretch, and no need to look back.
#[derive(Debug)]
struct Matcher {
    pattern: Vec<u8>,
    /// For each length of a match, how long the next shorter one is.
    shorter: Vec<usize>,
    matched: usize,
    seen: u64,
}

impl Matcher {
    fn new(pattern: Vec<u8>) -> Matcher {
        let mut matcher = Matcher { pattern, shorter: vec![0, 0], matched: 0, seen: 0 };
        for place in 1..matcher.pattern.len() {
            matcher.advance(matcher.pattern.get(place).copied().unwrap_or_default());
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
        let mut matcher = Matcher::new(pattern.to_vec());
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
