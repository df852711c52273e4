//! The chips on the system board: serial ports, keyboard controller, and the ports between them.
//!
//! One owner for all that every PC has at fixed ports, so that a port write of one can act on another, as that
//! of port 92h on A20. Tells its owner what concerns the whole machine by a [`PortEffect`].

use serde::{Deserialize, Serialize};

use super::keyboard::{self, Controller};
use super::uart::{self, Uart};
use super::{Chip, PortDevice, PortEffect};
use crate::bus::{AddressMap, Conflict};

/// Serial ports of a machine.
pub const SERIAL_PORTS: usize = 2;
/// First ports of COM1 and COM2.
const SERIAL: [u16; SERIAL_PORTS] = [0x3f8, 0x2f8];
/// System control port A of the PS/2: bit 0 resets the processor when it is set, bit 1 is A20.
const CONTROL_A: u16 = 0x92;
const CONTROL_A_RESET: u8 = 0x01;
const CONTROL_A_A20: u8 = 0x02;
/// Disk lights and the password latch, which are kept and mean nothing.
const CONTROL_A_KEPT: u8 = 0xc8;

/// The chips.
#[derive(Clone, Debug, Default)]
pub struct Chipset {
    serial: [Uart; SERIAL_PORTS],
    keyboard: Controller,
    control_a: u8,
}

/// All that a guest can have changed in a [`Chipset`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    serial: [uart::State; SERIAL_PORTS],
    keyboard: keyboard::controller::State,
    control_a: u8,
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
        ];
        for (port, chip) in single {
            ports.claim(port..=port, PortDevice::Chip(chip))?;
        }
        Ok(())
    }

    /// Reads the port at `offset` in those of `chip`.
    pub(super) fn read(&mut self, chip: Chip, offset: u16) -> u8 {
        match chip {
            Chip::Serial(number) => {
                let uart = self.serial.get_mut(number);
                uart.map_or(super::OPEN_BUS, |uart| uart.read(offset))
            }
            Chip::KeyboardData => self.keyboard.read_data(),
            Chip::KeyboardCommand => self.keyboard.read_status(),
            Chip::ControlA => {
                let a20 = if self.keyboard.a20() { CONTROL_A_A20 } else { 0 };
                self.control_a | a20
            }
        }
    }

    /// Writes the port at `offset` in those of `chip`.
    pub(super) fn write(&mut self, chip: Chip, offset: u16, value: u8) -> PortEffect {
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
        };
        if resets {
            PortEffect::Reset
        } else if a20 && !self.keyboard.a20() {
            PortEffect::A20Off
        } else {
            PortEffect::Done
        }
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

    /// The keyboard and its controller.
    #[must_use]
    pub fn keyboard(&self) -> &Controller {
        &self.keyboard
    }

    /// The keyboard and its controller, for the person who types.
    pub fn keyboard_mut(&mut self) -> &mut Controller {
        &mut self.keyboard
    }

    /// Back to power-on. What is on the serial lines stays; keys that wait do not.
    pub fn reset(&mut self) {
        self.serial.iter_mut().for_each(Uart::reset);
        self.keyboard = Controller::default();
        self.control_a = 0;
    }

    /// The chips' state.
    #[must_use]
    pub fn save(&self) -> State {
        State {
            serial: self.serial.each_ref().map(Uart::save),
            keyboard: self.keyboard.save(),
            control_a: self.control_a,
        }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        let State { serial, keyboard, control_a } = state;
        for (uart, state) in self.serial.iter_mut().zip(serial) {
            uart.restore(state);
        }
        self.keyboard.restore(keyboard);
        self.control_a = *control_a & CONTROL_A_KEPT;
    }
}
