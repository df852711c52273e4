//! The breakpoints and watchpoints a user has set.
//!
//! Knows addresses only: conditions, numbers and commands are gdb's.

use std::collections::BTreeMap;

use crate::x86::Linear;

/// All breakpoints and watchpoints of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// Whether there are neither breakpoints nor watchpoints.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.is_empty() && self.watches.is_empty()
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
