//! Turning a second client away, with a reason that it shows.
//!
//! What gdb 13 does with the ways there are: an error reply to its first packet is printed in full as a
//! warning, but unless the connection ends right behind it gdb goes on asking for a quarter of a minute; a
//! console output packet there is taken for a list of features and printed in hexadecimal.

use std::net::Shutdown;
use std::time::Duration;

use crate::gdb::frame::{Decoder, FrameEvent, Reply};

use super::connection::Stream;

/// How long such a client may take for a packet, and then for leaving.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers the first packet on `stream` with an error that gives the reason, then ends the connection.
pub(super) fn turn_away(mut stream: Stream) -> std::io::Result<()> {
    stream.set_read_timeout(PATIENCE)?;
    let mut decoder = Decoder::default();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let events = decoder.push(buffer.get(..count).unwrap_or_default());
        if events.iter().any(|event| matches!(event, FrameEvent::Packet(_))) {
            break;
        }
    }
    let reply = Reply::error("stepvisor: another debugger is attached to this guest").frame();
    stream.write(&[b"+".as_slice(), &reply].concat())?;
    // Closing with unread bytes would take the reply back: the client closes first.
    stream.shutdown(Shutdown::Write);
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}
