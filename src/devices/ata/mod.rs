//! The first ATA channel: its registers at ports 1F0h to 1F7h and 3F6h, and the two drives behind them (ATA/ATAPI-6,
//! T13/1410D, without DMA).
//!
//! It owns what the drives' registers say and the block of sectors under way, not the sectors: whoever owns the disks
//! serves each [`Request`] that an access to a port leaves, at once, and [answers](Channel::answer) it.
//!
//! **A drive that accesses its medium is busy** until the guest has looked at its status once, or does anything else with
//! the channel: what a guest sees then depends on what it does alone, on no clock. A guest that takes the drive's
//! interrupts does not look; to it the owner [brings](Channel::complete) them [`ACCESS_TIME`] after the command.
//! Commands without the medium are done at once.
//!
//! Both drives get what is written to the registers, as on the cable. What is written while a drive is busy or transfers
//! data is lost. A drive that is not there has status 00h and takes no commands.

mod command;
mod identify;
mod registers;

use serde::{Deserialize, Serialize};

use super::OPEN_BUS;
use super::clock::Time;
use registers::{Place, Registers};

/// The first port of the command block; its first register is the data, 16 or 32 bits wide.
pub const PORT: u16 = 0x1f0;
/// Ports of the command block.
pub const PORTS: u16 = 8;
/// The port of alternate status and device control.
pub const CONTROL_PORT: u16 = 0x3f6;
/// Drives of a channel.
pub const DRIVES: usize = 2;
/// Bytes of a sector.
pub const SECTOR_SIZE: usize = 512;
/// What a drive takes for an access to its medium, in nanoseconds.
pub const ACCESS_TIME: u64 = 100_000;
/// The most sectors that a command for multiple sectors transfers between two interrupts.
const MOST_MULTIPLE: u8 = 16;

/// Offset of status and command.
pub const STATUS: u16 = 7;
const ERROR: u16 = 1;
const DEVICE: u16 = 6;

/// Bits of the status.
const BUSY: u8 = 0x80;
const READY: u8 = 0x40;
const SEEK_COMPLETE: u8 = 0x10;
const DATA_REQUEST: u8 = 0x08;
const FAILED: u8 = 0x01;
/// The status of a drive that has nothing to do.
const IDLE: u8 = READY | SEEK_COMPLETE;

/// Bits of the error register.
const UNCORRECTABLE: u8 = 0x40;
const ID_NOT_FOUND: u8 = 0x10;
const ABORTED: u8 = 0x04;
/// What it says after a drive has tested itself, which is no error.
const PASSED: u8 = 0x01;

/// Bits of device control: no interrupts, reset, read back what was written before.
const NO_INTERRUPT: u8 = 0x02;
const RESET: u8 = 0x04;
const HIGH_ORDER: u8 = 0x80;

/// A drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Cylinders of the default translation.
    pub cylinders: u16,
    /// Heads of a cylinder, 1 to 16.
    pub heads: u8,
    /// Sectors of a track.
    pub sectors: u8,
    /// All sectors.
    pub size: u64,
}

/// What the owner of the disks has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// To read sectors.
    Read {
        /// The drive, from 0.
        drive: usize,
        /// The first of them.
        sector: u64,
        /// How many.
        count: u16,
    },
    /// To write [`Channel::block`].
    Write {
        /// The drive, from 0.
        drive: usize,
        /// Its first sector.
        sector: u64,
    },
}

/// Why it cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The data cannot be read.
    Unreadable,
    /// There are no such sectors.
    NoSuchSector,
    /// Writing does not work.
    Refused,
}

impl Fault {
    /// The bit of the error register by which the guest learns of it.
    #[must_use]
    pub fn bit(self) -> u8 {
        match self {
            Fault::Unreadable => UNCORRECTABLE,
            Fault::NoSuchSector => ID_NOT_FOUND,
            Fault::Refused => ABORTED,
        }
    }

    /// The bit's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::Unreadable => "UNC",
            Fault::NoSuchSector => "IDNF",
            Fault::Refused => "ABRT",
        }
    }
}

