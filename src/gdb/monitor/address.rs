//! Numbers and addresses as users type them.

use super::{CommandError, register};
use crate::machine::Machine;
use crate::x86::{self, CpuState, Linear, Phys, SegOff, SegmentName};

/// An address as it was typed, and where it leads before paging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// The segment's part in it, in words; nothing for a linear address.
    pub segment: Option<String>,
    pub linear: Linear,
}

/// Reads a number as C writes it: decimal, or hexadecimal after 0x.
pub(super) fn number(text: &str) -> Result<u64, CommandError> {
    x86::address::number(text)
        .ok_or_else(|| CommandError(format!("`{text}` is no number such as 31744 or 0x7c00")))
}

/// Reads a number, or the value of a register after `$`.
fn number_or_register(cpu: &CpuState, text: &str) -> Result<u64, CommandError> {
    text.strip_prefix('$').map_or_else(|| number(text), |name| register::value(cpu, name))
}

/// Reads a physical address: a number or a register as it stands. What is linear, `$pc`, `$sp` and pairs with
/// a segment, is looked up in the page tables.
pub(super) fn physical(machine: &Machine, text: &str) -> Result<Phys, CommandError> {
    let cpu = machine.cpu();
    let is_linear = text.contains(':') || matches!(text, "$pc" | "$eip" | "$rip" | "$sp");
    if !is_linear {
        return number_or_register(cpu, text).map(Phys);
    }
    let walk = machine.walk(typed(cpu, text)?.linear);
    walk.result.map(|page| page.phys).map_err(|fault| CommandError(format!("{text}: {fault}")))
}

/// Reads a linear address, a register such as `$pc`, `SEG:OFF` in hexadecimal as in real mode, or a segment
/// register and an offset such as `ds:0x10` and `$es:$di`.
pub(super) fn typed(cpu: &CpuState, text: &str) -> Result<Typed, CommandError> {
    let Some((left, right)) = text.split_once(':') else {
        return Ok(Typed { segment: None, linear: Linear(number_or_register(cpu, text)?) });
    };
    let left = left.strip_prefix('$').unwrap_or(left);
    let register = SegmentName::ALL.into_iter().find(|n| n.as_str().eq_ignore_ascii_case(left));
    let Some(name) = register else {
        let pair: SegOff = text.parse().map_err(|error| CommandError(format!("{error}")))?;
        let words = format!("{pair} is {:#x} * 16 + {:#x}", pair.segment, pair.offset);
        return Ok(Typed { segment: Some(words), linear: pair.linear() });
    };
    let offset = match right.strip_prefix('$') {
        Some(name) => register::offset(cpu, name)?,
        None => number(&format!("0x{}", right.strip_prefix("0x").unwrap_or(right)))?,
    };
    let linear = cpu.linear(name, offset);
    let segment = cpu.segments.get(name);
    let words = format!(
        "{}:{offset:#x} is base {:#x} + {offset:#x}, selector {:#06x}, limit {:#x}",
        name.as_str(),
        segment.base,
        segment.selector,
        segment.limit
    );
    Ok(Typed { segment: Some(words), linear })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::{Access, Segment};

    #[test]
    fn addresses_are_linear_pairs_or_register_and_offset() {
        let mut cpu = CpuState::default();
        cpu.segments.es = Segment::paragraph(0xb800, Access::DATA16);
        let linear = |text: &str| typed(&cpu, text).map(|typed| typed.linear.0);
        assert_eq!(linear("31744"), Ok(0x7c00));
        assert_eq!(linear("0x7c00"), Ok(0x7c00));
        assert_eq!(linear("07C0:0010"), Ok(0x7c10));
        assert_eq!(linear("es:0x10"), Ok(0xb8010));
        assert_eq!(linear("ES:10"), Ok(0xb8010));
        cpu.gpr[7] = 0x1_0020;
        let linear = |text: &str| typed(&cpu, text).map(|typed| typed.linear.0);
        assert_eq!((linear("$es:$di"), linear("$di")), (Ok(0xb8020), Ok(0x20)));
        let words = typed(&cpu, "es:10").unwrap().segment.unwrap();
        assert_eq!(words, "es:0x10 is base 0xb8000 + 0x10, selector 0xb800, limit 0xffff");
    }

    #[test]
    fn what_is_no_address_is_named() {
        let cpu = CpuState::default();
        for bad in [
            "", "0x", "x", "-1", "+1", "0x+1", "es:", "es:x", "1:2:3", "q:0", "$", "$$", "$:",
            "es:$",
        ] {
            assert!(typed(&cpu, bad).is_err(), "{bad}");
        }
        assert!(number("99999999999999999999").unwrap_err().to_string().contains("`999"));
    }
}
