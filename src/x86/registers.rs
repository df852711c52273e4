//! The register state of one logical processor.
//!
//! [`CpuState`] holds what changes with every instruction and is cheap to fetch; [`FpuState`] holds x87
//! and SSE, which are fetched only when somebody looks at them.

use serde::{Deserialize, Serialize};

use super::{CpuMode, Linear, SegOff};

/// CR0.PE, protection enable (SDM vol. 3A, 2.5).
pub const CR0_PE: u64 = 1 << 0;
/// CR0.MP, monitor coprocessor: whether WAIT minds CR0.TS.
pub const CR0_MP: u64 = 1 << 1;
/// CR0.EM, no x87: its instructions raise #NM.
pub const CR0_EM: u64 = 1 << 2;
/// CR0.TS, task switched.
pub const CR0_TS: u64 = 1 << 3;
/// CR0.NE, exceptions of the x87 are #MF.
pub const CR0_NE: u64 = 1 << 5;
/// CR0.WP, write protect.
pub const CR0_WP: u64 = 1 << 16;
/// CR0.AM, alignment mask: whether RFLAGS.AC counts in ring 3.
pub const CR0_AM: u64 = 1 << 18;
/// CR0.NW, not write-through.
pub const CR0_NW: u64 = 1 << 29;
/// CR0.CD, cache disable.
pub const CR0_CD: u64 = 1 << 30;
/// CR0.PG, paging.
pub const CR0_PG: u64 = 1 << 31;
/// CR4.VME, virtual-8086 mode extensions.
pub const CR4_VME: u64 = 1 << 0;
/// CR4.TSD, time stamp disable: RDTSC and RDTSCP in ring 0 only.
pub const CR4_TSD: u64 = 1 << 2;
/// CR4.PSE, 4 MiB pages.
pub const CR4_PSE: u64 = 1 << 4;
/// CR4.DE: debug registers can watch ports.
pub const CR4_DE: u64 = 1 << 3;
/// CR4.PAE, physical address extension.
pub const CR4_PAE: u64 = 1 << 5;
/// CR4.OSFXSR, SSE enable.
pub const CR4_OSFXSR: u64 = 1 << 9;
/// CR4.LA57, five-level paging.
pub const CR4_LA57: u64 = 1 << 12;
/// CR4.OSXSAVE: XGETBV, XSETBV and XSAVE are enabled.
pub const CR4_OSXSAVE: u64 = 1 << 18;
/// CR4.SMEP, supervisor-mode execution prevention.
pub const CR4_SMEP: u64 = 1 << 20;
/// CR4.SMAP, supervisor-mode access prevention.
pub const CR4_SMAP: u64 = 1 << 21;
/// IA32_EFER, extended feature enables (SDM vol. 4, table 2-2).
pub const MSR_EFER: u32 = 0xc000_0080;
/// IA32_STAR, the selectors of SYSCALL and SYSRET.
pub const MSR_STAR: u32 = 0xc000_0081;
/// IA32_LSTAR, where SYSCALL leads in 64-bit mode.
pub const MSR_LSTAR: u32 = 0xc000_0082;
/// IA32_FMASK, the flags that SYSCALL clears.
pub const MSR_FMASK: u32 = 0xc000_0084;
/// EFER.SCE, SYSCALL and SYSRET enable.
pub const EFER_SCE: u64 = 1 << 0;
/// EFER.LME, long mode enable.
pub const EFER_LME: u64 = 1 << 8;
/// EFER.LMA, long mode active.
pub const EFER_LMA: u64 = 1 << 10;
/// EFER.NXE, no-execute enable.
pub const EFER_NXE: u64 = 1 << 11;
/// RFLAGS.CF, carry.
pub const RFLAGS_CF: u64 = 1 << 0;
/// RFLAGS bit 1, which always reads as one (SDM vol. 1, 3.4.3).
pub const RFLAGS_FIXED: u64 = 1 << 1;
/// RFLAGS.PF, parity: the low byte of the result has an even number of ones.
pub const RFLAGS_PF: u64 = 1 << 2;
/// RFLAGS.AF, carry out of the low four bits.
pub const RFLAGS_AF: u64 = 1 << 4;
/// RFLAGS.ZF, zero.
pub const RFLAGS_ZF: u64 = 1 << 6;
/// RFLAGS.SF, sign.
pub const RFLAGS_SF: u64 = 1 << 7;
/// RFLAGS.TF, single-step trap.
pub const RFLAGS_TF: u64 = 1 << 8;
/// RFLAGS.IF, interrupts enabled.
pub const RFLAGS_IF: u64 = 1 << 9;
/// RFLAGS.DF, direction.
pub const RFLAGS_DF: u64 = 1 << 10;
/// RFLAGS.OF, overflow.
pub const RFLAGS_OF: u64 = 1 << 11;
/// RFLAGS.IOPL, I/O privilege level: two bits.
pub const RFLAGS_IOPL: u64 = 3 << 12;
/// RFLAGS.NT, nested task.
pub const RFLAGS_NT: u64 = 1 << 14;
/// RFLAGS.RF, resume: no instruction breakpoint on the next instruction.
pub const RFLAGS_RF: u64 = 1 << 16;
/// RFLAGS.AC, alignment check.
pub const RFLAGS_AC: u64 = 1 << 18;
/// RFLAGS.VM, virtual-8086 mode.
pub const RFLAGS_VM: u64 = 1 << 17;
/// RFLAGS.VIF, virtual interrupt flag.
pub const RFLAGS_VIF: u64 = 1 << 19;
/// RFLAGS.VIP, virtual interrupt pending.
pub const RFLAGS_VIP: u64 = 1 << 20;
/// RFLAGS.ID, CPUID can be used.
pub const RFLAGS_ID: u64 = 1 << 21;

