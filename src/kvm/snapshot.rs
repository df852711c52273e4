//! The whole state of a vCPU, kept and put back: what [`CpuState`] has, and what it has not.

use kvm_bindings::{Msrs, kvm_debugregs, kvm_msr_entry, kvm_vcpu_events, kvm_xcrs, kvm_xsave};
use kvm_ioctls::VcpuFd;

use super::{KvmError, Vcpu};
use crate::x86::CpuState;
use crate::x86::registers::{MSR_FMASK, MSR_LSTAR, MSR_STAR};

/// Everything of a vCPU that a guest can change and that matters to it.
#[derive(Debug)]
pub struct VcpuSnapshot {
    cpu: CpuState,
    xsave: kvm_xsave,
    xcrs: Option<kvm_xcrs>,
    debug_registers: kvm_debugregs,
    events: kvm_vcpu_events,
    msrs: Vec<kvm_msr_entry>,
    traps_calls: bool,
}

/// Model-specific registers that a guest may write and find again: SYSENTER, PAT, SYSCALL, KERNEL_GS_BASE and
/// TSC_AUX. KVM has EFER, the bases of FS and GS and the APIC base in the special registers.
pub(super) const MSRS: [u32; 10] = [
    0x174,
    0x175,
    0x176,
    0x277,
    MSR_STAR,
    MSR_LSTAR,
    0xc000_0083,
    MSR_FMASK,
    0xc000_0102,
    0xc000_0103,
];
/// The time-stamp counter.
const TSC: u32 = 0x10;

impl VcpuSnapshot {
    /// The registers of [`Vcpu::cpu`].
    #[must_use]
    pub fn cpu(&self) -> &CpuState {
        &self.cpu
    }
}

impl Vcpu {
    /// The state as it is. Between an exit for an access and [`Vcpu::complete`] it is not a state that can
    /// be gone back to.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn snapshot(&self) -> Result<VcpuSnapshot, KvmError> {
        self.give_pending()?;
        let fd = &self.fd;
        Ok(VcpuSnapshot {
            cpu: self.cpu().clone(),
            xsave: fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?,
            xcrs: read_xcrs(fd),
            debug_registers: fd.get_debug_regs().map_err(KvmError::ioctl("KVM_GET_DEBUGREGS"))?,
            events: fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?,
            msrs: self.guest_msrs()?,
            traps_calls: self.traps_calls(),
        })
    }

    /// [`MSRS`] and the time-stamp counter, as the guest finds them.
    fn guest_msrs(&self) -> Result<Vec<kvm_msr_entry>, KvmError> {
        let mut found = read_msrs(&self.fd, MSRS.into_iter().chain([TSC]))?;
        if let Some(target) = self.call_target {
            let targets = found.iter_mut().filter(|entry| entry.index == MSR_LSTAR);
            targets.for_each(|entry| entry.data = target);
        }
        Ok(found)
    }

    /// Puts a state back, also after a shutdown that has reset the vCPU.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn restore(&mut self, snapshot: &VcpuSnapshot) -> Result<(), KvmError> {
        let VcpuSnapshot { cpu, xsave, xcrs, debug_registers, events, msrs, .. } = snapshot;
        self.revive(cpu)?;
        // They would take back what is pending.
        self.give_pending()?;
        let fd = &self.fd;
        write_xcrs(fd, xcrs.as_ref())?;
        // SAFETY: no dynamically enabled state component is in use (none is asked for with
        // ARCH_REQ_XCOMP_GUEST_PERM), so 4096 bytes are the whole area.
        unsafe { fd.set_xsave(xsave) }.map_err(KvmError::ioctl("KVM_SET_XSAVE"))?;
        fd.set_debug_regs(debug_registers).map_err(KvmError::ioctl("KVM_SET_DEBUGREGS"))?;
        fd.set_vcpu_events(events).map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))?;
        write_msrs(fd, msrs)?;
        self.call_target = None;
        if snapshot.traps_calls {
            self.trap_calls();
        }
        self.forget_debug_registers();
        // A reset or the debug registers may have dropped what was armed.
        let armed = self.armed.to_kvm();
        self.fd.set_guest_debug(&armed).map_err(KvmError::ioctl("KVM_SET_GUEST_DEBUG"))?;
        self.trap_flag_set = self.armed.single_step;
        Ok(())
    }
}

/// Those of `wanted` that this KVM has: it stops reading at the first that it has not.
pub(super) fn read_msrs(
    fd: &VcpuFd,
    wanted: impl IntoIterator<Item = u32>,
) -> Result<Vec<kvm_msr_entry>, KvmError> {
    let entry = |index| kvm_msr_entry { index, ..Default::default() };
    let mut wanted: Vec<kvm_msr_entry> = wanted.into_iter().map(entry).collect();
    loop {
        let Ok(mut msrs) = Msrs::from_entries(&wanted) else { return Ok(Vec::new()) };
        let read = fd.get_msrs(&mut msrs).map_err(KvmError::ioctl("KVM_GET_MSRS"))?;
        if read >= wanted.len() {
            return Ok(msrs.as_slice().to_vec());
        }
        wanted.remove(read);
    }
}

/// Writes what [`read_msrs`] has read.
pub(super) fn write_msrs(fd: &VcpuFd, entries: &[kvm_msr_entry]) -> Result<(), KvmError> {
    let Ok(msrs) = Msrs::from_entries(entries) else { return Ok(()) };
    fd.set_msrs(&msrs).map_err(KvmError::ioctl("KVM_SET_MSRS"))?;
    Ok(())
}

/// The extended control registers; KVM has none on a processor without XSAVE (SDM vol. 1, 13.2).
pub(super) fn read_xcrs(fd: &VcpuFd) -> Option<kvm_xcrs> {
    fd.get_xcrs().ok()
}

/// Writes what [`read_xcrs`] has read.
pub(super) fn write_xcrs(fd: &VcpuFd, xcrs: Option<&kvm_xcrs>) -> Result<(), KvmError> {
    xcrs.map_or(Ok(()), |xcrs| fd.set_xcrs(xcrs).map_err(KvmError::ioctl("KVM_SET_XCRS")))
}
