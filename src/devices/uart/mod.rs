//! The 16550A UART: a serial port with FIFOs (National Semiconductor, PC16550D data sheet, 1995).
//!
//! Its owner is the other end of the line. What the guest transmits waits until the owner takes it; what
//! the owner sends waits until the receiver has room, so that nothing overruns but in loopback. The line is
//! infinitely fast and always agrees with the divisor and the frame format that the guest has set: the
//! transmitter is never busy, and characters in the receiver FIFO below the trigger level time out as soon as
//! no more follow; and it has room for 8 bits whatever the format, as programs count on that set none. The other end
//! holds CTS, DSR and DCD active.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Ports that one takes up.
pub const PORTS: u16 = 8;

/// Bytes that wait for the owner at most; a guest that writes on without them being taken loses the rest.
pub const CAPACITY: usize = 1 << 20;

const FIFO_DEPTH: usize = 16;
/// The divisor for 9600 baud, to which firmware sets ports.
const DIVISOR: u16 = 12;

/// Interrupt enable: received data, and its timeout.
const IER_RECEIVED: u8 = 0x01;
/// Interrupt enable: transmitter holding register empty.
const IER_TRANSMITTER: u8 = 0x02;
/// Interrupt enable: receiver line status.
const IER_LINE: u8 = 0x04;
/// Interrupt enable: modem status.
const IER_MODEM: u8 = 0x08;

const IIR_NONE: u8 = 0x01;
const IIR_MODEM: u8 = 0x00;
const IIR_TRANSMITTER: u8 = 0x02;
const IIR_RECEIVED: u8 = 0x04;
const IIR_LINE: u8 = 0x06;
const IIR_TIMEOUT: u8 = 0x0c;
const IIR_FIFOS: u8 = 0xc0;

const FCR_ENABLE: u8 = 0x01;
const FCR_CLEAR_RECEIVER: u8 = 0x02;

/// Bits of a character, less 5.
const LCR_LENGTH: u8 = 0x03;
const LCR_BREAK: u8 = 0x40;
const LCR_DLAB: u8 = 0x80;

const MCR_DTR: u8 = 0x01;
const MCR_RTS: u8 = 0x02;
const MCR_OUT1: u8 = 0x04;
const MCR_OUT2: u8 = 0x08;
const MCR_LOOP: u8 = 0x10;
const MCR_BITS: u8 = 0x1f;

const LSR_DATA: u8 = 0x01;
const LSR_OVERRUN: u8 = 0x02;
const LSR_BREAK: u8 = 0x10;
/// THRE and TEMT: the transmitter never holds anything.
const LSR_EMPTY: u8 = 0x60;
const LSR_FIFO_ERROR: u8 = 0x80;

const MSR_CTS: u8 = 0x10;
const MSR_DSR: u8 = 0x20;
const MSR_RI: u8 = 0x40;
const MSR_DCD: u8 = 0x80;
/// The delta bits, by the line that sets each: CTS, DSR, RI, DCD.
const MSR_DELTAS: u8 = 0x0f;
/// Of the ring indicator only its end counts.
const MSR_TERI: u8 = 0x04;

/// A character in the receiver, with what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    byte: u8,
    is_break: bool,
}

/// A UART.
#[derive(Clone, Debug, Default)]
pub struct Uart {
    state: State,
}

/// All that a guest can have changed in a [`Uart`], and what waits on the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    divisor: u16,
    ier: u8,
    /// Bits 0, 3, 6 and 7; the others act and are gone.
    fcr: u8,
    lcr: u8,
    mcr: u8,
    /// Delta bits of the modem status.
    deltas: u8,
    scratch: u8,
    receiver: VecDeque<Received>,
    overrun: bool,
    /// The character at the head of the receiver has a break that was not reported yet.
    break_reported: bool,
    /// The transmitter holding register became empty, and nobody has been told.
    transmitter_pending: bool,
    /// Reads of the line status that found no character, since the last character in either direction.
    polls: u8,
    /// What the owner sends and the receiver has no room for yet.
    line: VecDeque<u8>,
    output: Vec<u8>,
}

