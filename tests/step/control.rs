//! Transfers of control: jumps, calls, software interrupts and their returns.

use super::*;
use crate::common::{AX, CX, SP};

/// IF and the fixed bit, with carry to tell the flags from the initial ones.
const FLAGS: u64 = 0x203;

#[test]
fn jumps_land_on_their_target() {
    let cases = [
        Case {
            asm: "jmp short $+5",
            code: &[0xeb, 3],
            effect: |cpu| cpu.rip += 3,
            ..Case::default()
        },
        Case {
            asm: "jmp $-0x100",
            code: &[0xe9, 0xfd, 0xfe],
            effect: |cpu| cpu.rip = START - 0x100,
            ..Case::default()
        },
        Case { asm: "jc $+0x12", code: &[0x72, 0x10], ..Case::default() },
        Case {
            asm: "jc $+0x12",
            code: &[0x72, 0x10],
            before: |cpu| cpu.rflags |= 1,
            effect: |cpu| cpu.rip += 0x10,
            ..Case::default()
        },
        Case {
            asm: "jmp 0x07c0:0x0010",
            code: &[0xea, 0x10, 0, 0xc0, 7],
            effect: |cpu| {
                load(&mut cpu.segments.cs, 0x7c0);
                cpu.rip = 0x10;
            },
            ..Case::default()
        },
        Case {
            asm: "jmp far [0x500]",
            code: &[0xff, 0x2e, 0, 5],
            memory: &[(0x500, &[0x10, 0, 0xc0, 7])],
            effect: |cpu| {
                load(&mut cpu.segments.cs, 0x7c0);
                cpu.rip = 0x10;
            },
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn an_instruction_that_jumps_to_itself_is_a_step_each_time() {
    // jmp $
    let mut machine = boot(&[0xeb, 0xfe]);
    for _ in 0..3 {
        let before = machine.cpu().clone();
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(visible(machine.cpu()), visible(&before));
    }
    // loop $
    let mut machine = boot(&[0xe2, 0xfe, 0x40]);
    set(&mut machine, |cpu| cpu.gpr[CX] = 3);
    for (count, place) in [(2, START), (1, START), (0, START + 2)] {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!((machine.cpu().gpr[CX], machine.cpu().rip), (count, place));
    }
}

#[test]
fn calls_push_where_to_return_and_returns_go_there() {
    let cases = [
        Case {
            asm: "call $+0x13",
            code: &[0xe8, 0x10, 0],
            effect: |cpu| {
                cpu.rip = START + 0x13;
                cpu.gpr[SP] = 0x7bfe;
            },
            expected: &[(0x7bfe, &[3, 0x7c])],
            ..Case::default()
        },
        Case {
            asm: "call 0x07c0:0x0010",
            code: &[0x9a, 0x10, 0, 0xc0, 7],
            effect: |cpu| {
                load(&mut cpu.segments.cs, 0x7c0);
                cpu.rip = 0x10;
                cpu.gpr[SP] = 0x7bfc;
            },
            expected: &[(0x7bfc, &[5, 0x7c, 0, 0])],
            ..Case::default()
        },
        Case {
            asm: "call far [0x500]",
            code: &[0xff, 0x1e, 0, 5],
            memory: &[(0x500, &[0x10, 0, 0xc0, 7])],
            effect: |cpu| {
                load(&mut cpu.segments.cs, 0x7c0);
                cpu.rip = 0x10;
                cpu.gpr[SP] = 0x7bfc;
            },
            expected: &[(0x7bfc, &[4, 0x7c, 0, 0])],
            ..Case::default()
        },
        Case {
            asm: "ret",
            code: &[0xc3],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0x34, 0x12])],
            effect: |cpu| {
                cpu.rip = 0x1234;
                cpu.gpr[SP] = 0x602;
            },
            ..Case::default()
        },
        Case {
            asm: "ret 4",
            code: &[0xc2, 4, 0],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0x34, 0x12])],
            effect: |cpu| {
                cpu.rip = 0x1234;
                cpu.gpr[SP] = 0x606;
            },
            ..Case::default()
        },
        Case {
            asm: "retf",
            code: &[0xcb],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0x34, 0x12, 0xc0, 7])],
            effect: |cpu| {
                cpu.rip = 0x1234;
                load(&mut cpu.segments.cs, 0x7c0);
                cpu.gpr[SP] = 0x604;
            },
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

/// What an interrupt through a vector that holds 07C0:0100 does, but for the flags it clears.
fn enter_handler(cpu: &mut CpuState) {
    load(&mut cpu.segments.cs, 0x7c0);
    cpu.rip = 0x100;
    cpu.gpr[SP] = 0x7bfa;
    cpu.rflags &= !0x200;
}

