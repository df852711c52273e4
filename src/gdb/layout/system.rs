//! Registers of our own: segment bases, control registers, descriptor tables, debug registers, the mode.

use crate::x86::registers::{CR0_PE, CR0_PG, EFER_LMA, EFER_LME};
use crate::x86::{CpuMode, CpuState, Gpr, SegmentName};

use super::value::{check_canonical, check_width, low_64};
use super::{Change, RegisterError, RegisterFile, Row};

/// CR0.NW and CR0.CD: the first needs the second (SDM vol. 3A, 2.5).
const CR0_NW: u64 = 1 << 29;
const CR0_CD: u64 = 1 << 30;
/// EFER bits that exist: SCE, LME, LMA, NXE, SVME, LMSLE, FFXSR, TCE (AMD APM vol. 2, 3.1.7).
const EFER: u64 = 0xfd01;

/// A register outside the features that gdb knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemField {
    /// SS.base + SP.
    StackTop,
    /// The offset in CS.
    Ip,
    Base(SegmentName),
    Cr0,
    Cr2,
    Cr3,
    Cr4,
    Cr8,
    Efer,
    GdtrBase,
    GdtrLimit,
    IdtrBase,
    IdtrLimit,
    Ldtr,
    LdtrBase,
    Tr,
    TrBase,
    Debug(usize),
    Mode,
}

impl SystemField {
    /// Whether clients and unwinders look at it at every stop.
    pub(super) fn is_expedited(self) -> bool {
        matches!(
            self,
            SystemField::StackTop | SystemField::Ip | SystemField::Base(_) | SystemField::Mode
        )
    }

    pub(super) fn write_order(self) -> u8 {
        match self {
            SystemField::StackTop | SystemField::Ip => 4,
            SystemField::Base(_) => 2,
            _ => 0,
        }
    }

    pub(super) fn read(self, cpu: &CpuState, debug: &[u64; 8]) -> u64 {
        match self {
            SystemField::StackTop => {
                let ss = &cpu.segments.ss;
                ss.base.wrapping_add(cpu.get(Gpr::Rsp) & cpu.stack_mask())
            }
            SystemField::Ip => cpu.rip,
            SystemField::Base(name) => cpu.segments.get(name).base,
            SystemField::Cr0 => cpu.cr0,
            SystemField::Cr2 => cpu.cr2,
            SystemField::Cr3 => cpu.cr3,
            SystemField::Cr4 => cpu.cr4,
            SystemField::Cr8 => cpu.cr8,
            SystemField::Efer => cpu.efer,
            SystemField::GdtrBase => cpu.gdtr.base,
            SystemField::GdtrLimit => u64::from(cpu.gdtr.limit),
            SystemField::IdtrBase => cpu.idtr.base,
            SystemField::IdtrLimit => u64::from(cpu.idtr.limit),
            SystemField::Ldtr => u64::from(cpu.ldtr.selector),
            SystemField::LdtrBase => cpu.ldtr.base,
            SystemField::Tr => u64::from(cpu.tr.selector),
            SystemField::TrBase => cpu.tr.base,
            SystemField::Debug(n) => debug.get(n).copied().unwrap_or_default(),
            SystemField::Mode => u64::from(mode_number(cpu.mode())),
        }
    }

