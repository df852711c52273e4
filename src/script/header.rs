//! The header of a test: the lines `# key: value` that it begins with.
//!
//! It ends at the first line that is none of them. A line that begins with `##` is a comment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{self, Check};
use super::ending::Ending;
use super::value::{self, Bios, ValueError};
use crate::devices::keyboard::keymap;
use crate::disk;
use crate::machine::bootable::Order;
use crate::machine::{Catchpoint, Marks, OnUnclaimed, Typing};
use crate::x86::exceptions::ExceptionSet;
use crate::x86::{Phys, SegOff};

/// What a header says.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The guest's file; empty if it is booted from one of the disks.
    pub guest: PathBuf,
    /// Disks, which a test never changes.
    pub disks: disk::Files,
    /// Which of them are tried to be booted.
    pub boot: Order,
    /// It is a ROM, the PC's firmware.
    pub is_rom: bool,
    /// There is no firmware at all.
    pub bare: bool,
    /// Arguments for NASM, if the guest is a source.
    pub nasm: Vec<String>,
    /// An ELF with the guest's symbols, if it is no ELF itself.
    pub symbols: Option<PathBuf>,
    /// Where a flat image goes.
    pub load: Option<Phys>,
    /// The first instruction.
    pub entry: Option<SegOff>,
    /// The BIOS drive number.
    pub drive: Option<u8>,
    /// RAM in bytes.
    pub memory: Option<u64>,
    /// What an access to nothing does.
    pub on_unclaimed: OnUnclaimed,
    /// Exceptions to stop at.
    pub stop_on: ExceptionSet,
    /// Breakpoints in the guest's source.
    pub break_on: Marks,
    /// Interrupts, ports and switches of the mode to stop at.
    pub stop_at: Vec<Catchpoint>,
    /// Keys that are typed when the guest starts, and later.
    pub typing: Typing,
    /// How long the test may take.
    pub timeout: Option<Duration>,
    /// How many instructions the guest may execute.
    pub limit: Option<u64>,
    /// How the guest is to end.
    pub ends: Option<Ending>,
    /// What else is asserted, with the number of the line.
    pub checks: Vec<(usize, Check)>,
    /// The file with the expected transcript, and the number of the line.
    pub transcript: Option<(usize, PathBuf)>,
    /// gdb's errors belong to the transcript.
    pub errors_are_shown: bool,
    /// The test need not assert anything.
    pub asserts_nothing: bool,
    /// Number of the line with `ends`.
    pub ends_line: usize,
}

/// What is wrong with a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HeaderError {
    /// The line, from 1.
    pub line: usize,
    /// In one line.
    pub text: String,
}

/// A header and what follows it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The header.
    pub header: Header,
    /// The lines of the script, each with its number.
    pub script: Vec<(usize, String)>,
}

/// The keys besides those of the checks.
const KEYS: &[&str] = &[
    "guest",
    "bios",
    "fda",
    "fdb",
    "hda",
    "hdb",
    "cdrom",
    "boot",
    "nasm",
    "symbols",
    "load",
    "entry",
    "drive",
    "memory",
    "on-unclaimed",
    "stop-on",
    "break-on",
    "stop-at",
    "keys",
    "keys-at",
    "serial-in",
    "timeout",
    "limit",
    "transcript",
    "errors",
    "assertions",
];

/// What a header says of a file that is no test, but belongs to some.
pub const NO_TEST: &str = "# guest: none";

impl Header {
    /// Whether the header itself asserts something.
    #[must_use]
    pub fn asserts(&self) -> bool {
        self.ends.is_some() || !self.checks.is_empty() || self.transcript.is_some()
    }

