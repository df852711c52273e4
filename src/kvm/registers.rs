//! The registers of the vCPU as KVM has them: all of them in the terms of [`crate::x86`], the state at power-on,
//! and the state after a shutdown (SDM vol. 3A, 9.1).

use kvm_bindings::{Msrs, kvm_debugregs, kvm_msr_entry, kvm_vcpu_events, kvm_xcrs, kvm_xsave};
use kvm_ioctls::VcpuFd;

use super::snapshot::{MSRS, read_msrs, read_xcrs, write_msrs, write_xcrs};
use super::{Exit, GuestDebug, KvmError, Vcpu, high_interrupts, state};
use crate::x86::registers::{
    CR0_WP, MSR_LSTAR, RFLAGS_AF, RFLAGS_CF, RFLAGS_DF, RFLAGS_IF, RFLAGS_OF, RFLAGS_PF, RFLAGS_RF,
    RFLAGS_SF, RFLAGS_TF, RFLAGS_VM, RFLAGS_ZF,
};
use crate::x86::{CpuState, FpuState};

/// CR0.ET, which always reads as one (SDM vol. 3A, 2.5).
const CR0_ET: u64 = 1 << 4;
/// Flags that KVM takes as they are, in every mode.
const COMMON_FLAGS: u64 = RFLAGS_CF
    | RFLAGS_PF
    | RFLAGS_AF
    | RFLAGS_ZF
    | RFLAGS_SF
    | RFLAGS_OF
    | RFLAGS_DF
    | RFLAGS_IF
    | RFLAGS_RF;

/// State at power-on that is no part of [`CpuState`].
#[derive(Debug)]
pub(super) struct PowerOn {
    xsave: kvm_xsave,
    /// None without XSAVE.
    xcrs: Option<kvm_xcrs>,
    debug_registers: kvm_debugregs,
    /// Nothing pending, no interrupt shadow.
    events: kvm_vcpu_events,
    /// [`MSRS`], as far as this KVM has them.
    msrs: Vec<kvm_msr_entry>,
}

impl PowerOn {
    /// That of a vCPU that has not run yet.
    pub(super) fn of(fd: &VcpuFd) -> Result<PowerOn, KvmError> {
        Ok(PowerOn {
            xsave: fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?,
            xcrs: read_xcrs(fd),
            debug_registers: fd.get_debug_regs().map_err(KvmError::ioctl("KVM_GET_DEBUGREGS"))?,
            events: fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?,
            msrs: read_msrs(fd, MSRS)?,
        })
    }
}

impl Vcpu {
    /// Integer, segment and control registers as of the last exit.
    #[must_use]
    pub fn cpu(&self) -> &CpuState {
        &self.cpu
    }

    /// Replaces the registers of [`Vcpu::cpu`]; only what differs is written.
    ///
    /// # Errors
    /// KVM refuses the values (a combination that no processor can be in); then nothing has changed.
    pub fn set_cpu(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        self.changed = true;
        if self.is_common_change(cpu) {
            self.cpu = cpu.clone();
            // Which is lost along with that.
            self.trap_flag_set = false;
            self.pending.set(true);
            return Ok(());
        }
        let before = self.cpu.clone();
        let written = self.write_cpu(cpu).and_then(|()| {
            if cpu.rflags & !self.cpu.rflags & RFLAGS_VM != 0 {
                return Err(KvmError::Virtual8086);
            }
            let (asked, found) = (cpu.cr0, self.cpu.cr0);
            if (asked ^ found) & !CR0_ET == 0 {
                Ok(())
            } else {
                Err(KvmError::Cr0 { asked, found })
            }
        });
        if let Err(error) = written {
            if matches!(error, KvmError::Cr0 { .. }) {
                self.take_shutdown()?;
            }
            // Some of the registers may have been taken already.
            self.reload()?;
            self.write_cpu(&before)?;
            self.arm(self.armed)?;
            return Err(error);
        }
        // Setting registers drops the trap flag that single-stepping planted.
        self.arm(self.armed)
    }

