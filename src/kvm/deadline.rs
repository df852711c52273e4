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
        Deadline::by(libc::CLOCK_MONOTONIC)
    }

    /// The same by the time for which the calling thread has a processor.
    ///
    /// # Errors
    /// As of [`Deadline::new`].
    pub fn of_work() -> Result<Deadline, KvmError> {
        Deadline::by(libc::CLOCK_THREAD_CPUTIME_ID)
    }

    fn by(clock: libc::clockid_t) -> Result<Deadline, KvmError> {
        kick::install_signal_handlers();
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: a zeroed sigevent is a valid one; the kernel reads it and writes the timer's number, both
        // ours.
        let made = unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = kick::signal();
            event.sigev_notify_thread_id = kick::thread_number();
            libc::timer_create(clock, &raw mut event, &raw mut timer)
        };
        if made != 0 {
            return Err(KvmError::Timer(io::Error::last_os_error()));
        }
        Ok(Deadline { timer, armed: false })
    }

    /// Makes KVM_RUN return at the end of each `period` from now on. Zero is taken for the shortest there is.
    pub fn start(&mut self, period: Duration) {
        self.start_after(period, period);
    }

    /// Makes KVM_RUN return after `first` from now, then at the end of each `period`. Zero is taken for the shortest
    /// there is.
    pub fn start_after(&mut self, first: Duration, period: Duration) {
        let shortest = Duration::from_nanos(1);
        self.set(first.max(shortest), period.max(shortest));
        self.armed = true;
    }

    /// Ends [`Deadline::start`]; from then on the timer costs nothing.
    pub fn stop(&mut self) {
        if self.armed {
            self.set(Duration::ZERO, Duration::ZERO);
            self.armed = false;
        }
    }

    fn set(&mut self, first: Duration, period: Duration) {
        let time = |time: Duration| libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let times = libc::itimerspec { it_interval: time(period), it_value: time(first) };
        // SAFETY: the timer is ours and alive; with valid times the call cannot fail.
        unsafe { libc::timer_settime(self.timer, 0, &raw const times, std::ptr::null_mut()) };
    }
}

/// For how long the calling thread has had a processor.
#[must_use]
pub fn work_time() -> Duration {
    // SAFETY: a zeroed timespec is a valid one, alive for the call, which cannot fail for this clock.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and nobody uses it after this.
        unsafe { libc::timer_delete(self.timer) };
    }
}
