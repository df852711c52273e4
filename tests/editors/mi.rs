//! gdb's machine interface, and VS Code's C/C++ extension as far as that is what it uses.

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::conversation::Conversation;
use crate::documented::{self, text};
use crate::server::{Server, beside_stepvisor};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("the_documented_launch_json_debugs_a_guest", documented_launch),
        trial("mi_shows_registers_memory_code_frames_and_variables", views),
        trial("mi_stops_at_catchpoints_and_goes_on", catchpoints),
        trial("mi_stops_at_a_catchpoint_right_behind_a_breakpoint", behind_a_breakpoint),
        trial("mi_boots_the_guest_again_over_the_extended_protocol", extended),
        trial("mi_interrupts_a_guest_that_runs", interrupt),
        trial("mi_follows_the_guest_into_other_modes", modes),
    ]
}

/// A workspace with the guest `name` as boot.elf.
fn workspace(name: &str) -> TempDir {
    let directory = tempfile::Builder::new().prefix("sv").tempdir().unwrap();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("guests/bin/{name}.elf"));
    fs::copy(guest, directory.path().join("boot.elf")).unwrap();
    fs::create_dir(directory.path().join(".vscode")).unwrap();
    directory
}

/// gdb as the extension starts it.
fn gdb(path: &str) -> Conversation {
    let mut command = beside_stepvisor(path);
    command.args(["-nx", "--interpreter=mi"]);
    Conversation::start(command)
}

/// A session with the guest `name`, connected as the extension does it.
fn connected(name: &str) -> (Server, Conversation) {
    let image = format!("guests/bin/{name}.elf");
    let server = Server::with(&[&image]);
    let mut gdb = gdb("gdb");
    gdb.order("-gdb-set mi-async on");
    gdb.order(&format!("-file-exec-and-symbols {image}"));
    assert_eq!(gdb.order(&format!("-target-select remote {}", server.address)), "connected");
    let stop = gdb.stop();
    assert!(!stop.contains("reason="), "{stop}");
    (server, gdb)
}

fn documented_launch() {
    let workspace = workspace("int");
    let launch = documented::launch(workspace.path());
    for (key, value) in [("type", "cppdbg"), ("request", "launch"), ("MIMode", "gdb")] {
        assert_eq!(text(&launch, key), value);
    }
    assert_eq!(launch["stopAtConnect"], true);

    // The task, on a port that is free.
    let task = documented::task(workspace.path(), &launch);
    assert_eq!((text(&task, "type"), &task["isBackground"]), ("process", &true.into()));
    let address = text(&launch, "miDebuggerServerAddress");
    let mut arguments = vec![];
    for argument in task["args"].as_array().unwrap() {
        let argument = argument.as_str().unwrap();
        arguments.push(if argument == address { "127.0.0.1:0" } else { argument });
    }
    assert!(arguments.contains(&"127.0.0.1:0"), "the server listens where gdb connects: {task}");
    let mut command = beside_stepvisor(text(&task, "command"));
    command.args(&arguments).current_dir(workspace.path());
    let server = Server::start(command);
    let ready = text(&task["problemMatcher"]["background"], "endsPattern");
    assert!(server.greeting.contains(ready), "{}", server.greeting);

    // What MIEngine, the extension's debugger, has gdb do at a launch with a server.
    let mut gdb = gdb(text(&launch, "miDebuggerPath"));
    gdb.order("-gdb-set mi-async on");
    for command in launch["setupCommands"].as_array().unwrap() {
        match text(command, "text") {
            command if command.starts_with('-') => gdb.order(command),
            command => gdb.console(command),
        };
    }
    gdb.console("set pagination off");
    gdb.ask("-interpreter-exec console \"set debuginfod enabled off\"");
    gdb.order("-gdb-set auto-solib-add on");
    gdb.order(&format!("-environment-cd {}", text(&launch, "cwd")));
    gdb.order(&format!("-file-exec-and-symbols {}", text(&launch, "program")));
    assert!(gdb.console("show architecture").contains("i386"));
    let entry = gdb.order("-break-insert -f main");
    assert_eq!(gdb.order(&format!("-target-select remote {}", server.address)), "connected");

    // `stopAtConnect` waits for a stop without a reason, and takes the breakpoint at `main` back.
    let stop = gdb.stop();
    assert!(!stop.contains("reason=") && stop.contains("addr=\"0x00007c00\""), "{stop}");
    assert!(stop.contains("file=\"guests/int.asm\"") && stop.contains("line=\"37\""), "{stop}");
    let number = entry.split("number=\"").nth(1).unwrap().split('"').next().unwrap();
    gdb.order(&format!("-break-delete {number}"));

    // The script is what the command prints.
    let script = fs::read(workspace.path().join(".vscode/stepvisor.gdb")).unwrap();
    let printed = beside_stepvisor("stepvisor").arg("gdb-script").output().unwrap();
    assert_eq!(script, printed.stdout);

    // A breakpoint in the editor, F5, F11, and the stop button.
    gdb.order("-break-insert -f guests/int.asm:59");
    let stop = gdb.run("-exec-continue");
    assert!(stop.contains("reason=\"breakpoint-hit\"") && stop.contains("line=\"59\""), "{stop}");
    let stop = gdb.run("-exec-step --thread 1");
    assert!(stop.contains("reason=\"end-stepping-range\""), "{stop}");
    assert!(stop.contains("func=\"put_char\""), "{stop}");
    gdb.order("kill");
    assert_eq!(server.wait().code(), Some(0));
}

