//! Interrupts of devices: when they come, when they wait, and what a debugger sees of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::modes::{self, Mode};
use common::samples::{Sample, sample};
use common::*;
use std::time::Duration;
use stepvisor::devices::keyboard::keymap;
use stepvisor::disk::Disks;
use stepvisor::machine::{
    Boot, Clock, Image, Interrupts, Machine, OnUnclaimed, StopReason, Typing,
};
use stepvisor::ui;
use stepvisor::x86::registers::{RFLAGS_IF, RFLAGS_RF};
use stepvisor::x86::{CpuMode, Linear, Phys};

/// The shipped guests that wait for interrupts.
const GUESTS: [&str; 8] =
    ["com1", "ticks", "keyirq", "latekeys", "irq32", "irq64", "uartirq", "shifts"];

/// Those that by the wall clock do something else on a busy host: one looks whether a wait of 300 ms is over, before
/// and after; the other hooks the keyboard before the first key arrives.
const IN_TIME: [&str; 2] = ["eventwait", "filters"];

/// Where the tests have their handler, and what it counts in.
const HANDLER: u64 = 0x7d00;
const COUNTER: u64 = 0x600;

/// `inc word [cs:0x600]; push ax; mov al, 0x20; out 0x20, al; pop ax; iret`
const COUNTS: [u8; 12] = [0x2e, 0xff, 0x06, 0x00, 0x06, 0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf];

/// Sets counter 0 to 1 ms: mov al, 0x34; out 0x43, al; mov al, 0xa9; out 0x40, al; mov al, 4; out 0x40, al
const MILLISECOND: [u8; 12] =
    [0xb0, 0x34, 0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40];

/// `code` as a boot sector, with `handler` for IRQ 0, which alone is open.
fn with_handler(code: &[u8], handler: &[u8]) -> Machine {
    let mut image = vec![0; 512];
    image[..code.len()].copy_from_slice(code);
    image[0x100..][..handler.len()].copy_from_slice(handler);
    let boot = Boot::new(Image::parse(&image).unwrap());
    let mut machine = machine_with(boot, OnUnclaimed::Stop);
    write(&mut machine, 8 * 4, &[0x00, 0x7d, 0, 0]);
    machine
}

fn counted(machine: &Machine) -> u16 {
    u16::from_le_bytes(read(machine, COUNTER, 2).try_into().unwrap())
}

fn machine_of(sample: &Sample, clock: Clock) -> Machine {
    let mut machine = sample.machine();
    machine.set_clock(clock);
    machine
}

#[track_caller]
fn assert_ends_well(machine: &Machine, stop: &StopReason, sample: &Sample, what: &str) {
    let halted = matches!(stop, StopReason::Halted { interruptible: false, .. });
    assert!(halted, "{}, {what}: {stop}", sample.name);
    assert_eq!(ui::text::plain(&machine.frame()), sample.screen, "{}, {what}", sample.name);
}

#[test]
fn guests_that_wait_for_interrupts_end_the_same_by_either_clock_and_however_they_are_driven() {
    for sample in GUESTS.map(sample) {
        for clock in [Clock::Virtual, Clock::Wall] {
            drive_each_way(&sample, clock);
        }
    }
    for sample in IN_TIME.map(sample) {
        drive_each_way(&sample, Clock::Virtual);
    }
}

#[track_caller]
fn drive_each_way(sample: &Sample, clock: Clock) {
    let mut free = machine_of(sample, clock);
    let stop = free.run();
    assert_ends_well(&free, &stop, sample, "free");
    assert!(free.stats().interrupts >= 9, "{}", free.stats());

    let mut counted = machine_of(sample, clock);
    counted.count_instructions();
    let stop = counted.run();
    assert_ends_well(&counted, &stop, sample, "counted");

    let mut few = machine_of(sample, clock);
    let mut many = machine_of(sample, clock);
    few.breakpoints_mut().insert(Linear(0x5_0000));
    (0..6).for_each(|n| many.breakpoints_mut().insert(Linear(0x5_0000 + n)));
    let stop = few.run();
    assert_ends_well(&few, &stop, sample, "a breakpoint");
    let stop = many.run();
    assert_ends_well(&many, &stop, sample, "six breakpoints");
}

