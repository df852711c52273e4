//! What is pending in the vCPU and what holds it back: exceptions, and the shadows that interrupts and NMIs wait for
//! (api.rst, 4.31 "KVM_GET_VCPU_EVENTS").

use kvm_bindings::{KVM_VCPUEVENT_VALID_SHADOW, kvm_vcpu_events};

use super::{KvmError, Vcpu};
use crate::x86::vectors::DEBUG;

impl Vcpu {
    /// Whether interrupts are held back for one instruction, after STI or a load of SS
    /// (SDM vol. 3A, 6.8.3).
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn interrupt_shadow(&self) -> Result<bool, KvmError> {
        Ok(!self.out_of_shadow && self.events()?.interrupt.shadow != 0)
    }

    /// Ends what lasts for one instruction or, with `nmi`, until an IRET: the interrupt shadow, and the
    /// blocking of further NMIs.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn end_shadows(&mut self, nmi: bool) -> Result<(), KvmError> {
        if self.out_of_shadow && !nmi {
            return Ok(());
        }
        let mut events = self.events()?;
        let masked = nmi && events.nmi.masked != 0;
        if events.interrupt.shadow != 0 || masked {
            events.interrupt.shadow = 0;
            if masked {
                events.nmi.masked = 0;
            }
            events.flags = KVM_VCPUEVENT_VALID_SHADOW;
            self.set_events(&events)?;
        }
        self.out_of_shadow = true;
        Ok(())
    }

    /// Whether KVM is about to raise an exception in the guest.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn has_exception(&self) -> Result<bool, KvmError> {
        let events = self.events()?;
        Ok(events.exception.injected != 0 || events.exception.pending != 0)
    }

    /// Takes back an exception that KVM is about to raise: the #UD that goes along with a refused
    /// instruction on kernels that cannot leave the guest without it.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn drop_exception(&mut self) -> Result<(), KvmError> {
        let mut events = self.events()?;
        if events.exception.injected == 0 && events.exception.pending == 0 {
            return Ok(());
        }
        (events.exception.injected, events.exception.pending) = (0, 0);
        self.set_events(&events)
    }

    /// Takes back a debug exception that KVM is about to raise in the guest; whether there was one.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn drop_debug_exception(&mut self) -> Result<bool, KvmError> {
        let events = self.events()?;
        let exception = events.exception;
        let is_due = exception.nr == DEBUG && (exception.injected != 0 || exception.pending != 0);
        if is_due {
            self.drop_exception()?;
        }
        Ok(is_due)
    }

    /// Takes back an interrupt of the guest's program that KVM could not deliver and would try again.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn drop_interrupt(&mut self) -> Result<(), KvmError> {
        let mut events = self.events()?;
        (events.interrupt.injected, events.exception.injected) = (0, 0);
        self.set_events(&events)
    }

    /// Has the guest be left, by [`Exit::InterruptWindow`](super::Exit::InterruptWindow), as soon as it takes interrupts, or not. Some KVMs forget
    /// the interrupt shadow then, and some never leave the guest for it where HLT follows.
    pub fn request_interrupt_window(&mut self, on: bool) {
        self.fd.get_kvm_run().request_interrupt_window = u8::from(on);
    }

    /// Has KVM deliver an interrupt from outside at the next entry.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn inject_interrupt(&mut self, vector: u8) -> Result<(), KvmError> {
        let mut events = self.events()?;
        (events.interrupt.injected, events.interrupt.nr) = (1, vector);
        (events.interrupt.soft, events.flags) = (0, 0);
        self.set_events(&events)
    }

    fn events(&self) -> Result<kvm_vcpu_events, KvmError> {
        // Registers that KVM has not got yet take back an exception that is on its way.
        self.give_pending()?;
        self.fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))
    }

    fn set_events(&self, events: &kvm_vcpu_events) -> Result<(), KvmError> {
        self.fd.set_vcpu_events(events).map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))
    }
}
