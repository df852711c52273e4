//! `stack` and `backtrace`: what is on the stack, and who called whom.

use super::CommandError;
use super::address::number;
use crate::machine::Machine;
use crate::x86::unwind::{self, Entered, Frame};
use crate::x86::{CpuMode, Gpr, Linear, SegmentName};

/// Words of the stack that are shown if no number is given.
const WORDS: u64 = 16;
/// Most of them.
const MOST_WORDS: u64 = 4096;
/// Most frames of a backtrace.
const FRAMES: usize = 64;

/// Carries out `stack` with its argument, a number of words.
pub(super) fn stack(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    let count = match argument {
        "" => WORDS,
        word => number(word)?.min(MOST_WORDS),
    };
    let cpu = machine.cpu();
    let size = u64::from(cpu.mode().code_bits() / 8);
    let mask = cpu.stack_mask();
    let sp = cpu.get(Gpr::Rsp) & mask;
    let bp = cpu.get(Gpr::Rbp) & mask;
    let returns = unwind::backtrace(cpu, machine, FRAMES);
    let mut text = String::new();
    for n in 0..count {
        let offset = sp.wrapping_add(n * size);
        if offset > mask || offset < sp {
            text.push_str("the stack segment ends here\n");
            break;
        }
        let at = cpu.linear(SegmentName::Ss, offset);
        let mut bytes = [0; 8];
        let word = bytes.get_mut(..size as usize).unwrap_or_default();
        if machine.read_linear(at, word) < word.len() {
            text.push_str(&format!("{at}: nothing is there\n"));
            break;
        }
        let (value, digits) = (u64::from_le_bytes(bytes), 2 * size as usize);
        let place = match cpu.mode() {
            CpuMode::Long64 => format!("{offset:016x}"),
            _ => format!("{:04X}:{offset:04X}", cpu.segments.ss.selector),
        };
        let mut line = format!("{place}  {value:0digits$x}");
        // A frame ends in the word it returns to.
        let caller = returns.iter().enumerate().skip(1).find_map(|(n, frame)| {
            let entered = frame.called.filter(|(_, end)| at.offset(size) == *end)?;
            Some((n, frame.cpu.pc(), entered.0))
        });
        if let Some((n, Linear(pc), entered)) = caller {
            line.push_str(&format!("  {pc:#x}  {} return to #{n}", entered.as_str()));
        } else if offset == bp {
            line.push_str("  <- bp");
        }
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// Carries out `backtrace` with its argument, a number of frames.
pub(super) fn backtrace(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    let count = match argument {
        "" => FRAMES,
        word => usize::try_from(number(word)?).unwrap_or(FRAMES).clamp(1, FRAMES),
    };
    let frames = unwind::backtrace(machine.cpu(), machine, count);
    let lines = frames.iter().enumerate().map(|(n, Frame { cpu, called })| {
        let how = match called {
            None => "",
            Some((Entered::Near, _)) => "  near call",
            Some((Entered::Far, _)) => "  far call",
            Some((Entered::Interrupt, _)) => "  interrupt",
        };
        format!("#{n:<3}{}  {:#x}{how}\n", cpu.location(), cpu.pc())
    });
    Ok(lines.collect())
}
