//! Which memory an instruction is about to read and write.
//!
//! Covers operands and the implicit ones: string elements, pushes and pops, CALL and RET frames. What
//! the processor does on its own (descriptor and interrupt table reads, interrupt frames) is not in the
//! instruction and not here.

use iced_x86::{
    Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::{CpuMode, CpuState, Linear, SegmentName};

/// One access to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAccess {
    /// First byte.
    pub addr: Linear,
    /// Number of bytes.
    pub len: u64,
    /// Memory is read.
    pub read: bool,
    /// Memory is written.
    pub write: bool,
}

impl MemoryAccess {
    /// Whether it touches any of the `len` bytes at `addr`.
    #[must_use]
    pub fn overlaps(&self, addr: Linear, len: u64) -> bool {
        addr.0.wrapping_sub(self.addr.0) < self.len || self.addr.0.wrapping_sub(addr.0) < len
    }
}

/// How many bytes the instruction that `bytes` begins with takes from the stack, if it does so piece by piece: IRET,
/// far RET and POPA.
#[must_use]
pub fn taken_in_pieces(bytes: &[u8], mode: CpuMode) -> Option<u64> {
    let mut decoder = Decoder::new(mode.code_bits(), bytes, DecoderOptions::NONE);
    let instruction = decoder.can_decode().then(|| decoder.decode())?;
    match instruction.mnemonic() {
        Mnemonic::Iret => Some(6),
        Mnemonic::Iretd => Some(12),
        Mnemonic::Iretq => Some(40),
        Mnemonic::Popa => Some(16),
        Mnemonic::Popad => Some(32),
        // Without the parameters that it releases.
        Mnemonic::Retf => {
            let all = u64::try_from(instruction.stack_pointer_increment()).ok()?;
            all.checked_sub(instruction.immediate16().into())
        }
        _ => None,
    }
}

/// The accesses of the instruction that `bytes` begins with, at `cpu`'s instruction pointer and with its
/// registers as they are before. A repeated string instruction counts as one iteration, and as none when
/// its counter is 0. Nothing for bytes that are no instruction.
#[must_use]
pub fn accesses(bytes: &[u8], cpu: &CpuState) -> Vec<MemoryAccess> {
    let mode = cpu.mode();
    let mut decoder = Decoder::with_ip(mode.code_bits(), bytes, cpu.rip, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return Vec::new();
    }
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return Vec::new();
    }
    let mut factory = InstructionInfoFactory::new();
    let repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    let mut found = Vec::new();
    for memory in factory.info(&instruction).used_memory() {
        let (read, write) = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => (true, false),
            OpAccess::Write | OpAccess::CondWrite => (false, true),
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
            OpAccess::None | OpAccess::NoMemAccess => continue,
        };
        if repeated
            && instruction.is_string_instruction()
            && counter(cpu, memory.address_size()) == 0
        {
            continue;
        }
        let value = |register, _, _| register_value(cpu, mode, register);
        let Some(addr) = memory.try_virtual_address(0, value) else { continue };
        // Of a repetition iced gives no size, for it does not count.
        let size = match memory.memory_size().size() {
            0 => instruction.memory_size().size(),
            size => size,
        };
        let len = size.max(1) as u64;
        let addr = match bit_string_offset(&instruction, cpu, mode, len) {
            0 => addr,
            // The offset in the segment wraps at the address size, also here.
            further => {
                let base = register_value(cpu, mode, memory.segment()).unwrap_or_default();
                let offset = addr.wrapping_sub(base).wrapping_add(further);
                base.wrapping_add(offset & address_mask(memory.address_size()))
            }
        };
        let addr = if mode == CpuMode::Long64 { addr } else { addr & 0xffff_ffff };
        found.push(MemoryAccess { addr: Linear(addr), len, read, write });
    }
    found
}

