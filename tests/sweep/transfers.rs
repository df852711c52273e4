//! Interrupts and returns.

use super::case::{Case, STATUS};
use super::common::START;
use super::common::modes::*;
use super::forms::{is_16_bit, named, sized};

const IF: u64 = 0x200;
const DF: u64 = 0x400;
const NT: u64 = 0x4000;
const AC: u64 = 0x4_0000;
const ID: u64 = 0x20_0000;
/// All that IRET may bring.
const ALL: u64 = STATUS | IF | DF | NT | AC | ID | 0x3000;

pub fn cases(mode: Mode) -> Vec<Case> {
    let mut cases = Vec::new();
    interrupts(mode, &mut cases);
    if mode != Mode::V86 {
        gates(mode, &mut cases);
    }
    returns(mode, &mut cases);
    cases
}

fn interrupts(mode: Mode, cases: &mut Vec<Case>) {
    let mut add = |form: &str, code: &[u8], flags| {
        cases.push(Case {
            name: named(mode, form, format_args!("{flags:x}")),
            code: code.to_vec(),
            flags,
            ..Case::default()
        });
    };
    for flags in [0, STATUS | IF | DF, IF | NT, AC | ID] {
        for vector in [0, 3, 4, 0x0d, 0x30, 0x7f, 0x80, 0xff] {
            add(&format!("int-{vector:02x}"), &[0xcd, vector], flags);
        }
        add("int3", &[0xcc], flags);
        add("int1", &[0xf1], flags);
        if !mode.is_long() {
            add("into", &[0xce], flags);
            add("into-of", &[0xce], flags | 0x800);
        }
    }
}

/// Bad and other gates, at vector 30h.
fn gates(mode: Mode, cases: &mut Vec<Case>) {
    if mode == Mode::Real {
        return;
    }
    let long = mode.is_long();
    let code = u64::from(if long { CODE64 } else { CODE0 });
    let gates: [(&str, u64, u64); 14] = [
        ("absent", code, 0x6e),
        ("of-ring-0", code, 0x8e),
        ("trap", code, 0xef),
        ("nothing", code, 0),
        ("call-gate", code, 0xec),
        ("null-code", 0, 0xee),
        ("data", DATA0.into(), 0xee),
        ("outer-code", CODE3.into(), 0xee),
        ("absent-code", ABSENT.into(), 0xee),
        ("beyond", BEYOND.into(), 0xee),
        ("other-width", if long { CODE0 } else { CODE64 }.into(), 0xee),
        ("16-bit", code, 0xe6),
        ("ldt", u64::from(CODE0) | 4, 0xee),
        ("execute-only", EXECUTE_ONLY.into(), 0xee),
    ];
    for (form, selector, kind) in gates {
        let handler = HANDLER + 4 * 0x30;
        let raw = handler & 0xffff | selector << 16 | kind << 40;
        let at = IDT + 0x30 * if long { 16 } else { 8 };
        // A handler of 16 bits looks the same in the frame's first word only.
        if form == "16-bit" && !long {
            continue;
        }
        cases.push(Case {
            name: named(mode, "gate", form),
            code: vec![0xcd, 0x30],
            memory: vec![(at, raw.to_le_bytes().to_vec())],
            ..Case::default()
        });
    }
}

fn returns(mode: Mode, cases: &mut Vec<Case>) {
    let sizes: &[u32] = match mode {
        _ if mode.is_long() => &[4, 8],
        _ => &[2, 4],
    };
    let long = mode.is_long();
    let same = match mode {
        Mode::Real | Mode::V86 => 0,
        Mode::Protected => CODE0,
        Mode::Protected3 => CODE3,
        Mode::Long => CODE64,
        Mode::Long3 => CODE64_3,
    };
    let stack = match mode {
        Mode::Protected3 | Mode::Long3 => DATA3,
        _ => DATA0,
    };
    let target = START + 0x20;
    for &size in sizes {
        let mut add = |name: &str, frame: &[u64], flags: u64| {
            let bytes: Vec<u8> = frame
                .iter()
                .flat_map(|word| word.to_le_bytes()[..size as usize].to_vec())
                .collect();
            let sp = STACK - 0x40;
            cases.push(Case {
                name: named(mode, "iret", format_args!("{}: {name}", size * 8)),
                code: sized(mode, size, &[], &[0xcf]),
                memory: vec![(sp, bytes), (target, vec![0xe6, 0xf4, 0xeb, 0xfe])],
                flags,
                shown: ALL,
                sp: Some(sp),
                ..Case::default()
            });
        };
        let tail = [STACK, stack.into()];
        // Port access needs IOPL 3 in ring 3, or the bitmap, which is open.
        for flags in [2, 0x3002, 0x3fd7 & !0x100, NT | 2, AC | ID | 2, 0x7ed7, 0x1_0002] {
            for before in [0, STATUS | IF, AC | DF] {
                let frame = [target, same.into(), flags, tail[0], tail[1]];
                add(&format!("flags {flags:x} from {before:x}"), &frame, before);
            }
        }
        if is_16_bit(mode) {
            continue;
        }
        let selectors = [
            ("null", 0),
            ("data", DATA0),
            ("absent", ABSENT),
            ("beyond", BEYOND),
            ("conforming", CONFORMING),
            ("execute-only", EXECUTE_ONLY),
            ("ring-0", if long { CODE64 } else { CODE0 }),
            ("ring-0 by 1", if long { CODE64 } else { CODE0 } | 1),
        ];
        for (name, selector) in selectors {
            // Those that lead to 32-bit code from long mode find the same instructions there.
            let frame = [target, selector.into(), 0x3002, tail[0], tail[1]];
            add(&format!("to {name}"), &frame, 0);
        }
        if matches!(mode, Mode::Protected | Mode::Long) {
            let outer = if long { CODE64_3 } else { CODE3 };
            for (name, ss) in [
                ("ring 3", DATA3),
                ("ring 3 on ring 0's stack", DATA0),
                ("ring 3 on a null stack", 0),
                ("ring 3 on code", CODE3),
                ("ring 3 on a read-only stack", CONSTANT3),
                ("ring 3 beyond", BEYOND | 3),
            ] {
                add(&format!("to {name}"), &[target, outer.into(), 0x3002, STACK, ss.into()], 0);
            }
        }
    }
}
