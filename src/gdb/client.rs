//! How a gdb that this program starts is told of the guest, and what it needs to have at hand before it connects.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{extension, follow, srecord};
use crate::machine::Boot;

/// A gdb that is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The program.
    pub gdb: &'a Path,
    /// What it reads is written there.
    pub directory: &'a Path,
    /// It is given its script for 16-bit frames and commands.
    pub loads_script: bool,
    /// An ELF.
    pub symbols: Option<&'a Path>,
    /// What the guest is to it.
    pub target: Target,
}

/// What a guest is to gdb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Started by it, and may be started anew.
    Started,
    /// Found running, and goes on when gdb leaves.
    Found,
}

impl Client<'_> {
    /// Where it connects.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join("gdb")
    }

    /// gdb, told to connect to the guest of `boot` before anything that is added.
    ///
    /// # Errors
    /// What it reads cannot be written.
    pub fn command(&self, boot: &Boot) -> io::Result<Command> {
        let mut command = Command::new(self.gdb);
        command.arg("-q");
        if self.loads_script {
            // Before the program, and before what the user asks for.
            command.arg("-ix").arg(extension::write(self.directory)?);
        }
        command.arg("-e").arg(write_programs(self.directory, boot)?).arg("-d").arg(self.directory);
        if let Some(symbols) = self.symbols {
            command.arg("-s").arg(symbols);
        }
        let mut target = OsString::from(match self.target {
            Target::Started => "target extended-remote ",
            Target::Found => "target remote ",
        });
        target.push(self.socket());
        command.arg("-ex").arg(target);
        Ok(command)
    }

    /// Why it could not be started, for people.
    #[must_use]
    pub fn not_started(&self, error: &io::Error) -> String {
        let gdb = self.gdb.display();
        match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{gdb} is not installed: apt-get install gdb, or name another with --gdb")
            }
            _ => format!("cannot start {gdb}: {error}"),
        }
    }
}

/// Writes the programs that gdb looks for into `directory`, all with the guest of `boot` in S-records, and gives the
/// one to start it with (`-e`).
///
/// The directory has to be among gdb's sources (`-d`): when the guest gets into another mode gdb looks for a program
/// of that name, and complains about one that it does not find there.
fn write_programs(directory: &Path, boot: &Boot) -> io::Result<PathBuf> {
    let program = directory.join("guest");
    let names = follow::names().map(|name| directory.join(name));
    fs::write(&program, srecord::program(boot))?;
    for path in &names {
        fs::hard_link(&program, path)?;
    }
    Ok(program)
}
