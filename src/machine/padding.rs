//! A guest that has run off the end of its program: it executes the zeros that fill memory, each pair of them an
//! `add [bx+si], al`, and the signature of its boot sector; and nothing shows.
//!
//! Looked at when the guest has been left anyway, at a signal or at the end of a run, so it costs nothing; one that gets
//! out of the zeros between two looks goes unnoticed, as on a fast processor it does. So when a run has come to an
//! end that may be due to it, a second machine is run from the start, by exact steps, and those show it on any host. The
//! same is told if a look has found the guest among zeros, so that it does not depend on when that was. A debug register
//! on the signature would show it at once, but makes each exit dearer for every guest that has one.

use std::collections::BTreeSet;
use std::time::Duration;

use super::image::BOOT_SECTOR;
use super::record::Executed;
use super::replay::{Bounds, Replayed};
use super::{Machine, StopReason};
use crate::x86::{CpuMode, Linear, instruction};

/// So many zeros in front of the processor, and so many behind it, are no accident.
const BEFORE: usize = 32;
const AFTER: usize = 32;
/// Where the boot sector's signature is.
const SIGNATURE: Linear = Linear(BOOT_SECTOR.0 + 510);
const SIGNATURE_BYTES: [u8; 2] = [0x55, 0xaa];
/// What is behind it.
const BEHIND: Linear = Linear(BOOT_SECTOR.0 + 512);
/// Where a 16-bit program that starts at segment 0 can run on to.
const LAST: u64 = 0x1_0000;
/// What the second run may take.
const BOUNDS: Bounds = Bounds { steps: 20_000, time: Duration::from_millis(300) };
const END: &str = "it has run off the end of its program";
/// How what the second run has shown begins: it may have taken another course than the first.
const AGAIN: &str = "run once more from its start, the guest executes";

impl Machine {
    /// Tells the user, once, if the guest executes zeros.
    pub(super) fn look_for_padding(&mut self) {
        if self.told_padding || self.rerunning || self.replays || !self.is_in_zeros() {
            return;
        }
        self.told_padding = true;
        let text = self.way_off_its_end().unwrap_or_else(|| self.padding_here());
        self.tell(text);
    }

    /// After a run that has come to an end: tells the user, once, if the guest had run off the end of its program before.
    /// It takes some tenths of a second at most, and no time where the end is one that programs look for, unless it is
    /// among zeros behind the boot sector; nor where the guest is no 16-bit program of real mode.
    pub fn look_back_for_padding(&mut self) {
        if !self.told_padding && self.may_have_run_off() {
            self.look_back();
        }
    }

    /// The same of a guest that somebody has stopped, which takes time only among zeros behind the boot sector.
    pub fn look_back_at_a_pause(&mut self) {
        if !self.told_padding && self.is_behind_its_end() {
            self.look_back();
        }
    }

    fn look_back(&mut self) {
        if let Some(text) = self.way_off_its_end() {
            self.told_padding = true;
            self.tell(text);
        }
    }

    fn may_have_run_off(&self) -> bool {
        match self.last_stop() {
            Some(
                StopReason::Halted { .. }
                | StopReason::Exit { .. }
                | StopReason::PowerOff { .. }
                | StopReason::Reset { .. }
                | StopReason::Firmware { .. },
            ) => self.is_behind_its_end(),
            // It is known why.
            Some(
                StopReason::Refused(_)
                | StopReason::HostFailure(_)
                | StopReason::Unclaimed(_)
                | StopReason::Mark(_)
                | StopReason::Caught(_),
            ) => false,
            _ => true,
        }
    }

    /// Whether the guest is behind its boot sector, and zeros are there.
    fn is_behind_its_end(&self) -> bool {
        (BEHIND.0..LAST).contains(&self.vcpu.cpu().pc().0)
            && self.has_signature()
            && self.is_all_zeros(BEHIND, BEHIND.offset(AFTER as u64))
    }

    /// Whether the guest is 16-bit code of real mode, and has made no preparations for another mode.
    fn is_in_real_mode_since_its_start(&self) -> bool {
        let cpu = self.vcpu.cpu();
        cpu.mode() == CpuMode::Real && cpu.gdtr == self.reset_state.gdtr
    }

