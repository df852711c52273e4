//! The stop at what KVM does not run, and at what nothing runs.

use std::ops::Range;

use crate::devices::VIDEO_MEMORY;
use crate::devices::vga;
use crate::machine::stop::Refusal;
use crate::machine::{Machine, Physical, StopReason};
use crate::x86::{CpuState, Linear, disasm, instruction};

/// Where video memory may be, as the VGA's registers say.
const VIDEO: Range<u64> = VIDEO_MEMORY.0..VIDEO_MEMORY.0 + vga::WINDOW_SIZE as u64;

impl Machine {
    /// The stop at the next instruction, which KVM has refused for this `cause`.
    pub(in crate::machine) fn refused(&self, cause: &str) -> StopReason {
        self.refused_at(self.vcpu.cpu(), cause)
    }

    /// The same for the next instruction of `cpu`.
    pub(in crate::machine) fn refused_at(&self, cpu: &CpuState, cause: &str) -> StopReason {
        let at = self.translate(cpu.pc()).map(|there| there.phys);
        if let Ok(at) = at
            && self.physical(at) == Physical::Hole
        {
            let video = VIDEO.contains(&self.vm.ram().through_a20(at).0);
            return StopReason::Nowhere { location: cpu.location(), at, video };
        }
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.read_linear(cpu.pc(), &mut buffer);
        let code = disasm::disassemble(&buffer[..len], cpu.mode().code_bits(), cpu.rip);
        let (bytes, text) = code.map_or_else(Default::default, |code| (code.bytes, code.text));
        let cause = if at.is_ok_and(|at| self.physical(at) == Physical::Device) {
            "the guest executes video memory, and KVM runs nothing from the memory of a device"
                .to_owned()
        } else if bytes.is_empty() {
            "there is no memory to execute".to_owned()
        } else if text == disasm::INVALID {
            format!("{cause} (no processor does)")
        } else {
            cause.to_owned()
        };
        // Of what is no instruction, all that might belong to it.
        let bytes = if text == disasm::INVALID { buffer[..len.min(4)].to_vec() } else { bytes };
        StopReason::Refused(Refusal { location: cpu.location(), bytes, text, cause })
    }

    /// Whether a device answers at `addr`, as the VGA does at B8000.
    pub(in crate::machine) fn is_in_device(&self, addr: Linear) -> bool {
        self.translate(addr).is_ok_and(|there| self.physical(there.phys) == Physical::Device)
    }
}
