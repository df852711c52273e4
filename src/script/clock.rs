//! The time that a test may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// A thread that waits for the end of the time. Dropping this ends it.
#[derive(Debug)]
pub(super) struct Clock {
    is_over: Arc<AtomicBool>,
    _cancel: Sender<()>,
}

impl Clock {
    /// Calls `at_end` when `time` is over.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(
        time: Duration,
        at_end: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Clock> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (cancel, cancelled) = channel::<()>();
        let flag = Arc::clone(&is_over);
        thread::Builder::new().name("time limit".to_owned()).spawn(move || {
            if cancelled.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::SeqCst);
                at_end();
            }
        })?;
        Ok(Clock { is_over, _cancel: cancel })
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}
