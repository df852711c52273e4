//! Transfers of control: near and far jumps, calls and returns.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("jmp short", ALL, |guest| {
            let len = guest.code("jmp short $+7", &[0xeb, 5]);
            guest.step(|now| now.next(len + 5))
        }),
        case("jmp $", ALL, |guest| {
            guest.code("jmp $", &[0xeb, 0xfe]);
            for _ in 0..3 {
                guest.step(|_| {})?;
            }
            Ok(())
        }),
        case("loop $", ALL, |guest| {
            let len = guest.code("loop $", &[0xe2, 0xfe]);
            guest.gpr([(Rcx, 3)])?;
            for left in [2, 1, 0] {
                guest.step(|now| {
                    now.add(Rcx, -1);
                    now.next(if left == 0 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("call; ret", ALL, |guest| {
            let near = if guest.mode.bits() == 16 { 2 } else { 4 };
            let offset = 0x20u64.to_le_bytes();
            let len = guest.code("call $+0x20+n", &[&[0xe8], &offset[..near]].concat());
            guest.org(CODE + len as u64 + 0x20);
            guest.code("ret", &[0xc3]);
            guest.step(|now| {
                now.next(len);
                now.push(now.cpu.rip, now.mode.word());
                now.next(0x20);
            })?;
            guest.step(|now| {
                let back = now.pop(now.mode.word());
                now.jump(back);
            })
        }),
        case("jmp far", LEGACY, |guest| {
            let (selector, offset) = other_code(guest.mode);
            let bytes = far_pointer(guest.mode, selector, offset);
            guest.code("jmp SEG:OFF", &[&[0xea], &bytes[..]].concat());
            guest.step(|now| now.far_jump(selector, offset))
        }),
        case("jmp far [si]", ALL, |guest| {
            let (selector, offset) = other_code(guest.mode);
            guest.code("jmp far [{si}]", &[0xff, guest.at(Rsi, 5)]);
            guest.poke(DATA, &far_pointer(guest.mode, selector, offset));
            guest.gpr([(Rsi, DATA)])?;
            guest.step(|now| now.far_jump(selector, offset))
        }),
        case("call far", LEGACY, |guest| {
            let (selector, offset) = other_code(guest.mode);
            let bytes = far_pointer(guest.mode, selector, offset);
            let len = guest.code("call SEG:OFF", &[&[0x9a], &bytes[..]].concat());
            guest.step(|now| {
                now.next(len);
                push_far(now);
                now.far_jump(selector, offset);
            })
        }),
        case("call far [si]", ALL, |guest| {
            let (selector, offset) = other_code(guest.mode);
            let len = guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
            guest.poke(DATA, &far_pointer(guest.mode, selector, offset));
            guest.gpr([(Rsi, DATA)])?;
            guest.step(|now| {
                now.next(len);
                push_far(now);
                now.far_jump(selector, offset);
            })
        }),
        case("retf", ALL, |guest| {
            let (selector, offset) = other_code(guest.mode);
            guest.code("retf", &[0xcb]);
            let size = far_size(guest.mode);
            let top = STACK - 0x10;
            guest.poke(top, &offset.to_le_bytes()[..size.into()]);
            guest.poke(top + u64::from(size), &selector.to_le_bytes());
            guest.gpr([(Rsp, top)])?;
            guest.step(|now| {
                now.pop(size);
                now.pop(size);
                now.far_jump(selector, offset);
            })
        }),
        case("call far and back", ALL, |guest| {
            let (selector, offset) = other_code(guest.mode);
            let len = guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
            guest.org(FAR);
            guest.code("retf", &[0xcb]);
            guest.poke(DATA, &far_pointer(guest.mode, selector, offset));
            guest.gpr([(Rsi, DATA)])?;
            let code = guest.mode.code();
            guest.step(|now| {
                now.next(len);
                push_far(now);
                now.far_jump(selector, offset);
            })?;
            guest.step(|now| {
                let size = far_size(now.mode);
                let offset = now.pop(size);
                now.pop(size);
                now.far_jump(code, offset);
            })
        }),
        case("retf to a program", &[Mode::P], |guest| {
            guest.code("retf", &[0xcb]);
            let frame = [FAR, USER32.into(), STACK, USER_DATA.into()];
            for (at, value) in (0..).zip(frame) {
                guest.poke(STACK - 0x100 + at * 4, &value.to_le_bytes()[..4]);
            }
            guest.gpr([(Rsp, STACK - 0x100)])?;
            guest.step(|now| {
                now.far_jump(USER32, FAR);
                *now.cpu.get_mut(Rsp) = STACK;
                now.cpu.segments.ss = world::segment(USER_DATA);
                for name in [SegmentName::Ds, SegmentName::Es, SegmentName::Fs, SegmentName::Gs] {
                    *now.cpu.segments.get_mut(name) = world::segment(0);
                }
            })
        }),
        case("call through a gate", &[Mode::P16, Mode::P, Mode::P3, Mode::G], |guest| {
            let bytes = far_pointer(guest.mode, GATE, 0);
            let len = guest.code("call GATE:0", &[&[0x9a], &bytes[..]].concat());
            guest.step(|now| {
                now.next(len);
                call_gate(now);
            })
        }),
        case(
            "call far [si] through a gate",
            &[Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U],
            |guest| {
                let len = guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
                guest.poke(DATA, &far_pointer(guest.mode, GATE, 0));
                guest.gpr([(Rsi, DATA)])?;
                guest.step(|now| {
                    now.next(len);
                    call_gate(now);
                })
            },
        ),
        case(
            "jmp far to a selector beyond the table",
            &[Mode::P16, Mode::P, Mode::P3, Mode::G],
            |guest| {
                let bytes = far_pointer(guest.mode, 0xfff8, 0);
                guest.code("jmp 0xfff8:0", &[&[0xea], &bytes[..]].concat());
                guest.step(|now| now.fault(13, Some(0xfff8)))
            },
        ),
        case("retf to a selector beyond the table", PROTECTED, |guest| {
            guest.code("retf 8", &[0xca, 8, 0]);
            bad_return(guest, 0, 0xfff8)
        }),
        case(
            "retf to a selector beyond the table and an address that is none",
            &[Mode::L],
            |guest| {
                guest.code("retfq 8", &[0x48, 0xca, 8, 0]);
                bad_return(guest, 1 << 60, 0xfff8)
            },
        ),
    ]
}

/// A RETF to `selector` of ring 0 or 3 that is no code.
fn bad_return(guest: &mut Subject, offset: u64, selector: u16) -> Verdict {
    let size = if offset == 0 { far_size(guest.mode) } else { 8 };
    let selector = selector | guest.mode.code() & 3;
    let top = STACK - 0x10;
    guest.poke(top, &offset.to_le_bytes()[..size.into()]);
    guest.poke(top + u64::from(size), &selector.to_le_bytes());
    guest.gpr([(Rsp, top)])?;
    guest.step(|now| now.fault(13, Some(selector & !3)))
}

/// Other code of the mode, with the same privilege.
fn other_code(mode: Mode) -> (u16, u64) {
    match mode {
        Mode::R | Mode::V => (0xb00, 0),
        Mode::P16 | Mode::P | Mode::P3 | Mode::G | Mode::L | Mode::U => (mode.code(), FAR),
    }
}

/// Operand size of far transfers without a prefix, which is 32 bits in 64-bit code.
fn far_size(mode: Mode) -> u8 {
    mode.word().min(4)
}

/// `selector`:`offset` as memory holds it.
fn far_pointer(mode: Mode, selector: u16, offset: u64) -> Vec<u8> {
    let offset = offset.to_le_bytes();
    [&offset[..usize::from(far_size(mode))], &selector.to_le_bytes()].concat()
}

/// What a far call pushes, the return address being the present one.
fn push_far(now: &mut crate::want::Want) {
    let (size, back, cs) = (far_size(now.mode), now.cpu.rip, now.cpu.segments.cs.selector);
    now.push(cs.into(), size);
    now.push(back, size);
}

/// A call through [`GATE`], the return address being the present one (SDM vol. 3A, 5.8.5 and 6.14).
fn call_gate(now: &mut crate::want::Want) {
    let old = now.cpu.clone();
    let size = now.mode.word();
    if old.segments.cs.selector & 3 == 3 {
        let ss = if size == 8 { 0 } else { DATA32 };
        now.cpu.segments.ss = world::segment(ss);
        now.cpu.segments.cs = world::segment(now.mode.handler_code());
        *now.cpu.get_mut(Rsp) = STACK0;
        now.push(old.segments.ss.selector.into(), size);
        now.push(old.get(Rsp), size);
    }
    now.push(old.segments.cs.selector.into(), size);
    now.push(old.rip, size);
    now.cpu.segments.cs = world::segment(now.mode.handler_code());
    now.cpu.rip = FAR;
}
