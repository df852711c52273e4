//! INT 14h: the serial ports, on the state that their own ports show.

use super::data_area::{COM_PORTS, COM_TIMEOUTS, SERIAL_WAIT, TIMER_TICKS};
use super::{Outcome, Pc};
use crate::x86::Gpr;

/// In AH: the port did not get ready within its timeout.
const TIMEOUT: u8 = 0x80;

/// Registers of the 16550, from its first port on.
const DATA: u16 = 0;
const DIVISOR_LOW: u16 = 0;
const DIVISOR_HIGH: u16 = 1;
const LINE_CONTROL: u16 = 3;
const LINE_STATUS: u16 = 5;
const MODEM_STATUS: u16 = 6;

const DIVISOR_ACCESS: u8 = 0x80;
const DATA_READY: u8 = 0x01;
const CAN_SEND: u8 = 0x20;

/// Divisors of 110, 150, 300, 600, 1200, 2400, 4800 and 9600 baud.
const DIVISORS: [u16; 8] = [1047, 768, 384, 192, 96, 48, 24, 12];

/// INT 14h.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    let number = pc.word(Gpr::Rdx);
    let first = match number {
        0..=3 => pc.read_u16(COM_PORTS.offset(u64::from(number) * 2)),
        _ => 0,
    };
    let function = pc.high(Gpr::Rax);
    if function > 3 || first == 0 {
        pc.set_carry(true);
        return Outcome::Return;
    }
    pc.set_carry(false);
    let port = |register: u16| first.wrapping_add(register);
    match function {
        0x00 => {
            let settings = pc.low(Gpr::Rax);
            let [low, high] = DIVISORS[usize::from(settings >> 5)].to_le_bytes();
            let line = settings & 0x1f;
            pc.port_write(port(LINE_CONTROL), line | DIVISOR_ACCESS);
            pc.port_write(port(DIVISOR_LOW), low);
            pc.port_write(port(DIVISOR_HIGH), high);
            pc.port_write(port(LINE_CONTROL), line);
            status(pc, first);
        }
        0x01 => {
            let line = pc.port_read(port(LINE_STATUS));
            if line & CAN_SEND == 0 {
                return not_ready(pc, number, line);
            }
            let byte = pc.low(Gpr::Rax);
            pc.port_write(port(DATA), byte);
            pc.set_high(Gpr::Rax, line);
            pc.write_u32(SERIAL_WAIT, 0);
        }
        0x02 => {
            let line = pc.port_read(port(LINE_STATUS));
            if line & DATA_READY == 0 {
                return not_ready(pc, number, line);
            }
            let byte = pc.port_read(port(DATA));
            pc.set_word(Gpr::Rax, u16::from_le_bytes([byte, line]));
            pc.write_u32(SERIAL_WAIT, 0);
        }
        _ => status(pc, first),
    }
    Outcome::Return
}

/// Waits for the next interrupt, until the ticks of the port's timeout have been seen; none if that is 0. The modem's
/// lines stay as the guest has set them, so that interrupts of the port come meanwhile.
fn not_ready(pc: &mut Pc<'_>, number: u16, line: u8) -> Outcome {
    let tick = pc.read_u16(TIMER_TICKS);
    let wait = pc.read_u32(SERIAL_WAIT);
    let (left, last) = ((wait >> 16) as u16, (wait & 0xffff) as u16);
    let left = match left {
        // A wait begins.
        0 => u16::from(pc.read_u8(COM_TIMEOUTS.offset(number.into()))),
        left if last != tick => left - 1,
        left => left,
    };
    pc.write_u32(SERIAL_WAIT, u32::from(left) << 16 | u32::from(tick));
    if left != 0 {
        return Outcome::Wait;
    }
    pc.set_high(Gpr::Rax, line | TIMEOUT);
    Outcome::Return
}

/// Line and modem status in AH and AL.
fn status(pc: &mut Pc<'_>, first: u16) {
    let line = pc.port_read(first.wrapping_add(LINE_STATUS));
    let modem = pc.port_read(first.wrapping_add(MODEM_STATUS));
    pc.set_word(Gpr::Rax, u16::from_le_bytes([modem, line]));
}
