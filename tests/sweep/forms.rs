//! Instructions that compute: operands in, result and flags out.

use stepvisor::x86::Gpr;

use super::case::{Case, STATUS};
use super::common::modes::*;

const CF: u64 = 1;
const PF: u64 = 4;
const AF: u64 = 0x10;
const ZF: u64 = 0x40;
const SF: u64 = 0x80;
const OF: u64 = 0x800;

/// Pairs of operands.
const PAIRS: [(u64, u64); 9] = [
    (0, 0),
    (1, 0xffff_ffff_ffff_ffff),
    (0x8000_0000_0000_0000, 0x8000_0000),
    (0x7f80, 0x8000),
    (0x1234_5678_9abc_def0, 0x0f0f_0f0f_f0f0_f0f0),
    (0xffff_ffff_ffff_fffe, 0x0305),
    (0x0001_0000, 0x4_0120),
    (0xdead_beef_0bad_f00d, 0xa5a5_0000_0000_5aff),
    (0x8080_8080_8080_8080, 0x1f),
];

/// ModRM byte for memory at [`DATA`], which is in RDI.
pub fn memory_operand(mode: Mode, reg: u8) -> u8 {
    reg << 3 | if is_16_bit(mode) { 5 } else { 7 }
}

pub fn is_16_bit(mode: Mode) -> bool {
    matches!(mode, Mode::Real | Mode::V86)
}

/// The operand sizes of a mode.
fn sizes(mode: Mode) -> &'static [u32] {
    if mode.is_long() { &[2, 4, 8] } else { &[2, 4] }
}

/// Mandatory prefix, the prefix or REX that makes the operand `size` bytes wide, and `opcode`.
pub fn sized(mode: Mode, size: u32, prefix: &[u8], opcode: &[u8]) -> Vec<u8> {
    let default = if is_16_bit(mode) { 2 } else { 4 };
    let mut code = Vec::new();
    if size != 8 && size != default {
        code.push(0x66);
    }
    code.extend(prefix);
    if size == 8 {
        code.push(0x48);
    }
    code.extend(opcode);
    code
}

fn letter(mode: Mode) -> &'static str {
    match mode {
        Mode::Real => "R",
        Mode::V86 => "V",
        Mode::Protected => "P",
        Mode::Protected3 => "P3",
        Mode::Long => "L",
        Mode::Long3 => "U",
    }
}

/// Names a case.
pub fn named(mode: Mode, form: &str, detail: impl std::fmt::Display) -> String {
    format!("{} {form} {detail}", letter(mode))
}

pub fn cases(mode: Mode) -> Vec<Case> {
    let mut cases = Vec::new();
    decimal(mode, &mut cases);
    counting(mode, &mut cases);
    vex(mode, &mut cases);
    selectors(mode, &mut cases);
    frames(mode, &mut cases);
    faults(mode, &mut cases);
    bounds(mode, &mut cases);
    system(mode, &mut cases);
    pages(mode, &mut cases);
    cases
}

fn decimal(mode: Mode, cases: &mut Vec<Case>) {
    let forms = [
        ("daa", vec![0x27], STATUS & !OF),
        ("aaa", vec![0x37], AF | CF),
        ("aas", vec![0x3f], AF | CF),
        ("aam", vec![0xd4, 10], SF | ZF | PF),
        ("aad", vec![0xd5, 10], SF | ZF | PF),
    ];
    for (form, code, shown) in forms {
        let values: &[u64] = if mode.is_long() {
            &[0x1234]
        } else {
            &[0, 9, 0xa, 0x0f, 0x99, 0x9a, 0x1ff, 0xfffa, 0x0105, 0x12_0077]
        };
        for &ax in values {
            for flags in [0, CF, AF, CF | AF] {
                cases.push(Case {
                    name: named(mode, form, format_args!("{ax:x},{flags:x}")),
                    code: code.clone(),
                    gpr: [ax, 0, 0, 0, 0, 0, 0, 0],
                    flags,
                    shown,
                    ..Case::default()
                });
            }
        }
    }
}

