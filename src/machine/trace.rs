//! A record of every exit in the Trace Event Format that Perfetto and chrome://tracing open.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kvm::Exit;
use crate::x86::Phys;

/// A JSON array of events, written as they happen.
pub struct Trace {
    out: Box<dyn Write>,
    start: Instant,
    events: u64,
    /// The first failure; nothing is written after it.
    error: Option<io::Error>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Trace {
    /// Starts a trace; its time zero is now.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Trace {
        Trace { out, start: Instant::now(), events: 0, error: None }
    }

    /// Records that the guest ran for `time` and left with `exit` at `location`; `port_data` is the data of
    /// a port write. Times are microseconds.
    pub fn exit(&mut self, exit: &Exit, port_data: &[u8], location: &str, time: Duration) {
        let mut args = json!({ "at": location });
        let mut put = |key: &str, value: serde_json::Value| args[key] = value;
        match *exit {
            Exit::PortRead(access) | Exit::PortWrite(access) => {
                put("port", json!(format!("{:#06x}", access.port)));
                put("size", json!(access.size));
                put("count", json!(access.count));
                if matches!(exit, Exit::PortWrite(_)) {
                    put("data", json!(hex(port_data)));
                }
            }
            Exit::MmioRead { addr, len } => {
                put("address", json!(format!("{addr:#x}")));
                put("size", json!(len));
            }
            Exit::MmioWrite { addr, len, data } => {
                put("address", json!(format!("{addr:#x}")));
                put("size", json!(len));
                put("data", json!(hex(&data[..len])));
            }
            Exit::Debug { dr6 } => put("dr6", json!(format!("{dr6:#x}"))),
            Exit::InternalError { suberror } => put("suberror", json!(suberror)),
            _ => {}
        }
        let end = self.start.elapsed();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        self.write(&json!({
            "name": exit.name(), "cat": "exit", "ph": "X", "pid": 1, "tid": 1,
            "ts": micros(end.saturating_sub(time)), "dur": micros(time), "args": args,
        }));
    }

    /// Records a guest write that KVM had queued; it happened some time before now.
    pub fn queued_write(&mut self, addr: Phys, data: &[u8]) {
        let args =
            json!({ "address": format!("{addr:#x}"), "size": data.len(), "data": hex(data) });
        let at = self.start.elapsed().as_secs_f64() * 1e6;
        self.write(&json!({
            "name": "queued MMIO write", "cat": "queue", "ph": "i", "s": "t", "pid": 1, "tid": 1,
            "ts": at, "args": args,
        }));
    }

    /// Records that an interrupt of a device has been delivered, with where its handler begins.
    pub fn interrupt(&mut self, vector: u8, location: &str) {
        let args = json!({ "vector": format!("{vector:#04x}"), "handler": location });
        let at = self.start.elapsed().as_secs_f64() * 1e6;
        self.write(&json!({
            "name": "interrupt", "cat": "interrupt", "ph": "i", "s": "t", "pid": 1, "tid": 1,
            "ts": at, "args": args,
        }));
    }

    /// Records a service of the firmware, with where the guest goes on.
    pub fn service(&mut self, name: &str, location: Option<&str>) {
        let at = self.start.elapsed().as_secs_f64() * 1e6;
        self.write(&json!({
            "name": name, "cat": "firmware", "ph": "i", "s": "t", "pid": 1, "tid": 1,
            "ts": at, "args": { "next": location },
        }));
    }

    fn write(&mut self, event: &serde_json::Value) {
        let before = if self.events == 0 { "[\n" } else { ",\n" };
        self.events += 1;
        if self.error.is_none() {
            self.error = write!(self.out, "{before}{event}").err();
        }
    }

    /// Closes the array and flushes it.
    ///
    /// # Errors
    /// The first failure of all the writing.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let end = if self.events == 0 { "[]\n" } else { "\n]\n" };
        self.out.write_all(end.as_bytes())?;
        self.out.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
