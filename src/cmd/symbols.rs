//! Which file has the guest's symbols.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use stepvisor::gdb::program::Program;

use crate::cli::{DEMO_SYMBOLS, Guest};
use crate::exit_code::{ExitCode, Failure};

/// Where the symbols are.
#[derive(Debug)]
pub enum Symbols {
    /// In an ELF file.
    File(PathBuf),
    /// The built-in guest's.
    Demo,
}

impl Symbols {
    /// What the user says, `guest` if it is an ELF, or the demo's own.
    pub fn find(guest: &Guest, named: Option<&Path>) -> anyhow::Result<Option<Symbols>> {
        if let Some(path) = named {
            let elf = is_elf(path).map_err(|error| {
                let text = format!("cannot read the symbols {}: {error}", path.display());
                Failure::new(ExitCode::Image, text)
            })?;
            if !elf {
                let text = format!("--symbols {} is not an ELF file", path.display());
                return Err(Failure::new(ExitCode::Image, text).into());
            }
            return Ok(Some(Symbols::File(path.to_owned())));
        }
        Ok(match &guest.image {
            // A file that cannot be read is the machine's error to report.
            Some(image) => is_elf(image).unwrap_or(false).then(|| Symbols::File(image.clone())),
            None => guest.demo.then_some(Symbols::Demo),
        })
    }

    /// As the server offers them.
    pub fn program(self) -> anyhow::Result<Program> {
        match self {
            Symbols::File(path) => Program::open(&path)
                .with_context(|| format!("cannot open the symbols {}", path.display())),
            Symbols::Demo => Ok(Program::built_in("/stepvisor/demo.elf", DEMO_SYMBOLS)),
        }
    }
}

fn is_elf(path: &Path) -> io::Result<bool> {
    const MAGIC: &[u8] = b"\x7fELF";
    let mut head = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    Ok(head == MAGIC)
}
