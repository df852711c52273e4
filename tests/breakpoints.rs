//! Running to breakpoints, kicks from other threads, and reset.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::sync::mpsc;
use std::thread;

use common::samples::{End, SAMPLES, sample};
use common::switch::{BEGIN, BEHIND_EFER, IN_LONG_MODE, Way, machine_before_switch};
use common::{
    AX, CX, DI, SI, START, boot, boot_at, halted, machine, read, record, set, visible, write,
};
use stepvisor::machine::{Machine, Observer, StopReason, Watch, WatchKind};
use stepvisor::x86::{CpuMode, Linear, SegOff};

/// How many breakpoints there are in all: few go to the debug registers, many to the step engine.
const COUNTS: [usize; 6] = [1, 2, 4, 5, 8, 100];

/// Sets a breakpoint at the linear address `addr`.
fn break_at(machine: &mut Machine, addr: u64) {
    machine.breakpoints_mut().insert(Linear(addr));
}

/// Adds breakpoints that are never reached until there are `count`.
fn fill_up(machine: &mut Machine, count: usize) {
    for addr in (0x10_0000..).take(count.saturating_sub(machine.breakpoints().addresses().count()))
    {
        break_at(machine, addr);
    }
}

fn hit(addr: u64) -> StopReason {
    StopReason::Breakpoint(Linear(addr))
}

/// Leaves a breakpoint as gdb does, and runs on.
#[track_caller]
fn step_off_and_run(machine: &mut Machine) -> StopReason {
    assert_eq!(machine.step(), StopReason::Stepped);
    machine.run()
}

#[test]
fn a_breakpoint_stops_before_its_instruction_at_any_cs() {
    // inc ax; inc ax; hlt
    for entry in [SegOff::new(0, 0x7c00), SegOff::new(0x7c0, 0), SegOff::new(0x700, 0xc00)] {
        for count in COUNTS {
            let mut machine = boot_at(&[0x40, 0x40, 0xf4], START, entry);
            set(&mut machine, |cpu| cpu.gpr[AX] = 0);
            break_at(&mut machine, START + 1);
            fill_up(&mut machine, count);
            assert_eq!(machine.run(), hit(START + 1), "{entry}, {count} breakpoints");
            assert_eq!(machine.cpu().gpr[AX], 1);
            let there = SegOff::new(entry.segment, entry.offset + 1);
            assert_eq!(machine.cpu().cs_ip(), there);
            let end = SegOff::new(entry.segment, entry.offset + 3).to_string();
            assert_eq!(step_off_and_run(&mut machine), halted(&end), "{count} breakpoints");
            assert_eq!(machine.cpu().gpr[AX], 2);
        }
    }
}

#[test]
fn a_breakpoint_at_the_next_instruction_stops_at_once() {
    for count in COUNTS {
        let mut machine = boot(&[0x40, 0xf4]);
        break_at(&mut machine, START);
        fill_up(&mut machine, count);
        let before = machine.cpu().clone();
        assert_eq!(machine.run(), hit(START));
        assert_eq!(machine.run(), hit(START));
        assert_eq!(machine.cpu(), &before);
    }
}

#[test]
fn a_breakpoint_in_a_loop_hits_each_time_around() {
    // mov cx, 3; inc ax; loop the inc; hlt
    for count in COUNTS {
        let mut machine = boot(&[0xb9, 3, 0, 0x40, 0xe2, 0xfd, 0xf4]);
        break_at(&mut machine, START + 3);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 3));
        assert_eq!(step_off_and_run(&mut machine), hit(START + 3));
        assert_eq!(step_off_and_run(&mut machine), hit(START + 3));
        assert_eq!(machine.cpu().gpr[CX], 1);
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C07"), "{count} breakpoints");
    }
}

#[test]
fn neighbouring_breakpoints_each_hit_once() {
    // five times inc ax, then hlt
    for count in COUNTS {
        let mut machine = boot(&[0x40, 0x40, 0x40, 0x40, 0x40, 0xf4]);
        for offset in 0..count.min(5) as u64 {
            break_at(&mut machine, START + offset);
        }
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START));
        for offset in 1..count.min(5) as u64 {
            assert_eq!(step_off_and_run(&mut machine), hit(START + offset));
        }
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C06"));
    }
}

