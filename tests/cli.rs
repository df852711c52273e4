//! The command as a user runs it: exit code, standard output and standard error.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::samples::{End, SAMPLES, Sample, cdrom, sample};
use common::terminal::terminal;
use serde_json::Value;
use stepvisor::bios::Ending;
use stepvisor::machine::bootable::CD_ROM;
use tempfile::TempDir;

/// What a command did.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Outcome {
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.env_remove("STEPVISOR_LOG").stdin(Stdio::null());
    command
}

/// Runs `stepvisor` with `args`.
fn stepvisor<'a>(args: impl IntoIterator<Item = &'a str>) -> Outcome {
    command().args(args).output().unwrap().into()
}

/// What `stepvisor` with `args` writes to a terminal as its standard output.
fn on_a_terminal(args: &[&str], no_color: Option<&str>) -> String {
    let (mut screen, end) = terminal();
    let mut command = command();
    command.args(args).env_remove("NO_COLOR").stdout(end).stderr(Stdio::null());
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let mut child = command.spawn().unwrap();
    // Nobody but the child has the other end.
    drop(command);
    let mut bytes = Vec::new();
    // Ends with an error, once the child is gone.
    let _ = screen.read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success());
    String::from_utf8(bytes).unwrap()
}

/// Files for one test, removed at its end.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Files {
        Files { dir: tempfile::tempdir().unwrap() }
    }

    /// The path of `name`, which need not exist.
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// A file with these bytes.
    fn file(&self, name: &str, data: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, data).unwrap();
        path
    }
}

/// `stepvisor run` of a boot sector, with more `args`.
fn run(code: &[u8], args: &[&str]) -> Outcome {
    let files = Files::new();
    let image = files.file("boot.bin", code);
    stepvisor(["run", &image].into_iter().chain(args.iter().copied()))
}

/// The path of a shipped guest.
fn shipped(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/bin").join(file).display().to_string()
}

/// Flags that boot the flat image of `sample`.
fn flags(sample: &Sample) -> Vec<String> {
    if sample.load == 0x7c00 {
        return keys(sample);
    }
    let load = format!("{:#x}", sample.load);
    vec!["--load".to_owned(), load, "--entry".to_owned(), sample.entry.to_string()]
}

/// Flags that type what `sample` asks for.
fn keys(sample: &Sample) -> Vec<String> {
    if sample.keys.is_empty() { vec![] } else { vec!["--keys".to_owned(), sample.keys.to_owned()] }
}

/// Checks that the command line is refused with `code` and a short message that has all of `parts`.
#[track_caller]
fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let Outcome { code: found, stdout, stderr } = stepvisor(args.iter().copied());
    assert_eq!(found, Some(code), "{args:?}: {stderr}");
    assert_eq!(stdout, "", "{args:?}");
    for part in parts {
        assert!(stderr.contains(part), "{args:?}: `{stderr}` does not say `{part}`");
    }
    // A line or two of message; clap adds a blank line and where help is.
    let message = stderr.lines().take_while(|line| !line.is_empty()).count();
    assert!((1..=2).contains(&message), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

// --- Guests that run --------------------------------------------------------------------------------

/// The guests that look for what is not there: how many lines tell of it, and one of them. Twice a port is one line.
const TO_NOTHING: [(&str, usize, &str); 3] = [
    ("fdc", 2, "read of 1 byte from port 0x03f4"),
    ("pci", 2, "read of 4 bytes from port 0x0cfc"),
    ("portio", 1, "read of 1 byte from port 0x1234"),
];

#[test]
fn a_guest_that_does_not_halt_ends_with_the_exit_code_of_its_ending() {
    for sample in &SAMPLES {
        let (code, message) = match sample.end {
            End::Halt | End::Never => continue,
            End::Shutdown => (20, "triple fault"),
            End::Leaves(Ending::NoBootDevice) => (34, "INT 18h"),
            End::Leaves(Ending::Bootstrap) => (36, "INT 19h"),
            End::Leaves(Ending::Returned) => (38, "returned to the firmware"),
            End::Leaves(Ending::PowerOff) => (40, "switched the power off"),
            End::Leaves(Ending::Key) => (42, "waits for a key"),
            End::Leaves(Ending::Reset) | End::Resets => (32, "the machine through"),
            End::Exits(status) => (status as i32, "exit with status"),
        };
        let image = shipped(&format!("{}.bin", sample.name));
        let outcome = stepvisor(["run", &image]);
        assert_eq!(outcome.code, Some(code), "{}: {}", sample.name, outcome.stderr);
        assert_eq!(outcome.stdout, sample.screen, "{}", sample.name);
        assert!(outcome.stderr.contains(message), "{}: {}", sample.name, outcome.stderr);
    }
}

const RUN_OFF: &str = "it has run off the end of its program";

#[test]
fn a_guest_that_has_been_in_zeros_for_a_moment_is_told_of_however_it_ends() {
    let image = tempfile::NamedTempFile::new().unwrap();
    // A little behind the end: jmp $; cli, hlt; jmp 0xa000:0
    let ends =
        [([0xeb, 0xfe, 0, 0, 0], 26), ([0xfa, 0xf4, 0, 0, 0], 0), ([0xea, 0, 0, 0, 0xa0], 44)];
    for (behind, end) in ends {
        // cli; xor ax, ax; xor bx, bx; xor si, si; xor di, di; mov byte [0x7e20 + n], BEHIND
        let mut sector = vec![0xfa, 0x31, 0xc0, 0x31, 0xdb, 0x31, 0xf6, 0x31, 0xff];
        for (at, byte) in (0x20..).zip(behind) {
            sector.extend([0xc6, 0x06, at, 0x7e, byte]);
        }
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        std::fs::write(image.path(), sector).unwrap();
        let path = image.path().to_str().unwrap();
        let outcome = stepvisor(["run", "--timeout", "300ms", path]);
        assert_eq!(outcome.code, Some(end), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches(RUN_OFF).count(), 1, "{}", outcome.stderr);
    }
}

#[test]
fn a_guest_that_has_gone_astray_to_zeros_is_told_from_where() {
    let image = tempfile::NamedTempFile::new().unwrap();
    // mov ax, 0x0e41; int 0x10; then ret, to where the firmware has left something else; jmp 0x1000:0; call 0x9000
    for (code, place, instruction) in [
        (&[0xc3][..], "0000:", "ret"),
        (&[0xea, 0, 0, 0, 0x10], "1000:0000: ", "jmp 0x1000:0x0"),
        (&[0xe8, 0xf8, 0x13], "0000:9000: ", "call"),
    ] {
        let mut sector = vec![0xb8, 0x41, 0x0e, 0xcd, 0x10];
        sector.extend(code);
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        std::fs::write(image.path(), sector).unwrap();
        let outcome = stepvisor(["run", "--timeout", "300ms", image.path().to_str().unwrap()]);
        let from = format!("it has come there from 0000:7C05, `{instruction}");
        let told = outcome.stderr.lines().find(|line| line.contains(&from));
        assert!(told.is_some_and(|line| line.contains(place)), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(RUN_OFF), "{}", outcome.stderr);
    }
}

#[test]
fn zeros_that_are_data_and_a_signature_with_other_code_in_its_place_are_not_told_of() {
    let image = tempfile::NamedTempFile::new().unwrap();
    // mov word [0x7dfe], 0xfeeb; jmp 0x7dfe: a loop in the signature's place
    let over = [0xc7, 0x06, 0xfe, 0x7d, 0xeb, 0xfe, 0xe9, 0xf5, 0x01];
    // jmp $, zeros all around
    for code in [&over[..], &[0xeb, 0xfe]] {
        let mut sector = code.to_vec();
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        std::fs::write(image.path(), sector).unwrap();
        let outcome = stepvisor(["run", "--timeout", "100ms", image.path().to_str().unwrap()]);
        assert_eq!(outcome.code, Some(26), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("end of its program"), "{}", outcome.stderr);
    }
}

#[test]
fn a_guest_that_runs_off_its_end_is_told_of() {
    // mov byte [0x9000], 0xe9; mov word [0x9001], 0xedfd: a jump back to 7E00, far behind the end
    let mut sector = vec![0xc6, 0x06, 0x00, 0x90, 0xe9, 0xc7, 0x06, 0x01, 0x90, 0xfd, 0xed];
    // No zeros in front of the signature: it is told of once, wherever the guest is then.
    sector.resize(510, 0x90);
    sector.extend([0x55, 0xaa]);
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), sector).unwrap();
    let outcome = stepvisor(["run", "--timeout", "300ms", image.path().to_str().unwrap()]);
    assert_eq!(outcome.code, Some(26), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches(RUN_OFF).count(), 1, "{}", outcome.stderr);
    let told = "0000:7DFE: run once more from its start, the guest executes its boot signature";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

