//! The guest's world in each processor mode: memory, tables and registers before the first instruction.
//!
//! Every linear address is its physical address and, but for the segments named WINDOW, its offset, so that
//! a case can name a place once for all modes. Accessed, dirty and busy bits are set from the beginning:
//! what changes in memory, an instruction has changed.

use std::sync::OnceLock;

use stepvisor::x86::registers::{CR0_PE, CR0_PG, CR0_WP, CR4_PAE, EFER_LMA, EFER_LME};
use stepvisor::x86::{Access, CpuState, DescriptorTable, Gpr, Segment, SegmentName};

/// What a processor does between two stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Real mode.
    R,
    /// Virtual-8086 mode, IOPL 3.
    V,
    /// 16-bit protected mode, ring 0.
    P16,
    /// 32-bit protected mode, ring 0, flat.
    P,
    /// 32-bit protected mode, ring 3, flat, IOPL 3.
    P3,
    /// 32-bit protected mode, ring 0, paged.
    G,
    /// Long mode, ring 0.
    L,
    /// Long mode, ring 3, IOPL 0; the task's bitmap allows all ports.
    U,
}

/// Global descriptor table.
pub const GDT: u64 = 0x1000;
/// Interrupt descriptor table of the modes that have one.
pub const IDT: u64 = 0x2000;
/// Task state segment, with an I/O permission bitmap that allows all ports.
pub const TSS: u64 = 0x3000;
const TSS_LIMIT: u32 = 0x2068;
/// A page of data, all zero at first.
pub const DATA: u64 = 0x6000;
/// The first instruction.
pub const CODE: u64 = 0x7c00;
/// Initial stack pointer.
pub const STACK: u64 = 0x9000;
/// Stack pointer of ring 0 after an interrupt in another ring.
pub const STACK0: u64 = 0xa000;
/// Another place for code.
pub const FAR: u64 = 0xb000;
/// A page that the page tables leave out.
pub const UNMAPPED: u64 = 0x1_7000;
/// Page tables of long mode: PML4, and three more pages.
pub const PML4: u64 = 0x1_0000;
/// Page directory of 32-bit paging, and one page table.
pub const DIRECTORY: u64 = 0x1_4000;
/// End of the world; nothing beyond it is ever written.
pub const END: usize = 0x1_8000;
/// Text memory.
pub const VGA: u64 = 0xb_8000;
/// An address where no device is.
pub const NOTHING: u64 = 0xa_0000;

/// Code, ring 0, 32 bits, flat.
pub const CODE32: u16 = 0x08;
/// Data, ring 0, 32 bits, flat.
pub const DATA32: u16 = 0x10;
/// Code, ring 0, 16 bits, the first 64 KiB.
pub const CODE16: u16 = 0x18;
/// Data, ring 0, 16 bits, the first 64 KiB.
pub const DATA16: u16 = 0x20;
/// Code, ring 3, 32 bits, flat.
pub const USER32: u16 = 0x2b;
/// Data, ring 3, 32 bits, flat.
pub const USER_DATA: u16 = 0x33;
/// Code, ring 0, 64 bits.
pub const CODE64: u16 = 0x38;
/// Code, ring 3, 64 bits.
pub const USER64: u16 = 0x43;
/// The task.
pub const TASK: u16 = 0x48;
/// Code, ring 0, 32 bits, from [`WINDOW`].
pub const WINDOW32: u16 = 0x58;
/// Code, ring 0, 16 bits, from [`WINDOW`].
pub const WINDOW16: u16 = 0x60;
/// A call gate to [`FAR`] in ring 0.
pub const GATE: u16 = 0x6b;
/// Data, not present.
pub const ABSENT: u16 = 0x78;
/// Data, ring 0, 16 bits, from [`VGA`].
pub const VIDEO16: u16 = 0x80;
/// Data, ring 0, 16 bits, from [`NOTHING`].
pub const NOTHING16: u16 = 0x88;
/// Code, ring 1, of the mode's width.
pub const RING1: u16 = 0x91;
/// Ring 3's call gate to [`FAR`] in ring 1, for which the task has no stack.
pub const GATE1: u16 = 0xa3;
/// A task whose segment is too short for one.
pub const SHORT_TASK: u16 = 0xb0;
/// A task for handlers: all it has is in its segment at [`TSS_HANDLER`].
pub const HANDLER_TASK: u16 = 0xb8;
/// Its task-state segment.
pub const TSS_HANDLER: u64 = 0x5800;
/// Its stack.
pub const STACK_HANDLER: u64 = 0x5f00;
/// Where the segments WINDOW begin.
pub const WINDOW: u64 = 0x7000;
const GDT_SIZE: u16 = 0xc0;

