//! One way through the code: registers as far as they are known, and what was pushed on the way.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::super::paging::PhysRead;
use super::{CpuState, Gpr, SegmentName, set_stack_pointer, stack_pointer, stack_word};

/// Bit in [`Path::stale`] of the first segment register; general registers are before it.
const SEGMENTS: u32 = 16;

/// A state on the way.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The registers; those in `stale` are not what the code would have in them.
    pub cpu: CpuState,
    /// Registers that the code has changed in a way that is not followed: general ones by number, then
    /// segment registers.
    stale: u32,
    /// What was pushed since the start: offset, and the value if known.
    pushed: Vec<(u64, Option<u64>)>,
    /// The stack pointer at the start.
    start: u64,
    /// The way led through a write to a control register: far jumps may mean anything.
    pub switched: bool,
}

/// The way cannot be followed any further.
pub(super) struct Lost;

impl Path {
    pub(super) fn new(cpu: &CpuState) -> Path {
        let start = stack_pointer(cpu);
        Path { cpu: cpu.clone(), stale: 0, pushed: Vec::new(), start, switched: false }
    }

    /// The registers at the end, `original` for all that is not known.
    pub(super) fn into_cpu(self, original: &CpuState) -> CpuState {
        let mut cpu = self.cpu;
        for (n, value) in cpu.gpr.iter_mut().enumerate() {
            if self.stale >> n & 1 != 0 {
                *value = original.gpr[n];
            }
        }
        for (n, name) in SegmentName::ALL.into_iter().enumerate() {
            if self.stale >> (SEGMENTS + n as u32) & 1 != 0 {
                *cpu.segments.get_mut(name) = *original.segments.get(name);
            }
        }
        cpu
    }

    pub(super) fn push(&mut self, size: u64, value: Option<u64>) {
        let sp = stack_pointer(&self.cpu).wrapping_sub(size) & self.cpu.stack_mask();
        set_stack_pointer(&mut self.cpu, sp);
        self.pushed.retain(|(at, _)| *at > sp);
        self.pushed.push((sp, value));
    }

    /// Whether the word at the stack's offset `sp` was pushed on the way.
    pub(super) fn has_pushed(&self, sp: u64) -> bool {
        self.pushed.iter().any(|(at, _)| *at == sp)
    }

    /// Pops `size` bytes; nothing if the value is the way's own and not known.
    pub(super) fn pop(&mut self, mem: &(impl PhysRead + ?Sized), size: u64) -> Option<u64> {
        let sp = stack_pointer(&self.cpu);
        set_stack_pointer(&mut self.cpu, sp.wrapping_add(size));
        match self.pushed.iter().rev().find(|(at, _)| *at == sp) {
            Some((_, value)) => *value,
            None if sp < self.start => None,
            None => stack_word(&self.cpu, mem, sp, size),
        }
    }

