//! The firmware in the machine: its ROM, its state at power-on, and the trap by which the guest calls it.

use std::ops::Range;

use super::image::ImageError;
use super::{Boot, Image, Machine, StopReason};
use crate::bios::{self, Ending, Outcome, Pc, Service, rom};
use crate::kvm::exit::PortAccess;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Exit, KvmError};
use crate::memory::Ram;
use crate::x86::instruction::{Kind, Port};
use crate::x86::registers::RFLAGS_IF;
use crate::x86::{CpuMode, CpuState, Gpr, Phys, SegOff};

/// Bytes of the OUT that is the trap.
const TRAP_LEN: u64 = 2;
/// The first interrupt controller.
pub(super) const FIRST_PIC: u16 = 0x20;
/// Interrupt vectors and data area.
pub(super) const DATA: Range<u64> = 0..0x500;
const IRET: u8 = 0xcf;
const KEYBOARD_INTERRUPT: u8 = 0x09;
pub(super) const KEYBOARD_SERVICE: u8 = 0x16;

/// First vectors of the two interrupt controllers, as the firmware sets them.
pub(super) const VECTORS: [u8; 2] = [0x08, 0x70];

/// Whether a guest leaves the firmware its place. One that is a ROM is the firmware itself; one that is loaded over the
/// vectors, the data area or the ROM wants none.
pub(super) fn has_room(boot: &Boot) -> bool {
    let rom = rom::START.0..rom::START.0 + rom::SIZE as u64;
    let takes = |range| boot.image.takes(boot.load_address(), range);
    !matches!(boot.image, Image::Rom(_)) && !takes(&DATA) && !takes(&rom)
}

impl Machine {
    /// Whether the machine has the firmware.
    #[must_use]
    pub fn has_firmware(&self) -> bool {
        self.firmware
    }

    /// Has the firmware bring up memory and devices for the processor state `cpu` at the guest's entry.
    ///
    /// # Errors
    /// The image, which is in memory, cannot be put there again.
    pub(super) fn firmware_power_on(&mut self, cpu: &mut CpuState) -> Result<(), ImageError> {
        let own_stack = self.boot.leaves_free(&bios::power_on::STACK_RANGE);
        let mut pc =
            Pc { cpu, ram: self.vm.ram(), devices: &mut self.devices, disks: &mut self.disks };
        bios::power_on(&mut pc, own_stack);
        let Boot { image, .. } = &self.boot;
        let load = self.boot.load_address();
        if image.takes(load, &bios::data_area::EBDA_RANGE) {
            // What somebody loads there is theirs.
            image.load(self.vm.ram(), load)?;
        }
        Ok(())
    }

    /// The service of the trap at `cpu`'s next instruction.
    fn trap_at(&self, cpu: &CpuState, rip: u64) -> Option<Service> {
        if !self.firmware || !matches!(cpu.mode(), CpuMode::Real | CpuMode::Virtual8086) {
            return None;
        }
        let linear = cpu.segments.cs.base.wrapping_add(rip & 0xffff);
        rom::trap_at(u16::try_from(linear.checked_sub(rom::START.0)?).ok()?)
    }

    /// The service that the guest calls by the access `exit`, and IP behind the trap.
    pub(super) fn trap_of(&self, exit: &Exit) -> Option<(Service, u64)> {
        let Exit::PortWrite(PortAccess { port: bios::TRAP_PORT, size: 1, count: 1 }) = *exit else {
            return None;
        };
        let cpu = self.vcpu.cpu();
        // Some hosts have moved on when they report it.
        [0, TRAP_LEN].into_iter().find_map(|back| {
            let rip = cpu.rip.wrapping_sub(back);
            self.trap_at(cpu, rip).map(|service| (service, rip.wrapping_add(TRAP_LEN)))
        })
    }

