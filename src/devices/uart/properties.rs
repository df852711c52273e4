//! The UART against a model written from its data sheet alone (National Semiconductor, PC16550D, June 1995). The line
//! is that of this machine: infinitely fast, so that the transmitter is always empty and a receiver FIFO below its
//! trigger level has timed out; and the other end waits until there is room.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, Default)]
struct Model {
    divisor: [u8; 2],
    ier: u8,
    fifos: bool,
    trigger: usize,
    lcr: u8,
    mcr: u8,
    scratch: u8,
    /// Characters in the receiver, and whether each is a break that was not reported.
    received: VecDeque<(u8, bool)>,
    overrun: bool,
    empty_is_news: bool,
    deltas: u8,
    line: VecDeque<u8>,
    sent: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Act {
    Read(u16),
    Write(u16, u8),
    Send(Vec<u8>),
    /// A register as drivers write it.
    Common(u16, u8),
}

fn act() -> impl Strategy<Value = Act> {
    let common = prop_oneof![
        // Loopback with each of the outputs, and OUT2 without.
        (0..16_u8).prop_map(|outputs| (4, 0x10 | outputs)),
        Just((4, 0x0b)),
        (0..4_u8).prop_map(|level| (2, level << 6 | 1)),
        Just((2, 0x07)),
        Just((2, 0x00)),
        (0..4_u8).prop_map(|length| (3, length)),
        Just((3, 0x43)),
        (0..16_u8).prop_map(|enabled| (1, enabled)),
        (0..=255_u8).prop_map(|byte| (0, byte)),
    ];
    prop_oneof![
        4 => (0..8_u16).prop_map(Act::Read),
        2 => (0..8_u16, any::<u8>()).prop_map(|(register, value)| Act::Write(register, value)),
        5 => common.prop_map(|(register, value)| Act::Common(register, value)),
        1 => vec(any::<u8>(), 0..20).prop_map(Act::Send),
    ]
}

impl Model {
    fn dlab(&self) -> bool {
        self.lcr & 0x80 != 0
    }

    fn loops(&self) -> bool {
        self.mcr & 0x10 != 0
    }

    fn depth(&self) -> usize {
        if self.fifos { 16 } else { 1 }
    }

    /// "Modem Status Register": CTS, DSR, RI and DCD, in loopback from RTS, DTR, OUT1 and OUT2.
    fn lines(&self) -> u8 {
        if !self.loops() {
            return 0xb0;
        }
        let [dtr, rts, out1, out2] = [0, 1, 2, 3].map(|bit| self.mcr >> bit & 1);
        rts << 4 | dtr << 5 | out1 << 6 | out2 << 7
    }

    /// A character comes in: "a character in the shift register is overwritten, but it is not transferred to the
    /// FIFO"; without FIFOs it destroys the one before.
    fn arrive(&mut self, byte: u8, is_break: bool) {
        if self.received.len() == self.depth() {
            self.overrun = true;
            if self.fifos {
                return;
            }
            self.received.clear();
        }
        self.received.push_back((byte, is_break));
    }

    fn take_from_line(&mut self) {
        while !self.loops() && self.received.len() < self.depth() {
            let Some(byte) = self.line.pop_front() else { return };
            self.received.push_back((byte, false));
        }
    }

    fn line_status(&self) -> u8 {
        let at_top = self.received.front().is_some_and(|(_, is_break)| *is_break);
        let any = self.fifos && self.received.iter().any(|(_, is_break)| *is_break);
        let bits = [
            (!self.received.is_empty(), 0x01),
            (self.overrun, 0x02),
            (at_top, 0x10),
            (true, 0x60),
            (any, 0x80),
        ];
        bits.into_iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum()
    }

    /// "Interrupt Control Functions", the table, from the highest priority down.
    fn cause(&self) -> u8 {
        let level = if self.fifos { self.trigger } else { 1 };
        let causes = [
            (0x04, self.line_status() & 0x1e != 0, 0x06),
            (0x01, self.received.len() >= level, 0x04),
            (0x01, !self.received.is_empty(), 0x0c),
            (0x02, self.empty_is_news, 0x02),
            (0x08, self.deltas != 0, 0x00),
        ];
        let due =
            causes.into_iter().find(|(enable, is_there, _)| self.ier & enable != 0 && *is_there);
        due.map_or(0x01, |(_, _, identification)| identification)
    }

