//! The vCPU: entering the guest, and the data of the last exit (api.rst, 5 "The kvm_run structure").
//!
//! Its registers are in `registers`, what is pending in `events`, what stops it in `guest_debug`; `snapshot` keeps all
//! of its state.

use std::cell::Cell;
use std::time::{Duration, Instant};

use kvm_bindings::{KVM_EXIT_IO_IN, KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS, kvm_coalesced_mmio};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

use super::exit::{Exit, PortAccess};
use super::registers::PowerOn;
use super::{GuestDebug, Kicker, KvmError, state};
use crate::x86::{CpuState, Features, Phys};

/// The one virtual processor of a machine.
#[derive(Debug)]
pub struct Vcpu {
    pub(super) fd: VcpuFd,
    pub(super) kicker: Kicker,
    pub(super) cpu: CpuState,
    /// General registers, RIP or flags of `cpu` that KVM has still to be given.
    pub(super) pending: Cell<bool>,
    /// The registers were changed since the last entry, which takes away the trap flag that single-step has planted.
    pub(super) changed: bool,
    /// No shadow holds back interrupts, as has been seen since the last entry.
    pub(super) out_of_shadow: bool,
    pub(super) armed: GuestDebug,
    /// The trap flag that single-step needs is known to be in place still.
    pub(super) trap_flag_set: bool,
    /// The guest's own trap flag, which KVM hides and forgets while it steps.
    pub(super) guest_trap_flag: bool,
    /// The guest's own debug registers, as long as they cannot have changed.
    pub(super) debug_registers: Cell<Option<[u64; 8]>>,
    guest_time: Duration,
    pub(super) power_on: PowerOn,
    pub(super) features: Features,
    /// CPUID offers other features than it was told to, as in a KVM that has no processor's help.
    may_be_software: bool,
    /// The interrupt table is shown elsewhere where that helps; see [`high_interrupts`].
    pub(super) moves_table: bool,
    /// It is, as KVM has it now.
    pub(super) table_moved: bool,
    /// The guest's LSTAR, while KVM has another.
    pub(super) call_target: Option<u64>,
    pub(super) new_call_target: bool,
}

/// A guest write that KVM queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoalescedWrite {
    /// Guest-physical address.
    pub addr: Phys,
    /// Number of bytes, 1 to 8.
    pub len: usize,
    /// The bytes; the first `len` count.
    pub data: [u8; 8],
}

/// How [`Vcpu::complete`] left an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The pending access is finished and nothing else happened.
    Done,
    /// The instruction goes on with another exit.
    Exit(Exit),
}

