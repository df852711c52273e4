//! The chips on the system board: timer, interrupt controllers, serial ports, keyboard controller, and the
//! ports between them.
//!
//! One owner for all that every PC has at fixed ports, so that a port write of one can act on another, as that
//! of port 92h on A20. Tells its owner what concerns the whole machine by a [`PortEffect`]. When keys come that were
//! typed ahead is in `typing.rs`.

mod typing;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ata;
use super::clock::Time;
use super::keyboard::{self, Controller, KeyEvent};
use super::pic::{self, Pics};
use super::pit::{self, Pit};
use super::rtc::{self, Rtc};
use super::uart::{self, Uart};
use super::{Chip, PortDevice, PortEffect};
use crate::bus::{AddressMap, Conflict};
use typing::FIRST_KEY;

/// Serial ports of a machine.
pub const SERIAL_PORTS: usize = 2;
/// First ports of COM1 and COM2.
const SERIAL: [u16; SERIAL_PORTS] = [0x3f8, 0x2f8];
/// System control port A of the PS/2: bit 0 resets the processor when it is set, bit 1 is A20.
const CONTROL_A: u16 = 0x92;
const CONTROL_A_RESET: u8 = 0x01;
const CONTROL_A_A20: u8 = 0x02;
/// System control port B, which is that of the first PC: the speaker and what is around it.
const CONTROL_B: u16 = 0x61;
/// The gate of timer counter 2.
const CONTROL_B_GATE: u8 = 0x01;
/// The speaker follows the output of counter 2.
const CONTROL_B_SPEAKER: u8 = 0x02;
/// Those two, and the checks of memory and bus, which find nothing.
const CONTROL_B_KEPT: u8 = 0x0f;
/// Toggles with each refresh of memory.
const CONTROL_B_REFRESH: u8 = 0x10;
/// The output of counter 2.
const CONTROL_B_OUTPUT: u8 = 0x20;
/// Cycles of the timer from one refresh of memory to the next.
const REFRESH: u64 = 18;
/// Interrupt lines: of the timer, the keyboard and the mouse, the clock, the ATA channel; those of the serial ports.
const TIMER_LINE: u8 = 0;
const KEYBOARD_LINE: u8 = 1;
const MOUSE_LINE: u8 = 12;
const CLOCK_LINE: u8 = 8;
const DISK_LINE: u8 = 14;
const SERIAL_LINES: [u8; SERIAL_PORTS] = [4, 3];
/// Disk lights and the password latch, which are kept and mean nothing.
const CONTROL_A_KEPT: u8 = 0xc8;

/// The chips.
#[derive(Clone, Debug)]
pub struct Chipset {
    serial: [Uart; SERIAL_PORTS],
    keyboard: Controller,
    control_a: u8,
    control_b: u8,
    pit: Pit,
    rtc: Rtc,
    pics: Pics,
    ata: ata::Channel,
    now: Time,
    /// When the guest last took something from the keyboard controller.
    key_read: Time,
    /// No key comes by an interrupt before.
    keys_from: Time,
    /// The guest has given the interrupt controllers vectors of its own, at least once.
    is_remapped: bool,
    /// What will be typed, and when, the earliest first.
    timed_keys: VecDeque<(Time, Vec<KeyEvent>)>,
    /// The guest has no room for another key.
    keys_held: bool,
    /// The guest waits for a key that is typed, and looks at nothing but its character.
    keys_hurried: bool,
    /// A person types, who waits for what the guest makes of it.
    has_typist: bool,
}

/// All that a guest can have changed in a [`Chipset`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    serial: [uart::State; SERIAL_PORTS],
    keyboard: keyboard::controller::State,
    control_a: u8,
    control_b: u8,
    pit: pit::State,
    rtc: rtc::State,
    pics: pic::State,
    ata: ata::State,
    now: Time,
    key_read: Time,
    keys_from: Time,
    is_remapped: bool,
    timed_keys: VecDeque<(Time, Vec<KeyEvent>)>,
}

impl Default for Chipset {
    fn default() -> Chipset {
        let mut chipset = Chipset {
            serial: Default::default(),
            keyboard: Controller::default(),
            control_a: 0,
            control_b: 0,
            pit: Pit::default(),
            rtc: Rtc::default(),
            pics: Pics::default(),
            ata: ata::Channel::new([None; ata::DRIVES]),
            now: Time::default(),
            key_read: Time::default(),
            keys_from: Time(FIRST_KEY),
            is_remapped: false,
            timed_keys: VecDeque::new(),
            keys_held: false,
            keys_hurried: false,
            has_typist: false,
        };
        chipset.settle();
        chipset
    }
}

