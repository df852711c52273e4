use super::*;

const MILLISECOND: u64 = 1_000_000;

pub(super) fn get(rtc: &mut Rtc, index: u8) -> u8 {
    rtc.write(0, index);
    rtc.read(1)
}

pub(super) fn put(rtc: &mut Rtc, index: u8, value: u8) {
    rtc.write(0, index);
    rtc.write(1, value);
}

fn time(rtc: &mut Rtc) -> [u8; 7] {
    [CENTURY, YEAR, MONTH, DAY_OF_MONTH, HOUR, MINUTE, SECOND].map(|index| get(rtc, index))
}

#[test]
fn time_goes_on_from_the_start_in_binary_coded_decimal() {
    let mut rtc = Rtc::default();
    assert_eq!(time(&mut rtc), [0x20, 0x00, 0x01, 0x01, 0x12, 0x00, 0x00]);
    rtc.pass(Time(12 * 3600 * SECOND_NS - 1));
    assert_eq!(time(&mut rtc), [0x20, 0x00, 0x01, 0x01, 0x23, 0x59, 0x59]);
    assert_eq!(get(&mut rtc, STATUS_A), DEFAULT_A | UPDATE_IN_PROGRESS);
    rtc.pass(Time(12 * 3600 * SECOND_NS));
    assert_eq!(time(&mut rtc), [0x20, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00]);
    assert_eq!(get(&mut rtc, STATUS_A), DEFAULT_A);
    assert_eq!(get(&mut rtc, WEEKDAY), 1, "a Sunday");
}

#[test]
fn the_form_of_numbers_is_as_status_b_says() {
    let mut rtc = Rtc::default();
    rtc.pass(Time(3 * 3600 * SECOND_NS));
    put(&mut rtc, STATUS_B, HOURS_24 | BINARY);
    assert_eq!(get(&mut rtc, HOUR), 15);
    put(&mut rtc, STATUS_B, 0);
    assert_eq!(get(&mut rtc, HOUR), 0x83);
    put(&mut rtc, HOUR, 0x12);
    put(&mut rtc, STATUS_B, HOURS_24);
    assert_eq!(get(&mut rtc, HOUR), 0x00);
}

#[test]
fn the_clock_stands_while_its_divider_is_held_and_goes_on_half_a_second_later() {
    for held in [0x30, 0x60, 0x70] {
        let mut rtc = Rtc::default();
        rtc.pass(Time(SECOND_NS * 9 / 10));
        put(&mut rtc, STATUS_B, HOURS_24 | UPDATED);
        put(&mut rtc, STATUS_A, held | 6);
        get(&mut rtc, STATUS_C);
        rtc.pass(Time(5 * SECOND_NS));
        assert_eq!((get(&mut rtc, SECOND), get(&mut rtc, STATUS_C)), (0, 0));
        assert_eq!((get(&mut rtc, STATUS_A), rtc.next_interrupt()), (held | 6, None));
        put(&mut rtc, STATUS_A, DEFAULT_A);
        let update = Time(5 * SECOND_NS + SECOND_NS / 2);
        assert_eq!(rtc.next_interrupt(), Some(update));
        rtc.pass(update);
        assert!(rtc.interrupt());
        assert_eq!(get(&mut rtc, SECOND), 1);
    }
}

#[test]
fn a_time_that_is_set_goes_on_from_there() {
    let mut rtc = Rtc::default();
    rtc.pass(Time(5 * SECOND_NS));
    put(&mut rtc, STATUS_B, SET | HOURS_24);
    for (index, value) in [(CENTURY, 0x19), (YEAR, 0x99), (MONTH, 0x12), (DAY_OF_MONTH, 0x31)] {
        put(&mut rtc, index, value);
    }
    for (index, value) in [(HOUR, 0x23), (MINUTE, 0x59), (SECOND, 0x58)] {
        put(&mut rtc, index, value);
    }
    rtc.pass(Time(9 * SECOND_NS));
    assert_eq!(time(&mut rtc), [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58]);
    put(&mut rtc, STATUS_B, HOURS_24);
    rtc.pass(Time(11 * SECOND_NS));
    assert_eq!(time(&mut rtc), [0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00]);
}

