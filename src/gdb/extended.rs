//! The extended mode: a client that stays when its guest is gone, and has it started anew.
//!
//! The guest is the one process there is. `vRun`, and `R` of older clients, start it anew; after `vKill`, an
//! exit or `D` the connection stays and has no process until then (gdb manual, E.2 "Packets").

use super::frame::Reply;
use super::target::Guest;

/// What a client has to do with the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// It debugs it.
    #[default]
    Debugged,
    /// It has let it go; the guest goes on by itself.
    Released,
    /// The guest has ended; there is none until it is started anew.
    Ended,
}

/// What the server is to do besides sending the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Keep the guest where it is.
    Halt,
    /// Let it go on without the client.
    Release,
}

/// The extended mode of a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extended {
    on: bool,
    hold: Hold,
    /// The client has started the guest itself.
    started: bool,
}

impl Extended {
    /// Whether the client stays without a guest.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// What the client has to do with the guest.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// The guest has ended by itself.
    pub fn ended(&mut self) {
        self.hold = Hold::Ended;
    }

    /// Answers the packet with the body `body`, if it is one of this mode. `stopped` is what the client is told
    /// of a guest that it takes over.
    pub fn packet(
        &mut self,
        guest: &mut Guest<'_>,
        body: &[u8],
        stopped: impl FnOnce() -> Reply,
    ) -> Option<(Option<Reply>, Effect)> {
        if body == b"!" {
            self.on = true;
            return Some((Some(Reply::new().text("OK")), Effect::None));
        }
        if !self.on {
            return None;
        }
        let starts = |word: &[u8]| body.starts_with(word);
        if starts(b"vRun;") || body == b"vRun" {
            // Name and arguments of a program: the guest is the only one.
            return Some(match self.start(guest) {
                Ok(()) => (Some(stopped()), Effect::Halt),
                Err(text) => (Some(Reply::error(&text)), Effect::Halt),
            });
        }
        if starts(b"R") {
            // Without a reply. A failure shows in the next one.
            let _ = self.start(guest);
            return Some((None, Effect::Halt));
        }
        if starts(b"vKill") || body == b"k" {
            guest.forget_breakpoints();
            self.hold = Hold::Ended;
            let reply = starts(b"vKill").then(|| Reply::new().text("OK"));
            return Some((reply, Effect::Halt));
        }
        if body == b"D" || starts(b"D;") {
            guest.forget_breakpoints();
            self.hold = Hold::Released;
            return Some((Some(Reply::new().text("OK")), Effect::Release));
        }
        if starts(b"qAttached") && self.started {
            return Some((Some(Reply::new().text("0")), Effect::None));
        }
        if self.hold == Hold::Debugged {
            return None;
        }
        let nobody = match body {
            b"?" => Some("W00"),
            b"qfThreadInfo" | b"qsThreadInfo" => Some("l"),
            [b'T', ..] => Some("E01"),
            _ => None,
        };
        if let Some(text) = nobody {
            return Some((Some(Reply::new().text(text)), Effect::None));
        }
        let resumes = matches!(body, [b'c' | b's' | b'C' | b'S', ..]) || starts(b"vCont;");
        if resumes {
            return Some((Some(Reply::error("no guest is being debugged")), Effect::None));
        }
        None
    }

    fn start(&mut self, guest: &mut Guest<'_>) -> Result<(), String> {
        guest.reboot()?;
        self.hold = Hold::Debugged;
        self.started = true;
        Ok(())
    }
}
