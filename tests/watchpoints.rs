//! Watchpoints: what hits, where the guest is then, and that running and stepping agree on it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::samples::{End, SAMPLES};
use common::{AX, BX, CX, DI, DX, SI, SP, START, VGA, boot, record, set, visible, write};
use stepvisor::machine::{Machine, StopReason, Watch, WatchKind};
use stepvisor::x86::{CpuState, Linear};

use WatchKind::{Access, Read, Write};

/// RAM that the cases access.
const DATA: u64 = 0x600;

/// A stop at a watchpoint: the range's start, the kind, the offset of the next instruction from [`START`],
/// and CX.
type Hit = (u64, WatchKind, u64, u64);

/// A few instructions, what they start with, what is watched, and what hits in which order.
struct Case {
    asm: &'static str,
    code: &'static [u8],
    before: fn(&mut CpuState),
    memory: &'static [(u64, &'static [u8])],
    watches: &'static [(u64, u64, WatchKind)],
    hits: &'static [Hit],
}

impl Case {
    fn boot(&self) -> Machine {
        let mut machine = boot(&[self.code, &[0xf4]].concat());
        set(&mut machine, |cpu| {
            cpu.gpr = [0; 16];
            cpu.gpr[SP] = 0x7000;
            (self.before)(cpu);
        });
        for (addr, data) in self.memory {
            write(&mut machine, *addr, data);
        }
        for (addr, len, kind) in self.watches {
            let watch = Watch { addr: Linear(*addr), len: *len, kind: *kind };
            machine.breakpoints_mut().insert_watch(watch);
        }
        machine
    }

    /// Whoever drives the machine sees the same.
    #[track_caller]
    fn check(&self) {
        let mut stepped = self.boot();
        assert_eq!(hits(&mut stepped, Machine::step), self.hits, "{}, stepped", self.asm);
        for more in [0, 1, 5] {
            let mut ran = self.boot();
            // Never reached.
            for addr in (0x10_0000..).take(more) {
                ran.breakpoints_mut().insert(Linear(addr));
            }
            let what = format!("{}, run with {more} breakpoints", self.asm);
            assert_eq!(hits(&mut ran, Machine::run), self.hits, "{what}");
            assert_eq!(visible(ran.cpu()), visible(stepped.cpu()), "{what}");
            assert_eq!(ran.frame(), stepped.frame(), "{what}");
        }
    }
}

/// The hits until the guest halts.
#[track_caller]
fn hits(machine: &mut Machine, go: fn(&mut Machine) -> StopReason) -> Vec<Hit> {
    let mut hits = Vec::new();
    for _ in 0..1000 {
        match go(machine) {
            StopReason::Stepped => {}
            StopReason::Watchpoint(hit) => {
                let cpu = machine.cpu();
                let place = cpu.pc().0.wrapping_sub(START);
                hits.push((hit.addr.0, hit.kind, place, cpu.gpr[CX] & 0xffff));
            }
            StopReason::Halted { .. } => return hits,
            stop => panic!("{stop}"),
        }
    }
    panic!("no end, now at {}", machine.cpu().location())
}

fn es_is_video(cpu: &mut CpuState) {
    common::load(&mut cpu.segments.es, 0xb800);
}

fn ds_is_video(cpu: &mut CpuState) {
    common::load(&mut cpu.segments.ds, 0xb800);
}

