//! The timer against the waveforms and tables of its data sheet.

use super::counter::{Access, Counter};
use super::*;
use crate::devices::tests::random::Random;

/// Counter 2 in `mode`, its gate high, with `count` written in both bytes.
fn counter(mode: u8, count: u16) -> Counter {
    let mut counter = Counter::new(true);
    counter.set_control(Access::Both, mode, false);
    count.to_le_bytes().into_iter().for_each(|byte| counter.write(byte));
    counter
}

/// What the counting element shows.
fn value(counter: &mut Counter) -> u16 {
    counter.latch_count();
    u16::from_le_bytes([counter.read(), counter.read()])
}

/// The output after each of so many cycles: `_` low, `#` high.
fn wave(counter: &mut Counter, cycles: usize) -> String {
    let mut wave = String::new();
    for _ in 0..cycles {
        counter.tick();
        wave.push(if counter.output() { '#' } else { '_' });
    }
    wave
}

#[test]
fn mode_0_rises_one_cycle_after_the_count() {
    let mut timer = counter(0, 4);
    assert!(!timer.output());
    assert_eq!(wave(&mut timer, 8), "____####");
    assert_eq!(value(&mut timer), 0xfffd);
    // A new count starts it again, and the gate holds it.
    [2, 0].into_iter().for_each(|byte| timer.write(byte));
    assert_eq!(wave(&mut timer, 2), "__");
    timer.set_gate(false);
    assert_eq!((wave(&mut timer, 3), value(&mut timer)), ("___".to_owned(), 1));
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 2), "##");
}

#[test]
fn mode_0_stops_between_the_bytes_of_a_count() {
    let mut timer = counter(0, 4);
    timer.pass(10);
    timer.write(3);
    assert!(!timer.output());
    let before = value(&mut timer);
    timer.pass(100);
    assert_eq!(value(&mut timer), before);
    timer.write(0);
    assert_eq!(wave(&mut timer, 5), "___##");
}

#[test]
fn mode_1_is_a_pulse_of_the_count_for_each_trigger() {
    let mut timer = Counter::new(false);
    timer.set_control(Access::Low, 1, false);
    timer.set_gate(true);
    timer.set_gate(false);
    timer.write(3);
    assert_eq!(wave(&mut timer, 3), "###", "a trigger before the count is none");
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 5), "___##");
    timer.set_gate(false);
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 2), "__");
    timer.set_gate(false);
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 5), "___##", "triggered again in the pulse");
    timer.write(2);
    timer.set_gate(false);
    assert_eq!(wave(&mut timer, 2), "##");
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 4), "__##");
}

#[test]
fn mode_2_is_low_for_one_cycle_in_each_period() {
    let mut timer = counter(2, 3);
    assert!(timer.output());
    assert_eq!(wave(&mut timer, 10), "##_##_##_#");
    // A new count waits for the end of the period.
    [4, 0].into_iter().for_each(|byte| timer.write(byte));
    assert_eq!(wave(&mut timer, 10), "#_###_###_");
    // The gate makes it high at once, and its rise starts a period.
    timer.set_gate(false);
    assert!(timer.output());
    assert_eq!(wave(&mut timer, 5), "#####");
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 5), "###_#");
}

#[test]
fn mode_3_is_a_square_wave_whose_high_half_has_the_odd_cycle() {
    assert_eq!(wave(&mut counter(3, 4), 10), "##__##__##");
    assert_eq!(wave(&mut counter(3, 5), 12), "###__###__##");
    assert_eq!(wave(&mut counter(3, 2), 6), "#_#_#_");
    assert_eq!(wave(&mut counter(3, 3), 7), "##_##_#");
    let mut timer = counter(3, 5);
    let values: Vec<u16> = (0..7)
        .map(|_| {
            timer.tick();
            value(&mut timer)
        })
        .collect();
    assert_eq!(values, [4, 2, 0, 4, 2, 4, 2]);
    timer.set_gate(false);
    assert_eq!(wave(&mut timer, 3), "###");
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 5), "###__");
}