impl Chipset {
    /// Claims the chips' ports. Fails if somebody has one of them.
    pub(super) fn claim(ports: &mut AddressMap<u16, PortDevice>) -> Result<(), Conflict<u16>> {
        for (number, first) in SERIAL.into_iter().enumerate() {
            let range = first..=first + (uart::PORTS - 1);
            ports.claim(range, PortDevice::Chip(Chip::Serial(number)))?;
        }
        let single = [
            (keyboard::controller::DATA_PORT, Chip::KeyboardData),
            (keyboard::controller::COMMAND_PORT, Chip::KeyboardCommand),
            (CONTROL_A, Chip::ControlA),
            (CONTROL_B, Chip::ControlB),
            (ata::CONTROL_PORT, Chip::AtaControl),
        ];
        for (port, chip) in single {
            ports.claim(port..=port, PortDevice::Chip(chip))?;
        }
        let timer = pit::PORT..=pit::PORT + (pit::PORTS - 1);
        ports.claim(timer, PortDevice::Chip(Chip::Pit))?;
        let clock = rtc::PORT..=rtc::PORT + (rtc::PORTS - 1);
        ports.claim(clock, PortDevice::Chip(Chip::Rtc))?;
        for (port, second) in pic::PORTS.into_iter().zip([false, true]) {
            ports.claim(port..=port + 1, PortDevice::Chip(Chip::Pic { second }))?;
        }
        let commands = ata::PORT..=ata::PORT + (ata::PORTS - 1);
        ports.claim(commands, PortDevice::Chip(Chip::Ata))
    }

    /// Puts `drives` behind the ATA channel, which is at power-on then.
    pub(super) fn attach_drives(&mut self, drives: [Option<ata::Drive>; ata::DRIVES]) {
        self.ata = ata::Channel::new(drives);
    }

    /// The ATA channel.
    #[must_use]
    pub fn ata(&self) -> &ata::Channel {
        &self.ata
    }

    /// What the ATA channel wants from the owner of the disks.
    #[must_use]
    pub fn disk_request(&self) -> Option<ata::Request> {
        self.ata.request()
    }

    /// Answers it; see [`ata::Channel::answer`].
    pub fn answer_disk_request(&mut self, outcome: Result<Vec<u8>, ata::Fault>) {
        self.ata.answer(outcome);
        self.set_lines();
    }

    /// Reads the ATA channel's data in 2 or 4 bytes.
    pub(super) fn read_disk_data(&mut self, size: usize) -> u32 {
        let data = self.ata.read_data(size);
        self.set_lines();
        data
    }

    /// Writes them.
    pub(super) fn write_disk_data(&mut self, size: usize, value: u32) -> PortEffect {
        self.ata.write_data(size, value);
        self.set_lines();
        self.disk_effect()
    }

    /// The guest has accessed the register at `offset` of the ATA channel. Status and command take the request for an
    /// interrupt back, also where the drive has the next one at once.
    fn take_disk_interrupt_back(&mut self, offset: u16) {
        if offset == ata::STATUS {
            self.pics.set_line(DISK_LINE, false);
        }
    }

    fn disk_effect(&self) -> PortEffect {
        if self.disk_request().is_some() { PortEffect::Disk } else { PortEffect::Done }
    }

    /// Reads the port at `offset` in those of `chip`.
    pub(super) fn read(&mut self, chip: Chip, offset: u16) -> u8 {
        let value = match chip {
            Chip::Serial(number) => {
                let uart = self.serial.get_mut(number);
                uart.map_or(super::OPEN_BUS, |uart| uart.read(offset))
            }
            Chip::KeyboardData => {
                if self.keyboard.has_output() {
                    self.key_read = self.now;
                }
                self.keyboard.read_data()
            }
            Chip::KeyboardCommand => self.keyboard.read_status(),
            Chip::ControlA => {
                let a20 = if self.keyboard.a20() { CONTROL_A_A20 } else { 0 };
                self.control_a | a20
            }
            Chip::ControlB => self.control_b(),
            Chip::Pit => self.pit.read(offset),
            Chip::Rtc => self.rtc.read(offset),
            Chip::Pic { second } => {
                // A guest that polls looks here instead of taking the interrupt.
                if self.ata.next_interrupt().is_some_and(|due| due <= self.now) {
                    self.ata.complete();
                    self.set_lines();
                }
                self.pics.read(second, offset)
            }
            Chip::Ata => {
                let value = self.ata.read(offset);
                self.take_disk_interrupt_back(offset);
                value
            }
            Chip::AtaControl => self.ata.read_control(),
        };
        self.set_lines();
        value
    }

    /// Writes the port at `offset` in those of `chip`.
    pub(super) fn write(&mut self, chip: Chip, offset: u16, value: u8) -> PortEffect {
        let effect = self.write_chip(chip, offset, value);
        self.set_lines();
        effect
    }

