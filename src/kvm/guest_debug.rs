//! What KVM_SET_GUEST_DEBUG arms: single-step and the four debug address registers.

use kvm_bindings::{
    KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP, kvm_guest_debug,
};

use crate::x86::debug::{DEBUG_SLOTS, DebugSlot, debug_registers};

/// The debug facilities to use at the next entry; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestDebug {
    /// Return to the owner after one instruction.
    pub single_step: bool,
    /// What the debug registers stop on.
    pub slots: [Option<DebugSlot>; DEBUG_SLOTS],
}

impl GuestDebug {
    /// No debugging: the guest runs as on bare hardware.
    pub const OFF: GuestDebug = GuestDebug { single_step: false, slots: [None; DEBUG_SLOTS] };

    /// The ioctl's argument.
    pub(super) fn to_kvm(self) -> kvm_guest_debug {
        let mut arg = kvm_guest_debug::default();
        if self.slots.iter().any(Option::is_some) {
            arg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
            arg.arch.debugreg = debug_registers(&self.slots);
        }
        if self.single_step {
            arg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        }
        arg
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
}
