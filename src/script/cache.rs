//! Where files are kept that can be made anew at any time.

use std::path::PathBuf;

/// Our directory in the user's cache (`$XDG_CACHE_HOME`, else `~/.cache`); among temporary files if there is none.
#[must_use]
pub fn directory() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("stepvisor")
}
