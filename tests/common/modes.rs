//! A machine in any processor mode, with tables, handlers and stacks around one instruction.

use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::registers::{
    CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME, RFLAGS_FIXED, RFLAGS_IOPL, RFLAGS_VM,
};
use stepvisor::x86::{CpuState, DescriptorTable, Gpr, Phys, Segment, SegmentName};

use super::{START, boot, read, set};

/// The modes that guests run in, and their rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Real mode.
    Real,
    /// Virtual-8086 mode at IOPL 3.
    V86,
    /// Flat 32-bit protected mode, ring 0.
    Protected,
    /// The same, ring 3 at IOPL 3.
    Protected3,
    /// 64-bit mode, ring 0.
    Long,
    /// The same, ring 3 at IOPL 0.
    Long3,
}

pub const GDT: u64 = 0x1000;
pub const IDT: u64 = 0x2000;
pub const TSS: u64 = 0x3000;
/// Top of ring 0's stack for programs of ring 3.
pub const STACK0: u64 = 0x6000;
/// Top of the program's stack.
pub const STACK: u64 = 0x7000;
/// The handler of vector n is at this address + 4n.
pub const HANDLER: u64 = 0x8000;
/// For operands.
pub const DATA: u64 = 0x9000;
/// A page that long mode does not map.
pub const UNMAPPED: u64 = 0xa000;
/// A page that long mode maps for reading and for ring 0 only.
pub const SUPERVISOR: u64 = 0xb000;
pub const PAGES: u64 = 0x1_0000;
/// Where ring 0 sets out for the modes of ring 3, and the selector of its task-state segment.
const PROLOGUE: u64 = 0x7b00;
const TASK_SELECTOR: u64 = 0x7b80;

pub const CODE0: u16 = 0x08;
pub const DATA0: u16 = 0x10;
pub const CODE3: u16 = 0x1b;
pub const DATA3: u16 = 0x23;
pub const CODE64: u16 = 0x28;
pub const CODE64_3: u16 = 0x33;
pub const TASK: u16 = 0x38;
/// Not present.
pub const ABSENT: u16 = 0x48;
/// Code that can only be executed.
pub const EXECUTE_ONLY: u16 = 0x50;
/// Conforming code of ring 0.
pub const CONFORMING: u16 = 0x58;
/// Read-only data of ring 3.
pub const CONSTANT3: u16 = 0x63;
/// A call gate.
pub const CALL_GATE: u16 = 0x68;
pub const CODE16: u16 = 0x70;
pub const DATA16: u16 = 0x78;
/// The first selector beyond the table.
pub const BEYOND: u16 = 0x80;

/// The descriptor table of all modes but real and virtual-8086 mode.
pub const DESCRIPTORS: [u64; 16] = [
    0,
    0x00cf_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x00cf_fb00_0000_ffff,
    0x00cf_f300_0000_ffff,
    0x00af_9b00_0000_ffff,
    0x00af_fb00_0000_ffff,
    // The task-state segment takes two entries in long mode.
    0x0000_8900_3000_008f,
    0,
    0x00cf_1b00_0000_ffff,
    0x00cf_9900_0000_ffff,
    0x00cf_9f00_0000_ffff,
    0x00cf_f100_0000_ffff,
    0x0000_ec00_0008_8000,
    0x0000_9b00_0000_ffff,
    0x0000_9300_0000_ffff,
];

/// A machine in `mode`, about to run `code` at [`START`], and then `out 0xf4, al`, which ends a run.
/// Every exception and interrupt leads to a handler that ends the run, too. The stack is at [`STACK`],
/// other registers are zero.
pub fn machine_in(mode: Mode, code: &[u8]) -> Machine {
    let mut machine = boot(&[0xf4]);
    enter(&mut machine, mode, code);
    machine
}

