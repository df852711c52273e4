//! The account of a triple fault: which exception began it, what its entry in the interrupt table says, and
//! why the double fault found no handler either (SDM vol. 3A, 6.15, "Interrupt 8").
//!
//! Says only what is known: where the exception cannot be found out, the account ends there.

mod debug;
pub(super) mod raised;
mod rerun;
mod search;
mod stack;
mod task;
mod trial;

use std::fmt;

pub(super) use self::debug::ShutDownBy;
use self::raised::Imagined;
use super::{Machine, StopReason};
use crate::emulator::{self, BehindLimit, Cause, Delivery, Event, FailedDelivery, Fault};
use crate::kvm::KvmError;
use crate::x86::exceptions::{error_code_words, mnemonic, name};
use crate::x86::gate::Entry;
use crate::x86::registers::CR0_PE;
use crate::x86::vectors::{GENERAL_PROTECTION, INVALID_TSS, PAGE_FAULT, STACK_FAULT};
use crate::x86::{CpuState, disasm};

/// Why the processor shut down, in lines for the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    lines: Vec<String>,
}

impl Crash {
    /// The lines, without newlines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl Machine {
    /// The account of the shutdown that the machine stands at; nothing when it stands at none.
    #[must_use]
    pub fn crash(&self) -> Option<&Crash> {
        self.crash.as_ref()
    }

    /// A stop as the user gets it, with the account of a shutdown.
    pub(super) fn with_account(&mut self, stop: Result<StopReason, KvmError>) -> StopReason {
        let stop = stop.and_then(|stop| {
            if let Some(refused) = self.refused_paging_behind(&stop)? {
                self.shut_down_by = None;
                return Ok(refused);
            }
            if matches!(stop, StopReason::Shutdown { .. }) && !self.replays {
                self.account_for_shutdown()?;
            }
            Ok(stop)
        });
        let stop = stop.unwrap_or_else(|error| StopReason::HostFailure(error.with_cause()));
        self.note_stop(&stop);
        // A user who steps sees it.
        if !matches!(stop, StopReason::Stepped) {
            self.look_for_padding();
        }
        // Elsewhere the frame below the stack pointer may be that of a call of the firmware.
        if matches!(stop, StopReason::Kicked)
            && let Err(error) = self.look_for_unanswered()
        {
            return StopReason::HostFailure(error.with_cause());
        }
        stop
    }

    /// Puts the registers back that a shutdown has destroyed. `before` is the state at the last moment it was
    /// known: before the step if the guest was stepped, else at the last exit.
    pub(super) fn recover(&mut self, before: &CpuState) -> Result<(), KvmError> {
        self.inexact = None;
        if self.rerunning || self.replays {
            // Who runs it again goes back himself, or needs no more.
            return self.vcpu.revive(before);
        }
        self.rerunning = true;
        let stepped = self.vcpu.is_stepping();
        let found = self.find_shutdown(before);
        self.rerunning = false;
        // A piece may have ended while the exception was being raised: the instruction will raise it again.
        self.vcpu.drop_exception()?;
        if let Err(lost) = found? {
            self.vcpu.revive(before)?;
            if stepped {
                return Ok(());
            }
            self.inexact = Some(format!(
                "the shutdown has destroyed the registers: these are those at the last exit before it, \
                 and the instruction that did it was not found: {lost}"
            ));
        }
        Ok(())
    }

    /// Finds out why the instruction at CS:IP shuts the processor down. The registers are those before it.
    fn account_for_shutdown(&mut self) -> Result<(), KvmError> {
        let by = self.shut_down_by.take();
        if let Some(text) = self.inexact.take() {
            self.crash = Some(Crash { lines: vec![text] });
            return Ok(());
        }
        let cpu = self.vcpu.cpu().clone();
        if let Some(event) = self.interrupts.fatal.take() {
            let vector = event.vector;
            let mut lines = vec![format!(
                "an interrupt of a device came, vector {vector:#04x}, before {}",
                self.instruction_words(&cpu)
            )];
            lines.extend(self.chain(&cpu, event));
            self.crash = Some(Crash { lines });
            return Ok(());
        }
        let mut lines = Vec::new();
        let raised = self.raised_by(&cpu)?;
        if let Some(exception) = self.debug_exception(&cpu, &raised, by)? {
            lines.push(exception.words(&self.instruction_words(&cpu)));
            let event = Event::debug_trap(exception.cpu.rip);
            lines.extend(self.chain(&exception.cpu, event));
            if exception.doubtful
                && let Some((event, address)) = raised::event(raised, cpu.rip)
            {
                let line = self.first_line(&cpu, &event, address);
                lines.push(format!("or DR6 is left of an earlier one, and {line}"));
                lines.extend(self.chain(&cpu, event));
            }
            self.crash = Some(Crash { lines });
            return Ok(());
        }
        match raised::event(raised, cpu.rip) {
            Some((event, address)) => {
                lines.push(self.first_line(&cpu, &event, address));
                lines.extend(self.chain(&cpu, event));
            }
            None => {
                let (base, limit) = (cpu.idtr.base, cpu.idtr.limit);
                lines.push(format!(
                    "{} raised an exception; which one could not be found out \
                     (the IDT is at {base:#x}, limit {limit:#x})",
                    self.instruction_words(&cpu)
                ));
            }
        }
        self.crash = Some(Crash { lines });
        Ok(())
    }

    fn first_line(&self, cpu: &CpuState, event: &Event, address: Option<u64>) -> String {
        let instruction = self.instruction_words(cpu);
        match event.cause {
            Cause::SoftwareInterrupt => {
                format!("{instruction} calls interrupt {:#04x}", event.vector)
            }
            _ => {
                let what = exception_words(event.vector, told_code(cpu, event.error_code), address);
                let reason = self.limit_words(cpu, event).unwrap_or_default();
                format!("{instruction} raised {what}{reason}")
            }
        }
    }

