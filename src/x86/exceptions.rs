//! The processor's exceptions: their names and what their error codes say (SDM vol. 3A, table 6-1 and 6.13).

use std::fmt;
use std::str::FromStr;

use super::vectors::{
    ALIGNMENT_CHECK, DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, PAGE_FAULT,
    STACK_FAULT,
};

/// Control protection, by CET.
const CONTROL_PROTECTION: u8 = 21;

/// Vector, mnemonic without its `#`, and name. NMI is an interrupt and not among them.
const EXCEPTIONS: [(u8, &str, &str); 19] = [
    (0, "DE", "divide error"),
    (1, "DB", "debug exception"),
    (3, "BP", "breakpoint"),
    (4, "OF", "overflow"),
    (5, "BR", "BOUND range exceeded"),
    (6, "UD", "invalid opcode"),
    (7, "NM", "device not available"),
    (8, "DF", "double fault"),
    (10, "TS", "invalid TSS"),
    (11, "NP", "segment not present"),
    (12, "SS", "stack-segment fault"),
    (13, "GP", "general protection"),
    (14, "PF", "page fault"),
    (16, "MF", "x87 floating-point error"),
    (17, "AC", "alignment check"),
    (18, "MC", "machine check"),
    (19, "XM", "SIMD floating-point exception"),
    (20, "VE", "virtualization exception"),
    (21, "CP", "control protection exception"),
];

/// What `vector` is called: `#UD, invalid opcode`, or `interrupt 0x21`.
#[must_use]
pub fn name(vector: u8) -> String {
    match EXCEPTIONS.iter().find(|(number, ..)| *number == vector) {
        Some((_, mnemonic, name)) => format!("#{mnemonic}, {name}"),
        None => format!("interrupt {vector:#04x}"),
    }
}

/// What `vector` is called for short: `#UD`, or `interrupt 0x21`.
#[must_use]
pub fn mnemonic(vector: u8) -> String {
    match EXCEPTIONS.iter().find(|(number, ..)| *number == vector) {
        Some((_, mnemonic, _)) => format!("#{mnemonic}"),
        None => format!("interrupt {vector:#04x}"),
    }
}

/// Whether the exception pushes an error code, outside real mode.
#[must_use]
pub fn has_error_code(vector: u8) -> bool {
    matches!(
        vector,
        DOUBLE_FAULT
            | INVALID_TSS
            | NOT_PRESENT
            | STACK_FAULT
            | GENERAL_PROTECTION
            | PAGE_FAULT
            | ALIGNMENT_CHECK
            | CONTROL_PROTECTION
    )
}

/// What the error code of `vector` means, in words; nothing for one that says nothing.
#[must_use]
pub fn error_code_words(vector: u8, code: u32) -> Option<String> {
    let bit = |n: u32| code >> n & 1 != 0;
    if vector == PAGE_FAULT {
        let access = match (bit(4), bit(1)) {
            (true, _) => "fetch",
            (_, true) => "write",
            _ => "read",
        };
        let ring = if bit(2) { "user" } else { "supervisor" };
        let why = match (bit(0), bit(3)) {
            (_, true) => "reserved bits set",
            (true, _) => "not allowed",
            _ => "not present",
        };
        return Some(format!("{ring} {access}, {why}"));
    }
    let selector = matches!(vector, INVALID_TSS | NOT_PRESENT | STACK_FAULT | GENERAL_PROTECTION);
    if !selector || code & 0xfffe == 0 {
        return None;
    }
    let external = if bit(0) { ", while an event was delivered" } else { "" };
    let index = code & 0xfff8;
    Some(match (bit(1), bit(2)) {
        (true, _) => format!("entry {:#x} of the IDT{external}", index >> 3),
        (_, true) => format!("selector {:#x} of the LDT{external}", index | 4),
        _ => format!("selector {index:#x} of the GDT{external}"),
    })
}

/// Some of the exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExceptionSet(u32);

/// Why a text names no set of exceptions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no exception: {names}, or all or none", names = ExceptionSet::ALL)]
pub struct ParseExceptionError(String);

impl ExceptionSet {
    /// None of them.
    pub const NONE: ExceptionSet = ExceptionSet(0);
    /// All of them.
    pub const ALL: ExceptionSet = {
        let mut bits = 0;
        let mut at = 0;
        while at < EXCEPTIONS.len() {
            bits |= 1 << EXCEPTIONS[at].0;
            at += 1;
        }
        ExceptionSet(bits)
    };

    /// Whether `vector` is in it.
    #[must_use]
    pub fn contains(self, vector: u8) -> bool {
        vector < 32 && self.0 >> vector & 1 != 0
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for ExceptionSet {
    type Err = ParseExceptionError;

    /// Reads mnemonics between commas, in capitals or not, with or without `#`; or `all` or `none`.
    fn from_str(text: &str) -> Result<ExceptionSet, ParseExceptionError> {
        let mut set = ExceptionSet::NONE;
        for part in text.split(',') {
            let word = part.trim();
            let bare = word.strip_prefix('#').unwrap_or(word);
            let found = EXCEPTIONS.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(bare));
            match (found, word.to_ascii_lowercase().as_str()) {
                (Some((vector, ..)), _) => set.0 |= 1 << vector,
                (None, "all") => set = ExceptionSet::ALL,
                (None, "none") if text.trim().eq_ignore_ascii_case("none") => {}
                _ => return Err(ParseExceptionError(word.to_owned())),
            }
        }
        Ok(set)
    }
}

impl fmt::Display for ExceptionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let names = EXCEPTIONS.iter().filter(|(vector, ..)| self.contains(*vector));
        let names: Vec<String> = names.map(|(_, name, _)| name.to_ascii_lowercase()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_people_write_them() {
        let set: ExceptionSet = "ud, #GP,pf".parse().unwrap();
        assert_eq!(set.to_string(), "ud,gp,pf");
        assert!(set.contains(14) && !set.contains(0) && !set.contains(46));
        assert_eq!("all".parse(), Ok(ExceptionSet::ALL));
        assert_eq!("none".parse(), Ok(ExceptionSet::NONE));
        assert_eq!(ExceptionSet::ALL.to_string().split(',').count(), EXCEPTIONS.len());
    }

    #[test]
    fn what_is_no_exception_is_named() {
        for bad in ["", "ud,", "xx", "none,ud", "nmi", "6"] {
            let error = bad.parse::<ExceptionSet>().unwrap_err().to_string();
            assert!(error.contains("is no exception: de,db,bp"), "{bad}: {error}");
        }
        assert!("ud,zz".parse::<ExceptionSet>().unwrap_err().to_string().contains("`zz`"));
    }

    #[test]
    fn error_codes_speak() {
        let words = |vector, code| error_code_words(vector, code).unwrap_or_default();
        assert_eq!(words(14, 0), "supervisor read, not present");
        assert_eq!(words(14, 7), "user write, not allowed");
        assert_eq!(words(14, 9), "supervisor read, reserved bits set");
        assert_eq!(words(13, 0x32), "entry 0x6 of the IDT");
        assert_eq!(words(13, 0x33), "entry 0x6 of the IDT, while an event was delivered");
        assert_eq!(words(11, 0x1c), "selector 0x1c of the LDT");
        assert_eq!(words(10, 0x28), "selector 0x28 of the GDT");
        assert_eq!(words(13, 0), "");
        assert_eq!(words(8, 0), "");
    }

    #[test]
    fn other_vectors_are_interrupts() {
        assert_eq!(name(6), "#UD, invalid opcode");
        assert_eq!((name(2), mnemonic(0x21)), ("interrupt 0x02".into(), "interrupt 0x21".into()));
    }
}
