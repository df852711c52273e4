//! What a guest has to look like after a step, written down from the manual: a model of registers and
//! memory that a case changes as the instruction would.

use stepvisor::machine::StopReason;
use stepvisor::machine::stop::WatchHit;
use stepvisor::machine::stop_on::exceptions::ExceptionStop;
use stepvisor::machine::{Machine, WatchKind};
use stepvisor::x86::debug::DR6_FIXED;
use stepvisor::x86::registers::{CR0_TS, RFLAGS_AC, RFLAGS_IF, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM};
use stepvisor::x86::{CpuState, Gpr, Linear, Phys, Segment, SegmentName};

use crate::world::{
    self, DATA32, END, GDT, HANDLER_TASK, Mode, STACK0, TASK, TSS, TSS_HANDLER, VGA,
};

/// EFLAGS.NT, nested task.
const RFLAGS_NT: u64 = 1 << 14;
/// Bytes of text memory that count.
const VGA_SIZE: usize = 4000;

/// All that a guest or its user can see.
#[derive(Clone, Debug)]
pub struct Want {
    /// Registers.
    pub cpu: CpuState,
    /// DR0 to DR7.
    pub dr: [u64; 8],
    /// Why the machine stops.
    pub stop: StopReason,
    /// What the guest has written to the debug console.
    pub console: Vec<u8>,
    /// The mode the guest started in.
    pub mode: Mode,
    memory: Vec<u8>,
    vga: Vec<u8>,
}

impl Want {
    /// What `machine` shows now.
    pub fn of(machine: &Machine, mode: Mode, console: &[u8]) -> Result<Want, String> {
        let bytes = |at, len| {
            let mut bytes = vec![0; len];
            let read = machine.read_phys(Phys(at), &mut bytes);
            if read == len { Ok(bytes) } else { Err(format!("memory ends at {read:#x}")) }
        };
        Ok(Want {
            cpu: machine.cpu().clone(),
            dr: machine.debug_registers().map_err(|error| error.to_string())?,
            stop: StopReason::Stepped,
            console: console.to_vec(),
            mode,
            memory: bytes(0, END)?,
            vga: bytes(VGA, VGA_SIZE)?,
        })
    }

    /// Goes on to the next instruction, `len` bytes away.
    pub fn next(&mut self, len: usize) {
        self.cpu.rip += len as u64;
    }

    /// Goes to `offset` in the same segment.
    pub fn jump(&mut self, offset: u64) {
        self.cpu.rip = offset;
    }

    /// Goes to `selector`:`offset`.
    pub fn far_jump(&mut self, selector: u16, offset: u64) {
        self.cpu.segments.cs = self.mode.segment(selector);
        self.cpu.rip = offset;
    }

    /// Writes the low `size` bytes of a general register as an instruction of that operand size does
    /// (SDM vol. 1, 3.4.1.1).
    pub fn set(&mut self, register: Gpr, value: u64, size: u8) {
        let old = self.cpu.get(register);
        *self.cpu.get_mut(register) = match size {
            1 => old & !0xff | value & 0xff,
            2 => old & !0xffff | value & 0xffff,
            4 => value & 0xffff_ffff,
            _ => value,
        };
    }

    /// Adds to a register in the address size of the mode.
    pub fn add(&mut self, register: Gpr, value: i64) {
        let sum = self.cpu.get(register).wrapping_add_signed(value);
        self.set(register, sum, self.mode.word());
    }

