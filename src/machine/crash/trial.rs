//! Trying an instruction out: the processor itself says which exception it raises.
//!
//! The instruction runs once more, with tables of our own on a page of the guest's that it has nothing to
//! do with: 32 gates lead to 32 handlers, each of which writes its vector to the port of that number. Then
//! all is put back, the page, the processor, and what the instruction has written if it raised nothing after all: of a
//! repetition no more than one iteration runs. Where there is no such page, or the exception cannot be delivered even
//! so, there is no answer.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::emulator::Fault;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Deadline, Exit, GuestDebug, KvmError};
use crate::machine::Machine;
use crate::machine::step::repeat::counter_mask;
use crate::x86::exceptions::has_error_code;
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::operands;
use crate::x86::paging;
use crate::x86::registers::{CR0_PE, CR0_WP, CR4_SMAP, CR4_SMEP, EFER_LMA, RFLAGS_IOPL};
use crate::x86::vectors::PAGE_FAULT;
use crate::x86::{
    Access, CpuMode, CpuState, DescriptorTable, Gpr, Linear, Phys, Segment, SegmentName,
};

const PAGE: u64 = 0x1000;
/// Exceptions there are.
const VECTORS: u8 = 32;
/// Offsets in our page: the interrupt table, the handlers, a task-state segment, a copy of the guest's GDT
/// with two descriptors more, and the top of a stack.
const IDT: u64 = 0;
const HANDLERS: u64 = 0x200;
const TSS: u64 = 0x280;
const GDT: u64 = 0x300;
const STACK: u64 = 0xff0;
/// Where the stack may grow down to.
const STACK_END: u64 = 0xc00;
/// Bytes of a task-state segment, of either kind.
const TSS_SIZE: usize = 0x68;
/// Bytes below the guest's stack pointer that a frame may take.
const FRAME: u64 = 64;
/// How far around what the guest uses a page is looked for.
const NEIGHBOURS: i64 = 64;
/// An instruction that takes longer than two of these is none that raises an exception.
const PATIENCE: Duration = Duration::from_millis(20);

/// Flat descriptors of ring 0.
const CODE32: u64 = 0x00cf_9b00_0000_ffff;
const CODE64: u64 = 0x00af_9b00_0000_ffff;
const DATA: u64 = 0x00cf_9300_0000_ffff;

/// Bytes of the guest's that are put back.
struct Saved {
    addr: Linear,
    bytes: Vec<u8>,
}

