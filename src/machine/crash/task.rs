//! A task gate in words: the task that a handler is, and why it is not entered (SDM vol. 3A, 8.2 and 8.3).

use crate::emulator::Fault;
use crate::x86::exceptions::error_code_words;
use crate::x86::paging::PhysRead;
use crate::x86::segment::read_descriptor;
use crate::x86::task::{self, Layout, StoredTask};
use crate::x86::vectors::{GENERAL_PROTECTION, INVALID_TSS, NOT_PRESENT, PAGE_FAULT, STACK_FAULT};
use crate::x86::{CpuState, Gpr};

/// Types of task-state segments without the bit that makes one busy.
const KINDS: [u8; 2] = [1, 9];
/// That bit.
const BUSY: u8 = 2;

/// The task behind a gate with `selector`, and why it is not switched to.
pub(super) fn not_switched_words(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    selector: u16,
) -> String {
    let gate = "is a task gate";
    let segment = match read_descriptor(cpu, mem, selector) {
        _ if selector & !3 == 0 => return format!("{gate} with the null selector"),
        _ if selector & 4 != 0 => {
            return format!("{gate} with selector {selector:#06x}, which is of the LDT");
        }
        Err(error) => return format!("{gate}, and leads nowhere: {error}"),
        Ok(segment) => segment,
    };
    let access = segment.access;
    if access.code_or_data || !KINDS.contains(&(access.kind & !BUSY)) {
        return format!("{gate} with selector {selector:#06x}, which is of no task-state segment");
    }
    let least = Layout::of(access.kind).limit;
    let state = match () {
        () if access.kind & BUSY != 0 => ", which is busy".to_owned(),
        () if !access.present => ", which is not present".to_owned(),
        () if segment.limit < least => {
            format!(", whose limit, {:#x}, is below {least:#x}", segment.limit)
        }
        () => String::new(),
    };
    let task = task::stored(cpu, mem, &segment);
    let task = task.map(|task| format!(" ({})", task_words(&task))).unwrap_or_default();
    format!("{gate} to the task-state segment {selector:#06x}{task}{state}")
}

/// Where a task would begin.
fn task_words(task: &StoredTask) -> String {
    let StoredTask { rip, cs, rsp, ss, .. } = task;
    format!("CS:EIP {cs:04X}:{rip:08X}, SS:ESP {ss:04X}:{rsp:08X}")
}

/// The task that the processor is in with the registers `new`, and what of it raises `fault` before its first
/// instruction.
pub(super) fn cannot_begin_words(new: &CpuState, fault: &Fault) -> String {
    let [cs, ss] = [new.segments.cs.selector, new.segments.ss.selector];
    let (rip, rsp) = (new.rip, new.get(Gpr::Rsp));
    let task = task_words(&StoredTask { flags: new.rflags, rip, cs, rsp, ss });
    let code = fault.error_code.unwrap_or(0) as u16 & !3;
    let why = match fault.vector {
        PAGE_FAULT => {
            let words = error_code_words(PAGE_FAULT, fault.error_code.unwrap_or(0));
            let address = fault.address.unwrap_or_default();
            format!("{address} is out of reach ({})", words.unwrap_or_default())
        }
        INVALID_TSS | NOT_PRESENT | STACK_FAULT if code != 0 => {
            let names = registers_with(new, code).join(", ");
            let why =
                if fault.vector == INVALID_TSS { "does not fit there" } else { "is not present" };
            format!("{names} {code:#06x} {why}")
        }
        INVALID_TSS => format!("{} is null", if cs & !3 == 0 { "CS" } else { "SS" }),
        STACK_FAULT => "the error code does not fit on its stack".to_owned(),
        GENERAL_PROTECTION => {
            format!("EIP is beyond the limit of CS, {:#x}", new.segments.cs.limit)
        }
        _ => "it cannot begin".to_owned(),
    };
    format!("leads to the task {:#06x} ({task}), where {why}", new.tr.selector)
}

/// The registers that have the selector `code`, but for its lowest bits.
fn registers_with(cpu: &CpuState, code: u16) -> Vec<String> {
    let local = [("ldtr", cpu.ldtr.selector)];
    let segments = cpu.segments.iter().map(|(name, segment)| (name.as_str(), segment.selector));
    let all = local.into_iter().chain(segments);
    all.filter(|(_, selector)| selector & !3 == code).map(|(name, _)| name.to_uppercase()).collect()
}
