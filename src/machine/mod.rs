//! The machine: joins KVM, memory and devices, and runs, steps and stops the guest.
//!
//! One owner holds it on one thread and drives it; it knows no protocol, no terminal and no file. What
//! it has to tell besides the [`StopReason`] goes to its [`Observer`].

pub mod boot;
pub mod bootable;
pub mod breakpoints;
pub mod image;
pub mod interrupts;
pub mod observer;
pub mod plan;
pub mod record;
pub mod replay;
pub mod stats;
pub mod stop;
pub mod stop_on;
pub mod trace;

mod checkpoint;
mod clock;
mod crash;
mod drives;
mod firmware;
mod framebuffer;
mod idle;
mod memory;
mod outside;
mod padding;
mod refused_paging;
mod registers;
mod run;
mod serial_input;
mod service;
mod step;
mod unanswered;
mod video;

pub use boot::Boot;
pub use breakpoints::{BreakpointSet, Watch, WatchKind};
pub use clock::Clock;
pub use crash::Crash;
pub use image::Image;
pub use interrupts::Interrupts;
pub use memory::Physical;
pub use observer::Observer;
pub use outside::{OutsideError, Typing};
pub use plan::DebugPlan;
pub use registers::RegisterError;
pub use stats::Stats;
pub use stop::StopReason;
pub use stop_on::StopOn;
pub use stop_on::catchpoint::Catchpoint;
pub use stop_on::caught::Caught;
pub use stop_on::exceptions::ExceptionStop;
pub use stop_on::marks::{Mark, MarkStop, Marks};

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use self::framebuffer::Framebuffer;
use crate::bios::rom;
use crate::bus::Conflict;
use crate::devices::frame::Frame;
use crate::devices::vga::{Vga, vbe};
use crate::devices::{self, Devices};
use crate::disk::Disks;
use crate::kvm::{Kicker, KvmError, Vcpu, Vm};
use crate::memory::{MemoryError, Ram};
use crate::x86::{CpuState, Linear, Phys};
use trace::Trace;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// RAM in bytes; see [`RAM_SIZES`](crate::memory::layout::RAM_SIZES).
    pub ram_size: u64,
    /// The guest and how it starts.
    pub boot: Boot,
    /// Optional devices.
    pub devices: devices::Config,
    /// What an access to nothing does.
    pub on_unclaimed: OnUnclaimed,
    /// The firmware runs first and serves the guest; without it there is the bare machine.
    pub firmware: bool,
    /// What the firmware has for disks.
    pub disks: Disks,
}

/// What an access to a port or an address does where no device is. The guest reads all ones and writes
/// nothing in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnclaimed {
    /// A notice for the first access to each port or address, as a PC's user would like to have.
    #[default]
    Warn,
    /// Nothing, as on a PC.
    Ignore,
    /// The run stops after the access.
    Stop,
}

