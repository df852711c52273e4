//! The cases, by topic.

mod breakpoints;
mod catch;
mod control;
mod debug;
mod exceptions;
mod flags;
mod halt;
mod interrupts;
mod io;
mod mmio;
mod strings;
mod switch;
mod watch;

use stepvisor::machine::{StopReason, WatchKind};
use stepvisor::x86::Gpr::{self, Rax, Rbx, Rcx, Rdi, Rdx, Rsi, Rsp};
use stepvisor::x86::SegmentName;

use crate::Case;
use crate::subject::{Subject, Verdict};
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
        exceptions::cases(),
        switch::cases(),
        debug::cases(),
        breakpoints::cases(),
        watch::cases(),
        catch::cases(),
    ];
    topics.into_iter().flatten()
}

fn case(name: &'static str, modes: &'static [Mode], run: fn(&mut Subject) -> Verdict) -> Case {
    Case { name, modes, run }
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
/// All that arithmetic changes.
const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;
