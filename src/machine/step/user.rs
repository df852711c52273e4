//! Steps in ring 3 where the host's KVM hands the trap to the guest.
//!
//! A software KVM runs ring 3 of long mode on the processor itself, and the trap of a step becomes the guest's
//! own debug exception. A debug register on its handler stops it there, and the delivery is taken back:
//! registers from the frame, the stack as it was, DR6 without the trap.

use super::Step;
use crate::kvm::{KvmError, probe};
use crate::machine::{Machine, StopReason};
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};
use crate::x86::{CpuMode, CpuState, Gpr, Linear, SegmentName, vectors};

/// What the guest's own debug exception will change, to be put back.
#[derive(Debug)]
pub(super) enum Detour {
    /// The trap of a step does not go to the guest.
    None,
    /// It does, and the guest has no handler for it: the trap would shut the processor down.
    Missing,
    /// It does.
    Handler {
        /// The handler's first instruction.
        handler: Linear,
        /// Where the frame will be, and what is there.
        frame: Linear,
        stack: [u8; FRAME_SIZE],
        debug_registers: [u64; 8],
    },
}

/// RIP, CS, RFLAGS, RSP and SS, 8 bytes each (SDM vol. 3A, 6.14.2).
const FRAME_SIZE: usize = 40;

impl Detour {
    pub(super) fn handler(&self) -> Option<Linear> {
        match self {
            Detour::None | Detour::Missing => None,
            Detour::Handler { handler, .. } => Some(*handler),
        }
    }
}

impl Machine {
    /// Whether the trap of the next step goes to the guest, and what has to be put back then.
    pub(super) fn detour_of_user_trap(&self) -> Result<Detour, KvmError> {
        let cpu = self.vcpu.cpu();
        if cpu.cpl() != 3 || cpu.mode() != CpuMode::Long64 || probe::host_facts()?.step.exact.user {
            return Ok(Detour::None);
        }
        let handler = vectors::handler(cpu, self, vectors::DEBUG);
        let top = vectors::long_stack(cpu, self, vectors::DEBUG);
        let (Some(handler), Some(top)) = (handler, top) else { return Ok(Detour::Missing) };
        let frame = Linear((top.0 & !15).wrapping_sub(FRAME_SIZE as u64));
        let mut stack = [0; FRAME_SIZE];
        if self.read_linear(frame, &mut stack) < FRAME_SIZE {
            return Ok(Detour::Missing);
        }
        let debug_registers = self.vcpu.debug_registers()?;
        Ok(Detour::Handler { handler, frame, stack, debug_registers })
    }

    /// Takes the guest's debug exception back if the step from `before` has ended there.
    pub(super) fn return_from_detour(
        &mut self,
        before: &CpuState,
        detour: Detour,
        step: Step,
    ) -> Result<Step, KvmError> {
        let Detour::Handler { handler, frame, stack, debug_registers } = detour else {
            return Ok(step);
        };
        let cpu = self.vcpu.cpu();
        if cpu.pc() != handler || cpu.get(Gpr::Rsp) != frame.0 {
            // A signal may have come behind the instruction, before the trap has got to the guest.
            if self.vcpu.drop_debug_exception()? {
                self.vcpu.set_debug_registers(&debug_registers)?;
            }
            return Ok(step);
        }
        let word = |n: u64| self.read_word(frame.offset(n * 8), 8).unwrap_or_default();
        let [rip, cs, rflags, rsp, ss] = [0, 1, 2, 3, 4].map(word);
        let mut after = cpu.clone();
        after.rip = rip;
        after.rflags = rflags & !(RFLAGS_TF | RFLAGS_RF) | before.rflags & RFLAGS_TF;
        *after.get_mut(Gpr::Rsp) = rsp;
        after.segments.cs = before.segments.cs;
        after.segments.ss = before.segments.ss;
        self.amend_linear(frame, &stack);
        self.vcpu.set_debug_registers(&debug_registers)?;
        self.vcpu.set_cpu(&after)?;
        // A far transfer within the ring, which changes nothing but these.
        for (name, selector) in [(SegmentName::Cs, cs), (SegmentName::Ss, ss)] {
            let selector = (selector & 0xffff) as u16;
            if selector != before.segments.get(name).selector
                && let Ok(segment) = self.load_segment(name, selector)
            {
                *after.segments.get_mut(name) = segment;
            }
        }
        self.vcpu.set_cpu(&after)?;
        let completed = step.stop == StopReason::Stepped || step.completed;
        Ok(Step { completed, ..step })
    }
}
