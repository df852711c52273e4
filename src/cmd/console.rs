//! Where a machine's lines and its debug console go when no debugger takes them: standard error.

use std::io::Write;

use stepvisor::machine::Observer;

/// Writes to standard error, guest output and our own lines never on one line.
#[derive(Debug, Default)]
pub struct Console {
    in_line: bool,
}

impl Observer for Console {
    fn notice(&mut self, text: &str) {
        if std::mem::take(&mut self.in_line) {
            say!("");
        }
        say!("stepvisor: {text}");
    }

    fn serial(&mut self, _: usize, bytes: &[u8]) {
        self.console(bytes);
    }

    fn console(&mut self, bytes: &[u8]) {
        // Nothing can be done about a standard error that does not take it.
        let _ = std::io::stderr().lock().write_all(bytes);
        if let Some(last) = bytes.last() {
            self.in_line = *last != b'\n';
        }
    }
}
