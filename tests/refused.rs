//! Guests that use what some KVMs refuse: they neither die nor notice, on any host, run or stepped.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::modes::*;
use common::switch::{Way, machine_before_switch};
use common::{
    AX, BX, CX, DX, SP, START, boot, halted, machine_with_firmware, read, set, step_to_end, write,
};
use stepvisor::disk::Disks;
use stepvisor::machine::{Boot, Image, Machine, StopReason};
use stepvisor::x86::Linear;

/// The ways in which a guest can be driven.
const DRIVES: [fn(&mut Machine) -> StopReason; 2] =
    [Machine::run, |machine| step_to_end(machine, 1000)];

/// Puts `gate` for `vector` into the interrupt table: code of ring 0 at `handler`, open to ring 3.
fn gate(machine: &mut Machine, mode: Mode, vector: u64, handler: u64) {
    let long = mode.is_long();
    let selector = u64::from(if long { CODE64 } else { CODE0 });
    let gate = handler & 0xffff | selector << 16 | 0xee << 40 | (handler >> 16) << 48;
    write(machine, IDT + vector * if long { 16 } else { 8 }, &gate.to_le_bytes());
}

/// What ends all these guests: HLT with interrupts off, just before `offset` in `code`.
#[track_caller]
fn assert_halted(machine: &Machine, stop: &StopReason, at: u64) {
    assert_eq!(*stop, halted(&machine.cpu().location()));
    assert_eq!(machine.cpu().rip, at);
}

#[test]
fn a_protected_mode_guest_takes_interrupts_and_exceptions_and_returns() {
    for drive in DRIVES {
        // int 0x30; mov bl, 0; div bl; mov ax, 0x1234; mov ds, ax; hlt
        let code = [0xcd, 0x30, 0xb3, 0, 0xf6, 0xf3, 0x66, 0xb8, 0x34, 0x12, 0x8e, 0xd8, 0xf4];
        let mut machine = machine_in(Mode::Protected, &code);
        // Counts in CX and returns.
        write(&mut machine, 0x8800, &[0x41, 0xcf]);
        gate(&mut machine, Mode::Protected, 0x30, 0x8800);
        // Division by zero: goes on behind the two bytes of DIV. add dword [esp], 2; inc edx; iret
        write(&mut machine, 0x8810, &[0x83, 0x04, 0x24, 2, 0x42, 0xcf]);
        gate(&mut machine, Mode::Protected, 0, 0x8810);
        // General protection: pops the error code. pop esi; add dword [esp], 2; iret
        write(&mut machine, 0x8820, &[0x5e, 0x83, 0x04, 0x24, 2, 0xcf]);
        gate(&mut machine, Mode::Protected, 13, 0x8820);
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, START + code.len() as u64);
        let gpr = machine.cpu().gpr;
        assert_eq!((gpr[CX], gpr[DX], gpr[6]), (1, 1, 0x1234), "counts and error code");
        assert_eq!(gpr[SP], STACK, "every frame has been taken back");
    }
}

#[test]
fn ring_3_calls_ring_0_by_an_interrupt_and_gets_its_answer() {
    for mode in [Mode::Protected3, Mode::Long3] {
        for drive in DRIVES {
            // mov eax, 20; int 0x80; mov ebx, eax; mov eax, 0; int 0x80
            let code = [0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x89, 0xc3, 0xb8, 0, 0, 0, 0, 0xcd, 0x80];
            let mut machine = machine_in(mode, &code);
            // test eax, eax; jz over; add eax, 22; iretd or iretq; over: hlt
            let ret: &[u8] = if mode == Mode::Long3 { &[0x48, 0xcf] } else { &[0xcf] };
            let skip = 3 + ret.len() as u8;
            let handler = [&[0x85, 0xc0, 0x74, skip, 0x83, 0xc0, 22][..], ret, &[0xf4]].concat();
            write(&mut machine, 0x8800, &handler);
            gate(&mut machine, mode, 0x80, 0x8800);
            let stop = drive(&mut machine);
            assert_halted(&machine, &stop, 0x8800 + handler.len() as u64);
            assert_eq!(machine.cpu().gpr[BX], 42, "{mode:?}");
            let size = if mode == Mode::Long3 { 8 } else { 4 };
            let cs = if mode == Mode::Long3 { CODE64_3 } else { CODE3 };
            let frame = stack(&machine, 5, size);
            assert_eq!((frame[0], frame[1]), (START + code.len() as u64, cs.into()));
            assert_eq!((frame[3], frame[4]), (STACK, DATA3.into()));
        }
    }
}

