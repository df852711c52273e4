//! Standard input while a serial port hears it: if it is a terminal, each character is sent at once, and only the guest
//! shows it. ^C and the other keys that signal do what they did.

use std::io;

use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The settings of before, put back when this is dropped.
#[derive(Debug)]
pub struct LineTerminal(Option<Termios>);

impl LineTerminal {
    /// Whether there is one.
    pub fn is_taken(&self) -> bool {
        self.0.is_some()
    }

    /// Changes the terminal, if there is one.
    pub fn take() -> LineTerminal {
        let Ok(before) = tcgetattr(io::stdin()) else { return LineTerminal(None) };
        let mut settings = before.clone();
        // Enter is the CR that it is on a line.
        settings.input_modes.remove(InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR);
        settings.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        let taken = tcsetattr(io::stdin(), OptionalActions::Now, &settings);
        LineTerminal(taken.is_ok().then_some(before))
    }
}

impl Drop for LineTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Fails only when it is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
