//! The shipped guests, stepped. That each ends as it does when it runs free is shown by
//! `tests/transparency.rs`.

use super::*;
use crate::common::samples::{Sample, sample};
use crate::common::{Record, machine};
use stepvisor::ui;

/// More steps than any shipped guest takes to its end.
const ENOUGH: usize = 100_000;

fn screen(machine: &Machine) -> String {
    ui::text::plain(&machine.frame())
}

/// Runs `sample` to its end by `advance`; gives the machine, why it stopped, and what it said.
fn finish(
    sample: &Sample,
    advance: impl FnOnce(&mut Machine) -> StopReason,
) -> (Machine, StopReason, Record) {
    let mut machine = machine(sample.boot());
    let heard = record(&mut machine);
    let stop = advance(&mut machine);
    let heard = heard.borrow().clone();
    (machine, stop, heard)
}

#[test]
fn a_triple_fault_stops_run_and_step_with_registers_to_look_at() {
    let sample = sample("triple");
    for advance in [Machine::run as fn(&mut Machine) -> StopReason, |machine: &mut Machine| {
        common::step_to_end(machine, ENOUGH)
    }] {
        let (machine, stop, _) = finish(&sample, advance);
        assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
        assert_eq!(screen(&machine), sample.screen);
    }
}

#[test]
fn the_place_of_a_triple_fault_is_exact_when_stepped() {
    let sample = sample("triple");
    let (machine, stop, _) = finish(&sample, |machine| common::step_to_end(machine, ENOUGH));
    // ud2, with the mark in EAX that the guest leaves.
    assert_eq!(machine.cpu().gpr[common::AX], 0x600d_beef);
    assert_eq!(read(&machine, machine.cpu().pc().0, 2), [0x0f, 0x0b]);
    assert_eq!(stop, StopReason::Shutdown { location: machine.cpu().location() });
}

#[test]
fn a_guest_that_loops_can_be_stepped_around_its_loop() {
    let mut machine = machine(sample("addloop").boot());
    for _ in 0..100 {
        assert_eq!(machine.step(), StopReason::Stepped);
    }
    let cpu = machine.cpu().clone();
    assert_eq!([common::AX, common::BX, common::CX].map(|register| cpu.gpr[register]), [5, 4, 9]);
    assert_eq!(read(&machine, cpu.pc().0, 2), [0xeb, 0xfe]);
    assert_eq!(machine.step(), StopReason::Stepped);
    assert_eq!(visible(machine.cpu()), visible(&cpu));
}

#[test]
fn code_where_nothing_is_cannot_run_and_says_so() {
    for advance in [Machine::run as fn(&mut Machine) -> StopReason, Machine::step] {
        let mut machine = boot(&[0x90]);
        set(&mut machine, |cpu| {
            load(&mut cpu.segments.cs, 0xa000);
            cpu.rip = 0;
        });
        let stop = advance(&mut machine);
        assert!(matches!(stop, StopReason::Nowhere { .. }), "{stop}");
        assert!(stop.to_string().contains("A000:0000"), "{stop}");
    }
}
