//! The devices of the PC: plain state machines behind the port and MMIO dispatch.
//!
//! [`Devices`] owns them all and routes each access of the guest to them. Nothing here knows of KVM, of
//! the host's files or of its clock: output waits until the owner takes it, and every device can be saved
//! and restored.

pub mod ata;
pub mod chipset;
pub mod clock;
pub mod debug_port;
pub mod exit_port;
pub mod frame;
pub mod keyboard;
pub mod pic;
pub mod pit;
pub mod post;
pub mod power;
pub mod rtc;
pub mod uart;
pub mod vga;

use serde::{Deserialize, Serialize};

use crate::bus::{AddressMap, Conflict};
use crate::x86::Phys;

use chipset::Chipset;
use clock::Time;
use debug_port::DebugPort;
use exit_port::ExitPort;
use frame::Frame;
use post::PostPort;
use power::PowerControl;
use vga::Vga;

/// What a read gives where no device drives the bus.
pub const OPEN_BUS: u8 = 0xff;

/// Where video memory can be: the largest window of the VGA begins here, and is [`vga::WINDOW_SIZE`] bytes long.
pub const VIDEO_MEMORY: Phys = Phys(0xa_0000);

/// Which optional devices a machine has, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The debug console's port.
    pub debug_port: Option<u16>,
    /// The first of the exit port's ports.
    pub exit_port: Option<u16>,
}

impl Default for Config {
    fn default() -> Config {
        Config { debug_port: Some(debug_port::PORT), exit_port: Some(exit_port::PORT) }
    }
}

/// What a port write asks of the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEffect {
    /// Nothing: the device has dealt with it.
    Done,
    /// There is output to take: of the debug console, or of a serial port.
    Output,
    /// The guest has switched address line A20 on or off.
    A20,
    /// A drive waits for sectors to be read or written: see [`ata::Request`].
    Disk,
    /// The guest wants the processor to be reset.
    Reset,
    /// The guest switches the power off.
    PowerOff,
    /// The guest wants the run to end.
    Exit {
        /// The status it chose; see [`exit_port`].
        status: u32,
    },
}

/// Why a saved state cannot be put back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Its memory is not the device's.
    #[error("the saved state of {device} holds {found} bytes of memory, not {expected}")]
    MemorySize {
        /// The device.
        device: &'static str,
        /// The device's memory in bytes.
        expected: usize,
        /// The saved bytes.
        found: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortDevice {
    DebugPort,
    Post,
    ExitPort,
    Chip(Chip),
    Vga,
    Power,
}

/// What on the system board a port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chip {
    /// A serial port, by its number from 0.
    Serial(usize),
    KeyboardData,
    KeyboardCommand,
    ControlA,
    ControlB,
    Pit,
    Rtc,
    /// The first interrupt controller, or the second.
    Pic {
        second: bool,
    },
    /// The command block of the ATA channel, and its control block.
    Ata,
    AtaControl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MmioDevice {
    Vga,
}

/// All devices of a machine.
#[derive(Clone, Debug)]
pub struct Devices {
    ports: AddressMap<u16, PortDevice>,
    mmio: AddressMap<u64, MmioDevice>,
    vga: Vga,
    debug_port: DebugPort,
    post: PostPort,
    exit_port: ExitPort,
    power: PowerControl,
    chipset: Chipset,
}

/// All that a guest can have changed in its [`Devices`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    vga: vga::State,
    debug_port: debug_port::State,
    post: post::State,
    exit_port: exit_port::State,
    power: power::State,
    chipset: chipset::State,
}

impl Devices {
    /// The devices at power-on. Fails if `config` puts two of them on one port.
    pub fn new(config: &Config) -> Result<Devices, Conflict<u16>> {
        let mut ports = AddressMap::new();
        ports.claim(post::PORT..=post::PORT, PortDevice::Post)?;
        if let Some(port) = config.debug_port {
            ports.claim(port..=port, PortDevice::DebugPort)?;
        }
        if let Some(first) = config.exit_port {
            let last = first.saturating_add(exit_port::PORTS - 1);
            ports.claim(first..=last, PortDevice::ExitPort)?;
        }
        Chipset::claim(&mut ports)?;
        for range in vga::PORTS {
            ports.claim(range, PortDevice::Vga)?;
        }
        ports.claim(vga::vbe::PORTS, PortDevice::Vga)?;
        ports.claim(power::RESET_CONTROL..=power::RESET_CONTROL, PortDevice::Power)?;
        ports.claim(power::PM1_CONTROL..=power::PM1_CONTROL + 1, PortDevice::Power)?;
        let mut mmio = AddressMap::new();
        let video_end = VIDEO_MEMORY.0 + u64::from(vga::WINDOW_SIZE) - 1;
        // The map is empty, so this cannot collide.
        let _ = mmio.claim(VIDEO_MEMORY.0..=video_end, MmioDevice::Vga);
        Ok(Devices {
            ports,
            mmio,
            vga: Vga::new(),
            debug_port: DebugPort::default(),
            post: PostPort::default(),
            exit_port: ExitPort::default(),
            power: PowerControl::default(),
            chipset: Chipset::default(),
        })
    }

