//! What a client has the server do at a breakpoint without asking: conditions, and commands that print.
//!
//! A client that hears of `ConditionalBreakpoints+` and `BreakpointCommands+` puts bytecode behind the
//! address of a `Z0` or `Z1` packet (gdb manual, E.2 "Packets", and appendix F "The GDB Agent Expression
//! Mechanism"). A breakpoint whose conditions are all false, or that only prints, then costs no round trip.
//!
//! Knows neither breakpoints nor machines: it sees registers and memory through a [`Context`].

mod context;
mod eval;
mod format;

use super::frame::{decode_hex, decode_number};

pub use context::Context;
pub use eval::BytecodeError;

/// Longest text that a single command may print, in bytes.
const LONGEST_TEXT: usize = 1 << 16;

/// Bytecode, as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytecode(Vec<u8>);

/// What stands behind a breakpoint's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The breakpoint counts if one of them is true; always if there are none.
    conditions: Vec<Bytecode>,
    /// Carried out, if it counts, instead of a stop; a stop if there are none.
    commands: Vec<Bytecode>,
}

/// What comes of a breakpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The guest stops and the client is told.
    pub stop: bool,
    /// What is to be printed.
    pub text: Vec<u8>,
    /// Why a condition could not be evaluated.
    pub bad_condition: Option<BytecodeError>,
    /// Why a command could not be carried out.
    pub bad_command: Option<BytecodeError>,
}

impl Plan {
    /// Reads what follows the first `;` of a `Z` packet. `None` if it has not the form that it must have.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Plan> {
        let mut plan = Plan::default();
        for list in text.split(|byte| *byte == b';') {
            match list.strip_prefix(b"cmds:") {
                // Whether commands outlive the connection; here nothing does that a client has set.
                Some([_, b',', commands @ ..]) => plan.commands.extend(parse_list(commands)?),
                Some(_) => return None,
                None => plan.conditions.extend(parse_list(list)?),
            }
        }
        Some(plan)
    }

    /// Whether there is nothing to decide: the breakpoint always stops the guest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.commands.is_empty()
    }

    /// Whether something is carried out instead of a stop.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Decides what comes of the breakpoint. A condition that fails counts as true; after a command that fails
    /// the guest goes on all the same, since a client never expects a stop there.
    pub fn decide(&self, context: &mut dyn Context) -> Verdict {
        let mut verdict = Verdict::default();
        let mut holds = self.conditions.is_empty();
        for condition in &self.conditions {
            match eval::run(&condition.0, context, &mut verdict.text) {
                Ok(value) => holds |= value != 0,
                Err(error) => {
                    verdict.bad_condition = Some(error);
                    holds = true;
                }
            }
            if holds {
                break;
            }
        }
        if !holds {
            return verdict;
        }
        verdict.stop = self.commands.is_empty();
        for command in &self.commands {
            if let Err(error) = eval::run(&command.0, context, &mut verdict.text) {
                verdict.bad_command = Some(error);
            }
        }
        verdict
    }
}

/// `Xlen,bytes` as often as there is one.
fn parse_list(mut text: &[u8]) -> Option<Vec<Bytecode>> {
    let mut list = Vec::new();
    while let Some(rest) = text.strip_prefix(b"X") {
        let comma = rest.iter().position(|byte| *byte == b',')?;
        let (len, rest) = rest.split_at(comma);
        let digits = usize::try_from(decode_number(len)?).ok()?.checked_mul(2)?;
        let rest = rest.get(1..)?;
        list.push(Bytecode(decode_hex(rest.get(..digits)?)?));
        text = rest.get(digits..)?;
    }
    text.is_empty().then_some(list)
}

#[cfg(test)]
mod tests;
