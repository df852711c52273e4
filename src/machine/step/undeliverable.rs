//! Exceptions of real mode that a software KVM delivers although their handler cannot be entered: it ignores the limit
//! of the interrupt table, and lets a frame wrap around the end of the stack. No debug register waits at such a
//! handler, which then runs, and returns to the instruction for ever (SDM vol. 3A, 6.15, "Interrupt 8", and 21.1.4).

use super::Step;
use crate::emulator::{self, Delivery, Event, Fault, Raised};
use crate::kvm::{KvmError, probe};
use crate::machine::Machine;
use crate::machine::crash::raised::Imagined;
use crate::x86::instruction::{self, Facts, Hazard};
use crate::x86::registers::CR0_PE;
use crate::x86::{CpuState, Gpr};

/// The last byte of a table with all exceptions.
const WHOLE_TABLE: u16 = 32 * 4 - 1;
/// A push of so many bytes in a row, by PUSHA, may reach beyond the end of the stack.
const LONGEST_PUSH: u64 = 32;

impl Machine {
    /// Raises the exception of the next instruction by hand if it leads elsewhere than to its own handler: to that of
    /// a double fault, or to a shutdown. Nothing has happened if it does not, or if nobody can tell.
    pub(super) fn step_undeliverable(
        &mut self,
        facts: Option<Facts>,
    ) -> Result<Option<Step>, KvmError> {
        let cpu = self.vcpu.cpu();
        let in_doubt = cpu.cr0 & CR0_PE == 0
            && (is_stack_nearly_full(cpu)
                || cpu.idtr.limit < WHOLE_TABLE && !probe::host_facts()?.real_mode_idt_limit);
        if !in_doubt || self.code_bytes(&mut [0; instruction::MAX_LEN]) == 0 {
            return Ok(None);
        }
        let fault = match self.foreseen_fault() {
            Some(fault) => Some(fault),
            None if facts.is_some_and(|facts| facts.hazard == Hazard::Divide) => {
                self.divide_error()?
            }
            None => None,
        };
        let Some(fault) = fault else { return Ok(None) };
        let cpu = self.vcpu.cpu();
        let event = Event::fault(&fault, cpu.rip);
        match emulator::deliver(&mut cpu.clone(), &mut Imagined(self), event) {
            Ok(Delivery::Entered { vector }) if vector == fault.vector => return Ok(None),
            Err(_) => return Ok(None),
            Ok(_) => {}
        }
        self.raise_by_hand(event)
    }

    /// Delivers `event` in the processor's place. Nothing has happened if that is not supported.
    pub(super) fn raise_by_hand(&mut self, event: Event) -> Result<Option<Step>, KvmError> {
        Ok(match self.deliver(event)? {
            Ok(Delivery::Entered { .. }) => {
                self.vcpu.end_shadows(false)?;
                Some(Step::ENTERED)
            }
            Ok(Delivery::Shutdown) => Some(Step::stopped(self.shutdown_here())),
            Err(_) => None,
        })
    }

    /// What a division raises, as the processor tells: it changes nothing but registers, so it can be tried out, unless
    /// a device would notice that it is read.
    fn divide_error(&mut self) -> Result<Option<Fault>, KvmError> {
        let cpu = self.vcpu.cpu().clone();
        if !self.operates_on_ram(&cpu) {
            return Ok(None);
        }
        Ok(match self.raised_by(&cpu)? {
            Raised::Fault(fault) => Some(fault),
            Raised::Nothing | Raised::Event(_) => None,
        })
    }
}

/// Whether what is pushed may cross the end of the stack: an even stack pointer wraps around between two pushes.
fn is_stack_nearly_full(cpu: &CpuState) -> bool {
    let sp = cpu.get(Gpr::Rsp) & cpu.stack_mask();
    sp != 0 && sp < LONGEST_PUSH
}
