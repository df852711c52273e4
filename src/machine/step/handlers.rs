//! Exceptions during a step: it ends before the handler's first instruction.
//!
//! Delivering an exception clears the trap flag, so a step would run the handler, whole on hardware or
//! by an instruction in software KVMs. Debug registers on the handlers that the instruction may reach
//! stop it in time; what the processor pushed is then freed from the trap flag that was ours.

use crate::kvm::{GuestDebug, KvmError};
use crate::machine::Machine;
use crate::x86::debug::{DEBUG_SLOTS, DebugSlot};
use crate::x86::instruction::Facts;
use crate::x86::registers::{CR0_PE, RFLAGS_AC, RFLAGS_RF, RFLAGS_TF};
use crate::x86::vectors::{self, DOUBLE_FAULT, GENERAL_PROTECTION, NOT_PRESENT};
use crate::x86::{CpuState, Gpr, Linear};

impl Machine {
    /// Single-step, with the handlers of the likeliest exceptions of an instruction watched, and before them
    /// that at `first` and where task gates lead to for this step. Also whether the instruction is such a handler
    /// itself, which nothing can watch.
    pub(super) fn guarded_step(
        &self,
        facts: Option<Facts>,
        first: Option<Linear>,
    ) -> (GuestDebug, bool) {
        let cpu = self.vcpu.cpu();
        let mut guards =
            Guards { pc: cpu.pc(), slots: [None; DEBUG_SLOTS], used: 0, at_own: false };
        for handler in [first, self.diverted_to].into_iter().flatten() {
            guards.add(handler);
        }
        for vector in self.dangers(facts, DEBUG_SLOTS - guards.used) {
            match vectors::handler(cpu, self, vector) {
                Some(handler) => guards.add(handler),
                // What a missing handler leads to.
                None if cpu.cr0 & CR0_PE != 0 => {
                    for vector in [NOT_PRESENT, GENERAL_PROTECTION, DOUBLE_FAULT] {
                        if let Some(handler) = vectors::handler(cpu, self, vector) {
                            guards.add(handler);
                        }
                    }
                }
                None => {}
            }
            if guards.used == DEBUG_SLOTS {
                break;
            }
        }
        let slots = guards.slots;
        (GuestDebug { single_step: true, slots, ..GuestDebug::OFF }, guards.at_own)
    }

    /// After a step that began in `before` and was stopped at a handler: makes flags and frame those of
    /// a processor nobody steps.
    pub(super) fn land_on_handler(&mut self, before: &CpuState) -> Result<(), KvmError> {
        self.vcpu.set_guest_trap_flag(false);
        self.clean_exception_frame(before);
        self.keep_upper_stack_pointer(before)?;
        self.keep_alignment_check(before)?;
        // Delivery clears RF (SDM vol. 3B, 18.3.1.1); some KVMs forget.
        if self.vcpu.cpu().rflags & RFLAGS_RF != 0 {
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rflags &= !RFLAGS_RF;
            self.vcpu.set_cpu(&cpu)?;
        }
        Ok(())
    }

    /// In real mode only SP moves; some KVMs clear the upper half of ESP.
    fn keep_upper_stack_pointer(&mut self, before: &CpuState) -> Result<(), KvmError> {
        let sp = before.get(Gpr::Rsp);
        let lost = self.vcpu.cpu().get(Gpr::Rsp) >> 16 != sp >> 16;
        if before.cr0 & CR0_PE != 0 || !lost {
            return Ok(());
        }
        let mut cpu = self.vcpu.cpu().clone();
        let rsp = cpu.get_mut(Gpr::Rsp);
        *rsp = sp & !0xffff | *rsp & 0xffff;
        self.vcpu.set_cpu(&cpu)
    }

    /// Outside real mode delivery leaves AC alone (SDM vol. 3A, 6.12.1.3); some KVMs clear it.
    fn keep_alignment_check(&mut self, before: &CpuState) -> Result<(), KvmError> {
        let lost = before.rflags & !self.vcpu.cpu().rflags & RFLAGS_AC != 0;
        if before.cr0 & CR0_PE == 0 || !lost || self.pushed_flags(before).is_none() {
            return Ok(());
        }
        let mut cpu = self.vcpu.cpu().clone();
        cpu.rflags |= RFLAGS_AC;
        self.vcpu.set_cpu(&cpu)
    }

    /// Takes our trap flag out of the frame that the exception pushed.
    fn clean_exception_frame(&mut self, before: &CpuState) {
        if before.rflags & RFLAGS_TF != 0 {
            return;
        }
        let Some(flags) = self.pushed_flags(before) else { return };
        let flags = flags.offset(1);
        let mut byte = [0];
        if self.read_linear(flags, &mut byte) == 1 && byte[0] & 1 != 0 {
            self.amend_linear(flags, &[byte[0] & !1]);
        }
    }
}

/// Debug registers as they fill up; handlers may be shared.
struct Guards {
    pc: Linear,
    slots: [Option<DebugSlot>; DEBUG_SLOTS],
    used: usize,
    /// A handler begins with the instruction.
    at_own: bool,
}

impl Guards {
    fn add(&mut self, handler: Linear) {
        self.at_own |= handler == self.pc;
        let slot = Some(DebugSlot::execute(handler));
        // A breakpoint on the very instruction that is stepped would hold it there for ever.
        if handler != self.pc && self.used < DEBUG_SLOTS && !self.slots.contains(&slot) {
            self.slots[self.used] = slot;
            self.used += 1;
        }
    }
}
