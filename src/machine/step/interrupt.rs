//! Software interrupts in real mode, done by hand.
//!
//! Stepped under the trap flag, `INT n` runs the whole handler on hardware and hangs for n ≥ 80h in some
//! software KVMs. In real mode delivery is three pushes and a far jump (SDM vol. 3A, 21.1.4), so the step
//! engine does it itself and lands on the handler's first instruction everywhere.

use crate::kvm::KvmError;
use crate::machine::{Machine, StopReason};
use crate::x86::registers::{RFLAGS_AC, RFLAGS_IF, RFLAGS_RF, RFLAGS_TF};
use crate::x86::{Gpr, Linear, Segment};

impl Machine {
    /// Executes a software interrupt whose instruction is `len` bytes long, in real mode.
    pub(super) fn step_interrupt(&mut self, vector: u8, len: u8) -> Result<StopReason, KvmError> {
        let cpu = self.vcpu.cpu();
        let entry = u64::from(vector) * 4;
        let mask = cpu.stack_mask();
        let sp = cpu.get(Gpr::Rsp) & mask;
        let mut target = [0; 4];
        let at = Linear(cpu.idtr.base.wrapping_add(entry));
        let reachable =
            entry + 3 <= cpu.idtr.limit.into() && self.read_linear(at, &mut target) == 4;
        if !reachable || sp < 6 && sp != 0 {
            // A fault on the way (table too short, stack at its end): the processor's own business.
            return self.step_by_trap_flag();
        }
        let [ip_low, ip_high, cs_low, cs_high] = target;

        let mut cpu = self.vcpu.cpu().clone();
        cpu.advance(len);
        let frame = [cpu.rip, cpu.segments.cs.selector.into(), cpu.rflags & !RFLAGS_RF];
        let sp = sp.wrapping_sub(6) & mask;
        *cpu.get_mut(Gpr::Rsp) = (cpu.get(Gpr::Rsp) & !mask) | sp;
        cpu.rflags &= !(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
        let cs = u16::from_le_bytes([cs_low, cs_high]);
        cpu.segments.cs = Segment { selector: cs, base: u64::from(cs) << 4, ..cpu.segments.cs };
        cpu.rip = u16::from_le_bytes([ip_low, ip_high]).into();
        self.vcpu.set_cpu(&cpu)?;

        let bytes: Vec<u8> =
            frame.iter().flat_map(|word| word.to_le_bytes()[..2].to_vec()).collect();
        let top = self.stack_address(0);
        self.write_linear(top, &bytes);
        Ok(StopReason::Stepped)
    }
}
