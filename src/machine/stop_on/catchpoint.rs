//! Catchpoints: what the user wants the guest stopped at besides places and memory. How they are written, and
//! the list of them.
//!
//! A catchpoint is written in words, one thing a word:
//!
//! - `int VECTOR [ah=BYTE] [al=BYTE] [ax=WORD]`: a software interrupt;
//! - `in PORT [VALUE]`, `out PORT [VALUE]`, `io PORT [VALUE]`: an access to a port, or to one of `FIRST-LAST`;
//! - `mode`: a switch of the processor's mode.
//!
//! Numbers are decimal, or hexadecimal after 0x or before h.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::x86::address;

/// What the guest is stopped at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catchpoint {
    /// An instruction that calls the handler of `vector`: INT n, INT3, INTO where it does, INT1. It has not run.
    Interrupt {
        /// The vector.
        vector: u8,
        /// What AH has to be.
        ah: Option<u8>,
        /// What AL has to be.
        al: Option<u8>,
    },
    /// An access to a port, by IN, OUT, INS or OUTS. It has been done.
    Port {
        /// Which way it goes.
        direction: Direction,
        /// The port that the instruction names, whatever the width of the access.
        ports: RangeInclusive<u16>,
        /// What is written or read, in the width of the access.
        value: Option<u32>,
    },
    /// A switch of the processor's mode. The instruction that makes it has run.
    ModeSwitch,
}

/// Which accesses to a port count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The guest reads.
    In,
    /// The guest writes.
    Out,
    /// Both.
    Either,
}

/// Why a text is no catchpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCatchpointError {
    /// The first word says nothing that could be stopped at.
    #[error("`{0}` is nothing to stop at: {USAGE}")]
    Kind(String),
    /// A vector or port is missing.
    #[error("`{0}` needs a number: {USAGE}")]
    Missing(String),
    /// A number is none, or too large.
    #[error("`{word}` is no {what}")]
    Number {
        /// What was written.
        word: String,
        /// What it should have been.
        what: &'static str,
    },
    /// More than one word for one thing.
    #[error("`{0}` is one word too many: {USAGE}")]
    Surplus(String),
}

/// All forms in one line.
const USAGE: &str = "int VECTOR [ah=BYTE] [al=BYTE] [ax=WORD], in PORT [VALUE], out PORT [VALUE], \
                     io PORT [VALUE], or mode; a PORT may be FIRST-LAST";

impl Catchpoint {
    /// Whether it is noticed by stepping only.
    #[must_use]
    pub fn needs_steps(&self) -> bool {
        !matches!(self, Catchpoint::Port { .. })
    }

    /// Whether it is a software interrupt with this vector and AX.
    #[must_use]
    pub fn catches_interrupt(&self, number: u8, ax: u16) -> bool {
        let [is_al, is_ah] = ax.to_le_bytes();
        match *self {
            Catchpoint::Interrupt { vector, ah, al } => {
                vector == number
                    && ah.is_none_or(|byte| byte == is_ah)
                    && al.is_none_or(|byte| byte == is_al)
            }
            _ => false,
        }
    }

    /// Whether it may be input from `port`.
    fn waits_for_input(&self, port: u16) -> bool {
        matches!(self, Catchpoint::Port { direction: Direction::In | Direction::Either, ports, .. }
            if ports.contains(&port))
    }

    /// Whether it is this access to a port.
    #[must_use]
    pub fn catches_access(&self, port: u16, write: bool, data: u32) -> bool {
        let Catchpoint::Port { direction, ports, value } = self else { return false };
        let this_way = match direction {
            Direction::In => !write,
            Direction::Out => write,
            Direction::Either => true,
        };
        this_way && ports.contains(&port) && value.is_none_or(|value| value == data)
    }
}

impl FromStr for Catchpoint {
    type Err = ParseCatchpointError;

    fn from_str(text: &str) -> Result<Catchpoint, ParseCatchpointError> {
        let mut words = text.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let catchpoint = match kind {
            "int" => {
                let word = words.next().ok_or_else(|| Self::Err::Missing(kind.to_owned()))?;
                let vector = number(word, "vector from 0 to 0xff")?;
                let (mut ah, mut al) = (None, None);
                for word in words.by_ref() {
                    filter(word, &mut ah, &mut al)?;
                }
                Catchpoint::Interrupt { vector, ah, al }
            }
            "in" | "out" | "io" => {
                let direction = match kind {
                    "in" => Direction::In,
                    "out" => Direction::Out,
                    _ => Direction::Either,
                };
                let word = words.next().ok_or_else(|| Self::Err::Missing(kind.to_owned()))?;
                let ports = ports(word)?;
                let value =
                    words.next().map(|word| number(word, "value of 32 bits")).transpose()?;
                Catchpoint::Port { direction, ports, value }
            }
            "mode" => Catchpoint::ModeSwitch,
            other => return Err(Self::Err::Kind(other.to_owned())),
        };
        match words.next() {
            Some(word) => Err(Self::Err::Surplus(word.to_owned())),
            None => Ok(catchpoint),
        }
    }
}

