//! Registers by name, as a user types them after `$`: with the values that gdb shows.

use super::CommandError;
use crate::gdb::layout::Layout;
use crate::x86::{CpuState, Gpr};

/// The names that gdb has for parts of general registers.
const WORDS: [(&str, Gpr); 8] = [
    ("ax", Gpr::Rax),
    ("bx", Gpr::Rbx),
    ("cx", Gpr::Rcx),
    ("dx", Gpr::Rdx),
    ("si", Gpr::Rsi),
    ("di", Gpr::Rdi),
    ("bp", Gpr::Rbp),
    ("sp", Gpr::Rsp),
];

/// The value of the register `name`, which has no `$`. In real mode `pc`, `eip` and `sp` are linear addresses.
pub(super) fn value(cpu: &CpuState, name: &str) -> Result<u64, CommandError> {
    let layout = Layout::for_mode(cpu.mode());
    let whole = |name: &str| layout.number(name).and_then(|number| layout.integer(cpu, number));
    let found = match name {
        "pc" => Some(cpu.pc().0),
        "sp" => whole("sp").or_else(|| whole("esp")).or_else(|| whole("rsp")),
        "fp" => whole("ebp").or_else(|| whole("rbp")),
        _ => whole(name).or_else(|| part(cpu, name)),
    };
    found
        .ok_or_else(|| CommandError(format!("there is no integer register `${name}` in this mode")))
}

/// The value of the register `name` where it is an offset into a segment.
pub(super) fn offset(cpu: &CpuState, name: &str) -> Result<u64, CommandError> {
    match name {
        "pc" | "ip" | "eip" | "rip" => Ok(cpu.rip),
        "sp" => Ok(cpu.get(Gpr::Rsp) & cpu.stack_mask()),
        _ => value(cpu, name),
    }
}

fn part(cpu: &CpuState, name: &str) -> Option<u64> {
    let word =
        |name: &str| WORDS.iter().find(|(word, _)| *word == name).map(|(_, gpr)| cpu.get(*gpr));
    if let Some(value) = word(name) {
        return Some(value & 0xffff);
    }
    if let Some(name) = name.strip_prefix('e') {
        return word(name).map(|value| value & 0xffff_ffff);
    }
    let (letter, half) = name.split_at_checked(1)?;
    let register = word(&format!("{letter}x"))?;
    match half {
        "l" => Some(register & 0xff),
        "h" => Some(register >> 8 & 0xff),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::{Access, Segment};

    #[test]
    fn registers_have_the_values_that_gdb_shows() {
        let mut cpu = CpuState::default();
        cpu.segments.cs = Segment::paragraph(0x7c0, Access::CODE16);
        cpu.segments.ss = Segment::paragraph(0x9000, Access::DATA16);
        cpu.rip = 0x1d;
        *cpu.get_mut(Gpr::Rax) = 0x1122_3344_5566_7788;
        *cpu.get_mut(Gpr::Rsp) = 0xfff0;
        let value = |name| value(&cpu, name).ok();
        assert_eq!(
            (value("pc"), value("eip"), value("ip")),
            (Some(0x7c1d), Some(0x7c1d), Some(0x1d))
        );
        assert_eq!((value("sp"), value("esp")), (Some(0x9fff0), Some(0xfff0)));
        assert_eq!((value("eax"), value("ax")), (Some(0x5566_7788), Some(0x7788)));
        assert_eq!((value("al"), value("ah")), (Some(0x88), Some(0x77)));
        assert_eq!((value("cs"), value("cs_base")), (Some(0x7c0), Some(0x7c00)));
        assert_eq!((offset(&cpu, "sp"), offset(&cpu, "pc")), (Ok(0xfff0), Ok(0x1d)));
        for bad in ["", "x", "q", "axx", "l", "el", "é", "st0", "rax", "el\u{e9}"] {
            assert_eq!(value(bad), None, "{bad}");
        }
    }
}
