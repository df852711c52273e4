//! Stops at catchpoints.
//!
//! A software interrupt is noticed at its instruction, step by step. A debug register on the handler that the
//! table names would be faster in real mode, and a watch on the table's entry would tell when it changes;
//! but the guest may load another table (LIDT) or switch to another mode without an exit, and an interrupt
//! would be missed.

use std::fmt;

use super::catchpoint::Catchpoint;
use crate::machine::{Machine, StopReason};
use crate::x86::instruction::{self, Kind};
use crate::x86::registers::RFLAGS_OF;
use crate::x86::vectors::{BREAKPOINT, DEBUG, OVERFLOW};
use crate::x86::{CpuMode, Gpr};

/// A stop at a catchpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The catchpoint's number.
    pub number: u32,
    /// What the guest was caught at.
    pub what: What,
    /// Where: the instruction of an interrupt or an access, the one after a switch of the mode.
    pub location: String,
}

/// What a guest is caught at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A software interrupt, which has not run.
    Interrupt {
        /// Its vector.
        vector: u8,
        /// `int3`, `into` or `int1` if it is another instruction than `int VECTOR`.
        other_form: Option<&'static str>,
        /// AX.
        ax: u16,
        /// The catchpoint asks for no more than AH or AL.
        half: Option<Half>,
    },
    /// An access to a port, which has been done.
    Port {
        /// The port that the instruction names.
        port: u16,
        /// Width in bytes: 1, 2 or 4.
        size: u8,
        /// Whether the guest has written.
        write: bool,
        /// What it has written or read.
        value: u32,
    },
    /// A switch of the processor's mode.
    ModeSwitch {
        /// The mode before.
        from: CpuMode,
        /// The mode now.
        to: CpuMode,
    },
}

/// A half of AX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Bits 8 to 15.
    Ah,
    /// Bits 0 to 7.
    Al,
}

impl Machine {
    /// An instruction has run, so that the next interrupt is another one.
    pub(in crate::machine) fn pass_interrupt(&mut self) {
        self.stop_on.caught = None;
    }

    /// The stop before the software interrupt at CS:IP, if it is caught and has not been told yet.
    pub(in crate::machine) fn catch_interrupt(&mut self) -> Option<StopReason> {
        let cpu = self.vcpu.cpu();
        let (pc, ax) = (cpu.pc(), (cpu.get(Gpr::Rax) & 0xffff) as u16);
        if !self.stop_on.catchpoints.need_steps() || self.halted || self.stop_on.caught == Some(pc)
        {
            return None;
        }
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        // Nearly all instructions have none of the opcodes.
        if !buffer[..len].iter().any(|byte| matches!(byte, 0xcc..=0xce | 0xf1)) {
            return None;
        }
        let (vector, other_form) = match instruction::decode(&buffer[..len], cpu.mode())?.kind {
            Kind::Int(vector) => (vector, None),
            Kind::Int3 => (BREAKPOINT, Some("int3")),
            Kind::Into if cpu.rflags & RFLAGS_OF != 0 => (OVERFLOW, Some("into")),
            Kind::Int1 => (DEBUG, Some("int1")),
            _ => return None,
        };
        let location = cpu.location();
        let entry = self.stop_on.catchpoints.hit(|point| point.catches_interrupt(vector, ax))?;
        let half = match entry.catchpoint {
            Catchpoint::Interrupt { ah: Some(_), al: None, .. } => Some(Half::Ah),
            Catchpoint::Interrupt { ah: None, al: Some(_), .. } => Some(Half::Al),
            _ => None,
        };
        let number = entry.number;
        self.stop_on.caught = Some(pc);
        let what = What::Interrupt { vector, other_form, ax, half };
        Some(StopReason::Caught(Caught { number, what, location }))
    }

    /// The stop behind an access of `size` bytes to `port`, if it is caught.
    pub(in crate::machine) fn catch_access(
        &mut self,
        port: u16,
        size: u8,
        write: bool,
        value: u32,
    ) -> Option<StopReason> {
        // A run that nobody is to hear of stops nowhere.
        if self.rerunning || self.stop_on.catchpoints.is_empty() {
            return None;
        }
        let entry =
            self.stop_on.catchpoints.hit(|point| point.catches_access(port, write, value))?;
        let number = entry.number;
        let location = self.port_instruction(port, size.into(), write);
        let what = What::Port { port, size, write, value };
        Some(StopReason::Caught(Caught { number, what, location }))
    }

    /// The stop behind the instruction that has led out of the mode `from`, if that is caught.
    pub(in crate::machine) fn catch_mode_switch(&mut self, from: CpuMode) -> Option<StopReason> {
        let to = self.vcpu.cpu().mode();
        if from == to {
            return None;
        }
        let location = self.vcpu.cpu().location();
        let number = self.stop_on.catchpoints.hit(|p| *p == Catchpoint::ModeSwitch)?.number;
        Some(StopReason::Caught(Caught { number, what: What::ModeSwitch { from, to }, location }))
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = &self.location;
        match &self.what {
            What::Interrupt { vector, other_form, ax, half } => {
                match other_form {
                    Some(name) => write!(f, "{name}, vector {vector:#04x}")?,
                    None => write!(f, "int {vector:#04x}")?,
                }
                let [al, ah] = ax.to_le_bytes();
                match half {
                    Some(Half::Ah) => write!(f, " with AH = {ah:#04x}, at {location}"),
                    Some(Half::Al) => write!(f, " with AL = {al:#04x}, at {location}"),
                    None => write!(f, " with AX = {ax:#06x}, at {location}"),
                }
            }
            What::Port { port, size, write, value } => {
                let (verb, to) = if *write { ("write", "to") } else { ("read", "from") };
                let bytes = if *size == 1 { "byte" } else { "bytes" };
                let width = 2 + 2 * usize::from(*size);
                write!(f, "{verb} of {value:#0width$x} ({size} {bytes}) ")?;
                write!(f, "{to} port {port:#06x}, at {location}")
            }
            What::ModeSwitch { from, to } => write!(f, "switch from {from} to {to}, at {location}"),
        }
    }
}