#[test]
fn a_breakpoint_on_a_jump_to_itself_hits_each_time_around() {
    for count in COUNTS {
        let mut machine = boot(&[0x90, 0xeb, 0xfe]);
        break_at(&mut machine, START + 1);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 1));
        assert_eq!(step_off_and_run(&mut machine), hit(START + 1));
        assert_eq!(step_off_and_run(&mut machine), hit(START + 1));
    }
}

#[test]
fn a_breakpoint_after_an_instruction_that_leaves_the_guest_hits() {
    let cases: [(&str, &[u8]); 7] = [
        ("out 0xe9, al", &[0xe6, 0xe9]),
        ("in al, 0xe9", &[0xe4, 0xe9]),
        ("rep outsb", &[0xf3, 0x6e]),
        ("mov [es:0], al", &[0x26, 0xa2, 0, 0]),
        ("mov al, [es:0]", &[0x26, 0xa0, 0, 0]),
        ("inc word [es:0]", &[0x26, 0xff, 0x06, 0, 0]),
        ("rep movsw", &[0xf3, 0xa5]),
    ];
    for (asm, code) in cases {
        for count in COUNTS {
            let mut machine = boot(&[code, &[0x90, 0xf4]].concat());
            set(&mut machine, |cpu| {
                common::load(&mut cpu.segments.es, 0xb800);
                common::load(&mut cpu.segments.ds, 0xb800);
                (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (5, 2, 0);
                cpu.gpr[common::DX] = 0xe9;
            });
            let after = START + code.len() as u64;
            break_at(&mut machine, after);
            fill_up(&mut machine, count);
            assert_eq!(machine.run(), hit(after), "{asm}, {count} breakpoints");
            let end = SegOff::new(0, 0x7c02 + code.len() as u16).to_string();
            assert_eq!(step_off_and_run(&mut machine), halted(&end), "{asm}, {count} breakpoints");
        }
    }
}

#[test]
fn a_guest_runs_on_after_a_step_over_an_access() {
    let cases: [(&str, &[u8], usize); 8] = [
        ("out 0xe9, al", &[0xe6, 0xe9], 1),
        ("in al, 0xe9", &[0xe4, 0xe9], 1),
        ("outsb", &[0x6e], 1),
        ("mov [es:0], al", &[0x26, 0xa2, 0, 0], 1),
        ("mov al, [es:0]", &[0x26, 0xa0, 0, 0], 1),
        ("inc word [es:0]", &[0x26, 0xff, 0x06, 0, 0], 1),
        ("rep movsw", &[0xf3, 0xa5], 5),
        ("rep es lodsb", &[0xf3, 0x26, 0xac], 5),
    ];
    for (asm, code, steps) in cases {
        // One step, all of them, and those before a step that fetches nothing from the device.
        for count in [1, steps, steps + 1] {
            let mut machine = boot(&[code, &[0x90, 0x90, 0xf4]].concat());
            set(&mut machine, |cpu| {
                common::load(&mut cpu.segments.es, 0xb800);
                common::load(&mut cpu.segments.ds, 0xb800);
                (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[DI]) = (5, 2, 0);
                cpu.gpr[common::DX] = 0xe9;
            });
            let sp = machine.cpu().gpr[common::SP];
            for _ in 0..count {
                assert_eq!(machine.step(), StopReason::Stepped, "{asm}");
            }
            let end = SegOff::new(0, 0x7c03 + code.len() as u16).to_string();
            assert_eq!(machine.run(), halted(&end), "{asm}, {count} steps");
            // Nothing has come in between.
            assert_eq!(machine.cpu().gpr[common::SP], sp, "{asm}, {count} steps");
        }
    }
}

#[test]
fn breakpoints_around_an_interrupt_hit_in_order() {
    // int 0x21; nop; hlt ... the handler at 7C10: inc ax; iret
    let mut code = vec![0x90; 0x20];
    code[..4].copy_from_slice(&[0xcd, 0x21, 0x90, 0xf4]);
    code[0x10..0x12].copy_from_slice(&[0x40, 0xcf]);
    for count in COUNTS {
        let mut machine = boot(&code);
        write(&mut machine, 0x21 * 4, &[0x10, 0x7c, 0, 0]);
        let places = [START, START + 0x10, START + 0x11, START + 2];
        places.into_iter().take(count).for_each(|addr| break_at(&mut machine, addr));
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START));
        for place in places.into_iter().take(count).skip(1) {
            assert_eq!(step_off_and_run(&mut machine), hit(place), "{count} breakpoints");
        }
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C04"), "{count} breakpoints");
    }
}

