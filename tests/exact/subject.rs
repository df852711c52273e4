//! A guest under test: its code, what is set and armed, and the comparison after each step.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use stepvisor::kvm::Kicker;
use stepvisor::machine::stop_on::exceptions::ExceptionStop;
use stepvisor::machine::{
    Boot, Config, Image, Machine, Observer, OnUnclaimed, StopOn, StopReason, Watch, WatchKind,
};
use stepvisor::x86::{CpuState, Gpr, Linear, Phys, SegOff, Segment};

use crate::want::Want;
use crate::world::{self, CODE, Mode};

/// What a case gives: nothing, or what differed.
pub type Verdict = Result<(), String>;

/// A guest that waits to be stepped.
pub struct Subject {
    /// The mode it starts in.
    pub mode: Mode,
    /// What it looks like now.
    pub now: Want,
    machine: Machine,
    console: Rc<RefCell<Vec<u8>>>,
    /// Where the next code goes.
    cursor: u64,
    /// The code in NASM's words.
    text: Vec<String>,
    /// How many steps and runs there were.
    moves: u32,
    watchdog: Watchdog,
    /// The registers before the first step, as the mode has them.
    first: CpuState,
}

thread_local! {
    /// A machine whose last case went well, for the next one: a reset is cheaper than a new machine, which
    /// counts where KVM itself is emulated.
    static SPARE: RefCell<Option<(Machine, Watchdog)>> = const { RefCell::new(None) };
}

struct Console(Rc<RefCell<Vec<u8>>>);

impl Observer for Console {
    fn notice(&mut self, _: &str) {}

    fn console(&mut self, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }
}

/// Kicks a guest that hangs out of its loop: the case fails.
struct Watchdog(mpsc::Sender<Option<Kicker>>);

/// Longest time for one case.
const DEADLINE: Duration = Duration::from_secs(20);

impl Watchdog {
    fn new() -> Watchdog {
        let (watch, cases) = mpsc::channel::<Option<Kicker>>();
        std::thread::spawn(move || {
            while let Ok(case) = cases.recv() {
                let Some(kicker) = case else { continue };
                if matches!(cases.recv_timeout(DEADLINE), Err(mpsc::RecvTimeoutError::Timeout)) {
                    kicker.kick();
                }
            }
        });
        Watchdog(watch)
    }
}

fn machine() -> Result<(Machine, Watchdog), String> {
    // What it boots is overwritten.
    let image = Image::Flat(vec![0xf4]);
    let entry = SegOff::new(0, u16::try_from(CODE).unwrap_or_default());
    let boot = Boot { load: Some(Phys(CODE)), entry: Some(entry), ..Boot::new(image) };
    let devices = stepvisor::devices::Config::default();
    let config = Config {
        ram_size: 1 << 20,
        boot,
        devices,
        on_unclaimed: OnUnclaimed::Ignore,
        firmware: false,
        disks: stepvisor::disk::Disks::default(),
    };
    let machine = Machine::new(config).map_err(|error| error.to_string())?;
    Ok((machine, Watchdog::new()))
}

impl Subject {
    /// A guest in `mode`, without code.
    pub fn new(mode: Mode) -> Result<Subject, String> {
        let (mut machine, watchdog) = SPARE.take().map_or_else(machine, Ok)?;
        machine.reset().map_err(|error| error.to_string())?;
        machine.breakpoints_mut().clear();
        *machine.stop_on_mut() = StopOn::default();
        machine.write_phys(Phys(0), world::memory(mode));
        let console = Rc::default();
        machine.set_observer(Box::new(Console(Rc::clone(&console))));
        let mut cpu = world::registers(mode, machine.cpu());
        world::task_for_rig(&mut cpu);
        machine.set_cpu(&cpu).map_err(|error| format!("cannot enter the mode: {error}"))?;
        let now = Want::of(&machine, mode, &[])?;
        if now.cpu.mode() != cpu.mode() {
            return Err(format!("cannot enter the mode: the guest is in {}", now.cpu.mode()));
        }
        machine.take_kick();
        let _ = watchdog.0.send(Some(machine.kicker()));
        let (cursor, text, moves) = (CODE, vec![], 0);
        let first = now.cpu.clone();
        Ok(Subject { mode, now, machine, console, cursor, text, moves, watchdog, first })
    }

    /// The case is over and went well.
    pub fn finish(self) {
        let _ = self.watchdog.0.send(None);
        SPARE.set(Some((self.machine, self.watchdog)));
    }

    /// The next instruction of the guest: `text` is what NASM makes `bytes` of, with `{ax}` for the
    /// register AX in the width of the mode. Returns its length.
    pub fn code(&mut self, text: &str, bytes: &[u8]) -> usize {
        let wide = ["", "", "", "", "e", "", "", "", "r"][usize::from(self.mode.word())];
        self.text.push(text.replace('{', wide).replace('}', ""));
        self.poke(self.cursor, bytes);
        self.cursor += bytes.len() as u64;
        bytes.len()
    }

    /// Starts anew, with memory as it is now: the first registers, no breakpoints and watchpoints, other code.
    pub fn again(&mut self) -> Verdict {
        self.machine.breakpoints_mut().clear();
        self.cursor = CODE;
        self.text.clear();
        let first = self.first.clone();
        self.set(|cpu| *cpu = first)
    }

    /// Where the next code goes.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The next code goes to `addr`.
    pub fn org(&mut self, addr: u64) {
        self.cursor = addr;
    }

