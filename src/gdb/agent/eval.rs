//! The bytecode of agent expressions: a stack machine on 64-bit integers (gdb manual, F.2 "Bytecode
//! Descriptions").
//!
//! All integer bytecodes are here. There is no trace buffer to record to, so that the bytecodes that trace only
//! take their operands; floating point is refused, as gdb itself never emits it.

use super::LONGEST_TEXT;
use super::context::Context;
use super::format::{self, FormatError};

/// Deepest stack; gdb's own expressions stay far below.
const STACK: usize = 256;
/// Most bytecodes in one evaluation: they can loop.
const STEPS: u32 = 1 << 16;

/// Why bytecode has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytecodeError {
    /// It goes on behind its end.
    #[error("it has no end")]
    Truncated,
    /// A jump out of it.
    #[error("it jumps to {0}, behind its end")]
    Jump(usize),
    /// Not a bytecode for integers.
    #[error("bytecode {0:#04x} is not supported")]
    Opcode(u8),
    /// More is taken than there is.
    #[error("its stack is empty")]
    Underflow,
    /// More is put than there is room for.
    #[error("its stack is full")]
    Overflow,
    /// A loop.
    #[error("it does not come to an end")]
    Endless,
    /// Division by 0.
    #[error("division by zero")]
    Division,
    /// No integer register has this number.
    #[error("there is no integer register {0}")]
    Register(usize),
    /// Nothing is mapped there.
    #[error("cannot read memory at {0:#x}")]
    Memory(u64),
    /// An operand that makes no sense.
    #[error("an extension from {0} bits")]
    Width(u8),
    /// A format that cannot be printed.
    #[error("cannot print: {0}")]
    Format(#[from] FormatError),
}

/// Carries out `code`; what it prints goes to `output`. The result is what is on top of the stack at the end,
/// 0 for nothing.
pub(super) fn run(
    code: &[u8],
    context: &mut dyn Context,
    output: &mut Vec<u8>,
) -> Result<u64, BytecodeError> {
    let start = output.len();
    let mut machine = Evaluation { code, at: 0, stack: Vec::new(), context, output, start };
    for _ in 0..STEPS {
        let opcode = machine.byte()?;
        if opcode == op::END {
            return Ok(machine.stack.last().copied().unwrap_or_default());
        }
        machine.execute(opcode)?;
    }
    Err(BytecodeError::Endless)
}

/// The bytecodes.
mod op {
    pub(super) const ADD: u8 = 0x02;
    pub(super) const SUB: u8 = 0x03;
    pub(super) const MUL: u8 = 0x04;
    pub(super) const DIV_SIGNED: u8 = 0x05;
    pub(super) const DIV_UNSIGNED: u8 = 0x06;
    pub(super) const REM_SIGNED: u8 = 0x07;
    pub(super) const REM_UNSIGNED: u8 = 0x08;
    pub(super) const LSH: u8 = 0x09;
    pub(super) const RSH_SIGNED: u8 = 0x0a;
    pub(super) const RSH_UNSIGNED: u8 = 0x0b;
    pub(super) const TRACE: u8 = 0x0c;
    pub(super) const TRACE_QUICK: u8 = 0x0d;
    pub(super) const LOG_NOT: u8 = 0x0e;
    pub(super) const BIT_AND: u8 = 0x0f;
    pub(super) const BIT_OR: u8 = 0x10;
    pub(super) const BIT_XOR: u8 = 0x11;
    pub(super) const BIT_NOT: u8 = 0x12;
    pub(super) const EQUAL: u8 = 0x13;
    pub(super) const LESS_SIGNED: u8 = 0x14;
    pub(super) const LESS_UNSIGNED: u8 = 0x15;
    pub(super) const EXT: u8 = 0x16;
    pub(super) const REF8: u8 = 0x17;
    pub(super) const REF16: u8 = 0x18;
    pub(super) const REF32: u8 = 0x19;
    pub(super) const REF64: u8 = 0x1a;
    pub(super) const IF_GOTO: u8 = 0x20;
    pub(super) const GOTO: u8 = 0x21;
    pub(super) const CONST8: u8 = 0x22;
    pub(super) const CONST16: u8 = 0x23;
    pub(super) const CONST32: u8 = 0x24;
    pub(super) const CONST64: u8 = 0x25;
    pub(super) const REG: u8 = 0x26;
    pub(super) const END: u8 = 0x27;
    pub(super) const DUP: u8 = 0x28;
    pub(super) const POP: u8 = 0x29;
    pub(super) const ZERO_EXT: u8 = 0x2a;
    pub(super) const SWAP: u8 = 0x2b;
    pub(super) const GETV: u8 = 0x2c;
    pub(super) const SETV: u8 = 0x2d;
    pub(super) const TRACEV: u8 = 0x2e;
    pub(super) const TRACENZ: u8 = 0x2f;
    pub(super) const TRACE16: u8 = 0x30;
    pub(super) const PICK: u8 = 0x32;
    pub(super) const ROT: u8 = 0x33;
    pub(super) const PRINTF: u8 = 0x34;
}

