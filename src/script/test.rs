//! One test as it is read, and what is said of it afterwards. It is run in `run.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cache;
use super::check::Golden;
use super::header::{Header, Parsed};
use super::judge::Finding;
use super::scene::Snapshot;
use super::verdict::{Failure, Outcome, Verdict};
use crate::machine::{Config, Machine};

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

    /// FILE:LINE, or the name.
    pub(super) fn place(&self, line: usize) -> String {
        if line == 0 { self.name.clone() } else { format!("{}:{line}", self.script_name) }
    }

    pub(super) fn failed(&self, verdict: Verdict, text: impl Into<String>) -> Outcome {
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
        // Before a hang is stepped further.
        machine.look_back_for_padding();
        machine.tell_of_missing_signature();
        let told = machine.told().to_vec();
        let runs = verdict == Verdict::Hang && machine.instructions().is_none();
        let hint = snapshot.as_ref().filter(|_| verdict == Verdict::Hang);
        let hint = hint.and_then(Snapshot::hint_at_hang).map(str::to_owned);
        let scene = |snapshot: Snapshot| match runs {
            true => snapshot.scene_of_hang(symbols, machine),
            false => snapshot.scene(symbols, config, &self.header.typing),
        };
        let scene = snapshot.map(scene).map(|mut scene| {
            scene.stop.extend(hint);
            scene.stop.extend(told);
            scene
        });
        let place = self.place(line);
        let failure = Failure { place, text, expected, found, scene, gdb: Vec::new() };
        Outcome { verdict, failure: Some(Box::new(failure)) }
    }
}
