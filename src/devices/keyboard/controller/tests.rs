//! The controller and the keyboard behind it, as a guest finds them.

use super::*;
use crate::devices::keyboard::keymap;
use crate::devices::tests::random::Random;

fn typed(text: &str) -> Controller {
    let mut controller = Controller::default();
    assert!(controller.type_keys(&keymap::parse(text).unwrap()));
    controller
}

/// Polls the status as a guest does that waits for a key.
fn wait(controller: &mut Controller) -> Option<u8> {
    let is_full = (0..20).any(|_| controller.read_status() & STATUS_OUTPUT_FULL != 0);
    is_full.then(|| controller.read_data())
}

fn all(controller: &mut Controller) -> Vec<u8> {
    std::iter::from_fn(|| wait(controller)).collect()
}

/// Sends the keyboard `bytes`, and gives what comes back.
fn ask(controller: &mut Controller, bytes: &[u8]) -> Vec<u8> {
    let mut answers = Vec::new();
    for byte in bytes {
        controller.write_data(*byte);
        while controller.state.output.is_some() {
            answers.push(controller.read_data());
        }
    }
    answers
}

fn command(controller: &mut Controller, command: u8) -> u8 {
    assert!(!controller.write_command(command));
    assert_eq!(controller.read_status() & 0x0b, 0x09, "command {command:02x} has no answer");
    controller.read_data()
}

#[test]
fn power_on_is_as_firmware_leaves_it() {
    let mut controller = Controller::default();
    assert_eq!(controller.read_status(), 0x14);
    assert_eq!(command(&mut controller, 0x20), 0x65);
    assert!(controller.a20());
    assert!(!controller.interrupt());
}

#[test]
fn keys_come_as_make_and_break_codes_of_set_1() {
    assert_eq!(all(&mut typed("hi{Enter}")), [0x23, 0xa3, 0x17, 0x97, 0x1c, 0x9c]);
    assert_eq!(all(&mut typed("A")), [0x2a, 0x1e, 0x9e, 0xaa]);
    assert_eq!(all(&mut typed("{Up}{F7}")), [0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1]);
    let pause = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
    assert_eq!(all(&mut typed("{Pause}")), pause);
}

#[test]
fn without_translation_they_come_in_set_2() {
    let mut controller = typed("h{Up}");
    controller.write_command(0x60);
    controller.write_data(0x25);
    let codes = [0x33, 0xf0, 0x33, 0xe0, 0x75, 0xe0, 0xf0, 0x75];
    assert_eq!(all(&mut controller), codes);
}

#[test]
fn a_key_waits_until_the_guest_does() {
    let mut controller = typed("a");
    // A guest that empties the buffer before it begins.
    while controller.read_status() & STATUS_OUTPUT_FULL != 0 {
        controller.read_data();
    }
    // One that waits for the input buffer between commands.
    for _ in 0..10 {
        assert_eq!(controller.read_status() & 3, 0);
        controller.write_command(0xae);
        assert_eq!(controller.read_status() & 3, 0);
        controller.write_command(0xa8);
    }
    assert_eq!(all(&mut controller), [0x1e, 0x9e]);
}

#[test]
fn a_guest_that_polls_only_the_data_port_sees_each_code_more_than_once() {
    let mut controller = typed("ab");
    let mut seen = vec![controller.read_data()];
    for _ in 0..40 {
        seen.push(controller.read_data());
    }
    let runs: Vec<(u8, usize)> =
        seen.chunk_by(|one, other| one == other).map(|run| (run[0], run.len())).collect();
    let codes: Vec<u8> = runs.iter().map(|run| run.0).collect();
    assert_eq!(codes, [0, 0x1e, 0x9e, 0x30, 0xb0]);
    assert!(runs.iter().all(|run| run.1 >= 2), "{runs:?}");
}

#[test]
fn the_data_port_keeps_the_last_byte() {
    let mut controller = typed("a");
    assert_eq!(wait(&mut controller), Some(0x1e));
    assert_eq!([controller.read_data(), controller.read_data()], [0x1e, 0x1e]);
}

#[test]
fn status_tells_command_from_data() {
    let mut controller = Controller::default();
    controller.write_command(0x60);
    assert_eq!(controller.read_status() & STATUS_COMMAND, STATUS_COMMAND);
    controller.write_data(0x61);
    assert_eq!(controller.read_status() & STATUS_COMMAND, 0);
    // Bit 2 of the command byte is the system flag.
    assert_eq!(controller.read_status() & STATUS_SYSTEM, 0);
    assert_eq!(command(&mut controller, 0x20), 0x61);
    assert_eq!(command(&mut controller, 0xaa), 0x55);
    assert_eq!(controller.read_status() & STATUS_SYSTEM, STATUS_SYSTEM);
}

