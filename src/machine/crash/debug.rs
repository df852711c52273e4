//! Whether a shutdown began with a debug exception that the guest asked for: by its trap flag, by breakpoints of its
//! own, or by general detect (SDM vol. 3B, 18.3.1).
//!
//! Where the processor has raised it, DR6 says so, and of a trap CS:IP is the next instruction, which need not
//! have anything to do with it. Where the registers are those before the instruction that led to it, DR6 says
//! nothing yet.

use super::raised::{self, Imagined};
use crate::emulator::{self, Delivery, Event, Outcome, Raised};
use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::x86::CpuState;
use crate::x86::debug::{DR6_BD, DR6_BS, DR7_GD, OwnBreakpoints};
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::registers::{RFLAGS_RF, RFLAGS_TF};
use crate::x86::vectors::DEBUG;

/// What a step that has ended in a shutdown was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::machine) enum ShutDownBy {
    /// The instruction.
    Instruction,
    /// A debug exception that the guest asked for.
    DebugException,
}

/// A debug exception.
#[derive(Clone, Debug)]
pub(super) struct DebugException {
    /// What DR6 has, or would have, of it.
    causes: u64,
    /// DR6, if that has it.
    dr6: Option<u64>,
    /// It came behind the instruction before the one at CS:IP.
    came_before: bool,
    /// DR6 may be that of an earlier one, and it was the instruction itself.
    pub(super) doubtful: bool,
    /// The registers that it is delivered with.
    pub(super) cpu: CpuState,
}

impl DebugException {
    /// The first line of the account; `instruction` is the one at CS:IP.
    pub(super) fn words(&self, instruction: &str) -> String {
        let mut causes = Vec::new();
        if self.causes & DR6_BS != 0 {
            causes.push("single step by RFLAGS.TF".to_owned());
        }
        if self.causes & DR6_BD != 0 {
            causes.push("a debug register was accessed while DR7.GD was set".to_owned());
        }
        let slots = (0..4).filter(|n| self.causes & 1 << n != 0);
        causes.extend(slots.map(|n| format!("the guest's own breakpoint in DR{n}")));
        let causes = causes.join("; ");
        let dr6 = self.dr6.map(|dr6| format!(" (DR6 {dr6:#x})")).unwrap_or_default();
        if self.came_before {
            format!("#DB, debug exception, was raised before {instruction}: {causes}{dr6}")
        } else {
            format!("{instruction} raised #DB, debug exception: {causes}{dr6}")
        }
    }
}

impl Machine {
    /// The debug exception that began the shutdown at CS:IP of `cpu`, if one did. `raised` is what the instruction
    /// there raises else, and `by` what a step knows of it.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn debug_exception(
        &self,
        cpu: &CpuState,
        raised: &Raised,
        by: Option<ShutDownBy>,
    ) -> Result<Option<DebugException>, KvmError> {
        if by == Some(ShutDownBy::Instruction) {
            return Ok(None);
        }
        let dr = self.vcpu.debug_registers()?;
        let own = OwnBreakpoints(&dr);
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.read_linear(cpu.pc(), &mut buffer);
        let code = &buffer[..len];
        let facts = instruction::decode(code, cpu.mode());
        let moves_debug_register =
            cpu.cpl() == 0 && matches!(facts, Some(Facts { kind: Kind::DebugRegister, .. }));
        let breakpoint = own.instruction_hits(cpu.pc());

        // The bits of DR6 stay set until the guest clears them. But had it come through one such exception
        // before, it would come through this one as well, unless it has changed its table since.
        if self.is_fatal(cpu, Event::debug_trap(cpu.rip)) {
            let detected = if moves_debug_register { DR6_BD } else { 0 };
            let stepped = if cpu.rflags & RFLAGS_TF != 0 { DR6_BS } else { 0 };
            let (at, before) = (breakpoint | detected, own.traps() | stepped);
            let causes = [dr[6] & at, dr[6] & before];
            if let Some(n) = causes.iter().position(|&causes| causes != 0) {
                let (causes, came_before) = (causes[n], n == 1);
                let comes_first =
                    causes & (DR6_BS | DR6_BD) != 0 || !came_before && cpu.rflags & RFLAGS_RF == 0;
                let doubtful = by.is_none()
                    && !comes_first
                    && raised::event(*raised, cpu.rip)
                        .is_some_and(|(event, _)| self.is_fatal(cpu, event));
                let (dr6, cpu) = (Some(dr[6]), cpu.clone());
                return Ok(Some(DebugException { causes, dr6, came_before, doubtful, cpu }));
            }
        }
        // What was tried out tells the vector, and no more.
        let may_be_one = match raised {
            Raised::Nothing => true,
            Raised::Fault(fault) => fault.vector == DEBUG,
            Raised::Event(_) => false,
        };
        if !may_be_one {
            return Ok(None);
        }
        let breakpoint = if cpu.rflags & RFLAGS_RF == 0 { breakpoint } else { 0 };
        let detected = if moves_debug_register && dr[7] & DR7_GD != 0 { DR6_BD } else { 0 };
        let fault = breakpoint | detected;
        let mut after = cpu.clone();
        let causes = if fault != 0 {
            fault
        } else {
            let done = emulator::execute(&mut after, &mut Imagined(self));
            if !matches!(done, Ok(Outcome::Completed { .. })) {
                after.clone_from(cpu);
            }
            self.traps_after(code, facts)?.all()
        };
        let (came_before, doubtful) = (false, false);
        let exception = DebugException { causes, dr6: None, came_before, doubtful, cpu: after };
        Ok((causes != 0).then_some(exception))
    }

    /// Whether the delivery of `event` shuts the processor down.
    fn is_fatal(&self, cpu: &CpuState, event: Event) -> bool {
        let end = emulator::deliver(&mut cpu.clone(), &mut Imagined(self), event);
        end == Ok(Delivery::Shutdown)
    }
}