#[test]
fn moves_hit_by_what_they_do_and_not_by_what_changes() {
    let moves = |hits| Case {
        asm: "mov al, [600]; mov [600], al; inc byte [600]; mov [5ff], ax; mov [601], ax",
        code: &[0xa0, 0, 6, 0xa2, 0, 6, 0xfe, 0x06, 0, 6, 0xa3, 0xff, 5, 0xa3, 1, 6],
        before: |_| {},
        memory: &[],
        watches: &[],
        hits,
    };
    let watch = |watches, hits| Case { watches, ..moves(hits) }.check();
    watch(&[(DATA, 1, Write)], &[(DATA, Write, 6, 0), (DATA, Write, 10, 0), (DATA, Write, 13, 0)]);
    watch(&[(DATA, 1, Read)], &[(DATA, Read, 3, 0), (DATA, Read, 10, 0)]);
    watch(
        &[(DATA, 1, Access)],
        &[(DATA, Access, 3, 0), (DATA, Access, 6, 0), (DATA, Access, 10, 0), (DATA, Access, 13, 0)],
    );
}

#[test]
fn video_memory_hits_like_ram() {
    for (kind, hits) in [
        (Write, &[(VGA, Write, 8, 0), (VGA, Write, 13, 0), (VGA, Write, 18, 0)][..]),
        (Read, &[(VGA, Read, 4, 0), (VGA, Read, 13, 0)]),
        (
            Access,
            &[(VGA, Access, 4, 0), (VGA, Access, 8, 0), (VGA, Access, 13, 0), (VGA, Access, 18, 0)],
        ),
    ] {
        let watches: &[_] = match kind {
            Write => &[(VGA, 2, Write)],
            Read => &[(VGA, 2, Read)],
            Access => &[(VGA, 2, Access)],
        };
        Case {
            asm: "mov al, [es:0]; mov [es:1], al; inc byte [es:0]; mov word [es:1..], ...",
            code: &[
                0x26, 0xa0, 0, 0, 0x26, 0xa2, 1, 0, 0x26, 0xfe, 0x06, 0, 0, // those
                0x90, 0x26, 0xa3, 1, 0, // mov [es:1], ax
                0x26, 0xa3, 2, 0, // mov [es:2], ax, which is beside it
            ],
            before: es_is_video,
            memory: &[],
            watches,
            hits,
        }
        .check();
    }
}

#[test]
fn memory_where_nothing_is_can_be_watched() {
    Case {
        asm: "mov [es:0], al; mov al, [es:0]",
        code: &[0x26, 0xa2, 0, 0, 0x26, 0xa0, 0, 0],
        before: |cpu| common::load(&mut cpu.segments.es, 0xa000),
        memory: &[],
        watches: &[(0xa_0000, 1, Access)],
        hits: &[(0xa_0000, Access, 4, 0), (0xa_0000, Access, 8, 0)],
    }
    .check();
}

#[test]
fn a_range_hits_at_each_of_its_bytes_and_nowhere_else() {
    for len in [1, 2, 3, 5, 8, 16, 100] {
        for start in [DATA, DATA + 1] {
            // stosb, 128 of them from 5F0
            let code = [0xaa; 128];
            let mut machine = boot(&[&code[..], &[0xf4]].concat());
            set(&mut machine, |cpu| (cpu.gpr[DI], cpu.gpr[CX]) = (0x5f0, 0));
            let watch = Watch { addr: Linear(start), len, kind: Write };
            machine.breakpoints_mut().insert_watch(watch);
            let first = start - 0x5f0 + 1;
            let expected: Vec<Hit> = (first..first + len)
                .filter(|place| *place <= 128)
                .map(|place| (start, Write, place, 0))
                .collect();
            assert_eq!(hits(&mut machine, Machine::run), expected, "{len} bytes at {start:#x}");
        }
    }
}

