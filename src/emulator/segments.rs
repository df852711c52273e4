//! Descriptors, as transfers of control and segment loads read and check them (SDM vol. 3A, 3.4 and 5).

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::Rights;
use crate::x86::registers::EFER_LMA;
use crate::x86::segment::KIND_ACCESSED;
use crate::x86::{Linear, Segment};

/// A descriptor and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor {
    /// Its eight bytes.
    pub(super) raw: u64,
    /// The segment register it makes.
    pub(super) segment: Segment,
    addr: Linear,
}

impl Execution<'_> {
    /// The descriptor of `selector`, or nothing if its table does not reach that far.
    pub(super) fn descriptor(&mut self, selector: u16) -> Result<Option<Descriptor>, Trouble> {
        let (base, limit) = if selector & 4 == 0 {
            (self.cpu.gdtr.base, u32::from(self.cpu.gdtr.limit))
        } else if self.cpu.ldtr.access.unusable || self.cpu.ldtr.selector & !3 == 0 {
            return Ok(None);
        } else {
            (self.cpu.ldtr.base, self.cpu.ldtr.limit)
        };
        let offset = u32::from(selector & !7);
        if offset + 7 > limit {
            return Ok(None);
        }
        let addr = self.system_linear(base, offset.into());
        let mut bytes = [0; 8];
        self.read_linear(addr, &mut bytes, Rights::SYSTEM_READ)?;
        let raw = u64::from_le_bytes(bytes);
        let mut segment = Segment::from_descriptor(selector, raw);
        let wide = !segment.access.code_or_data && matches!(segment.access.kind, 2 | 9 | 11);
        if wide && self.is_ia32e() {
            if offset + 15 > limit {
                return Ok(None);
            }
            self.read_linear(addr.offset(8), &mut bytes, Rights::SYSTEM_READ)?;
            segment.base |= u64::from_le_bytes(bytes) << 32;
        }
        Ok(Some(Descriptor { raw, segment, addr }))
    }

    /// The code or data descriptor of `selector` as a load wants it; `absent` if there is none.
    pub(super) fn descriptor_or(
        &mut self,
        selector: u16,
        absent: Fault,
    ) -> Result<Descriptor, Trouble> {
        self.descriptor(selector)?.ok_or(Trouble::Fault(absent))
    }

    /// The descriptor of `selector`, not null, as that of the stack of `ring`; `wrong` if it is none.
    pub(super) fn stack_descriptor(
        &mut self,
        selector: u16,
        ring: u8,
        wrong: Fault,
    ) -> Result<Descriptor, Trouble> {
        let descriptor = self.descriptor_or(selector, wrong)?;
        let access = descriptor.segment.access;
        let fits =
            selector & 3 == u16::from(ring) && access.dpl == ring && access.is_writable_data();
        if !fits {
            return Err(wrong.into());
        }
        if !access.present {
            return Err(Fault::ss(self.code(selector)).into());
        }
        Ok(descriptor)
    }

    /// Marks a code or data segment as accessed, in its descriptor and in the register made of it.
    pub(super) fn access_segment(&mut self, descriptor: Descriptor) -> Result<Segment, Trouble> {
        let mut segment = descriptor.segment;
        // L means nothing elsewhere (SDM vol. 3A, 3.4.5).
        segment.access.long &= self.is_ia32e();
        if segment.access.kind & KIND_ACCESSED == 0 {
            segment.access.kind |= KIND_ACCESSED;
            let rights = (descriptor.raw >> 40) as u8 | KIND_ACCESSED;
            self.write_linear(descriptor.addr.offset(5), &[rights], Rights::SYSTEM_WRITE)?;
        }
        Ok(segment)
    }

    /// Marks a task-state segment as busy or as available, in its descriptor.
    pub(super) fn set_busy(&mut self, task: Descriptor, busy: bool) -> Result<(), Trouble> {
        const BUSY: u8 = 1 << 1;
        let addr = task.addr.offset(5);
        let rights = (task.raw >> 40) as u8;
        let rights = if busy { rights | BUSY } else { rights & !BUSY };
        self.write_linear(addr, &[rights], Rights::SYSTEM_WRITE)
    }

    /// Long mode is active, in whatever code segment.
    pub(super) fn is_ia32e(&self) -> bool {
        self.cpu.efer & EFER_LMA != 0
    }

    /// `offset` bytes into a system table: 32-bit addresses wrap outside IA-32e mode.
    pub(super) fn system_linear(&self, base: u64, offset: u64) -> Linear {
        let addr = base.wrapping_add(offset);
        Linear(if self.is_ia32e() { addr } else { addr & 0xffff_ffff })
    }

    /// Reads `len` bytes at `offset` of a system table, at most 8.
    pub(super) fn system_read(
        &mut self,
        base: u64,
        offset: u64,
        len: usize,
    ) -> Result<u64, Trouble> {
        let mut bytes = [0; 8];
        let addr = self.system_linear(base, offset);
        self.read_linear(addr, &mut bytes[..len], Rights::SYSTEM_READ)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