#[test]
fn software_interrupts_and_those_of_a_fast_timer_go_together() {
    // A thousand ticks a second, and 20,000 times INT 80h, whose handler only returns.
    let mut sector = vec![
        0x31, 0xc0, 0x8e, 0xd8, 0xc7, 0x06, 0x00, 0x02, 0x22, 0x7c, 0xa3, 0x02, 0x02, 0xb0, 0x34,
        0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40, 0xb9, 0x20, 0x4e, 0xcd, 0x80,
        0xe2, 0xfc, 0xfa, 0xf4, 0xcf,
    ];
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), sector).unwrap();
    for _ in 0..2 {
        let outcome = stepvisor(["run", "--clock", "wall", image.path().to_str().unwrap()]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
}

/// What is told of a boot sector that begins with `code` and does not end.
fn told_of(code: &[u8]) -> String {
    let mut sector = code.to_vec();
    sector.resize(510, 0xf4);
    sector.extend([0x55, 0xaa]);
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), sector).unwrap();
    let outcome = stepvisor(["run", "--timeout", "300ms", image.path().to_str().unwrap()]);
    assert_eq!(outcome.code, Some(26), "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn an_exception_that_only_the_firmware_answers_is_told_of() {
    let then =
        "again and again: the guest has no handler for it, and the firmware's just returns\n";
    let cases: [(&[u8], &str); 3] = [
        // xor bl, bl; div bl
        (&[0x30, 0xdb, 0xf6, 0xf3], "0000:7C02: `div bl` (bytes f6 f3) raises #DE, divide error"),
        // cli; ud2: nobody looks at it before the end
        (&[0xfa, 0x0f, 0x0b], "0000:7C01: `ud2` (bytes 0f 0b) raises #UD, invalid opcode"),
        // mov al, [0xffff], two bytes; its handler is one of devices as well
        (
            &[0xa1, 0xff, 0xff],
            "0000:7C00: `mov ax, [0xffff]` (bytes a1 ff ff) raises #GP, general protection",
        ),
    ];
    for (code, what) in cases {
        let stderr = told_of(code);
        assert_eq!(stderr.matches(&format!("{what}, {then}")).count(), 1, "{stderr}");
    }
}

#[test]
fn of_an_exception_with_a_handler_of_the_guests_nothing_is_told() {
    // DS = 0; mov word [0x18], 0x7c10; mov [0x1a], ax; ud2; nop; at 7C10: iret
    let taken =
        [0x31, 0xc0, 0x8e, 0xd8, 0xc7, 0x06, 0x18, 0x00, 0x10, 0x7c, 0xa3, 0x1a, 0x00, 0x0f, 0x0b];
    let stderr = told_of(&[&taken[..], &[0x90, 0xcf]].concat());
    assert!(!stderr.contains("raises"), "{stderr}");
    // Nor of interrupts that the guest calls, or of the time it spends with the firmware: int 0x40; jmp back
    let stderr = told_of(&[0xcd, 0x40, 0xeb, 0xfc]);
    assert!(!stderr.contains("raises"), "{stderr}");
}

/// How a boot sector ends, and the last line of what is told of it.
fn ends(code: &[u8], flags: &[&str]) -> (Option<i32>, String) {
    let mut sector = code.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), sector).unwrap();
    let image = image.path().to_str().unwrap();
    let Outcome { code, stderr, .. } =
        stepvisor(["run", "--timeout", "20s", image].into_iter().chain(flags.iter().copied()));
    let told = stderr.lines().rfind(|line| line.starts_with("stepvisor: "));
    (code, told.unwrap_or_default().to_owned())
}

#[test]
fn paging_switched_on_works_or_is_refused_whatever_the_guest_makes_of_the_exception() {
    const GATE_TYPE: usize = 81;
    const HANDLER: usize = 0x90;
    // To protected mode with a gate for #GP that leads to the handler, 4 MiB mapped to themselves, mov cr0, eax; hlt.
    let code = [
        0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x16, 0x7a, 0x7c, 0x0f, 0x01, 0x1e, 0x80, 0x7c,
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x1c, 0x7c, 0x08, 0x00, 0x66, 0xb8,
        0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0x00, 0x00, 0xc6, 0x05, 0x00, 0x10,
        0x00, 0x00, 0x83, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xe0, 0x0c,
        0x10, 0x0f, 0x22, 0xe0, 0xc7, 0x05, 0x68, 0x20, 0x00, 0x00, 0x90, 0x7c, 0x08, 0x00, 0xc7,
        0x05, 0x6c, 0x20, 0x00, 0x00, 0x00, 0x8e, 0x00, 0x00, 0x0f, 0x20, 0xc0, 0x0d, 0x00, 0x00,
        0x00, 0x80, 0x0f, 0x22, 0xc0, 0xf4, 0xeb, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93,
        0xcf, 0x00, 0x17, 0x00, 0x62, 0x7c, 0x00, 0x00, 0x7f, 0x00, 0x00, 0x20, 0x00, 0x00,
    ];
    let handlers: [&[u8]; 6] = [
        // jmp $
        &[0xeb, 0xfe],
        // cli; hlt
        &[0xfa, 0xf4],
        // mov al, 7; out 0xf4, al
        &[0xb0, 0x07, 0xe6, 0xf4],
        // push eax; mov eax, 0xfe; out 0x64, al; jmp $
        &[0x50, 0xb8, 0xfe, 0, 0, 0, 0xe6, 0x64, 0xeb, 0xfe],
        // add esp, 4; iret
        &[0x83, 0xc4, 0x04, 0xcf],
        // ud2
        &[0x0f, 0x0b],
    ];
    let mut guests: Vec<Vec<u8>> = handlers
        .into_iter()
        .map(|handler| {
            let mut guest = code.to_vec();
            guest.resize(HANDLER, 0);
            [guest, handler.to_vec()].concat()
        })
        .collect();
    let mut without_gate = code.to_vec();
    assert_eq!(std::mem::take(&mut without_gate[GATE_TYPE]), 0x8e);
    guests.push(without_gate);
    // The same paging, from real mode, with no handler and with one: cli; hlt. What is in brackets is left out there.
    // xor ax, ax; mov ds, ax; [mov word [0x34], 0x7c90; mov [0x36], ax]; mov dword [0x1000], 0x83; mov eax, 0x1000;
    // mov cr3, eax; mov eax, cr4; or al, 0x10; mov cr4, eax; mov eax, cr0; or eax, 0x80000001; mov cr0, eax; hlt
    let begin = [0xfa, 0x31, 0xc0, 0x8e, 0xd8];
    let take = [0xc7, 0x06, 0x34, 0x00, 0x90, 0x7c, 0xa3, 0x36, 0x00];
    let rest = [
        0x66, 0xc7, 0x06, 0x00, 0x10, 0x83, 0x00, 0x00, 0x00, 0x66, 0xb8, 0x00, 0x10, 0x00, 0x00,
        0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xe0, 0x0c, 0x10, 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xc0, 0x66,
        0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, 0xf4,
    ];
    guests.push([&begin[..], &rest].concat());
    let mut with_handler = [&begin[..], &take, &rest].concat();
    with_handler.resize(HANDLER, 0);
    guests.push([&with_handler[..], &[0xfa, 0xf4]].concat());

    // What is behind an end has not been run: the same with cli; hlt before the last MOV.
    let mut halted = [&begin[..], &rest].concat();
    let end = halted.len() - 4;
    halted.splice(end..end, [0xfa, 0xf4]);
    assert_eq!(ends(&halted, &[]).0, Some(0));

    let told = "this host's KVM cannot run `mov cr0, eax` (bytes 0f 22 c0): it switches paging on, which this KVM has in long mode only";
    let refused = ends(&guests[0], &[]).0 != Some(0);
    for (number, guest) in guests.iter().enumerate() {
        // Freely, and stepped.
        for flags in [&[][..], &["--stop-on", "gp"]] {
            let (code, line) = ends(guest, flags);
            assert_eq!(code, Some(if refused { 22 } else { 0 }), "{number} {flags:?}: {line}");
            assert!(!refused || line.contains(told), "{number} {flags:?}: {line}");
        }
    }

    // Values that any processor raises #GP for: mov eax, PG; mov eax, PG and NW and PE.
    let or_eax = code.windows(5).position(|bytes| bytes == [0x0d, 0, 0, 0, 0x80]).unwrap();
    for value in [0x8000_0000u32, 0xa000_0011] {
        let handlers: [(&[u8], _); 3] = [
            (&[0xfa, 0xf4], 0),
            // out 0xf4, al
            (&[0xe6, 0xf4], (value as u8) << 1 | 1),
            // push eax; mov eax, 0xfe; out 0x64, al; jmp $
            (&[0x50, 0xb8, 0xfe, 0, 0, 0, 0xe6, 0x64, 0xeb, 0xfe], 32),
        ];
        for (handler, end) in handlers {
            let mut guest = code.to_vec();
            guest[or_eax] = 0xb8;
            guest[or_eax + 1..or_eax + 5].copy_from_slice(&value.to_le_bytes());
            guest.resize(HANDLER, 0);
            let (code, line) = ends(&[&guest, handler].concat(), &[]);
            assert_eq!(code, Some(end.into()), "{value:#x} {handler:x?}: {line}");
        }
    }
}

