//! Register access for a debugger.

use super::Machine;
use crate::kvm::KvmError;
use crate::x86::dump::RegisterDump;
use crate::x86::segment::{self, LoadError};
use crate::x86::{CpuState, FpuState, Segment, SegmentName};

/// Why register values were refused.
#[derive(Debug, thiserror::Error)]
#[error("the processor refuses this value: {reason}")]
pub struct RegisterError {
    reason: String,
}

impl From<KvmError> for RegisterError {
    fn from(error: KvmError) -> RegisterError {
        RegisterError { reason: error.with_cause() }
    }
}

impl Machine {
    /// Integer, segment and control registers.
    #[must_use]
    pub fn cpu(&self) -> &CpuState {
        self.vcpu.cpu()
    }

    /// Replaces integer, segment and control registers. A new place to execute ends a halt.
    ///
    /// # Errors
    /// A combination that no processor can be in; nothing has changed then.
    pub fn set_cpu(&mut self, cpu: &CpuState) -> Result<(), RegisterError> {
        let before = self.vcpu.cpu().pc();
        self.forget_checkpoint();
        self.altered = true;
        self.vcpu.set_cpu(cpu)?;
        if self.vcpu.cpu().pc() != before {
            self.halted = false;
            self.mid_rep = None;
            self.behind_load_of_ss = false;
            self.crash = None;
        }
        Ok(())
    }

    /// x87 and SSE registers.
    ///
    /// # Errors
    /// A KVM call failed.
    pub fn fpu(&self) -> Result<FpuState, KvmError> {
        self.vcpu.fpu()
    }

    /// Replaces x87 and SSE registers.
    ///
    /// # Errors
    /// A value with reserved bits.
    pub fn set_fpu(&mut self, fpu: &FpuState) -> Result<(), RegisterError> {
        self.forget_checkpoint();
        self.altered = true;
        Ok(self.vcpu.set_fpu(fpu)?)
    }

    /// The guest's own debug registers, DR0 to DR7.
    ///
    /// # Errors
    /// A KVM call failed.
    pub fn debug_registers(&self) -> Result<[u64; 8], KvmError> {
        self.vcpu.debug_registers()
    }

    /// Replaces the guest's own debug registers.
    ///
    /// # Errors
    /// A value with reserved bits.
    pub fn set_debug_registers(&mut self, dr: &[u64; 8]) -> Result<(), RegisterError> {
        self.forget_checkpoint();
        self.altered = true;
        Ok(self.vcpu.set_debug_registers(dr)?)
    }

    /// All registers as text, in the layout of QEMU's `info registers`.
    ///
    /// # Errors
    /// A KVM call failed.
    pub fn register_dump(&self) -> Result<String, KvmError> {
        let dump = RegisterDump {
            cpu: self.vcpu.cpu(),
            fpu: &self.vcpu.fpu()?,
            debug: self.vcpu.debug_registers()?,
            halted: self.halted,
            shadow: self.vcpu.interrupt_shadow()?,
        };
        Ok(dump.to_string())
    }

    /// The segment register `name` loaded with `selector`, as MOV or a far jump would do in the current
    /// mode: the base from the selector in real mode, the descriptor from its table elsewhere.
    ///
    /// # Errors
    /// Why the processor would fault.
    pub fn load_segment(&self, name: SegmentName, selector: u16) -> Result<Segment, LoadError> {
        segment::load_segment(self.vcpu.cpu(), self, name, selector)
    }
}
