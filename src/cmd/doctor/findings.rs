//! What follows from a host's facts. The mechanisms are the planner's own answers.

use serde::Serialize;
use stepvisor::kvm::HostFacts;
use stepvisor::kvm::probe::{AsManual, Lzcnt};
use stepvisor::machine::plan::{DebugPlan, Mechanism, Place, Situation};
use stepvisor::machine::{BreakpointSet, Watch, WatchKind};
use stepvisor::x86::{CpuMode, Linear};

/// How the debugger notices what.
#[derive(Debug, Serialize)]
pub struct Mechanisms {
    /// Up to four breakpoints in real mode.
    pub breakpoints_real: &'static str,
    /// Up to three in protected mode, where one register may be kept for what KVM takes for invalid.
    pub breakpoints_protected: &'static str,
    /// The same in long mode, as long as the guest cannot get into ring 3.
    pub breakpoints_long: &'static str,
    /// The same in long mode with a ring 3.
    pub breakpoints_long_with_ring3: &'static str,
    /// More breakpoints than four.
    pub more_breakpoints: &'static str,
    /// A write watchpoint on RAM.
    pub watch_ram_writes: &'static str,
    /// An access watchpoint on RAM.
    pub watch_ram_accesses: &'static str,
    /// A read watchpoint on RAM.
    pub watch_ram_reads: &'static str,
    /// Any watchpoint on device memory.
    pub watch_device_memory: &'static str,
    /// Integer instructions that KVM refuses to run are completed in software.
    pub completes_integers: bool,
    /// SYSCALL of a guest that runs freely is completed in software.
    pub completes_calls: bool,
    /// Instructions that KVM never gets past are noticed by a timer.
    pub deadline: bool,
}

/// The planner's answers for `facts`.
pub fn mechanisms(facts: &HostFacts) -> Mechanisms {
    let breakpoints = |count, mode, ring3| {
        let mut set = BreakpointSet::default();
        (0..count).for_each(|addr| set.insert(Linear(addr)));
        let situation = Situation { ring3, ..Situation::plain(mode) };
        name(&DebugPlan::new(&set, facts, &situation))
    };
    let watch = |kind, place| {
        let mut set = BreakpointSet::default();
        set.insert_watch(Watch { addr: Linear(0), len: 4, kind });
        let situation = Situation { places: vec![place], ..Situation::plain(CpuMode::Real) };
        name(&DebugPlan::new(&set, facts, &situation))
    };
    Mechanisms {
        breakpoints_real: breakpoints(4, CpuMode::Real, false),
        breakpoints_protected: breakpoints(3, CpuMode::Protected32, false),
        breakpoints_long: breakpoints(3, CpuMode::Long64, false),
        breakpoints_long_with_ring3: breakpoints(3, CpuMode::Long64, true),
        more_breakpoints: breakpoints(5, CpuMode::Real, false),
        watch_ram_writes: watch(WatchKind::Write, Place::Ram),
        watch_ram_accesses: watch(WatchKind::Access, Place::Ram),
        watch_ram_reads: watch(WatchKind::Read, Place::Ram),
        watch_device_memory: watch(WatchKind::Access, Place::Device),
        completes_integers: facts.refuses_integers(),
        completes_calls: !facts.syscall_changes_ring,
        deadline: facts.needs_deadline(),
    }
}

fn name(plan: &DebugPlan) -> &'static str {
    plan.mechanisms().next().map_or("none", Mechanism::name)
}

/// What this host's KVM gives no way to do.
pub fn impossible(facts: Option<&HostFacts>, as_manual: Option<&AsManual>) -> Vec<&'static str> {
    let rows = facts.map(by_facts).into_iter().flatten();
    let rows = rows.chain(as_manual.map(by_manual).into_iter().flatten());
    rows.filter_map(|(holds, text)| holds.then_some(text)).collect()
}