    /// Whether no more than the general registers, RIP and flags that no KVM changes or refuses would become those of
    /// `cpu`.
    fn is_common_change(&self, cpu: &CpuState) -> bool {
        let same = CpuState { gpr: cpu.gpr, rip: cpu.rip, rflags: cpu.rflags, ..self.cpu.clone() };
        same == *cpu && *cpu != self.cpu && (cpu.rflags ^ self.cpu.rflags) & !COMMON_FLAGS == 0
    }

    /// Gives KVM the registers that it has not got yet; whether there were any.
    pub(super) fn give_pending(&self) -> Result<bool, KvmError> {
        if !self.pending.get() {
            return Ok(false);
        }
        let regs = state::regs_to_kvm(&self.cpu);
        self.fd.set_regs(&regs).map_err(KvmError::ioctl("KVM_SET_REGS"))?;
        self.pending.set(false);
        Ok(true)
    }

    /// A software KVM that has paging in long mode only answers an attempt to switch it on with a shutdown
    /// at the next entry. Taken here, it does not hit the guest, whose registers are put back.
    fn take_shutdown(&mut self) -> Result<(), KvmError> {
        self.arm(GuestDebug { single_step: true, ..GuestDebug::OFF })?;
        let mut kicked = false;
        // A kick, even one that comes just now, would leave the shutdown for the guest. It needs no signal: the
        // entry is short.
        let exit = loop {
            kicked |= self.kicker.take();
            match self.enter_guest() {
                Ok(Exit::Interrupted) => {}
                exit => break exit,
            }
        };
        if kicked {
            self.kicker.kick();
        }
        self.arm(GuestDebug::OFF)?;
        exit.map(|exit| log::debug!("{} after a refused CR0", exit.name()))
    }

    fn write_cpu(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        self.give_pending()?;
        let mut sregs = state::sregs_to_kvm(cpu);
        if sregs != state::sregs_to_kvm(&self.cpu) {
            if self.table_moved && high_interrupts::moves_table(cpu) {
                sregs.idt.base = high_interrupts::TABLE;
            }
            if !self.features.is_intel() {
                // Intel's processors demand a busy task register. AMD's do not mind either, but QEMU's
                // emulation of one knows no busy one.
                sregs.tr.type_ &= !state::TASK_BUSY;
            }
            self.fd.set_sregs(&sregs).map_err(KvmError::ioctl("KVM_SET_SREGS"))?;
        }
        let regs = state::regs_to_kvm(cpu);
        if regs != state::regs_to_kvm(&self.cpu) {
            self.fd.set_regs(&regs).map_err(KvmError::ioctl("KVM_SET_REGS"))?;
        }
        self.guest_trap_flag = cpu.rflags & RFLAGS_TF != 0;
        self.reload()?;
        // Setting registers may drop the trap flag that single-stepping planted.
        self.trap_flag_set = false;
        Ok(())
    }

