//! Segment descriptors and what loading a selector does (SDM vol. 3A, 3.4 and 5).
//!
//! A debugger's load differs from the processor's in one point: the accessed bit is set in the register
//! only, memory stays as it is.

use super::paging::{self, Fault, PhysRead, ReadError};
use super::registers::EFER_LMA;
use super::{Access, CpuMode, CpuState, DescriptorTable, Linear, Phys, Segment, SegmentName};

#[cfg(test)]
mod tests;

/// Type bit of data: writable; of code: readable.
const KIND_OPEN: u8 = 1 << 1;
/// Type bit of code: conforming.
const KIND_CONFORMING: u8 = 1 << 2;
/// Type bit: code, not data.
const KIND_CODE: u8 = 1 << 3;
/// Type bit: accessed.
pub const KIND_ACCESSED: u8 = 1;

/// Why a selector cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// CS, or SS outside ring 0 to 2 of 64-bit mode, with a null selector.
    #[error("{} cannot hold the null selector {selector:#06x}", name.as_str())]
    Null {
        /// The register.
        name: SegmentName,
        /// The selector, 0 to 3.
        selector: u16,
    },
    /// The LDT is asked for and there is none.
    #[error("selector {0:#06x} refers to the LDT, and LDTR is null")]
    NoLdt(u16),
    /// The descriptor is not inside its table.
    #[error("selector {selector:#06x} is beyond the limit {limit:#x} of its table")]
    BeyondLimit {
        /// The selector.
        selector: u16,
        /// Last byte of the table.
        limit: u32,
    },
    /// The table is not mapped.
    #[error("the descriptor of selector {selector:#06x} cannot be read: {fault}")]
    NotMapped {
        /// The selector.
        selector: u16,
        /// Where the page walk ended.
        fault: Fault,
    },
    /// The table is mapped on something that is no memory.
    #[error("the descriptor of selector {selector:#06x} is outside memory at physical {phys}")]
    OutsideMemory {
        /// The selector.
        selector: u16,
        /// Where the descriptor would be.
        phys: Phys,
    },
    /// P is clear.
    #[error("the segment of selector {0:#06x} is not present")]
    NotPresent(u16),
    /// A system segment, or code where data is needed, or the reverse.
    #[error("the segment of selector {selector:#06x} is of a type that {} cannot hold", name.as_str())]
    WrongType {
        /// The register.
        name: SegmentName,
        /// The selector.
        selector: u16,
    },
    /// The privilege rules forbid it.
    #[error("ring {cpl} cannot load selector {selector:#06x} of privilege level {dpl}")]
    Privilege {
        /// The selector.
        selector: u16,
        /// The descriptor's level.
        dpl: u8,
        /// The current level.
        cpl: u8,
    },
}

impl Access {
    /// The rights as bits 8 to 23 of a descriptor's upper half have them; bits 16 to 19 stay free for
    /// the limit.
    #[must_use]
    pub fn descriptor_bits(self) -> u32 {
        u32::from(self.kind & 0xf) << 8
            | u32::from(self.code_or_data) << 12
            | u32::from(self.dpl & 3) << 13
            | u32::from(self.present) << 15
            | u32::from(self.available) << 20
            | u32::from(self.long) << 21
            | u32::from(self.default_big) << 22
            | u32::from(self.granularity) << 23
    }

    /// The rights from a descriptor's upper half.
    #[must_use]
    pub fn from_descriptor_bits(high: u32) -> Access {
        let bit = |n: u32| high >> n & 1 != 0;
        Access {
            kind: (high >> 8 & 0xf) as u8,
            code_or_data: bit(12),
            dpl: (high >> 13 & 3) as u8,
            present: bit(15),
            available: bit(20),
            long: bit(21),
            default_big: bit(22),
            granularity: bit(23),
            unusable: false,
        }
    }

    /// A code segment, of whatever width.
    #[must_use]
    pub fn is_code(self) -> bool {
        self.code_or_data && self.kind & KIND_CODE != 0
    }

