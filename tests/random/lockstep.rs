//! Both sides side by side, instruction by instruction.

use std::collections::BTreeMap;
use std::fmt::Write;

use iced_x86::{Decoder, DecoderOptions, Instruction, Register};
use stepvisor::machine::{Boot, Config, Image, Machine, OnUnclaimed, StopReason};
use stepvisor::x86::registers::RFLAGS_RF;
use stepvisor::x86::{Access, CpuState, Gpr, Linear, Phys, SegOff, Segment, SegmentName, disasm};

use super::common::modes;
use super::common::{load, set};
use super::generate::{self, Chance};
use super::left_out::{self, Obstacle};
use super::qemu::Qemu;
use super::state::State;

/// The memory that is compared.
pub const RAM: usize = 0xa_0000;
/// All of QEMU's memory.
const QEMU_RAM: usize = 1 << 20;
/// Where the code is.
const CODE: u64 = 0x7c00;
const CODE_SIZE: usize = 0x300;
/// Instructions in a stream.
const LENGTH: usize = 300;
/// CS after a reset.
const RESET_CS: u32 = 0xf000;
/// Where QEMU's processor enters the mode.
const PROLOGUE: u64 = 0x7000;

/// Processor modes that streams are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Real,
    Protected,
    Long,
}

impl Mode {
    fn bits(self) -> u32 {
        match self {
            Mode::Real => 16,
            Mode::Protected => 32,
            Mode::Long => 64,
        }
    }

    fn world(self) -> modes::Mode {
        match self {
            Mode::Real => modes::Mode::Real,
            Mode::Protected => modes::Mode::Protected,
            Mode::Long => modes::Mode::Long,
        }
    }

    /// Where operands are likely to be.
    fn data(self) -> std::ops::Range<u64> {
        match self {
            Mode::Real => 0x1000..0xf000,
            Mode::Protected | Mode::Long => 0x2_0000..0x3_0000,
        }
    }

    /// Memory that streams leave alone.
    fn tables(self) -> Vec<std::ops::Range<u64>> {
        match self {
            Mode::Real => vec![],
            Mode::Protected | Mode::Long => vec![0x1000..0x4000, 0x1_0000..0x1_4000],
        }
    }
}

/// Both processors.
pub struct Lockstep {
    mode: Mode,
    seed: u64,
    machine: Machine,
    qemu: Option<Qemu>,
    /// Memory but for the code, of all streams.
    memory: Vec<u8>,
    registers: CpuState,
    /// How often something was left out, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// How many instructions were compared.
    pub compared: usize,
    /// Of these, how many led to an exception or interrupt.
    pub handlers: usize,
}

/// What is to be done about the next instruction.
enum Next {
    Compare(Instruction),
    Amend(Amendment),
    End(&'static str),
}

enum Amendment {
    Skip(&'static str, u64),
    Set(Vec<(Gpr, u64)>),
    Load(SegmentName, u16),
}

type Result<T> = std::result::Result<T, String>;

impl Lockstep {
    pub fn new(mode: Mode, seed: u64) -> Result<Lockstep> {
        let entry = SegOff::new(0, 0x7c00);
        let image = Image::Flat(vec![0xf4]);
        let boot = Boot { load: Some(Phys(CODE)), entry: Some(entry), ..Boot::new(image) };
        let devices = stepvisor::devices::Config::default();
        let config = Config {
            ram_size: 2 << 20,
            boot,
            devices,
            on_unclaimed: OnUnclaimed::Ignore,
            firmware: false,
            disks: stepvisor::disk::Disks::default(),
        };
        let mut machine = Machine::new(config).map_err(|error| error.to_string())?;
        modes::enter(&mut machine, mode.world(), &[]);
        // None, as after LLDT with a null selector.
        set(&mut machine, |cpu| {
            cpu.ldtr = Segment {
                access: Access { unusable: true, ..Access::default() },
                ..Segment::default()
            };
        });
        let registers = machine.cpu().clone();
        let mut memory = vec![0; RAM];
        assert_eq!(machine.read_phys(Phys(0), &mut memory), RAM);
        let mut this = Lockstep {
            mode,
            seed,
            machine,
            qemu: None,
            memory: vec![],
            registers,
            left_out: BTreeMap::new(),
            compared: 0,
            handlers: 0,
        };
        this.memory = this.fill(memory);
        Ok(this)
    }

