//! Repeated string instructions: one iteration a step, whatever ends them.

use super::*;
use crate::common::{AX, CX, DI, SI};
use stepvisor::x86::Linear;

/// Flags of a comparison.
const CF: u64 = 1;
const PF: u64 = 4;
const AF: u64 = 0x10;
const ZF: u64 = 0x40;
const SF: u64 = 0x80;
const OF: u64 = 0x800;
const RESULT: u64 = CF | PF | AF | ZF | SF | OF;
const EQUAL: u64 = ZF | PF;
const DF: u64 = 0x400;

/// A repeated instruction, and CX, SI, DI and the result flags after each step.
struct Repeat<'a> {
    asm: &'a str,
    code: &'a [u8],
    before: fn(&mut CpuState),
    memory: &'a [Piece<'a>],
    steps: &'a [(u64, u64, u64, u64)],
    /// AL after each step of LODSB; the others leave AX alone.
    loads: &'a [u8],
    expected: &'a [Piece<'a>],
}

/// Nothing, to be completed.
const REPEAT: Repeat<'_> = Repeat {
    asm: "",
    code: &[],
    before: |_| {},
    memory: &[],
    steps: &[],
    loads: &[],
    expected: &[],
};

impl Repeat<'_> {
    fn check(&self) {
        let asm = self.asm;
        let mut machine = boot(&[self.code, &[0x40; 16]].concat());
        set(&mut machine, |cpu| {
            distinct(cpu);
            (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (3, 0x500, 0x600);
        });
        set(&mut machine, self.before);
        for (addr, data) in self.memory {
            write(&mut machine, *addr, data);
        }
        let mut expected = machine.cpu().clone();
        for (at, &(cx, si, di, flags)) in self.steps.iter().enumerate() {
            assert_eq!(machine.step(), StopReason::Stepped, "{asm}: step {at}");
            (expected.gpr[CX], expected.gpr[SI], expected.gpr[DI]) = (cx, si, di);
            expected.rflags = (expected.rflags & !RESULT) | flags;
            if at == self.steps.len() - 1 {
                expected.advance(u8::try_from(self.code.len()).unwrap());
            }
            if let Some(&loaded) = self.loads.get(at) {
                expected.gpr[AX] = expected.gpr[AX] & !0xff | u64::from(loaded);
            }
            assert_eq!(visible(machine.cpu()), visible(&expected), "{asm}: step {at}");
        }
        for (addr, data) in self.expected {
            assert_eq!(read(&machine, *addr, data.len()), *data, "{asm}: memory at {addr:#x}");
        }
        let ax = machine.cpu().gpr[AX];
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().gpr[AX], ax + 1, "{asm}: the next step is the next instruction");
    }
}

#[test]
fn moves_stores_and_loads_repeat_by_the_counter() {
    let cases = [
        Repeat {
            asm: "rep movsb",
            code: &[0xf3, 0xa4],
            memory: &[(0x500, b"abcd")],
            steps: &[(2, 0x501, 0x601, 0), (1, 0x502, 0x602, 0), (0, 0x503, 0x603, 0)],
            expected: &[(0x600, b"abc\0")],
            ..REPEAT
        },
        Repeat {
            asm: "repne movsw",
            code: &[0xf2, 0xa5],
            before: |cpu| cpu.gpr[CX] = 2,
            memory: &[(0x500, b"abcdef")],
            steps: &[(1, 0x502, 0x602, 0), (0, 0x504, 0x604, 0)],
            expected: &[(0x600, b"abcd\0")],
            ..REPEAT
        },
        Repeat {
            asm: "rep movsd, downwards",
            code: &[0xf3, 0x66, 0xa5],
            before: |cpu| {
                cpu.gpr[CX] = 2;
                cpu.rflags |= DF;
            },
            memory: &[(0x4fc, b"12345678")],
            steps: &[(1, 0x4fc, 0x5fc, 0), (0, 0x4f8, 0x5f8, 0)],
            expected: &[(0x5fc, b"12345678")],
            ..REPEAT
        },
        Repeat {
            asm: "rep stosw",
            code: &[0xf3, 0xab],
            before: |cpu| cpu.gpr[AX] = 0x4241,
            steps: &[(2, 0x500, 0x602, 0), (1, 0x500, 0x604, 0), (0, 0x500, 0x606, 0)],
            expected: &[(0x600, b"ABABAB\0")],
            ..REPEAT
        },
        Repeat {
            asm: "rep lodsb",
            code: &[0xf3, 0xac],
            before: |cpu| cpu.gpr[CX] = 2,
            memory: &[(0x500, b"xy")],
            steps: &[(1, 0x501, 0x600, 0), (0, 0x502, 0x600, 0)],
            loads: b"xy",
            ..REPEAT
        },
    ];
    cases.iter().for_each(Repeat::check);
}

