//! Faults whose handler is a task of its own (SDM vol. 3A, 8.3): the processor would leave the trap flag behind
//! with the old task's flags and run on, and a software KVM goes through a task gate as through any other.
//!
//! So task gates are gone through by hand. A fault that the emulator is sure of is raised at once. For any other
//! instruction the task gates become interrupt gates for one step, to a place where a debug register waits: if the
//! step ends there, all is put back, and the fault is raised by hand as well.

use super::Step;
use crate::emulator::{self, Delivery, Event, Fault, Raised};
use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::machine::crash::raised::Imagined;
use crate::x86::exceptions::has_error_code;
use crate::x86::gate::Entry;
use crate::x86::instruction::{self, Facts, Kind};
use crate::x86::operands;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::segment::read_descriptor;
use crate::x86::vectors::{DOUBLE_FAULT, NMI, PAGE_FAULT};
use crate::x86::{CpuMode, CpuState, Gpr, Linear, Phys, SegmentName, task, vectors};

/// Exceptions there are.
const EXCEPTIONS: u8 = 32;
/// Bytes of a gate.
const GATE: usize = 8;
/// Where in the instruction's page task gates may lead to, the best first.
const PLACES: [u64; 4] = [0xff0, 0xfb0, 0x7f0, 0x3f0];
/// Bytes that no instruction reaches beyond.
const REACH: u64 = instruction::MAX_LEN as u64;
/// A frame with an error code of 32-bit words, in the ring of the program and out of virtual-8086 mode.
const FRAME: u64 = 4 * 4;
const FRAME_OF_V86: u64 = 10 * 4;

/// Task gates that are interrupt gates for a step.
struct Diverted {
    /// The vectors, where their gates are whatever the instruction makes of the page tables, and what belongs there.
    gates: Vec<(u8, Phys, [u8; GATE])>,
    /// What is there meanwhile.
    instead: [u8; GATE],
    /// What is where the frame would go.
    stack: (Linear, Vec<u8>),
    /// Where they lead.
    place: Linear,
}

impl Machine {
    /// Steps over an instruction that may lead through a task gate; nothing has happened if it does not, or if it
    /// needs no help on its way.
    pub(super) fn step_at_task_gates(
        &mut self,
        facts: Option<Facts>,
    ) -> Result<Option<Step>, KvmError> {
        let gated = self.task_gates();
        if gated.is_empty() {
            return Ok(None);
        }
        let before = self.vcpu.cpu().clone();
        match emulator::raised(&before, &mut Imagined(self)) {
            Ok(Raised::Fault(fault)) => return self.raise_in_task(&fault, &gated),
            Ok(Raised::Nothing | Raised::Event(_)) => return Ok(None),
            Err(_) => {}
        }
        let Some(diverted) = self.divert_task_gates(&gated) else {
            // There is no stack for a frame: it is a task gate that this is made for.
            let fault = self.fault_of_operands(facts);
            return fault.map_or(Ok(None), |fault| self.raise_in_task(&fault, &gated));
        };
        self.diverted_to = Some(diverted.place);
        let step = self.step_decoded(facts);
        self.diverted_to = None;
        for (_, at, gate) in &diverted.gates {
            let mut now = [0; GATE];
            // Else the instruction has written there itself.
            if self.read_phys(*at, &mut now) == GATE && now == diverted.instead {
                self.amend_phys(*at, gate);
            }
        }
        let step = step?;
        let cpu = self.vcpu.cpu();
        if cpu.pc() != diverted.place || self.pushed_flags(&before).is_none() {
            return Ok(Some(step));
        }
        self.return_to_task_gate(before, &diverted).map(Some)
    }