    pub(super) fn write(
        self,
        file: &mut RegisterFile,
        value: u128,
        row: &Row,
    ) -> Result<Change, RegisterError> {
        let value = low_64(value);
        let cpu = &mut file.cpu;
        match self {
            SystemField::StackTop => write_stack_top(cpu, value)?,
            SystemField::Ip => {
                if value > u64::from(cpu.segments.cs.limit) {
                    return Err(RegisterError::NotInSegment);
                }
                cpu.rip = value;
            }
            SystemField::Base(name) => {
                check_address(cpu, row, value)?;
                cpu.segments.get_mut(name).base = value;
            }
            SystemField::Cr0 => {
                check_cr0(row, value)?;
                cpu.cr0 = value;
                follow_long_mode(cpu);
            }
            SystemField::Cr2 => cpu.cr2 = value,
            SystemField::Cr3 => cpu.cr3 = value,
            SystemField::Cr4 => cpu.cr4 = value,
            SystemField::Cr8 => {
                check_width(row, u128::from(value), 4)?;
                cpu.cr8 = value;
            }
            SystemField::Efer => {
                let reserved = value & !EFER;
                if reserved != 0 {
                    return Err(RegisterError::Reserved {
                        name: row.name.clone(),
                        value,
                        reserved,
                    });
                }
                cpu.efer = value;
                follow_long_mode(cpu);
            }
            SystemField::GdtrBase => {
                check_address(cpu, row, value)?;
                cpu.gdtr.base = value;
            }
            SystemField::IdtrBase => {
                check_address(cpu, row, value)?;
                cpu.idtr.base = value;
            }
            SystemField::LdtrBase => {
                check_address(cpu, row, value)?;
                cpu.ldtr.base = value;
            }
            SystemField::TrBase => {
                check_address(cpu, row, value)?;
                cpu.tr.base = value;
            }
            SystemField::GdtrLimit => cpu.gdtr.limit = word(value),
            SystemField::IdtrLimit => cpu.idtr.limit = word(value),
            SystemField::Ldtr => cpu.ldtr.selector = word(value),
            SystemField::Tr => cpu.tr.selector = word(value),
            SystemField::Debug(n) => {
                if n < 4 {
                    check_address(cpu, row, value)?;
                }
                if let Some(debug) = file.debug.get_mut(n) {
                    *debug = value;
                }
                return Ok(Change::Debug);
            }
            SystemField::Mode if value == u64::from(mode_number(cpu.mode())) => {}
            SystemField::Mode => return Err(RegisterError::Derived),
        }
        Ok(Change::Cpu)
    }
}

/// The value that stands for `mode` in the register `mode`.
pub(super) fn mode_number(mode: CpuMode) -> u8 {
    match mode {
        CpuMode::Real => 0,
        CpuMode::Virtual8086 => 1,
        CpuMode::Protected16 => 2,
        CpuMode::Protected32 => 3,
        CpuMode::Compatibility16 => 4,
        CpuMode::Compatibility32 => 5,
        CpuMode::Long64 => 6,
    }
}

/// Refuses a linear address that the mode has not: 32 bits, or in long mode a canonical one.
fn check_address(cpu: &CpuState, row: &Row, value: u64) -> Result<(), RegisterError> {
    if cpu.efer & EFER_LMA != 0 {
        check_canonical(row, value)
    } else {
        check_width(row, u128::from(value), 32)
    }
}

fn check_cr0(row: &Row, value: u64) -> Result<(), RegisterError> {
    let reason = if value & CR0_PG != 0 && value & CR0_PE == 0 {
        "paging needs protection, pg needs pe"
    } else if value & CR0_NW != 0 && value & CR0_CD == 0 {
        "nw needs cd"
    } else {
        return Ok(());
    };
    Err(RegisterError::Combination { name: row.name.clone(), value, reason })
}

/// Long mode is active when it is enabled and paging is on; the processor keeps that bit itself.
fn follow_long_mode(cpu: &mut CpuState) {
    let active = cpu.efer & EFER_LME != 0 && cpu.cr0 & CR0_PG != 0;
    cpu.efer = cpu.efer & !EFER_LMA | if active { EFER_LMA } else { 0 };
}

fn write_stack_top(cpu: &mut CpuState, value: u64) -> Result<(), RegisterError> {
    let mask = cpu.stack_mask();
    let offset = value.wrapping_sub(cpu.segments.ss.base) & 0xffff_ffff;
    if offset > mask {
        return Err(RegisterError::NotInSegment);
    }
    let rsp = cpu.get_mut(Gpr::Rsp);
    *rsp = *rsp & !mask | offset;
    Ok(())
}

#[allow(clippy::cast_possible_truncation)]
fn word(value: u64) -> u16 {
    value as u16
}