    /// What another run of the guest shows of how it has run off its end; looked for once.
    fn way_off_its_end(&mut self) -> Option<String> {
        let is_known = std::mem::replace(&mut self.looked_back, true);
        if is_known || self.altered || !self.is_in_real_mode_since_its_start() {
            return None;
        }
        self.replay_of_this()?.run_off_its_end()
    }

    /// Where a guest is that executes zeros; how it has come there nobody can tell.
    fn padding_here(&self) -> String {
        let location = self.vcpu.cpu().location();
        format!("{location}: the guest executes zeros: {END}, or gone astray")
    }

    /// Runs by steps until the guest executes what is no program, and says where, and how it has come there.
    fn run_off_its_end(&mut self) -> Option<String> {
        // The first of the zeros that are executed, and how the guest has come there if not through its program.
        let mut zeros: Option<(String, Option<String>)> = None;
        let mut way = Way::default();
        self.remember_instructions(1);
        let replayed = self.replay(BOUNDS, |machine, stop| {
            if stop.is_some() {
                return None;
            }
            if !machine.is_in_real_mode_since_its_start() {
                return Some(None);
            }
            let cpu = machine.vcpu.cpu();
            let (pc, location) = (cpu.pc(), cpu.location());
            let way = way.follow(machine);
            if pc == SIGNATURE && machine.has_signature() {
                return Some(Some(match &zeros {
                    Some((from, way)) => {
                        let way = way.as_ref().map(|way| format!("{way}; ")).unwrap_or_default();
                        format!("{from}: {AGAIN} zeros from here on, and its boot signature at {location}: {way}{END}")
                    }
                    None => {
                        let way = way.as_deref().unwrap_or(END);
                        format!("{location}: {AGAIN} its boot signature: {way}")
                    }
                }));
            }
            let is_zero = machine.is_all_zeros(pc, pc.offset(2));
            zeros = is_zero.then(|| zeros.take().unwrap_or((location, way)));
            let (from, way) = zeros.as_ref().filter(|_| machine.is_in_zeros())?;
            let way = way.as_deref().unwrap_or(END);
            Some(Some(format!("{from}: {AGAIN} zeros from here on: {way}")))
        });
        match replayed {
            Replayed::Found(text) => text,
            Replayed::Stopped(_) | Replayed::Spent => None,
        }
    }

    fn is_in_zeros(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let from = cpu.pc().0.checked_sub(BEFORE as u64).map(Linear);
        cpu.mode() != CpuMode::Long64
            && from.is_some_and(|from| self.is_all_zeros(from, cpu.pc().offset(AFTER as u64)))
    }

    fn has_signature(&self) -> bool {
        let mut bytes = [0; 2];
        self.read_linear(SIGNATURE, &mut bytes) == 2 && bytes == SIGNATURE_BYTES
    }

    /// Whether there is nothing but zeros from `from` to `to`, which may be 64 KiB behind.
    fn is_all_zeros(&self, from: Linear, to: Linear) -> bool {
        let Some(len) = to.0.checked_sub(from.0).filter(|len| *len < LAST) else { return false };
        let mut bytes = vec![1; usize::try_from(len).unwrap_or(0)];
        self.read_linear(from, &mut bytes) == bytes.len() && bytes.iter().all(|byte| *byte == 0)
    }
}

/// The way that a guest takes, step by step.
#[derive(Default)]
struct Way {
    /// Behind the last instruction.
    behind: Option<Linear>,
    /// Behind those that led elsewhere: calls may return there.
    returns: BTreeSet<Linear>,
}

impl Way {
    /// How `machine` has come to its next instruction, if from somewhere else than before that.
    fn follow(&mut self, machine: &Machine) -> Option<String> {
        let cpu = machine.vcpu.cpu();
        let mut code = [0; instruction::MAX_LEN];
        let len = machine.code_bytes(&mut code);
        let next = instruction::decode(&code[..len], cpu.mode());
        let behind_next = next.map(|facts| cpu.pc().offset(facts.len.into()));
        let behind = std::mem::replace(&mut self.behind, behind_next);
        if behind.is_none_or(|behind| behind == cpu.pc()) || self.returns.contains(&cpu.pc()) {
            return None;
        }
        self.returns.extend(behind);
        let Executed { location, text, .. } = machine.recent_instructions().pop()?;
        Some(format!("it has come there from {location}, `{text}`"))
    }
}
