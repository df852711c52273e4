//! Watchpoints at exits: accesses that KVM emulates, which no debug register sees.
//!
//! Those are the accesses to device memory, and those to RAM by an instruction that accesses a port or device
//! memory as well: INS, OUTS, and moves between RAM and a device.

use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::machine::step::repeat::counter_mask;
use crate::machine::{Machine, StopReason, Watch, WatchKind};
use crate::x86::instruction::{self, Facts, Kind, Rep};
use crate::x86::operands::{self, MemoryAccess};
use crate::x86::registers::RFLAGS_DF;
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
        if hits.is_empty() {
            return self.serve_or_end(exit, before);
        }
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
        match iteration {
            Some((rep, len, before)) => self.end_iteration(rep, len, &before)?,
            None => self.note_repetition(),
        }
        Ok(stop.or_else(|| self.watchpoint(&hits)))
    }

    /// Once a read of device memory has been answered, KVM goes on repeating until the next one: a counter of 1
    /// ends that after this iteration. Gives the repetition, its length and the registers before.
    fn hold_repetition(&mut self, exit: &Exit) -> Result<Option<(Rep, u8, CpuState)>, KvmError> {
        if !matches!(exit, Exit::MmioRead { .. }) {
            return Ok(None);
        }
        let before = self.vcpu.cpu().clone();
        let mut buffer = [0; 15];
        let len = self.code_bytes(&mut buffer);
        let facts = instruction::decode(&buffer[..len], before.mode());
        let Some(Facts { kind: Kind::Rep(rep), len, .. }) = facts else { return Ok(None) };
        if before.get(Gpr::Rcx) & counter_mask(rep) == 0 {
            return Ok(None);
        }
        self.count_one(rep)?;
        Ok(Some((rep, len, before)))
    }

    /// The numbers of the watchpoints that `exit` hits.
    fn watch_hits_by(&self, exit: &Exit) -> Vec<usize> {
        let watches = self.breakpoints.watches();
        if watches.is_empty() {
            return Vec::new();
        }
        let accesses = match exit {
            // Behind the instruction already, unless it repeats.
            Exit::MmioWrite { .. } => self.string_source().into_iter().collect(),
            Exit::PortRead(access) | Exit::PortWrite(access) => {
                self.accesses_here(u64::from(access.count))
            }
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
        pieces.iter().any(|(start, size)| {
            addr.0.wrapping_sub(start.0) < *size || start.0.wrapping_sub(addr.0) < len as u64
        })
    }

    /// What the instruction at CS:IP accesses, string input and output `count` times.
    fn accesses_here(&self, count: u64) -> Vec<MemoryAccess> {
        let cpu = self.vcpu.cpu();
        let mut buffer = [0; 15];
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

    /// The source of the MOVS that has just written: behind the processor or, while it repeats, in front.
    fn string_source(&self) -> Option<MemoryAccess> {
        let source = |back: u64| {
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rip = cpu.rip.checked_sub(back)?;
            let mut buffer = [0; 15];
            let read = self.read_linear(cpu.pc(), &mut buffer);
            let facts = instruction::decode(&buffer[..read], cpu.mode())?;
            let code = &buffer[..facts.len.into()];
            let is_it = match back {
                0 => matches!(facts.kind, Kind::Rep(_)),
                back => u64::from(facts.len) == back,
            };
            if !is_it || !matches!(code.last(), Some(0xa4 | 0xa5)) {
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

/// Longest MOVS worth looking back for: REP, operand and address size, segment, opcode.
const MAX_STRING_MOVE: u64 = 5;
