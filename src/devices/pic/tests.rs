//! The pair against its data sheet.

use super::*;
use crate::devices::tests::random::Random;

/// As an operating system sets them up: vectors 20h and 28h, nothing masked, `icw4` for both.
fn ready(icw4: u8) -> Pics {
    let mut pics = Pics::default();
    for (second, base, icw3) in [(false, 0x20, 0x04), (true, 0x28, 0x02)] {
        pics.write(second, 0, 0x11);
        for value in [base, icw3, icw4, 0x00] {
            pics.write(second, 1, value);
        }
    }
    pics
}

/// An edge on each of `lines`, which stay high.
fn raise(pics: &mut Pics, lines: &[u8]) {
    for line in lines {
        pics.set_line(*line, false);
        pics.set_line(*line, true);
    }
}

/// Takes interrupts as long as there are any, without ending one.
fn take(pics: &mut Pics) -> Vec<u8> {
    std::iter::from_fn(|| pics.interrupt().then(|| pics.acknowledge())).collect()
}

fn register(pics: &mut Pics, second: bool, ocw3: u8) -> u8 {
    pics.write(second, 0, ocw3);
    pics.read(second, 0)
}

#[test]
fn power_on_is_as_firmware_leaves_it() {
    let mut pics = Pics::default();
    assert_eq!((pics.read(false, 1), pics.read(true, 1)), (0xb8, 0x8f));
    raise(&mut pics, &[1]);
    assert_eq!(take(&mut pics), [0x09]);
    pics.write(false, 0, 0x20);
    raise(&mut pics, &[14]);
    assert_eq!(take(&mut pics), [0x76]);
}

#[test]
fn every_line_has_its_vector() {
    for line in (0..LINES).filter(|line| *line != 2) {
        let mut pics = ready(0x01);
        raise(&mut pics, &[line]);
        assert_eq!(take(&mut pics), [0x20 + line], "line {line}");
    }
}

#[test]
fn one_in_service_holds_back_those_below_until_it_ends() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[3, 5]);
    assert_eq!(take(&mut pics), [0x23]);
    raise(&mut pics, &[1]);
    assert_eq!(take(&mut pics), [0x21]);
    assert_eq!(register(&mut pics, false, 0x0b), 0x0a);
    assert_eq!(register(&mut pics, false, 0x0a), 0x20);
    pics.write(false, 0, 0x20);
    assert!(take(&mut pics).is_empty());
    pics.write(false, 0, 0x20);
    assert_eq!(take(&mut pics), [0x25]);
}

#[test]
fn the_second_needs_an_end_of_interrupt_at_both() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[12]);
    assert_eq!(take(&mut pics), [0x2c]);
    assert_eq!((register(&mut pics, false, 0x0b), register(&mut pics, true, 0x0b)), (0x04, 0x10));
    // A lower line of the first waits for it, a higher one does not.
    raise(&mut pics, &[3]);
    assert!(take(&mut pics).is_empty());
    pics.write(true, 0, 0x20);
    assert!(take(&mut pics).is_empty());
    pics.write(false, 0, 0x20);
    assert_eq!(take(&mut pics), [0x23]);
}

#[test]
fn special_fully_nested_lets_the_second_interrupt_itself() {
    for (icw4, expected) in [(0x01, &[0x2c][..]), (0x11, &[0x2c, 0x29])] {
        let mut pics = ready(icw4);
        raise(&mut pics, &[12]);
        let mut taken = take(&mut pics);
        raise(&mut pics, &[9]);
        taken.extend(take(&mut pics));
        assert_eq!(taken, expected, "icw4 {icw4:02x}");
    }
}

#[test]
fn the_mask_holds_back_and_forgets_nothing() {
    let mut pics = ready(0x01);
    pics.write(false, 1, 0x08);
    raise(&mut pics, &[3]);
    assert!(take(&mut pics).is_empty());
    assert_eq!((pics.read(false, 1), pics.read(false, 0)), (0x08, 0x08));
    pics.write(false, 1, 0x00);
    assert_eq!(take(&mut pics), [0x23]);
}

#[test]
fn an_edge_counts_once_and_a_level_as_long_as_it_lasts() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[5]);
    assert_eq!(take(&mut pics), [0x25]);
    pics.write(false, 0, 0x20);
    assert!(take(&mut pics).is_empty(), "the line is still high");
    pics.write(false, 0, 0x19);
    [0x20, 0x04, 0x01].into_iter().for_each(|value| pics.write(false, 1, value));
    for _ in 0..3 {
        assert_eq!(take(&mut pics), [0x25]);
        pics.write(false, 0, 0x20);
    }
    pics.set_line(5, false);
    assert!(take(&mut pics).is_empty());
}

