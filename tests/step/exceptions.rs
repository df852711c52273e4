//! Exceptions: a step over the instruction that raises one ends on the handler's first instruction, and
//! the handler finds on its stack what it would find without a debugger.

use super::*;
use crate::common::modes::{
    self, DATA3, DATA16, GDT, IDT, Mode, STACK, SUPERVISOR, machine_in, stack,
};
use crate::common::{AX, BX, CX, SP};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::Gpr;
use stepvisor::x86::registers::RFLAGS_TF;

/// Where the vectors of these tests lead: 0000:0510.
const HANDLER: Piece = (0x510, &[0x40; 8]);
const VECTOR: [u8; 4] = [0x10, 0x05, 0x00, 0x00];

/// The frame they find: IP of the faulting instruction, CS, FLAGS with IF set and TF clear.
const FRAME: Piece = (0x7bfa, &[0x00, 0x7c, 0, 0, 0x02, 0x02]);

/// What an exception in the instruction at 0000:7C00 does: IP, CS and FLAGS pushed, IF and TF cleared.
fn enter_handler(cpu: &mut CpuState) {
    cpu.rip = 0x510;
    cpu.gpr[SP] -= 6;
    cpu.rflags &= !0x300;
}

#[test]
fn a_fault_leads_to_the_first_instruction_of_its_handler() {
    let cases = [
        Case {
            asm: "div bl",
            code: &[0xf6, 0xf3],
            before: |cpu| {
                (cpu.gpr[BX], cpu.rflags) = (0, 0x202);
                // The stack is 16 bits wide, and the rest of ESP none of its business.
                cpu.gpr[SP] |= 0x1234_0000;
            },
            memory: &[(0, &VECTOR), HANDLER],
            ..Case::default()
        },
        Case {
            asm: "idiv word [si]",
            code: &[0xf7, 0x3c],
            before: |cpu| (cpu.gpr[common::SI], cpu.rflags) = (0x600, 0x202),
            memory: &[(0, &VECTOR), (0x600, &[0, 0]), HANDLER],
            ..Case::default()
        },
        Case {
            asm: "aam 0",
            code: &[0xd4, 0],
            before: |cpu| cpu.rflags = 0x202,
            memory: &[(0, &VECTOR), HANDLER],
            ..Case::default()
        },
        Case {
            asm: "ud2",
            code: &[0x0f, 0x0b],
            before: |cpu| cpu.rflags = 0x202,
            memory: &[(6 * 4, &VECTOR), HANDLER],
            ..Case::default()
        },
    ];
    for case in cases {
        Case { effect: enter_handler, expected: &[FRAME], ..case }.check();
    }
}

/// Whether the processor faults beyond the limit of a segment: QEMU's emulation does not.
fn limits_are_checked() -> bool {
    // mov ax, [0xffff], whose second byte is out; hlt. The handler is a HLT as well.
    let mut machine = boot(&[0xa1, 0xff, 0xff, 0xf4]);
    write(&mut machine, 13 * 4, &VECTOR);
    write(&mut machine, 0x510, &[0xf4]);
    machine.run();
    let checked = machine.cpu().rip == 0x511;
    if !checked {
        eprintln!("skipped: this processor does not check segment limits");
    }
    checked
}

#[test]
fn an_access_beyond_the_limit_leads_to_its_handler() {
    if !limits_are_checked() {
        return;
    }
    Case {
        asm: "mov ax, [0xffff]",
        code: &[0xa1, 0xff, 0xff],
        before: |cpu| cpu.rflags = 0x202,
        memory: &[(13 * 4, &VECTOR), HANDLER],
        effect: enter_handler,
        expected: &[FRAME],
        ..Case::default()
    }
    .check();
}

#[test]
fn a_handler_is_entered_however_the_repetition_stands() {
    if !limits_are_checked() {
        return;
    }
    // rep movsw whose source runs over the end of the segment at its second word.
    let mut machine = boot(&[0xf3, 0xa5, 0x40]);
    set(&mut machine, |cpu| {
        cpu.gpr[common::SI] = 0xfffd;
        cpu.gpr[common::DI] = 0x600;
        cpu.gpr[CX] = 5;
    });
    write(&mut machine, 13 * 4, &VECTOR);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[CX]), (START, 4));
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().cs_ip(), SegOff::new(0, 0x510));
    assert_eq!(machine.cpu().gpr[CX], 4, "the counter as the handler has to find it");
    assert_eq!(read(&machine, 0x7bfa, 2), [0x00, 0x7c], "the repetition can go on");
}

