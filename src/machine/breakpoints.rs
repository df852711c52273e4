//! The breakpoints and watchpoints a user has set, and how to watch for them.
//!
//! Knows addresses only: conditions, numbers and commands are gdb's.

use std::collections::BTreeMap;

use crate::kvm::GuestDebug;
use crate::x86::Linear;
use crate::x86::debug::{DEBUG_SLOTS, DebugSlot};

/// All breakpoints and watchpoints of a machine.
#[derive(Clone, Debug, Default)]
pub struct BreakpointSet {
    /// How often each address is set: gdb may set a software and a hardware breakpoint at one place.
    code: BTreeMap<Linear, u32>,
    watches: Vec<Watch>,
}

/// A watched range of linear addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// First byte.
    pub addr: Linear,
    /// Length in bytes, at least 1.
    pub len: u64,
    /// Which accesses count.
    pub kind: WatchKind,
}

/// Which accesses a watchpoint stops at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Writes.
    Write,
    /// Reads.
    Read,
    /// Both.
    Access,
}

/// How the machine looks out for the breakpoints while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// At full speed, the debug registers armed like this.
    DebugRegisters(GuestDebug),
    /// Instruction by instruction.
    StepEngine,
}

impl BreakpointSet {
    /// Sets a breakpoint; setting one twice counts.
    pub fn insert(&mut self, addr: Linear) {
        *self.code.entry(addr).or_default() += 1;
    }

    /// Takes back one [`BreakpointSet::insert`]; false when there is none at `addr`.
    pub fn remove(&mut self, addr: Linear) -> bool {
        let Some(count) = self.code.get_mut(&addr) else { return false };
        *count -= 1;
        if *count == 0 {
            self.code.remove(&addr);
        }
        true
    }

    /// Watches a range.
    pub fn insert_watch(&mut self, watch: Watch) {
        self.watches.push(watch);
    }

    /// Stops watching a range; false when it is not watched.
    pub fn remove_watch(&mut self, watch: Watch) -> bool {
        let found = self.watches.iter().position(|w| *w == watch);
        found.map(|index| self.watches.swap_remove(index)).is_some()
    }

    /// Takes all breakpoints and watchpoints back.
    pub fn clear(&mut self) {
        *self = BreakpointSet::default();
    }

    /// Whether a breakpoint is set at `addr`.
    #[must_use]
    pub fn contains(&self, addr: Linear) -> bool {
        self.code.contains_key(&addr)
    }

    /// The addresses with breakpoints, in ascending order.
    pub fn addresses(&self) -> impl Iterator<Item = Linear> + '_ {
        self.code.keys().copied()
    }

    /// The watched ranges.
    #[must_use]
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// The fastest way to hit all of them.
    #[must_use]
    pub fn plan(&self) -> Plan {
        if self.code.len() > DEBUG_SLOTS || !self.watches.is_empty() {
            return Plan::StepEngine;
        }
        let mut debug = GuestDebug::OFF;
        for (slot, addr) in debug.slots.iter_mut().zip(self.addresses()) {
            *slot = Some(DebugSlot::execute(addr));
        }
        Plan::DebugRegisters(debug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_breakpoints_fit_the_debug_registers_and_five_are_stepped_for() {
        let mut set = BreakpointSet::default();
        assert_eq!(set.plan(), Plan::DebugRegisters(GuestDebug::OFF));
        for addr in 0..4 {
            set.insert(Linear(addr));
        }
        let slots = [0, 1, 2, 3].map(|addr| Some(DebugSlot::execute(Linear(addr))));
        let all = GuestDebug { slots, ..GuestDebug::OFF };
        assert_eq!(set.plan(), Plan::DebugRegisters(all));
        set.insert(Linear(4));
        assert_eq!(set.plan(), Plan::StepEngine);
    }

    #[test]
    fn a_place_set_twice_stays_set_until_removed_twice() {
        let mut set = BreakpointSet::default();
        set.insert(Linear(5));
        set.insert(Linear(5));
        assert!(set.remove(Linear(5)) && set.contains(Linear(5)));
        assert!(set.remove(Linear(5)) && !set.contains(Linear(5)));
        assert!(!set.remove(Linear(5)));
    }
}
