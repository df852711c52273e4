//! HLT: the step is past it, and the processor waits there.

use super::*;
use crate::common::{AX, halted};

#[test]
fn a_step_over_hlt_reports_the_halt_past_it() {
    let machine =
        Case { asm: "hlt", code: &[0xf4], stop: halted("0000:7C01"), ..Case::default() }.check();
    assert!(machine.is_halted());
    Case {
        asm: "hlt",
        code: &[0xf4],
        before: |cpu| cpu.rflags |= 0x200,
        stop: StopReason::Halted { interruptible: true, location: "0000:7C01".to_owned() },
        ..Case::default()
    }
    .check();
}

#[test]
fn a_halted_processor_stays_halted_however_it_is_asked_to_go_on() {
    let mut machine = boot(&[0xf4, 0x40]);
    let stop = halted("0000:7C01");
    assert_eq!(machine.step(), stop);
    let cpu = machine.cpu().clone();
    assert_eq!(machine.step(), stop);
    assert_eq!(machine.run(), stop);
    let range = machine.cpu().pc()..machine.cpu().pc().offset(100);
    assert_eq!(machine.step_range(range), stop);
    assert_eq!(machine.cpu(), &cpu);
}

#[test]
fn another_place_to_execute_ends_the_halt_and_another_register_does_not() {
    let mut machine = boot(&[0xf4, 0x40, 0x40]);
    assert_eq!(machine.run(), halted("0000:7C01"));
    set(&mut machine, |cpu| cpu.gpr[AX] = 5);
    assert_eq!(machine.step(), halted("0000:7C01"));
    go_to(&mut machine, 0x7c02);
    assert!(!machine.is_halted());
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!((machine.cpu().rip, machine.cpu().gpr[AX]), (START + 3, 6));
}

#[test]
fn hlt_is_reached_the_same_by_running_and_by_stepping() {
    // mov al, 0xff; out 0x21, al; sti; nop; hlt
    let code = [0xb0, 0xff, 0xe6, 0x21, 0xfb, 0x90, 0xf4];
    let mut running = boot(&code);
    let mut stepping = boot(&code);
    let stop = running.run();
    assert_eq!(stop, common::step_to_end(&mut stepping, 7));
    assert_eq!(visible(running.cpu()), visible(stepping.cpu()));
    assert_eq!(stop, StopReason::Halted { interruptible: true, location: "0000:7C07".to_owned() });
}
