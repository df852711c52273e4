//! A guest that goes from real mode to long mode, and to its ring 3, as fast as it can.

use stepvisor::machine::Machine;
use stepvisor::x86::registers::{CR0_PE, CR0_PG, CR4_PAE, EFER_LME, EFER_SCE};
use stepvisor::x86::{CpuState, SegOff, Segment, SegmentName};

use super::modes::{
    CODE64, CODE64_3, DATA3, DESCRIPTORS, GDT, IDT, Mode, PAGES, STACK, TASK, machine_in,
};
use super::{START, load, set, write};

/// Where it begins, in real mode.
pub const BEGIN: u64 = 0x7800;
/// Behind its WRMSR to EFER.
pub const BEHIND_EFER: u64 = BEGIN + 44;
/// Its first instruction of long mode.
pub const IN_LONG_MODE: u64 = 0x7900;

/// Operands of its LGDT and LIDT, in 16-bit and in 64-bit code.
const GDTR: u64 = 0x7a00;
const IDTR: u64 = 0x7a10;
/// SYSRET's selectors, which are not those of [`DESCRIPTORS`]: data and 64-bit code follow this one.
const SYSRET_BASE: u16 = 0x50;
/// A table that has no more than code for ring 0 of long mode.
const FIRST_GDT: u64 = 0x1800;
const FIRST_GDTR: u64 = 0x7a20;

/// How it gets to ring 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Iret,
    Sysret,
    Retf,
    /// By IRET as well, with tables that it loads in long mode.
    OwnTables,
    /// Not at all.
    Stay,
}

impl Way {
    pub const TO_RING_3: [Way; 4] = [Way::Iret, Way::Sysret, Way::Retf, Way::OwnTables];
}

/// A machine whose guest is about to set out for `code` at [`START`], by `way`. What is behind it, and every handler, is
/// that of [`machine_in`].
pub fn machine_before_switch(way: Way, code: &[u8]) -> Machine {
    let mut machine = machine_in(Mode::Long, code);
    let table = |at: u64, limit: u16| [&limit.to_le_bytes()[..], &at.to_le_bytes()].concat();
    let limit = (8 * DESCRIPTORS.len() - 1) as u16;
    write(&mut machine, GDTR, &table(GDT, limit));
    write(&mut machine, IDTR, &table(IDT, 0xfff));
    write(&mut machine, FIRST_GDTR, &table(FIRST_GDT, limit));
    let descriptor = DESCRIPTORS[usize::from(CODE64 >> 3)];
    write(&mut machine, FIRST_GDT + u64::from(CODE64), &descriptor.to_le_bytes());
    for (selector, like) in [(SYSRET_BASE + 8, DATA3), (SYSRET_BASE + 16, CODE64_3)] {
        let descriptor = DESCRIPTORS[usize::from(like >> 3)];
        write(&mut machine, GDT + u64::from(selector), &descriptor.to_le_bytes());
    }
    write(&mut machine, BEGIN, &real_mode_code(way));
    write(&mut machine, IN_LONG_MODE, &long_mode_code(way));
    set(&mut machine, |cpu| *cpu = in_real_mode(cpu));
    machine
}

/// The registers of the guest at its begin.
fn in_real_mode(before: &CpuState) -> CpuState {
    let mut cpu = before.clone();
    cpu.cr0 &= !(CR0_PE | CR0_PG);
    (cpu.cr3, cpu.cr4, cpu.efer) = (0, 0, 0);
    cpu.idtr.base = 0;
    cpu.idtr.limit = 0x3ff;
    for name in SegmentName::ALL {
        load(cpu.segments.get_mut(name), 0);
    }
    cpu.segments.cs = Segment { access: stepvisor::x86::Access::CODE16, ..cpu.segments.cs };
    cpu.rip = BEGIN;
    debug_assert_eq!(cpu.cs_ip(), SegOff::new(0, BEGIN as u16));
    cpu
}

