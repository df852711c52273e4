//! What a guest that runs freely sees otherwise than the manual has it, and nobody can make good.
//!
//! No plan depends on any of this, so it is tried when somebody asks and not with [`super::probe`].

use serde::Serialize;

use super::guest::{
    ABSENT_GATES, CODE, End, GATES16, Guest, MMIO, Mode, STACK, USER_CODE64, USER_DATA, paging_pae,
};
use crate::kvm::KvmError;
use crate::x86::registers::{
    CR0_PG, RFLAGS_AC, RFLAGS_FIXED, RFLAGS_IF, RFLAGS_IOPL, RFLAGS_SF, RFLAGS_VM, RFLAGS_ZF,
};
use crate::x86::vectors::INVALID_OPCODE;
use crate::x86::{Access, CpuState, Gpr, Segment, SegmentName};

/// What a guest that runs freely sees on this host: each is true where that is what the manual says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AsManual {
    /// Virtual-8086 mode is there: EFLAGS.VM stays set (SDM vol. 3B, 20.2).
    pub virtual_8086: bool,
    /// Protected mode can have PAE paging: CR0.PG stays set (SDM vol. 3A, 4.1).
    pub paging_pae: bool,
    /// Exceptions through 16-bit gates push words (SDM vol. 3A, 6.12.1).
    pub gates16: bool,
    /// PUSHFQ in ring 3 of long mode pushes the IF and IOPL that the guest set.
    pub ring3_flags: bool,
    /// Exceptions leave AC alone outside real mode (SDM vol. 3A, 6.12.1.3).
    pub exception_keeps_ac: bool,
    /// Exceptions of real mode leave the upper half of ESP alone.
    pub exception_keeps_esp: bool,
    /// AAM sets SF and ZF by AL (SDM vol. 2A, AAM).
    pub aam_flags: bool,
    /// ENTER pushes EBP in the width of its operands (SDM vol. 2A, ENTER).
    pub enter_width: bool,
    /// An exception whose gate is not present is #NP (SDM vol. 3A, 6.15).
    pub absent_gate: bool,
    /// The error code of that has its bit EXT set (SDM vol. 3A, 6.13).
    pub error_code_ext: bool,
    /// #NP while #DE is delivered is a double fault (SDM vol. 3A, 6.15).
    pub double_fault: bool,
    /// An exception whose entry is no gate for one is #GP (SDM vol. 3A, 6.12).
    pub gate_types: bool,
    /// IRETQ to ring 3 makes DS null if it is of ring 0 (SDM vol. 2A, IRET).
    pub iretq_nulls_segments: bool,
}

/// Tries it; takes a millisecond or two.
///
/// # Errors
/// KVM is missing, not permitted, or fails altogether.
pub fn as_manual() -> Result<AsManual, KvmError> {
    let mut guest = Guest::new()?;
    let guest = &mut guest;
    // First, since a processor may take the #NP of the other for a fault that it still delivers.
    let double_fault = double_fault(guest)?;
    let (absent_gate, error_code_ext) = absent_gate(guest)?;
    Ok(AsManual {
        virtual_8086: virtual_8086(guest)?,
        paging_pae: paging(guest, paging_pae)?,
        gates16: gates16(guest)?,
        ring3_flags: ring3_flags(guest)?,
        exception_keeps_ac: exception_keeps_ac(guest)?,
        exception_keeps_esp: exception_keeps_esp(guest)?,
        aam_flags: aam_flags(guest)?,
        enter_width: enter_width(guest)?,
        absent_gate,
        error_code_ext,
        double_fault,
        gate_types: gate_types(guest)?,
        iretq_nulls_segments: iretq_nulls_segments(guest)?,
    })
}

const UD2: [u8; 2] = [0x0f, 0x0b];
/// The access byte of a 32-bit call gate that is present (SDM vol. 3A, 5.8.3).
const CALL_GATE: u8 = 0x8c;

/// `nop; mov [di], al` to memory that is not RAM, with VM set: the host may take it away at once, or when it runs.
fn virtual_8086(guest: &mut Guest) -> Result<bool, KvmError> {
    let loaded = guest.load(Mode::Protected, &[0x90, 0x88, 0x05], |cpu| {
        cpu.rflags |= RFLAGS_VM | RFLAGS_IOPL;
        // All its segments are data of ring 3 (SDM vol. 3C, 26.3.1.2).
        let access = Access { kind: 3, dpl: 3, ..Access::DATA16 };
        for name in SegmentName::ALL {
            *cpu.segments.get_mut(name) = Segment::paragraph(0, access);
        }
        cpu.segments.ds = Segment::paragraph((MMIO >> 4) as u16, access);
        *cpu.get_mut(Gpr::Rdi) = 0;
    });
    match loaded {
        Err(KvmError::Virtual8086) => return Ok(false),
        loaded => loaded?,
    }
    let end = guest.run_free()?;
    let kept = guest.cpu().rflags & RFLAGS_VM != 0;
    if end == End::Access {
        guest.complete()?;
    }
    Ok(end == End::Access && kept)
}

