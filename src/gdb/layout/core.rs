//! The core registers: conversions to gdbstub_arch's structs, and writing.

use gdbstub::arch::Registers;
use gdbstub_arch::x86::reg::{X86_64CoreRegs, X86CoreRegs, X86SegmentRegs, X87FpuInternalRegs};

use crate::x86::registers::{RFLAGS_FIXED, RFLAGS_VM};
use crate::x86::{CpuState, FpuState, Gpr, SegmentName};

use super::value::{check_canonical, check_width, low_64};
use super::{Change, RegisterError, RegisterFile, Row};

/// Flags that exist (SDM vol. 1, 3.4.3); the processor keeps the others as they are.
const FLAGS: u64 = 0x3f_7fd5;

/// gdb's order of the 64-bit registers is not that of the instruction encoding: rbx comes second, rbp seventh.
pub(super) const ORDER_64: [Gpr; 16] = [
    Gpr::Rax,
    Gpr::Rbx,
    Gpr::Rcx,
    Gpr::Rdx,
    Gpr::Rsi,
    Gpr::Rdi,
    Gpr::Rbp,
    Gpr::Rsp,
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
];

/// A register of the features that gdbstub_arch's structs cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CoreField {
    Gpr(Gpr),
    Pc,
    Flags,
    Selector(SegmentName),
    St(usize),
    Fctrl,
    Fstat,
    Ftag,
    Fiseg,
    Fioff,
    Foseg,
    Fooff,
    Fop,
    Xmm(usize),
    Mxcsr,
}

impl CoreField {
    /// Whether it is neither x87 nor SSE.
    pub(super) fn is_general(self) -> bool {
        matches!(
            self,
            CoreField::Gpr(_) | CoreField::Pc | CoreField::Flags | CoreField::Selector(_)
        )
    }

    /// The value, of a register that is neither x87 nor SSE.
    pub(super) fn integer(self, cpu: &CpuState) -> Option<u64> {
        match self {
            CoreField::Gpr(gpr) => Some(cpu.get(gpr)),
            CoreField::Pc => Some(cpu.pc().0),
            CoreField::Flags => Some(cpu.rflags),
            CoreField::Selector(name) => Some(cpu.segments.get(name).selector.into()),
            _ => None,
        }
    }

    pub(super) fn write_order(self) -> u8 {
        match self {
            CoreField::Selector(_) => 1,
            CoreField::Pc => 4,
            _ => 3,
        }
    }

    pub(super) fn write(
        self,
        file: &mut RegisterFile,
        value: u128,
        row: &Row,
    ) -> Result<Change, RegisterError> {
        match self {
            CoreField::Gpr(_) | CoreField::Pc | CoreField::Flags | CoreField::Selector(_) => {
                self.write_cpu(&mut file.cpu, low_64(value), row)
            }
            CoreField::St(n) => {
                if let Some(st) = file.fpu.st.get_mut(n) {
                    st.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from);
                }
                Ok(Change::Fpu)
            }
            CoreField::Xmm(n) => {
                if let Some(xmm) = file.fpu.xmm.get_mut(n) {
                    *xmm = value;
                }
                Ok(Change::Fpu)
            }
            _ => self.write_fpu(&mut file.fpu, low_64(value), row),
        }
    }

    fn write_cpu(self, cpu: &mut CpuState, value: u64, row: &Row) -> Result<Change, RegisterError> {
        match self {
            CoreField::Gpr(gpr) => {
                // A 32-bit layout shows half of a register; the other half is none of its business.
                let old = cpu.get_mut(gpr);
                *old = if row.bits == 32 { *old & !0xffff_ffff | value } else { value };
            }
            CoreField::Pc => cpu.rip = offset_of_pc(cpu, value, row)?,
            CoreField::Flags => {
                if (value ^ cpu.rflags) & RFLAGS_VM != 0 {
                    let reason = "virtual-8086 mode is entered by iret or a task switch only";
                    return Err(RegisterError::Combination {
                        name: row.name.clone(),
                        value,
                        reason,
                    });
                }
                cpu.rflags = value & FLAGS | RFLAGS_FIXED;
            }
            CoreField::Selector(name) => {
                check_width(row, u128::from(value), 16)?;
                #[allow(clippy::cast_possible_truncation)]
                let selector = value as u16;
                if !cpu.mode().has_paragraph_segments() {
                    return Ok(Change::LoadSelector(name, selector));
                }
                let segment = cpu.segments.get_mut(name);
                segment.selector = selector;
                segment.base = u64::from(selector) << 4;
            }
            _ => {}
        }
        Ok(Change::Cpu)
    }

    fn write_fpu(self, fpu: &mut FpuState, value: u64, row: &Row) -> Result<Change, RegisterError> {
        let bits = match self {
            CoreField::Fop => 11,
            CoreField::Fioff | CoreField::Fooff => 32,
            _ => 16,
        };
        check_width(row, u128::from(value), bits)?;
        #[allow(clippy::cast_possible_truncation)]
        let (word, double) = (value as u16, value as u32);
        match self {
            CoreField::Fctrl => fpu.fcw = word,
            CoreField::Fstat => fpu.fsw = word,
            CoreField::Ftag => fpu.set_full_tags(word),
            CoreField::Fiseg => fpu.fcs = word,
            CoreField::Fioff => fpu.fip = double,
            CoreField::Foseg => fpu.fds = word,
            CoreField::Fooff => fpu.fdp = double,
            CoreField::Fop => fpu.fop = word,
            CoreField::Mxcsr => fpu.mxcsr = double,
            _ => {}
        }
        Ok(Change::Fpu)
    }
}

