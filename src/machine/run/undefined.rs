//! Invalid opcodes that are none: outside ring 0 some software KVMs do not leave the guest for an
//! instruction they do not know, but raise #UD in the guest, and in any ring they do so for MOVBE.
//!
//! In a free run such a guest is caught at its handler's first instruction, by a debug register that nobody
//! else needs, and put back before the instruction, which is then completed. What was on ring 0's stack
//! below its pointer is lost, as with any interrupt. Without such a handler it is caught at that of the double fault,
//! and without both by the shutdown.
//!
//! An armed debug register can double what an exit costs, and a real-mode guest rarely uses MOVBE. So while the
//! firmware answers #UD, nothing is armed at first. Its handler only returns to the instruction, which KVM refuses again:
//! the guest goes round between the two until a signal interrupts it, at the latest that of the deadline. The instruction
//! is completed then, and the register armed from there on.

use crate::emulator::Unsupported;
use crate::kvm::{GuestDebug, KvmError, probe};
use crate::machine::{Machine, StopReason};
use crate::x86::debug::DebugSlot;
use crate::x86::instruction::{self, Kind, MAX_LEN};
use crate::x86::registers::{CR0_PE, EFER_LMA, RFLAGS_FIXED, RFLAGS_RF, RFLAGS_VM};
use crate::x86::segment::read_descriptor;
use crate::x86::vectors::{self, DOUBLE_FAULT, INVALID_OPCODE};
use crate::x86::{Access, CpuMode, CpuState, Gpr, Linear, Segment, SegmentName};

impl Machine {
    /// `debug` with a breakpoint on the guest's #UD handler in a free register, where KVM has shown that
    /// it refuses instructions.
    pub(in crate::machine) fn with_undefined_guard(&self, debug: GuestDebug) -> GuestDebug {
        let mut debug = debug;
        if self.circles_at_undefined() && self.stats.completed == 0 {
            return debug;
        }
        let Some(Handler { addr: handler, .. }) = self.undefined_handler() else { return debug };
        let slot = Some(DebugSlot::execute(handler));
        let wanted = handler != self.vcpu.cpu().pc() && !debug.slots.contains(&slot);
        if let Some(free) = debug.slots.iter_mut().find(|slot| wanted && slot.is_none()) {
            *free = slot;
        }
        debug
    }

    /// Where #UD leads, if KVM may raise it wrongly. Read again at each entry, for a guest may load another
    /// table: not noticed if it then enters ring 3 without leaving KVM_RUN in between.
    fn undefined_handler(&self) -> Option<Handler> {
        if !self.has_shown_refusals() {
            return None;
        }
        let cpu = self.vcpu.cpu();
        let handler = |vector, error_code| {
            let addr = vectors::handler(cpu, self, vector)?;
            Some(Handler { addr, error_code })
        };
        handler(INVALID_OPCODE, false).or_else(|| handler(DOUBLE_FAULT, true))
    }

    /// Whether this host's KVM is known to refuse integer instructions, or likely to until somebody has asked it.
    fn has_shown_refusals(&self) -> bool {
        self.stats.completed > 0
            || probe::known_facts()
                .map_or(self.vcpu.may_be_software(), |facts| facts.refuses_integers())
    }

    /// Whether the guest is in an outer ring of protected mode where KVM may raise #UD wrongly, and has no handler
    /// at which that could be noticed. Then it is stepped, which runs nothing that KVM does not know.
    pub(in crate::machine) fn is_beyond_guard(&self) -> bool {
        let cpu = self.vcpu.cpu();
        self.has_shown_refusals()
            && cpu.cpl() == 3
            && cpu.cr0 & CR0_PE != 0
            && cpu.efer & EFER_LMA == 0
            && vectors::handler(cpu, self, INVALID_OPCODE).is_none()
    }

    /// Whether #UD leads to the firmware, which returns to the instruction.
    fn circles_at_undefined(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let by_firmware = self.has_firmware() && cpu.mode() == CpuMode::Real && cpu.idtr.base == 0;
        by_firmware && !self.hooks(INVALID_OPCODE)
    }

    /// After a signal: whether the guest circles at an instruction that KVM has refused, as
    /// [`Machine::take_back_undefined`] finds it in the handler. One with a breakpoint may not have had its turn yet.
    pub(in crate::machine) fn take_from_circle(&mut self) -> Result<TakenBack, KvmError> {
        if !self.has_shown_refusals() || !self.circles_at_undefined() {
            return Ok(TakenBack::No);
        }
        let here = self.vcpu.cpu().clone();
        match self.is_movbe(&here) && self.breakpoint_here().is_none() {
            true => self.complete_from(&here),
            false => self.take_back_undefined(),
        }
    }

    /// Whether the processor is at the handler of an #UD that KVM may have raised wrongly. If so, the
    /// program that was interrupted is put back and its instruction completed; a stop if nobody can.
    pub(in crate::machine) fn take_back_undefined(&mut self) -> Result<TakenBack, KvmError> {
        let handler = self.undefined_handler().filter(|at| at.addr == self.vcpu.cpu().pc());
        let Some(handler) = handler else { return Ok(TakenBack::No) };
        let program = self.interrupted_program(handler.error_code);
        // A double fault is rarely one of these.
        let program = program.filter(|it| !handler.error_code || self.may_be_refused(it));
        let Some(program) = program else { return Ok(TakenBack::No) };
        self.complete_from(&program)
    }

