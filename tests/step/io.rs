//! Port I/O: IN, OUT, INS and OUTS in every width, repeated or not.

use super::*;
use crate::common::{AX, CX, DI, DX, SI, VGA, machine_with};
use stepvisor::machine::{Boot, Image, OnUnclaimed};

#[test]
fn out_is_one_step_in_every_width_and_form() {
    let cases = [
        Case {
            asm: "out 0xe9, al",
            code: &[0xe6, 0xe9],
            before: |cpu| cpu.gpr[AX] = 0x1234_5641,
            console: b"A",
            ..Case::default()
        },
        Case {
            asm: "out dx, al",
            code: &[0xee],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0x42, 0xe9),
            console: b"B",
            ..Case::default()
        },
        Case {
            asm: "out 0xe8, ax",
            code: &[0xe7, 0xe8],
            before: |cpu| cpu.gpr[AX] = 0x4342,
            console: b"C",
            ..Case::default()
        },
        Case {
            asm: "out dx, ax",
            code: &[0xef],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0x4444, 0xe9),
            console: b"D",
            ..Case::default()
        },
        Case {
            asm: "out 0xe6, eax",
            code: &[0x66, 0xe7, 0xe6],
            before: |cpu| cpu.gpr[AX] = 0x4544_4342,
            console: b"E",
            ..Case::default()
        },
        Case {
            asm: "out dx, eax",
            code: &[0x66, 0xef],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0x46, 0xe9),
            console: b"F",
            ..Case::default()
        },
        Case {
            asm: "out dx, ax",
            code: &[0xef],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0xbeef, 0x1234),
            notices: &["0000:7C00: write of 0xbeef (2 bytes) to port 0x1234, where no device is"],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn in_is_one_step_in_every_width_and_form() {
    let cases = [
        Case {
            asm: "in al, 0xe9",
            code: &[0xe4, 0xe9],
            before: |cpu| cpu.gpr[AX] = 0x1234_5678,
            effect: |cpu| cpu.gpr[AX] = 0x1234_56e9,
            ..Case::default()
        },
        Case {
            asm: "in al, dx",
            code: &[0xec],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0, 0xe9),
            effect: |cpu| cpu.gpr[AX] = 0xe9,
            ..Case::default()
        },
        Case {
            asm: "in ax, 0xe9",
            code: &[0xe5, 0xe9],
            before: |cpu| cpu.gpr[AX] = 0x1234_5678,
            effect: |cpu| cpu.gpr[AX] = 0x1234_ffe9,
            ..Case::default()
        },
        Case {
            asm: "in ax, dx",
            code: &[0xed],
            before: |cpu| (cpu.gpr[AX], cpu.gpr[DX]) = (0x1234_5678, 0x1234),
            effect: |cpu| cpu.gpr[AX] = 0x1234_ffff,
            notices: &["0000:7C00: read of 2 bytes from port 0x1234"],
            ..Case::default()
        },
        Case {
            asm: "in eax, 0xe8",
            code: &[0x66, 0xe5, 0xe8],
            effect: |cpu| cpu.gpr[AX] = 0xffff_e9ff,
            ..Case::default()
        },
        Case {
            asm: "in eax, dx",
            code: &[0x66, 0xed],
            before: |cpu| cpu.gpr[DX] = 0xe9,
            effect: |cpu| cpu.gpr[AX] = 0xffff_ffe9,
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn string_io_without_a_repeat_is_one_step() {
    let cases = [
        Case {
            asm: "outsb",
            code: &[0x6e],
            before: |cpu| (cpu.gpr[DX], cpu.gpr[SI]) = (0xe9, 0x500),
            memory: &[(0x500, b"xy")],
            effect: |cpu| cpu.gpr[SI] = 0x501,
            console: b"x",
            ..Case::default()
        },
        Case {
            asm: "outsw",
            code: &[0x6f],
            before: |cpu| (cpu.gpr[DX], cpu.gpr[SI]) = (0xe8, 0x500),
            memory: &[(0x500, b"xyz")],
            effect: |cpu| cpu.gpr[SI] = 0x502,
            console: b"y",
            ..Case::default()
        },
        Case {
            asm: "es outsb",
            code: &[0x26, 0x6e],
            before: |cpu| {
                (cpu.gpr[DX], cpu.gpr[SI]) = (0xe9, 4);
                load(&mut cpu.segments.es, 0xb800);
            },
            memory: &[(VGA + 4, b"v")],
            effect: |cpu| cpu.gpr[SI] = 5,
            console: b"v",
            ..Case::default()
        },
        Case {
            asm: "insb",
            code: &[0x6c],
            before: |cpu| (cpu.gpr[DX], cpu.gpr[DI]) = (0xe9, 0x500),
            effect: |cpu| cpu.gpr[DI] = 0x501,
            expected: &[(0x500, &[0xe9, 0])],
            ..Case::default()
        },
        Case {
            asm: "insd",
            code: &[0x66, 0x6d],
            before: |cpu| (cpu.gpr[DX], cpu.gpr[DI]) = (0xe9, 0x500),
            effect: |cpu| cpu.gpr[DI] = 0x504,
            expected: &[(0x500, &[0xe9, 0xff, 0xff, 0xff, 0])],
            ..Case::default()
        },
        Case {
            asm: "insb",
            code: &[0x6c],
            before: |cpu| {
                (cpu.gpr[DX], cpu.gpr[DI]) = (0xe9, 6);
                load(&mut cpu.segments.es, 0xb800);
            },
            effect: |cpu| cpu.gpr[DI] = 7,
            expected: &[(VGA + 6, &[0xe9, 7])],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn repeated_output_is_one_item_a_step() {
    // rep outsb; nop
    let mut machine = boot(&[0xf3, 0x6e, 0x90]);
    let heard = record(&mut machine);
    write(&mut machine, 0x500, b"abc");
    set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DX], cpu.gpr[SI]) = (3, 0xe9, 0x500));
    for (count, console, place) in [(2, "a", START), (1, "ab", START), (0, "abc", START + 2)] {
        let mut expected = machine.cpu().clone();
        assert_eq!(machine.step(), StopReason::Stepped);
        expected.gpr[CX] = count;
        expected.gpr[SI] += 1;
        expected.rip = place;
        assert_eq!(visible(machine.cpu()), visible(&expected));
        assert_eq!(heard.borrow().console, console.as_bytes());
    }
}

#[test]
fn repeated_input_is_one_item_a_step() {
    // rep insw, into memory and into video memory
    for segment in [0x50, 0xb800] {
        let mut machine = boot(&[0xf3, 0x6d, 0x90]);
        set(&mut machine, |cpu| {
            (cpu.gpr[CX], cpu.gpr[DX], cpu.gpr[DI]) = (0x5_0002, 0xe9, 8);
            load(&mut cpu.segments.es, segment);
        });
        let at = u64::from(segment) * 16 + 8;
        let rest = read(&machine, at + 2, 4);
        let mut expected = machine.cpu().clone();
        assert_eq!(machine.step(), StopReason::Stepped);
        (expected.gpr[CX], expected.gpr[DI]) = (0x5_0001, 10);
        assert_eq!(visible(machine.cpu()), visible(&expected));
        assert_eq!(read(&machine, at, 6), [&[0xe9, 0xff], &rest[..]].concat());
        assert_eq!(machine.step(), StopReason::Stepped);
        (expected.gpr[CX], expected.gpr[DI], expected.rip) = (0x5_0000, 12, START + 2);
        assert_eq!(visible(machine.cpu()), visible(&expected));
        assert_eq!(read(&machine, at, 6), [&[0xe9, 0xff, 0xe9, 0xff], &rest[2..]].concat());
    }
}

#[test]
fn a_write_to_the_exit_port_ends_the_step_past_it() {
    Case {
        asm: "out 0xf4, al",
        code: &[0xe6, 0xf4],
        before: |cpu| cpu.gpr[AX] = 0x10,
        stop: StopReason::Exit { status: 0x21 },
        ..Case::default()
    }
    .check();
}

#[test]
fn a_stop_at_an_unclaimed_port_comes_after_the_instruction() {
    // out 0x10, al; in ax, 0x10; rep outsb
    let code = [0xe6, 0x10, 0xe5, 0x10, 0xf3, 0x6e, 0x90];
    let boot = Boot::new(Image::parse(&code).unwrap());
    let mut machine = machine_with(boot, OnUnclaimed::Stop);
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX], cpu.gpr[DX]) = (7, 2, 0x1234));
    let text = |machine: &mut Machine| match machine.step() {
        StopReason::Unclaimed(access) => access.to_string(),
        stop => panic!("{stop}"),
    };
    let text_of_write = text(&mut machine);
    assert!(text_of_write.starts_with("0000:7C00: write of 0x07 (1 byte)"), "{text_of_write}");
    assert_eq!(machine.cpu().rip, START + 2);
    let text_of_read = text(&mut machine);
    assert!(text_of_read.starts_with("0000:7C02: read of 2 bytes"), "{text_of_read}");
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[AX]), (START + 4, 0xffff));
    for (count, place) in [(1, START + 4), (0, START + 6)] {
        assert!(text(&mut machine).starts_with("0000:7C04: write of"));
        assert_eq!((machine.cpu().gpr[CX], machine.cpu().rip), (count, place));
    }
}
