//! Takes out of gdb's output what differs between machines, runs and versions of gdb.

use std::path::Path;

/// What a golden file holds of `output`, which mentions paths below `directory`.
pub fn filter(output: &str, directory: &Path) -> String {
    let directory = directory.to_string_lossy();
    let mut text = String::new();
    for line in output.lines() {
        // The prompts of a block of commands stand in front of what is printed next.
        let line = line.trim_start_matches('>').trim_end();
        let line = without_paths(line, &directory);
        let line = after_word(&line, "host 0x", "host HOST");
        text.push_str(&if is_listing(&line) { single_spaces(&line) } else { line });
        text.push('\n');
    }
    text
}

/// `line` with each path below `directory` as a word of its own.
fn without_paths(line: &str, directory: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, path)) = rest.split_once(directory) {
        text.push_str(before);
        text.push_str("SOCKET");
        let end = path.find(|c: char| !c.is_alphanumeric() && !"/-_".contains(c));
        rest = &path[end.unwrap_or(path.len())..];
    }
    text + rest
}

/// `line` with the number that begins with `start` replaced.
fn after_word(line: &str, start: &str, replacement: &str) -> String {
    let Some((before, digits)) = line.split_once(start) else { return line.to_owned() };
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    format!("{before}{replacement}{}", &digits[end..])
}

/// Whether `line` is an instruction of `x/i`: gdb's versions differ in the spaces after a mnemonic.
fn is_listing(line: &str) -> bool {
    (line.starts_with("=> 0x") || line.starts_with("   0x")) && line.contains(":\t")
}

fn single_spaces(line: &str) -> String {
    let Some((address, instruction)) = line.split_once(":\t") else { return line.to_owned() };
    let words: Vec<&str> = instruction.split_whitespace().collect();
    format!("{address}:\t{}", words.join(" "))
}
