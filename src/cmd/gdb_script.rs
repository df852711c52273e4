//! `stepvisor gdb-script`: the script for a gdb of the user's own, printed or as a file.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use stepvisor::gdb::script::SCRIPT;
use stepvisor::script::cache;

use crate::cli::GdbScript;
use crate::exit_code::ExitCode;

/// Carries out `stepvisor gdb-script`.
pub fn run(args: &GdbScript) -> anyhow::Result<ExitCode> {
    let text = match args.file {
        true => format!("{}\n", write()?.display()),
        false => SCRIPT.to_owned(),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print the script")?;
    Ok(ExitCode::Success)
}

/// Writes the script to a file and gives its path. gdb takes nothing else for a script: what is no regular file, a
/// pipe for example, it does not even open.
fn write() -> anyhow::Result<PathBuf> {
    let directory = cache::directory();
    let path = directory.join("stepvisor.gdb");
    let failed = || format!("cannot write {}", path.display());
    fs::create_dir_all(&directory).with_context(failed)?;
    // Another gdb may be reading it.
    let mut file = tempfile::NamedTempFile::new_in(&directory).with_context(failed)?;
    file.write_all(SCRIPT.as_bytes()).with_context(failed)?;
    file.persist(&path).with_context(failed)?;
    Ok(path)
}