#[test]
fn an_interrupt_of_ring_3_needs_no_handler_of_invalid_opcodes() {
    // Vectors without a handler.
    let absent: [&[u64]; 3] = [&[6], &[6, 8], &[6, 8, 11, 13]];
    for (mode, cs, size) in [(Mode::Protected3, CODE3, 4), (Mode::Long3, CODE64_3, 8)] {
        for (drive, absent) in DRIVES.iter().flat_map(|drive| absent.map(|list| (drive, list))) {
            // int 0x80
            let mut machine = machine_in(mode, &[0xcd, 0x80]);
            for vector in absent {
                write(&mut machine, IDT + vector * 2 * size as u64, &[0; 8]);
            }
            write(&mut machine, 0x8800, &[0xf4]);
            gate(&mut machine, mode, 0x80, 0x8800);
            let stop = drive(&mut machine);
            assert_halted(&machine, &stop, 0x8801);
            assert_eq!(stack(&machine, 2, size), [START + 2, cs.into()], "{mode:?} {absent:?}");
        }
    }
}

#[test]
fn movbe_needs_no_handler_of_invalid_opcodes() {
    // movbe eax, [DATA], with a 32-bit address in each mode
    let long = [0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0];
    let protected = [0x0f, 0x38, 0xf0, 0x05, 0, 0x90, 0, 0];
    let guests: [(Mode, &[u8]); 4] = [
        (Mode::Protected, &protected),
        (Mode::Protected3, &protected),
        (Mode::Long, &long),
        (Mode::Long3, &long),
    ];
    for (mode, code) in guests {
        for drive in DRIVES {
            let mut machine = machine_in(mode, code);
            let size = if mode.is_long() { 16 } else { 8 };
            for vector in [6, 8] {
                write(&mut machine, IDT + vector * size, &[0; 8]);
            }
            write(&mut machine, DATA, &[1, 2, 3, 4]);
            let stop = drive(&mut machine);
            assert!(matches!(stop, StopReason::Exit { .. }), "{mode:?}: {stop}");
            assert_eq!(machine.cpu().gpr[AX] & 0xffff_ffff, 0x0102_0304, "{mode:?}");
        }
    }
}

#[test]
fn an_invalid_opcode_without_a_handler_shuts_the_processor_down() {
    for mode in [Mode::Protected3, Mode::Long3] {
        for code in [[0x0f, 0x0b], [0xcd, 0x41]] {
            // ud2, and an interrupt beyond the table
            let mut machine = machine_in(mode, &code);
            set(&mut machine, |cpu| cpu.idtr.limit = 0x2f);
            let stop = machine.run();
            assert!(matches!(stop, StopReason::Shutdown { .. }), "{mode:?}: {stop}");
            assert_eq!((machine.cpu().rip, machine.cpu().cpl()), (START, 3), "{mode:?}");
        }
    }
}

#[test]
fn a_privileged_instruction_in_ring_3_leads_to_ring_0s_handler() {
    for mode in [Mode::Protected3, Mode::Long3] {
        let mut machine = machine_in(mode, &[0xf4]);
        assert_eq!(run(&mut machine), End::Handler(13));
        assert_eq!(machine.cpu().cpl(), 0);
        let size = if mode == Mode::Long3 { 8 } else { 4 };
        assert_eq!(stack(&machine, 2, size), [0, START]);
    }
}

