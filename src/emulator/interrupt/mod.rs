//! Delivery of interrupts and exceptions in every mode (SDM vol. 3A, chapter 6; in real and virtual-8086
//! mode, chapter 21).
//!
//! Owns the rules that all modes share: which causes may use a gate, what the pushed flags and the error
//! codes look like, and what becomes of a fault during the delivery.

mod long;
mod protected;
mod real;

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::{Environment, Unsupported};
use crate::x86::registers::{
    CR0_PE, CR4_VME, RFLAGS_AC, RFLAGS_IF, RFLAGS_IOPL, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM,
};
use crate::x86::vectors::{
    BREAKPOINT, DEBUG, DIVIDE_ERROR, DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_TSS, MACHINE_CHECK,
    NMI, NOT_PRESENT, OVERFLOW, PAGE_FAULT, STACK_FAULT,
};
use crate::x86::{CpuMode, CpuState};

/// An interrupt or exception to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Entry of the interrupt table.
    pub vector: u8,
    /// Where it comes from, which decides the checks and the flags that are pushed.
    pub cause: Cause,
    /// The error code of the exceptions that have one.
    pub error_code: Option<u32>,
    /// The instruction pointer that the handler finds: behind the instruction for a software interrupt
    /// or a trap, the instruction itself for a fault.
    pub return_rip: u64,
}

/// What an [`Event`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The processor found an exception.
    Exception,
    /// INT n: a gate's privilege counts, and in virtual-8086 mode IOPL.
    SoftwareInterrupt,
    /// INT3 or INTO: a gate's privilege counts.
    SoftwareException,
    /// INT1, also called ICEBP.
    Int1,
    /// An interrupt from outside, maskable or not.
    External,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The processor is at the first instruction of a handler.
    Entered {
        /// Whose: another one than asked for if the delivery raised a fault.
        vector: u8,
    },
    /// A fault while a double fault was being delivered. Registers are those before.
    Shutdown,
}

impl Event {
    /// INT n, whose next instruction is at `return_rip`. Not for the one-byte INT3.
    #[must_use]
    pub fn software(vector: u8, return_rip: u64) -> Event {
        Event { vector, cause: Cause::SoftwareInterrupt, error_code: None, return_rip }
    }

    /// INT3, the one-byte form.
    #[must_use]
    pub fn int3(return_rip: u64) -> Event {
        let cause = Cause::SoftwareException;
        Event { vector: BREAKPOINT, cause, error_code: None, return_rip }
    }

    /// INTO with RFLAGS.OF set.
    #[must_use]
    pub fn into(return_rip: u64) -> Event {
        Event { vector: OVERFLOW, ..Event::int3(return_rip) }
    }

    /// INT1. DR6 stays as it is (SDM vol. 2A, "INT n/INTO/INT3/INT1").
    #[must_use]
    pub fn int1(return_rip: u64) -> Event {
        Event { vector: DEBUG, cause: Cause::Int1, error_code: None, return_rip }
    }

    /// A debug exception after an instruction: the next one is at `return_rip`. DR6 is the caller's.
    #[must_use]
    pub fn debug_trap(return_rip: u64) -> Event {
        Event { vector: DEBUG, cause: Cause::Exception, error_code: None, return_rip }
    }

    /// A fault in the instruction at `rip`. CR2 of a page fault is the caller's.
    #[must_use]
    pub fn fault(fault: &Fault, rip: u64) -> Event {
        let Fault { vector, error_code, .. } = *fault;
        Event { vector, cause: Cause::Exception, error_code, return_rip: rip }
    }

    /// An interrupt from outside before the instruction at `rip`.
    #[must_use]
    pub fn external(vector: u8, rip: u64) -> Event {
        Event { vector, cause: Cause::External, error_code: None, return_rip: rip }
    }

    /// INT n, INT3 and INTO: the program's own will, so that a gate's DPL counts and EXT stays clear.
    fn is_software(&self) -> bool {
        matches!(self.cause, Cause::SoftwareInterrupt | Cause::SoftwareException)
    }

    /// Whether a fault in its delivery may be more than that fault.
    fn is_exception(&self) -> bool {
        self.cause == Cause::Exception
    }

    /// An exception of the fault class, whose frame has RF set so that an instruction breakpoint on the
    /// instruction does not fire again (SDM vol. 3B, 18.3.1.1).
    fn is_fault(&self) -> bool {
        let trap_or_abort =
            [DEBUG, NMI, BREAKPOINT, OVERFLOW, DOUBLE_FAULT, MACHINE_CHECK].contains(&self.vector);
        self.is_exception() && !trap_or_abort
    }
}

/// Delivers `event` to the guest in whatever mode it is: the processor ends at the first instruction of
/// the handler, with its frame on the handler's stack. A fault on the way is delivered instead, or
/// becomes a double fault, or shuts the processor down (SDM vol. 3A, table 6-5). `cpu.rip` has to be the
/// instruction that was being executed, to which such a fault returns.
///
/// The interrupt shadow, NMI blocking and a halt are the caller's; so are DR6 and, for a page fault as
/// the event, CR2.
///
/// # Errors
/// What is not supported; nothing has changed then, but for CR2 if a page fault came before.
pub fn deliver(
    cpu: &mut CpuState,
    env: &mut dyn Environment,
    event: Event,
) -> Result<Delivery, Unsupported> {
    deliver_telling(cpu, env, event, |_| ())
}