    /// That a memory operand lies behind the limit of its segment, if that may be why the instruction raised `event`.
    fn limit_words(&self, cpu: &CpuState, event: &Event) -> Option<String> {
        let may_be = matches!(event.vector, GENERAL_PROTECTION | STACK_FAULT)
            && event.error_code.is_none_or(|code| code == 0);
        let behind = may_be.then(|| emulator::behind_limit(cpu, &mut Imagined(self))).flatten()?;
        let BehindLimit { segment, offset, limit } = behind;
        let segment = segment.as_str().to_uppercase();
        Some(format!(": {segment}:{offset:08x} reaches beyond the segment's limit, {limit:#x}"))
    }

    /// One line for each delivery that failed.
    fn chain(&self, cpu: &CpuState, event: Event) -> Vec<String> {
        let mut failures = Vec::new();
        let mut after = cpu.clone();
        let end = emulator::deliver_telling(&mut after, &mut Imagined(self), event, |failed| {
            failures.push(failed);
        });
        let mut lines: Vec<String> =
            failures.iter().map(|failed| self.failure_line(failed)).collect();
        match end {
            Ok(Delivery::Shutdown) => {}
            Ok(Delivery::Entered { vector }) => lines.push(format!(
                "the handler of {} could have been entered; this host's KVM shut the processor down instead",
                mnemonic(vector)
            )),
            Err(unsupported) => lines.push(format!("what came then is not known: {unsupported}")),
        }
        lines
    }

    fn failure_line(&self, failed: &FailedDelivery) -> String {
        let FailedDelivery { before: cpu, task, event, fault, next } = failed;
        let why = self.failure_words(cpu, task.as_ref(), event, fault);
        let then = match next {
            None => "the processor shuts down".to_owned(),
            Some(next) if next.vector == fault.vector => {
                let code =
                    told_code(cpu, next.error_code).map(|code| format!(" (error code {code:#x})"));
                format!("that raises {}{}", name(next.vector), code.unwrap_or_default())
            }
            Some(next) => {
                format!("that raises {} and so {}", mnemonic(fault.vector), name(next.vector))
            }
        };
        // An INT or a device's interrupt with the number of an exception is none.
        let what = match event.cause {
            Cause::SoftwareInterrupt | Cause::External => {
                format!("interrupt {:#04x}", event.vector)
            }
            _ => mnemonic(event.vector),
        };
        format!("{what} is not delivered: {why}; {then}")
    }

    /// Why `event` is not delivered with the registers `cpu`, or those of `task` that it has led to.
    fn failure_words(
        &self,
        cpu: &CpuState,
        task: Option<&CpuState>,
        event: &Event,
        fault: &Fault,
    ) -> String {
        let entry = Entry::read(cpu, self, event.vector);
        let vector = event.vector;
        if !entry.leads_on() {
            return format!("entry {vector} of the IDT {entry}");
        }
        if let Entry::Task { selector } = entry
            && (task.is_some() || fault.vector != PAGE_FAULT)
        {
            let words = match task {
                Some(task) => task::cannot_begin_words(task, fault),
                None => task::not_switched_words(cpu, self, selector),
            };
            return format!("entry {vector} of the IDT {words}");
        }
        match (fault.vector, fault.address) {
            (PAGE_FAULT, Some(addr)) => {
                let words = error_code_words(PAGE_FAULT, fault.error_code.unwrap_or(0));
                format!("{addr} is out of reach ({})", words.unwrap_or_default())
            }
            (STACK_FAULT, _) => {
                let stack = stack::handler_stack_words(cpu, self, vector);
                format!("its frame does not fit on {stack}")
            }
            (INVALID_TSS, _) => {
                let selector = cpu.tr.selector;
                format!("the task-state segment {selector:#06x} has no stack for its handler")
            }
            _ => format!("entry {vector} of the IDT {entry}, where it may not go"),
        }
    }

    /// The instruction at CS:IP of `cpu` with its bytes.
    pub(super) fn instruction_words(&self, cpu: &CpuState) -> String {
        let mut buffer = [0; 15];
        let read = self.read_linear(cpu.pc(), &mut buffer);
        let bytes = &buffer[..read];
        match disasm::disassemble(bytes, cpu.mode().code_bits(), cpu.rip) {
            None => format!("fetching the instruction at {}", cpu.location()),
            Some(_)
                if read == buffer.len() && disasm::is_too_long(&buffer, cpu.mode().code_bits()) =>
            {
                format!("an instruction of more than 15 bytes ({} and so on)", spaced(&bytes[..4]))
            }
            Some(code) if code.text == disasm::INVALID => {
                let shown = &bytes[..read.min(4)];
                format!("what is no instruction (bytes {})", spaced(shown))
            }
            Some(code) => format!("`{}` (bytes {})", code.text, spaced(&code.bytes)),
        }
    }
}

/// The error code that there is to tell of: real mode has none.
fn told_code(cpu: &CpuState, code: Option<u32>) -> Option<u32> {
    code.filter(|_| cpu.cr0 & CR0_PE != 0)
}

/// An exception with all that is known of it.
pub(super) fn exception_words(vector: u8, code: Option<u32>, address: Option<u64>) -> String {
    let mut text = name(vector);
    if let Some(address) = address {
        text.push_str(&format!(" at {address:#x}"));
    }
    if let Some(code) = code {
        let words = error_code_words(vector, code).map(|words| format!(": {words}"));
        text.push_str(&format!(" (error code {code:#x}{})", words.unwrap_or_default()));
    }
    text
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
