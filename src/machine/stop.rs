//! Why a machine stopped, in the words a user reads.

use std::fmt;

use super::stop_on::caught::Caught;
use super::stop_on::exceptions::ExceptionStop;
use super::stop_on::marks::MarkStop;
use crate::bios::Ending;
use crate::x86::{CpuMode, Linear, Phys};

/// Why [`super::Machine::run`] or a step returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The step, or the stepping through a range, is complete.
    Stepped,
    /// The next instruction has a breakpoint; it has not run.
    Breakpoint(Linear),
    /// A watched location was accessed; the next instruction is the one after the access.
    Watchpoint(WatchHit),
    /// The processor is in this mode now, after one instruction or more in another; only when the machine is told
    /// to stop there.
    ModeSwitch(CpuMode),
    /// Somebody kicked the machine; the guest can go on.
    Kicked,
    /// HLT: nothing more happens until an interrupt comes.
    Halted {
        /// IF: whether an interrupt could end the halt.
        interruptible: bool,
        /// Where: the instruction after HLT.
        location: String,
    },
    /// The guest asked for the end through the exit port.
    Exit {
        /// The status it gave.
        status: u32,
    },
    /// The guest asked for a reset of the processor, which is complete up to there.
    Reset {
        /// The port: 60h or 64h of the keyboard controller, 92h, or CF9h.
        port: u16,
        /// Where.
        location: String,
    },
    /// The guest has switched the power off by a port.
    PowerOff {
        /// The port.
        port: u16,
        /// Where.
        location: String,
    },
    /// The guest has left itself to the firmware.
    Firmware {
        /// How.
        ending: Ending,
        /// Where it would go on, if it came by an interrupt instruction.
        location: Option<String>,
    },
    /// Triple fault.
    Shutdown {
        /// Where, as far as it is known.
        location: String,
    },
    /// An exception that the user wants to stop on. The instruction that raises it is the next one, and its
    /// handler has not run.
    Exception(ExceptionStop),
    /// A breakpoint in the guest's own source.
    Mark(MarkStop),
    /// A catchpoint.
    Caught(Caught),
    /// An instruction that this host's KVM cannot run.
    Refused(Refusal),
    /// The next instruction is where there is neither RAM nor ROM nor a device: a jump or return went astray, or the
    /// guest ran on to there.
    Nowhere {
        /// Where, as CS:IP.
        location: String,
        /// Where, as the guest's page tables have it.
        at: Phys,
        /// Video memory may be there, but is not in the VGA's present mode.
        video: bool,
    },
    /// An access to a port or address that no device has; only when the machine is told to stop there.
    Unclaimed(UnclaimedAccess),
    /// The guest has executed as many instructions as it may; see [`super::Machine::limit_instructions`].
    Limit {
        /// How many.
        instructions: u64,
        /// Where the next one is.
        location: String,
    },
    /// The host failed: a KVM call returned an error. The guest's state is as it was.
    HostFailure(String),
}

/// An access that hit a watchpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchHit {
    /// Start of the watched range.
    pub addr: Linear,
    /// What kind of watchpoint it is.
    pub kind: super::breakpoints::WatchKind,
}

/// An instruction that KVM would not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it is, as CS:IP.
    pub location: String,
    /// Its bytes, as far as they can be read.
    pub bytes: Vec<u8>,
    /// Its disassembly.
    pub text: String,
    /// KVM's word for the failure.
    pub cause: String,
}

/// Which way an access goes, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A port.
    Port(u16),
    /// An address outside RAM.
    Memory(Phys),
}

/// An access to a port or an address where nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnclaimedAccess {
    /// What was accessed.
    pub target: Target,
    /// The value written, or `None` for a read.
    pub written: Option<u64>,
    /// Width in bytes.
    pub size: usize,
    /// CS:IP at the access.
    pub location: String,
}

