//! One test: read, its guest built, run, judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Golden;
use super::guest::Guest;
use super::header::{Header, Parsed};
use super::judge::Finding;
use super::scene::Snapshot;
use super::verdict::{Failure, Outcome, Verdict};
use super::{alone, cache, session};
use crate::disk::Disks;
use crate::machine::bootable::HARD_DISK;
use crate::machine::image::BOOT_SECTOR;
use crate::machine::{Boot, Config, Image, Machine, MachineError};
use crate::{devices, disk, x86};

/// How tests are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The gdb to start.
    pub gdb: PathBuf,
    /// The time that a test may take, unless it says otherwise itself.
    pub timeout: Duration,
    /// Whether files with expected texts are compared or written.
    pub golden: Golden,
    /// A directory for guests that are built from source.
    pub work: PathBuf,
}

impl Default for Options {
    /// gdb by that name, 30 seconds, files compared, builds kept in the user's cache.
    fn default() -> Options {
        Options {
            gdb: "gdb".into(),
            timeout: Duration::from_secs(30),
            golden: Golden::Compare,
            work: cache::directory().join("guests"),
        }
    }
}

/// A test that can be run.
#[derive(Clone, Debug)]
pub struct Test {
    /// What reports call it: the file's path.
    pub name: String,
    /// What they call its script, with a line behind it.
    pub script_name: String,
    /// Where the files are that it names.
    pub directory: PathBuf,
    /// The header.
    pub header: Header,
    /// The lines for gdb, with their numbers.
    pub script: Vec<(usize, String)>,
    /// There is something for gdb in them.
    pub has_script: bool,
    /// The guest's bytes, if it is not read from a file.
    pub image: Option<Vec<u8>>,
}

/// What is said of a test that asserts nothing.
pub(super) const NOTHING_ASSERTED: &str = "nothing is asserted, so nothing is tested; \
                                           if it is enough that it runs, say `# assertions: none`";

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// RAM when the test does not say how much.
const RAM: u64 = 64 << 20;