#[test]
fn comparisons_repeat_until_the_counter_or_the_result_ends_them() {
    let cases = [
        Repeat {
            asm: "repe cmpsb, different at the second",
            code: &[0xf3, 0xa6],
            memory: &[(0x500, b"abc"), (0x600, b"aac")],
            steps: &[(2, 0x501, 0x601, EQUAL), (1, 0x502, 0x602, 0)],
            ..REPEAT
        },
        Repeat {
            asm: "repe cmpsb, equal throughout",
            code: &[0xf3, 0xa6],
            before: |cpu| cpu.gpr[CX] = 2,
            memory: &[(0x500, b"ab"), (0x600, b"ab")],
            steps: &[(1, 0x501, 0x601, EQUAL), (0, 0x502, 0x602, EQUAL)],
            ..REPEAT
        },
        Repeat {
            asm: "repe cmpsb, different at the last",
            code: &[0xf3, 0xa6],
            before: |cpu| cpu.gpr[CX] = 2,
            memory: &[(0x500, b"aa"), (0x600, b"ab")],
            steps: &[(1, 0x501, 0x601, EQUAL), (0, 0x502, 0x602, CF | PF | AF | SF)],
            ..REPEAT
        },
        Repeat {
            asm: "repne cmpsw, equal at the second",
            code: &[0xf2, 0xa7],
            memory: &[(0x500, &[1, 0, 9, 9]), (0x600, &[0, 0, 9, 9])],
            steps: &[(2, 0x502, 0x602, 0), (1, 0x504, 0x604, EQUAL)],
            ..REPEAT
        },
        Repeat {
            asm: "repne scasb, found",
            code: &[0xf2, 0xae],
            before: |cpu| cpu.gpr[AX] = 0x63,
            memory: &[(0x600, b"`c")],
            steps: &[(2, 0x500, 0x601, PF), (1, 0x500, 0x602, EQUAL)],
            ..REPEAT
        },
        Repeat {
            asm: "repe scasw, different at once",
            code: &[0xf3, 0xaf],
            before: |cpu| cpu.gpr[AX] = 1,
            steps: &[(2, 0x500, 0x602, 0)],
            ..REPEAT
        },
        Repeat {
            asm: "repe scasw, equal throughout",
            code: &[0xf3, 0xaf],
            before: |cpu| cpu.gpr[AX] = 0,
            steps: &[(2, 0x500, 0x602, EQUAL), (1, 0x500, 0x604, EQUAL), (0, 0x500, 0x606, EQUAL)],
            ..REPEAT
        },
    ];
    cases.iter().for_each(Repeat::check);
}

#[test]
fn a_counter_of_zero_or_one_is_one_step() {
    for code in [&[0xf3, 0xa4], &[0xf3, 0xab], &[0xf3, 0xac], &[0xf2, 0xae], &[0xf3, 0xa6]] {
        let asm = format!("{code:02x?} with CX = 0");
        Case {
            asm: &asm,
            code,
            before: |cpu| {
                // The upper half of ECX does not count in 16-bit code.
                cpu.gpr[CX] = 0x7_0000;
                cpu.rflags |= ZF | CF;
            },
            ..Case::default()
        }
        .check();
    }
    Repeat {
        asm: "rep stosb with CX = 1",
        code: &[0xf3, 0xaa],
        before: |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0x41, 0x7_0001),
        steps: &[(0x7_0000, 0x500, 0x601, 0)],
        expected: &[(0x600, b"A\0")],
        ..REPEAT
    }
    .check();
    Repeat {
        asm: "repne scasb with CX = 1, not found",
        code: &[0xf2, 0xae],
        before: |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0x03, 1),
        steps: &[(0, 0x500, 0x601, PF)],
        ..REPEAT
    }
    .check();
}

