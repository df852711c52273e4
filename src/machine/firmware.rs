//! The firmware in the machine: its ROM, its state at power-on, and the trap by which the guest calls it.

use super::{Machine, StopReason};
use crate::bios::{self, Outcome, Pc, Service, rom};
use crate::kvm::exit::PortAccess;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::x86::instruction::{Kind, Port};
use crate::x86::{CpuMode, CpuState};

/// Bytes of the OUT that is the trap.
const TRAP_LEN: u64 = 2;

impl Machine {
    /// Whether the machine has the firmware.
    #[must_use]
    pub fn has_firmware(&self) -> bool {
        self.firmware
    }

    /// Has the firmware bring up memory and devices for the processor state `cpu` at the guest's entry.
    pub(super) fn firmware_power_on(&mut self, cpu: &mut CpuState) {
        let own_stack = self.boot.leaves_free(&bios::power_on::STACK_RANGE);
        let mut pc =
            Pc { cpu, ram: self.vm.ram(), devices: &mut self.devices, disks: &mut self.disks };
        bios::power_on(&mut pc, own_stack);
    }

    /// The service of the trap at `cpu`'s next instruction.
    fn trap_at(&self, cpu: &CpuState, rip: u64) -> Option<Service> {
        if !self.firmware || !matches!(cpu.mode(), CpuMode::Real | CpuMode::Virtual8086) {
            return None;
        }
        let linear = cpu.segments.cs.base.wrapping_add(rip & 0xffff);
        rom::trap_at(u16::try_from(linear.checked_sub(rom::START.0)?).ok()?)
    }

    /// The service that the guest calls by the access `exit`, which is finished then.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn take_trap(&mut self, exit: &Exit) -> Result<Option<Service>, KvmError> {
        let Exit::PortWrite(PortAccess { port: bios::TRAP_PORT, size: 1, count: 1 }) = *exit else {
            return Ok(None);
        };
        let cpu = self.vcpu.cpu();
        // Some hosts have moved on when they report it.
        let called = [0, TRAP_LEN].into_iter().find_map(|back| {
            let rip = cpu.rip.wrapping_sub(back);
            self.trap_at(cpu, rip).map(|service| (service, rip))
        });
        let Some((service, rip)) = called else { return Ok(None) };
        while let Completion::Exit(next) = self.complete()? {
            if !next.is_access() {
                break;
            }
        }
        debug_assert_eq!(self.vcpu.cpu().rip, rip + TRAP_LEN);
        Ok(Some(service))
    }

    /// The service that the instruction of `kind` at CS:IP calls.
    pub(super) fn trap_here(&self, kind: Kind) -> Option<Service> {
        let port = match kind {
            Kind::Out { size: 1, port: Port::Immediate(port) } => u16::from(port),
            _ => return None,
        };
        let cpu = self.vcpu.cpu();
        (port == bios::TRAP_PORT).then(|| self.trap_at(cpu, cpu.rip)).flatten()
    }

    /// Serves the guest, whose processor is behind the trap of `service`. Returns why the run has to end after
    /// it, if it has to.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn serve_trap(&mut self, service: Service) -> Result<Option<StopReason>, KvmError> {
        self.pass_time();
        self.note_trap();
        let mut cpu = self.vcpu.cpu().clone();
        let mut pc = Pc {
            cpu: &mut cpu,
            ram: self.vm.ram(),
            devices: &mut self.devices,
            disks: &mut self.disks,
        };
        let outcome = service.serve(&mut pc);
        let stop = match outcome {
            Outcome::Return => None,
            Outcome::Wait => {
                if let Service::Interrupt(vector) = service
                    && let Some(wait) = rom::wait_of(vector)
                {
                    cpu.rip = wait.into();
                }
                None
            }
            Outcome::End(ending) => Some(StopReason::Firmware { ending, location: cpu.location() }),
        };
        self.vcpu.set_cpu(&cpu)?;
        self.follow_a20()?;
        self.pass_output_on();
        Ok(stop)
    }
}
