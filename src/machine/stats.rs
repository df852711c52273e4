//! Counters of a run: how guest, KVM and VMM shared the work.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::kvm::Exit;

/// Exits by reason and what else the machine counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    exits: BTreeMap<&'static str, Count>,
    total: u64,
    accesses: u64,
    /// Writes that KVM queued instead of leaving the guest.
    pub coalesced_writes: u64,
    /// Interrupts from devices that were delivered.
    pub interrupts: u64,
    /// Instructions executed one by one.
    pub steps: u64,
    /// Instructions that KVM refused and the machine executed in its place.
    pub completed: u64,
}

/// The exits of one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// Time inside KVM_RUN that ended with one.
    pub time: Duration,
}

impl Stats {
    /// Counts an exit after `time` in the guest.
    pub fn count(&mut self, exit: &Exit, time: Duration) {
        let count = self.exits.entry(exit.name()).or_default();
        count.number += 1;
        self.total += 1;
        self.accesses += u64::from(exit.is_access());
        count.time += time;
    }

    /// Exits by reason, in alphabetical order.
    pub fn exits(&self) -> impl Iterator<Item = (&'static str, Count)> + '_ {
        self.exits.iter().map(|(name, count)| (*name, *count))
    }

    /// Number of exits for accesses to ports and to memory that is not RAM.
    #[must_use]
    pub fn accesses(&self) -> u64 {
        self.accesses
    }

    /// Number of all exits.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl fmt::Display for Stats {
    /// A table: exits by reason with the time in the guest before them, then the other counters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16}{:>10}{:>14}", "exit", "count", "time in KVM")?;
        for (name, Count { number, time }) in self.exits() {
            writeln!(f, "{name:<16}{number:>10}{:>11.3} ms", time.as_secs_f64() * 1e3)?;
        }
        let time: Duration = self.exits.values().map(|count| count.time).sum();
        let total = self.total();
        writeln!(f, "{:<16}{total:>10}{:>11.3} ms", "all", time.as_secs_f64() * 1e3)?;
        write!(f, "writes queued by KVM without an exit: {}", self.coalesced_writes)?;
        if self.interrupts > 0 {
            write!(f, "\ninterrupts delivered: {}", self.interrupts)?;
        }
        if self.steps > 0 {
            write!(f, "\ninstructions executed one by one: {}", self.steps)?;
        }
        if self.completed > 0 {
            write!(f, "\ninstructions that KVM refused: {}", self.completed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_counted_by_reason() {
        let mut stats = Stats::default();
        for exit in [Exit::Hlt, Exit::Shutdown, Exit::Hlt] {
            stats.count(&exit, Duration::from_micros(500));
        }
        let counts: Vec<_> = stats.exits().map(|(name, count)| (name, count.number)).collect();
        assert_eq!(counts, [("HLT", 2), ("shutdown", 1)]);
        assert_eq!(stats.total(), 3);
        let text = stats.to_string();
        assert!(text.contains("HLT                      2      1.000 ms"), "{text}");
    }
}
