//! Steps in ring 3 where the host's KVM hands the trap to the guest.
//!
//! A software KVM runs ring 3 of long mode on the processor itself, and the trap of a step becomes the guest's
//! own debug exception. A debug register on its handler stops it there, and the delivery is taken back:
//! registers from the frame, the stack as it was, DR6 without the trap. A guest that has no such handler is lent the
//! gate of another vector for the step.

use super::Step;
use crate::kvm::{KvmError, probe};
use crate::machine::{Machine, StopReason};
use crate::x86::debug::DR6_BS;
use crate::x86::paging::Translation;
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};
use crate::x86::segment::read_descriptor;
use crate::x86::{
    CpuMode, CpuState, Gpr, Linear, Phys, SegmentName, instruction, operands, vectors,
};

/// What the guest's own debug exception will change, to be put back.
#[derive(Debug)]
pub(super) enum Detour {
    /// The trap of a step does not go to the guest.
    None,
    /// It does, and the guest has no handler for it nor any that could be lent to it, or no stack: the trap would shut
    /// the processor down.
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

/// A gate that is in the place of that of the debug exception for a step.
#[derive(Debug)]
pub(super) struct LentGate {
    at: Phys,
    /// What belongs there.
    own: [u8; GATE_SIZE],
    lent: [u8; GATE_SIZE],
}

/// A gate of long mode (SDM vol. 3A, 6.14.1).
const GATE_SIZE: usize = 16;

impl Detour {
    pub(super) fn handler(&self) -> Option<Linear> {
        match self {
            Detour::None | Detour::Missing => None,
            Detour::Handler { handler, .. } => Some(*handler),
        }
    }
}

impl Machine {
    /// Whether the trap of the next step goes to the guest.
    fn user_trap_is_guests(&self) -> Result<bool, KvmError> {
        let cpu = self.vcpu.cpu();
        let user = cpu.cpl() == 3 && cpu.mode() == CpuMode::Long64;
        Ok(user && !probe::host_facts()?.step.exact.user)
    }

    /// Lends a gate to the debug exception if it needs one for the next step.
    pub(super) fn lend_gate(&mut self) -> Result<Option<LentGate>, KvmError> {
        let cpu = self.vcpu.cpu();
        if !self.user_trap_is_guests()? || vectors::handler(cpu, self, vectors::DEBUG).is_some() {
            return Ok(None);
        }
        let Some(gate) = self.gate_to_lend() else { return Ok(None) };
        // Written back only if all of it was taken.
        let taken = self.amend_phys(gate.at, &gate.lent);
        if taken < GATE_SIZE {
            self.amend_phys(gate.at, &gate.own[..taken]);
            return Ok(None);
        }
        Ok(Some(gate))
    }

    /// Takes the gate back, but what the instruction itself has written there.
    pub(super) fn take_gate_back(&mut self, gate: Option<LentGate>) {
        let Some(LentGate { at, own, lent }) = gate else { return };
        let mut now = [0; GATE_SIZE];
        if self.read_phys(at, &mut now) == GATE_SIZE {
            let now: [u8; GATE_SIZE] =
                std::array::from_fn(|n| if now[n] == lent[n] { own[n] } else { now[n] });
            self.amend_phys(at, &now);
        }
    }

    /// The gate of another vector, in the place of that of the debug exception; nothing if there is none, or if the next
    /// instruction looks there.
    fn gate_to_lend(&self) -> Option<LentGate> {
        let cpu = self.vcpu.cpu();
        let place = |vector: u8| Linear(cpu.idtr.base).offset(u64::from(vector) * GATE_SIZE as u64);
        let at = place(vectors::DEBUG);
        if u64::from(cpu.idtr.limit) + 1 < (u64::from(vectors::DEBUG) + 1) * GATE_SIZE as u64 {
            return None;
        }
        let mut code = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut code);
        let mut accesses = operands::accesses(&code[..len], cpu).into_iter();
        if accesses.any(|access| access.overlaps(at, GATE_SIZE as u64)) {
            return None;
        }
        let read = |at: Linear| {
            let mut gate = [0; GATE_SIZE];
            (self.read_linear(at, &mut gate) == GATE_SIZE).then_some(gate)
        };
        let is_inner = |gate: &[u8; GATE_SIZE]| {
            let selector = u16::from_le_bytes([gate[2], gate[3]]);
            read_descriptor(cpu, self, selector)
                .is_ok_and(|code| code.access.is_code() && code.access.long && code.access.dpl == 0)
        };
        let lent = (0..=u8::MAX).find_map(|vector| {
            let handler = vectors::handler(cpu, self, vector)?;
            self.translate(handler).ok()?;
            read(place(vector)).filter(is_inner)
        })?;
        let Translation { phys, remaining, .. } = self.translate(at).ok()?;
        let in_one_page = remaining >= GATE_SIZE as u64;
        in_one_page.then_some(LentGate { at: phys, own: read(at)?, lent })
    }

    /// Whether the trap of the next step goes to the guest, and what has to be put back then.
    pub(super) fn detour_of_user_trap(&mut self) -> Result<Detour, KvmError> {
        if !self.user_trap_is_guests()? {
            return Ok(Detour::None);
        }
        let cpu = self.vcpu.cpu();
        let handler = vectors::handler(cpu, self, vectors::DEBUG);
        let top = vectors::long_stack(cpu, self, vectors::DEBUG);
        let (Some(handler), Some(top)) = (handler, top) else { return Ok(Detour::Missing) };
        let frame = Linear((top.0 & !15).wrapping_sub(FRAME_SIZE as u64));
        let mut stack = [0; FRAME_SIZE];
        if self.read_linear(frame, &mut stack) < FRAME_SIZE {
            return Ok(Detour::Missing);
        }
        let debug_registers = self.vcpu.debug_registers()?;
        if debug_registers[6] & DR6_BS != 0 {
            // Tells the trap from a fault that leads to the same handler.
            let mut clear = debug_registers;
            clear[6] &= !DR6_BS;
            self.vcpu.set_debug_registers(&clear)?;
        }
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
        self.vcpu.forget_debug_registers();
        let is_trap = self.vcpu.debug_registers()?[6] & DR6_BS != 0;
        let cpu = self.vcpu.cpu();
        let (is_there, rsp) = (cpu.pc() == handler, cpu.get(Gpr::Rsp));
        if !is_there || rsp != frame.0 || !is_trap {
            if is_there {
                // A fault of the instruction, which leads to the same handler.
                self.land_on_handler(before)?;
            }
            // A signal may have come behind the instruction, before the trap has got to the guest.
            if self.vcpu.drop_debug_exception()? || debug_registers[6] & DR6_BS != 0 {
                self.vcpu.set_debug_registers(&debug_registers)?;
            }
            return Ok(step);
        }
        let word = |n: u64| self.read_word(frame.offset(n * 8), 8).unwrap_or_default();
        let [rip, cs, rflags, rsp, ss] = [0, 1, 2, 3, 4].map(word);
        let mut after = self.vcpu.cpu().clone();
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
