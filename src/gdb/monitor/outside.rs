//! `keyboard`, `key`, `serial`, `pit`, `pic`, `irq`: the chips on the system board, and what is at their cables.

use super::CommandError;
use crate::devices::keyboard::keymap;
use crate::machine::{Interrupts, Machine};

/// Carries out `keyboard`.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn keyboard(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(machine.describe_keyboard())
}

/// Carries out `pit`.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn pit(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(machine.describe_timer())
}

/// Carries out `pic`.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn pic(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(machine.describe_pics())
}

/// Carries out `irq`: when interrupts of devices are delivered.
pub(super) fn irq(machine: &mut Machine, choice: &str) -> Result<String, CommandError> {
    match choice {
        "" => {}
        "auto" => machine.set_interrupts(Interrupts::Auto),
        "on" => machine.set_interrupts(Interrupts::On),
        "off" => machine.set_interrupts(Interrupts::Off),
        other => return Err(CommandError(format!("{other} is none of auto, on and off"))),
    }
    let words = match machine.interrupts() {
        Interrupts::Auto => {
            "auto: device interrupts come while the guest runs, and wait while it is stepped"
        }
        Interrupts::On => {
            "on: device interrupts come in steps as well, which then lead into handlers"
        }
        Interrupts::Off => "off: device interrupts wait",
    };
    Ok(format!("{words}\n"))
}

/// Carries out `key` with the text to type.
pub(super) fn key(machine: &mut Machine, text: &str) -> Result<String, CommandError> {
    if text.is_empty() {
        let text = "key needs what to type, such as key hi{Enter}, {F1} or {Ctrl+C}";
        return Err(CommandError(text.to_owned()));
    }
    let events = keymap::parse(text).map_err(|error| CommandError(error.to_string()))?;
    machine.type_keys(&events).map_err(|error| CommandError(error.to_string()))?;
    Ok("typed; the guest gets it when it asks its keyboard\n".to_owned())
}

/// Carries out `serial`: the state of the ports, or a text for one.
pub(super) fn serial(machine: &mut Machine, arguments: &str) -> Result<String, CommandError> {
    if arguments.is_empty() {
        return Ok(machine.describe_serial());
    }
    let (port, text) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let bad_port = || CommandError(format!("`{port}` is no serial port: 1 for COM1, 2 for COM2"));
    let port = port.parse().map_err(|_| bad_port())?;
    let bytes = unescape(text.trim_start())?;
    if bytes.is_empty() {
        return Err(CommandError("serial needs a text after the port's number".to_owned()));
    }
    machine.send_serial(port, &bytes).map_err(|error| CommandError(error.to_string()))?;
    let s = if bytes.len() == 1 { "" } else { "s" };
    Ok(format!("{} byte{s} sent to COM{port}\n", bytes.len()))
}

/// Bytes written with `\n`, `\r`, `\t`, `\\` and `\xHH`.
fn unescape(text: &str) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let bad = || CommandError(format!("`\\{escape}`: there are \\n, \\r, \\t, \\\\ and \\xHH"));
        let letter = escape.chars().next().ok_or_else(bad)?;
        let mut len = 1;
        bytes.push(match letter {
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            '\\' => b'\\',
            'x' => {
                len = 3;
                let digits = escape.get(1..3).filter(|digits| !digits.starts_with('+'));
                u8::from_str_radix(digits.ok_or_else(bad)?, 16).map_err(|_| bad())?
            }
            _ => return Err(bad()),
        });
        rest = escape.get(len..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(unescape("a\\r\\n\\x1b\\\\é").unwrap(), "a\r\n\u{1b}\\é".as_bytes());
        for bad in ["\\", "\\q", "\\x", "\\x1", "\\xgg", "\\x+1", "\\é"] {
            assert!(unescape(bad).unwrap_err().to_string().contains("there are \\n"), "{bad}");
        }
    }
}
