//! Memory as an instruction accesses it: segment checks (SDM vol. 3A, 5.3 to 5.5), then paging with
//! access rights and accessed and dirty bits (4.6 to 4.8).
//!
//! CR4.PKE and protection keys are not known: the guest is not told of them.

use super::execution::{Execution, PendingWrite};
use super::fault::{Fault, Trouble};
use crate::x86::paging::{self, PagingMode, Table};
use crate::x86::registers::{CR0_AM, CR0_WP, CR4_SMAP, CR4_SMEP, EFER_NXE, RFLAGS_AC};
use crate::x86::vectors::ALIGNMENT_CHECK;
use crate::x86::{CpuMode, Gpr, Linear, Phys, SegmentName};

/// Who accesses memory, and how, for the page-level checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) kind: AccessKind,
    /// At ring 3, not on the processor's own behalf.
    pub(super) user: bool,
    /// The processor reads or writes a table of its own: RFLAGS.AC does not open user pages.
    pub(super) implicit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessKind {
    Read,
    Write,
    Fetch,
}

impl Rights {
    /// The processor's own reads of descriptor tables and task-state segments.
    pub(super) const SYSTEM_READ: Rights =
        Rights { kind: AccessKind::Read, user: false, implicit: true };
    /// The processor's own writes of accessed bits.
    pub(super) const SYSTEM_WRITE: Rights = Rights { kind: AccessKind::Write, ..Self::SYSTEM_READ };
}

/// Bits of a page-fault error code (SDM vol. 3A, figure 4-12).
const PF_PRESENT: u32 = 1 << 0;
const PF_WRITE: u32 = 1 << 1;
const PF_USER: u32 = 1 << 2;
const PF_RESERVED: u32 = 1 << 3;
const PF_FETCH: u32 = 1 << 4;

const ENTRY_ACCESSED: u64 = 1 << 5;
const ENTRY_DIRTY: u64 = 1 << 6;

