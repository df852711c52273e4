//! `run --report`: what a program that reads it finds there.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs flat code with flags, and gives the exit code and the report.
fn reported(code: &[u8], flags: &[&str]) -> (i32, Value) {
    let folder = TempDir::new().unwrap();
    let (image, report) = (folder.path().join("guest.bin"), folder.path().join("report.json"));
    fs::write(&image, code).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.args(["run", "--report"]).arg(&report).args(flags).arg(&image);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = fs::read_to_string(&report).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap())
}

#[test]
fn the_screen_the_registers_and_the_output_of_a_guest_are_reported() {
    #[rustfmt::skip]
    let (code, report) = reported(&[
        0xb8, 0x00, 0xb8,                         // mov ax, 0xb800
        0x8e, 0xd8,                               // mov ds, ax
        0xc7, 0x06, 0x02, 0x00, 0x03, 0x1e,       // mov word [2], 0x1e03: a heart in yellow on blue
        0xb0, 0xe9,                               // mov al, 0xe9
        0xe6, 0xe9,                               // out 0xe9, al
        0xba, 0xf8, 0x03, 0xb0, b'K', 0xee,       // mov dx, 0x3f8; mov al, 'K'; out dx, al
        0xfa, 0xf4,                               // cli; hlt
    ], &[]);
    assert_eq!((code, &report["exit_code"], &report["ending"]), (0, &json!(0), &json!("halt")));
    assert_eq!((&report["halted"], &report["mode"]), (&json!(true), &json!("real mode")));
    assert_eq!(report["location"], "0000:7C17");
    let registers = &report["registers"];
    assert_eq!((&registers["rip"], &registers["ds"]), (&json!("0x7c17"), &json!("0xb800")));
    assert_eq!(registers["rax"], "0xb84b");
    let screen = &report["screen"];
    assert_eq!((&screen["columns"], &screen["rows"]), (&json!(80), &json!(25)));
    assert_eq!((&screen["lines"][0], &screen["lines"][1]), (&json!(" ♥"), &json!("")));
    assert!(screen["cells"][0].as_str().unwrap().starts_with("2007031e2007"), "{screen}");
    assert_eq!(screen["cursor"], json!([0, 0]));
    assert_eq!(report["serial"], json!(["K", ""]));
    assert_eq!(report["debug_console"], "\u{e9}");
    assert_eq!(report["bios_data_area"].as_str().unwrap().len(), 512);
}

#[test]
fn the_rows_of_a_text_screen_are_those_that_the_firmware_counts() {
    // mov ax, function; xor bx, bx; int 0x10; cli; hlt
    for (function, rows) in [(0x11, 28), (0x12, 50), (0x14, 25)] {
        let code = [0xb8, function, 0x11, 0x31, 0xdb, 0xcd, 0x10, 0xfa, 0xf4];
        let (_, report) = reported(&code, &[]);
        let screen = &report["screen"];
        assert_eq!(screen["rows"], rows);
        for member in ["lines", "cells"] {
            assert_eq!(screen[member].as_array().unwrap().len(), rows);
        }
        let last_row = &report["bios_data_area"].as_str().unwrap()[2 * 0x84..][..2];
        assert_eq!(last_row, format!("{:02x}", rows - 1));
    }
}

#[test]
fn how_a_run_ended_is_one_word_and_a_sentence() {
    let ends = |code: &[u8], flags: &[&str]| {
        let (exit, report) = reported(code, flags);
        assert_eq!(report["exit_code"], exit);
        (exit, report["ending"].clone(), report["text"].as_str().unwrap().to_owned())
    };
    let (code, word, text) = ends(&[0xeb, 0xfe], &["--timeout", "100ms"]);
    assert_eq!((code, word, text.as_str()), (26, json!("timeout"), "time limit reached"));
    let (code, word, text) = ends(&[0xb0, 0x10, 0xe6, 0xf4], &[]);
    assert_eq!((code, word, text.as_str()), (33, json!("exit 0x10"), "guest exit with status 33"));
    // mov al, 0xfe; out 0x64, al
    let (code, word, text) = ends(&[0xb0, 0xfe, 0xe6, 0x64], &[]);
    assert_eq!((code, word), (32, json!("reset")));
    assert!(text.contains("port 0x0064"), "{text}");
}

#[test]
fn graphics_are_reported_by_their_size() {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/bin/mode13h.bin");
    let (_, report) = reported(&fs::read(image).unwrap(), &[]);
    let screen = &report["screen"];
    assert_eq!((&screen["kind"], &screen["width"]), (&json!("graphics"), &json!(320)));
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_that_names_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.args(["run", "--demo", "--report", "/nowhere/report.json"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(12));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot write the report /nowhere/report.json"), "{text}");
}
