//! Ordinary instructions that touch nothing but general registers and the arithmetic flags, and jumps near by: every
//! KVM executes them, but where that is an emulator as well, a step costs many times as much by way of the kernel.
//!
//! Those that leave a flag undefined are left out, but for AF behind the logical ones, which processors clear (SDM vol.
//! 2).

use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind, Register};

use super::execution::Execution;
use super::fault::Trouble;
use super::flags::STATUS;
use super::memory::AccessKind;
use super::operands::{register, set_register};
use crate::x86::registers::{
    RFLAGS_AF, RFLAGS_CF, RFLAGS_DF, RFLAGS_OF, RFLAGS_PF, RFLAGS_RF, RFLAGS_SF, RFLAGS_ZF,
};
use crate::x86::{CpuMode, SegmentName};

/// Whether it is one of those of this module that goes on to the next instruction.
pub(super) fn is_ordinary(instruction: &Instruction) -> bool {
    let known = matches!(
        instruction.mnemonic(),
        Mnemonic::Mov
            | Mnemonic::Movzx
            | Mnemonic::Movsx
            | Mnemonic::Movsxd
            | Mnemonic::Xchg
            | Mnemonic::Inc
            | Mnemonic::Dec
            | Mnemonic::Neg
            | Mnemonic::Not
            | Mnemonic::Add
            | Mnemonic::Adc
            | Mnemonic::Sub
            | Mnemonic::Sbb
            | Mnemonic::Cmp
            | Mnemonic::And
            | Mnemonic::Or
            | Mnemonic::Xor
            | Mnemonic::Test
            | Mnemonic::Cbw
            | Mnemonic::Cwde
            | Mnemonic::Cdqe
            | Mnemonic::Cwd
            | Mnemonic::Cdq
            | Mnemonic::Cqo
            | Mnemonic::Clc
            | Mnemonic::Stc
            | Mnemonic::Cmc
            | Mnemonic::Cld
            | Mnemonic::Std
    );
    known && (0..instruction.op_count()).all(|index| is_in_registers(instruction, index))
}

fn is_in_registers(instruction: &Instruction, index: u32) -> bool {
    match instruction.op_kind(index) {
        OpKind::Register => instruction.op_register(index).is_gpr(),
        OpKind::Memory => false,
        _ => true,
    }
}

/// Whether it is JMP or Jcc with the target in the instruction. In 64-bit mode processors differ in those of 16 bits.
pub(super) fn is_near_jump(instruction: &Instruction, mode: CpuMode) -> bool {
    let near = match instruction.op0_kind() {
        OpKind::NearBranch64 => true,
        OpKind::NearBranch16 | OpKind::NearBranch32 => mode != CpuMode::Long64,
        _ => false,
    };
    near && (instruction.is_jmp_short_or_near() || instruction.is_jcc_short_or_near())
}