impl StopReason {
    /// Whether the guest has come to an end, rather than to where somebody wanted it to stop.
    #[must_use]
    pub fn is_an_end(&self) -> bool {
        matches!(
            self,
            StopReason::Halted { interruptible: false, .. }
                | StopReason::Exit { .. }
                | StopReason::Reset { .. }
                | StopReason::PowerOff { .. }
                | StopReason::Firmware { .. }
                | StopReason::Shutdown { .. }
                | StopReason::Refused(_)
                | StopReason::Nowhere { .. }
        )
    }
}

impl fmt::Display for UnclaimedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnclaimedAccess { target, written, size, location } = self;
        let what = match target {
            Target::Port(port) => format!("port {port:#06x}"),
            Target::Memory(addr) => format!("address {addr}"),
        };
        let bytes = if *size == 1 { "byte" } else { "bytes" };
        match written {
            Some(value) => {
                let width = 2 + 2 * size;
                write!(f, "{location}: write of {value:#0width$x}")?;
                write!(f, " ({size} {bytes}) to {what}, where no device is: ignored")
            }
            None => {
                write!(f, "{location}: read of {size} {bytes} from {what}, where no device is: ")?;
                write!(f, "all bits read as one")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { location, bytes, text, cause } = self;
        if bytes.is_empty() {
            return write!(f, "{location}: {cause}");
        }
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.join(" ");
        write!(f, "{location}: this host's KVM cannot run `{text}` (bytes {hex}): {cause}")
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Stepped => f.write_str("stepped"),
            StopReason::Breakpoint(addr) => write!(f, "breakpoint at {addr}"),
            StopReason::Watchpoint(hit) => write!(f, "watchpoint at {}", hit.addr),
            StopReason::ModeSwitch(mode) => write!(f, "switched to {mode}"),
            StopReason::Kicked => f.write_str("interrupted"),
            StopReason::Halted { interruptible: false, location } => {
                write!(f, "halted for ever before {location} (HLT with interrupts disabled)")
            }
            StopReason::Halted { interruptible: true, location } => {
                write!(f, "halted before {location} (HLT, waiting for an interrupt)")
            }
            StopReason::Exit { status } => write!(f, "guest exit with status {status}"),
            StopReason::Reset { port, location } => {
                write!(f, "{location}: the guest resets the machine through port {port:#06x}")
            }
            StopReason::PowerOff { port, location } => {
                write!(f, "{location}: the guest switches the power off through port {port:#06x}")
            }
            StopReason::Firmware { ending, location: Some(location) } => {
                write!(f, "before {location}: {ending}")
            }
            StopReason::Firmware { ending, location: None } => ending.fmt(f),
            StopReason::Shutdown { location } => {
                write!(f, "{location}: triple fault, the processor shut down")
            }
            StopReason::Exception(stop) => stop.fmt(f),
            StopReason::Mark(stop) => stop.fmt(f),
            StopReason::Caught(stop) => stop.fmt(f),
            StopReason::Refused(refusal) => refusal.fmt(f),
            StopReason::Nowhere { location, at, video } => {
                write!(f, "{location}: the guest has jumped, or run on, to {at}, where ")?;
                f.write_str(match video {
                    true => "the VGA has no memory in its present mode: there is no code",
                    false => "no memory is: there is no code",
                })
            }
            StopReason::Unclaimed(access) => access.fmt(f),
            StopReason::Limit { instructions, location } => {
                write!(f, "{location}: the limit of {instructions} instructions is reached")
            }
            StopReason::HostFailure(text) => write!(f, "the host failed: {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_value_is_shown_in_the_width_of_the_access() {
        let text = |size, value| {
            let target = Target::Port(0x10);
            let location = "0000:7C00".to_owned();
            UnclaimedAccess { target, written: Some(value), size, location }.to_string()
        };
        assert!(text(1, 7).contains("write of 0x07 (1 byte) to port 0x0010"), "{}", text(1, 7));
        assert!(text(4, 7).contains("write of 0x00000007 (4 bytes)"), "{}", text(4, 7));
    }
}