fn views() {
    let (_server, mut gdb) = connected("int");
    gdb.order("-break-insert -f *0x7c34");
    let stop = gdb.run("-exec-continue --thread 1");
    assert!(stop.contains("arch=\"i8086\""), "{stop}");

    let names = gdb.order("-data-list-register-names");
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let values = gdb.order("-data-list-register-values --thread 1 x");
    for (name, value) in [("eip", "0x7c34"), ("cs", "0x0"), ("ip", "0x7c34")] {
        let number = names.iter().position(|n| *n == name).unwrap();
        let expected = format!("{{number=\"{number}\",value=\"{value}\"}}");
        assert!(values.contains(&expected), "{name}: {values}");
    }

    let code = gdb.order("-data-disassemble -s 0x7c32 -e 0x7c37 -- 2");
    for text in ["opcodes=\"b0 42\"", "inst=\"mov    $0x42,%al\"", "inst=\"int    $0x21\""] {
        assert!(code.contains(text), "{code}");
    }
    let memory = gdb.order("-data-read-memory-bytes 0x7dfe 2");
    assert!(memory.contains("contents=\"55aa\""), "{memory}");
    gdb.order("-data-write-memory-bytes 0x600 4142");
    let memory = gdb.order("-data-read-memory-bytes 0x600 2");
    assert!(memory.contains("contents=\"4142\""), "{memory}");

    let frames = gdb.order("-stack-list-frames --thread 1 0 1000");
    assert!(frames.contains("level=\"0\",addr=\"0x00007c34\",func=\"first_int\""), "{frames}");
    gdb.order("-stack-info-depth --thread 1 1000");
    let variable = gdb.order("-var-create --thread 1 --frame 0 al * \"$al\"");
    assert!(
        variable.contains("value=\"66 'B'\"") || variable.contains("value=\"66\""),
        "{variable}"
    );
    gdb.order("-var-assign al 67");
    let value = gdb.order("-data-evaluate-expression --thread 1 --frame 0 \"$eax & 0xff\"");
    assert!(value.contains("value=\"67\""), "{value}");

    // An instruction breakpoint with a condition, as of the disassembly view.
    gdb.order("-break-insert -f -c \"$al == 0x20\" *0x7c5c");
    gdb.order("-exec-next-instruction --thread 1");
    let stop = gdb.stop();
    assert!(stop.contains("reason="), "{stop}");
}

fn catchpoints() {
    let (_server, mut gdb) = connected("int");
    let answer = gdb.console("monitor stop-at int 0x60 ax=0x0042");
    assert!(answer.contains("stop 1: int 0x60 ax=0x0042"), "{answer}");
    let stop = gdb.run("-exec-continue");
    let signal = "reason=\"signal-received\",signal-name=\"SIGTRAP\"";
    assert!(stop.contains(signal) && stop.contains("addr=\"0x00007c3e\""), "{stop}");
    assert!(gdb.has_said("stepvisor: int 0x60 with AX = 0x0042, at 0000:7C3E"));
    // Once.
    gdb.order("-break-insert -f halt");
    let stop = gdb.run("-exec-continue");
    assert!(stop.contains("reason=\"breakpoint-hit\""), "{stop}");
}

/// gdb steps off its breakpoint, and the stop comes in that step.
fn behind_a_breakpoint() {
    let (_server, mut gdb) = connected("int");
    gdb.order("-break-insert -f *0x7c2e");
    gdb.run("-exec-continue");
    gdb.console("monitor stop-at int 0x21");
    let stop = gdb.run("-exec-continue");
    assert!(stop.contains("reason=\"signal-received\",signal-name=\"0\""), "{stop}");
    assert!(stop.contains("addr=\"0x00007c30\""), "{stop}");
}

fn extended() {
    let server = Server::with(&["guests/bin/int.elf"]);
    let mut gdb = gdb("gdb");
    gdb.order("-gdb-set mi-async on");
    gdb.order("-file-exec-and-symbols guests/bin/int.elf");
    gdb.order(&format!("-target-select extended-remote {}", server.address));
    gdb.stop();
    gdb.order("-break-insert -f first_int");
    for _ in 0..2 {
        gdb.console("run");
        let stop = gdb.stop();
        assert!(stop.contains("reason=\"breakpoint-hit\""), "{stop}");
        assert!(stop.contains("addr=\"0x00007c30\""), "{stop}");
    }
}

fn interrupt() {
    let (_server, mut gdb) = connected("addloop");
    assert_eq!(gdb.order("-exec-continue"), "running");
    gdb.order("-exec-interrupt");
    let stop = gdb.stop();
    assert!(stop.contains("signal-name=\"SIGINT\""), "{stop}");
    assert!(stop.contains("arch=\"i8086\""), "{stop}");
}

fn modes() {
    let (_server, mut gdb) = connected("modes");
    gdb.order("-break-insert -f in_64");
    let stop = gdb.run("-exec-continue");
    assert!(stop.contains("reason=\"breakpoint-hit\""), "{stop}");
    assert!(stop.contains("arch=\"i386:x86-64\""), "{stop}");
    let names = gdb.order("-data-list-register-names");
    assert!(names.contains("\"rax\""), "{names}");
    let code = gdb.order("-data-disassemble -s $pc -e \"$pc + 7\" -- 2");
    assert!(code.contains("movl   $0xe360e4c,(%rbx)") || code.contains("(%ebx)"), "{code}");
}
