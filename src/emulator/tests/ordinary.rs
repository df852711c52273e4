//! Ordinary instructions on registers: `tests/sweep` compares what they compute with a processor.

use super::*;
use crate::emulator::{Outcome, Unsupported};
use crate::x86::registers::{RFLAGS_CF, RFLAGS_RF, RFLAGS_TF, RFLAGS_ZF};

#[test]
fn a_jump_is_taken_by_its_condition() {
    for (flags, taken) in [(0, false), (RFLAGS_ZF, true), (RFLAGS_CF, false)] {
        let mut pc = Pc::real();
        pc.cpu.rflags |= flags;
        assert!(matches!(pc.execute(&[0x74, 0x10]), Ok(Outcome::Completed { .. })));
        assert_eq!(pc.cpu.rip, CODE + 2 + if taken { 0x10 } else { 0 });
    }
}

#[test]
fn a_jump_wraps_around_in_16_bits() {
    let mut pc = Pc::real();
    pc.cpu.rip = 0x10;
    assert!(matches!(pc.execute(&[0xeb, 0x80]), Ok(Outcome::Completed { .. })));
    assert_eq!(pc.cpu.rip, 0xff92);
}

#[test]
fn a_jump_beyond_the_limit_faults_before_it_is_made() {
    // To 17C06 in a segment of 64 KiB, by 32 bits.
    let mut pc = Pc::real();
    pc.put(4 * 13, HANDLER, 4);
    assert_eq!(pc.execute(&[0x66, 0xe9, 0, 0, 1, 0]), Ok(Outcome::Entered { vector: 13 }));
    assert_eq!(pc.stack(1, 2), [CODE]);
    // One that is not made goes on.
    let mut pc = Pc::real();
    pc.complete(&[0x66, 0x0f, 0x84, 0, 0, 1, 0]);
}

#[test]
fn a_jump_to_no_canonical_address_faults_before_it_is_made() {
    let mut pc = Pc::long(0);
    pc.gate64(13, CODE64, HANDLER, 0x8e, 0);
    // The last page of the lower half.
    let last = 0x7fff_ffff_f000;
    for (at, table) in [(0x7f8, 0x1000), (0x1ff8, 0x2000), (0x2ff8, 0x3000)] {
        pc.put(PAGES + at, PAGES + table + 7, 8);
    }
    pc.put(PAGES + 0x3ff8, 0x9007, 8);
    pc.memory.write(Phys(0x9ff0), &[0xeb, 0x70]);
    pc.cpu.rip = last + 0xff0;
    let outcome = crate::emulator::execute(&mut pc.cpu, &mut pc.memory);
    assert_eq!(outcome, Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn jumps_and_sums_end_resume_and_leave_the_trap_flags_trap() {
    for code in [&[0xeb, 0x10][..], &[0x01, 0xc8]] {
        let mut pc = Pc::real();
        pc.cpu.rflags |= RFLAGS_RF | RFLAGS_TF;
        let due = Ok(Outcome::Completed { single_step: true, unblocks_nmi: false });
        assert_eq!(pc.execute(code), due, "{code:02x?}");
        assert_eq!(pc.cpu.rflags & RFLAGS_RF, 0, "{code:02x?}");
    }
}

#[test]
fn what_touches_more_than_registers_is_left_to_the_processor() {
    // add [bx+si], al; mov ax, cs; mov cr0, eax; loop; jcxz; jmp bx; call
    for code in [
        &[0x00, 0x00][..],
        &[0x8c, 0xc8],
        &[0x0f, 0x22, 0xc0],
        &[0xe2, 0],
        &[0xe3, 0],
        &[0xff, 0xe3],
        &[0xe8, 0, 0],
    ] {
        let mut pc = Pc::real();
        let before = pc.cpu.clone();
        assert_eq!(pc.execute(code), Err(Unsupported::Unknown), "{code:02x?}");
        assert_eq!(pc.cpu, before, "{code:02x?}");
    }
}
