//! Real gdb sessions with golden output: `NAME.gdb` is what a user types, `NAME.out` what they read.
//!
//! Here are those that `stepvisor test` cannot play, as they need ^C, several clients, or the command line of
//! `debug` and `gdbserver`. All others are in `tests/debugging`.
//!
//! A session is a list of commands under headings. A heading starts the program that reads what follows:
//!
//! - `# debug: ARGUMENTS`: `stepvisor debug ARGUMENTS`;
//! - `# serve: ARGUMENTS`: `stepvisor gdbserver ARGUMENTS` on a unix socket, which stays for the rest of the
//!   session; it reads nothing itself;
//! - `# client: ARGUMENTS`: `gdb ARGUMENTS`, connected to that server;
//! - `# extended: ARGUMENTS`: the same, in gdb's extended mode;
//! - `# gdb: ARGUMENTS`: `gdb ARGUMENTS`, connected to nothing;
//! - `# wait: TEXT`: nothing; the next program waits until the server has printed TEXT.
//!
//! The line `^C` presses ^C while the command before it runs: once the guest runs, as the terminal does it,
//! to all programs there; `^C after TEXT` once TEXT has been printed as well. A program finds `stepvisor` in its PATH and the server's socket in $SOCKET.
//!
//! `STEPVISOR_BLESS=1 cargo test --test gdb` rewrites the golden files; read the difference before committing
//! it. The output has the commands in it (after a `+`) and what differs between machines taken out: see
//! [`stepvisor::script::transcript`].
#![allow(missing_docs)]

mod packets;
mod program;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use similar::TextDiff;

fn main() -> std::io::Result<()> {
    let arguments = Arguments::from_args();
    renew_guests()?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gdb");
    let entries = fs::read_dir(&directory)?.collect::<Result<Vec<_>, _>>()?;
    let paths = || entries.iter().map(|entry| entry.path());
    let mut sessions: Vec<PathBuf> =
        paths().filter(|path| path.extension().is_some_and(|end| end == "gdb")).collect();
    sessions.sort();
    let mut trials: Vec<Trial> = sessions
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || compare(&path))
        })
        .collect();
    let goldens: Vec<PathBuf> =
        paths().filter(|path| path.extension().is_some_and(|end| end == "out")).collect();
    trials.push(Trial::test("every_golden_file_has_its_session", move || {
        let lone = goldens.iter().find(|path| !path.with_extension("gdb").exists());
        lone.map_or(Ok(()), |path| Err(format!("{} has none", path.display()).into()))
    }));
    trials.push(Trial::test(
        "stepi_costs_few_memory_packets",
        packets::stepi_costs_few_memory_packets,
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Plays one session and compares what gdb printed.
fn compare(session: &Path) -> Result<(), Failed> {
    let transcript = script::play(&fs::read_to_string(session)?)?;
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

/// Makes the built guests newer than their sources: a checkout writes both in any order, and gdb warns of
/// a source that is the newer one.
fn renew_guests() -> std::io::Result<()> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/bin");
    for entry in fs::read_dir(built)? {
        let file = fs::File::options().append(true).open(entry?.path())?;
        file.set_modified(std::time::SystemTime::now())?;
    }
    Ok(())
}