    /// Memory holds `bytes` at `addr`.
    pub fn write(&mut self, addr: u64, bytes: &[u8]) {
        let (memory, at) =
            if addr >= VGA { (&mut self.vga, addr - VGA) } else { (&mut self.memory, addr) };
        let at = usize::try_from(at).unwrap();
        memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// `size` bytes of memory as a number.
    pub fn read(&self, addr: u64, size: u8) -> u64 {
        let (memory, at) = if addr >= VGA { (&self.vga, addr - VGA) } else { (&self.memory, addr) };
        let at = usize::try_from(at).unwrap();
        let bytes = memory[at..at + usize::from(size)].iter().rev();
        bytes.fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Pushes `size` bytes.
    pub fn push(&mut self, value: u64, size: u8) {
        let top = self.move_stack(-i64::from(size));
        self.write(top, &value.to_le_bytes()[..usize::from(size)]);
    }

    /// Pops `size` bytes.
    pub fn pop(&mut self, size: u8) -> u64 {
        let top = self.move_stack(0);
        let value = self.read(top, size);
        self.move_stack(size.into());
        value
    }

    /// Moves the stack pointer; returns the linear address of the stack's top.
    fn move_stack(&mut self, bytes: i64) -> u64 {
        let mask = match (self.cpu.mode().code_bits(), self.cpu.segments.ss.access.default_big) {
            (64, _) => u64::MAX,
            (_, true) => 0xffff_ffff,
            (_, false) => 0xffff,
        };
        let old = self.cpu.get(Gpr::Rsp);
        let new = old.wrapping_add_signed(bytes) & mask;
        *self.cpu.get_mut(Gpr::Rsp) = old & !mask | new;
        self.cpu.linear(SegmentName::Ss, new).0
    }

    /// Flags that the manual leaves undefined, or that a case does not care for, become what they are.
    pub fn flags(&mut self, set: u64, clear: u64) {
        self.cpu.rflags = self.cpu.rflags & !clear | set;
    }

    /// A software interrupt or a trap: what is saved is the present instruction pointer.
    pub fn interrupt(&mut self, vector: u8) {
        self.enter(vector, None, self.cpu.rflags);
    }

    /// A fault at the current instruction, whose saved flags have RF set (SDM vol. 3B, 18.3.1.1).
    pub fn fault(&mut self, vector: u8, error_code: Option<u16>) {
        self.enter(vector, error_code, self.cpu.rflags | RFLAGS_RF);
    }

    /// Entering the handler of `vector` (SDM vol. 3A, 6.12.1, 6.14 and 21.1.4; vol. 3B, 22.3 for
    /// virtual-8086 mode).
    fn enter(&mut self, vector: u8, error_code: Option<u16>, flags: u64) {
        let old = self.cpu.clone();
        let selector = |segment: &Segment| u64::from(segment.selector);
        let segments = &old.segments;
        let size = match self.mode {
            Mode::R | Mode::P16 => 2,
            Mode::V | Mode::P | Mode::P3 | Mode::G => 4,
            Mode::L | Mode::U => 8,
        };
        let changes_ring = old.mode().code_bits() != 16 && segments.cs.selector & 3 == 3
            || old.rflags & RFLAGS_VM != 0;
        self.flags(0, RFLAGS_IF | RFLAGS_TF | RFLAGS_RF);
        if self.mode == Mode::R {
            self.flags(0, RFLAGS_AC);
        } else {
            self.flags(0, RFLAGS_NT | RFLAGS_VM);
        }
        if changes_ring {
            *self.cpu.get_mut(Gpr::Rsp) = STACK0;
            // A null selector in long mode (SDM vol. 3A, 6.14.4).
            self.cpu.segments.ss = world::segment(if size == 8 { 0 } else { DATA32 });
        }
        if self.mode.bits() == 64 {
            *self.cpu.get_mut(Gpr::Rsp) &= !15;
        }
        self.cpu.segments.cs = if self.mode == Mode::R {
            Mode::R.segment(0)
        } else {
            world::segment(self.mode.handler_code())
        };
        if old.rflags & RFLAGS_VM != 0 {
            for segment in [segments.gs, segments.fs, segments.ds, segments.es] {
                self.push(selector(&segment), 4);
            }
            for name in [SegmentName::Ds, SegmentName::Es, SegmentName::Fs, SegmentName::Gs] {
                *self.cpu.segments.get_mut(name) = world::segment(0);
            }
        }
        if changes_ring || size == 8 {
            self.push(selector(&segments.ss), size);
            self.push(old.get(Gpr::Rsp), size);
        }
        self.push(flags, size);
        self.push(selector(&segments.cs), size);
        self.push(old.rip, size);
        if let Some(code) = error_code.filter(|_| self.mode != Mode::R) {
            self.push(code.into(), size);
        }
        self.cpu.rip = world::handler(vector);
    }

    /// The same where the gate is a task gate to [`HANDLER_TASK`] (SDM vol. 3A, 8.3): the registers as they are go
    /// to the old task's segment, and the new task's come from its own.
    pub fn fault_in_task(&mut self, error_code: Option<u16>) {
        self.switch_to_handler_task(self.cpu.rflags | RFLAGS_RF, error_code);
    }

    /// A double fault, which is no fault that the instruction is executed again after.
    pub fn double_fault_in_task(&mut self) {
        self.switch_to_handler_task(self.cpu.rflags, Some(0));
    }

    fn switch_to_handler_task(&mut self, flags: u64, error_code: Option<u16>) {
        const REGISTERS: u64 = 0x28;
        const SEGMENTS: u64 = 0x48;
        let names = [
            SegmentName::Es,
            SegmentName::Cs,
            SegmentName::Ss,
            SegmentName::Ds,
            SegmentName::Fs,
            SegmentName::Gs,
        ];
        let dword = |value: u64| (value as u32).to_le_bytes();
        let old = self.cpu.clone();
        self.write(TSS + 0x20, &dword(old.rip));
        self.write(TSS + 0x24, &dword(flags));
        for (at, value) in (TSS + REGISTERS..).step_by(4).zip(&old.gpr[..8]) {
            self.write(at, &dword(*value));
        }
        for (at, name) in (TSS + SEGMENTS..).step_by(4).zip(names) {
            self.write(at, &old.segments.get(name).selector.to_le_bytes());
        }
        self.write(TSS_HANDLER, &TASK.to_le_bytes());
        self.write(GDT + u64::from(HANDLER_TASK) + 5, &[0x8b]);
        self.cpu.tr.selector = HANDLER_TASK;
        self.cpu.cr0 |= CR0_TS;
        self.cpu.rip = self.read(TSS_HANDLER + 0x20, 4);
        self.cpu.rflags = self.read(TSS_HANDLER + 0x24, 4) | RFLAGS_NT;
        for register in 0..8 {
            self.cpu.gpr[register] = self.read(TSS_HANDLER + REGISTERS + 4 * register as u64, 4);
        }
        for (at, name) in (TSS_HANDLER + SEGMENTS..).step_by(4).zip(names) {
            *self.cpu.segments.get_mut(name) = world::segment(low_word(self.read(at, 2)));
        }
        if let Some(code) = error_code {
            self.push(code.into(), 4);
        }
    }

    /// What IRET in the handler of an interrupt does (SDM vol. 2A, IRET): back to where it came from.
    pub fn iret(&mut self) {
        let size = match self.mode {
            Mode::R | Mode::P16 => 2,
            Mode::V | Mode::P | Mode::P3 | Mode::G => 4,
            Mode::L | Mode::U => 8,
        };
        self.cpu.rip = self.pop(size);
        let cs = low_word(self.pop(size));
        let flags = self.pop(size);
        let keep = if size == 2 { !0xffff } else { 0 };
        let virtual_8086 = flags & RFLAGS_VM != 0;
        if size == 8 || virtual_8086 || cs & 3 == 3 && self.mode != Mode::R {
            let sp = self.pop(size);
            let ss = low_word(self.pop(size));
            if virtual_8086 {
                for name in [SegmentName::Es, SegmentName::Ds, SegmentName::Fs, SegmentName::Gs] {
                    let selector = low_word(self.pop(4));
                    *self.cpu.segments.get_mut(name) = self.mode.segment(selector);
                }
            }
            *self.cpu.get_mut(Gpr::Rsp) = sp;
            self.cpu.segments.ss = self.mode.segment(ss);
        }
        self.cpu.rflags = self.cpu.rflags & keep | flags;
        self.cpu.segments.cs = match self.mode {
            Mode::V if !virtual_8086 => world::segment(cs),
            mode => mode.segment(cs),
        };
    }

    /// A fault while another one is delivered (SDM vol. 3A, 6.15, interrupt 8).
    pub fn double_fault(&mut self) {
        self.fault(8, Some(0));
    }

    /// A fault while a double fault is delivered: the registers stay those before the first.
    pub fn shutdown(&mut self) {
        self.stop = StopReason::Shutdown { location: self.cpu.location() };
    }

    /// The #DB of a trap after an iteration that is not the last (SDM vol. 3B, 18.3.1.1).
    pub fn debug_trap_in_repetition(&mut self, cause: u64) {
        self.dr[6] = DR6_FIXED | cause;
        self.enter(1, None, self.cpu.rflags | RFLAGS_RF);
    }

    /// The #DB of a trap: DR6 gets `cause` and the saved instruction pointer is the present one.
    pub fn debug_trap(&mut self, cause: u64) {
        self.dr[6] = DR6_FIXED | cause;
        self.interrupt(1);
    }

    /// The processor halts.
    pub fn halt(&mut self) {
        let interruptible = self.cpu.rflags & RFLAGS_IF != 0;
        self.stop = StopReason::Halted { interruptible, location: self.cpu.location() };
    }

    /// The exception `vector` stops the machine before its handler runs.
    pub fn exception(&mut self, vector: u8, error_code: Option<u16>, address: Option<u64>) {
        let error_code = error_code.filter(|_| self.mode != Mode::R).map(u32::from);
        let (location, instruction) = (String::new(), String::new());
        self.stop = StopReason::Exception(ExceptionStop {
            vector,
            error_code,
            address,
            location,
            instruction,
        });
    }

    /// A breakpoint stops the machine here.
    pub fn breakpoint(&mut self) {
        self.stop = StopReason::Breakpoint(self.cpu.pc());
    }

    /// A watchpoint stops the machine after the instruction.
    pub fn watchpoint(&mut self, kind: WatchKind, addr: u64) {
        self.stop = StopReason::Watchpoint(WatchHit { addr: Linear(addr), kind });
    }

    /// The first differences from what was `found`; nothing when there is none.
    pub fn differences(&self, found: &Want) -> Vec<String> {
        let mut list = vec![];
        let mut compare = |name: &str, want: u64, found: u64| {
            if want != found {
                list.push(format!("{name} is {found:#x}, not {want:#x}"));
            }
        };
        let names = [
            "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8", "r9", "r10", "r11", "r12", "r13",
            "r14", "r15",
        ];
        let (a, b) = (&self.cpu, &found.cpu);
        compare("ip", a.rip, b.rip);
        for (index, name) in names.into_iter().enumerate() {
            compare(name, a.gpr[index], b.gpr[index]);
        }
        // Nobody defines RF after a shutdown: some processors show what they would have pushed.
        let shown = if matches!(self.stop, StopReason::Shutdown { .. }) { !RFLAGS_RF } else { !0 };
        compare("flags", a.rflags & shown, b.rflags & shown);
        for (name, want, found) in [
            ("cr0", a.cr0, b.cr0),
            ("cr2", a.cr2, b.cr2),
            ("cr3", a.cr3, b.cr3),
            ("cr4", a.cr4, b.cr4),
            ("cr8", a.cr8, b.cr8),
            ("efer", a.efer, b.efer),
            ("gdtr", a.gdtr.base, b.gdtr.base),
            ("gdtr's limit", a.gdtr.limit.into(), b.gdtr.limit.into()),
            ("idtr", a.idtr.base, b.idtr.base),
            ("idtr's limit", a.idtr.limit.into(), b.idtr.limit.into()),
            ("tr", a.tr.selector.into(), b.tr.selector.into()),
            ("ldtr", a.ldtr.selector.into(), b.ldtr.selector.into()),
        ] {
            compare(name, want, found);
        }
        for (index, (want, found)) in self.dr.into_iter().zip(found.dr).enumerate() {
            compare(&format!("dr{index}"), want, found);
        }
        for (name, want) in a.segments.iter() {
            let (want, found) = (seen(want, a), seen(b.segments.get(name), b));
            if want != found {
                list.push(format!("{} is {found:x?}, not {want:x?}", name.as_str()));
            }
        }
        for (base, want, found) in [(0, &self.memory, &found.memory), (VGA, &self.vga, &found.vga)]
        {
            list.extend(first_difference(base, want, found));
        }
        if self.console != found.console {
            list.push(format!("the console got {:x?}, not {:x?}", found.console, self.console));
        }
        if self.stop != found.stop {
            list.push(format!("the stop is '{}', not '{}'", found.stop, self.stop));
        }
        list
    }
}

fn low_word(value: u64) -> u16 {
    u16::try_from(value & 0xffff).unwrap_or_default()
}

/// A segment register as far as a program can see it: hosts differ in the access rights that they keep in
/// real mode, and in everything behind a null selector elsewhere.
fn seen(segment: &Segment, cpu: &CpuState) -> Segment {
    if cpu.mode().has_paragraph_segments() {
        Segment { access: Default::default(), ..*segment }
    } else if segment.selector < 4 {
        Segment { selector: segment.selector, ..Segment::default() }
    } else {
        *segment
    }
}

fn first_difference(base: u64, want: &[u8], found: &[u8]) -> Option<String> {
    if want == found {
        return None;
    }
    let at = want.iter().zip(found).position(|(want, found)| want != found)?;
    let end = (at + 16).min(want.len());
    let last = (at..end).rfind(|&at| want[at] != found[at])?;
    let (want, found) = (&want[at..=last], &found[at..=last]);
    Some(format!("memory at {:#x} is {found:02x?}, not {want:02x?}", base + at as u64))
}
