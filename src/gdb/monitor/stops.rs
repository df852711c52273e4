//! `stop-on`, `break-on` and `stop-at`: stops besides gdb's own breakpoints.

use super::CommandError;
use super::address::number;
use crate::machine::{Catchpoint, Machine};

/// Carries out `stop-on` with its arguments.
pub(super) fn stop_on(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    if !arguments.is_empty() {
        let set = arguments.parse().map_err(|error| CommandError(format!("{error}")))?;
        machine.stop_on_mut().set_exceptions(set);
    }
    let set = machine.stop_on().exceptions();
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
    Ok(if marks.int3 || marks.xchg {
        format!("breaks on {marks}; the guest runs instruction by instruction\n")
    } else {
        "nothing in the guest's source is a breakpoint\n".to_owned()
    })
}

/// A line for each of these stops: how it is watched for, and what it costs.
pub(super) fn plan(machine: &Machine) -> String {
    let stop_on = machine.stop_on();
    let (exceptions, marks) = (stop_on.exceptions(), &stop_on.marks);
    let mut lines = Vec::new();
    if !exceptions.is_empty() {
        lines.push(format!("stop on {exceptions}: stepping, because {UNNOTICED}"));
    }
    if marks.int3 || marks.xchg {
        lines.push(format!("break on {marks}: stepping, because no exit shows an instruction"));
    }
    for entry in stop_on.catchpoints.iter() {
        let how = match entry.catchpoint {
            Catchpoint::Interrupt { .. } => format!("stepping, because {UNNOTICED}"),
            Catchpoint::Port { .. } => "each access leaves the guest; costs nothing".to_owned(),
            Catchpoint::ModeSwitch => "stepping, because a switch has no exit".to_owned(),
        };
        lines.push(format!("stop at {}: {how}", entry.catchpoint));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// Why debug registers on handlers would miss some.
const UNNOTICED: &str = "the guest changes its vector table and its mode without an exit";

/// Carries out `stop-at` with its arguments.
pub(super) fn stop_at(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    let catchpoints = &mut machine.stop_on_mut().catchpoints;
    let mut words = arguments.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => {
            let lines = catchpoints.iter().map(|entry| {
                let times = match entry.hits {
                    1 => "hit once".to_owned(),
                    hits => format!("hit {hits} times"),
                };
                format!("{}: {}, {times}\n", entry.number, entry.catchpoint)
            });
            let list: String = lines.collect();
            Ok(if list.is_empty() { "no stops\n".to_owned() } else { list })
        }
        (Some("delete"), Some("all"), None) => {
            catchpoints.clear();
            Ok("no stops\n".to_owned())
        }
        (Some("delete"), Some(word), None) => {
            let found = number(word)?.try_into().is_ok_and(|number| catchpoints.remove(number));
            let missing = || CommandError(format!("there is no stop {word}"));
            found.then(|| format!("stop {word} is deleted\n")).ok_or_else(missing)
        }
        (Some("delete"), ..) => {
            Err(CommandError("delete takes the number of one stop, or all".to_owned()))
        }
        _ => {
            let catchpoint: Catchpoint =
                arguments.parse().map_err(|error| CommandError(format!("{error}")))?;
            let cost = match catchpoint.needs_steps() {
                true => "; the guest runs instruction by instruction",
                false => "",
            };
            let text = catchpoint.to_string();
            Ok(format!("stop {}: {text}{cost}\n", catchpoints.insert(catchpoint)))
        }
    }
}
