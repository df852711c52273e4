//! Questions of the gdb script, which are answered in a form for programs.
//!
//! They are put in two ways. `monitor gdb-script QUESTION ARGUMENTS` is one packet; but gdb's Python carries out
//! the commands of a breakpoint when it has carried out any command, which an unwinder must not cause, and
//! `send_packet` drops the frames that are being made. What an unwinder may do at any time is to look at
//! memory. So a search for `gdb-script QUESTION ARGUMENTS @N` at address 0, in no more memory than the text itself
//! takes, is the same question: the "address" that is found is the N-th eight bytes of the answer.
//!
//! - `version`: `stepvisor` and its version.
//! - `caller PC;SP;BP;FLAGS;CS;CSBASE;SS;SSBASE`: who called a frame. The numbers are hexadecimal, the program
//!   counter is linear, the others are what the registers hold. The answer is `outermost`, or how the frame
//!   was entered (`near`, `far` or `interrupt`), where its part of the stack ends, and the registers that the
//!   caller has other than the frame, by the names and with the values of the layout that the client knows:
//!   `near;7c00;eip=7c20;esp=7c00;...`.
//! - `linear SELECTOR;OFFSET`: the linear address of a pair in the present mode.
//! - `screen png` or `screen txt`: the screen as a file, in hexadecimal digits. The file is the client's to
//!   write, where gdb runs.
//!
//! What cannot be answered begins with `error: `.

use super::frame::{Reply, decode_number, unescape};
use super::layout::Layout;
use super::target::Guest;
use crate::machine::Machine;
use crate::ui;
use crate::x86::{CpuState, Gpr, Linear, SegmentName, unwind};

/// The answer to the monitor command `line`; `None` if it is no question of the script.
pub fn answer(machine: &Machine, layout: &Layout, line: &str) -> Option<String> {
    let question = line.trim().strip_prefix("gdb-script ")?;
    let (name, arguments) = question.split_once(' ').unwrap_or((question, ""));
    let answer = match name {
        "version" if arguments.is_empty() => {
            Some(format!("stepvisor {}", env!("CARGO_PKG_VERSION")))
        }
        "caller" => caller(machine, layout, arguments),
        "linear" => linear(machine, arguments),
        "screen" => screen(machine, arguments),
        _ => None,
    };
    Some(answer.unwrap_or_else(|| format!("error: malformed question `{question}`")) + "\n")
}

/// The question in the guise of a search that the packet with the body `body` is: it looks for it at address 0,
/// in no more memory than it takes.
fn disguised(body: &[u8]) -> Option<String> {
    let request = body.strip_prefix(b"qSearch:memory:0;")?;
    let end = request.iter().position(|byte| *byte == b';')?;
    let pattern = request.get(end + 1..).filter(|it| it.starts_with(b"gdb-script "))?;
    let pattern = unescape(pattern);
    let len = decode_number(request.get(..end)?)?;
    (len == pattern.len() as u64).then(|| String::from_utf8_lossy(&pattern).into_owned())
}

/// Whether the packet with the body `body` is a question in the guise of a search.
#[must_use]
pub fn is_search(body: &[u8]) -> bool {
    disguised(body).is_some()
}

/// The reply to it: nothing found, behind the end of the answer.
pub fn search(guest: &mut Guest<'_>, body: &[u8]) -> Reply {
    let layout = guest.layout();
    let part = disguised(body).and_then(|text| {
        let (line, number) = text.rsplit_once(" @")?;
        let number: usize = number.parse().ok()?;
        let answer = answer(guest.machine(), layout, line)?;
        let part = answer.as_bytes().chunks(8).nth(number)?;
        Some(part.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte)))
    });
    Reply::new().text(&part.map_or("0".to_owned(), |word| format!("1,{word:x}")))
}

/// Numbers in hexadecimal between semicolons.
fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    let numbers: Result<Vec<u64>, _> =
        text.split(';').map(|digits| u64::from_str_radix(digits, 16)).collect();
    numbers.ok()?.try_into().ok()
}

fn caller(machine: &Machine, layout: &Layout, request: &str) -> Option<String> {
    let frame = frame(machine, request)?;
    let Some(caller) = unwind::caller(&frame, machine) else {
        return Some("outermost".to_owned());
    };
    let Linear(end) = caller.frame;
    let mut text = format!("{};{end:x}", caller.entered.as_str());
    for (number, row) in layout.rows().iter().enumerate() {
        let value = layout.integer(&caller.cpu, number);
        if let Some(value) = value.filter(|_| value != layout.integer(&frame, number)) {
            text.push_str(&format!(";{}={value:x}", row.name));
        }
    }
    Some(text)
}

/// The processor as it is in the frame that `request` describes.
fn frame(machine: &Machine, request: &str) -> Option<CpuState> {
    let [pc, sp, bp, flags, cs, cs_base, ss, ss_base] = numbers(request)?;
    let mut cpu = machine.cpu().clone();
    cpu.rflags = flags;
    for (name, selector, base) in [(SegmentName::Cs, cs, cs_base), (SegmentName::Ss, ss, ss_base)] {
        let selector = u16::try_from(selector).ok()?;
        // A segment that is not to be found keeps the width of the present one.
        unwind::set_segment(&mut cpu, machine, name, selector);
        let segment = cpu.segments.get_mut(name);
        (segment.selector, segment.base) = (selector, base);
    }
    *cpu.get_mut(Gpr::Rsp) = sp;
    *cpu.get_mut(Gpr::Rbp) = bp;
    cpu.rip = match cpu.mode().code_bits() {
        64 => pc,
        _ => pc.wrapping_sub(cs_base) & 0xffff_ffff,
    };
    Some(cpu)
}

fn linear(machine: &Machine, request: &str) -> Option<String> {
    let [selector, offset] = numbers(request)?;
    let mut cpu = machine.cpu().clone();
    let found = u16::try_from(selector)
        .is_ok_and(|selector| unwind::set_segment(&mut cpu, machine, SegmentName::Es, selector));
    if !found {
        return Some(format!("error: there is no segment {selector:#06x}"));
    }
    let Linear(addr) = cpu.linear(SegmentName::Es, offset);
    Some(format!("{addr:x}"))
}

fn screen(machine: &Machine, format: &str) -> Option<String> {
    let frame = machine.frame();
    let file = match format {
        "txt" => ui::text::plain(&frame).into_bytes(),
        "png" => match ui::png::encode(&frame) {
            Ok(file) => file,
            Err(error) => return Some(format!("error: {error}")),
        },
        _ => return None,
    };
    Some(file.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_in_its_own_length_is_a_question() {
        let text = "gdb-script version @0";
        let packet = |len: usize| format!("qSearch:memory:0;{len:x};{text}").into_bytes();
        assert!(is_search(&packet(text.len())));
        assert_eq!(disguised(&packet(text.len())).as_deref(), Some(text));
        // A user's search is none, whatever it is for.
        for other in [packet(text.len() + 1), packet(1), packet(0x1000)] {
            assert!(!is_search(&other));
        }
        for other in [
            "qSearch:memory:0;",
            "qSearch:memory:0;3;abc",
            "qSearch:memory:1;15;gdb-script version @0",
        ] {
            assert!(!is_search(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn numbers_are_hexadecimal_and_as_many_as_are_asked_for() {
        assert_eq!(numbers("7c00;ff"), Some([0x7c00, 0xff]));
        for bad in ["", "1", "1;", "1;2;3", "x;1", "1;-2", "10000000000000000;1"] {
            assert_eq!(numbers::<2>(bad), None, "{bad}");
        }
    }
}