    /// A data segment that can be written, as SS needs.
    #[must_use]
    pub fn is_writable_data(self) -> bool {
        self.code_or_data && self.kind & (KIND_CODE | KIND_OPEN) == KIND_OPEN
    }

    /// A segment that data can be read from: any data, or readable code.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.code_or_data && self.kind & (KIND_CODE | KIND_OPEN) != KIND_CODE
    }

    /// A conforming code segment, which runs at its caller's level.
    #[must_use]
    pub fn is_conforming(self) -> bool {
        self.is_code() && self.kind & KIND_CONFORMING != 0
    }
}

impl Segment {
    /// The register that `selector` and its 8-byte `descriptor` make, without any check.
    #[must_use]
    pub fn from_descriptor(selector: u16, descriptor: u64) -> Segment {
        let (low, high) = (descriptor as u32, (descriptor >> 32) as u32);
        let access = Access::from_descriptor_bits(high);
        let raw = low & 0xffff | high & 0xf_0000;
        Segment {
            selector,
            base: u64::from(low >> 16 | (high & 0xff) << 16 | high & 0xff00_0000),
            limit: if access.granularity { raw << 12 | 0xfff } else { raw },
            access,
        }
    }

    /// Rights and upper limit bits in place: bits 8 to 23 of a descriptor's upper half.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.access.descriptor_bits() | self.raw_limit() & 0xf_0000
    }

    /// What a null selector leaves: nothing that can be used, at level `dpl`.
    #[must_use]
    pub fn null(selector: u16, dpl: u8) -> Segment {
        let access = Access { dpl, unusable: true, ..Access::default() };
        Segment { selector, access, ..Segment::default() }
    }

    /// What a null selector leaves in SS of 64-bit mode: a stack at level `dpl` that can be used. The
    /// hidden rest means nothing there; these are the values that KVM's instruction emulator picks.
    #[must_use]
    pub fn null_stack(selector: u16, dpl: u8) -> Segment {
        let access = Access { dpl, default_big: true, granularity: true, ..Access::DATA16 };
        Segment { selector, base: 0, limit: 0xfff, access }
    }

    /// Whether `offset` is inside the limit, which data that expands down turns round (SDM vol. 3A, 5.3).
    #[must_use]
    pub fn contains(&self, offset: u64) -> bool {
        let access = self.access;
        let expands_down =
            access.code_or_data && access.kind & (KIND_CODE | KIND_CONFORMING) == KIND_CONFORMING;
        if expands_down {
            let top = if access.default_big { 0xffff_ffff } else { 0xffff };
            offset > self.limit.into() && offset <= top
        } else {
            offset <= self.limit.into()
        }
    }

    fn raw_limit(&self) -> u32 {
        if self.access.granularity { self.limit >> 12 } else { self.limit & 0xf_ffff }
    }
}

impl CpuState {
    /// The current privilege level: 0 in real mode, 3 in virtual-8086 mode, SS.DPL elsewhere, which
    /// unlike CS is right even between the switch to protected mode and the far jump.
    #[must_use]
    pub fn cpl(&self) -> u8 {
        match self.mode() {
            CpuMode::Real => 0,
            CpuMode::Virtual8086 => 3,
            _ => self.segments.ss.access.dpl & 3,
        }
    }

    /// The part of RSP that addresses the stack: all of it in 64-bit mode, elsewhere as the B flag of SS
    /// says (SDM vol. 3A, 3.4.5).
    #[must_use]
    pub fn stack_mask(&self) -> u64 {
        match self.mode() {
            CpuMode::Long64 => u64::MAX,
            _ if self.segments.ss.access.default_big => 0xffff_ffff,
            _ => 0xffff,
        }
    }
}

