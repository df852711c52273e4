//! The firmware's ROM: 64 KiB at F0000h, made from tables.
//!
//! It owns where everything in it lies and which service a stub stands for; what services do is none of its
//! business. Programs know the entry points of the PC/AT by their addresses (IBM PC/AT Technical Reference,
//! "ROM BIOS Compatibility"), so each is where it has always been; what is ours lies below E000h. Those of the
//! hardware's interrupts are where `SeaBIOS` has them: a much copied tutorial prints a byte of the vector table.

use std::sync::LazyLock;

use super::video::rom as video;
use super::{Service, TRAP_PORT};
use crate::x86::Phys;

/// Where the ROM is.
pub const START: Phys = Phys(0xf_0000);
/// Its segment.
pub const SEGMENT: u16 = 0xf000;
/// Its size in bytes.
pub const SIZE: usize = 0x1_0000;

/// The system configuration: INT 15h AH=C0.
pub const CONFIGURATION: u16 = 0xe6f5;
/// The diskette parameters: INT 1Eh.
pub const DISKETTE_PARAMETERS: u16 = 0xefc7;
/// Who made it.
pub const MAKER: u16 = 0xe000;

/// IRET alone, for vectors without a service.
pub const DUMMY: u16 = 0xff53;
/// The far return address that the firmware leaves to what it boots.
pub const RETURN: u16 = 0xd015;
/// Power-on, or a jump to FFFF:0000.
const POST: u16 = 0xe05b;
const RESET: u16 = 0xfff0;
const DATE: u16 = 0xfff5;
const MODEL: u16 = 0xfffe;

/// A byte that says which machine it is: a PC/AT.
pub const MODEL_AT: u8 = 0xfc;
const SUBMODEL: u8 = 0x00;
const REVISION: u8 = 0x01;

const PUSHAD: [u8; 2] = [0x66, 0x60];
const POPAD: [u8; 2] = [0x66, 0x61];
const PUSH_DS: u8 = 0x1e;
const POP_DS: u8 = 0x1f;
const PUSH_ES: u8 = 0x06;
const POP_ES: u8 = 0x07;
const INT: u8 = 0xcd;
const IRET: u8 = 0xcf;
const NOP: u8 = 0x90;
const CLI: u8 = 0xfa;
const STI: u8 = 0xfb;
const HLT: u8 = 0xf4;
/// A jump within the segment.
const JUMP: u8 = 0xe9;
/// A short jump while CF is clear.
const JUMP_NO_CARRY: u8 = 0x73;
const FAR_JUMP: u8 = 0xea;
/// mov al, 20h; out 20h, al.
const END_OF_INTERRUPT: [u8; 4] = [0xb0, 0x20, 0xe6, 0x20];
/// OUT to a port, AL.
const TRAP: [u8; 2] = [0xe6, TRAP_PORT as u8];

/// INT 15h AH=C0: length, model, submodel, revision, and what there is: two interrupt controllers, a real-time
/// clock, INT 15h AH=4F at each scan code, an extended data area; then INT 16h AH=09.
const CONFIGURATION_TABLE: [u8; 10] = [8, 0, MODEL_AT, SUBMODEL, REVISION, 0x74, 0x40, 0, 0, 0];

/// The parameters of a 1.44 MB drive to which INT 1Eh points (IBM PC/AT Technical Reference): step rate and head
/// unload time, head load time and DMA, motor off delay in ticks, sector size code, sectors of a track, gaps in
/// reading and formatting, data length, fill byte, head settle time in milliseconds, motor start time in 1/8
/// seconds.
pub const DISKETTE_TABLE: [u8; 11] =
    [0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08];