#[test]
fn a_call_just_before_paging_is_switched_on_is_no_exception() {
    // cli; mov eax, cr0; or eax, PG and PE; push word 0x202, which may be flags
    let begin = [0xfa, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0, 0, 0x80, 0x68, 0x02, 0x02];
    // call 0:0x7c40; call far [cs:0x7c50]
    let calls: [&[u8]; 2] = [&[0x9a, 0x40, 0x7c, 0, 0], &[0x2e, 0xff, 0x1e, 0x50, 0x7c]];
    for call in calls {
        // mov cr0, eax
        let mut code = [&begin[..], call, &[0x0f, 0x22, 0xc0]].concat();
        code.resize(0x40, 0);
        // cli; hlt
        code.extend([0xfa, 0xf4]);
        code.resize(0x50, 0);
        code.extend([0x40, 0x7c, 0, 0]);
        let (code, line) = ends(&code, &[]);
        assert_eq!(code, Some(0), "{call:x?}: {line}");
    }
}

#[test]
fn every_shipped_guest_shows_its_screen_flat_and_elf() {
    for sample in SAMPLES.iter().filter(|sample| sample.end == End::Halt) {
        let (flat, elf) = (format!("{}.bin", sample.name), format!("{}.elf", sample.name));
        let disc = tempfile::NamedTempFile::new().unwrap();
        let ways = match sample.drive {
            Some(CD_ROM) => {
                std::fs::write(disc.path(), cdrom(sample.bin, 0)).unwrap();
                vec![(flat, vec![])]
            }
            // An ELF is no disk, nor is what goes to an address.
            Some(drive) => vec![(flat, vec!["--drive".to_owned(), drive.to_string()])],
            None => vec![(flat, flags(sample)), (elf, keys(sample))],
        };
        for (file, flags) in ways {
            let image = shipped(&file);
            // Some guests show what they measure.
            let disc = disc.path().to_str().unwrap();
            let guest = match sample.drive {
                Some(CD_ROM) => ["--cdrom", disc],
                _ => ["--memory=64M", &image],
            };
            let args = ["run", "--clock", "virtual"].into_iter().chain(guest);
            let outcome = stepvisor(args.chain(flags.iter().map(String::as_str)));
            assert_eq!(outcome.code, Some(0), "{file}: {}", outcome.stderr);
            assert_eq!(outcome.stdout, sample.screen, "{file}");
            let output = [sample.console, sample.serial].concat();
            assert!(outcome.stderr.starts_with(&output), "{file}: {}", outcome.stderr);
            let notices = &outcome.stderr[output.len()..];
            if let Some((_, lines, one)) = TO_NOTHING.iter().find(|(name, ..)| *name == sample.name)
            {
                assert!(notices.contains(one), "{notices}");
                assert_eq!(notices.trim_start().lines().count(), *lines, "{notices}");
            } else if sample.name == "padding" {
                assert!(notices.contains(RUN_OFF), "{notices}");
                assert_eq!(notices.trim_start().lines().count(), 1, "{notices}");
            } else if sample.screen.starts_with('[') {
                assert!(notices.contains("the screen shows graphics"), "{notices}");
                assert_eq!(notices.trim_start().lines().count(), 1, "{notices}");
            } else {
                assert_eq!(notices, "", "{file}");
            }
        }
    }
}

#[test]
fn the_demo_runs_by_either_spelling() {
    for args in [&["--demo"][..], &["run", "--demo"]] {
        let outcome = stepvisor(args.iter().copied());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        assert_eq!(outcome.stdout, sample("demo").screen);
    }
}

#[test]
fn a_guest_of_the_teaching_kind_runs_at_address_zero() {
    // mov ax, 0xb800; mov es, ax; mov byte [es:0], 'A'; mov byte [es:1], 0x1f; hlt
    let code = [
        0xb8, 0, 0xb8, 0x8e, 0xc0, 0x26, 0xc6, 0x06, 0, 0, 0x41, 0x26, 0xc6, 0x06, 1, 0, 0x1f, 0xf4,
    ];
    for args in [&["--load", "0", "--entry", "0:0"][..], &["--load", "0x0"]] {
        let outcome = run(&code, args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "A\n"), "{outcome:?}");
    }
}

#[test]
fn load_entry_and_drive_reach_the_guest() {
    // mov [0x500], dl; mov ax, cs; out to the debug port: al, ah, dl; cli; hlt
    let code = [0x8c, 0xc8, 0xe6, 0xe9, 0x88, 0xe0, 0xe6, 0xe9, 0x88, 0xd0, 0xe6, 0xe9, 0xfa, 0xf4];
    let outcome = run(&code, &["--load", "0x41420", "--entry", "4142:0", "--drive", "0x43"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "BAC"), "{outcome:?}");
    let outcome = run(&code, &["--drive", "67"]);
    assert_eq!(outcome.stderr, "\0\0C", "{outcome:?}");
}

#[test]
fn an_image_can_come_through_a_pipe() {
    let image = fs::File::open(shipped("hello.bin")).unwrap();
    let output = command().args(["run", "/dev/stdin"]).stdin(image).output().unwrap();
    assert_eq!(Outcome::from(output).stdout, sample("hello").screen);
}

