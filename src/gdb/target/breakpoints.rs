//! Breakpoints and watchpoints: `Z0` to `Z4` and `z0` to `z4`.
//!
//! None is ever refused: for a refused `Z0` gdb would write into guest memory itself, for a refused `Z2` it
//! would not resume any more. The machine finds a way to watch for all of them. Inserting one again changes
//! nothing (gdb manual, E.2 "Packets"): gdb does it to hand over another condition.
//!
//! A client that knows 32-bit registers sends half of an address. So a breakpoint on a 64-bit kernel that is set
//! before long mode would be somewhere else. It is set where the client means it as well: at each address of the
//! guest's program that has the same lower half.

use std::collections::BTreeMap;

use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};

use super::Guest;
use crate::gdb::layout::Description;
use crate::machine::{self, Physical};
use crate::x86::Linear;

/// The breakpoints that the client has inserted, by the packet that did it: a stop has to name the same.
#[derive(Clone, Debug, Default)]
pub struct Inserted {
    software: Places,
    hardware: Places,
}

/// Where a guest stops for breakpoints, and how the client names each.
type Places = BTreeMap<Linear, Linear>;

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

    /// The kinds of breakpoint in force at `addr`, 0 for `Z0` and 1 for `Z1`, and how the client names each.
    pub(super) fn names(&self, addr: Linear) -> impl Iterator<Item = (u8, Linear)> {
        let both = [&self.software, &self.hardware].map(|places| places.get(&addr).copied());
        (0..).zip(both).filter_map(|(kind, name)| Some((kind, name?)))
    }
}

impl Guest<'_> {
    /// Inserts the breakpoint `addr` wherever the client may mean it.
    fn insert_code(&mut self, addr: Linear, kind: fn(&mut Inserted) -> &mut Places) {
        self.reported = None;
        let high = self.high_addresses(addr);
        // Where nothing is mapped it is no address of its own, and would take a debug register.
        let is_half = !high.is_empty() && !self.is_mapped(addr);
        for place in high.into_iter().chain((!is_half).then_some(addr)) {
            if kind(&mut self.inserted).insert(place, addr).is_none() {
                self.machine.breakpoints_mut().insert(place);
            }
        }
    }

    fn remove_code(&mut self, addr: Linear, kind: fn(&mut Inserted) -> &mut Places) -> bool {
        self.reported = None;
        let mut found = false;
        for place in self.high_addresses(addr).into_iter().chain([addr]) {
            if kind(&mut self.inserted).remove(&place).is_some() {
                found |= self.machine.breakpoints_mut().remove(place);
            }
        }
        found
    }

    fn is_mapped(&self, addr: Linear) -> bool {
        let found = self.machine.translate(addr).map(|found| self.machine.physical(found.phys));
        found.is_ok_and(|found| found != Physical::Hole)
    }

    /// The addresses above 4 GiB that the client may mean by `addr`.
    fn high_addresses(&self, addr: Linear) -> Vec<Linear> {
        match self.layout.description() {
            Description::X86_64 => Vec::new(),
            Description::I8086 | Description::I386 => self.segments.high_addresses(addr),
        }
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
        self.insert_code(Linear(addr), |inserted| &mut inserted.software);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_code(Linear(addr), |inserted| &mut inserted.software))
    }
}

impl HwBreakpoint for Guest<'_> {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        self.insert_code(Linear(addr), |inserted| &mut inserted.hardware);
        Ok(true)
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.remove_code(Linear(addr), |inserted| &mut inserted.hardware))
    }
}

impl HwWatchpoint for Guest<'_> {
    fn add_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        for place in self.high_addresses(Linear(addr)).into_iter().chain([Linear(addr)]) {
            let watch = watch(place, len, kind);
            if !self.machine.breakpoints().watches().contains(&watch) {
                self.machine.breakpoints_mut().insert_watch(watch);
            }
        }
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        for place in self.high_addresses(Linear(addr)) {
            self.machine.breakpoints_mut().remove_watch(watch(place, len, kind));
        }
        Ok(self.machine.breakpoints_mut().remove_watch(watch(Linear(addr), len, kind)))
    }
}

fn watch(addr: Linear, len: u64, kind: WatchKind) -> machine::Watch {
    let kind = match kind {
        WatchKind::Write => machine::WatchKind::Write,
        WatchKind::Read => machine::WatchKind::Read,
        WatchKind::ReadWrite => machine::WatchKind::Access,
    };
    machine::Watch { addr, len: len.max(1), kind }
}
