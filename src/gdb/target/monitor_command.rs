//! `qRcmd`: the user's `monitor` commands.

use std::convert::Infallible;

use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd};

use super::Guest;
use crate::gdb::{monitor, questions};

impl MonitorCmd for Guest<'_> {
    fn handle_monitor_cmd(
        &mut self,
        command: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), Infallible> {
        let line = String::from_utf8_lossy(command);
        if let Some(text) = questions::answer(self.machine, self.layout, &line) {
            out.write_raw(text.as_bytes());
            return Ok(());
        }
        let extension = self.extension.as_mut();
        if let Some(text) = extension.and_then(|own| (own.0)(self.machine, &line)) {
            out.write_raw(text.as_bytes());
            return Ok(());
        }
        // It may have put the guest elsewhere.
        self.reported = None;
        let answer = monitor::answer(self.machine, &line);
        out.write_raw(answer.text.as_bytes());
        self.quit |= answer.quit;
        Ok(())
    }
}
