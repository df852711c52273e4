//! INT 09h, which makes keys of scan codes, and INT 16h, which hands them out. In between is the buffer in the
//! data area.

mod codes;
mod interrupt;

use super::data_area::{
    KEYBOARD_BUFFER_END, KEYBOARD_BUFFER_START, KEYBOARD_FLAGS, KEYBOARD_FLAGS_2, KEYBOARD_FLAGS_3,
    KEYBOARD_FLAGS_4, KEYBOARD_HEAD, KEYBOARD_TAIL,
};
use super::{Outcome, Pc};
use crate::memory::Ram;
use crate::x86::{Gpr, Phys};
pub use interrupt::{interrupt, scan_code};

/// Ports of the keyboard controller; at the second commands are written.
const DATA: u16 = 0x60;
const STATUS: u16 = 0x64;
/// Commands: the keyboard may send; the command byte is read, is written.
const ENABLE: u8 = 0xae;
const READ_COMMAND_BYTE: u8 = 0x20;
const WRITE_COMMAND_BYTE: u8 = 0x60;
/// In the command byte: the keyboard's interrupt is on.
const INTERRUPT: u8 = 0x01;
/// To the keyboard: the next byte is its lights.
const SET_LIGHTS: u8 = 0xed;
/// In [`KEYBOARD_FLAGS_4`]: the lights, in the order of the locks' flags.
const LIGHTS: u8 = 0x07;

/// In the low byte of a key of the enhanced keyboard alone.
const ENHANCED: u8 = 0xe0;
/// In place of the character of a key that has none, on some keyboards.
const NO_CHARACTER: u8 = 0xf0;

/// INT 16h.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    set_lights(pc);
    match pc.high(Gpr::Rax) {
        function @ (0x00 | 0x10) => {
            let Some(key) = next(pc) else { return Outcome::Wait };
            take(pc);
            pc.set_word(Gpr::Rax, shown(key, function));
        }
        0x01 | 0x11 if !pc.caller_takes_interrupts() => return Outcome::LetIn,
        0x01 | 0x11 => return look(pc),
        0x02 => {
            let flags = pc.read_u8(KEYBOARD_FLAGS);
            pc.set_low(Gpr::Rax, flags);
        }
        // Rate and delay: keys do not repeat.
        0x03 => {}
        0x05 => {
            let stored = put(pc, pc.word(Gpr::Rcx));
            pc.set_low(Gpr::Rax, u8::from(!stored));
        }
        // Functions 0Ah and 10h to 12h are there.
        0x09 => pc.set_low(Gpr::Rax, 0x30),
        // A keyboard of 101 keys.
        0x0a => pc.set_word(Gpr::Rbx, 0x41ab),
        0x12 => {
            let flags = pc.read_u8(KEYBOARD_FLAGS);
            let (second, third) = (pc.read_u8(KEYBOARD_FLAGS_2), pc.read_u8(KEYBOARD_FLAGS_3));
            // Bits 2 and 3 are those of the right keys; bit 7 is SysRq, bit 2 of the second byte.
            let held = second & 0x73 | (second & 0x04) << 5 | third & 0x0c;
            pc.set_word(Gpr::Rax, u16::from_le_bytes([flags, held]));
        }
        0x6f if pc.low(Gpr::Rax) == 0x08 => pc.set_high(Gpr::Rax, 0x02),
        // Asked by programs that look for functions 10h to 12h.
        0x92 => pc.set_high(Gpr::Rax, 0x80),
        _ => {}
    }
    Outcome::Return
}

