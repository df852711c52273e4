//! Watchpoints at exits: accesses that KVM emulates, which no debug register sees.
//!
//! Those are the accesses to device memory, and those to RAM by an instruction that accesses a port or device
//! memory as well: INS, OUTS, and moves between RAM and a device.

use crate::kvm::exit::PortAccess;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::machine::step::repeat::counter_mask;
use crate::machine::{Machine, StopReason, Watch, WatchKind};
use crate::x86::instruction::{self, Facts, Kind, Rep};
use crate::x86::operands::{self, MemoryAccess};
use crate::x86::registers::{RFLAGS_DF, RFLAGS_RF};
use crate::x86::{CpuState, Gpr, Linear, Phys};

impl Machine {
    /// Serves the access `exit` in a free run; if it touches a watched range, lets the instruction, or its
    /// iteration, finish and stops behind it.
    pub(in crate::machine) fn serve_watching(
        &mut self,
        exit: &Exit,
        before: &CpuState,
    ) -> Result<Option<StopReason>, KvmError> {
        let mut hits = self.watch_hits_by(exit);
        if let Exit::PortRead(access) = exit
            && (!hits.is_empty() || self.catches_input(access.port))
            && self.rep_here().is_some()
        {
            self.take_back_input(u64::from(access.count))?;
            return self.step_repetition();
        }
        if hits.is_empty() {
            return self.serve_or_end(exit, before);
        }
        let rip = self.vcpu.cpu().rip;
        let mut stop = self.serve(exit);
        let iteration = self.hold_repetition(exit)?;
        while let Completion::Exit(next) = self.complete()? {
            if !next.is_access() {
                break;
            }
            let more = self.watch_hits_by(&next);
            hits.extend(more.into_iter().filter(|hit| !hits.contains(hit)).collect::<Vec<_>>());
            stop = stop.or(self.serve(&next));
        }
        // OUT, not the OUTS before it: the processor was still at the instruction.
        let is_out = matches!(exit, Exit::PortWrite(_)) && self.vcpu.cpu().rip != rip;
        stop = stop.or(self.settle_repetition(iteration)?);
        if is_out {
            return Ok(stop);
        }
        Ok(stop.or_else(|| self.watchpoint(&hits)))
    }

    /// Whether the user wants to be stopped at input from `port`, perhaps of one element of an INS only.
    fn catches_input(&self, port: u16) -> bool {
        !self.rerunning && self.stop_on.catchpoints.wait_for_input(port)
    }

    /// Undoes a repeated INS for whose `count` elements KVM waits: it asks for as many as fit into a page, and then
    /// stores them all. It gets some that no device has given, and registers and memory are put back.
    fn take_back_input(&mut self, count: u64) -> Result<(), KvmError> {
        let before = self.vcpu.cpu().clone();
        let range = self.accesses_here(count).into_iter().find(|access| access.write);
        let contents = range.map(|access| {
            let mut bytes = vec![0; usize::try_from(access.len).unwrap_or_default()];
            let read = self.read_linear(access.addr, &mut bytes);
            bytes.truncate(read);
            (access.addr, bytes)
        });
        while let Completion::Exit(next) = self.complete()? {
            if !next.is_access() {
                break;
            }
        }
        // A fault at the destination, or the guest's own single-step.
        self.vcpu.drop_exception()?;
        self.vcpu.set_cpu(&before)?;
        if let Some((addr, bytes)) = contents {
            self.amend_linear(addr, &bytes);
        }
        Ok(())
    }

    /// Steps through the repetition at CS:IP until something stops it or it is over.
    fn step_repetition(&mut self) -> Result<Option<StopReason>, KvmError> {
        loop {
            match self.step_watched()? {
                StopReason::Stepped => {}
                stop => return Ok(Some(stop)),
            }
            if self.mid_rep.is_none() {
                return Ok(None);
            }
            // Steps that never enter the guest would not notice the kick.
            if self.vcpu.take_kick() {
                return Ok(Some(StopReason::Kicked));
            }
        }
    }