#[test]
fn repetitions_hit_at_each_iteration() {
    Case {
        asm: "rep stosb",
        code: &[0xf3, 0xaa],
        before: |cpu| (cpu.gpr[CX], cpu.gpr[DI]) = (6, DATA - 2),
        memory: &[],
        watches: &[(DATA, 4, Write)],
        hits: &[(DATA, Write, 0, 3), (DATA, Write, 0, 2), (DATA, Write, 0, 1), (DATA, Write, 2, 0)],
    }
    .check();
    Case {
        asm: "rep stosw, to video memory",
        code: &[0xf3, 0xab],
        before: |cpu| {
            es_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[AX]) = (8, 0x720);
        },
        memory: &[],
        watches: &[(VGA + 3, 4, Write)],
        hits: &[(VGA + 3, Write, 0, 6), (VGA + 3, Write, 0, 5), (VGA + 3, Write, 0, 4)],
    }
    .check();
    Case {
        asm: "rep movsw, in video memory, downwards",
        code: &[0xfd, 0xf3, 0xa5],
        before: |cpu| {
            es_is_video(cpu);
            ds_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (5, 0x10, 0x18);
        },
        memory: &[],
        watches: &[(VGA + 0x14, 2, Write), (VGA + 0xe, 1, Read)],
        hits: &[(VGA + 0xe, Read, 1, 3), (VGA + 0x14, Write, 1, 2)],
    }
    .check();
    Case {
        asm: "rep movsb, from video memory to RAM",
        code: &[0xf3, 0xa4],
        before: |cpu| {
            ds_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[DI]) = (4, DATA);
        },
        memory: &[],
        watches: &[(DATA + 1, 2, Write)],
        hits: &[(DATA + 1, Write, 0, 2), (DATA + 1, Write, 0, 1)],
    }
    .check();
    Case {
        asm: "rep movsb, from watched video memory to RAM",
        code: &[0xf3, 0xa4],
        before: |cpu| {
            ds_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[DI]) = (4, DATA);
        },
        memory: &[],
        watches: &[(VGA + 1, 2, Read)],
        hits: &[(VGA + 1, Read, 0, 2), (VGA + 1, Read, 0, 1)],
    }
    .check();
    Case {
        asm: "repe cmpsb, in video memory",
        code: &[0xf3, 0xa6],
        before: |cpu| {
            ds_is_video(cpu);
            es_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (6, 0, 8);
        },
        memory: &[(VGA + 11, &[1])],
        watches: &[(VGA + 1, 1, Access), (VGA + 11, 4, Access)],
        hits: &[(VGA + 1, Access, 0, 4), (VGA + 11, Access, 2, 2)],
    }
    .check();
    Case {
        asm: "rep movsb, from RAM to video memory",
        code: &[0xf3, 0xa4],
        before: |cpu| {
            es_is_video(cpu);
            (cpu.gpr[CX], cpu.gpr[SI]) = (4, DATA);
        },
        memory: &[],
        watches: &[(DATA + 1, 2, Access)],
        hits: &[(DATA + 1, Access, 0, 2), (DATA + 1, Access, 0, 1)],
    }
    .check();
    Case {
        asm: "repe cmpsb",
        code: &[0xf3, 0xa6],
        before: |cpu| (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (9, DATA, DATA + 0x10),
        memory: &[(DATA + 2, &[1])],
        watches: &[(DATA + 0x12, 1, Read), (DATA + 3, 1, Access)],
        hits: &[(DATA + 0x12, Read, 2, 6)],
    }
    .check();
    Case {
        asm: "rep stosb, no iteration",
        code: &[0xf3, 0xaa],
        before: |cpu| cpu.gpr[DI] = DATA,
        memory: &[],
        watches: &[(DATA, 1, Access)],
        hits: &[],
    }
    .check();
}

#[test]
fn a_breakpoint_behind_a_watched_access_has_its_turn_after_it() {
    // mov [600], al; nop; rep stosb
    let code = [0xa2, 0, 6, 0x90, 0xf3, 0xaa, 0xf4];
    for more in [0, 5] {
        let mut machine = boot(&code);
        set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DI]) = (2, DATA));
        machine.breakpoints_mut().insert_watch(Watch { addr: Linear(DATA), len: 1, kind: Write });
        for addr in [START + 3, START + 4] {
            machine.breakpoints_mut().insert(Linear(addr));
        }
        (0x10_0000..).take(more).for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
        let hit = |stop: StopReason| matches!(stop, StopReason::Watchpoint(_));
        assert!(hit(machine.run()));
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(START + 3)));
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(START + 4)));
        assert!(hit(machine.step()));
        // The rest of the repetition, without a second stop.
        assert!(matches!(machine.run(), StopReason::Halted { .. }));
    }
}