fn real_mode_code(way: Way) -> Vec<u8> {
    let dword = |value: u64| (value as u32).to_le_bytes();
    let gdtr = if way == Way::OwnTables { FIRST_GDTR } else { GDTR };
    let enable = EFER_LME | if way == Way::Sysret { EFER_SCE } else { 0 };
    [
        // lgdt [GDTR]; and lidt [IDTR], or five times nop
        &[0x0f, 0x01, 0x16][..],
        &(gdtr as u16).to_le_bytes(),
        &if way == Way::OwnTables { [0x90; 5] } else { [0x0f, 0x01, 0x1e, 0x10, 0x7a] },
        // mov eax, CR4.PAE; mov cr4, eax; mov eax, PAGES; mov cr3, eax
        &[0x66, 0xb8],
        &dword(CR4_PAE),
        &[0x0f, 0x22, 0xe0, 0x66, 0xb8],
        &dword(PAGES),
        &[0x0f, 0x22, 0xd8],
        // mov ecx, EFER; rdmsr; or eax, enable; wrmsr
        &[0x66, 0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x66, 0x0d],
        &dword(enable),
        &[0x0f, 0x30],
        // mov eax, cr0; or eax, PE and PG; mov cr0, eax; jmp CODE64:IN_LONG_MODE
        &[0x0f, 0x20, 0xc0, 0x66, 0x0d],
        &dword(CR0_PE | CR0_PG),
        &[0x0f, 0x22, 0xc0, 0x66, 0xea],
        &dword(IN_LONG_MODE),
        &CODE64.to_le_bytes(),
    ]
    .concat()
}

fn long_mode_code(way: Way) -> Vec<u8> {
    let dword = |value: u64| (value as u32).to_le_bytes();
    let [data, code] = [DATA3, CODE64_3].map(|selector| [0x6a, selector as u8]);
    let stack = [&[0x68][..], &dword(STACK)].concat();
    let start = [&[0x68][..], &dword(START)].concat();
    // mov esp, STACK - 80h; and ltr, once there is a table for it
    let begin = [&[0xbc][..], &dword(STACK - 0x80)].concat();
    let task = [&[0xb8][..], &dword(TASK.into()), &[0x0f, 0x00, 0xd8]].concat();
    // push DATA3; push STACK; push 2; push CODE64_3; push START; iretq
    let iret = [&data[..], &stack, &[0x6a, 2], &code, &start, &[0x48, 0xcf]].concat();
    match way {
        Way::Iret => [begin, task, iret].concat(),
        Way::OwnTables => {
            // lgdt [GDTR]; lidt [IDTR]
            let tables =
                [0x0f, 0x01, 0x14, 0x25, 0, 0x7a, 0, 0, 0x0f, 0x01, 0x1c, 0x25, 0x10, 0x7a, 0, 0];
            [&begin[..], &tables, &task, &iret].concat()
        }
        // push DATA3; push STACK; push CODE64_3; push START; retfq
        Way::Retf => [&begin[..], &task, &data, &stack, &code, &start, &[0x48, 0xcb]].concat(),
        Way::Sysret => {
            let base = SYSRET_BASE as u8 | 3;
            // mov ecx, STAR; xor eax, eax; mov edx, SYSRET_BASE << 16; wrmsr
            let selectors = [0xb9, 0x81, 0, 0, 0xc0, 0x31, 0xc0, 0xba, 0, 0, base, 0, 0x0f, 0x30];
            // mov ecx, START; mov r11d, 2; sysretq
            let flags = [0x41, 0xbb, 2, 0, 0, 0, 0x48, 0x0f, 0x07];
            [&begin[..], &task, &selectors, &[0xb9], &dword(START), &flags].concat()
        }
        // jmp START
        Way::Stay => [&begin[..], &[0xb8], &dword(START), &[0xff, 0xe0]].concat(),
    }
}