    /// After a shutdown: whether it came of an #UD that KVM has raised wrongly, for which the guest has no handler, or no
    /// stack. If so, the instruction is completed.
    pub(in crate::machine) fn take_back_shutdown(&mut self) -> Result<TakenBack, KvmError> {
        let mut program = self.vcpu.cpu().clone();
        let protected = program.cr0 & CR0_PE != 0;
        if !protected || !self.has_shown_refusals() || !self.may_be_refused(&program) {
            return Ok(TakenBack::No);
        }
        // Set for the exception that could not be delivered.
        program.rflags &= !RFLAGS_RF;
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

    /// The registers of the program that the exception interrupted, from the frame on the stack, with an error code on
    /// top of it or without.
    fn interrupted_program(&self, error_code: bool) -> Option<CpuState> {
        let now = self.vcpu.cpu();
        if now.cr0 & CR0_PE == 0 {
            // There is never an error code.
            let [rip, cs, flags] = self.stack_words::<3>(2)?;
            let mut cpu = self.same_stack(3 * 2);
            let selector = u16::try_from(cs).ok()?;
            cpu.segments.cs =
                Segment { selector, base: u64::from(selector) << 4, ..now.segments.cs };
            cpu.rip = rip;
            cpu.rflags = now.rflags & !0xffff | flags;
            return self.is_movbe(&cpu).then_some(cpu);
        }
        let widths: &[usize] = if now.efer & EFER_LMA != 0 { &[8] } else { &[4, 2] };
        widths.iter().find_map(|&width| self.protected_program(width, error_code))
    }

    /// The same in protected or long mode, where each word of the frame has `width` bytes.
    fn protected_program(&self, width: usize, error_code: bool) -> Option<CpuState> {
        let top = if error_code { width } else { 0 };
        let [rip, cs, flags] = self.stack_words_from(top, width)?;
        // No flag has a number above 21, and one is always set.
        if flags & RFLAGS_FIXED == 0 || flags >> 22 != 0 {
            return None;
        }
        let selector = u16::try_from(cs & 0xffff).ok()?;
        let (inner, in_v86) = (selector & 3 == 0, flags & RFLAGS_VM != 0);
        let taken = top + 3 * width;
        let mut cpu = self.same_stack(if width == 8 { 0 } else { taken as u64 });
        cpu.rip = rip;
        cpu.rflags = flags & !RFLAGS_RF;
        if in_v86 {
            return self.v86_program(cpu, top);
        }
        let code = read_descriptor(&cpu, self, selector).ok()?;
        if !code.access.is_code() {
            return None;
        }
        cpu.segments.cs = code;
        if inner && width != 8 {
            return self.is_movbe(&cpu).then_some(cpu);
        }
        let [rsp, ss] = self.stack_words_from(taken, width)?;
        *cpu.get_mut(Gpr::Rsp) = rsp;
        if inner {
            return self.is_movbe(&cpu).then_some(cpu);
        }
        let selector = u16::try_from(ss & 0xffff).ok()?;
        let stack = read_descriptor(&cpu, self, selector).ok()?;
        cpu.segments.ss = stack;
        (stack.access.is_writable_data() && stack.access.dpl == 3).then_some(cpu)
    }

    /// A virtual-8086 program, whose segments are in the frame as well.
    fn v86_program(&self, mut cpu: CpuState, top: usize) -> Option<CpuState> {
        let [_, cs, _, rsp, ss, es, ds, fs, gs] = self.stack_words_from(top, 4)?;
        *cpu.get_mut(Gpr::Rsp) = rsp;
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
        Some(cpu)
    }

    /// The registers as they are, with `len` bytes of frame taken from the stack.
    fn same_stack(&self, len: u64) -> CpuState {
        let mut cpu = self.vcpu.cpu().clone();
        let mask = cpu.stack_mask();
        let rsp = cpu.get(Gpr::Rsp);
        *cpu.get_mut(Gpr::Rsp) = rsp & !mask | rsp.wrapping_add(len) & mask;
        cpu
    }

    /// The topmost `N` words of the stack.
    pub(super) fn stack_words<const N: usize>(&self, width: usize) -> Option<[u64; N]> {
        self.stack_words_from(0, width)
    }

    /// `N` words of the stack, `top` bytes from its pointer on.
    fn stack_words_from<const N: usize>(&self, top: usize, width: usize) -> Option<[u64; N]> {
        let mut frame = [0; N];
        for (word, at) in frame.iter_mut().zip((top as u64..).step_by(width)) {
            let mut bytes = [0; 8];
            let addr = self.stack_address(at);
            let read = self.read_linear(addr, &mut bytes[..width]);
            *word = (read == width).then(|| u64::from_le_bytes(bytes))?;
        }
        Some(frame)
    }

    /// Whether the next instruction of `program` is MOVBE, the only one of ring 0 that is in question.
    fn is_movbe(&self, program: &CpuState) -> bool {
        self.kind_at(program) == Some(Kind::Movbe)
    }

    /// Whether KVM may raise #UD at the next instruction of `program`, which is one.
    fn may_be_refused(&self, program: &CpuState) -> bool {
        match self.kind_at(program) {
            Some(Kind::Movbe) => true,
            Some(Kind::Int(_) | Kind::Int3 | Kind::Into) => program.cpl() == 3,
            _ => false,
        }
    }

    /// The next instruction of `program`.
    fn kind_at(&self, program: &CpuState) -> Option<Kind> {
        let mut bytes = [0; MAX_LEN];
        let len = self.read_linear(program.pc(), &mut bytes);
        instruction::decode(&bytes[..len], program.mode()).map(|facts| facts.kind)
    }
}

/// Where a guest is caught to which KVM may have raised #UD wrongly.
#[derive(Clone, Copy, Debug)]
struct Handler {
    addr: Linear,
    /// It is that of the double fault, in a guest that has none of #UD.
    error_code: bool,
}

/// What became of an #UD.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::machine) enum TakenBack {
    /// It stands.
    No,
    /// The instruction has been completed, or stops the run.
    Completed(Option<StopReason>),
}