/// How far from its operand, which is `len` bytes long, BT and the like go when a register selects the bit:
/// it counts bits from the operand, up or down (SDM vol. 2A, 3.1.1.9).
fn bit_string_offset(
    instruction: &iced_x86::Instruction,
    cpu: &CpuState,
    mode: CpuMode,
    len: u64,
) -> u64 {
    let tests = matches!(
        instruction.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    if !tests || instruction.op1_kind() != OpKind::Register {
        return 0;
    }
    let Some(bit) = register_value(cpu, mode, instruction.op1_register()) else { return 0 };
    let bits = 8 * len as u32;
    // Its sign counts.
    let bit = (bit << (64 - bits)) as i64 >> (64 - bits);
    bit.div_euclid(bits.into()).wrapping_mul(len as i64) as u64
}

/// Whether the instruction that `bytes` begins with reads or writes the stack pointer, or the stack. So may
/// bytes that are no instruction.
#[must_use]
pub fn uses_stack_pointer(bytes: &[u8], mode: CpuMode) -> bool {
    let mut decoder = Decoder::new(mode.code_bits(), bytes, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return true;
    }
    let instruction = decoder.decode();
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&instruction);
    let stack =
        |register: Register| register == Register::SS || register.full_register() == Register::RSP;
    instruction.is_invalid()
        || instruction.is_stack_instruction()
        || info.used_registers().iter().any(|used| stack(used.register()))
}

/// The counter of a repeated string instruction.
fn counter(cpu: &CpuState, size: iced_x86::CodeSize) -> u64 {
    cpu.get(super::Gpr::Rcx) & address_mask(size)
}

/// The bits of an offset, or a counter, of this address size.
fn address_mask(size: iced_x86::CodeSize) -> u64 {
    match size {
        iced_x86::CodeSize::Code16 => 0xffff,
        iced_x86::CodeSize::Code32 => 0xffff_ffff,
        _ => u64::MAX,
    }
}