#[test]
fn by_virtual_time_each_interrupt_comes_at_the_same_instruction_in_every_run() {
    // Waits in HLT, writes to a port between two looks, and enables interrupts late.
    let code = [
        &MILLISECOND[..],
        &[0xfb, 0xf4],                                     // sti; hlt
        &[0xb9, 0xb8, 0x0b, 0x40, 0xe6, 0x80, 0xe2, 0xfb], // mov cx, 3000; inc ax; out 0x80, al; loop
        &[0xfa, 0xe4, 0x20, 0xa8, 0x01, 0x74, 0xfa],       // cli; in al, 0x20; test al, 1; jz
        &[0xfb, 0x90, 0xfa, 0xf4],                         // sti; nop; cli; hlt
    ];
    let runs: Vec<Vec<(u64, u64, u64)>> = (0..3)
        .map(|_| {
            let mut machine = with_handler(&code.concat(), &COUNTS);
            machine.breakpoints_mut().insert(Linear(HANDLER));
            let mut seen = Vec::new();
            while machine.run() == StopReason::Breakpoint(Linear(HANDLER)) {
                let sp = machine.cpu().gpr[SP] & 0xffff;
                let frame = read(&machine, sp, 2);
                let back = u16::from_le_bytes([frame[0], frame[1]]);
                seen.push((back.into(), machine.cpu().gpr[AX], machine.cpu().gpr[CX]));
                assert_eq!(machine.step(), StopReason::Stepped);
            }
            assert!(!seen.is_empty());
            seen
        })
        .collect();
    assert!(runs[0].len() >= 4, "{:x?}", runs[0]);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
    // The one that waited came behind the instruction that follows STI.
    assert_eq!(runs[0].last().unwrap().0, 0x7c1f);
}

#[test]
fn nothing_comes_between_sti_and_the_instruction_after_it() {
    // Waits until line 0 is requested (in al, 0x20; test al, 1), then sti; cli; hlt.
    let code = [&MILLISECOND[..], &[0xe4, 0x20, 0xa8, 0x01, 0x74, 0xfa, 0xfb, 0xfa, 0xf4]].concat();
    for stepped in [false, true] {
        let mut machine = with_handler(&code, &COUNTS);
        if stepped {
            machine.count_instructions();
        }
        assert!(matches!(machine.run(), StopReason::Halted { interruptible: false, .. }));
        assert_eq!(counted(&machine), 0, "stepped: {stepped}");
    }
}

#[test]
fn a_user_who_steps_stays_out_of_handlers_unless_they_want_in() {
    // sti; again: out 0x80, al; jmp again
    let code = [&MILLISECOND[..], &[0xfb, 0xe6, 0x80, 0xeb, 0xfc]].concat();
    let mut machine = with_handler(&code, &COUNTS);
    for _ in 0..5_000 {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert!(machine.cpu().pc().0 < HANDLER);
    }
    assert_eq!(counted(&machine), 0);
    machine.breakpoints_mut().insert(Linear(HANDLER));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(HANDLER)));

    // The handler itself is stepped like anything else.
    machine.breakpoints_mut().remove(Linear(HANDLER));
    for _ in 0..6 {
        assert_eq!(machine.step(), StopReason::Stepped);
    }
    assert_eq!(counted(&machine), 1);
    assert!(machine.cpu().pc().0 < HANDLER);

    machine.set_interrupts(Interrupts::On);
    let entered = (0..5_000).any(|_| {
        assert_eq!(machine.step(), StopReason::Stepped);
        machine.cpu().pc() == Linear(HANDLER)
    });
    assert!(entered);
}

#[test]
fn interrupts_that_are_off_wait() {
    let code = [&MILLISECOND[..], &[0xfb, 0xf4, 0xfa, 0xf4]].concat();
    let mut machine = with_handler(&code, &COUNTS);
    machine.set_interrupts(Interrupts::Off);
    assert!(matches!(machine.run(), StopReason::Halted { interruptible: true, .. }));
    assert_eq!(counted(&machine), 0);
    machine.set_interrupts(Interrupts::Auto);
    assert!(matches!(machine.run(), StopReason::Halted { interruptible: false, .. }));
    assert_eq!(counted(&machine), 1);
}

#[test]
fn a_guest_whose_handler_ends_no_interrupt_is_halted_for_good_after_the_first() {
    // sti; again: hlt; jmp again, and for a handler inc word [0x600]; iret
    let code = [0xfb, 0xf4, 0xeb, 0xfd];
    let mut machine = with_handler(&code, &[0xff, 0x06, 0x00, 0x06, 0xcf]);
    assert!(matches!(machine.run(), StopReason::Halted { interruptible: true, .. }));
    assert_eq!(counted(&machine), 1);
}

