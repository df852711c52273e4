//! Transcripts of gdb: what differs between machines, runs and versions of gdb is taken out.

use std::path::Path;

/// What a file with an expected transcript holds of `output`, which mentions paths below `directory`, where
/// temporary files were, and below `checkout`, where the test was started.
#[must_use]
pub fn filter(output: &str, directory: &Path, checkout: &Path) -> String {
    let directory = directory.to_string_lossy();
    let checkout = checkout.canonicalize().unwrap_or_else(|_| checkout.to_owned());
    let checkout = checkout.to_string_lossy();
    let mut text = String::new();
    for line in output.lines() {
        // Which watchpoints make it slow depends on the host, as does how long something takes; which file is the newer
        // one on the checkout.
        let hides = [
            "stepvisor: the guest runs instruction by instruction now",
            "Transfer rate: ",
            "warning: Source file is more recent than executable",
        ];
        if hides.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        // The prompts of a block of commands stand in front of what is printed next.
        let line = line.trim_start_matches('>').trim_end();
        let line = without_line_numbers(line);
        let line = line.replace(&*checkout, "CHECKOUT");
        let line = without_paths(&line, &directory);
        // Later versions of gdb drop the mark of a text.
        let line = line.replace("reply 'E.", "reply '").replace("reply: E.", "reply: ");
        let line = earlier_words(line);
        let line = local_labels(&line);
        let line = after_word(&line, "host 0x", "host HOST");
        let line = without_access_rights(line);
        text.push_str(&if is_listing(&line) { single_spaces(&line) } else { line });
        text.push('\n');
    }
    text
}

/// `line` without what the runner puts before the commands of a block.
fn without_line_numbers(line: &str) -> String {
    const MARK: &str = "_line ";
    let Some((before, behind)) = line.split_once(MARK) else { return line.to_owned() };
    let command = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    match command.strip_prefix(' ') {
        Some(command) if command.len() + 1 < behind.len() && before.trim().is_empty() => {
            format!("{before}{command}")
        }
        _ => line.to_owned(),
    }
}

/// `line` with the last part only of each path below `directory`.
fn without_paths(line: &str, directory: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, path)) = rest.split_once(directory) {
        text.push_str(before);
        let end = path.find(|c: char| !c.is_alphanumeric() && !"/-_".contains(c));
        let (path, behind) = path.split_at(end.unwrap_or(path.len()));
        text.push_str("TMP/");
        text.push_str(path.rsplit('/').next().unwrap_or_default());
        rest = behind;
    }
    text + rest
}

/// `line` in the words of gdb 13, where gdb 16 has others.
fn earlier_words(line: String) -> String {
    const CONDITION: &str = "Error in testing condition for breakpoint ";
    const SECTIONS: &str = "warning: One or more sections of the target image does not match";
    if line.starts_with(CONDITION) && line.ends_with(':') {
        return "Error in testing breakpoint condition:".to_owned();
    }
    match line.strip_prefix(SECTIONS) {
        Some(" the loaded file") => format!("{SECTIONS}\nthe loaded file\n"),
        _ => line,
    }
}

/// `line` with the name of a local label as NASM writes it: gdb takes `print.end` for another language's.
fn local_labels(line: &str) -> String {
    let Some((function, place)) = line.split_once("] () at ") else { return line.to_owned() };
    match function.rsplit_once('[') {
        Some((outer, inner)) => format!("{outer}.{inner} () at {place}"),
        None => line.to_owned(),
    }
}

/// `line` with the number that begins with `start` replaced.
fn after_word(line: &str, start: &str, replacement: &str) -> String {
    let Some((before, digits)) = line.split_once(start) else { return line.to_owned() };
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    format!("{before}{replacement}{}", &digits[end..])
}

/// `line` without the attributes of a real-mode segment in QEMU's layout, of which hosts keep different
/// ones, as the processor does not use them.
fn without_access_rights(line: String) -> String {
    let real_mode = line.get(3..4) == Some("=") && line.len() == 35;
    if real_mode { format!("{}ATTRIBUT", &line[..27]) } else { line }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_runs_is_taken_out() {
        let text = |line: &str| filter(line, Path::new("/tmp/sv1"), Path::new("/no/such/checkout"));
        assert_eq!(text(">>x at /tmp/sv1/a/b, y  "), "x at TMP/b, y\n");
        assert_eq!(text("file /no/such/checkout/a.asm."), "file CHECKOUT/a.asm.\n");
        assert_eq!(text("=> 0x7c00 <a>:\tmov    %cs,%dx"), "=> 0x7c00 <a>:\tmov %cs,%dx\n");
        assert_eq!(text("        _line 12 assert $ax == 1"), "        assert $ax == 1\n");
        assert_eq!(text("x _line 12"), "x _line 12\n");
        let condition = "Error in testing breakpoint condition:\n";
        assert_eq!(text("Error in testing condition for breakpoint 1:"), condition);
    }
}
