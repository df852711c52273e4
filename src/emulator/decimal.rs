//! Packed and unpacked decimal adjustment (SDM vol. 2A: AAA, AAD, AAM, AAS, DAA, DAS). What flags the manual
//! leaves undefined stay as they are.

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use crate::x86::Gpr;
use crate::x86::registers::{RFLAGS_AF, RFLAGS_CF};

impl Execution<'_> {
    /// DAA.
    pub(super) fn daa(&mut self) {
        let old = self.al();
        let mut al = old;
        let low = old & 0xf > 9 || self.flag(RFLAGS_AF);
        if low {
            al = al.wrapping_add(6);
        }
        let high = old > 0x99 || self.flag(RFLAGS_CF);
        if high {
            al = al.wrapping_add(0x60);
        }
        self.set_flag(RFLAGS_AF, low);
        self.set_flag(RFLAGS_CF, high);
        self.set_ax(self.ax() & 0xff00 | u16::from(al));
        self.set_result_flags(al.into(), 1);
    }

    /// DAS.
    pub(super) fn das(&mut self) {
        let old = self.al();
        let old_carry = self.flag(RFLAGS_CF);
        let mut al = old;
        let mut carry = false;
        let low = old & 0xf > 9 || self.flag(RFLAGS_AF);
        if low {
            carry = old_carry || al < 6;
            al = al.wrapping_sub(6);
        }
        if old > 0x99 || old_carry {
            al = al.wrapping_sub(0x60);
            carry = true;
        }
        self.set_flag(RFLAGS_AF, low);
        self.set_flag(RFLAGS_CF, carry);
        self.set_ax(self.ax() & 0xff00 | u16::from(al));
        self.set_result_flags(al.into(), 1);
    }

    /// AAA, or AAS with `subtract`.
    pub(super) fn ascii_adjust(&mut self, subtract: bool) {
        let adjust = self.al() & 0xf > 9 || self.flag(RFLAGS_AF);
        let mut ax = self.ax();
        if adjust {
            ax = if subtract {
                ax.wrapping_sub(6).wrapping_sub(0x100)
            } else {
                ax.wrapping_add(0x106)
            };
        }
        self.set_flag(RFLAGS_AF, adjust);
        self.set_flag(RFLAGS_CF, adjust);
        self.set_ax(ax & 0xff0f);
    }

    /// AAD with this base.
    pub(super) fn ascii_adjust_before_division(&mut self, base: u8) {
        let [al, ah] = self.ax().to_le_bytes();
        let al = al.wrapping_add(ah.wrapping_mul(base));
        self.set_ax(al.into());
        self.set_result_flags(al.into(), 1);
    }

    /// AAM with this base.
    pub(super) fn ascii_adjust_after_multiplication(&mut self, base: u8) -> Result<(), Trouble> {
        let al = self.al();
        let (Some(high), Some(low)) = (al.checked_div(base), al.checked_rem(base)) else {
            return Err(Fault::DE.into());
        };
        self.set_ax(u16::from_le_bytes([low, high]));
        self.set_result_flags(low.into(), 1);
        Ok(())
    }

    fn al(&self) -> u8 {
        (self.cpu.get(Gpr::Rax) & 0xff) as u8
    }

    fn ax(&self) -> u16 {
        (self.cpu.get(Gpr::Rax) & 0xffff) as u16
    }

    fn set_ax(&mut self, ax: u16) {
        let rax = self.cpu.get_mut(Gpr::Rax);
        *rax = *rax & !0xffff | u64::from(ax);
    }
}
