//! Disks as a user attaches them: what is booted, where writes go, what is refused.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::samples::{Sample, cdrom, sample};
use common::{AX, machine_with_firmware, record};
use stepvisor::disk::{Files, SECTOR_SIZE};
use stepvisor::machine::bootable::Order;
use stepvisor::machine::{Boot, Machine, StopReason};
use stepvisor::x86::Phys;
use tempfile::TempDir;

/// The track that the guest `formatting` formats: cylinder 5, head 1.
const FORMATTED: usize = (5 * 2 + 1) * 18 * SECTOR_SIZE;

/// Files of a test, in a folder of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Exit code, standard output and standard error of `stepvisor run`.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.args(["run", "--clock", "virtual"]).args(args).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// It ends with HLT, and the screen of `sample`.
fn shows(args: &[&str], sample: &Sample) {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stdout.as_str()), (Some(0), sample.screen), "{args:?}: {stderr}");
    assert_eq!(stderr, "", "{args:?}");
}

/// It ends with the code `expected`, and a message that has all of `parts`.
fn refused(args: &[&str], expected: i32, parts: &[&str]) {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stdout.as_str()), (Some(expected), ""), "{args:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{args:?}: no `{part}` in: {stderr}");
    }
    assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
}

#[test]
fn a_floppy_and_a_hard_disk_boot_by_their_flags() {
    let folder = Folder::new();
    let floppy = folder.file("floppy.img", sample("fat12").bin);
    let hard = folder.file("hard.img", sample("partition").bin);
    shows(&["--fda", &floppy], &sample("fat12"));
    shows(&["--hda", &hard], &sample("partition"));
    shows(&["--fda", &floppy, "--hda", &hard], &sample("fat12"));
    shows(&["--fda", &floppy, "--hda", &hard, "--boot", "ca"], &sample("partition"));
}

#[test]
fn what_cannot_be_booted_is_passed_over() {
    let folder = Folder::new();
    let data = folder.file("data.img", &[0; 1024]);
    let hard = folder.file("hard.img", sample("partition").bin);
    shows(&["--fda", &data, "--hda", &hard], &sample("partition"));
}

#[test]
fn a_cd_rom_boots_without_emulation_as_a_floppy_and_as_a_hard_disk() {
    let folder = Folder::new();
    for (name, media) in [("cdrom", 0), ("fat12", 2), ("partition", 4)] {
        let disc = folder.file("cd.iso", &cdrom(sample(name).bin, media));
        shows(&["--cdrom", &disc], &sample(name));
        // By itself, it is known by its boot record.
        shows(&[&disc], &sample(name));
    }
}

#[test]
fn the_floppy_of_a_cd_rom_is_write_protected() {
    let folder = Folder::new();
    let disc = folder.file("cd.iso", &cdrom(sample("formatting").bin, 2));
    let (_, stdout, _) = run(&["--cdrom", &disc, "--writable"]);
    assert!(stdout.starts_with("write:  0300\nformat: 0312\n"), "{stdout}");
    assert_eq!(fs::read(&disc).unwrap(), cdrom(sample("formatting").bin, 2));
}

