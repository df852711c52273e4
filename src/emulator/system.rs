//! System instructions (SDM vol. 2): extended control registers, time stamps, monitors, SYSENTER, cache
//! lines, random numbers and 16-byte compare and exchange.

use iced_x86::{Code, CpuidFeature, EncodingKind, Instruction, Mnemonic, Register};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::AccessKind;
use super::operands::set_register;
use super::{Unsupported, flags};
use crate::x86::registers::{
    CR0_EM, CR0_MP, CR0_NE, CR0_PE, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE, CR4_TSD, RFLAGS_AC, RFLAGS_CF,
    RFLAGS_IF, RFLAGS_RF, RFLAGS_VM, RFLAGS_ZF,
};
use crate::x86::vectors::{DEVICE_NOT_AVAILABLE, X87_ERROR};
use crate::x86::{Access, Gpr, Segment};

/// MSRs that instructions here look at (SDM vol. 4, table 2-2).
pub(super) mod msr {
    pub const TIME_STAMP_COUNTER: u32 = 0x10;
    pub const SYSENTER_CS: u32 = 0x174;
    pub const SYSENTER_ESP: u32 = 0x175;
    pub const SYSENTER_EIP: u32 = 0x176;
    pub const TSC_AUX: u32 = 0xc000_0103;
}

