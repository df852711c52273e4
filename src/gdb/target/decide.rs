//! Breakpoints that decide for themselves: conditions and commands of the client, carried out where the guest
//! stops, without asking the client.

use std::collections::BTreeMap;
use std::fmt;

use super::{Guest, Resume};
use crate::gdb::agent::{Context, Plan, Verdict};
use crate::machine::{Machine, Observer, StopReason};
use crate::x86::Linear;

/// What the client has left behind addresses.
pub(super) struct Agent {
    /// By kind of breakpoint (0 for `Z0`, 1 for `Z1`) and address.
    plans: BTreeMap<(u8, Linear), Plan>,
    /// Trace state variables.
    variables: BTreeMap<u16, u64>,
    /// Failures that were told, by kind of breakpoint and address.
    told: BTreeMap<(u8, Linear), Told>,
    /// The breakpoint here has had its turn, but the guest has not left it yet.
    passed: Option<Linear>,
    console: Box<dyn Observer>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("plans", &self.plans).finish_non_exhaustive()
    }
}

impl Agent {
    pub(super) fn new(console: Box<dyn Observer>) -> Agent {
        Agent {
            plans: BTreeMap::new(),
            variables: BTreeMap::new(),
            told: BTreeMap::new(),
            passed: None,
            console,
        }
    }

    /// Takes back everything.
    pub(super) fn forget(&mut self) {
        self.plans.clear();
        self.variables.clear();
        self.told.clear();
        self.passed = None;
    }
}

/// What was told of a plan that fails: each half once, for the failure may come with each hit and differ in an
/// address every time.
struct Told {
    /// As it was then. Clients take breakpoints away at a stop and set them again.
    plan: Plan,
    condition: bool,
    command: bool,
}

/// Of how many breakpoints it is remembered that a failure was told.
const MAX_TOLD: usize = 256;

/// What bytecode sees of a guest.
struct View<'a> {
    machine: &'a mut Machine,
    layout: &'static crate::gdb::layout::Layout,
    variables: &'a mut BTreeMap<u16, u64>,
    read_register: bool,
}

impl Context for View<'_> {
    fn register(&mut self, number: usize) -> Option<u64> {
        self.read_register = true;
        self.layout.integer(self.machine.cpu(), number).or_else(|| {
            let file =
                super::registers::part_of_register_file(self.machine, self.layout.parts(number));
            let bytes = self.layout.read(&file.ok()?, number)?;
            let mut wide = [0; 8];
            wide.get_mut(..bytes.len())?.copy_from_slice(&bytes);
            Some(u64::from_le_bytes(wide))
        })
    }

    fn memory(&mut self, addr: u64, data: &mut [u8]) -> usize {
        self.machine.read_linear(Linear(addr), data)
    }

    fn variable(&mut self, number: u16) -> u64 {
        self.variables.get(&number).copied().unwrap_or_default()
    }

    fn set_variable(&mut self, number: u16, value: u64) {
        self.variables.insert(number, value);
    }
}

impl Guest<'_> {
    /// Notes what the client wants of the breakpoint `kind` (0 or 1) at `addr`.
    pub fn set_plan(&mut self, kind: u8, addr: Linear, plan: Plan) {
        if plan.is_empty() {
            self.agent.plans.remove(&(kind, addr));
        } else {
            self.agent.plans.insert((kind, addr), plan);
        }
    }

    /// Whether the guest is to go on from the stop `stop`, which the client then never hears of.
    pub(super) fn passes(&mut self, stop: &StopReason) -> bool {
        let StopReason::Breakpoint(addr) = *stop else { return false };
        if self.agent.passed == Some(addr) {
            return true;
        }
        if self.agent.plans.is_empty() {
            return false;
        }
        let inserted: Vec<(u8, Linear)> = self.inserted.names(addr).collect();
        let is_in_another_layout = self.takes_layouts && self.is_in_another_layout();
        let mut stops = inserted.is_empty();
        for place in inserted {
            let Some(plan) = self.agent.plans.get(&place) else {
                stops = true;
                continue;
            };
            let mut view = View {
                machine: self.machine,
                layout: self.layout,
                variables: &mut self.agent.variables,
                read_register: false,
            };
            let verdict = plan.decide(&mut view);
            // The client has looked up where a variable of the program is for the mode that it knew. It decides itself
            // now, and anew in the mode that it gets to know.
            let is_doubtful = is_in_another_layout && view.read_register && !plan.has_commands();
            stops |= verdict.stop || is_doubtful;
            self.tell(place, verdict);
        }
        self.agent.passed = (!stops).then_some(addr);
        !stops
    }

    /// The client goes on from the breakpoint that it was told of, and has left it inserted. It knows none here, as gdb
    /// where it has sent half of an address, and would be told for ever.
    pub(super) fn pass_reported(&mut self, resume: &Resume) -> Option<StopReason> {
        let here = self.machine.cpu().pc();
        let reported = self.reported.take();
        let reported = reported.filter(|addr| *addr == here && *resume == Resume::Continue)?;
        self.agent.passed = Some(reported);
        Some(StopReason::Breakpoint(reported))
    }

    /// The guest has left the breakpoint at which it went on.
    pub(super) fn has_moved(&mut self) {
        self.agent.passed = None;
    }

    fn tell(&mut self, place: (u8, Linear), verdict: Verdict) {
        let Verdict { text, bad_condition, bad_command, .. } = verdict;
        if !text.is_empty() {
            self.agent.console.console(&text);
        }
        if bad_condition.is_none() && bad_command.is_none() {
            return;
        }
        let Agent { plans, told, console, .. } = &mut self.agent;
        let Some(plan) = plans.get(&place) else { return };
        if told.get(&place).is_none_or(|told| told.plan != *plan) {
            if told.len() >= MAX_TOLD {
                told.clear();
            }
            told.insert(place, Told { plan: plan.clone(), condition: false, command: false });
        }
        let (Some(told), (_, addr)) = (told.get_mut(&place), place) else { return };
        if let Some(error) = bad_condition
            && !std::mem::replace(&mut told.condition, true)
        {
            console.notice(&format!(
                "the condition of the breakpoint at {addr} fails and counts as true: {error}"
            ));
        }
        if let Some(error) = bad_command
            && !std::mem::replace(&mut told.command, true)
        {
            console.notice(&format!("the command of the breakpoint at {addr} fails: {error}"));
        }
    }
}