impl Default for State {
    fn default() -> State {
        State {
            divisor: DIVISOR,
            ier: 0,
            fcr: 0,
            lcr: 0,
            mcr: 0,
            deltas: 0,
            scratch: 0,
            receiver: VecDeque::new(),
            overrun: false,
            break_reported: false,
            transmitter_pending: false,
            polls: 0,
            line: VecDeque::new(),
            output: Vec::new(),
        }
    }
}

impl Uart {
    /// Reads the register at `offset` (0 to 7).
    pub fn read(&mut self, offset: u16) -> u8 {
        let dlab = self.state.lcr & LCR_DLAB != 0;
        match offset {
            0 if dlab => self.state.divisor.to_le_bytes()[0],
            1 if dlab => self.state.divisor.to_le_bytes()[1],
            0 => self.take_received(),
            1 => self.state.ier,
            2 => {
                let cause = self.cause();
                if cause == IIR_TRANSMITTER {
                    self.state.transmitter_pending = false;
                }
                cause | if self.has_fifos() { IIR_FIFOS } else { 0 }
            }
            3 => self.state.lcr,
            4 => self.state.mcr,
            5 => {
                let status = self.line_status();
                let finds_none = status & LSR_DATA == 0;
                self.state.polls = if finds_none { self.state.polls.saturating_add(1) } else { 0 };
                self.state.overrun = false;
                self.state.break_reported |= status & LSR_BREAK != 0;
                status
            }
            6 => {
                let status = self.modem_lines() | self.state.deltas;
                self.state.deltas = 0;
                status
            }
            7 => self.state.scratch,
            _ => super::OPEN_BUS,
        }
    }

    /// Writes the register at `offset` (0 to 7). Line and modem status take no writes. Whether there is output to
    /// take by this.
    pub fn write(&mut self, offset: u16, value: u8) -> bool {
        let dlab = self.state.lcr & LCR_DLAB != 0;
        let [low, high] = self.state.divisor.to_le_bytes();
        match offset {
            0 if dlab => self.state.divisor = u16::from_le_bytes([value, high]),
            1 if dlab => self.state.divisor = u16::from_le_bytes([low, value]),
            0 => return self.transmit(value),
            1 => {
                let value = value & (IER_RECEIVED | IER_TRANSMITTER | IER_LINE | IER_MODEM);
                // The register is empty already, which becomes news.
                let asks_anew = value & !self.state.ier & IER_TRANSMITTER != 0;
                self.state.transmitter_pending |= asks_anew;
                self.state.ier = value;
            }
            2 => self.set_fifo_control(value),
            3 => {
                let starts_break = value & !self.state.lcr & LCR_BREAK != 0;
                self.state.lcr = value;
                if starts_break && self.is_looped() {
                    self.receive(Received { byte: 0, is_break: true });
                }
            }
            4 => self.set_modem_control(value & MCR_BITS),
            7 => self.state.scratch = value,
            _ => {}
        }
        false
    }

    fn has_fifos(&self) -> bool {
        self.state.fcr & FCR_ENABLE != 0
    }

    fn is_looped(&self) -> bool {
        self.state.mcr & MCR_LOOP != 0
    }

    fn depth(&self) -> usize {
        if self.has_fifos() { FIFO_DEPTH } else { 1 }
    }

    fn transmit(&mut self, byte: u8) -> bool {
        // Full and empty again at once.
        self.state.transmitter_pending = true;
        self.state.polls = 0;
        if self.is_looped() {
            let bits = 5 + (self.state.lcr & LCR_LENGTH);
            self.receive(Received { byte: byte & (0xff >> (8 - bits)), is_break: false });
            return false;
        }
        if self.state.output.len() < CAPACITY {
            self.state.output.push(byte);
        }
        true
    }

