//! Breakpoints and watchpoints: `Z0` to `Z4` and `z0` to `z4`.
//!
//! None is ever refused: for a refused `Z0` gdb would write into guest memory itself, for a refused `Z2` it
//! would not resume any more. The machine finds a way to watch for all of them. Inserting one again changes
//! nothing (gdb manual, E.2 "Packets"): gdb does it to hand over another condition.

use std::collections::BTreeSet;

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
    software: BTreeSet<Linear>,
    hardware: BTreeSet<Linear>,
}

impl Inserted {
    /// Whether a `Z0` is in force at `addr`.
    #[must_use]
    pub fn software(&self, addr: Linear) -> bool {
        self.software.contains(&addr)
    }

    /// Whether a `Z1` is in force at `addr`.
    #[must_use]
    pub fn hardware(&self, addr: Linear) -> bool {
        self.hardware.contains(&addr)
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
        if self.inserted.software.insert(Linear(addr)) {
            self.machine.breakpoints_mut().insert(Linear(addr));
        }
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let found = self.inserted.software.remove(&Linear(addr));
        Ok(found && self.machine.breakpoints_mut().remove(Linear(addr)))
    }
}

impl HwBreakpoint for Guest<'_> {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        if self.inserted.hardware.insert(Linear(addr)) {
            self.machine.breakpoints_mut().insert(Linear(addr));
        }
        Ok(true)
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let found = self.inserted.hardware.remove(&Linear(addr));
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
        let watch = watch(addr, len, kind);
        if !self.machine.breakpoints().watches().contains(&watch) {
            self.machine.breakpoints_mut().insert_watch(watch);
        }
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