/// General registers by their number in an instruction encoding (SDM vol. 2A, 2.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// Everything of the processor that integer code sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuState {
    /// The sixteen general registers in encoding order; index them by [`Gpr`].
    pub gpr: [u64; 16],
    /// Instruction pointer: the offset in CS, not a linear address.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
    /// The six segment registers with their hidden parts.
    pub segments: Segments,
    /// Local descriptor table register.
    pub ldtr: Segment,
    /// Task register.
    pub tr: Segment,
    /// Global descriptor table.
    pub gdtr: DescriptorTable,
    /// Interrupt descriptor table.
    pub idtr: DescriptorTable,
    /// Control register 0.
    pub cr0: u64,
    /// Page-fault linear address.
    pub cr2: u64,
    /// Page-table base.
    pub cr3: u64,
    /// Control register 4.
    pub cr4: u64,
    /// Task priority.
    pub cr8: u64,
    /// Extended feature enables (MSR C000_0080h).
    pub efer: u64,
    /// Local APIC base (MSR 1Bh).
    pub apic_base: u64,
}

/// One segment register: the selector and the hidden descriptor cache (SDM vol. 3A, 3.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Visible part.
    pub selector: u16,
    /// Linear base.
    pub base: u64,
    /// Last valid offset, in bytes, granularity already applied.
    pub limit: u32,
    /// Access rights.
    pub access: Access,
}

/// Access rights of a segment (SDM vol. 3A, 3.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Type field, 4 bits.
    pub kind: u8,
    /// S: code or data segment, not a system segment.
    pub code_or_data: bool,
    /// Descriptor privilege level, 0 to 3.
    pub dpl: u8,
    /// P: present.
    pub present: bool,
    /// AVL: for the system's own use.
    pub available: bool,
    /// L: 64-bit code.
    pub long: bool,
    /// D/B: 32-bit default.
    pub default_big: bool,
    /// G: limit counted in 4 KiB.
    pub granularity: bool,
    /// The register was loaded with a null selector.
    pub unusable: bool,
}

/// Base and limit of the GDT or the IDT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorTable {
    /// Linear base.
    pub base: u64,
    /// Last valid byte offset.
    pub limit: u16,
}

/// The six segment registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Segments {
    pub cs: Segment,
    pub ss: Segment,
    pub ds: Segment,
    pub es: Segment,
    pub fs: Segment,
    pub gs: Segment,
}

/// Names of the segment registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SegmentName {
    Cs,
    Ss,
    Ds,
    Es,
    Fs,
    Gs,
}

/// x87 and SSE state, in the terms of an FXSAVE image (SDM vol. 1, 10.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FpuState {
    /// x87 control word.
    pub fcw: u16,
    /// x87 status word.
    pub fsw: u16,
    /// Abridged tag word: one bit a physical register, set when it is not empty.
    pub ftw: u8,
    /// Last opcode, 11 bits.
    pub fop: u16,
    /// Last instruction offset.
    pub fip: u32,
    /// Last instruction segment.
    pub fcs: u16,
    /// Last operand offset.
    pub fdp: u32,
    /// Last operand segment.
    pub fds: u16,
    /// ST0 to ST7, 80 bits each.
    pub st: [[u8; 10]; 8],
    /// SSE control and status.
    pub mxcsr: u32,
    /// XMM0 to XMM15.
    pub xmm: [u128; 16],
}

impl FpuState {
    /// Whether an exception of the x87 waits to be raised: ES, bit 7 of the status word (SDM vol. 1, 8.1.3.3).
    #[must_use]
    pub fn has_pending_exception(&self) -> bool {
        self.fsw & 1 << 7 != 0
    }
}

