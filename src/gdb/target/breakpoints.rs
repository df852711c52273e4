//! Breakpoints and watchpoints: `Z0` to `Z4` and `z0` to `z4`.
//!
//! None is ever refused: for a refused `Z0` gdb would write into guest memory itself, for a refused `Z2` it
//! would not resume any more. The machine finds a way to watch for all of them.

use std::collections::BTreeMap;

use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};

use super::Guest;
use crate::machine;
use crate::x86::Linear;

/// The breakpoints that the client has inserted, by the packet that did it: a stop has to name the same.
#[derive(Clone, Debug, Default)]
pub struct Inserted {
    software: BTreeMap<Linear, usize>,
    hardware: BTreeMap<Linear, usize>,
}

impl Inserted {
    /// Whether a `Z0` is in force at `addr`.
    #[must_use]
    pub fn software(&self, addr: Linear) -> bool {
        self.software.contains_key(&addr)
    }

    /// Whether a `Z1` is in force at `addr`.
    #[must_use]
    pub fn hardware(&self, addr: Linear) -> bool {
        self.hardware.contains_key(&addr)
    }
}

/// Counts one more; gdb may insert the same breakpoint again after a reconnect.
fn insert(table: &mut BTreeMap<Linear, usize>, addr: Linear) {
    *table.entry(addr).or_default() += 1;
}

/// Counts one less; false if there was none.
fn remove(table: &mut BTreeMap<Linear, usize>, addr: Linear) -> bool {
    match table.get_mut(&addr) {
        Some(1) => table.remove(&addr).is_some(),
        Some(count) => {
            *count -= 1;
            true
        }
        None => false,
    }
}

impl Breakpoints for Guest<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Guest<'_> {
    fn add_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        insert(&mut self.inserted.software, Linear(addr));
        self.machine.breakpoints_mut().insert(Linear(addr));
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let found = remove(&mut self.inserted.software, Linear(addr));
        Ok(found && self.machine.breakpoints_mut().remove(Linear(addr)))
    }
}

impl HwBreakpoint for Guest<'_> {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        insert(&mut self.inserted.hardware, Linear(addr));
        self.machine.breakpoints_mut().insert(Linear(addr));
        Ok(true)
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let found = remove(&mut self.inserted.hardware, Linear(addr));
        Ok(found && self.machine.breakpoints_mut().remove(Linear(addr)))
    }
}

impl HwWatchpoint for Guest<'_> {
    fn add_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        self.machine.breakpoints_mut().insert_watch(watch(addr, len, kind));
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.machine.breakpoints_mut().remove_watch(watch(addr, len, kind)))
    }
}

fn watch(addr: u64, len: u64, kind: WatchKind) -> machine::Watch {
    let kind = match kind {
        WatchKind::Write => machine::WatchKind::Write,
        WatchKind::Read => machine::WatchKind::Read,
        WatchKind::ReadWrite => machine::WatchKind::Access,
    };
    machine::Watch { addr: Linear(addr), len: len.max(1), kind }
}