/// The channel and its drives.
#[derive(Clone, Debug)]
pub struct Channel {
    drives: [Option<Drive>; DRIVES],
    state: State,
}

/// All that a guest can have changed in a [`Channel`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    units: [Unit; DRIVES],
    /// The drive that is selected is the second.
    second: bool,
    control: u8,
    /// A drive asks for an interrupt, whether or not the guest lets it.
    interrupt: bool,
    transfer: Option<Transfer>,
    request: Option<Request>,
    /// How the access to the medium went of which the guest does not know yet.
    done: Option<Result<(), Fault>>,
    /// When it began.
    since: Time,
    now: Time,
}

/// What each drive has of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unit {
    registers: Registers,
    status: u8,
    error: u8,
    features: u8,
    /// The translation: heads of a cylinder, sectors of a track.
    heads: u8,
    sectors: u8,
    /// Sectors between two interrupts of a command for multiple sectors, or 0: none are possible.
    multiple: u8,
}

/// Data on their way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Transfer {
    writes: bool,
    place: Place,
    /// Sectors that the medium has not yet read or written.
    left: u32,
    /// Sectors between two interrupts.
    block: u8,
    buffer: Vec<u8>,
    /// So many bytes of the buffer are done.
    at: usize,
}

impl Transfer {
    /// Sectors of the block under way.
    fn count(&self) -> u16 {
        u16::try_from(self.left).unwrap_or(u16::MAX).min(self.block.into())
    }
}

impl Unit {
    fn new(drive: Option<Drive>) -> Unit {
        let (heads, sectors) = drive.map_or((1, 1), |drive| (drive.heads, drive.sectors));
        Unit {
            registers: Registers::signature(),
            status: IDLE,
            error: PASSED,
            features: 0,
            heads: heads.clamp(1, 16),
            sectors: sectors.max(1),
            multiple: MOST_MULTIPLE,
        }
    }
}

impl Channel {
    /// The channel at power-on, with a master, a slave, both, or none.
    #[must_use]
    pub fn new(drives: [Option<Drive>; DRIVES]) -> Channel {
        let state = State {
            units: drives.map(Unit::new),
            second: false,
            control: 0,
            interrupt: false,
            transfer: None,
            request: None,
            done: None,
            since: Time::default(),
            now: Time::default(),
        };
        Channel { drives, state }
    }

    /// Back to power-on.
    pub fn reset(&mut self) {
        *self = Channel::new(self.drives);
    }

    fn selected(&self) -> usize {
        usize::from(self.state.second)
    }

    fn drive(&self) -> Option<Drive> {
        self.drives[self.selected()]
    }

    fn unit(&self) -> &Unit {
        &self.state.units[self.selected()]
    }

    fn unit_mut(&mut self) -> &mut Unit {
        &mut self.state.units[usize::from(self.state.second)]
    }

    fn is_busy(&self) -> bool {
        let State { control, request, done, .. } = &self.state;
        control & RESET != 0 || request.is_some() || done.is_some()
    }

    fn status(&self) -> u8 {
        match self.drive() {
            None => 0,
            Some(_) if self.is_busy() => BUSY | IDLE,
            Some(_) => self.unit().status,
        }
    }

    /// Reads the register at `offset` of the command block as a byte, which for the data gives nothing.
    pub fn read(&mut self, offset: u16) -> u8 {
        if offset == STATUS {
            let status = self.status();
            self.state.interrupt = false;
            self.complete();
            return status;
        }
        self.complete();
        match offset {
            0 => OPEN_BUS,
            ERROR if self.drive().is_none() => 0,
            ERROR => self.unit().error,
            _ => self.unit().registers.read(offset, self.state.control & HIGH_ORDER != 0),
        }
    }

    /// Reads the alternate status.
    pub fn read_control(&mut self) -> u8 {
        let status = self.status();
        self.complete();
        status
    }