#[test]
fn a_breakpoint_in_a_handler_hits_whatever_runs_to_it() {
    // int 0x21; hlt ... the handler at 7C10: iret
    let mut code = vec![0x90; 0x20];
    code[..3].copy_from_slice(&[0xcd, 0x21, 0xf4]);
    code[0x10] = 0xcf;
    for count in COUNTS {
        let mut machine = boot(&code);
        write(&mut machine, 0x21 * 4, &[0x10, 0x7c, 0, 0]);
        break_at(&mut machine, START + 0x10);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 0x10), "{count} breakpoints");
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C03"), "{count} breakpoints");
    }
}

#[test]
fn a_breakpoint_on_hlt_hits_before_the_halt() {
    for count in COUNTS {
        let mut machine = boot(&[0x90, 0xf4]);
        break_at(&mut machine, START + 1);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 1));
        assert_eq!(machine.step(), halted("0000:7C02"));
        assert_eq!(machine.run(), halted("0000:7C02"));
    }
}

#[test]
fn a_breakpoint_on_a_repeated_instruction_hits_once() {
    // nop; rep stosb; nop; hlt
    for count in COUNTS {
        let mut machine = boot(&[0x90, 0xf3, 0xaa, 0x90, 0xf4]);
        set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX], cpu.gpr[DI]) = (0x41, 5, 0x500));
        break_at(&mut machine, START + 1);
        break_at(&mut machine, START + 3);
        fill_up(&mut machine, count.max(2));
        assert_eq!(machine.run(), hit(START + 1));
        assert_eq!(machine.cpu().gpr[CX], 5);
        // A step makes one iteration; running on finishes the others without a second hit.
        assert_eq!(step_off_and_run(&mut machine), hit(START + 3), "{count} breakpoints");
        assert_eq!((machine.cpu().gpr[CX], machine.cpu().gpr[DI]), (0, 0x505));
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C05"));
    }
}

#[test]
fn a_repeated_instruction_in_a_loop_hits_once_each_time_around() {
    // mov cx, 3; rep stosb; jmp the mov
    for count in COUNTS {
        let mut machine = boot(&[0xb9, 3, 0, 0xf3, 0xaa, 0xeb, 0xf9]);
        set(&mut machine, |cpu| cpu.gpr[DI] = 0x500);
        break_at(&mut machine, START + 3);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 3));
        for round in 1..4 {
            assert_eq!(step_off_and_run(&mut machine), hit(START + 3));
            assert_eq!(machine.cpu().gpr[DI], 0x500 + 3 * round, "{count} breakpoints");
        }
    }
}

#[test]
fn a_guest_cannot_see_its_breakpoints() {
    // mov si, 7c00; mov cx, 0x12; xor ax, ax; the sum: lodsb; add ah, al; loop; mov [0x500], ah; hlt
    let code = [
        0xbe, 0, 0x7c, 0xb9, 0x12, 0, 0x31, 0xc0, 0xac, 0x00, 0xc4, 0xe2, 0xfb, 0x88, 0x26, 0, 5,
        0xf4,
    ];
    let sum = code.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    for count in COUNTS {
        let mut machine = boot(&code);
        for addr in [START + 0x0d, START + 0x11, START + 3, START + 6].into_iter().take(count) {
            break_at(&mut machine, addr);
        }
        fill_up(&mut machine, count);
        let mut hits = 0;
        let mut stop = machine.run();
        while matches!(stop, StopReason::Breakpoint(_)) {
            hits += 1;
            stop = match machine.step() {
                StopReason::Stepped => machine.run(),
                stop => stop,
            };
        }
        assert_eq!(stop, halted("0000:7C12"));
        assert_eq!(hits, count.min(4), "{count} breakpoints");
        assert_eq!(read(&machine, 0x500, 1), [sum], "{count} breakpoints");
    }
}

