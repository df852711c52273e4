//! The probe: what this host's KVM really does, found out by running tiny guests on it.
//!
//! Capability bits are the same on KVMs that differ in everything a debugger depends on, so each row that a
//! plan or the step engine depends on is tried: one VM, a few bytes of code a question. It is run once a
//! process, when somebody first asks. What the answers are good for is the asker's business.

mod facts;
mod guest;
mod manual;

use std::sync::OnceLock;

use super::KvmError;
use crate::x86::debug::{DR7_FIXED, DataSize, DebugSlot};
use crate::x86::registers::{CR4_OSFXSR, EFER_SCE, RFLAGS_RF, RFLAGS_TF};
use crate::x86::{CpuState, Gpr, Linear};
pub use facts::{
    ByMode, Endless, ExitRip, HltStep, HostFacts, Int3, IntStep, Lzcnt, Refused, RepSteps,
    StepFacts,
};
use guest::{CODE, DATA, End, Guest, HANDLED, HANDLER, MAX_IDLE_STOPS, MMIO, Mode, STACK};
pub use manual::{AsManual, as_manual};

/// What this host's KVM does; probed at the first call, a few milliseconds long.
///
/// # Errors
/// KVM is missing, not permitted, or fails altogether.
pub fn host_facts() -> Result<&'static HostFacts, KvmError> {
    if let Some(facts) = known_facts() {
        return Ok(facts);
    }
    let facts = probe()?;
    Ok(FACTS.get_or_init(|| facts))
}

/// What [`host_facts`] has found out already, if it has been called.
#[must_use]
pub fn known_facts() -> Option<&'static HostFacts> {
    FACTS.get()
}

/// Has this process take `facts` for those of its host, to try out what other hosts need; false if it has some
/// already. What is not so here is made good only as far as it can be: a host that is said to destroy the registers
/// at a shutdown has its guest's last run repeated as if it had.
pub fn assume(facts: HostFacts) -> bool {
    FACTS.set(facts).is_ok()
}

static FACTS: OnceLock<HostFacts> = OnceLock::new();

/// Probes anew. [`host_facts`] is for everybody but those who measure.
///
/// # Errors
/// See [`host_facts`].
pub fn probe() -> Result<HostFacts, KvmError> {
    let mut guest = Guest::new()?;
    let guest = &mut guest;
    let (execute_real, resume_flag_passes) = execute_real(guest)?;
    Ok(HostFacts {
        int3_real: int3(guest, Mode::Real)?,
        int3_protected: int3(guest, Mode::Protected)?,
        execute_breakpoints: ByMode {
            real: execute_real,
            protected: execute(guest, Mode::Protected)?,
            long: execute(guest, Mode::Long)?,
            user: execute(guest, Mode::User)?,
        },
        resume_flag_passes,
        data_breakpoints: by_mode(guest, data)?,
        data_breakpoint_in_rep: data_in_rep(guest)?,
        general_detect: general_detect(guest)?,
        real_mode_idt_limit: real_mode_idt_limit(guest)?,
        syscall_changes_ring: syscall_changes_ring(guest)?,
        paging32: manual::paging(guest, guest::paging32)?,
        shutdown_resets: shutdown_resets(guest)?,
        endless: endless(guest)?,
        refused: refused(guest)?,
        lzcnt: lzcnt(guest)?,
        // Last: some hosts remember a HLT that was stepped over.
        step: step(guest)?,
    })
}

fn by_mode<T>(
    guest: &mut Guest,
    probe: fn(&mut Guest, Mode) -> Result<T, KvmError>,
) -> Result<ByMode<T>, KvmError> {
    Ok(ByMode {
        real: probe(guest, Mode::Real)?,
        protected: probe(guest, Mode::Protected)?,
        long: probe(guest, Mode::Long)?,
        user: probe(guest, Mode::User)?,
    })
}

fn int3(guest: &mut Guest, mode: Mode) -> Result<Int3, KvmError> {
    guest.load(mode, &[0xcc], |_| {})?;
    Ok(match guest.run_to_int3()? {
        End::Debug { .. } if guest.cpu().rip == CODE => Int3::Exits,
        End::Refused => Int3::Refused,
        _ => Int3::RunsHandler,
    })
}

