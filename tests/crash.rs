//! What a user is told when the guest's processor shuts down: the registers before the fault, which exception
//! it was, and why its handlers could not be reached. On every host, in every mode.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::{self, DATA, DATA0, Mode, machine_in};
use common::{START, read, record, set, step_to_end, visible};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{CpuState, Gpr, Linear, Phys};

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

/// The descriptor table is on a page that is not mapped.
fn no_descriptors(machine: &mut Machine) {
    set(machine, |cpu| cpu.gdtr.base = modes::UNMAPPED);
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
        asm: "nop with 15 prefixes",
        mode: Mode::Protected,
        code: &[
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x90,
        ],
        before: no_table,
        account: &[
            "an instruction of more than 15 bytes (66 66 66 66 and so on) raised #GP, general protection",
            DF,
            END,
        ],
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
        // The number of an exception, #MF, which it is not.
        asm: "int 0x10",
        mode: Mode::Protected,
        code: &[0xcd, 0x10],
        before: no_table,
        account: &[
            "`int 0x10` (bytes cd 10) calls interrupt 0x10",
            "interrupt 0x10 is not delivered: entry 16 of the IDT",
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
    // As in loaders that leave the segments as real mode had them.
    Case {
        asm: "rep insw, ES of 64 KiB",
        mode: Mode::Protected,
        code: &[0xf3, 0x66, 0x6d],
        before: |machine| {
            no_table(machine);
            set(machine, |cpu| cpu.segments.es.limit = 0xffff);
            set_gpr(machine, Gpr::Rcx, 0x100);
            set_gpr(machine, Gpr::Rdx, 0x1f0);
            set_gpr(machine, Gpr::Rdi, 0x10_0000);
        },
        account: &[
            "`rep insw` (bytes f3 66 6d) raised #GP, general protection (error code 0x0): ES:00100000 reaches beyond \
             the segment's limit, 0xffff",
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
        asm: "mov fs, ax, with the GDT on no page",
        mode: Mode::Long,
        code: &[0x8e, 0xe0],
        before: |machine| {
            no_table(machine);
            no_descriptors(machine);
            set_gpr(machine, Gpr::Rax, DATA0.into());
        },
        account: &[
            "raised #PF, page fault at 0xa010 (error code 0x0: supervisor read, not present)",
            "#PF is not delivered",
            END,
        ],
    },
    Case {
        asm: "ltr ax, with the GDT on no page",
        mode: Mode::Long,
        code: &[0x0f, 0x00, 0xd8],
        before: |machine| {
            no_table(machine);
            no_descriptors(machine);
            set_gpr(machine, Gpr::Rax, modes::TASK.into());
        },
        account: &["raised #PF, page fault at 0xa038 (error code 0x0", "#PF is not delivered", END],
    },
    Case {
        asm: "lfs eax, [DATA], with the GDT on no page",
        mode: Mode::Long,
        code: &[0x0f, 0xb4, 0x04, 0x25, 0, 0x90, 0, 0],
        before: |machine| {
            no_table(machine);
            no_descriptors(machine);
            assert_eq!(machine.write_phys(Phys(DATA + 4), &DATA0.to_le_bytes()), 2);
        },
        account: &["raised #PF, page fault at 0xa010 (error code 0x0", "#PF is not delivered", END],
    },
    Case {
        asm: "pop gs, with the GDT on no page",
        mode: Mode::Long,
        code: &[0x0f, 0xa9],
        before: |machine| {
            no_table(machine);
            no_descriptors(machine);
            assert_eq!(machine.write_phys(Phys(modes::STACK), &DATA0.to_le_bytes()), 2);
        },
        account: &["raised #PF, page fault at 0xa010 (error code 0x0", "#PF is not delivered", END],
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
    assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop} at {}", machine.cpu().location());
    assert!(stop.to_string().contains("triple fault"), "{stop}");
    machine.crash().expect("an account").lines().to_vec()
}

fn check(case: &Case, stepped: bool) {
    let Case { asm, mode, code, before, account } = case;
    let mut machine = machine_in(*mode, code);
    before(&mut machine);
    let expected = visible(machine.cpu());
    let memory = read(&machine, 0, modes::UNMAPPED as usize);
    // Some hosts stop at an instruction that cannot be fetched before they raise its fault.
    let run = |machine: &mut Machine| if stepped { step_to_end(machine, 4) } else { machine.run() };
    let lines = crash(&mut machine, run);
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

#[test]
fn registers_and_memory_are_those_before_the_fault_after_a_long_run_with_output() {
    // l: inc dword [0x9000]; mov eax, [0x9000]; and eax, 0xffff; jnz l
    // mov al, '.'; out 0xe9, al; cmp dword [0x9000], 0x40000; jne l
    // mov edi, 0x234; m: inc dword [0x9004]; dec edi; jnz m; movd xmm1, esi; ud2
    let code = [
        &[0xff, 0x05, 0, 0x90, 0, 0, 0xa1, 0, 0x90, 0, 0][..],
        &[0x25, 0xff, 0xff, 0, 0, 0x75, 0xee],
        &[0xb0, b'.', 0xe6, 0xe9, 0x81, 0x3d, 0, 0x90, 0, 0, 0, 0, 4, 0, 0x75, 0xde],
        &[0xbf, 0x34, 0x02, 0, 0, 0xff, 0x05, 4, 0x90, 0, 0, 0x4f, 0x75, 0xf7],
        &[0x0f, 0x0b],
    ]
    .concat();
    let mut machine = machine_in(Mode::Protected, &code);
    no_table(&mut machine);
    let mut fpu = machine.fpu().unwrap();
    fpu.xmm[1] = 0x1122_3344_5566_7788;
    machine.set_fpu(&fpu).unwrap();
    let heard = record(&mut machine);
    let lines = crash(&mut machine, Machine::run);
    assert!(lines[0].contains("`ud2` (bytes 0f 0b) raised #UD"), "{lines:#?}");
    assert_eq!(heard.borrow().console, b"....");
    assert_eq!(read(&machine, DATA, 8), [0, 0, 4, 0, 0x34, 0x02, 0, 0]);
    let cpu = machine.cpu();
    assert_eq!(cpu.pc().0, START + code.len() as u64 - 2);
    assert_eq!((cpu.get(Gpr::Rdi), cpu.get(Gpr::Rax) & 0xff), (0, b'.'.into()));
    assert_eq!(machine.fpu().unwrap(), fpu);
}

#[test]
fn a_crash_can_be_looked_at_again_and_mended() {
    let mut machine = machine_in(Mode::Protected, &[0x0f, 0x0b, 0x40]);
    no_table(&mut machine);
    let first = crash(&mut machine, Machine::run);
    let again = crash(&mut machine, Machine::run);
    assert_eq!(first, again);
    assert_eq!(crash(&mut machine, Machine::step), again);
    set(&mut machine, |cpu| cpu.rip += 2);
    assert!(machine.crash().is_none(), "the user has moved on");
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().get(Gpr::Rax)), (START + 3, 1));
}

#[test]
fn a_crash_after_many_stops_is_found_as_well() {
    // l: inc dword [0x9000]; cmp dword [0x9000], 40; jne l; ud2
    let code = [
        &[0xff, 0x05, 0, 0x90, 0, 0, 0x83, 0x3d, 0, 0x90, 0, 0, 40, 0x75, 0xf1][..],
        &[0x0f, 0x0b],
    ]
    .concat();
    let mut machine = machine_in(Mode::Protected, &code);
    no_table(&mut machine);
    for _ in 0..20 {
        // Off the breakpoint, and to it again, as a debugger does it.
        assert_eq!(machine.step(), StopReason::Stepped);
        machine.breakpoints_mut().insert(Linear(START));
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(START)));
        machine.breakpoints_mut().clear();
    }
    let lines = crash(&mut machine, Machine::run);
    assert!(lines[0].contains("raised #UD"), "{lines:#?}");
    assert_eq!(machine.cpu().pc().0, START + 15);
    assert_eq!(read(&machine, DATA, 4), [40, 0, 0, 0]);
}