    /// The repeated string instruction at CS:IP, with its length; nothing when its counter is 0.
    pub(in crate::machine) fn rep_here(&self) -> Option<(Rep, u8)> {
        let counter = self.vcpu.cpu().get(Gpr::Rcx);
        self.repetition_here().filter(|(rep, _)| counter & counter_mask(*rep) != 0)
    }

    /// The same, whatever its counter is.
    fn repetition_here(&self) -> Option<(Rep, u8)> {
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let facts = instruction::decode(&buffer[..len], self.vcpu.cpu().mode());
        let Some(Facts { kind: Kind::Rep(rep), len, .. }) = facts else { return None };
        Some((rep, len))
    }

    /// Once a read of device memory has been answered, KVM goes on repeating until the next one: a counter of 1
    /// ends that after this iteration. Gives the repetition, its length and the registers before.
    pub(in crate::machine) fn hold_repetition(
        &mut self,
        exit: &Exit,
    ) -> Result<Option<HeldRepetition>, KvmError> {
        if !matches!(exit, Exit::MmioRead { .. }) {
            return Ok(None);
        }
        let Some((rep, len)) = self.rep_here() else { return Ok(None) };
        let before = self.vcpu.cpu().clone();
        self.count_one(rep)?;
        Ok(Some(HeldRepetition { rep, len, before }))
    }

    /// After an access that stops the guest: puts the processor where a step would have ended, if a repetition made it.
    /// `held` is what [`Machine::hold_repetition`] gave. A stop if the trap behind the repetition ends in one.
    pub(in crate::machine) fn settle_repetition(
        &mut self,
        held: Option<HeldRepetition>,
    ) -> Result<Option<StopReason>, KvmError> {
        match held {
            Some(HeldRepetition { rep, len, before }) => {
                self.end_iteration(rep, len, &before)?;
                Ok(None)
            }
            None if self.pass_finished_repetition()? => {
                let cause = self.single_step_cause();
                if cause == 0 { Ok(None) } else { self.debug_trap(cause) }
            }
            None => {
                self.note_repetition();
                Ok(None)
            }
        }
    }

    /// Moves the processor behind the repetition at CS:IP if its last element is done: KVM, which leaves the guest at
    /// each, gets past it with the next entry only. Until then it keeps RF set, as the processor does while it repeats
    /// (SDM vol. 3B, 18.3.1.1); a repetition that is to come and has nothing to repeat has it clear.
    pub(in crate::machine) fn pass_finished_repetition(&mut self) -> Result<bool, KvmError> {
        let cpu = self.vcpu.cpu();
        if cpu.rflags & RFLAGS_RF == 0 {
            return Ok(false);
        }
        let Some((rep, len)) = self.repetition_here() else { return Ok(false) };
        if cpu.get(Gpr::Rcx) & counter_mask(rep) != 0 {
            return Ok(false);
        }
        let mut behind = cpu.clone();
        behind.rflags &= !RFLAGS_RF;
        behind.advance(len);
        self.vcpu.set_cpu(&behind)?;
        Ok(true)
    }

    /// The numbers of the watchpoints that `exit` hits.
    fn watch_hits_by(&self, exit: &Exit) -> Vec<usize> {
        let watches = self.breakpoints.watches();
        if watches.is_empty() {
            return Vec::new();
        }
        let accesses = match exit {
            // Behind the instruction already, unless it repeats.
            Exit::MmioWrite { .. } => {
                let is_move = |code: &[u8], _: Kind| matches!(code.last(), Some(0xa4 | 0xa5));
                self.string_source(is_move).into_iter().collect()
            }
            Exit::PortWrite(access) => self.output_source(*access).into_iter().collect(),
            Exit::PortRead(access) => self.accesses_here(u64::from(access.count)),
            _ => self.accesses_here(1),
        };
        let is_hit = |watch: &Watch| {
            let counts = |read: bool, write: bool| match watch.kind {
                WatchKind::Write => write,
                WatchKind::Read => read,
                WatchKind::Access => true,
            };
            let device = match *exit {
                Exit::MmioRead { addr, len } => {
                    counts(true, false) && self.covers(watch, addr, len)
                }
                Exit::MmioWrite { addr, len, .. } => {
                    counts(false, true) && self.covers(watch, addr, len)
                }
                _ => false,
            };
            let touches = |access: &MemoryAccess| {
                counts(access.read, access.write) && access.overlaps(watch.addr, watch.len)
            };
            device || accesses.iter().any(touches)
        };
        (0..).zip(watches).filter(|(_, watch)| is_hit(watch)).map(|(number, _)| number).collect()
    }

