//! The stack that the frame of a handler goes to: that of the program, or another one out of the task-state segment
//! (SDM vol. 3A, 6.12.1 and 6.14.4).

use crate::machine::Machine;
use crate::x86::paging::read_linear;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::segment::read_descriptor;
use crate::x86::{CpuState, Gpr, Linear};

/// Offsets in a 64-bit task-state segment, in bytes.
const RSP0: u64 = 4;
const IST1: u64 = 36;

impl Machine {
    /// The stack of the handler of `vector`, in words. Its gate leads to code.
    pub(super) fn handler_stack_words(&self, cpu: &CpuState, vector: u8) -> String {
        self.other_stack_words(cpu, vector).unwrap_or_else(|| {
            let pointer = cpu.get(Gpr::Rsp) & cpu.stack_mask();
            format!("the stack ({:04X}:{pointer:08X})", cpu.segments.ss.selector)
        })
    }

    /// Nothing if it is the program's own.
    fn other_stack_words(&self, cpu: &CpuState, vector: u8) -> Option<String> {
        if cpu.cr0 & CR0_PE == 0 {
            return None;
        }
        let long = cpu.efer & EFER_LMA != 0;
        let size = if long { 16 } else { 8 };
        let gate = self.number(cpu, cpu.idtr.base, u64::from(vector) * size, 8)?;
        if gate >> 40 & 0x1f == 0x5 {
            return None;
        }
        let ist = if long { gate >> 32 & 7 } else { 0 };
        if ist != 0 {
            let rsp = self.number(cpu, cpu.tr.base, IST1 + 8 * (ist - 1), 8)?;
            return Some(format!("stack {ist} of the interrupt stack table, IST{ist} {rsp:#x}"));
        }
        let code = read_descriptor(cpu, self, (gate >> 16) as u16).ok()?.access;
        if code.is_conforming() || code.dpl >= cpu.cpl() {
            return None;
        }
        let ring = code.dpl;
        let tss = |offset, len| self.number(cpu, cpu.tr.base, offset, len);
        if long {
            let rsp = tss(RSP0 + 8 * u64::from(ring), 8)?;
            return Some(format!("the stack of ring {ring}, RSP{ring} {rsp:#x}"));
        }
        let width = if cpu.tr.access.kind & 8 != 0 { 4 } else { 2 };
        let at = width + 2 * width * u64::from(ring);
        let (pointer, ss) = (tss(at, width as usize)?, tss(at + width, 2)? as u16);
        let absent = read_descriptor(cpu, self, ss).is_ok_and(|segment| !segment.access.present);
        let absent = if absent { ", whose segment is not present" } else { "" };
        Some(format!("the stack of ring {ring}, SS{ring}:ESP{ring} {ss:04X}:{pointer:08X}{absent}"))
    }

    /// `len` bytes of a system table, at most 8.
    fn number(&self, cpu: &CpuState, base: u64, offset: u64, len: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        read_linear(cpu, self, Linear(base).offset(offset), &mut bytes[..len]).ok()?;
        Some(u64::from_le_bytes(bytes))
    }
}
