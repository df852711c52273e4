//! Protected and virtual-8086 mode: interrupt and trap gates of 16 and 32 bits, with the stack switch to
//! an inner ring (SDM vol. 3A, 6.12, and the operation section of INT n in vol. 2A).

use super::super::execution::Execution;
use super::super::fault::{Fault, Trouble};
use super::super::memory::AccessKind;
use super::super::segments::Descriptor;
use super::super::task::{By, Left};
use super::Event;
use crate::x86::registers::RFLAGS_VM;
use crate::x86::{Gpr, Segment, SegmentName};

/// A gate of the interrupt table.
#[derive(Clone, Copy)]
pub(super) struct Gate {
    pub(super) selector: u16,
    pub(super) offset: u64,
    /// Disables interrupts.
    pub(super) interrupt: bool,
    /// Bytes of each thing that is pushed: 2, 4 or 8.
    pub(super) size: u8,
}

/// What an entry of the interrupt table leads to.
enum Entry {
    Gate(Gate),
    /// The task with this selector.
    Task(u16),
}

impl Execution<'_> {
    pub(super) fn enter_protected(&mut self, event: &Event) -> Result<(), Trouble> {
        let gate = match self.legacy_gate(event)? {
            Entry::Gate(gate) => gate,
            Entry::Task(selector) => return self.enter_task(event, selector),
        };
        let from_v86 = self.cpu.rflags & RFLAGS_VM != 0;
        let cpl = self.cpu.cpl();
        let cs = self.handler_code(gate.selector)?;
        let access = cs.segment.access;
        if !access.present {
            return Err(Fault::np(self.code(gate.selector)).into());
        }
        let inner = !access.is_conforming() && access.dpl < cpl;
        if from_v86 && (!inner || access.dpl != 0) {
            return Err(Fault::gp(self.code(gate.selector)).into());
        }
        let old = self.cpu.clone();
        let flags = self.pushed_flags(event);
        self.cpu.rflags = self.handler_flags(gate.interrupt);
        let ring = if inner { access.dpl } else { cpl };
        // The inner ring's stack, of which no byte is written before all of the frame is known to fit.
        if inner {
            self.switch_stack(ring)?;
        }
        let words = match (inner, from_v86) {
            (false, _) => 3,
            (true, false) => 5,
            (true, true) => 9,
        } + u64::from(event.error_code.is_some());
        self.check_stack_room(words * u64::from(gate.size), inner)?;
        if !cs.segment.contains(gate.offset) {
            return Err(Fault::gp(self.code(0)).into());
        }
        let mut code = self.access_segment(cs)?;
        code.selector = gate.selector & !3 | u16::from(ring);
        self.cpu.segments.cs = code;
        if from_v86 {
            for name in [SegmentName::Gs, SegmentName::Fs, SegmentName::Ds, SegmentName::Es] {
                self.push(old.segments.get(name).selector.into(), gate.size)?;
                *self.cpu.segments.get_mut(name) = Segment::null(0, 0);
            }
        }
        if inner {
            self.push(old.segments.ss.selector.into(), gate.size)?;
            self.push(old.get(Gpr::Rsp), gate.size)?;
        }
        self.push_frame(event, flags, old.segments.cs.selector, gate.size)?;
        self.cpu.rip = gate.offset;
        Ok(())
    }

    /// To the handler that is a task.
    fn enter_task(&mut self, event: &Event, selector: u16) -> Result<(), Trouble> {
        let left = Left { rip: event.return_rip, flags: self.pushed_flags(event) };
        self.through_task_gate(selector, By::Gate, left)?;
        match event.error_code {
            Some(code) if self.fault_in_new_task.is_none() => {
                let pushed = self.push(code.into(), self.task_size());
                self.in_new_task(pushed)
            }
            _ => Ok(()),
        }
    }

    /// Flags, CS, the instruction pointer and perhaps the error code.
    pub(super) fn push_frame(
        &mut self,
        event: &Event,
        flags: u64,
        cs: u16,
        size: u8,
    ) -> Result<(), Trouble> {
        self.push(flags, size)?;
        self.push(cs.into(), size)?;
        self.push(event.return_rip, size)?;
        if let Some(code) = event.error_code {
            self.push(code.into(), size)?;
        }
        Ok(())
    }

    /// The gate of `event`, if it may use it.
    fn legacy_gate(&mut self, event: &Event) -> Result<Entry, Trouble> {
        let offset = u64::from(event.vector) * 8;
        let code = self.gate_code(event.vector);
        if offset + 7 > self.cpu.idtr.limit.into() {
            return Err(Fault::gp(code).into());
        }
        let raw = self.system_read(self.cpu.idtr.base, offset, 8)?;
        let kind = (raw >> 40) as u8 & 0x1f;
        let size = match kind {
            0x5 | 0xe | 0xf => 4,
            0x6 | 0x7 => 2,
            _ => return Err(Fault::gp(code).into()),
        };
        self.check_gate(event, raw, self.cpu.cpl())?;
        let selector = (raw >> 16) as u16;
        if kind == 0x5 {
            return Ok(Entry::Task(selector));
        }
        let high = if size == 4 { raw >> 32 & 0xffff_0000 } else { 0 };
        let offset = raw & 0xffff | high;
        Ok(Entry::Gate(Gate { selector, offset, interrupt: kind & 1 == 0, size }))
    }

    /// Privilege of a gate for software interrupts, then whether it is present.
    pub(super) fn check_gate(&self, event: &Event, raw: u64, cpl: u8) -> Result<(), Trouble> {
        let code = self.gate_code(event.vector);
        let dpl = (raw >> 45) as u8 & 3;
        if event.is_software() && dpl < cpl {
            return Err(Fault::gp(code).into());
        }
        if raw >> 47 & 1 == 0 {
            return Err(Fault::np(code).into());
        }
        Ok(())
    }

    /// The code segment of a handler: any that is not less privileged than the program. Whether it is
    /// present comes later.
    pub(super) fn handler_code(&mut self, selector: u16) -> Result<Descriptor, Trouble> {
        if selector & !3 == 0 {
            return Err(Fault::gp(self.code(0)).into());
        }
        let fault = Fault::gp(self.code(selector));
        let descriptor = self.descriptor_or(selector, fault)?;
        let access = descriptor.segment.access;
        if !access.is_code() || access.dpl > self.cpu.cpl() {
            return Err(fault.into());
        }
        Ok(descriptor)
    }

    /// Loads the stack pointer, and outside IA-32e mode SS, that the task-state segment has for `ring`, 0 to 2.
    pub(in crate::emulator) fn switch_stack(&mut self, ring: u8) -> Result<(), Trouble> {
        if self.is_ia32e() {
            let rsp = self.ring_stack_pointer(ring)?;
            self.cpu.segments.ss = Segment::null_stack(ring.into(), ring);
            *self.cpu.get_mut(Gpr::Rsp) = rsp;
            return Ok(());
        }
        let stack = self.stack_of_ring(ring)?;
        let mut ss = self.access_segment(stack.descriptor)?;
        ss.selector = stack.selector;
        self.cpu.segments.ss = ss;
        self.set_stack_pointer(stack.pointer);
        Ok(())
    }

    /// SS and ESP that the task-state segment has for `ring`, 0 to 2.
    fn stack_of_ring(&mut self, ring: u8) -> Result<InnerStack, Trouble> {
        let tr = self.cpu.tr;
        let invalid = Fault::ts(self.code(tr.selector));
        let wide = tr.access.kind & 8 != 0;
        let width = if wide { 4 } else { 2 };
        let offset = width + u64::from(ring) * width * 2;
        if tr.access.unusable || offset + width + 1 > tr.limit.into() {
            return Err(invalid.into());
        }
        let pointer = self.system_read(tr.base, offset, width as usize)?;
        let selector = self.system_read(tr.base, offset + width, 2)? as u16;
        if selector & !3 == 0 {
            return Err(Fault::ts(self.code(0)).into());
        }
        let wrong = Fault::ts(self.code(selector));
        let descriptor = self.stack_descriptor(selector, ring, wrong)?;
        Ok(InnerStack { selector, pointer, descriptor })
    }

    /// Whether `len` bytes fit below the stack pointer; the fault names SS if it is `new`. They may wrap round a
    /// 64 KiB or 4 GiB stack.
    pub(in crate::emulator) fn check_stack_room(
        &mut self,
        len: u64,
        new: bool,
    ) -> Result<(), Trouble> {
        let fault = Fault::ss(self.code(if new { self.cpu.segments.ss.selector } else { 0 }));
        let mask = self.cpu.stack_mask();
        let sp = self.cpu.get(Gpr::Rsp);
        let low = sp.wrapping_sub(len) & mask;
        let high = sp.wrapping_sub(1) & mask;
        for offset in [low, high] {
            let place = self.logical(SegmentName::Ss, offset, 1, AccessKind::Write);
            place.map_err(|trouble| match trouble {
                Trouble::Fault(found) if found.vector == fault.vector => fault.into(),
                trouble => trouble,
            })?;
        }
        Ok(())
    }
}

/// The stack of an inner ring.
struct InnerStack {
    selector: u16,
    pointer: u64,
    descriptor: Descriptor,
}
