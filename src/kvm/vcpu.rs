//! The vCPU: entering the guest, its registers, and the data of the last exit.

use std::cell::Cell;
use std::time::{Duration, Instant};

use kvm_bindings::{
    KVM_EXIT_IO_IN, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_USE_SW_BP, KVM_SYNC_X86_REGS,
    KVM_SYNC_X86_SREGS, KVM_VCPUEVENT_VALID_SHADOW, Msrs, kvm_coalesced_mmio, kvm_debugregs,
    kvm_guest_debug, kvm_msr_entry, kvm_vcpu_events, kvm_xsave,
};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

use super::exit::{Exit, PortAccess};
use super::{GuestDebug, Kicker, KvmError, high_interrupts, state};
use crate::x86::registers::{CR0_WP, RFLAGS_TF, RFLAGS_VM};
use crate::x86::{CpuState, Features, FpuState, Phys};

/// The one virtual processor of a machine.
#[derive(Debug)]
pub struct Vcpu {
    pub(super) fd: VcpuFd,
    kicker: Kicker,
    pub(super) cpu: CpuState,
    pub(super) armed: GuestDebug,
    /// The trap flag that single-step needs is known to be in place still.
    pub(super) trap_flag_set: bool,
    /// The guest's own trap flag, which KVM hides and forgets while it steps.
    guest_trap_flag: bool,
    /// The guest's own debug registers, as long as they cannot have changed.
    debug_registers: Cell<Option<[u64; 8]>>,
    guest_time: Duration,
    power_on: PowerOn,
    features: Features,
    /// CPUID offers other features than it was told to, as in a KVM that has no processor's help.
    may_be_software: bool,
    /// The interrupt table is shown elsewhere where that helps; see [`high_interrupts`].
    pub(super) moves_table: bool,
    /// It is, as KVM has it now.
    pub(super) table_moved: bool,
}

/// CR0.ET, which always reads as one (SDM vol. 3A, 2.5).
const CR0_ET: u64 = 1 << 4;