#[test]
fn self_tests_pass() {
    let mut controller = Controller::default();
    assert_eq!(command(&mut controller, 0xaa), 0x55);
    assert_eq!(command(&mut controller, 0xab), 0x00);
    assert_eq!(command(&mut controller, 0xa9), 0x00);
    assert_eq!(command(&mut controller, 0xa4), 0xf1);
}

#[test]
fn ram_is_read_back() {
    let mut controller = Controller::default();
    for at in 1..32 {
        controller.write_command(0x60 | at);
        controller.write_data(at ^ 0x55);
    }
    for at in 1..32 {
        assert_eq!(command(&mut controller, 0x20 | at), at ^ 0x55);
    }
}

#[test]
fn a20_goes_through_the_output_port_and_by_commands() {
    let mut controller = Controller::default();
    assert_eq!(command(&mut controller, 0xd0) & 3, 3);
    controller.write_command(0xd1);
    assert!(!controller.write_data(0xdd));
    assert!(!controller.a20());
    assert_eq!(command(&mut controller, 0xd0) & 3, 1);
    controller.write_command(0xdf);
    assert!(controller.a20());
    controller.write_command(0xdd);
    assert!(!controller.a20());
    controller.set_a20(true);
    assert_eq!(command(&mut controller, 0xd0) & 3, 3);
}

#[test]
fn line_0_of_the_output_port_resets() {
    let mut controller = Controller::default();
    let pulses: Vec<u8> = (0xf0..=0xff).filter(|c| controller.write_command(*c)).collect();
    assert_eq!(pulses, [0xf0, 0xf2, 0xf4, 0xf6, 0xf8, 0xfa, 0xfc, 0xfe]);
    controller.write_command(0xd1);
    assert!(controller.write_data(0xfe));
}

#[test]
fn the_keyboard_answers_to_commands() {
    let mut controller = Controller::default();
    assert_eq!(ask(&mut controller, &[0xee]), [0xee]);
    assert_eq!(ask(&mut controller, &[0xed, 0x07]), [0xfa, 0xfa]);
    assert!(controller.describe().contains("scroll lock, num lock, caps lock"));
    assert_eq!(ask(&mut controller, &[0xf3, 0x20]), [0xfa, 0xfa]);
    // Translation turns the second byte of the identity into 41h, and the number of set 2 into the same.
    assert_eq!(ask(&mut controller, &[0xf2]), [0xfa, 0xab, 0x41]);
    assert_eq!(ask(&mut controller, &[0xf0, 0x00]), [0xfa, 0xfa, 0x41]);
    assert_eq!(ask(&mut controller, &[0xff]), [0xfa, 0xaa]);
    assert_eq!(ask(&mut controller, &[0xfe]), [0xaa]);
    assert_eq!(ask(&mut controller, &[0x00, 0xef]), [0xfe, 0xfe]);
    assert_eq!(ask(&mut controller, &[0xf0, 0x03]), [0xfa, 0xfe]);
    // A command in place of the byte that was due is a command.
    assert_eq!(ask(&mut controller, &[0xed, 0xee]), [0xfa, 0xee]);
}

/// Reads what is there, without asking for more.
fn drained(controller: &mut Controller) -> Vec<u8> {
    std::iter::from_fn(|| controller.has_output().then(|| controller.read_data())).collect()
}

#[test]
fn an_answer_that_was_not_read_is_lost_to_the_next_command() {
    let mut controller = Controller::default();
    controller.write_data(0xf0);
    assert!(controller.interrupt());
    controller.write_data(0x00);
    assert!(controller.interrupt());
    assert_eq!(drained(&mut controller), [0xfa, 0x41]);
    controller.write_data(0xf2);
    assert_eq!(controller.read_data(), 0xfa);
    controller.write_data(0xee);
    assert_eq!(drained(&mut controller), [0xee]);
    // The controller's own, too, but not that of one to that of the other.
    controller.write_command(0xaa);
    controller.write_command(0x20);
    controller.write_data(0xee);
    assert_eq!(drained(&mut controller), [0x65, 0xee]);
    controller.write_data(0xee);
    controller.write_command(0xaa);
    controller.write_command(0x20);
    assert_eq!(drained(&mut controller), [0xee, 0x65]);
}

#[test]
fn a_scan_code_that_was_not_read_comes_after_the_answer() {
    let mut controller = typed("{Up}");
    while !controller.has_output() {
        controller.read_status();
    }
    controller.write_data(0xf2);
    controller.write_data(0xee);
    assert_eq!(controller.read_data(), 0xee);
    assert!(controller.interrupt());
    assert_eq!(all(&mut controller), [0xe0, 0x48, 0xe0, 0xc8]);
    let mut controller = typed("a");
    while !controller.has_output() {
        controller.read_status();
    }
    controller.write_command(0x20);
    controller.write_data(0xf4);
    assert_eq!(drained(&mut controller), [0xfa, 0x65, 0x1e]);
    // The self test makes the keyboard forget it.
    let mut controller = typed("a");
    while !controller.has_output() {
        controller.read_status();
    }
    controller.write_data(0xff);
    assert_eq!(drained(&mut controller), [0xfa, 0xaa]);
    assert_eq!(all(&mut controller), [0x9e]);
}

