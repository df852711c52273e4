//! Time: INT 08h, 1Ah and 70h.

use super::data_area::{FLOPPY_MOTOR, FLOPPY_MOTOR_COUNT, TIMER_OVERFLOW, TIMER_TICKS};
use super::{Outcome, Pc};
use crate::x86::Gpr;

/// Ticks of a day.
const DAY: u32 = 0x18_00b0;

/// Sets the clock.
pub fn power_on(pc: &mut Pc<'_>) {
    pc.write_u32(TIMER_TICKS, 0);
}

/// INT 08h, before it calls INT 1Ch.
pub fn tick(pc: &mut Pc<'_>) -> Outcome {
    let ticks = pc.read_u32(TIMER_TICKS).wrapping_add(1);
    if ticks >= DAY {
        pc.write_u32(TIMER_TICKS, 0);
        let midnights = pc.read_u8(TIMER_OVERFLOW).wrapping_add(1);
        pc.write_u8(TIMER_OVERFLOW, midnights);
    } else {
        pc.write_u32(TIMER_TICKS, ticks);
    }
    match pc.read_u8(FLOPPY_MOTOR_COUNT) {
        0 => {}
        count => {
            pc.write_u8(FLOPPY_MOTOR_COUNT, count - 1);
            if count == 1 {
                let running = pc.read_u8(FLOPPY_MOTOR);
                pc.write_u8(FLOPPY_MOTOR, running & 0xf0);
            }
        }
    }
    Outcome::Return
}

/// INT 1Ah.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    match pc.high(Gpr::Rax) {
        0x00 => {
            let ticks = pc.read_u32(TIMER_TICKS);
            pc.set_word(Gpr::Rcx, (ticks >> 16) as u16);
            pc.set_word(Gpr::Rdx, (ticks & 0xffff) as u16);
            let midnights = pc.read_u8(TIMER_OVERFLOW);
            pc.set_low(Gpr::Rax, midnights);
            pc.write_u8(TIMER_OVERFLOW, 0);
            pc.set_carry(false);
        }
        0x01 => {
            let ticks = u32::from(pc.word(Gpr::Rcx)) << 16 | u32::from(pc.word(Gpr::Rdx));
            pc.write_u32(TIMER_TICKS, ticks);
            pc.write_u8(TIMER_OVERFLOW, 0);
            pc.succeed();
        }
        _ => pc.unsupported(),
    }
    Outcome::Return
}

/// INT 70h.
pub fn clock_interrupt(pc: &mut Pc<'_>) -> Outcome {
    pc.port_write(0xa0, 0x20);
    pc.port_write(0x20, 0x20);
    Outcome::Return
}

/// INT 15h AH=86.
pub fn wait(pc: &mut Pc<'_>) -> Outcome {
    pc.unsupported();
    Outcome::Return
}

/// INT 15h AH=83.
pub fn event_wait(pc: &mut Pc<'_>) {
    pc.unsupported();
}