/// The offset in CS of the linear address `pc`, if an instruction can stand there.
fn offset_of_pc(cpu: &CpuState, pc: u64, row: &Row) -> Result<u64, RegisterError> {
    if cpu.mode().code_bits() == 64 {
        check_canonical(row, pc)?;
        return Ok(pc);
    }
    let cs = &cpu.segments.cs;
    let offset = pc.wrapping_sub(cs.base) & 0xffff_ffff;
    if pc >> 32 != 0 || offset > u64::from(cs.limit) {
        return Err(RegisterError::NotInSegment);
    }
    Ok(offset)
}

pub(super) fn serialise_32(cpu: &CpuState, fpu: &FpuState, bytes: &mut Vec<u8>) {
    let gpr = |gpr| low_32(cpu.get(gpr));
    let mut xmm = [0; 8];
    xmm.iter_mut().zip(fpu.xmm).for_each(|(to, from)| *to = from);
    let core = X86CoreRegs {
        eax: gpr(Gpr::Rax),
        ecx: gpr(Gpr::Rcx),
        edx: gpr(Gpr::Rdx),
        ebx: gpr(Gpr::Rbx),
        esp: gpr(Gpr::Rsp),
        ebp: gpr(Gpr::Rbp),
        esi: gpr(Gpr::Rsi),
        edi: gpr(Gpr::Rdi),
        eip: low_32(cpu.pc().0),
        eflags: low_32(cpu.rflags),
        segments: segments(cpu),
        st: fpu.st,
        fpu: x87(fpu),
        xmm,
        mxcsr: fpu.mxcsr,
    };
    core.gdb_serialize(|byte| bytes.push(byte.unwrap_or_default()));
}

pub(super) fn serialise_64(cpu: &CpuState, fpu: &FpuState, bytes: &mut Vec<u8>) {
    let core = X86_64CoreRegs {
        regs: ORDER_64.map(|gpr| cpu.get(gpr)),
        eflags: low_32(cpu.rflags),
        rip: cpu.pc().0,
        segments: segments(cpu),
        st: fpu.st,
        fpu: x87(fpu),
        xmm: fpu.xmm,
        mxcsr: fpu.mxcsr,
    };
    core.gdb_serialize(|byte| bytes.push(byte.unwrap_or_default()));
}

fn segments(cpu: &CpuState) -> X86SegmentRegs {
    let selector = |name| u32::from(cpu.segments.get(name).selector);
    X86SegmentRegs {
        cs: selector(SegmentName::Cs),
        ss: selector(SegmentName::Ss),
        ds: selector(SegmentName::Ds),
        es: selector(SegmentName::Es),
        fs: selector(SegmentName::Fs),
        gs: selector(SegmentName::Gs),
    }
}

fn x87(fpu: &FpuState) -> X87FpuInternalRegs {
    X87FpuInternalRegs {
        fctrl: u32::from(fpu.fcw),
        fstat: u32::from(fpu.fsw),
        ftag: u32::from(fpu.full_tags()),
        fiseg: u32::from(fpu.fcs),
        fioff: fpu.fip,
        foseg: u32::from(fpu.fds),
        fooff: fpu.fdp,
        fop: u32::from(fpu.fop),
    }
}

#[allow(clippy::cast_possible_truncation)]
fn low_32(value: u64) -> u32 {
    value as u32
}
