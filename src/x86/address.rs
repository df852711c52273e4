//! The three kinds of address a guest has, as types that cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A linear (virtual) address: segment base plus offset, before paging (SDM vol. 3A, 3.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Linear(pub u64);

/// A guest-physical address: what comes out of paging, before the host's own mapping (SDM vol. 3A, 4).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Phys(pub u64);

/// A real-mode `segment:offset` pair (SDM vol. 3A, 21.1.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SegOff {
    /// The 16-bit segment; the base is 16 times as large.
    pub segment: u16,
    /// The 16-bit offset in the segment.
    pub offset: u16,
}

impl Linear {
    /// This address moved up by `bytes`, wrapping at 64 bits.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Linear {
        Linear(self.0.wrapping_add(bytes))
    }
}

impl Phys {
    /// This address moved up by `bytes`, wrapping at 64 bits.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Phys {
        Phys(self.0.wrapping_add(bytes))
    }
}

impl SegOff {
    /// The pair `segment:offset`.
    #[must_use]
    pub const fn new(segment: u16, offset: u16) -> SegOff {
        SegOff { segment, offset }
    }

    /// The linear address the pair names in real mode: `segment * 16 + offset`, up to 10FFEFh.
    #[must_use]
    pub fn linear(self) -> Linear {
        Linear(u64::from(self.segment) * 16 + u64::from(self.offset))
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::LowerHex for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::Display for Phys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::LowerHex for Phys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::Display for SegOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}:{:04X}", self.segment, self.offset)
    }
}

/// The number that `text` is as C writes it: decimal, or hexadecimal after 0x; `None` if it is none, or wider than 64
/// bits.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
}

/// Why a text is no `SEG:OFF` pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not SEG:OFF, two hexadecimal numbers of up to four digits such as 07C0:0000")]
pub struct ParseSegOffError(String);

impl FromStr for SegOff {
    type Err = ParseSegOffError;

    /// Reads `SEG:OFF`: hexadecimal, up to four digits each, an optional `0x` before either.
    fn from_str(text: &str) -> Result<SegOff, ParseSegOffError> {
        let word = |part: &str| {
            let digits =
                part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part);
            let hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        let parsed = text.split_once(':').and_then(|(seg, off)| Some((word(seg)?, word(off)?)));
        parsed
            .map(|(segment, offset)| SegOff { segment, offset })
            .ok_or_else(|| ParseSegOffError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_names_segment_times_16_plus_offset() {
        assert_eq!(SegOff::new(0x07c0, 0).linear(), Linear(0x7c00));
        assert_eq!(SegOff::new(0xffff, 0xffff).linear(), Linear(0x10_ffef));
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!((number("31744"), number("0x7c00")), (Some(0x7c00), Some(0x7c00)));
        assert_eq!(number("0Xffffffffffffffff"), Some(u64::MAX));
        for bad in ["", "0x", "7c00", "-1", "+1", "0x+1", "0x-1", "99999999999999999999"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn pairs_are_read_as_hexadecimal() {
        assert_eq!("7C0:5".parse(), Ok(SegOff::new(0x7c0, 5)));
        assert_eq!("0x07c0:0x0010".parse(), Ok(SegOff::new(0x7c0, 0x10)));
        for bad in ["", ":", "7c00", "7c0:", ":0", "10000:0", "0:-1", "0:+1", "g:0", "0:0:0"] {
            let error = bad.parse::<SegOff>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn a_pair_prints_as_the_manuals_write_it() {
        assert_eq!(SegOff::new(0x7c0, 0x1d).to_string(), "07C0:001D");
    }
}
