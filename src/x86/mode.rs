//! CPU modes, as far as they decide how code and addresses are read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::registers::{CR0_PE, CpuState, EFER_LMA, RFLAGS_VM};

/// The operating mode of the CPU together with the width of the code segment (SDM vol. 3A, 2.2 and 3.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CpuMode {
    /// Real-address mode.
    Real,
    /// Virtual-8086 mode.
    Virtual8086,
    /// Protected mode, 16-bit code segment.
    Protected16,
    /// Protected mode, 32-bit code segment.
    Protected32,
    /// IA-32e compatibility mode, 16-bit code segment.
    Compatibility16,
    /// IA-32e compatibility mode, 32-bit code segment.
    Compatibility32,
    /// IA-32e 64-bit mode.
    Long64,
}

impl CpuMode {
    /// All modes.
    pub const ALL: [CpuMode; 7] = [
        CpuMode::Real,
        CpuMode::Virtual8086,
        CpuMode::Protected16,
        CpuMode::Protected32,
        CpuMode::Compatibility16,
        CpuMode::Compatibility32,
        CpuMode::Long64,
    ];

    /// The mode that `cpu` is in.
    #[must_use]
    pub fn of(cpu: &CpuState) -> CpuMode {
        let cs = &cpu.segments.cs.access;
        if cpu.cr0 & CR0_PE == 0 {
            CpuMode::Real
        } else if cpu.rflags & RFLAGS_VM != 0 && cpu.efer & EFER_LMA == 0 {
            CpuMode::Virtual8086
        } else if cpu.efer & EFER_LMA != 0 {
            match (cs.long, cs.default_big) {
                (true, _) => CpuMode::Long64,
                (false, true) => CpuMode::Compatibility32,
                (false, false) => CpuMode::Compatibility16,
            }
        } else if cs.default_big {
            CpuMode::Protected32
        } else {
            CpuMode::Protected16
        }
    }

    /// Default width of code in bits: 16, 32 or 64.
    #[must_use]
    pub fn code_bits(self) -> u32 {
        match self {
            CpuMode::Real
            | CpuMode::Virtual8086
            | CpuMode::Protected16
            | CpuMode::Compatibility16 => 16,
            CpuMode::Protected32 | CpuMode::Compatibility32 => 32,
            CpuMode::Long64 => 64,
        }
    }

    /// Whether a selector is a paragraph number (base = selector × 16) and not an index into a table.
    #[must_use]
    pub fn has_paragraph_segments(self) -> bool {
        matches!(self, CpuMode::Real | CpuMode::Virtual8086)
    }
}

impl fmt::Display for CpuMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CpuMode::Real => "real mode",
            CpuMode::Virtual8086 => "virtual-8086 mode",
            CpuMode::Protected16 => "16-bit protected mode",
            CpuMode::Protected32 => "32-bit protected mode",
            CpuMode::Compatibility16 => "16-bit compatibility mode",
            CpuMode::Compatibility32 => "32-bit compatibility mode",
            CpuMode::Long64 => "64-bit long mode",
        })
    }
}