/// Stubs that do nothing but call their service: where each is.
const STUBS: [(u16, Service); 20] = [
    (0xe2c3, Service::Interrupt(0x02)),
    (0xe3fe, Service::Interrupt(0x13)),
    (0xe6f2, Service::Interrupt(0x19)),
    (0xe739, Service::Interrupt(0x14)),
    (0xe82e, Service::Interrupt(0x16)),
    (0xec59, Service::Interrupt(0x40)),
    (0xef57, Service::Interrupt(0x0e)),
    (0xefd2, Service::Interrupt(0x17)),
    (0xf065, Service::Interrupt(0x10)),
    (0xf841, Service::Interrupt(0x12)),
    (0xf84d, Service::Interrupt(0x11)),
    (0xf859, Service::Interrupt(0x15)),
    (0xfe6e, Service::Interrupt(0x1a)),
    (0xff54, Service::Interrupt(0x05)),
    (VIDEO_REST, Service::Rest),
    (0xd453, Service::Interrupt(0x18)),
    (0xd41c, Service::Interrupt(0x74)),
    (0xd40a, Service::Interrupt(0x76)),
    (UNEXPECTED_FIRST, Service::Unexpected { second: false }),
    (UNEXPECTED_SECOND, Service::Unexpected { second: true }),
];
/// An interrupt of the first controller that nobody has a handler for, and of the second.
const UNEXPECTED_FIRST: u16 = 0xd42e;
const UNEXPECTED_SECOND: u16 = 0xd437;

/// INT 08h.
const TIMER: u16 = 0xfea5;
/// INT 09h.
const KEYBOARD: u16 = 0xe987;
/// In it, the trap that reads a byte; the one that takes the scan code; the way out.
const KEYBOARD_READ: u16 = KEYBOARD + 4;
const SCAN_CODE: u16 = KEYBOARD + 12;
const KEYBOARD_DONE: u16 = KEYBOARD + 14;
/// A service of the keyboard goes on here: INT 1Bh, and back into INT 09h.
pub const BREAK: u16 = 0xd040;
/// The same with INT 05h.
pub const PRINT_SCREEN: u16 = 0xd048;
/// INT 70h, the real-time clock: its entry, which jumps to the rest with its trap and its way out.
const CLOCK: u16 = 0xd413;
const CLOCK_BODY: u16 = 0xd050;
const CLOCK_TRAP: u16 = CLOCK_BODY + 4;
const CLOCK_DONE: u16 = CLOCK_BODY + 6;
/// The service of the clock goes on here: INT 4Ah, and back into INT 70h.
pub const ALARM: u16 = 0xd060;
/// INT 75h, the coprocessor's error, which goes on to INT 02h.
const COPROCESSOR: u16 = 0xd425;
/// Waiting for an interrupt on behalf of a service.
const WAITS: [(u16, u8); 4] = [(0xd080, 0x16), (0xd088, 0x15), (0xd090, 0x13), (0xd098, 0x14)];

/// INT 10h goes on here with a long text: a trap and its IRET.
pub const VIDEO_REST: u16 = 0xd0b0;

/// Letting interrupts in for a service that is called over and over with interrupts disabled; its trap follows.
const LOOKS: [(u16, u8); 2] = [(0xd0a0, 0x16), (0xd0a8, 0x1a)];
/// sti; nop; cli: the instruction behind STI is still not interrupted.
const LET_IN: [u8; 3] = [STI, NOP, CLI];

/// All traps: where the OUT is, and for which service.
fn traps() -> impl Iterator<Item = (u16, Service)> {
    let others = [
        (TIMER, Service::Interrupt(0x08)),
        (KEYBOARD_READ, Service::Interrupt(0x09)),
        (SCAN_CODE, Service::ScanCode),
        (CLOCK_TRAP, Service::Interrupt(0x70)),
        (COPROCESSOR, Service::Interrupt(0x75)),
        (RETURN, Service::Return),
        (POST, Service::Reset),
    ];
    let looks = LOOKS.map(|(at, vector)| (at + LET_IN.len() as u16, Service::Look(vector)));
    STUBS.into_iter().chain(others).chain(looks)
}

/// The service of the trap at `offset` in the ROM.
#[must_use]
pub fn trap_at(offset: u16) -> Option<Service> {
    traps().find(|(at, _)| *at == offset).map(|(_, service)| service)
}

/// Where the service of `vector` waits for an interrupt; nowhere if it never does.
#[must_use]
pub fn wait_of(vector: u8) -> Option<u16> {
    WAITS.iter().find(|(_, waits)| *waits == vector).map(|(at, _)| *at)
}