#[test]
fn at_a_breakpoint_the_registers_are_those_of_stepping_there() {
    // std; stc; in al, 0xe9; mov bx, ax; push bx; nop; hlt
    let code = [0xfd, 0xf9, 0xe4, 0xe9, 0x89, 0xc3, 0x53, 0x90, 0xf4];
    for count in [1, 5] {
        for (steps, offset) in [1, 2, 4, 6, 7].into_iter().enumerate() {
            let mut stepped = boot(&code);
            for _ in 0..=steps {
                assert_eq!(stepped.step(), StopReason::Stepped);
            }
            let mut machine = boot(&code);
            break_at(&mut machine, START + offset);
            fill_up(&mut machine, count);
            assert_eq!(machine.run(), hit(START + offset));
            assert_eq!(
                visible(machine.cpu()),
                visible(stepped.cpu()),
                "offset {offset}, {count} breakpoints"
            );
        }
    }
}

#[test]
fn breakpoints_work_in_protected_and_long_mode() {
    for name in ["protected", "long"] {
        let sample = sample(name);
        // The last HLT: the guest ends just behind it.
        let mut first = machine(sample.boot());
        assert!(matches!(first.run(), StopReason::Halted { .. }));
        let hlt = first.cpu().pc().0 - 1;
        for count in [1, 5] {
            let mut machine = machine(sample.boot());
            break_at(&mut machine, hlt);
            fill_up(&mut machine, count);
            assert_eq!(machine.run(), hit(hlt), "{name}, {count} breakpoints");
            assert_eq!(machine.cpu().mode(), first.cpu().mode(), "{name}");
            assert!(matches!(machine.step(), StopReason::Halted { .. }), "{name}");
            assert_eq!(visible(machine.cpu()), visible(first.cpu()), "{name}");
        }
    }
}

#[test]
fn breakpoints_hit_on_the_way_into_long_mode_and_in_its_ring_3_right_behind() {
    // inc eax; nop
    let code = [0xff, 0xc0, 0x90];
    for way in Way::TO_RING_3 {
        for count in [1, 4, 5] {
            let mut machine = machine_before_switch(way, &code);
            break_at(&mut machine, START + 2);
            fill_up(&mut machine, count);
            assert_eq!(machine.run(), hit(START + 2), "{way:?}, {count} breakpoints");
            assert_eq!((machine.cpu().mode(), machine.cpu().cpl()), (CpuMode::Long64, 3));
            assert_eq!(machine.step(), StopReason::Stepped);
            assert_eq!(machine.cpu().rip, START + 3);
            assert!(matches!(machine.run(), StopReason::Exit { .. }), "{way:?}");
        }
        let mut machine = machine_before_switch(way, &code);
        let places = [BEHIND_EFER, IN_LONG_MODE, START];
        places.iter().for_each(|place| break_at(&mut machine, *place));
        assert_eq!(machine.run(), hit(BEHIND_EFER), "{way:?}");
        assert_eq!(machine.cpu().mode(), CpuMode::Real);
        assert_eq!(step_off_and_run(&mut machine), hit(IN_LONG_MODE), "{way:?}");
        assert_eq!((machine.cpu().mode(), machine.cpu().cpl()), (CpuMode::Long64, 0));
        assert_eq!(step_off_and_run(&mut machine), hit(START), "{way:?}");
        assert_eq!((machine.cpu().mode(), machine.cpu().cpl()), (CpuMode::Long64, 3));
        // Stepped over the write of EFER.
        let mut machine = machine_before_switch(way, &code);
        while machine.cpu().rip != BEHIND_EFER {
            assert_eq!(machine.step(), StopReason::Stepped);
        }
        break_at(&mut machine, START);
        assert_eq!(machine.run(), hit(START), "{way:?}");
    }
}

