//! The exit codes of the command: one list for all subcommands.

use stepvisor::bios::Ending;
use stepvisor::gdb::transport::TransportError;
use stepvisor::kvm::KvmError;
use stepvisor::machine::{MachineError, StopReason};

/// How a command ended, as the shell sees it. Stepvisor's own codes are even: odd ones are left to the
/// guest, whose exit port makes `value * 2 + 1` of what is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// The guest halted for ever: the normal end. Also the end of a debugging session.
    Success,
    /// The guest wrote to its exit port.
    Guest(u8),
    /// gdb's own, from `stepvisor debug`.
    OfGdb(u8),
    /// The command line makes no sense (clap's code).
    Usage,
    /// The image cannot be read, or cannot be booted.
    Image,
    /// KVM is missing or not permitted.
    Kvm,
    /// The address to listen on is taken or not allowed.
    Listen,
    /// gdb is missing or failed.
    Gdb,
    /// Anything else that failed on the host.
    Host,
    /// A test did not pass.
    Test,
    /// Triple fault.
    Shutdown,
    /// An instruction that this host's KVM cannot run.
    Refused,
    /// An access to nothing, with `--on-unclaimed stop`.
    Unclaimed,
    /// `--timeout` ended the run.
    Timeout,
    /// An exception, with `--stop-on`.
    Exception,
    /// A breakpoint in the guest's source, with `--break-on`, or a catchpoint, with `--stop-at`.
    Mark,
    /// The guest reset the machine.
    Reset,
    /// INT 18h.
    NoBootDevice,
    /// INT 19h.
    Bootstrap,
    /// The guest returned to the firmware.
    Returned,
    /// The guest switched the power off.
    PowerOff,
    /// The guest waits for a key that nobody will type.
    Key,
    /// The guest came to where there is no memory.
    Nowhere,
    /// ^C or a termination signal ended the run.
    Interrupted,
}

