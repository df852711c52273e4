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
use crate::machine;
use crate::x86::Linear;

/// The breakpoints that the client has inserted, by the packet that did it: a stop has to name the same.
#[derive(Clone, Debug, Default)]
pub struct Inserted {
    software: Places,
    hardware: Places,
    /// As the client names them, and where they are.
    watches: Vec<(machine::Watch, machine::Watch)>,
}

/// Where a guest stops for breakpoints of one kind.
#[derive(Clone, Debug, Default)]
struct Places {
    /// How the client names each.
    names: BTreeMap<Linear, Linear>,
    /// The places above 4 GiB of what the client names by halves.
    high: BTreeMap<Linear, Vec<Linear>>,
}

impl Places {
    /// Takes out what the client names `name`: the places that it had.
    fn remove(&mut self, name: Linear) -> Vec<Linear> {
        let mut places = self.high.remove(&name).unwrap_or_default();
        places.push(name);
        places.retain(|place| self.names.remove(place).is_some());
        places
    }
}

impl Inserted {
    /// Whether a `Z0` is in force at `addr`.
    #[must_use]
    pub fn software(&self, addr: Linear) -> bool {
        self.software.names.contains_key(&addr)
    }

    /// Whether a `Z1` is in force at `addr`.
    #[must_use]
    pub fn hardware(&self, addr: Linear) -> bool {
        self.hardware.names.contains_key(&addr)
    }

    /// The kinds of breakpoint in force at `addr`, 0 for `Z0` and 1 for `Z1`, and how the client names each.
    pub(super) fn names(&self, addr: Linear) -> impl Iterator<Item = (u8, Linear)> {
        let both = [&self.software, &self.hardware].map(|places| places.names.get(&addr).copied());
        (0..).zip(both).filter_map(|(kind, name)| Some((kind, name?)))
    }
}

impl Guest<'_> {
    /// Inserts the breakpoint `addr` wherever the client may mean it.
    fn insert_code(&mut self, addr: Linear, kind: fn(&mut Inserted) -> &mut Places) {
        self.reported = None;
        let high = self.high_addresses(addr);
        let places = self.places(addr, &high);
        if !high.is_empty() {
            kind(&mut self.inserted).high.insert(addr, high);
        }
        for place in places {
            if kind(&mut self.inserted).names.insert(place, addr).is_none() {
                self.machine.breakpoints_mut().insert(place);
            }
        }
    }

    fn remove_code(&mut self, addr: Linear, kind: fn(&mut Inserted) -> &mut Places) -> bool {
        self.reported = None;
        let places = kind(&mut self.inserted).remove(addr);
        let breakpoints = self.machine.breakpoints_mut();
        places.iter().filter(|place| breakpoints.remove(**place)).count() > 0
    }

    /// Inserts the watchpoint `watch` wherever the client may mean it.
    fn insert_watch(&mut self, watch: machine::Watch) {
        if self.inserted.watches.iter().any(|(name, _)| *name == watch) {
            return;
        }
        for addr in self.places(watch.addr, &self.high_addresses(watch.addr)) {
            let place = machine::Watch { addr, ..watch };
            self.inserted.watches.push((watch, place));
            self.machine.breakpoints_mut().insert_watch(place);
        }
    }

    fn remove_watch(&mut self, watch: machine::Watch) -> bool {
        let places = self.inserted.watches.extract_if(.., |(name, _)| *name == watch);
        let breakpoints = self.machine.breakpoints_mut();
        places.filter(|(_, place)| breakpoints.remove_watch(*place)).count() > 0
    }

    /// Where the client may mean what it calls `addr`: there and at the addresses `high`. But where nothing is mapped it
    /// is no address of its own, and would cost as much as one.
    fn places(&self, addr: Linear, high: &[Linear]) -> Vec<Linear> {
        let itself = high.is_empty() || self.machine.read_linear(addr, &mut [0]) == 1;
        high.iter().copied().chain(itself.then_some(addr)).collect()
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
        self.insert_watch(watch(Linear(addr), len, kind));
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        addr: u64,
        len: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.remove_watch(watch(Linear(addr), len, kind)))
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
