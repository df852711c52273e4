//! Which files are tests, and which of them are to be run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::header::NO_TEST;

/// Directories that are not looked into; nor are those whose names begin with a dot.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Why there is nothing to find.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct DiscoverError {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

/// All tests in `paths`, sorted, each once: files as they are, and of directories all that is called *.gdb, unless
/// its first line says that it is no test.
///
/// # Errors
/// One of them does not exist or cannot be read.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DiscoverError> {
    let mut tests = Vec::new();
    for path in paths {
        let failed = |source| DiscoverError { path: path.clone(), source };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            search(path, &mut tests)?;
        } else {
            tests.push(path.clone());
        }
    }
    tests.sort();
    tests.dedup();
    Ok(tests)
}

fn search(directory: &Path, tests: &mut Vec<PathBuf>) -> Result<(), DiscoverError> {
    let failed = |source| DiscoverError { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `./` in front of each name would be in the way of whoever reads them.
        let path = if directory == Path::new(".") { PathBuf::from(&name) } else { entry.path() };
        if entry.file_type().map_err(failed)?.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                search(&path, tests)?;
            }
        } else if path.extension().is_some_and(|end| end == "gdb") && !is_helper(&path)? {
            tests.push(path);
        }
    }
    Ok(())
}

fn is_helper(path: &Path) -> Result<bool, DiscoverError> {
    let failed = |source| DiscoverError { path: path.to_owned(), source };
    let text = fs::read(path).map_err(failed)?;
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(first.trim_ascii_end() == NO_TEST.as_bytes())
}

/// One of several parts that the tests are dealt out to, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        parts
            .filter(|shard| (1..=shard.of).contains(&shard.number))
            .ok_or_else(|| format!("`{text}` is no shard such as 1/4, 2/4, 3/4 or 4/4"))
    }
}

impl Shard {
    /// Its part of `tests`.
    #[must_use]
    pub fn part<T>(self, tests: Vec<T>) -> Vec<T> {
        tests.into_iter().skip(self.number - 1).step_by(self.of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_out_all_tests_and_none_twice() {
        let tests: Vec<u32> = (0..10).collect();
        let mut dealt: Vec<u32> = ["1/3", "2/3", "3/3"]
            .iter()
            .flat_map(|shard| shard.parse::<Shard>().unwrap().part(tests.clone()))
            .collect();
        dealt.sort_unstable();
        assert_eq!(dealt, tests);
        for bad in ["", "1", "0/2", "3/2", "1/0", "a/b"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn directories_are_searched_for_tests_and_helpers_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (name, text) in [
            ("b.gdb", "# guest: b"),
            ("a/a.gdb", "# guest: a"),
            ("helper.gdb", "# guest: none\n"),
            ("notes.txt", ""),
            (".hidden/c.gdb", ""),
            ("target/d.gdb", ""),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = find(&[root.to_owned(), root.join("b.gdb")]).unwrap();
        assert_eq!(found, [root.join("a/a.gdb"), root.join("b.gdb")]);
        assert!(find(&[root.join("none")]).unwrap_err().to_string().contains("none"));
    }
}
