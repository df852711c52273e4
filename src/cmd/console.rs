//! Where a machine's lines and its debug console go when no debugger takes them: standard error; and whether a terminal
//! is to be sent colours.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use stepvisor::machine::observer::Deaf;
use stepvisor::machine::{Machine, Observer};

use super::report::Heard;

/// Writes to standard error, guest output and our own lines never on one line.
#[derive(Debug, Default)]
pub struct Console {
    line: Line,
    heard: Option<Heard>,
}

/// Whether the guest has left a line of standard error unfinished, or of the terminal that it is.
#[derive(Clone, Debug, Default)]
pub struct Line {
    unfinished: Rc<Cell<bool>>,
}

/// Whether standard output and standard error are on a terminal, and so on one.
pub fn is_one_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Whether the user has nothing against colours on a terminal (<https://no-color.org>).
pub fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Says what there is to say of `machine` before a gdb sees it.
pub fn tell_before_gdb(machine: &mut Machine) {
    machine.set_observer(Box::new(Console::default()));
    machine.tell_of_missing_signature();
    machine.set_observer(Box::new(Deaf));
}

impl Console {
    /// The line that the console writes, for those who write there as well.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// The same console, which keeps what it writes in `heard` as well.
    pub fn keeping(self, heard: Heard) -> Console {
        Console { heard: Some(heard), ..self }
    }

    fn write(&self, bytes: &[u8]) {
        // Nothing can be done about a standard error that does not take it.
        let _ = std::io::stderr().lock().write_all(bytes);
        if let Some(last) = bytes.last() {
            self.line.unfinished.set(*last != b'\n');
        }
    }
}

impl Line {
    /// Standard output for a serial port, whose lines are this one if both are on a terminal.
    pub fn shared_by_stdout(&self) -> Box<dyn Write> {
        if is_one_terminal() {
            return Box::new(Shared { line: self.clone() });
        }
        Box::new(io::stdout())
    }

    /// Ends the line if it is unfinished: a line of ours follows.
    pub fn end(&self) {
        if self.unfinished.take() {
            say!("");
        }
    }
}

/// Standard output, on one terminal with standard error.
struct Shared {
    line: Line,
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            self.line.unfinished.set(*last != b'\n');
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Observer for Console {
    fn notice(&mut self, text: &str) {
        self.line.end();
        say!("stepvisor: {text}");
        if let Some(heard) = &self.heard {
            heard.notice(text);
        }
    }

    fn serial(&mut self, port: usize, bytes: &[u8]) {
        self.write(bytes);
        if let Some(heard) = &self.heard {
            heard.serial(port, bytes);
        }
    }

    fn console(&mut self, bytes: &[u8]) {
        self.write(bytes);
        if let Some(heard) = &self.heard {
            heard.console(bytes);
        }
    }
}
