//! INT 09h: scan codes of set 1 become keys and the state of the shift keys.

use super::super::data_area::{
    ALT_NUMBER, BREAK_FLAG, KEYBOARD_BUFFER_START, KEYBOARD_FLAGS, KEYBOARD_FLAGS_2,
    KEYBOARD_FLAGS_3, KEYBOARD_HEAD, KEYBOARD_TAIL, RESET_FLAG,
};
use super::codes::{self, Shift};
use super::{DATA, ENABLE, STATUS, put};
use crate::bios::{Ending, Outcome, Pc, rom};
use crate::x86::registers::RFLAGS_CF;
use crate::x86::{Gpr, Phys};

/// Status: the byte is the mouse's.
const AUXILIARY: u8 = 0x20;

/// Key up, in a scan code.
const UP: u8 = 0x80;

/// Shift keys and locks, in [`KEYBOARD_FLAGS`].
const RIGHT_SHIFT: u8 = 0x01;
const LEFT_SHIFT: u8 = 0x02;
const CTRL: u8 = 0x04;
const ALT: u8 = 0x08;
const SCROLL_LOCK: u8 = 0x10;
const NUM_LOCK: u8 = 0x20;
const CAPS_LOCK: u8 = 0x40;

/// Keys held, in [`KEYBOARD_FLAGS_2`]; the locks have the same bits as above.
const LEFT_CTRL: u8 = 0x01;
const LEFT_ALT: u8 = 0x02;
const SYS_RQ: u8 = 0x04;

/// In [`KEYBOARD_FLAGS_3`].
const AFTER_E1: u8 = 0x01;
const AFTER_E0: u8 = 0x02;
const RIGHT_CTRL: u8 = 0x04;
const RIGHT_ALT: u8 = 0x08;

/// INT 09h, before INT 15h AH=4F: AL is the scan code, AH 4Fh, and CF set; clear if it is not the keyboard's. It
/// may have been read already, by a handler of the guest's that has chained: the port still shows it.
pub fn interrupt(pc: &mut Pc<'_>) -> Outcome {
    if pc.port_read(STATUS) & AUXILIARY == 0 {
        let code = pc.port_read(DATA);
        pc.port_write(STATUS, ENABLE);
        pc.set_word(Gpr::Rax, u16::from_le_bytes([code, 0x4f]));
        pc.cpu.rflags |= RFLAGS_CF;
    } else {
        pc.cpu.rflags &= !RFLAGS_CF;
    }
    Outcome::Return
}

/// INT 09h, behind INT 15h AH=4F: the scan code in AL.
pub fn scan_code(pc: &mut Pc<'_>) -> Outcome {
    let code = pc.low(Gpr::Rax);
    let prefixes = pc.read_u8(KEYBOARD_FLAGS_3);
    match code {
        0xe0 => pc.write_u8(KEYBOARD_FLAGS_3, prefixes | AFTER_E0),
        0xe1 => pc.write_u8(KEYBOARD_FLAGS_3, prefixes | AFTER_E1),
        _ => {
            pc.write_u8(KEYBOARD_FLAGS_3, prefixes & !(AFTER_E0 | AFTER_E1));
            if prefixes & AFTER_E1 == 0 {
                return key(pc, code & !UP, code & UP != 0, prefixes & AFTER_E0 != 0);
            }
            // Pause: Ctrl of its own, which is still to be followed by one more code.
            if code & !UP == 0x1d {
                pc.write_u8(KEYBOARD_FLAGS_3, prefixes);
            }
        }
    }
    Outcome::Return
}

/// Sets or clears `bits` in the byte at `address`.
fn set(pc: &mut Pc<'_>, address: Phys, bits: u8, on: bool) {
    let byte = pc.read_u8(address);
    pc.write_u8(address, if on { byte | bits } else { byte & !bits });
}

