//! A debugger changes nothing: each shipped guest that waits for no interrupt, run free, stepped, or run with breakpoints on all that it
//! executes, ends with the same registers, memory, screen, output and stop.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use common::samples::{End, SAMPLES, Sample};
use common::{Record, boot, record, set, visible, write};
use stepvisor::devices::frame::Frame;
use stepvisor::kvm::probe::host_facts;
use stepvisor::machine::interrupts::Interrupts;
use stepvisor::machine::{Machine, StopReason};
use stepvisor::ui;
use stepvisor::x86::{CpuState, FpuState, Linear, Phys};

/// More steps than any of the guests takes to its end.
const ENOUGH: usize = 200_000;

/// A guest that takes longer hangs, and the stop that its kick gives is wrong.
const DEADLINE: Duration = Duration::from_secs(300);

/// Where a guest that has no end is cut: its instruction `forever`, the first time it comes there.
const FOREVER: [(&str, u64); 1] = [("addloop", 0x7c20)];

/// Guests that wait for interrupts of devices, which are held back while a user steps: see tests/interrupts.rs.
const INTERRUPTED: [&str; 18] = [
    "alarm",
    "askkey",
    "ata",
    "clock",
    "com1",
    "eventwait",
    "filters",
    "hooks",
    "irq32",
    "irq64",
    "keyirq",
    "keys",
    "latekeys",
    "midnight",
    "motor",
    "shifts",
    "ticks",
    "uartirq",
];
/// A guest that shows how much memory there is, and so something else in each test.
const SHOWS_MEMORY: &str = "board";

/// A guest and what is done with it.
struct Subject {
    name: &'static str,
    boot: Box<dyn Fn() -> Machine>,
    /// Where it is cut, if it has no end.
    cut: Option<Linear>,
}

/// All that a guest leaves behind.
#[derive(Debug)]
struct Left {
    stop: StopReason,
    cpu: CpuState,
    fpu: FpuState,
    debug: [u64; 8],
    memory: Vec<u8>,
    frame: Frame,
    heard: Record,
    /// What IN from the POST port reads.
    post: u8,
}

impl Subject {
    fn of(sample: &'static Sample) -> Subject {
        let cut = FOREVER.iter().find(|(name, _)| *name == sample.name);
        let cut = cut.map(|(_, at)| Linear(*at));
        assert_eq!(cut.is_some(), sample.end == End::Never, "{}: where to cut it", sample.name);
        Subject { name: sample.name, boot: Box::new(|| sample.machine()), cut }
    }

    /// Boots it, has `drive` take it to its end or its cut, and looks at everything.
    fn drive(&self, drive: impl FnOnce(&mut Machine, Option<Linear>) -> StopReason) -> Left {
        let mut machine = (self.boot)();
        // The firmware's timer ticks while a guest runs, and not while it is stepped.
        machine.set_interrupts(Interrupts::Off);
        let heard = record(&mut machine);
        let kicker = machine.kicker();
        let (ended, end) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if end.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
                kicker.kick();
            }
        });
        let stop = drive(&mut machine, self.cut);
        drop(ended);
        Left::of(machine, stop, &heard)
    }

    /// Every way to drive it ends as the free run does. Gives what that leaves behind.
    fn check(&self) -> Left {
        let name = self.name;
        let free = self.drive(run_free);
        let mut executed = BTreeSet::new();
        let stepped = self.drive(|machine, cut| step_through(machine, cut, &mut executed));
        stepped.assert_like(&free, &format!("{name}, stepped"));
        let executed: Vec<Linear> = executed.into_iter().map(Linear).collect();
        assert!(executed.len() > 4, "{name}: it executes something");

        let (all, hits) = self.run_over(&executed);
        all.assert_like(&free, &format!("{name}, breakpoints everywhere"));
        let mut hits_of_few = BTreeMap::new();
        // As many at a time as debug registers hold, so that the guest runs free in between.
        for few in executed.chunks(4) {
            let (left, hits) = self.run_over(few);
            left.assert_like(&free, &format!("{name}, breakpoints at {few:x?}"));
            hits_of_few.extend(hits);
        }
        assert_eq!(hits, hits_of_few, "{name}: hits of all breakpoints and of four at a time");
        free
    }

    /// Runs it with breakpoints at `addresses`, steps off each, and counts the hits of each.
    fn run_over(&self, addresses: &[Linear]) -> (Left, BTreeMap<Linear, usize>) {
        let mut hits = BTreeMap::new();
        let left = self.drive(|machine, cut| run_over(machine, cut, addresses, &mut hits));
        (left, hits)
    }
}

