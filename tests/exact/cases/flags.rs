//! What touches the flags or holds back interrupts: PUSHF, POPF, STI, CLI, loads of SS.

use super::*;

/// What both PUSHF and a handler's frame have to be free of.
const PUSHED: u64 = 0xfc_ffff;

pub fn cases() -> Vec<Case> {
    vec![
        case("pushf", ALL, |guest| {
            let len = guest.code("pushf", &[0x9c]);
            guest.set(|cpu| cpu.rflags |= CF | ZF)?;
            guest.step(|now| {
                now.next(len);
                now.push(now.cpu.rflags & PUSHED, now.mode.word());
            })
        }),
        case("pushf in the other operand size", ALL, |guest| {
            let len = guest.code("o16/o32 pushf", &[0x66, 0x9c]);
            guest.step(|now| {
                now.next(len);
                let size = if now.mode.bits() == 16 { 4 } else { 2 };
                now.push(now.cpu.rflags & PUSHED, size);
            })
        }),
        case("pushf with interrupts enabled", ALL, |guest| {
            let len = guest.code("pushf", &[0x9c]);
            guest.set(|cpu| cpu.rflags |= IF | OF)?;
            guest.step(|now| {
                now.next(len);
                now.push(now.cpu.rflags & PUSHED, now.mode.word());
            })
        }),
        case("pushf; pop ax", ALL, |guest| {
            let pushf = guest.code("pushf", &[0x9c]);
            let pop = guest.code("pop {ax}", &[0x58]);
            guest.step(|now| {
                now.next(pushf);
                now.push(now.cpu.rflags & PUSHED, now.mode.word());
            })?;
            guest.step(|now| {
                now.next(pop);
                let (size, flags) = (now.mode.word(), now.cpu.rflags & PUSHED);
                now.pop(size);
                now.set(Rax, flags, size);
            })
        }),
        case("popf", ALL, |guest| {
            let len = guest.code("popf", &[0x9d]);
            guest.poke(STACK - 8, &0xcd7u64.to_le_bytes());
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.step(|now| {
                now.next(len);
                now.pop(now.mode.word());
                now.flags(0xcd7, 0xcd7);
            })
        }),
        case("popf enables interrupts", ALL, |guest| {
            let len = guest.code("popf", &[0x9d]);
            guest.poke(STACK - 8, &0x202u64.to_le_bytes());
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.step(|now| {
                now.next(len);
                now.pop(now.mode.word());
                // IOPL is 0 in this ring 3.
                now.flags(if now.mode == Mode::U { 0 } else { IF }, 0);
            })
        }),
        case("sti; nop", ALL, |guest| {
            if guest.mode == Mode::U {
                guest.code("sti", &[0xfb]);
                return guest.step(|now| now.fault(13, Some(0)));
            }
            let sti = guest.code("sti", &[0xfb]);
            let nop = guest.code("nop", &[0x90]);
            guest.step(|now| {
                now.next(sti);
                now.flags(IF, 0);
            })?;
            guest.step(|now| now.next(nop))
        }),
        case("cli", ALL, |guest| {
            let len = guest.code("cli", &[0xfa]);
            guest.set(|cpu| cpu.rflags |= IF)?;
            if guest.mode == Mode::U {
                return guest.step(|now| now.fault(13, Some(0)));
            }
            guest.step(|now| {
                now.next(len);
                now.flags(0, IF);
            })
        }),
        case("mov ss, ax", ALL, |guest| {
            let len = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let selector = other_stack(guest.mode);
            guest.gpr([(Rax, selector.into())])?;
            guest.step(|now| {
                now.next(len);
                now.cpu.segments.ss = now.mode.segment(selector);
            })
        }),
        case("mov ss, ax; mov sp, bx", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let sp = guest.code("mov {sp}, {bx}", &[&guest.wide()[..], &[0x89, 0xdc]].concat());
            let selector = other_stack(guest.mode);
            guest.gpr([(Rax, selector.into()), (Rbx, 0x800)])?;
            guest.step(|now| {
                now.next(ss);
                now.cpu.segments.ss = now.mode.segment(selector);
            })?;
            guest.step(|now| {
                now.next(sp);
                now.set(Rsp, 0x800, now.mode.word());
            })
        }),
        case("mov ss, ax; pushf", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let pushf = guest.code("pushf", &[0x9c]);
            guest.gpr([(Rax, guest.mode.data().into())])?;
            guest.step(|now| now.next(ss))?;
            guest.step(|now| {
                now.next(pushf);
                now.push(now.cpu.rflags & PUSHED, now.mode.word());
            })
        }),
        case("mov ss, ax; int 0x20", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.gpr([(Rax, guest.mode.data().into())])?;
            guest.step(|now| now.next(ss))?;
            guest.step(|now| {
                now.next(int);
                now.interrupt(0x20);
            })
        }),
        case("mov ss, ax; out", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let out = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.gpr([(Rax, guest.mode.data().into())])?;
            guest.step(|now| now.next(ss))?;
            guest.step(|now| {
                now.next(out);
                now.console.push(now.mode.data() as u8);
            })
        }),
        case("pop ss", LEGACY, |guest| {
            let len = guest.code("pop ss", &[0x17]);
            let selector = other_stack(guest.mode);
            guest.poke(STACK - 4, &u32::from(selector).to_le_bytes());
            guest.gpr([(Rsp, STACK - 4)])?;
            guest.step(|now| {
                now.next(len);
                now.pop(now.mode.word());
                now.cpu.segments.ss = now.mode.segment(selector);
            })
        }),
        case("pop ss; nop", LEGACY, |guest| {
            let pop = guest.code("pop ss", &[0x17]);
            let nop = guest.code("nop", &[0x90]);
            guest.poke(STACK - 4, &u32::from(guest.mode.data()).to_le_bytes());
            guest.gpr([(Rsp, STACK - 4)])?;
            guest.step(|now| {
                now.next(pop);
                now.pop(now.mode.word());
            })?;
            guest.step(|now| now.next(nop))
        }),
        case("lahf", ALL, |guest| {
            let len = guest.code("lahf", &[0x9f]);
            guest.set(|cpu| cpu.rflags |= CF | SF)?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0x8300, 2);
            })
        }),
    ]
}

/// A selector that SS takes and that it does not hold at first, where there is one.
fn other_stack(mode: Mode) -> u16 {
    match mode {
        Mode::R | Mode::V => 0x100,
        Mode::P16 => DATA32,
        Mode::P | Mode::G | Mode::L => DATA16,
        Mode::P3 | Mode::U => USER_DATA,
    }
}
