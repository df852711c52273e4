//! Breakpoints in the guest's own source.

use std::fmt;
use std::str::FromStr;

use crate::kvm::KvmError;
use crate::machine::{Machine, StopReason};
use crate::x86::CpuState;
use crate::x86::registers::RFLAGS_RF;

/// Breakpoints that a guest's author writes into its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// INT3, the one-byte form. The guest's handler does not run.
    pub int3: bool,
    /// `xchg bx, bx`, which does nothing: the magic breakpoint of Bochs.
    pub xchg: bool,
}

/// A stop at a breakpoint in the guest's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkStop {
    /// What it was.
    pub mark: Mark,
    /// Where it is; the next instruction is the one after it.
    pub location: String,
}

/// One kind of breakpoint in a guest's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// INT3.
    Int3,
    /// `xchg bx, bx`.
    Xchg,
}

impl Machine {
    /// Goes past an INT3 that is a breakpoint.
    pub(super) fn pass_int3(&mut self, before: &CpuState, len: u8) -> Result<StopReason, KvmError> {
        if let Some(stop) = self.limit_stop() {
            return Ok(stop);
        }
        let trail = self.before_step();
        let mut cpu = before.clone();
        cpu.rflags &= !RFLAGS_RF;
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        self.stats.steps += 1;
        self.note_step(trail);
        self.forget_checkpoint();
        Ok(StopReason::Mark(MarkStop { mark: Mark::Int3, location: before.location() }))
    }
}

/// Why a text names no breakpoints in a guest's source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMarksError {
    /// It is none.
    #[error("`{0}` is no breakpoint in source: int3, xchg, or none")]
    Unknown(String),
    /// A port is no instruction.
    #[error("`{0}` is no breakpoint in source; to stop at a port, say `stop-at io PORT`")]
    Port(String),
}

impl FromStr for Marks {
    type Err = ParseMarksError;

    /// Reads `int3` and `xchg` between commas, or `none`.
    fn from_str(text: &str) -> Result<Marks, ParseMarksError> {
        let mut marks = Marks::default();
        if text.trim() == "none" {
            return Ok(marks);
        }
        for word in text.split(',').map(str::trim) {
            match word {
                "int3" => marks.int3 = true,
                "xchg" => marks.xchg = true,
                _ if word.starts_with("port") => {
                    return Err(ParseMarksError::Port(word.to_owned()));
                }
                _ => return Err(ParseMarksError::Unknown(word.to_owned())),
            }
        }
        Ok(marks)
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(self.int3, "int3"), (self.xchg, "xchg")];
        let words: Vec<&str> = named.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        f.write_str(if words.is_empty() { "none".to_owned() } else { words.join(",") }.as_str())
    }
}

impl fmt::Display for MarkStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MarkStop { mark, location } = self;
        match mark {
            Mark::Int3 => write!(f, "{location}: int3, a breakpoint of the guest's own"),
            Mark::Xchg => write!(f, "{location}: xchg bx, bx, a breakpoint of the guest's own"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        let marks: Marks = "xchg, int3".parse().unwrap();
        assert_eq!(marks, Marks { int3: true, xchg: true });
        assert_eq!(marks.to_string(), "int3,xchg");
        assert_eq!("none".parse(), Ok(Marks::default()));
        assert_eq!(Marks::default().to_string(), "none");
        for bad in ["", "int3,", "int4", "port=0x80", "none,xchg"] {
            let error = bad.parse::<Marks>().unwrap_err().to_string();
            assert!(error.contains("is no breakpoint in source"), "{bad}: {error}");
        }
    }
}
