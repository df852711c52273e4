//! What is there and what the board can do: INT 11h, 12h and 15h; hardware interrupts without a handler.

mod memory;
mod power;

pub use memory::end_of_ram;

use super::data_area::{DISK_INTERRUPT, EBDA_SEGMENT, EQUIPMENT, FLOPPY_RECALIBRATE, MEMORY_SIZE};
use super::{Outcome, Pc, rom, timer};
use crate::x86::{Gpr, Phys, Segment, SegmentName};

/// Where a PC/AT keeps the line of the last interrupt that nobody had a handler for.
const UNEXPECTED: Phys = Phys(0x46b);
const END_OF_INTERRUPT: u8 = 0x20;
const FIRST: u16 = 0x20;
const SECOND: u16 = 0xa0;
/// Reads the in-service register at the next read.
const READ_IN_SERVICE: u8 = 0x0b;

/// INT 11h: the equipment in AX.
pub fn equipment(pc: &mut Pc<'_>) -> Outcome {
    let equipment = pc.read_u16(EQUIPMENT);
    pc.set_word(Gpr::Rax, equipment);
    Outcome::Return
}

/// INT 12h: KiB of conventional memory in AX.
pub fn memory_size(pc: &mut Pc<'_>) -> Outcome {
    let size = pc.read_u16(MEMORY_SIZE);
    pc.set_word(Gpr::Rax, size);
    Outcome::Return
}

/// A hardware interrupt that nobody has a handler for: it ends, and its line is kept where a PC/AT keeps it; FFh
/// if it was an interrupt instruction.
pub fn unexpected(pc: &mut Pc<'_>, second: bool) -> Outcome {
    let mut lines = [0; 2];
    for (lines, port) in lines.iter_mut().zip([FIRST, SECOND]) {
        pc.port_write(port, READ_IN_SERVICE);
        *lines = pc.port_read(port);
    }
    let [first, of_second] = lines;
    // The second controller's line at the first is no interrupt of its own.
    let own = if second { of_second } else { first & !0x04 };
    let mut last = 0xff;
    if own != 0 {
        if second {
            pc.port_write(SECOND, END_OF_INTERRUPT);
        }
        pc.port_write(FIRST, END_OF_INTERRUPT);
        last = own;
    }
    pc.write_u8(UNEXPECTED, last);
    Outcome::Return
}

/// INT 0Eh: the floppy controller is done.
pub fn floppy_interrupt(pc: &mut Pc<'_>) -> Outcome {
    let flags = pc.read_u8(FLOPPY_RECALIBRATE);
    pc.write_u8(FLOPPY_RECALIBRATE, flags | 0x80);
    pc.port_write(FIRST, END_OF_INTERRUPT);
    Outcome::Return
}

/// INT 76h: a hard disk's drive has done what it was to do.
pub fn disk_interrupt(pc: &mut Pc<'_>) -> Outcome {
    pc.write_u8(DISK_INTERRUPT, 0xff);
    pc.port_write(SECOND, END_OF_INTERRUPT);
    pc.port_write(FIRST, END_OF_INTERRUPT);
    Outcome::Return
}

/// INT 75h, before INT 02h: the error line of the coprocessor goes down.
pub fn coprocessor_error(pc: &mut Pc<'_>) -> Outcome {
    pc.port_write(0xf0, 0);
    pc.port_write(SECOND, END_OF_INTERRUPT);
    pc.port_write(FIRST, END_OF_INTERRUPT);
    Outcome::Return
}

/// INT 15h.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    match pc.high(Gpr::Rax) {
        0x24 => address_line_20(pc),
        // The scan code passes, by CF, whatever a filter that went on to here has left in it.
        0x4f => pc.set_carry(true),
        // A disk cannot be taken out.
        0x52 => pc.succeed(),
        0x53 => return power::serve(pc),
        0x83 => timer::event_wait(pc),
        0x86 => return timer::wait(pc),
        0x87 => memory::move_block(pc),
        0x88 => memory::extended_size(pc),
        // A device is busy, or has finished: nobody else wants to run.
        0x90 | 0x91 => pc.set_carry(false),
        0xc0 => {
            set_es(pc, rom::SEGMENT);
            pc.set_word(Gpr::Rbx, rom::CONFIGURATION);
            pc.succeed();
        }
        0xc1 => {
            let segment = pc.read_u16(EBDA_SEGMENT);
            set_es(pc, segment);
            pc.set_carry(false);
        }
        0xe8 => memory::sizes(pc),
        _ => pc.unsupported(),
    }
    Outcome::Return
}

/// ES as a MOV loads it in real mode.
fn set_es(pc: &mut Pc<'_>, selector: u16) {
    let access = pc.cpu.segments.es.access;
    *pc.cpu.segments.get_mut(SegmentName::Es) =
        Segment { limit: pc.cpu.segments.es.limit, ..Segment::paragraph(selector, access) };
}

/// AH=24h: address line A20.
fn address_line_20(pc: &mut Pc<'_>) {
    const SYSTEM_CONTROL: u16 = 0x92;
    const A20: u8 = 0x02;
    let control = pc.port_read(SYSTEM_CONTROL);
    match pc.low(Gpr::Rax) {
        0 => pc.port_write(SYSTEM_CONTROL, control & !(A20 | 1)),
        1 => pc.port_write(SYSTEM_CONTROL, (control | A20) & !1),
        2 => pc.set_low(Gpr::Rax, u8::from(control & A20 != 0)),
        // The keyboard controller and port 92h switch it.
        3 => pc.set_word(Gpr::Rbx, 3),
        _ => return pc.unsupported(),
    }
    pc.succeed();
}
