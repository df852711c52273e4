//! Instructions that some KVMs never get past: interrupts from 80h on in real mode, and hypercalls. A guest
//! notices nothing of it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::{AX, BX, CX, START, boot, halted, read, set, write};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::Linear;

/// `rounds` times around a loop with one INT for each of `vectors`, whose handlers count in AX.
fn guest(rounds: u16, vectors: &[u8]) -> Machine {
    let mut code = Vec::new();
    vectors.iter().for_each(|vector| code.extend([0xcd, *vector]));
    // loop the first
    code.extend([0xe2, (256 - code.len() - 2) as u8, 0xf4]);
    let handler = START + code.len() as u64;
    // inc ax; iret
    code.extend([0x40, 0xcf]);
    let mut machine = boot(&code);
    for vector in vectors {
        write(&mut machine, u64::from(*vector) * 4, &(handler as u32).to_le_bytes());
    }
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0, rounds.into()));
    machine
}

#[test]
fn interrupts_of_high_numbers_run_their_handlers() {
    for vector in [0x7f, 0x80, 0xc3, 0xff] {
        let mut machine = guest(1, &[vector]);
        assert_eq!(machine.run(), halted("0000:7C05"), "{vector:#x}");
        assert_eq!(machine.cpu().gpr[AX], 1, "{vector:#x}");
    }
}

/// Pops the frame that the handler finds.
fn frame_of(code: &[u8], handler: u16) -> (u64, u64, u64, u64) {
    let mut machine = boot(code);
    write(&mut machine, 0x80 * 4, &u32::from(handler).to_le_bytes());
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
    let cpu = machine.cpu();
    (cpu.gpr[AX], cpu.gpr[BX], cpu.gpr[CX], cpu.rflags)
}

#[test]
fn the_first_one_pushes_the_flags_as_they_are() {
    // sti; stc; int 0x80; handler: pop ax; pop bx; pop cx; hlt
    let code = [0xfb, 0xf9, 0xcd, 0x80, 0x58, 0x5b, 0x59, 0xf4];
    let (ip, cs, pushed, flags) = frame_of(&code, 0x7c04);
    assert_eq!((ip & 0xffff, cs & 0xffff), (0x7c04, 0));
    assert_eq!(pushed & 0x301, 0x201, "IF and CF");
    assert_eq!(flags & 0x201, 1, "interrupts are off in the handler");
}

#[test]
fn the_table_can_be_asked_for_and_loaded() {
    // sidt [600]; mov word [620], 3ff; lidt [620] (base 0); out 80, al; sti; int 80; handler as above
    let code = [
        0x0f, 0x01, 0x0e, 0, 6, 0xc7, 0x06, 0x20, 6, 0xff, 3, 0x0f, 0x01, 0x1e, 0x20, 6, 0xe6,
        0x80, 0xfb, 0xcd, 0x80, 0x58, 0x5b, 0x59, 0xf4,
    ];
    let (ip, _, pushed, _) = frame_of(&code, 0x7c15);
    assert_eq!((ip & 0xffff, pushed & 0x200), (0x7c15, 0x200));
    let mut machine = boot(&code);
    write(&mut machine, 0x80 * 4, &[0x15, 0x7c, 0, 0]);
    write(&mut machine, 0x600, &[0x55; 6]);
    machine.run();
    assert_eq!(read(&machine, 0x602, 4), [0; 4], "the table is at 0");
}

#[test]
fn a_guest_that_lives_on_interrupts_of_high_numbers_goes_on() {
    let mut machine = guest(10_000, &[0x80]);
    assert_eq!(machine.run(), halted("0000:7C05"));
    assert_eq!(machine.cpu().gpr[AX], 10_000);
}

#[test]
fn there_may_be_more_of_them_than_debug_registers() {
    for breakpoints in [0, 3, 4, 5] {
        let mut machine = guest(100, &[0x80, 0x81, 0x90, 0xa0, 0xf0, 0xff]);
        (0x10_0000..).take(breakpoints).for_each(|addr| {
            machine.breakpoints_mut().insert(Linear(addr));
        });
        assert_eq!(machine.run(), halted("0000:7C0F"), "{breakpoints} breakpoints");
        assert_eq!(machine.cpu().gpr[AX], 600, "{breakpoints} breakpoints");
    }
}

#[test]
fn breakpoints_on_them_in_their_handlers_and_behind_them_hit_each_time() {
    for more in [0, 2] {
        let mut machine = guest(3, &[0x80]);
        let places = [START, START + 5, START + 2];
        places.into_iter().for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
        (0x10_0000..).take(more).for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
        for _ in 0..3 {
            for place in places {
                assert_eq!(machine.run(), StopReason::Breakpoint(Linear(place)));
                // As gdb leaves a breakpoint: onto the next one, if that is there.
                assert_eq!(machine.step(), StopReason::Stepped);
            }
        }
        assert_eq!(machine.run(), halted("0000:7C05"));
        assert_eq!(machine.cpu().gpr[AX], 3);
    }
}

#[test]
fn a_place_that_no_longer_holds_one_is_passed() {
    // int 0x80; mov byte [7c00], 0x40; mov byte [7c01], 0x90; loop the first; hlt ... handler: iret
    let code =
        [0xcd, 0x80, 0xc6, 0x06, 0, 0x7c, 0x40, 0xc6, 0x06, 1, 0x7c, 0x90, 0xe2, 0xf2, 0xf4, 0xcf];
    let mut machine = boot(&code);
    write(&mut machine, 0x80 * 4, &[0x0f, 0x7c, 0, 0]);
    set(&mut machine, |cpu| (cpu.gpr[AX], cpu.gpr[CX]) = (0, 5));
    assert_eq!(machine.run(), halted("0000:7C0F"));
    assert_eq!(machine.cpu().gpr[AX], 4);
}

#[test]
fn a_hypercall_that_nobody_knows_is_answered_so() {
    // mov eax, 0xffff; vmcall; hlt
    let code = [0x66, 0xb8, 0xff, 0xff, 0, 0, 0x0f, 0x01, 0xc1, 0xf4];
    for advance in [Machine::run as fn(&mut Machine) -> StopReason, Machine::step] {
        let mut machine = boot(&code);
        let mut stop = advance(&mut machine);
        while stop == StopReason::Stepped {
            stop = advance(&mut machine);
        }
        assert_eq!(stop, halted("0000:7C0A"));
        // -KVM_ENOSYS
        assert_eq!(machine.cpu().gpr[AX], 0xffff_fc18);
    }
}