#[test]
fn ports_hit_by_the_memory_that_they_move() {
    Case {
        asm: "outsb; rep outsb",
        code: &[0x6e, 0xf3, 0x6e],
        before: |cpu| (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DX]) = (2, DATA, 0x80),
        memory: &[],
        watches: &[(DATA, 1, Access), (DATA + 2, 1, Read)],
        hits: &[(DATA, Access, 1, 2), (DATA + 2, Read, 3, 0)],
    }
    .check();
    Case {
        asm: "insb; insw",
        code: &[0x6c, 0x6d],
        before: |cpu| (cpu.gpr[DI], cpu.gpr[DX]) = (DATA, 0x80),
        memory: &[],
        watches: &[(DATA, 1, Write), (DATA + 2, 1, Write)],
        hits: &[(DATA, Write, 1, 0), (DATA + 2, Write, 2, 0)],
    }
    .check();
}

#[test]
fn the_stack_hits_by_pushes_pops_and_calls() {
    Case {
        asm: "push ax; pop ax; call next; call far next",
        code: &[0x50, 0x58, 0xe8, 0, 0, 0x9a, 0x0a, 0x7c, 0, 0],
        before: |_| {},
        memory: &[],
        watches: &[(0x6ffe, 2, Write)],
        hits: &[(0x6ffe, Write, 1, 0), (0x6ffe, Write, 5, 0)],
    }
    .check();
    Case {
        asm: "push ax; pop ax; call far next",
        code: &[0x50, 0x58, 0x9a, 7, 0x7c, 0, 0],
        before: |_| {},
        memory: &[(0x6ffc, &[0x07, 0x7c, 0, 0])],
        // The same bytes as before.
        watches: &[(0x6ffc, 1, Write), (0x6ffe, 1, Read)],
        hits: &[(0x6ffe, Read, 2, 0), (0x6ffc, Write, 7, 0)],
    }
    .check();
    Case {
        asm: "pusha; popa",
        code: &[0x60, 0x61],
        before: |_| {},
        memory: &[],
        watches: &[(0x6ff0, 1, Access)],
        hits: &[(0x6ff0, Access, 1, 0), (0x6ff0, Access, 2, 0)],
    }
    .check();
}

#[test]
fn the_frame_of_an_interrupt_hits_even_if_it_changes_nothing() {
    // int 0x21 whose handler is iret, at 7C10
    let mut code = vec![0xf4; 0x12];
    code[..4].copy_from_slice(&[0xcd, 0x21, 0x90, 0xf4]);
    code[0x10] = 0xcf;
    for kind in [Write, Access] {
        let mut machine = boot(&code);
        set(&mut machine, |cpu| (cpu.gpr[SP], cpu.gpr[CX]) = (0x7000, 0));
        write(&mut machine, 0x21 * 4, &[0x10, 0x7c, 0, 0]);
        write(&mut machine, 0x6ffa, &[2, 0x7c, 0, 0, 2, 0]);
        machine.breakpoints_mut().insert_watch(Watch { addr: Linear(0x6ffc), len: 2, kind });
        let expected: &[Hit] = match kind {
            Write => &[(0x6ffc, Write, 0x10, 0)],
            _ => &[(0x6ffc, Access, 0x10, 0), (0x6ffc, Access, 2, 0)],
        };
        assert_eq!(hits(&mut machine, Machine::run), expected);
    }
}

