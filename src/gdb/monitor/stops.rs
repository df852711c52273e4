//! `stop-on` and `break-on`: stops besides gdb's own breakpoints.

use super::CommandError;
use crate::machine::Machine;

/// Carries out `stop-on` with its arguments.
pub(super) fn stop_on(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    if !arguments.is_empty() {
        let set = arguments.parse().map_err(|error| CommandError(format!("{error}")))?;
        machine.stop_on_mut().set_exceptions(set);
    }
    let set = machine.stop_on().exceptions;
    Ok(if set.is_empty() {
        "exceptions are the guest's own business\n".to_owned()
    } else {
        format!(
            "stops on {set}, before the guest's handler; the guest runs instruction by instruction\n"
        )
    })
}

/// Carries out `break-on` with its arguments.
pub(super) fn break_on(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    if !arguments.is_empty() {
        let marks = arguments.parse().map_err(|error| CommandError(format!("{error}")))?;
        machine.stop_on_mut().marks = marks;
    }
    let marks = &machine.stop_on().marks;
    Ok(match (marks.int3 || marks.xchg, marks.ports.is_empty()) {
        (true, _) => format!("breaks on {marks}; the guest runs instruction by instruction\n"),
        (false, false) => format!("breaks on {marks}\n"),
        (false, true) => "nothing in the guest's source is a breakpoint\n".to_owned(),
    })
}