    /// A character arrives, whether there is room or not: in the FIFO the new one is lost, without FIFOs the
    /// old one.
    fn receive(&mut self, received: Received) {
        if self.state.receiver.len() >= self.depth() {
            self.state.overrun = true;
            if self.has_fifos() {
                return;
            }
            self.state.receiver.clear();
            self.state.break_reported = false;
        }
        self.state.receiver.push_back(received);
    }

    /// Takes from the line as much as there is room for.
    fn fill(&mut self) {
        while !self.is_looped() && self.state.receiver.len() < self.depth() {
            let Some(byte) = self.state.line.pop_front() else { return };
            self.state.receiver.push_back(Received { byte, is_break: false });
        }
    }

    fn take_received(&mut self) -> u8 {
        self.state.polls = 0;
        let byte = self.state.receiver.pop_front().map_or(0, |received| received.byte);
        self.state.break_reported = false;
        self.fill();
        byte
    }

    fn set_fifo_control(&mut self, value: u8) {
        let switches = (value ^ self.state.fcr) & FCR_ENABLE != 0;
        let enables = value & FCR_ENABLE != 0;
        if switches || enables && value & FCR_CLEAR_RECEIVER != 0 {
            self.state.receiver.clear();
            self.state.break_reported = false;
        }
        // The other bits are programmed only along with the enable bit.
        self.state.fcr = if enables { value & 0xc9 } else { 0 };
        self.fill();
    }

    fn set_modem_control(&mut self, value: u8) {
        let before = self.modem_lines();
        self.state.mcr = value;
        let after = self.modem_lines();
        let changed = (before ^ after) >> 4 & !MSR_TERI;
        let ring_ended = (before & !after & MSR_RI) >> 4;
        self.state.deltas |= changed & MSR_DELTAS | ring_ended;
        self.fill();
    }

    /// The modem's lines, or in loopback our own outputs.
    fn modem_lines(&self) -> u8 {
        if !self.is_looped() {
            return MSR_CTS | MSR_DSR | MSR_DCD;
        }
        let wires =
            [(MCR_RTS, MSR_CTS), (MCR_DTR, MSR_DSR), (MCR_OUT1, MSR_RI), (MCR_OUT2, MSR_DCD)];
        let lines = wires.into_iter().filter(|(output, _)| self.state.mcr & output != 0);
        lines.fold(0, |lines, (_, input)| lines | input)
    }

    fn line_status(&self) -> u8 {
        let mut status = LSR_EMPTY;
        if let Some(head) = self.state.receiver.front() {
            status |= LSR_DATA;
            if head.is_break && !self.state.break_reported {
                status |= LSR_BREAK;
            }
        }
        if self.state.overrun {
            status |= LSR_OVERRUN;
        }
        let reported = usize::from(self.state.break_reported);
        let mut unreported = self.state.receiver.iter().skip(reported);
        if self.has_fifos() && unreported.any(|received| received.is_break) {
            status |= LSR_FIFO_ERROR;
        }
        status
    }

    /// Characters in the receiver FIFO that make an interrupt.
    fn trigger_level(&self) -> usize {
        match self.state.fcr >> 6 {
            _ if !self.has_fifos() => 1,
            0 => 1,
            1 => 4,
            2 => 8,
            _ => 14,
        }
    }

    /// The pending interrupt of the highest priority, as in the interrupt identification register.
    fn cause(&self) -> u8 {
        let State { ier, transmitter_pending, deltas, ref receiver, .. } = self.state;
        let enabled = |bit: u8| ier & bit != 0;
        if enabled(IER_LINE) && self.line_status() & (LSR_OVERRUN | LSR_BREAK) != 0 {
            IIR_LINE
        } else if enabled(IER_RECEIVED) && receiver.len() >= self.trigger_level() {
            IIR_RECEIVED
        } else if enabled(IER_RECEIVED) && !receiver.is_empty() {
            IIR_TIMEOUT
        } else if enabled(IER_TRANSMITTER) && transmitter_pending {
            IIR_TRANSMITTER
        } else if enabled(IER_MODEM) && deltas != 0 {
            IIR_MODEM
        } else {
            IIR_NONE
        }
    }

