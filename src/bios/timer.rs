//! Time: INT 08h, 1Ah and 70h, and the waits of INT 15h.

use super::data_area::{
    FLOPPY_MOTOR, FLOPPY_MOTOR_COUNT, TIMER_OVERFLOW, TIMER_TICKS, WAIT_COUNT, WAIT_FLAG,
    WAIT_POINTER,
};
use super::{Outcome, Pc, rom};
use crate::devices::rtc::{
    self, ALARM, CENTURY, DAY_OF_MONTH, HOUR, HOURS_24, MINUTE, MONTH, PERIODIC, SECOND, SET,
    STATUS_B, STATUS_C, YEAR,
};
use crate::x86::{Gpr, Phys, SegmentName};

/// Cycles of the timer's clock in a second, and in a tick.
const FREQUENCY: u64 = 1_193_182;
const TICK: u64 = 0x1_0000;
/// Microseconds from one periodic interrupt of the real-time clock to the next.
const PERIOD: u32 = 976;
/// In [`WAIT_FLAG`]: a wait is active.
const ACTIVE: u8 = 0x01;
/// In the byte that a wait sets, which is [`WAIT_FLAG`] itself for INT 15h AH=86: it is over.
const OVER: u8 = 0x80;
/// Another wait is active.
const BUSY: u8 = 0x83;
const END_OF_INTERRUPT: u8 = 0x20;
/// In status B: daylight saving.
const DAYLIGHT: u8 = 0x01;

/// Ticks of a day.
const DAY: u32 = 0x18_00b0;

/// Sets the ticks by the real-time clock.
pub fn power_on(pc: &mut Pc<'_>) {
    let seconds = pc.devices.chipset().rtc().seconds().rem_euclid(rtc::calendar::DAY);
    let ticks = seconds.unsigned_abs() * FREQUENCY / TICK;
    pc.write_u32(TIMER_TICKS, u32::try_from(ticks).unwrap_or(0));
    pc.write_u8(TIMER_OVERFLOW, 0);
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

/// INT 08h as a whole, where nobody has hooked INT 1Ch.
pub fn handle_tick(pc: &mut Pc<'_>) {
    tick(pc);
    pc.port_write(0x20, END_OF_INTERRUPT);
}

/// INT 1Ah AH=00: the ticks of the day.
pub fn look(pc: &mut Pc<'_>) -> Outcome {
    let ticks = pc.read_u32(TIMER_TICKS);
    pc.set_word(Gpr::Rcx, (ticks >> 16) as u16);
    pc.set_word(Gpr::Rdx, (ticks & 0xffff) as u16);
    let midnights = pc.read_u8(TIMER_OVERFLOW);
    pc.set_low(Gpr::Rax, midnights);
    pc.write_u8(TIMER_OVERFLOW, 0);
    pc.set_carry(false);
    Outcome::Return
}

/// INT 1Ah.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    match pc.high(Gpr::Rax) {
        0x00 if !pc.caller_takes_interrupts() => return Outcome::LetIn,
        0x00 => return look(pc),
        0x01 => {
            let ticks = u32::from(pc.word(Gpr::Rcx)) << 16 | u32::from(pc.word(Gpr::Rdx));
            pc.write_u32(TIMER_TICKS, ticks);
            pc.write_u8(TIMER_OVERFLOW, 0);
            pc.succeed();
        }
        0x02 => {
            let [hour, minute, second, status] =
                [HOUR, MINUTE, SECOND, STATUS_B].map(|at| get(pc, at));
            pc.set_word(Gpr::Rcx, u16::from_be_bytes([hour, minute]));
            pc.set_word(Gpr::Rdx, u16::from_be_bytes([second, status & DAYLIGHT]));
            pc.set_low(Gpr::Rax, hour);
            pc.succeed();
        }
        0x03 => {
            // The numbers given are BCD, and hours of 24.
            let enabled = get(pc, STATUS_B) & (PERIODIC | ALARM);
            let status = enabled | HOURS_24 | pc.low(Gpr::Rdx) & DAYLIGHT;
            put(pc, STATUS_B, status);
            put(pc, STATUS_B, status | SET);
            for (at, value) in
                [(HOUR, pc.high(Gpr::Rcx)), (MINUTE, pc.low(Gpr::Rcx)), (SECOND, pc.high(Gpr::Rdx))]
            {
                put(pc, at, value);
            }
            put(pc, STATUS_B, status);
            pc.set_low(Gpr::Rax, status);
            pc.succeed();
        }
        0x04 => {
            let [century, year, month, day] =
                [CENTURY, YEAR, MONTH, DAY_OF_MONTH].map(|at| get(pc, at));
            pc.set_word(Gpr::Rcx, u16::from_be_bytes([century, year]));
            pc.set_word(Gpr::Rdx, u16::from_be_bytes([month, day]));
            pc.set_low(Gpr::Rax, century);
            pc.succeed();
        }
        0x05 => {
            let status = get(pc, STATUS_B);
            put(pc, STATUS_B, status | SET);
            for (at, value) in [
                (CENTURY, pc.high(Gpr::Rcx)),
                (YEAR, pc.low(Gpr::Rcx)),
                (MONTH, pc.high(Gpr::Rdx)),
                (DAY_OF_MONTH, pc.low(Gpr::Rdx)),
            ] {
                put(pc, at, value);
            }
            put(pc, STATUS_B, status & !SET);
            pc.set_low(Gpr::Rax, status & !SET);
            pc.succeed();
        }
        // One alarm at a time.
        0x06 if get(pc, STATUS_B) & ALARM != 0 => {
            pc.set_word(Gpr::Rax, 0);
            pc.set_carry(true);
        }
        0x06 => {
            for (at, value) in [
                (HOUR + 1, pc.high(Gpr::Rcx)),
                (MINUTE + 1, pc.low(Gpr::Rcx)),
                (SECOND + 1, pc.high(Gpr::Rdx)),
            ] {
                put(pc, at, value);
            }
            let status = get(pc, STATUS_B) & !SET | ALARM;
            put(pc, STATUS_B, status);
            pc.set_word(Gpr::Rax, 0);
            pc.set_carry(false);
        }
        0x07 => {
            let status = get(pc, STATUS_B);
            put(pc, STATUS_B, status & !(SET | ALARM));
            pc.set_low(Gpr::Rax, status);
            pc.succeed();
        }
        _ => pc.set_carry(true),
    }
    Outcome::Return
}

