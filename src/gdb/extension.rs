//! The script for gdb's own side: commands and the unwinder, as one text that gdb executes, or as files.
//!
//! Its parts are Python modules in `scripts/gdb`. They are put together here, since what is piped to gdb has no
//! directory to import from. A gdb without Python says one sentence and goes on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The modules, each before those that import it. No text in them may hold three single quotes, or a line
/// that is `end`: the one would end the text for Python, the other for gdb.
macro_rules! module {
    ($name:literal) => {
        concat!(
            "stepvisor_module('",
            $name,
            "', r'''",
            include_str!(concat!("../../scripts/gdb/", $name, ".py")),
            "''')\n"
        )
    };
}

/// gdb's commands up to what only a gdb with Python is given.
macro_rules! begin {
    () => {
        include_str!("../../scripts/gdb/begin.gdb")
    };
}

/// What only a gdb with Python is given, in Python.
macro_rules! python {
    () => {
        concat!(
            include_str!("../../scripts/gdb/begin.py"),
            module!("server"),
            module!("cfi"),
            module!("unwinder"),
            module!("conditions"),
            module!("commands"),
            module!("prompt"),
            include_str!("../../scripts/gdb/end.py"),
        )
    };
}

/// The whole script.
pub const SCRIPT: &str = concat!(begin!(), "python\n", python!(), "end\nend\n");

/// Writes the script to files in `directory`, and gives the one that gdb is to load (`-x`, `-ix`, `source`).
///
/// They are two, since gdb reads a file of its own commands byte by byte, two system calls each: a third of its
/// whole start. Python reads the other one.
///
/// # Errors
/// They cannot be written.
pub fn write(directory: &Path) -> io::Result<PathBuf> {
    // Absolute, since gdb may be started elsewhere.
    let directory = std::path::absolute(directory)?;
    let (script, python) = (directory.join("stepvisor.gdb"), directory.join("stepvisor.py"));
    replace(&python, python!().as_bytes())?;
    let source = [b"source ", python.as_os_str().as_encoded_bytes(), b"\nend\n"].concat();
    replace(&script, &[begin!().as_bytes(), &source].concat())?;
    Ok(script)
}

/// Writes a file whose old content another gdb may be reading.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_one_block_that_ends_where_it_should() {
        let ends: Vec<usize> = (1..)
            .zip(SCRIPT.lines())
            .filter(|(_, line)| line.trim() == "end")
            .map(|(number, _)| number)
            .collect();
        let lines = SCRIPT.lines().count();
        assert_eq!(ends, [lines - 1, lines], "of Python, and of `if`");
        let modules = SCRIPT.matches("stepvisor_module('").count();
        assert_eq!(SCRIPT.matches("'''").count(), 2 * modules);
    }
}