    /// Writes device control.
    pub fn write_control(&mut self, value: u8) {
        self.complete();
        let (before, after) = (self.state.control & RESET != 0, value & RESET != 0);
        self.state.control = value;
        if before != after {
            // What goes on ends with the rising edge; the drives are there again with the falling one.
            self.state.interrupt = false;
            self.start_anew();
        }
    }

    /// Both drives give up what they do, and show the signature of a drive that is well.
    fn start_anew(&mut self) {
        (self.state.transfer, self.state.request, self.state.done) = (None, None, None);
        self.state.second = false;
        self.state.units = self.drives.map(Unit::new);
    }

    /// Writes the register at `offset` of the command block as a byte, which the data take no notice of.
    pub fn write(&mut self, offset: u16, value: u8) {
        self.complete();
        if offset == STATUS {
            self.state.interrupt = false;
        }
        if self.is_busy() || self.state.transfer.is_some() {
            return;
        }
        self.state.control &= !HIGH_ORDER;
        match offset {
            0 => {}
            STATUS => self.command(value),
            ERROR => self.state.units.iter_mut().for_each(|unit| unit.features = value),
            _ => {
                self.state.units.iter_mut().for_each(|unit| unit.registers.write(offset, value));
                if offset == DEVICE {
                    self.state.second = value & registers::SECOND != 0;
                }
            }
        }
    }

    /// Reads the next `size` bytes of the data; zeros if there are none.
    pub fn read_data(&mut self, size: usize) -> u32 {
        self.complete();
        let mut bytes = [0; 4];
        let Some(transfer) = self.transferring(false) else { return 0 };
        let rest = transfer.buffer.get(transfer.at..).unwrap_or_default();
        for (byte, data) in bytes.iter_mut().zip(rest).take(size) {
            *byte = *data;
        }
        self.advance(size);
        u32::from_le_bytes(bytes)
    }

    /// Writes the next `size` bytes of the data, which nobody takes if none are wanted.
    pub fn write_data(&mut self, size: usize, value: u32) {
        self.complete();
        let Some(transfer) = self.transferring(true) else { return };
        let rest = transfer.buffer.get_mut(transfer.at..).unwrap_or_default();
        for (byte, data) in value.to_le_bytes().into_iter().zip(rest).take(size) {
            *data = byte;
        }
        self.advance(size);
    }

    /// The transfer in that direction for which the drive waits.
    fn transferring(&mut self, writes: bool) -> Option<&mut Transfer> {
        let waits = !self.is_busy();
        self.state.transfer.as_mut().filter(|transfer| waits && transfer.writes == writes)
    }

    /// So many further bytes of the block are done; at its end it is the medium's turn again.
    fn advance(&mut self, size: usize) {
        let Some(transfer) = &mut self.state.transfer else { return };
        transfer.at += size;
        if transfer.at < transfer.buffer.len() {
            return;
        }
        if transfer.left > 0 {
            self.ask();
        } else {
            self.state.transfer = None;
            self.unit_mut().status = IDLE;
        }
    }

    /// Asks the owner for the next access to the medium.
    fn ask(&mut self) {
        let (Some(transfer), Some(drive)) = (&self.state.transfer, self.drive()) else { return };
        let (number, count) = (self.selected(), transfer.count());
        let Some(sector) = self.sector(transfer.place, count.into(), drive) else {
            self.fail(ID_NOT_FOUND);
            return;
        };
        self.state.request = Some(match transfer.writes {
            true => Request::Write { drive: number, sector },
            false => Request::Read { drive: number, sector, count },
        });
        self.state.since = self.state.now;
    }

    /// The sector that the registers name, if the drive has `count` from there on.
    fn sector(&self, place: Place, count: u64, drive: Drive) -> Option<u64> {
        let Unit { registers, heads, sectors, .. } = self.unit();
        let sector = registers.sector(place, *heads, *sectors)?;
        sector.checked_add(count).is_some_and(|end| end <= drive.size).then_some(sector)
    }

