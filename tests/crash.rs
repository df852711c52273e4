//! What a user is told when the guest's processor shuts down: the registers before the fault, which exception
//! it was, and why its handlers could not be reached. On every host, in every mode.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::{self, Mode, machine_in};
use common::{read, set, visible};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{CpuState, Gpr};

/// An instruction that raises an exception, in tables that lead nowhere.
struct Case<'a> {
    asm: &'a str,
    mode: Mode,
    code: &'a [u8],
    /// Registers and memory before it.
    before: fn(&mut Machine),
    /// Parts of the account, line by line.
    account: &'a [&'a str],
}

/// The interrupt table is empty.
fn no_table(machine: &mut Machine) {
    set(machine, |cpu| cpu.idtr.limit = 0);
}

fn set_gpr(machine: &mut Machine, gpr: Gpr, value: u64) {
    set(machine, |cpu| *cpu.get_mut(gpr) = value);
}

/// How the chain goes on for whatever has no gate.
const GP: &str = "that raises #GP, general protection";
const DF: &str = "that raises #GP and so #DF, double fault";
const END: &str = "#DF is not delivered: entry 8 of the IDT is beyond the table's limit (base 0x2000, \
                   limit 0x0); the processor shuts down";

const CASES: &[Case] = &[
    Case {
        asm: "ud2",
        mode: Mode::Protected,
        code: &[0x0f, 0x0b],
        before: no_table,
        account: &["`ud2` (bytes 0f 0b) raised #UD, invalid opcode", GP, DF, END],
    },
    Case {
        asm: "div bl",
        mode: Mode::Protected,
        code: &[0xf6, 0xf3],
        before: no_table,
        account: &["`div bl` (bytes f6 f3) raised #DE, divide error", DF, END],
    },
    Case {
        asm: "mov ds, ax",
        mode: Mode::Protected,
        code: &[0x8e, 0xd8],
        before: |machine| {
            no_table(machine);
            set_gpr(machine, Gpr::Rax, modes::BEYOND.into());
        },
        account: &[
            "raised #GP, general protection (error code 0x80: selector 0x80 of the GDT)",
            DF,
            END,
        ],
    },
    Case {
        asm: "mov ds, ax, not present",
        mode: Mode::Protected,
        code: &[0x8e, 0xd8],
        before: |machine| {
            no_table(machine);
            set_gpr(machine, Gpr::Rax, modes::ABSENT.into());
        },
        account: &["raised #NP, segment not present (error code 0x48", DF, END],
    },
    Case {
        asm: "int 0x21",
        mode: Mode::Protected,
        code: &[0xcd, 0x21],
        before: no_table,
        account: &[
            "`int 0x21` (bytes cd 21) calls interrupt 0x21",
            "interrupt 0x21 is not delivered: entry 33 of the IDT",
            DF,
            END,
        ],
    },
    Case {
        asm: "mov cr0, eax",
        mode: Mode::Protected,
        code: &[0x0f, 0x22, 0xc0],
        before: |machine| {
            no_table(machine);
            // Paging without protection.
            set_gpr(machine, Gpr::Rax, 0x8000_0010);
        },
        account: &[
            "`mov cr0, eax` (bytes 0f 22 c0) raised #GP, general protection (error code 0x0)",
            DF,
            END,
        ],
    },
    Case {
        asm: "mov al, [UNMAPPED]",
        mode: Mode::Long,
        code: &[0x8a, 0x04, 0x25, 0, 0xa0, 0, 0],
        before: no_table,
        account: &[
            "raised #PF, page fault at 0xa000 (error code 0x0: supervisor read, not present)",
            "#PF is not delivered",
            END,
        ],
    },
    Case {
        asm: "mov [rax], al, not canonical",
        mode: Mode::Long,
        code: &[0x88, 0x00],
        before: |machine| {
            no_table(machine);
            set_gpr(machine, Gpr::Rax, 0x8000_0000_0000_0000);
        },
        account: &["raised #GP, general protection (error code 0x0)", DF, END],
    },
    Case {
        asm: "wrmsr",
        mode: Mode::Long,
        code: &[0x0f, 0x30],
        before: |machine| {
            no_table(machine);
            // EFER, with bits that are reserved.
            set_gpr(machine, Gpr::Rcx, 0xc000_0080);
            set_gpr(machine, Gpr::Rdx, 0xffff_ffff);
        },
        account: &[
            "`wrmsr` (bytes 0f 30) raised #GP, general protection (error code 0x0)",
            DF,
            END,
        ],
    },
    Case {
        asm: "jmp to nowhere",
        mode: Mode::Long,
        code: &[0xff, 0xe0],
        before: |machine| {
            no_table(machine);
            set(machine, |cpu| cpu.rip = modes::UNMAPPED);
        },
        account: &[
            "fetching the instruction at 0028:000000000000A000 raised #PF, page fault at 0xa000",
            "#PF is not delivered",
            END,
        ],
    },
    Case {
        asm: "push, with no stack",
        mode: Mode::Long,
        code: &[0x50],
        before: |machine| set_gpr(machine, Gpr::Rsp, modes::UNMAPPED + 0x100),
        account: &[
            "`push rax` (bytes 50) raised #PF, page fault at 0xa0f8 (error code 0x2: supervisor write",
            "#PF is not delivered: 0xa0f8 is out of reach (supervisor write, not present); that raises #PF \
             and so #DF, double fault",
            "#DF is not delivered: 0xa0f8 is out of reach (supervisor write, not present); the processor \
             shuts down",
        ],
    },
];

/// The stop, and the lines of the account.
fn crash(machine: &mut Machine, run: impl FnOnce(&mut Machine) -> StopReason) -> Vec<String> {
    let stop = run(machine);
    assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
    assert!(stop.to_string().contains("triple fault"), "{stop}");
    machine.crash().expect("an account").lines().to_vec()
}

fn check(case: &Case, stepped: bool) {
    let Case { asm, mode, code, before, account } = case;
    let mut machine = machine_in(*mode, code);
    before(&mut machine);
    let expected = visible(machine.cpu());
    let memory = read(&machine, 0, modes::UNMAPPED as usize);
    let lines = crash(&mut machine, |machine| if stepped { machine.step() } else { machine.run() });
    assert_eq!(lines.len(), account.len(), "{asm}: {lines:#?}");
    for (line, part) in lines.iter().zip(*account) {
        assert!(line.contains(part), "{asm}: `{line}` does not say `{part}`");
    }
    let found = CpuState { cr2: expected.cr2, rflags: expected.rflags, ..visible(machine.cpu()) };
    assert_eq!(found, expected, "{asm}: registers before the fault");
    assert!(read(&machine, 0, modes::UNMAPPED as usize) == memory, "{asm}: memory has changed");
}

#[test]
fn a_triple_fault_is_explained_from_its_first_exception_on() {
    for case in CASES {
        check(case, true);
        check(case, false);
    }
}
