//! What is compared after each step: general registers, instruction pointer, flags, selectors.

use std::fmt;

use stepvisor::x86::{CpuState, Gpr, SegmentName};

/// The general registers in the order of gdb's description of a 64-bit x86.
const ORDER: [(Gpr, &str); 16] = [
    (Gpr::Rax, "rax"),
    (Gpr::Rbx, "rbx"),
    (Gpr::Rcx, "rcx"),
    (Gpr::Rdx, "rdx"),
    (Gpr::Rsi, "rsi"),
    (Gpr::Rdi, "rdi"),
    (Gpr::Rbp, "rbp"),
    (Gpr::Rsp, "rsp"),
    (Gpr::R8, "r8"),
    (Gpr::R9, "r9"),
    (Gpr::R10, "r10"),
    (Gpr::R11, "r11"),
    (Gpr::R12, "r12"),
    (Gpr::R13, "r13"),
    (Gpr::R14, "r14"),
    (Gpr::R15, "r15"),
];

const SEGMENTS: [(SegmentName, &str); 6] = [
    (SegmentName::Cs, "cs"),
    (SegmentName::Ss, "ss"),
    (SegmentName::Ds, "ds"),
    (SegmentName::Es, "es"),
    (SegmentName::Fs, "fs"),
    (SegmentName::Gs, "gs"),
];

/// Bytes of these registers in a `g` packet.
pub const REGISTERS_SIZE: usize = 16 * 8 + 8 + 4 + 6 * 4;

/// The visible registers of integer code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// In the order of [`ORDER`].
    pub gpr: [u64; 16],
    pub rip: u64,
    pub flags: u32,
    /// In the order of [`SEGMENTS`].
    pub selectors: [u32; 6],
}

impl State {
    pub fn of(cpu: &CpuState) -> State {
        State {
            gpr: ORDER.map(|(gpr, _)| cpu.get(gpr)),
            rip: cpu.rip,
            flags: cpu.rflags as u32,
            selectors: SEGMENTS.map(|(name, _)| cpu.segments.get(name).selector.into()),
        }
    }

    pub fn from_hex(text: &str) -> Option<State> {
        let mut at = 0;
        let mut field = |size: usize| {
            let mut value = 0;
            for index in (0..size).rev() {
                let digits = text.get(at + 2 * index..at + 2 * index + 2)?;
                value = value << 8 | u64::from_str_radix(digits, 16).ok()?;
            }
            at += 2 * size;
            Some(value)
        };
        let mut gpr = [0; 16];
        for register in &mut gpr {
            *register = field(8)?;
        }
        let (rip, flags) = (field(8)?, field(4)? as u32);
        let mut selectors = [0; 6];
        for selector in &mut selectors {
            *selector = field(4)? as u32;
        }
        Some(State { gpr, rip, flags, selectors })
    }

    pub fn to_hex(&self) -> String {
        let mut bytes = vec![];
        for value in self.gpr.iter().chain([&self.rip]) {
            bytes.extend(value.to_le_bytes());
        }
        for value in [self.flags].iter().chain(&self.selectors) {
            bytes.extend(value.to_le_bytes());
        }
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The registers in which `other` differs, as far as `flags` are those to compare.
    pub fn differences(&self, other: &State, flags: u32) -> Vec<String> {
        let mut list = vec![];
        let mut note = |name: &str, ours: u64, theirs: u64| {
            if ours != theirs {
                list.push(format!("{name}: {ours:x}, QEMU {theirs:x}"));
            }
        };
        for (index, (_, name)) in ORDER.iter().enumerate() {
            note(name, self.gpr[index], other.gpr[index]);
        }
        note("rip", self.rip, other.rip);
        note("eflags", (self.flags & flags).into(), (other.flags & flags).into());
        for (index, (_, name)) in SEGMENTS.iter().enumerate() {
            note(name, self.selectors[index].into(), other.selectors[index].into());
        }
        list
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (_, name)) in ORDER.iter().enumerate() {
            if index < 8 || self.gpr[index] != 0 {
                write!(f, "{name}={:x} ", self.gpr[index])?;
            }
        }
        write!(f, "rip={:x} eflags={:x}", self.rip, self.flags)?;
        for (index, (_, name)) in SEGMENTS.iter().enumerate() {
            write!(f, " {name}={:x}", self.selectors[index])?;
        }
        Ok(())
    }
}
