//! Kicks the machine at a time that is set, from a thread of its own.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use stepvisor::kvm::Kicker;

/// The thread ends when this is dropped.
#[derive(Debug)]
pub struct Ticker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    at: Option<Instant>,
    /// When the thread wakes by itself.
    wakes: Option<Instant>,
    is_over: bool,
}

impl Ticker {
    /// Will kick by `kicker`.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(kicker: Kicker) -> io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::Builder::new().name("ticker".to_owned()).spawn(move || own.tick(&kicker))?;
        Ok(Ticker(shared))
    }

    /// Kicks at `at`, once, instead of when it was to before; not at all without a time.
    pub fn set(&self, at: Option<Instant>) {
        let mut state = self.0.lock();
        // To wake it costs more than its waking in vain: a later time is looked at when the earlier has come.
        let is_sooner = at.is_some_and(|at| state.wakes.is_none_or(|wakes| at < wakes));
        state.at = at;
        if is_sooner {
            self.0.changed.notify_one();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    /// Nobody leaves it half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, kicker: &Kicker) {
        let mut state = self.lock();
        while !state.is_over {
            state.wakes = state.at;
            let left = state.at.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.at = None;
                    kicker.kick();
                    continue;
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
