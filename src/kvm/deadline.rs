//! The deadline: a timer of the kernel's that makes KVM_RUN return every so often (timer_create(2)).
//!
//! Some KVMs have guest instructions that they never get past inside KVM_RUN; only a signal ends that. The
//! timer signals the thread that made it, with the signal of [`super::kick`], so that no thread of ours
//! waits or polls. It is periodic, since a signal that comes just before KVM_RUN is lost.

use std::fmt;
use std::io;
use std::time::Duration;

use super::KvmError;
use super::kick;

/// A timer for the vCPUs that the thread runs which made it. It starts disarmed.
pub struct Deadline {
    timer: libc::timer_t,
    armed: bool,
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("armed", &self.armed).finish_non_exhaustive()
    }
}

impl Deadline {
    /// A timer that signals the calling thread.
    ///
    /// # Errors
    /// The user has too many timers or pending signals.
    pub fn new() -> Result<Deadline, KvmError> {
        kick::install_signal_handlers();
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: a zeroed sigevent is a valid one; the kernel reads it and writes the timer's number, both
        // ours.
        let made = unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = kick::signal();
            event.sigev_notify_thread_id = kick::thread_number();
            libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer)
        };
        if made != 0 {
            return Err(KvmError::Timer(io::Error::last_os_error()));
        }
        Ok(Deadline { timer, armed: false })
    }

    /// Makes KVM_RUN return at the end of each `period` from now on. Zero is taken for the shortest there is.
    pub fn start(&mut self, period: Duration) {
        self.set(period.max(Duration::from_nanos(1)));
        self.armed = true;
    }

    /// Ends [`Deadline::start`]; from then on the timer costs nothing.
    pub fn stop(&mut self) {
        if self.armed {
            self.set(Duration::ZERO);
            self.armed = false;
        }
    }

    fn set(&mut self, period: Duration) {
        let period = libc::timespec {
            tv_sec: libc::time_t::try_from(period.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: period.subsec_nanos().into(),
        };
        let times = libc::itimerspec { it_interval: period, it_value: period };
        // SAFETY: the timer is ours and alive; with valid times the call cannot fail.
        unsafe { libc::timer_settime(self.timer, 0, &raw const times, std::ptr::null_mut()) };
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and nobody uses it after this.
        unsafe { libc::timer_delete(self.timer) };
    }
}
