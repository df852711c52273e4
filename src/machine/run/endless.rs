//! The deadline on running: instructions that this host's KVM never gets past are noticed and completed by
//! hand.
//!
//! The first time at a place it takes the deadline to notice; then a spare debug register stops the guest there at once.
//! A host that has no such instructions, and refuses none by an #UD (see [`super::undefined`]), has no deadline.
//! Interrupts of real mode get here only where the guest has just loaded the base of its table (see
//! [`crate::kvm::Vcpu::trapped_interrupt`]): IF and AC are lost then.

use std::time::{Duration, Instant};

use super::free::{SITES, Site};
use crate::kvm::probe::{self, HostFacts};
use crate::kvm::{Deadline, KvmError};
use crate::machine::{Machine, StopReason};
use crate::x86::instruction::{self, Hazard, Kind};
use crate::x86::{CpuMode, Gpr, Linear, Segment};

/// How often a guest that runs on is looked at.
const PERIOD: Duration = Duration::from_millis(1);
/// When a guest is looked at first while nobody knows yet whether that is needed: finding out takes longer
/// than most runs.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// So many waits for the deadline in one run are enough: stepping is faster then.
const MAX_WAITS: u32 = 32;

/// The deadline, and where it has struck.
#[derive(Debug, Default)]
pub(in crate::machine) struct Guard {
    deadline: Option<Deadline>,
    /// When it strikes next, and how often it does.
    next: Option<(Instant, Duration)>,
    /// Places of endless instructions, the latest first.
    sites: Vec<Site>,
    /// How often the deadline was needed in this run.
    waits: u32,
}

/// An instruction that this host's KVM never gets past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndlessInstruction {
    /// An interrupt, or a load of a segment from a table where no RAM is.
    ByHand,
    Hypercall,
}

impl Guard {
    /// A run begins.
    pub(in crate::machine) fn begin(&mut self) {
        self.waits = 0;
    }

    /// Starts the deadline for what is about to run, if this host needs one or the caller does.
    pub(in crate::machine) fn watch(&mut self, recheck: bool) -> Result<(), KvmError> {
        let period = match probe::known_facts() {
            Some(facts) if recheck || facts.needs_deadline() => PERIOD,
            Some(_) => return Ok(()),
            None => FIRST_LOOK,
        };
        let deadline = match self.deadline.take() {
            Some(deadline) => deadline,
            None => Deadline::new()?,
        };
        self.deadline.insert(deadline).start(period);
        self.next = Some((Instant::now() + period, period));
        Ok(())
    }

    /// Whether the deadline has struck since the last call. Other signals end an entry as well.
    pub(in crate::machine) fn has_struck(&mut self) -> bool {
        let now = Instant::now();
        let Some((next, period)) = &mut self.next else { return false };
        let struck = now >= *next;
        if struck {
            *next = now + *period;
        }
        struck
    }

    /// Stops the deadline: nothing runs.
    pub(in crate::machine) fn rest(&mut self) {
        if let Some(deadline) = &mut self.deadline {
            deadline.stop();
        }
        self.next = None;
    }

    /// Whether waiting for the deadline has become slower than stepping.
    pub(in crate::machine) fn steps_instead(&self) -> bool {
        self.waits >= MAX_WAITS
    }

    /// The places of endless instructions, the latest first.
    pub(in crate::machine) fn sites(&self) -> impl Iterator<Item = Linear> + '_ {
        self.sites.iter().copied()
    }

    pub(in crate::machine) fn has_site(&self, pc: Linear) -> bool {
        self.sites.contains(&pc)
    }

    fn remember(&mut self, pc: Linear) {
        if self.sites.first() != Some(&pc) {
            self.forget(pc);
            self.sites.insert(0, pc);
            self.sites.truncate(SITES);
        }
    }

    fn forget(&mut self, pc: Linear) {
        self.sites.retain(|site| *site != pc);
    }
}

impl Machine {
    /// After the deadline has struck: looks whether the guest hangs, and if so helps it on.
    pub(in crate::machine) fn look_after_deadline(
        &mut self,
    ) -> Result<Option<StopReason>, KvmError> {
        let pc = self.vcpu.cpu().pc();
        let facts = self.facts_during_run()?;
        let stop = self.pass_endless(facts)?;
        if self.vcpu.cpu().pc() != pc {
            self.guard.waits += 1;
        }
        Ok(stop)
    }