#[test]
fn a_software_interrupt_enters_its_handler_and_runs_nothing_of_it() {
    const HANDLER: &[u8] = &[0, 1, 0xc0, 7];
    // Every vector: some hosts hang or slip at some.
    let mut machine = boot(&[0xcd, 0, 0x40, 0x40]);
    for vector in 0..=0xff {
        write(&mut machine, START + 1, &[vector]);
        write(&mut machine, u64::from(vector) * 4, HANDLER);
        set(&mut machine, |cpu| {
            load(&mut cpu.segments.cs, 0);
            (cpu.rip, cpu.rflags, cpu.gpr[SP]) = (START, FLAGS, START);
        });
        let mut expected = machine.cpu().clone();
        enter_handler(&mut expected);
        assert_eq!(machine.step(), StopReason::Stepped, "int {vector:#x}");
        assert_eq!(visible(machine.cpu()), visible(&expected), "int {vector:#x}");
        assert_eq!(read(&machine, 0x7bfa, 6), [2, 0x7c, 0, 0, 3, 2], "int {vector:#x}");
    }
    let cases = [
        Case {
            asm: "int3",
            code: &[0xcc],
            before: |cpu| cpu.rflags = FLAGS,
            memory: &[(3 * 4, HANDLER)],
            effect: enter_handler,
            expected: &[(0x7bfa, &[1, 0x7c, 0, 0, 3, 2])],
            ..Case::default()
        },
        Case {
            asm: "into, overflow",
            code: &[0xce],
            before: |cpu| cpu.rflags = FLAGS | 0x800,
            memory: &[(4 * 4, HANDLER)],
            effect: enter_handler,
            expected: &[(0x7bfa, &[1, 0x7c, 0, 0, 3, 0xa])],
            ..Case::default()
        },
        Case {
            asm: "into, no overflow",
            code: &[0xce],
            before: |cpu| cpu.rflags = FLAGS,
            memory: &[(4 * 4, HANDLER)],
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn an_interrupt_uses_the_stack_and_the_vector_table_where_they_are() {
    // The stack wraps at the end of its segment.
    Case {
        asm: "int 0x21",
        code: &[0xcd, 0x21],
        before: |cpu| {
            load(&mut cpu.segments.ss, 0x2000);
            cpu.gpr[SP] = 0xabcd_0000;
        },
        memory: &[(0x21 * 4, &[0, 1, 0xc0, 7])],
        effect: |cpu| {
            load(&mut cpu.segments.cs, 0x7c0);
            cpu.rip = 0x100;
            cpu.gpr[SP] = 0xabcd_fffa;
        },
        expected: &[(0x2_fffa, &[2, 0x7c, 0, 0, 2, 0])],
        ..Case::default()
    }
    .check();
    // The table may have been moved.
    Case {
        asm: "int 0x21",
        code: &[0xcd, 0x21],
        before: |cpu| cpu.idtr.base = 0x1000,
        memory: &[(0x1000 + 0x21 * 4, &[0, 1, 0xc0, 7])],
        effect: enter_handler,
        expected: &[(0x7bfa, &[2, 0x7c, 0, 0, 2, 0])],
        ..Case::default()
    }
    .check();
}

#[test]
fn iret_restores_what_the_interrupt_pushed() {
    Case {
        asm: "iret",
        code: &[0xcf],
        before: |cpu| cpu.gpr[SP] = 0x600,
        memory: &[(0x600, &[0x34, 0x12, 0xc0, 7, 0xd7, 0x0e])],
        effect: |cpu| {
            cpu.rip = 0x1234;
            load(&mut cpu.segments.cs, 0x7c0);
            cpu.gpr[SP] = 0x606;
            cpu.rflags = 0xed7;
        },
        ..Case::default()
    }
    .check();
}

#[test]
fn an_interrupt_and_back_takes_as_many_steps_as_instructions() {
    // int 0x80; inc ax; hlt ... the handler at 7C10: inc ax; iret
    let mut code = vec![0x90; 0x20];
    code[..4].copy_from_slice(&[0xcd, 0x80, 0x40, 0xf4]);
    code[0x10..0x12].copy_from_slice(&[0x40, 0xcf]);
    let mut machine = boot(&code);
    write(&mut machine, 0x80 * 4, &[0x10, 0x7c, 0, 0]);
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.rflags) = (0, FLAGS));
    for (place, ax) in [(0x10, 0), (0x11, 1), (2, 1), (3, 2)] {
        assert_eq!(machine.step(), StopReason::Stepped);
        let cpu = machine.cpu();
        assert_eq!((cpu.rip - START, cpu.gpr[AX]), (place, ax));
    }
    // IRET brought them back, and the last INC leaves the carry alone and sets nothing.
    assert_eq!(machine.cpu().rflags, FLAGS);
    assert_eq!(machine.cpu().gpr[SP], START);
}
