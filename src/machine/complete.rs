//! What the machine executes in the processor's place: the emulator's environment, and its results put
//! into the vCPU.

use super::stop::Target;
use super::{Machine, StopReason};
use crate::devices::OPEN_BUS;
use crate::emulator::{self, Delivery, Environment, Event, Unsupported};
use crate::kvm::KvmError;
use crate::x86::Phys;
use crate::x86::paging::PhysRead;

/// The machine as the emulator sees it.
pub(super) struct Surroundings<'a> {
    machine: &'a mut Machine,
    /// Why the run has to end after the instruction: the first access to nothing, where that ends it.
    stop: Option<StopReason>,
}

impl PhysRead for Surroundings<'_> {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        self.machine.vm.ram().read_phys(addr, data)
    }
}

impl Environment for Surroundings<'_> {
    fn read(&mut self, addr: Phys, data: &mut [u8]) {
        let machine = &mut *self.machine;
        let mut done = 0;
        while done < data.len() {
            let at = addr.offset(done as u64);
            let ram = machine.vm.ram().read(at, &mut data[done..]);
            if ram > 0 {
                done += ram;
                continue;
            }
            let len = machine.outside_ram(at, data.len() - done);
            let outside = &mut data[done..done + len];
            outside.fill(OPEN_BUS);
            if !machine.devices.mmio_read(at, outside) {
                let stop = machine.unclaimed(Target::Memory(at), None, len);
                self.stop = self.stop.take().or(stop);
            }
            done += len;
        }
    }

    fn write(&mut self, addr: Phys, data: &[u8]) {
        let machine = &mut *self.machine;
        let mut done = 0;
        while done < data.len() {
            let at = addr.offset(done as u64);
            let ram = machine.vm.ram().write(at, &data[done..]);
            if ram > 0 {
                done += ram;
                continue;
            }
            let len = machine.outside_ram(at, data.len() - done).min(8);
            let outside = &data[done..done + len];
            if !machine.devices.mmio_write(at, outside) {
                let mut value = [0; 8];
                value[..len].copy_from_slice(outside);
                let value = Some(u64::from_le_bytes(value));
                let stop = machine.unclaimed(Target::Memory(at), value, len);
                self.stop = self.stop.take().or(stop);
            }
            done += len;
        }
    }
}

impl Machine {
    /// Delivers an interrupt or exception in the processor's place, by [`emulator::deliver`]: the
    /// processor is at the handler's first instruction then. [`Delivery::Shutdown`] and what is
    /// unsupported leave it where it was. Of a page fault as the event, CR2 is the caller's.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn deliver(
        &mut self,
        event: Event,
    ) -> Result<Result<Delivery, Unsupported>, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        let mut surroundings = Surroundings { machine: self, stop: None };
        let delivery = emulator::deliver(&mut cpu, &mut surroundings, event);
        self.vcpu.set_cpu(&cpu)?;
        Ok(delivery)
    }

    /// How many of the `len` bytes at `addr`, which is not RAM, come before the next RAM; at least one.
    fn outside_ram(&self, addr: Phys, len: usize) -> usize {
        let ram = |at: &usize| self.vm.ram().contiguous(addr.offset(*at as u64), 1) > 0;
        (1..len).find(ram).unwrap_or(len)
    }
}