/// What iced asks for: the value of a register, or the base of a segment.
fn register_value(cpu: &CpuState, mode: CpuMode, register: Register) -> Option<u64> {
    let segment = match register {
        Register::CS => Some(SegmentName::Cs),
        Register::SS => Some(SegmentName::Ss),
        Register::DS => Some(SegmentName::Ds),
        Register::ES => Some(SegmentName::Es),
        Register::FS => Some(SegmentName::Fs),
        Register::GS => Some(SegmentName::Gs),
        _ => None,
    };
    if let Some(name) = segment {
        let flat = mode == CpuMode::Long64 && !matches!(name, SegmentName::Fs | SegmentName::Gs);
        return Some(if flat { 0 } else { cpu.segments.get(name).base });
    }
    if !register.is_gpr() {
        return None;
    }
    let full = cpu.gpr.get(register.full_register().number())?;
    let high_byte = matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
    Some(match register.size() {
        1 if high_byte => full >> 8 & 0xff,
        1 => full & 0xff,
        2 => full & 0xffff,
        4 => full & 0xffff_ffff,
        _ => *full,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::{Access, Gpr, Segment};

    fn real() -> CpuState {
        let mut cpu = CpuState::default();
        cpu.segments.cs = Segment::paragraph(0x7c0, Access::CODE16);
        cpu.segments.ds = Segment::paragraph(0x1000, Access::DATA16);
        cpu.segments.es = Segment::paragraph(0xb800, Access::DATA16);
        cpu.segments.ss = Segment::paragraph(0x9000, Access::DATA16);
        *cpu.get_mut(Gpr::Rsi) = 0x10;
        *cpu.get_mut(Gpr::Rdi) = 0x20;
        *cpu.get_mut(Gpr::Rsp) = 0x100;
        *cpu.get_mut(Gpr::Rbx) = 0x1_0003;
        cpu
    }

    fn of(bytes: &[u8], cpu: &CpuState) -> Vec<(u64, u64, &'static str)> {
        let kind = |a: &MemoryAccess| match (a.read, a.write) {
            (true, true) => "rw",
            (true, false) => "r",
            _ => "w",
        };
        accesses(bytes, cpu).iter().map(|a| (a.addr.0, a.len, kind(a))).collect()
    }

    #[test]
    fn operands_are_found_through_their_segment() {
        let cpu = real();
        assert_eq!(of(&[0x8a, 0x07], &cpu), [(0x1_0003, 1, "r")], "mov al, [bx]");
        assert_eq!(of(&[0x26, 0xa3, 0x04, 0x00], &cpu), [(0xb_8004, 2, "w")], "mov [es:4], ax");
        assert_eq!(of(&[0xff, 0x07], &cpu), [(0x1_0003, 2, "rw")], "inc word [bx]");
        assert_eq!(of(&[0x90], &cpu), [], "nop");
    }

    #[test]
    fn string_elements_and_stack_slots_count() {
        let mut cpu = real();
        assert_eq!(of(&[0xa4], &cpu), [(0xb_8020, 1, "w"), (0x1_0010, 1, "r")], "movsb");
        assert_eq!(of(&[0xf3, 0xa4], &cpu), [], "rep movsb, cx = 0");
        *cpu.get_mut(Gpr::Rcx) = 2;
        assert_eq!(of(&[0xf3, 0xa4], &cpu), [(0xb_8020, 1, "w"), (0x1_0010, 1, "r")]);
        assert_eq!(of(&[0xf3, 0xab], &cpu), [(0xb_8020, 2, "w")], "rep stosw");
        assert_eq!(of(&[0x50], &cpu), [(0x9_00fe, 2, "w")], "push ax");
        assert_eq!(of(&[0x58], &cpu), [(0x9_0100, 2, "r")], "pop ax");
        assert_eq!(of(&[0xe8, 0, 0], &cpu), [(0x9_00fe, 2, "w")], "call");
    }

    #[test]
    fn overlap_is_by_bytes() {
        let access = MemoryAccess { addr: Linear(10), len: 2, read: true, write: false };
        let hits: Vec<u64> = (6..14).filter(|&addr| access.overlaps(Linear(addr), 2)).collect();
        assert_eq!(hits, [9, 10, 11]);
    }

    #[test]
    fn no_bytes_are_no_access() {
        assert_eq!(of(&[], &real()), []);
        assert_eq!(of(&[0x8a], &real()), []);
    }

    #[test]
    fn implicit_pushes_and_pops_count_each() {
        let mut cpu = real();
        *cpu.get_mut(Gpr::Rbp) = 0x80;
        let far = [(0x1_0003, 4, "r"), (0x9_00fe, 2, "w"), (0x9_00fc, 2, "w")];
        assert_eq!(of(&[0xff, 0x1f], &cpu), far, "call far [bx]");
        let frame = [(0x9_0100, 2, "r"), (0x9_0102, 2, "r"), (0x9_0104, 2, "r")];
        assert_eq!(of(&[0xcf], &cpu), frame, "iret");
        assert_eq!(of(&[0x60], &cpu).len(), 8, "pusha");
        assert_eq!(of(&[0xc9], &cpu), [(0x9_0080, 2, "r")], "leave");
        *cpu.get_mut(Gpr::Rsp) = 0;
        assert_eq!(of(&[0x50], &cpu), [(0x9_fffe, 2, "w")], "push ax, the stack wraps");
    }

    #[test]
    fn bit_strings_reach_beyond_their_operand() {
        let mut cpu = real();
        let mut at = |ax: u64| {
            *cpu.get_mut(Gpr::Rax) = ax;
            of(&[0x0f, 0xab, 0x07], &cpu)
        };
        assert_eq!(at(15), [(0x1_0003, 2, "rw")], "bts [bx], ax");
        assert_eq!(at(0x123), [(0x1_0027, 2, "rw")]);
        assert_eq!(at(0xffff), [(0x1_0001, 2, "rw")]);
        assert_eq!(of(&[0x0f, 0xba, 0x2f, 0x23], &cpu), [(0x1_0003, 2, "rw")], "bts [bx], 23h");
        *cpu.get_mut(Gpr::Rax) = 0x123;
        *cpu.get_mut(Gpr::Rbx) = 0xfff0;
        let wrapped = [(0x1_0014, 2, "rw")];
        assert_eq!(of(&[0x0f, 0xab, 0x07], &cpu), wrapped, "bts [bx], ax, the segment wraps");
        let beyond = [(0x2_0014, 2, "rw")];
        assert_eq!(of(&[0x67, 0x0f, 0xab, 0x03], &cpu), beyond, "bts [ebx], ax");
    }
}