/// First instruction of the handler of `vector`.
pub fn handler(vector: u8) -> u64 {
    0xa000 + 16 * u64::from(vector)
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 8] =
        [Mode::R, Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];

    /// Width of code in bits.
    pub fn bits(self) -> u8 {
        match self {
            Mode::R | Mode::V | Mode::P16 => 16,
            Mode::P | Mode::P3 | Mode::G => 32,
            Mode::L | Mode::U => 64,
        }
    }

    /// Width of a pushed register in bytes.
    pub fn word(self) -> u8 {
        self.bits() / 8
    }

    /// Whether segment registers hold paragraphs.
    pub fn has_paragraphs(self) -> bool {
        matches!(self, Mode::R | Mode::V)
    }

    /// Whether the instructions of ring 0 are at hand.
    pub fn is_ring0(self) -> bool {
        !matches!(self, Mode::V | Mode::P3 | Mode::U)
    }

    /// Selector of the code in this mode.
    pub fn code(self) -> u16 {
        match self {
            Mode::R | Mode::V => 0,
            Mode::P16 => CODE16,
            Mode::P | Mode::G => CODE32,
            Mode::P3 => USER32,
            Mode::L => CODE64,
            Mode::U => USER64,
        }
    }

    /// Selector of data and stack in this mode.
    pub fn data(self) -> u16 {
        match self {
            Mode::R | Mode::V => 0,
            Mode::P16 => DATA16,
            Mode::P | Mode::G | Mode::L => DATA32,
            Mode::P3 | Mode::U => USER_DATA,
        }
    }

    /// Selector of the code that handles interrupts.
    pub fn handler_code(self) -> u16 {
        match self {
            Mode::R => 0,
            Mode::P16 => CODE16,
            Mode::V | Mode::P | Mode::P3 | Mode::G => CODE32,
            Mode::L | Mode::U => CODE64,
        }
    }

    /// The segment register that holds `selector`.
    pub fn segment(self, selector: u16) -> Segment {
        match self {
            Mode::R => Segment::paragraph(selector, Access::DATA16),
            Mode::V => Segment::paragraph(selector, Access { dpl: 3, ..Access::DATA16 }),
            _ => segment(selector),
        }
    }
}

/// The segment that [`GDT`] describes at `selector`; of a null selector, nothing.
pub fn segment(selector: u16) -> Segment {
    let flat = Access { default_big: true, granularity: true, ..Access::DATA16 };
    let small = Access::DATA16;
    let code = |access: Access| Access { kind: 0xb, ..access };
    let long = Access { long: true, default_big: false, ..flat };
    let user = |access: Access| Access { dpl: 3, ..access };
    let (access, base, limit) = match selector {
        CODE32 => (code(flat), 0, u32::MAX),
        DATA32 => (flat, 0, u32::MAX),
        CODE16 => (code(small), 0, 0xffff),
        DATA16 => (small, 0, 0xffff),
        USER32 => (code(user(flat)), 0, u32::MAX),
        USER_DATA => (user(flat), 0, u32::MAX),
        CODE64 => (code(long), 0, u32::MAX),
        USER64 => (code(user(long)), 0, u32::MAX),
        TASK => (Access { kind: 0xb, code_or_data: false, ..small }, TSS, TSS_LIMIT),
        WINDOW32 => (Access { default_big: true, ..code(small) }, WINDOW, 0xffff),
        WINDOW16 => (code(small), WINDOW, 0xffff),
        VIDEO16 => (small, VGA, 0xffff),
        NOTHING16 => (small, NOTHING, 0xffff),
        RING1 => (Access { dpl: 1, ..code(flat) }, 0, u32::MAX),
        SHORT_TASK => (Access { kind: 0x9, code_or_data: false, ..small }, TSS, 0x2a),
        HANDLER_TASK => (Access { kind: 0x9, code_or_data: false, ..small }, TSS_HANDLER, 0x67),
        ABSENT => (Access { present: false, ..flat }, 0, u32::MAX),
        _ => (Access { unusable: true, ..Access::default() }, 0, 0),
    };
    Segment { selector, base, limit, access }
}

