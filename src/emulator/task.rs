//! Task switches, as far as they fail: the switch itself is not done here (SDM vol. 3A, 8.3; vol. 2A, JMP and IRET).

use super::Unsupported;
use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::segments::Descriptor;

/// Types of task-state segments that are available, of 16 and 32 bits.
const AVAILABLE: [u8; 2] = [1, 9];
/// The same, busy.
const BUSY: [u8; 2] = [3, 11];

impl Execution<'_> {
    /// What CALL and JMP to `selector` come to, whose descriptor is that of a task-state segment.
    pub(super) fn switch_to_task(&self, task: Descriptor, selector: u16) -> Trouble {
        let access = task.segment.access;
        let privileged = access.dpl >= self.cpu.cpl() && access.dpl >= (selector & 3) as u8;
        if !privileged || selector & 4 != 0 || !AVAILABLE.contains(&access.kind) {
            return Fault::gp(self.code(selector)).into();
        }
        self.enter_task(task, selector)
    }

    /// What IRET with RFLAGS.NT comes to outside IA-32e mode: the way back to the task that the current one names.
    pub(super) fn return_to_task(&mut self) -> Result<(), Trouble> {
        let selector = self.system_read(self.cpu.tr.base, 0, 2)? as u16;
        let invalid = Fault::ts(self.code(selector));
        let task = self.descriptor_or(selector, invalid)?;
        let access = task.segment.access;
        if selector & 4 != 0 || access.code_or_data || !BUSY.contains(&access.kind) {
            return Err(invalid.into());
        }
        Err(self.enter_task(task, selector))
    }

    fn enter_task(&self, task: Descriptor, selector: u16) -> Trouble {
        let access = task.segment.access;
        // The last byte that a task of 16 or 32 bits has to have (SDM vol. 3A, 8.2.1 and 8.6).
        let last = if access.kind & 8 != 0 { 0x67 } else { 0x2b };
        if !access.present {
            Fault::np(self.code(selector)).into()
        } else if task.segment.limit < last {
            Fault::ts(self.code(selector)).into()
        } else {
            Unsupported::TaskSwitch.into()
        }
    }
}