    /// Memory of all streams: the tables of the mode, handlers that are places in the code, and chance.
    fn fill(&self, mut memory: Vec<u8>) -> Vec<u8> {
        let mut chance = Chance::new(self.seed ^ 0x5eed);
        let noise: &[(usize, usize)] = match self.mode {
            Mode::Real => &[(0x400, 0x4_0000)],
            // Tables, page tables and what the page tables treat in a special way stay.
            _ => &[(0x4000, 0xa000), (0xc000, 0x1_0000), (0x2_0000, 0x4_0000)],
        };
        for &(start, end) in noise {
            let bytes = chance.bytes(end - start);
            memory[start..end].copy_from_slice(&bytes);
        }
        for vector in 0..256 {
            let handler = CODE + chance.below(CODE_SIZE as u64);
            let at = match self.mode {
                Mode::Real => 4 * vector,
                Mode::Protected => modes::IDT as usize + 8 * vector,
                Mode::Long => modes::IDT as usize + 16 * vector,
            };
            memory[at..at + 2].copy_from_slice(&handler.to_le_bytes()[..2]);
        }
        memory
    }

    /// Runs streams from number `first` on until `instructions` have been compared or so; gives the reports of
    /// the differences, which are few or end it.
    pub fn run(&mut self, first: u64, instructions: usize) -> Result<Vec<String>> {
        let mut reports = vec![];
        let mut stream = first;
        while self.compared < instructions {
            let outcome = self.stream(stream, false)?;
            if let Err(difference) = outcome
                && !difference.is_empty()
            {
                // Once more, to find the very instruction that wrote something else.
                let exact = self.stream(stream, true)?.err().unwrap_or(difference);
                reports.push(format!(
                    "{:?} mode, seed {}, stream {stream}, {exact}",
                    self.mode, self.seed
                ));
                if reports.len() >= 20 {
                    break;
                }
            }
            stream += 1;
        }
        Ok(reports)
    }

    fn stream(
        &mut self,
        number: u64,
        compare_memory: bool,
    ) -> Result<std::result::Result<(), String>> {
        let mut qemu = match self.qemu.take() {
            Some(qemu) => qemu,
            None => self.boot()?,
        };
        let outcome = self.stream_on(&mut qemu, number, compare_memory)?;
        // After a difference nobody knows what else is different.
        if outcome.is_ok() {
            self.qemu = Some(qemu);
        }
        Ok(outcome)
    }

    fn stream_on(
        &mut self,
        qemu: &mut Qemu,
        number: u64,
        compare_memory: bool,
    ) -> Result<std::result::Result<(), String>> {
        let mut chance = Chance::new(self.seed.wrapping_mul(0x1_0001).wrapping_add(number) << 8);
        let code = generate::code(&mut chance, self.mode.bits(), CODE_SIZE, self.mode.data());
        let mut memory = self.memory.clone();
        memory[CODE as usize..CODE as usize + code.len()].copy_from_slice(&code);
        let cpu = self.start(&mut chance);
        self.machine.reset().map_err(|error| error.to_string())?;
        assert_eq!(self.machine.write_phys(Phys(0), &memory), memory.len());
        self.machine.set_cpu(&cpu).map_err(|error| error.to_string())?;
        qemu.set_memory(&memory)?;
        qemu.set_registers(&State::of(self.machine.cpu()))?;

        let mut under_way = false;
        let mut next = self.next(&mut chance);
        for position in 0..LENGTH {
            let instruction = loop {
                match next {
                    Next::Compare(instruction) => break instruction,
                    Next::End(reason) => {
                        *self.left_out.entry(reason).or_default() += 1;
                        return self.compare_memory(qemu, position);
                    }
                    Next::Amend(amendment) => self.amend(qemu, amendment)?,
                }
                next = self.next(&mut chance);
            };
            let before = State::of(self.machine.cpu());
            let handlers = self.interrupt_targets(&instruction);
            let bytes = self.code_at_pc();
            if !under_way {
                qemu.step()?;
            }
            let stop = self.machine.step();
            let stepped = qemu.stepped();
            let mode = self.mode;
            let report = |what: &str, theirs: &str, ours: &State| {
                report(mode, position, &bytes, &before, what, theirs, ours)
            };
            let ours = State::of(self.machine.cpu());
            if let Err(error) = stepped {
                return Ok(Err(report(&error, "", &ours)));
            }
            if stop != StopReason::Stepped {
                let theirs = qemu.registers(false)?;
                if matches!(stop, StopReason::Shutdown { .. }) && theirs.selectors[0] == RESET_CS {
                    // The same on both sides, and the end of this QEMU's world.
                    *self.left_out.entry("both processors have shut down").or_default() += 1;
                    return Ok(Err(String::new()));
                }
                let theirs = theirs.to_string();
                return Ok(Err(report(&format!("stops: {stop}"), &theirs, &ours)));
            }
            self.compared += 1;
            let entered = handlers.contains(&self.machine.cpu().pc().0);
            self.handlers += usize::from(entered);
            self.clear_pushed_resume_flag(before.rip);
            next = self.next(&mut chance);
            let last = position + 1 == LENGTH || compare_memory;
            under_way = matches!(next, Next::Compare(_)) && !last;
            let theirs = qemu.registers(under_way)?;
            let undefined = left_out::undefined_flags(&instruction) | RFLAGS_RF as u32;
            let differences = ours.differences(&theirs, !undefined);
            if !differences.is_empty() {
                return Ok(Err(report(&differences.join("; "), &theirs.to_string(), &ours)));
            }
            if ours.flags != theirs.flags {
                set(&mut self.machine, |cpu| cpu.rflags = theirs.flags.into());
            }
            if compare_memory && let Err(difference) = self.compare_memory(qemu, position)? {
                return Ok(Err(report(&difference, &theirs.to_string(), &ours)));
            }
        }
        self.compare_memory(qemu, LENGTH)
    }