/// `mov cr0, eax; nop`.
pub(super) fn paging(guest: &mut Guest, prepare: fn(&mut CpuState)) -> Result<bool, KvmError> {
    guest.load(Mode::Protected, &[0x0f, 0x22, 0xc0, 0x90], prepare)?;
    Ok(guest.run_free()? == End::Finished && guest.cpu().cr0 & CR0_PG != 0)
}

/// `ud2` through a gate of 16 bits.
fn gates16(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Protected, &UD2, |cpu| cpu.idtr.base = GATES16)?;
    Ok(guest.run_free()? == End::Handled && guest.cpu().get(Gpr::Rsp) == STACK - 3 * 2)
}

/// `pushfq`.
fn ring3_flags(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::User, &[0x9c], |_| {})?;
    guest.run_free()?;
    let pushed = u64::from(guest.read_word(STACK - 8));
    Ok(pushed & (RFLAGS_IF | RFLAGS_IOPL) == RFLAGS_IOPL)
}

fn exception_keeps_ac(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Protected, &UD2, |cpu| cpu.rflags |= RFLAGS_AC)?;
    Ok(guest.run_free()? == End::Handled && guest.cpu().rflags & RFLAGS_AC != 0)
}

fn exception_keeps_esp(guest: &mut Guest) -> Result<bool, KvmError> {
    const UPPER: u64 = 0xabcd_0000;
    guest.load(Mode::Real, &UD2, |cpu| *cpu.get_mut(Gpr::Rsp) |= UPPER)?;
    Ok(guest.run_free()? == End::Handled && guest.cpu().get(Gpr::Rsp) == UPPER | (STACK - 3 * 2))
}

/// `aam` with a quotient of 2 and no remainder: AL is 0, AX is not.
fn aam_flags(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0xd4, 10], |cpu| *cpu.get_mut(Gpr::Rax) = 20)?;
    Ok(guest.run_free()? == End::Finished
        && guest.cpu().rflags & (RFLAGS_SF | RFLAGS_ZF) == RFLAGS_ZF)
}

/// `enter 0, 0` with 32-bit operands on a 16-bit stack.
fn enter_width(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0x66, 0xc8, 0, 0, 0], |_| {})?;
    Ok(guest.run_free()? == End::Finished && guest.cpu().get(Gpr::Rsp) == STACK - 4)
}

/// `ud2` with a gate that is not present: whether #NP comes, and its error code has EXT set.
fn absent_gate(guest: &mut Guest) -> Result<(bool, bool), KvmError> {
    let error_code = fault_without_gate(guest, &UD2)?;
    let comes = error_code.is_some_and(|error_code| error_code != 0);
    Ok((comes, comes && error_code.is_some_and(|error_code| error_code & 1 != 0)))
}

/// `div ecx` by zero with a gate that is not present.
fn double_fault(guest: &mut Guest) -> Result<bool, KvmError> {
    Ok(fault_without_gate(guest, &[0xf7, 0xf1])? == Some(0))
}

/// The error code that #NP or #DF pushes, for `code` whose own exception has no gate. That of #DF is 0.
fn fault_without_gate(guest: &mut Guest, code: &[u8]) -> Result<Option<u16>, KvmError> {
    guest.load(Mode::Protected, code, |cpu| cpu.idtr.base = ABSENT_GATES)?;
    let handled = guest.run_free()? == End::Handled;
    Ok(handled.then(|| guest.read_word(STACK - 16)))
}

/// `ud2` with a call gate in the place of its own: #GP has no gate that is present, so that #DF comes, with an error code.
fn gate_types(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.replace_gate(ABSENT_GATES, INVALID_OPCODE, CALL_GATE);
    guest.load(Mode::Protected, &UD2, |cpu| cpu.idtr.base = ABSENT_GATES)?;
    let handled = guest.run_free()? == End::Handled;
    Ok(handled && guest.cpu().get(Gpr::Rsp) == STACK - 4 * 4)
}

/// `iretq`.
fn iretq_nulls_segments(guest: &mut Guest) -> Result<bool, KvmError> {
    let frame = [CODE + 2, USER_CODE64.into(), RFLAGS_FIXED | RFLAGS_IOPL, STACK, USER_DATA.into()];
    let top = STACK - 8 * frame.len() as u64;
    for (word, at) in frame.iter().zip((top..).step_by(8)) {
        guest.write(at, &word.to_le_bytes());
    }
    guest.load(Mode::Long, &[0x48, 0xcf], |cpu| *cpu.get_mut(Gpr::Rsp) = top)?;
    guest.run_free()?;
    Ok(guest.cpu().segments.ds.selector & !3 == 0)
}
