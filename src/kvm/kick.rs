//! The kick: makes a vCPU that runs on one thread return to its owner, from any other thread.
//!
//! Two things together leave no gap: `immediate_exit` in the shared run page stops an entry that has
//! not happened yet, and a signal stops one that has. `pending` remembers the kick while the owner
//! itself uses `immediate_exit` to complete an instruction.
//!
//! A file can kick as well, when it has something to read, without a thread that waits for it: its signal
//! (SIGIO) does on the owner's thread what [`Kicker::kick`] does from another.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use kvm_ioctls::{VcpuFd, VmFd};

use super::KvmError;

/// A handle that interrupts the vCPU it was made for; any number of threads may hold one.
#[derive(Clone, Debug)]
pub struct Kicker {
    shared: Arc<Shared>,
}

struct Shared {
    /// Keeps the run page mapped as long as any kicker lives.
    _handle: VcpuFd,
    immediate_exit: *mut u8,
    pending: AtomicBool,
    /// Kernel thread that is inside [`Kicker::enter`]…[`Kicker::leave`]; 0 when none is.
    thread: AtomicI32,
}

// SAFETY: the only non-Send field is a pointer into the run page that `_handle` keeps mapped; the byte
// behind it is accessed as an atomic only.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Kicker {
    /// A kicker for the vCPU `fd` of `vm`.
    pub(super) fn new(vm: &VmFd, fd: &VcpuFd) -> Result<Kicker, KvmError> {
        install_signal_handlers();
        // SAFETY: duplicating a descriptor has no memory effects; the result is checked.
        let duplicate = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
        if duplicate < 0 {
            let source = kvm_ioctls::Error::last();
            return Err(KvmError::Ioctl { ioctl: "dup of the vCPU descriptor", source });
        }
        // SAFETY: `duplicate` is a fresh descriptor of a vCPU of `vm`, owned by nobody else.
        let mut handle = unsafe { vm.create_vcpu_from_rawfd(duplicate) }
            .map_err(KvmError::ioctl("mmap of the vCPU"))?;
        let immediate_exit = &raw mut handle.get_kvm_run().immediate_exit;
        let shared = Shared {
            _handle: handle,
            immediate_exit,
            pending: AtomicBool::new(false),
            thread: AtomicI32::new(0),
        };
        Ok(Kicker { shared: Arc::new(shared) })
    }

    /// Makes the vCPU's owner return from running, now or at its next attempt. Never blocks.
    pub fn kick(&self) {
        self.shared.pending.store(true, Ordering::SeqCst);
        self.set_immediate_exit(true);
        let thread = self.shared.thread.load(Ordering::SeqCst);
        if thread != 0 {
            // SAFETY: tgkill has no memory effects; a thread that is gone makes it fail, which is fine,
            // and the signal's handler does nothing.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal()) };
        }
    }

    /// Makes the next entry return at once, as if kicked; to be undone by [`Kicker::release`].
    pub(super) fn hold(&self) {
        self.set_immediate_exit(true);
    }

    /// Ends [`Kicker::hold`]; a kick that came meanwhile stays pending.
    pub(super) fn release(&self) {
        self.set_immediate_exit(false);
        if self.shared.pending.load(Ordering::SeqCst) {
            self.set_immediate_exit(true);
        }
    }

    /// A kick whenever `input` has something to read or is at its end, while armed. For the calling thread, which
    /// has to be the one that runs the vCPU.
    ///
    /// # Errors
    /// The system refuses to signal this file.
    pub fn on_input(&self, input: impl AsFd) -> io::Result<InputKick> {
        let input = input.as_fd().try_clone_to_owned()?;
        let owner = FileOwner { kind: F_OWNER_TID, id: THREAD.with(|id| *id) };
        // SAFETY: the argument is the structure that F_SETOWN_EX reads, alive for the call.
        let owned = unsafe { libc::fcntl(input.as_raw_fd(), F_SETOWN_EX, &raw const owner) };
        if owned < 0 {
            return Err(io::Error::last_os_error());
        }
        let shared = Arc::clone(&self.shared);
        Ok(InputKick(Rc::new(SignallingInput { shared, input })))
    }

    /// Takes the pending kick, so that the vCPU can run again. To be called before the owner looks for
    /// what it was kicked for: a kick that comes later is not lost.
    pub(super) fn take(&self) -> bool {
        self.set_immediate_exit(false);
        self.shared.pending.swap(false, Ordering::SeqCst)
    }

    /// Marks the calling thread as the one to signal.
    pub(super) fn enter(&self) {
        self.shared.thread.store(thread_number(), Ordering::SeqCst);
    }

    /// Ends [`Kicker::enter`].
    pub(super) fn leave(&self) {
        self.shared.thread.store(0, Ordering::SeqCst);
    }

    /// Sleeps for `time`, or for ever, or until a kick; one that is pending ends it at once, and stays pending.
    pub(super) fn sleep(&self, time: Option<Duration>) {
        let time = time.map(|time| libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        self.enter();
        // SAFETY: a zeroed signal set is a valid one, and all pointers are to values alive for the calls, or null.
        // Kicks are signals: held back from before the flag is looked at until the sleep has begun.
        unsafe {
            let (mut kicks, mut before): (libc::sigset_t, libc::sigset_t) =
                (std::mem::zeroed(), std::mem::zeroed());
            for signal in [signal(), libc::SIGIO] {
                libc::sigaddset(&raw mut kicks, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const kicks, &raw mut before);
            if !self.shared.pending.load(Ordering::SeqCst) {
                libc::ppoll(ptr::null_mut(), 0, time, &raw const before);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        }
        self.leave();
    }

    fn set_immediate_exit(&self, on: bool) {
        self.shared.set_immediate_exit(on);
    }
}

impl Shared {
    fn set_immediate_exit(&self, on: bool) {
        // SAFETY: `_handle` keeps the page mapped, and the byte is only ever accessed atomically.
        let flag = unsafe { AtomicU8::from_ptr(self.immediate_exit) };
        flag.store(u8::from(on), Ordering::SeqCst);
    }
}

/// A file that kicks; see [`Kicker::on_input`].
#[derive(Clone, Debug)]
pub struct InputKick(Rc<SignallingInput>);

#[derive(Debug)]
struct SignallingInput {
    shared: Arc<Shared>,
    input: OwnedFd,
}

impl InputKick {
    /// Kicks for what comes from now on, until the result is dropped. What has come before is to be looked for
    /// after this call.
    #[must_use]
    pub fn arm(&self) -> ArmedInput {
        SIGNALLED.with(|signalled| signalled.set(Arc::as_ptr(&self.0.shared)));
        self.0.set_signalling(true);
        ArmedInput(self.clone())
    }
}

/// An input that kicks until this is dropped.
#[derive(Debug)]
pub struct ArmedInput(InputKick);

impl Drop for ArmedInput {
    fn drop(&mut self) {
        self.0.0.set_signalling(false);
        SIGNALLED.with(|signalled| signalled.set(ptr::null()));
    }
}

impl SignallingInput {
    /// Has the file signal, or not. Another process may have it open as well, such as the terminal or the pipe
    /// that standard input is, and may change its other flags at any time: this changes one and leaves those
    /// alone, which F_SETFL cannot.
    fn set_signalling(&self, on: bool) {
        let on = libc::c_int::from(on);
        // SAFETY: reads an integer that is alive for the call; cannot fail for a file that has an owner.
        unsafe { libc::ioctl(self.input.as_raw_fd(), libc::FIOASYNC, &raw const on) };
    }
}

/// `struct f_owner_ex` (fcntl(2)).
#[repr(C)]
struct FileOwner {
    kind: libc::c_int,
    id: libc::pid_t,
}

/// F_SETOWN_EX and F_OWNER_TID of fcntl(2), which the libc crate does not have.
const F_SETOWN_EX: libc::c_int = 15;
const F_OWNER_TID: libc::c_int = 0;

thread_local! {
    /// What SIGIO on this thread kicks. The armed input keeps it alive.
    static SIGNALLED: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

thread_local! {
    /// The kernel's number of the thread; asking for it costs a system call.
    // SAFETY: gettid has no effects and cannot fail.
    static THREAD: i32 = unsafe { libc::gettid() };
}

/// The kernel's number of the calling thread.
pub(super) fn thread_number() -> i32 {
    THREAD.with(|id| *id)
}

/// The signal used: the first real-time one the C library leaves to programs.
pub(super) fn signal() -> i32 {
    libc::SIGRTMIN()
}

/// Installs the handlers, without SA_RESTART, so that they end KVM_RUN with EINTR: that is all the kick's own
/// is for.
pub(super) fn install_signal_handlers() {
    extern "C" fn ignore(_: i32) {}
    extern "C" fn input(_: i32) {
        let shared = SIGNALLED.try_with(Cell::get).unwrap_or(ptr::null());
        // SAFETY: not null only while an `ArmedInput` of this thread keeps it alive.
        if let Some(shared) = unsafe { shared.as_ref() } {
            shared.pending.store(true, Ordering::SeqCst);
            shared.set_immediate_exit(true);
        }
    }
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (signal, handler) in
            [(signal(), ignore as extern "C" fn(i32)), (libc::SIGIO, input as extern "C" fn(i32))]
        {
            // SAFETY: a zeroed sigaction is a valid one; both handlers are async-signal-safe: one does
            // nothing, the other reads a thread-local without initialiser or destructor and stores
            // atomics; no other code of this process uses these signals.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler as usize;
                libc::sigemptyset(&raw mut action.sa_mask);
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
    });
}
