//! The plan: how the machine watches for the user's breakpoints and watchpoints on this host.
//!
//! A pure function of what the user has set, what the host's KVM does, and the processor's mode. It knows
//! no vCPU. Whatever it chooses, the hits are the same; only the time they take differs (SDM vol. 3B, 18.2,
//! for what debug registers can do).
//!
//! INT3 is never written into the guest. A guest reads its own code (to add up a checksum, to move or to
//! unpack itself), no KVM traps such reads, so nothing proves that it would not see it.

mod situation;

use std::fmt;

use super::breakpoints::{BreakpointSet, Watch, WatchKind};
use crate::kvm::HostFacts;
use crate::kvm::probe::{ByMode, ExitRip, RepSteps};
use crate::x86::debug::{DEBUG_SLOTS, DataSize, DebugSlot};
use crate::x86::{CpuMode, Linear};

/// How the machine runs until one of the user's breakpoints or watchpoints is hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugPlan {
    /// How the guest is driven.
    pub drive: Drive,
    /// The plan fits the present mode, page tables and debug registers only: whoever drives has to look every so often
    /// whether it still does.
    pub recheck: bool,
    /// KVM may queue writes to video memory: nobody needs to see each of them at once.
    pub coalesce: bool,
    /// The guest may be shown video memory as if it were RAM: nobody watches it.
    pub shows_video: bool,
    breakpoints: Vec<(Linear, Mechanism)>,
    watches: Vec<(Watch, Mechanism)>,
}

/// How the guest is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// At full speed, with these debug registers armed.
    Free(Slots),
    /// Instruction by instruction.
    StepEngine,
}

/// The debug registers, and what each is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// What to arm.
    pub armed: [Option<DebugSlot>; DEBUG_SLOTS],
    /// Which of [`BreakpointSet::watches`] a slot is for.
    pub watch: [Option<usize>; DEBUG_SLOTS],
}

/// How one breakpoint or watchpoint is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// By so many debug registers.
    DebugRegisters(usize),
    /// By the exit that each access to a device's memory is.
    DeviceModel,
    /// By looking before and after each instruction.
    StepEngine(Why),
}

/// Why only the step engine will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Debug registers do not fire in this mode here.
    NoExecution,
    /// Ring 3 of long mode can be entered, and debug registers do not fire there on this host.
    Ring3,
    /// Data breakpoints do not fire on this host.
    NoData,
    /// A data breakpoint stops only behind a whole repeated string instruction on this host.
    WholeRepetitions,
    /// The processor has no breakpoint on reads alone.
    ReadsAlone,
    /// The transfer from memory to a port is over when this host reports it.
    LateOutput,
    /// The range is neither all RAM nor all a device's.
    Mixed,
    /// The guest uses the debug registers itself, and KVM gives them to one user only.
    OwnBreakpoints,
    /// More debug registers are needed than there are for the user.
    TooMany {
        /// So many are needed.
        needed: usize,
        /// So many there are.
        available: usize,
    },
    /// Something else needs the step engine, which then serves this as well.
    Anyway,
}

/// What answers in a watched range at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// RAM.
    Ram,
    /// Memory of a device, or nothing: each access leaves the guest.
    Device,
    /// Some of each, or not mapped.
    Mixed,
}

/// What else a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The processor's mode.
    pub mode: CpuMode,
    /// Long mode is enabled, and the guest is in ring 3, or its descriptor tables have a code segment for it, or SYSRET is
    /// enabled: it can be in ring 3 of long mode soon.
    pub ring3: bool,
    /// Where each of [`BreakpointSet::watches`] is.
    pub places: Vec<Place>,
    /// The guest has breakpoints of its own in the debug registers.
    pub own_breakpoints: bool,
    /// Loads of SS right before one of the breakpoints.
    pub loads_of_ss: Vec<Linear>,
}

impl Situation {
    /// A guest in `mode` that does nothing special, with nothing watched.
    #[must_use]
    pub fn plain(mode: CpuMode) -> Situation {
        Situation {
            mode,
            ring3: false,
            places: Vec::new(),
            own_breakpoints: false,
            loads_of_ss: Vec::new(),
        }
    }
}