impl Test {
    /// The test in the file `path`.
    ///
    /// # Errors
    /// It cannot be read, or its header makes no sense: the outcome of the test.
    pub fn read(path: &Path) -> Result<Test, Outcome> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let text = format!("the test cannot be read: {error}");
            Outcome::failed(Verdict::BadHeader, name.clone(), text)
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        // Some editors begin a file with a mark of its byte order.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let parsed = Parsed::read(text, directory).map_err(|error| {
            let place = format!("{name}:{}", error.line);
            Outcome::failed(Verdict::BadHeader, place, error.text)
        })?;
        let has_script = parsed.has_script();
        Ok(Test {
            script_name: name.clone(),
            name,
            directory: directory.to_owned(),
            header: parsed.header,
            script: parsed.script,
            has_script,
            image: None,
        })
    }

    /// The time that it may take.
    #[must_use]
    pub fn timeout(&self, options: &Options) -> Duration {
        self.header.timeout.unwrap_or(options.timeout)
    }

    /// Whether its script has to assert something, since the header does not.
    pub(super) fn script_must_assert(&self) -> bool {
        !self.header.asserts() && !self.header.asserts_nothing
    }

    /// Whether the guest has to run instruction by instruction.
    fn counts(&self) -> bool {
        let counts = |line: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word == "maybe");
            words.next() == Some("assert") && words.next() == Some("instructions:")
        };
        self.header.counts() || self.script.iter().any(|(_, line)| counts(line))
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, options: &Options) -> Outcome {
        // What a script asserts shows when it is executed.
        if !self.has_script && self.script_must_assert() {
            return self.failed(Verdict::NoAssertion, NOTHING_ASSERTED);
        }
        let guest = match &self.image {
            Some(image) => Ok(Guest { image: image.clone(), ..Guest::default() }),
            None => Guest::of(&self.header, &options.work),
        };
        let guest = match guest {
            Ok(guest) => guest,
            Err(error) => return self.failed(Verdict::BuildError, error.to_string()),
        };
        let config = match self.config(&guest) {
            Ok(config) => config,
            Err(text) => return self.failed(Verdict::BuildError, text),
        };
        let mut machine = match Machine::new(config.clone()) {
            Ok(machine) => machine,
            Err(error @ (MachineError::Kvm(_) | MachineError::Memory(_))) => {
                return self.failed(Verdict::CannotRun, error.to_string());
            }
            Err(error) => return self.failed(Verdict::BuildError, error.to_string()),
        };
        if let Err(text) = self.prepare(&mut machine) {
            return self.failed(Verdict::BadHeader, text);
        }
        let time = self.timeout(options);
        if self.has_script {
            return session::run(self, options, &guest, &config, &mut machine);
        }
        match alone::run(&self.header, &mut machine, time, options.golden) {
            Ok(None) => Outcome::PASSED,
            Ok(Some(finding)) => {
                self.outcome(*finding, guest.symbols.as_deref(), &config, &mut machine)
            }
            Err(error) => self.failed(Verdict::CannotRun, error.to_string()),
        }
    }

    fn config(&self, guest: &Guest) -> Result<Config, String> {
        let header = &self.header;
        let mut disks = header.disks.open().map_err(|error| chain(&error))?;
        let boot = if header.guest.as_os_str().is_empty() {
            Boot::from_disks(&header.boot, &disks).map_err(|error| chain(&error))?
        } else {
            self.boot(guest, &mut disks)?
        };
        Ok(Config {
            ram_size: header.memory.unwrap_or(RAM),
            boot,
            devices: devices::Config::default(),
            on_unclaimed: header.on_unclaimed,
            firmware: !header.bare,
            disks,
        })
    }

    /// How the guest of a file is booted.
    fn boot(&self, guest: &Guest, disks: &mut Disks) -> Result<Boot, String> {
        let header = &self.header;
        let name = header.guest.display();
        let parse = if header.is_rom { Image::rom } else { Image::parse };
        let image = parse(&guest.image).map_err(|error| format!("{name}: {error}"))?;
        if header.load.is_some() && matches!(image, Image::Elf(_)) && guest.load.is_none() {
            // One that was linked for the test lies where its header says.
            let built = guest.symbols.as_ref().is_some_and(|symbols| *symbols != header.guest);
            if !built {
                return Err(format!("{name} is an ELF file, which says itself where it is loaded"));
            }
        }
        let load = header.load.or(guest.load.map(x86::Phys));
        let at_its_place = load.is_none_or(|load| load == BOOT_SECTOR) && header.entry.is_none();
        Ok(match image {
            Image::Flat(data) if at_its_place => {
                let disk = disk::Image::from_bytes(data.as_slice());
                let boot = Boot::from_flat(data, disk, header.drive, disks);
                boot.map_err(|error| format!("{name}: {error}"))?
            }
            image => {
                let drive = header.drive.unwrap_or(HARD_DISK);
                Boot { load, entry: header.entry, drive, image }
            }
        })
    }

    fn prepare(&self, machine: &mut Machine) -> Result<(), String> {
        let header = &self.header;
        machine.keep_port_writes();
        if self.counts() {
            machine.count_instructions();
            machine.remember_instructions(super::scene::SHOWN);
        }
        if let Some(limit) = header.limit {
            machine.limit_instructions(limit);
        }
        machine.stop_on_mut().set_exceptions(header.stop_on);
        machine.stop_on_mut().marks = header.break_on.clone();
        for catchpoint in &header.stop_at {
            machine.stop_on_mut().catchpoints.insert(catchpoint.clone());
        }
        machine.type_at_start(header.typing.clone()).map_err(|error| error.to_string())
    }

    /// FILE:LINE, or the name.
    pub(super) fn place(&self, line: usize) -> String {
        if line == 0 { self.name.clone() } else { format!("{}:{line}", self.script_name) }
    }

    fn failed(&self, verdict: Verdict, text: impl Into<String>) -> Outcome {
        Outcome::failed(verdict, self.name.clone(), text)
    }

    /// The outcome that `finding` is, with all that can be found out about it.
    pub(super) fn outcome(
        &self,
        finding: Finding,
        symbols: Option<&Path>,
        config: &Config,
        machine: &mut Machine,
    ) -> Outcome {
        let Finding { verdict, line, text, mismatch, snapshot } = finding;
        let (expected, found) = mismatch.map(|m| (m.expected, m.found)).unzip();
        let runs = verdict == Verdict::Hang && machine.instructions().is_none();
        let scene = |snapshot: Snapshot| match runs {
            true => snapshot.scene_of_hang(symbols, machine),
            false => snapshot.scene(symbols, config, &self.header.typing),
        };
        let scene = snapshot.map(scene);
        let place = self.place(line);
        let failure = Failure { place, text, expected, found, scene, gdb: Vec::new() };
        Outcome { verdict, failure: Some(Box::new(failure)) }
    }
}
