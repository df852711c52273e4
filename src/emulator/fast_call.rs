//! SYSCALL and SYSRET in 64-bit mode (SDM vol. 2B).

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use crate::x86::registers::{
    EFER_SCE, MSR_FMASK, MSR_LSTAR, MSR_STAR, RFLAGS_FIXED, RFLAGS_RF, RFLAGS_VM,
};
use crate::x86::{Access, CpuMode, Gpr, Segment};

/// RFLAGS that SYSRET takes from R11: all but VM, RF and the reserved bits.
const RETURNED_FLAGS: u64 = 0x3c_7fd7;

impl Execution<'_> {
    /// SYSCALL; the next instruction is at `next`. In other modes only AMD's processors have it.
    pub(super) fn syscall(&mut self, next: u64) -> Result<(), Trouble> {
        self.check_fast_call()?;
        let [star, lstar, fmask] =
            [MSR_STAR, MSR_LSTAR, MSR_FMASK].map(|index| self.env.msr(index));
        let (Some(star), Some(lstar), Some(fmask)) = (star, lstar, fmask) else {
            return Err(Unsupported::Unknown.into());
        };
        let flags = self.cpu.rflags & !RFLAGS_RF;
        *self.cpu.get_mut(Gpr::Rcx) = next;
        *self.cpu.get_mut(Gpr::R11) = flags;
        self.cpu.rip = lstar;
        self.cpu.rflags = flags & !fmask & !RFLAGS_VM | RFLAGS_FIXED;
        let selector = (star >> 32) as u16;
        self.set_flat(selector & !3, selector.wrapping_add(8), 0, true);
        Ok(())
    }

    /// SYSRET, to 64-bit code with `wide`.
    pub(super) fn sysret(&mut self, wide: bool) -> Result<(), Trouble> {
        self.check_fast_call()?;
        let star = self.env.msr(MSR_STAR).ok_or(Unsupported::Unknown)?;
        let rcx = self.cpu.get(Gpr::Rcx);
        if self.cpu.cpl() != 0 || wide && !self.is_canonical(rcx) {
            return Err(Fault::gp(0).into());
        }
        self.cpu.rip = if wide { rcx } else { rcx & 0xffff_ffff };
        self.cpu.rflags = self.cpu.get(Gpr::R11) & RETURNED_FLAGS | RFLAGS_FIXED;
        let base = (star >> 48) as u16;
        let code = base.wrapping_add(if wide { 16 } else { 0 });
        self.set_flat(code | 3, base.wrapping_add(8) | 3, 3, wide);
        Ok(())
    }

    fn check_fast_call(&self) -> Result<(), Trouble> {
        if self.cpu.mode() != CpuMode::Long64 {
            return Err(Unsupported::Unknown.into());
        }
        if self.cpu.efer & EFER_SCE == 0 { Err(Fault::UD.into()) } else { Ok(()) }
    }

    /// Loads CS and SS with the fixed descriptors, which are in no table.
    fn set_flat(&mut self, code: u16, stack: u16, ring: u8, wide: bool) {
        let flat = |selector, kind| {
            let access =
                Access { kind, dpl: ring, granularity: true, default_big: true, ..Access::DATA16 };
            Segment { selector, base: 0, limit: u32::MAX, access }
        };
        let mut cs = flat(code, 0xb);
        (cs.access.long, cs.access.default_big) = (wide, !wide);
        self.cpu.segments.cs = cs;
        self.cpu.segments.ss = flat(stack, 3);
    }
}