/// Reads `ah=BYTE`, `al=BYTE` or `ax=WORD`.
fn filter(
    word: &str,
    ah: &mut Option<u8>,
    al: &mut Option<u8>,
) -> Result<(), ParseCatchpointError> {
    let surplus = || ParseCatchpointError::Surplus(word.to_owned());
    let (register, value) = word.split_once('=').ok_or_else(surplus)?;
    let byte = |what| number(value, what);
    let halves = match register.to_ascii_lowercase().as_str() {
        "ah" => [None, Some(byte("byte for AH")?)],
        "al" => [Some(byte("byte for AL")?), None],
        "ax" => number::<u16>(value, "word for AX")?.to_le_bytes().map(Some),
        _ => return Err(surplus()),
    };
    for (half, new) in [al, ah].into_iter().zip(halves) {
        if new.is_some() && half.is_some() {
            return Err(surplus());
        }
        *half = half.or(new);
    }
    Ok(())
}

/// Reads `PORT` or `FIRST-LAST`.
fn ports(word: &str) -> Result<RangeInclusive<u16>, ParseCatchpointError> {
    let what = "port from 0 to 0xffff";
    let Some((first, last)) = word.split_once('-') else {
        let port = number(word, what)?;
        return Ok(port..=port);
    };
    let ports = number(first, what)?..=number(last, what)?;
    if ports.is_empty() {
        return Err(ParseCatchpointError::Number { word: word.to_owned(), what: "range of ports" });
    }
    Ok(ports)
}

fn number<N: TryFrom<u64>>(word: &str, what: &'static str) -> Result<N, ParseCatchpointError> {
    let number = address::number(word).or_else(|| as_assemblers_write(word));
    let number = number.and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| ParseCatchpointError::Number { word: word.to_owned(), what })
}

/// The number of `10h`, as assembler sources and the manuals have it.
fn as_assemblers_write(word: &str) -> Option<u64> {
    let digits = word.strip_suffix(['h', 'H'])?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

impl fmt::Display for Catchpoint {
    /// The words that it is read from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Catchpoint::Interrupt { vector, ah, al } => {
                write!(f, "int {vector:#04x}")?;
                match (ah, al) {
                    (Some(ah), Some(al)) => write!(f, " ax={ah:#04x}{al:02x}"),
                    (Some(ah), None) => write!(f, " ah={ah:#04x}"),
                    (None, Some(al)) => write!(f, " al={al:#04x}"),
                    (None, None) => Ok(()),
                }
            }
            Catchpoint::Port { direction, ports, value } => {
                let word = match direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                    Direction::Either => "io",
                };
                let (first, last) = (ports.start(), ports.end());
                write!(f, "{word} {first:#x}")?;
                if first != last {
                    write!(f, "-{last:#x}")?;
                }
                value.map_or(Ok(()), |value| write!(f, " {value:#x}"))
            }
            Catchpoint::ModeSwitch => f.write_str("mode"),
        }
    }
}

/// The catchpoints of a machine, numbered in the order in which they were set.
#[derive(Clone, Debug, Default)]
pub struct Catchpoints {
    entries: Vec<Entry>,
    /// The number given last.
    last: u32,
}

/// A catchpoint that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1 on; none is given twice.
    pub number: u32,
    /// What it is.
    pub catchpoint: Catchpoint,
    /// How often it has stopped the guest.
    pub hits: u64,
}

impl Catchpoints {
    /// Sets a catchpoint and gives its number.
    pub fn insert(&mut self, catchpoint: Catchpoint) -> u32 {
        self.last += 1;
        self.entries.push(Entry { number: self.last, catchpoint, hits: 0 });
        self.last
    }

    /// Takes the catchpoint `number` back; false when there is none.
    pub fn remove(&mut self, number: u32) -> bool {
        let found = self.entries.iter().position(|entry| entry.number == number);
        found.map(|index| self.entries.remove(index)).is_some()
    }

    /// Takes all back.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the guest has to be stepped for any of them.
    #[must_use]
    pub fn need_steps(&self) -> bool {
        self.entries.iter().any(|entry| entry.catchpoint.needs_steps())
    }

    /// Whether any of them waits for input from `port`, whatever the value.
    pub(in crate::machine) fn wait_for_input(&self, port: u16) -> bool {
        self.entries.iter().any(|entry| entry.catchpoint.waits_for_input(port))
    }