#[test]
fn a_loop_without_any_access_is_interrupted() {
    // sti; again: cmp word [0x600], 3; jb again; cli; hlt
    let code = [&MILLISECOND[..], &[0xfb, 0x83, 0x3e, 0x00, 0x06, 0x03, 0x72, 0xf9, 0xfa, 0xf4]];
    let code = code.concat();
    for clock in [Clock::Virtual, Clock::Wall] {
        for stepped in [false, true] {
            let mut machine = with_handler(&code, &COUNTS);
            machine.set_clock(clock);
            if stepped {
                machine.count_instructions();
            }
            let stop = machine.run();
            assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
            assert!(counted(&machine) >= 3);
        }
    }
}

#[test]
fn a_repeated_string_instruction_goes_on_after_an_interrupt() {
    // mov ax, 0x2000; mov es, ax; sti; again: xor di, di; mov cx, 0xfff0; mov al, 0x77; rep stosb;
    // cmp word [0x600], 3; jb again; cli; hlt
    let code = [
        &MILLISECOND[..],
        &[0xb8, 0x00, 0x20, 0x8e, 0xc0, 0xfb, 0x31, 0xff, 0xb9, 0xf0, 0xff, 0xb0, 0x77, 0xf3, 0xaa],
        &[0x83, 0x3e, 0x00, 0x06, 0x03, 0x72, 0xf0, 0xfa, 0xf4],
    ];
    let mut machine = with_handler(&code.concat(), &COUNTS);
    machine.set_clock(Clock::Wall);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
    assert_eq!(machine.cpu().gpr[CX] & 0xffff, 0);
    assert_eq!(machine.cpu().gpr[DI] & 0xffff, 0xfff0);
    assert!(read(&machine, 0x2_0000, 0xfff0).iter().all(|byte| *byte == 0x77));
    assert_eq!(read(&machine, 0x2_fff0, 16), [0; 16]);
}

/// `code` as a boot sector that the firmware starts, with a handler for IRQ 0 that counts. It begins with an interrupt
/// a millisecond.
fn with_handler_and_firmware(code: &[u8]) -> Machine {
    let mut image = vec![0; 512];
    let code = [&MILLISECOND, code].concat();
    image[..code.len()].copy_from_slice(&code);
    image[0x100..][..COUNTS.len()].copy_from_slice(&COUNTS);
    let boot = Boot::new(Image::parse(&image).unwrap());
    let mut machine = machine_with_firmware(boot, Disks::default());
    write(&mut machine, 8 * 4, &[0x00, 0x7d, 0, 0]);
    machine
}

#[test]
fn an_instruction_that_is_interrupted_again_and_again_happens_once() {
    // xor ecx, ecx; sti; again: inc ecx; inc word [0x5f0]; cmp word [0x600], 400; jb again; cli; hlt
    let code = b"\x66\x31\xc9\xfb\x66\x41\xff\x06\xf0\x05\x81\x3e\x00\x06\x90\x01\x72\xf2\xfa\xf4";
    let mut machine = with_handler_and_firmware(code);
    machine.set_clock(Clock::Wall);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
    assert!(counted(&machine) >= 400);
    let increments = u16::from_le_bytes(read(&machine, 0x5f0, 2).try_into().unwrap());
    assert_eq!(u64::from(increments), machine.cpu().gpr[CX] & 0xffff);
}

#[test]
fn a_repetition_over_its_own_result_is_right_however_often_it_is_interrupted() {
    // mov ax, 0x2000; mov ds, ax; mov es, ax; sti; mov bp, 8
    // again: xor di, di; xor ax, ax; fill: stosw; inc ax; cmp ax, 0x4000; jb fill
    // mov si, 0x20; xor di, di; mov cx, 0x7fe0; rep movsb
    // xor si, si; mov bx, 0x10; check: lodsw; cmp ax, bx; jne bad; inc bx; cmp bx, 0x4000; jb check
    // dec bp; jnz again; bad: cli; hlt
    let code = b"\xb8\x00\x20\x8e\xd8\x8e\xc0\xfb\xbd\x08\x00\x31\xff\x31\xc0\xab\x40\x3d\x00\x40\x72\xf9\
                 \xbe\x20\x00\x31\xff\xb9\xe0\x7f\xf3\xa4\x31\xf6\xbb\x10\x00\xad\x39\xd8\x75\x0a\x43\
                 \x81\xfb\x00\x40\x72\xf4\x4d\x75\xd7\xfa\xf4";
    let mut machine = with_handler_and_firmware(code);
    machine.set_clock(Clock::Wall);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
    let left = machine.cpu().gpr[BP] & 0xffff;
    assert_eq!(left, 0, "at {:04x}", machine.cpu().gpr[SI] & 0xffff);
}

