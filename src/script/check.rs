//! What can be asserted of a machine without a debugger: in the header of a test, in its script after `assert`,
//! and in Rust.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::ending::Ending;
use super::register::Register;
use super::value::{self, ValueError};
use crate::devices::debug_port;
use crate::machine::Machine;
use crate::ui;
use crate::x86::Linear;

/// The keys of all checks, as a list of them shows them.
pub const KEYS: &[&str] = &[
    "ends",
    "screen",
    "screen contains",
    "screen lacks",
    "screen row N",
    "screen file",
    "console",
    "console contains",
    "console file",
    "serial",
    "serial contains",
    "serial file",
    "writes port N",
    "writes port N contains",
    "instructions",
    "register NAME",
    "memory ADDRESS",
    "string ADDRESS",
];

/// One assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The guest has ended, and so.
    Ends(Ending),
    /// The screen's text or the debug console's is of this kind.
    Text(Source, Expected),
    /// The values that the guest wrote to a port.
    PortWrites {
        /// The port.
        port: u16,
        /// The values, in order.
        values: Vec<u32>,
        /// All that was written, or a part of it without a gap.
        all: bool,
    },
    /// Instructions executed since power-on, each iteration of a repeated string instruction as one.
    Instructions(RangeInclusive<u64>),
    /// A register's value.
    Register(Register, u64),
    /// The bytes at a linear address.
    Memory(Linear, Vec<u8>),
    /// The text at a linear address, up to a zero byte.
    StringAt(Linear, String),
}

/// Where a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The screen.
    Screen,
    /// The debug console, port E9h.
    Console,
    /// What the first serial port, COM1, sent.
    Serial,
}

/// What a text is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this, but for a newline at its end.
    Is(String),
    /// This is in it.
    Contains(String),
    /// This is not in it.
    Lacks(String),
    /// This is its row with this number, counted from 0, without blanks at the end.
    Row(usize, String),
    /// What is in the file.
    File(PathBuf),
}

/// What was expected, and what was found instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected; in one line or in several.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Whether files with expected texts are written anew instead of compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Golden {
    /// They are compared.
    #[default]
    Compare,
    /// They are written.
    Bless,
}

impl Check {
    /// The check of `key: value`, with files named relative to `directory`; nothing for a key that is no check's.
    ///
    /// # Errors
    /// The key is a check's, but it or the value makes no sense.
    pub fn parse(key: &str, value: &str, directory: &Path) -> Result<Option<Check>, ValueError> {
        let (word, rest) = key.split_once(' ').unwrap_or((key, ""));
        let rest = rest.trim();
        if value.is_empty() && KEYS.iter().any(|known| known.split(' ').next() == Some(word)) {
            return Err(ValueError(format!("`{key}` has no value")));
        }
        Ok(Some(match (word, rest) {
            ("ends", "") => Check::Ends(value.parse()?),
            ("screen", "" | "contains" | "lacks" | "file")
            | ("console" | "serial", "" | "contains" | "file") => {
                let source = match word {
                    "screen" => Source::Screen,
                    "console" => Source::Console,
                    _ => Source::Serial,
                };
                Check::Text(
                    source,
                    match rest {
                        "contains" => Expected::Contains(value::text(value)?),
                        "lacks" => Expected::Lacks(value::text(value)?),
                        "file" => Expected::File(directory.join(value::text(value)?)),
                        _ => Expected::Is(value::text(value)?),
                    },
                )
            }
            ("screen", row) if row.starts_with("row ") => {
                let row = value::number(row.trim_start_matches("row ").trim())?;
                let row = usize::try_from(row).unwrap_or(usize::MAX);
                Check::Text(Source::Screen, Expected::Row(row, value::text(value)?))
            }
            ("writes", port) if port.starts_with("port ") => {
                let port = port.trim_start_matches("port ").trim();
                let (port, all) = match port.strip_suffix("contains") {
                    Some(port) => (port.trim(), false),
                    None => (port, true),
                };
                let number = value::number(port)?;
                let port = u16::try_from(number)
                    .map_err(|_| ValueError(format!("there is no port {number:#x}")))?;
                Check::PortWrites { port, values: value::numbers(value)?, all }
            }
            ("instructions", "") => Check::Instructions(bounds(value)?),
            ("register", name) if !name.is_empty() => {
                let register: Register = name.parse()?;
                let number = value::number(value)?;
                if number & !register.mask() != 0 {
                    return Err(ValueError(format!("{value} is wider than the register {name}")));
                }
                Check::Register(register, number)
            }
            ("memory", place) if !place.is_empty() => {
                Check::Memory(value::address(place)?, value::bytes(value)?)
            }
            ("string", place) if !place.is_empty() => {
                Check::StringAt(value::address(place)?, value::text(value)?)
            }
            _ => return Ok(None),
        }))
    }