#[test]
fn a_guest_that_enables_long_mode_before_it_has_a_descriptor_table_is_not_called_slow() {
    let mut machine = machine_before_switch(Way::OwnTables, &[0x90]);
    // mov ecx, EFER; rdmsr; or eax, LME; wrmsr; jmp BEGIN
    let first = [0x66, 0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x66, 0x0d, 0, 1, 0, 0, 0x0f, 0x30];
    write(&mut machine, BEGIN - 0x80, &[&first[..], &[0xeb, 0x80 - 18]].concat());
    // What is at 0 looks like code of ring 3.
    write(&mut machine, 8, &[0xff, 0xff, 0, 0, 0, 0xfa, 0xaf, 0]);
    set(&mut machine, |cpu| {
        (cpu.gdtr.base, cpu.gdtr.limit) = (0, 0xffff);
        cpu.rip = BEGIN - 0x80;
    });
    break_at(&mut machine, IN_LONG_MODE);
    let heard = record(&mut machine);
    assert_eq!(machine.run(), hit(IN_LONG_MODE));
    assert_eq!(machine.cpu().mode(), CpuMode::Long64);
    assert_eq!(heard.borrow().notices, [""; 0]);
}

#[test]
fn every_guest_ends_the_same_with_breakpoints_everywhere_it_never_goes() {
    for sample in SAMPLES.iter().filter(|sample| sample.end == End::Halt) {
        let mut free = sample.machine();
        let mut engine = sample.machine();
        fill_up(&mut engine, 5);
        assert_eq!(free.run(), engine.run(), "{}", sample.name);
        assert_eq!(visible(free.cpu()), visible(engine.cpu()), "{}", sample.name);
        assert_eq!(free.frame(), engine.frame(), "{}", sample.name);
    }
}

#[test]
fn a_watchpoint_sees_every_iteration_of_a_repetition() {
    // rep stosb; hlt
    let mut machine = boot(&[0xf3, 0xaa, 0xf4]);
    set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DI], cpu.gpr[AX]) = (6, 0x600, 7));
    let watch = Watch { addr: Linear(0x601), len: 4, kind: WatchKind::Write };
    machine.breakpoints_mut().insert_watch(watch);
    for left in [4, 3, 2, 1] {
        assert!(matches!(machine.run(), StopReason::Watchpoint(_)), "{left}");
        assert_eq!(machine.cpu().gpr[CX], left);
    }
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(read(&machine, 0x600, 6), [7; 6]);
}

#[test]
fn a_kick_in_the_middle_of_an_instruction_lets_it_finish() {
    // rep outsb from video memory: each iteration is a read and a write that leave the guest
    let mut machine = boot(&[0xf3, 0x6e, 0xf4]);
    let heard = record(&mut machine);
    set(&mut machine, |cpu| {
        common::load(&mut cpu.segments.ds, 0xb800);
        (cpu.gpr[CX], cpu.gpr[SI], cpu.gpr[common::DX]) = (2000, 0, 0xe9);
    });
    let kicker = machine.kicker();
    let (steps, stepping) = mpsc::channel();
    // One kick for each attempt, at whatever moment of it.
    let kicks = thread::spawn(move || stepping.iter().for_each(|()| kicker.kick()));
    let mut left = 2000;
    while left > 0 {
        steps.send(()).unwrap();
        match machine.step() {
            StopReason::Kicked => assert_eq!(machine.cpu().gpr[CX], left, "nothing has run"),
            StopReason::Stepped => {
                left -= 1;
                assert_eq!(machine.cpu().gpr[CX], left, "one iteration has run");
            }
            stop => panic!("{stop}"),
        }
    }
    drop(steps);
    kicks.join().unwrap();
    assert_eq!(heard.borrow().console.len(), 2000);
}