/// `nop; nop` with a breakpoint on the second.
fn execute(guest: &mut Guest, mode: Mode) -> Result<bool, KvmError> {
    guest.load(mode, &[0x90, 0x90], |_| {})?;
    let end = guest.run_to(DebugSlot::execute(Linear(CODE + 1)))?;
    Ok(matches!(end, End::Debug { slots } if slots & 1 != 0) && guest.cpu().rip == CODE + 1)
}

/// The same in real mode, and whether RF leads past the breakpoint.
fn execute_real(guest: &mut Guest) -> Result<(bool, bool), KvmError> {
    let fires = execute(guest, Mode::Real)?;
    if !fires {
        return Ok((false, false));
    }
    guest.change(|cpu| cpu.rflags |= RFLAGS_RF)?;
    Ok((true, guest.run_on()? == End::Finished))
}

/// `mov [di], al; nop` and `mov al, [di]; nop` with a data breakpoint there.
fn data(guest: &mut Guest, mode: Mode) -> Result<bool, KvmError> {
    // [DI] in 16-bit code, [EDI] or [RDI] in the others.
    let operand = if mode == Mode::Real { 0x05 } else { 0x07 };
    for (opcode, reads) in [(0x88, false), (0x8a, true)] {
        guest.load(mode, &[opcode, operand, 0x90], |_| {})?;
        let end = guest.run_to(DebugSlot::data(Linear(DATA), DataSize::One, reads))?;
        if !matches!(end, End::Debug { .. }) || guest.cpu().rip != CODE + 2 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `rep stosb` of four bytes, the second of them watched.
fn data_in_rep(guest: &mut Guest) -> Result<Option<RepSteps>, KvmError> {
    guest.load(Mode::Real, &[0xf3, 0xaa], |cpu| *cpu.get_mut(Gpr::Rcx) = 4)?;
    let end = guest.run_to(DebugSlot::data(Linear(DATA + 1), DataSize::One, false))?;
    Ok(match end {
        End::Debug { .. } if guest.cpu().get(Gpr::Rcx) == 0 => Some(RepSteps::Whole),
        End::Debug { .. } => Some(RepSteps::ByIteration),
        _ => None,
    })
}

/// `mov dr7, eax`, with a breakpoint that is never hit.
fn general_detect(guest: &mut Guest) -> Result<bool, KvmError> {
    for mode in [Mode::Real, Mode::Protected, Mode::Long] {
        guest.load(mode, &[0x0f, 0x23, 0xf8], |cpu| *cpu.get_mut(Gpr::Rax) = DR7_FIXED)?;
        let end = guest.run_to(DebugSlot::execute(Linear(DATA)))?;
        if !matches!(end, End::Debug { .. }) || guest.cpu().rip != CODE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `ud2` with an empty IDT.
fn real_mode_idt_limit(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0x0f, 0x0b], |cpu| cpu.idtr.limit = 0)?;
    Ok(guest.run_free()? == End::Shutdown)
}

/// `syscall; mov rax, cr0` with the second instruction for a handler.
fn syscall_changes_ring(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::User, &[0x0f, 0x05, 0x0f, 0x20, 0xc0], |cpu| cpu.efer |= EFER_SCE)?;
    guest.lead_calls_to(CODE + 2);
    let end = guest.run_free()?;
    guest.lead_calls_to(0);
    Ok(end == End::Finished)
}

fn shutdown_resets(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Protected, &[0x0f, 0x0b], |cpu| cpu.idtr.limit = 0)?;
    Ok(guest.run_free()? == End::Shutdown && guest.cpu().rip != CODE)
}

fn endless(guest: &mut Guest) -> Result<Endless, KvmError> {
    let mut is_endless = |mode: Mode, code: &[u8]| {
        // One that no KVM has.
        let hypercall = |cpu: &mut CpuState| *cpu.get_mut(Gpr::Rax) = 0xffff;
        // How long a visit to the guest takes here.
        guest.load(mode, &[0x90], hypercall)?;
        guest.run_free()?;
        guest.load(mode, code, hypercall)?;
        Ok::<_, KvmError>(guest.run_guarded()? == End::Endless)
    };
    Ok(Endless {
        int_80h_real: is_endless(Mode::Real, &[0xcd, 0x80])?,
        vmcall: is_endless(Mode::Protected, &[0x0f, 0x01, 0xc1])?,
        vmmcall: is_endless(Mode::Protected, &[0x0f, 0x01, 0xd9])?,
    })
}

