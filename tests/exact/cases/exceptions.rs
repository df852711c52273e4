//! Exceptions: the step ends on the first instruction of the handler.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("div by zero", ALL, |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.set(|cpu| cpu.rflags |= IF | CF)?;
            guest.step(|now| now.fault(0, None))
        }),
        case("div in memory by zero", ALL, |guest| {
            guest.code("div byte [{si}]", &[0xf6, guest.at(Rsi, 6)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.step(|now| now.fault(0, None))
        }),
        case("div by zero under AC", ALL, |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.set(|cpu| cpu.rflags |= AC)?;
            guest.step(|now| now.fault(0, None))
        }),
        case("ud2 under AC", ALL, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.rflags |= AC)?;
            guest.step(|now| now.fault(6, None))
        }),
        case("ud2", ALL, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.step(|now| now.fault(6, None))
        }),
        case("lock nop", ALL, |guest| {
            guest.code("lock nop", &[0xf0, 0x90]);
            guest.step(|now| now.fault(6, None))
        }),
        case("x87 without a unit", ALL, |guest| {
            guest.code("fninit", &[0xdb, 0xe3]);
            guest.set(|cpu| cpu.cr0 |= 1 << 3)?;
            guest.step(|now| now.fault(7, None))
        }),
        case("a fault in a handler's first instruction", ALL, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.org(handler(6));
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.step(|now| now.fault(6, None))?;
            guest.step(|now| now.fault(0, None))
        }),
        case("a fault, and back to another instruction", &[Mode::R, Mode::P, Mode::L], |guest| {
            let fault = guest.code("ud2", &[0x0f, 0x0b]);
            guest.org(handler(6));
            let pop = guest.code("pop {bx}", &[0x5b]);
            let push = guest.code("push {ax}", &[0x50]);
            let wide = guest.wide();
            guest.code("iret", &[&wide[..], &[0xcf]].concat());
            let back = CODE + fault as u64;
            guest.gpr([(Rax, back)])?;
            guest.step(|now| now.fault(6, None))?;
            guest.step(|now| {
                now.next(pop);
                let size = now.mode.word();
                let ip = now.pop(size);
                now.set(Rbx, ip, size);
            })?;
            guest.step(|now| {
                now.next(push);
                now.push(back, now.mode.word());
            })?;
            guest.step(|now| now.iret())
        }),
        case("mov ds from a selector beyond the table", PROTECTED, |guest| {
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, 0xfff8)])?;
            guest.step(|now| now.fault(13, Some(0xfff8)))
        }),
        case("mov ds from a selector beyond the table under AC", PROTECTED, |guest| {
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, 0xfff8)])?;
            guest.set(|cpu| cpu.rflags |= AC)?;
            guest.step(|now| now.fault(13, Some(0xfff8)))
        }),
        case("mov ds from a segment that is not present", RING0_PROTECTED, |guest| {
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, ABSENT.into())])?;
            guest.step(|now| now.fault(11, Some(ABSENT)))
        }),
        case("mov ss from a segment that is not present", RING0_PROTECTED, |guest| {
            guest.code("mov ss, ax", &[0x8e, 0xd0]);
            guest.gpr([(Rax, ABSENT.into())])?;
            guest.step(|now| now.fault(12, Some(ABSENT)))
        }),
        case("mov ss from a null selector", &[Mode::P16, Mode::P, Mode::P3, Mode::G], |guest| {
            guest.code("mov ss, ax", &[0x8e, 0xd0]);
            guest.gpr([(Rax, 0)])?;
            guest.step(|now| now.fault(13, Some(0)))
        }),
        case("a privileged instruction", USER, |guest| {
            guest.code("mov cr0, {ax}", &[0x0f, 0x22, 0xc0]);
            guest.step(|now| now.fault(13, Some(0)))
        }),
        case("read of a page that is not there", PAGED, |guest| {
            guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, UNMAPPED + 4)])?;
            guest.step(|now| page_fault(now, UNMAPPED + 4, 0))
        }),
        case("write to a page that is not there", PAGED, |guest| {
            guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, UNMAPPED + 4)])?;
            guest.step(|now| page_fault(now, UNMAPPED + 4, 2))
        }),
        case("push to a page that is not there", PAGED, |guest| {
            guest.code("push {ax}", &[0x50]);
            // Only where the handler has a stack of its own.
            let stack = if guest.mode == Mode::U { UNMAPPED + 0x100 } else { STACK };
            guest.gpr([(Rsp, stack)])?;
            if guest.mode == Mode::U {
                return guest.step(|now| page_fault(now, UNMAPPED + 0xf8, 2));
            }
            guest.step(|now| {
                now.next(1);
                now.push(0, now.mode.word());
            })
        }),
        case("jmp to a page that is not there", PAGED, |guest| {
            let near = guest.code("jmp {ax}", &[0xff, 0xe0]);
            guest.gpr([(Rax, UNMAPPED)])?;
            assert_eq!(near, 2);
            guest.step(|now| now.jump(UNMAPPED))?;
            guest.step(|now| page_fault(now, UNMAPPED, 0))
        }),
        case("an exception whose gate is not present", RING0_PROTECTED, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            absent_gate(guest, 6);
            guest.step(|now| now.fault(11, Some(6 * 8 + 3)))
        }),
        case("a double fault", RING0_PROTECTED, |guest| {
            // #NP for the gate of #DE, and #NP again for its own.
            guest.code("div bl", &[0xf6, 0xf3]);
            absent_gate(guest, 0);
            guest.step(|now| now.double_fault())
        }),
        case("a triple fault", RING0_PROTECTED, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.step(|now| now.shutdown())
        }),
        case("a triple fault in real mode", &[Mode::R], |guest| {
            guest.code("int 0x20", &[0xcd, 0x20]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.step(|now| now.shutdown())
        }),
        case("div by zero without a table in real mode", &[Mode::R], |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.gpr([(Rbx, 0)])?;
            guest.step(|now| now.shutdown())
        }),
        case("ud2 without a table in real mode", &[Mode::R], |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.step(|now| now.shutdown())
        }),
        case("a word at FFFFh without a table in real mode", &[Mode::R], |guest| {
            guest.code("mov ax, [si]", &[0x8b, 0x04]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.gpr([(Rsi, 0xffff)])?;
            guest.step(|now| now.shutdown())
        }),
        case("a word at FFFFh with a table up to #DF in real mode", &[Mode::R], |guest| {
            guest.code("mov ax, [si]", &[0x8b, 0x04]);
            guest.set(|cpu| cpu.idtr.limit = 8 * 4 + 3)?;
            guest.gpr([(Rsi, 0xffff)])?;
            guest.step(|now| now.double_fault())
        }),
        case("ud2 with a table up to #UD in real mode", &[Mode::R], |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.idtr.limit = 6 * 4 + 3)?;
            guest.step(|now| now.fault(6, None))
        }),
        case("ud2 without a table in real mode, in free run", &[Mode::R], |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.break_at(handler(6));
            guest.run(|now| now.shutdown())
        }),
        case("push where one byte is left", &[Mode::R], |guest| {
            guest.code("push ax", &[0x50]);
            guest.gpr([(Rsp, 1)])?;
            guest.step(|now| now.shutdown())
        }),
        case("ud2 in free run", ALL, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.break_at(handler(6));
            guest.run(|now| {
                now.fault(6, None);
                now.breakpoint();
            })
        }),
    ]
}

const RING0_PROTECTED: &[Mode] = &[Mode::P16, Mode::P, Mode::G, Mode::L];

fn page_fault(now: &mut crate::want::Want, addr: u64, code: u16) {
    let user = if now.mode == Mode::U { 4 } else { 0 };
    now.cpu.cr2 = addr;
    now.fault(14, Some(code | user));
}

fn absent_gate(guest: &mut Subject, vector: u64) {
    let size = if guest.mode.bits() == 64 { 16 } else { 8 };
    guest.poke(IDT + vector * size + 5, &[if guest.mode == Mode::P16 { 0x66 } else { 0x6e }]);
}
