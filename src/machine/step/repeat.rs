//! Repeated string instructions: one iteration a step.

use super::Step;
use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::x86::instruction::{Facts, Rep, StopsOn};
use crate::x86::registers::{RFLAGS_RF, RFLAGS_ZF};
use crate::x86::{CpuState, Gpr};

impl Machine {
    /// One iteration: a counter of 1 makes any implementation stop after one. Where it leaves the
    /// instruction pointer then differs, so that is set here.
    pub(super) fn step_rep(&mut self, rep: Rep, facts: Facts) -> Result<Step, KvmError> {
        let before = self.vcpu.cpu().clone();
        if before.get(Gpr::Rcx) & counter_mask(rep) == 0 {
            return self.step_forward(facts);
        }
        self.count_one(rep)?;
        let step = self.step_forward(facts)?;
        self.end_iteration(rep, facts.len, &before)?;
        Ok(step)
    }

    /// Sets the counter to 1.
    pub(in crate::machine) fn count_one(&mut self, rep: Rep) -> Result<(), KvmError> {
        let mut once = self.vcpu.cpu().clone();
        let rcx = once.get_mut(Gpr::Rcx);
        *rcx = (*rcx & !counter_mask(rep)) | 1;
        self.vcpu.set_cpu(&once)
    }

    /// After an iteration that was made with a counter of 1: puts the counter and the instruction pointer
    /// where one iteration after `before` leaves them.
    pub(in crate::machine) fn end_iteration(
        &mut self,
        rep: Rep,
        len: u8,
        before: &CpuState,
    ) -> Result<(), KvmError> {
        let mask = counter_mask(rep);
        let mut after = self.vcpu.cpu().clone();
        if after.get(Gpr::Rcx) & mask != 0 {
            // No iteration: a fault, whose handler has to find the counter as it was.
            *after.get_mut(Gpr::Rcx) = before.get(Gpr::Rcx);
            return self.vcpu.set_cpu(&after);
        }
        let left = (before.get(Gpr::Rcx) & mask) - 1;
        *after.get_mut(Gpr::Rcx) = (after.get(Gpr::Rcx) & !mask) | left;
        let zero = after.rflags & RFLAGS_ZF != 0;
        let goes_on = left != 0
            && match rep.stops_on {
                StopsOn::None => true,
                StopsOn::ZeroClear => zero,
                StopsOn::ZeroSet => !zero,
            };
        after.rip = before.rip;
        after.rflags &= !RFLAGS_RF;
        if goes_on {
            after.rflags |= before.rflags & RFLAGS_RF;
        } else {
            after.advance(len);
        }
        self.vcpu.set_cpu(&after)?;
        self.mid_rep = goes_on.then(|| after.pc());
        Ok(())
    }
}

/// The bits of RCX that count.
pub(in crate::machine) fn counter_mask(rep: Rep) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(rep.address_size))
}
