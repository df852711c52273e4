//! `stepvisor gdb-script`: the script for a gdb of the user's own, printed or as a file.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use stepvisor::gdb::extension::{self, SCRIPT};
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
    fs::create_dir_all(&directory)
        .and_then(|()| extension::write(&directory))
        .with_context(|| format!("cannot write the script to {}", directory.display()))
}