#[test]
fn the_periodic_interrupt_comes_at_its_rate_and_ends_with_a_read() {
    let mut rtc = Rtc::default();
    assert_eq!(rtc.next_interrupt(), None);
    put(&mut rtc, STATUS_B, HOURS_24 | PERIODIC);
    for n in 1..=2000_u64 {
        let at = rtc.next_interrupt().unwrap();
        assert_eq!(at.0, (n * SECOND_NS).div_ceil(1024));
        rtc.pass(Time(at.0 - 1));
        assert!(!rtc.interrupt());
        rtc.pass(at);
        assert!(rtc.interrupt());
        assert_eq!(rtc.next_interrupt(), None);
        assert_eq!(get(&mut rtc, STATUS_C) & (REQUEST | PERIODIC), REQUEST | PERIODIC);
        assert_eq!(get(&mut rtc, STATUS_C), 0);
    }
    // 2 Hz.
    put(&mut rtc, STATUS_A, 0x2f);
    let second = rtc.state.now.0 / SECOND_NS;
    rtc.pass(Time((second + 1) * SECOND_NS));
    get(&mut rtc, STATUS_C);
    assert_eq!(rtc.next_interrupt(), Some(Time((second + 1) * SECOND_NS + 500 * MILLISECOND)));
}

#[test]
fn the_alarm_comes_when_all_that_it_minds_is_right() {
    let mut rtc = Rtc::default();
    put(&mut rtc, STATUS_B, HOURS_24 | ALARM);
    for (index, value) in [(SECOND_ALARM, 0x05), (MINUTE_ALARM, 0x01), (HOUR_ALARM, 0xff)] {
        put(&mut rtc, index, value);
    }
    while !rtc.interrupt() {
        let next = rtc.next_interrupt().unwrap();
        rtc.pass(next);
    }
    assert_eq!(rtc.state.now, Time(65 * SECOND_NS));
    get(&mut rtc, STATUS_C);
    // A jump over it is enough.
    rtc.pass(Time(2 * 3600 * SECOND_NS));
    assert!(rtc.interrupt());
}

#[test]
fn the_update_interrupt_comes_each_second() {
    let mut rtc = Rtc::default();
    put(&mut rtc, STATUS_B, HOURS_24 | UPDATED);
    for second in 1..4 {
        assert_eq!(rtc.next_interrupt(), Some(Time(second * SECOND_NS)));
        rtc.pass(Time(second * SECOND_NS));
        assert_eq!(get(&mut rtc, STATUS_C) & UPDATED, UPDATED);
    }
}

#[test]
fn the_century_has_two_places() {
    let mut rtc = Rtc::default();
    put(&mut rtc, CENTURY_OF_PS2, 0x19);
    assert_eq!((get(&mut rtc, CENTURY), get(&mut rtc, CENTURY_OF_PS2)), (0x19, 0x19));
    put(&mut rtc, CENTURY, 0x21);
    assert_eq!((get(&mut rtc, CENTURY_OF_PS2), time(&mut rtc)[0]), (0x21, 0x21));
}

#[test]
fn memory_keeps_what_is_written_and_the_status_does_not() {
    let mut rtc = Rtc::default();
    put(&mut rtc, 0x7f, 0x5a);
    put(&mut rtc, STATUS_D, 0);
    assert_eq!((get(&mut rtc, 0xff), get(&mut rtc, STATUS_D)), (0x5a, VALID));
    rtc.configure(&[(0x10, 0x40), (0x15, 0x80), (0x16, 0x02)]);
    assert_eq!((get(&mut rtc, 0x2e), get(&mut rtc, 0x2f)), (0x00, 0xc2));
    let saved = rtc.save();
    let mut other = Rtc::default();
    other.restore(&saved);
    assert_eq!(other.save(), saved);
}

#[test]
fn any_sequence_of_accesses_and_any_lapse_of_time_is_survived() {
    let mut random = crate::devices::tests::random::Random::new(7);
    let mut rtc = Rtc::default();
    let mut now = 0_u64;
    for _ in 0..50_000 {
        let value = (random.below(256)) as u8;
        match random.below(4) {
            0 => rtc.write(0, value),
            1 => rtc.write(1, value),
            2 => {
                rtc.read(1);
            }
            _ => {
                now += u64::from(random.below(u32::MAX)) << random.below(8);
                rtc.pass(Time(now));
            }
        }
        if let Some(next) = rtc.next_interrupt() {
            assert!(next.0 > now);
        }
    }
}