    /// Puts the processor into the state `cpu`, and all that is no part of it into the state at power-on:
    /// x87 and SSE, XCR0, the guest's debug registers, pending events, model-specific registers. The time-stamp counter
    /// goes on.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn reset(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        self.debug_registers.set(None);
        let PowerOn { xsave, xcrs, debug_registers, events, msrs } = &self.power_on;
        write_xcrs(&self.fd, xcrs.as_ref())?;
        // SAFETY: as in `set_fpu`.
        unsafe { self.fd.set_xsave(xsave) }.map_err(KvmError::ioctl("KVM_SET_XSAVE"))?;
        let set = self.fd.set_debug_regs(debug_registers);
        set.map_err(KvmError::ioctl("KVM_SET_DEBUGREGS"))?;
        let set = self.fd.set_vcpu_events(events);
        set.map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))?;
        write_msrs(&self.fd, msrs)?;
        (self.call_target, self.new_call_target) = (None, false);
        self.revive(cpu)
    }

    /// Puts the processor into the state `cpu` after a shutdown. KVM for AMD resets the processor then and
    /// forgets where its tables of guest memory are; it would fault for ever at the next entry, were it
    /// not made to build them anew by a change of CR0.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn revive(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        self.out_of_shadow = false;
        let mut sregs = self.fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        for _ in 0..2 {
            sregs.cr0 ^= CR0_WP;
            self.fd.set_sregs(&sregs).map_err(KvmError::ioctl("KVM_SET_SREGS"))?;
        }
        self.reload()?;
        self.set_cpu(cpu)
    }

    /// Reads back what KVM made of the registers.
    fn reload(&mut self) -> Result<(), KvmError> {
        self.give_pending()?;
        let regs = self.fd.get_regs().map_err(KvmError::ioctl("KVM_GET_REGS"))?;
        let sregs = self.fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        self.cpu = state::cpu_from_kvm(&regs, &sregs);
        self.show_table();
        self.show_trap_flag();
        Ok(())
    }

    /// x87 and SSE registers.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn fpu(&self) -> Result<FpuState, KvmError> {
        let xsave = self.fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?;
        Ok(state::fpu_from_kvm(&xsave))
    }

    /// Replaces the x87 and SSE registers.
    ///
    /// # Errors
    /// KVM refuses the values, for instance a reserved bit of MXCSR.
    pub fn set_fpu(&mut self, fpu: &FpuState) -> Result<(), KvmError> {
        let mut xsave = self.fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?;
        state::fpu_to_kvm(fpu, &mut xsave);
        // SAFETY: no dynamically enabled state component is in use (none is asked for with
        // ARCH_REQ_XCOMP_GUEST_PERM), so 4096 bytes are the whole area.
        unsafe { self.fd.set_xsave(&xsave) }.map_err(KvmError::ioctl("KVM_SET_XSAVE"))
    }

    /// The guest's own debug registers, DR0 to DR7 (DR4 and DR5 read as 0).
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn debug_registers(&self) -> Result<[u64; 8], KvmError> {
        if let Some(known) = self.debug_registers.get() {
            return Ok(known);
        }
        let regs = self.fd.get_debug_regs().map_err(KvmError::ioctl("KVM_GET_DEBUGREGS"))?;
        let [dr0, dr1, dr2, dr3] = regs.db;
        let found = [dr0, dr1, dr2, dr3, 0, 0, regs.dr6, regs.dr7];
        self.debug_registers.set(Some(found));
        Ok(found)
    }

    /// Replaces the guest's own debug registers.
    ///
    /// # Errors
    /// KVM refuses the values: reserved bits of DR6 or DR7.
    pub fn set_debug_registers(&mut self, dr: &[u64; 8]) -> Result<(), KvmError> {
        let regs = kvm_debugregs {
            db: [dr[0], dr[1], dr[2], dr[3]],
            dr6: dr[6],
            dr7: dr[7],
            ..Default::default()
        };
        self.debug_registers.set(None);
        self.fd.set_debug_regs(&regs).map_err(KvmError::ioctl("KVM_SET_DEBUGREGS"))
    }

    /// Says that the instruction that was just stepped may have changed the guest's own debug registers.
    pub fn forget_debug_registers(&mut self) {
        self.debug_registers.set(None);
    }

    /// The model-specific register `index`, or nothing if KVM has none for this guest.
    #[must_use]
    pub fn msr(&self, index: u32) -> Option<u64> {
        if index == MSR_LSTAR && self.call_target.is_some() {
            return self.call_target;
        }
        let entry = kvm_msr_entry { index, ..Default::default() };
        let mut msrs = Msrs::from_entries(&[entry]).ok()?;
        let read = self.fd.get_msrs(&mut msrs).ok()?;
        msrs.as_slice().first().filter(|_| read == 1).map(|entry| entry.data)
    }

    /// The extended control register `index`, or nothing if there is none.
    #[must_use]
    pub fn xcr(&self, index: u32) -> Option<u64> {
        let xcrs = read_xcrs(&self.fd)?;
        let used = xcrs.xcrs.get(..xcrs.nr_xcrs as usize)?;
        used.iter().find(|entry| entry.xcr == index).map(|entry| entry.value)
    }
}