    fn read(&mut self, register: u16) -> u8 {
        match register {
            0 | 1 if self.dlab() => self.divisor[usize::from(register)],
            0 => {
                let byte = self.received.pop_front().map_or(0, |(byte, _)| byte);
                self.take_from_line();
                byte
            }
            1 => self.ier,
            2 => {
                let cause = self.cause();
                if cause == 0x02 {
                    self.empty_is_news = false;
                }
                cause | if self.fifos { 0xc0 } else { 0 }
            }
            3 => self.lcr,
            4 => self.mcr,
            5 => {
                let status = self.line_status();
                self.overrun = false;
                if let Some((_, is_break)) = self.received.front_mut() {
                    *is_break = false;
                }
                status
            }
            6 => self.lines() | std::mem::take(&mut self.deltas),
            _ => self.scratch,
        }
    }

    fn write(&mut self, register: u16, value: u8) {
        match register {
            0 | 1 if self.dlab() => self.divisor[usize::from(register)] = value,
            0 => {
                self.empty_is_news = true;
                if self.loops() {
                    // "Number of bits in each transmitted and received serial character".
                    let bits = [0x1f, 0x3f, 0x7f, 0xff][usize::from(self.lcr & 3)];
                    self.arrive(value & bits, false);
                } else {
                    self.sent.push(value);
                }
            }
            1 => {
                // "Enables the Transmitter Holding Register Empty Interrupt when set", and it is empty.
                self.empty_is_news |= value & 0x02 != 0 && self.ier & 0x02 == 0;
                self.ier = value & 0x0f;
            }
            2 => {
                let fifos = value & 1 != 0;
                // "When changing from FIFO mode to 16450 mode and vice versa, data is automatically cleared"; "this
                // bit must be a 1 when other FCR bits are written to or they will not be programmed".
                if fifos != self.fifos || value & 0x03 == 0x03 {
                    self.received.clear();
                }
                self.fifos = fifos;
                self.trigger = [1, 4, 8, 14][usize::from(value >> 6)];
                self.take_from_line();
            }
            3 => {
                if value & 0x40 != 0 && self.lcr & 0x40 == 0 && self.loops() {
                    self.arrive(0, true);
                }
                self.lcr = value;
            }
            4 => {
                let before = self.lines();
                self.mcr = value & 0x1f;
                let changed = (before ^ self.lines()) >> 4;
                // Of RI its trailing edge alone.
                self.deltas |= changed & 0x0b | changed & 0x04 & before >> 4;
                self.take_from_line();
            }
            7 => self.scratch = value,
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_uart_does_what_its_data_sheet_says(acts in vec(act(), 1..120)) {
        let mut uart = Uart::default();
        // 9600 baud, as firmware leaves it.
        let mut model = Model { divisor: [12, 0], trigger: 1, ..Model::default() };
        for act in acts {
            match &act {
                Act::Read(register) => {
                    prop_assert_eq!(uart.read(*register), model.read(*register), "{:?}", act);
                }
                Act::Write(register, value) | Act::Common(register, value) => {
                    uart.write(*register, *value);
                    model.write(*register, *value);
                }
                Act::Send(bytes) => {
                    prop_assert!(uart.send(bytes));
                    model.line.extend(bytes);
                    model.take_from_line();
                }
            }
            let identification = uart.clone().read(2);
            prop_assert_eq!(identification, model.clone().read(2), "{:?}", act);
            // OUT2 opens the way to the interrupt controller, and loopback closes it.
            let open = model.mcr & 0x18 == 0x08;
            prop_assert_eq!(uart.interrupt(), open && model.cause() != 0x01, "{:?}", act);
        }
        prop_assert_eq!(&uart.take_output(), &model.sent);
        for register in (0..8).chain(0..8) {
            prop_assert_eq!(uart.read(register), model.read(register), "register {}", register);
        }
    }
}