#[test]
fn the_handler_itself_is_stepped_from_its_first_instruction() {
    let code = [0xf6, 0xf3, 0x90];
    let mut machine = boot(&code);
    set(&mut machine, |cpu| cpu.gpr[BX] = 0);
    write(&mut machine, 0, &VECTOR);
    // add word [bp + ...] would do; here: inc ax, and back behind the division by popping and pushing.
    write(&mut machine, 0x510, &[0x40, 0x5b, 0x83, 0xc3, 2, 0x53, 0xcf]);
    let places: Vec<_> = std::iter::repeat_with(|| {
        assert_eq!(machine.step(), StopReason::Stepped);
        machine.cpu().cs_ip().to_string()
    })
    .take(6)
    .collect();
    let there = ["0000:0510", "0000:0511", "0000:0512", "0000:0515", "0000:0516", "0000:7C02"];
    assert_eq!(places, there);
}

#[test]
fn loads_of_ss_are_one_instruction() {
    let cases = [
        Case {
            asm: "mov ss, ax",
            code: &[0x8e, 0xd0],
            before: |cpu| cpu.gpr[AX] = 0x9000,
            effect: |cpu| load(&mut cpu.segments.ss, 0x9000),
            ..Case::default()
        },
        Case {
            asm: "mov ss, [0x600]",
            code: &[0x8e, 0x16, 0x00, 0x06],
            memory: &[(0x600, &[0x34, 0x12])],
            effect: |cpu| load(&mut cpu.segments.ss, 0x1234),
            ..Case::default()
        },
        Case {
            asm: "pop ss",
            code: &[0x17],
            before: |cpu| cpu.gpr[SP] = 0x600,
            memory: &[(0x600, &[0x34, 0x12])],
            effect: |cpu| {
                cpu.gpr[SP] += 2;
                load(&mut cpu.segments.ss, 0x1234);
            },
            ..Case::default()
        },
        Case {
            asm: "lss sp, [0x600]",
            code: &[0x0f, 0xb2, 0x26, 0x00, 0x06],
            memory: &[(0x600, &[0x00, 0x40, 0x34, 0x12])],
            effect: |cpu| {
                cpu.gpr[SP] = 0x4000;
                load(&mut cpu.segments.ss, 0x1234);
            },
            ..Case::default()
        },
    ];
    for case in &cases {
        case.check();
    }
}

#[test]
fn a_handler_whose_first_instruction_faults_into_itself_faults_once_a_step() {
    for mode in [Mode::Real, Mode::Protected, Mode::Long] {
        // ud2 at which the gate of #UD leads.
        let mut machine = machine_in(mode, &[0x0f, 0x0b]);
        let (gate, size, aligned) = match mode {
            Mode::Real => (6 * 4, 6, !0),
            Mode::Protected => (IDT + 6 * 8, 12, !0),
            _ => (IDT + 6 * 16, 40, !0xf),
        };
        let mut sp = STACK;
        write(&mut machine, gate, &0x7c00_u16.to_le_bytes());
        let table = common::read(&machine, gate, 16);
        for _ in 0..3 {
            assert_eq!(machine.step(), StopReason::Stepped, "{mode:?}");
            assert_eq!(machine.cpu().rip, START, "{mode:?}");
            sp = (sp & aligned) - size;
            assert_eq!(machine.cpu().gpr[SP], sp, "{mode:?}: frames");
        }
        assert_eq!(common::read(&machine, gate, 16), table, "{mode:?}: the guest's table");
        assert_eq!(stack(&machine, 1, if mode == Mode::Real { 2 } else { 4 }), [START]);
    }
}

#[test]
fn a_jump_to_where_no_handler_is_stays_there() {
    // jmp short $+10h, and $-10h, while #GP leads to the jump.
    for (code, to) in [([0xeb, 0x0e], START + 0x10), ([0xeb, 0xee], START - 0x10)] {
        let mut machine = machine_in(Mode::Protected, &code);
        write(&mut machine, IDT + 13 * 8, &0x7c00_u16.to_le_bytes());
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().rip, to);
    }
}

#[test]
fn what_is_no_instruction_is_invalid_whatever_its_operand_is() {
    // mov ?, [di], of which there is no such segment register.
    Case {
        asm: "8e 35",
        code: &[0x8e, 0x35],
        before: |cpu| {
            cpu.gpr[common::DI] = 0xffff;
            cpu.gpr[SP] = 0x1234_7c00;
            cpu.rflags = 0x202;
        },
        memory: &[(6 * 4, &VECTOR), HANDLER],
        effect: enter_handler,
        expected: &[FRAME],
        ..Case::default()
    }
    .check();
}