    /// Whether the check needs the instructions counted.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self, Check::Instructions(_))
    }

    /// Compares with `machine`. With `golden` set to bless, files are written and fit.
    ///
    /// # Errors
    /// What is different.
    pub fn compare(&self, machine: &Machine, golden: Golden) -> Result<(), Mismatch> {
        match self {
            Check::Ends(ending) => {
                let stop = machine.last_stop();
                let found = stop.and_then(Ending::of);
                if found == Some(*ending) {
                    return Ok(());
                }
                let found = match (found, stop) {
                    (Some(found), Some(stop)) => format!("{found} ({stop})"),
                    _ => format!("the guest has not ended, it is at {}", machine.cpu().location()),
                };
                Err(Mismatch { expected: ending.to_string(), found })
            }
            Check::Text(source, expected) => {
                if let (Source::Screen, Expected::Row(row, text)) = (source, expected) {
                    // A row that is not there is not an empty one.
                    let rows = ui::text::grid(&machine.frame()).lines().count();
                    if *row >= rows {
                        let found = format!("there are only {rows} rows, counted from 0");
                        return Err(Mismatch { expected: quoted(text), found });
                    }
                }
                expected.compare(&source.text(machine), golden)
            }
            Check::PortWrites { port, values, all } => port_writes(machine, *port, values, *all),
            Check::Instructions(bounds) => {
                let count = machine.instructions().unwrap_or_default();
                let fits = bounds.contains(&count);
                let found = count.to_string();
                fits.then_some(()).ok_or_else(|| Mismatch { expected: bounds_text(bounds), found })
            }
            Check::Register(register, value) => {
                let found = register.of(machine.cpu());
                let show = |value: u64| format!("{value:#x} ({value})");
                let mismatch = || Mismatch { expected: show(*value), found: show(found) };
                (found == *value).then_some(()).ok_or_else(mismatch)
            }
            Check::Memory(addr, bytes) => {
                let mut found = vec![0; bytes.len()];
                let len = machine.read_linear(*addr, &mut found);
                found.truncate(len);
                let mismatch = || Mismatch { expected: hex(bytes), found: hex(&found) };
                (found == *bytes).then_some(()).ok_or_else(mismatch)
            }
            Check::StringAt(addr, text) => {
                let found = string_at(machine, *addr);
                let mismatch = || Mismatch { expected: quoted(text), found: quoted(&found) };
                (found == *text).then_some(()).ok_or_else(mismatch)
            }
        }
    }
}

impl fmt::Display for Check {
    /// As it is written in a header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::Ends(ending) => write!(f, "ends: {ending}"),
            Check::Text(source, expected) => {
                let source = match source {
                    Source::Screen => "screen",
                    Source::Console => "console",
                    Source::Serial => "serial",
                };
                match expected {
                    Expected::Is(text) => write!(f, "{source}: {}", written(text)),
                    Expected::Contains(text) => write!(f, "{source} contains: {}", written(text)),
                    Expected::Lacks(text) => write!(f, "{source} lacks: {}", written(text)),
                    Expected::Row(row, text) => write!(f, "{source} row {row}: {}", written(text)),
                    Expected::File(path) => {
                        let name = path.file_name().unwrap_or_default().to_string_lossy();
                        write!(f, "{source} file: {name}")
                    }
                }
            }
            Check::PortWrites { port, values, all } => {
                let contains = if *all { "" } else { " contains" };
                write!(f, "writes port {port:#x}{contains}: {}", row(values))
            }
            Check::Instructions(bounds) => write!(f, "instructions: {}", bounds_text(bounds)),
            Check::Register(register, value) => write!(f, "register {register}: {value:#x}"),
            Check::Memory(addr, bytes) => write!(f, "memory {addr}: {}", hex(bytes)),
            Check::StringAt(addr, text) => write!(f, "string {addr}: {}", written(text)),
        }
    }
}

