//! Why KVM_RUN returned, as values that outlive the run page (api.rst, 5 "The kvm_run structure").

use crate::x86::Phys;

/// One return from KVM_RUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The guest reads a port `count` times; the answers go to [`super::Vcpu::port_data_mut`].
    PortRead(PortAccess),
    /// The guest writes a port `count` times; the data is in [`super::Vcpu::port_data_mut`].
    PortWrite(PortAccess),
    /// The guest reads `len` bytes outside RAM; the answer goes to [`super::Vcpu::set_mmio_data`].
    MmioRead {
        /// Guest-physical address.
        addr: Phys,
        /// Number of bytes, 1 to 8.
        len: usize,
    },
    /// The guest writes outside RAM.
    MmioWrite {
        /// Guest-physical address.
        addr: Phys,
        /// Number of bytes, 1 to 8.
        len: usize,
        /// The bytes; the first `len` count.
        data: [u8; 8],
    },
    /// A debug facility of [`super::GuestDebug`] stopped the guest.
    Debug {
        /// DR6 as the exception left it.
        dr6: u64,
    },
    /// HLT.
    Hlt,
    /// Triple fault.
    Shutdown,
    /// KVM could not go on; suberror 1 is an instruction its emulator does not know.
    InternalError {
        /// KVM_INTERNAL_ERROR_*.
        suberror: u32,
    },
    /// The processor refused the guest state.
    FailEntry {
        /// The hardware's reason code.
        reason: u64,
    },
    /// The guest takes interrupts now; see [`super::Vcpu::request_interrupt_window`].
    InterruptWindow,
    /// The guest has written EFER or LSTAR, and WRMSR is over. Told of software KVMs only.
    MsrWritten,
    /// A signal or `immediate_exit`: nothing about the guest.
    Interrupted,
    /// Any other KVM_EXIT_*.
    Other {
        /// The number of the exit reason.
        reason: u32,
    },
}

/// A port access as KVM reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortAccess {
    /// Port number.
    pub port: u16,
    /// Bytes an item: 1, 2 or 4.
    pub size: u8,
    /// Number of items; more than one only for string I/O.
    pub count: u32,
}

impl Exit {
    /// Whether the guest accesses a port or memory that is not RAM, and waits for it to be served.
    #[must_use]
    pub fn is_access(&self) -> bool {
        matches!(
            self,
            Exit::PortRead(_) | Exit::PortWrite(_) | Exit::MmioRead { .. } | Exit::MmioWrite { .. }
        )
    }

    /// A short name for statistics and traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Exit::PortRead(_) => "port read",
            Exit::PortWrite(_) => "port write",
            Exit::MmioRead { .. } => "MMIO read",
            Exit::MmioWrite { .. } => "MMIO write",
            Exit::Debug { .. } => "debug",
            Exit::Hlt => "HLT",
            Exit::Shutdown => "shutdown",
            Exit::InternalError { .. } => "internal error",
            Exit::FailEntry { .. } => "fail entry",
            Exit::InterruptWindow => "IRQ window",
            Exit::MsrWritten => "MSR write",
            Exit::Interrupted => "interrupted",
            Exit::Other { .. } => "other",
        }
    }
}