#[test]
fn hints_and_decimal_adjustments_are_one_instruction_each() {
    for code in [[0x0f, 0x18, 0x00], [0x0f, 0x19, 0x00], [0x0f, 0x1d, 0xc2], [0x0f, 0x1e, 0xc2]] {
        Case { asm: "nop", code: &code, ..Case::default() }.check();
    }
    // Of 09h * 16h + 0Bh = D1h only AL counts for the flags: SF, PF.
    Case {
        asm: "aad 0x16",
        code: &[0xd5, 0x16],
        before: |cpu| (cpu.gpr[AX], cpu.rflags) = (0x8765_090b, 2),
        effect: |cpu| (cpu.gpr[AX], cpu.rflags) = (0x8765_00d1, 0x86),
        ..Case::default()
    }
    .check();
    // 2Ch = 2 * 16h: ZF, PF, whatever is in the rest of EAX.
    Case {
        asm: "aam 0x16",
        code: &[0xd4, 0x16],
        before: |cpu| (cpu.gpr[AX], cpu.rflags) = (0x8765_ff2c, 2),
        effect: |cpu| (cpu.gpr[AX], cpu.rflags) = (0x8765_0200, 0x46),
        ..Case::default()
    }
    .check();
}

#[test]
fn enter_pushes_in_the_width_of_its_operand() {
    // o32 enter 8, 0
    Case {
        asm: "o32 enter 8, 0",
        code: &[0x66, 0xc8, 8, 0, 0],
        before: |cpu| cpu.gpr[common::BP] = 0x4321,
        effect: |cpu| {
            cpu.gpr[SP] = 0x7c00 - 4 - 8;
            cpu.gpr[common::BP] = 0x7bfc;
        },
        expected: &[(0x7bfc, &[0x21, 0x43, 0, 0])],
        ..Case::default()
    }
    .check();
}

#[test]
fn a_handler_that_begins_with_a_change_of_its_own_gate_changes_it() {
    // mov byte [6 * 4], 0x55
    let mut machine = boot(&[0xc6, 0x06, 24, 0, 0x55]);
    write(&mut machine, 24, &(START as u32).to_le_bytes());
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(read(&machine, 24, 4), [0x55, 0x7c, 0, 0]);
}

#[test]
fn a_load_of_ss_marks_its_descriptor_as_accessed() {
    for (mode, code) in [
        (Mode::Protected, &[0x8e, 0xd0][..]), // mov ss, ax
        (Mode::Protected, &[0x17]),           // pop ss
        (Mode::Long, &[0x8e, 0xd0]),
    ] {
        let mut machine = machine_in(mode, code);
        let rights = GDT + u64::from(DATA16) + 5;
        write(&mut machine, rights, &[0x92]);
        write(&mut machine, STACK, &DATA16.to_le_bytes());
        set(&mut machine, |cpu| cpu.gpr[AX] = DATA16.into());
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().segments.ss.selector, DATA16, "{mode:?}");
        assert_eq!(read(&machine, rights, 1), [0x93], "{mode:?}, {code:02x?}");
    }
}

#[test]
fn a_load_of_ss_from_where_the_program_may_not_read_leads_to_the_handler() {
    // mov ss, [SUPERVISOR]
    let code = [0x8e, 0x14, 0x25, 0, 0xb0, 0, 0];
    let mut machine = machine_in(Mode::Long3, &code);
    write(&mut machine, SUPERVISOR, &DATA3.to_le_bytes());
    (0..Mode::Long3.steps_before()).for_each(|_| drop(machine.step()));
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(machine.cpu().rip, modes::HANDLER + 4 * 14);
    assert_eq!(machine.cpu().cr2, SUPERVISOR);
    if !limits_are_checked() {
        return;
    }
    let beyond = |code: &'static [u8], vector: u64, before: fn(&mut CpuState)| {
        let mut machine = machine_in(Mode::Real, code);
        set(&mut machine, before);
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!(machine.cpu().rip, modes::HANDLER + 4 * vector, "{code:02x?}");
    };
    beyond(&[0x8e, 0x16, 0xff, 0xff], 13, |_| {}); // mov ss, [0xffff]
    beyond(&[0x17], 12, |cpu| cpu.gpr[SP] = 0xffff); // pop ss
}

#[test]
fn floating_point_that_the_host_cannot_run_stops_a_step_as_it_stops_a_run() {
    // fld1; emms
    for mode in [Mode::Real, Mode::Protected, Mode::Protected3, Mode::Long, Mode::Long3] {
        for code in [[0xd9, 0xe8], [0x0f, 0x77]] {
            let ran = modes::run(&mut machine_in(mode, &code));
            let mut machine = machine_in(mode, &code);
            (0..mode.steps_before()).for_each(|_| drop(machine.step()));
            let stepped = machine.step();
            let pc = machine.cpu().pc().0;
            match ran {
                modes::End::Done => assert_eq!((stepped, pc), (StopReason::Stepped, START + 2)),
                modes::End::Stopped(stop) => assert_eq!((stepped, pc), (stop, START), "{mode:?}"),
                modes::End::Handler(vector) => panic!("{mode:?}, {code:02x?}: vector {vector}"),
            }
        }
    }
}

