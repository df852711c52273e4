//! ROM: read like RAM, written by nobody; and a ROM image that runs instead of a boot sector.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::*;
use stepvisor::machine::breakpoints::{Watch, WatchKind};
use stepvisor::machine::{Boot, Image, Machine, OnUnclaimed, Physical, StopReason};
use stepvisor::x86::{Linear, Phys};

/// Where the ROM of these tests begins in its segment F000h, and what it starts with.
const FIRST: u8 = 0x5a;

/// A ROM of `len` bytes: `main` at F000:E000, a far jump there at the reset vector.
fn rom(len: usize, main: &[u8]) -> Vec<u8> {
    let mut rom = vec![0; len];
    let segment = len - 0x1_0000;
    rom[segment] = FIRST;
    rom[segment + 0xe000..][..main.len()].copy_from_slice(main);
    // jmp 0xf000:0xe000
    rom[segment + 0xfff0..][..5].copy_from_slice(&[0xea, 0x00, 0xe0, 0x00, 0xf0]);
    rom
}

fn bios(len: usize, main: &[u8]) -> Machine {
    let boot = Boot::new(Image::rom(&rom(len, main)).unwrap());
    machine_with(boot, OnUnclaimed::Stop)
}

/// `mov byte [cs:0], 0x77; mov al, [cs:0]; mov [0x500], al; hlt`
const WRITES_ITSELF: [u8; 16] =
    [0x2e, 0xc6, 0x06, 0, 0, 0x77, 0x2e, 0xa0, 0, 0, 0xa2, 0x00, 0x05, 0xf4, 0x90, 0x90];

fn halts(machine: &mut Machine) {
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
}

#[test]
fn a_rom_image_runs_from_the_reset_vector_and_cannot_be_written() {
    for len in [0x1_0000, 0x2_0000, 0x4_0000, 0x100_0000] {
        let mut machine = bios(len, &WRITES_ITSELF);
        assert_eq!(machine.cpu().pc(), Linear(0xffff_fff0));
        assert_eq!(machine.cpu().location(), "F000:FFF0");
        halts(&mut machine);
        assert_eq!(read(&machine, 0x500, 1), [FIRST], "{len:#x}");
        assert_eq!(read(&machine, 0xf_0000, 1), [FIRST]);
        assert_eq!(read(&machine, 0xffff_0000, 1), [FIRST]);
        machine.reset().unwrap();
        assert_eq!(read(&machine, 0x500, 1), [0]);
        halts(&mut machine);
        assert_eq!(read(&machine, 0x500, 1), [FIRST]);
    }
}

#[test]
fn rom_code_is_stepped_from_the_first_instruction() {
    let mut machine = bios(0x1_0000, &WRITES_ITSELF);
    let mut places = Vec::new();
    for _ in 0..4 {
        assert_eq!(machine.step(), StopReason::Stepped);
        places.push(machine.cpu().pc().0);
    }
    assert_eq!(places, [0xf_e000, 0xf_e006, 0xf_e00a, 0xf_e00d]);
    assert_eq!(read(&machine, 0x500, 1), [FIRST]);
}

#[test]
fn breakpoints_and_watchpoints_work_in_rom() {
    let mut machine = bios(0x1_0000, &WRITES_ITSELF);
    machine.breakpoints_mut().insert(Linear(0xf_e00a));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(0xf_e00a)));

    let mut machine = bios(0x1_0000, &WRITES_ITSELF);
    let watch = Watch { addr: Linear(0xf_0000), len: 1, kind: WatchKind::Access };
    machine.breakpoints_mut().insert_watch(watch);
    // The write first, though it changes nothing, then the read.
    for pc in [0xf_e006, 0xf_e00a] {
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Watchpoint(_)), "{stop}");
        assert_eq!(machine.cpu().pc(), Linear(pc));
    }
}

#[test]
fn a_debugger_reads_rom_and_cannot_write_it() {
    let mut machine = bios(0x1_0000, &WRITES_ITSELF);
    assert_eq!(machine.write_phys(Phys(0xf_0000), &[1]), 0);
    assert_eq!(machine.write_linear(Linear(0xe_ffff), &[1, 2]), 1);
    assert_eq!(read(&machine, 0xe_ffff, 2), [1, FIRST]);
    assert_eq!(machine.physical(Phys(0xf_ffff)), Physical::Rom);
    assert!(matches!(machine.physical(Phys(0xe_ffff)), Physical::Ram { .. }));
}

#[test]
fn a_rom_can_be_put_into_a_machine_that_boots_a_sector() {
    // mov ax, 0xf000; mov ds, ax; mov byte [0x10], 7; mov al, [0x10]; mov cs:[0x7d00], al; push ds; push 0x20; retf
    let code = [
        0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xc6, 0x06, 0x10, 0x00, 0x07, 0xa0, 0x10, 0x00, 0x2e, 0xa2,
        0x00, 0x7d, 0x1e, 0x6a, 0x20, 0xcb,
    ];
    let mut machine = boot(&code);
    let mut bytes = vec![0; 0x1_0000];
    bytes[0x10] = 0x33;
    bytes[0x20] = 0xf4;
    machine.map_rom(Phys(0xf_0000), &bytes).unwrap();
    halts(&mut machine);
    assert_eq!(machine.cpu().pc(), Linear(0xf_0021));
    assert_eq!(read(&machine, 0x7d00, 1), [0x33]);
    assert_eq!(read(&machine, 0xf_0010, 1), [0x33]);
    let error = machine.map_rom(Phys(0x9_f000), &[0; 0x2000]).unwrap_err();
    assert!(error.to_string().contains("no ROM of 0x2000 bytes"), "{error}");
}