    /// Where an interrupt would lead, for counting.
    fn interrupt_targets(&self, instruction: &Instruction) -> Vec<u64> {
        let cpu = self.machine.cpu();
        let next = cpu.pc().0.wrapping_add(instruction.len() as u64);
        let vectors = [0, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, instruction.immediate8()];
        let handler = |vector| stepvisor::x86::vectors::handler(cpu, &self.machine, vector);
        let targets = vectors.into_iter().filter_map(handler).map(|at| at.0);
        targets.filter(|at| *at != next).collect()
    }

    /// A fault pushes flags with RF set (SDM vol. 3B, 18.3.1.1), which QEMU leaves out.
    fn clear_pushed_resume_flag(&mut self, rip: u64) {
        let width = match self.mode {
            Mode::Real => return,
            Mode::Protected => 4,
            Mode::Long => 8,
        };
        let cpu = self.machine.cpu();
        let top = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp) & cpu.stack_mask()).0;
        // With and without an error code.
        for at in [top, top.wrapping_add(width as u64)] {
            let mut bytes = [0; 24];
            let frame = &mut bytes[..3 * width];
            if self.machine.read_linear(Linear(at), frame) == frame.len()
                && frame[..width] == rip.to_le_bytes()[..width]
                && frame[width..width + 2] == cpu.segments.cs.selector.to_le_bytes()
            {
                let flags = at.wrapping_add(2 * width as u64 + 2);
                let rest = frame[2 * width + 2] & !1;
                assert_eq!(self.machine.write_linear(Linear(flags), &[rest]), 1);
                return;
            }
        }
    }

    fn code_at_pc(&self) -> Vec<u8> {
        let mut bytes = [0; 15];
        let len = self.machine.read_linear(self.machine.cpu().pc(), &mut bytes);
        bytes[..len].to_vec()
    }

    /// Registers at the start of a stream.
    fn start(&self, chance: &mut Chance) -> CpuState {
        let mut cpu = self.registers.clone();
        let count = if self.mode == Mode::Long { 16 } else { 8 };
        let data = self.mode.data();
        for register in &mut cpu.gpr[..count] {
            let value = chance.value();
            *register = if chance.one_in(3) {
                value
            } else {
                data.start + chance.below(data.end - data.start)
            };
            if self.mode != Mode::Long {
                *register &= 0xffff_ffff;
            }
        }
        cpu.gpr[Gpr::Rsp as usize] = self.stack(chance);
        cpu.rip = CODE;
        cpu.rflags = 2 | chance.next() & 0x8d5;
        if self.mode == Mode::Real {
            for name in [
                SegmentName::Ss,
                SegmentName::Ds,
                SegmentName::Es,
                SegmentName::Fs,
                SegmentName::Gs,
            ] {
                load(cpu.segments.get_mut(name), chance.below(0x1000) as u16);
            }
        }
        cpu
    }

    fn stack(&self, chance: &mut Chance) -> u64 {
        let data = self.mode.data();
        (data.start + 0x400 + chance.below(data.end - data.start - 0x800)) & !7
    }