/// The table for `--help`; docs/running.md has the same.
pub const HELP: &str = "\
Exit codes:
    0  the guest halted for ever (HLT with nothing to wake it); also the end of a session
       (`stepvisor debug` ends with gdb's own code)
    2  the command line makes no sense
    4  the image cannot be read or booted
    6  KVM is missing or not permitted
    8  the address cannot be listened on
   10  gdb is missing or failed
   12  something else failed on the host
   14  a test did not pass (`stepvisor test`)
   20  triple fault: the guest's processor shut down
   22  an instruction that this host's KVM cannot run
   24  an access to a port or address where no device is (with --on-unclaimed stop)
   26  the time given by --timeout is over
   28  an exception of those given by --stop-on
   30  a breakpoint in the guest's source (with --break-on), or a stop of --stop-at
   32  the guest reset the machine
   34  the guest gave up booting (INT 18h)
   36  the guest asked for another boot (INT 19h)
   38  the guest returned to the firmware
   40  the guest switched the power off (APM, port 604h)
   42  the guest waits for a key, and no more are typed
   44  the guest jumped, or ran on, to where no memory is
  130  interrupted, or left by the user
  odd  the guest wrote V to its exit port: the low 8 bits of V * 2 + 1";

impl ExitCode {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            ExitCode::Success => 0,
            ExitCode::Guest(status) | ExitCode::OfGdb(status) => status,
            ExitCode::Usage => 2,
            ExitCode::Image => 4,
            ExitCode::Kvm => 6,
            ExitCode::Listen => 8,
            ExitCode::Gdb => 10,
            ExitCode::Host => 12,
            ExitCode::Test => 14,
            ExitCode::Shutdown => 20,
            ExitCode::Refused => 22,
            ExitCode::Unclaimed => 24,
            ExitCode::Timeout => 26,
            ExitCode::Exception => 28,
            ExitCode::Mark => 30,
            ExitCode::Reset => 32,
            ExitCode::NoBootDevice => 34,
            ExitCode::Bootstrap => 36,
            ExitCode::Returned => 38,
            ExitCode::PowerOff => 40,
            ExitCode::Key => 42,
            ExitCode::Nowhere => 44,
            ExitCode::Interrupted => 130,
        }
    }

    /// The code for a run that ended with `stop`.
    pub fn of_stop(stop: &StopReason) -> ExitCode {
        match stop {
            StopReason::Halted { .. } => ExitCode::Success,
            // The lowest byte is all a process can hand on.
            StopReason::Exit { status } => ExitCode::Guest((status & 0xff) as u8),
            StopReason::Reset { .. } => ExitCode::Reset,
            StopReason::PowerOff { .. } => ExitCode::PowerOff,
            StopReason::Firmware { ending, .. } => match ending {
                Ending::NoBootDevice => ExitCode::NoBootDevice,
                Ending::Bootstrap => ExitCode::Bootstrap,
                Ending::Returned => ExitCode::Returned,
                Ending::PowerOff => ExitCode::PowerOff,
                Ending::Reset => ExitCode::Reset,
                Ending::Key => ExitCode::Key,
            },
            StopReason::Shutdown { .. } => ExitCode::Shutdown,
            StopReason::Refused(_) => ExitCode::Refused,
            StopReason::Nowhere { .. } => ExitCode::Nowhere,
            StopReason::Unclaimed(_) => ExitCode::Unclaimed,
            StopReason::Exception(_) => ExitCode::Exception,
            StopReason::Mark(_) | StopReason::Caught(_) => ExitCode::Mark,
            StopReason::Limit { .. } => ExitCode::Timeout,
            StopReason::Kicked => ExitCode::Interrupted,
            StopReason::HostFailure(_)
            | StopReason::Stepped
            | StopReason::Breakpoint(_)
            | StopReason::Watchpoint(_)
            | StopReason::ModeSwitch(_) => ExitCode::Host,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> std::process::ExitCode {
        std::process::ExitCode::from(code.code())
    }
}

/// The code for an error that ended the command: what in its chain says most decides.
pub fn of_error(error: &anyhow::Error) -> ExitCode {
    for cause in error.chain() {
        if let Some(context) = cause.downcast_ref::<Failure>() {
            return context.code;
        }
        if cause.is::<KvmError>() {
            return ExitCode::Kvm;
        }
        if cause.is::<TransportError>() {
            return ExitCode::Listen;
        }
        if let Some(error) = cause.downcast_ref::<MachineError>() {
            return match error {
                MachineError::Kvm(_) => ExitCode::Kvm,
                MachineError::Memory(_) | MachineError::Devices(_) => ExitCode::Host,
                MachineError::Image(_) | MachineError::Boot(_) | MachineError::Load(_) => {
                    ExitCode::Image
                }
            };
        }
    }
    ExitCode::Host
}

/// An error that brings its exit code along.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What a user reads.
    pub text: String,
}

impl Failure {
    /// An error of the kind `code`.
    pub fn new(code: ExitCode, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ExitCode; 22] = [
        ExitCode::Success,
        ExitCode::Usage,
        ExitCode::Image,
        ExitCode::Kvm,
        ExitCode::Listen,
        ExitCode::Gdb,
        ExitCode::Host,
        ExitCode::Test,
        ExitCode::Shutdown,
        ExitCode::Refused,
        ExitCode::Unclaimed,
        ExitCode::Timeout,
        ExitCode::Exception,
        ExitCode::Mark,
        ExitCode::Reset,
        ExitCode::NoBootDevice,
        ExitCode::Bootstrap,
        ExitCode::Returned,
        ExitCode::PowerOff,
        ExitCode::Key,
        ExitCode::Nowhere,
        ExitCode::Interrupted,
    ];

    #[test]
    fn our_codes_are_distinct_and_even_so_that_the_guest_has_the_odd_ones() {
        let codes: std::collections::BTreeSet<u8> = ALL.iter().map(|code| code.code()).collect();
        assert_eq!(codes.len(), ALL.len());
        assert!(codes.iter().all(|code| code % 2 == 0));
    }

    #[test]
    fn help_and_the_manual_list_every_code() {
        let manual = include_str!("../docs/running.md");
        for code in ALL {
            let number = code.code().to_string();
            let in_help = HELP.lines().any(|line| line.split_whitespace().next() == Some(&number));
            assert!(in_help, "{code:?} is not in --help");
            assert!(
                manual.contains(&format!("| {number} |")),
                "{code:?} is not in docs/running.md"
            );
        }
    }
}
