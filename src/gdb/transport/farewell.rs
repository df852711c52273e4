//! Farewells: clients that have been told the end, and are given time to read it and hang up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::Input;

/// Most clients that are waited for at once.
const MOST: usize = 8;
/// How long any further one is: enough to take in what it has sent already.
const SHORT: Duration = Duration::from_millis(1);

/// Those who wait for clients to leave.
#[derive(Clone, Debug, Default)]
pub struct Farewells(Arc<AtomicUsize>);

impl Farewells {
    /// Waits for the client behind `input` to leave, at most for `patience`, without holding up the caller.
    /// With too many such clients, the connection is closed at once, whatever its client has read.
    pub fn bid(&self, input: Input, patience: Duration) {
        let count = Arc::clone(&self.0);
        if count.fetch_add(1, Ordering::AcqRel) >= MOST {
            input.wait_for_end(SHORT);
            count.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let wait = move || {
            input.wait_for_end(patience);
            count.fetch_sub(1, Ordering::AcqRel);
        };
        if let Err(error) = thread::Builder::new().name("gdb farewell".to_owned()).spawn(wait) {
            self.0.fetch_sub(1, Ordering::AcqRel);
            log::debug!("nobody waits for a debugger to leave: {error}");
        }
    }
}