#[test]
fn files_stay_as_they_are_unless_they_are_to_be_written() {
    let folder = Folder::new();
    let image = sample("formatting").bin;
    let floppy = folder.file("floppy.img", image);
    shows(&["--fda", &floppy], &sample("formatting"));
    shows(&[&floppy, "--drive", "0"], &sample("formatting"));
    assert_eq!(fs::read(&floppy).unwrap(), image);

    for args in [&["--fda", &floppy, "--writable"][..], &[&floppy, "--drive", "0", "--writable"]] {
        fs::write(&floppy, image).unwrap();
        shows(args, &sample("formatting"));
        let written = fs::read(&floppy).unwrap();
        assert_eq!(&written[..SECTOR_SIZE], image);
        assert_eq!(written.len(), FORMATTED + 18 * SECTOR_SIZE, "as far as was written");
        assert!(written[FORMATTED..].iter().all(|byte| *byte == 0xf6));
        assert!(written[SECTOR_SIZE..FORMATTED].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_file_that_is_written_is_in_one_drive() {
    let folder = Folder::new();
    let image = sample("partition").bin;
    let disk = folder.file("disk.img", image);
    let [symbolic, hard] =
        ["symbolic.img", "hard.img"].map(|name| folder.path(name).to_str().unwrap().to_owned());
    std::os::unix::fs::symlink(&disk, &symbolic).unwrap();
    fs::hard_link(&disk, &hard).unwrap();
    for (first, second) in [
        (["--hda", &disk], ["--hdb", &disk]),
        (["--hda", &disk], ["--hdb", &symbolic]),
        (["--fda", &hard], ["--hda", &disk]),
        (["--fda", &disk], ["--fdb", &hard]),
        (["--hda", &disk], ["--cdrom", &disk]),
    ] {
        let args = [first, second].concat();
        let args = [&args[..], &["--writable"]].concat();
        let [first, second] = [first, second].map(|flag| flag.join(" "));
        refused(&args, 2, &[&format!("{first} and {second} are the same file"), "--writable"]);
    }
    let args = ["--hda", &disk, &symbolic, "--drive", "0x81", "--writable"];
    refused(&args, 2, &[&format!("--hda {disk} and the image {symbolic}")]);
    // What is not written may be in as many as one likes.
    shows(
        &["--hda", &disk, "--hdb", &symbolic, "--fda", &hard, "--boot", "c"],
        &sample("partition"),
    );
    let copy = folder.file("copy.img", image);
    shows(&["--hda", &disk, "--hdb", &copy, "--writable"], &sample("partition"));
}

#[test]
fn a_hard_disk_alone_may_be_the_second() {
    let folder = Folder::new();
    // mov ax, 0x0201; mov bx, 0x8000; mov cx, 2; mov dh, 0; int 0x13; mov al, ah; out 0xf4, al
    let code = [0xb8, 1, 2, 0xbb, 0, 0x80, 0xb9, 2, 0, 0xb6, 0, 0xcd, 0x13, 0x88, 0xe0, 0xe6, 0xf4];
    let mut image = vec![0; 2 * SECTOR_SIZE];
    image[..code.len()].copy_from_slice(&code);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let disk = folder.file("disk.img", &image);
    // Its status, 0, doubled and one.
    let (code, _, stderr) = run(&[&disk, "--drive", "0x81"]);
    assert_eq!(code, Some(1), "{stderr}");
    let data = folder.file("data.img", &[0; 1024]);
    refused(
        &[&disk, "--hda", &data],
        2,
        &["disk.img", "drive 80h has another disk", "--drive 0x81"],
    );
    refused(&[&disk, "--drive", "0x90"], 2, &["there is no drive 90h"]);
}

#[test]
fn what_is_no_disk_is_named_with_the_reason() {
    let folder = Folder::new();
    let empty = folder.file("empty.img", &[]);
    let blank = folder.file("blank.img", &[0; 1024]);
    let directory = folder.0.path().to_str().unwrap().to_owned();
    for flag in ["--fda", "--fdb", "--hda", "--hdb", "--cdrom"] {
        refused(&[flag, "/nowhere/x.img"], 4, &["/nowhere/x.img", "No such file"]);
        refused(&[flag, &directory], 4, &[&directory]);
        refused(&[flag, &empty], 4, &["empty.img is empty"]);
    }
    refused(&["--writable", "--hda", &directory], 4, &[&directory]);
    refused(&["--fda", &blank], 4, &["drive 00h", "does not end in 55 AA"]);
    refused(&["--hda", &blank], 4, &["drive 80h", "does not end in 55 AA"]);
    refused(&["--cdrom", &blank], 4, &["not bootable", "El Torito"]);
    refused(&["--hda", &blank, "--boot", "d"], 4, &["the CD-ROM drive has no disk in it"]);
    refused(&["--fdb", &blank], 4, &["drive 00h has no disk in it"]);
    let mut damaged = cdrom(&[0; 2048], 0);
    damaged[19 * 2048 + 4] = 1;
    let damaged = folder.file("damaged.iso", &damaged);
    refused(&["--cdrom", &damaged], 4, &["boot catalogue", "sector 19", "checksum"]);
    refused(&[&damaged], 4, &["damaged.iso", "boot catalogue", "sector 19", "checksum"]);
    let disc = folder.file("disc.iso", &cdrom(&[0; 2048], 0));
    refused(&[&disc, "--cdrom", &damaged], 2, &["disc.iso", "another disc"]);
    let unmarked = folder.file("unmarked.img", &vec![0; 1_474_560]);
    let cause = "unmarked.img: the image has the size of a floppy, but its first sector does not end in 55 AA";
    refused(&[&unmarked], 4, &[cause, "does not fit"]);
    let (_, _, stderr) = run(&[&unmarked]);
    assert!(!stderr.contains("--memory"), "no memory would help: {stderr}");
}

#[test]
fn flags_of_images_make_no_sense_with_a_disk_that_is_booted() {
    let folder = Folder::new();
    let hard = folder.file("hard.img", sample("partition").bin);
    for other in ["--drive=0", "--load=0x7c00", "--entry=0:7c00"] {
        let flag = other.split('=').next().unwrap();
        refused(&["--hda", &hard, other], 2, &[flag]);
    }
    let (code, _, stderr) = run(&["--hda", &hard, "--boot", "x"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`x` is no boot order"), "{stderr}");
}

/// A machine that boots from drive A, which has the file `path`.
fn booted_from(path: PathBuf, writable: bool) -> Machine {
    let files = Files { fda: Some(path), writable, ..Files::default() };
    let disks = files.open().unwrap();
    machine_with_firmware(Boot::from_disks(&Order::default(), &disks).unwrap(), disks)
}

#[test]
fn a_reset_takes_back_what_was_written_beside_the_file() {
    let folder = Folder::new();
    folder.file("floppy.img", sample("formatting").bin);
    let mut machine = booted_from(folder.path("floppy.img"), false);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert!(
        machine.describe_disks().contains("18 sectors changed"),
        "{}",
        machine.describe_disks()
    );
    machine.reset().unwrap();
    assert!(machine.describe_disks().contains("unchanged"), "{}", machine.describe_disks());
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
}

#[test]
fn a_file_that_becomes_shorter_is_told_once_and_fails_the_read() {
    let folder = Folder::new();
    // again: mov ax, 0x0201; mov bx, 0x8000; mov cx, 3; mov dh, 0; int 0x13; dec byte [0x600]; jnz again; cli; hlt
    let code = [
        0xb8, 1, 2, 0xbb, 0, 0x80, 0xb9, 3, 0, 0xb6, 0, 0xcd, 0x13, 0xfe, 0x0e, 0, 6, 0x75, 0xed,
        0xfa, 0xf4,
    ];
    let mut image = vec![0; 3 * SECTOR_SIZE];
    image[..code.len()].copy_from_slice(&code);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    folder.file("floppy.img", &image);
    let mut machine = booted_from(folder.path("floppy.img"), false);
    let heard = record(&mut machine);
    fs::OpenOptions::new()
        .write(true)
        .open(folder.path("floppy.img"))
        .unwrap()
        .set_len(512)
        .unwrap();
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(machine.cpu().gpr[AX] & 0xffff, 0x2000);
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    for part in ["sector 2 of", "floppy.img", "the file has become shorter", "status 20h"] {
        assert!(notices[0].contains(part), "{notices:?}");
    }
}

/// A boot sector of `code` on a disk of `sectors` further ones.
fn boot_sector(code: &[u8], sectors: usize) -> Vec<u8> {
    let mut image = vec![0; (1 + sectors) * SECTOR_SIZE];
    image[..code.len()].copy_from_slice(code);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}

/// A machine that boots from the hard disk `path`.
fn booted_from_hard_disk(path: PathBuf, writable: bool) -> Machine {
    let files = Files { hda: Some(path), writable, ..Files::default() };
    let disks = files.open().unwrap();
    machine_with_firmware(Boot::from_disks(&Order::default(), &disks).unwrap(), disks)
}

/// Gives the drive the command `command` for sector 2, as the firmware has left the other registers, and has its data
/// port in DX.
fn command(command: u8) -> Vec<u8> {
    // mov dx, 0x1f2; mov al, 1; out dx, al; inc dx; mov al, 2; out dx, al; mov dx, 0x1f7; mov al, command;
    // out dx, al; mov dx, 0x1f0
    vec![
        0xba, 0xf2, 0x01, 0xb0, 0x01, 0xee, 0x42, 0xb0, 0x02, 0xee, 0xba, 0xf7, 0x01, 0xb0,
        command, 0xee, 0xba, 0xf0, 0x01,
    ]
}

#[test]
fn what_is_written_by_the_ports_is_read_by_the_firmware_and_goes_to_the_file_if_it_may() {
    for writable in [false, true] {
        let folder = Folder::new();
        // cld; mov si, 0x7c00; mov cx, 0x100; rep outsw; mov dl, 0xf7; in al, dx
        let mut code = command(0x30);
        code.extend([0xfc, 0xbe, 0, 0x7c, 0xb9, 0, 1, 0xf3, 0x6f, 0xb2, 0xf7, 0xec]);
        // mov ax, 0x0201; mov bx, 0x8000; mov cx, 3; mov dx, 0x80; int 0x13; cli; hlt
        code.extend([0xb8, 1, 2, 0xbb, 0, 0x80, 0xb9, 3, 0, 0xba, 0x80, 0, 0xcd, 0x13, 0xfa, 0xf4]);
        let image = boot_sector(&code, 3);
        folder.file("hard.img", &image);
        let mut machine = booted_from_hard_disk(folder.path("hard.img"), writable);
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Halted { .. }), "{stop:?}");
        let mut read = vec![0; SECTOR_SIZE];
        assert_eq!(machine.read_phys(Phys(0x8000), &mut read), SECTOR_SIZE);
        assert!(read == image[..SECTOR_SIZE], "{read:x?}");
        let file = fs::read(folder.path("hard.img")).unwrap();
        assert_eq!(file[2 * SECTOR_SIZE..3 * SECTOR_SIZE] == image[..SECTOR_SIZE], writable);
        let disks = machine.describe_disks();
        let changes = if writable { "writes go to the file" } else { "1 sector changed" };
        assert!(disks.contains(changes), "{disks}");
        assert!(disks.contains("ATA channel: master selected, status 50"), "{disks}");
        machine.reset().unwrap();
        assert!(matches!(machine.run(), StopReason::Halted { .. }));
    }
}

#[test]
fn what_the_host_cannot_read_is_told_and_fails_the_command() {
    let folder = Folder::new();
    let mut code = command(0x20);
    // mov dl, 0xf7; busy: in al, dx; test al, 0x80; jnz busy; mov ah, al; mov dl, 0xf1; in al, dx; cli; hlt
    code.extend([
        0xb2, 0xf7, 0xec, 0xa8, 0x80, 0x75, 0xfb, 0x88, 0xc4, 0xb2, 0xf1, 0xec, 0xfa, 0xf4,
    ]);
    folder.file("hard.img", &boot_sector(&code, 3));
    let mut machine = booted_from_hard_disk(folder.path("hard.img"), false);
    let heard = record(&mut machine);
    let file = fs::OpenOptions::new().write(true).open(folder.path("hard.img")).unwrap();
    file.set_len(512).unwrap();
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(machine.cpu().gpr[AX] & 0xffff, 0x4140);
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    for part in ["sector 2 of", "hard.img", "the file has become shorter", "UNC"] {
        assert!(notices[0].contains(part), "{notices:?}");
    }
}

#[test]
fn a_sector_is_read_the_same_by_steps() {
    let folder = Folder::new();
    let mut code = command(0x20);
    // cld; mov di, 0x8000; mov cx, 0x100; rep insw; cli; hlt
    code.extend([0xfc, 0xbf, 0, 0x80, 0xb9, 0, 1, 0xf3, 0x6d, 0xfa, 0xf4]);
    let mut image = boot_sector(&code, 3);
    (2 * SECTOR_SIZE..3 * SECTOR_SIZE).for_each(|at| image[at] = (at % 251) as u8);
    folder.file("hard.img", &image);
    let mut machine = booted_from_hard_disk(folder.path("hard.img"), false);
    for _ in 0..400 {
        match machine.step() {
            StopReason::Stepped => {}
            StopReason::Halted { .. } => break,
            stop => panic!("{stop:?}"),
        }
    }
    let mut read = vec![0; SECTOR_SIZE];
    assert_eq!(machine.read_phys(Phys(0x8000), &mut read), SECTOR_SIZE);
    assert!(read == image[2 * SECTOR_SIZE..3 * SECTOR_SIZE], "{read:x?}");
}
