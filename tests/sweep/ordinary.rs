//! Ordinary instructions on registers, and jumps: every KVM executes them, and the machine steps over them itself where
//! KVM is an emulator, too.

use super::case::{Case, STATUS};
use super::common::START;
use super::common::modes::{END, Mode};
use super::forms::{is_16_bit, named, sized};

const CF: u64 = 1;
const AF: u64 = 0x10;
/// How far jumps lead.
const DISTANCE: u64 = 0x10;

/// Values of the first operand and of the second, which is CL, CX, ECX or RCX as well.
const PAIRS: [(u64, u64); 6] = [
    (0, 0),
    (0xffff_ffff_ffff_ffff, 1),
    (0x8000_0000_8000_8080, 0x8000_0000_8000_8080),
    (0x7fff_ffff_7fff_7f7f, 0xffff_ffff_ffff_ffff),
    (0x1234_5678_9abc_def0, 0x0f0f_0f0f_f0f0_f0f0),
    (0x0f, 0x8000_0000_8000_80f1),
];

pub fn cases(mode: Mode) -> Vec<Case> {
    let mut cases = Vec::new();
    if !matches!(mode, Mode::Real | Mode::Protected | Mode::Long) {
        // The rings have no part in it.
        return cases;
    }
    arithmetic(mode, &mut cases);
    moves(mode, &mut cases);
    jumps(mode, &mut cases);
    cases
}

fn case(mode: Mode, form: &str, detail: String, code: Vec<u8>, pair: (u64, u64)) -> Case {
    let wide = if mode.is_long() { u64::MAX } else { 0xffff_ffff };
    Case {
        name: named(mode, form, detail),
        code,
        gpr: [pair.0 & wide, pair.1 & wide, 0x5a5a & wide, 0x1234_8765, 0, 0, 0, 0],
        ..Case::default()
    }
}

/// With RCX as the second operand, or none; undefined flags are not shown.
fn arithmetic(mode: Mode, cases: &mut Vec<Case>) {
    // The opcode of 16 bits and wider, below which is that of 8; the ModRM byte; flags.
    const FORMS: [(&str, u8, u8, u64); 15] = [
        ("add", 0x01, 0xc8, STATUS),
        ("or", 0x09, 0xc8, STATUS & !AF),
        ("adc", 0x11, 0xc8, STATUS),
        ("sbb", 0x19, 0xc8, STATUS),
        ("and", 0x21, 0xc8, STATUS & !AF),
        ("sub", 0x29, 0xc8, STATUS),
        ("xor", 0x31, 0xc8, STATUS & !AF),
        ("cmp", 0x39, 0xc8, STATUS),
        ("test", 0x85, 0xc8, STATUS & !AF),
        ("xchg", 0x87, 0xc8, STATUS),
        ("mov", 0x89, 0xc8, STATUS),
        ("inc", 0xff, 0xc0, STATUS),
        ("dec", 0xff, 0xc8, STATUS),
        ("not", 0xf7, 0xd0, STATUS),
        ("neg", 0xf7, 0xd8, STATUS),
    ];
    let natural = if is_16_bit(mode) { 2 } else { 4 };
    let widths: &[u32] = if mode.is_long() { &[1, 2, 4, 8] } else { &[1, 2, 4] };
    for (form, opcode, modrm, shown) in FORMS {
        for &width in widths {
            let code = match width {
                1 => sized(mode, natural, &[], &[opcode - 1, modrm]),
                width => sized(mode, width, &[], &[opcode, modrm]),
            };
            for (index, pair) in PAIRS.into_iter().enumerate() {
                let flags = if index % 2 == 0 { CF } else { STATUS & !CF };
                for flags in [flags, flags ^ CF] {
                    let detail = format!("{} #{index},{flags:x}", width * 8);
                    let case = case(mode, form, detail, code.clone(), pair);
                    cases.push(Case { flags, shown, ..case });
                    if form != "adc" && form != "sbb" {
                        break;
                    }
                }
            }
        }
    }
}

fn moves(mode: Mode, cases: &mut Vec<Case>) {
    let mut one = |form: &str, width: u32, opcode: &[u8]| {
        for (index, pair) in [PAIRS[2], PAIRS[3]].into_iter().enumerate() {
            let code = sized(mode, width, &[], opcode);
            let case = case(mode, form, format!("{} #{index}", width * 8), code, pair);
            cases.push(Case { flags: STATUS, ..case });
        }
    };
    for width in if mode.is_long() { vec![2, 4, 8] } else { vec![2, 4] } {
        one("movzx-byte", width, &[0x0f, 0xb6, 0xd5]);
        one("movsx-byte", width, &[0x0f, 0xbe, 0xd5]);
        one("movzx-word", width, &[0x0f, 0xb7, 0xd1]);
        one("movsx-word", width, &[0x0f, 0xbf, 0xd1]);
        one("cbw", width, &[0x98]);
        one("cwd", width, &[0x99]);
        one("add-imm8", width, &[0x83, 0xc0, 0x81]);
        one("xchg-accumulator", width, &[0x91]);
    }
    if mode.is_long() {
        one("movsxd", 8, &[0x63, 0xd1]);
        one("mov-imm32", 8, &[0xc7, 0xc0, 0x21, 0x43, 0x65, 0x87]);
        one("mov-imm64", 8, &[0xb8, 1, 2, 3, 4, 5, 6, 7, 0x88]);
    }
    let natural = if is_16_bit(mode) { 2 } else { 4 };
    one("mov-high-byte", natural, &[0x88, 0xe5]);
    one("xchg-bytes", natural, &[0x86, 0xe0]);
    one("mov-imm8", natural, &[0xb4, 0x99]);
    one("clc", natural, &[0xf8]);
    one("stc", natural, &[0xf9]);
    one("cmc", natural, &[0xf5]);
}

/// To an end like the one behind the instruction.
fn jumps(mode: Mode, cases: &mut Vec<Case>) {
    let mut one = |form: &str, flags: u64, code: Vec<u8>| {
        let memory = vec![(START + code.len() as u64 + DISTANCE, END.to_vec())];
        let case = case(mode, form, format!("{flags:x}"), code, PAIRS[0]);
        cases.push(Case { flags, memory, ..case });
    };
    for condition in 0..16 {
        for flags in [0, 0x1, 0x4, 0x40, 0x80, 0x800, 0x880, 0x8d5] {
            one(&format!("j-{condition:x}"), flags, vec![0x70 | condition, DISTANCE as u8]);
        }
    }
    let near = |opcode: &[u8]| {
        let mut code = opcode.to_vec();
        code.push(DISTANCE as u8);
        code.resize(opcode.len() + if is_16_bit(mode) { 2 } else { 4 }, 0);
        code
    };
    one("jmp-short", 0, vec![0xeb, DISTANCE as u8]);
    one("jmp-near", 0, near(&[0xe9]));
    one("j-near", 0x40, near(&[0x0f, 0x84]));
    one("j-near", 0, near(&[0x0f, 0x84]));
}
