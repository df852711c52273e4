//! Tests of guests in Rust: what a file for `stepvisor test` says, said in a `#[test]`.
//!
//! ```no_run
//! use stepvisor::testing::{Ending, Failed, Test};
//!
//! # mod tests { use super::*;
//! #[test]
//! fn the_boot_sector_greets() -> Result<(), Failed> {
//!     Test::guest("target/boot.bin").ends(Ending::Halt).screen_contains("Hello").run()
//! }
//! # }
//! ```
//!
//! A test that does not pass gives [`Failed`], which prints as the report: what was expected and found, the
//! screen, where the guest was and what it executed before. Each test has a machine of its own, so that cargo may
//! run them side by side. Paths are relative to the directory the test runs in, which cargo makes the package's.
//!
//! This one runs; its guest writes "Hi" to the screen and halts:
//!
//! ```
//! use stepvisor::testing::{Ending, Test};
//!
//! let code = [
//!     0xb8, 0x00, 0xb8, // mov ax, 0xb800
//!     0x8e, 0xc0, // mov es, ax
//!     0x26, 0xc7, 0x06, 0x00, 0x00, 0x48, 0x07, // mov word [es:0], 0x0748
//!     0x26, 0xc7, 0x06, 0x02, 0x00, 0x69, 0x07, // mov word [es:2], 0x0769
//!     0xfa, 0xf4, // cli; hlt
//! ];
//! let test = Test::image(&code).ends(Ending::Halt).screen_row(0, "Hi").register("es", 0xb800);
//! test.run()?;
//!
//! let failed = test.screen_contains("Ho").run().unwrap_err();
//! assert!(failed.to_string().contains("\"Ho\" in it"));
//! # Ok::<(), stepvisor::testing::Failed>(())
//! ```

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::devices::keyboard::keymap;
use crate::script::check::{Check, Expected, Source};
use crate::script::{self, Options, Outcome};
use crate::x86::{Linear, Phys, SegOff};

pub use crate::machine::{Catchpoint, Marks, OnUnclaimed};
pub use crate::script::{Ending, Verdict};
pub use crate::x86::exceptions::ExceptionSet;

/// A test that is being put together. It does nothing until it is [run](Test::run).
#[derive(Clone, Debug)]
#[must_use]
pub struct Test {
    test: script::Test,
    options: Options,
    /// The first argument that makes no sense.
    error: Option<String>,
}

/// Why a test did not pass; prints as the report.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed(Outcome);

