//! Acknowledgements: whether the two sides send any, and the last reply for a client that wants it again (gdb manual,
//! E.11 "Packet Acknowledgment").

/// What was sent last, for a client that asks for it again, and whether acknowledgements are in use.
#[derive(Clone, Debug, Default)]
pub struct Acks {
    off: bool,
    last: Vec<u8>,
}

impl Acks {
    /// Whether the two sides still acknowledge packets; they do until the client sends `QStartNoAckMode`.
    #[must_use]
    pub fn in_use(&self) -> bool {
        !self.off
    }

    /// Ends acknowledgements. The reply to `QStartNoAckMode` itself is still acknowledged by the client.
    pub fn stop(&mut self) {
        self.off = true;
    }

    /// What to send ahead of the reply to a good packet.
    #[must_use]
    pub fn accept(&self) -> &'static [u8] {
        if self.off { b"" } else { b"+" }
    }

    /// What to send to have a damaged packet sent again; nothing once acknowledgements are off.
    #[must_use]
    pub fn reject(&self) -> &'static [u8] {
        if self.off { b"" } else { b"-" }
    }

    /// Remembers `frames` as what was sent last.
    pub fn sent(&mut self, frames: &[u8]) {
        if !self.off {
            self.last.clear();
            self.last.extend_from_slice(frames);
        }
    }

    /// What to send on a NAK: the last reply, or nothing once acknowledgements are off.
    #[must_use]
    pub fn again(&self) -> &[u8] {
        if self.off { b"" } else { &self.last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reply_is_sent_again_until_acks_end() {
        let mut acks = Acks::default();
        assert_eq!((acks.accept(), acks.reject(), acks.again()), (&b"+"[..], &b"-"[..], &b""[..]));
        acks.sent(b"$OK#9a");
        assert_eq!(acks.again(), b"$OK#9a");
        acks.stop();
        assert_eq!((acks.accept(), acks.reject(), acks.again()), (&b""[..], &b""[..], &b""[..]));
    }
}