#[test]
fn a_virtual_8086_task_is_entered_left_and_resumed() {
    // mov ax, 0x1234; int 0x80; hlt
    let code = [0xb8, 0x34, 0x12, 0xcd, 0x80, 0xf4];
    for drive in DRIVES {
        let mut machine = machine_in(Mode::V86, &code);
        // inc ebx; iret. HLT is for ring 0: general protection, whose handler halts.
        write(&mut machine, 0x8800, &[0x43, 0xcf]);
        gate(&mut machine, Mode::Protected, 0x80, 0x8800);
        write(&mut machine, HANDLER + 4 * 13, &[0xf4]);
        let stop = drive(&mut machine);
        if let StopReason::Refused(refusal) = &stop {
            let text = refusal.to_string();
            assert!(text.contains("iret"), "{text}");
            assert!(
                text.contains("virtual-8086 mode, which this host's KVM does not have"),
                "{text}"
            );
            eprintln!("skipped: {text}");
            return;
        }
        assert_halted(&machine, &stop, HANDLER + 4 * 13 + 1);
        assert_eq!((machine.cpu().gpr[AX], machine.cpu().gpr[BX]), (0x1234, 1));
        let frame = stack(&machine, 4, 4);
        assert_eq!(frame[1..3], [START + 5, 0], "HLT in the task");
        assert_ne!(frame[3] & 1 << 17, 0, "from virtual-8086 mode");
    }
}

#[test]
fn decimal_arithmetic_adds_and_subtracts() {
    // mov al, 0x38; add al, 0x45; daa; mov bl, al; mov ax, 0x0009; add al, 8; aaa; mov cx, ax;
    // mov ax, 0x0203; sub al, 5; aas; hlt
    let code = [
        0xb0, 0x38, 0x04, 0x45, 0x27, 0x88, 0xc3, 0xb8, 9, 0, 0x04, 8, 0x37, 0x89, 0xc1, 0xb8, 3,
        2, 0x2c, 5, 0x3f, 0xf4,
    ];
    for drive in DRIVES {
        let mut machine = boot(&code);
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, START + code.len() as u64);
        let gpr = machine.cpu().gpr;
        assert_eq!((gpr[BX] & 0xff, gpr[CX] & 0xffff, gpr[AX] & 0xffff), (0x83, 0x107, 0x108));
    }
}

#[test]
fn a_bound_that_is_passed_leads_to_its_handler_and_the_instruction_can_be_tried_again() {
    // mov ax, 7; bound ax, [0x600]; hlt
    let code = [0xb8, 7, 0, 0x62, 0x06, 0, 6, 0xf4];
    for drive in DRIVES {
        let mut machine = boot(&code);
        write(&mut machine, 0x600, &[1, 0, 5, 0]);
        write(&mut machine, 5 * 4, &[0, 8, 0, 0]);
        // dec ax; inc cx; iret
        write(&mut machine, 0x800, &[0x48, 0x41, 0xcf]);
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, START + code.len() as u64);
        assert_eq!((machine.cpu().gpr[AX], machine.cpu().gpr[CX]), (5, 2));
    }
}

#[test]
fn a_step_over_what_kvm_refuses_is_one_instruction() {
    for (mode, code, len) in [
        (Mode::Protected, &[0x27][..], 1),
        (Mode::Protected3, &[0x27], 1),
        (Mode::Protected, &[0xf3, 0x0f, 0xb8, 0xc1], 4),
        (Mode::Long, &[0xf3, 0x0f, 0xb8, 0xc1], 4),
        (Mode::Long, &[0xc8, 8, 0, 1], 4),
        (Mode::Real, &[0x62, 0x06, 0, 5], 4),
    ] {
        let mut machine = machine_in(mode, code);
        for _ in 0..=mode.steps_before() {
            assert_eq!(machine.step(), StopReason::Stepped);
        }
        assert_eq!(machine.cpu().rip, START + len, "{mode:?} {code:02x?}");
    }
}

#[test]
fn a_breakpoint_right_behind_what_kvm_refuses_is_hit() {
    for mode in [Mode::Real, Mode::Protected, Mode::Protected3, Mode::Long] {
        // popcnt eax, ecx; nop
        let mut machine = machine_in(mode, &[0xf3, 0x0f, 0xb8, 0xc1, 0x90]);
        machine.breakpoints_mut().insert(Linear(START + 4));
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(START + 4)), "{mode:?}");
        // And in the handler that one enters.
        let mut machine = machine_in(mode, &[0xcd, 0x30]);
        let handler = Linear(HANDLER + 4 * 0x30);
        machine.breakpoints_mut().insert(handler);
        assert_eq!(machine.run(), StopReason::Breakpoint(handler), "{mode:?}");
    }
}