    /// What this host does, asked while the deadline is set.
    pub(in crate::machine) fn facts_during_run(&mut self) -> Result<&'static HostFacts, KvmError> {
        if let Some(facts) = probe::known_facts() {
            return Ok(facts);
        }
        // Its signals would interrupt the probes.
        self.guard.rest();
        let facts = probe::host_facts()?;
        // From now on as often as this host needs it.
        self.guard.watch(false)?;
        Ok(facts)
    }

    /// Completes the next instruction if it is one that this host never gets past.
    pub(in crate::machine) fn pass_endless(
        &mut self,
        facts: &HostFacts,
    ) -> Result<Option<StopReason>, KvmError> {
        let pc = self.vcpu.cpu().pc();
        let Some(endless) = self.endless_instruction(facts) else {
            self.guard.forget(pc);
            return Ok(None);
        };
        self.guard.remember(pc);
        match endless {
            EndlessInstruction::ByHand => {
                let by_hand = |machine: &mut Machine| match machine.complete_at_pc()? {
                    Ok(stop) => Ok(stop.unwrap_or(StopReason::Stepped)),
                    Err(_) => machine.try_step(),
                };
                match self.watched(by_hand)? {
                    StopReason::Stepped => {}
                    stop => return Ok(Some(stop)),
                }
            }
            EndlessInstruction::Hypercall => self.answer_hypercall()?,
        }
        Ok(self.breakpoint_here())
    }

    /// An interrupt of real mode whose frame is pushed goes on to its handler (SDM vol. 3A, 21.1.4).
    pub(in crate::machine) fn lead_to_handler(&mut self, vector: u8) -> Result<(), KvmError> {
        // Where there is no memory the entry reads as zeros; the table's page always is RAM.
        let mut entry = [0; 4];
        let at = Linear(self.vcpu.cpu().idtr.base).offset(u64::from(vector) * 4);
        let _ = self.read_linear(at, &mut entry);
        let [ip_low, ip_high, cs_low, cs_high] = entry;
        let selector = u16::from_le_bytes([cs_low, cs_high]);
        let mut cpu = self.vcpu.cpu().clone();
        cpu.segments.cs = Segment { selector, base: u64::from(selector) << 4, ..cpu.segments.cs };
        cpu.rip = u16::from_le_bytes([ip_low, ip_high]).into();
        self.stats.completed += 1;
        self.vcpu.set_cpu(&cpu)
    }

    /// The guest may have been left between an interrupt and its trap, which nobody is to see, and no step gets out of:
    /// it goes on to the handler. Gives the stop there.
    pub(in crate::machine) fn leave_trap(&mut self) -> Result<Option<StopReason>, KvmError> {
        let Some(vector) = self.vcpu.trapped_interrupt() else { return Ok(None) };
        self.lead_to_handler(vector)?;
        Ok(self.breakpoint_here())
    }

    /// Whether the next instruction is one that this host never gets past.
    pub(in crate::machine) fn is_endless(&self, facts: &HostFacts) -> bool {
        self.endless_instruction(facts).is_some()
    }

    fn endless_instruction(&self, facts: &HostFacts) -> Option<EndlessInstruction> {
        let cpu = self.vcpu.cpu();
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let endless = &facts.endless;
        match &buffer[..len] {
            [0x0f, 0x01, 0xc1, ..] if endless.vmcall && cpu.cpl() == 0 => {
                Some(EndlessInstruction::Hypercall)
            }
            [0x0f, 0x01, 0xd9, ..] if endless.vmmcall && cpu.cpl() == 0 => {
                Some(EndlessInstruction::Hypercall)
            }
            code => {
                let facts = instruction::decode(code, cpu.mode())?;
                let is_interrupt = endless.int_80h_real
                    && cpu.mode() == CpuMode::Real
                    && matches!(facts.kind, Kind::Int(0x80..));
                let hangs = is_interrupt
                    || facts.hazard == Hazard::LoadSegment && self.has_table_outside_ram();
                hangs.then_some(EndlessInstruction::ByHand)
            }
        }
    }

    /// VMCALL and VMMCALL as KVM on hardware answers calls that it does not know: RAX = -KVM_ENOSYS
    /// (Documentation/virt/kvm/x86/hypercalls.rst).
    pub(in crate::machine) fn answer_hypercall(&mut self) -> Result<(), KvmError> {
        const KVM_ENOSYS: i64 = 1000;
        let mut cpu = self.vcpu.cpu().clone();
        let answer = (-KVM_ENOSYS) as u64;
        let wide = cpu.mode() == CpuMode::Long64;
        *cpu.get_mut(Gpr::Rax) = if wide { answer } else { answer & 0xffff_ffff };
        cpu.advance(3);
        self.vcpu.set_cpu(&cpu)
    }
}
