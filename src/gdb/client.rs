//! What a gdb that this program starts needs to have at hand before it connects.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{follow, srecord};
use crate::machine::Boot;

/// Writes the programs that gdb looks for into `directory`, all with the guest of `boot` in S-records, and gives the
/// one to start it with (`-e`).
///
/// The directory has to be among gdb's sources (`-d`): when the guest gets into another mode gdb looks for a program
/// of that name, and complains about one that it does not find there.
///
/// # Errors
/// They cannot be written.
pub fn write_programs(directory: &Path, boot: &Boot) -> io::Result<PathBuf> {
    let program = directory.join("guest");
    let names = follow::names().map(|name| directory.join(name));
    fs::write(&program, srecord::program(boot))?;
    for path in &names {
        fs::hard_link(&program, path)?;
    }
    Ok(program)
}
