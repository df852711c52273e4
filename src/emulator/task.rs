//! Task switches: far CALL and JMP, IRET with RFLAGS.NT, and task gates (SDM vol. 3A, 8.2 and 8.3).
//!
//! Up to where the new task's registers are loaded, a fault is the old task's, and nothing has happened. Behind that it is
//! the new task's, whose first instruction it returns to.

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::Rights;
use super::segments::Descriptor;
use crate::x86::registers::{CR0_PG, CR0_TS, RFLAGS_FIXED, RFLAGS_NT, RFLAGS_RF, RFLAGS_VM};
use crate::x86::task::{Layout, REGISTERS, SEGMENTS};
use crate::x86::{Segment, SegmentName};

/// Types of task-state segments that are available, of 16 and 32 bits.
const AVAILABLE: [u8; 2] = [1, 9];
/// The same, busy.
const BUSY: [u8; 2] = [3, 11];
/// The type of a local descriptor table.
const LOCAL_TABLE: u8 = 2;

/// EFLAGS without the reserved bits.
const DEFINED_FLAGS: u64 = 0x3f_7fd5;
/// In a task-state segment of 32 bits: that its first instruction is to raise a debug exception.
const TRAP: u64 = 0x64;

/// By what tasks are switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Jump,
    Call,
    Return,
    Gate,
}

impl By {
    /// Whether the new task can return to the old one.
    fn nests(self) -> bool {
        matches!(self, By::Call | By::Gate)
    }
}

/// What the old task goes on with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) rip: u64,
    pub(super) flags: u64,
}

/// The page tables of a task of 32 bits.
const PAGE_TABLES: u64 = 0x1c;

/// What is in a task-state segment.
struct Task {
    page_tables: u64,
    rip: u64,
    flags: u64,
    registers: [u64; 8],
    segments: [u16; 6],
    local_table: u16,
}

