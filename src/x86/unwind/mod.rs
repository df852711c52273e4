//! Who called the code that runs: frames of assembly code, which no debug information describes.
//!
//! A frame is a [`CpuState`]. Its caller is found by walking the code forwards to the return, the stack
//! pointer kept count of (`walk`): near, far and interrupt returns differ, and what is pushed in between is
//! popped again. A handler that goes on to another one, or calls it, is followed there (`far`). Code that
//! never returns, or is not to be followed, has its stack searched for a return address (`search`); in real
//! mode the vector table may lead to it (`vector`). A return address counts only behind a call or a software
//! interrupt; that of an interrupt frame may be anywhere. Follows SDM vol. 1, 6.3 to 6.5, and vol. 3A, 6.12
//! to 6.14.

mod far;
mod path;
mod search;
mod vector;
mod walk;

#[cfg(test)]
mod tests;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use super::instruction::MAX_LEN;
use super::paging::{PhysRead, read_linear};
use super::segment::read_descriptor;
use super::{CpuMode, CpuState, Gpr, Linear, Segment, SegmentName};

use self::path::Path;
use self::walk::Outcome;

/// Flags that are always one or zero (SDM vol. 1, 3.4.3): of a frame's flags, only bit 1 of them is set.
const FIXED_FLAGS: u64 = 0x802a;

/// How a frame was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// By a near call: the stack has the offset.
    Near,
    /// By a far call: offset and CS.
    Far,
    /// By an interrupt or exception: offset, CS and flags.
    Interrupt,
}

impl Entered {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Entered::Near => "near",
            Entered::Far => "far",
            Entered::Interrupt => "interrupt",
        }
    }
}

/// The frame below another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its registers, as they will be behind the return; those that the callee changes are as they are now.
    pub cpu: CpuState,
    /// How it called.
    pub entered: Entered,
    /// Where the stack ends in the returned-to offset: one and the same all through the callee.
    pub frame: Linear,
}

/// The caller of the code at CS:IP of `cpu`, or nothing if nobody is known to have called it.
#[must_use]
pub fn caller(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> Option<Caller> {
    match walk::to_return(cpu, mem) {
        Outcome::Found(caller) => Some(*caller),
        Outcome::Never => search::search(cpu, mem, false).or_else(|| vector::interrupted(cpu, mem)),
        Outcome::Unknown => {
            vector::interrupted(cpu, mem).or_else(|| search::search(cpu, mem, true))
        }
    }
}

/// One frame of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its registers.
    pub cpu: CpuState,
    /// How it called the frame before it, and where that one's part of the stack ends; nothing for the
    /// innermost.
    pub called: Option<(Entered, Linear)>,
}

/// `cpu` and its callers, the innermost first, no more than `most`.
#[must_use]
pub fn backtrace(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), most: usize) -> Vec<Frame> {
    let mut frames = vec![Frame { cpu: cpu.clone(), called: None }];
    while frames.len() < most {
        let Some(next) = frames.last().and_then(|frame| caller(&frame.cpu, mem)) else { break };
        let called = Some((next.entered, next.frame));
        if frames.iter().any(|frame| frame.called.is_some_and(|(_, end)| end == next.frame)) {
            break;
        }
        frames.push(Frame { cpu: next.cpu, called });
    }
    frames
}

/// Gives `cpu` the code segment `selector`, or the stack segment; false if there is no such segment.
pub fn set_segment(
    cpu: &mut CpuState,
    mem: &(impl PhysRead + ?Sized),
    name: SegmentName,
    selector: u16,
) -> bool {
    let segment = if cpu.mode().has_paragraph_segments() {
        Segment { selector, base: u64::from(selector) << 4, ..*cpu.segments.get(name) }
    } else if cpu.segments.get(name).selector == selector {
        return true;
    } else if name == SegmentName::Ss && selector & !3 == 0 {
        Segment::null_stack(selector, (selector & 3) as u8)
    } else {
        match read_descriptor(cpu, mem, selector) {
            Ok(segment) if name != SegmentName::Cs || segment.access.is_code() => segment,
            _ => return false,
        }
    };
    *cpu.segments.get_mut(name) = segment;
    true
}