impl Mechanism {
    /// Its name, for a program to read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::DebugRegisters(_) => "debug-registers",
            Mechanism::DeviceModel => "device-model",
            Mechanism::StepEngine(_) => "step-engine",
        }
    }
}

impl DebugPlan {
    /// The plan for a user who has set nothing.
    pub const NOTHING: DebugPlan = DebugPlan {
        drive: Drive::Free(Slots { armed: [None; DEBUG_SLOTS], watch: [None; DEBUG_SLOTS] }),
        recheck: false,
        coalesce: true,
        shows_video: true,
        breakpoints: Vec::new(),
        watches: Vec::new(),
    };

    /// The fastest way that misses nothing of `set`.
    #[must_use]
    pub fn new(set: &BreakpointSet, facts: &HostFacts, situation: &Situation) -> DebugPlan {
        let execution = execution(facts, situation);
        let mut slots = Vec::new();
        let mut breakpoints = Vec::new();
        for addr in set.addresses() {
            breakpoints.push((addr, execution));
            slots.push((DebugSlot::execute(addr), None));
        }
        // A load of SS holds back a breakpoint behind it for good, so the guest is stopped before the load
        // (SDM vol. 3A, 6.8.3).
        let held_back = situation.loads_of_ss.iter().filter(|addr| !set.contains(**addr));
        slots.extend(held_back.map(|addr| (DebugSlot::execute(*addr), None)));
        let mut watches = Vec::new();
        let places = situation.places.iter().copied().chain(std::iter::repeat(Place::Mixed));
        for (index, (&watch, place)) in set.watches().iter().zip(places).enumerate() {
            let mechanism = data(&watch, place, facts, situation);
            if matches!(mechanism, Mechanism::DebugRegisters(_)) {
                let reads = watch.kind != WatchKind::Write;
                let slot = |(addr, size)| (DebugSlot::data(addr, size, reads), Some(index));
                slots.extend(pieces(&watch).into_iter().map(slot));
            }
            watches.push((watch, mechanism));
        }
        let needed = slots.len();
        let available = available(facts, situation);
        // Page tables may put RAM in a device's place at any time.
        let mut may_become_ram = false;
        for (index, (watch, mechanism)) in watches.iter().enumerate() {
            if *mechanism != Mechanism::DeviceModel {
                continue;
            }
            match tripwire(watch, facts, situation) {
                Some(more) if slots.len() + more.len() <= available => {
                    slots.extend(more.into_iter().map(|slot| (slot, Some(index))));
                }
                _ => may_become_ram = true,
            }
        }
        let mut plan = DebugPlan {
            drive: Drive::StepEngine,
            recheck: differs(facts, &breakpoints, &watches) || may_become_ram,
            coalesce: !watches.iter().any(|(watch, mechanism)| needs_each_write(watch, *mechanism)),
            shows_video: !watches.iter().any(|(_, mechanism)| *mechanism == Mechanism::DeviceModel),
            breakpoints,
            watches,
        };
        let steps = |mechanism: Mechanism| matches!(mechanism, Mechanism::StepEngine(_));
        if needed > available {
            plan.replace(Why::TooMany { needed, available });
        } else if plan.mechanisms().any(steps) {
            plan.replace(Why::Anyway);
        } else {
            let mut armed = Slots::default();
            for (n, (slot, watch)) in slots.into_iter().enumerate() {
                armed.armed[n] = Some(slot);
                armed.watch[n] = watch;
            }
            plan.drive = Drive::Free(armed);
            plan.recheck |= armed != Slots::default() && !facts.general_detect;
        }
        plan
    }

    /// The same where something besides breakpoints needs the step engine.
    #[must_use]
    pub(super) fn stepped(mut self) -> DebugPlan {
        self.drive = Drive::StepEngine;
        self.replace(Why::Anyway);
        self
    }