impl Access {
    /// Rights that a reset leaves in CS: present, ring 0, readable, executable, accessed.
    pub const CODE16: Access = Access { kind: 0xb, ..Access::DATA16 };
    /// Rights that a reset leaves in the data segments: present, ring 0, writable, accessed.
    pub const DATA16: Access = Access {
        kind: 0x3,
        code_or_data: true,
        dpl: 0,
        present: true,
        available: false,
        long: false,
        default_big: false,
        granularity: false,
        unusable: false,
    };
}

impl Segment {
    /// A segment as real mode loads it: base = selector × 16, limit FFFFh, rights `access`.
    #[must_use]
    pub fn paragraph(selector: u16, access: Access) -> Segment {
        Segment { selector, base: u64::from(selector) << 4, limit: 0xffff, access }
    }
}

impl Segments {
    /// All names with their registers, in gdb's order.
    #[must_use]
    pub fn iter(&self) -> [(SegmentName, &Segment); 6] {
        SegmentName::ALL.map(|name| (name, self.get(name)))
    }

    /// The register `name`.
    #[must_use]
    pub fn get(&self, name: SegmentName) -> &Segment {
        match name {
            SegmentName::Cs => &self.cs,
            SegmentName::Ss => &self.ss,
            SegmentName::Ds => &self.ds,
            SegmentName::Es => &self.es,
            SegmentName::Fs => &self.fs,
            SegmentName::Gs => &self.gs,
        }
    }

    /// The register `name`, to be changed.
    pub fn get_mut(&mut self, name: SegmentName) -> &mut Segment {
        match name {
            SegmentName::Cs => &mut self.cs,
            SegmentName::Ss => &mut self.ss,
            SegmentName::Ds => &mut self.ds,
            SegmentName::Es => &mut self.es,
            SegmentName::Fs => &mut self.fs,
            SegmentName::Gs => &mut self.gs,
        }
    }
}

impl SegmentName {
    /// All six, in gdb's register order.
    pub const ALL: [SegmentName; 6] = [
        SegmentName::Cs,
        SegmentName::Ss,
        SegmentName::Ds,
        SegmentName::Es,
        SegmentName::Fs,
        SegmentName::Gs,
    ];

    /// The name in lower case, as gdb writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SegmentName::Cs => "cs",
            SegmentName::Ss => "ss",
            SegmentName::Ds => "ds",
            SegmentName::Es => "es",
            SegmentName::Fs => "fs",
            SegmentName::Gs => "gs",
        }
    }
}

impl CpuState {
    /// The register `gpr`.
    #[must_use]
    pub fn get(&self, gpr: Gpr) -> u64 {
        self.gpr[gpr as usize]
    }

    /// The register `gpr`, to be changed.
    pub fn get_mut(&mut self, gpr: Gpr) -> &mut u64 {
        &mut self.gpr[gpr as usize]
    }

    /// The mode the processor is in.
    #[must_use]
    pub fn mode(&self) -> CpuMode {
        CpuMode::of(self)
    }

    /// Linear address of the next instruction.
    #[must_use]
    pub fn pc(&self) -> Linear {
        self.linear(SegmentName::Cs, self.rip)
    }

    /// Linear address of `offset` in the segment `name`: 64 bits in 64-bit mode, where only FS and GS have a base;
    /// 32 bits elsewhere (SDM vol. 3A, 3.4.4).
    #[must_use]
    pub fn linear(&self, name: SegmentName, offset: u64) -> Linear {
        let base = self.segments.get(name).base;
        if self.mode() == CpuMode::Long64 {
            let flat = !matches!(name, SegmentName::Fs | SegmentName::Gs);
            Linear(if flat { offset } else { base.wrapping_add(offset) })
        } else {
            Linear(base.wrapping_add(offset) & 0xffff_ffff)
        }
    }

    /// Moves the instruction pointer `len` bytes on, within the width of the code segment.
    pub fn advance(&mut self, len: u8) {
        let mask = u64::MAX >> (64 - self.mode().code_bits());
        self.rip = self.rip.wrapping_add(len.into()) & mask;
    }

    /// CS:IP as a pair; the offset is cut to 16 bits, so that it means something only in real-mode-like code.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn cs_ip(&self) -> SegOff {
        SegOff::new(self.segments.cs.selector, self.rip as u16)
    }

    /// Where the processor is, for a message: `07C0:001D` in real mode, `0008:00100000` or
    /// `0008:ffffffff80000000` elsewhere.
    #[must_use]
    pub fn location(&self) -> String {
        let cs = self.segments.cs.selector;
        match self.mode().code_bits() {
            16 => self.cs_ip().to_string(),
            32 => format!("{cs:04X}:{:08X}", self.rip),
            _ => format!("{cs:04X}:{:016X}", self.rip),
        }
    }
}
