//! Instructions that show or change the flags: a debugger's own use of them must not show.

use super::*;
use crate::common::{AX, SP};

const TF: u64 = 0x100;
const IF: u64 = 0x200;

#[test]
fn pushf_pushes_the_guests_own_flags() {
    let cases = [
        Case {
            asm: "pushf",
            code: &[0x9c],
            before: |cpu| cpu.rflags = 0xed7,
            effect: |cpu| cpu.gpr[SP] -= 2,
            expected: &[(0x7bfe, &[0xd7, 0x0e])],
            ..Case::default()
        },
        Case {
            asm: "pushf",
            code: &[0x9c],
            effect: |cpu| cpu.gpr[SP] -= 2,
            expected: &[(0x7bfe, &[2, 0])],
            ..Case::default()
        },
        Case {
            asm: "pushfd",
            code: &[0x66, 0x9c],
            before: |cpu| cpu.rflags = 0xed7,
            effect: |cpu| cpu.gpr[SP] -= 4,
            expected: &[(0x7bfc, &[0xd7, 0x0e, 0, 0])],
            ..Case::default()
        },
    ];
    for case in &cases {
        let machine = case.check();
        assert_eq!(machine.cpu().rflags & TF, 0);
    }
}

#[test]
fn popf_sets_the_flags_that_were_pushed() {
    let cases = [
        Case {
            asm: "popf",
            code: &[0x9d],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0xd7, 0x0e])],
            effect: |cpu| (cpu.gpr[SP], cpu.rflags) = (0x602, 0xed7),
            ..Case::default()
        },
        Case {
            asm: "popf",
            code: &[0x9d],
            before: |cpu| (cpu.gpr[SP], cpu.rflags) = (0x600, 0xed7),
            memory: &[(0x600, &[2, 0])],
            effect: |cpu| (cpu.gpr[SP], cpu.rflags) = (0x602, 2),
            ..Case::default()
        },
        Case {
            asm: "popfd",
            code: &[0x66, 0x9d],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0xd7, 0x0e, 0, 0])],
            effect: |cpu| (cpu.gpr[SP], cpu.rflags) = (0x604, 0xed7),
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn cli_sti_and_the_single_flag_instructions_change_just_their_flag() {
    let cases = [
        Case { asm: "sti", code: &[0xfb], effect: |cpu| cpu.rflags |= IF, ..Case::default() },
        Case {
            asm: "cli",
            code: &[0xfa],
            before: |cpu| cpu.rflags |= IF,
            effect: |cpu| cpu.rflags &= !IF,
            ..Case::default()
        },
        Case { asm: "stc", code: &[0xf9], effect: |cpu| cpu.rflags |= 1, ..Case::default() },
        Case { asm: "std", code: &[0xfd], effect: |cpu| cpu.rflags |= 0x400, ..Case::default() },
        Case {
            asm: "lahf",
            code: &[0x9f],
            before: |cpu| (cpu.gpr[AX], cpu.rflags) = (0, 0xed7),
            effect: |cpu| cpu.gpr[AX] = 0xd700,
            ..Case::default()
        },
    ];
    cases.iter().for_each(|case| drop(case.check()));
}

#[test]
fn the_step_after_sti_is_one_instruction_too() {
    // sti; inc ax; inc ax
    let mut machine = boot(&[0xfb, 0x40, 0x40]);
    set(&mut machine, |cpu| cpu.gpr[AX] = 0);
    for (place, ax) in [(1, 0), (2, 1), (3, 2)] {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!((machine.cpu().rip - START, machine.cpu().gpr[AX]), (place, ax));
    }
}

#[test]
fn the_guest_never_finds_a_trap_flag_it_has_not_set() {
    // pushf; pop ax; int 0x21; pushf; pop bx; hlt, and at 7C10: pushf; pop cx; iret
    let mut code = vec![0x90; 0x20];
    code[..7].copy_from_slice(&[0x9c, 0x58, 0xcd, 0x21, 0x9c, 0x5b, 0xf4]);
    code[0x10..0x13].copy_from_slice(&[0x9c, 0x59, 0xcf]);
    let mut machine = boot(&code);
    write(&mut machine, 0x21 * 4, &[0x10, 0x7c, 0, 0]);
    let stop = common::step_to_end(&mut machine, 20);
    assert_eq!(stop, common::halted("0000:7C07"));
    let cpu = machine.cpu();
    let seen = [AX, common::BX, common::CX].map(|register| cpu.gpr[register]);
    assert_eq!(seen, [2, 2, 2]);
    assert_eq!(read(&machine, 0x7bfa, 6), [4, 0x7c, 0, 0, 2, 0], "flags under the handler");
}
