//! Writes of EFER, which leave the guest where that is asked for: no other exit tells that a guest is about to enter long
//! mode (api.rst, 4.97 "KVM_X86_SET_MSR_FILTER" and 7.21 "KVM_CAP_X86_USER_SPACE_MSR").

use kvm_bindings::{
    KVM_CAP_X86_USER_SPACE_MSR, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_FILTER, Msrs,
    kvm_enable_cap, kvm_msr_entry,
};
use kvm_ioctls::{Cap, MsrFilterDefaultAction, MsrFilterRange, MsrFilterRangeFlags};

use super::{Exit, KvmError, Vcpu, Vm};
use crate::x86::registers::{CR0_PG, EFER_LME};

/// IA32_EFER (SDM vol. 4, table 2-2).
const EFER: u32 = 0xc000_0080;
/// A bitmap that allows no register of a range. KVM reads whole words of it.
const NONE: [u8; 8] = [0; 8];

impl Vm {
    /// Has [`Vcpu::run`] return [`Exit::EferWritten`] behind each WRMSR to EFER. Kernels before Linux 5.10 cannot, and
    /// nothing changes.
    ///
    /// # Errors
    /// The ioctl failed.
    pub(super) fn report_efer_writes(&self) -> Result<(), KvmError> {
        if !self.kvm.check_extension(Cap::X86UserSpaceMsr) {
            return Ok(());
        }
        let args = [KVM_MSR_EXIT_REASON_FILTER.into(), 0, 0, 0];
        let cap = kvm_enable_cap { cap: KVM_CAP_X86_USER_SPACE_MSR, args, ..Default::default() };
        self.fd.enable_cap(&cap).map_err(KvmError::ioctl("KVM_ENABLE_CAP"))?;
        let range = MsrFilterRange {
            flags: MsrFilterRangeFlags::WRITE,
            base: EFER,
            msr_count: 1,
            bitmap: &NONE,
        };
        self.fd
            .set_msr_filter(MsrFilterDefaultAction::ALLOW, &[range])
            .map_err(KvmError::ioctl("KVM_X86_SET_MSR_FILTER"))
    }
}

impl Vcpu {
    /// The exit that ends an entry: `exit`, unless the guest is in the middle of a write of EFER, which is done for it
    /// then. One that no processor takes is its #GP, without an exit.
    pub(super) fn past_efer_write(&mut self, exit: Exit) -> Result<Exit, KvmError> {
        let mut exit = exit;
        while let Some(value) = self.efer_write(exit) {
            let taken = self.write_efer(value);
            self.fd.get_kvm_run().__bindgen_anon_1.msr.error = u8::from(!taken);
            exit = if taken { self.finish_efer_write()? } else { self.enter_once()? };
        }
        Ok(exit)
    }

    /// Lets KVM finish the instruction. Some need more than one entry for that, and exit for it again.
    fn finish_efer_write(&mut self) -> Result<Exit, KvmError> {
        self.kicker.hold();
        let exit = self.enter_once();
        self.kicker.release();
        Ok(match exit? {
            Exit::Interrupted => Exit::EferWritten,
            exit => exit,
        })
    }

    /// What the guest writes to EFER, if that is why KVM has left it.
    fn efer_write(&mut self, exit: Exit) -> Option<u64> {
        if exit != (Exit::Other { reason: KVM_EXIT_X86_WRMSR }) {
            return None;
        }
        // SAFETY: the exit reason says that `msr` is the member of the union in use.
        let msr = unsafe { self.fd.get_kvm_run().__bindgen_anon_1.msr };
        (msr.index == EFER).then_some(msr.data)
    }

    /// Whether a processor takes `value` for EFER, which it has then: no reserved bits, and LME only changes while paging
    /// is off (SDM vol. 3A, 4.1.1).
    fn write_efer(&mut self, value: u64) -> bool {
        if self.cpu.cr0 & CR0_PG != 0 && (self.cpu.efer ^ value) & EFER_LME != 0 {
            return false;
        }
        let entry = kvm_msr_entry { index: EFER, data: value, ..Default::default() };
        Msrs::from_entries(&[entry]).is_ok_and(|msrs| self.fd.set_msrs(&msrs) == Ok(1))
    }
}