#[test]
fn an_interrupt_that_has_gone_is_spurious() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[3]);
    assert!(pics.interrupt());
    pics.set_line(3, false);
    assert!(!pics.interrupt());
    assert_eq!(pics.acknowledge(), 0x27);
    assert_eq!(register(&mut pics, false, 0x0b), 0, "nothing is in service");
}

#[test]
fn automatic_end_of_interrupt_leaves_nothing_in_service() {
    let mut pics = ready(0x03);
    raise(&mut pics, &[4, 6]);
    assert_eq!(take(&mut pics), [0x24, 0x26]);
    assert_eq!(register(&mut pics, false, 0x0b), 0);
    // With rotation the one served becomes the lowest.
    pics.write(false, 0, 0x80);
    raise(&mut pics, &[4]);
    assert_eq!(take(&mut pics), [0x24]);
    raise(&mut pics, &[4, 6]);
    assert_eq!(take(&mut pics), [0x26, 0x24]);
}

#[test]
fn a_specific_end_and_rotation_set_priorities() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[1]);
    take(&mut pics);
    raise(&mut pics, &[0]);
    take(&mut pics);
    pics.write(false, 0, 0x61);
    assert_eq!(register(&mut pics, false, 0x0b), 0x01);
    // Line 0 ends and becomes the lowest: 1 is the highest now.
    pics.write(false, 0, 0xa0);
    raise(&mut pics, &[0, 1]);
    assert_eq!(pics.acknowledge(), 0x21);
    pics.write(false, 0, 0x20);
    // Line 3 the lowest, so 4 is the highest.
    pics.write(false, 0, 0xc3);
    raise(&mut pics, &[1, 5]);
    assert_eq!(pics.acknowledge(), 0x25);
    pics.write(false, 0, 0xe5);
    assert_eq!(register(&mut pics, false, 0x0b), 0);
    assert!(pics.describe().contains("highest priority 6"), "{}", pics.describe());
}

#[test]
fn special_mask_mode_lets_lower_ones_through() {
    let mut pics = ready(0x01);
    raise(&mut pics, &[1]);
    take(&mut pics);
    raise(&mut pics, &[6]);
    pics.write(false, 1, 0x02);
    assert!(take(&mut pics).is_empty());
    pics.write(false, 0, 0x68);
    assert_eq!(take(&mut pics), [0x26]);
    pics.write(false, 0, 0x48);
    assert!(!pics.describe().contains("special mask"));
}

#[test]
fn a_poll_acknowledges() {
    let mut pics = ready(0x01);
    assert_eq!(register(&mut pics, false, 0x0c), 0x00);
    raise(&mut pics, &[6]);
    assert_eq!(register(&mut pics, false, 0x0c), 0x86);
    assert_eq!(register(&mut pics, false, 0x0b), 0x40);
    assert!(!pics.interrupt());
}

#[test]
fn nothing_is_requested_before_initialization_is_complete() {
    let mut pics = ready(0x01);
    pics.write(false, 0, 0x11);
    raise(&mut pics, &[1]);
    assert!(!pics.interrupt());
    [0x20, 0x04].into_iter().for_each(|value| pics.write(false, 1, value));
    assert!(pics.describe().contains("not complete"));
    pics.write(false, 1, 0x01);
    assert_eq!(take(&mut pics), [0x21]);
    // One alone, without a fourth word.
    pics.write(false, 0, 0x12);
    pics.write(false, 1, 0x47);
    raise(&mut pics, &[0]);
    assert_eq!(take(&mut pics), [0x40]);
}

#[test]
fn any_sequence_of_accesses_has_an_outcome_and_a_state() {
    let mut random = Random::new(8259);
    let mut pics = Pics::default();
    for _ in 0..50_000 {
        let (second, offset) = (random.below(2) == 0, random.below(3) as u16);
        let value = random.below(256) as u8;
        match random.below(40) {
            0..=9 => {
                pics.read(second, offset);
            }
            10..=19 => pics.write(second, offset, value),
            20..=29 => pics.set_line(value & 0x1f, value & 0x80 != 0),
            30 => {
                let json = serde_json::to_string(&pics.save()).unwrap();
                let mut other = Pics::default();
                other.restore(&serde_json::from_str(&json).unwrap());
                assert_eq!(other.save(), pics.save());
                pics = other;
            }
            _ => {
                let is_asked = pics.interrupt();
                let vector = pics.acknowledge();
                assert!(is_asked || vector & 7 == 7, "{vector:02x} for nothing");
            }
        }
        assert!(!pics.describe().is_empty());
    }
}
