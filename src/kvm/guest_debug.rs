//! What KVM_SET_GUEST_DEBUG arms: single-step and the four debug address registers; and the guest's own trap flag,
//! which single-step takes from it (api.rst, 4.87 "KVM_SET_GUEST_DEBUG").

use kvm_bindings::{
    KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP, KVM_GUESTDBG_USE_SW_BP,
    kvm_guest_debug,
};

use super::{KvmError, Vcpu, state};
use crate::x86::CpuMode;
use crate::x86::debug::{DEBUG_SLOTS, DR7_GD, DebugSlot, debug_registers};
use crate::x86::registers::RFLAGS_TF;

/// The debug facilities to use at the next entry; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestDebug {
    /// Return to the owner after one instruction.
    pub single_step: bool,
    /// What the debug registers stop on.
    pub slots: [Option<DebugSlot>; DEBUG_SLOTS],
    /// With any of these, return to the owner before a MOV to or from a debug register as well, by DR7.GD. Some KVMs
    /// execute it all the same.
    pub general_detect: bool,
}

impl GuestDebug {
    /// No debugging: the guest runs as on bare hardware.
    pub const OFF: GuestDebug =
        GuestDebug { single_step: false, slots: [None; DEBUG_SLOTS], general_detect: false };

    /// The ioctl's argument.
    pub(super) fn to_kvm(self) -> kvm_guest_debug {
        let mut arg = kvm_guest_debug::default();
        if self.slots.iter().any(Option::is_some) {
            arg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
            arg.arch.debugreg = debug_registers(&self.slots);
            if self.general_detect {
                arg.arch.debugreg[7] |= DR7_GD;
            }
        }
        if self.single_step {
            arg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        }
        arg
    }
}

impl Vcpu {
    /// Chooses the debug facilities of the next entries. Has to come after any register change.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn arm(&mut self, debug: GuestDebug) -> Result<(), KvmError> {
        let in_place = !debug.single_step || self.trap_flag_set || self.steps_without_trap_flag();
        if debug == self.armed && in_place {
            return Ok(());
        }
        self.give_pending()?;
        self.fd.set_guest_debug(&debug.to_kvm()).map_err(KvmError::ioctl("KVM_SET_GUEST_DEBUG"))?;
        let stepped = self.armed.single_step;
        self.armed = debug;
        self.trap_flag_set = debug.single_step;
        if stepped && !debug.single_step && self.guest_trap_flag {
            // KVM has taken both trap flags for its own.
            let regs = state::regs_to_kvm(&self.cpu);
            self.fd.set_regs(&regs).map_err(KvmError::ioctl("KVM_SET_REGS"))?;
        }
        Ok(())
    }

    /// Makes INT3 leave the guest, where this host's KVM can do that, and arms nothing else. Only to find out
    /// whether it can.
    pub(super) fn arm_int3(&mut self) -> Result<(), KvmError> {
        let control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
        let debug = kvm_guest_debug { control, ..Default::default() };
        self.give_pending()?;
        self.fd.set_guest_debug(&debug).map_err(KvmError::ioctl("KVM_SET_GUEST_DEBUG"))?;
        // Nothing that anybody asks for is in place: the next call of `arm` does its work.
        self.armed = GuestDebug { single_step: true, general_detect: true, ..GuestDebug::OFF };
        self.trap_flag_set = false;
        Ok(())
    }

    /// What is armed.
    #[must_use]
    pub fn armed(&self) -> &GuestDebug {
        &self.armed
    }

    /// Whether the guest is made to stop after each instruction.
    #[must_use]
    pub fn is_stepping(&self) -> bool {
        self.armed.single_step
    }

    /// A software KVM stops behind each instruction that it emulates, whatever became of the flag.
    fn steps_without_trap_flag(&self) -> bool {
        let is_native = self.cpu.mode() == CpuMode::Long64 && self.cpu.cpl() == 3;
        self.may_be_software() && self.armed.single_step && !is_native
    }

    /// Says that the last step was over an instruction that leaves the trap flag alone and holds back no interrupts, so
    /// that it need not be armed again: an ioctl a step less. Without that it is taken for lost, as hardware loses it
    /// with an exit in mid-instruction and with everything that loads or saves the flags; and lost it is if registers
    /// were changed since.
    pub fn note_plain_step(&mut self) {
        self.trap_flag_set = self.armed.single_step && !self.changed;
        self.out_of_shadow = true;
    }

    /// Says what the instruction that was just stepped has made of the guest's own trap flag, which KVM does
    /// not tell.
    pub fn set_guest_trap_flag(&mut self, on: bool) {
        self.guest_trap_flag = on;
        self.show_trap_flag();
    }

    /// The guest's own trap flag, into or from the registers that KVM gave: it hides the flag while it steps.
    pub(super) fn show_trap_flag(&mut self) {
        if self.armed.single_step {
            self.cpu.rflags &= !RFLAGS_TF;
            if self.guest_trap_flag {
                self.cpu.rflags |= RFLAGS_TF;
            }
        } else {
            self.guest_trap_flag = self.cpu.rflags & RFLAGS_TF != 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::Linear;

    #[test]
    fn off_disables_everything() {
        assert_eq!(GuestDebug::OFF.to_kvm(), kvm_guest_debug::default());
    }

    #[test]
    fn execute_breakpoints_use_one_register_each() {
        let slot = |addr| Some(DebugSlot::execute(Linear(addr)));
        let debug =
            GuestDebug { slots: [slot(0x7c00), None, slot(0x7c05), None], ..GuestDebug::OFF };
        let arg = debug.to_kvm();
        assert_eq!(arg.control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP);
        assert_eq!(arg.arch.debugreg[..4], [0x7c00, 0, 0x7c05, 0]);
        assert_eq!(arg.arch.debugreg[7] & 0xff, 0b10_0010);
    }

    #[test]
    fn general_detect_goes_along_with_breakpoints_only() {
        let detecting = GuestDebug { general_detect: true, ..GuestDebug::OFF };
        assert_eq!(detecting.to_kvm(), kvm_guest_debug::default());
        let mut slots = [None; DEBUG_SLOTS];
        slots[0] = Some(DebugSlot::execute(Linear(0x7c00)));
        assert_eq!(GuestDebug { slots, ..detecting }.to_kvm().arch.debugreg[7], 0x2702);
    }
}
