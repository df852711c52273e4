//! Packets that gdbstub does not know and that ask about the guest only.

use super::bulk;
use super::frame::{Reply, decode_range};
use super::program;
use super::target::Guest;

/// The reply to the packet with the body `body`; `None` if it is for gdbstub.
pub fn answer(guest: &mut Guest<'_>, body: &[u8]) -> Option<Reply> {
    if let Some(request) = body.strip_prefix(b"qXfer:exec-file:read:") {
        return Some(exec_file(guest, request));
    }
    if let Some(request) = body.strip_prefix(b"vFile:") {
        return guest.program_mut().map(|program| program.host_io(request));
    }
    body.strip_prefix(b"x").map(|range| bulk::read(guest, range))
}

/// `PID:OFFSET,LENGTH`, of which the number of the one process does not matter.
fn exec_file(guest: &mut Guest<'_>, request: &[u8]) -> Reply {
    let name = guest.program_name();
    let range = request.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let Some((offset, count)) = decode_range(range) else {
        return Reply::error("malformed packet");
    };
    program::chunk(name.as_bytes(), offset, count)
}
