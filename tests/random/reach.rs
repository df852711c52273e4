//! What an instruction accesses: whether both sides have it, and allow it.

use iced_x86::{
    Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedMemory,
};
use stepvisor::x86::{CpuMode, CpuState, Gpr, SegmentName};

use super::common::modes::UNMAPPED;
use super::left_out::Obstacle;
use super::lockstep::RAM;

pub const LIMIT: &str = "QEMU knows neither limits nor rights of segments";
pub const TABLES: &str =
    "it writes to the tables, which QEMU keeps copies of that its stub cannot renew";
pub const MODIFY: &str =
    "a page fault of a read-modify-write is one of a write, which QEMU makes one of a read";
pub const OUTSIDE: &str = "it accesses what is no memory on one of the two";

pub fn stack_is_good(cpu: &CpuState, tables: &[std::ops::Range<u64>]) -> bool {
    let sp = cpu.get(Gpr::Rsp) & cpu.stack_mask();
    let room = 0x100;
    let at = cpu.linear(SegmentName::Ss, sp).0;
    let in_segment = cpu.stack_mask() != 0xffff || (room..0xff00).contains(&sp);
    let in_table = |table: &std::ops::Range<u64>| {
        at.saturating_add(room) > table.start && at < table.end + room
    };
    in_segment && !tables.iter().any(in_table) && (room..RAM as u64 - room).contains(&at)
}

pub fn repetition(cpu: &CpuState, instruction: &Instruction) -> Option<Obstacle> {
    if !instruction.is_string_instruction() {
        return None;
    }
    let mut size = 2;
    for kind in instruction.op_kinds() {
        match kind {
            OpKind::MemorySegESI | OpKind::MemoryESEDI => size = 4,
            OpKind::MemorySegRSI | OpKind::MemoryESRDI => size = 8,
            _ => {}
        }
    }
    let mask = u64::MAX >> (64 - 8 * u32::from(size));
    (cpu.get(Gpr::Rcx) & mask > 12).then_some(Obstacle::Counter(size))
}

pub fn memory(
    cpu: &CpuState,
    instruction: &Instruction,
    tables: &[std::ops::Range<u64>],
) -> Option<Obstacle> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let bits16 = cpu.mode().code_bits() == 16;
    for used in info.used_memory() {
        if used.access() == OpAccess::NoMemAccess {
            continue;
        }
        let segment = segment_name(used.segment());
        let long = cpu.mode() == CpuMode::Long64;
        // The bit that BT and its like address with a register lies elsewhere.
        let bit = bit_displacement(cpu, instruction);
        let offset = used.virtual_address(0, |register, _, _| {
            if register.is_segment_register() { Some(0) } else { value(cpu, register) }
        })?;
        let offset = offset.wrapping_add_signed(bit);
        let flat = long && !matches!(segment, SegmentName::Fs | SegmentName::Gs);
        let base = if flat { 0 } else { cpu.segments.get(segment).base };
        let linear =
            if long { base.wrapping_add(offset) } else { base.wrapping_add(offset) & 0xffff_ffff };
        let size = (used.memory_size().size() as u64).max(8);
        // Repetitions go either way from here.
        let around = if instruction.is_string_instruction() { 0x80 } else { 0 };
        let is_stack = instruction.is_stack_instruction()
            && used.base().full_register() == Register::RSP
            && !instruction.op_kinds().any(|kind| kind == OpKind::Memory);
        if offset.checked_sub(around).is_none()
            || bits16 && offset.saturating_add(size + around) > 0x1_0000 && !is_stack
        {
            return Some(if offset > 0xffff {
                Obstacle::Operand
            } else {
                Obstacle::LeftOut(LIMIT)
            });
        }
        if linear < around || linear.saturating_add(size + around) > RAM as u64 {
            let explicit = instruction.op_kinds().any(|kind| kind == OpKind::Memory);
            let could = (explicit || instruction.is_string_instruction()) && !bits16;
            return Some(match (could, segment) {
                (true, _) => Obstacle::Operand,
                (false, SegmentName::Cs) => Obstacle::LeftOut(OUTSIDE),
                (false, _) if bits16 && !is_stack => Obstacle::Segment(segment),
                _ => Obstacle::LeftOut(OUTSIDE),
            });
        }
        if cpu.mode() != CpuMode::Real
            && !long
            && is_forbidden(cpu, used.segment(), writes_to(used), offset.saturating_add(size))
        {
            return Some(Obstacle::LeftOut(LIMIT));
        }
        let writes = writes_to(used);
        let touches = |table: &std::ops::Range<u64>| {
            linear < table.end + around && linear.saturating_add(size + around) > table.start
        };
        let modifies = matches!(used.access(), OpAccess::ReadWrite | OpAccess::ReadCondWrite);
        if long && modifies && linear >> 12 == UNMAPPED >> 12 {
            return Some(Obstacle::LeftOut(MODIFY));
        }
        if writes && tables.iter().any(touches) {
            return Some(Obstacle::LeftOut(TABLES));
        }
    }
    None
}

pub fn writes_to(used: &UsedMemory) -> bool {
    !matches!(used.access(), OpAccess::Read | OpAccess::CondRead)
}

/// Whether the segment does not allow the access that ends before `end`, or perhaps not.
fn is_forbidden(cpu: &CpuState, segment: Register, writes: bool, end: u64) -> bool {
    let segment = cpu.segments.get(segment_name(segment));
    let access = segment.access;
    let code = access.kind & 8 != 0;
    let write_or_read = access.kind & 2 != 0;
    let expands_down = !code && access.kind & 4 != 0;
    access.unusable
        || !access.present
        || segment.selector < 4
        || expands_down
        || writes && (code || !write_or_read)
        || !writes && code && !write_or_read
        || end > u64::from(segment.limit)
}

/// Where the bit is that BT, BTS, BTR and BTC select in memory by a register, in bytes from the operand.
fn bit_displacement(cpu: &CpuState, instruction: &Instruction) -> i64 {
    let bits = matches!(
        instruction.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    if !bits
        || instruction.op0_kind() != OpKind::Memory
        || instruction.op1_kind() != OpKind::Register
    {
        return 0;
    }
    let register = instruction.op1_register();
    let value = value(cpu, register).unwrap_or_default();
    match register.size() {
        2 => i64::from(value as i16) >> 4 << 1,
        4 => i64::from(value as i32) >> 5 << 2,
        _ => (value as i64) >> 6 << 3,
    }
}

pub fn segment_name(register: Register) -> SegmentName {
    match register {
        Register::CS => SegmentName::Cs,
        Register::SS => SegmentName::Ss,
        Register::ES => SegmentName::Es,
        Register::FS => SegmentName::Fs,
        Register::GS => SegmentName::Gs,
        _ => SegmentName::Ds,
    }
}

/// What a general register of any width holds.
pub fn value(cpu: &CpuState, register: Register) -> Option<u64> {
    let index = register.full_register().number();
    if !register.is_gpr() {
        return None;
    }
    let full = cpu.gpr[index];
    Some(match register.size() {
        1 if matches!(register, Register::AH | Register::CH | Register::DH | Register::BH) => {
            full >> 8 & 0xff
        }
        1 => full & 0xff,
        2 => full & 0xffff,
        4 => full & 0xffff_ffff,
        _ => full,
    })
}