fn by_facts(facts: &HostFacts) -> [(bool, &'static str); 12] {
    let refused = &facts.refused;
    let data = &facts.data_breakpoints;
    [
        (
            !facts.execute_breakpoints.user,
            "a breakpoint in ring 3 of long mode is missed if the guest makes its first ring 3 segment more than \
             1,000 instructions after it has enabled long mode, and goes there within a millisecond",
        ),
        (
            !facts.step.exact.user,
            "a step in ring 3 of long mode needs a guest that has a handler of some interrupt or exception, and a \
             stack for it",
        ),
        (
            facts.refuses_integers(),
            "MOVBE, and INT in ring 3 of long mode, may lead to the guest's handler of #UD while that is some \
             milliseconds old and the guest accesses no port or device",
        ),
        (
            !facts.syscall_changes_ring,
            "SYSCALL in ring 3 of long mode may lead to the guest's handler of #PF while that is some milliseconds \
             old and the guest accesses no port or device, and to address 0 in ring 3 if the guest runs freely and \
             has never written LSTAR",
        ),
        (
            !facts.paging32,
            "a guest cannot switch on 32-bit paging: its run ends there with exit code 22",
        ),
        (
            !facts.real_mode_idt_limit,
            "the limit of the interrupt table is ignored in real mode while the guest runs freely",
        ),
        (
            facts.endless.int_80h_real,
            "INT 80h to FFh of real mode in free run, after LIDT: with a base of 0 interrupts look disabled in the \
             pushed flags until the guest accesses a port or device, with another the vector comes from 400h \
             bytes below its entry",
        ),
        (
            !(data.real && data.protected && data.long && data.user),
            "the guest's own data breakpoints hit only while it is stepped or a breakpoint is set",
        ),
        (
            !facts.general_detect,
            "a breakpoint that the guest sets for itself while the debugger has some is missed for up to a \
             millisecond",
        ),
        (refused.x87, "KVM runs no x87 arithmetic in ring 0, and nobody does it instead"),
        (refused.sse, "KVM runs no SSE arithmetic in ring 0, and nobody does it instead"),
        (
            facts.lzcnt == Lzcnt::RunsAsBsr,
            "LZCNT runs as BSR, with another result, though CPUID offers it",
        ),
    ]
}

fn by_manual(as_manual: &AsManual) -> [(bool, &'static str); 13] {
    [
        (!as_manual.virtual_8086, "there is no virtual-8086 mode: EFLAGS.VM does not stay set"),
        (
            !as_manual.paging_pae,
            "a guest cannot switch on PAE paging outside long mode: CR0.PG does not stay set",
        ),
        (!as_manual.gates16, "exceptions through 16-bit gates push 32-bit frames"),
        (
            !as_manual.ring3_flags,
            "ring 3 of long mode runs with interrupts enabled and IOPL 0, and PUSHF shows it",
        ),
        (
            !as_manual.exception_keeps_ac,
            "exceptions clear AC outside real mode while the guest runs freely",
        ),
        (
            !as_manual.exception_keeps_esp,
            "exceptions of real mode clear the upper half of ESP while the guest runs freely",
        ),
        (
            !as_manual.aam_flags,
            "SF and ZF after AAM and AAD are those of EAX while the guest runs freely",
        ),
        (
            !as_manual.enter_width,
            "ENTER pushes EBP in the width of the stack while the guest runs freely",
        ),
        (
            !as_manual.absent_gate,
            "an exception whose gate is not present is a double fault: #NP does not come",
        ),
        (
            as_manual.absent_gate && !as_manual.error_code_ext,
            "the bit EXT of error codes is clear where an exception met the fault",
        ),
        (!as_manual.double_fault, "#NP while #DE is delivered makes no double fault"),
        (
            !as_manual.gate_types,
            "exceptions lead through entries of the interrupt table that are no gates for them, or lead to no code, \
             while the guest runs freely: #GP and #NP do not come, nor does another task",
        ),
        (
            !as_manual.iretq_nulls_segments,
            "IRETQ to ring 3 leaves DS and ES with the descriptors of ring 0 while the guest runs freely",
        ),
    ]
}