/// Puts `machine` where [`machine_in`] has it.
pub fn enter(machine: &mut Machine, mode: Mode, code: &[u8]) {
    let mut image = tables(mode);
    image[START as usize..START as usize + code.len()].copy_from_slice(code);
    let after = START as usize + code.len();
    image[after..after + 4].copy_from_slice(&END);
    assert_eq!(machine.write_phys(Phys(0), &image), image.len());
    set(machine, |cpu| *cpu = registers(cpu, mode));
    if !mode.is_ring_3() {
        return;
    }
    // As a kernel does it: ltr [TASK_SELECTOR]; iretd or iretq.
    let long = mode.is_long();
    let prologue: &[u8] = if long {
        &[0x0f, 0x00, 0x1c, 0x25, 0x80, 0x7b, 0, 0, 0x48, 0xcf]
    } else {
        &[0x0f, 0x00, 0x1d, 0x80, 0x7b, 0, 0, 0xcf]
    };
    put(machine, PROLOGUE, prologue);
    put(machine, TASK_SELECTOR, &TASK.to_le_bytes());
    let flags = RFLAGS_FIXED
        | match mode {
            Mode::V86 => RFLAGS_IOPL | RFLAGS_VM,
            Mode::Protected3 => RFLAGS_IOPL,
            // Software KVMs run this ring without IOPL; its ports are open by the bitmap.
            _ => 0,
        };
    let (cs, ss) = match mode {
        Mode::V86 => (0, 0),
        Mode::Protected3 => (CODE3, DATA3),
        _ => (CODE64_3, DATA3),
    };
    let frame = [START, cs.into(), flags, STACK, ss.into(), 0, 0, 0, 0];
    let size = if long { 8 } else { 4 };
    for (at, value) in (FRAME..).step_by(size).zip(frame) {
        put(machine, at, &value.to_le_bytes()[..size]);
    }
}

/// `out 0xf4, al` and a jump to itself: the end of a run.
pub const END: [u8; 4] = [0xe6, 0xf4, 0xeb, 0xfe];

