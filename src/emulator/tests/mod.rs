//! The emulator on memory that is a mere array of bytes.

mod integer;
mod interrupt;
mod loads;
mod ordinary;
mod ret;
mod task;

use super::Environment;
use crate::x86::paging::PhysRead;
use crate::x86::registers::{CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME, RFLAGS_FIXED};
use crate::x86::{Access, CpuState, DescriptorTable, Features, Gpr, Phys, Segment};

/// Descriptor tables of all tests.
pub(super) const GDT: u64 = 0x1000;
pub(super) const IDT: u64 = 0x2000;
pub(super) const TSS: u64 = 0x3000;
/// Page tables of the tests that have them.
pub(super) const PAGES: u64 = 0x1_0000;
/// Where code is.
pub(super) const CODE: u64 = 0x7c00;
/// Top of the stack, and of ring 0's stack for programs in ring 3.
pub(super) const STACK: u64 = 0x7000;
pub(super) const STACK0: u64 = 0x6000;
/// Where the handlers are.
pub(super) const HANDLER: u64 = 0x8000;

/// Selectors of the GDT.
pub(super) const CODE0: u16 = 0x08;
pub(super) const DATA0: u16 = 0x10;
pub(super) const CODE3: u16 = 0x1b;
pub(super) const DATA3: u16 = 0x23;
pub(super) const CODE16: u16 = 0x28;
pub(super) const TASK: u16 = 0x38;
/// Not present.
pub(super) const ABSENT: u16 = 0x48;
pub(super) const CONFORMING: u16 = 0x50;
pub(super) const CODE64: u16 = 0x58;
pub(super) const CODE64_3: u16 = 0x63;

/// A processor and its memory.
#[derive(Clone)]
pub(super) struct Pc {
    pub(super) cpu: CpuState,
    pub(super) memory: Memory,
}

#[derive(Clone)]
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) msrs: Vec<(u32, u64)>,
    pub(super) random: Option<u64>,
    /// DR7 has some.
    pub(super) local_breakpoints: bool,
    pub(super) x87_pending: bool,
    pub(super) features: Features,
}

impl PhysRead for Memory {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        self.bytes[..].read_phys(addr, data)
    }
}

impl Environment for Memory {
    fn read(&mut self, addr: Phys, data: &mut [u8]) {
        for (byte, at) in data.iter_mut().zip(addr.0..) {
            *byte = self.bytes.get(at as usize).copied().unwrap_or(0xff);
        }
    }

    fn write(&mut self, addr: Phys, data: &[u8]) {
        for (byte, at) in data.iter().zip(addr.0..) {
            if let Some(place) = self.bytes.get_mut(at as usize) {
                *place = *byte;
            }
        }
    }

    fn msr(&mut self, index: u32) -> Option<u64> {
        self.msrs.iter().find(|(number, _)| *number == index).map(|(_, value)| *value)
    }

    fn xcr(&mut self, index: u32) -> Option<u64> {
        (index == 0).then_some(7)
    }

    fn x87_exception_pending(&mut self) -> bool {
        self.x87_pending
    }

    fn end_local_breakpoints(&mut self) {
        self.local_breakpoints = false;
    }

    fn random(&mut self) -> Option<u64> {
        self.random
    }

    fn features(&self) -> Features {
        self.features
    }
}

/// An 8-byte descriptor.
pub(super) fn descriptor(base: u32, limit: u32, rights: u8, flags: u8) -> u64 {
    let (base, limit) = (u64::from(base), u64::from(limit));
    limit & 0xffff
        | (base & 0xff_ffff) << 16
        | u64::from(rights) << 40
        | (limit >> 16 & 0xf) << 48
        | u64::from(flags) << 52
        | (base >> 24) << 56
}

impl Pc {
    /// Real mode, vector table at 0.
    pub(super) fn real() -> Pc {
        let mut cpu = CpuState { rflags: RFLAGS_FIXED, rip: CODE, ..CpuState::default() };
        cpu.idtr = DescriptorTable { base: 0, limit: 0x3ff };
        cpu.segments.cs = Segment::paragraph(0, Access::CODE16);
        for segment in [
            &mut cpu.segments.ss,
            &mut cpu.segments.ds,
            &mut cpu.segments.es,
            &mut cpu.segments.fs,
            &mut cpu.segments.gs,
        ] {
            *segment = Segment::paragraph(0, Access::DATA16);
        }
        *cpu.get_mut(Gpr::Rsp) = STACK;
        let memory = Memory {
            bytes: vec![0; 0x4_0000],
            msrs: Vec::new(),
            random: None,
            local_breakpoints: true,
            x87_pending: false,
            features: Features::all(true),
        };
        Pc { cpu, memory }
    }