    /// Puts `drives` behind the ATA channel.
    pub fn attach_drives(&mut self, drives: [Option<ata::Drive>; ata::DRIVES]) {
        self.chipset.attach_drives(drives);
    }

    /// Reads `size` bytes (1, 2 or 4) from `port` on; `None` if no device claims any of them.
    ///
    /// As on an ISA bus, an access wider than the device is split into bytes of consecutive ports, of
    /// which those that nobody claims read FFh. The data port of the ATA channel is as wide as the access; it may
    /// leave an [`ata::Request`].
    pub fn port_read(&mut self, port: u16, size: u8) -> Option<u32> {
        let size = bus_width(size)?;
        if self.all_in_exit_port(port, size) {
            return Some(self.exit_port.read());
        }
        if size == 2
            && let Some(value) = self.vga.vbe_read(port)
        {
            return Some(value.into());
        }
        if let Some(value) = self.power.read(port, size) {
            return Some(value);
        }
        if size > 1 && port == ata::PORT {
            return Some(self.chipset.read_disk_data(size));
        }
        let mut bytes = [0; 4];
        let mut claimed = false;
        for (at, byte) in bytes.iter_mut().enumerate().take(size) {
            let read = match self.find_port(port, at) {
                Some((PortDevice::DebugPort, _)) => Some(self.debug_port.read()),
                Some((PortDevice::Post, _)) => Some(self.post.code()),
                Some((PortDevice::ExitPort, _)) => Some(self.exit_port.read() as u8),
                Some((PortDevice::Chip(chip), offset)) => Some(self.chipset.read(chip, offset)),
                Some((PortDevice::Vga, _)) => self.vga.port_read(port.wrapping_add(at as u16)),
                // Takes an access as a whole, or not at all.
                Some((PortDevice::Power, _)) | None => None,
            };
            claimed |= read.is_some();
            *byte = read.unwrap_or(OPEN_BUS);
        }
        claimed.then(|| u32::from_le_bytes(bytes))
    }

    /// Writes the low `size` bytes (1, 2 or 4) of `value` from `port` on; `None` if no device claims any
    /// of them. Wide accesses are split as by [`port_read`](Self::port_read).
    pub fn port_write(&mut self, port: u16, size: u8, value: u32) -> Option<PortEffect> {
        let size = bus_width(size)?;
        if self.all_in_exit_port(port, size) {
            let value = value & (u32::MAX >> (32 - 8 * size));
            return Some(PortEffect::Exit { status: self.exit_port.write(value) });
        }
        if size == 2 && self.vga.vbe_write(port, (value & 0xffff) as u16) {
            return Some(PortEffect::Done);
        }
        if let Some(effect) = self.power.write(port, size, value) {
            return Some(effect);
        }
        if size > 1 && port == ata::PORT {
            return Some(self.chipset.write_disk_data(size, value));
        }
        let mut effect: Option<PortEffect> = None;
        for (at, byte) in value.to_le_bytes().into_iter().enumerate().take(size) {
            let Some((device, offset)) = self.find_port(port, at) else { continue };
            let of_byte = match device {
                PortDevice::DebugPort => {
                    self.debug_port.write(byte);
                    PortEffect::Output
                }
                PortDevice::Post => {
                    self.post.write(byte);
                    PortEffect::Done
                }
                PortDevice::ExitPort => {
                    PortEffect::Exit { status: self.exit_port.write(u32::from(byte)) }
                }
                PortDevice::Chip(chip) => self.chipset.write(chip, offset, byte),
                PortDevice::Vga if self.vga.port_write(port.wrapping_add(at as u16), byte) => {
                    PortEffect::Done
                }
                PortDevice::Vga | PortDevice::Power => continue,
            };
            effect = Some(effect.map_or(of_byte, |effect| effect.and(of_byte)));
        }
        effect
    }

    /// Whether an access lands in the exit port as a whole, which takes any width in one piece.
    fn all_in_exit_port(&self, port: u16, size: usize) -> bool {
        let is_exit_port = |(device, _)| device == PortDevice::ExitPort;
        (0..size).all(|at| self.find_port(port, at).is_some_and(is_exit_port))
    }

    /// The device of the byte `at` in an access to `port`, and which of its ports that is; the space does not
    /// wrap after FFFFh.
    fn find_port(&self, port: u16, at: usize) -> Option<(PortDevice, u16)> {
        let port = port.checked_add(u16::try_from(at).ok()?)?;
        self.ports.find(port)
    }

    /// Reads device memory for the guest. Bytes that no device claims read FFh; false if that is all.
    pub fn mmio_read(&mut self, address: Phys, data: &mut [u8]) -> bool {
        let mut claimed = false;
        for (at, byte) in data.iter_mut().enumerate() {
            let read = match self.mmio_device(address, at) {
                Some((MmioDevice::Vga, offset)) => self.vga.read(offset),
                None => None,
            };
            claimed |= read.is_some();
            *byte = read.unwrap_or(OPEN_BUS);
        }
        claimed
    }

