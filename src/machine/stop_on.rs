//! Stops that the user asks for besides breakpoints: at exceptions, before the guest's handler runs, and at
//! breakpoints in the guest's own source.
//!
//! Exceptions are noticed step by step. Debug registers on the handlers would be faster, but a guest may change
//! its tables or load others at any time without an exit, and an exception would be missed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::crash::exception_words;
use super::crash::raised::{self, Imagined};
use super::step::watch::Passage;
use super::{Machine, StopReason};
use crate::emulator::{self, Cause, Delivery, Event, Fault};
use crate::kvm::KvmError;
use crate::x86::exceptions::ExceptionSet;
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::registers::{CR0_PE, EFER_LMA, RFLAGS_RF};
use crate::x86::vectors::{DEBUG, DOUBLE_FAULT};
use crate::x86::{CpuState, Gpr, Linear};

/// What the machine stops on at the user's wish, and where it stands with that.
#[derive(Clone, Debug, Default)]
pub struct StopOn {
    /// Exceptions.
    pub exceptions: ExceptionSet,
    /// Breakpoints in the guest's source.
    pub marks: Marks,
    /// The stop has been told: the exception of the instruction here takes its course.
    told: Option<Linear>,
    /// Causes of a debug exception that is due before the next instruction.
    due_traps: u64,
}

/// Breakpoints that a guest's author writes into its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// INT3, the one-byte form. The guest's handler does not run.
    pub int3: bool,
    /// `xchg bx, bx`, which does nothing: the magic breakpoint of Bochs.
    pub xchg: bool,
    /// Accesses to these ports.
    pub ports: BTreeSet<u16>,
}

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

/// A stop at a breakpoint in the guest's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkStop {
    /// What it was.
    pub mark: Mark,
    /// Where it is; the next instruction is the one after it.
    pub location: String,
}

/// One kind of breakpoint in a guest's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// INT3.
    Int3,
    /// `xchg bx, bx`.
    Xchg,
    /// An access to a port.
    Port(u16),
}

impl StopOn {
    /// Whether the guest has to be stepped for it.
    #[must_use]
    pub fn needs_steps(&self) -> bool {
        !self.exceptions.is_empty() || self.marks.int3 || self.marks.xchg || self.due_traps != 0
    }

    /// Stops on these exceptions from now on.
    pub fn set_exceptions(&mut self, exceptions: ExceptionSet) {
        self.exceptions = exceptions;
        self.told = None;
    }

    /// Forgets where it stands: the guest starts anew.
    pub(super) fn reset(&mut self) {
        self.told = None;
        self.due_traps = 0;
    }
}

impl Machine {
    /// What the machine stops on besides breakpoints.
    #[must_use]
    pub fn stop_on(&self) -> &StopOn {
        &self.stop_on
    }

    /// The same, to be changed.
    pub fn stop_on_mut(&mut self) -> &mut StopOn {
        &mut self.stop_on
    }

    /// One step that stops at what the user wants to know of.
    pub(super) fn step_noticing(&mut self) -> Result<StopReason, KvmError> {
        if !self.stop_on.needs_steps() || self.halted {
            return self.step_watched();
        }
        let before = self.vcpu.cpu().clone();
        if self.stop_on.due_traps != 0 {
            let cause = std::mem::take(&mut self.stop_on.due_traps);
            self.stop_on.told = Some(before.pc());
            let stop = self.debug_trap(cause)?;
            self.stop_on.told = None;
            return Ok(stop.unwrap_or(StopReason::Stepped));
        }
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let facts = instruction::decode(&buffer[..len], before.mode());
        if let Some(Facts { kind: Kind::Int3, len, .. }) = facts
            && self.stop_on.marks.int3
        {
            return self.pass_int3(&before, len);
        }
        let is_mark =
            self.stop_on.marks.xchg && instruction::is_xchg_bx(&buffer[..len], before.mode());
        let mid_rep = self.mid_rep;
        let passes = self.stop_on.told == Some(before.pc());
        let stop = self.step_watched()?;
        match stop {
            // Nothing has run.
            StopReason::Kicked => return Ok(stop),
            StopReason::Exception(_) => return Ok(stop),
            _ => self.stop_on.told = None,
        }
        let stepped = matches!(stop, StopReason::Stepped | StopReason::Watchpoint(_));
        if is_mark && stop == StopReason::Stepped {
            return Ok(StopReason::Mark(MarkStop {
                mark: Mark::Xchg,
                location: before.location(),
            }));
        }
        if !stepped || passes || self.stop_on.exceptions.is_empty() {
            return Ok(stop);
        }
        let Some(found) = self.exception_entered(&before, facts)? else { return Ok(stop) };
        // What the exception wrote below the stack pointer stays; it will be written again.
        self.vcpu.set_cpu(&before)?;
        self.mid_rep = mid_rep;
        self.forget_checkpoint();
        self.stop_on.told = Some(before.pc());
        Ok(StopReason::Exception(found))
    }

