//! What the firmware has done by the time it starts a guest: vectors, data areas, devices and registers.
//!
//! Values are those that SeaBIOS leaves, so far as they say something about this machine.

use super::data_area::{
    COM_PORTS, COM_TIMEOUTS, EBDA, EBDA_SEGMENT, EQUIPMENT, KEYBOARD_BUFFER_END,
    KEYBOARD_BUFFER_START, KEYBOARD_FLAGS_3, KEYBOARD_HEAD, KEYBOARD_TAIL, LPT_TIMEOUTS,
    MEMORY_SIZE,
};
use super::{Pc, cmos, disk, rom, timer, video};
use crate::devices::keyboard::controller::DATA_PORT;
use crate::x86::registers::RFLAGS_IF;
use crate::x86::{Gpr, Phys, SegmentName};

/// KiB of conventional memory below it.
const CONVENTIONAL: u16 = 639;
/// The key buffer, as offsets in segment 40h.
const KEYS: std::ops::Range<u16> = 0x1e..0x3e;
/// A keyboard of 101 keys.
const ENHANCED: u8 = 0x10;
/// Equipment: a coprocessor, and a display that starts in 80 columns.
const BASIC_EQUIPMENT: u16 = 0x0022;
/// The serial ports that are looked for.
const SERIAL: [u16; 2] = [0x3f8, 0x2f8];
/// Characters of 8 bits, as programs count on that set no format; interrupts not held back.
const SERIAL_SETTINGS: [(u16, u8); 2] = [(3, 0x03), (4, 0x08)];
/// Where the stack is, with room for what the firmware itself would have there: SS is 0.
const STACK: u16 = 0x6f04;
/// What the stack takes at least.
pub const STACK_RANGE: std::ops::Range<u64> = 0x6b00..0x7000;

/// Ports and bytes that set up the two interrupt controllers and the timer: vectors from 08h and 70h on; timer,
/// keyboard, second controller, floppy and real-time clock enabled; 18.2 ticks a second. At last the keyboard is enabled.
const DEVICES: [(u16, u8); 14] = [
    (0x20, 0x11),
    (0xa0, 0x11),
    (0x21, 0x08),
    (0xa1, 0x70),
    (0x21, 0x04),
    (0xa1, 0x02),
    (0x21, 0x01),
    (0xa1, 0x01),
    (0x21, 0xb8),
    (0xa1, 0x8e),
    (0x43, 0x34),
    (0x40, 0x00),
    (0x40, 0x00),
    (0x64, 0xae),
];

/// Brings up the firmware. The processor is where the guest starts, its stack free below `SS:SP`; `own_stack` says
/// that the firmware's own place for it is free, too.
pub fn power_on(pc: &mut Pc<'_>, own_stack: bool) {
    vectors(pc);
    data_area(pc);
    keyboard(pc);
    for (port, value) in DEVICES {
        pc.port_write(port, value);
    }
    timer::power_on(pc);
    video::power_on(pc);
    disk::power_on(pc);
    cmos::power_on(pc);
    registers(pc, own_stack);
}

fn vectors(pc: &mut Pc<'_>) {
    for vector in 0..=0xff {
        let entry = rom::entry(vector).map_or([0; 2], |offset| [offset, rom::SEGMENT]);
        for (at, word) in (0..).zip(entry) {
            pc.write_u16(Phys(u64::from(vector) * 4 + at * 2), word);
        }
    }
}

/// Has the keyboard scan. Its answer is what port 60h reads until a key comes, and no interrupt waits for it.
fn keyboard(pc: &mut Pc<'_>) {
    const SCAN: u8 = 0xf4;
    pc.port_write(DATA_PORT, SCAN);
    pc.port_read(DATA_PORT);
}

fn data_area(pc: &mut Pc<'_>) {
    let mut ports = 0;
    for port in SERIAL {
        // One that is there has no bits set in its interrupt register's upper half.
        if pc.port_read(port + 1) & 0xf0 == 0 {
            for (register, value) in SERIAL_SETTINGS {
                pc.port_write(port + register, value);
            }
            pc.write_u16(COM_PORTS.offset(u64::from(ports) * 2), port);
            ports += 1;
        }
    }
    pc.write_u16(EQUIPMENT, BASIC_EQUIPMENT | ports << 9);
    pc.write_u16(MEMORY_SIZE, CONVENTIONAL);
    pc.write_u16(EBDA_SEGMENT, EBDA);
    // Its length in KiB.
    pc.write_u8(Phys(u64::from(EBDA) << 4), 1);
    let fields = [
        (KEYBOARD_HEAD, KEYS.start),
        (KEYBOARD_TAIL, KEYS.start),
        (KEYBOARD_BUFFER_START, KEYS.start),
        (KEYBOARD_BUFFER_END, KEYS.end),
    ];
    for (at, value) in fields {
        pc.write_u16(at, value);
    }
    pc.write_u8(KEYBOARD_FLAGS_3, ENHANCED);
    pc.write_u8(LPT_TIMEOUTS, 0x14);
    for number in 0..u64::from(ports) {
        pc.write_u8(COM_TIMEOUTS.offset(number), 0x0a);
    }
}

fn registers(pc: &mut Pc<'_>, own_stack: bool) {
    if own_stack {
        pc.set_word(Gpr::Rsp, STACK);
    } else {
        let below = pc.word(Gpr::Rsp).wrapping_sub(4);
        pc.set_word(Gpr::Rsp, below);
    }
    let stack = pc.word(Gpr::Rsp);
    let at = pc.address(SegmentName::Ss, stack);
    pc.write_u16(at, rom::RETURN);
    pc.write_u16(at.offset(2), rom::SEGMENT);
    pc.cpu.rflags |= RFLAGS_IF;
}