impl Execution<'_> {
    /// XGETBV.
    pub(super) fn xgetbv(&mut self) -> Result<(), Trouble> {
        if self.cpu.cr4 & CR4_OSXSAVE == 0 {
            return Err(Fault::UD.into());
        }
        let index = self.gpr(Gpr::Rcx) as u32;
        let value = self.env.xcr(index).ok_or(Fault::gp(0))?;
        self.set_edx_eax(value);
        Ok(())
    }

    /// RDTSCP.
    pub(super) fn rdtscp(&mut self) -> Result<(), Trouble> {
        if self.cpu.cr4 & CR4_TSD != 0 && self.cpu.cpl() != 0 {
            return Err(Fault::gp(0).into());
        }
        let time = self.env.msr(msr::TIME_STAMP_COUNTER).ok_or(Fault::UD)?;
        let aux = self.env.msr(msr::TSC_AUX).unwrap_or(0);
        self.set_edx_eax(time);
        set_register(&mut self.cpu, Register::ECX, aux);
        Ok(())
    }

    fn set_edx_eax(&mut self, value: u64) {
        set_register(&mut self.cpu, Register::EAX, value & 0xffff_ffff);
        set_register(&mut self.cpu, Register::EDX, value >> 32);
    }

    /// MONITOR and MWAIT. One processor waits for nobody: MONITOR checks its address, and MWAIT goes on
    /// at once, as the manual lets it ("may be a NOP").
    pub(super) fn monitor(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        if self.cpu.cpl() != 0 {
            return Err(Fault::UD.into());
        }
        if self.gpr(Gpr::Rcx) as u32 > u32::from(instruction.mnemonic() == Mnemonic::Mwait) {
            return Err(Fault::gp(0).into());
        }
        if instruction.mnemonic() == Mnemonic::Monitor {
            self.probe_line(instruction)?;
        }
        Ok(())
    }

    /// Looks whether a byte at DS:rAX can be read.
    fn probe_line(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let (segment, _) = self.effective_address(instruction);
        let mask = match instruction.code() {
            Code::Monitorw => 0xffff,
            Code::Monitord => 0xffff_ffff,
            _ => u64::MAX,
        };
        let addr = self.logical(segment, self.gpr(Gpr::Rax) & mask, 1, AccessKind::Read)?;
        self.pieces(addr, 1, self.own_rights(AccessKind::Read))?;
        Ok(())
    }

    /// CLWB: the line has to be there, and is in memory already.
    pub(super) fn write_back_line(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let (segment, offset) = self.effective_address(instruction);
        let addr = self.logical(segment, offset, 1, AccessKind::Read)?;
        self.pieces(addr, 1, self.own_rights(AccessKind::Read))?;
        Ok(())
    }

    /// CLAC and STAC.
    pub(super) fn set_access_check(&mut self, on: bool) -> Result<(), Trouble> {
        if self.cpu.cpl() != 0 {
            return Err(Fault::UD.into());
        }
        self.set_flag(RFLAGS_AC, on);
        Ok(())
    }

    /// RDRAND and RDSEED.
    pub(super) fn random(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let value = self.env.random();
        self.cpu.rflags &= !flags::STATUS;
        let size = self.register_size(instruction);
        let number = value.unwrap_or(0);
        self.set_operand(instruction, 0, size, number)?;
        self.set_flag(RFLAGS_CF, value.is_some());
        Ok(())
    }

    /// CMPXCHG16B.
    pub(super) fn compare_exchange_16(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        let (segment, offset) = self.effective_address(instruction);
        let addr = self.logical(segment, offset, 16, AccessKind::Write)?;
        if addr.0 & 0xf != 0 {
            return Err(Fault::gp(0).into());
        }
        let rights = self.own_rights(AccessKind::Write);
        let mut bytes = [0; 16];
        self.read_linear(addr, &mut bytes, rights)?;
        let found = u128::from_le_bytes(bytes);
        let pair = |high, low| u128::from(self.gpr(high)) << 64 | u128::from(self.gpr(low));
        let equal = found == pair(Gpr::Rdx, Gpr::Rax);
        let written = if equal { pair(Gpr::Rcx, Gpr::Rbx) } else { found };
        self.write_linear(addr, &written.to_le_bytes(), rights)?;
        if !equal {
            *self.cpu.get_mut(Gpr::Rax) = found as u64;
            *self.cpu.get_mut(Gpr::Rdx) = (found >> 64) as u64;
        }
        self.set_flag(RFLAGS_ZF, equal);
        Ok(())
    }

    /// SYSENTER. AMD's processors have none in IA-32e mode.
    pub(super) fn sysenter(&mut self) -> Result<(), Trouble> {
        let cs = self.sysenter_selector()?;
        let wide = self.is_ia32e();
        let target = |env: &mut dyn super::Environment, index| env.msr(index).unwrap_or(0);
        let (rsp, rip) = (target(self.env, msr::SYSENTER_ESP), target(self.env, msr::SYSENTER_EIP));
        self.cpu.rflags &= !(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
        self.flat_segments(cs & !3, 0, wide);
        let mask = if wide { u64::MAX } else { 0xffff_ffff };
        *self.cpu.get_mut(Gpr::Rsp) = rsp & mask;
        self.cpu.rip = rip & mask;
        Ok(())
    }

    /// SYSEXIT, to 64-bit code with `wide`.
    pub(super) fn sysexit(&mut self, wide: bool) -> Result<(), Trouble> {
        let cs = self.sysenter_selector()?;
        if self.cpu.cpl() != 0 {
            return Err(Fault::gp(0).into());
        }
        let (rsp, rip) = (self.gpr(Gpr::Rcx), self.gpr(Gpr::Rdx));
        if wide && !(self.is_canonical(rsp) && self.is_canonical(rip)) {
            return Err(Fault::gp(0).into());
        }
        self.flat_segments((cs | 3).wrapping_add(if wide { 32 } else { 16 }), 3, wide);
        let mask = if wide { u64::MAX } else { 0xffff_ffff };
        *self.cpu.get_mut(Gpr::Rsp) = rsp & mask;
        self.cpu.rip = rip & mask;
        Ok(())
    }

    fn sysenter_selector(&mut self) -> Result<u16, Trouble> {
        if self.is_ia32e() && !self.env.features().is_intel() {
            return Err(Fault::UD.into());
        }
        let selector = self.env.msr(msr::SYSENTER_CS).unwrap_or(0) as u16;
        if self.cpu.cr0 & CR0_PE == 0 || selector & !3 == 0 {
            return Err(Fault::gp(0).into());
        }
        Ok(selector)
    }

    /// Flat code at `selector` and flat data behind it, whatever the descriptors say.
    fn flat_segments(&mut self, selector: u16, ring: u8, wide: bool) {
        let flat = |selector, kind| {
            let access =
                Access { kind, dpl: ring, granularity: true, default_big: true, ..Access::DATA16 };
            Segment { selector, base: 0, limit: u32::MAX, access }
        };
        let mut code = flat(selector, 0xb);
        (code.access.long, code.access.default_big) = (wide, !wide);
        self.cpu.segments.cs = code;
        self.cpu.segments.ss = flat(selector.wrapping_add(8), 3);
    }

    /// WAIT. Without CR0.NE a pending exception would be an interrupt from outside, which nobody sends.
    pub(super) fn wait(&mut self) -> Result<(), Trouble> {
        let belongs_to_another_task = self.cpu.cr0 & (CR0_TS | CR0_MP) == CR0_TS | CR0_MP;
        if belongs_to_another_task {
            return Err(NM.into());
        }
        if self.cpu.cr0 & CR0_NE != 0 && self.env.x87_exception_pending() {
            return Err(Fault::bare(X87_ERROR).into());
        }
        Ok(())
    }

    /// What belongs to x87, MMX, SSE or AVX: the exceptions of an operating system that has switched it off
    /// (SDM vol. 3A, 2.5 and 13.1). The instructions themselves are for a module that is to come.
    pub(super) fn not_integer(&self, instruction: &Instruction) -> Trouble {
        let cr0 = |flag| self.cpu.cr0 & flag != 0;
        let off = |flag| self.cpu.cr4 & flag == 0;
        let uses = |test: fn(Register) -> bool| {
            (0..instruction.op_count()).any(|index| test(instruction.op_register(index)))
        };
        let needs =
            |those: &[CpuidFeature]| instruction.cpuid_features().iter().any(|f| those.contains(f));
        let mmx = instruction.mnemonic() == Mnemonic::Emms || uses(Register::is_mm);
        let fault = if instruction.encoding() != EncodingKind::Legacy || needs(&XSAVE) {
            off(CR4_OSXSAVE).then_some(Fault::UD)
        } else if needs(&X87) {
            cr0(CR0_EM).then_some(NM)
        } else if mmx && !uses(Register::is_vector_register) {
            cr0(CR0_EM).then_some(Fault::UD)
        } else {
            (cr0(CR0_EM) || off(CR4_OSFXSR)).then_some(Fault::UD)
        };
        match fault {
            Some(fault) => fault.into(),
            None if cr0(CR0_TS) && instruction.mnemonic() != Mnemonic::Xsetbv => NM.into(),
            None => Unsupported::Fpu.into(),
        }
    }
}

/// #NM.
const NM: Fault = Fault::bare(DEVICE_NOT_AVAILABLE);

/// The generations of x87, and FXSAVE, which goes with it.
const X87: [CpuidFeature; 4] =
    [CpuidFeature::FPU, CpuidFeature::FPU287, CpuidFeature::FPU387, CpuidFeature::FXSR];

/// XSAVE, XRSTOR, their kin, and XSETBV.
const XSAVE: [CpuidFeature; 4] =
    [CpuidFeature::XSAVE, CpuidFeature::XSAVEOPT, CpuidFeature::XSAVEC, CpuidFeature::XSAVES];