#[test]
fn the_address_size_chooses_the_counter() {
    Repeat {
        asm: "a32 rep stosb",
        code: &[0x67, 0xf3, 0xaa],
        before: |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0x41, 0x1_0000),
        steps: &[(0xffff, 0x500, 0x601, 0), (0xfffe, 0x500, 0x602, 0)],
        expected: &[(0x600, b"AA\0")],
        ..REPEAT
    }
    .check_first(2);
    Repeat {
        asm: "rep stosb with the upper half of ECX set",
        code: &[0xf3, 0xaa],
        before: |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0x41, 0xabcd_0002),
        steps: &[(0xabcd_0001, 0x500, 0x601, 0), (0xabcd_0000, 0x500, 0x602, 0)],
        expected: &[(0x600, b"AA\0")],
        ..REPEAT
    }
    .check();
}

impl Repeat<'_> {
    /// Like [`Repeat::check`], but stops in mid-repetition.
    fn check_first(&self, steps: usize) {
        let mut machine = boot(self.code);
        set(&mut machine, |cpu| {
            distinct(cpu);
            (cpu.gpr[SI], cpu.gpr[DI]) = (0x500, 0x600);
        });
        set(&mut machine, self.before);
        for &(cx, si, di, _) in &self.steps[..steps] {
            assert_eq!(machine.step(), StopReason::Stepped);
            let cpu = machine.cpu();
            assert_eq!([cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]], [cx, si, di], "{}", self.asm);
            assert_eq!(cpu.rip, START, "{}", self.asm);
        }
        for (addr, data) in self.expected {
            assert_eq!(read(&machine, *addr, data.len()), *data);
        }
    }
}

#[test]
fn a_string_wraps_within_its_segment() {
    Repeat {
        asm: "rep movsb",
        code: &[0xf3, 0xa4],
        before: |cpu| (cpu.gpr[CX], cpu.gpr[SI]) = (2, 0x2_ffff),
        memory: &[(0xffff, b"x"), (0, b"y")],
        steps: &[(1, 0x2_0000, 0x601, 0), (0, 0x2_0001, 0x602, 0)],
        expected: &[(0x600, b"xy")],
        ..REPEAT
    }
    .check();
}

#[test]
fn a_repetition_whose_registers_were_changed_half_way_goes_on_with_them() {
    let mut machine = boot(&[0xf3, 0xaa, 0x40]);
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX], cpu.gpr[DI]) = (0x41, 100, 0x600));
    assert_eq!(machine.step(), StopReason::Stepped);
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX], cpu.gpr[DI]) = (0x42, 1, 0x700));
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, START + 2);
    assert_eq!(
        (read(&machine, 0x600, 2), read(&machine, 0x700, 2)),
        (vec![0x41, 0], vec![0x42, 0])
    );
}

#[test]
fn a_repetition_under_way_is_run_and_not_stepped_to_its_end() {
    // rep stosb
    for breakpoint in [START, START + 2] {
        let mut machine = boot(&[0xf3, 0xaa, 0x40, 0xf4]);
        set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DI], cpu.gpr[AX]) = (0x1000, 0x8000, 0x77));
        assert_eq!(machine.step(), StopReason::Stepped);
        machine.breakpoints_mut().insert(Linear(breakpoint));
        let steps = machine.stats().steps;
        let stop = machine.run();
        assert_eq!(machine.cpu().gpr[CX], 0);
        assert_eq!(read(&machine, 0x8000, 0x1001), [vec![0x77; 0x1000], vec![0]].concat());
        if breakpoint == START {
            // It has had its turn.
            assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
        } else {
            assert_eq!(stop, StopReason::Breakpoint(Linear(breakpoint)));
            assert!(machine.stats().steps - steps < 10, "{}", machine.stats());
        }
    }
}