impl Vcpu {
    pub(super) fn new(
        vm: &VmFd,
        mut fd: VcpuFd,
        features: Features,
        may_be_software: bool,
    ) -> Result<Vcpu, KvmError> {
        fd.map_coalesced_mmio_ring().map_err(KvmError::ioctl("mmap of the coalesced MMIO ring"))?;
        let kicker = Kicker::new(vm, &fd)?;
        let regs = fd.get_regs().map_err(KvmError::ioctl("KVM_GET_REGS"))?;
        let sregs = fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        // From here on every return from KVM_RUN brings both along, without an ioctl of their own.
        fd.get_kvm_run().kvm_valid_regs = u64::from(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
        let cpu = state::cpu_from_kvm(&regs, &sregs);
        let power_on = PowerOn::of(&fd)?;
        let guest_time = Duration::ZERO;
        let armed = GuestDebug::OFF;
        Ok(Vcpu {
            fd,
            kicker,
            cpu,
            pending: Cell::new(false),
            changed: false,
            out_of_shadow: false,
            armed,
            trap_flag_set: false,
            guest_trap_flag: false,
            debug_registers: Cell::new(None),
            guest_time,
            power_on,
            features,
            may_be_software,
            moves_table: false,
            table_moved: false,
            call_target: None,
            new_call_target: false,
        })
    }

    /// A handle that makes [`Vcpu::run`] return [`Exit::Interrupted`].
    #[must_use]
    pub fn kicker(&self) -> &Kicker {
        &self.kicker
    }

    /// Takes a pending kick; false when there is none.
    pub fn take_kick(&self) -> bool {
        self.kicker.take()
    }

    /// Time spent inside KVM_RUN so far.
    #[must_use]
    pub fn guest_time(&self) -> Duration {
        self.guest_time
    }

    /// Enters the guest until it needs service, stops or is kicked. A pending kick returns
    /// [`Exit::Interrupted`] without entering, until it is taken.
    ///
    /// # Errors
    /// KVM_RUN failed for another reason than a signal.
    pub fn run(&mut self) -> Result<Exit, KvmError> {
        self.place_table()?;
        self.kicker.enter();
        let exit = self.enter_guest();
        self.kicker.leave();
        exit
    }

    /// Lets KVM finish the instruction whose port or MMIO access was just serviced, without starting
    /// the next one. Register values are consistent only after that (api.rst, 5: "the data is not
    /// consumed until the next KVM_RUN").
    ///
    /// # Errors
    /// KVM_RUN failed for another reason than a signal.
    pub fn complete(&mut self) -> Result<Completion, KvmError> {
        self.kicker.hold();
        let exit = self.enter_guest();
        self.kicker.release();
        Ok(match exit? {
            Exit::Interrupted => Completion::Done,
            exit => Completion::Exit(exit),
        })
    }

    pub(super) fn enter_guest(&mut self) -> Result<Exit, KvmError> {
        let exit = self.enter_once()?;
        self.past_msr_access(exit)
    }

    pub(super) fn enter_once(&mut self) -> Result<Exit, KvmError> {
        if self.give_pending()? {
            self.trap_flag_set = false;
            self.arm(self.armed)?;
        }
        self.trap_flag_set = false;
        self.changed = false;
        self.out_of_shadow = false;
        let start = Instant::now();
        let exit = match self.fd.run() {
            Ok(exit) => match exit {
                VcpuExit::IoIn(..) | VcpuExit::IoOut(..) => None,
                VcpuExit::MmioRead(addr, data) => {
                    Some(Exit::MmioRead { addr: Phys(addr), len: data.len() })
                }
                VcpuExit::MmioWrite(addr, bytes) => {
                    let mut data = [0; 8];
                    data[..bytes.len()].copy_from_slice(bytes);
                    Some(Exit::MmioWrite { addr: Phys(addr), len: bytes.len(), data })
                }
                VcpuExit::Debug(debug) => Some(Exit::Debug { dr6: debug.dr6 }),
                VcpuExit::Hlt => Some(Exit::Hlt),
                VcpuExit::Shutdown => Some(Exit::Shutdown),
                VcpuExit::FailEntry(reason, _) => Some(Exit::FailEntry { reason }),
                VcpuExit::Intr => Some(Exit::Interrupted),
                VcpuExit::IrqWindowOpen => Some(Exit::InterruptWindow),
                _ => None,
            },
            Err(errno) if matches!(errno.errno(), libc::EINTR | libc::EAGAIN) => {
                Some(Exit::Interrupted)
            }
            Err(source) => return Err(KvmError::Ioctl { ioctl: "KVM_RUN", source }),
        };
        self.guest_time += start.elapsed();
        let regs = self.fd.sync_regs();
        self.cpu = state::cpu_from_kvm(&regs.regs, &regs.sregs);
        self.show_table();
        self.show_trap_flag();
        if !self.armed.single_step {
            self.debug_registers.set(None);
        }
        Ok(exit.unwrap_or_else(|| self.exit_from_run_page()))
    }

    /// The exits of which kvm-ioctls hides something.
    fn exit_from_run_page(&mut self) -> Exit {
        use kvm_bindings::{KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_IO};
        let run = self.fd.get_kvm_run();
        match run.exit_reason {
            KVM_EXIT_IO => {
                // SAFETY: the exit reason says that `io` is the member of the union in use.
                let io = unsafe { run.__bindgen_anon_1.io };
                let access = PortAccess { port: io.port, size: io.size, count: io.count };
                if u32::from(io.direction) == KVM_EXIT_IO_IN {
                    Exit::PortRead(access)
                } else {
                    Exit::PortWrite(access)
                }
            }
            KVM_EXIT_INTERNAL_ERROR => {
                // SAFETY: the exit reason says that `internal` is the member of the union in use.
                let internal = unsafe { run.__bindgen_anon_1.internal };
                Exit::InternalError { suberror: internal.suberror }
            }
            reason => Exit::Other { reason },
        }
    }

    /// The data of the port access that [`Vcpu::run`] returned last: `size` × `count` bytes, to be read
    /// for a write and filled for a read. Empty when the last exit was none.
    pub fn port_data_mut(&mut self) -> &mut [u8] {
        let run = self.fd.get_kvm_run();
        if run.exit_reason != kvm_bindings::KVM_EXIT_IO {
            return &mut [];
        }
        // SAFETY: the exit reason says that `io` is the member of the union in use.
        let io = unsafe { run.__bindgen_anon_1.io };
        let len = usize::from(io.size) * io.count as usize;
        let start = std::ptr::from_mut(run).cast::<u8>();
        // SAFETY: KVM places the data at `data_offset` from the start of the run mapping, inside it;
        // the borrow of `self` keeps the mapping alive and the guest out.
        unsafe { std::slice::from_raw_parts_mut(start.add(io.data_offset as usize), len) }
    }

    /// Answers the MMIO read that [`Vcpu::run`] returned last.
    pub fn set_mmio_data(&mut self, data: [u8; 8]) {
        let run = self.fd.get_kvm_run();
        if run.exit_reason == kvm_bindings::KVM_EXIT_MMIO {
            run.__bindgen_anon_1.mmio.data = data;
        }
    }

    /// Takes the oldest write that KVM queued for a range of [`super::Vm::coalesce_writes`].
    pub fn next_coalesced_write(&mut self) -> Option<CoalescedWrite> {
        let kvm_coalesced_mmio { phys_addr, len, data, .. } =
            self.fd.coalesced_mmio_read().ok().flatten()?;
        Some(CoalescedWrite { addr: Phys(phys_addr), len: (len as usize).min(8), data })
    }

    /// CPUID offers the guest other features than it was told to: no processor does that.
    #[must_use]
    pub fn may_be_software(&self) -> bool {
        self.may_be_software
    }

    /// Sleeps for `time`, or for ever, or until a kick; one that is pending ends it at once.
    pub fn sleep(&self, time: Option<Duration>) {
        self.kicker.sleep(time);
    }

    /// What CPUID offers to the guest.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }
}
