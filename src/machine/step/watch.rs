//! Watchpoints, watched by the step engine: the operands of each instruction before it runs, the frame of an
//! interrupt that it enters, and the watched bytes before and after, whoever changes them.
//!
//! An access counts when its instruction has run. One that ends in a fault has accessed nothing but the
//! frame. What the processor reads for itself, such as descriptors and vectors, is no access of the guest's.

use crate::kvm::KvmError;
use crate::machine::breakpoints::{Watch, WatchKind};
use crate::machine::{Machine, StopReason};
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::operands::{self, MemoryAccess};
use crate::x86::registers::{EFER_LMA, RFLAGS_TF};
use crate::x86::{CpuMode, CpuState};

impl Machine {
    /// One step; an access to a watched range counts as the reason to stop when the step itself has
    /// none. Without watchpoints this is a plain step.
    pub(in crate::machine) fn step_watched(&mut self) -> Result<StopReason, KvmError> {
        let accesses =
            |machine: &Machine| (machine.stats.accesses(), machine.stats.coalesced_writes);
        let (before, exits) = (accesses(self), self.stats.total());
        let stop = self.watched(Machine::try_step);
        // What is done by hand leaves the processor as it is.
        if self.stats.total() != exits {
            self.trap_may_linger = self.stepped_special || accesses(self) != before;
        }
        stop
    }

    /// What `step`, which executes one instruction, comes to; an access to a watched range counts as the
    /// reason to stop when `step` has none.
    pub(in crate::machine) fn watched(
        &mut self,
        step: impl FnOnce(&mut Machine) -> Result<StopReason, KvmError>,
    ) -> Result<StopReason, KvmError> {
        if self.breakpoints.watches().is_empty() {
            return step(self);
        }
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let before = self.vcpu.cpu().clone();
        let operands = operands::accesses(&buffer[..len], &before);
        let contents: Vec<Vec<u8>> =
            self.breakpoints.watches().iter().map(|watch| self.watched_bytes(watch)).collect();

        let stop = step(self)?;
        if stop != StopReason::Stepped {
            return Ok(stop);
        }
        let facts = instruction::decode(&buffer[..len], before.mode());
        let accesses = match self.passage(&before, facts) {
            Passage::Through => {
                operands.into_iter().chain(self.debug_frame(&before, facts)).collect()
            }
            Passage::Interrupt(frame) => operands.into_iter().chain([frame]).collect(),
            Passage::Fault(frame) => vec![frame],
        };
        let is_hit = |watch: &Watch, contents: &Vec<u8>| {
            let written = || {
                let now = self.watched_bytes(watch);
                // What the guest has unmapped nobody has written to. What it has mapped has changed for a user who
                // saw nothing there.
                now.len() >= contents.len() && now != *contents
            };
            match watch.kind {
                WatchKind::Write => touches(&accesses, watch, |access| access.write) || written(),
                WatchKind::Read => touches(&accesses, watch, |access| access.read),
                WatchKind::Access => touches(&accesses, watch, |_| true) || written(),
            }
        };
        let watches = (0..).zip(self.breakpoints.watches()).zip(&contents);
        let hits: Vec<usize> = watches
            .filter(|((_, watch), contents)| is_hit(watch, contents))
            .map(|((number, _), _)| number)
            .collect();
        Ok(self.watchpoint(&hits).unwrap_or(StopReason::Stepped))
    }

    fn watched_bytes(&self, watch: &Watch) -> Vec<u8> {
        let len = usize::try_from(watch.len).unwrap_or(MAX_COMPARED).min(MAX_COMPARED);
        let mut bytes = vec![0; len];
        let read = self.read_linear(watch.addr, &mut bytes);
        bytes.truncate(read);
        bytes
    }

    /// How the step from `before` over the instruction of `facts` has ended.
    pub(in crate::machine) fn passage(&self, before: &CpuState, facts: Option<Facts>) -> Passage {
        let cpu = self.vcpu.cpu();
        let mut next = before.clone();
        next.advance(facts.map_or(0, |facts| facts.len));
        let software =
            matches!(facts, Some(Facts { kind: Kind::Int(_) | Kind::Int3 | Kind::Into, .. }));
        let same_code = cpu.segments.cs.selector == before.segments.cs.selector;
        let repeats = matches!(facts, Some(Facts { kind: Kind::Rep(_), .. }));
        if same_code && (cpu.rip == next.rip || repeats && cpu.rip == before.rip) {
            return Passage::Through;
        }
        if software && let Some(frame) = self.interrupt_frame(before, next.rip) {
            return Passage::Interrupt(frame);
        }
        self.interrupt_frame(before, before.rip).map_or(Passage::Through, Passage::Fault)
    }

    /// The frame of a debug exception that came behind the instruction of `facts`: an INT1, or one executed with the
    /// trap flag set that goes on behind itself.
    fn debug_frame(&self, before: &CpuState, facts: Option<Facts>) -> Option<MemoryAccess> {
        let facts = facts?;
        let raises = facts.kind == Kind::Int1 || before.rflags & RFLAGS_TF != 0;
        let mut next = before.clone();
        next.advance(facts.len);
        let entered = raises && self.vcpu.cpu().pc() != next.pc();
        entered.then(|| self.interrupt_frame(before, next.rip)).flatten()
    }

    /// The interrupt frame on top of the stack, if there is one that leads back to `rip` in the code segment of
    /// `before`, as the write that made it.
    fn interrupt_frame(&self, before: &CpuState, rip: u64) -> Option<MemoryAccess> {
        let cpu = self.vcpu.cpu();
        // IP, CS and FLAGS, with SP and SS above them where the stack was switched, always so in long mode, and
        // with ES, DS, FS and GS above those on the way out of virtual-8086 mode.
        let switched = cpu.cpl() != before.cpl() || cpu.efer & EFER_LMA != 0;
        let words = match (before.mode(), switched) {
            (CpuMode::Virtual8086, true) => 9,
            (_, true) => 5,
            (_, false) => 3,
        };
        let frame = self.pushed_frame(before, rip)?;
        let len = (words + frame.error_code) * frame.width;
        Some(MemoryAccess { addr: self.stack_address(0), len, read: false, write: true })
    }
}

/// How a step has ended.
pub(in crate::machine) enum Passage {
    /// Behind the instruction, or where it branches to.
    Through,
    /// In the handler that the instruction asks for, which this was written for.
    Interrupt(MemoryAccess),
    /// In a fault's handler.
    Fault(MemoryAccess),
}

/// Longest range whose contents are compared after each step; of a longer one the operands decide.
const MAX_COMPARED: usize = 4096;

fn touches(accesses: &[MemoryAccess], watch: &Watch, counts: fn(&MemoryAccess) -> bool) -> bool {
    accesses.iter().any(|access| counts(access) && access.overlaps(watch.addr, watch.len))
}