/// A key goes down or up.
fn key(pc: &mut Pc<'_>, scan: u8, up: bool, enhanced: bool) -> Outcome {
    match (scan, enhanced) {
        // The Shift that Print Screen and the grey keys bring along.
        (0x2a | 0x36, true) => {}
        (0x2a, false) => set(pc, KEYBOARD_FLAGS, LEFT_SHIFT, !up),
        (0x36, false) => set(pc, KEYBOARD_FLAGS, RIGHT_SHIFT, !up),
        (0x1d, _) => {
            let (at, bit) = if enhanced {
                (KEYBOARD_FLAGS_3, RIGHT_CTRL)
            } else {
                (KEYBOARD_FLAGS_2, LEFT_CTRL)
            };
            set(pc, at, bit, !up);
            let held = pc.read_u8(KEYBOARD_FLAGS_2) & LEFT_CTRL != 0
                || pc.read_u8(KEYBOARD_FLAGS_3) & RIGHT_CTRL != 0;
            set(pc, KEYBOARD_FLAGS, CTRL, held);
        }
        (0x38, _) => {
            let (at, bit) =
                if enhanced { (KEYBOARD_FLAGS_3, RIGHT_ALT) } else { (KEYBOARD_FLAGS_2, LEFT_ALT) };
            set(pc, at, bit, !up);
            let held = pc.read_u8(KEYBOARD_FLAGS_2) & LEFT_ALT != 0
                || pc.read_u8(KEYBOARD_FLAGS_3) & RIGHT_ALT != 0;
            set(pc, KEYBOARD_FLAGS, ALT, held);
            if up && !held {
                alt_number(pc);
            }
        }
        (0x3a, false) => lock(pc, CAPS_LOCK, up),
        (0x45, false) => lock(pc, NUM_LOCK, up),
        (0x46, false) if !held(pc, CTRL) => lock(pc, SCROLL_LOCK, up),
        (0x46, _) if !up => {
            set(pc, BREAK_FLAG, 0x80, true);
            let start = pc.read_u16(KEYBOARD_BUFFER_START);
            pc.write_u16(KEYBOARD_HEAD, start);
            pc.write_u16(KEYBOARD_TAIL, start);
            put(pc, 0);
            pc.go_to(rom::BREAK);
        }
        // Alt with Print Screen.
        (0x54, false) => set(pc, KEYBOARD_FLAGS_2, SYS_RQ, !up),
        (0x37, true) if !up && !held(pc, CTRL) => pc.go_to(rom::PRINT_SCREEN),
        (0x53, _) if !up && held(pc, CTRL) && held(pc, ALT) => {
            pc.write_u16(RESET_FLAG, 0x1234);
            return Outcome::End(Ending::Reset);
        }
        _ if up => {}
        _ => typed(pc, scan, enhanced),
    }
    Outcome::Return
}

fn held(pc: &Pc<'_>, key: u8) -> bool {
    pc.read_u8(KEYBOARD_FLAGS) & key != 0
}

/// A lock toggles when it goes down; one that is held does not toggle again. Its light is INT 16h's.
fn lock(pc: &mut Pc<'_>, bit: u8, up: bool) {
    if !up && pc.read_u8(KEYBOARD_FLAGS_2) & bit == 0 {
        let flags = pc.read_u8(KEYBOARD_FLAGS) ^ bit;
        pc.write_u8(KEYBOARD_FLAGS, flags);
    }
    set(pc, KEYBOARD_FLAGS_2, bit, !up);
}

/// Alt is released: the number typed on the keypad meanwhile is a character.
fn alt_number(pc: &mut Pc<'_>) {
    let number = pc.read_u8(ALT_NUMBER);
    if number != 0 {
        pc.write_u8(ALT_NUMBER, 0);
        put(pc, number.into());
    }
}

/// A key that types something goes down.
fn typed(pc: &mut Pc<'_>, scan: u8, enhanced: bool) {
    let flags = pc.read_u8(KEYBOARD_FLAGS);
    let shift = flags & (LEFT_SHIFT | RIGHT_SHIFT) != 0;
    if !enhanced
        && flags & ALT != 0
        && let Some(digit) = codes::keypad_digit(scan)
    {
        let number = pc.read_u8(ALT_NUMBER).wrapping_mul(10).wrapping_add(digit);
        pc.write_u8(ALT_NUMBER, number);
        return;
    }
    let state = if flags & ALT != 0 {
        Shift::Alt
    } else if flags & CTRL != 0 {
        Shift::Ctrl
    } else {
        let lock = codes::lock_of(scan, enhanced);
        let locked = match lock {
            Some(codes::Lock::Caps) => flags & CAPS_LOCK != 0,
            Some(codes::Lock::Num) => flags & NUM_LOCK != 0,
            None => false,
        };
        if shift != locked { Shift::Shifted } else { Shift::Plain }
    };
    if let Some(key) = codes::key(scan, enhanced, state) {
        // A full buffer takes no more; a PC beeps.
        put(pc, key);
    }
}