#[test]
fn an_operand_in_video_memory_is_the_devices() {
    // popcnt ecx, [edi]; hlt
    for drive in DRIVES {
        let mut machine = machine_in(Mode::Protected, &[0xf3, 0x0f, 0xb8, 0x0f, 0xf4]);
        set(&mut machine, |cpu| cpu.gpr[7] = common::VGA);
        write(&mut machine, common::VGA, &[0xff, 0x0f, 0, 0x70]);
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, START + 5);
        assert_eq!(machine.cpu().gpr[CX], 15);
    }
    // arpl [edi], ax: writes there.
    let mut machine = machine_in(Mode::Protected, &[0x63, 0x07, 0xf4]);
    set(&mut machine, |cpu| (cpu.gpr[7], cpu.gpr[AX]) = (common::VGA, 3));
    write(&mut machine, common::VGA, &[0x40, 0x07]);
    let stop = machine.run();
    assert_halted(&machine, &stop, START + 3);
    assert_eq!(read(&machine, common::VGA, 2), [0x43, 0x07]);
}

#[test]
fn what_comes_behind_an_operand_in_video_memory_is_stepped_one_by_one() {
    // popcnt ecx, [edi]; inc eax; inc ebx; hlt
    let code = [0xf3, 0x0f, 0xb8, 0x0f, 0x40, 0x43, 0xf4];
    let mut machine = machine_in(Mode::Protected, &code);
    set(&mut machine, |cpu| cpu.gpr[7] = common::VGA);
    for behind in [4, 5, 6] {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().rip, START + behind);
    }
}

#[test]
fn code_in_video_memory_is_refused_from_its_first_instruction_on() {
    // jmp 0xb800:0
    for drive in DRIVES {
        let mut machine = boot(&[0xea, 0, 0, 0, 0xb8]);
        // inc ax; mov ax, 1; hlt
        write(&mut machine, common::VGA, &[0x40, 0xb8, 1, 0, 0xf4]);
        let ax = machine.cpu().gpr[AX];
        let stop = drive(&mut machine);
        let StopReason::Refused(refusal) = &stop else { panic!("{stop}") };
        assert_eq!(refusal.location, "B800:0000", "{stop}");
        assert!(refusal.cause.contains("video memory"), "{stop}");
        assert_eq!(machine.cpu().gpr[AX], ax);
    }
}

#[test]
fn a_fault_on_the_way_to_a_handler_becomes_a_double_fault_and_at_last_a_shutdown() {
    // mov bl, 0; div bl
    let code = [0xb3, 0, 0xf6, 0xf3];
    for drive in DRIVES {
        let mut machine = machine_in(Mode::Protected, &code);
        write(&mut machine, IDT, &[0; 8]);
        write(&mut machine, IDT + 13 * 8, &[0; 8]);
        write(&mut machine, HANDLER + 4 * 8, &[0xf4]);
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, HANDLER + 4 * 8 + 1);
        assert_eq!(stack(&machine, 1, 4), [0], "a double fault's code is 0");
        // An interrupt that has no gate, with nobody to tell.
        let mut machine = machine_in(Mode::Protected, &[0xcd, 0x30]);
        write(&mut machine, IDT, &[0; 0x800]);
        let stop = drive(&mut machine);
        assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
    }
}

#[test]
fn what_nobody_completes_stops_with_bytes_and_disassembly() {
    // fld1, with x87 enabled.
    let mut machine = machine_in(Mode::Protected, &[0xd9, 0xe8]);
    match run(&mut machine) {
        End::Done => {}
        End::Stopped(StopReason::Refused(refusal)) => {
            assert_eq!(
                (refusal.bytes.as_slice(), refusal.text.as_str()),
                (&[0xd9, 0xe8][..], "fld1")
            );
            assert!(refusal.cause.contains("x87, MMX, SSE or AVX"), "{}", refusal.cause);
            assert_eq!(machine.cpu().rip, START);
        }
        end => panic!("{end:?}"),
    }
}

