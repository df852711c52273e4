//! The form of packets (gdb manual, E.2 "Packets"), as far as gdbstub takes it lightly.
//!
//! gdbstub reads what it can make of numbers and data and goes on with that: an `M` packet with an address
//! missing writes to address 0. Nothing a client gets wrong is to change the guest.

use super::frame::{decode_hex, decode_number, decode_range, unescape};

/// Whether `body`, escapes included, has the form of the packet that it begins like. What nobody here knows
/// has any form.
#[must_use]
pub fn is_sound(body: &[u8]) -> bool {
    match body {
        [b'M', rest @ ..] => with_data(rest, |data| Some(decode_hex(data)?.len())),
        [b'X', rest @ ..] => with_data(rest, |data| Some(unescape(data).len())),
        [b'Z' | b'z', rest @ ..] => is_breakpoint(rest),
        [b'v', b'C', b'o', b'n', b't', b';', actions @ ..] => {
            actions.split(|byte| *byte == b';').all(is_action)
        }
        // What gdbstub makes of anything else resumes the guest.
        [b'v', b'C', b'o', b'n', b't', rest @ ..] => rest == b"?",
        _ if body.starts_with(b"qRcmd") => {
            body.strip_prefix(b"qRcmd,").is_some_and(|text| decode_hex(text).is_some())
        }
        _ => true,
    }
}

/// `ADDR,LENGTH:DATA`, where `measure` gives the length of the data.
fn with_data(rest: &[u8], measure: impl FnOnce(&[u8]) -> Option<usize>) -> bool {
    let Some(colon) = rest.iter().position(|byte| *byte == b':') else { return false };
    let (range, data) = (rest.get(..colon), rest.get(colon + 1..).unwrap_or_default());
    let Some((_, len)) = range.and_then(decode_range) else { return false };
    measure(data).is_some_and(|measured| measured as u64 == len)
}

/// `TYPE,ADDR,KIND`, behind which conditions and commands may follow.
fn is_breakpoint(rest: &[u8]) -> bool {
    let fixed = rest.split(|byte| *byte == b';').next().unwrap_or_default();
    let mut parts = fixed.split(|byte| *byte == b',');
    let is_type = |part: &[u8]| matches!(part, [b'0'..=b'9']);
    let is_number = |part: &[u8]| decode_number(part).is_some();
    parts.next().is_some_and(is_type)
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(is_number)
        && parts.next().is_none()
}

/// One action of `vCont`: those with a signal have two digits for it.
fn is_action(action: &[u8]) -> bool {
    let verb = action.split(|byte| *byte == b':').next().unwrap_or_default();
    match verb {
        [b'C' | b'S', signal @ ..] => decode_hex(signal).is_some_and(|bytes| bytes.len() == 1),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_debuggers_are_sound() {
        for packet in [
            &b"M7c00,2:ebfe"[..],
            b"M500,0:",
            b"X0,0:",
            b"X500,2:a}\x03",
            b"X500,3:::,",
            b"Z0,7c00,1",
            b"Z0,7c5b,1;X9,260000162022031327",
            b"z4,ffffffffffffffff,8",
            b"Z9,0,1",
            b"vCont?",
            b"vCont;c",
            b"vCont;C05:p1.1;s:p1.-1",
            b"vCont;r7c00,7c02:1;c:-1",
            b"qRcmd,",
            b"qRcmd,68656c70",
            b"qSupported:multiprocess+",
            b"",
        ] {
            assert!(is_sound(packet), "{}", packet.escape_ascii());
        }
    }

    #[test]
    fn what_does_not_fit_its_own_length_or_digits_is_not() {
        for packet in [
            &b"M"[..],
            b"M500",
            b"M500,1",
            b"M500,1:",
            b"M500,1:1",
            b"M500,2:00",
            b"M500,1:0000",
            b"M500,1:zz",
            b"M,1:00",
            b"M500,:",
            b"X500,2:a",
            b"X500,1:ab",
            b"X500,1:}",
            b"X,1:a",
            b"Z",
            b"Z0,7c00",
            b"Z0,7c00,",
            b"Zx,7c00,1",
            b"Z10,7c00,1",
            b"Z0,,1",
            b"Z0,0,1,2",
            b"vCont;Sxx:1",
            b"vCont",
            b"vCont?;",
            b"vCont\xbbc:-1;c:p1.1",
            b"vContc",
            b"vCont;C",
            b"vCont;C105",
            b"qRcmd",
            b"qRcmd,0",
            b"qRcmd;00",
            b"qRcmd,zz",
        ] {
            assert!(!is_sound(packet), "{}", packet.escape_ascii());
        }
    }
}