    /// How each breakpoint, then each watchpoint is noticed.
    pub fn mechanisms(&self) -> impl Iterator<Item = Mechanism> + '_ {
        let breakpoints = self.breakpoints.iter().map(|(_, mechanism)| *mechanism);
        breakpoints.chain(self.watches.iter().map(|(_, mechanism)| *mechanism))
    }

    fn mechanisms_mut(&mut self) -> impl Iterator<Item = &mut Mechanism> {
        let breakpoints = self.breakpoints.iter_mut().map(|(_, mechanism)| mechanism);
        breakpoints.chain(self.watches.iter_mut().map(|(_, mechanism)| mechanism))
    }

    /// Leaves to the step engine what could have been done without it.
    fn replace(&mut self, why: Why) {
        for mechanism in self.mechanisms_mut() {
            match (&mechanism, why) {
                (Mechanism::StepEngine(_), _) => {}
                (Mechanism::DeviceModel, Why::TooMany { .. }) => {
                    *mechanism = Mechanism::StepEngine(Why::Anyway);
                }
                _ => *mechanism = Mechanism::StepEngine(why),
            }
        }
    }

    /// Why the guest is stepped, in one line; nothing if it runs at full speed.
    #[must_use]
    pub fn slow(&self) -> Option<String> {
        if self.drive != Drive::StepEngine {
            return None;
        }
        let mut whys = self.mechanisms().filter_map(|mechanism| match mechanism {
            Mechanism::StepEngine(Why::Anyway) => None,
            Mechanism::StepEngine(why) => Some(why.to_string()),
            _ => None,
        });
        whys.next()
    }
}

/// How many debug registers the user may have. Where KVM makes #UD of instructions it does not know, one is for
/// the handler of that, as soon as there can be an outer ring.
fn available(facts: &HostFacts, situation: &Situation) -> usize {
    let reserves = facts.refuses_integers() && situation.mode != CpuMode::Real;
    if reserves { DEBUG_SLOTS - 1 } else { DEBUG_SLOTS }
}

/// How breakpoints are noticed.
fn execution(facts: &HostFacts, situation: &Situation) -> Mechanism {
    let fires = &facts.execute_breakpoints;
    let here = match situation.mode {
        CpuMode::Real | CpuMode::Virtual8086 => fires.real,
        CpuMode::Protected16 | CpuMode::Protected32 => fires.protected,
        _ => fires.long,
    };
    if !here {
        Mechanism::StepEngine(Why::NoExecution)
    } else if situation.own_breakpoints {
        Mechanism::StepEngine(Why::OwnBreakpoints)
    } else if situation.ring3 && !fires.user {
        Mechanism::StepEngine(Why::Ring3)
    } else {
        Mechanism::DebugRegisters(1)
    }
}

/// How a watchpoint is noticed.
fn data(watch: &Watch, place: Place, facts: &HostFacts, situation: &Situation) -> Mechanism {
    let fires = &facts.data_breakpoints;
    let here = match situation.mode {
        CpuMode::Real | CpuMode::Virtual8086 => fires.real,
        CpuMode::Protected16 | CpuMode::Protected32 => fires.protected,
        _ => fires.long && (fires.user || !situation.ring3),
    };
    let reads = watch.kind != WatchKind::Write;
    let why = match place {
        Place::Device => return Mechanism::DeviceModel,
        _ if !here => Why::NoData,
        _ if situation.own_breakpoints => Why::OwnBreakpoints,
        _ if watch.kind == WatchKind::Read => Why::ReadsAlone,
        _ if facts.data_breakpoint_in_rep != Some(RepSteps::ByIteration) => Why::WholeRepetitions,
        _ if reads && facts.step.out == ExitRip::Past => Why::LateOutput,
        Place::Mixed => Why::Mixed,
        Place::Ram => return Mechanism::DebugRegisters(pieces(watch).len()),
    };
    Mechanism::StepEngine(why)
}

/// The debug registers that notice an access to a device's place once there is RAM; nothing where they would not
/// fire as often as the access happens. There is none for reads alone.
fn tripwire(watch: &Watch, facts: &HostFacts, situation: &Situation) -> Option<Vec<DebugSlot>> {
    let ByMode { real, protected, long, user } = facts.data_breakpoints;
    let fires = [real, protected, long, user] == [true; 4]
        && facts.data_breakpoint_in_rep == Some(RepSteps::ByIteration)
        && !situation.own_breakpoints;
    let reads = match watch.kind {
        WatchKind::Write => false,
        WatchKind::Access => true,
        WatchKind::Read => return None,
    };
    let slot = |(addr, size)| DebugSlot::data(addr, size, reads);
    fires.then(|| pieces(watch).into_iter().map(slot).collect())
}