/// State at power-on that is no part of [`CpuState`].
#[derive(Debug)]
struct PowerOn {
    xsave: kvm_xsave,
    debug_registers: kvm_debugregs,
    /// Nothing pending, no interrupt shadow.
    events: kvm_vcpu_events,
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
        let power_on = PowerOn {
            xsave: fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?,
            debug_registers: fd.get_debug_regs().map_err(KvmError::ioctl("KVM_GET_DEBUGREGS"))?,
            events: fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?,
        };
        let guest_time = Duration::ZERO;
        let armed = GuestDebug::OFF;
        Ok(Vcpu {
            fd,
            kicker,
            cpu,
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

    fn enter_guest(&mut self) -> Result<Exit, KvmError> {
        self.trap_flag_set = false;
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

    /// Integer, segment and control registers as of the last exit.
    #[must_use]
    pub fn cpu(&self) -> &CpuState {
        &self.cpu
    }

    /// Replaces the registers of [`Vcpu::cpu`]; only what differs is written.
    ///
    /// # Errors
    /// KVM refuses the values (a combination that no processor can be in); then nothing has changed.
    pub fn set_cpu(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        let before = self.cpu.clone();
        let written = self.write_cpu(cpu).and_then(|()| {
            if cpu.rflags & !self.cpu.rflags & RFLAGS_VM != 0 {
                return Err(KvmError::Virtual8086);
            }
            let (asked, found) = (cpu.cr0, self.cpu.cr0);
            if (asked ^ found) & !CR0_ET == 0 {
                Ok(())
            } else {
                Err(KvmError::Cr0 { asked, found })
            }
        });
        if let Err(error) = written {
            if matches!(error, KvmError::Cr0 { .. }) {
                self.take_shutdown()?;
            }
            // Some of the registers may have been taken already.
            self.reload()?;
            self.write_cpu(&before)?;
            self.arm(self.armed)?;
            return Err(error);
        }
        // Setting registers drops the trap flag that single-stepping planted.
        self.arm(self.armed)
    }

    /// A software KVM that has paging in long mode only answers an attempt to switch it on with a shutdown
    /// at the next entry. Taken here, it does not hit the guest, whose registers are put back.
    fn take_shutdown(&mut self) -> Result<(), KvmError> {
        self.arm(GuestDebug { single_step: true, ..GuestDebug::OFF })?;
        let mut kicked = false;
        // A kick, even one that comes just now, would leave the shutdown for the guest. It needs no signal: the
        // entry is short.
        let exit = loop {
            kicked |= self.kicker.take();
            match self.enter_guest() {
                Ok(Exit::Interrupted) => {}
                exit => break exit,
            }
        };
        if kicked {
            self.kicker.kick();
        }
        self.arm(GuestDebug::OFF)?;
        exit.map(|exit| log::debug!("{} after a refused CR0", exit.name()))
    }

    fn write_cpu(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        let mut sregs = state::sregs_to_kvm(cpu);
        if sregs != state::sregs_to_kvm(&self.cpu) {
            if self.table_moved && high_interrupts::moves_table(cpu) {
                sregs.idt.base = high_interrupts::TABLE;
            }
            if !self.features.is_intel() {
                // Intel's processors demand a busy task register. AMD's do not mind either, but QEMU's
                // emulation of one knows no busy one.
                sregs.tr.type_ &= !state::TASK_BUSY;
            }
            self.fd.set_sregs(&sregs).map_err(KvmError::ioctl("KVM_SET_SREGS"))?;
        }
        let regs = state::regs_to_kvm(cpu);
        if regs != state::regs_to_kvm(&self.cpu) {
            self.fd.set_regs(&regs).map_err(KvmError::ioctl("KVM_SET_REGS"))?;
        }
        self.guest_trap_flag = cpu.rflags & RFLAGS_TF != 0;
        self.reload()?;
        // Setting registers may drop the trap flag that single-stepping planted.
        self.trap_flag_set = false;
        Ok(())
    }

    /// Puts the processor into the state `cpu`, and all that is no part of it into the state at power-on:
    /// x87 and SSE, the guest's debug registers, pending events.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn reset(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        self.debug_registers.set(None);
        let PowerOn { xsave, debug_registers, events } = &self.power_on;
        // SAFETY: as in `set_fpu`.
        unsafe { self.fd.set_xsave(xsave) }.map_err(KvmError::ioctl("KVM_SET_XSAVE"))?;
        let set = self.fd.set_debug_regs(debug_registers);
        set.map_err(KvmError::ioctl("KVM_SET_DEBUGREGS"))?;
        let set = self.fd.set_vcpu_events(events);
        set.map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))?;
        self.revive(cpu)
    }

