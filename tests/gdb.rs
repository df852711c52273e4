//! Real gdb sessions with golden output: `tests/gdb/NAME.gdb` is what a user types, `NAME.out` what they
//! read. The first line of a session says what to debug: `# debug: ARGUMENTS OF stepvisor debug`.
//!
//! `STEPVISOR_BLESS=1 cargo test --test gdb` rewrites the golden files; look at the difference before
//! committing it.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use similar::TextDiff;

fn main() -> std::io::Result<()> {
    let arguments = Arguments::from_args();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gdb");
    let entries = fs::read_dir(&directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut sessions: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gdb"))
        .collect();
    sessions.sort();
    let trials = sessions.into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || play(&path))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// Plays one session and compares what gdb printed.
fn play(session: &Path) -> Result<(), Failed> {
    let script = fs::read_to_string(session)?;
    let arguments = script
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# debug: "))
        .ok_or("the first line is not `# debug: ARGUMENTS`")?;
    let relative = session.strip_prefix(env!("CARGO_MANIFEST_DIR"))?;
    // One pipe for both streams, so that they are in the order a terminal would show.
    let (mut reader, writer) = std::io::pipe()?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_stepvisor"))
        .arg("debug")
        .args(arguments.split_whitespace())
        .args(["--", "-nx", "-batch", "-x"])
        .arg(relative)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("LC_ALL", "C.UTF-8")
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .stderr(writer.try_clone()?)
        .stdout(writer)
        .spawn()?;
    let mut output = String::new();
    std::io::Read::read_to_string(&mut reader, &mut output)?;
    let status = child.wait()?;
    let transcript = format!("{output}[{}]\n", status.code().unwrap_or(-1));

    let golden = session.with_extension("out");
    if std::env::var_os("STEPVISOR_BLESS").is_some() {
        fs::write(&golden, &transcript)?;
        return Ok(());
    }
    let expected = fs::read_to_string(&golden)
        .map_err(|error| format!("{}: {error}; bless it first", golden.display()))?;
    if expected == transcript {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&expected, &transcript);
    Err(diff.unified_diff().header("expected", "gdb printed").to_string().into())
}
