//! A fault whose handler begins with the faulting instruction: a guest that has lost its way may fault so for
//! ever, one exception a step.
//!
//! No debug register can tell the handler from the instruction, and with the trap flag gone KVM would go on
//! from fault to fault until the stack has eaten the guest. So for one step the gate leads elsewhere, to where a
//! debug register can stop it.

use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::x86::debug::DEBUG_SLOTS;
use crate::x86::instruction::{self, Facts};
use crate::x86::paging::Translation;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::{CpuState, Linear, Phys, operands, vectors};

/// Flips a bit of a handler's offset. Beyond the instruction, whatever its length, and on the same page.
const ELSEWHERE: u8 = 0x10;

/// Gates that lead elsewhere for a step.
#[derive(Debug, Default)]
pub(super) struct Diverted {
    /// Where their offsets begin, whatever the instruction makes of the page tables, and the byte that belongs
    /// there.
    gates: Vec<(Phys, u8)>,
    /// Where they lead.
    elsewhere: Vec<Linear>,
}

impl Machine {
    /// Diverts the gates of the likeliest exceptions of an instruction that lead to the instruction itself.
    pub(super) fn divert_own_handlers(&mut self, facts: Option<Facts>) -> Diverted {
        let mut diverted = Diverted::default();
        let pc = self.vcpu.cpu().pc();
        let mut accesses = None;
        for vector in self.dangers(facts, DEBUG_SLOTS) {
            let cpu = self.vcpu.cpu();
            if vectors::handler(cpu, self, vector) != Some(pc) {
                continue;
            }
            let size = match (cpu.cr0 & CR0_PE != 0, cpu.efer & EFER_LMA != 0) {
                (false, _) => 4,
                (true, false) => 8,
                (true, true) => 16,
            };
            let at = Linear(cpu.idtr.base).offset(u64::from(vector) * size);
            // An instruction that looks at its own gate has to find it as it is.
            let accesses = accesses.get_or_insert_with(|| {
                let mut code = [0; instruction::MAX_LEN];
                let len = self.code_bytes(&mut code);
                operands::accesses(&code[..len], cpu)
            });
            if accesses.iter().any(|access| access.overlaps(at, size)) {
                continue;
            }
            let Ok(Translation { phys: at, .. }) = self.translate(at) else { continue };
            let mut byte = [0];
            if self.read_phys(at, &mut byte) == 1
                && self.amend_phys(at, &[byte[0] ^ ELSEWHERE]) == 1
            {
                diverted.gates.push((at, byte[0]));
                diverted.elsewhere.extend(vectors::handler(self.vcpu.cpu(), self, vector));
            }
        }
        diverted
    }

    /// Puts the gates back, and the processor to its handler if a fault has led it elsewhere from `before`.
    pub(super) fn restore_handlers(
        &mut self,
        diverted: &Diverted,
        before: &CpuState,
    ) -> Result<(), KvmError> {
        for (at, byte) in &diverted.gates {
            let mut now = [0];
            // Else the instruction has written there itself.
            if self.read_phys(*at, &mut now) == 1 && now[0] == byte ^ ELSEWHERE {
                self.amend_phys(*at, &[*byte]);
            }
        }
        let is_elsewhere = diverted.elsewhere.contains(&self.vcpu.cpu().pc());
        if is_elsewhere && self.pushed_flags(before).is_some() {
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rip ^= u64::from(ELSEWHERE);
            self.vcpu.set_cpu(&cpu)?;
        }
        Ok(())
    }
}