impl Execution<'_> {
    /// JMP or Jcc; behind it is `next`. The target is checked first (SDM vol. 2A, JMP).
    pub(super) fn jump_near(
        &mut self,
        instruction: &Instruction,
        next: u64,
    ) -> Result<(), Trouble> {
        let rip = if self.holds(instruction.condition_code()) {
            let target = instruction.near_branch_target();
            self.logical(SegmentName::Cs, target, 1, AccessKind::Fetch)?;
            target
        } else {
            next
        };
        self.cpu.rip = rip;
        self.cpu.rflags &= !RFLAGS_RF;
        Ok(())
    }

    /// Of no condition: it holds (SDM vol. 1, table B-1).
    fn holds(&self, condition: ConditionCode) -> bool {
        let below = self.flag(RFLAGS_CF);
        let equal = self.flag(RFLAGS_ZF);
        let less = self.flag(RFLAGS_SF) != self.flag(RFLAGS_OF);
        match condition {
            ConditionCode::None => true,
            ConditionCode::o => self.flag(RFLAGS_OF),
            ConditionCode::no => !self.flag(RFLAGS_OF),
            ConditionCode::b => below,
            ConditionCode::ae => !below,
            ConditionCode::e => equal,
            ConditionCode::ne => !equal,
            ConditionCode::be => below || equal,
            ConditionCode::a => !below && !equal,
            ConditionCode::s => self.flag(RFLAGS_SF),
            ConditionCode::ns => !self.flag(RFLAGS_SF),
            ConditionCode::p => self.flag(RFLAGS_PF),
            ConditionCode::np => !self.flag(RFLAGS_PF),
            ConditionCode::l => less,
            ConditionCode::ge => !less,
            ConditionCode::le => less || equal,
            ConditionCode::g => !less && !equal,
        }
    }

    /// One of [`is_ordinary`].
    pub(super) fn ordinary(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movzx => self.move_extended(instruction, false),
            Mnemonic::Movsx | Mnemonic::Movsxd => self.move_extended(instruction, true),
            Mnemonic::Xchg => {
                let [one, other] = [instruction.op0_register(), instruction.op1_register()];
                let (first, second) = (register(&self.cpu, one), register(&self.cpu, other));
                set_register(&mut self.cpu, one, second);
                set_register(&mut self.cpu, other, first);
            }
            Mnemonic::Cbw => self.extend_accumulator(Register::AL, Register::AX),
            Mnemonic::Cwde => self.extend_accumulator(Register::AX, Register::EAX),
            Mnemonic::Cdqe => self.extend_accumulator(Register::EAX, Register::RAX),
            Mnemonic::Cwd => self.spread_sign(Register::AX, Register::DX),
            Mnemonic::Cdq => self.spread_sign(Register::EAX, Register::EDX),
            Mnemonic::Cqo => self.spread_sign(Register::RAX, Register::RDX),
            Mnemonic::Clc => self.set_flag(RFLAGS_CF, false),
            Mnemonic::Stc => self.set_flag(RFLAGS_CF, true),
            Mnemonic::Cmc => self.cpu.rflags ^= RFLAGS_CF,
            Mnemonic::Cld => self.set_flag(RFLAGS_DF, false),
            Mnemonic::Std => self.set_flag(RFLAGS_DF, true),
            _ => self.calculate(instruction),
        }
        Ok(())
    }

    /// MOV, MOVZX, and with the sign MOVSX and MOVSXD.
    fn move_extended(&mut self, instruction: &Instruction, signed: bool) {
        let value = match instruction.op1_kind() {
            OpKind::Register if signed => self.signed(instruction.op1_register()),
            OpKind::Register => register(&self.cpu, instruction.op1_register()),
            _ => instruction.immediate(1),
        };
        set_register(&mut self.cpu, instruction.op0_register(), value);
    }

    /// The register, with its sign in all bits above it.
    fn signed(&self, name: Register) -> u64 {
        let unused = 64 - 8 * name.size() as u32;
        ((register(&self.cpu, name) << unused) as i64 >> unused) as u64
    }

    fn extend_accumulator(&mut self, from: Register, to: Register) {
        let value = self.signed(from);
        set_register(&mut self.cpu, to, value);
    }

    fn spread_sign(&mut self, from: Register, to: Register) {
        let sign = (self.signed(from) as i64 >> 63) as u64;
        set_register(&mut self.cpu, to, sign);
    }

    /// Arithmetic and logic.
    fn calculate(&mut self, instruction: &Instruction) {
        let destination = instruction.op0_register();
        let size = destination.size();
        let first = register(&self.cpu, destination);
        let second = match instruction.op1_kind() {
            _ if instruction.op_count() == 1 => 1,
            OpKind::Register => register(&self.cpu, instruction.op1_register()),
            _ => instruction.immediate(1) & mask(size),
        };
        let carry = u64::from(self.flag(RFLAGS_CF));
        let kept = self.cpu.rflags & RFLAGS_CF;
        let result = match instruction.mnemonic() {
            Mnemonic::Add => self.add(first, second, 0, size),
            Mnemonic::Adc => self.add(first, second, carry, size),
            Mnemonic::Sub | Mnemonic::Cmp => self.subtract(first, second, 0, size),
            Mnemonic::Sbb => self.subtract(first, second, carry, size),
            Mnemonic::Neg => self.subtract(0, first, 0, size),
            Mnemonic::Inc | Mnemonic::Dec => {
                let result = match instruction.mnemonic() {
                    Mnemonic::Inc => self.add(first, 1, 0, size),
                    _ => self.subtract(first, 1, 0, size),
                };
                self.cpu.rflags = self.cpu.rflags & !RFLAGS_CF | kept;
                result
            }
            Mnemonic::Not => !first,
            Mnemonic::And | Mnemonic::Test => self.logic(first & second, size),
            Mnemonic::Or => self.logic(first | second, size),
            _ => self.logic(first ^ second, size),
        };
        if !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test) {
            set_register(&mut self.cpu, destination, result);
        }
    }

    fn add(&mut self, first: u64, second: u64, carry: u64, size: usize) -> u64 {
        let sum = u128::from(first) + u128::from(second) + u128::from(carry);
        let result = sum as u64 & mask(size);
        self.set_arithmetic(result, first ^ second ^ result, size);
        self.set_flag(RFLAGS_CF, sum >> (8 * size) != 0);
        let overflows = (first ^ result) & (second ^ result);
        self.set_flag(RFLAGS_OF, sign(overflows, size));
        result
    }

    fn subtract(&mut self, first: u64, second: u64, borrow: u64, size: usize) -> u64 {
        let taken = u128::from(second) + u128::from(borrow);
        let result = first.wrapping_sub(taken as u64) & mask(size);
        self.set_arithmetic(result, first ^ second ^ result, size);
        self.set_flag(RFLAGS_CF, u128::from(first) < taken);
        let overflows = (first ^ second) & (first ^ result);
        self.set_flag(RFLAGS_OF, sign(overflows, size));
        result
    }

    /// ZF, SF and PF of the result, and AF of the carries into each bit.
    fn set_arithmetic(&mut self, result: u64, carries: u64, size: usize) {
        self.set_result_flags(result, size);
        self.set_flag(RFLAGS_AF, carries & 1 << 4 != 0);
    }

    fn logic(&mut self, result: u64, size: usize) -> u64 {
        self.cpu.rflags &= !STATUS;
        self.set_result_flags(result, size);
        result
    }
}

/// The bits of a number of `size` bytes.
fn mask(size: usize) -> u64 {
    u64::MAX >> (64 - 8 * size as u32)
}

fn sign(number: u64, size: usize) -> bool {
    number >> (8 * size as u32 - 1) & 1 != 0
}