    /// Reads device memory without side effects, for a debugger; otherwise as
    /// [`mmio_read`](Self::mmio_read).
    #[must_use]
    pub fn mmio_peek(&self, address: Phys, data: &mut [u8]) -> bool {
        let mut claimed = false;
        for (at, byte) in data.iter_mut().enumerate() {
            let read = match self.mmio_device(address, at) {
                Some((MmioDevice::Vga, offset)) => self.vga.peek(offset),
                None => None,
            };
            claimed |= read.is_some();
            *byte = read.unwrap_or(OPEN_BUS);
        }
        claimed
    }

    /// Writes device memory. Bytes that no device claims are dropped; false if those are all.
    pub fn mmio_write(&mut self, address: Phys, data: &[u8]) -> bool {
        let mut claimed = false;
        for (at, byte) in data.iter().enumerate() {
            claimed |= match self.mmio_device(address, at) {
                Some((MmioDevice::Vga, offset)) => self.vga.write(offset, *byte),
                None => false,
            };
        }
        claimed
    }

    /// The device of the byte `at` in an access to `address`, and the byte's offset in the device.
    fn mmio_device(&self, address: Phys, at: usize) -> Option<(MmioDevice, u32)> {
        let (device, offset) = self.mmio.find(address.0.checked_add(at as u64)?)?;
        Some((device, u32::try_from(offset).ok()?))
    }

    /// The VGA.
    #[must_use]
    pub fn vga(&self) -> &Vga {
        &self.vga
    }

    /// The VGA, for the firmware.
    pub fn vga_mut(&mut self) -> &mut Vga {
        &mut self.vga
    }

    /// Where video memory is at present and its size in bytes; nowhere if the guest has switched it off.
    #[must_use]
    pub fn video_window(&self) -> Option<(Phys, u32)> {
        let window = self.vga.window()?;
        Some((VIDEO_MEMORY.offset(window.start.into()), window.end - window.start))
    }

    /// Whether there is nothing but memory at `address`, as far as it is a device's; see [`vga::Vga::direct`].
    #[must_use]
    pub fn is_plain_memory(&self, address: Phys) -> bool {
        let found = self.mmio_device(address, 0);
        found.is_some_and(|(MmioDevice::Vga, offset)| self.vga.is_direct(offset))
    }

    /// The screen as it is now.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.vga.frame()
    }

    /// Hands over what the guest wrote to the debug console since the last call.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        self.debug_port.take_output()
    }

    /// Lets time pass; see [`clock`].
    pub fn pass(&mut self, nanoseconds: u64) {
        self.chipset.pass(nanoseconds);
        self.vga.set_time(self.chipset.now().0);
    }

    /// The time in the guest.
    #[must_use]
    pub fn now(&self) -> Time {
        self.chipset.now()
    }

    /// The chips on the system board.
    #[must_use]
    pub fn chipset(&self) -> &Chipset {
        &self.chipset
    }

    /// The chips on the system board, for those at the other end: of a serial line, of the keyboard.
    pub fn chipset_mut(&mut self) -> &mut Chipset {
        &mut self.chipset
    }

    /// Puts every device back to power-on. Output that waits to be taken is kept.
    pub fn reset(&mut self) {
        self.vga.reset();
        self.post = PostPort::default();
        self.exit_port = ExitPort::default();
        self.power = PowerControl::default();
        self.chipset.reset();
    }

    /// The state of all devices.
    #[must_use]
    pub fn save(&self) -> State {
        State {
            vga: self.vga.save(),
            debug_port: self.debug_port.save(),
            post: self.post.save(),
            exit_port: self.exit_port.save(),
            power: self.power.save(),
            chipset: self.chipset.save(),
        }
    }

    /// Puts back a state that [`save`](Self::save) gave. On an error nothing has changed.
    pub fn restore(&mut self, state: &State) -> Result<(), RestoreError> {
        let State { vga, debug_port, post, exit_port, power, chipset } = state;
        // The only one that can fail goes first.
        self.vga.restore(vga)?;
        self.debug_port.restore(debug_port);
        self.post.restore(post);
        self.exit_port.restore(exit_port);
        self.power.restore(power);
        self.chipset.restore(chipset);
        Ok(())
    }
}

impl PortEffect {
    /// The effect of two byte accesses together: the one that asks for more. Output is taken after either.
    fn and(self, other: PortEffect) -> PortEffect {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            PortEffect::Done => 0,
            PortEffect::Output => 1,
            PortEffect::Disk => 2,
            PortEffect::A20 => 3,
            PortEffect::Reset => 4,
            PortEffect::PowerOff => 5,
            PortEffect::Exit { .. } => 6,
        }
    }
}

/// The number of bytes in a port access, if ports can be accessed that way.
fn bus_width(size: u8) -> Option<usize> {
    matches!(size, 1 | 2 | 4).then_some(usize::from(size))
}

#[cfg(test)]
pub(crate) mod tests;
