//! SYSCALL on software KVMs that run ring 3 of long mode on the processor itself: they go on in ring 3 where it leads.
//!
//! On such a host a guest that runs freely is led to [`CALL_TRAP`], where nothing can run: it gets #PF there, and is caught
//! at the first instruction of its handler by a debug register, or by the shutdown where it has no handler. From ring 0
//! it gets no further than the trap, where there is another breakpoint. It is put back before SYSCALL, which is then done
//! by hand. What was on the handler's stack below its pointer is lost, as with any interrupt.

use super::undefined::TakenBack;
use crate::emulator::Outcome;
use crate::kvm::msrs::CALL_TRAP;
use crate::kvm::{Exit, GuestDebug, KvmError};
use crate::machine::{Machine, StopReason};
use crate::x86::debug::{DR6_BS, DebugSlot};
use crate::x86::instruction::{self, Kind, MAX_LEN};
use crate::x86::registers::{EFER_LMA, EFER_SCE, RFLAGS_FIXED, RFLAGS_RF};
use crate::x86::segment::read_descriptor;
use crate::x86::vectors::{self, DOUBLE_FAULT, PAGE_FAULT};
use crate::x86::{CpuState, Gpr, Linear};

/// Bytes of SYSCALL, without prefixes.
const SYSCALL_LEN: u64 = 2;

impl Machine {
    /// After an entry: if the guest has written LSTAR, traps its SYSCALL where this host does not do it right.
    pub(super) fn note_call_target(&mut self) -> Result<(), KvmError> {
        if self.vcpu.take_new_call_target() && !self.facts_during_run()?.syscall_changes_ring {
            self.vcpu.trap_calls();
            if self.may_call() {
                self.follow_into_long_mode();
            }
        }
        Ok(())
    }

    /// Whether SYSCALL is no invalid opcode. The write of EFER that enables it has an exit of its own, from which on the
    /// guest is followed as well.
    fn may_call(&self) -> bool {
        self.vcpu.cpu().efer & EFER_SCE != 0
    }

    /// `debug` with breakpoints in free registers where a trapped SYSCALL is caught. One that is an invalid opcode is
    /// trapped as well.
    pub(in crate::machine) fn with_call_guard(&self, debug: GuestDebug) -> GuestDebug {
        let mut debug = debug;
        if !self.vcpu.traps_calls() {
            return debug;
        }
        let pc = self.vcpu.cpu().pc();
        for addr in self.call_handler().into_iter().chain([CALL_TRAP]) {
            let slot = Some(DebugSlot::execute(addr));
            let wanted = addr != pc && !debug.slots.contains(&slot);
            if let Some(free) = debug.slots.iter_mut().find(|slot| wanted && slot.is_none()) {
                *free = slot;
            }
        }
        debug
    }

    /// Where the exception of a trapped SYSCALL leads. Read again at each entry, as of
    /// [`Machine::with_undefined_guard`].
    fn call_handler(&self) -> Option<Linear> {
        let cpu = self.vcpu.cpu();
        let handler = |vector| vectors::handler(cpu, self, vector);
        let is_long = cpu.efer & EFER_LMA != 0;
        is_long.then(|| handler(PAGE_FAULT).or_else(|| handler(DOUBLE_FAULT))).flatten()
    }

    /// Whether the way of a guest into long mode is to be followed until its trapped SYSCALL can be caught.
    pub(super) fn awaits_call_handler(&self) -> bool {
        self.vcpu.traps_calls() && self.may_call() && self.call_handler().is_none()
    }

    /// `exit`, unless it is that of a signal which has come before the exception of a trapped SYSCALL: then that is waited
    /// for. It would come later, wherever the guest is then.
    pub(super) fn settle_call(&mut self, exit: Exit) -> Result<Exit, KvmError> {
        let mut exit = exit;
        let mut kicked = false;
        while exit == Exit::Interrupted
            && self.vcpu.traps_calls()
            && self.vcpu.cpu().rip == CALL_TRAP.0
        {
            // A kick that is not taken ends each entry before it has begun.
            kicked |= self.vcpu.take_kick();
            exit = self.enter()?;
        }
        if kicked {
            self.vcpu.kicker().kick();
        }
        Ok(exit)
    }

    /// Whether `exit` is due to a trapped SYSCALL. If so, it is done. `before` are the registers at the last exit.
    pub(super) fn take_back_call(
        &mut self,
        exit: &Exit,
        before: &CpuState,
    ) -> Result<TakenBack, KvmError> {
        let may_be = matches!(
            exit,
            Exit::Debug { .. } | Exit::Shutdown | Exit::Interrupted | Exit::InterruptWindow
        );
        if !may_be || !self.vcpu.traps_calls() {
            return Ok(TakenBack::No);
        }
        let Some(mut cpu) = self.at_trap() else { return Ok(TakenBack::No) };
        // What SYSCALL keeps in RCX and R11.
        cpu.rip = cpu.get(Gpr::Rcx).wrapping_sub(SYSCALL_LEN);
        cpu.rflags = cpu.get(Gpr::R11) & !RFLAGS_RF | RFLAGS_FIXED;
        if cpu.cr2 == CALL_TRAP.0 {
            // Each page fault of the guest's has been an exit: it is that of the last.
            cpu.cr2 = before.cr2;
        }
        if !self.is_at_call(&cpu) {
            return Ok(TakenBack::No);
        }
        Ok(TakenBack::Completed(self.complete_call(&cpu)?))
    }

    /// Does the SYSCALL of `caller`.
    fn complete_call(&mut self, caller: &CpuState) -> Result<Option<StopReason>, KvmError> {
        self.stats.completed += 1;
        Ok(match self.execute_from(caller.clone())? {
            Ok((Outcome::Completed { single_step: true, .. }, stop)) => {
                stop.or(self.debug_trap(DR6_BS)?)
            }
            Ok((_, stop)) => stop,
            Err(unsupported) => {
                self.vcpu.set_cpu(caller)?;
                Some(self.beyond(unsupported))
            }
        })
    }

    /// The registers at the trap, if the guest is there or at the handler that it leads to.
    fn at_trap(&self) -> Option<CpuState> {
        let now = self.vcpu.cpu();
        if now.rip == CALL_TRAP.0 {
            return Some(now.clone());
        }
        if self.call_handler() != Some(now.pc()) {
            return None;
        }
        // Behind an error code.
        let [_, rip, cs, _, rsp, ss] = self.stack_words::<6>(8)?;
        if rip != CALL_TRAP.0 {
            return None;
        }
        let segment = |selector: u64| {
            let selector = u16::try_from(selector & 0xffff).ok()?;
            read_descriptor(now, self, selector).ok()
        };
        let mut cpu = now.clone();
        cpu.segments.cs = segment(cs)?;
        // Null in ring 0, and replaced at once.
        cpu.segments.ss = segment(ss).unwrap_or(cpu.segments.ss);
        *cpu.get_mut(Gpr::Rsp) = rsp;
        Some(cpu)
    }

    /// Whether the next instruction of `program` is SYSCALL.
    fn is_at_call(&self, program: &CpuState) -> bool {
        let mut bytes = [0; MAX_LEN];
        let len = self.read_linear(program.pc(), &mut bytes);
        let facts = instruction::decode(&bytes[..len], program.mode());
        facts.is_some_and(|facts| facts.kind == Kind::FastCall)
    }
}