    /// Whether the guest has to run instruction by instruction.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.limit.is_some() || self.checks.iter().any(|(_, check)| check.counts())
    }

    fn set(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
        directory: &Path,
    ) -> Result<bool, ValueError> {
        let file = || -> Result<PathBuf, ValueError> { Ok(directory.join(value::text(value)?)) };
        let one_of = |words: &[&str]| {
            let words = words.join(", ");
            ValueError(format!("`{value}` makes no sense for `{key}`: there is {words}"))
        };
        if KEYS.contains(&key) && value.is_empty() {
            return Err(ValueError(format!("`{key}` has no value")));
        }
        match key {
            "guest" => self.guest = file()?,
            "bios" => match value::bios(value)? {
                Bios::BuiltIn => {}
                Bios::None => self.bare = true,
                Bios::File(_) => (self.guest, self.is_rom) = (file()?, true),
            },
            "fda" => self.disks.fda = Some(file()?),
            "fdb" => self.disks.fdb = Some(file()?),
            "hda" => self.disks.hda = Some(file()?),
            "hdb" => self.disks.hdb = Some(file()?),
            "cdrom" => self.disks.cdrom = Some(file()?),
            "boot" => {
                let order = value.parse::<Order>();
                self.boot = order.map_err(|error| ValueError(error.to_string()))?;
            }
            "nasm" => self.nasm = value.split_whitespace().map(str::to_owned).collect(),
            "symbols" => self.symbols = Some(file()?),
            "load" => self.load = Some(Phys(value::number(value)?)),
            "entry" => {
                let entry = value.parse::<SegOff>();
                self.entry = Some(entry.map_err(|error| ValueError(error.to_string()))?);
            }
            "drive" => self.drive = Some(value::drive(value)?),
            "memory" => self.memory = Some(value::memory_size(value)?),
            "on-unclaimed" => {
                self.on_unclaimed = match value {
                    "warn" => OnUnclaimed::Warn,
                    "ignore" => OnUnclaimed::Ignore,
                    "stop" => OnUnclaimed::Stop,
                    _ => return Err(one_of(&["warn", "ignore", "stop"])),
                }
            }
            "stop-on" => {
                let set = value.parse::<ExceptionSet>();
                self.stop_on = set.map_err(|error| ValueError(error.to_string()))?;
            }
            "break-on" => {
                let marks = value.parse::<Marks>();
                self.break_on = marks.map_err(|error| ValueError(error.to_string()))?;
            }
            "stop-at" => {
                for part in value.split(',') {
                    let stop = part.trim().parse::<Catchpoint>();
                    self.stop_at.push(stop.map_err(|error| ValueError(error.to_string()))?);
                }
            }
            "keys" => {
                let keys = keymap::parse(&value::text(value)?);
                self.typing.keys = keys.map_err(|error| ValueError(error.to_string()))?;
            }
            "keys-at" => {
                self.typing.timed.push(value::timed_keys(value, |keys| value::text(keys.trim()))?);
            }
            "serial-in" => self.typing.serial = value::line_bytes(value)?,
            "timeout" => self.timeout = Some(value::time(value)?),
            "limit" => {
                let count = value.trim_end_matches("instructions").trim_end();
                self.limit = Some(value::number(count)?);
            }
            "transcript" => self.transcript = Some((line, file()?)),
            "errors" => match value {
                "shown" => self.errors_are_shown = true,
                _ => return Err(one_of(&["shown"])),
            },
            "assertions" => match value {
                "none" => self.asserts_nothing = true,
                _ => return Err(one_of(&["none"])),
            },
            _ => match Check::parse(key, value, directory)? {
                Some(Check::Ends(ending)) => (self.ends, self.ends_line) = (Some(ending), line),
                Some(check) => self.checks.push((line, check)),
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

impl Parsed {
    /// Reads a test; its header names files relative to `directory`.
    ///
    /// # Errors
    /// The first thing that is wrong with the header.
    pub fn read(text: &str, directory: &Path) -> Result<Parsed, HeaderError> {
        let mut header = Header::default();
        let mut keys: Vec<(String, usize)> = Vec::new();
        let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line)).peekable();
        while let Some((number, line)) = lines.next_if(|(_, line)| line.starts_with('#')) {
            let Some(entry) = line.strip_prefix("# ").filter(|_| !line.starts_with("##")) else {
                if line.starts_with("##") || line.trim() == "#" || line.starts_with("#!") {
                    continue;
                }
                let text = format!("`{line}` is no `# key: value`; a comment begins with ##");
                return Err(HeaderError { line: number, text });
            };
            let bad = |text: String| HeaderError { line: number, text };
            let (key, value) = split(entry).ok_or_else(|| {
                bad(format!(
                    "`{line}` is no `# key: value`; a comment in the header begins with ##"
                ))
            })?;
            let key = key.split_whitespace().collect::<Vec<_>>().join(" ");
            let known = header.set(number, &key, value, directory);
            if !known.map_err(|error| bad(error.0))? {
                return Err(bad(unknown(&key)));
            }
            let earlier = keys.iter().find(|(earlier, _)| *earlier == key && !repeats(&key));
            if let Some((_, earlier)) = earlier {
                return Err(bad(format!("`{key}` has been given in line {earlier} already")));
            }
            keys.push((key, number));
        }
        let script: Vec<(usize, String)> =
            lines.map(|(number, line)| (number, line.to_owned())).collect();
        refuse_strays(&script)?;
        let parsed = Parsed { header, script };
        parsed.check_together(&keys)?;
        Ok(parsed)
    }

    /// Whether there is anything for gdb.
    #[must_use]
    pub fn has_script(&self) -> bool {
        self.script.iter().any(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        })
    }

    /// What is wrong with keys that are right one by one.
    fn check_together(&self, keys: &[(String, usize)]) -> Result<(), HeaderError> {
        let line_of = |key: &str| {
            let found = keys.iter().find(|(known, _)| known == key);
            found.map_or(1, |(_, line)| *line)
        };
        let bad =
            |key: &str, text: &str| Err(HeaderError { line: line_of(key), text: text.to_owned() });
        let header = &self.header;
        if header.guest.as_os_str().is_empty() {
            if header.disks.is_empty() {
                return bad("guest", "there is no `# guest: FILE` in the header, nor a disk");
            }
            let other = ["nasm", "load", "entry", "drive"];
            if let Some((key, _)) = keys.iter().find(|(key, _)| other.contains(&key.as_str())) {
                return bad(key, &format!("`{key}` makes no sense without `guest`"));
            }
        } else if keys.iter().any(|(key, _)| key == "boot") {
            return bad("boot", "`boot` makes no sense with `guest`, which is what is booted");
        }
        if header.is_rom {
            let other = ["guest", "load", "entry", "drive"];
            let given = keys.iter().find(|(key, _)| other.contains(&key.as_str()));
            if let Some((key, _)) = given {
                return bad(key, &format!("`{key}` makes no sense with `bios`"));
            }
        }
        if header.ends == Some(Ending::Limit) && header.limit.is_none() {
            return bad("ends", "`ends: limit` needs a `limit`");
        }
        if header.ends == Some(Ending::Unclaimed) && header.on_unclaimed != OnUnclaimed::Stop {
            return bad("ends", "`ends: unclaimed` needs `on-unclaimed: stop`");
        }
        if header.ends == Some(Ending::Exception) && header.stop_on == ExceptionSet::NONE {
            return bad("ends", "`ends: exception` needs `stop-on`");
        }
        if header.ends == Some(Ending::Caught) && header.stop_at.is_empty() {
            return bad("ends", "`ends: caught` needs `stop-at`");
        }
        if header.ends == Some(Ending::Mark) && header.break_on == Marks::default() {
            return bad("ends", "`ends: mark` needs `break-on`");
        }
        if header.transcript.is_some() && !self.has_script() {
            return bad("transcript", "without gdb commands there is no transcript");
        }
        if header.errors_are_shown && header.transcript.is_none() {
            return bad("errors", "`errors: shown` needs a `transcript` that shows them");
        }
        if header.asserts_nothing && header.asserts() {
            return bad("assertions", "`assertions: none`, but the header has some");
        }
        Ok(())
    }
}

