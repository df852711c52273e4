//! The UART against its data sheet.

use super::*;
use crate::devices::tests::random::Random;

/// A port as drivers set it up: FIFOs on, trigger level 1, OUT2.
fn ready() -> Uart {
    let mut uart = Uart::default();
    uart.write(2, FCR_ENABLE);
    uart.write(4, MCR_DTR | MCR_RTS | MCR_OUT2);
    uart.read(6);
    uart
}

#[test]
fn power_on_is_as_the_data_sheet_has_it() {
    let mut uart = Uart::default();
    let registers: Vec<u8> = (1..8).map(|offset| uart.read(offset)).collect();
    assert_eq!(registers, [0, 0x01, 0, 0, 0x60, 0xb0, 0]);
    assert!(!uart.interrupt());
}

#[test]
fn what_is_transmitted_is_taken_once_and_in_order() {
    let mut uart = Uart::default();
    assert!(uart.write(0, b'h') && uart.write(0, b'i'));
    assert_eq!(uart.read(5), 0x60);
    assert_eq!(uart.take_output(), b"hi");
    assert_eq!(uart.take_output(), b"");
}

#[test]
fn the_divisor_hides_the_first_two_registers() {
    let mut uart = Uart::default();
    uart.write(1, 0x0f);
    uart.write(3, LCR_DLAB | 3);
    assert_eq!((uart.read(0), uart.read(1)), (12, 0));
    assert!(!uart.write(0, 0x34));
    uart.write(1, 0x12);
    assert_eq!((uart.read(0), uart.read(1)), (0x34, 0x12));
    uart.write(3, 3);
    assert_eq!((uart.read(0), uart.read(1)), (0, 0x0f));
    assert_eq!(uart.take_output(), b"");
}

#[test]
fn scratch_keeps_and_status_refuses_what_is_written() {
    let mut uart = Uart::default();
    for value in [0x55, 0xaa] {
        uart.write(7, value);
        assert_eq!(uart.read(7), value);
        uart.write(5, value);
        uart.write(6, value);
        assert_eq!((uart.read(5), uart.read(6)), (0x60, 0xb0));
    }
    uart.write(1, 0xff);
    uart.write(4, 0xff);
    assert_eq!((uart.read(1), uart.read(4)), (0x0f, 0x1f));
}

#[test]
fn fifos_are_recognised_by_two_bits() {
    let mut uart = Uart::default();
    assert_eq!(uart.read(2), 0x01);
    uart.write(2, 0xc7);
    assert_eq!(uart.read(2), 0xc1);
    uart.write(2, 0x40);
    assert_eq!(uart.read(2), 0x01);
}

#[test]
fn what_is_sent_is_received_without_loss() {
    for fifos in [0, FCR_ENABLE] {
        let mut uart = Uart::default();
        uart.write(2, fifos);
        let text: Vec<u8> = (0..=255).collect();
        assert!(uart.send(&text));
        let mut received = Vec::new();
        while uart.read(5) & LSR_DATA != 0 {
            received.push(uart.read(0));
        }
        assert_eq!(received, text);
        assert_eq!((uart.read(5), uart.read(0)), (0x60, 0));
    }
}

#[test]
fn received_data_interrupts_at_the_trigger_level_and_times_out_below() {
    for (bits, level) in [(0x00, 1), (0x40, 4), (0x80, 8), (0xc0, 14)] {
        let mut uart = ready();
        uart.write(2, FCR_ENABLE | bits);
        uart.write(1, IER_RECEIVED);
        assert!(!uart.interrupt());
        uart.send(&vec![b'x'; level]);
        assert_eq!(uart.read(2), 0xc4, "level {level}");
        assert!(uart.interrupt());
        uart.read(0);
        assert_eq!(uart.read(2), if level > 1 { 0xcc } else { 0xc1 }, "level {level}");
        assert_eq!(uart.interrupt(), level > 1);
    }
}

#[test]
fn an_empty_transmitter_interrupts_until_it_is_identified() {
    let mut uart = ready();
    uart.write(1, IER_TRANSMITTER);
    assert!(uart.interrupt(), "it is empty already");
    assert_eq!(uart.read(2), 0xc2);
    assert_eq!(uart.read(2), 0xc1);
    assert!(!uart.interrupt());
    uart.write(0, b'x');
    assert_eq!(uart.read(2), 0xc2);
    // Writing the same again asks for nothing new.
    uart.write(1, IER_TRANSMITTER);
    assert_eq!(uart.read(2), 0xc1);
}

#[test]
fn interrupts_are_identified_by_priority() {
    let mut uart = ready();
    uart.write(4, MCR_LOOP);
    uart.write(1, 0x0f);
    // A change of CTS, a character, and a break behind it.
    uart.write(4, MCR_LOOP | MCR_RTS);
    uart.write(3, LCR_BREAK);
    assert_eq!(uart.read(2), 0xc6);
    assert_eq!(uart.read(5), 0xf1);
    assert_eq!(uart.read(2), 0xc4);
    assert_eq!(uart.read(0), 0);
    assert_eq!(uart.read(2), 0xc2);
    assert_eq!(uart.read(2), 0xc0);
    assert_ne!(uart.read(6) & MSR_DELTAS, 0);
    assert_eq!(uart.read(2), 0xc1);
}