impl Machine {
    /// The exception that the instruction at CS:IP of `cpu` raises, as the processor delivers it. Registers
    /// and memory are as they were afterwards.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(in crate::machine) fn try_out(
        &mut self,
        cpu: &CpuState,
    ) -> Result<Option<Fault>, KvmError> {
        if !self.can_be_tried(cpu) {
            return Ok(None);
        }
        let Some(page) = self.spare_page(cpu) else { return Ok(None) };
        let first = self.try_with(cpu, page, false)?;
        // A stack that takes no frame keeps the exception from showing.
        if first.is_some() || self.uses_stack(cpu) || cpu.efer & EFER_LMA != 0 || cpu.cpl() != 0 {
            return Ok(first);
        }
        self.try_with(cpu, page, true)
    }

    fn try_with(
        &mut self,
        cpu: &CpuState,
        page: Linear,
        own_stack: bool,
    ) -> Result<Option<Fault>, KvmError> {
        let Some((prepared, bytes)) = self.prepared(cpu, page, own_stack) else { return Ok(None) };
        let before = self.vcpu.snapshot()?;
        let armed = *self.vcpu.armed();
        let stack =
            cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp).wrapping_sub(FRAME) & cpu.stack_mask());
        let saved: Vec<Saved> = [(page, PAGE), (stack, FRAME)]
            .into_iter()
            .chain(self.written_by(cpu))
            .map(|(addr, len)| {
                let mut bytes = vec![0; len as usize];
                let read = self.read_linear(addr, &mut bytes);
                bytes.truncate(read);
                Saved { addr, bytes }
            })
            .collect();
        // Accessed and dirty bits come back as well.
        let entries: Vec<(Phys, u64)> = [page, stack, stack.offset(FRAME)]
            .into_iter()
            .flat_map(|addr| paging::walk(cpu, self, addr).levels)
            .filter_map(|level| {
                let mut entry = [0; 8];
                let read = Machine::read_phys(self, level.entry_addr, &mut entry);
                (read == 8).then(|| (level.entry_addr, u64::from_le_bytes(entry)))
            })
            .collect();
        self.amend_linear(page, &bytes);
        let fault = self.set_out(&prepared, page);
        // The tables of the state that is put back are those that the addresses were found with.
        self.vcpu.restore(&before)?;
        self.vcpu.arm(armed)?;
        for Saved { addr, bytes } in saved.into_iter().rev() {
            self.amend_linear(addr, &bytes);
        }
        for (addr, entry) in entries {
            self.amend_phys(addr, &entry.to_le_bytes());
        }
        fault
    }

    /// Runs the prepared instruction and sees where it leads.
    fn set_out(&mut self, prepared: &CpuState, page: Linear) -> Result<Option<Fault>, KvmError> {
        if self.vcpu.set_cpu(prepared).is_err() {
            return Ok(None);
        }
        // Nothing may run on where no exception comes. Ring 3 is not stepped everywhere; it goes on then
        // until the time is over.
        let single_step = prepared.cpl() == 0;
        self.vcpu.arm(GuestDebug { single_step, ..GuestDebug::OFF })?;
        let kicked = self.vcpu.take_kick();
        let mut deadline = Deadline::new()?;
        deadline.start(PATIENCE);
        let mut waits = 0;
        let exit = loop {
            match self.vcpu.run()? {
                Exit::Interrupted if waits < 2 => waits += 1,
                exit => break exit,
            }
        };
        deadline.stop();
        let pressed = self.vcpu.take_kick() || kicked;
        let fault = self.outcome(&exit, page)?;
        while self.vcpu.next_coalesced_write().is_some() {}
        if pressed {
            self.vcpu.kicker().kick();
        }
        Ok(fault)
    }

    fn outcome(&mut self, exit: &Exit, page: Linear) -> Result<Option<Fault>, KvmError> {
        let Exit::PortWrite(access) = *exit else {
            // An access under way would be finished at the next entry, in the state that is put back.
            let mut under_way = exit.is_access();
            while under_way {
                under_way = match self.vcpu.complete()? {
                    Completion::Exit(next) => next.is_access(),
                    Completion::Done => false,
                };
            }
            return Ok(None);
        };
        let cpu = self.vcpu.cpu().clone();
        let vector = u8::try_from(access.port).unwrap_or(VECTORS);
        let handler = page.0 + HANDLERS + 2 * u64::from(vector);
        let at = cpu.pc().0;
        let arrived = vector < VECTORS && (at == handler || at == handler + 2);
        if let Completion::Exit(exit) = self.vcpu.complete()? {
            log::debug!("{} after trying an instruction out", exit.name());
        }
        if !arrived {
            return Ok(None);
        }
        let coded = cpu.cr0 & CR0_PE != 0 && has_error_code(vector);
        let mut code = [0; 4];
        let top = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp) & cpu.stack_mask());
        let error_code =
            (coded && self.read_linear_as(&cpu, top, &mut code)).then(|| u32::from_le_bytes(code));
        let address = (vector == PAGE_FAULT).then_some(Linear(cpu.cr2));
        Ok(Some(Fault { vector, error_code, address }))
    }

    fn read_linear_as(&self, cpu: &CpuState, addr: Linear, data: &mut [u8]) -> bool {
        paging::read_linear(cpu, self, addr, data).is_ok()
    }

    /// Our page's bytes, and `cpu` with its tables there.
    fn prepared(
        &self,
        cpu: &CpuState,
        page: Linear,
        own_stack: bool,
    ) -> Option<(CpuState, Vec<u8>)> {
        let mut bytes = vec![0; PAGE as usize];
        let mut put = |at: u64, data: &[u8]| {
            let at = at as usize;
            bytes[at..at + data.len()].copy_from_slice(data);
        };
        let mut prepared = self.counting_one(cpu);
        for vector in 0..VECTORS {
            put(HANDLERS + 2 * u64::from(vector), &[0xe6, vector]);
        }
        if cpu.cr0 & CR0_PE == 0 {
            let segment = u32::try_from(page.0 >> 4).ok()? << 16;
            for vector in 0..u32::from(VECTORS) {
                let entry = segment | (HANDLERS as u32 + 2 * vector);
                put(IDT + 4 * u64::from(vector), &entry.to_le_bytes());
            }
            prepared.idtr =
                DescriptorTable { base: page.0 + IDT, limit: u16::from(VECTORS) * 4 - 1 };
            if own_stack {
                prepared.segments.ss =
                    Segment { selector: (segment >> 16) as u16, base: page.0, ..cpu.segments.ss };
                *prepared.get_mut(Gpr::Rsp) = STACK;
            }
            return Some((prepared, bytes));
        }

        let long = cpu.efer & EFER_LMA != 0;
        // Two descriptors far behind the guest's own: a selector just beyond the guest's table has to stay
        // a fault.
        let free = STACK_END - GDT - 16;
        if u64::from(cpu.gdtr.limit) >= free {
            return None;
        }
        let mut gdt = vec![0; usize::from(cpu.gdtr.limit) + 1];
        if !self.read_linear_as(cpu, Linear(cpu.gdtr.base), &mut gdt) {
            return None;
        }
        put(GDT, &gdt);
        let (code, data) = (free, free + 8);
        put(GDT + code, &if long { CODE64 } else { CODE32 }.to_le_bytes());
        put(GDT + data, &DATA.to_le_bytes());
        let (code, data) = (code as u16, data as u16);
        prepared.gdtr = DescriptorTable { base: page.0 + GDT, limit: data + 7 };

        for vector in 0..VECTORS {
            let handler = page.0 + HANDLERS + 2 * u64::from(vector);
            // An interrupt gate; in IA-32e mode with the first stack of the interrupt stack table.
            let ist = u64::from(long) << 32;
            let low = handler & 0xffff
                | u64::from(code) << 16
                | 0x8e00 << 32
                | ist
                | (handler >> 16 & 0xffff) << 48;
            if long {
                put(IDT + 16 * u64::from(vector), &low.to_le_bytes());
                put(IDT + 16 * u64::from(vector) + 8, &(handler >> 32).to_le_bytes());
            } else {
                put(IDT + 8 * u64::from(vector), &low.to_le_bytes());
            }
        }
        let size = if long { 16 } else { 8 };
        prepared.idtr =
            DescriptorTable { base: page.0 + IDT, limit: u16::from(VECTORS) * size - 1 };

        let stack = page.0 + STACK;
        if long {
            put(TSS + 4, &stack.to_le_bytes());
            put(TSS + 36, &stack.to_le_bytes());
        } else {
            put(TSS + 4, &(stack as u32).to_le_bytes());
            put(TSS + 8, &data.to_le_bytes());
        }
        // No port is open.
        put(TSS + 0x66, &(TSS_SIZE as u16).to_le_bytes());
        prepared.tr = Segment {
            base: page.0 + TSS,
            limit: TSS_SIZE as u32 - 1,
            access: Access { kind: 0xb, code_or_data: false, unusable: false, ..Access::CODE16 },
            ..cpu.tr
        };
        if own_stack {
            prepared.segments.ss = Segment::from_descriptor(data, DATA);
            *prepared.get_mut(Gpr::Rsp) = stack;
        }
        Some((prepared, bytes))
    }

    /// Whether what our tables change plays no part in what the instruction does.
    fn can_be_tried(&self, cpu: &CpuState) -> bool {
        let code = self.code_of(cpu);
        let Some(facts) = instruction::decode(&code, cpu.mode()) else { return false };
        // The bits that open ports to ring 3 are in the guest's task-state segment.
        let iopl = cpu.rflags & RFLAGS_IOPL == RFLAGS_IOPL;
        let v86 = cpu.mode() == CpuMode::Virtual8086;
        facts.kind.port_width().is_none() || cpu.cpl() == 0 || iopl && !v86
    }

    /// Whether the instruction of `cpu`, and the frame of an exception, reach no memory of a device, of which nothing could
    /// be put back.
    pub(in crate::machine) fn stays_in_ram(&self, cpu: &CpuState) -> bool {
        let stack =
            cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp).wrapping_sub(FRAME) & cpu.stack_mask());
        self.is_ram(stack, FRAME) && self.operates_on_ram(cpu)
    }

    /// Whether all that the instruction of `cpu` reads and writes is RAM.
    pub(in crate::machine) fn operates_on_ram(&self, cpu: &CpuState) -> bool {
        let operands = operands::accesses(&self.code_of(cpu), cpu);
        operands.iter().all(|access| self.is_ram(access.addr, access.len))
    }

    fn is_ram(&self, addr: Linear, len: u64) -> bool {
        let size = usize::try_from(len).unwrap_or(usize::MAX);
        self.translate(addr).is_ok_and(|there| self.vm.ram().contiguous(there.phys, size) == size)
    }

    /// Where the instruction of `cpu` writes to RAM, and how many bytes: nothing could be put back in a device.
    fn written_by(&self, cpu: &CpuState) -> Vec<(Linear, u64)> {
        let code = self.code_of(cpu);
        let accesses = operands::accesses(&code, cpu);
        let written = accesses
            .into_iter()
            .filter(|access| access.write && self.is_ram(access.addr, access.len));
        written.map(|access| (access.addr, access.len)).collect()
    }

    /// `cpu` with a counter of 1 at most, if the instruction is a repetition.
    fn counting_one(&self, cpu: &CpuState) -> CpuState {
        let mut once = cpu.clone();
        let code = self.code_of(cpu);
        let facts = instruction::decode(&code, cpu.mode());
        if let Some(Facts { kind: Kind::Rep(rep), .. }) = facts {
            let mask = counter_mask(rep);
            let rcx = once.get_mut(Gpr::Rcx);
            *rcx = *rcx & !mask | (*rcx & mask).min(1);
        }
        once
    }

    /// The bytes of the instruction of `cpu`, as many as can be read.
    fn code_of(&self, cpu: &CpuState) -> Vec<u8> {
        let mut buffer = [0; 15];
        let readable =
            |len: &usize| paging::read_linear(cpu, self, cpu.pc(), &mut buffer[..*len]).is_ok();
        let len = (1..=15).rev().find(readable).unwrap_or(0);
        buffer[..len].to_vec()
    }

    fn uses_stack(&self, cpu: &CpuState) -> bool {
        let code = self.code_of(cpu);
        operands::uses_stack_pointer(&code, cpu.mode())
    }

    /// A page that the guest has mapped and that the instruction does not need.
    fn spare_page(&self, cpu: &CpuState) -> Option<Linear> {
        let mut used = BTreeSet::new();
        let mut use_range = |addr: Linear, len: u64| {
            for at in (addr.0 & !(PAGE - 1)..addr.0.saturating_add(len.max(1))).step_by(0x1000) {
                let walk = paging::walk(cpu, self, Linear(at));
                used.extend(walk.levels.iter().map(|level| level.entry_addr.0 & !(PAGE - 1)));
                used.extend(walk.result.map(|page| page.phys.0 & !(PAGE - 1)));
            }
        };
        let code = self.code_of(cpu);
        let stack = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp) & cpu.stack_mask());
        use_range(cpu.pc(), 15);
        use_range(Linear(stack.0.saturating_sub(256)), 512);
        let mut hot: Vec<u64> = vec![cpu.pc().0, stack.0];
        for access in operands::accesses(&code, cpu) {
            use_range(access.addr, access.len);
            hot.push(access.addr.0);
        }
        if cpu.cr0 & CR0_PE != 0 {
            for table in [cpu.gdtr, cpu.idtr] {
                use_range(Linear(table.base), u64::from(table.limit) + 1);
                hot.push(table.base);
            }
            for segment in [cpu.tr, cpu.ldtr] {
                use_range(Linear(segment.base), u64::from(segment.limit).min(0x1_0000) + 1);
            }
        }
        hot.push(0x8_0000);
        let neighbours = |addr: &u64| {
            let page = *addr & !(PAGE - 1);
            (1..NEIGHBOURS)
                .flat_map(|n| [n, -n])
                .map(move |n| page.wrapping_add_signed(n * PAGE as i64))
        };
        let found = hot.iter().flat_map(neighbours).find(|&page| self.is_spare(cpu, page, &used));
        found.map(Linear)
    }

    fn is_spare(&self, cpu: &CpuState, page: u64, used: &BTreeSet<u64>) -> bool {
        let real = cpu.cr0 & CR0_PE == 0;
        if real && !(PAGE..0xa_0000).contains(&page) || page == 0 {
            return false;
        }
        let walk = paging::walk(cpu, self, Linear(page));
        let Ok(found) = walk.result else { return false };
        let frame = found.phys.0 & !(PAGE - 1);
        // Ours is reached as any page, so it may not hold a table on the way to itself.
        let on_the_way = walk.levels.iter().any(|level| level.entry_addr.0 & !(PAGE - 1) == frame);
        let writable = found.writable || cpu.cr0 & CR0_WP == 0;
        let ring0 = !found.user || cpu.cr4 & (CR4_SMEP | CR4_SMAP) == 0;
        let in_ram = self.vm.ram().contiguous(Phys(frame), PAGE as usize);
        writable
            && ring0
            && !found.no_execute
            && !on_the_way
            && !used.contains(&frame)
            && in_ram == PAGE as usize
    }
}
