//! `stepvisor test`, as its users see it: the tests of the guests, tests that must fail and how, and the flags.
//!
//! A test in `tests/failing` says in its head what has to come of it: `## fails: VERDICT`, and for each piece of
//! text that the report must have, `## says: TEXT`.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stepvisor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("test").args(arguments);
    command.env_remove("STEPVISOR_GDB").env_remove("STEPVISOR_LOG").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs with `arguments`, which has to end with `code`.
#[track_caller]
fn run(arguments: &[&str], code: i32) -> String {
    let output = stepvisor(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}{errors}", stdout(&output));
    stdout(&output)
}

/// Writes `files` into a directory of their own.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn path(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_string_lossy().into_owned()
}

const HALT: &str = "org 0x7c00\n    cli\n    hlt\n";

#[test]
fn the_tests_of_the_guests_pass() {
    let report = run(&["guests", "tests/guests"], 0);
    let last = report.lines().rfind(|line| !line.is_empty()).unwrap();
    assert!(last.starts_with("test result: ok. "), "{last}");
    let number: usize = last.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(number >= 25, "{last}");
}

/// What was typed and read in gdb before there was a runner.
#[test]
fn debugging_sessions_read_as_they_did() {
    run(&["tests/debugging"], 0);
}

#[test]
fn tests_that_must_fail_do_so_with_their_verdict_and_message() {
    let report = run(&["tests/failing"], 14);
    let mut wrong = Vec::new();
    let mut number = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failing")).unwrap()
    {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|end| end != "gdb") {
            continue;
        }
        number += 1;
        let name = format!("tests/failing/{}", file.file_name().unwrap().to_string_lossy());
        let text = fs::read_to_string(&file).unwrap();
        let wants = |key: &str| -> Vec<String> {
            let prefix = format!("## {key}: ");
            text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
        };
        let verdict = wants("fails").pop().unwrap();
        let line = format!("test {name} ... FAILED: {verdict}\n");
        if !report.contains(&line) {
            let found = report.lines().find(|line| line.starts_with(&format!("test {name} ")));
            wrong.push(format!("{name}: not {verdict}, but {found:?}"));
        }
        let title = format!("\n---- {name}: {verdict} ----\n");
        let own = report.split_once(&title).map_or("", |(_, behind)| behind);
        let own = own.split("\n---- ").next().unwrap();
        for text in wants("says").iter().filter(|text| !own.contains(text.as_str())) {
            wrong.push(format!("{name} does not say `{text}`, but\n{own}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(number >= 25 && report.contains(&format!(". 0 passed; {number} failed (")), "{report}");
}

#[test]
fn reports_are_the_same_each_time() {
    let report = || {
        let report = run(
            &["tests/failing/triple_fault.gdb", "tests/failing/assertion_in_commands.gdb", "-j1"],
            14,
        );
        report.rsplit_once("; finished in").unwrap().0.to_owned()
    };
    assert_eq!(report(), report());
}

#[test]
fn tests_are_chosen_by_filter_and_shard() {
    let all = run(&["tests/guests", "--list"], 0);
    let shards: Vec<String> = ["1/3", "2/3", "3/3"]
        .iter()
        .flat_map(|shard| {
            let list = run(&["tests/guests", "--list", "--shard", shard], 0);
            list.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let (mut dealt, mut listed) = (shards, all.lines().map(str::to_owned).collect::<Vec<_>>());
    dealt.sort();
    listed.sort();
    assert_eq!(dealt, listed);
    assert!(!all.contains("helper.gdb"));

    let some = run(&["tests/guests", "--list", "-f", "addloop", "-f", "triple.gdb"], 0);
    let expected = "tests/guests/addloop.gdb\ntests/guests/addloop_runs_until_timeout.gdb\n\
                    tests/guests/triple.gdb\n";
    assert_eq!(some, expected);
    let report = run(&["guests", "-f", "/hello.gdb"], 0);
    assert!(report.contains("running 1 test\n"), "{report}");
}

#[test]
fn a_mark_of_the_byte_order_hides_no_header() {
    let directory =
        directory(&[("a.gdb", "\u{feff}# guest: a.asm\n# ends: halt\n"), ("a.asm", HALT)]);
    run(&[&path(&directory, "")], 0);
}

#[test]
fn no_test_is_an_error() {
    let errors = |arguments: &[&str]| {
        let output = stepvisor(arguments);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(errors(&["src"]).contains("there is no test (*.gdb)"));
    assert!(errors(&["tests/guests", "-f", "nothing"]).contains("none of"));
    assert!(errors(&["tests/nowhere"]).contains("cannot read tests/nowhere"));
    assert!(errors(&["tests/guests", "--shard", "3/2"]).contains("is no shard"));
    // But a machine more than there are tests is none.
    assert!(run(&["guests/hello.gdb", "--shard", "2/2"], 0).contains("0 passed"));
}

#[test]
fn blessing_writes_what_is_expected_and_then_it_is() {
    let test =
        "# guest: a.asm\n# screen file: a.txt\n# transcript: a.out\n\nassert screen row 0: X\n";
    let source =
        "org 0x7c00\n    mov ax, 0xb800\n    mov es, ax\n    mov word [es:0], 0x0758\n    hlt\n";
    let directory =
        directory(&[("a.asm", source), ("a.gdb", &test.replace("\nassert", "\nstepi 3\nassert"))]);
    let test = path(&directory, "a.gdb");
    assert!(run(&[&test], 14).contains("--bless writes it"));
    run(&[&test, "--bless"], 0);
    assert_eq!(fs::read_to_string(directory.path().join("a.txt")).unwrap(), "X\n");
    assert!(fs::read_to_string(directory.path().join("a.out")).unwrap().contains("+stepi 3\n"));
    run(&[&test], 0);
}

#[test]
fn results_are_written_as_junit_and_tap() {
    let directory = directory(&[
        ("good.gdb", "# guest: a.asm\n# ends: halt\n"),
        ("bad#.gdb", "# guest: a.asm\n# ends: halt\n# screen contains: <x>\n"),
        ("a.asm", HALT),
    ]);
    let (tests, junit) = (path(&directory, ""), path(&directory, "junit.xml"));
    let tap = run(&[&tests, "--junit", &junit, "--tap", "-j", "1"], 14);
    let lines: Vec<&str> = tap.lines().collect();
    assert_eq!(&lines[..2], ["TAP version 14", "1..2"]);
    assert!(
        lines.iter().any(|line| line.starts_with("not ok 1 - ") && line.ends_with("bad\\#.gdb"))
    );
    assert!(lines.iter().any(|line| line.starts_with("ok 2 - ") && line.ends_with("good.gdb")));
    assert!(tap.contains("  verdict: failed\n"), "{tap}");
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("<testsuite name=\"stepvisor\" tests=\"2\" failures=\"1\" errors=\"0\""),
        "{xml}"
    );
    assert!(
        xml.contains("<failure type=\"failed\"") && xml.contains("screen contains: &lt;x&gt;"),
        "{xml}"
    );
}

#[test]
fn a_missing_gdb_is_told_and_tests_without_one_run_still() {
    let tests = ["guests/hello.gdb", "tests/guests/add_5_and_4.gdb", "--gdb", "/no/such/gdb"];
    let report = run(&tests, 14);
    assert!(report.contains("test guests/hello.gdb ... ok"), "{report}");
    assert!(report.contains("add_5_and_4.gdb ... FAILED: cannot run"), "{report}");
    assert!(report.contains("/no/such/gdb is not installed: apt-get install gdb"), "{report}");
}

#[test]
fn a_gdb_without_python_is_told() {
    // What a gdb without Python does: it prints what our script says to it, and takes the runner's Python for
    // commands of gdb's.
    let says = stepvisor::gdb::extension::SCRIPT
        .lines()
        .find_map(|line| line.strip_prefix("echo ")?.strip_suffix("\\n"))
        .unwrap();
    let script = format!("#!/bin/sh\necho '{says}'\necho 'Undefined command'\nexit 1\n");
    let directory = directory(&[("gdb", &script)]);
    let gdb = path(&directory, "gdb");
    fs::set_permissions(&gdb, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let report = run(&["tests/guests/add_5_and_4.gdb", "--gdb", &gdb], 14);
    assert!(report.contains("add_5_and_4.gdb ... FAILED: cannot run"), "{report}");
    assert!(report.contains("this gdb has no Python, which tests need"), "{report}");
}

/// Finds the processes that run tests among the children of `parent`.
fn children(parent: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<i32>>()
        })
        .collect()
}

#[test]
fn a_test_that_takes_its_process_down_is_a_verdict() {
    // Nothing that a test can say does that, so its process is ended from outside; then the next test runs.
    let directory = directory(&[
        ("1.gdb", "# guest: a.asm\n# ends: halt\n# timeout: 60s\n"),
        ("2.gdb", "# guest: b.asm\n# ends: halt\n"),
        ("a.asm", "org 0x7c00\n    jmp $\n"),
        ("b.asm", HALT),
    ]);
    let tests = path(&directory, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.args(["test", &tests, "-j", "1"]).stdout(std::process::Stdio::piped());
    let runner = command.spawn().unwrap();
    let worker = loop {
        if let [child] = children(runner.id())[..] {
            break child;
        }
        std::thread::yield_now();
    };
    let worker = rustix::process::Pid::from_raw(worker).unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    let output = runner.wait_with_output().unwrap();
    let report = stdout(&output);
    assert_eq!(output.status.code(), Some(14), "{report}");
    assert!(report.contains("1.gdb ... FAILED: crashed"), "{report}");
    assert!(report.contains("the process that ran the test was ended by signal 9"), "{report}");
    assert!(report.contains("2.gdb ... ok"), "{report}");
}

#[test]
fn sources_without_org_or_with_code_for_a_linker_are_built_as_their_author_would() {
    let directory = directory(&[
        // Flat at offset 0, entered through its own segment.
        ("flat.asm", "mov ax, 0x7c0\nmov ds, ax\nmov al, [value]\ncli\nhlt\nvalue db 7\n"),
        ("flat.gdb", "# guest: flat.asm\n# entry: 07c0:0000\n# ends: halt\n# register al: 7\n"),
        // With `[org]`, which cannot be taken out: no symbols, but it runs.
        ("bracket.asm", "[org 0x7c00]\nmov al, [value]\ncli\nhlt\nvalue db 8\n"),
        ("bracket.gdb", "# guest: bracket.asm\n# ends: halt\n# register al: 8\n"),
        // Linked, with an entry that is not the first byte, and a constant from the command line.
        ("linked.asm", "bits 16\nglobal _start\nnop\nhlt\n_start: mov al, VALUE\ncli\nhlt\n"),
        (
            "linked.gdb",
            "# guest: linked.asm\n# nasm: -DVALUE=9\n# load: 0x8000\n# ends: halt\n\nassert $pc == 0x8002\nassert $pc == &_start\n",
        ),
        // Labels and lines of a flat one, and what it includes.
        ("labels.asm", "org 0x7c00\n%include \"part.inc\"\nmain: cli\nhlt\n"),
        ("part.inc", "jmp main\n"),
        (
            "labels.gdb",
            "# guest: labels.asm\n# ends: halt\n\nbreak main\ncontinue\nassert $pc == &main\nassert $_gdb_setting(\"confirm\") == 0\nbreak labels.asm:4\n",
        ),
    ]);
    run(&[&path(&directory, "")], 0);
}

#[test]
fn a_source_is_built_anew_when_a_file_has_changed_that_it_takes_in() {
    let source = "org 0x7c00\n    cli\n    hlt\nincbin \"data.bin\"\n%include \"more.inc\"\n";
    let test = "# guest: boot.asm\n# memory 0x7c02: AA BB\n";
    let files = directory(&[("boot.asm", source), ("a.gdb", test)]);
    for (data, more) in [("11", "22"), ("33", "22"), ("33", "44")] {
        fs::write(files.path().join("data.bin"), [u8::from_str_radix(data, 16).unwrap()]).unwrap();
        fs::write(files.path().join("more.inc"), format!("db 0x{more}\n")).unwrap();
        let test = test.replace("AA", data).replace("BB", more);
        fs::write(files.path().join("a.gdb"), test).unwrap();
        run(&[&path(&files, "a.gdb")], 0);
    }
}

/// The examples for users are tests, letter by letter.
#[test]
fn the_examples_in_the_documentation_are_tests_that_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    for directory in ["guests", "tests/guests"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "gdb") {
                tests += &format!("```gdb\n{}```\n", fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut number = 0;
    for file in ["README.md", "docs/testing.md"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        for block in text.split("```gdb\n# guest:").skip(1) {
            let example = format!("```gdb\n# guest:{}```\n", block.split("```").next().unwrap());
            assert!(tests.contains(&example), "{file} has an example that is no test:\n{example}");
            number += 1;
        }
    }
    assert!(number >= 4, "{number}");
}

#[test]
fn every_verdict_has_a_test_that_must_fail() {
    let mut missing: Vec<&str> = vec![
        "failed",
        "gdb error",
        "not reached",
        "hang",
        "triple fault",
        "refused instruction",
        "wrong ending",
        "no assertion",
        "build error",
        "bad header",
        "gdb crashed",
    ];
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/failing");
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let verdict = text.lines().find_map(|line| line.strip_prefix("## fails: "));
        missing.retain(|word| Some(*word) != verdict);
    }
    assert_eq!(missing, Vec::<&str>::new());
}