struct Evaluation<'a> {
    code: &'a [u8],
    at: usize,
    stack: Vec<u64>,
    context: &'a mut dyn Context,
    output: &'a mut Vec<u8>,
    /// How much of the output was there before.
    start: usize,
}

type Done = Result<(), BytecodeError>;

impl Evaluation<'_> {
    fn execute(&mut self, opcode: u8) -> Done {
        match opcode {
            op::ADD => self.binary(|a, b| Ok(a.wrapping_add(b))),
            op::SUB => self.binary(|a, b| Ok(a.wrapping_sub(b))),
            op::MUL => self.binary(|a, b| Ok(a.wrapping_mul(b))),
            op::DIV_SIGNED => self.signed(|a, b| (b != 0).then(|| a.wrapping_div(b))),
            op::DIV_UNSIGNED => self.binary(|a, b| a.checked_div(b).ok_or(BytecodeError::Division)),
            op::REM_SIGNED => self.signed(|a, b| (b != 0).then(|| a.wrapping_rem(b))),
            op::REM_UNSIGNED => self.binary(|a, b| a.checked_rem(b).ok_or(BytecodeError::Division)),
            op::LSH => self.binary(|a, n| Ok(if n < 64 { a << n } else { 0 })),
            op::RSH_SIGNED => {
                self.binary(|a, n| Ok((a.cast_signed() >> n.min(63)).cast_unsigned()))
            }
            op::RSH_UNSIGNED => self.binary(|a, n| Ok(if n < 64 { a >> n } else { 0 })),
            op::LOG_NOT => self.unary(|a| u64::from(a == 0)),
            op::BIT_AND => self.binary(|a, b| Ok(a & b)),
            op::BIT_OR => self.binary(|a, b| Ok(a | b)),
            op::BIT_XOR => self.binary(|a, b| Ok(a ^ b)),
            op::BIT_NOT => self.unary(|a| !a),
            op::EQUAL => self.binary(|a, b| Ok(u64::from(a == b))),
            op::LESS_SIGNED => self.binary(|a, b| Ok(u64::from(a.cast_signed() < b.cast_signed()))),
            op::LESS_UNSIGNED => self.binary(|a, b| Ok(u64::from(a < b))),
            op::EXT => {
                let unused = self.unused_bits()?;
                self.unary(|a| ((a << unused).cast_signed() >> unused).cast_unsigned())
            }
            op::ZERO_EXT => {
                let unused = self.unused_bits()?;
                self.unary(|a| a << unused >> unused)
            }
            op::REF8 => self.reference::<1>(),
            op::REF16 => self.reference::<2>(),
            op::REF32 => self.reference::<4>(),
            op::REF64 => self.reference::<8>(),
            op::IF_GOTO => {
                let target = self.operand::<2>()?;
                if self.pop()? == 0 { Ok(()) } else { self.jump(target) }
            }
            op::GOTO => {
                let target = self.operand::<2>()?;
                self.jump(target)
            }
            op::CONST8 => self.constant::<1>(),
            op::CONST16 => self.constant::<2>(),
            op::CONST32 => self.constant::<4>(),
            op::CONST64 => self.constant::<8>(),
            op::REG => {
                let number = self.index()?;
                let value = self.context.register(number);
                self.push(value.ok_or(BytecodeError::Register(number))?)
            }
            op::PRINTF => self.print(),
            _ => self.arrange(opcode),
        }
    }

    /// Bytecodes that move values about, and those that trace.
    fn arrange(&mut self, opcode: u8) -> Done {
        match opcode {
            op::DUP => self.pick(0),
            op::POP => self.pop().map(drop),
            op::SWAP => {
                let (a, b) = self.pop_two()?;
                self.push(b)?;
                self.push(a)
            }
            op::PICK => {
                let depth = self.byte()?;
                self.pick(depth.into())
            }
            op::ROT => {
                let c = self.pop()?;
                let (a, b) = self.pop_two()?;
                self.push(c)?;
                self.push(a)?;
                self.push(b)
            }
            op::GETV => {
                let number = self.word()?;
                let value = self.context.variable(number);
                self.push(value)
            }
            op::SETV => {
                let number = self.word()?;
                let value = *self.stack.last().ok_or(BytecodeError::Underflow)?;
                self.context.set_variable(number, value);
                Ok(())
            }
            // What they would record has nowhere to go.
            op::TRACE | op::TRACENZ => self.pop_two().map(drop),
            op::TRACE_QUICK => self.byte().map(drop),
            op::TRACE16 | op::TRACEV => self.word().map(drop),
            _ => Err(BytecodeError::Opcode(opcode)),
        }
    }

    fn byte(&mut self) -> Result<u8, BytecodeError> {
        let byte = *self.code.get(self.at).ok_or(BytecodeError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// An operand of `N` bytes, the first the most significant.
    fn operand<const N: usize>(&mut self) -> Result<u64, BytecodeError> {
        (0..N).try_fold(0, |value, _| Ok(value << 8 | u64::from(self.byte()?)))
    }

    fn word(&mut self) -> Result<u16, BytecodeError> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn index(&mut self) -> Result<usize, BytecodeError> {
        self.word().map(usize::from)
    }

    fn constant<const N: usize>(&mut self) -> Done {
        let value = self.operand::<N>()?;
        self.push(value)
    }

    fn jump(&mut self, target: u64) -> Done {
        let target = usize::try_from(target).unwrap_or(usize::MAX);
        if target >= self.code.len() {
            return Err(BytecodeError::Jump(target));
        }
        self.at = target;
        Ok(())
    }

    fn push(&mut self, value: u64) -> Done {
        if self.stack.len() >= STACK {
            return Err(BytecodeError::Overflow);
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<u64, BytecodeError> {
        self.stack.pop().ok_or(BytecodeError::Underflow)
    }

    /// The two topmost values, the lower one first.
    fn pop_two(&mut self) -> Result<(u64, u64), BytecodeError> {
        let top = self.pop()?;
        Ok((self.pop()?, top))
    }

    fn pick(&mut self, depth: usize) -> Done {
        let place = self.stack.len().checked_sub(depth + 1).ok_or(BytecodeError::Underflow)?;
        let value = self.stack.get(place).copied().ok_or(BytecodeError::Underflow)?;
        self.push(value)
    }

    fn unary(&mut self, operation: impl FnOnce(u64) -> u64) -> Done {
        let value = self.pop()?;
        self.push(operation(value))
    }

    fn binary(&mut self, operation: impl FnOnce(u64, u64) -> Result<u64, BytecodeError>) -> Done {
        let (a, b) = self.pop_two()?;
        self.push(operation(a, b)?)
    }

    fn signed(&mut self, operation: impl FnOnce(i64, i64) -> Option<i64>) -> Done {
        let (a, b) = self.pop_two()?;
        let value = operation(a.cast_signed(), b.cast_signed());
        self.push(value.ok_or(BytecodeError::Division)?.cast_unsigned())
    }

    /// How many bits an extension does not look at.
    fn unused_bits(&mut self) -> Result<u32, BytecodeError> {
        match self.byte()? {
            0 => Err(BytecodeError::Width(0)),
            bits => Ok(64u32.saturating_sub(bits.into())),
        }
    }

    fn reference<const N: usize>(&mut self) -> Done {
        let addr = self.pop()?;
        let mut bytes = [0; 8];
        let data = bytes.get_mut(..N).unwrap_or_default();
        if self.context.memory(addr, data) != N {
            return Err(BytecodeError::Memory(addr));
        }
        self.push(u64::from_le_bytes(bytes))
    }

    /// The function and the channel that gdb gives for other uses mean nothing here.
    fn print(&mut self) -> Done {
        let count = self.byte()?;
        let len = self.index()?;
        let end = self.at.checked_add(len).ok_or(BytecodeError::Truncated)?;
        let text = self.code.get(self.at..end).ok_or(BytecodeError::Truncated)?;
        self.at = end;
        self.pop_two()?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(self.pop()?);
        }
        format::print(text, &arguments, self.context, self.output)?;
        // Printed in a loop, short texts add up.
        let most = self.start + LONGEST_TEXT;
        if self.output.len() > most {
            self.output.truncate(most);
            return Err(FormatError::Length.into());
        }
        Ok(())
    }
}
