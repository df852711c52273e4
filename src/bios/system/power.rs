//! INT 15h AH=53: APM 1.2, of which the real-mode interface is there (Advanced Power Management BIOS Interface
//! Specification 1.2).

use crate::bios::{Ending, Outcome, Pc};
use crate::x86::Gpr;

/// Version 1.2, in AX in binary coded decimal.
const VERSION: u16 = 0x0102;
/// "PM".
const SIGNATURE: u16 = 0x504d;
/// All devices that the firmware manages the power of.
const ALL_DEVICES: u16 = 0x0001;
const OFF: u16 = 0x0003;
const NO_16_BIT_INTERFACE: u8 = 0x06;
const NO_32_BIT_INTERFACE: u8 = 0x08;
/// The function is not supported.
const NOT_SUPPORTED: u8 = 0x0c;
const NO_EVENT: u8 = 0x80;

/// INT 15h AH=53.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    match pc.low(Gpr::Rax) {
        0x00 => {
            pc.set_word(Gpr::Rax, VERSION);
            pc.set_word(Gpr::Rbx, SIGNATURE);
            pc.set_word(Gpr::Rcx, 0);
            pc.set_carry(false);
        }
        0x01 | 0x04..=0x06 | 0x08 | 0x0f => pc.set_carry(false),
        0x02 => pc.fail(NO_16_BIT_INTERFACE),
        0x03 => pc.fail(NO_32_BIT_INTERFACE),
        0x07 => {
            if (pc.word(Gpr::Rbx), pc.word(Gpr::Rcx)) == (ALL_DEVICES, OFF) {
                return Outcome::End(Ending::PowerOff);
            }
            pc.set_carry(false);
        }
        0x0a => {
            // On line, no battery.
            pc.set_word(Gpr::Rbx, 0x01ff);
            pc.set_word(Gpr::Rcx, 0x80ff);
            pc.set_word(Gpr::Rdx, 0xffff);
            pc.set_word(Gpr::Rsi, 0);
            pc.set_carry(false);
        }
        0x0b => pc.fail(NO_EVENT),
        0x0e => {
            pc.set_word(Gpr::Rax, VERSION);
            pc.set_carry(false);
        }
        0x10 => {
            // No batteries, and nothing that depends on them.
            pc.set_low(Gpr::Rbx, 0);
            pc.set_word(Gpr::Rcx, 0);
            pc.set_carry(false);
        }
        _ => pc.fail(NOT_SUPPORTED),
    }
    Outcome::Return
}