impl Execution<'_> {
    /// CALL or JMP to `selector`, whose descriptor is that of a task-state segment or a task gate.
    pub(super) fn far_to_task(
        &mut self,
        descriptor: Descriptor,
        selector: u16,
        by: By,
        next: u64,
    ) -> Result<(), Trouble> {
        const TASK_GATE: u8 = 5;
        let access = descriptor.segment.access;
        let fault = Fault::gp(self.code(selector));
        if access.dpl < self.cpu.cpl() || access.dpl < (selector & 3) as u8 {
            return Err(fault.into());
        }
        let left = Left { rip: next, flags: self.cpu.rflags & !RFLAGS_RF };
        if access.kind != TASK_GATE {
            return self.switch_to_available(descriptor, selector, by, left);
        }
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        self.through_task_gate((descriptor.raw >> 16) as u16, by, left)
    }

    /// To the task that a gate names.
    pub(super) fn through_task_gate(
        &mut self,
        selector: u16,
        by: By,
        left: Left,
    ) -> Result<(), Trouble> {
        let fault = Fault::gp(self.code(selector));
        let task = self.descriptor_or(selector, fault)?;
        self.switch_to_available(task, selector, by, left)
    }

    fn switch_to_available(
        &mut self,
        task: Descriptor,
        selector: u16,
        by: By,
        left: Left,
    ) -> Result<(), Trouble> {
        let access = task.segment.access;
        if selector & 4 != 0 || access.code_or_data || !AVAILABLE.contains(&access.kind) {
            return Err(Fault::gp(self.code(selector)).into());
        }
        self.switch_task(task, selector, by, left)
    }

    /// IRET with RFLAGS.NT outside IA-32e mode: back to the task that the current one names.
    pub(super) fn return_to_task(&mut self, next: u64) -> Result<(), Trouble> {
        let selector = self.system_read(self.cpu.tr.base, 0, 2)? as u16;
        let invalid = Fault::ts(self.code(selector));
        let task = self.descriptor_or(selector, invalid)?;
        let access = task.segment.access;
        if selector & 4 != 0 || access.code_or_data || !BUSY.contains(&access.kind) {
            return Err(invalid.into());
        }
        let flags = self.cpu.rflags & !(RFLAGS_NT | RFLAGS_RF);
        self.switch_task(task, selector, By::Return, Left { rip: next, flags })
    }

    fn switch_task(
        &mut self,
        task: Descriptor,
        selector: u16,
        by: By,
        left: Left,
    ) -> Result<(), Trouble> {
        let Segment { access, limit, base, .. } = task.segment;
        let layout = Layout::of(access.kind);
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        if limit < layout.limit {
            return Err(Fault::ts(self.code(selector)).into());
        }
        if layout.size == 4 && self.system_read(base, TRAP, 1)? & 1 != 0 {
            return Err(Unsupported::TaskTrap.into());
        }
        let old = self.cpu.tr;
        if !by.nests()
            && old.selector & !3 != 0
            && let Some(old) = self.descriptor(old.selector)?
        {
            self.set_busy(old, false)?;
        }
        self.save_task(left)?;
        let new = self.read_task(base, layout)?;
        if new.flags & RFLAGS_VM != 0 {
            return Err(Unsupported::NoVirtual8086.into());
        }
        if by.nests() {
            self.store(base, 0, old.selector.into(), 2)?;
        }
        if by != By::Return {
            self.set_busy(task, true)?;
        }
        // From here on there is no way back.
        self.switched_task = true;
        self.cpu.cr0 |= CR0_TS;
        self.cpu.tr = task.segment;
        self.cpu.tr.selector = selector & !3;
        self.cpu.tr.access.kind |= 2;
        self.load_registers(&new, layout, by);
        let loaded = self.load_task_segments(&new);
        self.in_new_task(loaded)
    }

    /// Keeps a fault in the context of the new task for later.
    pub(super) fn in_new_task(&mut self, done: Result<(), Trouble>) -> Result<(), Trouble> {
        if let Err(Trouble::Fault(fault)) = done {
            self.fault_in_new_task = Some(fault);
            return Ok(());
        }
        done
    }

    /// Bytes of what the new task's stack takes at a time.
    pub(super) fn task_size(&self) -> u8 {
        Layout::of(self.cpu.tr.access.kind).size
    }

    /// Stores the old task's registers in its task-state segment; neither CR3 nor LDTR is.
    fn save_task(&mut self, left: Left) -> Result<(), Trouble> {
        let Segment { base, access, .. } = self.cpu.tr;
        let layout = Layout::of(access.kind);
        self.store(base, layout.rip, left.rip, layout.size)?;
        self.store(base, layout.flags, left.flags, layout.size)?;
        for (index, register) in REGISTERS.into_iter().enumerate() {
            let value = self.cpu.get(register);
            self.store(base, layout.register(index), value, layout.size)?;
        }
        for (index, name) in layout.segments.iter().enumerate() {
            let selector = self.cpu.segments.get(*name).selector;
            self.store(base, layout.segment(index), selector.into(), 2)?;
        }
        Ok(())
    }

    /// Writes `size` bytes at `offset` of the task-state segment at `base`.
    fn store(&mut self, base: u64, offset: u64, value: u64, size: u8) -> Result<(), Trouble> {
        let addr = self.system_linear(base, offset);
        self.write_linear(addr, &value.to_le_bytes()[..usize::from(size)], Rights::SYSTEM_WRITE)
    }

    fn read_task(&mut self, base: u64, layout: &Layout) -> Result<Task, Trouble> {
        let size = usize::from(layout.size);
        let mut registers = [0; 8];
        for (index, value) in registers.iter_mut().enumerate() {
            *value = self.system_read(base, layout.register(index), size)?;
        }
        let mut segments = [0; 6];
        for (index, selector) in segments.iter_mut().take(layout.segments.len()).enumerate() {
            *selector = self.system_read(base, layout.segment(index), 2)? as u16;
        }
        let wide = layout.size == 4;
        Ok(Task {
            page_tables: if wide { self.system_read(base, PAGE_TABLES, 4)? } else { 0 },
            rip: self.system_read(base, layout.rip, size)?,
            flags: self.system_read(base, layout.flags, size)?,
            registers,
            segments,
            local_table: self.system_read(base, layout.local_table, 2)? as u16,
        })
    }

    fn load_registers(&mut self, new: &Task, layout: &Layout, by: By) {
        if layout.size == 4 && self.cpu.cr0 & CR0_PG != 0 {
            self.cpu.cr3 = new.page_tables;
        }
        self.cpu.rip = new.rip;
        let nested = if by.nests() { RFLAGS_NT } else { 0 };
        self.cpu.rflags = new.flags & DEFINED_FLAGS | RFLAGS_FIXED | nested;
        for (register, value) in REGISTERS.into_iter().zip(new.registers) {
            *self.cpu.get_mut(register) = value;
        }
    }

    /// Loads LDTR and the segments, with the checks of table 8-1 in the SDM.
    fn load_task_segments(&mut self, new: &Task) -> Result<(), Trouble> {
        let all = SEGMENTS.into_iter().zip(new.segments);
        // A fault on the way finds the new task's selectors, and its ring.
        for (name, selector) in all.clone() {
            self.cpu.segments.get_mut(name).selector = selector;
        }
        let ring = (new.segments[1] & 3) as u8;
        self.cpu.segments.ss.access.dpl = ring;
        self.load_local_table(new.local_table)?;
        for (name, selector) in all {
            let segment = self.task_segment(name, selector, ring)?;
            *self.cpu.segments.get_mut(name) = segment;
        }
        let reachable = self.cpu.segments.cs.contains(self.cpu.rip);
        if reachable { Ok(()) } else { Err(Fault::gp(self.code(0)).into()) }
    }

    fn load_local_table(&mut self, selector: u16) -> Result<(), Trouble> {
        self.cpu.ldtr = Segment::null(selector, 0);
        if selector & !3 == 0 {
            return Ok(());
        }
        let invalid = Fault::ts(self.code(selector));
        if selector & 4 != 0 {
            return Err(invalid.into());
        }
        let table = self.descriptor_or(selector, invalid)?.segment;
        let access = table.access;
        if access.code_or_data || access.kind != LOCAL_TABLE || !access.present {
            return Err(invalid.into());
        }
        self.cpu.ldtr = table;
        Ok(())
    }

    fn task_segment(
        &mut self,
        name: SegmentName,
        selector: u16,
        ring: u8,
    ) -> Result<Segment, Trouble> {
        let invalid = Fault::ts(self.code(selector));
        let needed = matches!(name, SegmentName::Cs | SegmentName::Ss);
        if selector & !3 == 0 {
            return if needed { Err(invalid.into()) } else { Ok(Segment::null(selector, 0)) };
        }
        if name == SegmentName::Ss {
            let stack = self.stack_descriptor(selector, ring, invalid)?;
            return self.task_access(stack, selector);
        }
        let descriptor = self.descriptor_or(selector, invalid)?;
        let access = descriptor.segment.access;
        let requested = (selector & 3) as u8;
        let fits = if name == SegmentName::Cs {
            let level =
                if access.is_conforming() { access.dpl <= ring } else { access.dpl == ring };
            access.is_code() && level
        } else {
            let level = access.is_conforming() || access.dpl >= ring.max(requested);
            access.is_readable() && level
        };
        if !fits {
            return Err(invalid.into());
        }
        if !access.present {
            return Err(Fault::np(self.code(selector)).into());
        }
        self.task_access(descriptor, selector)
    }

    fn task_access(&mut self, descriptor: Descriptor, selector: u16) -> Result<Segment, Trouble> {
        let segment = self.access_segment(descriptor)?;
        Ok(Segment { selector, ..segment })
    }
}