    /// Puts the processor into the state `cpu` after a shutdown. KVM for AMD resets the processor then and
    /// forgets where its tables of guest memory are; it would fault for ever at the next entry, were it
    /// not made to build them anew by a change of CR0.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn revive(&mut self, cpu: &CpuState) -> Result<(), KvmError> {
        let mut sregs = self.fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        for _ in 0..2 {
            sregs.cr0 ^= CR0_WP;
            self.fd.set_sregs(&sregs).map_err(KvmError::ioctl("KVM_SET_SREGS"))?;
        }
        self.reload()?;
        self.set_cpu(cpu)
    }

    /// CPUID offers the guest other features than it was told to: no processor does that.
    #[must_use]
    pub fn may_be_software(&self) -> bool {
        self.may_be_software
    }

    /// Reads back what KVM made of the registers.
    fn reload(&mut self) -> Result<(), KvmError> {
        let regs = self.fd.get_regs().map_err(KvmError::ioctl("KVM_GET_REGS"))?;
        let sregs = self.fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        self.cpu = state::cpu_from_kvm(&regs, &sregs);
        self.show_table();
        self.show_trap_flag();
        Ok(())
    }

    /// The guest's own trap flag, into or from the registers that KVM gave: it hides the flag while it steps.
    fn show_trap_flag(&mut self) {
        if self.armed.single_step {
            self.cpu.rflags &= !RFLAGS_TF;
            if self.guest_trap_flag {
                self.cpu.rflags |= RFLAGS_TF;
            }
        } else {
            self.guest_trap_flag = self.cpu.rflags & RFLAGS_TF != 0;
        }
    }

    /// Says what the instruction that was just stepped has made of the guest's own trap flag, which KVM does
    /// not tell.
    pub fn set_guest_trap_flag(&mut self, on: bool) {
        self.guest_trap_flag = on;
        self.show_trap_flag();
    }

    /// x87 and SSE registers.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn fpu(&self) -> Result<FpuState, KvmError> {
        let xsave = self.fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?;
        Ok(state::fpu_from_kvm(&xsave))
    }

    /// Replaces the x87 and SSE registers.
    ///
    /// # Errors
    /// KVM refuses the values, for instance a reserved bit of MXCSR.
    pub fn set_fpu(&mut self, fpu: &FpuState) -> Result<(), KvmError> {
        let mut xsave = self.fd.get_xsave().map_err(KvmError::ioctl("KVM_GET_XSAVE"))?;
        state::fpu_to_kvm(fpu, &mut xsave);
        // SAFETY: no dynamically enabled state component is in use (none is asked for with
        // ARCH_REQ_XCOMP_GUEST_PERM), so 4096 bytes are the whole area.
        unsafe { self.fd.set_xsave(&xsave) }.map_err(KvmError::ioctl("KVM_SET_XSAVE"))
    }

    /// The guest's own debug registers, DR0 to DR7 (DR4 and DR5 read as 0).
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn debug_registers(&self) -> Result<[u64; 8], KvmError> {
        if let Some(known) = self.debug_registers.get() {
            return Ok(known);
        }
        let regs = self.fd.get_debug_regs().map_err(KvmError::ioctl("KVM_GET_DEBUGREGS"))?;
        let [dr0, dr1, dr2, dr3] = regs.db;
        let found = [dr0, dr1, dr2, dr3, 0, 0, regs.dr6, regs.dr7];
        self.debug_registers.set(Some(found));
        Ok(found)
    }

    /// Says that the instruction that was just stepped may have changed the guest's own debug registers.
    pub fn forget_debug_registers(&mut self) {
        self.debug_registers.set(None);
    }

    /// Whether interrupts are held back for one instruction, after STI or a load of SS
    /// (SDM vol. 3A, 6.8.3).
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn interrupt_shadow(&self) -> Result<bool, KvmError> {
        let events = self.fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?;
        Ok(events.interrupt.shadow != 0)
    }

    /// Has the guest be left, by [`Exit::InterruptWindow`], as soon as it takes interrupts, or not. Some KVMs forget
    /// the interrupt shadow then, and some never leave the guest for it where HLT follows.
    pub fn request_interrupt_window(&mut self, on: bool) {
        self.fd.get_kvm_run().request_interrupt_window = u8::from(on);
    }

    /// Has KVM deliver an interrupt from outside at the next entry.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn inject_interrupt(&mut self, vector: u8) -> Result<(), KvmError> {
        let mut events =
            self.fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?;
        (events.interrupt.injected, events.interrupt.nr) = (1, vector);
        (events.interrupt.soft, events.flags) = (0, 0);
        self.fd.set_vcpu_events(&events).map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))
    }

    /// Sleeps for `time`, or for ever, or until a kick; one that is pending ends it at once.
    pub fn sleep(&self, time: Option<Duration>) {
        self.kicker.sleep(time);
    }

    /// The model-specific register `index`, or nothing if KVM has none for this guest.
    #[must_use]
    pub fn msr(&self, index: u32) -> Option<u64> {
        let entry = kvm_msr_entry { index, ..Default::default() };
        let mut msrs = Msrs::from_entries(&[entry]).ok()?;
        let read = self.fd.get_msrs(&mut msrs).ok()?;
        msrs.as_slice().first().filter(|_| read == 1).map(|entry| entry.data)
    }

    /// The extended control register `index`, or nothing if there is none.
    #[must_use]
    pub fn xcr(&self, index: u32) -> Option<u64> {
        let xcrs = self.fd.get_xcrs().ok()?;
        let used = xcrs.xcrs.get(..xcrs.nr_xcrs as usize)?;
        used.iter().find(|entry| entry.xcr == index).map(|entry| entry.value)
    }

    /// What CPUID offers to the guest.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    /// Takes back an exception that KVM is about to raise: the #UD that goes along with a refused
    /// instruction on kernels that cannot leave the guest without it.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn drop_exception(&mut self) -> Result<(), KvmError> {
        let mut events =
            self.fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?;
        if events.exception.injected == 0 && events.exception.pending == 0 {
            return Ok(());
        }
        (events.exception.injected, events.exception.pending) = (0, 0);
        self.fd.set_vcpu_events(&events).map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))
    }

    /// Ends what lasts for one instruction or, with `nmi`, until an IRET: the interrupt shadow, and the
    /// blocking of further NMIs.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn end_shadows(&mut self, nmi: bool) -> Result<(), KvmError> {
        let mut events =
            self.fd.get_vcpu_events().map_err(KvmError::ioctl("KVM_GET_VCPU_EVENTS"))?;
        let masked = nmi && events.nmi.masked != 0;
        if events.interrupt.shadow == 0 && !masked {
            return Ok(());
        }
        events.interrupt.shadow = 0;
        if masked {
            events.nmi.masked = 0;
        }
        events.flags = KVM_VCPUEVENT_VALID_SHADOW;
        self.fd.set_vcpu_events(&events).map_err(KvmError::ioctl("KVM_SET_VCPU_EVENTS"))
    }

    /// Replaces the guest's own debug registers.
    ///
    /// # Errors
    /// KVM refuses the values: reserved bits of DR6 or DR7.
    pub fn set_debug_registers(&mut self, dr: &[u64; 8]) -> Result<(), KvmError> {
        let regs = kvm_debugregs {
            db: [dr[0], dr[1], dr[2], dr[3]],
            dr6: dr[6],
            dr7: dr[7],
            ..Default::default()
        };
        self.debug_registers.set(None);
        self.fd.set_debug_regs(&regs).map_err(KvmError::ioctl("KVM_SET_DEBUGREGS"))
    }

    /// Chooses the debug facilities of the next entries. Has to come after any register change.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn arm(&mut self, debug: GuestDebug) -> Result<(), KvmError> {
        let in_place = !debug.single_step || self.trap_flag_set;
        if debug == self.armed && in_place {
            return Ok(());
        }
        self.fd.set_guest_debug(&debug.to_kvm()).map_err(KvmError::ioctl("KVM_SET_GUEST_DEBUG"))?;
        let stepped = self.armed.single_step;
        self.armed = debug;
        self.trap_flag_set = debug.single_step;
        if stepped && !debug.single_step && self.guest_trap_flag {
            // KVM has taken both trap flags for its own.
            let regs = state::regs_to_kvm(&self.cpu);
            self.fd.set_regs(&regs).map_err(KvmError::ioctl("KVM_SET_REGS"))?;
        }
        Ok(())
    }

    /// Makes INT3 leave the guest, where this host's KVM can do that, and arms nothing else. Only to find out
    /// whether it can.
    pub(super) fn arm_int3(&mut self) -> Result<(), KvmError> {
        let control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
        let debug = kvm_guest_debug { control, ..Default::default() };
        self.fd.set_guest_debug(&debug).map_err(KvmError::ioctl("KVM_SET_GUEST_DEBUG"))?;
        // Nothing that can be asked for is in place: the next call of `arm` does its work.
        self.armed = GuestDebug { single_step: true, ..GuestDebug::OFF };
        self.trap_flag_set = false;
        Ok(())
    }

    /// What is armed.
    #[must_use]
    pub fn armed(&self) -> &GuestDebug {
        &self.armed
    }

    /// Whether the guest is made to stop after each instruction.
    #[must_use]
    pub fn is_stepping(&self) -> bool {
        self.armed.single_step
    }

    /// Says that the last step was over an instruction that leaves the trap flag alone, so that it need
    /// not be armed again: an ioctl a step less. Without that it is taken for lost, as hardware loses it
    /// with an exit in mid-instruction and with everything that loads or saves the flags.
    pub fn trap_flag_survived(&mut self) {
        self.trap_flag_set = self.armed.single_step;
    }
}
