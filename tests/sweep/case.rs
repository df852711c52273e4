//! One case: an instruction, what it finds, and what is looked at afterwards.

use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::registers::RFLAGS_RF;
use stepvisor::x86::{Gpr, Phys};

use super::common::START;
use super::common::modes::{
    DATA, End, HANDLER, Mode, STACK, enter, run, set_flags, set_stack, stack,
};
use super::common::set;

/// The arithmetic flags, which are all that a case shows of the flags unless it is about the others.
pub const STATUS: u64 = 0x8d5;

/// An instruction and the state it finds.
#[derive(Clone, Debug)]
pub struct Case {
    /// Mode, form and operands.
    pub name: String,
    /// The instruction.
    pub code: Vec<u8>,
    /// General registers by number; RSP is the stack's.
    pub gpr: [u64; 8],
    /// The arithmetic flags before.
    pub flags: u64,
    /// The flags that are compared.
    pub shown: u64,
    /// At [`DATA`].
    pub data: Vec<u8>,
    /// Further memory.
    pub memory: Vec<(u64, Vec<u8>)>,
    /// The stack pointer, if it is not the usual one.
    pub sp: Option<u64>,
    /// Registers whose values differ from run to run.
    pub random: &'static [Gpr],
}

impl Default for Case {
    fn default() -> Case {
        Case {
            name: String::new(),
            code: Vec::new(),
            gpr: [0; 8],
            flags: 0,
            shown: STATUS,
            data: Vec::new(),
            memory: Vec::new(),
            sp: None,
            random: &[],
        }
    }
}

/// How a case is brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// In a free run.
    Run,
    /// By one step.
    Step,
}

impl Drive {
    pub fn name(self) -> &'static str {
        match self {
            Drive::Run => "runs",
            Drive::Step => "steps",
        }
    }
}

const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// How much of [`DATA`] and of the stack is looked at.
const WINDOW: usize = 64;

impl Case {
    /// Runs or steps it, and says what has changed.
    pub fn result(&self, machine: &mut Machine, mode: Mode, drive: Drive) -> String {
        self.prepare(machine, mode);
        let memory = Watched::new(machine);
        let sp = self.sp.unwrap_or(STACK);
        let end = match drive {
            Drive::Run => run(machine),
            Drive::Step => step(machine, mode),
        };
        let behind = if drive == Drive::Run { 2 } else { 0 };
        let mut words = vec![match &end {
            End::Done => {
                let at = machine.cpu().pc().0.wrapping_sub(behind);
                format!("+{:x}", at.wrapping_sub(START))
            }
            End::Handler(vector) => format!("#{vector}"),
            End::Stopped(stop) => return format!("stopped: {stop}"),
        }];
        let cpu = machine.cpu().clone();
        for (number, name) in NAMES.iter().enumerate() {
            let before = match number {
                4 => sp,
                0..8 => self.gpr[number],
                _ => 0,
            };
            let random = self.random.iter().any(|gpr| *gpr as usize == number);
            // Stack pointers of 16 and 32 bits have nothing above.
            if cpu.gpr[number] != before && !random {
                words.push(format!("{name}={:x}", cpu.gpr[number]));
            }
        }
        let shown = if matches!(end, End::Handler(_)) { !RFLAGS_RF } else { self.shown };
        words.push(format!("flags={:x}", cpu.rflags & shown & !RFLAGS_RF));
        match end {
            End::Handler(vector) => {
                let selectors = (cpu.segments.cs.selector, cpu.segments.ss.selector);
                words.push(format!("cs:ss={:x}:{:x}", selectors.0, selectors.1));
                words.push(self.frame(machine, mode, vector));
                if vector == 14 {
                    words.push(format!("cr2={:x}", cpu.cr2));
                }
                words.extend(memory.changes(machine, &[DATA]));
            }
            _ => words.extend(memory.changes(machine, &[DATA, sp - WINDOW as u64])),
        }
        words.join(" ")
    }

    fn prepare(&self, machine: &mut Machine, mode: Mode) {
        enter(machine, mode, &self.code);
        set(machine, |cpu| {
            let rsp = cpu.gpr[4];
            cpu.gpr[..8].copy_from_slice(&self.gpr);
            cpu.gpr[4] = rsp;
        });
        set_flags(machine, mode, |flags| *flags |= self.flags);
        if let Some(sp) = self.sp {
            set_stack(machine, mode, sp);
        }
        machine.write_phys(Phys(DATA), &self.data);
        for (addr, bytes) in &self.memory {
            machine.write_phys(Phys(*addr), bytes);
        }
    }

    /// What the handler finds on its stack.
    fn frame(&self, machine: &Machine, mode: Mode, vector: u8) -> String {
        let coded = matches!(vector, 8 | 10..=14 | 17);
        let size = match mode {
            Mode::Real => 2,
            Mode::V86 | Mode::Protected | Mode::Protected3 => 4,
            Mode::Long | Mode::Long3 => 8,
        };
        let words = match mode {
            Mode::Real | Mode::Protected => 3,
            Mode::V86 => 9,
            Mode::Protected3 | Mode::Long | Mode::Long3 => 5,
        };
        let count = words + usize::from(coded && mode != Mode::Real);
        let frame = stack(machine, count, size);
        let text: Vec<String> = frame.iter().map(|word| format!("{word:x}")).collect();
        format!("frame={}", text.join(","))
    }
}

/// One step, after those that lead to the instruction.
fn step(machine: &mut Machine, mode: Mode) -> End {
    for _ in 0..=mode.steps_before() {
        match machine.step() {
            StopReason::Stepped => {}
            stop => return End::Stopped(stop),
        }
    }
    match machine.cpu().pc().0.checked_sub(HANDLER) {
        Some(offset) if offset < 4 * 256 => End::Handler((offset / 4) as u8),
        _ => End::Done,
    }
}

/// Memory before the instruction.
struct Watched {
    low: Vec<u8>,
}

impl Watched {
    fn new(machine: &Machine) -> Watched {
        let mut low = vec![0; 0xc000];
        assert_eq!(machine.read_phys(Phys(0), &mut low), low.len());
        Watched { low }
    }

    /// What has changed in the windows that begin at `places`.
    fn changes(&self, machine: &Machine, places: &[u64]) -> Vec<String> {
        let now = Watched::new(machine);
        let mut changes = Vec::new();
        for &start in places {
            let range = start as usize..start as usize + WINDOW;
            for at in range.step_by(2) {
                let (old, new) = (&self.low[at..at + 2], &now.low[at..at + 2]);
                if old != new {
                    changes.push(format!("[{at:x}]={:02x}{:02x}", new[1], new[0]));
                }
            }
        }
        changes
    }
}