#[test]
fn an_exchange_with_video_memory_that_is_interrupted_again_and_again_happens_once() {
    // Mode 12h: 10h and 20h in plane 0, F0h and 50h in plane 1, at 0 and 100; bit mask 0Fh, which leaves the upper halves
    // as they are only if the latches are those of the same byte. Then three times
    // xchg [es:di], bl; xchg [es:si], bl
    // while [0x600] < 200. In the end CX is what plane 0 has, BX what plane 1 has.
    let code = b"\xb8\x12\x00\xcd\x10\xb8\x00\xa0\x8e\xc0\xba\xc4\x03\xb8\x02\x01\xef\x26\xc6\x06\x00\x00\x10\x26\
                 \xc6\x06\x64\x00\x20\xb8\x02\x02\xef\x26\xc6\x06\x00\x00\xf0\x26\xc6\x06\x64\x00\x50\xb8\x02\x0f\
                 \xef\xba\xce\x03\xb8\x08\x0f\xef\x31\xff\xbe\x64\x00\x31\xdb\xfb\x26\x86\x1d\x26\x86\x1c\x26\x86\
                 \x1d\x26\x86\x1c\x26\x86\x1d\x26\x86\x1c\x81\x3e\x00\x06\xc8\x00\x72\xe6\xfa\xb8\x08\xff\xef\xb8\
                 \x04\x00\xef\x26\x8a\x0e\x00\x00\x26\x8a\x2e\x64\x00\xfe\xc4\xef\x26\x8a\x1e\x00\x00\x26\x8a\x3e\
                 \x64\x00\xf4";
    let mut machine = with_handler_and_firmware(code);
    machine.set_clock(Clock::Wall);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
    let registers = [CX, BX].map(|register| machine.cpu().gpr[register] & 0xf0f0);
    assert_eq!(registers, [0x2010, 0x50f0].map(|halves: u64| halves & 0xf0f0));
}

#[test]
fn an_interrupt_in_the_middle_of_a_repetition_leaves_the_resume_flag_in_its_frame() {
    // sti; mov dx, 0x80; mov ecx, 0xffff; rep outsb; jmp $
    let out = [0xfb, 0x66, 0xba, 0x80, 0, 0xb9, 0xff, 0xff, 0, 0, 0xf3, 0x6e, 0xeb, 0xfe];
    let code = [&MILLISECOND[..], &out].concat();
    let rep = START + MILLISECOND.len() as u64 + 10;
    let handler = Linear(modes::HANDLER + 4 * 8);
    let frame = |drive: fn(&mut Machine, Linear)| {
        let mut machine = modes::machine_in(Mode::Protected, &code);
        drive(&mut machine, handler);
        assert_eq!(machine.cpu().pc(), handler);
        let [eip, _, flags] = modes::stack(&machine, 3, 4)[..] else { unreachable!() };
        (eip, flags & RFLAGS_RF != 0)
    };
    let stepped = frame(|machine, handler| {
        machine.set_interrupts(Interrupts::On);
        let entered = (0..100_000).any(|_| {
            assert_eq!(machine.step(), StopReason::Stepped);
            machine.cpu().pc() == handler
        });
        assert!(entered);
    });
    assert_eq!(stepped, (rep, true), "stepped");
    let counted = frame(|machine, handler| {
        machine.count_instructions();
        machine.breakpoints_mut().insert(handler);
        assert_eq!(machine.run(), StopReason::Breakpoint(handler));
    });
    assert_eq!(counted, (rep, true), "counted");
    // Where it comes depends on the host.
    let (eip, again) = frame(|machine, handler| {
        machine.set_clock(Clock::Wall);
        machine.breakpoints_mut().insert(handler);
        assert_eq!(machine.run(), StopReason::Breakpoint(handler));
    });
    assert_eq!(again, eip == rep, "free, at {eip:#x}");
}