/// Two-operand instructions with a legacy encoding: register and memory forms.
fn counting(mode: Mode, cases: &mut Vec<Case>) {
    let mut both = |form: &str, size, prefix: &[u8], opcode: &[u8], shown| {
        for memory in [false, true] {
            let modrm = if memory { memory_operand(mode, 0) } else { 0xc1 };
            let code = sized(mode, size, prefix, &[opcode, &[modrm]].concat());
            for (index, (a, b)) in PAIRS.into_iter().enumerate() {
                let [a, b] = [a, b].map(|value| narrow(mode, value));
                let place = if memory { "m" } else { "r" };
                cases.push(Case {
                    name: named(mode, form, format_args!("{place}{} #{index}", size * 8)),
                    code: code.clone(),
                    gpr: [a, b, 0, 0, 0, 0, 0, DATA],
                    flags: if index % 2 == 0 { STATUS } else { 0 },
                    shown,
                    data: b.to_le_bytes().to_vec(),
                    ..Case::default()
                });
            }
        }
    };
    for &size in sizes(mode) {
        both("popcnt", size, &[0xf3], &[0x0f, 0xb8], STATUS);
        both("crc32", size, &[0xf2], &[0x0f, 0x38, 0xf1], STATUS);
    }
    // The byte form of CRC32 has no operand size.
    let natural = if is_16_bit(mode) { 2 } else { 4 };
    both("crc32-byte", natural, &[0xf2], &[0x0f, 0x38, 0xf0], STATUS);
    for size in if mode.is_long() { vec![4, 8] } else { vec![4] } {
        let natural = if size == 8 { 8 } else { natural };
        both(&format!("adcx{size}"), natural, &[0x66], &[0x0f, 0x38, 0xf6], STATUS);
        both(&format!("adox{size}"), natural, &[0xf3], &[0x0f, 0x38, 0xf6], STATUS);
    }
}

/// A register value as wide as the mode's registers.
fn narrow(mode: Mode, value: u64) -> u64 {
    if mode.is_long() { value } else { value & 0xffff_ffff }
}