    fn write_chip(&mut self, chip: Chip, offset: u16, value: u8) -> PortEffect {
        let a20 = self.keyboard.a20();
        let resets = match chip {
            Chip::Serial(number) => {
                let uart = self.serial.get_mut(number);
                let has_output = uart.is_some_and(|uart| uart.write(offset, value));
                return if has_output { PortEffect::Output } else { PortEffect::Done };
            }
            Chip::KeyboardData => self.keyboard.write_data(value),
            Chip::KeyboardCommand => self.keyboard.write_command(value),
            Chip::ControlA => {
                self.control_a = value & CONTROL_A_KEPT;
                self.keyboard.set_a20(value & CONTROL_A_A20 != 0);
                value & CONTROL_A_RESET != 0
            }
            Chip::ControlB => {
                self.control_b = value & CONTROL_B_KEPT;
                self.pit.set_gate(value & CONTROL_B_GATE != 0);
                false
            }
            Chip::Pit => {
                self.pit.write(offset, value);
                false
            }
            Chip::Rtc => {
                self.rtc.write(offset, value);
                false
            }
            Chip::Pic { second } => {
                let vectors = self.pics.first_vectors();
                self.pics.write(second, offset, value);
                if self.pics.first_vectors() != vectors && !self.is_remapped {
                    self.is_remapped = true;
                    self.keys_from = self.now.after(FIRST_KEY);
                }
                false
            }
            Chip::Ata => {
                self.ata.write(offset, value);
                self.take_disk_interrupt_back(offset);
                return self.disk_effect();
            }
            Chip::AtaControl => {
                self.ata.write_control(value);
                return self.disk_effect();
            }
        };
        if resets {
            PortEffect::Reset
        } else if a20 != self.keyboard.a20() {
            PortEffect::A20
        } else {
            PortEffect::Done
        }
    }

    fn control_b(&self) -> u8 {
        let refresh = (self.now.cycles(pit::FREQUENCY) / REFRESH) & 1 != 0;
        let bits = [(refresh, CONTROL_B_REFRESH), (self.pit.output(2), CONTROL_B_OUTPUT)];
        bits.into_iter()
            .filter(|(is_set, _)| *is_set)
            .fold(self.control_b, |bits, (_, bit)| bits | bit)
    }

    /// Lets time pass.
    pub fn pass(&mut self, nanoseconds: u64) {
        let before = self.now.cycles(pit::FREQUENCY);
        self.now = self.now.after(nanoseconds);
        self.pit.pass(self.now.cycles(pit::FREQUENCY) - before);
        self.rtc.pass(self.now);
        self.ata.pass(self.now);
        self.type_timed_keys();
        self.set_lines();
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Sets the lines as they are at power-on, which firmware has dealt with.
    fn settle(&mut self) {
        self.set_lines();
        self.pics.forget_edges();
    }

    /// Puts the interrupt lines of the other chips on the interrupt controllers.
    fn set_lines(&mut self) {
        if self.pit.take_tick() {
            // It may have gone down and up again meanwhile.
            self.pics.set_line(TIMER_LINE, false);
            self.pics.set_line(TIMER_LINE, true);
        }
        self.pics.set_line(TIMER_LINE, self.pit.output(0));
        self.pics.set_line(KEYBOARD_LINE, self.keyboard.interrupt());
        self.pics.set_line(CLOCK_LINE, self.rtc.interrupt());
        self.pics.set_line(DISK_LINE, self.ata.interrupt());
        self.pics.set_line(MOUSE_LINE, self.keyboard.auxiliary_interrupt());
        for (uart, line) in self.serial.iter().zip(SERIAL_LINES) {
            self.pics.set_line(line, uart.interrupt());
        }
    }

    /// Whether the processor is asked to take an interrupt.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.pics.interrupt()
    }

    /// The processor takes the interrupt: gives its vector.
    pub fn acknowledge(&mut self) -> u8 {
        let vector = self.pics.acknowledge();
        self.set_lines();
        vector
    }

    /// When an interrupt is requested next if the guest touches nothing but takes interrupts, which lets keys and disks
    /// come: see [`Chipset::send_key`] and [`Chipset::complete_disk_access`]. Nothing if none can come.
    #[must_use]
    pub fn next_interrupt(&self) -> Option<Time> {
        let tick = self.pit.cycles_to_tick().filter(|_| self.pics.would_interrupt(TIMER_LINE));
        let tick = tick.map(|cycles| {
            let now = self.now.cycles(pit::FREQUENCY);
            Time::of_cycles(now.saturating_add(cycles), pit::FREQUENCY)
        });
        let listens = self.pics.would_interrupt(KEYBOARD_LINE) && !self.keys_held;
        let key = (listens && self.keyboard.can_send()).then(|| self.key_due());
        let timed = self.timed_keys.front().filter(|_| listens && self.keyboard.would_send());
        let key = key.or(timed.map(|(at, _)| (*at).max(self.timed_key_due())));
        let clock = self.rtc.next_interrupt().filter(|_| self.pics.would_interrupt(CLOCK_LINE));
        tick.into_iter().chain(key).chain(clock).chain(self.disk_due()).min()
    }

