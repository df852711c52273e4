//! The stack that the frame of a handler goes to: that of the program, or another one out of the task-state segment
//! (SDM vol. 3A, 6.12.1 and 6.14.4).

use crate::x86::paging::{PhysRead, read_linear};
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::segment::read_descriptor;
use crate::x86::{CpuState, Gpr, Linear};

/// Offsets in a 64-bit task-state segment, in bytes.
const RSP0: u64 = 4;
const IST1: u64 = 36;

/// The stack of the handler of `vector`, in words. Its gate leads to code.
pub(super) fn handler_stack_words(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    vector: u8,
) -> String {
    other_stack_words(cpu, mem, vector).unwrap_or_else(|| {
        let pointer = cpu.get(Gpr::Rsp) & cpu.stack_mask();
        format!("the stack ({:04X}:{pointer:08X})", cpu.segments.ss.selector)
    })
}

/// Nothing if it is the program's own.
fn other_stack_words(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), vector: u8) -> Option<String> {
    if cpu.cr0 & CR0_PE == 0 {
        return None;
    }
    let number = |base: u64, offset: u64, len: usize| {
        let mut bytes = [0; 8];
        read_linear(cpu, mem, Linear(base).offset(offset), &mut bytes[..len]).ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let tss = |offset, len| number(cpu.tr.base, offset, len);
    let long = cpu.efer & EFER_LMA != 0;
    let gate = number(cpu.idtr.base, u64::from(vector) * if long { 16 } else { 8 }, 8)?;
    let ist = if long { gate >> 32 & 7 } else { 0 };
    if ist != 0 {
        let rsp = tss(IST1 + 8 * (ist - 1), 8)?;
        return Some(format!("stack {ist} of the interrupt stack table, IST{ist} {rsp:#x}"));
    }
    let code = read_descriptor(cpu, mem, (gate >> 16) as u16).ok()?.access;
    if code.is_conforming() || code.dpl >= cpu.cpl() {
        return None;
    }
    let ring = code.dpl;
    if long {
        let rsp = tss(RSP0 + 8 * u64::from(ring), 8)?;
        return Some(format!("the stack of ring {ring}, RSP{ring} {rsp:#x}"));
    }
    let width = if cpu.tr.access.kind & 8 != 0 { 4 } else { 2 };
    let at = width + 2 * width * u64::from(ring);
    let (pointer, ss) = (tss(at, width as usize)?, tss(at + width, 2)? as u16);
    let absent = read_descriptor(cpu, mem, ss).is_ok_and(|segment| !segment.access.present);
    let absent = if absent { ", whose segment is not present" } else { "" };
    Some(format!("the stack of ring {ring}, SS{ring}:ESP{ring} {ss:04X}:{pointer:08X}{absent}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::{Access, DescriptorTable, Segment};

    #[test]
    fn the_stack_of_an_inner_ring_is_that_of_the_task_state_segment() {
        const GDT: usize = 0x100;
        const TSS: usize = 0x200;
        let mut memory = vec![0; 0x1000];
        memory[6 * 8..7 * 8].copy_from_slice(&[0x34, 0x12, 8, 0, 0, 0x8e, 0, 0]);
        let descriptors: [u64; 3] = [0, 0x00cf_9b00_0000_ffff, 0x00cf_1300_0000_ffff];
        for (at, entry) in (GDT..).step_by(8).zip(descriptors) {
            memory[at..at + 8].copy_from_slice(&entry.to_le_bytes());
        }
        memory[TSS + 4..TSS + 10].copy_from_slice(&[0, 0x60, 0, 0, 0x10, 0]);
        let mut cpu = CpuState {
            cr0: CR0_PE,
            idtr: DescriptorTable { base: 0, limit: 0xff },
            gdtr: DescriptorTable { base: GDT as u64, limit: 0x17 },
            ..CpuState::default()
        };
        cpu.segments.cs = Segment::from_descriptor(0x1b, 0x00cf_fb00_0000_ffff);
        cpu.segments.ss = Segment::from_descriptor(0x23, 0x00cf_f300_0000_ffff);
        *cpu.get_mut(Gpr::Rsp) = 0x7000;
        cpu.tr.base = TSS as u64;
        cpu.tr.access = Access { kind: 0xb, ..cpu.tr.access };
        let words = handler_stack_words(&cpu, &memory[..], 6);
        let expected = "the stack of ring 0, SS0:ESP0 0010:00006000, whose segment is not present";
        assert_eq!(words, expected);
        cpu.segments.cs = Segment::from_descriptor(0x08, 0x00cf_9b00_0000_ffff);
        cpu.segments.ss = Segment::from_descriptor(0x10, 0x00cf_9300_0000_ffff);
        assert_eq!(handler_stack_words(&cpu, &memory[..], 6), "the stack (0010:00007000)");
    }
}