impl Failed {
    /// What came of the test.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.0.verdict
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.verdict)?;
        match &self.0.failure {
            Some(failure) => write!(f, "\n{failure}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failed {
    /// The same: it is this that a `#[test]` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {}

impl Test {
    /// A test of the guest in the file `path`: a flat image, an ELF, or NASM source (`.asm`), which is built.
    #[track_caller]
    pub fn guest(path: impl Into<PathBuf>) -> Test {
        let mut test = Test::new(Location::caller());
        test.test.header.guest = path.into();
        test
    }

    /// A test of a guest whose flat image or ELF is `bytes`.
    #[track_caller]
    pub fn image(bytes: &[u8]) -> Test {
        let mut test = Test::new(Location::caller());
        test.test.header.guest = "image".into();
        test.test.image = Some(bytes.to_vec());
        test
    }

    fn new(caller: &Location<'_>) -> Test {
        let name = format!("{}:{}", caller.file(), caller.line());
        let test = script::Test {
            script_name: format!("{name}: gdb command"),
            name,
            directory: PathBuf::new(),
            header: script::Header::default(),
            script: Vec::new(),
            has_script: false,
            image: None,
        };
        Test { test, options: Options::default(), error: None }
    }

    /// Takes the symbols from the ELF `path`, for a guest that is none itself.
    pub fn symbols(mut self, path: impl Into<PathBuf>) -> Test {
        self.test.header.symbols = Some(path.into());
        self
    }

    /// Arguments for NASM, if the guest is a source.
    pub fn nasm(mut self, arguments: &[&str]) -> Test {
        self.test.header.nasm = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Loads a flat image at the physical address `addr`; 7C00h when not given.
    pub fn load(mut self, addr: u64) -> Test {
        self.test.header.load = Some(Phys(addr));
        self
    }

    /// Begins at `segment`:`offset`; at the image's first byte or the ELF's entry point when not given.
    pub fn entry(mut self, segment: u16, offset: u16) -> Test {
        self.test.header.entry = Some(SegOff::new(segment, offset));
        self
    }

    /// The BIOS drive number in DL; 80h when not given.
    pub fn drive(mut self, number: u8) -> Test {
        self.test.header.drive = Some(number);
        self
    }

    /// RAM in bytes; 64 MiB when not given.
    pub fn memory(mut self, bytes: u64) -> Test {
        self.test.header.memory = Some(bytes);
        self
    }

    /// What an access to a port or address does where no device is. Nothing when not given.
    pub fn on_unclaimed(mut self, action: OnUnclaimed) -> Test {
        self.test.header.on_unclaimed = action;
        self
    }

    /// Stops at these exceptions before the guest's handler runs; that is an [`Ending::Exception`].
    pub fn stop_on(mut self, exceptions: ExceptionSet) -> Test {
        self.test.header.stop_on = exceptions;
        self
    }

    /// Stops at these breakpoints in the guest's source; that is an [`Ending::Mark`].
    pub fn break_on(mut self, marks: Marks) -> Test {
        self.test.header.break_on = marks;
        self
    }

    /// Stops there; that is an [`Ending::Caught`]. May be given more than once.
    pub fn stop_at(mut self, catchpoint: Catchpoint) -> Test {
        self.test.header.stop_at.push(catchpoint);
        self
    }

    /// Types these keys when the guest starts, which get to it when it asks for them: `hi{Enter}`, `{Ctrl+C}`; see
    /// [`keymap`].
    pub fn keys(mut self, text: &str) -> Test {
        match keymap::parse(text) {
            Ok(keys) => self.test.header.typing.keys = keys,
            Err(error) => {
                self.error.get_or_insert(error.to_string());
            }
        }
        self
    }

    /// Types these keys when so much of the guest's time has passed since its start, which is virtual: a microsecond
    /// for each access to a port. May be given more than once.
    pub fn keys_at(mut self, time: Duration, text: &str) -> Test {
        match keymap::parse(text) {
            Ok(keys) => self.test.header.typing.timed.push((time, keys)),
            Err(error) => {
                self.error.get_or_insert(error.to_string());
            }
        }
        self
    }

    /// The most instructions that the guest may execute. They are counted by running it instruction by
    /// instruction, tens of times slower.
    pub fn limit(mut self, instructions: u64) -> Test {
        self.test.header.limit = Some(instructions);
        self
    }

    /// The longest time that the test may take; 30 seconds when not given.
    pub fn timeout(mut self, time: Duration) -> Test {
        self.test.header.timeout = Some(time);
        self
    }

    /// The guest ends so. Without gdb commands, [`Ending::Halt`] when not given.
    pub fn ends(mut self, ending: Ending) -> Test {
        self.test.header.ends = Some(ending);
        self
    }

    /// The screen's text is `text`, without blanks at the ends of rows.
    pub fn screen(self, text: &str) -> Test {
        self.text(Source::Screen, Expected::Is(text.to_owned()))
    }

    /// `text` is on the screen.
    pub fn screen_contains(self, text: &str) -> Test {
        self.text(Source::Screen, Expected::Contains(text.to_owned()))
    }

    /// `text` is not on the screen.
    pub fn screen_lacks(self, text: &str) -> Test {
        self.text(Source::Screen, Expected::Lacks(text.to_owned()))
    }

    /// The row with this number, from 0, is `text`, without blanks at its end.
    pub fn screen_row(self, row: usize, text: &str) -> Test {
        self.text(Source::Screen, Expected::Row(row, text.to_owned()))
    }

    /// The screen's text is that of the file `path`.
    pub fn screen_file(self, path: impl AsRef<Path>) -> Test {
        self.text(Source::Screen, Expected::File(path.as_ref().to_owned()))
    }

    /// What the guest wrote to the debug console (port E9h) is `text`, but for a newline at its end.
    pub fn console(self, text: &str) -> Test {
        self.text(Source::Console, Expected::Is(text.to_owned()))
    }

    /// `text` is in what the guest wrote to the debug console.
    pub fn console_contains(self, text: &str) -> Test {
        self.text(Source::Console, Expected::Contains(text.to_owned()))
    }

    /// What the guest sent on its first serial port is `text`, but for a newline at its end; CR LF counts as one.
    pub fn serial(self, text: &str) -> Test {
        self.text(Source::Serial, Expected::Is(text.to_owned()))
    }

    /// `text` is in what the guest sent on its first serial port.
    pub fn serial_contains(self, text: &str) -> Test {
        self.text(Source::Serial, Expected::Contains(text.to_owned()))
    }

    /// The guest wrote these values to `port`, in this order, and no others.
    pub fn port_writes(self, port: u16, values: &[u32]) -> Test {
        self.check(Check::PortWrites { port, values: values.to_vec(), all: true })
    }

    /// The guest executed so many instructions, each iteration of a repeated string instruction as one. They are
    /// counted as by [`Test::limit`].
    pub fn instructions(self, bounds: impl RangeBounds<u64>) -> Test {
        let least = match bounds.start_bound() {
            Bound::Included(least) => *least,
            Bound::Excluded(below) => below.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let most = match bounds.end_bound() {
            Bound::Included(most) => *most,
            Bound::Excluded(end) => end.saturating_sub(1),
            Bound::Unbounded => u64::MAX,
        };
        self.check(Check::Instructions(least..=most))
    }

    /// The register with this name (`al`, `ax`, `eax`, `rax`, `cs`, `ip`, `eflags`, ...) has this value.
    pub fn register(mut self, name: &str, value: u64) -> Test {
        match name.parse() {
            Ok(register) => self.check(Check::Register(register, value)),
            Err(error) => {
                self.error.get_or_insert(error.to_string());
                self
            }
        }
    }

    /// These bytes are at the linear address `addr`.
    pub fn memory_at(self, addr: u64, bytes: &[u8]) -> Test {
        self.check(Check::Memory(Linear(addr), bytes.to_vec()))
    }

    /// This text is at the linear address `addr`, up to a zero byte.
    pub fn string_at(self, addr: u64, text: &str) -> Test {
        self.check(Check::StringAt(Linear(addr), text.to_owned()))
    }

    /// It is enough that it runs.
    pub fn asserts_nothing(mut self) -> Test {
        self.test.header.asserts_nothing = true;
        self
    }

    /// Has gdb execute these commands, one a line, among them `assert`; what else is asserted is judged after
    /// the last one, or when the guest has ended if an ending is given.
    pub fn gdb(mut self, commands: &str) -> Test {
        let first = self.test.script.len() + 1;
        let lines = commands.lines().enumerate();
        self.test.script.extend(lines.map(|(n, line)| (first + n, line.to_owned())));
        self.test.has_script = true;
        self
    }

    /// The gdb to start; `gdb` when not given.
    pub fn gdb_program(mut self, path: impl Into<PathBuf>) -> Test {
        self.options.gdb = path.into();
        self
    }

    fn text(self, source: Source, expected: Expected) -> Test {
        self.check(Check::Text(source, expected))
    }

    fn check(mut self, check: Check) -> Test {
        self.test.header.checks.push((0, check));
        self
    }

    /// Runs the test on a machine of its own.
    ///
    /// # Errors
    /// It did not pass; the report says why.
    pub fn run(&self) -> Result<(), Failed> {
        let mut outcome = match &self.error {
            Some(text) => Outcome::failed(Verdict::BadHeader, &self.test.name, text),
            None => self.test.run(&self.options),
        };
        if let (Verdict::NoAssertion, Some(failure)) = (outcome.verdict, &mut outcome.failure) {
            "nothing is asserted, so nothing is tested; if it is enough that it runs, call asserts_nothing()"
                .clone_into(&mut failure.text);
        }
        if outcome.is_passed() { Ok(()) } else { Err(Failed(outcome)) }
    }
}