/// A descriptor as memory holds it (SDM vol. 3A, 3.4.5).
fn descriptor(selector: u16) -> u64 {
    let Segment { base, limit, access, .. } = segment(selector);
    let limit = u64::from(if access.granularity { limit >> 12 } else { limit });
    let high = u64::from(access.descriptor_bits());
    limit & 0xffff
        | (base & 0xff_ffff) << 16
        | (high & 0xff_ffff) << 32
        | (limit >> 16 & 0xf) << 48
        | (base >> 24 & 0xff) << 56
}

/// A gate to `selector`:`offset` (SDM vol. 3A, 6.11): type `kind`, privilege level 3, present. The upper
/// eight bytes exist in long mode only.
pub fn gate(selector: u16, offset: u64, kind: u8) -> [u8; 16] {
    let low = offset & 0xffff
        | u64::from(selector) << 16
        | (0xe0 | u64::from(kind)) << 40
        | (offset >> 16 & 0xffff) << 48;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&low.to_le_bytes());
    bytes[8..].copy_from_slice(&(offset >> 32).to_le_bytes());
    bytes
}

/// Memory of a guest that starts in `mode`.
pub fn memory(mode: Mode) -> &'static [u8] {
    static MEMORY: [OnceLock<Vec<u8>>; Mode::ALL.len()] =
        [const { OnceLock::new() }; Mode::ALL.len()];
    MEMORY[mode as usize].get_or_init(|| fill(mode))
}

fn fill(mode: Mode) -> Vec<u8> {
    let mut memory = vec![0; END];
    let mut put = |at: u64, bytes: &[u8]| {
        let at = usize::try_from(at).unwrap();
        memory[at..at + bytes.len()].copy_from_slice(bytes);
    };
    for vector in 0..=0xffu8 {
        // Handlers: NOP for a while, then HLT.
        put(handler(vector), &[0x90; 16]);
        put(handler(vector) + 14, &[0xf4, 0xf4]);
        let (at, vector) = (handler(vector), u64::from(vector));
        put(vector * 4, &u32::try_from(at).unwrap().to_le_bytes());
        if mode.bits() == 64 {
            put(IDT + vector * 16, &gate(CODE64, at, 0xe));
        } else {
            let kind = if mode == Mode::P16 { 0x6 } else { 0xe };
            put(IDT + vector * 8, &gate(mode.handler_code(), at, kind)[..8]);
        }
    }
    for place in [CODE, FAR] {
        put(place, &[0x90; 0x300]);
        put(place + 0x300, &[0xf4; 0x20]);
    }

    let selectors = [
        CODE32,
        DATA32,
        CODE16,
        DATA16,
        USER32,
        USER_DATA,
        CODE64,
        USER64,
        TASK,
        WINDOW32,
        WINDOW16,
        ABSENT,
        VIDEO16,
        NOTHING16,
        RING1,
        SHORT_TASK,
        HANDLER_TASK,
    ];
    for selector in selectors {
        put(GDT + u64::from(selector & !7), &descriptor(selector).to_le_bytes());
    }
    let (code, kind) = match mode.bits() {
        16 => (CODE16, 0x4),
        32 => (CODE32, 0xc),
        _ => (CODE64, 0xc),
    };
    let size = if mode.bits() == 64 { 16 } else { 8 };
    put(GDT + u64::from(GATE & !7), &gate(code, FAR, kind)[..size]);
    put(GDT + u64::from(GATE1 & !7), &gate(RING1, FAR, 0xc)[..size]);
    if mode.bits() == 64 {
        // L in place of D.
        put(GDT + u64::from(RING1 & !7) + 6, &[0xaf]);
    }

    // ESP0 and SS0, or RSP0; the I/O permission bitmap begins at 68h and ends with its byte of ones.
    put(TSS + 4, &STACK0.to_le_bytes());
    if mode.bits() != 64 {
        put(TSS + 8, &u32::from(DATA32).to_le_bytes());
    }
    put(TSS + 0x66, &0x68u16.to_le_bytes());
    put(TSS + u64::from(TSS_LIMIT), &[0xff]);

    // The registers of the handler's task: CR3, EIP, EFLAGS, then the general ones and the selectors.
    let [code, data] = [CODE32, DATA32].map(u32::from);
    let general: [u32; 8] = std::array::from_fn(|n| 0x1100 + n as u32);
    let mut task = vec![DIRECTORY as u32, FAR as u32, 3];
    task.extend(general);
    task[3 + Gpr::Rsp as usize] = STACK_HANDLER as u32;
    task.extend([data, code, data, data, data, data]);
    for (word, at) in task.into_iter().zip((TSS_HANDLER + 0x1c..).step_by(4)) {
        put(at, &word.to_le_bytes());
    }

    // Present, writable, user, accessed, dirty; the last level has 4 KiB pages.
    let entry = |at: u64| at | 0x67;
    for level in 0..3 {
        put(PML4 + level * 0x1000, &entry(PML4 + (level + 1) * 0x1000).to_le_bytes());
    }
    put(DIRECTORY, &entry(DIRECTORY + 0x1000).to_le_bytes());
    for page in 0..512u64 {
        let entry = if page * 0x1000 == UNMAPPED { 0 } else { entry(page * 0x1000) };
        put(PML4 + 0x3000 + page * 8, &entry.to_le_bytes());
        put(DIRECTORY + 0x1000 + page * 4, &u32::try_from(entry).unwrap().to_le_bytes());
    }
    memory
}