#[test]
fn a_breakpoint_taken_back_does_not_hit() {
    for count in COUNTS {
        let mut machine = boot(&[0x90, 0x90, 0x90, 0xf4]);
        break_at(&mut machine, START + 1);
        break_at(&mut machine, START + 2);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START + 1));
        assert!(machine.breakpoints_mut().remove(Linear(START + 2)));
        assert_eq!(step_off_and_run(&mut machine), halted("0000:7C04"), "{count} breakpoints");
    }
}

#[test]
fn a_step_ends_at_a_breakpoint_like_anywhere_else() {
    let mut machine = boot(&[0x90, 0x90]);
    break_at(&mut machine, START);
    break_at(&mut machine, START + 1);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, START + 1);
}

#[test]
fn stepping_through_a_range_ends_outside_it() {
    // mov cx, 3; inc ax; loop the inc; nop; hlt
    let mut machine = boot(&[0xb9, 3, 0, 0x40, 0xe2, 0xfd, 0x90, 0xf4]);
    set(&mut machine, |cpu| cpu.gpr[AX] = 0);
    let range = Linear(START)..Linear(START + 6);
    assert_eq!(machine.step_range(range), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[AX]), (START + 6, 3));
    // Where the next instruction is outside at once, it is a step.
    assert_eq!(machine.step_range(Linear(0)..Linear(0)), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, START + 7);
    let all = Linear(0)..Linear(u64::MAX);
    assert_eq!(machine.step_range(all), halted("0000:7C08"));
}

#[test]
fn stepping_through_a_range_stops_at_a_breakpoint_in_it() {
    // nop; mov cx, 3; rep stosb; nop; hlt
    let mut machine = boot(&[0x90, 0xb9, 3, 0, 0xf3, 0xaa, 0x90, 0xf4]);
    break_at(&mut machine, START);
    break_at(&mut machine, START + 4);
    let range = Linear(START)..Linear(START + 7);
    assert_eq!(machine.step_range(range.clone()), hit(START + 4));
    // Once only for all its iterations.
    assert_eq!(machine.step_range(range), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[CX]), (START + 7, 0));
}

/// `sti; jmp $`: an endless loop that a timer of the host can get out of.
const ENDLESS: [u8; 3] = [0xfb, 0xeb, 0xfe];

/// Tells a channel when the guest writes to its debug console.
struct Mark(mpsc::Sender<()>);

impl Observer for Mark {
    fn notice(&mut self, _: &str) {}

    fn console(&mut self, _: &[u8]) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_kick_stops_an_endless_loop() {
    // out 0xe9, al; then the loop
    let code = [&[0xe6, 0xe9], &ENDLESS[..]].concat();
    for count in [0, 1, 5] {
        let mut machine = boot(&code);
        fill_up(&mut machine, count);
        let (sender, mark) = mpsc::channel();
        machine.set_observer(Box::new(Mark(sender)));
        let kicker = machine.kicker();
        let kicks = thread::spawn(move || {
            mark.recv().unwrap();
            kicker.kick();
        });
        assert_eq!(machine.run(), StopReason::Kicked, "{count} breakpoints");
        kicks.join().unwrap();
        let place = machine.cpu().rip - START;
        assert!((2..=3).contains(&place), "at {place}");
        // It can be stepped, and kicked again.
        assert_eq!(machine.step(), StopReason::Stepped);
        let kicker = machine.kicker();
        let kicks = thread::spawn(move || kicker.kick());
        assert_eq!(machine.run(), StopReason::Kicked, "{count} breakpoints");
        kicks.join().unwrap();
    }
}

#[test]
fn a_kick_before_the_run_stops_it_at_its_first_instruction() {
    for count in [0, 1] {
        let mut machine = boot(&ENDLESS);
        fill_up(&mut machine, count);
        let before = machine.cpu().clone();
        machine.kicker().kick();
        machine.kicker().kick();
        assert_eq!(machine.run(), StopReason::Kicked);
        assert_eq!(machine.cpu(), &before);
        assert!(!machine.take_kick(), "many kicks are one");
    }
}

#[test]
fn a_kick_before_a_step_stops_it_and_nothing_has_run() {
    // inc ax; rep stosb
    for code in [&[0x40][..], &[0xf3, 0xaa], &[0xe6, 0xe9]] {
        let mut machine = boot(code);
        set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DI]) = (3, 0x500));
        let before = machine.cpu().clone();
        machine.kicker().kick();
        assert_eq!(machine.step(), StopReason::Kicked, "{code:02x?}");
        assert_eq!(machine.cpu(), &before, "{code:02x?}");
        assert_eq!(machine.step(), StopReason::Stepped, "{code:02x?}");
    }
}

