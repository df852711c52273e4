//! What comes in at the serial ports: files, pipes and terminals, heard by guests that ask and by guests that are
//! interrupted.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::terminal::terminal;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

/// Sends `>`, then what it hears by INT 14h, up to and without a `q`, at which it halts.
const POLLING: &[u8] =
    b"\x31\xd2\xb8\xe3\x00\xcd\x14\xb8\x3e\x01\xcd\x14\xb4\x02\xcd\x14\xf6\xc4\x80\x75\xf7\
                         \x3c\x71\x74\x06\xb4\x01\xcd\x14\xeb\xed\xfa\xf4";

/// The same by interrupts, asleep between them; clears its receiver as it begins.
const INTERRUPTED: &[u8] = b"\xfa\x31\xc0\x8e\xd8\xc7\x06\x30\x00\x30\x7c\xa3\x32\x00\xba\xfb\x03\xb0\x03\xee\x4a\xb0\xc7\xee\
                             \xba\xfc\x03\xb0\x0b\xee\xba\xf9\x03\xb0\x01\xee\xb0\xef\xe6\x21\x4a\xb0\x3e\xee\xfb\xf4\xeb\xfd\
                             \xba\xfd\x03\xec\xa8\x01\x74\x0b\xba\xf8\x03\xec\x3c\x71\x74\x08\xee\xeb\xed\xb0\x20\xe6\x20\xcf\
                             \xfa\xf4";

/// Says on COM2 what it hears there, in the same way.
const SECOND: &[u8] = b"\xba\x01\x00\xb8\xe3\x00\xcd\x14\xb4\x02\xcd\x14\xf6\xc4\x80\x75\xf7\x3c\x71\x74\x06\xb4\x01\xcd\
                        \x14\xeb\xed\xfa\xf4";

/// A guest, with a folder of its own.
struct Guest {
    folder: TempDir,
}

impl Guest {
    fn new(code: &[u8]) -> Guest {
        let guest = Guest { folder: TempDir::new().unwrap() };
        let mut sector = code.to_vec();
        sector.resize(510, 0);
        sector.extend_from_slice(b"\x55\xaa");
        fs::write(guest.path("boot.bin"), sector).unwrap();
        guest
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `stepvisor run` of it, COM1 on standard output and nothing else said.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
        command.arg("run").arg(self.path("boot.bin")).args(["--serial", "-"]);
        command.env_remove("STEPVISOR_LOG").stderr(Stdio::null());
        command
    }

