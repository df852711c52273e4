//! Counting, moving and scattering bits: POPCNT, BMI1, BMI2, ADX, CRC32 and MOVBE (SDM vol. 2). Flags that
//! are undefined stay as they are.
//!
//! LZCNT and TZCNT are left out: no host refuses them. One that does not know them runs BSR and BSF, as
//! processors without them do, and what is executed here must not differ from what runs there.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::execution::Execution;
use super::fault::Trouble;
use super::flags::STATUS;
use super::operands::{register, set_register};
use crate::x86::Gpr;
use crate::x86::registers::{RFLAGS_CF, RFLAGS_OF, RFLAGS_ZF};

/// The polynomial of CRC-32C, bit-reversed.
const CRC32C: u32 = 0x82f6_3b78;

/// One bits from bit 0 up to `count`, which may be all 64.
fn low_bits(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

impl Execution<'_> {
    /// POPCNT.
    pub(super) fn count_bits(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size = self.register_size(instruction);
        let source = self.operand(instruction, 1, size)?;
        self.set_operand(instruction, 0, size, source.count_ones().into())?;
        self.cpu.rflags &= !STATUS;
        self.set_flag(RFLAGS_ZF, source == 0);
        Ok(())
    }

    /// MOVBE.
    pub(super) fn movbe(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size = match instruction.op0_kind() {
            OpKind::Register => instruction.op0_register().size(),
            _ => instruction.op1_register().size(),
        };
        let value = self.operand(instruction, 1, size)?;
        let swapped = value.swap_bytes() >> (64 - 8 * size as u32);
        self.set_operand(instruction, 0, size, swapped)
    }

    /// CRC32.
    pub(super) fn crc32(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size = match instruction.op1_kind() {
            OpKind::Register => instruction.op1_register().size(),
            _ => instruction.memory_size().size(),
        };
        let source = self.operand(instruction, 1, size)?;
        let mut crc = self.operand(instruction, 0, 4)? as u32;
        for byte in &source.to_le_bytes()[..size] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 != 0 { CRC32C } else { 0 };
            }
        }
        let full = instruction.op0_register().full_register32();
        set_register(&mut self.cpu, full, crc.into());
        Ok(())
    }

    /// The instructions of BMI1 and BMI2 that have a VEX prefix.
    pub(super) fn vex_bits(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let size = self.register_size(instruction);
        let bits = 8 * size as u32;
        let mask = low_bits(bits);
        let shift_mask = u64::from(bits - 1);
        match instruction.mnemonic() {
            Mnemonic::Andn => {
                let result = !self.operand(instruction, 1, size)?
                    & self.operand(instruction, 2, size)?
                    & mask;
                self.set_operand(instruction, 0, size, result)?;
                self.set_zero_and_sign(result, size);
                self.cpu.rflags &= !(RFLAGS_CF | RFLAGS_OF);
            }
            Mnemonic::Blsi | Mnemonic::Blsmsk | Mnemonic::Blsr => {
                let source = self.operand(instruction, 1, size)?;
                let below = source.wrapping_sub(1);
                let (result, carry) = match instruction.mnemonic() {
                    Mnemonic::Blsi => (source.wrapping_neg() & source, source != 0),
                    Mnemonic::Blsmsk => (below ^ source, source == 0),
                    _ => (below & source, source == 0),
                };
                let result = result & mask;
                self.set_operand(instruction, 0, size, result)?;
                self.set_zero_and_sign(result, size);
                self.set_flag(RFLAGS_CF, carry);
                self.set_flag(RFLAGS_OF, false);
            }
            Mnemonic::Bextr => {
                let source = self.operand(instruction, 1, size)?;
                let control = self.operand(instruction, 2, size)?;
                let (start, len) = ((control & 0xff) as u32, (control >> 8 & 0xff) as u32);
                let result = source.checked_shr(start).unwrap_or(0) & low_bits(len);
                self.set_operand(instruction, 0, size, result)?;
                self.set_flag(RFLAGS_ZF, result == 0);
                self.cpu.rflags &= !(RFLAGS_CF | RFLAGS_OF);
            }
            Mnemonic::Bzhi => {
                let source = self.operand(instruction, 1, size)?;
                let index = (self.operand(instruction, 2, size)? & 0xff) as u32;
                let result = source & low_bits(index);
                self.set_operand(instruction, 0, size, result)?;
                self.set_zero_and_sign(result, size);
                self.set_flag(RFLAGS_CF, index >= bits);
                self.set_flag(RFLAGS_OF, false);
            }
            Mnemonic::Pdep => {
                let (source, places) = self.two_sources(instruction, size)?;
                let result = set_bits(places)
                    .enumerate()
                    .fold(0, |result, (index, place)| result | (source >> index & 1) << place);
                self.set_operand(instruction, 0, size, result)?;
            }
            Mnemonic::Pext => {
                let (source, places) = self.two_sources(instruction, size)?;
                let result = set_bits(places)
                    .enumerate()
                    .fold(0, |result, (index, place)| result | (source >> place & 1) << index);
                self.set_operand(instruction, 0, size, result)?;
            }
            Mnemonic::Mulx => {
                let factor = self.operand(instruction, 2, size)?;
                let product = u128::from(self.gpr(Gpr::Rdx) & mask) * u128::from(factor);
                // With one destination for both it gets the high half.
                self.set_operand(instruction, 1, size, product as u64 & mask)?;
                self.set_operand(instruction, 0, size, (product >> bits) as u64 & mask)?;
            }
            Mnemonic::Rorx => {
                let source = self.operand(instruction, 1, size)?;
                let count = u32::from(instruction.immediate8()) & (bits - 1);
                let result =
                    if count == 0 { source } else { source >> count | source << (bits - count) };
                self.set_operand(instruction, 0, size, result & mask)?;
            }
            mnemonic => {
                let source = self.operand(instruction, 1, size)?;
                let count = self.operand(instruction, 2, size)? & shift_mask;
                let signed = ((source << (64 - bits)) as i64 >> (64 - bits)) as u64;
                let result = match mnemonic {
                    Mnemonic::Sarx => (signed as i64 >> count) as u64,
                    Mnemonic::Shlx => source << count,
                    _ => source >> count,
                };
                self.set_operand(instruction, 0, size, result & mask)?;
            }
        }
        Ok(())
    }

    fn two_sources(
        &mut self,
        instruction: &Instruction,
        size: usize,
    ) -> Result<(u64, u64), Trouble> {
        Ok((self.operand(instruction, 1, size)?, self.operand(instruction, 2, size)?))
    }

    /// ADCX and ADOX: an addition whose only carry is `flag`.
    pub(super) fn add_with(&mut self, instruction: &Instruction, flag: u64) -> Result<(), Trouble> {
        let size = self.register_size(instruction);
        let source = self.operand(instruction, 1, size)?;
        let destination = register(&self.cpu, instruction.op0_register());
        let sum = u128::from(source) + u128::from(destination) + u128::from(self.flag(flag));
        self.set_operand(instruction, 0, size, sum as u64)?;
        self.set_flag(flag, sum >> (8 * size) != 0);
        Ok(())
    }
}

/// Numbers of the bits that are set, in ascending order.
fn set_bits(value: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |place| value >> place & 1 != 0)
}