#[test]
fn the_frame_of_a_debug_exception_hits_even_if_it_changes_nothing() {
    // int1; hlt, and nop; hlt with the trap flag set. The handler at 7C10 is add sp, 6; hlt.
    for (code, flags) in [([0xf1, 0xf4], 2), ([0x90, 0xf4], 0x102)] {
        let mut image = vec![0xf4; 0x14];
        image[..2].copy_from_slice(&code);
        image[0x10..].copy_from_slice(&[0x83, 0xc4, 6, 0xf4]);
        let mut machine = boot(&image);
        set(&mut machine, |cpu| (cpu.gpr[SP], cpu.gpr[CX], cpu.rflags) = (0x7000, 0, flags));
        write(&mut machine, 4, &[0x10, 0x7c, 0, 0]);
        let [low, high] = (flags as u16).to_le_bytes();
        write(&mut machine, 0x6ffa, &[1, 0x7c, 0, 0, low, high]);
        let watch = Watch { addr: Linear(0x6ffc), len: 2, kind: Write };
        machine.breakpoints_mut().insert_watch(watch);
        assert_eq!(hits(&mut machine, Machine::run), [(0x6ffc, Write, 0x10, 0)], "{code:02x?}");
    }
}

#[test]
fn an_access_that_faults_is_none() {
    // mov [bx], ax beyond the segment's end, where processors check that: #GP, whose handler at 7C10 halts
    let mut code = vec![0xf4; 0x12];
    code[..3].copy_from_slice(&[0x89, 0x07, 0xf4]);
    let mut machine = boot(&code);
    set(&mut machine, |cpu| cpu.gpr[BX] = 0xffff);
    write(&mut machine, 13 * 4, &[0x10, 0x7c, 0, 0]);
    let mut plain = boot(&code);
    set(&mut plain, |cpu| cpu.gpr[BX] = 0xffff);
    write(&mut plain, 13 * 4, &[0x10, 0x7c, 0, 0]);
    let faults = plain.step() == StopReason::Stepped && plain.cpu().rip == START + 0x10;
    machine.breakpoints_mut().insert_watch(Watch { addr: Linear(0xffff), len: 1, kind: Write });
    assert_eq!(hits(&mut machine, Machine::run).is_empty(), faults);
}

#[test]
fn the_first_of_several_watchpoints_is_named() {
    Case {
        asm: "mov [600], ax",
        code: &[0xa3, 0, 6],
        before: |_| {},
        memory: &[],
        watches: &[(DATA + 1, 1, Access), (DATA, 1, Write), (DATA, 2, Read)],
        hits: &[(DATA + 1, Access, 3, 0)],
    }
    .check();
}

#[test]
fn all_watchpoints_that_one_instruction_hits_are_known() {
    let listed = |machine: &Machine| -> Vec<(u64, WatchKind)> {
        machine.watch_hits().iter().map(|watch| (watch.addr.0, watch.kind)).collect()
    };
    // movsw, within RAM, from RAM to video memory, from there to RAM, and within it.
    for (from, to) in [(DATA, 0x700), (DATA, VGA), (VGA, DATA), (VGA, VGA + 8)] {
        for (go, more) in [(Machine::step as fn(&mut Machine) -> StopReason, 0)]
            .into_iter()
            .chain([0, 5].map(|more| (Machine::run as fn(&mut Machine) -> StopReason, more)))
        {
            let mut machine = boot(&[0xa5, 0xf4]);
            set(&mut machine, |cpu| {
                common::load(&mut cpu.segments.ds, (from >> 4) as u16);
                common::load(&mut cpu.segments.es, (to >> 4) as u16);
                (cpu.gpr[SI], cpu.gpr[DI]) = (from & 15, to & 15);
                cpu.gpr[CX] = 1;
            });
            write(&mut machine, to, &[1, 2]);
            write(&mut machine, from, &[3, 4]);
            for (addr, kind) in
                [(to + 1, Write), (0x5_0000, Access), (from, Read), (to, Access), (to, Read)]
            {
                machine.breakpoints_mut().insert_watch(Watch { addr: Linear(addr), len: 1, kind });
            }
            (0x10_0000..)
                .take(more)
                .for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
            let what = format!("from {from:#x} to {to:#x} with {more} breakpoints");
            assert!(matches!(go(&mut machine), StopReason::Watchpoint(_)), "{what}");
            let mut hits = listed(&machine);
            hits.sort_by_key(|(addr, _)| *addr);
            let mut expected = vec![(to + 1, Write), (from, Read), (to, Access)];
            expected.sort_by_key(|(addr, _)| *addr);
            assert_eq!(hits, expected, "{what}");
            machine.reset().unwrap();
            assert_eq!(listed(&machine), [], "{what}");
        }
    }
}

