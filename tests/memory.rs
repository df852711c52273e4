//! Memory as a debugger sees it: through the guest's own translation, in every mode.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::samples::sample;
use common::{AX, BX, START, VGA, boot, machine, read, set, write};
use stepvisor::devices::frame::Frame;
use stepvisor::machine::{Machine, Physical, StopReason};
use stepvisor::x86::{Access, CpuMode, CpuState, Linear, Phys, Segment};

/// Bytes there are to read at `addr`, of `len`.
fn readable(machine: &Machine, addr: u64, len: usize) -> usize {
    machine.read_linear(Linear(addr), &mut vec![0; len])
}

fn write_phys(machine: &mut Machine, addr: u64, data: &[u8]) {
    assert_eq!(machine.write_phys(Phys(addr), data), data.len());
}

/// Writes page-table entries of `size` bytes: index and value.
fn entries(machine: &mut Machine, table: u64, size: u64, entries: &[(u64, u64)]) {
    for (index, value) in entries {
        let bytes = value.to_le_bytes();
        write_phys(machine, table + index * size, &bytes[..size as usize]);
    }
}

/// Flat 32-bit segments and the paging that `tables` sets up; false on hosts whose KVM has paging in long
/// mode only.
fn enable_paging(machine: &mut Machine, tables: impl FnOnce(&mut CpuState)) -> bool {
    let flat = |kind| Segment {
        selector: 8,
        base: 0,
        limit: u32::MAX,
        access: Access { kind, default_big: true, granularity: true, ..Access::DATA16 },
    };
    let before = machine.cpu().clone();
    let mut cpu = before.clone();
    cpu.segments.cs = flat(0xb);
    (cpu.segments.ss, cpu.segments.ds, cpu.segments.es) = (flat(0x3), flat(0x3), flat(0x3));
    tables(&mut cpu);
    cpu.cr0 |= 1 << 31 | 1;
    let Err(error) = machine.set_cpu(&cpu) else { return true };
    assert!(error.to_string().contains("in CR0"), "{error}");
    assert_eq!(machine.cpu(), &before);
    assert_eq!(machine.step(), StopReason::Stepped, "the machine still works");
    eprintln!("skipped: {error}");
    false
}

const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
const TABLE: u64 = PRESENT | WRITABLE;
const LARGE: u64 = 1 << 7;

/// In 32-bit and in 64-bit code: mov eax, [ecx]; mov [edx], eax (with a REX-free encoding of both).
const COPY: [u8; 4] = [0x8b, 0x01, 0x89, 0x02];

/// Checks reads and writes across the border of two pages that are mapped to `first` and `second`, and
/// that the guest itself finds the same there.
fn check_border(machine: &mut Machine, border: u64, first: u64, second: u64) {
    write(machine, border - 4, b"abcdEFGH");
    let mut data = [0; 4];
    assert_eq!(machine.read_phys(Phys(first + 0xffc), &mut data), 4);
    assert_eq!(&data, b"abcd");
    assert_eq!(machine.read_phys(Phys(second), &mut data), 4);
    assert_eq!(&data, b"EFGH");
    assert_eq!(read(machine, border - 2, 4), b"cdEF");
    let translation = machine.translate(Linear(border - 3)).unwrap();
    assert_eq!((translation.phys, translation.remaining), (Phys(first + 0xffd), 3));

    set(machine, |cpu| {
        cpu.gpr[common::CX] = border - 2;
        cpu.gpr[common::DX] = border + 0x10;
    });
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().gpr[AX], u64::from(u32::from_le_bytes(*b"cdEF")));
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.read_phys(Phys(second + 0x10), &mut data), 4);
    assert_eq!(&data, b"cdEF");
}

#[test]
fn without_paging_a_linear_address_is_physical() {
    let mut machine = boot(&[0xf4]);
    write(&mut machine, 0x1234, b"here");
    let mut data = [0; 4];
    assert_eq!(machine.read_phys(Phys(0x1234), &mut data), 4);
    assert_eq!(&data, b"here");
    // Above 1 MiB too: FFFF:FFFF is 10FFEF.
    write(&mut machine, 0x10_ffec, b"high");
    assert_eq!(read(&machine, 0x10_ffec, 4), b"high");
}

