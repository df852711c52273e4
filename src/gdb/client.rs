//! What a gdb that this program starts needs to have at hand before it connects.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::follow;
use super::script::SCRIPT;

/// A program of no architecture, in Motorola S-records: a header and an end. gdb wants a program when it
/// connects and complains without one; of an ELF it would take the width of code.
const PROGRAM: &str = "S0030000FC\r\nS9030000FC\r\n";

/// Writes the programs that gdb looks for into `directory`, and gives the one to start it with (`-e`). The
/// directory has to be among gdb's sources (`-d`): when the guest gets into another mode gdb looks for a program
/// of that name, and complains about one that it does not find there.
///
/// # Errors
/// They cannot be written.
pub fn write_programs(directory: &Path) -> io::Result<PathBuf> {
    let program = directory.join("guest");
    let names = follow::names().map(|name| directory.join(name));
    for path in names.iter().chain([&program]) {
        fs::write(path, PROGRAM)?;
    }
    Ok(program)
}

/// Writes the script of gdb's side into `directory`, and gives the file to start gdb with (`-ix`).
///
/// # Errors
/// It cannot be written.
pub fn write_script(directory: &Path) -> io::Result<PathBuf> {
    let script = directory.join("stepvisor.gdb");
    fs::write(&script, SCRIPT)?;
    Ok(script)
}