    /// Flat 32-bit protected mode at `ring`, 0 or 3.
    pub(super) fn protected(ring: u8) -> Pc {
        let mut pc = Pc::real();
        let gdt = [
            0,
            descriptor(0, 0xf_ffff, 0x9b, 0xc),
            descriptor(0, 0xf_ffff, 0x93, 0xc),
            descriptor(0, 0xf_ffff, 0xfb, 0xc),
            descriptor(0, 0xf_ffff, 0xf3, 0xc),
            descriptor(0, 0xffff, 0x9b, 0),
            descriptor(0, 0xffff, 0x93, 0),
            descriptor(TSS as u32, 0x67, 0x8b, 0),
            0,
            descriptor(0, 0xf_ffff, 0x1b, 0xc),
            descriptor(0, 0xf_ffff, 0x9e, 0xc),
            descriptor(0, 0xf_ffff, 0x9b, 0xa),
            descriptor(0, 0xf_ffff, 0xfb, 0xa),
        ];
        for (index, entry) in gdt.into_iter().enumerate() {
            pc.put(GDT + 8 * index as u64, entry, 8);
        }
        pc.cpu.gdtr = DescriptorTable { base: GDT, limit: 8 * gdt.len() as u16 - 1 };
        pc.cpu.idtr = DescriptorTable { base: IDT, limit: 0x7ff };
        pc.cpu.cr0 = CR0_PE;
        let (code, data) = if ring == 0 { (CODE0, DATA0) } else { (CODE3, DATA3) };
        pc.cpu.segments.cs = pc.segment(code);
        for name in crate::x86::SegmentName::ALL.into_iter().skip(1) {
            *pc.cpu.segments.get_mut(name) = pc.segment(data);
        }
        pc.cpu.tr = pc.segment(TASK);
        pc.put(TSS + 4, STACK0, 4);
        pc.put(TSS + 8, DATA0.into(), 4);
        pc
    }

    /// Long mode at `ring`, 0 or 3, all of memory mapped to itself as user pages of 4 KiB.
    pub(super) fn long(ring: u8) -> Pc {
        let mut pc = Pc::protected(ring);
        pc.cpu.efer = EFER_LMA | EFER_LME;
        pc.cpu.cr4 = CR4_PAE;
        pc.cpu.cr0 |= CR0_PG;
        pc.cpu.cr3 = PAGES;
        for level in 0..3 {
            pc.put(PAGES + 0x1000 * level, PAGES + 0x1000 * (level + 1) + 7, 8);
        }
        for page in 0..512 {
            pc.put(PAGES + 0x3000 + 8 * page, page * 0x1000 + 7, 8);
        }
        pc.cpu.idtr.limit = 0xfff;
        pc.cpu.segments.cs = pc.segment(if ring == 0 { CODE64 } else { CODE64_3 });
        pc.put(TSS + 4, STACK0, 8);
        pc
    }

    /// The register that a selector of the GDT makes.
    pub(super) fn segment(&self, selector: u16) -> Segment {
        let raw = self.get(GDT + u64::from(selector & !7), 8);
        Segment::from_descriptor(selector, raw)
    }

    /// A gate of 8 bytes: `kind` with P and DPL.
    pub(super) fn gate(&mut self, vector: u8, selector: u16, offset: u64, kind: u8) {
        let raw = offset & 0xffff
            | u64::from(selector) << 16
            | u64::from(kind) << 40
            | (offset >> 16 & 0xffff) << 48;
        self.put(IDT + 8 * u64::from(vector), raw, 8);
    }

    /// A gate of 16 bytes.
    pub(super) fn gate64(&mut self, vector: u8, selector: u16, offset: u64, kind: u8, ist: u8) {
        let raw = offset & 0xffff
            | u64::from(selector) << 16
            | u64::from(ist) << 32
            | u64::from(kind) << 40
            | (offset >> 16 & 0xffff) << 48;
        let at = IDT + 16 * u64::from(vector);
        self.put(at, raw, 8);
        self.put(at + 8, offset >> 32, 8);
    }

    pub(super) fn put(&mut self, addr: u64, value: u64, size: usize) {
        self.memory.write(Phys(addr), &value.to_le_bytes()[..size]);
    }

    pub(super) fn get(&self, addr: u64, size: usize) -> u64 {
        let mut bytes = [0; 8];
        assert!(self.memory.read_phys(Phys(addr), &mut bytes[..size]), "memory at {addr:#x}");
        u64::from_le_bytes(bytes)
    }

    /// The `count` topmost things on the stack, `size` bytes each.
    pub(super) fn stack(&self, count: u64, size: usize) -> Vec<u64> {
        let top = self.cpu.linear(crate::x86::SegmentName::Ss, self.cpu.get(Gpr::Rsp));
        (0..count).map(|index| self.get(top.0 + index * size as u64, size)).collect()
    }
}
