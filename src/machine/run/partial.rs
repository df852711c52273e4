//! Instructions that take several things from a stack in a device's memory: IRET, far RET and POPA.
//!
//! KVM leaves such an instruction at each access and begins it anew afterwards, with what was read before at hand. But
//! who looks at the registers in between makes it keep those of the middle, and begin with a stack pointer that has moved
//! (arch/x86/kvm/x86.c, `emulate_regs_need_sync_to_vcpu`). The machine looks; so it puts back those of the beginning.

use crate::kvm::{Exit, KvmError};
use crate::machine::Machine;
use crate::x86::instruction::MAX_LEN;
use crate::x86::{CpuState, operands};

/// An instruction under way.
#[derive(Debug)]
pub(in crate::machine) struct Partial {
    /// The registers at its beginning.
    start: CpuState,
    /// The first byte that it reads, how many there are, and how many of them come before the last access.
    first: u64,
    len: u64,
    read: u64,
}

impl Machine {
    /// At the access `exit`, with the registers that KVM has now: sees to it that the instruction goes on with those of its
    /// beginning.
    pub(super) fn keep_beginning(&mut self, exit: &Exit) -> Result<(), KvmError> {
        let Exit::MmioRead { addr, len } = *exit else {
            self.partial = None;
            return Ok(());
        };
        if let Some(mut partial) = self.partial.take() {
            let same = self.vcpu.cpu().cs_ip() == partial.start.cs_ip();
            let behind = addr.0.wrapping_sub(partial.first);
            // It reads upwards; whatever begins again does not.
            if same && behind > partial.read && behind < partial.len {
                partial.read = behind;
                self.vcpu.set_cpu(&partial.start)?;
                self.partial = Some(partial).filter(|partial| behind + (len as u64) < partial.len);
                return Ok(());
            }
        }
        self.partial = self.begins_at(addr.0, len as u64);
        Ok(())
    }

    /// The next instruction, if it takes more than the `len` bytes at `addr` from the stack, and those first.
    fn begins_at(&self, addr: u64, len: u64) -> Option<Partial> {
        let cpu = self.vcpu.cpu();
        let top = self.stack_address(0);
        // Pages are kept by any translation.
        if top.0 & 0xfff != addr & 0xfff {
            return None;
        }
        let mut code = [0; MAX_LEN];
        let size = self.code_bytes(&mut code);
        let taken = operands::taken_in_pieces(&code[..size], cpu.mode())?;
        (taken > len).then(|| Partial { start: cpu.clone(), first: addr, len: taken, read: 0 })
    }
}