#[test]
fn a_kick_that_is_taken_back_stops_nothing() {
    let mut machine = boot(&[0x90, 0xf4]);
    machine.kicker().kick();
    assert!(machine.take_kick());
    assert_eq!(machine.run(), halted("0000:7C02"));
}

#[test]
fn a_kick_in_the_middle_of_a_repetition_does_not_make_its_breakpoint_hit_again() {
    // rep stosb; hlt
    for count in [1, 5] {
        let mut machine = boot(&[0xf3, 0xaa, 0xf4]);
        set(&mut machine, |cpu| (cpu.gpr[CX], cpu.gpr[DI]) = (5, 0x500));
        break_at(&mut machine, START);
        fill_up(&mut machine, count);
        assert_eq!(machine.run(), hit(START));
        assert_eq!(machine.step(), StopReason::Stepped);
        machine.kicker().kick();
        assert_eq!(machine.run(), StopReason::Kicked);
        assert_eq!(machine.run(), halted("0000:7C03"), "{count} breakpoints");
    }
}

#[test]
fn a_storm_of_kicks_changes_nothing_of_what_the_guest_does() {
    let sample = sample("scroll");
    for count in [0, 5] {
        let mut quiet = machine(sample.boot());
        assert_eq!(quiet.run(), quiet.run());
        let mut kicked = machine(sample.boot());
        fill_up(&mut kicked, count);
        let heard = record(&mut kicked);
        let kicker = kicked.kicker();
        let kicks = thread::spawn(move || {
            for _ in 0..300 {
                kicker.kick();
                thread::yield_now();
            }
        });
        let mut stop = kicked.run();
        while stop == StopReason::Kicked {
            // As a user would: look, and let it go on by a step now and then.
            if kicked.step() == StopReason::Kicked {
                kicked.take_kick();
            }
            stop = kicked.run();
        }
        kicks.join().unwrap();
        assert_eq!(stop, quiet.run());
        assert_eq!(visible(kicked.cpu()), visible(quiet.cpu()));
        assert_eq!(kicked.frame(), quiet.frame());
        // Stepping is slow, which is told once.
        assert_eq!(heard.borrow().notices.len(), usize::from(count > 4));
    }
}

#[test]
fn reset_starts_the_guest_anew() {
    // Whatever the guest or a user has changed.
    for name in ["scroll", "protected", "long", "portio", "triple"] {
        let sample = sample(name);
        let fresh = machine(sample.boot());
        let mut used = machine(sample.boot());
        let first = used.run();
        let mut fpu = used.fpu().unwrap();
        fpu.mxcsr = 0x9fc0;
        fpu.fcw = 0x27f;
        fpu.st[0] = [0x55; 10];
        fpu.xmm[3] = 7;
        used.set_fpu(&fpu).unwrap();
        used.set_debug_registers(&[1, 2, 3, 4, 0, 0, 0xffff_0ff0, 0x400]).unwrap();
        write(&mut used, 0x500, b"left over");

        used.reset().unwrap();
        assert_eq!(visible(used.cpu()), visible(fresh.cpu()), "{name}");
        assert_eq!(used.fpu().unwrap(), fresh.fpu().unwrap(), "{name}");
        let debug = |machine: &Machine| machine.debug_registers().unwrap();
        assert_eq!(debug(&used), debug(&fresh), "{name}");
        assert_eq!(used.frame(), fresh.frame(), "{name}");
        assert_eq!(read(&used, 0, 0xa_0000), read(&fresh, 0, 0xa_0000), "{name}");
        assert!(!used.is_halted());
        let heard = record(&mut used);
        assert_eq!(used.run(), first, "{name}");
        assert_eq!(stepvisor::ui::text::plain(&used.frame()), sample.screen, "{name}");
        assert_eq!(heard.borrow().console, sample.console.as_bytes(), "{name}");
    }
}