    fn next(&self, chance: &mut Chance) -> Next {
        let cpu = self.machine.cpu();
        let pc = cpu.pc().0;
        if !(0x400..RAM as u64 - 0x20).contains(&pc)
            || cpu.mode().code_bits() == 16 && cpu.rip > 0xffe0
        {
            return Next::End("the stream has left memory");
        }
        if self.mode != Mode::Real && (cpu.cpl() != 0 || cpu.mode().code_bits() != self.mode.bits())
        {
            return Next::End("the stream has left ring 0 or its mode");
        }
        if cpu.rflags & 1 << 8 != 0 {
            return Next::End("the stream has set TF");
        }
        let bytes = self.code_at_pc();
        let bits = cpu.mode().code_bits();
        let instruction = Decoder::with_ip(bits, &bytes, cpu.rip, DecoderOptions::NONE).decode();
        let read = |at, data: &mut [u8]| self.machine.read_linear(at, data);
        let tables = self.mode.tables();
        let len = instruction.len() as u64;
        let Some(obstacle) = left_out::obstacle(cpu, &instruction, &tables, &bytes, &read) else {
            return Next::Compare(instruction);
        };
        Next::Amend(match obstacle {
            Obstacle::LeftOut(reason) => Amendment::Skip(reason, len.max(1)),
            Obstacle::Stack => Amendment::Set(vec![(Gpr::Rsp, self.stack(chance))]),
            Obstacle::Segment(name) => Amendment::Load(name, chance.below(0x1000) as u16),
            Obstacle::Counter(_) => Amendment::Set(vec![(Gpr::Rcx, chance.below(9))]),
            Obstacle::Operand => self.lead_operand(chance, &instruction),
        })
    }

    /// Better values for what the memory operand is made of.
    fn lead_operand(&self, chance: &mut Chance, instruction: &Instruction) -> Amendment {
        let cpu = self.machine.cpu();
        let data = self.mode.data();
        let mut values = vec![];
        let base = instruction.memory_base().full_register();
        let index = instruction.memory_index().full_register();
        let mut gpr = |register: Register, value: u64| {
            if register.is_gpr() && register != Register::RSP {
                values.push((GPRS[register.number()], value));
            }
        };
        if instruction.is_string_instruction() {
            gpr(Register::RSI, data.start + 0x200 + chance.below(0x1000));
            gpr(Register::RDI, data.start + 0x200 + chance.below(0x1000));
        } else {
            gpr(index, chance.below(0x40));
            gpr(base, data.start + 0x1000 + chance.below(0x4000));
            for kind in 0..instruction.op_count() {
                // The number of a bit.
                let register = instruction.op_register(kind).full_register();
                if register.is_gpr() && register != base && register != index {
                    gpr(register, chance.below(0x400));
                }
            }
        }
        // What they are already does not help.
        let useless =
            values.iter().all(|(gpr, value)| cpu.get(*gpr) >> 18 == 0 && *value >> 18 == 0);
        if values.is_empty() || useless {
            return Amendment::Skip("its operand lies outside memory", instruction.len() as u64);
        }
        Amendment::Set(values)
    }

    fn amend(&mut self, qemu: &mut Qemu, amendment: Amendment) -> Result<()> {
        match amendment {
            Amendment::Skip(reason, len) => {
                *self.left_out.entry(reason).or_default() += 1;
                let mask = u64::MAX >> (64 - self.mode.bits());
                set(&mut self.machine, |cpu| cpu.rip = cpu.rip.wrapping_add(len) & mask);
            }
            Amendment::Load(name, selector) => set(&mut self.machine, |cpu| {
                load(cpu.segments.get_mut(name), selector);
            }),
            Amendment::Set(values) => set(&mut self.machine, |cpu| {
                for (gpr, value) in values {
                    *cpu.get_mut(gpr) = value;
                }
            }),
        }
        qemu.set_registers(&State::of(self.machine.cpu()))
    }

    fn compare_memory(
        &self,
        qemu: &Qemu,
        position: usize,
    ) -> Result<std::result::Result<(), String>> {
        let mut ours = vec![0; RAM];
        assert_eq!(self.machine.read_phys(Phys(0), &mut ours), RAM);
        let theirs = qemu.memory(RAM)?;
        let mut text = format!("after {position} instructions, memory:");
        let mut same = true;
        for at in (0..RAM).step_by(8) {
            let (ours, theirs) = (&ours[at..at + 8], &theirs[at..at + 8]);
            if ours != theirs {
                same = false;
                let _ = write!(text, " [{at:#x}] {ours:02x?}, QEMU {theirs:02x?};");
            }
        }
        Ok(if same { Ok(()) } else { Err(text) })
    }

