//! Loaders and systems that other people have written boot from a floppy and take keys.
//!
//! They are not part of the project: each test needs what its reason names, and does not run without.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const HELLO: &[u8] = include_bytes!("../guests/bin/hello.bin");
const HELLO_SCREEN: &str = include_str!("screens/hello.txt");
/// `cli; hlt`
const END: &[u8] = &[0xfa, 0xf4];

/// Runs a program of the host, which has to succeed.
fn tool(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {text}");
}

/// Boots `floppy`, types `keys`, and gives the screen that it halts with.
fn halts_after(floppy: &Path, keys: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stepvisor"))
        .args(["run", "--clock", "virtual", "--timeout", "5m", "--keys", keys, "--fda"])
        .arg(floppy)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs STEPVISOR_FREEDOS=FILE, a floppy with FreeDOS (none in Debian), and mtools"]
fn freedos_loads_its_kernel_and_reaches_a_prompt_that_takes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (floppy, end) = (folder.path().join("freedos.img"), folder.path().join("end.com"));
    let image = std::env::var("STEPVISOR_FREEDOS").expect("STEPVISOR_FREEDOS names the image");
    fs::copy(image, &floppy).unwrap();
    fs::write(&end, END).unwrap();
    tool("mcopy", &["-o", "-i", floppy.to_str().unwrap(), end.to_str().unwrap(), "::END.COM"]);
    // No more than the 15 keys that a PC keeps while nobody reads them.
    let screen = halts_after(&floppy, "echo hi{Enter}end{Enter}");
    assert!(screen.contains(">echo hi\nhi\n"), "{screen}");
    assert!(screen.ends_with(">end\n"), "{screen}");
}

#[test]
#[ignore = "needs the Debian packages syslinux and mtools; takes a minute where KVM is software"]
fn syslinux_reaches_its_prompt_and_starts_what_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let (floppy, hello) = (folder.path().join("floppy.img"), folder.path().join("hello.bs"));
    fs::File::create(&floppy).unwrap().set_len(1_474_560).unwrap();
    fs::write(&hello, HELLO).unwrap();
    let image = floppy.to_str().unwrap();
    tool("mformat", &["-i", image, "-f", "1440", "::"]);
    tool("syslinux", &["--install", image]);
    tool("mcopy", &["-i", image, hello.to_str().unwrap(), "::HELLO.BS"]);
    let screen = halts_after(&floppy, "hello.bs{Enter}");
    let text = HELLO_SCREEN.lines().next().unwrap();
    assert!(screen.contains(text), "{screen}");
}
