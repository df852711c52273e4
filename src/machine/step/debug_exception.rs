//! Debug exceptions that the guest itself asks for, by its trap flag and its own debug registers: KVM keeps
//! both to itself while it steps or watches, so the machine raises them (SDM vol. 3B, 18.3.1).

use super::Step;
use crate::emulator::{Delivery, Event};
use crate::kvm::KvmError;
use crate::machine::crash::ShutDownBy;
use crate::machine::{Machine, StopReason};
use crate::x86::Gpr;
use crate::x86::debug::{DR6_BD, DR6_BS, DR6_RTM, DR7_GD, OwnBreakpoints};
use crate::x86::instruction::{Facts, Kind, Port, Rep};
use crate::x86::operands;
use crate::x86::registers::{CR4_DE, RFLAGS_RF, RFLAGS_TF};

/// Causes in DR6 of a debug exception that is due after an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::machine) struct Traps {
    /// B0 to B3, for what the instruction accesses.
    pub data: u64,
    /// BS.
    pub single_step: u64,
}

impl Traps {
    pub(in crate::machine) fn all(self) -> u64 {
        self.data | self.single_step
    }
}

impl Machine {
    /// Raises the debug exception that comes before the next instruction, if one does; it is at the handler's
    /// first instruction then.
    pub(super) fn debug_fault(
        &mut self,
        facts: Option<Facts>,
    ) -> Result<Option<StopReason>, KvmError> {
        let dr = self.vcpu.debug_registers()?;
        let cpu = self.vcpu.cpu();
        let mut cause = 0;
        if OwnBreakpoints(&dr).any() && cpu.rflags & RFLAGS_RF == 0 {
            cause = OwnBreakpoints(&dr).instruction_hits(cpu.pc());
        }
        let moves_debug_register = matches!(facts, Some(Facts { kind: Kind::DebugRegister, .. }));
        if cause == 0 && dr[7] & DR7_GD != 0 && moves_debug_register && cpu.cpl() == 0 {
            cause = DR6_BD;
        }
        if cause == 0 {
            return Ok(None);
        }
        if let Some(stop) = self.stop_before_debug_exception(None) {
            return Ok(Some(stop));
        }
        // That of an instruction breakpoint has no RF in its frame, unlike all other faults: its handler
        // sets it (SDM vol. 3B, 18.3.1.1).
        let stop = self.raise_debug_exception(cause, cause == DR6_BD)?;
        Ok(Some(stop.unwrap_or(StopReason::Stepped)))
    }

    /// What will be due once the next instruction, `code`, is done.
    pub(in crate::machine) fn traps_after(
        &self,
        code: &[u8],
        facts: Option<Facts>,
    ) -> Result<Traps, KvmError> {
        let cpu = self.vcpu.cpu();
        let single_step = self.single_step_cause();
        let dr = self.vcpu.debug_registers()?;
        let own = OwnBreakpoints(&dr);
        if !own.any() {
            return Ok(Traps { data: 0, single_step });
        }
        let mut data = own.data_hits(&operands::accesses(code, cpu));
        if cpu.cr4 & CR4_DE != 0
            && let Some((port, size)) = facts.and_then(|facts| self.port_of(facts.kind))
        {
            data |= own.port_hits(port, size);
        }
        Ok(Traps { data, single_step })
    }

    /// BS if the guest's trap flag is set now.
    pub(in crate::machine) fn single_step_cause(&self) -> u64 {
        if self.vcpu.cpu().rflags & RFLAGS_TF != 0 { DR6_BS } else { 0 }
    }

    /// The port that the next instruction accesses, and how many bytes of it.
    fn port_of(&self, kind: Kind) -> Option<(u16, u8)> {
        let (place, size) = match kind {
            Kind::In { size, port } | Kind::Out { size, port } => (port, size),
            Kind::StringIo(io) | Kind::Rep(Rep { io: Some(io), .. }) => (Port::Dx, io.size),
            _ => return None,
        };
        let port = match place {
            Port::Immediate(port) => port.into(),
            Port::Dx => (self.vcpu.cpu().get(Gpr::Rdx) & 0xffff) as u16,
        };
        Some((port, size))
    }

    /// Raises the debug exception that comes after an instruction, for `cause` in DR6.
    pub(in crate::machine) fn debug_trap(
        &mut self,
        cause: u64,
    ) -> Result<Option<StopReason>, KvmError> {
        if let Some(stop) = self.stop_before_debug_exception(Some(cause)) {
            return Ok(Some(stop));
        }
        // In the middle of a repetition it is as after a fault: the instruction will be executed again.
        let again = self.mid_rep.take().is_some();
        self.raise_debug_exception(cause, again)
    }

    fn raise_debug_exception(
        &mut self,
        cause: u64,
        sets_resume_flag: bool,
    ) -> Result<Option<StopReason>, KvmError> {
        let mut dr = self.vcpu.debug_registers()?;
        // B0 to B3 are those of this exception, and RTM says that it came outside a transaction. The rest stays until
        // the guest clears it (SDM vol. 3B, 18.2.3).
        dr[6] = dr[6] & !0xf | cause | DR6_RTM;
        dr[7] &= !DR7_GD;
        self.vcpu.set_debug_registers(&dr)?;
        let before = self.vcpu.cpu().clone();
        if sets_resume_flag {
            let mut cpu = before.clone();
            cpu.rflags |= RFLAGS_RF;
            self.vcpu.set_cpu(&cpu)?;
        }
        Ok(match self.deliver(Event::debug_trap(before.rip))? {
            Ok(Delivery::Entered { .. }) => None,
            Ok(Delivery::Shutdown) => {
                self.vcpu.set_cpu(&before)?;
                self.shut_down_by = Some(ShutDownBy::DebugException);
                Some(self.shutdown_here())
            }
            Err(unsupported) => {
                self.vcpu.set_cpu(&before)?;
                Some(self.beyond(unsupported))
            }
        })
    }

    /// POPF, which loads the guest's own trap flag from the stack: KVM does not tell.
    pub(super) fn step_popf(&mut self, facts: Facts) -> Result<Step, KvmError> {
        let mut byte = [0];
        // TF is bit 8: the second byte of what is popped, whatever the size.
        let read = self.read_linear(self.stack_address(1), &mut byte) == 1;
        let step = self.step_forward(facts)?;
        if step.completed && read {
            self.vcpu.set_guest_trap_flag(byte[0] & 1 != 0);
        }
        Ok(step)
    }
}