    /// The ModRM byte of `[register]` for SI, DI or BX, with `reg` in its middle field.
    pub fn at(&self, register: Gpr, reg: u8) -> u8 {
        let rm = match (self.mode.bits(), register) {
            (16, Gpr::Rsi) => 4,
            (16, Gpr::Rdi) => 5,
            (16, Gpr::Rbx) => 7,
            (_, register) => register as u8,
        };
        reg << 3 | rm
    }

    /// The prefix that widens an instruction to the width of the mode: REX.W in 64-bit code.
    pub fn wide(&self) -> Vec<u8> {
        if self.mode.bits() == 64 { vec![0x48] } else { vec![] }
    }

    /// Memory holds `bytes` at `addr`.
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) {
        self.machine.write_phys(Phys(addr), bytes);
        self.now.write(addr, bytes);
    }

    /// Changes registers.
    pub fn set(&mut self, change: impl FnOnce(&mut CpuState)) -> Verdict {
        let mut cpu = self.machine.cpu().clone();
        change(&mut cpu);
        world::task_for_rig(&mut cpu);
        self.machine.set_cpu(&cpu).map_err(|error| format!("before the first step: {error}"))?;
        self.now.cpu = self.machine.cpu().clone();
        Ok(())
    }

    /// Changes general registers.
    pub fn gpr<const N: usize>(&mut self, values: [(Gpr, u64); N]) -> Verdict {
        self.set(|cpu| {
            for (register, value) in values {
                *cpu.get_mut(register) = value;
            }
        })
    }

    /// Points DS:SI and ES:DI to the linear addresses, which may be beyond a real-mode segment.
    pub fn point(&mut self, source: u64, destination: u64) -> Verdict {
        let mode = self.mode;
        self.set(|cpu| {
            let reach = |segment: &mut Segment, addr: u64| {
                if addr < 0x1_0000 || mode.bits() > 16 {
                    return addr;
                }
                if mode.has_paragraphs() {
                    *segment = mode.segment(u16::try_from(addr >> 4 & 0xf000).unwrap_or_default());
                    return addr & 0xffff;
                }
                let (selector, base) = match addr {
                    world::VGA.. => (world::VIDEO16, world::VGA),
                    _ => (world::NOTHING16, world::NOTHING),
                };
                *segment = mode.segment(selector);
                addr - base
            };
            *cpu.get_mut(Gpr::Rsi) = reach(&mut cpu.segments.ds, source);
            *cpu.get_mut(Gpr::Rdi) = reach(&mut cpu.segments.es, destination);
        })
    }

    /// Sets the guest's own debug registers.
    pub fn debug_registers(&mut self, change: impl FnOnce(&mut [u64; 8])) -> Verdict {
        change(&mut self.now.dr);
        self.machine.set_debug_registers(&self.now.dr).map_err(|error| error.to_string())
    }

    /// Sets a breakpoint.
    pub fn break_at(&mut self, addr: u64) {
        self.machine.breakpoints_mut().insert(Linear(addr));
    }

    /// Takes a breakpoint away.
    pub fn remove_break(&mut self, addr: u64) {
        self.machine.breakpoints_mut().remove(Linear(addr));
    }

    /// Sets a watchpoint.
    pub fn watch(&mut self, kind: WatchKind, addr: u64, len: u64) {
        self.machine.breakpoints_mut().insert_watch(Watch { addr: Linear(addr), len, kind });
    }

    /// Sets a catchpoint, in the words of `stop-at`.
    pub fn stop_at(&mut self, words: &str) {
        self.machine.stop_on_mut().catchpoints.insert(words.parse().unwrap());
    }

    /// Stops on exceptions, in the words of `stop-on`.
    pub fn stop_on(&mut self, words: &str) {
        self.machine.stop_on_mut().set_exceptions(words.parse().unwrap());
    }

    /// Steps, and compares with `now` as `effect` changes it.
    pub fn step(&mut self, effect: impl FnOnce(&mut Want)) -> Verdict {
        self.advance(effect, Machine::step)
    }

    /// Runs, and compares with `now` as `effect` changes it.
    pub fn run(&mut self, effect: impl FnOnce(&mut Want)) -> Verdict {
        self.advance(effect, Machine::run)
    }

    fn advance(
        &mut self,
        effect: impl FnOnce(&mut Want),
        go: fn(&mut Machine) -> StopReason,
    ) -> Verdict {
        self.now.stop = StopReason::Stepped;
        // Each instruction that completes clears RF (SDM vol. 3B, 18.3.1.1).
        self.now.cpu.rflags &= !stepvisor::x86::registers::RFLAGS_RF;
        effect(&mut self.now);
        let stop = go(&mut self.machine);
        self.moves += 1;
        let mut found = Want::of(&self.machine, self.mode, &self.console.borrow())?;
        found.stop = match stop {
            // Its words have tests of their own.
            StopReason::Exception(stop) => StopReason::Exception(ExceptionStop {
                location: String::new(),
                instruction: String::new(),
                ..stop
            }),
            stop => stop,
        };
        let differences = self.now.differences(&found);
        if differences.is_empty() {
            return Ok(());
        }
        let (code, moves) = (self.text.join("; "), self.moves);
        Err(format!("`{code}`, stop {moves}: {}", differences.join("; ")))
    }

    /// What a case ends with: the instruction after it, if it is a NOP, is one step like any other.
    pub fn settle(&mut self) -> Verdict {
        let mut next = [0];
        let read = self.machine.read_linear(self.machine.cpu().pc(), &mut next);
        let traps = self.now.cpu.rflags & stepvisor::x86::registers::RFLAGS_TF != 0;
        if self.now.stop == StopReason::Stepped && read == 1 && next == [0x90] && !traps {
            self.text.push("nop".to_owned());
            self.step(|now| now.next(1))?;
        }
        Ok(())
    }
}