impl Execution<'_> {
    /// Reads linear memory; what this instruction has written already is seen.
    pub(super) fn read_linear(
        &mut self,
        addr: Linear,
        data: &mut [u8],
        rights: Rights,
    ) -> Result<(), Trouble> {
        for (phys, range) in self.pieces(addr, data.len(), rights)? {
            self.env.read(phys, &mut data[range.clone()]);
            for write in &self.writes {
                for (at, byte) in range.clone().zip(phys.0..) {
                    let index =
                        byte.checked_sub(write.addr.0).and_then(|i| usize::try_from(i).ok());
                    if let Some(new) = index.and_then(|index| write.data.get(index)) {
                        data[at] = *new;
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks a write to linear memory now and makes it at the end.
    pub(super) fn write_linear(
        &mut self,
        addr: Linear,
        data: &[u8],
        rights: Rights,
    ) -> Result<(), Trouble> {
        let rights = Rights { kind: AccessKind::Write, ..rights };
        for (phys, range) in self.pieces(addr, data.len(), rights)? {
            self.writes.push(PendingWrite { addr: phys, data: data[range].to_vec() });
        }
        Ok(())
    }

    /// The physical pieces of a linear range, each with its place in the range. All are checked first.
    pub(super) fn pieces(
        &mut self,
        addr: Linear,
        len: usize,
        rights: Rights,
    ) -> Result<Vec<(Phys, std::ops::Range<usize>)>, Trouble> {
        let mut pieces = Vec::with_capacity(1);
        let mut done = 0;
        while done < len {
            let (phys, remaining) = self.translate(addr.offset(done as u64), rights)?;
            let left = len - done;
            let size = usize::try_from(remaining).map_or(left, |rest| rest.min(left));
            pieces.push((phys, done..done + size));
            done += size;
        }
        Ok(pieces)
    }

    /// The physical address of `addr`, and the number of bytes to the end of its page.
    fn translate(&mut self, addr: Linear, rights: Rights) -> Result<(Phys, u64), Trouble> {
        let walk = paging::walk(&self.cpu, &*self.env, addr);
        let nx = self.cpu.efer & EFER_NXE != 0 && walk.mode != PagingMode::Bits32;
        let smep = self.cpu.cr4 & CR4_SMEP != 0;
        let mut code = 0;
        if rights.kind == AccessKind::Write {
            code |= PF_WRITE;
        }
        if rights.user {
            code |= PF_USER;
        }
        if rights.kind == AccessKind::Fetch && (nx || smep) {
            code |= PF_FETCH;
        }
        let fault = |bits| Trouble::Fault(Fault::page(walk.addr, code | bits));
        let page = match walk.result {
            Ok(page) => page,
            Err(paging::Fault::NonCanonical(_)) => return Err(Fault::gp(self.code(0)).into()),
            Err(paging::Fault::Reserved { .. }) => return Err(fault(PF_PRESENT | PF_RESERVED)),
            // Where there is no memory there is no entry.
            Err(paging::Fault::NotPresent(_) | paging::Fault::OutsideMemory { .. }) => {
                return Err(fault(0));
            }
        };
        if walk.mode == PagingMode::None {
            return Ok((page.phys, page.remaining));
        }
        let supervisor = !rights.user;
        let allowed = match rights.kind {
            _ if rights.user && !page.user => false,
            AccessKind::Fetch => !(page.no_execute || supervisor && page.user && smep),
            AccessKind::Read | AccessKind::Write => {
                let smap = self.cpu.cr4 & CR4_SMAP != 0
                    && (rights.implicit || self.cpu.rflags & RFLAGS_AC == 0);
                let writable = page.writable || supervisor && self.cpu.cr0 & CR0_WP == 0;
                !(supervisor && page.user && smap) && (rights.kind == AccessKind::Read || writable)
            }
        };
        if !allowed {
            return Err(fault(PF_PRESENT));
        }
        let last = walk.levels.len().saturating_sub(1);
        for (index, level) in walk.levels.iter().enumerate() {
            if walk.mode == PagingMode::Pae && level.table == Table::Pdpte {
                continue;
            }
            let dirty = index == last && rights.kind == AccessKind::Write;
            let entry = level.entry | ENTRY_ACCESSED | if dirty { ENTRY_DIRTY } else { 0 };
            if entry != level.entry {
                let size = if walk.mode == PagingMode::Bits32 { 4 } else { 8 };
                self.env.write(level.entry_addr, &entry.to_le_bytes()[..size]);
            }
        }
        Ok((page.phys, page.remaining))
    }

    /// The rights of what the program itself does at its privilege level.
    pub(super) fn own_rights(&self, kind: AccessKind) -> Rights {
        Rights { kind, user: self.cpu.cpl() == 3, implicit: false }
    }

    /// The linear address of `len` bytes at `offset` in a segment, if the program may access them so.
    pub(super) fn logical(
        &self,
        name: SegmentName,
        offset: u64,
        len: usize,
        kind: AccessKind,
    ) -> Result<Linear, Trouble> {
        let stack = name == SegmentName::Ss;
        let addr = self.cpu.linear(name, offset);
        let last = len.saturating_sub(1) as u64;
        let mode = self.cpu.mode();
        if mode == CpuMode::Long64 {
            let end = addr.0.wrapping_add(last);
            let fits = self.is_canonical(addr.0) && self.is_canonical(end);
            return if fits { Ok(addr) } else { Err(self.segment_fault(stack).into()) };
        }
        let segment = self.cpu.segments.get(name);
        if !mode.has_paragraph_segments() {
            let access = segment.access;
            let open = match kind {
                AccessKind::Read => access.is_readable(),
                AccessKind::Write => access.is_writable_data(),
                AccessKind::Fetch => access.is_code(),
            };
            if access.unusable || !open {
                return Err(self.segment_fault(stack).into());
            }
        }
        let (first, last) = (offset, offset.wrapping_add(last));
        if first > last || !segment.contains(first) || !segment.contains(last) {
            return Err(self.segment_fault(stack).into());
        }
        Ok(addr)
    }

    /// Whether the upper bits of a linear address are copies of the highest one that is translated.
    pub(super) fn is_canonical(&self, addr: u64) -> bool {
        let unused = if PagingMode::of(&self.cpu) == PagingMode::Level5 { 7 } else { 16 };
        ((addr << unused) as i64 >> unused) as u64 == addr
    }

    /// Reads `N` bytes at `offset` in a segment.
    pub(super) fn read(
        &mut self,
        name: SegmentName,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Trouble> {
        let addr = self.logical(name, offset, data.len(), AccessKind::Read)?;
        self.check_alignment(addr, data.len())?;
        self.read_linear(addr, data, self.own_rights(AccessKind::Read))
    }

    /// Writes `data` at `offset` in a segment.
    pub(super) fn write(
        &mut self,
        name: SegmentName,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Trouble> {
        let addr = self.logical(name, offset, data.len(), AccessKind::Write)?;
        self.check_alignment(addr, data.len())?;
        self.write_linear(addr, data, self.own_rights(AccessKind::Write))
    }

    /// #AC, where the program has asked for it (SDM vol. 3A, 6.15, "Interrupt 17").
    pub(super) fn check_alignment(&self, addr: Linear, len: usize) -> Result<(), Trouble> {
        let checked =
            self.cpu.cr0 & CR0_AM != 0 && self.cpu.rflags & RFLAGS_AC != 0 && self.cpu.cpl() == 3;
        if checked && len.is_power_of_two() && addr.0 & (len as u64 - 1) != 0 {
            return Err(Fault::coded(ALIGNMENT_CHECK, 0).into());
        }
        Ok(())
    }

    /// Pushes the low `size` bytes of `value`.
    pub(super) fn push(&mut self, value: u64, size: u8) -> Result<(), Trouble> {
        let mask = self.cpu.stack_mask();
        let sp = self.cpu.get(Gpr::Rsp).wrapping_sub(size.into()) & mask;
        self.write(SegmentName::Ss, sp, &value.to_le_bytes()[..usize::from(size)])?;
        self.set_stack_pointer(sp);
        Ok(())
    }

    /// Pops `size` bytes.
    pub(super) fn pop(&mut self, size: u8) -> Result<u64, Trouble> {
        let sp = self.cpu.get(Gpr::Rsp) & self.cpu.stack_mask();
        let mut bytes = [0; 8];
        self.read(SegmentName::Ss, sp, &mut bytes[..usize::from(size)])?;
        self.set_stack_pointer(sp.wrapping_add(size.into()));
        Ok(u64::from_le_bytes(bytes))
    }

    /// Sets the part of RSP that addresses the stack; a 16-bit stack leaves the rest alone.
    pub(super) fn set_stack_pointer(&mut self, sp: u64) {
        let mask = self.cpu.stack_mask();
        let rsp = self.cpu.get(Gpr::Rsp);
        // A 32-bit stack pointer is a 32-bit write, which clears the upper half.
        let kept = if mask == 0xffff { rsp & !mask } else { 0 };
        *self.cpu.get_mut(Gpr::Rsp) = kept | sp & mask;
    }
}
