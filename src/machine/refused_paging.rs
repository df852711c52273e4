//! Paging that this host's KVM does not have: some software KVMs raise #GP where a guest switches it on outside long
//! mode.
//!
//! A step stops before such a MOV CR0. A guest that runs freely gets there unnoticed; it is found when it stops or is
//! interrupted, by the frame that its handler of #GP has on the stack, or where the processor shut down. Either way
//! this is a refusal of the host's, whatever the handler makes of it. Where the value is known no more, or any
//! processor would raise #GP for it, it is none.

use super::{Machine, StopReason};
use crate::kvm::{KvmError, probe};
use crate::x86::instruction::Kind;
use crate::x86::registers::{CR0_CD, CR0_NW, CR0_PE, CR0_PG, EFER_LME, RFLAGS_FIXED, RFLAGS_RF};
use crate::x86::{CpuMode, CpuState, Gpr, Linear, SegmentName, instruction};

const CAUSE: &str = "it switches paging on, which this KVM has in long mode only";
/// Bytes of the stack that are searched for the frame.
const SEARCHED: usize = 4096;
/// The same in real mode, where a frame is told by less: a handler that has gone further than that is not found.
const SEARCHED_IN_REAL_MODE: usize = 256;
/// In protected mode the search begins so many bytes below ESP: the handler may have taken its error code.
const BELOW: u64 = 4;
/// The bits of CR0 that mean something (SDM vol. 3A, 2.5).
const CR0_DEFINED: u64 = 0xe005_003f;
/// Bits that are always 0 in EFLAGS (SDM vol. 1, 3.4.3).
const RFLAGS_ZERO: u64 = 0xffc0_8028;
/// Bytes of INT n and of far CALLs: from two to an operand-size prefix, FF /3, SIB and a displacement of 32 bits.
const CALL_LEN: std::ops::RangeInclusive<usize> = 2..=8;

/// The program that the exception interrupted.
struct Interrupted {
    cpu: CpuState,
    /// The frame is the last thing on the stack, so that these are all its registers.
    whole: bool,
}

impl Machine {
    /// The refusal if the next instruction switches on paging that this host does not have.
    pub(super) fn paging_refused_here(&self) -> Result<Option<StopReason>, KvmError> {
        let cpu = self.vcpu.cpu();
        let refused = self.switches_paging_on(cpu) && !probe::host_facts()?.paging32;
        Ok(refused.then(|| self.refused_at(cpu, CAUSE)))
    }

    /// The refusal that `stop` has come of, in the handler of the #GP or for lack of one.
    pub(super) fn refused_paging_behind(
        &mut self,
        stop: &StopReason,
    ) -> Result<Option<StopReason>, KvmError> {
        match stop {
            // Of an instruction, and the registers are those before it.
            StopReason::Shutdown { .. }
                if self.inexact.is_none() && self.interrupts.fatal.is_none() =>
            {
                self.find_refused_paging()
            }
            // The next instruction has not had its turn.
            StopReason::Halted { .. }
            | StopReason::Exit { .. }
            | StopReason::Reset { .. }
            | StopReason::PowerOff { .. }
            | StopReason::Firmware { .. }
            | StopReason::Kicked => self.refused_paging_in_handler(),
            _ => Ok(None),
        }
    }

    /// The refusal of a guest that is at such an instruction or in the handler of its #GP.
    pub(super) fn find_refused_paging(&mut self) -> Result<Option<StopReason>, KvmError> {
        match self.paging_refused_here()? {
            None => self.refused_paging_in_handler(),
            stop => Ok(stop),
        }
    }

    /// The same in the handler. If nothing is lost, the processor is put back before the instruction.
    fn refused_paging_in_handler(&mut self) -> Result<Option<StopReason>, KvmError> {
        let cpu = self.vcpu.cpu();
        let has_paging = probe::known_facts().is_some_and(|facts| facts.paging32);
        if has_paging || cpu.cr0 & CR0_PG != 0 || cpu.efer & EFER_LME != 0 {
            return Ok(None);
        }
        let found = match cpu.mode() {
            CpuMode::Real => self.interrupted_in_real_mode(),
            CpuMode::Protected16 | CpuMode::Protected32 => self.interrupted_in_protected_mode(),
            _ => None,
        };
        let Some(Interrupted { cpu, whole }) = found else { return Ok(None) };
        if probe::host_facts()?.paging32 {
            return Ok(None);
        }
        let stop = self.refused_at(&cpu, CAUSE);
        if whole {
            self.vcpu.set_cpu(&cpu)?;
            self.halted = false;
        }
        Ok(Some(stop))
    }

    /// Whether the next instruction is a MOV CR0 that switches paging on outside long mode.
    fn switches_paging_on(&self, cpu: &CpuState) -> bool {
        let Some(register) = self.source_of_mov_cr0(cpu.pc()) else { return false };
        cpu.cpl() == 0 && switches_on(cpu, cpu.gpr[register])
    }

    /// The number of the register that the instruction at `addr` moves to CR0.
    fn source_of_mov_cr0(&self, addr: Linear) -> Option<usize> {
        let mut code = [0; instruction::MAX_LEN];
        let len = self.read_linear(addr, &mut code);
        // 0F 22 /0, whatever the operand size.
        match &code[..len] {
            [0x0f, 0x22, operand, ..] | [0x66, 0x0f, 0x22, operand, ..] if operand & 0x38 == 0 => {
                Some(usize::from(operand & 7))
            }
            _ => None,
        }
    }