    /// The level of the interrupt line of a PC: OUT2 gates it, and loopback takes OUT2 away.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.cause() != IIR_NONE && self.state.mcr & (MCR_OUT2 | MCR_LOOP) == MCR_OUT2
    }

    /// Whether the guest wants a character and has none: it has looked in vain twice in a row, which nobody does who
    /// only transmits, or lets received characters interrupt it. What is sent before is lost to one that clears the
    /// receiver as it sets up the port.
    #[must_use]
    pub fn asks(&self) -> bool {
        let State { polls, ref receiver, ref line, .. } = self.state;
        let has_none = receiver.is_empty() && line.is_empty() && !self.is_looped();
        has_none && (polls >= 2 || self.interrupts_on_receipt())
    }

    /// Whether a received character would interrupt the guest.
    #[must_use]
    pub fn interrupts_on_receipt(&self) -> bool {
        self.state.ier & IER_RECEIVED != 0 && self.state.mcr & (MCR_OUT2 | MCR_LOOP) == MCR_OUT2
    }

    /// Sends `bytes` to the guest. False, and nothing is sent, if more than [`CAPACITY`] would wait.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        if self.state.line.len() + bytes.len() > CAPACITY {
            return false;
        }
        self.state.line.extend(bytes);
        self.fill();
        true
    }

    /// Hands over what the guest has transmitted since the last call, leaving none.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.state.output)
    }

    /// Back to power-on. What waits on the line in either direction stays.
    pub fn reset(&mut self) {
        let (line, output) = (&mut self.state.line, &mut self.state.output);
        let (line, output) = (std::mem::take(line), std::mem::take(output));
        self.state = State { line, output, ..State::default() };
        self.fill();
    }

    /// The registers in one line, for a person; of the received characters their number.
    #[must_use]
    pub fn describe(&self) -> String {
        let State { divisor, ier, fcr, lcr, mcr, .. } = self.state;
        let baud = match divisor {
            0 => "no baud rate".to_owned(),
            divisor => format!("{} baud", 115_200 / u32::from(divisor)),
        };
        let parity = match lcr >> 3 & 7 {
            1 => 'O',
            3 => 'E',
            5 => 'M',
            7 => 'S',
            _ => 'N',
        };
        let stop = match (lcr & 4 != 0, lcr & 3) {
            (false, _) => "1",
            (true, 0) => "1.5",
            (true, _) => "2",
        };
        let data = 5 + (lcr & LCR_LENGTH);
        let fifos = if self.has_fifos() { "on" } else { "off" };
        let (msr, lsr) = (self.modem_lines() | self.state.deltas, self.line_status());
        let (waiting, line) = (self.state.receiver.len(), self.state.line.len());
        format!(
            "{baud} {data}{parity}{stop}, fifos {fifos}; ier {ier:02x} iir {:02x} fcr {fcr:02x} lcr {lcr:02x} \
             mcr {mcr:02x} lsr {lsr:02x} msr {msr:02x}; received {waiting}, on the line {line}",
            self.cause() | if self.has_fifos() { IIR_FIFOS } else { 0 },
        )
    }

    /// The device's state.
    #[must_use]
    pub fn save(&self) -> State {
        self.state.clone()
    }

    /// Puts back a state that [`save`](Self::save) gave.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        self.state.output.truncate(CAPACITY);
        self.state.line.truncate(CAPACITY);
        self.state.receiver.truncate(FIFO_DEPTH);
        self.state.mcr &= MCR_BITS;
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