#[test]
fn a_reader_that_leaves_early_breaks_nothing() {
    let mut child = command()
        .args(["run", "--demo"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

// --- Ends of a run ----------------------------------------------------------------------------------

#[test]
fn a_halt_that_nothing_can_end_is_the_normal_end_but_said_when_interrupts_are_on() {
    let outcome = run(&[0xfa, 0xf4], &[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    // mov al, 0xff; out 0x21, al; sti; hlt
    let outcome = run(&[0xb0, 0xff, 0xe6, 0x21, 0xfb, 0xf4], &[]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("halted before 0000:7C06 with interrupts enabled"));
}

#[test]
fn the_guest_chooses_its_exit_code_through_the_exit_port() {
    // mov al, 21; out 0xf4, al
    let outcome = run(&[0xb0, 21, 0xe6, 0xf4], &[]);
    assert_eq!(outcome.code, Some(43));
    assert_eq!(outcome.stderr, "stepvisor: guest exit with status 43\n");
}

#[test]
fn a_triple_fault_is_explained_from_its_first_exception_on() {
    let outcome = stepvisor(["run", &shipped("triple.elf")]);
    let stderr = &outcome.stderr;
    assert!(
        stderr.contains("stepvisor: `ud2` (bytes 0f 0b) raised #UD, invalid opcode\n"),
        "{stderr}"
    );
    let entry = |vector| format!("entry {vector} of the IDT is beyond the table's limit");
    let parts = ["#UD is not delivered", &entry(6), "#GP is not delivered", &entry(13)];
    for part in parts.into_iter().chain(["#DF is not delivered", &entry(8), "shuts down"]) {
        assert!(stderr.contains(part), "`{stderr}` does not say `{part}`");
    }
}

#[test]
fn a_run_ends_at_an_exception_that_the_user_wants_to_stop_on() {
    let outcome = stepvisor(["run", "--stop-on", "gp,ud", &shipped("faults.elf")]);
    assert_eq!(outcome.code, Some(28), "{}", outcome.stderr);
    let text = "0000:7C30: `ud2` (bytes 0f 0b) raises #UD, invalid opcode; its handler has not run";
    assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("EIP=00007c30"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "Divide error at 0000:7C2E, stepping past it.\n");
    let outcome = stepvisor(["run", "--stop-on", "pf", &shipped("faults.elf")]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_run_ends_at_a_breakpoint_in_the_source() {
    // nop; xchg bx, bx; hlt
    let outcome = run(&[0x90, 0x87, 0xdb, 0xf4], &["--break-on", "xchg"]);
    assert_eq!(outcome.code, Some(30), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("0000:7C01: xchg bx, bx, a breakpoint"), "{}", outcome.stderr);
}

#[test]
fn a_run_ends_at_a_stop_that_the_user_has_set() {
    let image = shipped("portio.elf");
    for (stops, line) in [
        (&["--stop-at", "out 0xe9 0x50"][..], "write of 0x50 (1 byte) to port 0x00e9"),
        (&["--stop-at", "int 3, out 0xe9"], "write of 0x50 (1 byte) to port 0x00e9"),
        (
            &["--stop-at", "int 3", "--stop-at", "in 0x1234"],
            "read of 0xff (1 byte) from port 0x1234",
        ),
    ] {
        let outcome = stepvisor([&["run"], stops, &[image.as_str()]].concat());
        assert_eq!(outcome.code, Some(30), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("EIP=00007c"), "{}", outcome.stderr);
    }
    // mov ax, 0x0e41; int 0x10; hlt
    let outcome = run(&[0xb8, 0x41, 0x0e, 0xcd, 0x10, 0xf4], &["--stop-at", "int 0x10 ah=0x0e"]);
    assert_eq!(outcome.code, Some(30), "{}", outcome.stderr);
    let line = "stepvisor: int 0x10 with AH = 0x0e, at 0000:7C03\n";
    assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    let outcome = stepvisor(["run", "--stop-at", "mode", &shipped("protected.elf")]);
    assert_eq!(outcome.code, Some(30), "{}", outcome.stderr);
    let line = "switch from real mode to 16-bit protected mode, at 0000:";
    assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
}

#[test]
fn what_cannot_be_stopped_on_is_named() {
    let image = shipped("hello.elf");
    refused(&["run", "--stop-on", "ud,xx", &image], 2, &["--stop-on", "`xx` is no exception"]);
    let hint = "say `stop-at io PORT`";
    refused(&["run", "--break-on", "port=70", &image], 2, &["--break-on", "`port=70`", hint]);
    refused(&["run", "--stop-at", "out 70000", &image], 2, &["--stop-at", "`70000` is no port"]);
    refused(&["run", "--stop-at", "int", &image], 2, &["--stop-at", "`int` needs a number"]);
}

#[test]
fn a_triple_fault_is_told_with_its_place_and_the_registers() {
    let outcome = stepvisor(["run", &shipped("triple.elf")]);
    assert_eq!(outcome.code, Some(20));
    assert_eq!(outcome.stdout, sample("triple").screen);
    let (first, rest) = outcome.stderr.split_once('\n').unwrap();
    assert!(first.starts_with("stepvisor: 0008:"), "{first}");
    assert!(first.ends_with("triple fault, the processor shut down"), "{first}");
    assert!(!rest.is_empty(), "registers");
}

#[test]
fn a_time_limit_ends_an_endless_run_with_screen_and_registers() {
    let outcome = stepvisor(["run", "--timeout", "50ms", &shipped("addloop.bin")]);
    assert_eq!(outcome.code, Some(26));
    let (first, rest) = outcome.stderr.split_once('\n').unwrap();
    assert_eq!(first, "stepvisor: time limit reached at 0000:7C20");
    assert!(!rest.is_empty(), "registers");
    // A limit that is not reached has no effect.
    let outcome = stepvisor(["run", "--timeout", "10m", &shipped("hello.bin")]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn signals_end_the_run_with_screen_and_registers() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let files = Files::new();
        // mov al, 0xff; out 0x21, al; sti; mov al, 10; out 0xe9, al: a line for us to wait for; jmp $
        let code = [0xb0, 0xff, 0xe6, 0x21, 0xfb, 0xb0, 10, 0xe6, 0xe9, 0xeb, 0xfe];
        let image = files.file("boot.bin", &code);
        let mut child = command()
            .args(["run", &image])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert_eq!(line, "\n");
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        line.clear();
        stderr.read_line(&mut line).unwrap();
        assert_eq!(line, "stepvisor: interrupted at 0000:7C09\n");
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn a_jump_to_where_no_memory_is_says_so() {
    // jmp 0xa000:0, where nothing is
    let outcome = run(&[0xea, 0, 0, 0, 0xa0], &[]);
    assert_eq!(outcome.code, Some(44), "{outcome:?}");
    let first = outcome.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        "stepvisor: A000:0000: the guest has jumped, or run on, to 0xa0000, where the VGA has no memory in its \
         present mode: there is no code"
    );
    // lgdt [0x7c20]; mov eax, cr0; inc ax; mov cr0, eax; jmp 8:0x40000000
    let mut code = vec![0x0f, 0x01, 0x16, 0x20, 0x7c, 0x0f, 0x20, 0xc0, 0x40, 0x0f, 0x22, 0xc0];
    code.extend([0x66, 0xea, 0, 0, 0, 0x40, 8, 0]);
    code.resize(0x20, 0);
    code.extend([0x0f, 0, 0x30, 0x7c, 0, 0]);
    code.resize(0x38, 0);
    code.extend([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0]);
    let outcome = run(&code, &[]);
    assert_eq!(outcome.code, Some(44), "{outcome:?}");
    assert!(outcome.stderr.contains("to 0x40000000, where no memory is: "), "{outcome:?}");
}

#[test]
fn code_in_video_memory_is_named_as_the_reason_why_it_does_not_run() {
    // mov ax, 3; int 10h; jmp 0xb800:0, where blanks are
    let outcome = run(&[0xb8, 3, 0, 0xcd, 0x10, 0xea, 0, 0, 0, 0xb8], &[]);
    assert_eq!(outcome.code, Some(22), "{outcome:?}");
    let first = outcome.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        "stepvisor: B800:0000: this host's KVM cannot run `and [bx], al` (bytes 20 07): the guest executes \
         video memory, and KVM runs nothing from the memory of a device"
    );
}

#[test]
fn a_reader_that_goes_away_does_not_change_how_the_run_ends() {
    for (image, code) in [("triple.bin", 20), ("portio.bin", 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let image = shipped(image);
        let mut child = command()
            .args(["run", "--stats", &image])
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{image}");
    }
}

#[test]
fn a_screen_that_cannot_be_printed_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let image = shipped("hello.bin");
    let outcome: Outcome = command().args(["run", &image]).stdout(full).output().unwrap().into();
    assert_eq!(outcome.code, Some(12));
    assert!(outcome.stderr.contains("cannot print the screen"), "{}", outcome.stderr);
}

#[test]
fn accesses_to_nothing_are_told_ignored_or_end_the_run() {
    // out 0x10, al; in al, 0x10; out 0x10, al; mov [0xa000:0], al; cli; hlt
    let code =
        [0xe6, 0x10, 0xe4, 0x10, 0xe6, 0x10, 0xb8, 0, 0xa0, 0x8e, 0xd8, 0xa2, 0, 0, 0xfa, 0xf4];
    for args in [&[][..], &["--on-unclaimed", "warn"]] {
        let outcome = run(&code, args);
        assert_eq!(outcome.code, Some(0));
        let lines: Vec<_> = outcome.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "one for each place: {lines:?}");
        assert!(lines[0].contains("0000:7C00: write of 0x55 (1 byte) to port 0x0010"), "{lines:?}");
        assert!(lines[1].contains("write of 0x00 (1 byte) to address 0xa0000"), "{lines:?}");
    }
    let outcome = run(&code, &["--on-unclaimed", "ignore"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let outcome = run(&code, &["--on-unclaimed", "stop"]);
    assert_eq!(outcome.code, Some(24));
    assert!(outcome.stderr.starts_with("stepvisor: 0000:7C00: write of"), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1);
}

#[test]
fn output_of_the_guest_and_our_own_lines_never_share_one() {
    // out 0xe9, 'x'; out 0x10, al; cli; hlt
    let outcome = run(&[0xb0, b'x', 0xe6, 0xe9, 0xe6, 0x10, 0xfa, 0xf4], &[]);
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "x");
    assert!(lines[1].starts_with("stepvisor: 0000:7C04: write of 0x78"), "{lines:?}");
}

// --- Keyboard and serial ports -----------------------------------------------------------------------

#[test]
fn serial_output_goes_where_it_is_told() {
    let files = Files::new();
    let (file, sample) = (files.path("com1"), sample("serial"));
    let image = shipped("serial.bin");
    let outcome = stepvisor(["run", "--serial", "-", &image]);
    assert_eq!(outcome.stdout, [sample.serial, sample.screen].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let outcome = stepvisor(["run", "--serial", &file, &image]);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (sample.screen, ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), sample.serial);
    let outcome = stepvisor(["run", "--serial", &files.path("no/where"), &image]);
    assert_eq!(outcome.code, Some(12));
    assert!(outcome.stderr.contains("no/where for COM1: No such file"), "{}", outcome.stderr);
    refused(&["run", "--serial", "-", "--serial", "-", "--serial", "-", &image], 2, &["port 3"]);
    let stdio = ["gdbserver", "--stdio", "--serial", "-", &image];
    refused(&stdio, 2, &["--serial -", "--stdio"]);
}

#[test]
fn a_serial_line_that_takes_nothing_does_not_end_the_run() {
    let outcome = stepvisor(["run", "--serial", "/dev/full", &shipped("serial.bin")]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), sample("serial").screen));
    assert!(outcome.stderr.contains("what COM1 sends is lost: No space left"), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
}

#[test]
fn the_second_serial_port_has_its_own_output() {
    let files = Files::new();
    let (one, two) = (files.path("1"), files.path("2"));
    // mov al, '1'; mov dx, 0x3f8; out dx, al; inc ax; mov dh, 2; out dx, al; cli; hlt
    let code = [0xb0, b'1', 0xba, 0xf8, 3, 0xee, 0x40, 0xb6, 2, 0xee, 0xfa, 0xf4];
    let outcome = run(&code, &["--serial", &one, "--serial", &two]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!([one, two].map(|file| fs::read_to_string(file).unwrap()), ["1", "2"]);
    assert_eq!(run(&code, &[]).stderr, "12");
}

#[test]
fn keys_are_typed_at_their_time_in_the_guest() {
    // Reads two keys by INT 16h, and prints each.
    let code = b"\xb9\x02\x00\x31\xc0\xcd\x16\xb4\x0e\x31\xdb\xcd\x10\xe2\xf4\xfa\xf4";
    for clock in ["virtual", "wall"] {
        let late_first = ["--clock", clock, "--keys-at", "120ms:{Shift+b}", "--keys-at", "60ms:a"];
        let Outcome { code, stdout, stderr } = run(code, &late_first);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "aB\n", ""), "{clock}");
    }
}

#[test]
fn keys_typed_ahead_wait_for_room_in_the_firmwares_buffer() {
    // Waits for 40 ticks of the timer, then reads 40 keys by INT 16h, and prints each.
    let code = b"\xa1\x6c\x04\x05\x28\x00\xf4\x39\x06\x6c\x04\x72\xf9\
        \xb9\x28\x00\x31\xc0\xcd\x16\xb4\x0e\x31\xdb\xcd\x10\xe2\xf4\xfa\xf4";
    let text = "abcdefghijklmnopqrstuvwxyz0123456789.,-=";
    let Outcome { code, stdout, .. } = run(code, &["--clock", "virtual", "--keys", text]);
    assert_eq!((code, stdout.as_str()), (Some(0), &*format!("{text}\n")));
}

/// Has a boot sector echo 100 keys, each of which `next` takes, and gives the ticks that have passed meanwhile: by the
/// wall clock, as many as the host has been slow.
#[track_caller]
fn echo_a_long_text(next: &[u8], clock: &str) -> i32 {
    // sti; mov bp, [0x46c]; mov cx, 100; key: NEXT; mov ah, 14; xor bx, bx; int 0x10; dec cx; jnz key
    let mut code = vec![0xfb, 0x8b, 0x2e, 0x6c, 0x04, 0xb9, 100, 0];
    code.extend(next);
    code.extend([0xb4, 14, 0x31, 0xdb, 0xcd, 0x10, 0x49, 0x75]);
    code.push(0u8.wrapping_sub(next.len() as u8 + 9));
    // mov ax, [0x46c]; sub ax, bp; out 0xf4, al
    code.extend([0xa1, 0x6c, 0x04, 0x29, 0xe8, 0xe6, 0xf4]);
    let text = "abcdefghijklmnopqrstuvwxyz".repeat(4);
    let outcome = run(&code, &["--keys", &text[..100], "--clock", clock]);
    assert_eq!(outcome.stdout.replace('\n', "")[..100], text[..100]);
    outcome.code.unwrap() >> 1
}

/// `mov ah, 0; int 0x16`
const WAITS: &[u8] = &[0xb4, 0, 0xcd, 0x16];
/// `mov ah, 1; int 0x16; jz; mov ah, 0; int 0x16`
const LOOKS: &[u8] = &[0xb4, 1, 0xcd, 0x16, 0x74, 0xfa, 0xb4, 0, 0xcd, 0x16];

#[test]
fn a_long_text_goes_as_fast_as_the_guest_takes_it_unless_it_looks_at_keys_itself() {
    // in al, 0x60, and as WAITS
    const READS: &[u8] = &[0xe4, 0x60, 0xb4, 0, 0xcd, 0x16];
    for next in [WAITS, LOOKS] {
        let ticks = echo_a_long_text(next, "virtual");
        assert!(ticks < 10, "{ticks}");
    }
    // A key each 65 ms, as the guest may look once a tick at what is held.
    let ticks = echo_a_long_text(READS, "virtual");
    assert!((110..=125).contains(&ticks), "{ticks}");
}

#[test]
fn no_key_of_a_long_text_is_lost_by_the_wall_clock() {
    for next in [WAITS, LOOKS] {
        echo_a_long_text(next, "wall");
    }
}

#[test]
fn keys_at_no_time_are_refused() {
    for (keys, expected) in [
        ("hi", "`hi` is not TIME:KEYS, such as 500ms:hi{Enter}"),
        ("soon:hi", "soon"),
        ("1s:{Foo}", "no key is called `Foo`"),
    ] {
        refused(&["run", "--demo", "--keys-at", keys], 2, &["--keys-at", expected]);
    }
    let endless = format!("1s:{}", "a".repeat(40_000));
    refused(&["run", "--demo", "--keys-at", &endless], 2, &["--keys-at", "no room"]);
}

#[test]
fn keys_that_no_keyboard_has_are_named_with_their_place() {
    let image = shipped("keyboard.bin");
    let cases = [
        ("hé", "character 2: no key of a US keyboard types 'é'"),
        ("hi{Entr}", "character 4: no key is called `Entr`"),
        ("a{F1", "character 2: the brace is not closed"),
    ];
    for (keys, expected) in cases {
        refused(&["run", "--keys", keys, &image], 2, &["--keys", expected]);
    }
}

#[test]
fn a_guest_that_resets_the_machine_ends_the_run_with_a_code_of_its_own() {
    let reset = |code: &[u8], place: &str| {
        let outcome = run(code, &[]);
        assert_eq!(outcome.code, Some(32), "{outcome:?}");
        let (location, port) = place.split_once(' ').unwrap();
        let expected =
            format!("stepvisor: {location}: the guest resets the machine through port {port}\n");
        assert_eq!(outcome.stderr, expected);
    };
    // mov al, 0xfe; out 0x64, al; hlt
    reset(&[0xb0, 0xfe, 0xe6, 0x64, 0xf4], "0000:7C02 0x0064");
    // mov al, 1; out 0x92, al; hlt
    reset(&[0xb0, 0x01, 0xe6, 0x92, 0xf4], "0000:7C02 0x0092");
    // mov dx, 0xcf9; mov al, 6; out dx, al; hlt
    reset(&[0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4], "0000:7C05 0x0cf9");
}

#[test]
fn a_guest_that_switches_the_power_off_by_a_port_ends_the_run_with_the_code_for_that() {
    // mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt
    let outcome = run(&[0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4], &[]);
    assert_eq!(outcome.code, Some(40), "{outcome:?}");
    let expected = "stepvisor: 0000:7C06: the guest switches the power off through port 0x0604\n";
    assert_eq!(outcome.stderr, expected);
}

// --- Files that a run writes ------------------------------------------------------------------------

#[test]
fn the_screen_goes_to_files_as_text_and_as_a_picture() {
    let files = Files::new();
    let (text, picture) = (files.path("screen.txt"), files.path("screen.PNG"));
    let image = shipped("hello.bin");
    let outcome = stepvisor(["run", "--screen", &text, "--screen", &picture, &image]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout, sample("hello").screen);
    assert_eq!(fs::read_to_string(text).unwrap(), sample("hello").screen);
    let picture = fs::read(picture).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    // The header says 80 cells of 8 or 9 dots by 25 rows of 16.
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert!(matches!((number(16), number(20)), (640 | 720, 400)));
}

#[test]
fn graphics_are_named_where_there_is_no_terminal_and_written_as_a_picture() {
    let files = Files::new();
    let image = shipped("modex.bin");
    let outcome = stepvisor(["run", &image]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), sample("modex").screen));
    assert!(outcome.stderr.contains("--screen FILE.png"), "{}", outcome.stderr);
    let (text, path) = (files.path("screen.txt"), files.path("screen.png"));
    let outcome = stepvisor(["run", "--screen", &text, "--screen", &path, &image]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(text).unwrap(), sample("modex").screen);
    let picture = fs::read(path).unwrap();
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (320, 240));
}

#[test]
fn a_screen_that_cannot_be_written_does_not_hide_how_the_run_ended() {
    let files = Files::new();
    let path = files.path("screen.txt");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let outcome = stepvisor(["run", "--screen", &path, &shipped("triple.bin")]);
    assert_eq!(outcome.code, Some(12));
    assert_eq!(outcome.stdout, sample("triple").screen);
    assert!(outcome.stderr.contains("triple fault"), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap();
    let expected = format!("stepvisor: cannot write the screen to `{path}`: No space left");
    assert!(last.starts_with(&expected), "{last}");
    assert_eq!(last.matches("No space left").count(), 1, "{last}");
}

#[test]
fn files_that_cannot_be_written_are_an_error_before_the_run() {
    let files = Files::new();
    let (screen, report) = (files.path("missing/screen.png"), files.path("missing/report.json"));
    let image = shipped("hello.bin");
    let error = "No such file";
    refused(
        &["run", "--screen", &screen, &image],
        12,
        &["cannot write the screen", &screen, error],
    );
    refused(
        &["run", "--report", &report, &image],
        12,
        &["cannot write the report", &report, error],
    );
}

#[test]
fn statistics_share_the_time_and_count_the_exits() {
    let outcome = stepvisor(["run", "--stats", &shipped("banner.elf")]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), sample("banner").screen));
    for part in ["HLT", "all", "writes queued by KVM without an exit:", "in KVM and the guest"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    // A letter is two bytes, each a write; hardly any may cost an exit of its own.
    let queued = outcome.stderr.split("without an exit: ").nth(1).unwrap();
    let queued: u64 = queued.lines().next().unwrap().parse().unwrap();
    let all = outcome.stderr.lines().find(|line| line.starts_with("all")).unwrap();
    let exits: u64 = all.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(queued > 600 && exits * 10 < queued, "{}", outcome.stderr);
}

#[test]
fn a_trace_is_json_with_every_exit_in_order() {
    let files = Files::new();
    let path = files.path("trace.json");
    let outcome = stepvisor(["run", "--trace", &path, &shipped("portio.bin")]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let trace: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let (events, queued): (Vec<&Value>, Vec<&Value>) =
        trace.as_array().unwrap().iter().partition(|event| event["ph"] == "X");
    // The screen was written behind the exits: two bytes a cell, at most.
    assert!(!queued.is_empty(), "no queued writes");
    for event in queued {
        assert_eq!(event["name"], "queued MMIO write");
        assert!(event["args"]["address"].as_str().unwrap().starts_with("0xb8"), "{event}");
    }
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap();
    for pair in events.windows(2) {
        let end = number(pair[0], "ts") + number(pair[0], "dur");
        assert!(end <= number(pair[1], "ts") + 0.001, "{pair:?}");
    }
    for event in &events {
        assert_eq!(event["cat"], "exit");
        assert!(event["args"]["at"].as_str().unwrap().starts_with("0000:7C"), "{event}");
    }
    let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], *names.last().unwrap()), ("port write", "HLT"));
    assert_eq!(names.iter().filter(|name| **name == "port read").count(), 3);
    let first = &events[0]["args"];
    assert_eq!((&first["port"], &first["data"]), (&Value::from("0x0080"), &Value::from("42")));
    // All that the guest wrote to its debug console, byte by byte and by rep outsb.
    let written: String = events
        .iter()
        .filter(|event| event["name"] == "port write" && event["args"]["port"] == "0x00e9")
        .filter(|event| event["args"]["size"] == 1)
        .map(|event| event["args"]["data"].as_str().unwrap())
        .collect();
    let expected: String = sample("portio")
        .console
        .trim_end_matches('!')
        .bytes()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(written, expected);
}