#[test]
fn the_keyboard_can_be_set_to_set_1() {
    let mut controller = typed("a{Up}");
    controller.write_command(0x60);
    controller.write_data(0x25);
    assert_eq!(ask(&mut controller, &[0xf0, 0x01]), [0xfa, 0xfa]);
    assert_eq!(ask(&mut controller, &[0xf0, 0x00]), [0xfa, 0xfa, 0x01]);
    assert_eq!(all(&mut controller), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
}

#[test]
fn a_keyboard_that_is_off_keeps_its_keys() {
    let mut controller = typed("a");
    controller.write_command(0xad);
    assert!(all(&mut controller).is_empty());
    // Sending enables the interface; the keyboard itself is told to be silent.
    assert_eq!(ask(&mut controller, &[0xf5]), [0xfa]);
    assert_eq!(command(&mut controller, 0x20) & MODE_KEYBOARD_OFF, 0);
    assert!(all(&mut controller).is_empty());
    assert_eq!(ask(&mut controller, &[0xf4]), [0xfa]);
    assert_eq!(all(&mut controller), [0x1e, 0x9e]);
}

#[test]
fn there_is_no_mouse() {
    let mut controller = Controller::default();
    controller.write_command(0xd4);
    controller.write_data(0xf4);
    assert_eq!(controller.read_status() & 0x61, 0x61);
    assert_eq!(controller.read_data(), 0xfe);
    assert_eq!(controller.read_status() & 0x61, 0);
}

#[test]
fn the_output_buffer_can_be_written() {
    let mut controller = Controller::default();
    controller.write_command(0xd2);
    controller.write_data(0x1e);
    assert!(controller.interrupt());
    assert_eq!(controller.read_data(), 0x1e);
    controller.write_command(0xd3);
    controller.write_data(0x42);
    assert_eq!(controller.read_status() & 0x21, 0x21);
    assert!(!controller.interrupt() && !controller.auxiliary_interrupt());
}

#[test]
fn the_interrupt_line_follows_the_output_buffer() {
    let mut controller = typed("a");
    assert!(!controller.interrupt());
    (0..PATIENCE).for_each(|_| {
        controller.read_status();
    });
    assert!(controller.interrupt());
    controller.read_data();
    assert!(!controller.interrupt());
    controller.write_command(0x60);
    controller.write_data(0x64);
    while controller.read_status() & STATUS_OUTPUT_FULL == 0 {}
    assert!(!controller.interrupt(), "the command byte masks it");
}

#[test]
fn no_answer_interrupts_while_the_keyboard_is_disabled() {
    let mut controller = Controller::default();
    controller.write_command(0xad);
    controller.write_command(0xd0);
    assert!(controller.has_output() && !controller.interrupt());
    controller.write_command(0xae);
    assert!(controller.interrupt());
    controller.read_data();
    assert!(!controller.interrupt());
}

#[test]
fn keys_are_bounded() {
    let mut controller = Controller::default();
    let many = vec![keymap::parse("a").unwrap(); 40_000].concat();
    assert!(!controller.type_keys(&many));
    assert_eq!(controller.waiting_keys(), 0);
}

#[test]
fn any_sequence_of_accesses_has_an_outcome_and_a_state() {
    let mut random = Random::new(8042);
    let mut controller = Controller::default();
    let events = keymap::parse("aB{Up}{Pause}{PrintScreen}").unwrap();
    for _ in 0..30_000 {
        let value = random.below(256) as u8;
        match random.below(120) {
            0..=39 => {
                controller.read_status();
            }
            40..=69 => {
                controller.read_data();
            }
            70..=92 => {
                controller.write_command(value);
            }
            93..=117 => {
                controller.write_data(value);
            }
            _ => {
                controller.type_keys(&events[..random.below(12) as usize]);
                let json = serde_json::to_string(&controller.save()).unwrap();
                let mut other = Controller::default();
                other.restore(&serde_json::from_str(&json).unwrap());
                assert_eq!(other.save(), controller.save());
                controller = other;
            }
        }
        assert_eq!(
            controller.status() & STATUS_OUTPUT_FULL != 0,
            controller.state.output.is_some()
        );
        assert!(!controller.interrupt() || controller.state.output.is_some());
        assert!(!controller.describe().is_empty());
    }
}
