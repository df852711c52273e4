//! Texts that are too long for one call: AH=09, 0A and 13 write up to 65,535 characters, each of which may scroll a large
//! picture. The processor gets back to the ROM meanwhile, as an instruction that repeats gets back to itself, so that
//! whoever wants to stop the guest need not wait for the end.

use super::super::{data_area, pc::Pc, rom};
use super::cursor::Place;
use crate::x86::CpuMode;
use crate::x86::registers::RFLAGS_IF;

/// Characters that a call writes.
pub const AT_ONCE: u16 = 128;

/// Has the processor call again, `done` characters being written and `at` the place of the next. Until then it takes no
/// interrupts, whose handlers might write as well; the caller's FLAGS are on the stack. In virtual-8086 mode that is its
/// monitor's business.
pub fn keep(pc: &mut Pc, done: u16, at: Place) {
    let [low, high] = done.to_le_bytes();
    pc.write(data_area::VIDEO_REST, &[low, high, at.page, at.row, at.column]);
    if pc.cpu.mode() == CpuMode::Real {
        pc.cpu.rflags &= !RFLAGS_IF;
    }
    pc.go_to(rom::VIDEO_REST);
}

/// What was given to [`keep`].
pub fn take(pc: &Pc) -> (u16, Place) {
    let mut bytes = [0; 5];
    pc.read(data_area::VIDEO_REST, &mut bytes);
    let [low, high, page, row, column] = bytes;
    (u16::from_le_bytes([low, high]), Place { page, row, column })
}