/// The first line of the account of `code`, with EAX and EBX, in tables that lead nowhere.
fn began_with(code: &[u8], [eax, ebx]: [u64; 2], stepped: bool) -> String {
    let mut machine = machine_in(Mode::Protected, code);
    no_table(&mut machine);
    set_gpr(&mut machine, Gpr::Rax, eax);
    set_gpr(&mut machine, Gpr::Rbx, ebx);
    let run = |machine: &mut Machine| if stepped { step_to_end(machine, 8) } else { machine.run() };
    let lines = crash(&mut machine, run);
    assert!(lines[1].starts_with("#DB is not delivered: entry 1 of the IDT"), "{lines:#?}");
    lines[0].clone()
}

#[test]
fn a_debug_exception_that_the_guest_asked_for_is_not_blamed_on_the_instruction_behind_it() {
    // pushfd; or dword [esp], 0x100; popfd; nop; ud2
    let trap_flag = [0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90, 0x0f, 0x0b];
    // mov dr0, eax; mov dr7, ebx; nop; nop
    let breakpoint = [0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0x90, 0x90];
    // mov dr7, ebx; mov eax, dr0
    let guarded = [0x0f, 0x23, 0xfb, 0x0f, 0x21, 0xc0];
    for stepped in [true, false] {
        let line = began_with(&trap_flag, [0, 0], stepped);
        assert!(line.contains("#DB, debug exception") && line.contains("single step"), "{line}");
        let line = began_with(&breakpoint, [START + 7, 0x402], stepped);
        let words =
            "`nop` (bytes 90) raised #DB, debug exception: the guest's own breakpoint in DR0";
        assert!(line.contains(words), "{line}");
        let line = began_with(&guarded, [0, 0x2400], stepped);
        assert!(line.contains("`mov eax, dr0` (bytes 0f 21 c0) raised #DB"), "{line}");
        assert!(line.contains("while DR7.GD was set"), "{line}");
    }
    // mov dr0, eax; mov dr7, ebx; mov [eax], ebx; ud2
    let watched = [0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0x89, 0x18, 0x0f, 0x0b];
    let line = began_with(&watched, [DATA, 0xd_0402], true);
    assert!(line.contains("#DB, debug exception"), "{line}");
    assert!(line.contains("the guest's own breakpoint in DR0"), "{line}");
}