    /// Whether any of the `len` bytes at `addr` is watched by `watch`.
    fn covers(&self, watch: &Watch, addr: Phys, len: usize) -> bool {
        let (pieces, _) = self.watched_pieces(watch);
        let addr = self.vm.ram().through_a20(addr);
        pieces.iter().any(|(start, size)| {
            let start = self.vm.ram().through_a20(*start);
            addr.0.wrapping_sub(start.0) < *size || start.0.wrapping_sub(addr.0) < len as u64
        })
    }

    /// What the instruction at CS:IP accesses, string input and output `count` times.
    fn accesses_here(&self, count: u64) -> Vec<MemoryAccess> {
        let cpu = self.vcpu.cpu();
        let mut buffer = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut buffer);
        let mut accesses = operands::accesses(&buffer[..len], cpu);
        if count > 1 {
            for access in &mut accesses {
                let more = access.len * (count - 1);
                if cpu.rflags & RFLAGS_DF != 0 {
                    access.addr = Linear(access.addr.0.wrapping_sub(more));
                }
                access.len += more;
            }
        }
        accesses
    }

    /// The source of the OUTS that has just written to a port.
    fn output_source(&self, access: PortAccess) -> Option<MemoryAccess> {
        // `out 0x6e, al` ends like OUTS.
        let mut immediate = [0; 2];
        let at = self.vcpu.cpu().pc().0.wrapping_sub(2);
        if self.read_linear(Linear(at), &mut immediate) != immediate.len() {
            return None;
        }
        let is_out = matches!(immediate, [0xe6 | 0xe7, port] if u16::from(port) == access.port);
        let is_output = |_: &[u8], kind: Kind| {
            matches!(kind, Kind::StringIo(io) | Kind::Rep(Rep { io: Some(io), .. })
                if !io.input && io.size == access.size)
        };
        let named = self.vcpu.cpu().get(Gpr::Rdx) & 0xffff == u64::from(access.port);
        if named && !is_out { self.string_source(is_output) } else { None }
    }

    /// What the string instruction that has just written has read: it is behind the processor or, while it
    /// repeats, in front. `is_it` tells it from others by its code and kind.
    fn string_source(&self, is_it: impl Fn(&[u8], Kind) -> bool) -> Option<MemoryAccess> {
        let source = |back: u64| {
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rip = cpu.rip.checked_sub(back)?;
            let mut buffer = [0; instruction::MAX_LEN];
            let read = self.read_linear(cpu.pc(), &mut buffer);
            let facts = instruction::decode(&buffer[..read], cpu.mode())?;
            let code = &buffer[..facts.len.into()];
            let is_here = match back {
                0 => matches!(facts.kind, Kind::Rep(_)),
                back => u64::from(facts.len) == back,
            };
            if !is_here || !is_it(code, facts.kind) {
                return None;
            }
            // As it was before the last element.
            *cpu.get_mut(Gpr::Rcx) = 1;
            let size = operands::accesses(code, &cpu).first()?.len;
            let down = cpu.rflags & RFLAGS_DF != 0;
            let moved = if down { size } else { size.wrapping_neg() };
            let rsi = cpu.get_mut(Gpr::Rsi);
            *rsi = rsi.wrapping_add(moved);
            operands::accesses(code, &cpu).into_iter().find(|access| access.read)
        };
        (0..=MAX_STRING_MOVE).find_map(source)
    }
}

/// A repetition that is to make one iteration: what it is, its length, and the registers before.
pub(in crate::machine) struct HeldRepetition {
    rep: Rep,
    len: u8,
    before: CpuState,
}

/// Longest string move or output worth looking back for: REP, operand and address size, segment, opcode.
const MAX_STRING_MOVE: u64 = 5;
