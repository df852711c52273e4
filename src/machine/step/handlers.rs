//! Exceptions during a step: it ends before the handler's first instruction.
//!
//! Delivering an exception clears the trap flag, so a step would run the handler, whole on hardware or
//! by an instruction in software KVMs. Debug registers on the handlers that the instruction may reach
//! stop it in time; what the processor pushed is then freed from the trap flag that was ours.

use crate::kvm::{GuestDebug, KvmError};
use crate::machine::Machine;
use crate::x86::debug::DebugSlot;
use crate::x86::registers::{CR0_PE, CR0_PG, RFLAGS_RF, RFLAGS_TF};
use crate::x86::vectors::{
    self, DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT, STACK_FAULT,
};
use crate::x86::{CpuState, Linear};

impl Machine {
    /// Single-step, with the handlers of the likeliest exceptions watched.
    pub(super) fn guarded_step(&self) -> GuestDebug {
        let cpu = self.vcpu.cpu();
        let memory_fault = if cpu.cr0 & CR0_PG == 0 { STACK_FAULT } else { PAGE_FAULT };
        let vectors = [DIVIDE_ERROR, INVALID_OPCODE, GENERAL_PROTECTION, memory_fault];
        let pc = cpu.pc();
        // A breakpoint on the very instruction that is stepped would hold it there for ever.
        let guard = |vector| vectors::handler(cpu, self, vector).filter(|handler| *handler != pc);
        let slots = vectors.map(|vector| guard(vector).map(DebugSlot::execute));
        GuestDebug { single_step: true, slots }
    }

    /// After a step that began in `before` and was stopped at a handler: makes flags and frame those of
    /// a processor nobody steps.
    pub(super) fn land_on_handler(&mut self, before: &CpuState) -> Result<(), KvmError> {
        self.clean_exception_frame(before);
        // Delivery clears RF (SDM vol. 3B, 18.3.1.1); some KVMs forget.
        if self.vcpu.cpu().rflags & RFLAGS_RF != 0 {
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rflags &= !RFLAGS_RF;
            self.vcpu.set_cpu(&cpu)?;
        }
        Ok(())
    }

    /// Takes our trap flag out of the frame that the exception pushed.
    fn clean_exception_frame(&mut self, before: &CpuState) {
        if before.rflags & RFLAGS_TF != 0 {
            return;
        }
        // IP, CS, FLAGS, perhaps below an error code; a gate decides the width in protected mode.
        let widths: &[u64] = if before.cr0 & CR0_PE == 0 { &[2] } else { &[4, 8, 2] };
        for &width in widths {
            for error_code in [0, 1] {
                let slot = |n: u64| self.stack_address((n + error_code) * width);
                let at = |n: u64| self.read_word(slot(n), width);
                let mask = u64::MAX >> (64 - 8 * width);
                let is_frame = at(0) == Some(before.rip & mask)
                    && at(1).map(|cs| cs & 0xffff) == Some(before.segments.cs.selector.into());
                if is_frame {
                    let flags = slot(2).offset(1);
                    let mut byte = [0];
                    if self.read_linear(flags, &mut byte) == 1 && byte[0] & 1 != 0 {
                        self.write_linear(flags, &[byte[0] & !1]);
                    }
                    return;
                }
            }
        }
    }

    fn read_word(&self, addr: Linear, width: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let width = usize::try_from(width).ok()?;
        (self.read_linear(addr, &mut bytes[..width]) == width).then(|| u64::from_le_bytes(bytes))
    }
}