#[test]
fn a_debug_exception_that_was_handled_before_is_not_blamed_for_a_later_fault() {
    // mov dr0, eax; mov dr7, ebx; mov [eax], ebx; lidt [0x9100]; ud2
    let code = [
        &[0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0x89, 0x18][..],
        &[0x0f, 0x01, 0x1d, 0, 0x91, 0, 0, 0x0f, 0x0b],
    ]
    .concat();
    for stepped in [true, false] {
        let mut machine = machine_in(Mode::Protected, &code);
        set_gpr(&mut machine, Gpr::Rax, DATA);
        set_gpr(&mut machine, Gpr::Rbx, 0xd_0402);
        // The handler of #DB: iretd.
        assert_eq!(machine.write_phys(Phys(modes::HANDLER + 4), &[0xcf]), 1);
        let run =
            |machine: &mut Machine| if stepped { step_to_end(machine, 8) } else { machine.run() };
        let lines = crash(&mut machine, run);
        let told = lines.iter().position(|line| line.contains("`ud2` (bytes 0f 0b) raised #UD"));
        let told = told.unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(lines[told + 1].starts_with("#UD is not delivered"), "{lines:#?}");
        // Of a free run DR6 is all that some hosts tell.
        assert!(told == 0 || lines[told].starts_with("or DR6 is left of an earlier"), "{lines:#?}");
        assert!(told == 0 || !stepped, "{lines:#?}");
    }
}

#[test]
fn no_error_code_is_told_of_in_real_mode_which_has_none() {
    // div bl; ud2
    for (code, what) in [([0xf6, 0xf3], "#DE"), ([0x0f, 0x0b], "#UD")] {
        let mut machine = machine_in(Mode::Real, &code);
        no_table(&mut machine);
        let lines = crash(&mut machine, |machine| step_to_end(machine, 2));
        assert!(lines[0].contains(&format!("raised {what}")), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("error code")), "{lines:#?}");
    }
}

#[test]
fn a_frame_that_does_not_fit_is_told_of_with_the_stack_it_would_have_gone_to() {
    const BAD: [u8; 8] = 0x8000_0000_0000_0000_u64.to_le_bytes();
    const UD: u8 = 6;
    let cases = [
        (Mode::Long, 36, "on stack 1 of the interrupt stack table, IST1 0x8000000000000000;"),
        (Mode::Long3, 4, "on the stack of ring 0, RSP0 0x8000000000000000;"),
    ];
    for (mode, offset, words) in cases {
        let mut machine = machine_in(mode, &[0x0f, 0x0b]);
        let put = |machine: &mut Machine, at, bytes: &[u8]| {
            assert_eq!(machine.write_phys(Phys(at), bytes), bytes.len());
        };
        put(&mut machine, modes::TSS + offset, &BAD);
        if mode == Mode::Long {
            put(&mut machine, modes::IDT + 16 * u64::from(UD) + 4, &[1]);
            // #SS would find a stack.
            set(&mut machine, |cpu| {
                cpu.idtr.limit = 16 * u16::from(UD) + 15;
                cpu.tr.base = modes::TSS;
            });
        }
        let lines = crash(&mut machine, Machine::run);
        assert!(lines[0].contains("`ud2` (bytes 0f 0b) raised #UD"), "{mode:?}: {lines:#?}");
        assert!(lines[1].contains(words), "{mode:?}: {lines:#?}");
    }
}