/// Sets the keyboard's lights to what the locks are, if they are not: a key may have changed those, or a program in the
/// data area.
fn set_lights(pc: &mut Pc<'_>) {
    let lights = pc.read_u8(KEYBOARD_FLAGS) >> 4 & LIGHTS;
    let flags = pc.read_u8(KEYBOARD_FLAGS_4);
    // A scan code that is there would be taken for an answer.
    if flags & LIGHTS == lights || pc.devices.chipset().keyboard().has_output() {
        return;
    }
    pc.write_u8(KEYBOARD_FLAGS_4, flags & !LIGHTS | lights);
    pc.port_write(STATUS, READ_COMMAND_BYTE);
    let command_byte = pc.port_read(DATA);
    pc.port_write(STATUS, WRITE_COMMAND_BYTE);
    pc.port_write(DATA, command_byte & !INTERRUPT);
    for byte in [SET_LIGHTS, lights] {
        pc.port_write(DATA, byte);
        // It acknowledges.
        pc.port_read(DATA);
    }
    pc.port_write(STATUS, WRITE_COMMAND_BYTE);
    pc.port_write(DATA, command_byte);
}

/// INT 16h AH=01 and 11: the next key stays where it is.
pub fn look(pc: &mut Pc<'_>) -> Outcome {
    let key = next(pc);
    if let Some(key) = key {
        pc.set_word(Gpr::Rax, shown(key, pc.high(Gpr::Rax)));
    }
    pc.set_zero(key.is_none());
    Outcome::Return
}

/// The key as `function` shows it: none has F0h as a character, and the old ones know no enhanced keyboard.
fn shown(key: u16, function: u8) -> u16 {
    let [character, scan] = key.to_le_bytes();
    match (character, scan) {
        (NO_CHARACTER, 1..) => u16::from_le_bytes([0, scan]),
        _ if function >= 0x10 => key,
        (ENHANCED, 1..) => u16::from_le_bytes([0, scan]),
        // Enter and the slash of the keypad.
        (0x0a | 0x0d, ENHANCED) => u16::from_le_bytes([character, 0x1c]),
        (_, ENHANCED) => u16::from_le_bytes([character, 0x35]),
        _ => key,
    }
}

fn at(offset: u16) -> Phys {
    Phys(0x400 + u64::from(offset))
}

/// The buffer's place for the key behind `offset`.
fn behind(pc: &Pc<'_>, offset: u16) -> u16 {
    let next = offset.wrapping_add(2);
    if next == pc.read_u16(KEYBOARD_BUFFER_END) { pc.read_u16(KEYBOARD_BUFFER_START) } else { next }
}

/// The next key to take.
fn next(pc: &Pc<'_>) -> Option<u16> {
    let head = pc.read_u16(KEYBOARD_HEAD);
    (head != pc.read_u16(KEYBOARD_TAIL)).then(|| pc.read_u16(at(head)))
}

/// Whether the buffer in `ram` has no room for another key.
#[must_use]
pub fn is_full(ram: &Ram) -> bool {
    let next = word(ram, KEYBOARD_TAIL).wrapping_add(2);
    let is_end = next == word(ram, KEYBOARD_BUFFER_END);
    let next = if is_end { word(ram, KEYBOARD_BUFFER_START) } else { next };
    next == word(ram, KEYBOARD_HEAD)
}

/// Whether there is no key in the buffer in `ram`.
#[must_use]
pub fn is_empty(ram: &Ram) -> bool {
    word(ram, KEYBOARD_TAIL) == word(ram, KEYBOARD_HEAD)
}

fn word(ram: &Ram, address: Phys) -> u16 {
    let mut bytes = [0; 2];
    let _ = ram.read(address, &mut bytes);
    u16::from_le_bytes(bytes)
}

/// Takes it.
fn take(pc: &mut Pc<'_>) {
    let next = behind(pc, pc.read_u16(KEYBOARD_HEAD));
    pc.write_u16(KEYBOARD_HEAD, next);
}

/// Puts a key into the buffer, if there is room.
fn put(pc: &mut Pc<'_>, key: u16) -> bool {
    let tail = pc.read_u16(KEYBOARD_TAIL);
    let next = behind(pc, tail);
    if next == pc.read_u16(KEYBOARD_HEAD) {
        return false;
    }
    pc.write_u16(at(tail), key);
    pc.write_u16(KEYBOARD_TAIL, next);
    true
}
