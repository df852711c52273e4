//! One instruction or delivery under way: a copy of the registers and the writes it will have made.

use super::Environment;
use super::fault::Fault;
use crate::x86::{CpuState, Phys};

/// Works on copies, so that nothing has happened until [`Execution::commit`].
pub(super) struct Execution<'a> {
    /// The registers as they become.
    pub(super) cpu: CpuState,
    pub(super) env: &'a mut dyn Environment,
    /// Writes to memory in order.
    pub(super) writes: Vec<PendingWrite>,
    /// EXT of error codes: an event from outside the program is being delivered.
    pub(super) external: bool,
    /// It is SYSCALL or SYSRET: whether a trap follows is decided by the flags that it loads.
    pub(super) is_fast_call: bool,
    /// The task has been switched.
    pub(super) switched_task: bool,
    /// An exception that comes behind that, in the new task.
    pub(super) fault_in_new_task: Option<Fault>,
}

/// How far an execution has come.
pub(super) struct Mark {
    pub(super) cpu: CpuState,
    /// How many writes there are.
    writes: usize,
    switched_task: bool,
}

/// A write that has passed all checks.
pub(super) struct PendingWrite {
    pub(super) addr: Phys,
    pub(super) data: Vec<u8>,
}

impl<'a> Execution<'a> {
    pub(super) fn new(cpu: &CpuState, env: &'a mut dyn Environment) -> Execution<'a> {
        let writes = Vec::new();
        Execution {
            cpu: cpu.clone(),
            env,
            writes,
            external: false,
            is_fast_call: false,
            switched_task: false,
            fault_in_new_task: None,
        }
    }

    /// Forgets what has been done, to do something else with the registers `cpu`.
    pub(super) fn start_over(&mut self, cpu: &CpuState) {
        self.go_back(Mark { cpu: cpu.clone(), writes: 0, switched_task: false });
        self.fault_in_new_task = None;
    }

    /// What there is to go back to.
    pub(super) fn mark(&self) -> Mark {
        let Execution { cpu, switched_task, .. } = self;
        Mark { cpu: cpu.clone(), writes: self.writes.len(), switched_task: *switched_task }
    }

    /// Forgets what has been done since `mark`.
    pub(super) fn go_back(&mut self, mark: Mark) {
        self.cpu = mark.cpu;
        self.writes.truncate(mark.writes);
        self.switched_task = mark.switched_task;
    }

    /// Makes it happen.
    pub(super) fn commit(self, cpu: &mut CpuState) {
        for write in &self.writes {
            self.env.write(write.addr, &write.data);
        }
        if self.switched_task {
            self.env.end_local_breakpoints();
        }
        *cpu = self.cpu;
    }

    /// The error code for `selector`: without its RPL, with EXT (SDM vol. 3A, 6.13).
    pub(super) fn code(&self, selector: u16) -> u32 {
        u32::from(selector & !3) | u32::from(self.external)
    }

    /// #SS or #GP with no selector, for an access through SS or another segment.
    pub(super) fn segment_fault(&self, stack: bool) -> Fault {
        if stack { Fault::ss(self.code(0)) } else { Fault::gp(self.code(0)) }
    }
}
