//! Which exceptions the next instruction may end in. There are more of them than debug registers for their handlers:
//! where all have no room, the one that its operands lead to comes first.

use crate::emulator::{self, Delivery, Event, Fault, Raised};
use crate::machine::Machine;
use crate::machine::crash::raised::Imagined;
use crate::x86::instruction::{Facts, Hazard};
use crate::x86::registers::{CR0_AM, CR0_EM, CR0_PG, CR0_TS, RFLAGS_AC};
use crate::x86::vectors::{
    DEVICE_NOT_AVAILABLE, DIVIDE_ERROR, DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_OPCODE,
    INVALID_TSS, NOT_PRESENT, PAGE_FAULT, SIMD_ERROR, STACK_FAULT, X87_ERROR,
};
use crate::x86::{CpuState, Gpr, SegmentName};

/// As many bytes as the frame of an exception takes, with what aligns it in long mode.
const LONGEST_FRAME: u64 = 64;

impl Machine {
    /// Vectors of the exceptions that the next instruction may raise, the likeliest first, if there is room for `room`
    /// of them.
    pub(super) fn dangers(
        &self,
        facts: Option<Facts>,
        room: usize,
    ) -> impl Iterator<Item = u8> + use<> {
        let cpu = self.vcpu.cpu();
        let paged = cpu.cr0 & CR0_PG != 0;
        let list = likely(facts.map(|facts| facts.hazard), cpu);
        let count = list.iter().filter(|vector| paged || **vector != PAGE_FAULT).count();
        let uses_memory = facts.is_none_or(|facts| facts.memory);
        let checks_alignment =
            cpu.cpl() == 3 && cpu.cr0 & CR0_AM != 0 && cpu.rflags & RFLAGS_AC != 0;
        let in_doubt = uses_memory && (count > room || checks_alignment)
            || facts.is_some_and(|facts| facts.hazard == Hazard::LoadSegment && facts.branches)
            || paged && !self.takes_frames();
        let first = if in_doubt { self.foreseen() } else { None };
        let others = list.iter().copied().filter(move |vector| paged || *vector != PAGE_FAULT);
        first.into_iter().chain(others).chain([DOUBLE_FAULT])
    }

    /// Whether there is memory for a frame below the stack pointer, as far as it stays in this ring.
    fn takes_frames(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let sp = cpu.get(Gpr::Rsp).wrapping_sub(LONGEST_FRAME) & cpu.stack_mask();
        cpu.cpl() != 0 || self.translate(cpu.linear(SegmentName::Ss, sp)).is_ok()
    }

    /// The fault that the next instruction raises, as far as the emulator can tell.
    pub(super) fn foreseen_fault(&self) -> Option<Fault> {
        let cpu = self.vcpu.cpu();
        match emulator::raised(cpu, &mut Imagined(self)) {
            Ok(Raised::Fault(fault)) => Some(fault),
            Ok(_) => None,
            Err(_) => emulator::operand_fault(cpu, &mut Imagined(self)),
        }
    }

    /// Whose handler is entered for that fault.
    fn foreseen(&self) -> Option<u8> {
        let cpu = self.vcpu.cpu();
        let fault = self.foreseen_fault()?;
        let event = Event::fault(&fault, cpu.rip);
        match emulator::deliver(&mut cpu.clone(), &mut Imagined(self), event) {
            Ok(Delivery::Entered { vector }) => Some(vector),
            _ => Some(fault.vector),
        }
    }
}

/// The exceptions that an instruction raises, the likeliest first.
fn likely(hazard: Option<Hazard>, cpu: &CpuState) -> &'static [u8] {
    let switched_off = cpu.cr0 & (CR0_TS | CR0_EM) != 0;
    match hazard {
        Some(Hazard::Undefined) => &[INVALID_OPCODE, GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT],
        Some(Hazard::Divide) => &[DIVIDE_ERROR, GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT],
        Some(Hazard::LoadSegment) => {
            &[GENERAL_PROTECTION, NOT_PRESENT, STACK_FAULT, PAGE_FAULT, INVALID_TSS]
        }
        Some(Hazard::X87 | Hazard::Simd) if switched_off => {
            &[DEVICE_NOT_AVAILABLE, INVALID_OPCODE, X87_ERROR, GENERAL_PROTECTION, PAGE_FAULT]
        }
        Some(Hazard::X87) => {
            &[INVALID_OPCODE, X87_ERROR, GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT]
        }
        Some(Hazard::Simd) => {
            &[INVALID_OPCODE, SIMD_ERROR, GENERAL_PROTECTION, PAGE_FAULT, STACK_FAULT]
        }
        Some(Hazard::None) | None => &[GENERAL_PROTECTION, INVALID_OPCODE, PAGE_FAULT, STACK_FAULT],
    }
}