fn refused(guest: &mut Guest) -> Result<Refused, KvmError> {
    let mut is_refused = |mode: Mode, code: &[u8]| {
        guest.load(mode, code, |cpu| cpu.cr4 |= CR4_OSFXSR)?;
        Ok::<_, KvmError>(guest.run_free()? == End::Refused)
    };
    Ok(Refused {
        int_protected: is_refused(Mode::Protected, &[0xcd, 0x21])?,
        decimal: is_refused(Mode::Real, &[0x27])?,
        bit_count: is_refused(Mode::Real, &[0xf3, 0x0f, 0xb8, 0xc0])?,
        x87: is_refused(Mode::Real, &[0xd9, 0xe8])?,
        sse: is_refused(Mode::Real, &[0x0f, 0x58, 0xc0])?,
        iret_protected: iret_is_refused(guest)?,
    })
}

/// `pushfd; push cs; call the iret; ... iret`: returns behind the call.
fn iret_is_refused(guest: &mut Guest) -> Result<bool, KvmError> {
    let code = [0x9c, 0x0e, 0xe8, 2, 0, 0, 0, 0xe6, guest::FINISHED, 0xcf];
    guest.load(Mode::Protected, &code, |_| {})?;
    Ok(guest.run_free()? == End::Refused)
}

/// `cpuid; mov ax, 8; lzcnt ax, ax`.
fn lzcnt(guest: &mut Guest) -> Result<Lzcnt, KvmError> {
    const ECX_LZCNT: u64 = 1 << 5;
    let code = [0x0f, 0xa2, 0xb8, 8, 0, 0xf3, 0x0f, 0xbd, 0xc0];
    guest.load(Mode::Real, &code, |cpu| *cpu.get_mut(Gpr::Rax) = 0x8000_0001)?;
    let finished = guest.run_free()? == End::Finished;
    let offered = guest.cpu().get(Gpr::Rcx) & ECX_LZCNT != 0;
    Ok(match guest.cpu().get(Gpr::Rax) & 0xffff {
        // Twelve zeros above bit 3.
        12 if finished => Lzcnt::Counts,
        3 if finished && !offered => Lzcnt::NotOffered,
        3 if finished => Lzcnt::RunsAsBsr,
        _ => Lzcnt::Fails,
    })
}

fn step(guest: &mut Guest) -> Result<StepFacts, KvmError> {
    let exact = by_mode(guest, step_is_exact)?;
    let (out, out_traps) = step_over_access(guest, &[0xe6, 0x80], |_| {})?;
    // mov [di], al
    let (mmio_write, mmio_write_traps) = step_over_access(guest, &[0x88, 0x05], data_is_mmio)?;
    let (int_real, int_shows_flag) = step_int(guest)?;
    Ok(StepFacts {
        exact,
        lost_by_exit: step_is_lost_by_exit(guest)?,
        out,
        out_traps,
        mmio_write,
        mmio_write_traps,
        rep: step_rep(guest)?,
        load_ss_shadow: step_load_ss(guest)?,
        int_real,
        int_shows_flag,
        pushf_shows_flag: step_pushf(guest)?,
        guest_trap_lost: guest_trap_is_lost(guest)?,
        hlt: step_hlt(guest)?,
    })
}

fn step_is_exact(guest: &mut Guest, mode: Mode) -> Result<bool, KvmError> {
    guest.load(mode, &[0x90, 0x90], |_| {})?;
    Ok(matches!(guest.step_on()?, End::Debug { .. }) && guest.cpu().rip == CODE + 1)
}