fn run_free(machine: &mut Machine, cut: Option<Linear>) -> StopReason {
    if let Some(cut) = cut {
        machine.breakpoints_mut().insert(cut);
    }
    machine.run()
}

/// Steps to the end; notes the addresses of all instructions on the way, but for the cut.
fn step_through(
    machine: &mut Machine,
    cut: Option<Linear>,
    executed: &mut BTreeSet<u64>,
) -> StopReason {
    for _ in 0..ENOUGH {
        let pc = machine.cpu().pc();
        if cut == Some(pc) {
            return StopReason::Breakpoint(pc);
        }
        executed.insert(pc.0);
        match machine.step() {
            StopReason::Stepped => {}
            stop => return stop,
        }
    }
    panic!("no end after {ENOUGH} steps, now at {}", machine.cpu().location())
}

fn run_over(
    machine: &mut Machine,
    cut: Option<Linear>,
    addresses: &[Linear],
    hits: &mut BTreeMap<Linear, usize>,
) -> StopReason {
    for addr in addresses.iter().copied().chain(cut) {
        machine.breakpoints_mut().insert(addr);
    }
    for _ in 0..ENOUGH {
        match machine.run() {
            StopReason::Breakpoint(addr) if Some(addr) == cut => {
                return StopReason::Breakpoint(addr);
            }
            StopReason::Breakpoint(addr) => {
                assert!(addresses.contains(&addr), "a stop at {addr}, where no breakpoint is");
                assert_eq!(machine.cpu().pc(), addr);
                *hits.entry(addr).or_default() += 1;
                // One iteration of a repetition is a step; the breakpoint is hit once for all of them.
                match machine.step() {
                    StopReason::Stepped => {}
                    stop => return stop,
                }
            }
            stop => return stop,
        }
    }
    panic!("no end after {ENOUGH} breakpoints, now at {}", machine.cpu().location())
}

impl Left {
    fn of(mut machine: Machine, stop: StopReason, heard: &Rc<RefCell<Record>>) -> Left {
        let mut memory = vec![0; 2 << 20];
        let mut at = 0;
        while at < memory.len() {
            // Holes read as zeros here.
            at += machine.read_phys(Phys(at as u64), &mut memory[at..]).max(0x1000);
        }
        let cpu = visible(machine.cpu());
        let fpu = machine.fpu().unwrap();
        let debug = machine.debug_registers().unwrap();
        let frame = machine.frame();
        let mut heard = heard.borrow().clone();
        // It is told that it runs slowly because of its breakpoints, which is no concern of the guest's.
        heard.notices.retain(|notice| !notice.contains("slow"));
        // Whether it is looked at while it executes zeros depends on the host.
        heard.notices.retain(|notice| !notice.contains("executes zeros"));
        Left { post: read_post(&mut machine), stop, cpu, fpu, debug, memory, frame, heard }
    }

    #[track_caller]
    fn assert_like(&self, free: &Left, what: &str) {
        let shutdown = matches!(free.stop, StopReason::Shutdown { .. });
        if shutdown && host_facts().unwrap().shutdown_resets {
            // Of the free run the registers are those of the last exit there.
            eprintln!("{what}: registers not compared, a shutdown resets them on this host");
            assert!(matches!(self.stop, StopReason::Shutdown { .. }), "{what}: {}", self.stop);
        } else {
            assert_eq!(self.stop, free.stop, "{what}: stop");
            assert_eq!(self.cpu, free.cpu, "{what}: registers");
            assert_eq!(self.fpu, free.fpu, "{what}: x87 and SSE registers");
            assert_eq!(self.debug, free.debug, "{what}: debug registers");
        }
        assert_eq!(self.heard, free.heard, "{what}: console and notices");
        assert_eq!(self.frame, free.frame, "{what}: screen");
        assert_eq!(self.post, free.post, "{what}: POST code");
        // Byte by byte only where they differ: that is slow without optimization.
        if self.memory != free.memory {
            let mut both = self.memory.iter().zip(&free.memory);
            let at = both.position(|(found, expected)| found != expected).unwrap();
            let row = at & !15..(at & !15) + 16;
            let (found, expected) = (&self.memory[row.clone()], &free.memory[row.clone()]);
            panic!("{what}: memory at {:#x}: {found:02x?}, free {expected:02x?}", row.start);
        }
    }
}

