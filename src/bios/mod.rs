//! The firmware: what a PC's BIOS does for the programs it starts.
//!
//! Its code in the guest is a ROM of short stubs, one for each interrupt; a stub traps with a write to
//! [`TRAP_PORT`] and returns with IRET. The service itself is here, in between: it works on the registers of
//! the caller, on memory, and on the same device state that the ports show. Nothing here knows of KVM or of a
//! debugger. What a service does follows Ralf Brown's Interrupt List and the IBM PC/AT and PS/2 BIOS
//! Interface Technical Reference; where these leave something open, what SeaBIOS does.

pub mod data_area;
pub mod disk;
pub mod pc;
pub mod video;

pub use pc::Pc;

/// The port that the firmware's stubs write to; which stub it was follows from where it lies.
pub const TRAP_PORT: u16 = 0xb8;

/// How the processor goes on after a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Back to the caller, by the stub's IRET.
    Return,
    /// Not done yet: the processor waits for an interrupt, with interrupts enabled, and then calls the service
    /// again with the same registers.
    Wait,
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
}