/// What QEMU's processor takes for a task: it ends itself at the sight of a busy one, since to it LTR leaves
/// an available one. KVM shows a busy one in any case, as the manual has it.
pub fn task_for_rig(cpu: &mut CpuState) {
    let is_qemu = std::env::var("STEPVISOR_RIG").is_ok_and(|rig| rig == "kvm-amd");
    if is_qemu && cpu.tr.selector == TASK {
        cpu.tr.access.kind = 0x9;
    }
}

/// Registers of a guest that starts in `mode`, made from those of one that starts in real mode.
pub fn registers(mode: Mode, reset: &CpuState) -> CpuState {
    let mut cpu = reset.clone();
    cpu.gpr = [0; 16];
    *cpu.get_mut(Gpr::Rsp) = STACK;
    cpu.rip = CODE;
    cpu.rflags = 2;
    cpu.idtr = DescriptorTable { base: 0, limit: 0x3ff };
    if mode != Mode::R {
        cpu.cr0 |= CR0_PE;
        cpu.gdtr = DescriptorTable { base: GDT, limit: GDT_SIZE - 1 };
        let size = if mode.bits() == 64 { 16 } else { 8 };
        cpu.idtr = DescriptorTable { base: IDT, limit: 256 * size - 1 };
        cpu.tr = segment(TASK);
    }
    if matches!(mode, Mode::V | Mode::P3) {
        cpu.rflags |= 3 << 12;
    }
    match mode {
        Mode::V => cpu.rflags |= 1 << 17,
        Mode::G => {
            cpu.cr3 = DIRECTORY;
            cpu.cr0 |= CR0_PG | CR0_WP;
        }
        Mode::L | Mode::U => {
            cpu.cr3 = PML4;
            cpu.cr4 |= CR4_PAE;
            cpu.efer |= EFER_LME | EFER_LMA;
            cpu.cr0 |= CR0_PG | CR0_WP;
        }
        _ => {}
    }
    for name in SegmentName::ALL {
        *cpu.segments.get_mut(name) = mode.segment(mode.data());
    }
    cpu.segments.cs = mode.segment(mode.code());
    if mode == Mode::R {
        cpu.segments.cs.access = Access::CODE16;
    }
    cpu
}
