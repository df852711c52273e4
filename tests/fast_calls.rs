//! SYSCALL and SYSRET between ring 3 and ring 0 of long mode in a guest that runs freely, and what a user sees of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::sync::mpsc;

use common::modes::{self, DATA3, DESCRIPTORS, End, GDT, Mode, TASK, TSS, machine_in};
use common::{START, set, write};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{CpuState, Gpr, Linear};

/// ```text
///     mov al, 0xff                ; no interrupts
///     out 0x21, al
///     mov ecx, STAR
///     xor eax, eax
///     mov edx, 0x007b0090         ; SYSRET to 83h and 8Bh, SYSCALL to 90h and 98h
///     wrmsr
///     inc ecx                     ; LSTAR
///     mov eax, handler
///     xor edx, edx
///     wrmsr
///     add ecx, 2                  ; FMASK
///     mov eax, 0x200
///     wrmsr
///     mov ecx, EFER
///     rdmsr
///     or al, 1
///     wrmsr
///     add ecx, 2                  ; LSTAR
///     rdmsr
///     mov r8d, eax
///     mov ecx, program
///     mov r11d, 0x202
///     o64 sysret
/// program:
///     mov eax, r15d
///     syscall
/// behind:
///     jmp program
/// handler:
///     mov r14, cr0                ; in ring 0 only
///     inc ebx
///     add r13, rax
///     dec r15d
///     jz end
///     o64 sysret
/// end:
/// ```
const CODE: &[u8] = &[
    0xb0, 0xff, 0xe6, 0x21, 0xb9, 0x81, 0, 0, 0xc0, 0x31, 0xc0, 0xba, 0x90, 0, 0x7b, 0, 0xf, 0x30,
    0xff, 0xc1, 0xb8, 0x4f, 0x7c, 0, 0, 0x31, 0xd2, 0xf, 0x30, 0x83, 0xc1, 2, 0xb8, 0, 2, 0, 0,
    0xf, 0x30, 0xb9, 0x80, 0, 0, 0xc0, 0xf, 0x32, 0xc, 1, 0xf, 0x30, 0x83, 0xc1, 2, 0xf, 0x32,
    0x41, 0x89, 0xc0, 0xb9, 0x48, 0x7c, 0, 0, 0x41, 0xbb, 2, 2, 0, 0, 0x48, 0xf, 7, 0x44, 0x89,
    0xf8, 0xf, 5, 0xeb, 0xf9, 0x41, 0xf, 0x20, 0xc6, 0xff, 0xc3, 0x49, 1, 0xc5, 0x41, 0xff, 0xcf,
    0x74, 3, 0x48, 0xf, 7,
];
const PROGRAM: u64 = START + 0x48;
const SYSCALL: u64 = START + 0x4b;
const BEHIND: u64 = START + 0x4d;
const HANDLER: u64 = START + 0x4f;
const END: u64 = START + CODE.len() as u64;
const SYSRET: u64 = END - 3;

/// Selectors of the program, and of the kernel that it calls.
const USER: (u16, u16) = (0x8b, 0x83);
const KERNEL: (u16, u16) = (0x90, 0x98);

/// A machine before the first instruction of [`CODE`], which makes `calls` calls and ends the run.
fn machine(calls: u64) -> Machine {
    let mut machine = machine_in(Mode::Long, CODE);
    let [data3, code3] = [DATA3 >> 3, modes::CODE64_3 >> 3].map(usize::from);
    let [code0, data0] = [modes::CODE64 >> 3, modes::DATA0 >> 3].map(usize::from);
    let more = [data3, code3, code0, data0].map(|index| DESCRIPTORS[index]);
    for (descriptor, at) in more.into_iter().zip((GDT + 0x80..).step_by(8)) {
        write(&mut machine, at, &descriptor.to_le_bytes());
    }
    set(&mut machine, |cpu| {
        cpu.gdtr.limit += 4 * 8;
        *cpu.get_mut(Gpr::R15) = calls;
    });
    machine
}

/// Exceptions find the task's stack for ring 0.
fn with_task(machine: &mut Machine) {
    set(machine, |cpu| {
        cpu.tr.selector = TASK;
        (cpu.tr.base, cpu.tr.limit) = (TSS, 0x8f);
    });
}

/// The selectors and the rings of CS and SS.
fn rings(cpu: &CpuState) -> ((u16, u16), u8, u8) {
    let (cs, ss) = (&cpu.segments.cs, &cpu.segments.ss);
    ((cs.selector, ss.selector), cpu.cpl(), ss.access.dpl)
}

/// The end of a run of `calls` calls, none of which has got lost.
#[track_caller]
fn check_end(machine: &Machine, calls: u64) {
    let cpu = machine.cpu();
    assert_eq!(cpu.get(Gpr::Rbx), calls);
    assert_eq!(cpu.get(Gpr::R13), calls * (calls + 1) / 2);
    assert_eq!(cpu.get(Gpr::R15), 0);
    assert_eq!(cpu.get(Gpr::Rcx), BEHIND);
    assert_eq!(cpu.get(Gpr::R14), cpu.cr0);
    // As RDMSR gave it.
    assert_eq!(cpu.get(Gpr::R8), HANDLER);
    assert_eq!(rings(cpu), (KERNEL, 0, 0));
    assert_eq!((cpu.cr2, cpu.efer & 1), (0, 1));
}