#[test]
fn two_level_paging_is_followed() {
    let mut machine = boot(&COPY);
    entries(&mut machine, 0x1000, 4, &[(0, 0x2000 | TABLE), (1, 0x3000 | TABLE)]);
    entries(&mut machine, 0x2000, 4, &[(7, 0x7000 | TABLE)]);
    entries(&mut machine, 0x3000, 4, &[(0, 0x9000 | TABLE), (1, 0x5000 | TABLE), (3, 0x6000)]);
    // A page of 4 MiB, for CR4.PSE.
    entries(&mut machine, 0x1000, 4, &[(2, LARGE | TABLE)]);
    let paging = enable_paging(&mut machine, |cpu| {
        cpu.cr3 = 0x1000;
        cpu.cr4 |= 0x10;
    });
    if !paging {
        return;
    }
    assert_eq!(machine.cpu().mode(), CpuMode::Protected32);
    check_border(&mut machine, 0x40_1000, 0x9000, 0x5000);
    // Until the first page that is not mapped.
    assert_eq!(readable(&machine, 0x40_1ff0, 0x100), 0x10);
    assert_eq!(readable(&machine, 0x40_3000, 1), 0, "not present");
    assert_eq!(readable(&machine, 0x7fff_0000, 1), 0);
    assert_eq!(machine.write_linear(Linear(0x40_1ff0), &[1; 0x100]), 0x10);
    assert_eq!(read(&machine, 0x80_7c00, 4), COPY);
    assert_eq!(read(&machine, 0x80_0000 + VGA, 2), [0x20, 7]);
}

#[test]
fn pae_paging_is_followed() {
    let mut machine = boot(&COPY);
    entries(&mut machine, 0x1000, 8, &[(0, 0x2000 | PRESENT), (3, 0x3000 | PRESENT)]);
    entries(&mut machine, 0x2000, 8, &[(0, LARGE | TABLE)]);
    entries(&mut machine, 0x3000, 8, &[(0x1ff, 0x4000 | TABLE)]);
    entries(&mut machine, 0x4000, 8, &[(0x1fe, 0x9000 | TABLE), (0x1ff, 0x5000 | TABLE)]);
    let paging = enable_paging(&mut machine, |cpu| {
        cpu.cr3 = 0x1000;
        cpu.cr4 |= 0x20;
    });
    if !paging {
        return;
    }
    // Beyond the last byte of the address space comes its first.
    assert_eq!(readable(&machine, 0xffff_fff0, 0x20), 0x20);
    assert_eq!(readable(&machine, 0x20_0000, 1), 0);
    check_border(&mut machine, 0xffff_f000, 0x9000, 0x5000);
}

#[test]
fn long_mode_paging_is_followed() {
    let mut machine = machine(sample("long").boot());
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(machine.cpu().mode(), CpuMode::Long64);
    // The guest's own tables: the first GiB, in pages of 2 MiB.
    assert_eq!(read(&machine, VGA, 2), [b'R', 0x0e]);
    assert_eq!(readable(&machine, (2 << 20) - 8, 16), 8, "RAM ends, the mapping does not");
    assert_eq!(readable(&machine, 1 << 30, 1), 0);
    assert_eq!(readable(&machine, 1 << 63, 1), 0, "not canonical");

    // And some of ours, at the upper end of the address space.
    entries(&mut machine, 0x1000, 8, &[(0x1ff, 0x1_2000 | TABLE)]);
    entries(&mut machine, 0x1_2000, 8, &[(0x1fe, 0x1_3000 | TABLE)]);
    entries(&mut machine, 0x1_3000, 8, &[(0, 0x1_4000 | TABLE)]);
    entries(&mut machine, 0x1_4000, 8, &[(0, 0x1_9000 | TABLE), (1, 0x1_5000 | TABLE)]);
    write(&mut machine, 0x1_0000, &COPY);
    // In 64-bit code the same bytes address by RCX and RDX.
    set(&mut machine, |cpu| cpu.rip = 0x1_0000);
    check_border(&mut machine, 0xffff_ffff_8000_1000, 0x1_9000, 0x1_5000);
    let walk = machine.walk(Linear(0xffff_ffff_8000_1000));
    assert_eq!(walk.levels.len(), 4);
}

