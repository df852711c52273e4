//! Watchpoints, watched by the step engine: the operands of each instruction before it runs for reads,
//! the watched bytes before and after for writes, whoever makes them.

use crate::kvm::KvmError;
use crate::machine::breakpoints::{Watch, WatchKind};
use crate::machine::stop::WatchHit;
use crate::machine::{Machine, StopReason};
use crate::x86::operands::{self, MemoryAccess};

impl Machine {
    /// One step; an access to a watched range counts as the reason to stop when the step itself has
    /// none. Without watchpoints this is a plain step.
    pub(in crate::machine) fn step_watched(&mut self) -> Result<StopReason, KvmError> {
        if self.breakpoints.watches().is_empty() {
            return self.try_step();
        }
        let mut buffer = [0; 15];
        let len = self.code_bytes(&mut buffer);
        let accesses = operands::accesses(&buffer[..len], self.vcpu.cpu());
        let watches = self.breakpoints.watches().to_vec();
        let before: Vec<Vec<u8>> = watches.iter().map(|watch| self.watched_bytes(watch)).collect();

        let stop = self.try_step()?;
        if stop != StopReason::Stepped {
            return Ok(stop);
        }
        let hit = watches.iter().zip(before).find(|(watch, before)| {
            let written = || self.watched_bytes(watch) != *before;
            match watch.kind {
                WatchKind::Write => written() || touches(&accesses, watch, |access| access.write),
                WatchKind::Read => touches(&accesses, watch, |access| access.read),
                WatchKind::Access => written() || touches(&accesses, watch, |_| true),
            }
        });
        let Some((watch, before)) = hit else { return Ok(StopReason::Stepped) };
        self.before_hit = before;
        Ok(StopReason::Watchpoint(WatchHit { addr: watch.addr, kind: watch.kind }))
    }

    /// What was in the watched range before the access that stopped the guest last; of a long range, its
    /// beginning.
    #[must_use]
    pub fn bytes_before_hit(&self) -> &[u8] {
        &self.before_hit
    }

    fn watched_bytes(&self, watch: &Watch) -> Vec<u8> {
        let len = usize::try_from(watch.len).unwrap_or(MAX_COMPARED).min(MAX_COMPARED);
        let mut bytes = vec![0; len];
        let read = self.read_linear(watch.addr, &mut bytes);
        bytes.truncate(read);
        bytes
    }
}

/// Longest range whose contents are compared after each step; of a longer one the operands decide.
const MAX_COMPARED: usize = 4096;

fn touches(accesses: &[MemoryAccess], watch: &Watch, counts: fn(&MemoryAccess) -> bool) -> bool {
    accesses.iter().any(|access| counts(access) && access.overlaps(watch.addr, watch.len))
}
