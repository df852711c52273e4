//! Arithmetic flags (SDM vol. 1, 3.4.3.1).

use super::execution::Execution;
use crate::x86::registers::{RFLAGS_AF, RFLAGS_CF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_ZF};

/// All six.
pub(super) const STATUS: u64 =
    RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;

impl Execution<'_> {
    pub(super) fn flag(&self, flag: u64) -> bool {
        self.cpu.rflags & flag != 0
    }

    pub(super) fn set_flag(&mut self, flag: u64, on: bool) {
        if on {
            self.cpu.rflags |= flag;
        } else {
            self.cpu.rflags &= !flag;
        }
    }

    /// ZF and SF of a result of `size` bytes.
    pub(super) fn set_zero_and_sign(&mut self, value: u64, size: usize) {
        let bits = 8 * size as u32;
        self.set_flag(RFLAGS_ZF, value << (64 - bits) == 0);
        self.set_flag(RFLAGS_SF, value >> (bits - 1) & 1 != 0);
    }

    /// ZF, SF and PF of a result of `size` bytes.
    pub(super) fn set_result_flags(&mut self, value: u64, size: usize) {
        self.set_zero_and_sign(value, size);
        self.set_flag(RFLAGS_PF, (value & 0xff).count_ones().is_multiple_of(2));
    }
}