/// Splits `key: value`; the colon is followed by a blank or nothing, since keys may hold addresses.
pub(super) fn split(entry: &str) -> Option<(&str, &str)> {
    let (key, value) = match entry.split_once(": ") {
        Some(split) => split,
        None => (entry.trim_end().strip_suffix(':')?, ""),
    };
    let key = key.trim();
    let worded = key.starts_with(|c: char| c.is_ascii_alphabetic());
    worded.then_some((key, value.trim()))
}

/// Finds lines of a header that stand behind it, where they would assert nothing.
fn refuse_strays(script: &[(usize, String)]) -> Result<(), HeaderError> {
    for (number, line) in script {
        let entry = line.strip_prefix("# ").and_then(split);
        let Some((key, value)) = entry else { continue };
        let key = key.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_known =
            !matches!(Header::default().set(*number, &key, value, Path::new("")), Ok(false));
        if is_known {
            let text = format!(
                "`{key}` stands behind the header, which ends at the first line without a #; \
                 a comment that looks like this begins with ##"
            );
            return Err(HeaderError { line: *number, text });
        }
    }
    Ok(())
}

/// Whether a key may be given more than once.
fn repeats(key: &str) -> bool {
    key.ends_with("contains") || key.ends_with("lacks") || key == "keys-at"
}

