//! The cases, by topic.

mod breakpoints;
mod calls;
mod catch;
mod control;
mod debug;
mod exceptions;
mod faults;
mod flags;
mod halt;
mod interrupts;
mod io;
mod mmio;
mod strings;
mod switch;
mod task_gates;
mod watch;
mod watch_implicit;
mod watch_ranges;

use stepvisor::machine::{StopReason, WatchKind};
use stepvisor::x86::Gpr::{self, Rax, Rbx, Rcx, Rdi, Rdx, Rsi, Rsp};
use stepvisor::x86::SegmentName;

use WatchKind::{Access, Read, Write};

use crate::Case;
use crate::subject::{Subject, Verdict};
use crate::want::Want;
use crate::world::{self, *};

/// All of them.
pub fn all() -> impl Iterator<Item = Case> {
    let topics = [
        io::cases(),
        mmio::cases(),
        halt::cases(),
        strings::cases(),
        flags::cases(),
        interrupts::cases(),
        control::cases(),
        calls::cases(),
        exceptions::cases(),
        faults::cases(),
        task_gates::cases(),
        switch::cases(),
        debug::cases(),
        breakpoints::cases(),
        watch::cases(),
        watch_implicit::cases(),
        watch_ranges::cases(),
        catch::cases(),
    ];
    topics.into_iter().flatten()
}

fn case(name: &'static str, modes: &'static [Mode], run: fn(&mut Subject) -> Verdict) -> Case {
    Case { name, modes, run }
}

/// One instruction, and the range in which it is watched.
struct Watched {
    len: usize,
    addr: u64,
    bytes: u64,
}

/// An instruction that writes to a range: it hits watches for writes and accesses, and none for reads.
fn writes(guest: &mut Subject, prepare: Prepare, effect: Effect) -> Verdict {
    each_way(guest, [(Write, true), (Access, true), (Read, false)], prepare, effect)
}

/// An instruction that reads from a range: it hits watches for reads and accesses, and none for writes.
fn reads(guest: &mut Subject, prepare: Prepare, effect: Effect) -> Verdict {
    each_way(guest, [(Read, true), (Access, true), (Write, false)], prepare, effect)
}

/// An instruction that does both.
fn reads_and_writes(guest: &mut Subject, prepare: Prepare, effect: Effect) -> Verdict {
    each_way(guest, [(Read, true), (Write, true), (Access, true)], prepare, effect)
}

/// An instruction that leaves a range alone.
fn passes_by(guest: &mut Subject, prepare: Prepare, effect: Effect) -> Verdict {
    each_way(guest, [(Read, false), (Write, false), (Access, false)], prepare, effect)
}

type Prepare = fn(&mut Subject) -> Result<Watched, String>;
type Effect = fn(&mut Want, usize);

/// One instruction with each kind of watch, stepped and in free run: the same effect, and a hit or none. A free run
/// without one is ended by a breakpoint one NOP further on.
fn each_way(
    guest: &mut Subject,
    kinds: [(WatchKind, bool); 3],
    prepare: Prepare,
    effect: Effect,
) -> Verdict {
    for (kind, hits) in kinds {
        for steps in [true, false] {
            guest.again()?;
            let Watched { len, addr, bytes } = prepare(guest)?;
            guest.watch(kind, addr, bytes);
            let mut behind = guest.now.clone();
            effect(&mut behind, len);
            if !steps {
                guest.break_at(behind.cpu.pc().0 + 1);
            }
            let outcome = |now: &mut Want| {
                effect(now, len);
                if hits {
                    now.watchpoint(kind, addr);
                } else if !steps {
                    now.next(1);
                    now.breakpoint();
                }
            };
            let verdict = if steps { guest.step(outcome) } else { guest.run(outcome) };
            let way = if steps { "stepped" } else { "in free run" };
            verdict.map_err(|difference| format!("{kind:?} watch, {way}: {difference}"))?;
        }
    }
    Ok(())
}

/// All modes.
const ALL: &[Mode] = &[Mode::R, Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];
/// Those in which ring 0 runs.
const RING0: &[Mode] = &[Mode::R, Mode::P16, Mode::P, Mode::G, Mode::L];
/// Those in which something else than ring 0 runs.
const USER: &[Mode] = &[Mode::V, Mode::P3, Mode::U];
/// Those with page tables.
const PAGED: &[Mode] = &[Mode::G, Mode::L, Mode::U];
/// Those of 16 and 32 bits.
const LEGACY: &[Mode] = &[Mode::R, Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G];
/// Those whose segments have descriptors.
const PROTECTED: &[Mode] = &[Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];

/// RFLAGS.CF.
const CF: u64 = 1 << 0;
/// RFLAGS.PF.
const PF: u64 = 1 << 2;
/// RFLAGS.AF.
const AF: u64 = 1 << 4;
/// RFLAGS.ZF.
const ZF: u64 = 1 << 6;
/// RFLAGS.SF.
const SF: u64 = 1 << 7;
/// RFLAGS.TF.
const TF: u64 = 1 << 8;
/// RFLAGS.IF.
const IF: u64 = 1 << 9;
/// RFLAGS.DF.
const DF: u64 = 1 << 10;
/// RFLAGS.OF.
const OF: u64 = 1 << 11;
/// RFLAGS.RF.
const RF: u64 = 1 << 16;
/// RFLAGS.AC.
const AC: u64 = 1 << 18;
/// All that arithmetic changes.
const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;