    /// Counts a hit of each catchpoint that `catches`, and gives the first.
    pub(super) fn hit(&mut self, catches: impl Fn(&Catchpoint) -> bool) -> Option<&Entry> {
        let mut first = None;
        for entry in self.entries.iter_mut().filter(|entry| catches(&entry.catchpoint)) {
            entry.hits += 1;
            first = first.or(Some(&*entry));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Catchpoint {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn catchpoints_are_read_as_they_are_written() {
        for (text, written) in [
            ("int 0x10", "int 0x10"),
            ("int 128", "int 0x80"),
            ("  int  3 ", "int 0x03"),
            ("int 0x10 ah=0x0e", "int 0x10 ah=0x0e"),
            ("int 10h ah=0Eh", "int 0x10 ah=0x0e"),
            ("out 3F8H-3ffh 0ah", "out 0x3f8-0x3ff 0xa"),
            ("int 0x10 AH=14", "int 0x10 ah=0x0e"),
            ("int 0x10 al=0x41", "int 0x10 al=0x41"),
            ("int 0x10 ax=0x4f02", "int 0x10 ax=0x4f02"),
            ("int 0x10 al=2 ah=0x4f", "int 0x10 ax=0x4f02"),
            ("in 0x60", "in 0x60"),
            ("out 233", "out 0xe9"),
            ("out 0xe9 0x41", "out 0xe9 0x41"),
            ("io 0xcf8 0x80000000", "io 0xcf8 0x80000000"),
            ("io 0x3f8-0x3ff", "io 0x3f8-0x3ff"),
            ("in 5-5", "in 0x5"),
            ("mode", "mode"),
        ] {
            assert_eq!(read(text).to_string(), written, "{text}");
            assert_eq!(read(written), read(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_catchpoint_is_named() {
        for (text, named) in [
            ("", "`` is nothing to stop at: int VECTOR"),
            ("int3", "`int3` is nothing"),
            ("INT 3", "`INT` is nothing"),
            ("int", "`int` needs a number"),
            ("int 0x100", "`0x100` is no vector"),
            ("int -1", "`-1` is no vector"),
            ("int h", "`h` is no vector"),
            ("int 100h", "`100h` is no vector"),
            ("int 0x10h", "`0x10h` is no vector"),
            ("int +1h", "`+1h` is no vector"),
            ("int 0x10 0x0e", "`0x0e` is one word too many"),
            ("int 0x10 bx=1", "`bx=1` is one word too many"),
            ("int 0x10 ah=", "`` is no byte for AH"),
            ("int 0x10 ah=0x100", "`0x100` is no byte for AH"),
            ("int 0x10 ax=0x10000", "`0x10000` is no word for AX"),
            ("int 0x10 ah=1 ah=2", "`ah=2` is one word too many"),
            ("int 0x10 al=1 ax=2", "`ax=2` is one word too many"),
            ("out", "`out` needs a number"),
            ("out 0x10000", "`0x10000` is no port"),
            ("out 0x+1", "`0x+1` is no port"),
            ("out 9-8", "`9-8` is no range of ports"),
            ("out 8-", "`` is no port"),
            ("out 8 0x100000000", "`0x100000000` is no value of 32 bits"),
            ("out 8 9 10", "`10` is one word too many"),
            ("mode real", "`real` is one word too many"),
        ] {
            let error = text.parse::<Catchpoint>().unwrap_err().to_string();
            assert!(error.starts_with(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_filter_is_about_the_registers_at_the_interrupt() {
        assert!(read("int 0x10").catches_interrupt(0x10, 0x1234));
        assert!(!read("int 0x10").catches_interrupt(0x13, 0x1234));
        assert!(read("int 0x10 ah=0x12").catches_interrupt(0x10, 0x1234));
        assert!(!read("int 0x10 ah=0x34").catches_interrupt(0x10, 0x1234));
        assert!(read("int 0x10 al=0x34").catches_interrupt(0x10, 0x1234));
        assert!(read("int 0x10 ax=0x1234").catches_interrupt(0x10, 0x1234));
        assert!(!read("int 0x10 ax=0x1233").catches_interrupt(0x10, 0x1234));
        assert!(!read("out 0x10").catches_interrupt(0x10, 0));
    }

    #[test]
    fn an_access_counts_by_its_way_its_port_and_its_value() {
        assert!(read("out 0x80").catches_access(0x80, true, 7));
        assert!(!read("out 0x80").catches_access(0x80, false, 7));
        assert!(!read("in 0x80").catches_access(0x80, true, 7));
        assert!(read("io 0x80").catches_access(0x80, false, 7));
        assert!(!read("io 0x80").catches_access(0x81, false, 7));
        assert!(read("io 0x80-0x82 7").catches_access(0x82, false, 7));
        assert!(!read("io 0x80-0x82 8").catches_access(0x82, false, 7));
        assert!(!read("mode").catches_access(0x80, false, 7));
    }

    #[test]
    fn numbers_are_not_given_twice_and_hits_are_counted() {
        let mut set = Catchpoints::default();
        assert_eq!(set.insert(read("out 0x80")), 1);
        assert_eq!(set.insert(read("io 0x80")), 2);
        assert!(!set.need_steps());
        assert!(set.remove(1) && !set.remove(1));
        assert_eq!(set.insert(read("int 3")), 3);
        assert!(set.need_steps());
        let first = set.hit(|catchpoint| catchpoint.catches_access(0x80, true, 0));
        assert_eq!(first.map(|entry| (entry.number, entry.hits)), Some((2, 1)));
        assert!(set.hit(|catchpoint| catchpoint.catches_interrupt(4, 0)).is_none());
        set.clear();
        assert_eq!((set.is_empty(), set.insert(read("mode"))), (true, 4));
    }
}