    /// When the ATA channel interrupts the guest: see [`Chipset::complete_disk_access`].
    fn disk_due(&self) -> Option<Time> {
        let due = self.ata.next_interrupt()?;
        self.pics.would_interrupt(DISK_LINE).then(|| due.max(self.now))
    }

    /// The guest takes interrupts: the drive that accesses its medium is done with that if it is time.
    pub fn complete_disk_access(&mut self) {
        if self.disk_due().is_some_and(|due| due <= self.now) {
            self.ata.complete();
            self.set_lines();
        }
    }

    /// The interrupt controllers.
    #[must_use]
    pub fn pics(&self) -> &Pics {
        &self.pics
    }

    /// The timer and the speaker in lines, for a person.
    #[must_use]
    pub fn describe_timer(&self) -> String {
        let both = CONTROL_B_GATE | CONTROL_B_SPEAKER;
        let sounds = self.control_b & both == both;
        format!(
            "{}speaker: {}, port 61 {:02x}; {} ns since power-on\n",
            self.pit.describe(),
            if sounds { "follows counter 2" } else { "silent" },
            self.control_b(),
            self.now.0
        )
    }

    /// Serial port `number`: 0 is COM1.
    #[must_use]
    pub fn serial(&self, number: usize) -> Option<&Uart> {
        self.serial.get(number)
    }

    /// Serial port `number`, for the other end of its line.
    pub fn serial_mut(&mut self, number: usize) -> Option<&mut Uart> {
        self.serial.get_mut(number)
    }

    /// Sends `bytes` to serial port `number`. False, and nothing is sent, if there is no room on the line.
    pub fn send_serial(&mut self, number: usize, bytes: &[u8]) -> bool {
        let sent = self.serial.get_mut(number).is_some_and(|uart| uart.send(bytes));
        // A guest that sleeps wakes by this alone.
        self.set_lines();
        sent
    }

    /// The real-time clock.
    #[must_use]
    pub fn rtc(&self) -> &Rtc {
        &self.rtc
    }

    /// The real-time clock, for whoever sets it up.
    pub fn rtc_mut(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// The keyboard and its controller.
    #[must_use]
    pub fn keyboard(&self) -> &Controller {
        &self.keyboard
    }

    /// The keyboard and its controller, for the person who types.
    pub fn keyboard_mut(&mut self) -> &mut Controller {
        &mut self.keyboard
    }

    /// Back to power-on. What is on the serial lines stays, and who types, and the time of day begins where it did; keys
    /// that wait do not stay.
    pub fn reset(&mut self) {
        self.serial.iter_mut().for_each(Uart::reset);
        self.keyboard = Controller::default();
        self.control_a = 0;
        self.control_b = 0;
        self.pit = Pit::default();
        self.rtc.reset();
        self.pics = Pics::default();
        self.ata.reset();
        self.now = Time::default();
        self.key_read = Time::default();
        self.keys_from = Time(FIRST_KEY);
        self.is_remapped = false;
        self.timed_keys.clear();
        self.keys_held = false;
        self.keys_hurried = false;
        self.settle();
    }

    /// The chips' state.
    #[must_use]
    pub fn save(&self) -> State {
        State {
            serial: self.serial.each_ref().map(Uart::save),
            keyboard: self.keyboard.save(),
            control_a: self.control_a,
            control_b: self.control_b,
            pit: self.pit.save(),
            rtc: self.rtc.save(),
            pics: self.pics.save(),
            ata: self.ata.save(),
            now: self.now,
            key_read: self.key_read,
            keys_from: self.keys_from,
            is_remapped: self.is_remapped,
            timed_keys: self.timed_keys.clone(),
        }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        let State {
            serial,
            keyboard,
            control_a,
            control_b,
            pit,
            rtc,
            pics,
            ata,
            now,
            key_read,
            keys_from,
            is_remapped,
            timed_keys,
        } = state;
        for (uart, state) in self.serial.iter_mut().zip(serial) {
            uart.restore(state);
        }
        self.keyboard.restore(keyboard);
        self.control_a = *control_a & CONTROL_A_KEPT;
        self.control_b = *control_b & CONTROL_B_KEPT;
        self.pit.restore(pit);
        self.rtc.restore(rtc);
        self.pics.restore(pics);
        self.ata.restore(ata);
        self.now = *now;
        self.key_read = *key_read;
        self.keys_from = *keys_from;
        self.is_remapped = *is_remapped;
        self.timed_keys.clone_from(timed_keys);
    }
}