    /// Does what `instruction`, which goes on to the next, does to the stack and to registers.
    pub(super) fn apply(
        &mut self,
        instruction: &Instruction,
        mem: &(impl PhysRead + ?Sized),
    ) -> Result<(), Lost> {
        let size = u64::from(instruction.stack_pointer_increment().unsigned_abs());
        match instruction.mnemonic() {
            Mnemonic::Push => {
                let value = self.operand(instruction, 0);
                self.push(size, value);
                return Ok(());
            }
            Mnemonic::Pushf | Mnemonic::Pushfd | Mnemonic::Pushfq => {
                self.push(size, None);
                return Ok(());
            }
            Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq => {
                self.pop(mem, size);
                return Ok(());
            }
            Mnemonic::Pop if instruction.op0_kind() == OpKind::Register => {
                let value = self.pop(mem, size);
                return self.set(instruction.op0_register(), value);
            }
            Mnemonic::Pusha | Mnemonic::Pushad => {
                let sp = self.cpu.get(Gpr::Rsp);
                for n in 0..8 {
                    let value = if n == Gpr::Rsp as usize { Some(sp) } else { self.general(n) };
                    self.push(size / 8, value);
                }
                return Ok(());
            }
            Mnemonic::Popa | Mnemonic::Popad => {
                for n in (0..8).rev() {
                    let value = self.pop(mem, size / 8);
                    if n != Gpr::Rsp as usize {
                        self.set_general(n, size / 8, value);
                    }
                }
                return Ok(());
            }
            Mnemonic::Enter if instruction.immediate8_2nd() == 0 => {
                let width = size - u64::from(instruction.immediate16());
                let bp = self.general(Gpr::Rbp as usize);
                self.push(width, bp);
                let sp = stack_pointer(&self.cpu);
                self.set_general(Gpr::Rbp as usize, width, Some(sp));
                let locals = u64::from(instruction.immediate16());
                set_stack_pointer(&mut self.cpu, sp.wrapping_sub(locals));
                return Ok(());
            }
            Mnemonic::Leave => {
                let bp = self.general(Gpr::Rbp as usize).ok_or(Lost)?;
                set_stack_pointer(&mut self.cpu, bp);
                // Its increment of the stack pointer is not known, so `size` says nothing.
                let width = leave_width(instruction);
                let value = self.pop(mem, width);
                self.set_general(Gpr::Rbp as usize, width, value);
                return Ok(());
            }
            Mnemonic::Mov
            | Mnemonic::Lea
            | Mnemonic::Add
            | Mnemonic::Sub
            | Mnemonic::And
            | Mnemonic::Inc
            | Mnemonic::Dec
                if instruction.op0_kind() == OpKind::Register
                    && matches!(
                        instruction.op0_register().full_register(),
                        Register::RSP | Register::RBP
                    ) =>
            {
                let value = self.arithmetic(instruction);
                return self.set(instruction.op0_register(), value);
            }
            _ => {}
        }
        self.forget_written(instruction)
    }

    /// Marks what `instruction` writes as stale.
    fn forget_written(&mut self, instruction: &Instruction) -> Result<(), Lost> {
        let increment = instruction.stack_pointer_increment();
        let calls = instruction.is_call_near()
            || instruction.is_call_far()
            || instruction.is_call_near_indirect()
            || instruction.is_call_far_indirect();
        let interrupts = matches!(
            instruction.mnemonic(),
            Mnemonic::Int | Mnemonic::Int1 | Mnemonic::Int3 | Mnemonic::Into
        );
        if calls || interrupts {
            // It comes back with the stack as it was. What it changes is not known; BP, by all
            // conventions, is not among it.
            return Ok(());
        }
        let mut factory = InstructionInfoFactory::new();
        for used in factory.info(instruction).used_registers() {
            let writes = matches!(
                used.access(),
                OpAccess::Write
                    | OpAccess::CondWrite
                    | OpAccess::ReadWrite
                    | OpAccess::ReadCondWrite
            );
            if !writes {
                continue;
            }
            let register = used.register().full_register();
            if register == Register::RSP {
                if increment == 0 {
                    return Err(Lost);
                }
                let sp = stack_pointer(&self.cpu);
                // Pushes and pops of memory, of which the values do not matter.
                if increment < 0 {
                    self.push(u64::from(increment.unsigned_abs()), None);
                } else {
                    set_stack_pointer(
                        &mut self.cpu,
                        sp.wrapping_add(increment.unsigned_abs().into()),
                    );
                }
            } else if register.is_cr() {
                self.switched = true;
            } else {
                self.set(register, None)?;
            }
        }
        Ok(())
    }

    /// What the instruction, which writes SP or BP, puts there, if it is to be known.
    fn arithmetic(&self, instruction: &Instruction) -> Option<u64> {
        let value = self.operand(instruction, 0);
        let other = || self.operand(instruction, 1);
        match instruction.mnemonic() {
            Mnemonic::Mov => other(),
            Mnemonic::Lea => {
                let base = self.register(instruction.memory_base())?;
                let index = instruction.memory_index() == Register::None;
                index.then(|| base.wrapping_add(instruction.memory_displacement64()))
            }
            Mnemonic::Add => Some(value?.wrapping_add(other()?)),
            Mnemonic::Sub => Some(value?.wrapping_sub(other()?)),
            Mnemonic::And => Some(value? & other()?),
            Mnemonic::Inc => Some(value?.wrapping_add(1)),
            Mnemonic::Dec => Some(value?.wrapping_sub(1)),
            _ => None,
        }
    }