/// `in al, 20h`, `mov [di], al` and `mov al, [di]`, each with two NOPs behind it, armed before the first
/// instruction only: not to stop behind the first NOP is the loss.
fn step_is_lost_by_exit(guest: &mut Guest) -> Result<bool, KvmError> {
    for code in [[0xe4, 0x20], [0x88, 0x05], [0x8a, 0x05]] {
        guest.load(Mode::Real, &[&code[..], &[0x90, 0x90]].concat(), data_is_mmio)?;
        guest.step_on()?;
        guest.complete()?;
        // Where the access has no trap of its own, the first one comes here; idle stops do not count.
        let mut stops = 0;
        while guest.cpu().rip < CODE + 3 && stops < 2 * MAX_IDLE_STOPS {
            stops += 1;
            if !matches!(guest.run_on()?, End::Debug { .. }) {
                return Ok(true);
            }
        }
        if guest.cpu().rip != CODE + 3 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn data_is_mmio(cpu: &mut CpuState) {
    cpu.segments.ds.selector = (MMIO >> 4) as u16;
    cpu.segments.ds.base = MMIO;
    *cpu.get_mut(Gpr::Rdi) = 0;
}

/// Where RIP is at the exit of the two bytes `code`, and whether completing them ends in a debug exit.
fn step_over_access(
    guest: &mut Guest,
    code: &[u8],
    change: fn(&mut CpuState),
) -> Result<(ExitRip, bool), KvmError> {
    guest.load(Mode::Real, &[code, &[0x90]].concat(), change)?;
    guest.step_on()?;
    let rip = if guest.cpu().rip == CODE { ExitRip::At } else { ExitRip::Past };
    Ok((rip, guest.complete()?))
}

/// `rep stosb` of four bytes.
fn step_rep(guest: &mut Guest) -> Result<RepSteps, KvmError> {
    guest.load(Mode::Real, &[0xf3, 0xaa, 0x90], |cpu| *cpu.get_mut(Gpr::Rcx) = 4)?;
    for _ in 0..MAX_IDLE_STOPS {
        guest.step()?;
        if guest.cpu().get(Gpr::Rcx) != 4 {
            break;
        }
    }
    Ok(match guest.cpu().get(Gpr::Rcx) {
        0 => RepSteps::Whole,
        _ => RepSteps::ByIteration,
    })
}

/// `mov ss, ax; nop; nop`.
fn step_load_ss(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0x8e, 0xd0, 0x90, 0x90], |_| {})?;
    guest.step_on()?;
    Ok(guest.cpu().rip != CODE + 2)
}

/// `int 21h; nop; nop` with a handler of `nop; iret`.
fn step_int(guest: &mut Guest) -> Result<(IntStep, bool), KvmError> {
    guest.load(Mode::Real, &[0xcd, 0x21, 0x90, 0x90], |_| {})?;
    guest.write(HANDLER, &[0x90, 0xcf]);
    guest.step_on()?;
    guest.write(HANDLER, &[0xe6, HANDLED]);
    let entered = guest.cpu().rip == HANDLER;
    let pushed = guest.read_word(STACK - 2);
    let step = if entered { IntStep::EntersHandler } else { IntStep::RunsHandler };
    Ok((step, u64::from(pushed) & RFLAGS_TF != 0))
}

/// `pushf; nop`.
fn step_pushf(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0x9c, 0x90], |_| {})?;
    guest.step_on()?;
    Ok(u64::from(guest.read_word(STACK - 2)) & RFLAGS_TF != 0)
}

/// `nop` stepped with TF set, then left to itself without it: a trap that was kept comes now.
fn guest_trap_is_lost(guest: &mut Guest) -> Result<bool, KvmError> {
    guest.load(Mode::Real, &[0x90, 0x90], |cpu| cpu.rflags |= RFLAGS_TF)?;
    if guest.step_on()? == End::Handled {
        return Ok(false);
    }
    guest.change(|cpu| cpu.rflags &= !RFLAGS_TF)?;
    Ok(guest.run_free()? == End::Finished)
}

fn step_hlt(guest: &mut Guest) -> Result<HltStep, KvmError> {
    guest.load(Mode::Real, &[0xf4, 0x90], |_| {})?;
    Ok(match guest.step_on()? {
        End::Hlt => HltStep::Hlt,
        _ => HltStep::Debug,
    })
}
