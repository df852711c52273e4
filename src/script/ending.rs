//! How a guest ends, in the words of tests.

use std::fmt;
use std::str::FromStr;

use super::value::{self, ValueError};
use crate::bios;
use crate::machine::StopReason;

/// How a guest is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// HLT with interrupts disabled: nothing can wake the processor.
    Halt,
    /// HLT with interrupts enabled: it waits for an interrupt that no device will raise.
    Wait,
    /// The processor shut down.
    TripleFault,
    /// The guest wrote this value, of at most 31 bits, to its exit port.
    Exit(u32),
    /// An instruction that this host's KVM cannot run.
    Refused,
    /// It came to where there is no memory.
    Nowhere,
    /// An access to a port or address where no device is, if that is to stop the guest.
    Unclaimed,
    /// An exception that is to stop the guest.
    Exception,
    /// A breakpoint in the guest's source.
    Mark,
    /// The guest reset the machine, through the keyboard controller or port 92h.
    Reset,
    /// An interrupt, port access or switch of the mode that is to stop the guest.
    Caught,
    /// The limit of instructions.
    Limit,
    /// It still ran when its time was over.
    Timeout,
    /// INT 18h.
    NoBootDevice,
    /// INT 19h.
    Bootstrap,
    /// A far return to the firmware.
    Returned,
    /// The guest switched the power off.
    PowerOff,
    /// It waits in INT 16h for a key that nobody will type.
    Key,
}

/// The words, and what follows them.
const WORDS: &[(&str, Ending)] = &[
    ("halt", Ending::Halt),
    ("wait", Ending::Wait),
    ("triple-fault", Ending::TripleFault),
    ("refused", Ending::Refused),
    ("nowhere", Ending::Nowhere),
    ("unclaimed", Ending::Unclaimed),
    ("exception", Ending::Exception),
    ("mark", Ending::Mark),
    ("reset", Ending::Reset),
    ("caught", Ending::Caught),
    ("limit", Ending::Limit),
    ("timeout", Ending::Timeout),
    ("int18", Ending::NoBootDevice),
    ("int19", Ending::Bootstrap),
    ("returned", Ending::Returned),
    ("power-off", Ending::PowerOff),
    ("key", Ending::Key),
];

impl Ending {
    /// The ending that `stop` is, if it is one.
    #[must_use]
    pub fn of(stop: &StopReason) -> Option<Ending> {
        Some(match stop {
            StopReason::Halted { interruptible: false, .. } => Ending::Halt,
            StopReason::Halted { interruptible: true, .. } => Ending::Wait,
            // The port makes 2 * value + 1 of it.
            StopReason::Exit { status } => Ending::Exit(status >> 1),
            StopReason::Shutdown { .. } => Ending::TripleFault,
            StopReason::Exception(_) => Ending::Exception,
            StopReason::Mark(_) => Ending::Mark,
            StopReason::Reset { .. } => Ending::Reset,
            StopReason::PowerOff { .. } => Ending::PowerOff,
            StopReason::Firmware { ending, .. } => match ending {
                bios::Ending::NoBootDevice => Ending::NoBootDevice,
                bios::Ending::Bootstrap => Ending::Bootstrap,
                bios::Ending::Returned => Ending::Returned,
                bios::Ending::PowerOff => Ending::PowerOff,
                bios::Ending::Reset => Ending::Reset,
                bios::Ending::Key => Ending::Key,
            },
            StopReason::Caught(_) => Ending::Caught,
            StopReason::Refused(_) => Ending::Refused,
            StopReason::Nowhere { .. } => Ending::Nowhere,
            StopReason::Unclaimed(_) => Ending::Unclaimed,
            StopReason::Limit { .. } => Ending::Limit,
            _ => return None,
        })
    }

    /// Whether a guest that ended so would do so again if it were let go on. After the others it can go on.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(
            self,
            Ending::Unclaimed | Ending::Exception | Ending::Mark | Ending::Caught | Ending::Key
        )
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ending::Exit(value) = self {
            return write!(f, "exit {value:#x}");
        }
        let word = WORDS.iter().find(|(_, ending)| ending == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl FromStr for Ending {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Ending, ValueError> {
        if let Some(status) = text.strip_prefix("exit ") {
            let status = value::number(status.trim())?;
            let fits = u32::try_from(status).ok().filter(|status| *status <= u32::MAX >> 1);
            return fits.map(Ending::Exit).ok_or_else(|| {
                ValueError(format!("a guest cannot exit with {status:#x}: it has 31 bits"))
            });
        }
        let found = WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, ending)| *ending).ok_or_else(|| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            let words = words.join(", ");
            ValueError(format!("`{text}` is no ending: there are {words} and exit NUMBER"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_print_as_they_are_written() {
        for (word, _) in WORDS {
            assert_eq!(word.parse::<Ending>().unwrap().to_string(), *word);
        }
        assert_eq!("exit 16".parse::<Ending>().unwrap().to_string(), "exit 0x10");
        assert!("stop".parse::<Ending>().unwrap_err().to_string().contains("triple-fault"));
        assert!("exit 0x80000000".parse::<Ending>().is_err());
    }
}