    /// The exceptions whose entries in the interrupt table are task gates.
    fn task_gates(&self) -> Vec<u8> {
        let cpu = self.vcpu.cpu();
        if cpu.cr0 & CR0_PE == 0 || cpu.efer & EFER_LMA != 0 {
            return Vec::new();
        }
        let mut table = [0; EXCEPTIONS as usize * GATE];
        let read = self.read_linear(Linear(cpu.idtr.base), &mut table);
        let len = read.min(usize::from(cpu.idtr.limit) + 1);
        let (gates, _) = table[..len].as_chunks::<GATE>();
        let task_gates = (0..EXCEPTIONS).zip(gates).filter(|(_, gate)| gate[5] & 0x9f == 0x85);
        task_gates.map(|(vector, _)| vector).filter(|vector| *vector != NMI).collect()
    }

    /// Raises `fault` by hand if a task gate, one of `gated`, is on its way.
    fn raise_in_task(&mut self, fault: &Fault, gated: &[u8]) -> Result<Option<Step>, KvmError> {
        let before = self.vcpu.cpu().clone();
        let event = Event::fault(fault, before.rip);
        let mut fails = false;
        let mut after = before.clone();
        let delivery =
            emulator::deliver_telling(&mut after, &mut Imagined(self), event, |failed| {
                fails |= gated.contains(&failed.event.vector);
            });
        if delivery.is_err() || !fails && after.tr == before.tr {
            return Ok(None);
        }
        if let Some(stop) = self.stop_before_fault(fault) {
            return Ok(Some(Step::stopped(stop)));
        }
        if let Some(address) = fault.address {
            self.vcpu.set_cpu(&CpuState { cr2: address.0, ..before })?;
        }
        self.raise_by_hand(event)
    }

    /// The fault of the operands of the next instruction, which are all accessed.
    fn fault_of_operands(&self, facts: Option<Facts>) -> Option<Fault> {
        let cpu = self.vcpu.cpu();
        let repeats = matches!(facts, Some(Facts { kind: Kind::Rep(_), .. }));
        if repeats && cpu.get(Gpr::Rcx) & 0xffff == 0 {
            return None;
        }
        emulator::operand_fault(cpu, &mut Imagined(self))
    }

    /// Makes interrupt gates of the task gates of `vectors`, but for those that the instruction looks at. Nothing has
    /// happened if no frame can be pushed there.
    fn divert_task_gates(&mut self, vectors: &[u8]) -> Option<Diverted> {
        let cpu = self.vcpu.cpu().clone();
        let selector = self.code_selector(*vectors.first()?)?;
        let code = read_descriptor(&cpu, self, selector).ok()?;
        let is_handler = |place: Linear| {
            (0..EXCEPTIONS).any(|vector| vectors::handler(&cpu, self, vector) == Some(place))
        };
        let page = cpu.pc().0 & !0xfff;
        let place = PLACES.into_iter().map(|place| Linear(page + place)).find(|place| {
            !(cpu.pc().0..=cpu.pc().0 + REACH).contains(&place.0)
                && code.contains(place.0.wrapping_sub(code.base))
                && !is_handler(*place)
        })?;
        let offset = place.0.wrapping_sub(code.base);
        // A 32-bit interrupt gate, present.
        let instead = offset & 0xffff
            | u64::from(selector) << 16
            | 0x8e00 << 32
            | (offset >> 16 & 0xffff) << 48;
        let instead = instead.to_le_bytes();
        let mut diverted =
            Diverted { gates: Vec::new(), instead, stack: (Linear(0), Vec::new()), place };
        for vector in vectors {
            diverted.gates.extend(self.divert_task_gate(*vector, instead));
        }
        let taken =
            diverted.gates.first().and_then(|(vector, ..)| self.frame_on_way(*vector, place));
        let Some((at, len)) = taken else {
            for (_, at, gate) in diverted.gates {
                self.amend_phys(at, &gate);
            }
            return None;
        };
        let mut stack = vec![0; len];
        let read = self.read_linear(at, &mut stack);
        stack.truncate(read);
        diverted.stack = (at, stack);
        Some(diverted)
    }

    /// A code segment that can take the exception of `vector`: the program's own, or, where that is none, that of the
    /// handler's task.
    fn code_selector(&self, vector: u8) -> Option<u16> {
        let cpu = self.vcpu.cpu();
        if cpu.mode() != CpuMode::Virtual8086 {
            return Some(cpu.segments.cs.selector);
        }
        let Entry::Task { selector } = Entry::read(cpu, self, vector) else { return None };
        let segment = read_descriptor(cpu, self, selector).ok()?;
        task::stored(cpu, self, &segment).map(|task| task.cs)
    }