#[test]
fn breakpoints_and_watchpoints_of_all_kinds_hit_in_order() {
    // mov [600], al; mov [es:0], al; mov al, [602]; mov al, [es:2]; inc ax; nop; nop; hlt
    let code = [0xa2, 0, 6, 0x26, 0xa2, 0, 0, 0xa0, 2, 6, 0x26, 0xa0, 2, 0, 0x40, 0x90, 0x90, 0xf4];
    let mut machine = boot(&code);
    set(&mut machine, es_is_video);
    let breakpoints = [3, 7, 14, 15, 16].map(|offset| START + offset);
    breakpoints.into_iter().for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
    for (addr, kind) in
        [(DATA, Write), (VGA, Access), (DATA + 2, Read), (VGA + 2, Read), (0x5_0000, Access)]
    {
        machine.breakpoints_mut().insert_watch(Watch { addr: Linear(addr), len: 2, kind });
    }
    let mut seen = Vec::new();
    let mut stop = machine.run();
    loop {
        match stop {
            StopReason::Watchpoint(hit) => {
                seen.push(hit.addr.0);
                stop = machine.run();
            }
            StopReason::Breakpoint(addr) => {
                seen.push(addr.0);
                // As gdb leaves a breakpoint.
                stop = match machine.step() {
                    StopReason::Stepped => machine.run(),
                    stop => stop,
                };
            }
            StopReason::Halted { .. } => break,
            stop => panic!("{stop}"),
        }
    }
    let places = |offset: u64| START + offset;
    assert_eq!(
        seen,
        [DATA, places(3), VGA, places(7), DATA + 2, VGA + 2, places(14), places(15), places(16),]
    );
}

#[test]
fn the_user_is_told_once_that_a_guest_is_stepped_for() {
    let mut machine = boot(&[0x90, 0x90, 0x90, 0xf4]);
    let heard = record(&mut machine);
    (START..).take(3).for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(START)));
    assert_eq!(heard.borrow().notices, Vec::<String>::new());
    (0x10_0000..).take(5).for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
    while !matches!(machine.run(), StopReason::Halted { .. }) {
        machine.step();
    }
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("8 debug registers are needed"), "{notices:?}");
}

#[test]
fn every_guest_ends_the_same_with_watchpoints_that_nothing_hits() {
    for sample in SAMPLES.iter().filter(|sample| sample.end == End::Halt) {
        let mut free = sample.machine();
        assert!(matches!(free.run(), StopReason::Halted { .. }), "{}", sample.name);
        // The firmware clears all of video memory.
        let screen = (!sample.needs_firmware).then_some((VGA + 0x7f00, Access));
        for (addr, kind) in [(0x5_0000, Write)].into_iter().chain(screen) {
            let mut watched = sample.machine();
            watched.breakpoints_mut().insert_watch(Watch { addr: Linear(addr), len: 4, kind });
            assert!(matches!(watched.run(), StopReason::Halted { .. }), "{}", sample.name);
            assert_eq!(visible(watched.cpu()), visible(free.cpu()), "{}", sample.name);
            assert_eq!(watched.frame(), free.frame(), "{}", sample.name);
        }
    }
}
