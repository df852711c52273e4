//! The firmware: what a PC's BIOS does for the programs it starts.
//!
//! Its code in the guest is a ROM of short stubs, one for each interrupt; a stub traps with a write to
//! [`TRAP_PORT`] and returns with IRET. The service itself is here, in between: it works on the registers of
//! the caller, on memory, and on the same device state that the ports show. Nothing here knows of KVM or of a
//! debugger. What a service does follows Ralf Brown's Interrupt List and the IBM PC/AT and PS/2 BIOS
//! Interface Technical Reference; where these leave something open, what SeaBIOS does.

mod cmos;
pub mod data_area;
pub mod describe;
pub mod disk;
pub mod keyboard;
pub mod pc;
pub mod power_on;
pub mod printer;
pub mod rom;
pub mod serial;
pub mod system;
pub mod timer;
pub mod video;

use std::fmt;

pub use pc::Pc;
pub use power_on::power_on;

/// The port that the firmware's stubs write to; which stub it was follows from where it lies.
pub const TRAP_PORT: u16 = 0xb8;

/// The vector of the video services.
const VIDEO: u8 = 0x10;

/// How the processor goes on after a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Back to the caller, by the stub's IRET.
    Return,
    /// Not done yet: the processor waits for an interrupt, with interrupts enabled, and then calls the service
    /// again with the same registers.
    Wait,
    /// Not done yet: the caller has interrupts disabled, so those that are due come first, and then the service is
    /// called again as [`Service::Look`].
    LetIn,
    /// The guest has ended.
    End(Ending),
}

/// How a guest leaves itself to the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// INT 18h: no boot device, or ROM BASIC on the first PC.
    NoBootDevice,
    /// INT 19h: boot again.
    Bootstrap,
    /// A far return to the address that the firmware left on the stack.
    Returned,
    /// APM: the power is switched off.
    PowerOff,
    /// A jump to the reset vector, FFFF:0000, or Ctrl+Alt+Del.
    Reset,
    /// No end of itself: it waits for a key, and there is nobody to type one.
    Key,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::NoBootDevice => "the guest gives up booting (INT 18h)",
            Ending::Bootstrap => "the guest asks for another boot (INT 19h)",
            Ending::Returned => "the guest returned to the firmware",
            Ending::PowerOff => "the guest switched the power off (APM)",
            Ending::Key => "the guest waits for a key, and no more are typed",
            Ending::Reset => "the guest restarts the machine through the firmware's reset vector",
        })
    }
}

/// What a trap in the ROM stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The handler of an interrupt.
    Interrupt(u8),
    /// The same, for a function that programs call over and over, behind the interrupts that were due.
    Look(u8),
    /// Of INT 10h, which has begun with a long text: more of it.
    Rest,
    /// In that of INT 09h: the scan code that INT 15h AH=4F has let pass.
    ScanCode,
    /// A hardware interrupt without a handler.
    Unexpected {
        /// Of the second interrupt controller.
        second: bool,
    },
    /// A far return to the firmware.
    Return,
    /// The reset vector.
    Reset,
}

impl Service {
    /// Whether it may change what interrupt comes next, and when.
    #[must_use]
    pub fn touches_chips(self) -> bool {
        let vector = self.vector();
        !vector.is_some_and(|vector| matches!(vector, 0x10..=0x14 | 0x16 | 0x17 | 0x40))
    }

    /// The interrupt whose handler it is.
    #[must_use]
    pub fn vector(self) -> Option<u8> {
        match self {
            Service::Interrupt(vector) | Service::Look(vector) => Some(vector),
            Service::Rest => Some(VIDEO),
            _ => None,
        }
    }

    /// Carries out the service.
    pub fn serve(self, pc: &mut Pc<'_>) -> Outcome {
        match self {
            Service::Interrupt(vector) => interrupt(vector, pc),
            Service::Look(0x16) => keyboard::look(pc),
            Service::Look(_) => timer::look(pc),
            Service::Rest => video::serve_rest(pc),
            Service::ScanCode => keyboard::scan_code(pc),
            Service::Unexpected { second } => system::unexpected(pc, second),
            Service::Return => Outcome::End(Ending::Returned),
            Service::Reset => Outcome::End(Ending::Reset),
        }
    }
}

fn interrupt(vector: u8, pc: &mut Pc<'_>) -> Outcome {
    match vector {
        0x08 => timer::tick(pc),
        0x09 => keyboard::interrupt(pc),
        0x0e => system::floppy_interrupt(pc),
        VIDEO => video::serve(pc),
        0x11 => system::equipment(pc),
        0x12 => system::memory_size(pc),
        0x13 | 0x40 => disk::serve(pc),
        0x14 => serial::serve(pc),
        0x15 => system::serve(pc),
        0x16 => keyboard::serve(pc),
        0x17 => printer::serve(pc),
        0x18 => Outcome::End(Ending::NoBootDevice),
        0x19 => Outcome::End(Ending::Bootstrap),
        0x1a => timer::serve(pc),
        0x70 => timer::clock_interrupt(pc),
        0x74 => system::unexpected(pc, true),
        0x75 => system::coprocessor_error(pc),
        0x76 => system::disk_interrupt(pc),
        _ => Outcome::Return,
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(vector) = self.vector() else {
            return f.write_str(match self {
                Service::ScanCode => "INT 09h keyboard, scan code",
                Service::Unexpected { second: false } => "unexpected interrupt",
                Service::Unexpected { second: true } => "unexpected interrupt, second controller",
                Service::Return => "return to the firmware",
                _ => "power-on",
            });
        };
        let what = match vector {
            0x02 => "NMI",
            0x05 => "print screen",
            0x08 => "timer",
            0x09 => "keyboard",
            0x0e => "floppy controller",
            VIDEO if *self == Service::Rest => "video, more of the text",
            VIDEO => "video",
            0x11 => "equipment",
            0x12 => "memory size",
            0x13 => "disk",
            0x14 => "serial port",
            0x15 => "system",
            0x16 => "keyboard",
            0x17 => "printer",
            0x18 => "no boot device",
            0x19 => "bootstrap",
            0x1a => "time",
            0x40 => "floppy disk",
            0x70 => "real-time clock",
            0x74 => "mouse",
            0x75 => "coprocessor",
            0x76 => "hard disk controller",
            _ => "interrupt",
        };
        write!(f, "INT {vector:02X}h {what}")
    }
}

#[cfg(test)]
mod tests;