/// Why a machine cannot be built or reset.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No RAM.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// No KVM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// No guest.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// No first instruction.
    #[error(transparent)]
    Boot(#[from] boot::BootError),
    /// A disk that does not boot.
    #[error(transparent)]
    Load(#[from] bootable::LoadError),
    /// Two devices on one port.
    #[error(transparent)]
    Devices(#[from] Conflict<u16>),
}

/// A PC with one processor, and a debugger's view of it.
pub struct Machine {
    // Dropped before the VM it belongs to.
    vcpu: Vcpu,
    vm: Vm,
    devices: Devices,
    optional_devices: devices::Config,
    ram_size: u64,
    disks: Disks,
    /// The firmware is there.
    firmware: bool,
    boot: Boot,
    /// Processor state after a hardware reset, from which [`Boot`] makes the state at entry.
    reset_state: CpuState,
    breakpoints: BreakpointSet,
    stop_on: StopOn,
    stops_at_mode_switch: bool,
    on_unclaimed: OnUnclaimed,
    reported: HashSet<stop::Target>,
    /// The watchpoints that the instruction hit after which the machine stopped for one.
    watch_hits: Vec<Watch>,
    /// The processor executed HLT and waits.
    halted: bool,
    /// Address of a repeated string instruction that is not finished: it has begun, so a breakpoint on
    /// it has had its turn.
    mid_rep: Option<Linear>,
    /// An instruction between its accesses to a device.
    partial: Option<run::partial::Partial>,
    /// Why the processor shut down, while it stands there.
    crash: Option<Crash>,
    /// What the step that has shut the processor down knows of it; nothing in free run.
    shut_down_by: Option<crash::ShutDownBy>,
    /// The last checkpoint, on hosts where a shutdown destroys the registers.
    rewind: Option<Box<checkpoint::Rewind>>,
    /// What the user has to know of the registers after such a shutdown, if they are not those before it.
    inexact: Option<String>,
    /// The guest is run once more to find what shut it down.
    rerunning: bool,
    /// The whole machine is there for another run.
    replays: bool,
    /// Causes, as in DR6, of the guest's own data breakpoints that a load of SS holds back.
    held_traps: u64,
    /// The instruction before was a load of SS, which holds back debug exceptions for one instruction.
    behind_load_of_ss: bool,
    /// Where the task gates of exceptions lead to for the present step.
    diverted_to: Option<Linear>,
    /// What was set when the guest last went on.
    remembered: BreakpointSet,
    /// The last step was over an access or another instruction that KVM emulated, whose trap some processors keep
    /// for later.
    trap_may_linger: bool,
    /// The last step was over an instruction that is left to KVM on hardware, such as CPUID.
    stepped_special: bool,
    video: video::Video,
    /// The user knows that execution is slow.
    told_slow: bool,
    /// The user knows that the guest has run off its end.
    told_padding: bool,
    /// Another run has shown where, or nothing.
    looked_back: bool,
    /// Somebody has changed registers or memory, or typed or sent something: another run would take another course.
    altered: bool,
    /// The user knows of an exception that leads nowhere.
    told_unanswered: bool,
    /// The last instruction that was tried out to find one.
    tried_out: Option<Linear>,
    time: clock::Passing,
    interrupts: interrupts::State,
    serial_sinks: outside::SerialSinks,
    serial_sources: serial_input::SerialSources,
    /// Typed each time the guest starts.
    typing: Typing,
    guard: run::endless::Guard,
    /// So many steps are left to a guest that has asked for long mode, on hosts where it matters that it gets there.
    steps_to_long_mode: u32,
    record: record::Record,
    observer: Box<dyn Observer>,
    stats: Stats,
    trace: Option<Trace>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("location", &self.vcpu.cpu().location())
            .field("halted", &self.halted)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// Builds the machine and puts the guest at its first instruction.
    ///
    /// # Errors
    /// No KVM, not enough memory, or an image that does not fit.
    pub fn new(config: Config) -> Result<Machine, MachineError> {
        let Config { ram_size, boot, devices, on_unclaimed, firmware, disks } = config;
        let firmware = firmware && firmware::has_room(&boot);
        let optional_devices = devices;
        let mut devices = Devices::new(&optional_devices)?;
        devices.attach_drives(drives::of(&disks));
        let mut ram = Ram::new(ram_size)?;
        ram.add_device_memory(vbe::FRAMEBUFFER, vbe::FRAMEBUFFER_SIZE)?;
        devices.vga_mut().attach(Arc::new(Framebuffer(ram.share(vbe::FRAMEBUFFER))));
        let mut vm = Vm::new(ram)?;
        let mut vcpu = vm.create_vcpu()?;
        if vcpu.may_be_software() {
            let smallest = *crate::memory::layout::RAM_SIZES.start();
            vm.catch_high_interrupts(&mut vcpu, Ram::new(smallest)?)?;
        }
        let mut reset_state = vcpu.cpu().clone();
        // There is no local APIC, whose enable bit CPUID follows.
        reset_state.apic_base = 0;
        let mut machine = Machine {
            vcpu,
            vm,
            devices,
            optional_devices,
            ram_size,
            disks,
            firmware,
            boot,
            reset_state,
            breakpoints: BreakpointSet::default(),
            stop_on: StopOn::default(),
            stops_at_mode_switch: false,
            on_unclaimed,
            reported: HashSet::new(),
            watch_hits: Vec::new(),
            partial: None,
            halted: false,
            mid_rep: None,
            crash: None,
            rewind: None,
            inexact: None,
            rerunning: false,
            replays: false,
            held_traps: 0,
            behind_load_of_ss: false,
            diverted_to: None,
            shut_down_by: None,
            remembered: BreakpointSet::default(),
            trap_may_linger: false,
            stepped_special: false,
            video: video::Video::default(),
            told_slow: false,
            told_padding: false,
            looked_back: false,
            altered: false,
            told_unanswered: false,
            tried_out: None,
            time: clock::Passing::default(),
            interrupts: interrupts::State::default(),
            serial_sinks: outside::SerialSinks::default(),
            serial_sources: serial_input::SerialSources::default(),
            typing: Typing::default(),
            guard: run::endless::Guard::default(),
            steps_to_long_mode: 0,
            record: record::Record::default(),
            observer: Box::new(observer::Deaf),
            stats: Stats::default(),
            trace: None,
        };
        let roms = machine.boot.image.clone();
        for (addr, bytes) in roms.roms() {
            machine.map_rom(addr, bytes)?;
        }
        if firmware {
            machine.map_rom(rom::START, rom::image())?;
        }
        machine.follow_plan(&DebugPlan::NOTHING)?;
        machine.power_on()?;
        Ok(machine)
    }

    /// Puts a ROM with the contents `bytes` at `addr`: in the place of RAM, or where there is nothing. The guest reads
    /// it as fast as RAM; what it writes there is dropped, as is what a debugger writes. A reset keeps it.
    ///
    /// # Errors
    /// Not whole pages of 4 KiB, or partly in RAM; or a KVM call failed.
    pub fn map_rom(&mut self, addr: Phys, bytes: &[u8]) -> Result<(), KvmError> {
        self.forget_checkpoint();
        self.vm.add_rom(addr, bytes)
    }

    /// Starts the guest anew, as the reset button does: memory, devices and registers. Breakpoints and
    /// counters stay.
    ///
    /// # Errors
    /// A KVM call failed.
    pub fn reset(&mut self) -> Result<(), MachineError> {
        self.vm.clear_ram();
        self.devices.reset();
        self.follow_a20()?;
        self.disks.forget_changes();
        self.type_again();
        self.power_on()
    }

    fn power_on(&mut self) -> Result<(), MachineError> {
        self.boot.image.load(self.vm.ram(), self.boot.load_address())?;
        let mut cpu = self.boot.cpu_state(&self.reset_state)?;
        self.set_time_of_day();
        self.boot.load_from_disk(&mut self.disks, self.vm.ram())?;
        if self.firmware {
            self.firmware_power_on(&mut cpu)?;
        }
        self.vcpu.reset(&cpu)?;
        self.reported.clear();
        self.told_padding = false;
        self.looked_back = false;
        self.altered = false;
        self.interrupts.asks_for_key = false;
        self.interrupts.reads_keyboard = false;
        self.told_unanswered = false;
        self.tried_out = None;
        self.watch_hits.clear();
        self.halted = false;
        self.mid_rep = None;
        self.crash = None;
        self.stop_on.reset();
        self.record.reset();
        self.forget_checkpoint();
        self.held_traps = 0;
        self.behind_load_of_ss = false;
        self.steps_to_long_mode = 0;
        Ok(())
    }

    /// A handle that makes [`Machine::run`] return [`StopReason::Kicked`], from any thread.
    #[must_use]
    pub fn kicker(&self) -> Kicker {
        self.vcpu.kicker().clone()
    }

    /// Takes a kick that is still pending, so that the next run starts without one.
    pub fn take_kick(&mut self) -> bool {
        self.vcpu.take_kick()
    }

    /// The guest and how it starts.
    #[must_use]
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// The breakpoints and watchpoints.
    #[must_use]
    pub fn breakpoints(&self) -> &BreakpointSet {
        &self.breakpoints
    }

    /// The breakpoints and watchpoints, to be changed.
    pub fn breakpoints_mut(&mut self) -> &mut BreakpointSet {
        &mut self.breakpoints
    }

    /// All watchpoints that one instruction hit together, after [`StopReason::Watchpoint`], which names the
    /// first of them.
    #[must_use]
    pub fn watch_hits(&self) -> &[Watch] {
        &self.watch_hits
    }

    /// Whether [`Machine::run`] stops when the processor switches to another mode.
    #[must_use]
    pub fn stops_at_mode_switch(&self) -> bool {
        self.stops_at_mode_switch
    }

    /// Has [`Machine::run`] stop when the processor switches to another mode, or not. It then executes one
    /// instruction at a time, which takes many times as long.
    pub fn stop_at_mode_switch(&mut self, stops: bool) {
        self.stops_at_mode_switch = stops;
    }

    /// What the screen shows.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.devices.frame()
    }

    /// The VGA, to be looked at.
    #[must_use]
    pub fn vga(&self) -> &Vga {
        self.devices.vga()
    }

    /// Tells `observer` from now on what happens while the guest runs; without one, nobody is told.
    pub fn set_observer(&mut self, observer: Box<dyn Observer>) {
        self.observer = observer;
    }

    /// Whether the processor executed HLT and waits for an interrupt.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// What happened since power-on, counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Time spent inside the guest, that is in KVM_RUN.
    #[must_use]
    pub fn guest_time(&self) -> std::time::Duration {
        self.vcpu.guest_time()
    }

    /// Writes every exit to `trace` from now on.
    pub fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// Ends the trace and says whether all of it could be written.
    ///
    /// # Errors
    /// Writing failed at some point.
    pub fn finish_trace(&mut self) -> std::io::Result<()> {
        self.trace.take().map_or(Ok(()), Trace::finish)
    }
}
