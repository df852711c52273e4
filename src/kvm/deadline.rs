//! The deadline: a timer of the kernel's that makes KVM_RUN return every so often (timer_create(2)).
//!
//! Some KVMs have guest instructions that they never get past inside KVM_RUN; only a signal ends that. The
//! timer signals the thread that made it, with the signal of [`super::kick`], so that no thread of ours
//! waits or polls. It is periodic, since a signal that comes just before KVM_RUN is lost; but not more so than
//! the thread can bear: one that is signalled as fast as it takes the signals never gets on.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use super::KvmError;
use super::kick;

/// The shortest time from one signal to the next.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);
/// So often a timer is asked for, and so long waited in between, where the kernel has none for the moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

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
    /// The user has too many timers or pending signals, and still so after a while: other processes of the same
    /// user count as well.
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
        for _ in 1..ATTEMPTS {
            match Deadline::create(clock) {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => thread::sleep(PAUSE),
                made => return made.map_err(KvmError::Timer),
            }
        }
        Deadline::create(clock).map_err(KvmError::Timer)
    }

    fn create(clock: libc::clockid_t) -> io::Result<Deadline> {
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
            return Err(io::Error::last_os_error());
        }
        Ok(Deadline { timer, armed: false })
    }

    /// Makes KVM_RUN return after `period` from now, and then at the end of each further one.
    pub fn start(&mut self, period: Duration) {
        self.start_after(period, period);
    }

    /// Makes KVM_RUN return after `first` from now, then at the end of each `period`. The shortest of those is a
    /// nanosecond and a millisecond.
    pub fn start_after(&mut self, first: Duration, period: Duration) {
        self.set(first.max(Duration::from_nanos(1)), period.max(SHORTEST_PERIOD));
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