#[test]
fn right_behind_the_switch_to_long_mode_nothing_is_an_invalid_opcode_that_is_none() {
    for drive in DRIVES {
        for way in Way::TO_RING_3 {
            // movbe eax, [DATA]; int 0x30
            let code = [0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0, 0xcd, 0x30];
            let mut machine = machine_before_switch(way, &code);
            write(&mut machine, DATA, &[1, 2, 3, 4]);
            let stop = drive(&mut machine);
            assert!(matches!(stop, StopReason::Exit { .. }), "{way:?}: {stop}");
            assert_eq!(machine.cpu().rip, HANDLER + 4 * 0x30 + 2, "{way:?}");
            assert_eq!(machine.cpu().gpr[AX] & 0xffff_ffff, 0x0102_0304, "{way:?}");
            let frame = stack(&machine, 2, 8);
            assert_eq!((frame[0], frame[1] & 3), (START + code.len() as u64, 3), "{way:?}");
        }
        // movbe eax, [DATA], in ring 0
        let code = [0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0];
        let mut machine = machine_before_switch(Way::Stay, &code);
        write(&mut machine, DATA, &[1, 2, 3, 4]);
        let stop = drive(&mut machine);
        assert!(matches!(stop, StopReason::Exit { .. }), "{stop}");
        assert_eq!(machine.cpu().rip, START + code.len() as u64 + 2);
        assert_eq!(machine.cpu().gpr[AX] & 0xffff_ffff, 0x0102_0304);
    }
}

#[test]
fn movbe_is_no_invalid_opcode_beside_breakpoints_and_a_written_lstar() {
    // mov ecx, LSTAR; mov eax, 8800h; xor edx, edx; wrmsr; mov ecx, 20000; dec ecx; jnz back;
    // movbe eax, [DATA]
    let code = [
        &[0xb9, 0x82, 0, 0, 0xc0, 0xb8, 0, 0x88, 0, 0, 0x31, 0xd2, 0x0f, 0x30][..],
        &[0xb9, 0x20, 0x4e, 0, 0, 0xff, 0xc9, 0x75, 0xfc],
        &[0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0],
    ]
    .concat();
    for breakpoints in 0..4 {
        let mut machine = machine_in(Mode::Long, &code);
        // No code segment for ring 3.
        for selector in [CODE3, CODE64_3] {
            write(&mut machine, GDT + u64::from(selector & !7), &[0; 8]);
        }
        write(&mut machine, DATA, &[1, 2, 3, 4]);
        (0xc000..).take(breakpoints).for_each(|addr| {
            machine.breakpoints_mut().insert(Linear(addr));
        });
        assert_eq!(run(&mut machine), End::Done, "{breakpoints} breakpoints");
        assert_eq!(machine.cpu().gpr[AX] & 0xffff_ffff, 0x0102_0304);
    }
}

#[test]
fn movbe_is_no_invalid_opcode_behind_hypercalls_at_many_places() {
    // vmcall, five times; movbe eax, [DATA]
    let vmcall = [0x0f, 0x01, 0xc1];
    let code = [&vmcall.repeat(5)[..], &[0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0]].concat();
    let mut machine = machine_in(Mode::Long, &code);
    write(&mut machine, DATA, &[1, 2, 3, 4]);
    assert_eq!(run(&mut machine), End::Done);
    assert_eq!(machine.cpu().gpr[AX] & 0xffff_ffff, 0x0102_0304);
}