/// One attempt at a delivery that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDelivery {
    /// The registers that it began with.
    pub before: CpuState,
    /// Those of the task that it led to, if the fault came up there.
    pub task: Option<CpuState>,
    /// What was to be delivered.
    pub event: Event,
    /// What came up.
    pub fault: Fault,
    /// What is delivered because of it: the fault, or a double fault; nothing before a shutdown.
    pub next: Option<Fault>,
}

/// As [`deliver`], and tells `failed` of each attempt that fails.
///
/// # Errors
/// As [`deliver`].
pub fn deliver_telling(
    cpu: &mut CpuState,
    env: &mut dyn Environment,
    event: Event,
    failed: impl FnMut(FailedDelivery),
) -> Result<Delivery, Unsupported> {
    let mut execution = Execution::new(cpu, env);
    let delivery = execution.deliver(event, failed);
    execution.end_delivery(cpu, delivery)
}

/// What is delivered after `fault` came up while `event` was being delivered; nothing for a shutdown.
fn follow_up(event: &Event, fault: Fault) -> Option<Fault> {
    let contributory = |vector| {
        [DIVIDE_ERROR, INVALID_TSS, NOT_PRESENT, STACK_FAULT, GENERAL_PROTECTION].contains(&vector)
    };
    let first = event.vector;
    if !event.is_exception() {
        return Some(fault);
    }
    if first == DOUBLE_FAULT {
        return None;
    }
    let double = contributory(first) && contributory(fault.vector)
        || first == PAGE_FAULT && (contributory(fault.vector) || fault.vector == PAGE_FAULT);
    Some(if double { Fault::coded(DOUBLE_FAULT, 0) } else { fault })
}

impl Execution<'_> {
    /// Delivers `event` in the working copy, or what comes of it.
    pub(super) fn deliver(
        &mut self,
        event: Event,
        mut failed: impl FnMut(FailedDelivery),
    ) -> Result<Delivery, Unsupported> {
        let mut event = event;
        loop {
            let mark = self.mark();
            let before = mark.cpu.clone();
            let (fault, task) = match self.enter(&event) {
                Ok(()) => match self.fault_in_new_task.take() {
                    None => return Ok(Delivery::Entered { vector: event.vector }),
                    Some(fault) => (fault, Some(self.cpu.clone())),
                },
                Err(Trouble::Unsupported(unsupported)) => return Err(unsupported),
                Err(Trouble::Fault(fault)) => {
                    self.go_back(mark);
                    (fault, None)
                }
            };
            let next = follow_up(&event, fault);
            failed(FailedDelivery { before, task, event, fault, next });
            let Some(next) = next else { return Ok(Delivery::Shutdown) };
            if let Some(address) = fault.address {
                self.cpu.cr2 = address.0;
            }
            event = Event::fault(&next, self.cpu.rip);
        }
    }

    /// Makes a delivery happen that leads to a handler; of any other, only CR2 is left.
    pub(super) fn end_delivery(
        self,
        cpu: &mut CpuState,
        delivery: Result<Delivery, Unsupported>,
    ) -> Result<Delivery, Unsupported> {
        match delivery {
            Ok(Delivery::Entered { .. }) => self.commit(cpu),
            _ => cpu.cr2 = self.cpu.cr2,
        }
        delivery
    }

    /// One attempt at a delivery.
    fn enter(&mut self, event: &Event) -> Result<(), Trouble> {
        self.external = !event.is_software();
        if self.cpu.cr0 & CR0_PE == 0 {
            return self.enter_real(event);
        }
        let in_v86 = self.cpu.mode() == CpuMode::Virtual8086;
        if in_v86 && event.cause == Cause::SoftwareInterrupt {
            if self.cpu.cr4 & CR4_VME != 0 {
                return Err(Unsupported::Vme.into());
            }
            if self.cpu.rflags & RFLAGS_IOPL != RFLAGS_IOPL {
                return Err(Fault::gp(0).into());
            }
        }
        if self.is_ia32e() { self.enter_long(event) } else { self.enter_protected(event) }
    }

    /// The flags that the handler finds.
    fn pushed_flags(&self, event: &Event) -> u64 {
        let software = event.is_software() || event.cause == Cause::Int1;
        let flags = self.cpu.rflags;
        match () {
            () if event.is_fault() => flags | RFLAGS_RF,
            // Cleared when the instruction began.
            () if software => flags & !RFLAGS_RF,
            () => flags,
        }
    }

    /// The flags that the handler runs with. An interrupt gate disables interrupts, a trap gate does not.
    fn handler_flags(&self, interrupt_gate: bool) -> u64 {
        let mut cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
        if interrupt_gate {
            cleared |= RFLAGS_IF;
        }
        self.cpu.rflags & !cleared
    }

    /// The flags that a real-mode handler runs with.
    fn real_handler_flags(&self) -> u64 {
        self.cpu.rflags & !(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF)
    }

    /// #GP or #NP for an entry of the interrupt table: its index with the IDT bit.
    fn gate_code(&self, vector: u8) -> u32 {
        u32::from(vector) << 3 | 2 | u32::from(self.external)
    }
}