fn vex(mode: Mode, cases: &mut Vec<Case>) {
    // Name, opcode map, prefix, opcode, ModRM.reg, whether vvvv is an operand, flags.
    type Form = (&'static str, u8, u8, u8, u8, bool, u64);
    const FORMS: [Form; 14] = [
        ("andn", 2, 0, 0xf2, 0, true, ZF | SF | CF | OF),
        ("blsr", 2, 0, 0xf3, 1, true, ZF | SF | CF | OF),
        ("blsmsk", 2, 0, 0xf3, 2, true, ZF | SF | CF | OF),
        ("blsi", 2, 0, 0xf3, 3, true, ZF | SF | CF | OF),
        ("bzhi", 2, 0, 0xf5, 0, true, ZF | SF | CF | OF),
        ("pext", 2, 2, 0xf5, 0, true, STATUS),
        ("pdep", 2, 3, 0xf5, 0, true, STATUS),
        ("mulx", 2, 3, 0xf6, 0, true, STATUS),
        ("bextr", 2, 0, 0xf7, 0, true, ZF | CF | OF),
        ("shlx", 2, 1, 0xf7, 0, true, STATUS),
        ("sarx", 2, 2, 0xf7, 0, true, STATUS),
        ("shrx", 2, 3, 0xf7, 0, true, STATUS),
        ("rorx", 3, 3, 0xf0, 0, false, STATUS),
        ("mulx-same", 2, 3, 0xf6, 3, true, STATUS),
    ];
    for (form, map, prefix, opcode, reg, has_v, shown) in FORMS {
        for wide in if mode.is_long() { vec![false, true] } else { vec![false] } {
            for memory in [false, true] {
                // Without memory the third operand is RCX; the second is RBX.
                let modrm = if memory { memory_operand(mode, reg) } else { 0xc1 | reg << 3 };
                let v = if has_v { 3 } else { 0 };
                let third = u8::from(wide) << 7 | (!v & 0xf) << 3 | prefix;
                let mut code = vec![0xc4, 0xe0 | map, third, opcode, modrm];
                if map == 3 {
                    code.push(0x25);
                }
                let few = mode == Mode::Real || mode == Mode::V86;
                let pairs = if few { &PAIRS[..1] } else { &PAIRS[..] };
                for (index, &(a, b)) in pairs.iter().enumerate() {
                    let [a, b] = [a, b].map(|value| narrow(mode, value));
                    let place = if memory { "m" } else { "r" };
                    let width = if wide { 64 } else { 32 };
                    cases.push(Case {
                        name: named(mode, form, format_args!("{place}{width} #{index}")),
                        code: code.clone(),
                        gpr: [1, b, a, a, 0, 0, 0, DATA],
                        flags: if index % 2 == 0 { STATUS } else { 0 },
                        shown,
                        data: b.to_le_bytes().to_vec(),
                        ..Case::default()
                    });
                }
            }
        }
    }
}

fn selectors(mode: Mode, cases: &mut Vec<Case>) {
    const SELECTORS: [u16; 18] = [
        0,
        3,
        CODE0,
        DATA0,
        DATA0 | 3,
        CODE3,
        DATA3 & !3,
        DATA3,
        CODE64,
        TASK,
        ABSENT,
        EXECUTE_ONLY,
        CONFORMING,
        CONFORMING | 3,
        CONSTANT3,
        CALL_GATE,
        CODE16,
        BEYOND,
    ];
    let few = is_16_bit(mode);
    let selectors = if few { &SELECTORS[..1] } else { &SELECTORS[..] };
    for &selector in selectors {
        for (form, opcode, reg) in [("lar", 2, 0), ("lsl", 3, 0), ("verr", 0, 4), ("verw", 0, 5)] {
            let mut sizes = sizes(mode).to_vec();
            if opcode == 0 {
                sizes = vec![if few { 2 } else { 4 }];
            }
            for size in sizes {
                cases.push(Case {
                    name: named(mode, form, format_args!("{} {selector:x}", size * 8)),
                    code: sized(mode, size, &[], &[0x0f, opcode, 0xc1 | reg << 3]),
                    gpr: [0x1111_1111, selector.into(), 0, 0, 0, 0, 0, 0],
                    flags: if selector & 8 == 0 { STATUS } else { 0 },
                    ..Case::default()
                });
            }
        }
        let data = selector.to_le_bytes().to_vec();
        let verr = vec![0x0f, 0, memory_operand(mode, 4)];
        let gpr = [0, 0, 0, 0, 0, 0, 0, DATA];
        let name = named(mode, "verr-memory", format_args!("{selector:x}"));
        cases.push(Case { name, code: verr, gpr, data, ..Case::default() });
    }
    if mode.is_long() {
        return;
    }
    for (destination, source) in
        [(0x10, 3), (0x13, 0), (0x1_0011, 0x22), (0xffff_fffe, 0x1), (8, 8)]
    {
        for memory in [false, true] {
            let modrm = if memory { memory_operand(mode, 1) } else { 0xc8 };
            let place = if memory { "m" } else { "r" };
            let destination: u64 = destination;
            cases.push(Case {
                name: named(mode, "arpl", format_args!("{place} {destination:x},{source:x}")),
                code: vec![0x63, modrm],
                gpr: [destination, source, 0, 0, 0, 0, 0, DATA],
                flags: if memory { ZF } else { 0 },
                data: destination.to_le_bytes().to_vec(),
                ..Case::default()
            });
        }
    }
}

fn frames(mode: Mode, cases: &mut Vec<Case>) {
    for size in [2, 4] {
        for level in [0, 1, 2, 3, 31, 33] {
            for (alloc, bp) in [(0_u16, 0x6f80), (0x20, 0x6f80), (8, STACK)] {
                let [low, high] = alloc.to_le_bytes();
                let code = sized(mode, size, &[], &[0xc8, low, high, level]);
                let memory = (0x6f00..0x6f80).map(|at| (at & 0xff) as u8).collect();
                cases.push(Case {
                    name: named(
                        mode,
                        "enter",
                        format_args!("{}: {alloc:x},{level} {bp:x}", size * 8),
                    ),
                    code,
                    gpr: [0, 0, 0, 0, 0, bp, 0, 0],
                    memory: vec![(0x6f00, memory)],
                    ..Case::default()
                });
            }
        }
    }
}

fn bounds(mode: Mode, cases: &mut Vec<Case>) {
    if mode.is_long() {
        return;
    }
    let values: [(i64, i64, i64); 8] = [
        (0, 0, 0),
        (-1, 0, 5),
        (5, 0, 5),
        (6, 0, 5),
        (-3, -3, -2),
        (0x7fff, -0x8000, 0x7ffe),
        (1, 5, 0),
        (0x1_0002, 1, 3),
    ];
    for &size in sizes(mode) {
        for (index, lower, upper) in values {
            let bytes = size as usize;
            let data = [&lower.to_le_bytes()[..bytes], &upper.to_le_bytes()[..bytes]].concat();
            cases.push(Case {
                name: named(mode, "bound", format_args!("{} {index},{lower},{upper}", size * 8)),
                code: sized(mode, size, &[], &[0x62, memory_operand(mode, 0)]),
                gpr: [index as u64 & 0xffff_ffff, 0, 0, 0, 0, 0, 0, DATA],
                data,
                ..Case::default()
            });
        }
    }
}

fn system(mode: Mode, cases: &mut Vec<Case>) {
    let time = &[Gpr::Rax, Gpr::Rdx][..];
    let plain: [(&str, &[u8], u64, &'static [Gpr]); 11] = [
        ("xgetbv", &[0x0f, 0x01, 0xd0], STATUS, &[]),
        ("rdtscp", &[0x0f, 0x01, 0xf9], STATUS, time),
        ("rdrand", &[0x0f, 0xc7, 0xf0], STATUS, time),
        ("rdseed", &[0x0f, 0xc7, 0xf8], STATUS, time),
        ("rdseed-16", &[0x66, 0x0f, 0xc7, 0xf8], STATUS, time),
        ("clac", &[0x0f, 0x01, 0xca], STATUS | 0x4_0000, &[]),
        ("stac", &[0x0f, 0x01, 0xcb], STATUS | 0x4_0000, &[]),
        ("ud0", &[0x0f, 0xff, 0xc0], STATUS, &[]),
        ("ud1", &[0x0f, 0xb9, 0xc0], STATUS, &[]),
        ("monitor", &[0x0f, 0x01, 0xc8], STATUS, &[]),
        ("mwait", &[0x0f, 0x01, 0xc9], STATUS, &[]),
    ];
    for (form, code, shown, random) in plain {
        cases.push(Case {
            name: named(mode, form, "plain"),
            code: code.to_vec(),
            gpr: [DATA, 0, 0, 0, 0, 0, 0, 0],
            flags: STATUS,
            shown,
            random,
            ..Case::default()
        });
    }
    cases.push(Case {
        name: named(mode, "clwb", "memory"),
        code: vec![0x66, 0x0f, 0xae, memory_operand(mode, 6)],
        gpr: [0, 0, 0, 0, 0, 0, 0, DATA],
        ..Case::default()
    });
    for (form, opcode) in [("movbe-load", 0xf0), ("movbe-store", 0xf1)] {
        for &size in sizes(mode) {
            let value = narrow(mode, 0x1122_3344_5566_7788);
            cases.push(Case {
                name: named(mode, form, size * 8),
                code: sized(mode, size, &[], &[0x0f, 0x38, opcode, memory_operand(mode, 0)]),
                gpr: [value, 0, 0, 0, 0, 0, 0, DATA],
                data: vec![1, 2, 3, 4, 5, 6, 7, 8],
                ..Case::default()
            });
        }
    }
    if !mode.is_long() {
        return;
    }
    for (equal, at) in
        [(true, DATA), (false, DATA), (true, DATA + 8), (true, UNMAPPED), (false, SUPERVISOR)]
    {
        let data: Vec<u8> = (0..32).collect();
        let half = |from: usize| u64::from_le_bytes(data[from..from + 8].try_into().unwrap());
        let low = half(0) ^ u64::from(!equal);
        cases.push(Case {
            name: named(mode, "cmpxchg16b", format_args!("{equal} {at:x}")),
            code: vec![0xf0, 0x48, 0x0f, 0xc7, 0x0f],
            gpr: [low, 0xcccc, half(8), 0xbbbb, 0, 0, 0, at],
            flags: if equal { 0 } else { STATUS },
            data,
            ..Case::default()
        });
    }
}

/// Exceptions, with flags and an upper half of ESP that delivery has to keep.
fn faults(mode: Mode, cases: &mut Vec<Case>) {
    let faults: [(&str, &[u8]); 3] =
        [("div", &[0xf6, 0xf3]), ("ud2", &[0x0f, 0x0b]), ("hint", &[0x0f, 0x18, 0xc0])];
    for (form, code) in faults {
        for flags in [0, STATUS, 0x4_0000] {
            cases.push(Case {
                name: named(mode, form, format_args!("{flags:x}")),
                code: code.to_vec(),
                flags,
                ..Case::default()
            });
        }
        if mode == Mode::Real && form != "hint" {
            cases.push(Case {
                name: named(mode, form, "esp"),
                code: code.to_vec(),
                sp: Some(0x1234_0000 + STACK),
                ..Case::default()
            });
        }
    }
}

/// Page faults of the instructions themselves.
fn pages(mode: Mode, cases: &mut Vec<Case>) {
    if !mode.is_long() {
        return;
    }
    for at in [UNMAPPED, UNMAPPED - 2, SUPERVISOR, SUPERVISOR - 2, 0x8000_0000_0000] {
        let forms: [(&str, &[u8], u64); 4] = [
            ("popcnt", &[0xf3, 0x0f, 0xb8, 0x07], STATUS),
            ("verr", &[0x0f, 0x00, 0x27], STATUS),
            ("andn", &[0xc4, 0xe2, 0x60, 0xf2, 0x07], ZF | SF | CF | OF),
            ("adcx", &[0x66, 0x0f, 0x38, 0xf6, 0x07], STATUS),
        ];
        for (form, code, shown) in forms {
            cases.push(Case {
                name: named(mode, form, format_args!("at {at:x}")),
                code: code.to_vec(),
                gpr: [0, 0, 0, 0, 0, 0, 0, at],
                shown,
                ..Case::default()
            });
        }
    }
}
