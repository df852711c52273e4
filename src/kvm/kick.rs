//! The kick: makes a vCPU that runs on one thread return to its owner, from any other thread.
//!
//! Two things together leave no gap: `immediate_exit` in the shared run page stops an entry that has
//! not happened yet, and a signal stops one that has. `pending` remembers the kick while the owner
//! itself uses `immediate_exit` to complete an instruction.

use std::fmt;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Once};

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
        install_signal_handler();
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

    fn set_immediate_exit(&self, on: bool) {
        // SAFETY: `_handle` keeps the page mapped, and the byte is only ever accessed atomically.
        let flag = unsafe { AtomicU8::from_ptr(self.shared.immediate_exit) };
        flag.store(u8::from(on), Ordering::SeqCst);
    }
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

/// Installs a handler that does nothing, without SA_RESTART: its only effect is EINTR from KVM_RUN.
pub(super) fn install_signal_handler() {
    extern "C" fn ignore(_: i32) {}
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: a zeroed sigaction is a valid one; the handler does nothing and so is
        // async-signal-safe; no other code of this process uses this real-time signal.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal(), &raw const action, std::ptr::null_mut());
        }
    });
}