#[test]
fn with_the_firmware_alone_movbe_is_no_invalid_opcode() {
    for drive in DRIVES {
        // cx = 100; next: mov eax, [7C00h]; movbe [600h], eax; movbe ebx, [600h]; cmp eax, ebx; jne to the INT3;
        // loop next; cli; hlt; int3
        let code = [
            &[0xb9, 100, 0, 0x66, 0xa1, 0, 0x7c][..],
            &[0x66, 0x0f, 0x38, 0xf1, 0x06, 0, 6],
            &[0x66, 0x0f, 0x38, 0xf0, 0x1e, 0, 6],
            &[0x66, 0x39, 0xd8, 0x75, 4, 0xe2, 0xe7],
            &[0xfa, 0xf4, 0xcc],
        ]
        .concat();
        let boot = Boot::new(Image::parse(&code).unwrap());
        let mut machine = machine_with_firmware(boot, Disks::default());
        let stop = drive(&mut machine);
        assert_halted(&machine, &stop, START + code.len() as u64 - 1);
        assert_eq!(machine.cpu().gpr[CX] & 0xffff, 0);
        assert_eq!(read(&machine, 0x600, 4), [0x66, 0, 100, 0xb9], "the start, turned around");
    }
}

#[test]
fn a_write_of_efer_is_taken_or_refused_as_the_manual_says() {
    for drive in DRIVES {
        // mov ecx, EFER; mov eax, ...; mov edx, ...; wrmsr
        let code = |low: u32, high: u32| {
            let [low, high] = [low.to_le_bytes(), high.to_le_bytes()];
            [&[0xb9, 0x80, 0, 0, 0xc0, 0xb8][..], &low, &[0xba], &high, &[0x0f, 0x30]].concat()
        };
        // SCE along with LME and LMA; then bit 9, bit 32, and no LME while paging is on.
        for (low, high, taken) in
            [(0x501, 0, true), (0x700, 0, false), (0x500, 1, false), (0, 0, false)]
        {
            let code = code(low, high);
            let mut machine = machine_in(Mode::Long, &code);
            let stop = drive(&mut machine);
            assert!(matches!(stop, StopReason::Exit { .. }), "{low:#x}: {stop}");
            let behind = START + code.len() as u64;
            if taken {
                assert_eq!((machine.cpu().rip, machine.cpu().efer), (behind + 2, 0x501));
            } else {
                assert_eq!(machine.cpu().rip, HANDLER + 4 * 13 + 2, "{high:#x}{low:08x}");
                assert_eq!(stack(&machine, 2, 8), [0, behind - 2], "{high:#x}{low:08x}");
                assert_eq!(machine.cpu().efer, 0x500);
            }
        }
    }
}

#[test]
fn a_descriptor_where_no_memory_is_reads_as_ones() {
    /// The last descriptors of the table are behind the end of RAM.
    const TABLE: u64 = (2 << 20) - 0x40;
    const OUTSIDE: u64 = 0x48;
    let with = |code: &[u8]| {
        let mut machine = machine_in(Mode::Protected, code);
        for (at, descriptor) in (TABLE..).step_by(8).zip(&DESCRIPTORS[..8]) {
            write(&mut machine, at, &descriptor.to_le_bytes());
        }
        set(&mut machine, |cpu| {
            cpu.gdtr.base = TABLE;
            cpu.gpr[AX] = OUTSIDE;
        });
        machine
    };
    // mov ds, ax. Ones are conforming code that can be read, of 4 GiB from FFFFFFFFh on.
    let mut machine = with(&[0x8e, 0xd8]);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, START + 2);
    let ds = machine.cpu().segments.ds;
    assert_eq!((u64::from(ds.selector), ds.base, ds.limit), (OUTSIDE, 0xffff_ffff, u32::MAX));
    // They are no stack, task, table, or code of ring 0: mov ss, ax; ltr ax; lldt ax; jmp 0x48:0x8000; retf.
    for code in [
        &[0x8e, 0xd0][..],
        &[0x0f, 0x00, 0xd8],
        &[0x0f, 0x00, 0xd0],
        &[0xea, 0, 0x80, 0, 0, 0x48, 0],
        &[0xcb],
    ] {
        let mut machine = with(code);
        write(&mut machine, STACK + 4, &OUTSIDE.to_le_bytes());
        assert_eq!(machine.step(), StopReason::Stepped, "{code:02x?}");
        assert_eq!(machine.cpu().rip, HANDLER + 4 * 13, "{code:02x?}");
        let sp = machine.cpu().gpr[SP];
        assert_eq!(stack(&machine, 2, 4), [OUTSIDE, START], "{code:02x?}");
        assert_eq!(sp, STACK - 16, "{code:02x?}");
    }
}