#[test]
fn a_step_through_a_gate_that_leads_nowhere_leaves_no_trap_flag_in_the_frame() {
    // A processor raises #GP instead; a software KVM may go through such a gate. Its type is that of an LDT, a task
    // gate, a call gate.
    for kind in [0x82, 0x85, 0x8c] {
        // div bl
        let mut machine = machine_in(Mode::Protected, &[0xf6, 0xf3]);
        write(&mut machine, IDT + 5, &[kind]);
        write(&mut machine, modes::HANDLER, &[0x90; 4 * 14]);
        if kind == 0x85 {
            // To no task.
            write(&mut machine, IDT + 2, &[0, 0]);
        }
        let before = machine.cpu().rflags;
        assert_eq!(machine.step(), StopReason::Stepped);
        let frame = read(&machine, machine.cpu().get(Gpr::Rsp), 16);
        let words: Vec<u32> =
            frame.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let ip = words.iter().position(|&word| u64::from(word) == START).expect("a frame");
        let tf = |flags: u64| flags & RFLAGS_TF;
        assert_eq!(tf(words[ip + 2].into()), 0, "type {kind:#x}: {words:08x?}");
        assert_eq!((tf(before), tf(machine.cpu().rflags)), (0, 0));
    }
}

/// A machine before the first instruction of `code` in ring 3 of long mode.
fn in_ring_3(code: &[u8]) -> Machine {
    let mut machine = machine_in(Mode::Long3, code);
    for _ in 0..Mode::Long3.steps_before() {
        assert_eq!(machine.step(), StopReason::Stepped);
    }
    machine
}

/// Has each exception of long mode lead to one and the same handler.
fn share_a_handler(machine: &mut Machine) {
    let gate = modes::HANDLER | u64::from(modes::CODE64) << 16 | 0x8e << 40;
    for vector in 0..32 {
        write(machine, IDT + vector * 16, &gate.to_le_bytes());
    }
}

#[test]
fn a_fault_of_ring_3_gets_to_a_handler_that_it_shares_with_debug_exceptions() {
    // div bl, with BL = 0; ud2; hlt, a #GP with an error code
    let faults: [(&[u8], usize); 3] = [(&[0xf6, 0xf3], 0), (&[0x0f, 0x0b], 0), (&[0xf4], 1)];
    // As the guest has left it: the trap of another step, and none.
    for (dr6, (fault, errors)) in
        [0xffff_4ff0, 0xffff_0ff0].iter().flat_map(|dr6| faults.map(|it| (dr6, it)))
    {
        let mut machine = in_ring_3(&[&[0x90][..], fault].concat());
        share_a_handler(&mut machine);
        machine.set_debug_registers(&[0, 0, 0, 0, 0, 0, *dr6, 0x400]).unwrap();
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!((machine.cpu().rip, machine.cpu().cpl()), (START + 1, 3), "{fault:x?}");
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!((machine.cpu().rip, machine.cpu().cpl()), (modes::HANDLER, 0), "{fault:x?}");
        let frame = &stack(&machine, 3 + errors, 8)[errors..];
        assert_eq!(frame[..2], [START + 1, modes::CODE64_3.into()], "{fault:x?}");
        assert_eq!(frame[2] & RFLAGS_TF, 0, "{fault:x?}");
        assert_eq!(machine.debug_registers().unwrap()[6], *dr6, "{fault:x?}");
    }
}

#[test]
fn ring_3_of_long_mode_is_stepped_without_a_handler_of_debug_exceptions() {
    // inc eax; push rax; call the next instruction; jmp itself; and div bl, with BL = 0, over the jump
    let code = [0xff, 0xc0, 0x50, 0xe8, 0, 0, 0, 0, 0xeb, 0xfe, 0xf6, 0xf3];
    let mut machine = in_ring_3(&code);
    write(&mut machine, IDT + 16, &[0; 16]);
    let tables = read(&machine, 0, 0x7000 - 24);
    for at in [2, 3, 8, 8, 8] {
        assert_eq!(machine.step(), StopReason::Stepped);
        assert_eq!((machine.cpu().rip, machine.cpu().cpl()), (START + at, 3));
        assert_eq!(read(&machine, 0, 0x7000 - 24), tables, "before {at}");
    }
    assert_eq!(machine.cpu().gpr[AX], 1);
    assert_eq!(stack(&machine, 2, 8), [START + 8, 1]);
    set(&mut machine, |cpu| cpu.rip += 2);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().cpl()), (modes::HANDLER, 0));
    assert_eq!(stack(&machine, 2, 8), [START + 10, modes::CODE64_3.into()]);
    assert_eq!(read(&machine, IDT + 16, 16), [0; 16]);
}
