//! Model-specific registers whose accesses leave the guest where that is asked for (api.rst, 4.97
//! "KVM_X86_SET_MSR_FILTER" and 7.21 "KVM_CAP_X86_USER_SPACE_MSR").
//!
//! EFER is one, for no other exit tells that a guest is about to enter long mode. LSTAR is the other: a software KVM that
//! runs ring 3 on the processor itself goes on in ring 3 where SYSCALL leads. It can be given another target,
//! [`CALL_TRAP`], at which nothing can run, and the guest still finds what it has written (SDM vol. 4, table 2-2).

use kvm_bindings::{
    KVM_CAP_X86_USER_SPACE_MSR, KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_FILTER,
    Msrs, kvm_enable_cap, kvm_msr_entry,
};
use kvm_ioctls::{Cap, MsrFilterDefaultAction, MsrFilterRange, MsrFilterRangeFlags};

use super::{Exit, KvmError, Vcpu, Vm};
use crate::x86::Linear;
use crate::x86::registers::{CR0_PG, EFER_LME, MSR_EFER, MSR_LSTAR};

/// Where SYSCALL leads after [`Vcpu::trap_calls`]: a place in the half of kernels where no guest maps a page for ring 3.
pub const CALL_TRAP: Linear = Linear(0xffff_a5a5_a5a5_a5a5);
/// A bitmap that allows no register of a range. KVM reads whole words of it.
const NONE: [u8; 8] = [0; 8];

/// What the guest does to one of the registers.
#[derive(Clone, Copy, Debug)]
enum Access {
    Read { index: u32 },
    Write { index: u32, value: u64 },
}

impl Vm {
    /// Has [`Vcpu::run`] return [`Exit::MsrWritten`] behind each WRMSR to EFER and LSTAR. Kernels before Linux 5.10 cannot,
    /// and nothing changes.
    ///
    /// # Errors
    /// The ioctl failed.
    pub(super) fn report_msr_writes(&self) -> Result<(), KvmError> {
        if !self.kvm.check_extension(Cap::X86UserSpaceMsr) {
            return Ok(());
        }
        let args = [KVM_MSR_EXIT_REASON_FILTER.into(), 0, 0, 0];
        let cap = kvm_enable_cap { cap: KVM_CAP_X86_USER_SPACE_MSR, args, ..Default::default() };
        self.fd.enable_cap(&cap).map_err(KvmError::ioctl("KVM_ENABLE_CAP"))?;
        let range = |base, flags| MsrFilterRange { flags, base, msr_count: 1, bitmap: &NONE };
        let both = MsrFilterRangeFlags::READ | MsrFilterRangeFlags::WRITE;
        let ranges = [range(MSR_EFER, MsrFilterRangeFlags::WRITE), range(MSR_LSTAR, both)];
        self.fd
            .set_msr_filter(MsrFilterDefaultAction::ALLOW, &ranges)
            .map_err(KvmError::ioctl("KVM_X86_SET_MSR_FILTER"))
    }
}

impl Vcpu {
    /// The exit that ends an entry: `exit`, unless the guest is in the middle of an access to one of the registers, which
    /// is done for it then. A write that no processor takes is its #GP, without an exit.
    pub(super) fn past_msr_access(&mut self, exit: Exit) -> Result<Exit, KvmError> {
        let mut exit = exit;
        while let Some(access) = self.msr_access(exit) {
            let (value, written) = match access {
                Access::Read { index } => (self.msr(index), false),
                Access::Write { index, value } => {
                    (self.write_msr(index, value).then_some(value), true)
                }
            };
            let run = self.fd.get_kvm_run();
            run.__bindgen_anon_1.msr.error = u8::from(value.is_none());
            run.__bindgen_anon_1.msr.data = value.unwrap_or_default();
            exit = match value {
                Some(_) if written => self.finish_msr_write()?,
                _ => self.enter_once()?,
            };
        }
        Ok(exit)
    }

    /// Lets KVM finish the instruction. Some need more than one entry for that, and exit for it again.
    fn finish_msr_write(&mut self) -> Result<Exit, KvmError> {
        self.kicker.hold();
        let exit = self.enter_once();
        self.kicker.release();
        Ok(match exit? {
            Exit::Interrupted => Exit::MsrWritten,
            exit => exit,
        })
    }

    /// What the guest does, if that is why KVM has left it.
    fn msr_access(&mut self, exit: Exit) -> Option<Access> {
        let Exit::Other { reason } = exit else { return None };
        if ![KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR].contains(&reason) {
            return None;
        }
        // SAFETY: the exit reason says that `msr` is the member of the union in use.
        let msr = unsafe { self.fd.get_kvm_run().__bindgen_anon_1.msr };
        Some(match reason {
            KVM_EXIT_X86_RDMSR => Access::Read { index: msr.index },
            _ => Access::Write { index: msr.index, value: msr.data },
        })
    }

    /// Whether a processor takes `value` for the register, which it has then. LME of EFER only changes while paging is off
    /// (SDM vol. 3A, 4.1.1); of all else KVM knows.
    fn write_msr(&mut self, index: u32, value: u64) -> bool {
        if index == MSR_EFER
            && self.cpu.cr0 & CR0_PG != 0
            && (self.cpu.efer ^ value) & EFER_LME != 0
        {
            return false;
        }
        let taken = self.set_msr(index, value);
        if taken && index == MSR_LSTAR {
            self.call_target = None;
            self.new_call_target = true;
        }
        taken
    }

    /// Whether the guest has written LSTAR since the last time.
    pub fn take_new_call_target(&mut self) -> bool {
        std::mem::take(&mut self.new_call_target)
    }

    /// Sets the register as KVM has it; whether KVM takes the value.
    pub(super) fn set_msr(&self, index: u32, value: u64) -> bool {
        let entry = kvm_msr_entry { index, data: value, ..Default::default() };
        Msrs::from_entries(&[entry]).is_ok_and(|msrs| self.fd.set_msrs(&msrs) == Ok(1))
    }

    /// Has SYSCALL lead to [`CALL_TRAP`] until the guest writes LSTAR again. Neither RDMSR nor [`Vcpu::msr`] shows that.
    /// To be called after [`Vcpu::take_new_call_target`] has been true: on a host that does not report accesses to MSRs it
    /// never is, and RDMSR would show the trap.
    pub fn trap_calls(&mut self) {
        if self.call_target.is_none()
            && let Some(target) = self.msr(MSR_LSTAR)
            && self.set_msr(MSR_LSTAR, CALL_TRAP.0)
        {
            self.call_target = Some(target);
        }
    }

    /// Whether SYSCALL leads to [`CALL_TRAP`].
    #[must_use]
    pub fn traps_calls(&self) -> bool {
        self.call_target.is_some()
    }
}