    /// The value of an operand that is a register or a number.
    pub(super) fn operand(&self, instruction: &Instruction, number: u32) -> Option<u64> {
        match instruction.try_op_kind(number).ok()? {
            OpKind::Register => self.register(instruction.try_op_register(number).ok()?),
            _ => instruction.try_immediate(number).ok(),
        }
    }

    fn register(&self, register: Register) -> Option<u64> {
        if register.is_segment_register() {
            let name = self.known_segment(register)?;
            return Some(self.cpu.segments.get(name).selector.into());
        }
        let n = general_number(register)?;
        let value = self.general(n)?;
        let size = register.size();
        (size > 1).then(|| value & u64::MAX >> (64 - 8 * size.min(8)))
    }

    /// The name of the segment register, if the way has not made its value unknown.
    pub(super) fn known_segment(&self, register: Register) -> Option<SegmentName> {
        let n = segment_number(register)?;
        (self.stale >> (SEGMENTS + n as u32) & 1 == 0).then(|| SegmentName::ALL[n])
    }

    fn general(&self, n: usize) -> Option<u64> {
        (self.stale >> n & 1 == 0).then(|| self.cpu.gpr[n])
    }

    fn set(&mut self, register: Register, value: Option<u64>) -> Result<(), Lost> {
        if let Some(n) = segment_number(register) {
            let name = SegmentName::ALL[n];
            if name == SegmentName::Ss {
                return Err(Lost);
            }
            let bit = 1 << (SEGMENTS + n as u32);
            match value {
                Some(value) if self.cpu.mode().has_paragraph_segments() => {
                    let segment = self.cpu.segments.get_mut(name);
                    segment.selector = (value & 0xffff) as u16;
                    segment.base = (value & 0xffff) << 4;
                    self.stale &= !bit;
                }
                _ => self.stale |= bit,
            }
            return Ok(());
        }
        let Some(n) = general_number(register) else { return Ok(()) };
        if n == Gpr::Rsp as usize {
            set_stack_pointer(&mut self.cpu, value.ok_or(Lost)?);
            return Ok(());
        }
        let size = register.size() as u64;
        self.set_general(n, size, value.filter(|_| size > 1));
        Ok(())
    }

    fn set_general(&mut self, n: usize, size: u64, value: Option<u64>) {
        match value {
            Some(value) => {
                let mask = u64::MAX >> (64 - 8 * size.clamp(1, 8));
                // A write of 32 bits clears the upper half (SDM vol. 1, 3.4.1.1).
                let kept = if size == 4 { 0 } else { self.cpu.gpr[n] & !mask };
                self.cpu.gpr[n] = kept | value & mask;
                self.stale &= !(1 << n);
            }
            None => self.stale |= 1 << n,
        }
    }
}

fn general_number(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.full_register().number())
}

/// Its place in [`SegmentName::ALL`].
fn segment_number(register: Register) -> Option<usize> {
    let name = match register {
        Register::CS => SegmentName::Cs,
        Register::SS => SegmentName::Ss,
        Register::DS => SegmentName::Ds,
        Register::ES => SegmentName::Es,
        Register::FS => SegmentName::Fs,
        Register::GS => SegmentName::Gs,
        _ => return None,
    };
    SegmentName::ALL.into_iter().position(|it| it == name)
}

fn leave_width(instruction: &Instruction) -> u64 {
    use iced_x86::Code;
    match instruction.code() {
        Code::Leavew => 2,
        Code::Leaved => 4,
        _ => 8,
    }
}
