//! What the machine executes in the processor's place: the emulator's environment, and its results put
//! into the vCPU.

use std::fs::File;
use std::io::Read;

use crate::devices::OPEN_BUS;
use crate::emulator::{self, Delivery, Environment, Event, Outcome, Unsupported};
use crate::kvm::KvmError;
use crate::machine::stop::Target;
use crate::machine::{Machine, StopReason};
use crate::x86::debug::DR6_BS;
use crate::x86::instruction;
use crate::x86::paging::PhysRead;
use crate::x86::{CpuState, Features, Phys};

/// The machine as the emulator sees it.
pub(in crate::machine) struct Surroundings<'a> {
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
            let at = machine.vm.ram().through_a20(at);
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
            let at = machine.vm.ram().through_a20(at);
            let outside = &data[done..done + len];
            if !machine.devices.mmio_write(at, outside) && !machine.vm.ram().is_rom(at) {
                let mut value = [0; 8];
                value[..len].copy_from_slice(outside);
                let value = Some(u64::from_le_bytes(value));
                let stop = machine.unclaimed(Target::Memory(at), value, len);
                self.stop = self.stop.take().or(stop);
            }
            done += len;
        }
    }

    fn msr(&mut self, index: u32) -> Option<u64> {
        self.machine.vcpu.msr(index)
    }

    fn xcr(&mut self, index: u32) -> Option<u64> {
        self.machine.vcpu.xcr(index)
    }

    fn x87_exception_pending(&mut self) -> bool {
        self.machine.fpu().is_ok_and(|fpu| fpu.has_pending_exception())
    }

    fn end_local_breakpoints(&mut self) {
        // L0 to L3, and LE. What cannot be read is told where it matters.
        const LOCAL: u64 = 0x155;
        if let Ok(mut registers) = self.machine.vcpu.debug_registers()
            && registers[7] & LOCAL != 0
        {
            registers[7] &= !LOCAL;
            let _ = self.machine.vcpu.set_debug_registers(&registers);
        }
    }

    fn random(&mut self) -> Option<u64> {
        let mut bytes = [0; 8];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    fn features(&self) -> Features {
        self.machine.vcpu.features()
    }
}

impl Machine {
    /// Executes the instruction at CS:IP in the processor's place, by [`emulator::execute`]. An exception
    /// that it raises is delivered: the processor is at the handler's first instruction then. Along with the
    /// outcome, why the run has to end after it, if it has to. A trap that is due afterwards is the caller's.
    ///
    /// # Errors
    /// The outer one: a KVM call failed. The inner one: the instruction is not supported, or is in no memory or in that of
    /// a device, from which no KVM executes either, and nothing has changed.
    pub(in crate::machine) fn execute_at_pc(
        &mut self,
    ) -> Result<Result<(Outcome, Option<StopReason>), Unsupported>, KvmError> {
        let is_nowhere = self.code_bytes(&mut [0; instruction::MAX_LEN]) == 0;
        if is_nowhere || self.is_in_device(self.vcpu.cpu().pc()) {
            return Ok(Err(Unsupported::Unknown));
        }
        self.execute_from(self.vcpu.cpu().clone())
    }

    /// The same for the next instruction of `cpu`, from which the processor goes on. Where it is not supported, the
    /// processor stays as it is.
    ///
    /// # Errors
    /// As of [`Machine::execute_at_pc`].
    pub(in crate::machine) fn execute_from(
        &mut self,
        cpu: CpuState,
    ) -> Result<Result<(Outcome, Option<StopReason>), Unsupported>, KvmError> {
        let mut cpu = cpu;
        let mut surroundings = Surroundings { machine: self, stop: None };
        let outcome = emulator::execute(&mut cpu, &mut surroundings);
        let stop = surroundings.stop;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(unsupported) => return Ok(Err(unsupported)),
        };
        // This also takes back the #UD that some kernels raise along with their refusal.
        match self.vcpu.set_cpu(&cpu) {
            // The way there writes nothing.
            Err(KvmError::Virtual8086) => return Ok(Err(Unsupported::NoVirtual8086)),
            set => set?,
        }
        let stop = match outcome {
            Outcome::Completed { unblocks_nmi, .. } => {
                self.vcpu.end_shadows(unblocks_nmi)?;
                stop
            }
            Outcome::Entered { .. } => {
                self.vcpu.end_shadows(false)?;
                stop
            }
            Outcome::Shutdown => Some(self.shutdown_here()),
        };
        Ok(Ok((outcome, stop)))
    }

    /// Executes the instruction at CS:IP, which KVM refuses, with the trap that the guest's own trap flag
    /// asks for. No stop means that the guest can go on.
    ///
    /// # Errors
    /// As of [`Machine::execute_at_pc`].
    pub(in crate::machine) fn complete_at_pc(
        &mut self,
    ) -> Result<Result<Option<StopReason>, Unsupported>, KvmError> {
        let completed = self.carry_out_at_pc()?;
        self.stats.completed += u64::from(completed.is_ok());
        Ok(completed)
    }

    /// The same for an instruction that KVM would not refuse.
    ///
    /// # Errors
    /// As of [`Machine::execute_at_pc`].
    pub(in crate::machine) fn carry_out_at_pc(
        &mut self,
    ) -> Result<Result<Option<StopReason>, Unsupported>, KvmError> {
        let (outcome, stop) = match self.execute_at_pc()? {
            Ok(executed) => executed,
            Err(unsupported) => return Ok(Err(unsupported)),
        };
        let end = match outcome {
            Outcome::Completed { single_step: true, .. } => self.debug_trap(DR6_BS)?,
            _ => None,
        };
        Ok(Ok(stop.or(end)))
    }

    /// Delivers an interrupt or exception in the processor's place, by [`emulator::deliver`]: the
    /// processor is at the handler's first instruction then. [`Delivery::Shutdown`] and what is
    /// unsupported leave it where it was. Of a page fault as the event, CR2 is the caller's.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(in crate::machine) fn deliver(
        &mut self,
        event: Event,
    ) -> Result<Result<Delivery, Unsupported>, KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        let mut surroundings = Surroundings { machine: self, stop: None };
        let delivery = emulator::deliver(&mut cpu, &mut surroundings, event);
        self.vcpu.set_cpu(&cpu)?;
        Ok(delivery)
    }

    /// Goes on where KVM does not know the instruction; a stop if nobody does.
    pub(in crate::machine) fn complete_refused(&mut self) -> Result<Option<StopReason>, KvmError> {
        Ok(self.complete_at_pc()?.unwrap_or_else(|unsupported| Some(self.beyond(unsupported))))
    }

    /// The stop at an instruction that neither KVM nor the emulator knows.
    pub(in crate::machine) fn beyond(&self, unsupported: Unsupported) -> StopReason {
        match unsupported {
            Unsupported::Unknown => {
                self.refused("its instruction emulator does not know the instruction")
            }
            unsupported => self.refused(&format!(
                "its instruction emulator does not know the instruction, and {unsupported}"
            )),
        }
    }

    pub(in crate::machine) fn shutdown_here(&self) -> StopReason {
        StopReason::Shutdown { location: self.vcpu.cpu().location() }
    }

    /// How many of the `len` bytes at `addr`, which is not RAM, come before the next RAM; at least one.
    fn outside_ram(&self, addr: Phys, len: usize) -> usize {
        let ram = |at: &usize| self.vm.ram().contiguous(addr.offset(*at as u64), 1) > 0;
        (1..len).find(ram).unwrap_or(len)
    }
}
