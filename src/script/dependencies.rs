//! The files that a source is made of, from the rule for make in which NASM lists them (NASM manual, 2.1.8 "The -M
//! Option").

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The files behind the colon of `rule`. A blank or `#` in a name stands behind a backslash, a dollar sign twice;
/// a backslash at the end of a line continues it.
pub(super) fn of_rule(rule: &[u8]) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut name = Vec::new();
    let mut bytes = rule.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b' ' | b'\t' | b'#')) | (b'$', Some(b'$')) => name.extend(bytes.next()),
            (b'\\', Some(b'\n')) => {}
            (byte, _) if byte.is_ascii_whitespace() => names.push(std::mem::take(&mut name)),
            (byte, _) => name.push(byte),
        }
    }
    names.push(name);
    let colon = names.iter().position(|name| name == b":").map_or(names.len(), |at| at + 1);
    let names = names.into_iter().skip(colon).filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(OsString::from_vec(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: &str) -> Vec<String> {
        let names = of_rule(rule.as_bytes());
        names.iter().map(|name| name.display().to_string()).collect()
    }

    #[test]
    fn names_keep_what_make_would_take_for_its_own() {
        assert_eq!(read("boot : boot.asm data.bin\n\n"), ["boot.asm", "data.bin"]);
        let rule = "/a\\ b/boot : /a\\ b/boot.asm c\\#$$d.bin \\\n  logo.bin\n";
        assert_eq!(read(rule), ["/a b/boot.asm", "c#$d.bin", "logo.bin"]);
        assert_eq!(read(""), [""; 0]);
    }
}