    /// Goes past an INT3 that is a breakpoint.
    fn pass_int3(&mut self, before: &CpuState, len: u8) -> Result<StopReason, KvmError> {
        let mut cpu = before.clone();
        cpu.rflags &= !RFLAGS_RF;
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        self.stats.steps += 1;
        self.forget_checkpoint();
        Ok(StopReason::Mark(MarkStop { mark: Mark::Int3, location: before.location() }))
    }

    /// The exception that the step from `before` has ended in, if it is one of those to stop on.
    fn exception_entered(
        &mut self,
        before: &CpuState,
        facts: Option<Facts>,
    ) -> Result<Option<ExceptionStop>, KvmError> {
        let Some(by_fault) = self.entered_handler_by_fault(before, facts) else { return Ok(None) };
        let Some((event, address)) = raised::event(self.raised_by(before)?, before.rip) else {
            log::debug!("{}: a handler was entered, for an unknown reason", before.location());
            return Ok(None);
        };
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
        let Some((vector, error_code, address)) = found else { return Ok(None) };
        // Real mode has no error codes.
        let error_code = error_code.filter(|_| before.cr0 & CR0_PE != 0);
        Ok(Some(self.exception_stop(before, vector, error_code, address)))
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
    pub(super) fn stop_before_debug_exception(&mut self, trap: Option<u64>) -> Option<StopReason> {
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

    /// Tells the user once that the guest is stepped for this.
    pub(super) fn tell_stepping(&mut self) {
        if !std::mem::replace(&mut self.told_slow, true) {
            self.observer.notice(&format!(
                "the guest runs instruction by instruction now, tens of times slower: {}",
                self.stop_on
            ));
        }
    }
}

/// Why a text names no breakpoints in a guest's source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no breakpoint in source: int3, xchg, port=NUMBER, or none")]
pub struct ParseMarksError(String);

impl FromStr for Marks {
    type Err = ParseMarksError;

    /// Reads `int3`, `xchg` and `port=NUMBER` between commas, or `none`. A number is decimal, or hexadecimal
    /// after 0x.
    fn from_str(text: &str) -> Result<Marks, ParseMarksError> {
        let mut marks = Marks::default();
        if text.trim() == "none" {
            return Ok(marks);
        }
        for word in text.split(',').map(str::trim) {
            let bad = || ParseMarksError(word.to_owned());
            match word.split_once('=') {
                Some(("port", number)) => {
                    let port = match number.strip_prefix("0x") {
                        Some(digits) if !digits.starts_with('+') => u16::from_str_radix(digits, 16),
                        _ => number.parse(),
                    };
                    marks.ports.insert(port.map_err(|_| bad())?);
                }
                None if word == "int3" => marks.int3 = true,
                None if word == "xchg" => marks.xchg = true,
                _ => return Err(bad()),
            }
        }
        Ok(marks)
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(self.int3, "int3"), (self.xchg, "xchg")];
        let mut words: Vec<String> =
            named.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect();
        words.extend(self.ports.iter().map(|port| format!("port={port:#x}")));
        f.write_str(if words.is_empty() { "none".to_owned() } else { words.join(",") }.as_str())
    }
}

impl fmt::Display for StopOn {
    /// Why the guest is stepped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopOn { exceptions, marks, .. } = self;
        match (exceptions.is_empty(), marks.int3 || marks.xchg) {
            (false, true) => write!(f, "it is to stop on {exceptions} and on {marks}"),
            (false, false) => write!(f, "it is to stop on {exceptions}"),
            _ => write!(f, "it is to break on {marks}"),
        }
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

impl fmt::Display for MarkStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MarkStop { mark, location } = self;
        match mark {
            Mark::Int3 => write!(f, "{location}: int3, a breakpoint of the guest's own"),
            Mark::Xchg => write!(f, "{location}: xchg bx, bx, a breakpoint of the guest's own"),
            Mark::Port(port) => {
                write!(f, "{location}: access to port {port:#06x}, a breakpoint of the guest's own")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        let marks: Marks = "int3,port=0x8a00,port=233".parse().unwrap();
        assert_eq!(marks.to_string(), "int3,port=0xe9,port=0x8a00");
        assert!(!marks.xchg);
        assert_eq!("none".parse(), Ok(Marks::default()));
        assert_eq!(Marks::default().to_string(), "none");
        for bad in ["", "int3,", "int4", "port", "port=", "port=65536", "port=0x+1", "none,xchg"] {
            let error = bad.parse::<Marks>().unwrap_err().to_string();
            assert!(error.contains("is no breakpoint in source"), "{bad}: {error}");
        }
    }
}