#[test]
fn a_program_calls_its_kernel_thousands_of_times() {
    const CALLS: u64 = 3000;
    let mut machine = machine(CALLS);
    with_task(&mut machine);
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

#[test]
fn calls_need_no_handlers_of_exceptions_and_no_stack_for_them() {
    const CALLS: u64 = 50;
    let without_stack = |_: &mut CpuState| {};
    let without_handlers = |cpu: &mut CpuState| cpu.idtr.limit = 0;
    for change in [without_stack, without_handlers] {
        let mut machine = machine(CALLS);
        set(&mut machine, change);
        assert_eq!(modes::run(&mut machine), End::Done);
        check_end(&machine, CALLS);
    }
}

#[test]
fn breakpoints_hit_in_the_handler_and_behind_the_call() {
    const CALLS: u64 = 40;
    let mut machine = machine(CALLS);
    with_task(&mut machine);
    // Thereby some calls are made freely, on every host.
    machine.breakpoints_mut().insert(Linear(SYSRET));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(SYSRET)));
    machine.breakpoints_mut().clear();
    for place in [HANDLER, BEHIND] {
        machine.breakpoints_mut().insert(Linear(place));
    }
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(BEHIND)));
    for left in (CALLS - 5..CALLS - 1).rev() {
        assert_eq!(rings(machine.cpu()), (USER, 3, 3));
        step_off(&mut machine);
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(HANDLER)));
        assert_eq!(rings(machine.cpu()), (KERNEL, 0, 0));
        assert_eq!(machine.cpu().get(Gpr::Rcx), BEHIND);
        step_off(&mut machine);
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(BEHIND)));
        assert_eq!(machine.cpu().get(Gpr::R15), left);
    }
    machine.breakpoints_mut().clear();
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

fn step_off(machine: &mut Machine) {
    assert_eq!(machine.step(), StopReason::Stepped);
}

#[test]
fn no_exception_is_seen_of_a_call() {
    const CALLS: u64 = 20;
    let mut machine = machine(CALLS);
    with_task(&mut machine);
    machine.stop_on_mut().set_exceptions("all".parse().unwrap());
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

#[test]
fn a_pause_finds_the_guest_in_its_own_code() {
    const CALLS: u64 = 2000;
    const PAUSES: usize = 200;
    let mut machine = machine(CALLS);
    with_task(&mut machine);
    let kicker = machine.kicker();
    let (go_on, runs) = mpsc::channel::<()>();
    let kicks = std::thread::spawn(move || runs.iter().for_each(|()| kicker.kick()));
    for _ in 0..PAUSES {
        go_on.send(()).unwrap();
        match machine.run() {
            StopReason::Kicked => {}
            StopReason::Exit { .. } => return check_end(&machine, CALLS),
            stop => panic!("{stop}"),
        }
        let cpu = machine.cpu();
        assert!((START..END + 2).contains(&cpu.rip), "{:#x}", cpu.rip);
        assert_eq!(cpu.cpl() == 3, (PROGRAM..HANDLER).contains(&cpu.rip), "{:#x}", cpu.rip);
    }
    drop(go_on);
    kicks.join().unwrap();
    machine.take_kick();
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

#[test]
fn steps_and_free_runs_may_alternate() {
    const CALLS: u64 = 30;
    let mut machine = machine(CALLS);
    with_task(&mut machine);
    machine.breakpoints_mut().insert(Linear(SYSCALL));
    assert_eq!(machine.run(), StopReason::Breakpoint(Linear(SYSCALL)));
    machine.breakpoints_mut().clear();
    step_off(&mut machine);
    assert_eq!((machine.cpu().rip, rings(machine.cpu())), (HANDLER, (KERNEL, 0, 0)));
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

#[test]
fn calls_go_on_behind_a_shutdown() {
    const CALLS: u64 = 10;
    let mut machine = machine(CALLS);
    set(&mut machine, |cpu| cpu.idtr.limit = 0);
    // ud2, without a handler.
    write(&mut machine, END, &[0x0f, 0x0b]);
    let StopReason::Shutdown { location } = machine.run() else { panic!() };
    assert!(location.contains("7C60"), "{location}");
    check_end(&machine, CALLS);
    // Again from the program on, in the same state.
    set(&mut machine, |cpu| {
        cpu.rip = SYSRET;
        *cpu.get_mut(Gpr::Rcx) = PROGRAM;
        *cpu.get_mut(Gpr::Rbx) = 0;
        *cpu.get_mut(Gpr::R13) = 0;
        *cpu.get_mut(Gpr::R15) = CALLS;
    });
    write(&mut machine, END, &[0xe6, 0xf4]);
    assert_eq!(modes::run(&mut machine), End::Done);
    check_end(&machine, CALLS);
}

#[test]
fn a_call_that_is_not_enabled_is_an_invalid_opcode() {
    // mov ecx, LSTAR; mov eax, 8800h; xor edx, edx; wrmsr; push DATA3, 7000h, 2, CODE64_3, program; iretq;
    // program: syscall
    let code = [
        &[0xb9, 0x82, 0, 0, 0xc0, 0xb8, 0, 0x88, 0, 0, 0x31, 0xd2, 0x0f, 0x30][..],
        &[0x6a, 0x23, 0x68, 0, 0x70, 0, 0, 0x6a, 2, 0x6a, 0x33, 0x68, 0x21, 0x7c, 0, 0, 0x48],
        &[0xcf, 0x90, 0x0f, 0x05],
    ]
    .concat();
    let syscall = START + code.len() as u64 - 2;
    for handlers in [true, false] {
        let mut machine = machine_in(Mode::Long, &code);
        with_task(&mut machine);
        if !handlers {
            for vector in [8, 14] {
                write(&mut machine, modes::IDT + vector * 16, &[0; 16]);
            }
        }
        assert_eq!(modes::run(&mut machine), End::Handler(6), "{handlers}");
        let frame = modes::stack(&machine, 2, 8);
        assert_eq!(frame, [syscall, modes::CODE64_3.into()], "{handlers}");
        assert_eq!(machine.cpu().cr2, 0, "{handlers}");
    }
}