    /// Serves the guest, which has called `service` in a free run and goes on at `rip`. Most services change no register,
    /// and the guest is entered again as it is, which is by far the fastest.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn serve_call(
        &mut self,
        service: Service,
        rip: u64,
    ) -> Result<Option<StopReason>, KvmError> {
        if !self.breakpoints.is_empty() {
            self.finish_trap()?;
            let end = |machine: &mut Machine| {
                Ok(machine.serve_trap(service)?.unwrap_or(StopReason::Stepped))
            };
            let stop = self.watched(end)?;
            if stop != StopReason::Stepped {
                return Ok(Some(stop));
            }
            return match self.breakpoint_here() {
                None => self.return_from_trap(),
                stop => Ok(stop),
            };
        }
        let before = CpuState { rip, ..self.vcpu.cpu().clone() };
        let mut cpu = before.clone();
        let stop = self.carry_out(service, &mut cpu);
        self.follow_a20()?;
        let due = self.is_interrupt_due(&cpu);
        if stop.is_none() && cpu == before && !due {
            return Ok(None);
        }
        self.finish_trap()?;
        if cpu != before {
            self.vcpu.set_cpu(&cpu)?;
        }
        if stop.is_some() || !due { Ok(stop) } else { self.return_from_trap() }
    }

    /// Has KVM finish the OUT.
    fn finish_trap(&mut self) -> Result<(), KvmError> {
        while let Completion::Exit(next) = self.complete()? {
            if !next.is_access() {
                break;
            }
        }
        Ok(())
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
        let mut cpu = self.vcpu.cpu().clone();
        let stop = self.carry_out(service, &mut cpu);
        self.follow_a20()?;
        self.vcpu.set_cpu(&cpu)?;
        Ok(stop)
    }

    /// Carries out `service` on the registers `cpu`.
    fn carry_out(&mut self, service: Service, cpu: &mut CpuState) -> Option<StopReason> {
        // As one to the ports that the service accesses.
        self.note_port_access(if service.touches_chips() { FIRST_PIC } else { bios::TRAP_PORT });
        self.pass_service_time();
        if service == Service::Interrupt(KEYBOARD_SERVICE) && asks_for_key(cpu) {
            self.interrupts.asks_for_key = bios::keyboard::is_empty(self.vm.ram());
        }
        let mut pc = self.lend(cpu);
        let outcome = service.serve(&mut pc);
        if service == Service::Interrupt(KEYBOARD_SERVICE) {
            self.devices.chipset_mut().ask_for_key();
        }
        self.note_disk_news();
        let ending = match outcome {
            Outcome::Return => None,
            Outcome::End(ending) => Some(ending),
            Outcome::LetIn => {
                if let Some(look) = service.vector().and_then(rom::look_of) {
                    cpu.rip = look.into();
                }
                None
            }
            Outcome::Wait => {
                if let Some(wait) = service.vector().and_then(rom::wait_of) {
                    cpu.rip = wait.into();
                }
                let for_key = service == Service::Interrupt(KEYBOARD_SERVICE);
                (for_key && !self.may_get_key()).then_some(Ending::Key)
            }
        };
        // Where the caller goes on.
        let location = service.vector().map(|_| return_address(self.vm.ram(), cpu));
        self.pass_output_on();
        self.feed_serial();
        let followed = self.follow_a20();
        if let Some(trace) = &mut self.trace {
            trace.service(&service.to_string(), location.as_deref());
        }
        let ended = ending.map(|ending| StopReason::Firmware { ending, location });
        ended.or_else(|| Some(StopReason::HostFailure(followed.err()?.with_cause())))
    }

    /// Tells the user, once, that the host refuses an access to a disk. A run from before a change of a file cannot be
    /// repeated.
    pub(super) fn note_disk_news(&mut self) {
        let news = &mut self.disks.news;
        if std::mem::take(&mut news.file_written)
            && let Some(rewind) = &mut self.rewind
        {
            rewind.stale = true;
        }
        if let Some(text) = news.trouble.take()
            && !std::mem::replace(&mut news.told, true)
            && !self.rerunning
        {
            self.observer.notice(&text);
        }
    }

    /// The disks, how the firmware's last operations on them ended, and the ATA channel, a line each.
    #[must_use]
    pub fn describe_disks(&self) -> String {
        let status = |at| {
            let mut byte = [0];
            let _ = self.read_phys(at, &mut byte);
            byte[0]
        };
        let mut text = bios::disk::describe::describe(&self.disks, status);
        if self.disks.hard_disks() > 0 {
            text += &self.devices.chipset().ata().describe();
        }
        text
    }

    pub(super) fn lend<'a>(&'a mut self, cpu: &'a mut CpuState) -> Pc<'a> {
        let Machine { vm, devices, disks, .. } = self;
        Pc { cpu, ram: vm.ram(), devices, disks }
    }

    /// Whether the guest has put a handler of its own in the place of the firmware's.
    pub(super) fn hooks(&self, vector: u8) -> bool {
        let mut entry = [0; 4];
        let read = self.vm.ram().read(Phys(u64::from(vector) * 4), &mut entry);
        let [a, b, c, d] = entry;
        let entry = SegOff::new(u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b]));
        let ours = rom::entry(vector).map(|offset| SegOff::new(rom::SEGMENT, offset));
        read == 4 && Some(entry) != ours
    }

    /// The guest takes interrupts: lets the next scan code come if it is time. Who types ahead waits for room in the
    /// firmware's buffer, as long as it is the firmware that takes the keys: a person would hear it beep. And a guest that
    /// waits for the firmware's next key has it at once.
    pub(super) fn let_key_come(&mut self) {
        let hurry = self.interrupts.asks_for_key
            && !self.interrupts.reads_keyboard
            && bios::keyboard::is_empty(self.vm.ram());
        self.devices.chipset_mut().hurry_keys(hurry);
        let full = self.devices.chipset().keyboard().waiting_keys() > 0 && self.is_buffer_full();
        self.devices.chipset_mut().hold_keys(full);
        self.devices.chipset_mut().send_key();
        self.devices.chipset_mut().complete_disk_access();
    }

    /// Whether the firmware takes the keys and has no room for another.
    fn is_buffer_full(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let calls_firmware = self.firmware
            && matches!(cpu.mode(), CpuMode::Real | CpuMode::Virtual8086)
            && self.devices.chipset().pics().first_vectors() == VECTORS
            && !self.hooks(KEYBOARD_INTERRUPT);
        calls_firmware && bios::keyboard::is_full(self.vm.ram())
    }

    /// Whether an interrupt waits for the caller to take interrupts again, as it will behind the IRET.
    fn is_interrupt_due(&mut self, cpu: &CpuState) -> bool {
        const FLAGS: u64 = 4;
        let mut flags = [0; 2];
        let at = cpu.segments.ss.base.wrapping_add((cpu.get(Gpr::Rsp) & 0xffff) + FLAGS);
        let _ = self.vm.ram().read(Phys(at), &mut flags);
        if u64::from(u16::from_le_bytes(flags)) & RFLAGS_IF == 0 || !self.may_interrupt() {
            return false;
        }
        self.let_key_come();
        self.devices.chipset().interrupt()
    }

    /// After a service in a free run: the IRET behind it, so that an interrupt that is due comes when the caller takes
    /// interrupts again, at the same place on every host. Nothing where something else is to come first.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn return_from_trap(&mut self) -> Result<Option<StopReason>, KvmError> {
        let pc = self.vcpu.cpu().pc();
        let mut code = [0];
        let returns = self.read_linear(pc, &mut code) == 1 && code == [IRET];
        if !returns || self.breakpoints.contains(pc) {
            return Ok(None);
        }
        match self.carry_out_at_pc()? {
            Ok(stop) => Ok(stop.or_else(|| self.breakpoint_here())),
            // The processor will.
            Err(_) => Ok(None),
        }
    }
}

/// Whether INT 16h is called for the next key, to take it or to look at it.
fn asks_for_key(cpu: &CpuState) -> bool {
    matches!(cpu.get(Gpr::Rax) >> 8 & 0xff, 0x00 | 0x01 | 0x10 | 0x11)
}

/// What is on the stack of `cpu` for an IRET: where the guest has called the firmware from.
fn return_address(ram: &Ram, cpu: &CpuState) -> String {
    let mut frame = [0; 4];
    let offset = cpu.get(Gpr::Rsp) & 0xffff;
    if ram.read(Phys(cpu.segments.ss.base.wrapping_add(offset)), &mut frame) < frame.len() {
        return cpu.location();
    }
    let [a, b, c, d] = frame;
    SegOff::new(u16::from_le_bytes([c, d]), u16::from_le_bytes([a, b])).to_string()
}
