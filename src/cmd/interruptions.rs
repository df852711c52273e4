//! What ends a run from outside: ^C, ^\\, termination signals and the time limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU,
};
use signal_hook::iterator::Signals;
use stepvisor::kvm::Kicker;

/// Those of the keys ^C and ^\\ of a terminal.
const KEYBOARD: [i32; 2] = [SIGINT, SIGQUIT];
/// Those that ask a process to end, or would end it without asking, the terminal left as it is: timers and limits, too.
const TERMINATION: [i32; 8] =
    [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU];

/// What wants the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// ^C or ^\\, or whatever sends the same signal.
    Keyboard,
    /// A termination signal.
    Signal,
    /// The time limit.
    Timeout,
}

/// Threads that wait for a reason to end the run, and kick the machine when there is one.
#[derive(Debug)]
pub struct Interruptions {
    events: Receiver<Interruption>,
    /// ^C and ^\\ are somebody else's at present.
    ignores_keyboard: Arc<AtomicBool>,
    /// Dropped to end the timer's thread.
    _cancel: Sender<()>,
}

impl Interruptions {
    /// Watches for signals and, if given, for the end of `timeout`.
    pub fn watch(kicker: Kicker, timeout: Option<Duration>) -> std::io::Result<Interruptions> {
        let (sender, events) = channel();
        let (cancel, cancelled) = channel::<()>();
        let (signal_sender, signal_kicker) = (sender.clone(), kicker.clone());
        let interrupt = move |interruption| {
            if signal_sender.send(interruption).is_ok() {
                signal_kicker.kick();
            }
        };
        let terminate = interrupt.clone();
        on_termination(move || terminate(Interruption::Signal))?;
        let ignores_keyboard = Arc::new(AtomicBool::new(false));
        let ignores = Arc::clone(&ignores_keyboard);
        on_signals(&KEYBOARD, move || {
            if !ignores.load(Ordering::SeqCst) {
                interrupt(Interruption::Keyboard);
            }
        })?;
        if let Some(timeout) = timeout {
            thread::Builder::new().name("timeout".to_owned()).spawn(move || {
                if cancelled.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout)
                    && sender.send(Interruption::Timeout).is_ok()
                {
                    kicker.kick();
                }
            })?;
        }
        Ok(Interruptions { events, ignores_keyboard, _cancel: cancel })
    }

    /// Does `work`, during which ^C and ^\\ are somebody else's.
    pub fn without_keyboard<T>(&self, work: impl FnOnce() -> T) -> T {
        self.ignores_keyboard.store(true, Ordering::SeqCst);
        let result = work();
        self.ignores_keyboard.store(false, Ordering::SeqCst);
        result
    }

    /// What has come up, if anything has.
    pub fn take(&self) -> Option<Interruption> {
        self.events.try_recv().ok()
    }
}

/// Calls `action` on a thread of its own whenever ^C, ^\\ or a termination signal comes.
pub fn on_signal(action: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let signals = KEYBOARD.into_iter().chain(TERMINATION);
    on_signals(&signals.collect::<Vec<_>>(), action)
}

/// Calls `action` on a thread of its own whenever a termination signal comes; ^C and ^\\ are left to others.
pub fn on_termination(action: impl Fn() + Send + 'static) -> std::io::Result<()> {
    on_signals(&TERMINATION, action)
}

/// Calls `action` on a thread of its own whenever one of `signals` comes.
pub fn on_signals(signals: &[i32], action: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new(signals)?;
    let run = move || signals.forever().for_each(|_| action());
    thread::Builder::new().name("signals".to_owned()).spawn(run).map(drop)
}

/// Lets ^C and ^\\ pass without effect. By handlers, not by SIG_IGN, which a child would inherit.
pub fn ignore_keyboard() -> std::io::Result<()> {
    for signal in KEYBOARD {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    Ok(())
}
