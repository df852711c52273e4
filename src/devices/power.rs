//! Reset and power-off as chipsets with a PCI bus have them, at the ports of QEMU's `pc` machine: the reset control
//! register at CF9h (Intel 82371SB, "RC, Reset Control Register") and the power management's PM1 control register
//! at 604h (ACPI Specification 6.5, 4.8.3.2.1 "PM1 Control Registers").
//!
//! Each takes an access of its own width alone: CF9h lies within the PCI bus's CF8h, which is 4 bytes wide and is not
//! there. Of the power management nothing but the switch is there.

use serde::{Deserialize, Serialize};

use super::PortEffect;

/// The reset control register.
pub const RESET_CONTROL: u16 = 0xcf9;
/// The PM1 control register, of 2 bytes.
pub const PM1_CONTROL: u16 = 0x604;
/// Bit 2: resets.
const RESET: u8 = 0x04;
/// Bit 1: a reset is that of the whole machine. It is kept.
const HARD: u8 = 0x02;
/// Bit 13, SLP_EN: enters the sleeping state that bits 10 to 12 name.
const SLEEP: u16 = 0x2000;
const SLEEP_TYPE: u16 = 0x1c00;
/// Soft off, S5, in QEMU.
const OFF: u16 = 0;

/// The registers.
#[derive(Clone, Debug, Default)]
pub struct PowerControl {
    reset_control: u8,
}

/// All that a guest can have changed in a [`PowerControl`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    reset_control: u8,
}

impl PowerControl {
    /// What the guest reads in `size` bytes at `port`; nothing if that is no register here.
    #[must_use]
    pub fn read(&self, port: u16, size: usize) -> Option<u32> {
        ((port, size) == (RESET_CONTROL, 1)).then_some(self.reset_control.into())
    }

    /// Takes the low `size` bytes of `value`, and gives what they ask for; nothing if that is nothing here.
    pub fn write(&mut self, port: u16, size: usize, value: u32) -> Option<PortEffect> {
        match (port, size) {
            (RESET_CONTROL, 1) => {
                let [value, ..] = value.to_le_bytes();
                self.reset_control = value & HARD;
                Some(if value & RESET != 0 { PortEffect::Reset } else { PortEffect::Done })
            }
            (PM1_CONTROL, 2) => {
                let value = (value & 0xffff) as u16;
                let is_off = value & SLEEP != 0 && value & SLEEP_TYPE == OFF;
                is_off.then_some(PortEffect::PowerOff)
            }
            _ => None,
        }
    }

    /// The registers' state.
    #[must_use]
    pub fn save(&self) -> State {
        State { reset_control: self.reset_control }
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.reset_control = state.reset_control;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_2_resets_and_bit_1_is_kept() {
        let mut power = PowerControl::default();
        assert_eq!(power.read(RESET_CONTROL, 1), Some(0));
        assert_eq!(power.write(RESET_CONTROL, 1, 0x0a), Some(PortEffect::Done));
        assert_eq!(power.read(RESET_CONTROL, 1), Some(2));
        let mut other = PowerControl::default();
        other.restore(&power.save());
        assert_eq!(other.save(), power.save());
        for value in [0x04, 0x06, 0x0e] {
            assert_eq!(power.write(RESET_CONTROL, 1, value), Some(PortEffect::Reset));
        }
    }

    #[test]
    fn the_power_goes_off_by_bit_13_with_the_type_of_that_state() {
        let mut power = PowerControl::default();
        assert_eq!(power.write(PM1_CONTROL, 2, 0x2000), Some(PortEffect::PowerOff));
        assert_eq!(power.write(PM1_CONTROL, 2, 0x2001), Some(PortEffect::PowerOff));
        for value in [0, 1, 0x2400, 0x3400] {
            assert_eq!(power.write(PM1_CONTROL, 2, value), None);
        }
    }

    #[test]
    fn other_widths_and_places_are_nobodys() {
        let mut power = PowerControl::default();
        for (port, size) in [(0xcf8, 4), (0xcf8, 2), (0xcf9, 2), (0x604, 1), (0x604, 4), (0x605, 1)]
        {
            assert_eq!(power.write(port, size, 0xffff_2006), None);
            assert_eq!(power.read(port, size), None);
        }
    }
}