#[test]
fn long_times_pass_as_short_ones_do_whatever_the_count() {
    for mode in [2, 3] {
        for count in [0, 1, 2, 3, 4, 0x7fff, 0xfffe, 0xffff] {
            let (mut passed, mut ticked) = (counter(mode, count), counter(mode, count));
            for cycles in [1, 40_000, 100_003] {
                passed.pass(cycles);
                (0..cycles).for_each(|_| ticked.tick());
                assert_eq!(passed.output(), ticked.output(), "mode {mode}, count {count}");
                assert_eq!(value(&mut passed), value(&mut ticked), "mode {mode}, count {count}");
            }
            // A year.
            passed.pass(1 << 45);
        }
    }
}

#[test]
fn mode_4_strobes_once_for_each_count_and_mode_5_for_each_trigger() {
    let mut timer = counter(4, 3);
    assert_eq!(wave(&mut timer, 8), "###_####");
    [2, 0].into_iter().for_each(|byte| timer.write(byte));
    assert_eq!(wave(&mut timer, 4), "##_#");
    let mut timer = counter(5, 3);
    assert_eq!(wave(&mut timer, 3), "###");
    timer.set_gate(false);
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 6), "###_##");
    timer.set_gate(false);
    timer.set_gate(true);
    timer.tick();
    timer.set_gate(false);
    timer.set_gate(true);
    assert_eq!(wave(&mut timer, 5), "###_#");
}

#[test]
fn modes_6_and_7_are_2_and_3() {
    assert_eq!(wave(&mut counter(6, 3), 6), "##_##_");
    assert_eq!(wave(&mut counter(7, 4), 6), "##__##");
}

#[test]
fn a_count_of_0_is_the_whole_range() {
    for (bcd, whole) in [(false, 65_536), (true, 10_000)] {
        let mut timer = Counter::new(true);
        timer.set_control(Access::Both, 0, bcd);
        [0, 0].into_iter().for_each(|byte| timer.write(byte));
        timer.pass(whole);
        assert!(!timer.output());
        timer.pass(1);
        assert!(timer.output());
    }
}

#[test]
fn bcd_counts_in_decimal_digits() {
    let mut timer = Counter::new(true);
    timer.set_control(Access::Both, 2, true);
    [0x00, 0x10].into_iter().for_each(|byte| timer.write(byte));
    timer.tick();
    assert_eq!(value(&mut timer), 0x1000);
    timer.tick();
    assert_eq!(value(&mut timer), 0x0999);
    timer.pass(998);
    assert_eq!((value(&mut timer), timer.output()), (0x0001, false));
    timer.tick();
    assert_eq!(value(&mut timer), 0x1000);
    // Digits that are none do not end it.
    [0xff, 0xff].into_iter().for_each(|byte| timer.write(byte));
    timer.pass(100_000);
}

#[test]
fn a_latched_count_stays_until_it_is_read() {
    let mut pit = Pit::default();
    pit.write(3, 0xb4);
    [0x34, 0x12].into_iter().for_each(|byte| pit.write(2, byte));
    pit.set_gate(true);
    pit.pass(1);
    pit.write(3, 0x80);
    pit.pass(7);
    pit.write(3, 0x80);
    assert_eq!([pit.read(2), pit.read(2)], [0x34, 0x12]);
    assert_eq!([pit.read(2), pit.read(2)], [0x2d, 0x12]);
}

#[test]
fn bytes_are_read_and_written_as_the_control_word_says() {
    let mut pit = Pit::default();
    pit.set_gate(true);
    pit.write(3, 0x94);
    pit.write(2, 0x55);
    pit.pass(1);
    assert_eq!([pit.read(2), pit.read(2)], [0x55, 0x55]);
    pit.write(3, 0xa4);
    pit.write(2, 0x55);
    pit.pass(1);
    assert_eq!([pit.read(2), pit.read(2)], [0x55, 0x55]);
    pit.write(3, 0x80);
    assert_eq!(pit.read(2), 0x55);
}