/// Where the service of `vector` lets interrupts in before it looks again; nowhere if it never does.
#[must_use]
pub fn look_of(vector: u8) -> Option<u16> {
    LOOKS.iter().find(|(_, looks)| *looks == vector).map(|(at, _)| *at)
}

/// Whether the processor waits there for an interrupt on behalf of `vector`: HLT has just run.
#[must_use]
pub fn waits_at(offset: u16) -> Option<u8> {
    WAITS.iter().find(|(at, _)| offset == at + 2).map(|(_, vector)| *vector)
}

/// The entry point of `vector`, as the interrupt vector table has it at first; those of the user's own vectors
/// are 0000:0000, which gives nothing.
#[must_use]
pub fn entry(vector: u8) -> Option<u16> {
    Some(match vector {
        0x08 => TIMER,
        0x09 => KEYBOARD,
        0x0a..=0x0f if vector != 0x0e => UNEXPECTED_FIRST,
        0x1e => DISKETTE_PARAMETERS,
        0x1f => video::FONT_8X8_UPPER,
        0x42 | 0x6d => return entry(0x10),
        0x43 => video::FONT_8X16,
        0x60..=0x66 | 0x79 => return None,
        0x70 => CLOCK,
        0x71..=0x73 | 0x77 => UNEXPECTED_SECOND,
        0x75 => COPROCESSOR,
        vector => STUBS
            .iter()
            .find(|(_, service)| *service == Service::Interrupt(vector))
            .map_or(DUMMY, |(at, _)| *at),
    })
}

/// What in the ROM is at `offset`, for a person.
#[must_use]
pub fn name_at(offset: u16) -> Option<String> {
    let data = [
        (video::CGA_PARAMETERS, "video parameters"),
        (DISKETTE_PARAMETERS, "diskette parameters"),
        (video::FONT_8X8_UPPER, "font 8x8, upper half"),
        (video::FONT_8X8, "font 8x8"),
        (video::FONT_8X14, "font 8x14"),
        (video::FONT_8X16, "font 8x16"),
        (DUMMY, "IRET"),
        (KEYBOARD, "INT 09h keyboard"),
        (CLOCK, "INT 70h real-time clock"),
        (RESET, "reset"),
    ];
    if let Some((_, name)) = data.into_iter().find(|(at, _)| *at == offset) {
        return Some(name.to_owned());
    }
    trap_at(offset).map(|service| service.to_string())
}

/// The code of the ROM, by where it is.
fn code() -> Vec<(u16, Vec<u8>)> {
    let jump = |from: u16, to: u16| {
        let [low, high] = to.wrapping_sub(from + 3).to_le_bytes();
        [JUMP, low, high]
    };
    // Whoever hooks INT 1Ch need not save a register, and finds DS and ES 0.
    let timer = [
        &TRAP[..],
        &PUSHAD,
        &[PUSH_DS, PUSH_ES],
        // xor ax, ax; mov ds, ax; mov es, ax
        &[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, INT, 0x1c],
        &END_OF_INTERRUPT,
        &[POP_ES, POP_DS],
        &POPAD,
        &[IRET],
    ];
    // The first trap reads the scan code, and asks by CF for INT 15h AH=4F. A filter clears CF to swallow it.
    let keyboard = [
        &PUSHAD[..],
        &[PUSH_DS, PUSH_ES],
        &TRAP,
        &[JUMP_NO_CARRY, 6, INT, 0x15, JUMP_NO_CARRY, 2],
        &TRAP,
        &END_OF_INTERRUPT,
        &[POP_ES, POP_DS],
        &POPAD,
        &[IRET],
    ];
    let clock = [&PUSHAD[..], &[PUSH_DS, PUSH_ES], &TRAP, &[POP_ES, POP_DS], &POPAD, &[IRET]];
    let onward =
        |at: u16, vector: u8, to: u16| (at, [&[INT, vector][..], &jump(at + 2, to)].concat());
    let far = |to: u16| {
        let ([low, high], [low_segment, high_segment]) = (to.to_le_bytes(), SEGMENT.to_le_bytes());
        vec![FAR_JUMP, low, high, low_segment, high_segment]
    };
    let mut code = vec![
        (TIMER, timer.concat()),
        (KEYBOARD, keyboard.concat()),
        onward(BREAK, 0x1b, KEYBOARD_DONE),
        onward(PRINT_SCREEN, 0x05, KEYBOARD_DONE),
        (CLOCK, jump(CLOCK, CLOCK_BODY).to_vec()),
        (CLOCK_BODY, clock.concat()),
        onward(ALARM, 0x4a, CLOCK_DONE),
        (COPROCESSOR, [&TRAP[..], &[INT, 0x02, IRET]].concat()),
        (RETURN, TRAP.to_vec()),
        (POST, TRAP.to_vec()),
        (RESET, far(POST)),
        (DUMMY, vec![IRET]),
    ];
    for (at, vector) in WAITS {
        let back = jump(at + 3, entry(vector).unwrap_or(DUMMY));
        code.push((at, [&[STI, HLT, CLI][..], &back].concat()));
    }
    code.extend(LOOKS.map(|(at, _)| (at, [&LET_IN[..], &TRAP, &[IRET]].concat())));
    code.extend(STUBS.map(|(at, _)| (at, [&TRAP[..], &[IRET]].concat())));
    code
}