    fn divert_task_gate(
        &mut self,
        vector: u8,
        instead: [u8; GATE],
    ) -> Option<(u8, Phys, [u8; GATE])> {
        let cpu = self.vcpu.cpu();
        let at = Linear(cpu.idtr.base).offset(u64::from(vector) * GATE as u64);
        // An instruction that looks at the gate has to find it as it is.
        let mut code = [0; instruction::MAX_LEN];
        let len = self.code_bytes(&mut code);
        let accesses = operands::accesses(&code[..len], cpu);
        if accesses.iter().any(|access| access.overlaps(at, GATE as u64)) {
            return None;
        }
        let there = self.translate(at).ok()?;
        let mut gate = [0; GATE];
        let in_one_page = there.remaining >= GATE as u64;
        if !in_one_page || self.read_phys(there.phys, &mut gate) < GATE {
            return None;
        }
        (self.amend_phys(there.phys, &instead) == GATE).then_some((vector, there.phys, gate))
    }

    /// Where the frame of a fault of `vector` goes on its way to `place`, and how long it is with an error code;
    /// nothing if it does not get there.
    fn frame_on_way(&self, vector: u8, place: Linear) -> Option<(Linear, usize)> {
        let mut cpu = self.vcpu.cpu().clone();
        let len = if cpu.mode() == CpuMode::Virtual8086 { FRAME_OF_V86 } else { FRAME };
        let event = Event::fault(&Fault::coded(vector, 0), cpu.rip);
        let delivery = emulator::deliver(&mut cpu, &mut Imagined(self), event);
        let arrives = delivery == Ok(Delivery::Entered { vector }) && cpu.pc() == place;
        let top = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp) & cpu.stack_mask());
        arrives.then_some((top, len as usize))
    }

    /// Takes a fault back that has led away from a task gate, and raises it by hand.
    fn return_to_task_gate(
        &mut self,
        before: CpuState,
        diverted: &Diverted,
    ) -> Result<Step, KvmError> {
        let cpu = self.vcpu.cpu();
        let has_code =
            self.pushed_frame(&before, before.rip).is_some_and(|frame| frame.error_code == 1);
        let code = self.read_word(self.stack_address(0), 4).unwrap_or_default() as u32;
        let cr2 = cpu.cr2;
        let vectors = diverted.gates.iter().map(|(vector, ..)| *vector);
        let candidates: Vec<u8> =
            vectors.filter(|vector| has_error_code(*vector) == has_code).collect();
        self.vcpu.set_cpu(&before)?;
        self.amend_linear(diverted.stack.0, &diverted.stack.1);
        let told = |vector| Fault {
            vector,
            error_code: has_code.then_some(code),
            address: (vector == PAGE_FAULT).then_some(Linear(cr2)),
        };
        let fault = match (&candidates[..], candidates.first()) {
            (_, None) => return Ok(Step::ENTERED),
            // That is what another fault has become.
            ([vector], _) if *vector != DOUBLE_FAULT => told(*vector),
            (_, Some(first)) => match self.raised_by(&before)? {
                Raised::Fault(fault) => fault,
                _ => told(*first),
            },
        };
        if let Some(stop) = self.stop_before_fault(&fault) {
            return Ok(Step::stopped(stop));
        }
        // A page fault on the way has changed CR2.
        self.vcpu.set_cpu(&CpuState { cr2, ..before })?;
        Ok(match self.deliver(Event::fault(&fault, before.rip))? {
            Ok(Delivery::Entered { .. }) => {
                self.vcpu.end_shadows(false)?;
                Step::ENTERED
            }
            Ok(Delivery::Shutdown) => Step::stopped(self.shutdown_here()),
            Err(unsupported) => Step::stopped(self.beyond(unsupported)),
        })
    }
}
