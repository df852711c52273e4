//! What the probe finds out, and what each finding means.

use serde::Serialize;

/// How this host's KVM behaves where KVMs differ: measured, not taken from its capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// What INT3 does in real mode while the owner asks for an exit (KVM_GUESTDBG_USE_SW_BP).
    pub int3_real: Int3,
    /// The same in 32-bit protected mode.
    pub int3_protected: Int3,
    /// A debug register with an execute condition stops before the instruction at its linear address.
    pub execute_breakpoints: ByMode<bool>,
    /// RF, set with KVM_SET_REGS, lets the guest go on over an execute breakpoint. Where not, it hits again
    /// for ever: it has to be disarmed, and the instruction stepped.
    pub resume_flag_passes: bool,
    /// A debug register with a data condition stops after the instruction that accesses RAM there, for
    /// writes and for reads. None ever fires for memory that is not RAM.
    pub data_breakpoints: ByMode<bool>,
    /// Where a data breakpoint stops a repeated string instruction; nothing where none fires.
    pub data_breakpoint_in_rep: Option<RepSteps>,
    /// DR7.GD, given along with breakpoints of the owner's, stops before a MOV to or from a debug register in ring 0 of
    /// every mode. Where not, nobody tells that the guest sets breakpoints of its own, which do not fire then.
    pub general_detect: bool,
    /// What single-step (KVM_GUESTDBG_SINGLESTEP) does.
    pub step: StepFacts,
    /// In real mode the limit of the IDT counts: a vector beyond it is a fault.
    pub real_mode_idt_limit: bool,
    /// SYSCALL in ring 3 of long mode leads to ring 0. Where not, the handler runs in ring 3.
    pub syscall_changes_ring: bool,
    /// Protected mode can have 32-bit paging.
    pub paging32: bool,
    /// A shutdown resets the processor before its registers can be read.
    pub shutdown_resets: bool,
    /// Instructions that KVM_RUN never gets past; only a signal ends it, and nothing has happened.
    pub endless: Endless,
    /// Instructions that KVM refuses to run (KVM_EXIT_INTERNAL_ERROR, suberror 1), each for its group.
    pub refused: Refused,
    /// What LZCNT does, whose encoding is BSR to a processor that does not have it.
    pub lzcnt: Lzcnt,
}

/// A fact in the modes that KVMs tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ByMode<T> {
    /// Real mode.
    pub real: T,
    /// 32-bit protected mode, ring 0, flat, no paging.
    pub protected: T,
    /// 64-bit long mode, ring 0.
    pub long: T,
    /// 64-bit long mode, ring 3.
    pub user: T,
}

/// What INT3 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Int3 {
    /// Leaves the guest before it has run (KVM_EXIT_DEBUG).
    Exits,
    /// KVM refuses to run it, which leaves the guest before it as well.
    Refused,
    /// Runs the guest's handler: the owner never learns of it.
    RunsHandler,
}

/// How a repeated string instruction is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepSteps {
    /// As one.
    Whole,
    /// Iteration by iteration.
    ByIteration,
}

/// What single-step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StepFacts {
    /// A plain instruction is one step. Where not, the trap goes to the guest's own handler.
    pub exact: ByMode<bool>,
    /// An exit for a port or memory access loses the trap flag: KVM_SET_GUEST_DEBUG has to be called before
    /// each step.
    pub lost_by_exit: bool,
    /// What a step over HLT ends with.
    pub hlt: HltStep,
    /// Where RIP is at the exit for OUT.
    pub out: ExitRip,
    /// After the exit for OUT, completing the instruction ends the step by a debug exit. Where not, the next
    /// debug exit belongs to the next instruction.
    pub out_traps: bool,
    /// Where RIP is at the exit for a write to memory that is not RAM.
    pub mmio_write: ExitRip,
    /// After the exit for a write to memory that is not RAM, completing the instruction ends the step by a
    /// debug exit.
    pub mmio_write_traps: bool,
    /// How much of a repeated string instruction in RAM the first step takes.
    pub rep: RepSteps,
    /// A load of SS holds back the trap until the instruction after it has run, too.
    pub load_ss_shadow: bool,
    /// What a step over INT n does in real mode.
    pub int_real: IntStep,
    /// INT n pushes our trap flag in real mode.
    pub int_shows_flag: bool,
    /// PUSHF pushes our trap flag.
    pub pushf_shows_flag: bool,
    /// The guest's own trap flag raises no debug exception in the guest while it is stepped.
    pub guest_trap_lost: bool,
}

/// What a step over HLT ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HltStep {
    /// A HLT exit.
    Hlt,
    /// A debug exit behind it, as if it had not halted.
    Debug,
}

/// Where RIP is at an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitRip {
    /// At the instruction.
    At,
    /// Behind it.
    Past,
}

/// What a step over INT n does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntStep {
    /// Stops at the handler's first instruction.
    EntersHandler,
    /// Runs the handler through, and perhaps more.
    RunsHandler,
}

/// Instructions that KVM_RUN never gets past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Endless {
    /// INT n in real mode, for n from 80h to FFh.
    pub int_80h_real: bool,
    /// VMCALL in ring 0.
    pub vmcall: bool,
    /// VMMCALL in ring 0.
    pub vmmcall: bool,
}

/// Groups of instructions that KVM refuses to run, each shown by one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Software interrupts in protected mode (INT n).
    pub int_protected: bool,
    /// Return from interrupts in protected mode (IRET).
    pub iret_protected: bool,
    /// Decimal arithmetic (DAA).
    pub decimal: bool,
    /// Bit counting (POPCNT).
    pub bit_count: bool,
    /// x87 arithmetic (FLD1).
    pub x87: bool,
    /// SSE arithmetic (ADDPS).
    pub sse: bool,
}

/// What LZCNT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lzcnt {
    /// Counts leading zeros.
    Counts,
    /// Runs as BSR, as it should: CPUID does not offer LZCNT.
    NotOffered,
    /// Runs as BSR, with another result and other flags, though CPUID offers LZCNT.
    RunsAsBsr,
    /// Something else: KVM refuses it, or it is a fault.
    Fails,
}

impl HostFacts {
    /// Whether a guest that runs freely has to be looked at every so often: there are instructions that this KVM never
    /// gets past, or refuses by an #UD whose handler may lead back to them for ever.
    #[must_use]
    pub fn needs_deadline(&self) -> bool {
        self.endless != Endless::default() || self.refuses_integers()
    }

    /// Whether this KVM refuses integer instructions, as one does that runs guests in an emulator.
    #[must_use]
    pub fn refuses_integers(&self) -> bool {
        let Refused { int_protected, iret_protected, decimal, bit_count, .. } = self.refused;
        int_protected || iret_protected || decimal || bit_count
    }
}