#[test]
fn a_guest_that_has_shut_down_can_be_put_somewhere_else_and_run() {
    let mut machine = machine(sample("triple").boot());
    assert!(matches!(machine.run(), StopReason::Shutdown { .. }));
    // To the start again, in real mode, as a user could by setting each register.
    let start = common::machine(sample("triple").boot()).cpu().clone();
    machine.set_cpu(&start).unwrap();
    assert_eq!(machine.step(), StopReason::Stepped);
    assert!(matches!(machine.run(), StopReason::Shutdown { .. }));
}

#[test]
fn a_guest_that_is_started_anew_finds_no_msr_of_the_last_run() {
    // cli; mov ecx, SYSENTER_CS; rdmsr; mov esi, eax; mov eax, 7C00h; xor edx, edx; wrmsr;
    // mov ecx, LSTAR; rdmsr; mov edi, eax; mov eax, 7C00h; wrmsr; rdmsr; hlt
    let code = [
        &[0xfa, 0x66, 0xb9, 0x74, 1, 0, 0, 0x0f, 0x32, 0x66, 0x89, 0xc6][..],
        &[0x66, 0xb8, 0, 0x7c, 0, 0, 0x66, 0x31, 0xd2, 0x0f, 0x30],
        &[0x66, 0xb9, 0x82, 0, 0, 0xc0, 0x0f, 0x32, 0x66, 0x89, 0xc7],
        &[0x66, 0xb8, 0, 0x7c, 0, 0, 0x0f, 0x30, 0x0f, 0x32, 0xf4],
    ]
    .concat();
    let mut machine = boot(&code);
    for run in ["first", "second", "third"] {
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Halted { .. }), "{run}: {stop}");
        let cpu = machine.cpu();
        let [found_sysenter, found_lstar, written] = [cpu.gpr[SI], cpu.gpr[DI], cpu.gpr[AX]];
        assert_eq!((found_sysenter, found_lstar, written), (0, 0, 0x7c00), "{run}");
        machine.reset().unwrap();
    }
}

#[test]
fn a_guest_that_is_started_anew_finds_xcr0_as_at_power_on() {
    // cli; mov si, 1; mov ax, 1; cpuid; bt ecx, 26; jnc end; mov eax, cr4; bts eax, 18; mov cr4, eax; xor ecx, ecx;
    // xgetbv; mov si, ax; or al, 2; xsetbv; end: hlt
    let code = [
        &[0xfa, 0xbe, 1, 0, 0xb8, 1, 0, 0x0f, 0xa2, 0x66, 0x0f, 0xba, 0xe1, 0x1a, 0x73, 0x18][..],
        &[0x0f, 0x20, 0xe0, 0x66, 0x0f, 0xba, 0xe8, 0x12, 0x0f, 0x22, 0xe0, 0x66, 0x31, 0xc9],
        &[0x0f, 0x01, 0xd0, 0x89, 0xc6, 0x0c, 2, 0x0f, 0x01, 0xd1, 0xf4],
    ]
    .concat();
    let mut machine = boot(&code);
    for run in ["first", "second"] {
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Halted { .. }), "{run}: {stop}");
        assert_eq!(machine.cpu().gpr[SI], 1, "{run}");
        machine.reset().unwrap();
    }
}

#[test]
fn reset_keeps_the_breakpoints() {
    let mut machine = boot(&[0x90, 0xf4]);
    break_at(&mut machine, START + 1);
    assert_eq!(machine.run(), hit(START + 1));
    assert_eq!(machine.step(), halted("0000:7C02"));
    machine.reset().unwrap();
    assert_eq!(machine.run(), hit(START + 1));
}
