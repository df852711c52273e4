//! A session: its parts, the programs that play them, and the transcript.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use rustix::process::Signal;
use stepvisor::script::transcript;
use tempfile::TempDir;

use crate::program::{PacketLog, Program};

/// What a gdb of a session always is told: to echo commands, and to ask nothing.
const GDB: [&str; 10] = [
    "-nx",
    "-q",
    "-iex",
    "set confirm off",
    "-iex",
    "set width 0",
    "-iex",
    "set prompt",
    "-iex",
    "set trace-commands on",
];
/// Printed for us in front of a command that is to be interrupted.
const MARK: &str = "--next is to be interrupted--";

/// A heading and the lines under it.
#[derive(Debug)]
struct Part<'a> {
    kind: &'a str,
    arguments: Vec<String>,
    lines: Vec<&'a str>,
}

/// Plays the session `text` and gives what a user reads.
pub fn play(text: &str) -> Result<String, Failed> {
    let directory = tempfile::Builder::new().prefix("sv").tempdir()?;
    let mut transcript = String::new();
    let mut server = None;
    for part in parts(text)? {
        if part.kind == "serve" {
            let mut program = Program::start(server_command(&part, &directory), None)?;
            program.wait_for("waits for gdb")?;
            server = Some(program);
            continue;
        }
        if part.kind == "wait" {
            let program = server.as_mut().ok_or("nobody serves")?;
            program.wait_for(&part.arguments.join(" "))?;
            continue;
        }
        let (output, status) = play_part(&part, &directory)?;
        let output = filter(&output, &directory);
        write!(transcript, "{output}[{}: {}]\n\n", part.kind, status.code().unwrap_or(-1))?;
    }
    if let Some(program) = server {
        // One that has ended by itself does not mind.
        let _ = program.signal(Signal::TERM);
        let (output, status) = program.finish()?;
        let output = filter(&output, &directory);
        writeln!(transcript, "{output}[serve: {}]", status.code().unwrap_or(-1))?;
    }
    Ok(format!("{}\n", transcript.trim_end()))
}

/// What a golden file holds of `output`.
fn filter(output: &str, directory: &TempDir) -> String {
    transcript::filter(output, directory.path(), Path::new(env!("CARGO_MANIFEST_DIR")))
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Failed> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in text.lines() {
        let heading = line.strip_prefix("# ").and_then(|line| line.split_once(':'));
        match heading {
            Some((
                kind @ ("debug" | "serve" | "client" | "extended" | "gdb" | "wait"),
                arguments,
            )) => {
                parts.push(Part { kind, arguments: words(arguments), lines: Vec::new() });
            }
            _ if line.starts_with('#') || line.is_empty() => {}
            _ => parts.last_mut().ok_or("a session begins with a heading")?.lines.push(line),
        }
    }
    Ok(parts)
}

/// Words between spaces; quotes keep them together.
fn words(text: &str) -> Vec<String> {
    let quoted = text.split('\'').enumerate();
    quoted
        .flat_map(|(n, piece)| match n % 2 {
            0 => piece.split_whitespace().map(str::to_owned).collect(),
            _ => vec![piece.to_owned()],
        })
        .collect()
}

fn play_part(
    part: &Part<'_>,
    directory: &TempDir,
) -> Result<(String, std::process::ExitStatus), Failed> {
    let log = if part.lines.iter().any(|line| line.starts_with("^C")) {
        Some(PacketLog::new()?)
    } else {
        None
    };
    let mut command = program_command(part, directory);
    if let Some(log) = &log {
        command.arg("-iex").arg(format!("set remotelogfile {}", log.path()));
    }
    command.args(GDB).args(if part.kind == "debug" { &[][..] } else { &part.arguments });
    // Behind the symbols, as `stepvisor debug` does it.
    let target = match part.kind {
        "client" => Some("remote"),
        "extended" => Some("extended-remote"),
        _ => None,
    };
    if let Some(target) = target {
        command.arg("-ex").arg(format!("target {target} {}", socket(directory)));
    }
    let mut program = Program::start(command, log)?;
    let mut marks = 0;
    for (n, line) in part.lines.iter().enumerate() {
        if let Some(event) = line.strip_prefix("^C") {
            program.wait_until_running()?;
            if let Some(text) = event.strip_prefix(" after ") {
                program.wait_for(text)?;
            }
            program.signal(Signal::INT)?;
            continue;
        }
        if part.lines.get(n + 1).is_some_and(|next| next.starts_with("^C")) {
            marks += 1;
            program.write_line(&format!("echo {MARK}{marks}\\n"));
            program.wait_for(&format!("\n{MARK}{marks}\n"))?;
        }
        program.write_line(line);
    }
    let (output, status) = program.finish()?;
    Ok((without_marks(&output), status))
}

fn without_marks(output: &str) -> String {
    output
        .lines()
        .filter(|line| !line.contains(MARK))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn socket(directory: &TempDir) -> String {
    directory.path().join("gdb").to_string_lossy().into_owned()
}

fn server_command(part: &Part<'_>, directory: &TempDir) -> Command {
    let mut command = in_session(Command::new(env!("CARGO_BIN_EXE_stepvisor")), directory);
    command.arg("gdbserver").args(&part.arguments);
    command.arg("--listen").arg(format!("unix:{}", socket(directory)));
    command
}

fn program_command(part: &Part<'_>, directory: &TempDir) -> Command {
    if part.kind == "debug" {
        let mut command = in_session(Command::new(env!("CARGO_BIN_EXE_stepvisor")), directory);
        command.arg("debug").args(&part.arguments).arg("--");
        command
    } else {
        in_session(Command::new("gdb"), directory)
    }
}

/// `command` in the environment of a session: nothing of the user's own settings.
fn in_session(mut command: Command, directory: &TempDir) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_stepvisor")).parent().unwrap_or(Path::new("/"));
    let mut path = binaries.as_os_str().to_owned();
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("TMPDIR", directory.path())
        .env("SOCKET", socket(directory))
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env_remove("DEBUGINFOD_URLS")
        .env_remove("STEPVISOR_LOG")
        .env_remove("STEPVISOR_GDB");
    command
}