    /// The same, which hears its standard input.
    fn start(&self, clock: &str) -> Line {
        let mut command = self.command();
        command.args(["--serial-in", "-", "--clock", clock]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Line { child, input, output }
    }
}

/// The other end of a serial line.
struct Line {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

impl Line {
    fn send(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next `len` bytes that the guest sends.
    fn hear(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.output.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Hangs up, and waits for the end.
    fn end(mut self) -> Option<i32> {
        self.input = None;
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_guest_hears_what_is_piped_to_it_when_it_comes() {
    for code in [POLLING, INTERRUPTED] {
        for clock in ["wall", "virtual"] {
            let guest = Guest::new(code);
            let mut line = guest.start(clock);
            assert_eq!(line.hear(1), b">");
            for said in ["a", "bcd", "and a whole sentence, which no receiver has room for"] {
                line.send(said.as_bytes());
                assert_eq!(String::from_utf8(line.hear(said.len())).unwrap(), said);
            }
            line.send(b"q");
            assert_eq!(line.end(), Some(0), "{clock}");
        }
    }
}

#[test]
fn what_is_sent_before_the_guest_is_ready_is_not_lost() {
    for code in [POLLING, INTERRUPTED] {
        let guest = Guest::new(code);
        let said: Vec<u8> = (0..5000_u16).map(|n| b'0' + (n % 64) as u8).collect();
        let said: Vec<u8> = said.into_iter().filter(|byte| *byte != b'q').collect();
        fs::write(guest.path("said"), [said.as_slice(), b"q, and more that nobody hears"].concat())
            .unwrap();
        let output = guest.command().arg("--serial-in").arg(guest.path("said")).output().unwrap();
        let heard = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8(said).unwrap();
        assert!(heard.starts_with(&format!(">{said}")), "{heard}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_guest_that_waits_for_more_has_ended_when_nobody_sends_any() {
    let guest = Guest::new(INTERRUPTED);
    let mut line = guest.start("wall");
    assert_eq!(line.hear(1), b">");
    line.send(b"x");
    assert_eq!(line.hear(1), b"x");
    assert_eq!(line.end(), Some(0));
}

#[test]
fn each_of_the_two_ports_hears_its_own() {
    let guest = Guest::new(SECOND);
    fs::write(guest.path("one"), "oneq").unwrap();
    fs::write(guest.path("two"), "twoq").unwrap();
    let mut command = guest.command();
    command.arg("--serial").arg(guest.path("out"));
    command.arg("--serial-in").arg(guest.path("one")).arg("--serial-in").arg(guest.path("two"));
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    assert_eq!(fs::read_to_string(guest.path("out")).unwrap(), "two");
}

#[test]
fn on_a_terminal_each_key_is_sent_at_once_and_only_the_guest_shows_it() {
    let guest = Guest::new(POLLING);
    let (mut keyboard, end) = terminal();
    let before = tcgetattr(&end).unwrap();
    assert!(before.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    let mut command = guest.command();
    command.args(["--serial-in", "-"]).stdin(end.try_clone().unwrap());
    let mut child = command.stdout(end.try_clone().unwrap()).spawn().unwrap();
    let mut heard = [0; 3];
    keyboard.read_exact(&mut heard[..1]).unwrap();
    keyboard.write_all(b"k\r").unwrap();
    keyboard.read_exact(&mut heard[1..]).unwrap();
    assert_eq!(heard, *b">k\r");
    keyboard.write_all(b"q").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let after = tcgetattr(&end).unwrap();
    assert_eq!((after.local_modes, after.input_modes), (before.local_modes, before.input_modes));
}

#[test]
fn who_leaves_a_console_by_an_interrupt_is_told_the_place_alone() {
    let guest = Guest::new(POLLING);
    let (mut keyboard, end) = terminal();
    let mut command = guest.command();
    command.args(["--serial-in", "-"]).stdin(end.try_clone().unwrap()).stdout(end);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    keyboard.read_exact(&mut [0]).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(matches!(lines[..], ["", line] if line.starts_with("stepvisor: left at ")), "{text}");
}

#[test]
fn on_a_terminal_our_lines_begin_behind_the_guests() {
    // Sends `ab`, or `b` and LF, and gives up booting.
    for (code, heard) in [
        (b"\xba\xf8\x03\xb0a\xee\xb0b\xee\xcd\x18", "ab\r\nstepvisor: "),
        (b"\xba\xf8\x03\xb0b\xee\xb0\n\xee\xcd\x18", "b\r\nstepvisor: "),
    ] {
        let guest = Guest::new(code);
        let (mut keyboard, end) = terminal();
        let mut command = guest.command();
        command.args(["--serial-in", "-"]).stdin(end.try_clone().unwrap());
        let mut child = command.stdout(end.try_clone().unwrap()).stderr(end).spawn().unwrap();
        let mut text = vec![0; heard.len()];
        keyboard.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), heard);
        assert_eq!(child.wait().unwrap().code(), Some(34));
    }
}

#[test]
fn what_cannot_be_heard_is_an_error() {
    let guest = Guest::new(POLLING);
    let said = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
        command.args(&args[..1]).arg(guest.path("boot.bin")).args(&args[1..]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = said(&["run", "--serial-in", "/nowhere/line"]);
    assert_eq!(code, Some(12));
    assert!(text.contains("cannot read /nowhere/line for COM1"), "{text}");
    let (code, text) =
        said(&["run", "--serial-in", "-", "--serial-in", "-", "--serial-in", "/dev/null"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("there is no serial port 3"), "{text}");
    for args in
        [["debug", "--serial-in", "-"].as_slice(), &["gdbserver", "--stdio", "--serial-in", "-"]]
    {
        let (code, text) = said(args);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("--serial-in - would take"), "{text}");
    }
}