    /// From a frame of IP, CS and FLAGS on the stack.
    fn interrupted_in_real_mode(&self) -> Option<Interrupted> {
        let now = self.vcpu.cpu();
        if !now.gpr.iter().any(|&value| switches_on(now, value)) {
            return None;
        }
        let mut stack = [0; SEARCHED_IN_REAL_MODE];
        let sp = now.get(Gpr::Rsp) & now.stack_mask();
        let read = self.read_linear(now.linear(SegmentName::Ss, sp), &mut stack);
        let words: Vec<u16> = stack[..read]
            .chunks_exact(2)
            .map(|word| u16::from_le_bytes([word[0], word[1]]))
            .collect();
        words.windows(3).enumerate().find_map(|(place, frame)| {
            let &[ip, cs, flags] = frame else { return None };
            let base = u64::from(cs) << 4;
            let is_frame = are_flags(flags.into())
                && self.is_interrupted_mov_cr0(Linear(base + u64::from(ip)));
            if !is_frame {
                return None;
            }
            let mut cpu = now.clone();
            cpu.rip = ip.into();
            (cpu.segments.cs.selector, cpu.segments.cs.base) = (cs, base);
            cpu.rflags = now.rflags & !0xffff | u64::from(flags);
            self.switches_paging_on(&cpu).then(|| without_frame(cpu, place, 3 * 2))
        })
    }

    /// From a frame of an error code, which is 0, EIP, CS and EFLAGS on the stack. The handler may have saved the
    /// register and changed it by now.
    fn interrupted_in_protected_mode(&self) -> Option<Interrupted> {
        let now = self.vcpu.cpu();
        let mut stack = [0; SEARCHED];
        let top = now.get(Gpr::Rsp).wrapping_sub(BELOW) & now.stack_mask();
        let read = self.read_linear(now.linear(SegmentName::Ss, top), &mut stack);
        let words: Vec<u32> = stack[..read]
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let code = &now.segments.cs;
        words.windows(4).enumerate().find_map(|(place, frame)| {
            let &[0, eip, cs, flags] = frame else { return None };
            let at = Linear(code.base.wrapping_add(eip.into()) & 0xffff_ffff);
            let is_frame = cs & 0xffff == u32::from(code.selector)
                && are_flags(flags.into())
                && self.is_interrupted_mov_cr0(at);
            if !is_frame {
                return None;
            }
            let mut cpu = now.clone();
            (cpu.rip, cpu.rflags) = (eip.into(), u64::from(flags) & !RFLAGS_RF);
            let is_same = self.switches_paging_on(&cpu);
            let is_saved = |&value: &u32| {
                u64::from(value) & !CR0_DEFINED == 0 && switches_on(now, value.into())
            };
            if !is_same && !words[..place].iter().any(is_saved) {
                return None;
            }
            // The first place is that below ESP.
            let found = without_frame(cpu, place.wrapping_sub(1), 4 * 4);
            Some(Interrupted { whole: found.whole && is_same, ..found })
        })
    }

    /// Whether a MOV CR0 is at `addr`, to which nothing just before it returns.
    fn is_interrupted_mov_cr0(&self, addr: Linear) -> bool {
        self.source_of_mov_cr0(addr).is_some()
            && !CALL_LEN.clone().any(|len| self.is_call(addr, len))
    }

    /// Whether the `len` bytes before `addr` are an INT or a far CALL.
    fn is_call(&self, addr: Linear, len: usize) -> bool {
        let mut code = [0; *CALL_LEN.end()];
        let code = &mut code[..len];
        let read = self.read_linear(Linear(addr.0.wrapping_sub(len as u64)), code);
        let facts =
            (read == len).then(|| instruction::decode(code, self.vcpu.cpu().mode())).flatten();
        facts.is_some_and(|facts| {
            let calls_far = facts.kind == Kind::Other && facts.is_far() && facts.memory;
            usize::from(facts.len) == len && (calls_far || matches!(facts.kind, Kind::Int(_)))
        })
    }
}

/// Whether `value`, moved to CR0, switches paging on outside long mode, and is none that any processor raises #GP for
/// (SDM vol. 3A, 2.5).
fn switches_on(cpu: &CpuState, value: u64) -> bool {
    let is_valid = value & CR0_PE != 0 && (value & CR0_NW == 0 || value & CR0_CD != 0);
    is_valid && value & !cpu.cr0 & CR0_PG != 0 && cpu.efer & EFER_LME == 0
}

/// Whether `value` can be what a frame has for EFLAGS, or FLAGS.
fn are_flags(value: u64) -> bool {
    value & (RFLAGS_FIXED | RFLAGS_ZERO) == RFLAGS_FIXED
}

/// `cpu` with `len` bytes of frame taken from the stack, if they are the last there: at `place` 0.
fn without_frame(mut cpu: CpuState, place: usize, len: u64) -> Interrupted {
    let whole = place == 0;
    if whole {
        let mask = cpu.stack_mask();
        let sp = cpu.get(Gpr::Rsp);
        *cpu.get_mut(Gpr::Rsp) = sp & !mask | sp.wrapping_add(len) & mask;
    }
    Interrupted { cpu, whole }
}
