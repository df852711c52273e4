//! Serving the guest's accesses to ports and to memory that is not RAM.

use super::checkpoint::Access;
use super::stop::{Target, UnclaimedAccess};
use super::{Machine, OnUnclaimed, StopReason};
use crate::devices::keyboard::controller::DATA_PORT as KEYBOARD_DATA;
use crate::devices::{OPEN_BUS, PortEffect};
use crate::kvm::Exit;
use crate::kvm::exit::PortAccess;
use crate::x86::instruction::{self, Kind, Port, Rep};
use crate::x86::{Gpr, Phys};

impl Machine {
    /// Serves the access of `exit`. Returns why the run has to end after it, if it has to; `None` also
    /// for exits that are no access. KVM finishes the instruction at its next entry.
    pub(super) fn serve(&mut self, exit: &Exit) -> Option<StopReason> {
        let stop = match *exit {
            Exit::PortRead(access) => self.serve_port_read(access),
            Exit::PortWrite(access) => self.serve_port_write(access),
            Exit::MmioRead { addr, len } => self.serve_mmio_read(addr, len),
            Exit::MmioWrite { addr, len, data } => self.serve_mmio_write(addr, &data[..len]),
            _ => return None,
        };
        self.feed_serial();
        if !self.is_direct_access(exit) {
            self.note_served();
        }
        stop
    }

    fn serve_port_read(&mut self, access: PortAccess) -> Option<StopReason> {
        let PortAccess { port, size, .. } = access;
        let (mut stop, mut caught) = (None, None);
        let items = self.vcpu.port_data_mut().len() / usize::from(size).max(1);
        for item in 0..items {
            self.pass_time();
            self.note_port_access(port);
            self.interrupts.reads_keyboard |= port == KEYBOARD_DATA;
            let answer = self.devices.port_read(port, size);
            self.serve_drives();
            let value = answer.unwrap_or(u32::MAX) & value_mask(size);
            self.note_access(Access::PortRead, port.into(), size.into(), value.into());
            let hit = self.catch_access(port, size, false, value);
            if answer.is_none() && hit.is_none() {
                stop = self.unclaimed(Target::Port(port), None, size.into()).or(stop);
            }
            caught = caught.or(hit);
            let at = item * usize::from(size);
            self.vcpu.port_data_mut()[at..at + usize::from(size)]
                .copy_from_slice(&value.to_le_bytes()[..usize::from(size)]);
        }
        stop.or(caught)
    }

    fn serve_port_write(&mut self, access: PortAccess) -> Option<StopReason> {
        let PortAccess { port, size, .. } = access;
        let (mut stop, mut caught) = (None, None);
        let items = self.vcpu.port_data_mut().len() / usize::from(size).max(1);
        for item in 0..items {
            self.pass_time();
            self.note_port_access(port);
            let at = item * usize::from(size);
            let mut bytes = [0; 4];
            bytes[..usize::from(size)]
                .copy_from_slice(&self.vcpu.port_data_mut()[at..at + usize::from(size)]);
            let value = u32::from_le_bytes(bytes);
            if !self.rerunning {
                self.record.note_write(port, size, value);
            }
            self.note_access(Access::PortWrite, port.into(), size.into(), value.into());
            let hit = self.catch_access(port, size, true, value);
            match self.devices.port_write(port, size, value) {
                Some(PortEffect::Done) => {}
                Some(PortEffect::Output) => self.pass_output_on(),
                Some(PortEffect::Disk) => self.serve_drives(),
                Some(PortEffect::A20) => {
                    if let Err(error) = self.follow_a20() {
                        stop = Some(StopReason::HostFailure(error.with_cause()));
                    }
                }
                Some(PortEffect::Reset) => {
                    let location = self.port_instruction(port, size.into(), true);
                    stop = Some(StopReason::Reset { port, location });
                }
                Some(PortEffect::PowerOff) => {
                    let location = self.port_instruction(port, size.into(), true);
                    stop = Some(StopReason::PowerOff { port, location });
                }
                Some(PortEffect::Exit { status }) => stop = Some(StopReason::Exit { status }),
                None if hit.is_some() => {}
                None => {
                    let written = Some(value.into());
                    stop = self.unclaimed(Target::Port(port), written, size.into()).or(stop);
                }
            }
            caught = caught.or(hit);
        }
        stop.or(caught)
    }

    fn serve_mmio_read(&mut self, addr: Phys, len: usize) -> Option<StopReason> {
        let addr = self.vm.ram().through_a20(addr);
        let mut data = [OPEN_BUS; 8];
        let claimed = self.devices.mmio_read(addr, &mut data[..len]);
        self.note_mmio(Access::MmioRead, addr, len, u64::from_le_bytes(data));
        self.vcpu.set_mmio_data(data);
        if claimed { None } else { self.unclaimed(Target::Memory(addr), None, len) }
    }

