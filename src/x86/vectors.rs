//! Where interrupts and exceptions lead: the vector table of each mode (SDM vol. 3A, 6.10 to 6.14 and
//! 21.1.4).

use super::paging::{PhysRead, read_linear};
use super::registers::{CR0_PE, EFER_LMA};
use super::segment::read_descriptor;
use super::{CpuState, Linear};

/// Divide error.
pub const DIVIDE_ERROR: u8 = 0;
/// Debug exception.
pub const DEBUG: u8 = 1;
/// Non-maskable interrupt.
pub const NMI: u8 = 2;
/// Breakpoint, by INT3.
pub const BREAKPOINT: u8 = 3;
/// Overflow, by INTO.
pub const OVERFLOW: u8 = 4;
/// Bound range exceeded.
pub const BOUND_RANGE: u8 = 5;
/// Invalid opcode.
pub const INVALID_OPCODE: u8 = 6;
/// Device not available: no x87, or its state belongs to another task.
pub const DEVICE_NOT_AVAILABLE: u8 = 7;
/// Double fault.
pub const DOUBLE_FAULT: u8 = 8;
/// Invalid TSS.
pub const INVALID_TSS: u8 = 10;
/// Segment not present.
pub const NOT_PRESENT: u8 = 11;
/// Stack-segment fault.
pub const STACK_FAULT: u8 = 12;
/// General protection.
pub const GENERAL_PROTECTION: u8 = 13;
/// Page fault.
pub const PAGE_FAULT: u8 = 14;
/// x87 floating-point error.
pub const X87_ERROR: u8 = 16;
/// Alignment check.
pub const ALIGNMENT_CHECK: u8 = 17;
/// Machine check.
pub const MACHINE_CHECK: u8 = 18;
/// SIMD floating-point exception.
pub const SIMD_ERROR: u8 = 19;
/// The last vector that the processor keeps for exceptions.
pub const LAST_EXCEPTION: u8 = 31;

/// The first instruction of the handler of `vector`, or nothing if the table does not lead to one:
/// shorter than that, not mapped, not present, or a task gate.
#[must_use]
pub fn handler(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), vector: u8) -> Option<Linear> {
    let size: u16 = match (cpu.cr0 & CR0_PE != 0, cpu.efer & EFER_LMA != 0) {
        (false, _) => 4,
        (true, false) => 8,
        (true, true) => 16,
    };
    let offset = u16::from(vector) * size;
    if offset.checked_add(size - 1)? > cpu.idtr.limit {
        return None;
    }
    let mut entry = [0; 16];
    let entry = &mut entry[..usize::from(size)];
    read_linear(cpu, mem, Linear(cpu.idtr.base).offset(offset.into()), entry).ok()?;
    let word = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
    if size == 4 {
        return Some(Linear(u64::from(word(2)) * 16 + u64::from(word(0))));
    }
    let (present, kind) = (entry[5] & 0x80 != 0, entry[5] & 0x1f);
    let offset = match kind {
        // 16-bit interrupt and trap gates.
        0x6 | 0x7 => u64::from(word(0)),
        // 32-bit ones, or 64-bit ones in IA-32e mode.
        0xe | 0xf => u64::from(word(0)) | u64::from(word(6)) << 16,
        _ => return None,
    };
    if !present {
        return None;
    }
    if size == 16 {
        return Some(Linear(offset | u64::from(word(8)) << 32 | u64::from(word(10)) << 48));
    }
    let base = read_descriptor(cpu, mem, word(2)).ok()?.base;
    Some(Linear(base.wrapping_add(offset) & 0xffff_ffff))
}

/// The stack pointer that the processor takes from the task-state segment for the handler of `vector`, entered
/// from ring 3 to ring 0 in long mode (SDM vol. 3A, 6.14.4 and 8.7); nothing if there is none.
#[must_use]
pub fn long_stack(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), vector: u8) -> Option<Linear> {
    let mut entry = [0; 16];
    let at = Linear(cpu.idtr.base).offset(u64::from(vector) * 16);
    read_linear(cpu, mem, at, &mut entry).ok()?;
    // RSP0 at byte 4, IST1 to IST7 from byte 36 on.
    let offset = match entry[4] & 7 {
        0 => 4,
        ist => 36 + u64::from(ist - 1) * 8,
    };
    if offset + 7 > cpu.tr.limit.into() {
        return None;
    }
    let mut pointer = [0; 8];
    read_linear(cpu, mem, Linear(cpu.tr.base).offset(offset), &mut pointer).ok()?;
    Some(Linear(u64::from_le_bytes(pointer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::DescriptorTable;

    fn memory(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut memory = vec![0; 0x2000];
        memory[at..at + bytes.len()].copy_from_slice(bytes);
        memory
    }

    #[test]
    fn real_mode_reads_offset_and_segment() {
        let cpu =
            CpuState { idtr: DescriptorTable { base: 0, limit: 0x3ff }, ..CpuState::default() };
        let memory = memory(6 * 4, &[0x10, 0x00, 0xc0, 0x07]);
        assert_eq!(handler(&cpu, &memory[..], 6), Some(Linear(0x7c10)));
        let short = CpuState { idtr: DescriptorTable { base: 0, limit: 6 * 4 + 2 }, ..cpu };
        assert_eq!(handler(&short, &memory[..], 6), None);
    }

    #[test]
    fn protected_mode_reads_a_gate_and_its_segment() {
        let cpu = CpuState {
            cr0: CR0_PE,
            idtr: DescriptorTable { base: 0x1000, limit: 0x7ff },
            gdtr: DescriptorTable { base: 0x100, limit: 0xf },
            ..CpuState::default()
        };
        let mut memory = memory(0x1000 + 13 * 8, &[0x34, 0x12, 8, 0, 0, 0x8e, 0x01, 0x00]);
        // Code, base 00200000h, limit 4 GiB.
        memory[0x108..0x110].copy_from_slice(&[0xff, 0xff, 0, 0, 0x20, 0x9b, 0xcf, 0]);
        assert_eq!(handler(&cpu, &memory[..], 13), Some(Linear(0x21_1234)));
        memory[0x1000 + 13 * 8 + 5] = 0x0e;
        assert_eq!(handler(&cpu, &memory[..], 13), None, "not present");
        memory[0x1000 + 13 * 8 + 5] = 0x85;
        assert_eq!(handler(&cpu, &memory[..], 13), None, "task gate");
    }

    #[test]
    fn long_mode_reads_wide_gates() {
        let cpu = CpuState {
            cr0: CR0_PE,
            efer: EFER_LMA,
            idtr: DescriptorTable { base: 0x1000, limit: 0xfff },
            ..CpuState::default()
        };
        let gate = [0x34, 0x12, 8, 0, 0, 0x8e, 0x78, 0x56, 0xbc, 0x9a, 0xf0, 0xff, 0, 0, 0, 0];
        let memory = memory(0x1000 + 14 * 16, &gate);
        assert_eq!(handler(&cpu, &memory[..], 14), Some(Linear(0xfff0_9abc_5678_1234)));
    }
}
