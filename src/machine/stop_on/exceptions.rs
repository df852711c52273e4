//! Stops at exceptions, before the guest's handler runs.
//!
//! They are noticed step by step. Debug registers on the handlers would be faster, but a guest may change its
//! tables or load others at any time without an exit, and an exception would be missed.

use std::fmt;

use crate::emulator::{self, Cause, Delivery, Event, Fault, Raised};
use crate::kvm::KvmError;
use crate::machine::crash::exception_words;
use crate::machine::crash::raised::{self, Imagined};
use crate::machine::step::watch::Passage;
use crate::machine::{Machine, StopReason};
use crate::x86::instruction::Facts;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::vectors::{DEBUG, DOUBLE_FAULT};
use crate::x86::{CpuState, Gpr};

/// A stop at an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionStop {
    /// Its vector.
    pub vector: u8,
    /// The code that the handler will find.
    pub error_code: Option<u32>,
    /// The address of a page fault, which will be in CR2.
    pub address: Option<u64>,
    /// Where the instruction is.
    pub location: String,
    /// The instruction and its bytes; for a debug exception that comes before it, too.
    pub instruction: String,
}

impl Machine {
    /// The exception that the step from `before` has ended in, if it is one of those to stop on.
    pub(super) fn exception_entered(
        &mut self,
        before: &CpuState,
        facts: Option<Facts>,
    ) -> Result<Option<ExceptionStop>, KvmError> {
        let Some(by_fault) = self.entered_handler_by_fault(before, facts) else { return Ok(None) };
        let Some((event, address)) = raised::event(self.raised_by(before)?, before.rip) else {
            log::debug!("{}: a handler was entered, for an unknown reason", before.location());
            return Ok(None);
        };
        Ok(self.wanted_exception(before, event, address, by_fault))
    }

    /// The stop at `event` or what comes of it, if the user wants one. `by_fault` says that it returns to the
    /// instruction.
    fn wanted_exception(
        &self,
        before: &CpuState,
        event: Event,
        address: Option<u64>,
        by_fault: bool,
    ) -> Option<ExceptionStop> {
        let wanted = self.stop_on.exceptions;
        let (failed, entered) = self.deliveries(before, event);
        let first = match event.cause {
            // INT n is no exception, whatever its vector; a fault of its delivery is one.
            Cause::SoftwareInterrupt | Cause::External => failed
                .filter(|_| by_fault)
                .map(|fault| (fault.vector, fault.error_code, fault.address.map(|addr| addr.0))),
            _ => Some((event.vector, event.error_code, address)),
        };
        let instead = entered
            .filter(|vector| by_fault && *vector != event.vector)
            .map(|vector| (vector, (vector == DOUBLE_FAULT).then_some(0), None));
        let found = [first, instead].into_iter().flatten().find(|(v, ..)| wanted.contains(*v));
        let (vector, error_code, address) = found?;
        // Real mode has no error codes.
        let error_code = error_code.filter(|_| before.cr0 & CR0_PE != 0);
        Some(self.exception_stop(before, vector, error_code, address))
    }

    /// The stop before `fault` of the next instruction, which is about to be raised, if the user wants one there.
    pub(in crate::machine) fn stop_before_fault(&mut self, fault: &Fault) -> Option<StopReason> {
        let cpu = self.vcpu.cpu().clone();
        if self.stop_on.exceptions.is_empty() || self.stop_on.told == Some(cpu.pc()) {
            return None;
        }
        let (event, address) = raised::event(Raised::Fault(*fault), cpu.rip)?;
        let stop = self.wanted_exception(&cpu, event, address, true)?;
        self.stop_on.told = Some(cpu.pc());
        self.forget_checkpoint();
        Some(StopReason::Exception(stop))
    }

    fn exception_stop(
        &self,
        at: &CpuState,
        vector: u8,
        error_code: Option<u32>,
        address: Option<u64>,
    ) -> ExceptionStop {
        let instruction = self.instruction_words(at);
        ExceptionStop { vector, error_code, address, location: at.location(), instruction }
    }

    /// The first fault in the delivery of `event`, and whose handler is entered in the end.
    fn deliveries(&self, before: &CpuState, event: Event) -> (Option<Fault>, Option<u8>) {
        let mut first = None;
        let delivery =
            emulator::deliver_telling(&mut before.clone(), &mut Imagined(self), event, |failed| {
                first = first.or(Some(failed.fault));
            });
        match delivery {
            Ok(Delivery::Entered { vector }) => (first, Some(vector)),
            _ => (first, None),
        }
    }

    /// Whether the step from `before` has ended in a handler, and if so whether by a fault, to which the
    /// handler will return. A jump there leaves no frame.
    fn entered_handler_by_fault(&self, before: &CpuState, facts: Option<Facts>) -> Option<bool> {
        let (frame, by_fault) = match self.passage(before, facts) {
            Passage::Through => return None,
            Passage::Interrupt(frame) => (frame, false),
            Passage::Fault(frame) => (frame, true),
        };
        let cpu = self.vcpu.cpu();
        let (old, new) = (before.get(Gpr::Rsp), cpu.get(Gpr::Rsp));
        let pushed = if cpu.cpl() != before.cpl() || cpu.efer & EFER_LMA != 0 {
            old != new
        } else {
            old.wrapping_sub(new) & before.stack_mask() == frame.len
        };
        pushed.then_some(by_fault)
    }

    /// The stop before a debug exception that is about to be raised, if the user wants one there. `trap` has
    /// its causes if it comes after an instruction.
    pub(in crate::machine) fn stop_before_debug_exception(
        &mut self,
        trap: Option<u64>,
    ) -> Option<StopReason> {
        let cpu = self.vcpu.cpu().clone();
        let told = self.stop_on.told == Some(cpu.pc());
        if told || !self.stop_on.exceptions.contains(DEBUG) {
            return None;
        }
        match trap {
            Some(cause) => self.stop_on.due_traps = cause,
            None => self.stop_on.told = Some(cpu.pc()),
        }
        self.forget_checkpoint();
        Some(StopReason::Exception(self.exception_stop(&cpu, DEBUG, None, None)))
    }
}

impl fmt::Display for ExceptionStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExceptionStop { vector, error_code, address, location, instruction } = self;
        let what = exception_words(*vector, *error_code, *address);
        if *vector == DEBUG {
            return write!(f, "{location}: {what}, before {instruction}; its handler has not run");
        }
        write!(f, "{location}: {instruction} raises {what}; its handler has not run")
    }
}
