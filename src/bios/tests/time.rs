use super::*;

const SECOND: u64 = 1_000_000_000;

#[test]
fn ticks_begin_with_the_time_of_day_and_wrap_at_midnight() {
    let mut bench = Bench::new();
    // Noon.
    let noon = 12 * 3600 * 1_193_182 / 0x1_0000;
    assert_eq!(u64::from(bench.double(0x46c)), noon);
    bench.call(0x1a, [0x0100, 0, 0x0018, 0x00af]);
    bench.serve(Service::Interrupt(0x08));
    assert_eq!((bench.double(0x46c), bench.byte(0x470)), (0, 1));
    assert_eq!(bench.call(0x1a, [0x00ff, 0, 9, 9]), [0x0001, 0, 0, 0]);
    assert_eq!(bench.byte(0x470), 0);
}

#[test]
fn the_motor_stops_when_its_ticks_are_over() {
    let mut bench = Bench::new();
    bench.pc().write_u8(Phys(0x43f), 0x31);
    bench.pc().write_u8(Phys(0x440), 2);
    bench.serve(Service::Interrupt(0x08));
    assert_eq!((bench.byte(0x43f), bench.byte(0x440)), (0x31, 1));
    bench.serve(Service::Interrupt(0x08));
    assert_eq!((bench.byte(0x43f), bench.byte(0x440)), (0x30, 0));
    bench.serve(Service::Interrupt(0x08));
    assert_eq!(bench.byte(0x440), 0);
}

#[test]
fn date_and_time_are_read_and_set() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x1a, [0x0200, 0, 0, 0]), [0x0012, 0, 0x1200, 0x0000]);
    assert_eq!(bench.call(0x1a, [0x0400, 0, 0, 0]), [0x0020, 0, 0x2000, 0x0101]);
    bench.call(0x1a, [0x0300, 0, 0x2359, 0x5800]);
    bench.call(0x1a, [0x0500, 0, 0x1999, 0x1231]);
    assert!(!bench.carry());
    bench.devices.pass(2 * SECOND);
    assert_eq!(bench.call(0x1a, [0x0200, 0, 0, 0])[2..], [0x0000, 0x0000]);
    assert_eq!(bench.call(0x1a, [0x0400, 0, 0, 0])[2..], [0x2000, 0x0101]);
    bench.call(0x1a, [0x0800, 0, 0, 0]);
    assert!(bench.carry());
}

/// The numbers are BCD, whatever form the guest has had the clock use.
#[test]
fn setting_the_time_sets_the_form_of_its_numbers() {
    let mut bench = Bench::new();
    for form in [0x96, 0x04, 0x7f] {
        bench.pc().port_write(0x70, 0x0b);
        bench.pc().port_write(0x71, form);
        let status = form & 0x60 | 0x03;
        let set = bench.call(0x1a, [0x0300, 0, 0x2345, 0x3001]);
        assert_eq!(set, [status.into(), 0, 0x2345, 0x3001]);
        assert_eq!(bench.pc().port_read(0x71), status);
        assert_eq!(bench.call(0x1a, [0x0200, 0, 0, 0])[2..], [0x2345, 0x3001]);
        assert_eq!(bench.call(0x1a, [0x0400, 0, 0, 0])[2..], [0x2000, 0x0101]);
    }
}

#[test]
fn an_alarm_goes_on_to_its_interrupt_and_there_is_one_at_a_time() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(0x1a, [0x0600, 1, 0x1200, 0x0500]), [0, 1, 0x1200, 0x0500]);
    assert!(!bench.carry());
    bench.call(0x1a, [0x0600, 0, 0x1200, 0x0600]);
    assert!(bench.carry());
    bench.devices.pass(5 * SECOND);
    assert!(bench.devices.chipset().rtc().interrupt());
    bench.serve(Service::Interrupt(0x70));
    assert_eq!(bench.cpu.rip, u64::from(rom::ALARM));
    assert!(!bench.devices.chipset().rtc().interrupt());
    // Status B as it was.
    assert_eq!(bench.call(0x1a, [0x0700, 1, 2, 3]), [0x0022, 1, 2, 3]);
    assert!(!bench.carry());
    bench.call(0x1a, [0x0600, 0, 0x1200, 0x0600]);
    assert!(!bench.carry());
}

/// Lets the clock's interrupts come until `done`; how many there were.
fn interrupts(bench: &mut Bench, done: fn(&mut Bench) -> bool) -> usize {
    for n in 0..5000 {
        if done(bench) {
            return n;
        }
        let Some(at) = bench.devices.chipset().rtc().next_interrupt() else { return n };
        let left = at.0 - bench.devices.now().0;
        bench.devices.pass(left);
        bench.serve(Service::Interrupt(0x70));
    }
    panic!("it never ends");
}

#[test]
fn a_wait_takes_its_time_in_periods_of_the_clock() {
    let mut bench = Bench::new();
    let call = |bench: &mut Bench| {
        let mut pc = bench.pc();
        pc.set_word(Gpr::Rax, 0x8600);
        pc.set_word(Gpr::Rcx, 0x0001);
        pc.set_word(Gpr::Rdx, 0x86a0);
        bench.serve(Service::Interrupt(0x15))
    };
    assert_eq!(call(&mut bench), Outcome::Wait);
    assert_eq!(call(&mut bench), Outcome::Wait, "and is not begun anew");
    // 100,000 microseconds of 976 each.
    assert_eq!(interrupts(&mut bench, |bench| bench.byte(0x4a0) & 0x80 != 0), 103);
    assert_eq!(call(&mut bench), Outcome::Return);
    assert!(!bench.carry());
    assert_eq!(bench.byte(0x4a0), 0);
    assert_eq!(bench.devices.chipset().rtc().next_interrupt(), None);
}

#[test]
fn a_wait_is_not_longer_when_the_host_is_late_with_its_interrupts() {
    let mut bench = Bench::new();
    bench.call(0x15, [0x8300, 0x0600, 1, 0x86a0]);
    let mut milliseconds = 0;
    while bench.byte(0x600) != 0x80 {
        bench.devices.pass(20 * SECOND / 1000);
        bench.serve(Service::Interrupt(0x70));
        milliseconds += 20;
        assert!(milliseconds < 1000);
    }
    assert!((100..=120).contains(&milliseconds), "{milliseconds}");
}

#[test]
fn an_event_is_flagged_where_the_caller_wants_it_or_given_up() {
    let mut bench = Bench::new();
    bench.call(0x15, [0x8300, 0x0600, 0, 2000]);
    assert!(!bench.carry());
    bench.call(0x15, [0x8300, 0x0601, 0, 2000]);
    assert_eq!((bench.carry(), bench.pc().high(Gpr::Rax)), (true, 0x83));
    assert_eq!(interrupts(&mut bench, |bench| bench.byte(0x600) == 0x80), 3);
    bench.call(0x15, [0x8300, 0x0602, 1, 0]);
    assert_eq!(bench.call(0x15, [0x8302, 0, 0, 0])[0], 0x8602, "no such function");
    assert!(bench.carry());
    bench.call(0x15, [0x8301, 0, 0, 0]);
    assert!(!bench.carry());
    assert_eq!(interrupts(&mut bench, |bench| bench.byte(0x602) != 0), 0);
}