/// Whether another mode, which a guest can get to without an exit, needs another plan.
fn differs(
    facts: &HostFacts,
    breakpoints: &[(Linear, Mechanism)],
    watches: &[(Watch, Mechanism)],
) -> bool {
    let differs = |&ByMode { real, protected, long, user }: &ByMode<bool>| {
        [protected, long, user] != [real; 3]
    };
    !breakpoints.is_empty() && differs(&facts.execute_breakpoints)
        || !watches.is_empty() && differs(&facts.data_breakpoints)
}

/// Whether `watch` misses something when KVM queues writes to video memory: the write itself, or the read
/// from RAM that it comes from.
fn needs_each_write(watch: &Watch, mechanism: Mechanism) -> bool {
    match mechanism {
        Mechanism::DeviceModel => watch.kind != WatchKind::Read,
        Mechanism::DebugRegisters(_) => watch.kind == WatchKind::Access,
        Mechanism::StepEngine(_) => false,
    }
}

/// The aligned pieces that make up a range, which a debug register can watch; not many more than there are
/// registers.
fn pieces(watch: &Watch) -> Vec<(Linear, DataSize)> {
    let mut pieces = Vec::new();
    let (mut at, mut left) = (watch.addr.0, watch.len);
    while left > 0 && pieces.len() <= DEBUG_SLOTS {
        let fits = |size: &DataSize| at.is_multiple_of(size.bytes()) && size.bytes() <= left;
        let size = DataSize::DESCENDING.into_iter().find(fits).unwrap_or(DataSize::One);
        pieces.push((Linear(at), size));
        at = at.wrapping_add(size.bytes());
        left -= size.bytes();
    }
    pieces
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NoExecution => f.write_str("debug registers do not fire in this mode here"),
            Why::Ring3 => f.write_str(
                "debug registers do not fire in ring 3 of long mode here, and the guest can get there",
            ),
            Why::NoData => f.write_str("debug registers do not fire for data here"),
            Why::WholeRepetitions => f.write_str(
                "debug registers fire only behind a whole repeated string instruction here",
            ),
            Why::ReadsAlone => f.write_str("the processor has no breakpoint on reads alone"),
            Why::LateOutput => f.write_str("string output is over when this host's KVM reports it"),
            Why::Mixed => f.write_str("the range is not all RAM, nor all device memory"),
            Why::OwnBreakpoints => f.write_str("the guest uses the debug registers itself"),
            Why::TooMany { needed, available } => {
                write!(f, "{needed} debug registers are needed, and there are {available}")
            }
            Why::Anyway => f.write_str("the guest is stepped anyway"),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mechanism::DebugRegisters(1) => f.write_str("a debug register; costs nothing"),
            Mechanism::DebugRegisters(n) => write!(f, "{n} debug registers; costs nothing"),
            Mechanism::DeviceModel => f.write_str(
                "the device model sees each access: each leaves the guest, also those to the rest of video memory",
            ),
            Mechanism::StepEngine(why) => write!(f, "stepping, because {why}"),
        }
    }
}

impl fmt::Display for DebugPlan {
    /// A line on how the guest runs, then one for each breakpoint and watchpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.drive {
            Drive::Free(slots) => {
                let used = slots.armed.iter().flatten().count();
                let but = if self.shows_video { "" } else { " but in the memory of devices" };
                writeln!(f, "full speed{but}, {used} of {DEBUG_SLOTS} debug registers in use")?;
            }
            Drive::StepEngine => writeln!(f, "instruction by instruction: tens of times slower")?,
        }
        for (addr, mechanism) in &self.breakpoints {
            writeln!(f, "breakpoint at {addr}: {mechanism}")?;
        }
        for (Watch { addr, len, kind }, mechanism) in &self.watches {
            let kind = match kind {
                WatchKind::Write => "write",
                WatchKind::Read => "read",
                WatchKind::Access => "access",
            };
            let bytes = if *len == 1 { "byte" } else { "bytes" };
            writeln!(f, "{kind} watchpoint at {addr}, {len} {bytes}: {mechanism}")?;
        }
        if self.recheck {
            f.write_str(
                "looked at anew every millisecond: another mode, other page tables or the guest's own breakpoints \
                 may need another way\n",
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