#[test]
fn a_trace_that_cannot_be_created_is_an_error_before_the_run() {
    let files = Files::new();
    let path = files.path("missing/trace.json");
    let image = shipped("hello.bin");
    refused(&["run", "--trace", &path, &image], 12, &["cannot create the trace", &path]);
}

#[test]
fn a_trace_of_a_run_that_fails_is_complete_too() {
    let files = Files::new();
    let path = files.path("trace.json");
    stepvisor(["run", "--trace", &path, &shipped("triple.bin")]);
    let trace: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(trace.as_array().unwrap().last().unwrap()["name"], "shutdown");
}

// --- Bad input --------------------------------------------------------------------------------------

#[test]
fn without_arguments_the_command_says_what_to_do() {
    let outcome = stepvisor([]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    for part in ["--demo", "run", "Usage: stepvisor", "Exit codes:"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    refused(&["run"], 2, &["no guest to boot", "name an image", "--demo"]);
    let help = stepvisor(["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("Exit codes:"));
    assert_eq!(stepvisor(["--version"]).stdout.split(' ').next(), Some("stepvisor"));
}

#[test]
fn an_image_that_cannot_be_read_is_named() {
    let files = Files::new();
    let missing = files.path("missing.bin");
    refused(&["run", &missing], 4, &[&missing, "No such file"]);
    let directory = files.path("");
    refused(&["run", &directory], 4, &[&directory, "(a directory)"]);
    let empty = files.file("empty.bin", b"");
    refused(&["run", &empty], 4, &[&empty, "the image is empty"]);
    for name in ["guests/hello.asm", "guests/hello.gdb"] {
        refused(&["run", name], 4, &[name, "not a program", "nasm -f bin"]);
        refused(&["gdbserver", "--stdio", name], 4, &[name, "not a program"]);
    }
    // Root may read anything.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        let secret = files.file("secret.bin", &[0xf4]);
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        refused(&["run", &secret], 4, &[&secret, "Permission denied"]);
    }
}

#[test]
fn an_image_that_does_not_fit_is_refused_with_the_memory_there_is() {
    let files = Files::new();
    let image = files.file("large.bin", &vec![0x90; 0xa_0000]);
    let parts = [image.as_str(), "does not fit", "0x0-0x9ffff, 0xc0000-0xfffff"];
    refused(&["run", "--memory", "1M", &image], 4, &parts);
    refused(&["run", "--memory", "1M", "--load", "0x1", &image], 4, &parts);
    assert_eq!(
        stepvisor(["run", "--memory", "1M", "--load", "0", "--timeout", "1ms", &image]).code,
        Some(26),
        "to the last byte"
    );
    let small = files.file("small.bin", &[0xf4]);
    for address in ["0xa0000", "0x100000", "0xffffffffffffffff"] {
        refused(&["run", "--memory", "1M", "--load", address, &small], 4, &["1 bytes at", address]);
    }
    // Without an end: no more is read than could fit.
    refused(&["run", "--memory", "1M", "/dev/zero"], 4, &["/dev/zero", "does not fit"]);
}

/// The bytes of a shipped ELF, changed at some offsets.
fn damaged(name: &str, changes: &[(usize, u8)]) -> Vec<u8> {
    let mut elf = fs::read(shipped(name)).unwrap();
    changes.iter().for_each(|(at, byte)| elf[*at] = *byte);
    elf
}

#[test]
fn an_elf_that_no_pc_can_boot_is_refused_with_the_reason() {
    let files = Files::new();
    type Damage = &'static [(usize, u8)];
    let cases: [(&str, Damage, &str); 4] = [
        ("hello.elf", &[(18, 183)], "for machine 183 (AArch64), not for x86"),
        ("long.elf", &[(18, 243)], "for machine 243 (RISC-V), not for x86"),
        ("hello.elf", &[(16, 1)], "not an executable (type 1): link it with ld first"),
        ("hello.elf", &[(4, 9)], "damaged"),
    ];
    for (name, changes, reason) in cases {
        let image = files.file(name, &damaged(name, changes));
        refused(&["run", &image], 4, &[&image, reason]);
    }
    let cut = files.file("cut.elf", &damaged("hello.elf", &[])[..60]);
    refused(&["run", &cut], 4, &[&cut, "damaged"]);
    // Its entry point, at offset 24, beyond what real mode reaches.
    let high = files.file("high.elf", &damaged("hello.elf", &[(26, 0x20)]));
    refused(&["run", &high], 4, &["0x207c00 is out of reach in real mode", "--entry SEG:OFF"]);
    assert_eq!(stepvisor(["run", "--entry", "0:7c00", &high]).code, Some(0));
    let image = shipped("hello.elf");
    refused(&["run", "--load", "0", &image], 2, &[&image, "--load is for flat images"]);
}

#[test]
fn a_flag_that_does_not_parse_is_named_with_what_it_should_look_like() {
    let image = shipped("hello.bin");
    let cases = [
        ("--entry", "7c00", "such as 07C0:0000"),
        ("--entry", "0:10000", "such as 07C0:0000"),
        ("--entry", "", "such as 07C0:0000"),
        ("--load", "7c00", "such as 31744 or 0x7c00"),
        ("--load", "-1", "such as 31744 or 0x7c00"),
        ("--load", "0x1ffffffffffffffff", "such as 31744 or 0x7c00"),
        ("--memory", "640K", "between 1M and 3G"),
        ("--memory", "4G", "between 1M and 3G"),
        ("--memory", "much", "such as 640K, 16M or 1G"),
        ("--drive", "256", "between 0x00 and 0xff"),
        ("--drive", "C:", "is not a number"),
        ("--timeout", "5", "such as 500ms, 10s or 2m"),
        ("--timeout", "99999999999999999999s", "such as 500ms, 10s or 2m"),
        ("--on-unclaimed", "explode", "[possible values: warn, ignore, stop]"),
    ];
    for (flag, value, expected) in cases {
        let assignment = format!("{flag}={value}");
        refused(&["run", &assignment, &image], 2, &[flag, value, expected]);
    }
    for name in ["screen", "screen.jpg", "screen.txt.gz"] {
        refused(&["run", "--screen", name, &image], 2, &["--screen", name, ".txt or .png"]);
    }
    refused(&["run", "--frobnicate", &image], 2, &["--frobnicate"]);
    refused(&["run", "--demo", &image], 2, &["--demo"]);
    refused(&["frobnicate"], 2, &["frobnicate"]);
}

/// Runs the command with `args` where /dev/kvm is what `prepare` makes of it; nothing if this system does not
/// let us.
fn with_other_kvm(prepare: &str, args: &[&str]) -> Option<Outcome> {
    let script = format!("{prepare} && exec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .arg(env!("CARGO_BIN_EXE_stepvisor"))
        .args(args)
        .output()
        .ok()?;
    let outcome = Outcome::from(output);
    // 1: unshare or mount refused.
    (outcome.code != Some(1)).then_some(outcome)
}

#[test]
fn a_host_without_kvm_is_told_what_to_do() {
    let run = ["run", &shipped("hello.bin")];
    let Some(outcome) = with_other_kvm("mount -t tmpfs none /dev", &run) else { return };
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
    assert!(outcome.stderr.contains("/dev/kvm does not exist: load the kernel module"));
    assert_eq!(outcome.stderr.lines().count(), 1);
    let null = "mount --bind /dev/null /dev/kvm";
    let Some(outcome) = with_other_kvm(null, &run) else { return };
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
}

/// A gdb of ours, so that no test depends on the one that is installed.
fn fake_gdb(files: &Files) -> String {
    let script = "#!/bin/sh\ncase \"$1\" in --version) echo GNU gdb 99.1;; *) echo 42;; esac\n";
    let path = files.file("gdb", script.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

#[test]
fn doctor_tells_what_the_host_does_and_what_follows() {
    let files = Files::new();
    let gdb = fake_gdb(&files);
    let outcome = stepvisor(["doctor", "--gdb", &gdb]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    for line in [
        concat!("stepvisor   ", env!("CARGO_PKG_VERSION")),
        "KVM         can be used, API version 12",
        "gdb         GNU gdb 99.1, with Python",
        "What this host's KVM does",
        "  execute breakpoints fire in ",
        "  general detect stops at MOV DR    ",
        "What the debugger therefore does:",
        "  more breakpoints                  stepping, tens of times slower",
        "What is impossible or not right on this host:",
    ] {
        let found = outcome.stdout.lines().any(|printed| printed.starts_with(line));
        assert!(found, "{line}\n{}", outcome.stdout);
    }
}

#[test]
fn doctor_tells_programs_the_same_under_stable_keys() {
    let files = Files::new();
    let outcome = stepvisor(["doctor", "--json", "--gdb", &fake_gdb(&files)]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let report = json(&outcome);
    assert_eq!(report["stepvisor"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["kvm"]["usable"], true);
    assert_eq!(report["kvm"]["api_version"], 12);
    assert_eq!(report["kvm"]["capabilities"][0]["name"], "USER_MEMORY");
    assert_eq!(report["gdb"]["version"], "GNU gdb 99.1");
    assert_eq!(report["gdb"]["python"], true);
    for key in ["execute_breakpoints", "data_breakpoints"] {
        for mode in ["real", "protected", "long", "user"] {
            assert!(report["facts"][key][mode].is_boolean(), "{key}, {mode}");
        }
    }
    assert!(report["facts"]["general_detect"].is_boolean());
    assert!(report["facts"]["step"]["rep"].is_string());
    assert!(report["facts"]["endless"]["int_80h_real"].is_boolean());
    assert!(report["facts"]["refused"]["x87"].is_boolean());
    assert!(report["probe_milliseconds"].is_number());
    assert_eq!(report["mechanisms"]["more_breakpoints"], "step-engine");
    assert_eq!(report["mechanisms"]["watch_device_memory"], "device-model");
    assert!(report["impossible"].is_array());
}

#[test]
fn doctor_is_of_use_without_kvm() {
    let files = Files::new();
    let gdb = fake_gdb(&files);
    let prepare = "mount -t tmpfs none /dev && touch /dev/null";
    let Some(outcome) = with_other_kvm(prepare, &["doctor", "--gdb", &gdb]) else { return };
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
    assert!(outcome.stdout.contains("cannot be used: /dev/kvm does not exist: load the kernel"));
    assert!(outcome.stdout.contains("GNU gdb 99.1"), "{outcome:?}");
    let args = ["doctor", "--json", "--gdb", &gdb];
    let Some(outcome) = with_other_kvm(prepare, &args) else { return };
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
    let report = json(&outcome);
    assert_eq!(report["kvm"]["usable"], false);
    assert!(report["kvm"]["error"].as_str().unwrap().contains("/dev/kvm does not exist"));
    assert_eq!(report["facts"], Value::Null);
}

#[test]
fn doctor_misses_gdb() {
    let outcome = stepvisor(["doctor", "--gdb", "/nowhere/gdb"]);
    assert_eq!(outcome.code, Some(10), "{outcome:?}");
    assert!(outcome.stdout.contains("/nowhere/gdb: not installed: apt-get install gdb"));
    let report = json(&stepvisor(["doctor", "--json", "--gdb", "/nowhere/gdb"]));
    assert_eq!(report["gdb"]["usable"], false);
    assert_eq!(report["gdb"]["version"], Value::Null);
}

#[test]
fn doctor_does_not_take_a_program_that_fails_for_gdb() {
    let outcome = stepvisor(["doctor", "--gdb", "/bin/false"]);
    assert_eq!(outcome.code, Some(10), "{outcome:?}");
    assert!(outcome.stdout.contains("/bin/false: --version fails: exit status: 1"), "{outcome:?}");
}

#[test]
fn paths_that_are_not_text_are_no_problem() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let files = Files::new();
    let path: PathBuf = files.dir.path().join(OsStr::from_bytes(b"gu\xffest.bin"));
    fs::write(&path, [0xfa, 0xf4]).unwrap();
    let outcome = Outcome::from(command().arg("run").arg(&path).output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_screen_has_colours_on_a_terminal_unless_the_user_wants_none() {
    let screen = |no_color| on_a_terminal(&["run", "guests/bin/hello.bin"], no_color);
    assert!(screen(None).contains("\x1b["), "{:?}", screen(None));
    assert!(screen(Some("")).contains("\x1b["));
    let plain = screen(Some("1"));
    assert!(!plain.contains('\x1b') && plain.contains("Hello"), "{plain:?}");
}

#[test]
fn a_file_in_place_of_a_subcommand_is_what_to_run() {
    for file in ["guests/bin/hello.bin", "boot.bin", "./boot"] {
        let hint = format!("did you mean `stepvisor run {file}`?");
        let Outcome { code, stderr, .. } = stepvisor([file]);
        assert_eq!(code, Some(2));
        assert!(stderr.contains(&hint), "{stderr}");
    }
    assert!(!stepvisor(["runn"]).stderr.contains("did you mean"));
    refused(&["run", "--demo", "--load", "7c00"], 2, &["in hexadecimal it is 0x7c00"]);
}

#[test]
fn the_gdb_script_is_printed_or_kept_in_a_file_whose_path_is_printed() {
    let printed = stepvisor(["gdb-script"]);
    let files = Files::new();
    let cache = files.path("cache");
    for _ in 0..2 {
        let mut command = command();
        let outcome = command.args(["gdb-script", "--file"]).env("XDG_CACHE_HOME", &cache).output();
        let Outcome { code, stdout, stderr } = outcome.unwrap().into();
        assert_eq!(
            (code, stdout.as_str()),
            (Some(0), &*format!("{cache}/stepvisor/stepvisor.gdb\n"))
        );
        assert_eq!(stderr, "");
        // gdb's commands and Python are in a file each: gdb reads its own ones slowly.
        let commands = fs::read_to_string(stdout.trim_end()).unwrap();
        let source = format!("source {cache}/stepvisor/stepvisor.py");
        assert_eq!(commands.lines().filter(|line| *line == source).count(), 1, "{commands}");
        let python = fs::read_to_string(format!("{cache}/stepvisor/stepvisor.py")).unwrap();
        assert_eq!(commands.replace(&source, &format!("python\n{python}end")), printed.stdout);
    }
    let nowhere = files.file("file", b"");
    let outcome = command().args(["gdb-script", "--file"]).env("XDG_CACHE_HOME", nowhere).output();
    let Outcome { code, stderr, .. } = outcome.unwrap().into();
    assert_eq!(code, Some(12));
    assert!(stderr.contains("cannot write"), "{stderr}");
}

#[test]
fn a_sector_without_the_boot_signature_is_told_of_once() {
    const NOTICE: &str = "stepvisor: no boot signature 55 AA at byte 510";
    let files = Files::new();
    let sector = |len: usize, mark: &[u8]| {
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(b"\xfa\xf4");
        bytes[510..512].copy_from_slice(mark);
        bytes
    };
    let unmarked = files.file("unmarked.bin", &sector(512, &[0, 0]));
    let marked = files.file("marked.bin", &sector(512, b"\x55\xaa"));
    let longer = files.file("longer.bin", &sector(513, &[0, 0]));
    let told = |args: &[&str]| {
        let Outcome { code, stderr, .. } = stepvisor(args.iter().copied());
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        stderr.matches(NOTICE).count()
    };
    assert_eq!(told(&["run", &unmarked]), 1);
    for other in [
        ["run", &marked].as_slice(),
        &["run", &longer],
        &["run", "--bios", "none", &unmarked],
        &["run", "--load", "0x8000", &unmarked],
    ] {
        assert_eq!(told(other), 0, "{other:?}");
    }
    let server = ["gdbserver", "--stdio", &unmarked];
    assert_eq!(told(&server), 1);
    // A gdb that ends at once.
    assert_eq!(told(&["debug", "--gdb", "true", &unmarked]), 1);
}