/// The task of double faults: its selector, its segment, and what that has.
const TASK: u16 = 0x40;
const TASK_SEGMENT: u64 = DATA + 0x800;

/// The last line of the account where only the double fault has a gate, which leads to a task that `change` makes
/// impossible.
fn last_words(change: impl FnOnce(&mut Machine)) -> String {
    let mut machine = machine_in(Mode::Protected, &[0x0f, 0x0b]);
    let put = |machine: &mut Machine, at, bytes: &[u8]| {
        assert_eq!(machine.write_phys(Phys(at), bytes), bytes.len());
    };
    put(&mut machine, modes::IDT, &[0; 32 * 8]);
    put(&mut machine, modes::IDT + 8 * 8, &[0, 0, TASK as u8, 0, 0, 0x85, 0, 0]);
    let descriptor = 0x0000_8900_0000_0067 | TASK_SEGMENT << 16;
    put(&mut machine, modes::GDT + u64::from(TASK), &descriptor.to_le_bytes());
    for (offset, value) in [(0x20, 0x8000), (0x24, 2), (0x38, modes::STACK0)] {
        put(&mut machine, TASK_SEGMENT + offset, &value.to_le_bytes()[..4]);
    }
    for (n, selector) in [DATA0, modes::CODE0, DATA0, DATA0, DATA0, DATA0].into_iter().enumerate() {
        put(&mut machine, TASK_SEGMENT + 0x48 + 4 * n as u64, &selector.to_le_bytes());
    }
    change(&mut machine);
    let (before, memory) = (visible(machine.cpu()), read(&machine, 0, modes::UNMAPPED as usize));
    let lines = crash(&mut machine, Machine::step);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(visible(machine.cpu()), before, "registers before the fault");
    assert!(read(&machine, 0, modes::UNMAPPED as usize) == memory, "memory has changed");
    let last = lines[3].strip_prefix("#DF is not delivered: entry 8 of the IDT ");
    let last = last.and_then(|line| line.strip_suffix("; the processor shuts down"));
    last.unwrap_or_else(|| panic!("{lines:#?}")).to_owned()
}

#[test]
fn a_handler_that_is_a_task_is_told_of_with_the_task() {
    let put = |at: u64, bytes: &'static [u8]| {
        move |machine: &mut Machine| {
            assert_eq!(machine.write_phys(Phys(at), bytes), bytes.len());
        }
    };
    let task = "task-state segment 0x0040 (CS:EIP 0008:00008000, SS:ESP 0010:00006000)";
    let rights = modes::GDT + u64::from(TASK) + 5;
    for (bytes, why) in [(&[0x8b], "which is busy"), (&[0x09], "which is not present")] {
        let words = last_words(put(rights, bytes));
        assert_eq!(words, format!("is a task gate to the {task}, {why}"));
    }
    let short = last_words(put(rights - 5, &[0x40]));
    assert_eq!(short, format!("is a task gate to the {task}, whose limit, 0x40, is below 0x67"));
    let gate = modes::IDT + 8 * 8 + 2;
    let beyond = last_words(put(gate, &[modes::BEYOND as u8]));
    assert!(beyond.contains("selector 0x0080 is beyond the limit 0x7f of its table"), "{beyond}");
    let code = last_words(put(gate, &[modes::CODE0 as u8]));
    assert_eq!(code, "is a task gate with selector 0x0008, which is of no task-state segment");

    // In the task: DS, CS, EIP behind it, ESP at the stack's end.
    let cases: [(u64, &'static [u8], &str); 4] = [
        (0x54, &[modes::ABSENT as u8], "DS 0x0048 is not present"),
        (0x4c, &[0], "CS is null"),
        (0x4c, &[modes::CODE16 as u8], "EIP is beyond the limit of CS, 0xffff"),
        (0x50, &[modes::DATA16 as u8], "the error code does not fit on its stack"),
    ];
    for (offset, bytes, why) in cases {
        let words = last_words(|machine| {
            put(TASK_SEGMENT + 0x38, &[2, 0])(machine);
            put(TASK_SEGMENT + 0x22, &[0x01])(machine);
            put(TASK_SEGMENT + offset, bytes)(machine);
        });
        assert!(words.starts_with("leads to the task 0x0040 (CS:EIP "), "{words}");
        assert!(words.ends_with(&format!(", where {why}")), "{words}");
    }
}