/// Memory from 0 on, without code.
fn tables(mode: Mode) -> Vec<u8> {
    let mut image = vec![0; PAGES as usize + 0x4000];
    let mut put = |at: u64, bytes: &[u8]| {
        image[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    };
    for (entry, at) in DESCRIPTORS.into_iter().zip((GDT..).step_by(8)) {
        put(at, &entry.to_le_bytes());
    }
    let long = mode.is_long();
    for vector in 0..256_u64 {
        let handler = HANDLER + 4 * vector;
        put(handler, &END);
        if mode == Mode::Real {
            put(4 * vector, &(handler as u32).to_le_bytes());
        }
        let selector = u64::from(if long { CODE64 } else { CODE0 });
        let gate = handler & 0xffff | selector << 16 | 0xee << 40 | (handler >> 16) << 48;
        let size = if long { 16 } else { 8 };
        put(IDT + size * vector, &gate.to_le_bytes());
    }
    // Ports are open to ring 3.
    put(TSS + 0x66, &[0x68, 0]);
    put(TSS + 4, &STACK0.to_le_bytes());
    if long {
        for level in 0..3 {
            let entry = PAGES + 0x1000 * (level + 1) + 0x27;
            put(PAGES + 0x1000 * level, &entry.to_le_bytes());
        }
        for page in 0..512 {
            let rights = match page * 0x1000 {
                UNMAPPED => 0,
                SUPERVISOR => 0x61,
                _ => 0x67,
            };
            put(PAGES + 0x3000 + 8 * page, &(page * 0x1000 + rights).to_le_bytes());
        }
    } else {
        put(TSS + 8, &DATA0.to_le_bytes());
    }
    image
}

fn put(machine: &mut Machine, addr: u64, bytes: &[u8]) {
    assert_eq!(machine.write_phys(Phys(addr), bytes), bytes.len());
}

impl Mode {
    /// 64-bit mode.
    pub fn is_long(self) -> bool {
        matches!(self, Mode::Long | Mode::Long3)
    }

    /// A mode of ring 3, which [`machine_in`] enters by two instructions of ring 0.
    pub fn is_ring_3(self) -> bool {
        matches!(self, Mode::V86 | Mode::Protected3 | Mode::Long3)
    }

    /// How many steps lead to [`START`].
    pub fn steps_before(self) -> usize {
        if self.is_ring_3() { 2 } else { 0 }
    }
}

/// The frame of the return to ring 3.
const FRAME: u64 = 0x5f00;

/// Changes the flags that the instruction finds.
pub fn set_flags(machine: &mut Machine, mode: Mode, change: impl FnOnce(&mut u64)) {
    if mode.is_ring_3() {
        let at = FRAME + if mode == Mode::Long3 { 16 } else { 8 };
        let mut bytes = [0; 8];
        assert_eq!(machine.read_phys(Phys(at), &mut bytes[..4]), 4);
        let mut flags = u64::from_le_bytes(bytes);
        change(&mut flags);
        put(machine, at, &flags.to_le_bytes()[..4]);
    } else {
        set(machine, |cpu| change(&mut cpu.rflags));
    }
}

/// Changes the stack pointer that the instruction finds.
pub fn set_stack(machine: &mut Machine, mode: Mode, sp: u64) {
    if mode.is_ring_3() {
        let size = if mode == Mode::Long3 { 8 } else { 4 };
        put(machine, FRAME + 3 * size as u64, &sp.to_le_bytes()[..size]);
    } else {
        set(machine, |cpu| *cpu.get_mut(Gpr::Rsp) = sp);
    }
}

/// The registers of [`machine_in`]; those it does not say stay as in `before`.
fn registers(before: &CpuState, mode: Mode) -> CpuState {
    let ring_3 = mode.is_ring_3();
    let (rip, rsp) = if ring_3 { (PROLOGUE, FRAME) } else { (START, STACK) };
    let mut cpu = CpuState { gpr: [0; 16], rip, rflags: RFLAGS_FIXED, ..before.clone() };
    *cpu.get_mut(Gpr::Rsp) = rsp;
    if mode == Mode::Real {
        return cpu;
    }
    let long = mode.is_long();
    cpu.gdtr = DescriptorTable { base: GDT, limit: 8 * DESCRIPTORS.len() as u16 - 1 };
    cpu.idtr = DescriptorTable { base: IDT, limit: if long { 0xfff } else { 0x7ff } };
    cpu.cr0 |= CR0_PE;
    if long {
        cpu.efer |= EFER_LMA | EFER_LME;
        cpu.cr4 |= CR4_PAE;
        cpu.cr3 = PAGES;
        cpu.cr0 |= CR0_PG;
    }
    cpu.segments.cs = segment(if long { CODE64 } else { CODE0 });
    cpu.segments.ss = segment(DATA0);
    let data = if ring_3 { DATA3 } else { DATA0 };
    for name in [SegmentName::Ds, SegmentName::Es, SegmentName::Fs, SegmentName::Gs] {
        *cpu.segments.get_mut(name) = segment(data);
    }
    cpu
}

/// The register that `selector` of [`DESCRIPTORS`] makes.
pub fn segment(selector: u16) -> Segment {
    Segment::from_descriptor(selector, DESCRIPTORS[usize::from(selector >> 3)])
}

/// How a run of [`machine_in`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Behind the instruction.
    Done,
    /// In the handler of a vector.
    Handler(u8),
    /// Otherwise.
    Stopped(StopReason),
}

/// Runs to the end.
pub fn run(machine: &mut Machine) -> End {
    let stop = machine.run();
    let StopReason::Exit { .. } = stop else { return End::Stopped(stop) };
    // Behind the OUT.
    let at = machine.cpu().pc().0 - 2;
    match at.checked_sub(HANDLER) {
        Some(offset) if offset < 4 * 256 => End::Handler((offset / 4) as u8),
        _ => End::Done,
    }
}

/// `count` things of `size` bytes from the top of the stack.
pub fn stack(machine: &Machine, count: usize, size: usize) -> Vec<u64> {
    let cpu = machine.cpu();
    let top = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp) & cpu.stack_mask());
    let bytes = read(machine, top.0, count * size);
    let value = |part: &[u8]| {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(part);
        u64::from_le_bytes(bytes)
    };
    bytes.chunks(size).map(value).collect()
}
