//! Software interrupts and IRET.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("int 0x20", ALL, |guest| {
            let len = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.set(|cpu| cpu.rflags |= IF | CF)?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x20);
            })
        }),
        case("int 0x80", ALL, |guest| {
            let len = guest.code("int 0x80", &[0xcd, 0x80]);
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x80);
            })
        }),
        case("int 0xff", ALL, |guest| {
            let len = guest.code("int 0xff", &[0xcd, 0xff]);
            guest.step(|now| {
                now.next(len);
                now.interrupt(0xff);
            })
        }),
        case("int3", ALL, |guest| {
            let len = guest.code("int3", &[0xcc]);
            guest.step(|now| {
                now.next(len);
                now.interrupt(3);
            })
        }),
        case("into, overflow", LEGACY, |guest| {
            let len = guest.code("into", &[0xce]);
            guest.set(|cpu| cpu.rflags |= OF)?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(4);
            })
        }),
        case("into, no overflow", LEGACY, |guest| {
            let len = guest.code("into", &[0xce]);
            guest.step(|now| now.next(len))
        }),
        case("bound, inside", LEGACY, |guest| {
            let len = guest.code("bound {ax}, [{si}]", &[0x62, guest.at(Rsi, 0)]);
            bounds(guest, 5)?;
            guest.step(|now| now.next(len))
        }),
        case("bound, outside", LEGACY, |guest| {
            guest.code("bound {ax}, [{si}]", &[0x62, guest.at(Rsi, 0)]);
            bounds(guest, 11)?;
            guest.step(|now| now.fault(5, None))
        }),
        case("icebp", ALL, |guest| {
            let len = guest.code("int1", &[0xf1]);
            guest.step(|now| {
                now.next(len);
                now.interrupt(1);
            })
        }),
        case("int and back", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            iret_at(guest, handler(0x20));
            guest.set(|cpu| cpu.rflags |= IF | ZF)?;
            guest.step(|now| {
                now.next(int);
                now.interrupt(0x20);
            })?;
            guest.step(|now| now.iret())
        }),
        case("int, an instruction, and back", ALL, |guest| {
            let int = guest.code("int 0x81", &[0xcd, 0x81]);
            guest.org(handler(0x81));
            let nop = guest.code("nop", &[0x90]);
            iret_at(guest, handler(0x81) + 1);
            guest.step(|now| {
                now.next(int);
                now.interrupt(0x81);
            })?;
            guest.step(|now| now.next(nop))?;
            guest.step(|now| now.iret())
        }),
        case("int from a handler", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.org(handler(0x20));
            let inner = guest.code("int 0x21", &[0xcd, 0x21]);
            iret_at(guest, handler(0x20) + 2);
            iret_at(guest, handler(0x21));
            guest.step(|now| {
                now.next(int);
                now.interrupt(0x20);
            })?;
            guest.step(|now| {
                now.next(inner);
                now.interrupt(0x21);
            })?;
            guest.step(|now| now.iret())?;
            guest.step(|now| now.iret())
        }),
        case("int through a trap gate", PROTECTED, |guest| {
            let len = guest.code("int 0x41", &[0xcd, 0x41]);
            let (at, kind) = match guest.mode.bits() {
                16 => (IDT + 0x41 * 8, 0x7),
                32 => (IDT + 0x41 * 8, 0xf),
                _ => (IDT + 0x41 * 16, 0xf),
            };
            let size = if guest.mode.bits() == 64 { 16 } else { 8 };
            let gate = gate(guest.mode.handler_code(), handler(0x41), kind);
            guest.poke(at, &gate[..size]);
            guest.set(|cpu| cpu.rflags |= IF)?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x41);
                now.flags(IF, 0);
            })
        }),
        case("int through a gate that is not present", PROTECTED, |guest| {
            guest.code("int 0x30", &[0xcd, 0x30]);
            let size = if guest.mode.bits() == 64 { 16 } else { 8 };
            guest.poke(IDT + 0x30 * size + 5, &[0x6e]);
            guest.step(|now| now.fault(11, Some(0x30 * 8 + 2)))
        }),
        case("int through a gate of ring 0", USER, |guest| {
            guest.code("int 0x30", &[0xcd, 0x30]);
            let size = if guest.mode.bits() == 64 { 16 } else { 8 };
            guest.poke(IDT + 0x30 * size + 5, &[0x8e]);
            guest.step(|now| now.fault(13, Some(0x30 * 8 + 2)))
        }),
        case("int beyond the table", PROTECTED, |guest| {
            guest.code("int 0x30", &[0xcd, 0x30]);
            let size = if guest.mode.bits() == 64 { 16 } else { 8 };
            guest.set(|cpu| cpu.idtr.limit = 0x30 * size - 1)?;
            guest.step(|now| now.fault(13, Some(0x30 * 8 + 2)))
        }),
        case("int through a table that lies elsewhere", &[Mode::R], |guest| {
            let len = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.poke(DATA + 0x80, &0x0010_b000u32.to_le_bytes());
            guest.set(|cpu| cpu.idtr.base = DATA)?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x20);
                now.far_jump(0x10, 0xb000);
            })
        }),
        case("iret in one ring", RING0, |guest| {
            iret_at(guest, CODE);
            let word = usize::from(guest.mode.word());
            let (cs, ss) = (guest.mode.code(), guest.mode.data());
            let frame = [FAR, cs.into(), 0x8d7 | IF, STACK, ss.into()];
            let top = STACK - 5 * word as u64;
            for (at, value) in (0..).zip(frame) {
                guest.poke(top + at * word as u64, &value.to_le_bytes()[..word]);
            }
            guest.gpr([(Rsp, top)])?;
            guest.step(|now| now.iret())
        }),
        case("iret to a program", &[Mode::P, Mode::L], |guest| {
            iret_at(guest, CODE);
            let word = usize::from(guest.mode.word());
            let cs = if word == 4 { USER32 } else { USER64 };
            let frame = [FAR, cs.into(), 0x246, STACK, USER_DATA.into()];
            let top = STACK - 0x100;
            for (at, value) in (0..).zip(frame) {
                guest.poke(top + at * word as u64, &value.to_le_bytes()[..word]);
            }
            guest.gpr([(Rsp, top)])?;
            guest.step(|now| {
                now.iret();
                // Data of ring 0 is out of its reach (SDM vol. 3A, 5.8.1).
                for name in [SegmentName::Ds, SegmentName::Es, SegmentName::Fs, SegmentName::Gs] {
                    *now.cpu.segments.get_mut(name) = world::segment(0);
                }
            })
        }),
        case("a frame has no trace of breakpoints", ALL, |guest| {
            let len = guest.code("int 0x20", &[0xcd, 0x20]);
            for addr in [CODE, CODE + 2, handler(0x20), handler(0x20) + 1, FAR] {
                guest.break_at(addr);
            }
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x20);
            })
        }),
    ]
}

/// IRET of the width that handlers have in the mode, at `addr`.
fn iret_at(guest: &mut Subject, addr: u64) -> usize {
    guest.org(addr);
    match guest.mode {
        Mode::L | Mode::U => guest.code("iretq", &[0x48, 0xcf]),
        Mode::V => guest.code("iretd", &[0xcf]),
        _ => guest.code("iret", &[0xcf]),
    }
}

/// AX = `index`, and 5 to 10 as the bounds at DS:SI.
fn bounds(guest: &mut Subject, index: u64) -> Verdict {
    let word = guest.mode.word();
    guest.poke(DATA, &5u64.to_le_bytes()[..word.into()]);
    guest.poke(DATA + u64::from(word), &10u64.to_le_bytes()[..word.into()]);
    guest.gpr([(Rax, index), (Rsi, DATA)])
}