    /// A QEMU whose processor is in the mode.
    fn boot(&self) -> Result<Qemu> {
        let mut qemu = Qemu::start(QEMU_RAM)?;
        let (code, steps) = prologue(self.mode);
        let mut memory = self.memory.clone();
        memory[PROLOGUE as usize..PROLOGUE as usize + code.len()].copy_from_slice(&code);
        qemu.set_memory(&memory)?;
        let start = State { gpr: [0; 16], rip: PROLOGUE, flags: 2, selectors: [0; 6] };
        qemu.set_registers(&start)?;
        for _ in 0..steps {
            qemu.step()?;
            qemu.stepped()?;
        }
        let there = qemu.registers(false)?;
        let selectors = State::of(&self.registers).selectors;
        if self.mode != Mode::Real && there.selectors[0] != selectors[0] {
            return Err(format!("QEMU does not get into the mode: {there}"));
        }
        Ok(qemu)
    }
}

const GPRS: [Gpr; 16] = [
    Gpr::Rax,
    Gpr::Rcx,
    Gpr::Rdx,
    Gpr::Rbx,
    Gpr::Rsp,
    Gpr::Rbp,
    Gpr::Rsi,
    Gpr::Rdi,
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
];

/// Code at [`PROLOGUE`] that leads from real mode to `mode` with the tables of [`modes`], and how many
/// instructions it has.
fn prologue(mode: Mode) -> (Vec<u8>, usize) {
    if mode == Mode::Real {
        return (vec![], 0);
    }
    let pointer =
        |base: u64, limit: u16| [&limit.to_le_bytes()[..], &base.to_le_bytes()[..4]].concat();
    let gdt = pointer(modes::GDT, 8 * modes::DESCRIPTORS.len() as u16 - 1);
    let idt = pointer(modes::IDT, if mode == Mode::Long { 0xfff } else { 0x7ff });
    let mut code = vec![];
    // lgdt [7080h]; lidt [7088h]; mov eax, cr0; or al, 1; mov cr0, eax; jmp dword CODE0:...
    code.extend([0x0f, 0x01, 0x16, 0x80, 0x70, 0x0f, 0x01, 0x1e, 0x88, 0x70]);
    code.extend([0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0]);
    let next = PROLOGUE + code.len() as u64 + 8;
    code.extend([0x66, 0xea]);
    code.extend(&next.to_le_bytes()[..4]);
    code.extend(modes::CODE0.to_le_bytes());
    let mut steps = 6;
    // xor eax, eax; lldt ax; mov eax, DATA0; mov ss, ds, es, fs, gs, each from eax
    code.extend([0x31, 0xc0, 0x0f, 0x00, 0xd0, 0xb8]);
    code.extend(u32::from(modes::DATA0).to_le_bytes());
    for register in [0xd0, 0xd8, 0xc0, 0xe0, 0xe8] {
        code.extend([0x8e, register]);
    }
    steps += 8;
    if mode == Mode::Long {
        // mov eax, cr4; or al, 20h; mov cr4, eax; mov eax, page tables; mov cr3, eax
        code.extend([0x0f, 0x20, 0xe0, 0x0c, 0x20, 0x0f, 0x22, 0xe0]);
        code.extend([0xb8, 0, 0, 1, 0, 0x0f, 0x22, 0xd8]);
        // mov ecx, EFER; rdmsr; or ah, 1; wrmsr; mov eax, cr0; or eax, 80000000h; mov cr0, eax
        code.extend([0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x80, 0xcc, 0x01, 0x0f, 0x30]);
        code.extend([0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0]);
        let next = PROLOGUE + code.len() as u64 + 7;
        code.push(0xea);
        code.extend(&next.to_le_bytes()[..4]);
        code.extend(modes::CODE64.to_le_bytes());
        steps += 5 + 4 + 3 + 1;
    }
    code.resize(0x80, 0x90);
    code.extend(gdt);
    code.resize(0x88, 0x90);
    code.extend(idt);
    (code, steps)
}

fn report(
    mode: Mode,
    position: usize,
    bytes: &[u8],
    before: &State,
    what: &str,
    theirs: &str,
    ours: &State,
) -> String {
    let bits = mode.bits();
    let code = disasm::disassemble(bytes, bits, before.rip);
    let (len, text) = code.map_or((0, String::new()), |code| (code.size(), code.text));
    let len = if text == disasm::INVALID { bytes.len().min(8) } else { len };
    let hex: Vec<String> = bytes[..len].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "instruction {position}: {} ({text})\n  {what}\n  before {before}\n  ours   {ours}\n  QEMU   {theirs}",
        hex.join(" ")
    )
}