#[test]
fn a_guest_that_waits_for_a_key_sleeps_until_somebody_has_typed() {
    let sample = Sample { keys: "", ..sample("keyirq") };
    let mut machine = machine_of(&sample, Clock::Wall);
    // Nobody can type, so nothing will ever come.
    assert!(matches!(machine.run(), StopReason::Halted { interruptible: true, .. }));

    machine.expect_input(true);
    let kicker = machine.kicker();
    let typist = std::thread::spawn(move || kicker.kick());
    assert_eq!(machine.run(), StopReason::Kicked);
    typist.join().unwrap();
    machine.type_keys(&keymap::parse("ab{Up}{Esc}").unwrap()).unwrap();
    let stop = machine.run();
    assert_ends_well(&machine, &stop, &common::samples::sample("keyirq"), "typed");
}

#[test]
fn a_guest_that_waits_by_the_wall_clock_does_not_work() {
    let sample = sample("ticks");
    let mut machine = machine_of(&sample, Clock::Wall);
    let stop = machine.run();
    assert_ends_well(&machine, &stop, &sample, "free");
    // A wait is one exit at most, and nothing looks in between: sixteen accesses, and what comes on a slow host.
    // Steps to where the guest takes an interrupt are no waiting.
    let of = |name| {
        machine.stats().exits().find(|(found, _)| *found == name).map_or(0, |(_, n)| n.number)
    };
    assert!(of("HLT") <= 11, "{}", machine.stats());
    assert!(machine.stats().total() - of("debug") <= 60, "{}", machine.stats());
}

#[test]
fn the_time_of_day_goes_on_while_the_firmware_waits_for_a_key() {
    const TICKS: u64 = 0x46c;
    // xor ax, ax; int 0x16; cli; hlt
    let mut image = vec![0; 512];
    image[..6].copy_from_slice(&[0x31, 0xc0, 0xcd, 0x16, 0xfa, 0xf4]);
    let boot = Boot::new(Image::parse(&image).unwrap());
    let mut machine = machine_with_firmware(boot, Disks::default());
    machine.set_clock(Clock::Wall);
    let later = (Duration::from_millis(400), keymap::parse("a").unwrap());
    machine.type_at_start(Typing { timed: vec![later], ..Typing::default() }).unwrap();
    let ticks = |machine: &Machine| u32::from_le_bytes(read(machine, TICKS, 4).try_into().unwrap());
    let before = ticks(&machine);
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
    assert_eq!(machine.cpu().gpr[AX] & 0xffff, 0x1e61);
    let passed = u64::from(ticks(&machine) - before);
    assert!(passed >= 2, "{passed}");
    // The others are the key's, going down and up.
    let keys = machine.stats().interrupts - passed;
    assert!((1..=2).contains(&keys), "{}", machine.stats());
    // The processor slept.
    let waits = machine.stats().exits().find(|(found, _)| *found == "HLT").map(|(_, n)| n.number);
    assert!(waits.is_some_and(|waits| waits <= 4), "{}", machine.stats());
}

#[test]
fn an_interrupt_without_a_handler_shuts_the_processor_down_and_is_named() {
    // lidt [0x7c20]; mov eax, cr0; inc ax; mov cr0, eax; sti; again: hlt; jmp again
    let mut code = vec![0x0f, 0x01, 0x1e, 0x20, 0x7c, 0x0f, 0x20, 0xc0, 0x40, 0x0f, 0x22, 0xc0];
    code.extend([0xfb, 0xf4, 0xeb, 0xfd]);
    for stepped in [false, true] {
        let mut machine = with_handler(&code, &[]);
        if stepped {
            machine.count_instructions();
        }
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
        let lines = machine.crash().unwrap().lines().join("\n");
        assert!(lines.contains("an interrupt of a device came, vector 0x08"), "{lines}");
        assert!(lines.contains("the processor shuts down"), "{lines}");
        assert_eq!(machine.cpu().rip, START + 14);
        assert_ne!(machine.cpu().rflags & RFLAGS_IF, 0);
    }
}