/// What the register `name` holds after a load of `selector`. In real and virtual-8086 mode the base is
/// selector × 16 and limit and rights stay; elsewhere the descriptor table decides.
///
/// # Errors
/// Where the processor would fault: a null, missing or unsuitable descriptor, or one that the privilege
/// rules forbid.
pub fn load_segment(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    name: SegmentName,
    selector: u16,
) -> Result<Segment, LoadError> {
    let mode = cpu.mode();
    if mode.has_paragraph_segments() {
        let base = u64::from(selector) << 4;
        return Ok(Segment { selector, base, ..*cpu.segments.get(name) });
    }
    let cpl = cpu.cpl();
    let rpl = (selector & 3) as u8;
    if selector & !3 == 0 {
        let allowed = match name {
            SegmentName::Cs => false,
            SegmentName::Ss => mode == CpuMode::Long64 && cpl != 3 && rpl == cpl,
            _ => true,
        };
        return if allowed {
            Ok(if name == SegmentName::Ss {
                Segment::null_stack(selector, cpl)
            } else {
                Segment::null(selector, 0)
            })
        } else {
            Err(LoadError::Null { name, selector })
        };
    }
    let mut segment = read_descriptor(cpu, mem, selector)?;
    let access = segment.access;
    let fits = match name {
        // L and D together are reserved in IA-32e mode.
        SegmentName::Cs => {
            let wide = cpu.efer & EFER_LMA != 0 && access.long && access.default_big;
            access.is_code() && !wide
        }
        SegmentName::Ss => access.is_writable_data(),
        SegmentName::Ds | SegmentName::Es | SegmentName::Fs | SegmentName::Gs => {
            access.is_readable()
        }
    };
    if !fits {
        return Err(LoadError::WrongType { name, selector });
    }
    let permitted = match name {
        SegmentName::Cs if access.is_conforming() => access.dpl <= cpl,
        SegmentName::Cs => access.dpl == cpl && rpl <= cpl,
        SegmentName::Ss => access.dpl == cpl && rpl == cpl,
        _ => access.is_conforming() || access.dpl >= cpl.max(rpl),
    };
    if !permitted {
        return Err(LoadError::Privilege { selector, dpl: access.dpl, cpl });
    }
    if !access.present {
        return Err(LoadError::NotPresent(selector));
    }
    segment.access.kind |= KIND_ACCESSED;
    if name == SegmentName::Cs {
        segment.selector = selector & !3 | u16::from(cpl);
    }
    Ok(segment)
}

/// The descriptor of `selector` in the GDT or LDT as a register would hold it, of whatever type. The
/// 16-byte system descriptors of IA-32e mode have a base of 64 bits.
///
/// # Errors
/// A descriptor outside its table, or in memory that cannot be read.
pub fn read_descriptor(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    selector: u16,
) -> Result<Segment, LoadError> {
    let (base, limit) = if selector & 4 == 0 {
        let DescriptorTable { base, limit } = cpu.gdtr;
        (base, u32::from(limit))
    } else if cpu.ldtr.access.unusable || cpu.ldtr.selector & !3 == 0 {
        return Err(LoadError::NoLdt(selector));
    } else {
        (cpu.ldtr.base, cpu.ldtr.limit)
    };
    let offset = u32::from(selector & !7);
    let read = |offset: u32| {
        if offset + 7 > limit {
            return Err(LoadError::BeyondLimit { selector, limit });
        }
        let mut bytes = [0; 8];
        let addr = Linear(base).offset(u64::from(offset));
        paging::read_linear(cpu, mem, addr, &mut bytes).map_err(|error| match error {
            ReadError::Fault(fault) => LoadError::NotMapped { selector, fault },
            ReadError::OutsideMemory(phys) => LoadError::OutsideMemory { selector, phys },
        })?;
        Ok(u64::from_le_bytes(bytes))
    };
    let mut segment = Segment::from_descriptor(selector, read(offset)?);
    let wide = !segment.access.code_or_data && matches!(segment.access.kind, 2 | 9 | 11);
    if wide && cpu.efer & EFER_LMA != 0 {
        segment.base |= read(offset + 8)? << 32;
    }
    Ok(segment)
}