/// Everything in the ROM that is not 0.
fn contents() -> Vec<(u16, Vec<u8>)> {
    let mut contents = code();
    contents.extend(video::pieces());
    contents.extend([
        (CONFIGURATION, CONFIGURATION_TABLE.to_vec()),
        (DISKETTE_PARAMETERS, DISKETTE_TABLE.to_vec()),
        (MAKER, b"Stepvisor BIOS".to_vec()),
        (DATE, b"06/23/99".to_vec()),
        (MODEL, vec![MODEL_AT]),
    ]);
    contents
}

/// The ROM's bytes.
#[must_use]
pub fn image() -> &'static [u8] {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut rom = vec![0; SIZE];
        for (at, bytes) in contents() {
            let at = usize::from(at);
            if let Some(place) = rom.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(&bytes);
            }
        }
        rom
    });
    &IMAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_rom_lies_on_anything_else() {
        let mut contents: Vec<_> =
            contents().iter().map(|(at, bytes)| (usize::from(*at), bytes.len())).collect();
        contents.sort_unstable();
        for pair in contents.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:x?}");
        }
        let (last, len) = contents[contents.len() - 1];
        assert!(last + len <= SIZE);
    }

    #[test]
    fn every_trap_is_where_the_table_says() {
        for (at, service) in traps() {
            let at = usize::from(at);
            assert_eq!(image()[at..at + 2], TRAP, "{service}");
        }
        let traps = traps().count();
        let outs = (0xd000..SIZE - 1).filter(|at| image()[*at..*at + 2] == TRAP);
        let outs = outs.filter(|at| !(0xfa6e..0xfe6e).contains(at)).count();
        assert_eq!(outs, traps);
    }

    /// Programs print bytes of the vector table, and go to what they take from the stack.
    #[test]
    fn hardware_interrupts_and_the_return_address_are_where_seabios_has_them() {
        for vector in [0x0a, 0x0b, 0x0c, 0x0d, 0x0f] {
            assert_eq!(entry(vector), Some(0xd42e), "{vector:02x}");
        }
        for vector in [0x71, 0x72, 0x73, 0x77] {
            assert_eq!(entry(vector), Some(0xd437), "{vector:02x}");
        }
        let others =
            [(0x18, 0xd453), (0x70, 0xd413), (0x74, 0xd41c), (0x75, 0xd425), (0x76, 0xd40a)];
        for (vector, at) in others {
            assert_eq!(entry(vector), Some(at), "{vector:02x}");
        }
        assert_eq!(RETURN, 0xd015);
    }

    #[test]
    fn the_entry_points_are_where_programs_know_them() {
        let known =
            [(0x08, 0xfea5), (0x09, 0xe987), (0x10, 0xf065), (0x13, 0xe3fe), (0x16, 0xe82e)];
        for (vector, at) in known {
            assert_eq!(entry(vector), Some(at));
        }
        assert_eq!(image()[0xfff0], 0xea);
        assert_eq!(image()[0xfffe], 0xfc);
        assert_eq!(image()[0xff53], 0xcf);
    }
}
