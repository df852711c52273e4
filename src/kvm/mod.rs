//! KVM: the only unsafe code and the only user of kvm-ioctls.
//!
//! Gives the layers above a VM, a vCPU with its state in the terms of [`crate::x86`], owned exits, guest
//! debugging and the kick. It knows no device and no debugger. Follows the KVM API documentation
//! (Documentation/virt/kvm/api.rst).
// The one module that may: ioctls on shared memory cannot be had without. Each block states its reason.
#![allow(unsafe_code)]

pub mod deadline;
pub mod dirty;
mod events;
pub mod exit;
pub mod guest_debug;
mod high_interrupts;
pub mod host;
pub mod kick;
pub mod msrs;
pub mod probe;
mod registers;
mod slots;
pub mod snapshot;
pub mod state;
pub mod vcpu;
pub mod vm;

pub use deadline::Deadline;
pub use exit::Exit;
pub use guest_debug::GuestDebug;
pub use kick::Kicker;
pub use probe::HostFacts;
pub use snapshot::VcpuSnapshot;
pub use vcpu::Vcpu;
pub use vm::Vm;

use kvm_ioctls::Error as Errno;

/// Why KVM cannot be used, or refused something.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no `/dev/kvm`.
    #[error(
        "/dev/kvm does not exist: load the kernel module (modprobe kvm_intel or kvm_amd), and enable \
         virtualisation in the firmware (or nested virtualisation in the hypervisor this machine runs in)"
    )]
    Missing,
    /// `/dev/kvm` exists, but this user may not open it.
    #[error(
        "/dev/kvm may not be opened by this user: join the group {group} \
         (sudo usermod -aG {group} $USER, then log in again){}",
        if *.owned { "" } else { ", and give it the device (sudo chgrp kvm /dev/kvm; sudo chmod 660 /dev/kvm)" }
    )]
    NotPermitted {
        /// The group to join.
        group: String,
        /// Whether it owns the device file already.
        owned: bool,
    },
    /// `/dev/kvm` cannot be opened for another reason.
    #[error("cannot open /dev/kvm")]
    Open(#[source] Errno),
    /// The kernel's KVM is older than the stable API.
    #[error(
        "/dev/kvm is not KVM, or far too old: its API version is {0}, the only stable one is 12"
    )]
    ApiVersion(i32),
    /// A capability that the machine needs is missing.
    #[error("this KVM lacks the capability KVM_CAP_{0}")]
    Capability(&'static str),
    /// KVM made something else of a register than it was given.
    #[error("this host's KVM makes {found:#x} of {asked:#x} in CR0")]
    Cr0 {
        /// The value asked for.
        asked: u64,
        /// What KVM made of it.
        found: u64,
    },
    /// KVM does not keep RFLAGS.VM.
    #[error("this host's KVM has no virtual-8086 mode")]
    Virtual8086,
    /// The guests that probe the host's behaviour have no memory.
    #[error("cannot probe this host's KVM: {0}")]
    Probe(String),
    /// The kernel has no timer for us.
    #[error(
        "cannot make a timer for KVM_RUN (timer_create): too many timers or pending signals of this user's \
         processes, of which `ulimit -i` is the limit"
    )]
    Timer(#[source] std::io::Error),
    /// A ROM that cannot be made.
    #[error(transparent)]
    Rom(#[from] crate::memory::MemoryError),
    /// One ioctl failed.
    #[error("{ioctl} failed")]
    Ioctl {
        /// Name of the ioctl.
        ioctl: &'static str,
        /// The kernel's reason.
        #[source]
        source: Errno,
    },
}

impl KvmError {
    /// The error with the kernel's reason, in one line.
    #[must_use]
    pub fn with_cause(&self) -> String {
        let cause = std::error::Error::source(self);
        cause.map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// Wraps the error of the ioctl named `ioctl`.
    pub(crate) fn ioctl(ioctl: &'static str) -> impl Fn(Errno) -> KvmError {
        move |source| KvmError::Ioctl { ioctl, source }
    }
}
