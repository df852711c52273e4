//! Executes single instructions and delivers interrupts and exceptions, for hosts whose KVM cannot; and, of the ordinary
//! instructions, those on registers, for hosts whose KVM is itself an emulator and takes longer.
//!
//! Owns no machine: the processor is a [`CpuState`](crate::x86::CpuState), memory and what else belongs to
//! the machine is an [`Environment`]. Segment limits, privilege and paging are checked as a processor does,
//! and accessed and dirty bits are set. An instruction or a delivery either happens as a whole or not at
//! all; what is beyond this module is [`Unsupported`] and has changed nothing. Must not know KVM, devices or
//! debuggers. Follows the SDM, volumes 2 and 3A.
//!
//! x87, MMX, SSE and AVX are left out, and this is where they would go: `dispatch` in `execute` hands what is no
//! integer instruction to `not_integer` in `system`, which raises the exceptions of a unit that is switched off
//! (CR0.EM, CR0.TS, CR4.OSFXSR, CR4.OSXSAVE) and says [`Unsupported::Fpu`] of the rest. A module that executes them
//! takes the place of that answer. It needs [`FpuState`](crate::x86::FpuState), which is no part of `CpuState`: two
//! methods more of [`Environment`] to load and store it, and a copy in `Execution`, which `commit` stores. Decoding,
//! operands in memory, their faults and the delivery of exceptions are there already. Until then the machine tells
//! the user of such an instruction, before anything of it has happened.

pub mod fault;
pub mod interrupt;

mod bits;
mod decimal;
mod decode;
mod execute;
mod execution;
mod far;
mod fast_call;
mod flags;
mod loads;
mod memory;
mod operand_fault;
mod operands;
mod ordinary;
mod protection;
mod ret;
mod segments;
mod stack;
mod system;
mod task;
#[cfg(test)]
mod tests;

pub use execute::{Outcome, Raised, execute, raised, switches_task};
pub use fault::Fault;
pub use interrupt::{Cause, Delivery, Event, FailedDelivery, deliver, deliver_telling};
pub use operand_fault::{BehindLimit, behind_limit, operand_fault};

use crate::x86::paging::PhysRead;
use crate::x86::{Features, Phys};

/// The machine around the processor.
///
/// [`PhysRead`] is for page tables: it has no side effects.
pub trait Environment: PhysRead {
    /// Fills `data` with what the guest reads from guest-physical `addr` on, devices included; all ones
    /// where nothing is.
    fn read(&mut self, addr: Phys, data: &mut [u8]);

    /// Writes `data` from guest-physical `addr` on, devices included; nothing happens where nothing is.
    fn write(&mut self, addr: Phys, data: &[u8]);

    /// The model-specific register `index`, or nothing if there is none.
    fn msr(&mut self, index: u32) -> Option<u64>;

    /// The extended control register `index`, or nothing if there is none.
    fn xcr(&mut self, index: u32) -> Option<u64>;

    /// Whether an exception of the x87 waits for its next instruction: ES of its status word.
    fn x87_exception_pending(&mut self) -> bool;

    /// The task was switched: the local breakpoints of DR7 are the old task's (SDM vol. 3B, 18.2.4).
    fn end_local_breakpoints(&mut self);

    /// A random number, if one is to be had.
    fn random(&mut self) -> Option<u64>;

    /// What CPUID offers: what it does not is #UD here, whatever the host's processor has.
    fn features(&self) -> Features;
}

/// What this module does not do. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A switch to a task whose first instruction is to raise a debug exception (SDM vol. 3B, 18.3.1.5).
    #[error("it switches to a task with the debug trap flag, which is not supported")]
    TaskTrap,
    /// Virtual-8086 mode extensions: CR4.VME is set where it decides (SDM vol. 3A, 21.3).
    #[error("it depends on the virtual-8086 mode extensions, which are not supported")]
    Vme,
    /// It enters virtual-8086 mode, and the host that has to go on there has none. Said by the caller.
    #[error("it enters virtual-8086 mode, which this host's KVM does not have")]
    NoVirtual8086,
    /// x87, MMX, SSE or AVX.
    #[error("it is an x87, MMX, SSE or AVX instruction, which are not supported")]
    Fpu,
    /// Another instruction that nobody has taught it.
    #[error("it is not among those supported")]
    Unknown,
}
