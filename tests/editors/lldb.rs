//! lldb: what it can do with a guest, and the commands that docs/editors.md shows.

use std::fs;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use crate::documented;
use crate::server::{Server, beside_stepvisor};

/// Whether there is one.
pub fn is_here() -> bool {
    Command::new("lldb")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("lldb_debugs_16_bit_code_without_symbols", without_symbols),
        trial("lldb_debugs_16_bit_code_by_its_source", by_source),
        trial("lldb_stops_at_catchpoints_and_goes_on", catchpoints),
        trial("lldb_stops_at_a_catchpoint_right_behind_a_breakpoint", behind_a_breakpoint),
        trial("lldb_shows_other_modes_when_it_is_told_to", modes),
        trial("lldb_connects_anew_in_another_mode", anew),
        trial("the_documented_lldb_commands_work", documented_commands),
    ]
}

/// What lldb prints when it is given `commands`.
fn session(commands: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    fs::write(&script, commands.join("\n") + "\n").unwrap();
    let output = beside_stepvisor("lldb")
        .args(["--no-lldbinit", "--batch", "--source"])
        .arg(&script)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A session with a server of its own, which it finds as ADDRESS.
fn on(server: &Server, commands: &[&str]) -> String {
    let commands: Vec<String> =
        commands.iter().map(|command| command.replace("ADDRESS", &server.address)).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    session(&commands)
}

/// Each of `texts` comes in `output`, one after the other.
#[track_caller]
fn in_order(output: &str, texts: &[&str]) {
    let mut rest = output;
    for text in texts {
        let Some(at) = rest.find(text) else { panic!("no `{text}` at its place in:\n{output}") };
        rest = &rest[at + text.len()..];
    }
}

fn without_symbols() {
    let server = Server::with(&["guests/bin/int.bin"]);
    let output = on(
        &server,
        &[
            "gdb-remote ADDRESS",
            "breakpoint set --address 0x7c34",
            "continue",
            "register read eip ip cs mode",
            "disassemble --pc --count 2",
            "thread step-inst",
            "memory read --size 1 --count 2 0x7dfe",
            "register write eax 0x1234",
            "register read eax",
            "memory write 0x600 0x41 0x42",
            "memory read --size 1 --count 2 0x600",
            "breakpoint delete --force",
            "continue",
            "process plugin packet monitor screen",
        ],
    );
    in_order(
        &output,
        &[
            "ljmpw  $0x0, $0x7c06",
            "stop reason = breakpoint 1.1",
            "eip = 0x00007c34",
            "ip = 0x7c34",
            "int    $0x21",
            "pushw  %ax",
            "stop reason = instruction step into",
            "55 aa",
            "eax = 0x00001234",
            "41 42",
            "stop reason = signal SIGINT",
            "INT 21h: A",
        ],
    );
}

fn by_source() {
    let server = Server::with(&["guests/bin/int.elf"]);
    let output = on(
        &server,
        &[
            "target create guests/bin/int.elf",
            "gdb-remote ADDRESS",
            "breakpoint set --skip-prologue false --name first_int",
            "breakpoint set --file int.asm --line 59",
            "continue",
            "continue",
            "disassemble --pc --count 1",
            "thread step-inst",
            "continue",
        ],
    );
    in_order(
        &output,
        &[
            "`start at int.asm:37",
            "`first_int at int.asm:57",
            "stop reason = breakpoint 2.1",
            "`first_int at int.asm:59",
            "int    $0x21",
            "`put_char at int.asm",
            "stop reason = signal SIGINT",
        ],
    );
}

fn catchpoints() {
    let server = Server::with(&["--stop-at", "int 0x60 ax=0x0042", "guests/bin/int.elf"]);
    let output = on(
        &server,
        &[
            "gdb-remote ADDRESS",
            "continue",
            "register read eip",
            "process plugin packet monitor stop-at",
            "process plugin packet monitor stop-at delete all",
            "continue",
        ],
    );
    in_order(
        &output,
        &[
            "stop reason = signal SIGTRAP",
            "eip = 0x00007c3e",
            "1: int 0x60 ax=0x0042, hit once",
            "no stops",
            "stop reason = signal SIGINT",
        ],
    );
    assert!(output.contains("stepvisor: int 0x60 with AX = 0x0042, at 0000:7C3E"), "{output}");
}

fn modes() {
    let server = Server::with(&["guests/bin/modes.elf"]);
    let output = on(
        &server,
        &[
            "gdb-remote ADDRESS",
            "breakpoint set --address 0x7c50",
            "continue",
            "disassemble --arch i386 --pc --count 2",
            "breakpoint set --address 0x7cb8",
            "continue",
            "disassemble --arch x86_64 --pc --count 2",
            "register read eip",
            "continue",
        ],
    );
    in_order(
        &output,
        &[
            "stop reason = breakpoint 1.1",
            "movl   $0x7c00, %esp",
            "movl   $0xe330e50, (%ebx)",
            "stop reason = breakpoint 2.1",
            "addl   $0x4, %ebx",
            "eip = 0x00007cb8",
            "stop reason = signal SIGINT",
        ],
    );
}

fn anew() {
    // It halts there.
    let server = Server::with(&["guests/bin/long.elf"]);
    let output = on(
        &server,
        &[
            "gdb-remote ADDRESS",
            "continue",
            "process detach",
            "gdb-remote ADDRESS",
            "register read rip",
            "disassemble --start-address 0x7d27 --count 1",
        ],
    );
    // That the process is detached lldb prints when it gets to it, or not at all.
    in_order(&output, &["signal SIGINT", "rip = 0x0000000000007d25", "lodsb  (%rsi), %al"]);
}

/// lldb steps off its breakpoint, and the stop comes in that step.
fn behind_a_breakpoint() {
    let server = Server::with(&["guests/bin/int.elf"]);
    let output = on(
        &server,
        &[
            "gdb-remote ADDRESS",
            "breakpoint set --address 0x7c2e",
            "continue",
            "process plugin packet monitor stop-at int 0x21 ax=0x0041",
            "continue",
            "register read eip",
            "continue",
        ],
    );
    in_order(&output, &["breakpoint 1.1", "signal SIGTRAP", "eip = 0x00007c30", "signal SIGINT"]);
}

fn documented_commands() {
    let server = Server::with(&["guests/bin/int.elf"]);
    let commands: Vec<String> = documented::lldb_commands()
        .into_iter()
        .map(|command| {
            command
                .replace("gdb-remote 1234", "gdb-remote ADDRESS")
                .replace("boot.elf", "guests/bin/int.elf")
                .replace("boot.asm", "int.asm")
        })
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let output = on(&server, &commands);
    // A batch ends at the first command that fails.
    for command in &commands[1..] {
        let typed = format!("(lldb) {}", command.replace("ADDRESS", &server.address));
        assert!(output.contains(&typed), "{command}: {output}");
    }
    assert!(!output.contains("error:"), "{output}");
    in_order(
        &output,
        &["stop reason = breakpoint", "stop reason = ", "stop 1: int 0x10", "detached"],
    );
}