/// Reads a byte of the real-time clock's memory.
fn get(pc: &mut Pc<'_>, index: u8) -> u8 {
    pc.port_write(rtc::PORT, index);
    pc.port_read(rtc::PORT + 1)
}

/// Writes one.
fn put(pc: &mut Pc<'_>, index: u8, value: u8) {
    pc.port_write(rtc::PORT, index);
    pc.port_write(rtc::PORT + 1, value);
}

/// INT 70h: the real-time clock's interrupt, of a wait or of the alarm, which goes on to INT 4Ah.
pub fn clock_interrupt(pc: &mut Pc<'_>) -> Outcome {
    let status = get(pc, STATUS_B);
    // On a busy host they can be several.
    let periods = pc.devices.chipset().rtc().periods();
    let causes = get(pc, STATUS_C) & status;
    pc.port_write(0xa0, END_OF_INTERRUPT);
    pc.port_write(0x20, END_OF_INTERRUPT);
    if causes & PERIODIC != 0 && pc.read_u8(WAIT_FLAG) & ACTIVE != 0 {
        let passed = u32::try_from(periods).unwrap_or(u32::MAX).saturating_mul(PERIOD);
        match pc.read_u32(WAIT_COUNT).checked_sub(passed) {
            Some(left) if left > 0 => pc.write_u32(WAIT_COUNT, left),
            _ => {
                pc.write_u32(WAIT_COUNT, 0);
                end_wait(pc);
                let pointer = pc.read_u32(WAIT_POINTER);
                let at = Phys(u64::from(pointer >> 16) * 16 + u64::from(pointer & 0xffff));
                let flag = pc.read_u8(at);
                pc.write_u8(at, flag | OVER);
            }
        }
    }
    if causes & ALARM != 0 {
        pc.go_to(rom::ALARM);
    }
    Outcome::Return
}

/// Begins a wait of CX:DX microseconds, after which bit 7 of the byte at `pointer` is set. False if one is active.
fn begin_wait(pc: &mut Pc<'_>, pointer: u32) -> bool {
    if pc.read_u8(WAIT_FLAG) & ACTIVE != 0 {
        return false;
    }
    let time = u32::from(pc.word(Gpr::Rcx)) << 16 | u32::from(pc.word(Gpr::Rdx));
    pc.write_u8(WAIT_FLAG, ACTIVE);
    pc.write_u32(WAIT_COUNT, time);
    pc.write_u32(WAIT_POINTER, pointer);
    // A flag that nobody has taken would hold back the next.
    get(pc, STATUS_C);
    let status = get(pc, STATUS_B);
    put(pc, STATUS_B, status | PERIODIC);
    true
}

fn end_wait(pc: &mut Pc<'_>) {
    let flag = pc.read_u8(WAIT_FLAG);
    pc.write_u8(WAIT_FLAG, flag & !ACTIVE);
    let status = get(pc, STATUS_B);
    put(pc, STATUS_B, status & !PERIODIC);
}

/// INT 15h AH=86: waits CX:DX microseconds.
pub fn wait(pc: &mut Pc<'_>) -> Outcome {
    // Segment 40h and the flag's offset there.
    const OWN: u32 = 0x0040_00a0;
    let flag = pc.read_u8(WAIT_FLAG);
    if flag & OVER != 0 {
        pc.write_u8(WAIT_FLAG, 0);
        pc.set_carry(false);
        return Outcome::Return;
    }
    if flag & ACTIVE != 0 && pc.read_u32(WAIT_POINTER) == OWN || begin_wait(pc, OWN) {
        return Outcome::Wait;
    }
    pc.fail(BUSY);
    Outcome::Return
}

/// INT 15h AH=83: sets bit 7 of the byte at ES:BX in CX:DX microseconds, or gives that up.
pub fn event_wait(pc: &mut Pc<'_>) {
    match pc.low(Gpr::Rax) {
        0 => {}
        1 => {
            end_wait(pc);
            return pc.set_carry(false);
        }
        _ => return pc.unsupported(),
    }
    let segment = u32::from(pc.cpu.segments.get(SegmentName::Es).selector);
    let pointer = segment << 16 | u32::from(pc.word(Gpr::Rbx));
    if begin_wait(pc, pointer) { pc.set_carry(false) } else { pc.fail(BUSY) }
}