/// The last byte that went to port 80h, as the guest would read it: by `in al, 0x80` in place of whatever
/// comes next. For a machine that nobody needs any more.
fn read_post(machine: &mut Machine) -> u8 {
    // A new place ends a halt. The firmware's cannot be written.
    set(machine, |cpu| {
        if (stepvisor::bios::rom::START.0..1 << 32).contains(&cpu.pc().0) {
            common::load(&mut cpu.segments.cs, 0);
            cpu.rip = 0x7c02;
        }
        cpu.rip -= 2;
    });
    let pc = machine.cpu().pc();
    write(machine, pc.0, &[0xe4, 0x80]);
    assert_eq!(machine.step(), StopReason::Stepped);
    machine.cpu().gpr[common::AX] as u8
}

fn assert_is(sample: &Sample, left: &Left) {
    let name = sample.name;
    let as_told = match sample.end {
        End::Halt => matches!(left.stop, StopReason::Halted { interruptible: false, .. }),
        End::Shutdown => matches!(left.stop, StopReason::Shutdown { .. }),
        End::Leaves(wanted) => {
            matches!(left.stop, StopReason::Firmware { ending, .. } if ending == wanted)
        }
        End::Resets => matches!(left.stop, StopReason::Reset { .. }),
        End::Exits(wanted) => left.stop == StopReason::Exit { status: wanted },
        End::Never => matches!(left.stop, StopReason::Breakpoint(_)),
    };
    assert!(as_told, "{name}: {}", left.stop);
    assert_eq!(ui::text::plain(&left.frame), sample.screen, "{name}");
    assert_eq!(left.heard.console, sample.console.as_bytes(), "{name}");
    assert_eq!(left.heard.serial, sample.serial.as_bytes(), "{name}");
}

macro_rules! guests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let name = stringify!($name);
            let sample = SAMPLES.iter().find(|sample| sample.name == name).unwrap();
            assert_is(sample, &Subject::of(sample).check());
        })*

        #[test]
        fn no_guest_is_left_out() {
            let mut here = vec![$(stringify!($name)),*];
            here.extend(INTERRUPTED);
            here.push(SHOWS_MEMORY);
            here.sort_unstable();
            let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
            let files = guests.read_dir().unwrap().map(|entry| entry.unwrap().path());
            let sources = files.filter(|file| file.extension().is_some_and(|it| it == "asm"));
            let mut names: Vec<String> =
                sources.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            names.sort_unstable();
            assert_eq!(names, here);
        }
    };
}

// A test for each guest, which ends the same however it is driven.
guests! {
    a20 a20bios addloop apic banner blockmove bootagain calls cdrom cga cmos colours counter crtc cs07c0 cursor dac
    demo disk diskerrors diskette displays ega entry exitcode farreturn fat12 faults fdc fire font formatting fourcolours geometry hello higherhalf
    int keyboard keybuffer lba lbawrite leds lines long mode12h mode13h modes modex monochrome noboot ownfont padding pages
    palette partition pci picread pixels planar portio poweroff printer protected pushdraw reset64 reset92 restart retrace rom scancodes
    scroll serial setclock speaker strings tasks teletype timer tracks triple twocolours unreal vbebanked vbeinfo vbelinear vectors
    windows
}

#[test]
fn a_guest_that_ends_itself_through_the_exit_port_does_so_with_the_same_status() {
    // mov al, 0x12; out 0x80, al; mov cx, 3; again: out 0xe9, al; loop again; mov al, 0x15; out 0xf4, al
    let code =
        [0xb0, 0x12, 0xe6, 0x80, 0xb9, 3, 0, 0xe6, 0xe9, 0xe2, 0xfc, 0xb0, 0x15, 0xe6, 0xf4, 0xf4];
    let boot = Box::new(move || boot(&code));
    let left = Subject { name: "exit", boot, cut: None }.check();
    assert!(matches!(left.stop, StopReason::Exit { .. }), "{}", left.stop);
    assert_eq!((left.post, left.heard.console.as_slice()), (0x12, &[0x12; 3][..]));
}