impl Source {
    fn text(self, machine: &Machine) -> String {
        match self {
            Source::Screen => ui::text::plain(&machine.frame()),
            // With the line ends of a terminal: CR and LF are one.
            Source::Serial => {
                String::from_utf8_lossy(machine.serial_output(1)).replace("\r\n", "\n")
            }
            Source::Console => {
                let writes = machine.port_writes().iter();
                // Wider accesses reach the ports behind it, too.
                let bytes = writes.filter(|write| write.port == debug_port::PORT);
                let bytes: Vec<u8> = bytes.map(|write| write.value.to_le_bytes()[0]).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }
}

impl Expected {
    fn compare(&self, found: &str, golden: Golden) -> Result<(), Mismatch> {
        let mismatch = |expected: String, found: String| Err(Mismatch { expected, found });
        match self {
            Expected::Is(text) if found.trim_end_matches('\n') == text.trim_end_matches('\n') => {
                Ok(())
            }
            Expected::Is(text) => mismatch(quoted(text), quoted(found)),
            Expected::Contains(text) if found.contains(text.as_str()) => Ok(()),
            Expected::Contains(text) => mismatch(format!("{} in it", quoted(text)), excerpt(found)),
            Expected::Lacks(text) if found.contains(text.as_str()) => {
                mismatch(format!("no {} in it", quoted(text)), excerpt(found))
            }
            Expected::Lacks(_) => Ok(()),
            Expected::Row(row, text) => {
                let line = found.lines().nth(*row).unwrap_or_default();
                if line == text.trim_end() {
                    return Ok(());
                }
                mismatch(quoted(text), quoted(line))
            }
            Expected::File(path) => compare_file(path, found, golden),
        }
    }
}

/// Compares `found` with a file, or writes the file.
pub(super) fn compare_file(path: &Path, found: &str, golden: Golden) -> Result<(), Mismatch> {
    let name = path.display();
    let failed = |what: &str, error: std::io::Error| Mismatch {
        expected: format!("what is in {name}"),
        found: format!("it cannot be {what}: {error} (--bless writes it)"),
    };
    if golden == Golden::Bless {
        return fs::write(path, found).map_err(|error| failed("written", error));
    }
    let expected = fs::read_to_string(path).map_err(|error| failed("read", error))?;
    if expected == found {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(expected.as_str(), found);
    let diff = diff.unified_diff().header("expected", "found").to_string();
    let found = format!("other lines (--bless takes them over):\n{}", diff.trim_end());
    Err(Mismatch { expected: format!("what is in {name}"), found })
}

fn port_writes(machine: &Machine, port: u16, values: &[u32], all: bool) -> Result<(), Mismatch> {
    let writes = machine.port_writes().iter().filter(|write| write.port == port);
    let found: Vec<u32> = writes.map(|write| write.value).collect();
    let lost = machine.lost_port_writes();
    let fits = match all {
        true => found == values && lost == 0,
        false => found.windows(values.len()).any(|part| part == values),
    };
    if fits {
        return Ok(());
    }
    let mut text = if found.is_empty() { "no writes".to_owned() } else { row(&found) };
    if lost > 0 {
        text += &format!(", and {lost} writes to all ports that were not kept");
    }
    let contained = if all { "" } else { ", one behind the other" };
    Err(Mismatch { expected: format!("{}{contained}", row(values)), found: text })
}

/// The longest row of values that is shown whole.
const LONGEST_ROW: usize = 64;

fn row(values: &[u32]) -> String {
    let shown = values.iter().take(LONGEST_ROW).map(|value| format!("{value:#x}"));
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if let Some(more) = values.len().checked_sub(LONGEST_ROW).filter(|more| *more > 0) {
        text += &format!(" and {more} more");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "no memory".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The longest text in memory that is looked at.
const LONGEST_STRING: usize = 4096;

fn string_at(machine: &Machine, addr: Linear) -> String {
    let mut bytes = vec![0; LONGEST_STRING];
    let len = machine.read_linear(addr, &mut bytes);
    bytes.truncate(len);
    bytes.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}

/// `text` in quotes, on one line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// `text` as a header has it.
fn written(text: &str) -> String {
    let plain = text.trim() == text && !text.starts_with('"') && !text.contains(char::is_control);
    if plain && !text.is_empty() { text.to_owned() } else { quoted(text) }
}

/// `text` as something to look at: all of it below, or that there is nothing.
fn excerpt(text: &str) -> String {
    match text.trim_end() {
        "" => "nothing".to_owned(),
        text if text.contains('\n') => format!("\n{text}"),
        text => quoted(text),
    }
}

/// `< N`, `<= N`, `> N`, `>= N`, `N..M` (both included) or `N`.
fn bounds(text: &str) -> Result<RangeInclusive<u64>, ValueError> {
    let digits = |text: &str| value::number(text.trim());
    let too_small = || ValueError(format!("`{text}` leaves no number"));
    if let Some(most) = text.strip_prefix("<=") {
        return Ok(0..=digits(most)?);
    }
    if let Some(end) = text.strip_prefix('<') {
        return Ok(0..=digits(end)?.checked_sub(1).ok_or_else(too_small)?);
    }
    if let Some(least) = text.strip_prefix(">=") {
        return Ok(digits(least)?..=u64::MAX);
    }
    if let Some(below) = text.strip_prefix('>') {
        return Ok(digits(below)?.checked_add(1).ok_or_else(too_small)?..=u64::MAX);
    }
    if let Some((least, most)) = text.split_once("..") {
        let (least, most) = (digits(least)?, digits(most)?);
        return if least > most { Err(too_small()) } else { Ok(least..=most) };
    }
    let count = digits(text).map_err(|_| {
        ValueError(format!("`{text}` is no count such as 120, < 1000, >= 10 or 10..20"))
    })?;
    Ok(count..=count)
}

fn bounds_text(bounds: &RangeInclusive<u64>) -> String {
    match (*bounds.start(), *bounds.end()) {
        (least, most) if least == most => least.to_string(),
        (0, most) => format!("<= {most}"),
        (least, u64::MAX) => format!(">= {least}"),
        (least, most) => format!("{least}..{most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<Option<Check>, ValueError> {
        Check::parse(key, value, Path::new("dir"))
    }

    #[test]
    fn checks_print_as_they_are_written() {
        for line in [
            "ends: exit 0x10",
            "screen contains: Hello",
            "screen: \"\"",
            "screen row 3: \" \\n\"",
            "console: \"\"",
            "screen lacks: error",
            "serial contains: login:",
            "writes port 0x80: 0x1 0x2",
            "writes port 0x80 contains: 0x2",
            "instructions: 12..20",
            "instructions: <= 999",
            "register r8d: 0x5",
            "register al: 0xff",
            "memory 0x500: 0a ff",
            "string 0x7c37: Hello",
        ] {
            let (key, value) = line.split_once(": ").unwrap();
            assert_eq!(parse(key, value).unwrap().unwrap().to_string(), line);
        }
        assert_eq!(
            parse("instructions", "< 1000").unwrap().unwrap().to_string(),
            "instructions: <= 999"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (key, value) in [
            ("ends", "never"),
            ("ends", ""),
            ("screen row x", "a"),
            ("writes port 0x10000", "1"),
            ("writes port 0x80", ""),
            ("instructions", "few"),
            ("instructions", "< 0"),
            ("instructions", "9..3"),
            ("register xx", "1"),
            ("register al", "0x100"),
            ("memory 0x500", "1"),
            ("memory main", "01"),
        ] {
            assert!(parse(key, value).is_err(), "{key}: {value}");
        }
        assert_eq!(parse("guest", "a.bin"), Ok(None));
        assert_eq!(parse("screen columns", "80"), Ok(None));
    }
}
