//! The way into long mode, step by step where a free run could miss what comes behind it.
//!
//! Software KVMs run ring 3 of long mode on the processor itself: breakpoints do not fire there, and what KVM alone knows
//! is an #UD. For both there is a remedy, chosen by the guest's mode and descriptor tables: the step engine, and the guard
//! on its #UD handler. But the guest sets all that up without an exit, within microseconds. The last that is noticed before
//! is that it writes EFER. From there on it is stepped until the remedy can be chosen.

use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::machine::plan::DebugPlan;
use crate::x86::registers::{EFER_LMA, EFER_LME, EFER_SCE};
use crate::x86::vectors::{self, INVALID_OPCODE};
use crate::x86::{CpuState, DescriptorTable};

/// So many steps are made at most: enough for most guests to load their tables. One that has none in the end is not to be
/// slow for ever.
const MOST_STEPS: u32 = 1000;

impl Machine {
    /// After an entry: notices that the guest has written EFER, which it was `before`.
    pub(super) fn note_efer(&mut self, before: u64) {
        let changed = (before ^ self.vcpu.cpu().efer) & (EFER_LME | EFER_SCE) != 0;
        if changed && self.vcpu.may_be_software() {
            self.follow_into_long_mode();
        }
    }

    /// Has the guest be stepped from here on where that is needed.
    pub(super) fn follow_into_long_mode(&mut self) {
        self.steps_to_long_mode = MOST_STEPS;
    }

    /// Whether the guest, which runs freely by `plan`, is to be stepped because it is on its way into long mode.
    pub(super) fn steps_into_long_mode(&mut self, plan: &DebugPlan) -> Result<bool, KvmError> {
        let cpu = self.vcpu.cpu();
        if self.steps_to_long_mode == 0 || cpu.efer & EFER_LME == 0 || cpu.cpl() == 3 {
            return Ok(false);
        }
        let facts = self.facts_during_run()?;
        if facts.execute_breakpoints.user && !facts.refuses_integers() {
            self.steps_to_long_mode = 0;
            return Ok(false);
        }
        let cpu = self.vcpu.cpu();
        let steps = plan.recheck
            || cpu.efer & EFER_LMA == 0
            || vectors::handler(cpu, self, INVALID_OPCODE).is_none()
            || self.awaits_call_handler();
        self.steps_to_long_mode -= u32::from(steps);
        Ok(steps)
    }
}

/// What decides besides the mode whether the guest can get to ring 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tables {
    gdtr: DescriptorTable,
    ldt: u16,
    efer: u64,
}

impl Tables {
    pub(super) fn of(cpu: &CpuState) -> Tables {
        let efer = cpu.efer & (EFER_LME | EFER_LMA | EFER_SCE);
        Tables { gdtr: cpu.gdtr, ldt: cpu.ldtr.selector, efer }
    }
}