#[test]
fn a_debugger_sees_memory_as_address_line_a20_makes_it() {
    // in al, 0x92; and al, 0xfc; out 0x92, al; hlt
    let mut machine = boot(&[0xe4, 0x92, 0x24, 0xfc, 0xe6, 0x92, 0xf4]);
    write(&mut machine, 0x500, &[1, 2]);
    assert_eq!(machine.write_phys(Phys(0x10_0500), &[9]), 1);
    assert_eq!(read(&machine, 0x500, 2), [1, 2]);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(read(&machine, 0x10_0500, 2), [1, 2]);
    assert_eq!(machine.write_phys(Phys(0x10_0501), &[3]), 1);
    assert_eq!(read(&machine, 0x500, 2), [1, 3]);
    // Across the end of the first megabyte, and video memory.
    write(&mut machine, 0, &[0x77]);
    assert_eq!(read(&machine, 0xf_ffff, 2)[1], 0x77);
    write(&mut machine, 0x1b_8000, b"A");
    assert_eq!(read(&machine, VGA, 1), b"A");
    machine.reset().unwrap();
    assert_eq!(machine.write_phys(Phys(0x10_0500), &[5]), 1);
    assert_eq!(read(&machine, 0x500, 1), [0]);
}

/// Waits until line 0 is requested (in al, 0x20; test al, 1; jz), then sti; cli; nop; hlt.
fn sti_and_cli() -> Machine {
    let code =
        [&MILLISECOND[..], &[0xe4, 0x20, 0xa8, 0x01, 0x74, 0xfa, 0xfb, 0xfa, 0x90, 0xf4]].concat();
    with_handler(&code, &COUNTS)
}

#[test]
fn a_breakpoint_behind_the_instruction_after_sti_is_hit_while_an_interrupt_waits() {
    let behind = Linear(0x7c14);
    for breakpoints in [1, 6] {
        for counted in [false, true] {
            let mut machine = sti_and_cli();
            if counted {
                machine.count_instructions();
            }
            (0..breakpoints - 1)
                .for_each(|n| machine.breakpoints_mut().insert(Linear(0x5_0000 + n)));
            machine.breakpoints_mut().insert(behind);
            let stop = machine.run();
            assert_eq!(stop, StopReason::Breakpoint(behind), "{breakpoints}, counted: {counted}");
        }
    }
}

#[test]
fn a_step_behind_sti_is_one_instruction_though_an_interrupt_waits() {
    let mut machine = sti_and_cli();
    machine.breakpoints_mut().insert(Linear(0x7c12));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(0x7c12)));
    machine.set_interrupts(Interrupts::On);
    for behind in [0x7c13, 0x7c14, 0x7c15] {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().pc(), Linear(behind));
    }
}

#[test]
fn a_step_enters_the_handler_from_a_jump_to_itself_behind_sti() {
    // Waits until line 0 is requested, then sti; jmp $.
    let code = [&MILLISECOND[..], &[0xe4, 0x20, 0xa8, 0x01, 0x74, 0xfa, 0xfb, 0xeb, 0xfe]].concat();
    let mut machine = with_handler(&code, &COUNTS);
    machine.breakpoints_mut().insert(Linear(0x7c13));
    machine.set_interrupts(Interrupts::Off);
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(0x7c13)));
    machine.set_interrupts(Interrupts::On);
    let places: Vec<u64> = (0..3)
        .map(|_| {
            assert_eq!(machine.step(), StopReason::Stepped);
            machine.cpu().pc().0
        })
        .collect();
    assert!(places.contains(&HANDLER), "{places:x?}");
}

#[test]
fn a_catchpoint_on_an_interrupt_counts_at_the_first_instruction_of_a_handler() {
    // int 0x60, which returns; cli; hlt
    let handler = [0xcd, 0x60, 0xfa, 0xf4, 0xcf];
    // sti; hlt, or sti; jmp $
    for waits in [&[0xfb, 0xf4][..], &[0xfb, 0xeb, 0xfe]] {
        let mut machine = with_handler(&[&MILLISECOND[..], waits].concat(), &handler);
        write(&mut machine, 0x60 * 4, &[0x04, 0x7d, 0, 0]);
        machine.stop_on_mut().catchpoints.insert("int 0x60".parse().unwrap());
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Caught(_)), "{stop}");
        assert_eq!(machine.cpu().pc(), Linear(HANDLER));
    }
}

