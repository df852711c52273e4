//! What the integration tests share: machines around a few bytes of code, and what happens to them.
#![allow(dead_code, missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod modes;
pub mod samples;
pub mod switch;
pub mod terminal;

use std::cell::RefCell;
use std::rc::Rc;

use stepvisor::devices;
use stepvisor::disk::Disks;
use stepvisor::machine::{Boot, Config, Image, Machine, Observer, OnUnclaimed, StopReason};
use stepvisor::x86::segment::KIND_ACCESSED;
use stepvisor::x86::{Access, CpuState, Gpr, Linear, Phys, SegOff, Segment, SegmentName};

/// Where boot sectors lie, and where [`boot`] puts its code.
pub const START: u64 = 0x7c00;
/// Text memory.
pub const VGA: u64 = 0xb_8000;

// Indices into `CpuState::gpr`, named as 16-bit code names the registers.
pub const AX: usize = Gpr::Rax as usize;
pub const BX: usize = Gpr::Rbx as usize;
pub const CX: usize = Gpr::Rcx as usize;
pub const DX: usize = Gpr::Rdx as usize;
pub const SI: usize = Gpr::Rsi as usize;
pub const DI: usize = Gpr::Rdi as usize;
pub const BP: usize = Gpr::Rbp as usize;
pub const SP: usize = Gpr::Rsp as usize;

/// A machine with `code` as its boot sector.
pub fn boot(code: &[u8]) -> Machine {
    boot_at(code, START, SegOff::new(0, 0x7c00))
}

/// A machine with `code` at `load`, entered at `entry`.
pub fn boot_at(code: &[u8], load: u64, entry: SegOff) -> Machine {
    machine(Boot {
        load: Some(Phys(load)),
        entry: Some(entry),
        ..Boot::new(Image::parse(code).expect("image"))
    })
}

/// A machine with default devices that boots `boot`.
pub fn machine(boot: Boot) -> Machine {
    machine_with(boot, OnUnclaimed::Warn)
}

/// A machine with default devices that boots `boot` and does `on_unclaimed` at accesses to nothing.
pub fn machine_with(boot: Boot, on_unclaimed: OnUnclaimed) -> Machine {
    build(Config { on_unclaimed, ..config(boot) })
}

/// A machine with default devices that boots `boot` by its firmware.
pub fn machine_with_firmware(boot: Boot, disks: Disks) -> Machine {
    build(Config { firmware: true, disks, ..config(boot) })
}

fn config(boot: Boot) -> Config {
    let (devices, disks) = (devices::Config::default(), Disks::default());
    let on_unclaimed = OnUnclaimed::Warn;
    Config { ram_size: 2 << 20, boot, devices, on_unclaimed, firmware: false, disks }
}

fn build(config: Config) -> Machine {
    Machine::new(config).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads `segment` with the real-mode selector `selector`.
pub fn load(segment: &mut Segment, selector: u16) {
    *segment = Segment::paragraph(selector, Access::DATA16);
}

/// Changes registers as a debugger does.
#[track_caller]
pub fn set(machine: &mut Machine, change: impl FnOnce(&mut CpuState)) {
    let mut cpu = machine.cpu().clone();
    change(&mut cpu);
    machine.set_cpu(&cpu).unwrap();
}

/// `len` bytes of linear memory.
#[track_caller]
pub fn read(machine: &Machine, addr: u64, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    assert_eq!(machine.read_linear(Linear(addr), &mut data), len, "memory at {addr:#x}");
    data
}

/// Writes linear memory.
#[track_caller]
pub fn write(machine: &mut Machine, addr: u64, data: &[u8]) {
    assert_eq!(machine.write_linear(Linear(addr), data), data.len(), "memory at {addr:#x}");
}

/// The registers as far as a program can see them. Hosts differ in what they keep in the hidden part of
/// segment registers: the access rights in real mode, everything behind a null selector elsewhere, and whether
/// code is marked as accessed, which QEMU's processor never does.
pub fn visible(cpu: &CpuState) -> CpuState {
    let mut cpu = cpu.clone();
    let real = cpu.mode().has_paragraph_segments();
    for name in SegmentName::ALL {
        let segment = cpu.segments.get_mut(name);
        if real {
            segment.access = Access::default();
        } else if segment.selector < 4 {
            // FS and GS have a base in long mode nevertheless.
            *segment = Segment { base: segment.base, ..Segment::default() };
        } else if segment.access.is_code() {
            segment.access.kind |= KIND_ACCESSED;
        }
    }
    cpu
}

/// What a guest did that only its observer sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub console: Vec<u8>,
    /// What it sent on COM1.
    pub serial: Vec<u8>,
    pub notices: Vec<String>,
}

/// Records what `machine` tells from now on.
pub fn record(machine: &mut Machine) -> Rc<RefCell<Record>> {
    struct Recorder(Rc<RefCell<Record>>);
    impl Observer for Recorder {
        fn notice(&mut self, text: &str) {
            self.0.borrow_mut().notices.push(text.to_owned());
        }
        fn console(&mut self, bytes: &[u8]) {
            self.0.borrow_mut().console.extend_from_slice(bytes);
        }
        fn serial(&mut self, port: usize, bytes: &[u8]) {
            assert_eq!(port, 1);
            self.0.borrow_mut().serial.extend_from_slice(bytes);
        }
    }
    let record = Rc::default();
    machine.set_observer(Box::new(Recorder(Rc::clone(&record))));
    record
}

/// Steps until something else than a step happens; at most `limit` steps.
pub fn step_to_end(machine: &mut Machine, limit: usize) -> StopReason {
    for _ in 0..limit {
        match machine.step() {
            StopReason::Stepped => {}
            stop => return stop,
        }
    }
    panic!("no end after {limit} steps, now at {}", machine.cpu().location())
}

/// The stop of HLT with interrupts off, at `location`.
pub fn halted(location: &str) -> StopReason {
    StopReason::Halted { interruptible: false, location: location.to_owned() }
}
