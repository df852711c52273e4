//! Accesses to memory that is a device's, or nobody's.

use super::*;
use crate::common::{AX, BX, CX, DI, SI, SP, VGA, machine_with};
use stepvisor::machine::{Boot, Image, OnUnclaimed};

fn es_is_video(cpu: &mut CpuState) {
    load(&mut cpu.segments.es, 0xb800);
}

#[test]
fn a_write_to_video_memory_is_one_step_in_every_width() {
    let cases = [
        Case {
            asm: "mov byte [es:2], 0x41",
            code: &[0x26, 0xc6, 0x06, 2, 0, 0x41],
            before: es_is_video,
            expected: &[(VGA, &[0x20, 7, 0x41, 7])],
            ..Case::default()
        },
        Case {
            asm: "mov [es:2], ax",
            code: &[0x26, 0xa3, 2, 0],
            before: |cpu| {
                es_is_video(cpu);
                cpu.gpr[AX] = 0x1e42;
            },
            expected: &[(VGA, &[0x20, 7, 0x42, 0x1e, 0x20, 7])],
            ..Case::default()
        },
        Case {
            asm: "mov [es:3], eax",
            code: &[0x66, 0x26, 0xa3, 3, 0],
            before: |cpu| {
                es_is_video(cpu);
                cpu.gpr[AX] = 0x4433_2211;
            },
            expected: &[(VGA, &[0x20, 7, 0x20, 0x11, 0x22, 0x33, 0x44, 7])],
            ..Case::default()
        },
        Case {
            asm: "mov [es:0xfff], ax",
            code: &[0x26, 0xa3, 0xff, 0x0f],
            before: |cpu| {
                es_is_video(cpu);
                cpu.gpr[AX] = 0x1e42;
            },
            expected: &[(VGA + 0xffe, &[0x20, 0x42, 0x1e, 7])],
            ..Case::default()
        },
        Case {
            asm: "push bx",
            code: &[0x53],
            before: |cpu| {
                load(&mut cpu.segments.ss, 0xb800);
                (cpu.gpr[SP], cpu.gpr[BX]) = (0x100, 0x2f6b);
            },
            effect: |cpu| cpu.gpr[SP] = 0xfe,
            expected: &[(VGA + 0xfc, &[0x20, 7, 0x6b, 0x2f, 0x20, 7])],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn a_read_of_video_memory_is_one_step_in_every_width() {
    let cases = [
        Case {
            asm: "mov al, [es:1]",
            code: &[0x26, 0xa0, 1, 0],
            before: es_is_video,
            memory: &[(VGA, &[1, 2, 3, 4])],
            effect: |cpu| cpu.gpr[AX] = (cpu.gpr[AX] & !0xff) | 2,
            ..Case::default()
        },
        Case {
            asm: "mov ax, [es:1]",
            code: &[0x26, 0xa1, 1, 0],
            before: es_is_video,
            memory: &[(VGA, &[1, 2, 3, 4])],
            effect: |cpu| cpu.gpr[AX] = (cpu.gpr[AX] & !0xffff) | 0x302,
            ..Case::default()
        },
        Case {
            asm: "mov eax, [es:0xffd]",
            code: &[0x66, 0x26, 0xa1, 0xfd, 0x0f],
            before: es_is_video,
            memory: &[(VGA + 0xffd, &[1, 2, 3, 4])],
            effect: |cpu| cpu.gpr[AX] = 0x0403_0201,
            ..Case::default()
        },
        Case {
            asm: "pop bx",
            code: &[0x5b],
            before: |cpu| {
                load(&mut cpu.segments.ss, 0xb800);
                cpu.gpr[SP] = 0;
            },
            memory: &[(VGA, &[1, 2])],
            effect: |cpu| {
                cpu.gpr[SP] = 2;
                cpu.gpr[BX] = (cpu.gpr[BX] & !0xffff) | 0x201;
            },
            ..Case::default()
        },
        Case {
            asm: "jmp [es:0]",
            code: &[0x26, 0xff, 0x26, 0, 0],
            before: es_is_video,
            memory: &[(VGA, &[0x34, 0x12])],
            effect: |cpu| cpu.rip = 0x1234,
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn read_modify_write_of_video_memory_is_one_step() {
    let cases = [
        Case {
            asm: "inc word [es:0]",
            code: &[0x26, 0xff, 0x06, 0, 0],
            before: es_is_video,
            memory: &[(VGA, &[0xff, 0x0f])],
            // PF and AF of the sum 1000h
            effect: |cpu| cpu.rflags |= 0x14,
            expected: &[(VGA, &[0, 0x10, 0x20, 7])],
            ..Case::default()
        },
        Case {
            asm: "xchg [es:0xfff], ax",
            code: &[0x26, 0x87, 0x06, 0xff, 0x0f],
            before: |cpu| {
                es_is_video(cpu);
                cpu.gpr[AX] = 0x4142;
            },
            memory: &[(VGA + 0xfff, &[1, 2])],
            effect: |cpu| cpu.gpr[AX] = 0x201,
            expected: &[(VGA + 0xffe, &[0x20, 0x42, 0x41, 7])],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn a_string_move_with_video_memory_at_either_end_is_one_step() {
    let cases = [
        Case {
            asm: "movsw",
            code: &[0xa5],
            before: |cpu| {
                es_is_video(cpu);
                load(&mut cpu.segments.ds, 0xb800);
                (cpu.gpr[SI], cpu.gpr[DI]) = (160, 0);
            },
            memory: &[(VGA + 160, &[0x41, 0x1e])],
            effect: |cpu| (cpu.gpr[SI], cpu.gpr[DI]) = (162, 2),
            expected: &[(VGA, &[0x41, 0x1e, 0x20, 7])],
            ..Case::default()
        },
        Case {
            asm: "movsd",
            code: &[0x66, 0xa5],
            before: |cpu| {
                es_is_video(cpu);
                (cpu.gpr[SI], cpu.gpr[DI]) = (0x500, 1);
            },
            memory: &[(0x500, &[1, 2, 3, 4])],
            effect: |cpu| (cpu.gpr[SI], cpu.gpr[DI]) = (0x504, 5),
            expected: &[(VGA, &[0x20, 1, 2, 3, 4, 7])],
            ..Case::default()
        },
        Case {
            asm: "movsb",
            code: &[0xa4],
            before: |cpu| {
                load(&mut cpu.segments.ds, 0xb800);
                (cpu.gpr[SI], cpu.gpr[DI]) = (1, 0x500);
            },
            effect: |cpu| (cpu.gpr[SI], cpu.gpr[DI]) = (2, 0x501),
            expected: &[(0x500, &[7, 0])],
            ..Case::default()
        },
        Case {
            asm: "cmpsb",
            code: &[0xa6],
            before: |cpu| {
                es_is_video(cpu);
                load(&mut cpu.segments.ds, 0xb800);
                (cpu.gpr[SI], cpu.gpr[DI]) = (0, 2);
            },
            effect: |cpu| {
                (cpu.gpr[SI], cpu.gpr[DI]) = (1, 3);
                // ZF and PF: equal
                cpu.rflags |= 0x44;
            },
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn a_repeated_move_within_video_memory_is_one_item_a_step() {
    // rep movsw, as scrolling does it
    let mut machine = boot(&[0xf3, 0xa5, 0x40]);
    write(&mut machine, VGA + 160, b"a\x01b\x02c\x03");
    set(&mut machine, |cpu| {
        es_is_video(cpu);
        load(&mut cpu.segments.ds, 0xb800);
        (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (3, 160, 0);
    });
    let screens: [&[u8]; 3] =
        [b"a\x01 \x07 \x07 \x07", b"a\x01b\x02 \x07 \x07", b"a\x01b\x02c\x03 \x07"];
    for (count, screen) in (0..3).rev().zip(screens) {
        let mut expected = machine.cpu().clone();
        assert_eq!(machine.step(), StopReason::Stepped);
        expected.gpr[CX] = count;
        expected.gpr[SI] += 2;
        expected.gpr[DI] += 2;
        expected.rip = if count == 0 { START + 2 } else { START };
        assert_eq!(visible(machine.cpu()), visible(&expected));
        assert_eq!(read(&machine, VGA, 8), screen);
    }
}

#[test]
fn memory_that_nobody_has_reads_as_ones_and_swallows_writes() {
    let at_a000: fn(&mut CpuState) = |cpu| load(&mut cpu.segments.es, 0xa000);
    let cases = [
        Case {
            asm: "mov ax, [es:0]",
            code: &[0x26, 0xa1, 0, 0],
            before: at_a000,
            effect: |cpu| cpu.gpr[AX] |= 0xffff,
            notices: &["0000:7C00: read of 2 bytes from address 0xa0000, where no device is"],
            ..Case::default()
        },
        Case {
            asm: "mov byte [es:0], 0x41",
            code: &[0x26, 0xc6, 0x06, 0, 0, 0x41],
            before: at_a000,
            notices: &["write of 0x41 (1 byte) to address 0xa0000, where no device is"],
            ..Case::default()
        },
        Case {
            asm: "movsb",
            code: &[0xa4],
            before: |cpu| {
                es_is_video(cpu);
                load(&mut cpu.segments.ds, 0xa000);
                (cpu.gpr[SI], cpu.gpr[DI]) = (0, 0);
            },
            effect: |cpu| (cpu.gpr[SI], cpu.gpr[DI]) = (1, 1),
            expected: &[(VGA, &[0xff, 7])],
            notices: &["read of 1 byte from address 0xa0000"],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn an_access_across_the_border_of_video_memory_falls_apart_at_it() {
    let cases = [
        Case {
            asm: "mov [es:0x7fff], ax",
            code: &[0x26, 0xa3, 0xff, 0x7f],
            before: |cpu| {
                es_is_video(cpu);
                cpu.gpr[AX] = 0x4241;
            },
            expected: &[(VGA + 0x7fff, &[0x41, 0x42])],
            ..Case::default()
        },
        Case {
            asm: "mov ax, [es:0x7fff]",
            code: &[0x26, 0xa1, 0xff, 0x7f],
            before: es_is_video,
            memory: &[(VGA + 0x7fff, &[0x41, 0x42])],
            effect: |cpu| cpu.gpr[AX] = (cpu.gpr[AX] & !0xffff) | 0x4241,
            ..Case::default()
        },
        Case {
            asm: "mov ax, [es:0xffff]",
            code: &[0x26, 0xa1, 0xff, 0x7f],
            before: |cpu| load(&mut cpu.segments.es, 0xb000),
            memory: &[(VGA, &[0x41])],
            effect: |cpu| cpu.gpr[AX] = (cpu.gpr[AX] & !0xffff) | 0x41ff,
            notices: &["read of 1 byte from address 0xb7fff"],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn a_stop_at_unclaimed_memory_comes_after_the_instruction() {
    // movsb from A000:0 to B800:0; mov [ds:0], al
    let boot = Boot::new(Image::parse(&[0xa4, 0xa2, 0, 0, 0x90]).unwrap());
    let mut machine = machine_with(boot, OnUnclaimed::Stop);
    set(&mut machine, |cpu| {
        es_is_video(cpu);
        load(&mut cpu.segments.ds, 0xa000);
        (cpu.gpr[SI], cpu.gpr[DI]) = (0, 0);
    });
    assert!(matches!(machine.step(), StopReason::Unclaimed(_)));
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[SI]), (START + 1, 1));
    assert_eq!(read(&machine, VGA, 2), [0xff, 7]);
    assert!(matches!(machine.step(), StopReason::Unclaimed(_)));
    assert_eq!(machine.cpu().rip, START + 4);
}

#[test]
fn code_that_changes_the_next_instruction_runs_the_new_one() {
    // mov byte [0x7c05], 0x43 (inc bx); then a byte to be replaced
    let mut machine = boot(&[0xc6, 0x06, 5, 0x7c, 0x43, 0x40]);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, START + 5);
    let (ax, bx) = (machine.cpu().gpr[AX], machine.cpu().gpr[BX]);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().gpr[AX], machine.cpu().gpr[BX]), (ax, bx + 1));
}