#[test]
fn an_interrupt_that_switches_the_mode_is_caught_at_its_handlers_first_instruction() {
    // sti; jmp $, of 16 bits
    let code = [&MILLISECOND[..], &[0xfb, 0xeb, 0xfe]].concat();
    let machine = || {
        let mut machine = modes::machine_in(modes::Mode::Protected, &code);
        set(&mut machine, |cpu| cpu.segments.cs = modes::segment(modes::CODE16));
        machine
    };
    let handler = Linear(modes::HANDLER + 4 * 8);
    let mut caught = machine();
    caught.stop_on_mut().catchpoints.insert("mode".parse().unwrap());
    let stop = caught.run();
    assert!(matches!(stop, StopReason::Caught(_)), "{stop}");
    assert_eq!(caught.cpu().pc(), handler);
    let mut stopped = machine();
    stopped.stop_at_mode_switch(true);
    assert_eq!(stopped.run(), StopReason::ModeSwitch(CpuMode::Protected32));
    assert_eq!(stopped.cpu().pc(), handler);
}

#[test]
fn who_polls_the_firmware_with_interrupts_disabled_gets_keys_and_ticks() {
    // cli; mov ah, 1; int 0x16; jz; mov ah, 0; int 0x16; hlt
    let key: &[u8] = &[0xfa, 0xb4, 1, 0xcd, 0x16, 0x74, 0xfa, 0xb4, 0, 0xcd, 0x16, 0xf4];
    // cli; mov ah, 0; int 0x1a; mov bx, dx; mov ah, 0; int 0x1a; cmp dx, bx; je; mov ax, 0x1e61; hlt
    let tick: &[u8] = &[
        0xfa, 0xb4, 0, 0xcd, 0x1a, 0x89, 0xd3, 0xb4, 0, 0xcd, 0x1a, 0x39, 0xda, 0x74, 0xf8, 0xb8,
        0x61, 0x1e, 0xf4,
    ];
    for code in [key, tick] {
        for breakpoints in [0, 6] {
            let mut image = vec![0; 512];
            image[..code.len()].copy_from_slice(code);
            let boot = Boot::new(Image::parse(&image).unwrap());
            let mut machine = common::machine_with_firmware(boot, Disks::default());
            (0..breakpoints).for_each(|n| machine.breakpoints_mut().insert(Linear(0x5_0000 + n)));
            machine.type_keys(&keymap::parse("a").unwrap()).unwrap();
            let stop = machine.run();
            assert!(matches!(stop, StopReason::Halted { interruptible: false, .. }), "{stop}");
            assert_eq!(machine.cpu().gpr[AX] & 0xffff, 0x1e61);
        }
    }
}

#[test]
fn an_interrupt_leaves_the_fault_of_a_program_to_its_own_handler() {
    // IRQ 0 leads to vector 20h, once a millisecond. mov ecx, 50000; again: div bl, which faults; loop again;
    // mov al, 0, and the end.
    let chips = [
        0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 4, 0xe6, 0x21, 0xb0, 1, 0xe6, 0x21,
        0xb0, 0xfe, 0xe6, 0x21,
    ];
    let rounds = [0xb9, 0x50, 0xc3, 0, 0, 0xf6, 0xf3, 0xe2, 0xfc, 0xb0, 0];
    let code = [&chips[..], &MILLISECOND, &rounds].concat();
    let div = START + (chips.len() + MILLISECOND.len() + 5) as u64;
    let mut machine = modes::machine_in(Mode::Long3, &code);
    modes::set_flags(&mut machine, Mode::Long3, |flags| *flags |= RFLAGS_IF);
    // Division by zero, by a jump: cmp qword [rsp], div; jne bad; add qword [rsp], 2; iretq;
    // bad: mov al, 1; out 0xf4, al
    let [low, high, ..] = div.to_le_bytes();
    let fault = [
        0x48, 0x81, 0x3c, 0x24, low, high, 0, 0, 0x75, 7, 0x48, 0x83, 4, 0x24, 2, 0x48, 0xcf, 0xb0,
        1, 0xe6, 0xf4,
    ];
    write(&mut machine, modes::HANDLER, &[0xeb, 0x3e]);
    write(&mut machine, modes::HANDLER + 0x40, &fault);
    // inc dword [DATA]; push rax; mov al, 0x20; out 0x20, al; pop rax; iretq
    let interrupt = [0xff, 4, 0x25, 0, 0x90, 0, 0, 0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0x48, 0xcf];
    write(&mut machine, modes::HANDLER + 0x80, &interrupt);
    assert_eq!(machine.run(), StopReason::Exit { status: 1 }, "AL is 0");
    assert_ne!(read(&machine, modes::DATA, 4), [0; 4], "there were interrupts");
}