#[test]
fn video_memory_is_read_and_written_like_any_other() {
    let mut machine = boot(&[0xf4]);
    assert_eq!(read(&machine, VGA, 4), [0x20, 7, 0x20, 7]);
    write(&mut machine, VGA, b"A\x1eB\x1f");
    let Frame::Text(text) = machine.frame() else { panic!("not a text screen") };
    let cells = [0, 1].map(|column| text.cell(column, 0).unwrap());
    assert_eq!(cells.map(|cell| (cell.character, cell.attribute)), [(b'A', 0x1e), (b'B', 0x1f)]);
    assert_eq!(readable(&machine, VGA, 0x8000), 0x8000);
}

#[test]
fn looking_at_memory_changes_nothing() {
    let mut machine = boot(&[0xf4]);
    let heard = common::record(&mut machine);
    let before = (machine.cpu().clone(), machine.frame(), machine.stats().total());
    for addr in (0..0x20_0000).step_by(0x8000) {
        readable(&machine, addr, 0x8000);
    }
    assert_eq!((machine.cpu().clone(), machine.frame(), machine.stats().total()), before);
    assert!(heard.borrow().notices.is_empty());
}

#[test]
fn reads_and_writes_end_at_holes_and_cross_from_ram_to_devices() {
    let mut machine = boot(&[0xf4]);
    assert_eq!(readable(&machine, 0x9_fffc, 16), 4);
    assert_eq!(readable(&machine, 0xa_0000, 16), 0);
    assert_eq!(readable(&machine, VGA - 2, 16), 0);
    assert_eq!(readable(&machine, VGA + 0x7ff8, 16), 16, "text memory, then RAM");
    assert_eq!(readable(&machine, (2 << 20) - 4, 16), 4, "the end of RAM");
    assert_eq!(readable(&machine, u64::MAX - 3, 4), 0);

    assert_eq!(machine.write_linear(Linear(0x9_fffc), b"12345678"), 4);
    assert_eq!(read(&machine, 0x9_fffc, 4), b"1234");
    assert_eq!(machine.write_linear(Linear(0xa_0000), b"1"), 0);
    write(&mut machine, VGA + 0x7ffe, b"abcd");
    assert_eq!(read(&machine, VGA + 0x7ffe, 4), b"abcd");
    let mut data = [0; 2];
    assert_eq!(machine.read_phys(Phys(0xc_0000), &mut data), 2);
    assert_eq!(&data, b"cd");
}

#[test]
fn every_physical_address_is_ram_a_device_or_nothing() {
    let machine = boot(&[0xf4]);
    let ram = |addr| match machine.physical(Phys(addr)) {
        Physical::Ram { start, size, .. } => Some((start.0, size)),
        _ => None,
    };
    assert_eq!(ram(START), Some((0, 0xa_0000)));
    assert_eq!(ram(0xc_0000), Some((0xc_0000, 0x14_0000)));
    assert_eq!(machine.physical(Phys(0xa_0000)), Physical::Hole);
    assert_eq!(machine.physical(Phys(VGA)), Physical::Device);
    assert_eq!(machine.physical(Phys(2 << 20)), Physical::Hole);
    assert_eq!(machine.physical(Phys(u64::MAX)), Physical::Hole);
}

#[test]
fn what_a_debugger_writes_the_guest_executes() {
    // Over an instruction that has been executed before: jmp $ becomes inc bx.
    let mut machine = boot(&[0xeb, 0xfe, 0x40]);
    assert_eq!(machine.step(), StopReason::Stepped);
    set(&mut machine, |cpu| cpu.gpr[BX] = 1);
    write(&mut machine, START, &[0x43]);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().gpr[BX], machine.cpu().rip), (2, START + 1));
}
