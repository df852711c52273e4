//! The registers that tests compare, by the names that assemblers have for them.

use std::fmt;

use super::value::ValueError;
use crate::x86::{CpuState, Gpr, SegmentName};

/// A register that can be compared: general ones in all widths, the instruction pointer, flags, segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    place: Place,
    shift: u32,
    bits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    General(usize),
    Ip,
    Flags,
    Segment(SegmentName),
    Cr0,
}

/// In encoding order, without the first letter of the wide forms.
const GENERAL: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

impl Register {
    /// All bits that it has.
    pub(super) fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// Its value in `cpu`.
    pub(super) fn of(self, cpu: &CpuState) -> u64 {
        let whole = match self.place {
            Place::General(number) => cpu.gpr[number],
            Place::Ip => cpu.rip,
            Place::Flags => cpu.rflags,
            Place::Segment(name) => cpu.segments.get(name).selector.into(),
            Place::Cr0 => cpu.cr0,
        };
        whole >> self.shift & self.mask()
    }

    /// All names with their registers.
    fn all() -> impl Iterator<Item = (String, Register)> {
        let part = |place, shift, bits| Register { place, shift, bits };
        let wide = GENERAL.iter().enumerate().flat_map(move |(n, name)| {
            let place = Place::General(n);
            [(String::new(), 16), ("e".to_owned(), 32), ("r".to_owned(), 64)]
                .map(|(prefix, bits)| (prefix + name, part(place, 0, bits)))
        });
        let bytes = GENERAL.iter().take(4).enumerate().flat_map(move |(n, name)| {
            let letter = &name[..1];
            let place = Place::General(n);
            [(format!("{letter}l"), part(place, 0, 8)), (format!("{letter}h"), part(place, 8, 8))]
        });
        let index_bytes = GENERAL.iter().enumerate().skip(4);
        let index_bytes =
            index_bytes.map(move |(n, name)| (format!("{name}l"), part(Place::General(n), 0, 8)));
        let numbered = (Gpr::R8 as usize..=Gpr::R15 as usize).flat_map(move |n| {
            [("", 64), ("d", 32), ("w", 16), ("b", 8)]
                .map(|(end, bits)| (format!("r{n}{end}"), part(Place::General(n), 0, bits)))
        });
        let others = [("ip", 16), ("eip", 32), ("rip", 64)]
            .map(|(name, bits)| (name.to_owned(), part(Place::Ip, 0, bits)))
            .into_iter()
            .chain(
                [("flags", 16), ("eflags", 32), ("rflags", 64)]
                    .map(|(name, bits)| (name.to_owned(), part(Place::Flags, 0, bits))),
            );
        let segments = SegmentName::ALL
            .map(|name| (name.as_str().to_owned(), part(Place::Segment(name), 0, 16)));
        let control = std::iter::once(("cr0".to_owned(), part(Place::Cr0, 0, 64)));
        wide.chain(bytes)
            .chain(index_bytes)
            .chain(numbered)
            .chain(others)
            .chain(segments)
            .chain(control)
    }
}

impl std::str::FromStr for Register {
    type Err = ValueError;

    fn from_str(name: &str) -> Result<Register, ValueError> {
        let lower = name.trim_start_matches('$').to_ascii_lowercase();
        let mut all = Register::all();
        all.find(|(known, _)| *known == lower).map(|(_, register)| register).ok_or_else(|| {
            ValueError(format!(
                "`{name}` is no register such as al, ax, eax, rax, cs, ip or eflags"
            ))
        })
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Register::all().find(|(_, register)| register == self);
        f.write_str(&name.map(|(name, _)| name).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_their_parts() {
        let mut cpu = CpuState { rip: 0x1234_5678, ..CpuState::default() };
        *cpu.get_mut(Gpr::Rbx) = 0x1122_3344_5566_7788;
        let of = |name: &str| name.parse::<Register>().unwrap().of(&cpu);
        assert_eq!((of("bl"), of("bh"), of("bx")), (0x88, 0x77, 0x7788));
        assert_eq!((of("EBX"), of("$rbx")), (0x5566_7788, 0x1122_3344_5566_7788));
        assert_eq!((of("ip"), of("eip")), (0x5678, 0x1234_5678));
    }
}