    /// What the owner has to do now.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        self.state.request
    }

    /// The data to be written.
    #[must_use]
    pub fn block(&self) -> &[u8] {
        self.state.transfer.as_ref().map_or(&[], |transfer| &transfer.buffer)
    }

    /// The owner has served the request: gives what was read, nothing after writing, or why it failed.
    pub fn answer(&mut self, outcome: Result<Vec<u8>, Fault>) {
        let Some(request) = self.state.request.take() else { return };
        let Some(transfer) = &mut self.state.transfer else { return };
        let outcome = outcome.map(|data| {
            if let Request::Read { count, .. } = request {
                transfer.buffer = data;
                transfer.buffer.resize(usize::from(count) * SECTOR_SIZE, 0);
            }
        });
        self.state.done = Some(outcome);
    }

    /// The access to the medium is over as far as the guest can tell, if there was one.
    pub fn complete(&mut self) {
        let Some(outcome) = self.state.done.take() else { return };
        if let Err(fault) = outcome {
            self.fail(fault.bit());
            return;
        }
        let Some(transfer) = &mut self.state.transfer else { return };
        let count = u32::from(transfer.count());
        let place = transfer.place;
        transfer.left -= count;
        transfer.at = 0;
        let over = transfer.writes && transfer.left == 0;
        if transfer.writes {
            transfer.buffer = vec![0; usize::from(transfer.count()) * SECTOR_SIZE];
        }
        self.state.interrupt = true;
        let unit = self.unit_mut();
        unit.registers.go_on(place, count, unit.heads, unit.sectors);
        unit.status = if over { IDLE } else { IDLE | DATA_REQUEST };
        if over {
            self.state.transfer = None;
        }
    }

    /// The command fails, with `error` in the error register.
    fn fail(&mut self, error: u8) {
        self.state.transfer = None;
        let unit = self.unit_mut();
        (unit.status, unit.error) = (READY | FAILED, error);
        self.state.interrupt = true;
    }

    /// Lets time pass until `now`.
    pub fn pass(&mut self, now: Time) {
        self.state.now = now;
    }

    /// When the drive interrupts the guest next if that does nothing.
    #[must_use]
    pub fn next_interrupt(&self) -> Option<Time> {
        let comes = self.state.done.is_some() && self.state.control & NO_INTERRUPT == 0;
        comes.then(|| self.state.since.after(ACCESS_TIME))
    }

    /// The level of the interrupt line, IRQ 14.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.state.interrupt && self.state.control & NO_INTERRUPT == 0
    }

    /// The channel in a line, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let state = &self.state;
        let doing = match &state.transfer {
            _ if state.control & RESET != 0 => ", held in reset".to_owned(),
            Some(Transfer { writes, buffer, at, .. }) if self.transferring_now() => format!(
                ", {} of {} bytes {}",
                at,
                buffer.len(),
                if *writes { "written" } else { "read" }
            ),
            _ => String::new(),
        };
        format!(
            "ATA channel: {} selected, status {:02x}, error {:02x}{doing}, IRQ 14 {}\n",
            if state.second { "slave" } else { "master" },
            self.status(),
            if self.drive().is_some() { self.unit().error } else { 0 },
            match (state.interrupt, state.control & NO_INTERRUPT != 0) {
                (true, false) => "requested",
                (true, true) => "held back by nIEN",
                (false, false) => "idle",
                (false, true) => "off",
            }
        )
    }

    fn transferring_now(&self) -> bool {
        !self.is_busy() && self.unit().status & DATA_REQUEST != 0
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        for unit in &mut self.state.units {
            unit.heads = unit.heads.clamp(1, 16);
            unit.sectors = unit.sectors.max(1);
            unit.multiple = unit.multiple.min(MOST_MULTIPLE);
        }
        if let Some(transfer) = &mut self.state.transfer {
            transfer.block = transfer.block.clamp(1, MOST_MULTIPLE);
            transfer.buffer.truncate(usize::from(MOST_MULTIPLE) * SECTOR_SIZE);
            transfer.at = transfer.at.min(transfer.buffer.len());
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