#[test]
fn read_back_latches_status_before_count() {
    let mut pit = Pit::default();
    pit.write(3, 0xb6);
    pit.write(3, 0xe8);
    assert_eq!(pit.read(2), 0xf6, "output high, null count");
    [0x10, 0x00].into_iter().for_each(|byte| pit.write(2, byte));
    pit.set_gate(true);
    pit.pass(1);
    pit.write(3, 0xc8);
    pit.pass(3);
    assert_eq!([pit.read(2), pit.read(2), pit.read(2)], [0xb6, 0x10, 0x00]);
    // Of counters that are not selected nothing is latched.
    pit.write(3, 0xe2);
    assert_eq!(pit.read(0), 0xb4);
    assert_ne!(pit.read(2), 0xb6);
}

#[test]
fn the_control_word_cannot_be_read() {
    let mut pit = Pit::default();
    assert_eq!((pit.read(3), pit.read(4)), (0xff, 0xff));
}

#[test]
fn counter_0_ticks_as_firmware_has_it() {
    let mut pit = Pit::default();
    pit.pass(1);
    let _ = pit.take_tick();
    let ticks = (0..10 * 65_536).filter(|_| {
        pit.pass(1);
        pit.take_tick()
    });
    assert_eq!(ticks.count(), 10);
    pit.pass(1_000_000);
    assert!(pit.take_tick() && !pit.take_tick());
}

#[test]
fn a_long_time_is_the_same_as_so_many_cycles() {
    let mut random = Random::new(8254);
    for _ in 0..3_000 {
        let mut fast = Counter::new(random.below(2) == 0);
        let access = [Access::Low, Access::High, Access::Both][random.below(3) as usize];
        fast.set_control(access, random.below(8) as u8, random.below(4) == 0);
        let mut slow = fast.clone();
        for _ in 0..12 {
            match random.below(5) {
                0 => {
                    let gate = random.below(2) == 0;
                    fast.set_gate(gate);
                    slow.set_gate(gate);
                }
                1 | 2 => {
                    let byte = [random.below(8), random.below(256)][random.below(2) as usize] as u8;
                    fast.write(byte);
                    slow.write(byte);
                }
                _ => {
                    let cycles = [random.below(6), random.below(600)][random.below(2) as usize];
                    fast.pass(cycles.into());
                    (0..cycles).for_each(|_| slow.tick());
                }
            }
            assert_eq!(fast, slow);
        }
    }
}

#[test]
fn the_next_tick_comes_when_it_is_said() {
    for mode in 0..6 {
        for count in [0, 1, 2, 3, 4, 5, 100, 101, 0xffff] {
            let mut counter = counter(mode, count);
            counter.take_rise();
            for _ in 0..3 {
                let Some(cycles) = counter.cycles_to_rise() else {
                    counter.pass(0x4_0000);
                    assert!(!counter.take_rise(), "mode {mode}, count {count}");
                    break;
                };
                counter.pass(cycles - 1);
                assert!(!counter.take_rise(), "mode {mode}, count {count}: before {cycles}");
                counter.pass(1);
                assert!(counter.take_rise(), "mode {mode}, count {count}: after {cycles}");
            }
        }
    }
}

#[test]
fn any_sequence_of_accesses_has_an_outcome_and_a_state() {
    let mut random = Random::new(40);
    let mut pit = Pit::default();
    for _ in 0..50_000 {
        let (offset, value) = (random.below(5) as u16, random.below(256) as u8);
        match random.below(40) {
            0..=14 => pit.write(offset, value),
            15..=29 => {
                pit.read(offset);
            }
            30..=34 => pit.set_gate(value & 1 != 0),
            35 => {
                let json = serde_json::to_string(&pit.save()).unwrap();
                let mut other = Pit::default();
                other.restore(&serde_json::from_str(&json).unwrap());
                assert_eq!(other.save(), pit.save());
                pit = other;
            }
            36 => pit.pass(u64::from(random.below(u32::MAX)) << random.below(20)),
            _ => pit.pass(random.below(100_000).into()),
        }
        assert!(!pit.describe().is_empty());
        let _ = (pit.take_tick(), pit.output(2));
    }
}
