//! `stepvisor gdb-script`: prints the script for a gdb of the user's own.

use std::io::Write;

use anyhow::Context;
use stepvisor::gdb::script::SCRIPT;

use crate::exit_code::ExitCode;

/// Carries out `stepvisor gdb-script`.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(SCRIPT.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot print the script")?;
    Ok(ExitCode::Success)
}
