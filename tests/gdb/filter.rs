//! Takes out of gdb's output what differs between machines, runs and versions of gdb.

use std::path::Path;

/// What a golden file holds of `output`, which mentions paths below `directory`.
pub fn filter(output: &str, directory: &Path) -> String {
    let directory = directory.to_string_lossy();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkout = checkout.canonicalize().unwrap_or_else(|_| checkout.to_owned());
    let checkout = checkout.to_string_lossy();
    let mut text = String::new();
    for line in output.lines() {
        // Which watchpoints make it slow depends on the host.
        if line.starts_with("stepvisor: the guest runs instruction by instruction now") {
            continue;
        }
        // The prompts of a block of commands stand in front of what is printed next.
        let line = line.trim_start_matches('>').trim_end();
        let line = line.replace(&*checkout, "CHECKOUT");
        let line = without_paths(&line, &directory);
        // Later versions of gdb drop the mark of a text.
        let line = line.replace("reply 'E.", "reply '").replace("reply: E.", "reply: ");
        let line = local_labels(&line);
        let line = after_word(&line, "host 0x", "host HOST");
        let line = without_access_rights(line);
        text.push_str(&if is_listing(&line) { single_spaces(&line) } else { line });
        text.push('\n');
    }
    text
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
