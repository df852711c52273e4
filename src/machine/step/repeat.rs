//! Repeated string instructions: one iteration a step.

use super::Step;
use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::x86::Gpr;
use crate::x86::instruction::{Facts, Rep, StopsOn};
use crate::x86::registers::{RFLAGS_RF, RFLAGS_ZF};

impl Machine {
    /// One iteration: a counter of 1 makes any implementation stop after one. Where it leaves the
    /// instruction pointer then differs, so that is set here.
    pub(super) fn step_rep(&mut self, rep: Rep, facts: Facts) -> Result<Step, KvmError> {
        let mask = u64::MAX >> (64 - 8 * u32::from(rep.address_size));
        let before = self.vcpu.cpu().clone();
        let count = before.get(Gpr::Rcx) & mask;
        if count == 0 {
            return self.step_forward(facts);
        }
        let with_count = |rcx: u64, count: u64| (rcx & !mask) | count;
        let mut once = before.clone();
        *once.get_mut(Gpr::Rcx) = with_count(before.get(Gpr::Rcx), 1);
        self.vcpu.set_cpu(&once)?;
        let step = self.step_forward(facts)?;

        let mut after = self.vcpu.cpu().clone();
        if after.get(Gpr::Rcx) & mask != 0 {
            // No iteration: a fault, whose handler has to find the counter as it was.
            *after.get_mut(Gpr::Rcx) = before.get(Gpr::Rcx);
            self.vcpu.set_cpu(&after)?;
            return Ok(step);
        }
        let left = count - 1;
        *after.get_mut(Gpr::Rcx) = with_count(after.get(Gpr::Rcx), left);
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
            after.advance(facts.len);
        }
        self.vcpu.set_cpu(&after)?;
        self.mid_rep = goes_on.then(|| after.pc());
        Ok(step)
    }
}
