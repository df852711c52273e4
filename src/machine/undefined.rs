//! Invalid opcodes that are none: outside ring 0 some software KVMs do not leave the guest for an
//! instruction they do not know, but raise #UD in the guest.
//!
//! In a free run such a guest is caught at its handler's first instruction, by a debug register that nobody
//! else needs, and put back before the instruction, which is then completed. What was on ring 0's stack
//! below its pointer is lost, as with any interrupt.

use super::{Machine, StopReason};
use crate::emulator::Unsupported;
use crate::kvm::{GuestDebug, KvmError, probe};
use crate::x86::debug::DebugSlot;
use crate::x86::paging;
use crate::x86::registers::{CR0_PE, EFER_LMA, RFLAGS_FIXED, RFLAGS_RF, RFLAGS_VM};
use crate::x86::segment::read_descriptor;
use crate::x86::vectors::{self, INVALID_OPCODE};
use crate::x86::{Access, CpuState, Gpr, Linear, Segment, SegmentName};

impl Machine {
    /// `debug` with a breakpoint on the guest's #UD handler in a free register, where KVM has shown that
    /// it refuses instructions.
    pub(super) fn with_undefined_guard(&self, debug: GuestDebug) -> GuestDebug {
        let mut debug = debug;
        let Some(handler) = self.undefined_handler() else { return debug };
        let slot = Some(DebugSlot::execute(handler));
        let wanted = handler != self.vcpu.cpu().pc() && !debug.slots.contains(&slot);
        if let Some(free) = debug.slots.iter_mut().find(|slot| wanted && slot.is_none()) {
            *free = slot;
        }
        debug
    }

    /// Where #UD leads, if KVM may raise it wrongly. Read again at each entry, for a guest may load another
    /// table: not noticed if it then enters ring 3 without leaving KVM_RUN in between.
    fn undefined_handler(&self) -> Option<Linear> {
        let cpu = self.vcpu.cpu();
        let refuses = self.stats.completed > 0
            || probe::known_facts().is_some_and(|facts| facts.refuses_integers());
        if refuses && cpu.cr0 & CR0_PE != 0 {
            vectors::handler(cpu, self, INVALID_OPCODE)
        } else {
            None
        }
    }

    /// Whether the processor is at the handler of an #UD that KVM may have raised wrongly. If so, the
    /// program that was interrupted is put back and its instruction completed; a stop if nobody can.
    pub(super) fn take_back_undefined(&mut self) -> Result<TakenBack, KvmError> {
        if self.undefined_handler() != Some(self.vcpu.cpu().pc()) {
            return Ok(TakenBack::No);
        }
        let Some(program) = self.interrupted_program() else { return Ok(TakenBack::No) };
        self.complete_from(&program)
    }

    fn complete_from(&mut self, program: &CpuState) -> Result<TakenBack, KvmError> {
        let handler = self.vcpu.cpu().clone();
        self.vcpu.set_cpu(program)?;
        match self.complete_at_pc()? {
            // It was one after all.
            Ok(None) if self.vcpu.cpu().pc() == handler.pc() => Ok(TakenBack::No),
            Ok(stop) => Ok(TakenBack::Completed(stop)),
            Err(Unsupported::Unknown) => {
                self.vcpu.set_cpu(&handler)?;
                Ok(TakenBack::No)
            }
            Err(unsupported) => {
                let stop = self.beyond(unsupported);
                Ok(TakenBack::Completed(Some(stop)))
            }
        }
    }

    /// The registers of the program of ring 3 that the exception interrupted, from the frame on the stack.
    fn interrupted_program(&self) -> Option<CpuState> {
        let now = self.vcpu.cpu();
        let long = now.efer & EFER_LMA != 0;
        let widths: &[usize] = if long { &[8] } else { &[4, 2] };
        widths.iter().find_map(|&width| {
            let top = now.linear(SegmentName::Ss, now.get(Gpr::Rsp) & now.stack_mask());
            let mut frame = [0; 9];
            let words = if long { 5 } else { 9 };
            let mut bytes = [0; 40];
            paging::read_linear(now, self, top, &mut bytes[..5 * width]).ok()?;
            let at = |bytes: &[u8]| {
                let mut value = [0; 8];
                value[..width].copy_from_slice(bytes);
                u64::from_le_bytes(value)
            };
            for (word, bytes) in frame.iter_mut().zip(bytes.chunks(width).take(5)) {
                *word = at(bytes);
            }
            if frame[2] & RFLAGS_VM != 0 && width == 4 && !long {
                for (index, word) in frame.iter_mut().enumerate().take(words).skip(5) {
                    let mut bytes = [0; 4];
                    let addr = top.offset((index * width) as u64);
                    paging::read_linear(now, self, addr, &mut bytes).ok()?;
                    *word = u32::from_le_bytes(bytes).into();
                }
            }
            self.program_of(&frame)
        })
    }

    /// What a frame of the instruction pointer, CS, flags, stack pointer and SS, and of the segments of
    /// virtual-8086 mode, says; nothing if it is no frame of ring 3.
    fn program_of(&self, frame: &[u64; 9]) -> Option<CpuState> {
        let [rip, cs, flags, rsp, ss, es, ds, fs, gs] = *frame;
        if flags & RFLAGS_FIXED == 0 || flags >> 22 != 0 {
            return None;
        }
        let mut cpu = self.vcpu.cpu().clone();
        cpu.rip = rip;
        cpu.rflags = flags & !RFLAGS_RF;
        *cpu.get_mut(Gpr::Rsp) = rsp;
        if flags & RFLAGS_VM != 0 {
            let access = Access { dpl: 3, ..Access::DATA16 };
            let selectors = [
                (SegmentName::Cs, cs),
                (SegmentName::Ss, ss),
                (SegmentName::Es, es),
                (SegmentName::Ds, ds),
                (SegmentName::Fs, fs),
                (SegmentName::Gs, gs),
            ];
            for (name, selector) in selectors {
                let selector = u16::try_from(selector & 0xffff).ok()?;
                *cpu.segments.get_mut(name) = Segment::paragraph(selector, access);
            }
            return Some(cpu);
        }
        for (name, selector) in [(SegmentName::Cs, cs), (SegmentName::Ss, ss)] {
            let selector = u16::try_from(selector & 0xffff).ok()?;
            let segment = read_descriptor(&cpu, self, selector).ok()?;
            let fits = if name == SegmentName::Cs {
                segment.access.is_code()
            } else {
                segment.access.is_writable_data() && segment.access.dpl == 3
            };
            if !fits || selector & 3 != 3 {
                return None;
            }
            *cpu.segments.get_mut(name) = segment;
        }
        Some(cpu)
    }
}

/// What became of an #UD.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TakenBack {
    /// It stands.
    No,
    /// The instruction has been completed, or stops the run.
    Completed(Option<StopReason>),
}
