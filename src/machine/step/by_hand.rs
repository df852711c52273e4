//! Instructions that the step engine executes itself, because no trap stops behind them in time, or because
//! the host's KVM cannot run them.

use super::Step;
use crate::bios::Service;
use crate::emulator::{self, Outcome, Unsupported};
use crate::kvm::{KvmError, probe};
use crate::machine::crash::raised::Imagined;
use crate::machine::{Machine, StopReason};
use crate::x86::instruction::Facts;
use crate::x86::registers::RFLAGS_RF;
use crate::x86::vectors::{self, INVALID_OPCODE};
use crate::x86::{CpuMode, Linear};

/// The last byte of the longest descriptor table that selectors reach.
const LONGEST_TABLE: u32 = 0xffff;

impl Machine {
    /// HLT needs no processor: the next instruction is behind it, and the processor waits there.
    pub(super) fn step_hlt(&mut self, len: u8) -> Result<Step, KvmError> {
        self.step_over_hlt(len)?;
        self.halted = true;
        Ok(Step::stopped(self.halted_stop()))
    }

    /// The call of a service of the firmware: the instruction is an OUT that no device sees.
    pub(super) fn step_trap(&mut self, service: Service, len: u8) -> Result<Step, KvmError> {
        self.step_over_hlt(len)?;
        let stop = self.serve_trap(service)?;
        Ok(Step { stop: stop.unwrap_or(StopReason::Stepped), completed: true })
    }

    /// HLT that something ends at once.
    pub(super) fn step_over_hlt(&mut self, len: u8) -> Result<Step, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        cpu.rflags &= !RFLAGS_RF;
        cpu.advance(len);
        self.vcpu.set_cpu(&cpu)?;
        Ok(Step::COMPLETED)
    }

    /// What is no instruction raises #UD, whatever else is wrong with it. A software KVM may look at its operand
    /// first and raise another exception, or lose the upper half of ESP in real mode.
    pub(super) fn step_invalid(&mut self) -> Result<Step, KvmError> {
        if !probe::host_facts()?.refuses_integers() {
            return self.step_by_trap_flag(None);
        }
        match self.step_emulated()? {
            Ok(step) => Ok(step),
            Err(_) => self.step_by_trap_flag(None),
        }
    }

    /// An instruction by [`crate::emulator`]; by the processor if it is beyond that.
    ///
    /// Stepped under the trap flag, an interrupt runs its whole handler on hardware, and hangs in some software
    /// KVMs; an IRET gives the guest's trap flag away; MOV SS and POP SS hold back the trap until the instruction after
    /// them has run, too.
    pub(super) fn step_by_hand(&mut self, facts: Facts) -> Result<Step, KvmError> {
        match self.step_emulated()? {
            Ok(step) => Ok(step),
            Err(_) if facts.branches => self.step_by_trap_flag(Some(facts)),
            Err(Unsupported::Fpu) => self.step_fpu(facts),
            Err(_) => self.step_forward(facts),
        }
    }

    /// An instruction by [`crate::emulator`]; nothing has happened if it is beyond that.
    fn step_emulated(&mut self) -> Result<Result<Step, Unsupported>, KvmError> {
        Ok(self.execute_at_pc()?.map(|executed| match executed {
            (_, Some(stop)) => Step::stopped(stop),
            (Outcome::Completed { .. }, None) => Step::COMPLETED,
            (Outcome::Entered { .. } | Outcome::Shutdown, None) => Step::ENTERED,
        }))
    }

    /// An instruction that touches only registers, which costs many times as much by way of a software KVM. Those that
    /// the emulator does not know are left to that.
    pub(super) fn step_in_registers(&mut self, facts: Facts) -> Result<Step, KvmError> {
        if self.vcpu.take_kick() {
            return Ok(Step::stopped(StopReason::Kicked));
        }
        match self.step_emulated()? {
            Ok(step) => Ok(step),
            Err(_) if facts.branches => self.step_branch(facts),
            Err(_) => self.step_plain(facts),
        }
    }

    /// Whether the next instruction, a far transfer, leads to another task.
    pub(super) fn switches_task(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let has_tasks = matches!(cpu.mode(), CpuMode::Protected16 | CpuMode::Protected32);
        has_tasks && emulator::switches_task(cpu, &mut Imagined(self))
    }

    /// Whether a descriptor table reaches where no RAM is. KVM reads none there, and executes an instruction that
    /// needs one for ever.
    pub(in crate::machine) fn has_table_outside_ram(&self) -> bool {
        let cpu = self.vcpu.cpu();
        if cpu.mode().has_paragraph_segments() {
            return false;
        }
        let global = (cpu.gdtr.base, cpu.gdtr.limit.into());
        let has_local = !cpu.ldtr.access.unusable && cpu.ldtr.selector & !3 != 0;
        let local = has_local.then_some((cpu.ldtr.base, cpu.ldtr.limit.min(LONGEST_TABLE)));
        let is_outside = |at: Linear| {
            self.translate(at).is_ok_and(|there| self.vm.ram().contiguous(there.phys, 1) == 0)
        };
        [Some(global), local].into_iter().flatten().any(|(base, limit): (u64, u32)| {
            let ends = [Linear(base), Linear(base).offset(limit.into())];
            let pages = (1..=u64::from(limit >> 12)).map(|n| Linear(base).offset(n << 12));
            ends.into_iter().chain(pages).any(is_outside)
        })
    }

    /// An instruction that only KVM can execute, if anything can. Outside ring 0 a software KVM makes #UD of one that
    /// it does not know, where the processor itself would have executed it.
    fn step_fpu(&mut self, facts: Facts) -> Result<Step, KvmError> {
        let before = self.vcpu.cpu().clone();
        let step = self.step_forward(facts)?;
        let native = before.mode() == CpuMode::Long64;
        let cpu = self.vcpu.cpu();
        if native
            || step.completed
            || vectors::handler(cpu, self, INVALID_OPCODE) != Some(cpu.pc())
            || self.pushed_flags(&before).is_none()
        {
            return Ok(step);
        }
        // What was on ring 0's stack below its pointer is lost, as with any interrupt.
        self.vcpu.set_cpu(&before)?;
        Ok(Step::stopped(self.beyond(Unsupported::Fpu)))
    }
}
