//! What a client is told of a guest whose processor has shut down, and when it does not want to know.
//!
//! To go on means to shut down again, at the same place for the same reason. A client that does so unasked, as
//! gdb after `handle SIGSEGV nostop`, would do it for ever.

use crate::machine::Crash;

/// The accounts of crashes, in a session.
#[derive(Clone, Debug, Default)]
pub struct Crashes {
    /// The account that was told last; nothing once something has changed.
    told: Vec<String>,
    /// So many reports of a crash in a row are the last packets there were but for resumptions.
    unasked: u32,
}

impl Crashes {
    /// The lines about `crash`, where the guest stands now; none if that has been told.
    pub fn account(&mut self, crash: Option<&Crash>) -> Vec<String> {
        let lines = crash.map(Crash::lines).unwrap_or_default();
        self.unasked = if crash.is_some() { self.unasked + 1 } else { 0 };
        if self.told == lines {
            return Vec::new();
        }
        self.told = lines.to_vec();
        lines.to_vec()
    }

    /// The client sent a packet with the body `body`.
    pub fn note(&mut self, body: &[u8]) {
        if !is_resumption(body) {
            self.unasked = 0;
        }
        let changes = matches!(body, [b'G' | b'P' | b'M' | b'X' | b'R', ..])
            || [&b"vRun"[..], b"qRcmd"].iter().any(|name| body.starts_with(name));
        if changes {
            self.told.clear();
        }
    }

    /// Whether the client goes on from a crash again and again without a look at it.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.unasked > 1
    }
}

fn is_resumption(body: &[u8]) -> bool {
    matches!(body, [b'c' | b's' | b'C' | b'S', ..]) || body.starts_with(b"vCont;")
}