/// As many bytes as there are from `addr` on, at most those of `buffer`.
fn read(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), addr: Linear, buffer: &mut [u8]) -> usize {
    if read_linear(cpu, mem, addr, buffer).is_ok() {
        return buffer.len();
    }
    let there = |n: &usize| {
        let mut byte = [0];
        read_linear(cpu, mem, addr.offset(*n as u64), &mut byte).ok().map(|()| byte[0])
    };
    let mut count = 0;
    while let Some(byte) = Some(count).filter(|n| *n < buffer.len()).as_ref().and_then(there) {
        buffer[count] = byte;
        count += 1;
    }
    count
}

/// A word of `size` bytes from the stack at the offset `sp`.
fn stack_word(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), sp: u64, size: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    let word = bytes.get_mut(..usize::try_from(size).ok()?)?;
    read_linear(cpu, mem, stack_address(cpu, sp), word).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// Where the stack's offset `sp` is.
fn stack_address(cpu: &CpuState, sp: u64) -> Linear {
    cpu.linear(SegmentName::Ss, sp & cpu.stack_mask())
}

/// The stack pointer, as wide as the stack is.
fn stack_pointer(cpu: &CpuState) -> u64 {
    cpu.get(Gpr::Rsp) & cpu.stack_mask()
}

fn set_stack_pointer(cpu: &mut CpuState, sp: u64) {
    let mask = cpu.stack_mask();
    let rsp = cpu.get_mut(Gpr::Rsp);
    *rsp = *rsp & !mask | sp & mask;
}

/// Offsets in code as wide as that of `cpu`.
fn code_mask(mode: CpuMode) -> u64 {
    u64::MAX >> (64 - mode.code_bits())
}

/// The instruction at CS:IP.
fn decode(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> Option<Instruction> {
    let mut bytes = [0; MAX_LEN];
    let count = read(cpu, mem, cpu.pc(), &mut bytes);
    let bytes = bytes.get(..count)?;
    let bits = cpu.mode().code_bits();
    let mut decoder = Decoder::with_ip(bits, bytes, cpu.rip, DecoderOptions::NONE);
    let instruction = decoder.can_decode().then(|| decoder.decode())?;
    (!instruction.is_invalid()).then_some(instruction)
}

/// The call or software interrupt that ends right before CS:IP of `cpu`.
fn call_before(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> Option<Instruction> {
    let calls = |instruction: &Instruction| {
        matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall | FlowControl::Interrupt
        )
    };
    instruction_before(cpu, mem, calls)
}

/// Whether the instruction that ends right before CS:IP of `cpu` is a PUSH, of what is on top of the stack.
fn push_before(cpu: &CpuState, mem: &(impl PhysRead + ?Sized)) -> bool {
    let pushes = |instruction: &Instruction| {
        let size = u64::from(instruction.stack_pointer_increment().unsigned_abs());
        let top = || stack_word(cpu, mem, stack_pointer(cpu), size);
        instruction.mnemonic() == Mnemonic::Push && Path::new(cpu).operand(instruction, 0) == top()
    };
    instruction_before(cpu, mem, pushes).is_some()
}

/// The longest instruction that ends right before CS:IP of `cpu` and is one of those `wanted`.
fn instruction_before(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    wanted: impl Fn(&Instruction) -> bool,
) -> Option<Instruction> {
    const LONGEST: u64 = 9;
    let mode = cpu.mode();
    let least = LONGEST.min(cpu.rip);
    let mut bytes = [0; LONGEST as usize];
    let bytes = bytes.get_mut(..usize::try_from(least).ok()?)?;
    let start = cpu.rip - least;
    read_linear(cpu, mem, cpu.linear(SegmentName::Cs, start), bytes).ok()?;
    // The longest first: what begins later is part of it.
    (0..bytes.len()).find_map(|skip| {
        let code = &bytes[skip..];
        // All of these but with a memory operand begin with their opcode.
        let ip = start + skip as u64;
        let mut decoder = Decoder::with_ip(mode.code_bits(), code, ip, DecoderOptions::NONE);
        let instruction = decoder.decode();
        (instruction.len() == code.len() && wanted(&instruction)).then_some(instruction)
    })
}