#[test]
fn out2_gates_the_interrupt_line() {
    let mut uart = Uart::default();
    uart.write(1, IER_TRANSMITTER);
    assert!(!uart.interrupt());
    uart.write(4, MCR_OUT2);
    assert!(uart.interrupt());
    uart.write(4, MCR_OUT2 | MCR_LOOP);
    assert!(!uart.interrupt());
}

#[test]
fn loopback_receives_what_it_transmits_and_nothing_gets_out() {
    let mut uart = Uart::default();
    uart.write(3, 3);
    uart.write(4, MCR_LOOP | 0x0e);
    uart.send(b"z");
    uart.write(0, 0xae);
    assert_eq!((uart.read(5), uart.read(0)), (0x61, 0xae));
    assert_eq!(uart.take_output(), b"");
    uart.write(4, 0);
    assert_eq!(uart.read(0), b'z');
}

#[test]
fn loopback_carries_as_many_bits_as_a_character_has() {
    let mut uart = Uart::default();
    uart.write(4, MCR_LOOP);
    let received = [0, 1, 2, 3].map(|length| {
        uart.write(3, length);
        uart.write(0, 0xa5);
        uart.read(0)
    });
    assert_eq!(received, [0x05, 0x25, 0x25, 0xa5]);
}

#[test]
fn loopback_wires_the_modem_lines_across() {
    let mut uart = Uart::default();
    uart.write(4, MCR_LOOP);
    uart.read(6);
    for (output, status) in [(0x01, 0x22), (0x02, 0x11), (0x04, 0x40), (0x08, 0x88)] {
        uart.write(4, MCR_LOOP | output);
        assert_eq!(uart.read(6), status, "output {output:#x}");
        assert_eq!(uart.read(6), status & 0xf0, "reading clears the deltas");
        uart.write(4, MCR_LOOP);
        // The end of a ring counts, its beginning does not.
        assert_eq!(uart.read(6), if output == MCR_OUT1 { 4 } else { status & 0x0f });
    }
}

#[test]
fn an_overrun_loses_the_new_character_in_the_fifo_and_the_old_one_without() {
    let mut uart = Uart::default();
    uart.write(4, MCR_LOOP);
    uart.write(0, 1);
    uart.write(0, 2);
    assert_eq!((uart.read(5), uart.read(5), uart.read(0)), (0x63, 0x61, 2));
    uart.write(2, FCR_ENABLE);
    (0..17).for_each(|byte| {
        uart.write(0, byte);
    });
    assert_eq!(uart.read(5), 0x63);
    let received: Vec<u8> = (0..17).map(|_| uart.read(0)).collect();
    assert_eq!(received[..16], (0..16).collect::<Vec<u8>>());
    assert_eq!(uart.read(5), 0x60);
}

#[test]
fn clearing_the_receiver_leaves_what_is_still_on_the_line() {
    let mut uart = ready();
    uart.send(&(0..20).collect::<Vec<u8>>());
    uart.write(2, FCR_ENABLE | FCR_CLEAR_RECEIVER);
    let received: Vec<u8> = (0..4).map(|_| uart.read(0)).collect();
    assert_eq!(received, [16, 17, 18, 19]);
}

#[test]
fn neither_direction_grows_without_bounds() {
    let mut uart = Uart::default();
    (0..CAPACITY + 5).for_each(|_| {
        uart.write(0, b'x');
    });
    assert_eq!(uart.take_output().len(), CAPACITY);
    assert!(uart.send(&vec![0; CAPACITY]));
    assert!(!uart.send(&[0, 0]));
}

#[test]
fn a_reset_loses_nothing_on_the_line() {
    let mut uart = Uart::default();
    uart.write(0, b'o');
    uart.send(b"in");
    // The first is in the receiver, and lost.
    uart.reset();
    assert_eq!((uart.take_output(), uart.read(0)), (b"o".to_vec(), b'n'));
    assert_eq!(uart.read(2), 0x01);
}

#[test]
fn any_sequence_of_accesses_keeps_to_the_data_sheet() {
    let mut random = Random::new(16550);
    let mut uart = Uart::default();
    for _ in 0..20_000 {
        let (offset, value) = (random.below(9) as u16, random.below(256) as u8);
        match random.below(80) {
            0..=30 => {
                uart.write(offset, value);
            }
            31..=40 => {
                uart.send(&[value]);
            }
            41 => {
                let mut other = Uart::default();
                let json = serde_json::to_string(&uart.save()).unwrap();
                other.restore(&serde_json::from_str(&json).unwrap());
                assert_eq!(other.save(), uart.save());
                uart = other;
            }
            _ => {
                uart.read(offset);
            }
        }
        let lsr = uart.line_status();
        assert_eq!(lsr & 0x60, 0x60);
        assert_eq!(lsr & LSR_DATA != 0, !uart.state.receiver.is_empty());
        assert!(uart.state.receiver.len() <= FIFO_DEPTH);
        assert!(matches!(uart.cause(), 0x00 | 0x01 | 0x02 | 0x04 | 0x06 | 0x0c));
        assert!(!uart.interrupt() || uart.cause() != IIR_NONE);
        let idle = uart.state.receiver.len() < uart.depth() && !uart.is_looped();
        assert!(!idle || uart.state.line.is_empty(), "a character waits though there is room");
        assert!(!uart.describe().is_empty());
        let _ = uart.take_output();
    }
}