/// The message for an unknown key.
fn unknown(key: &str) -> String {
    let all = || KEYS.iter().chain(check::KEYS).copied();
    let distance = |known: &str| {
        // Of a key with a number or a name in it, the words in front of it count.
        let words = known.split(' ').take_while(|word| !word.chars().any(char::is_uppercase));
        let words: Vec<&str> = words.collect();
        let has_more = words.len() < known.split(' ').count();
        let given: Vec<&str> = key.split(' ').collect();
        let given = if has_more { &given[..words.len().min(given.len())] } else { &given[..] };
        strsim::damerau_levenshtein(&given.join(" "), &words.join(" "))
    };
    let near = all().map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance);
    let list = all().collect::<Vec<_>>().join(", ");
    match near {
        Some((distance, known)) if distance <= 2 => {
            format!("unknown key `{key}`: did you mean `{known}`? There are {list}")
        }
        _ => format!("unknown key `{key}`: there are {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Parsed, HeaderError> {
        Parsed::read(text, Path::new("dir"))
    }

    fn error(text: &str) -> String {
        let error = read(text).unwrap_err();
        format!("{}: {}", error.line, error.text)
    }

    #[test]
    fn a_header_ends_at_the_first_line_that_is_none_of_it() {
        let parsed = read(
            "# guest: a.bin\n## a remark: of mine\n#\n# load: 0x600\n\n# no key: here\nstepi\n",
        );
        let parsed = parsed.unwrap();
        assert_eq!(parsed.header.guest, Path::new("dir/a.bin"));
        assert_eq!(parsed.header.load, Some(Phys(0x600)));
        let last = parsed.script.last().unwrap();
        assert_eq!((last.0, last.1.as_str()), (7, "stepi"));
        assert!(parsed.has_script());
        assert!(!read("# guest: a\n\n# done\n").unwrap().has_script());
    }

    #[test]
    fn keys_may_hold_addresses_and_values_colons() {
        let parsed = read("# guest: a\n# memory 0000:0500: 01\n# screen contains: a: b\n").unwrap();
        let checks: Vec<String> =
            parsed.header.checks.iter().map(|(_, check)| check.to_string()).collect();
        assert_eq!(checks, ["memory 0x500: 01", "screen contains: a: b"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(
            error("# guest: a\n# scren contains: x")
                .starts_with("2: unknown key `scren contains`: did you mean `screen contains`?")
        );
        assert!(error("# guest: a\n# colour: x").contains("there are guest, bios, fda"));
        assert!(
            error("# guest: a\n# load: 1\n# load: 2")
                .starts_with("3: `load` has been given in line 2")
        );
        assert!(error("# load: 1").contains("no `# guest: FILE`"));
        assert!(error("").contains("no `# guest: FILE`"));
        assert!(error("# guest:").contains("`guest` has no value"));
        assert!(error("# guest: a\n# timeout: 5").contains("not a time"));
        assert!(error("# guest: a\n# Some words").starts_with("2: `# Some words` is no"));
        assert!(error("# guest: a\n#load: 1").starts_with("2: `#load: 1` is no"));
        assert!(error("# guest: a\n# ends: limit").contains("needs a `limit`"));
        assert!(error("# guest: a\n# errors: shown").starts_with("2: "));
        assert!(error("# guest: a\n# assertions: some").contains("there is none"));
    }

    #[test]
    fn every_key_is_known_to_itself() {
        for key in KEYS.iter().chain(check::KEYS) {
            let key = key.replace(" NAME", " ax").replace(" N", " 1").replace(" ADDRESS", " 5");
            let known = Header::default().set(1, &key, "x", Path::new(""));
            assert!(known != Ok(false), "{key}");
        }
    }
}