    fn serve_mmio_write(&mut self, addr: Phys, data: &[u8]) -> Option<StopReason> {
        let addr = self.vm.ram().through_a20(addr);
        let mut value = [0; 8];
        value[..data.len()].copy_from_slice(data);
        let value = u64::from_le_bytes(value);
        self.note_mmio(Access::MmioWrite, addr, data.len(), value);
        // ROM takes no notice of writes.
        if self.devices.mmio_write(addr, data) || self.vm.ram().is_rom(addr) {
            return None;
        }
        self.unclaimed(Target::Memory(addr), Some(value), data.len())
    }

    fn note_mmio(&mut self, kind: Access, addr: Phys, len: usize, data: u64) {
        if !self.note_direct_access(addr) {
            self.note_access(kind, addr.0, len, data);
        }
    }

    /// Applies the writes that KVM queued, in order. Called after every entry, so that nothing can
    /// observe the devices without them.
    pub(super) fn drain_coalesced(&mut self) {
        while let Some(write) = self.vcpu.next_coalesced_write() {
            self.stats.coalesced_writes += 1;
            let data = &write.data[..write.len];
            if let Some(trace) = &mut self.trace {
                trace.queued_write(write.addr, data);
            }
            let value = u64::from_le_bytes(write.data) & (u64::MAX >> (64 - 8 * write.len.max(1)));
            self.note_mmio(Access::MmioWrite, write.addr, write.len, value);
            self.devices.mmio_write(write.addr, data);
        }
    }

    /// Deals with an access to nothing.
    pub(super) fn unclaimed(
        &mut self,
        target: Target,
        written: Option<u64>,
        size: usize,
    ) -> Option<StopReason> {
        if self.on_unclaimed == OnUnclaimed::Ignore {
            return None;
        }
        let location = match target {
            Target::Port(port) => self.port_instruction(port, size, written.is_some()),
            // Whoever reads finishes later; whoever writes has finished already.
            Target::Memory(_) if written.is_some() => {
                format!("just before {}", self.vcpu.cpu().location())
            }
            Target::Memory(_) => self.vcpu.cpu().location(),
        };
        let access = UnclaimedAccess { target, written, size, location };
        if self.on_unclaimed == OnUnclaimed::Stop {
            return Some(StopReason::Unclaimed(access));
        }
        // One line for each place: a guest that polls an absent port would bury everything else.
        if self.reported.len() < MAX_REPORTED && self.reported.insert(target) {
            self.observer.notice(&access.to_string());
            if self.reported.len() == MAX_REPORTED {
                self.observer.notice("further accesses to nothing are not reported");
            }
        }
        None
    }
}

impl Machine {
    /// Where the instruction of an exit is, as far as KVM lets it be known.
    pub(super) fn exit_location(&self, exit: &Exit) -> String {
        let cpu = self.vcpu.cpu();
        match *exit {
            Exit::PortRead(PortAccess { port, size, .. }) => {
                self.port_instruction(port, size.into(), false)
            }
            Exit::PortWrite(PortAccess { port, size, .. }) => {
                self.port_instruction(port, size.into(), true)
            }
            Exit::MmioWrite { .. } => format!("just before {}", cpu.location()),
            Exit::Hlt => {
                let mut hlt = cpu.clone();
                hlt.rip = cpu.rip.saturating_sub(1);
                hlt.location()
            }
            _ => cpu.location(),
        }
    }

    /// Where the instruction is that reads or writes `size` bytes at `port`: some hosts have moved on to
    /// the next one when they report a write.
    pub(super) fn port_instruction(&self, port: u16, size: usize, write: bool) -> String {
        let cpu = self.vcpu.cpu();
        let does_it = |kind: Kind| {
            let (writes, width, place) = match kind {
                Kind::In { size, port } => (false, size, port),
                Kind::Out { size, port } => (true, size, port),
                Kind::StringIo(io) | Kind::Rep(Rep { io: Some(io), .. }) => {
                    (!io.input, io.size, Port::Dx)
                }
                _ => return false,
            };
            let number = match place {
                Port::Immediate(number) => number.into(),
                Port::Dx => cpu.get(Gpr::Rdx) & 0xffff,
            };
            (writes, usize::from(width), number) == (write, size, port.into())
        };
        let starts = |back: u64| {
            let mut there = cpu.clone();
            there.rip = cpu.rip.checked_sub(back)?;
            let mut bytes = [0; instruction::MAX_LEN];
            let len = self.read_linear(there.pc(), &mut bytes);
            let facts = instruction::decode(&bytes[..len], cpu.mode())?;
            let ends_here = back == 0 || u64::from(facts.len) == back;
            (ends_here && does_it(facts.kind)).then(|| there.location())
        };
        let furthest = if write { MAX_PORT_INSTRUCTION } else { 0 };
        (0..=furthest).find_map(starts).unwrap_or_else(|| cpu.location())
    }
}

/// The bits of an access of `size` bytes.
fn value_mask(size: u8) -> u32 {
    u32::MAX >> (32 - 8 * u32::from(size.clamp(1, 4)))
}

/// Longest port instruction worth looking back for: REP, operand and address size, segment, opcode.
const MAX_PORT_INSTRUCTION: u64 = 5;

/// How many places are reported before falling silent.
const MAX_REPORTED: usize = 32;
