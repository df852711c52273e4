//! Watchpoints: the stop is after the access, with the address of the watched range.

use WatchKind::{Access, Read, Write};

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("write watch: mov [si], al", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.write(DATA, &[5]);
                now.watchpoint(Write, DATA);
            })
        }),
        case("write watch in free run", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Write, DATA, 1);
            guest.run(|now| {
                now.next(nop + len);
                now.write(DATA, &[5]);
                now.watchpoint(Write, DATA);
            })
        }),
        case("write watch: the value stays", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.watchpoint(Write, DATA);
            })
        }),
        case("write watch does not hit on a read", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0, 1);
            })
        }),
        case("read watch: mov al, [si]", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Read, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0, 1);
                now.watchpoint(Read, DATA);
            })
        }),
        case("read watch does not hit on a write", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Read, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.write(DATA, &[5]);
            })
        }),
        case("read watch passes by writes in free run", ALL, |guest| {
            let write = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            let read = guest.code("mov bl, [{si}]", &[0x8a, guest.at(Rsi, 3)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Read, DATA, 1);
            guest.run(|now| {
                now.next(write + read);
                now.write(DATA, &[5]);
                now.set(Rbx, 5, 1);
                now.watchpoint(Read, DATA);
            })
        }),
        case("read watch does not hit on execution", ALL, |guest| {
            guest.watch(Read, CODE, 16);
            guest.step(|now| now.next(1))
        }),
        case("access watch hits on both", ALL, |guest| {
            let write = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            let read = guest.code("mov bl, [{si}]", &[0x8a, guest.at(Rsi, 3)]);
            guest.gpr([(Rsi, DATA), (Rax, 5)])?;
            guest.watch(Access, DATA, 1);
            guest.run(|now| {
                now.next(write);
                now.write(DATA, &[5]);
                now.watchpoint(Access, DATA);
            })?;
            guest.run(|now| {
                now.next(read);
                now.set(Rbx, 5, 1);
                now.watchpoint(Access, DATA);
            })
        }),
        case("write watch of three bytes, unaligned, touched at its end", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA + 5), (Rax, 7)])?;
            guest.watch(Write, DATA + 3, 3);
            guest.step(|now| {
                now.next(len);
                now.write(DATA + 5, &[7]);
                now.watchpoint(Write, DATA + 3);
            })
        }),
        case("write watch touched by a wider write from below", ALL, |guest| {
            let wide = guest.wide();
            let len =
                guest.code("mov [{si}], {ax}", &[&wide[..], &[0x89, guest.at(Rsi, 0)]].concat());
            let word = usize::from(guest.mode.word());
            let at = DATA + 9 - word as u64;
            guest.gpr([(Rsi, at), (Rax, 0x1111_1111_1111_1111)])?;
            guest.watch(Write, DATA + 8, 1);
            guest.step(|now| {
                now.next(len);
                now.write(at, &vec![0x11; word]);
                now.watchpoint(Write, DATA + 8);
            })
        }),
        case("write watch passes by its neighbours", ALL, |guest| {
            let below = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            let above = guest.code("mov [{di}], al", &[0x88, guest.at(Rdi, 0)]);
            guest.gpr([(Rsi, DATA + 7), (Rdi, DATA + 12), (Rax, 7)])?;
            guest.watch(Write, DATA + 8, 4);
            guest.step(|now| {
                now.next(below);
                now.write(DATA + 7, &[7]);
            })?;
            guest.step(|now| {
                now.next(above);
                now.write(DATA + 12, &[7]);
            })
        }),
        case("write watch of 3000 bytes", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA + 2999), (Rax, 7)])?;
            guest.watch(Write, DATA, 3000);
            guest.run(|now| {
                now.next(len);
                now.write(DATA + 2999, &[7]);
                now.watchpoint(Write, DATA);
            })
        }),
        case("write watch of 24 KiB", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, 0xbfff), (Rax, 7)])?;
            guest.watch(Write, 0x6000, 0x6000);
            guest.step(|now| {
                now.next(len);
                now.write(0xbfff, &[7]);
                now.watchpoint(Write, 0x6000);
            })
        }),
        case("write watch: inc byte [si]", ALL, |guest| {
            let len = guest.code("inc byte [{si}]", &[0xfe, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.write(DATA, &[1]);
                now.flags(0, ARITHMETIC & !CF);
                now.watchpoint(Write, DATA);
            })
        }),
        case("read watch: cmp [si], al", ALL, |guest| {
            let len = guest.code("cmp [{si}], al", &[0x38, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA)])?;
            guest.watch(Read, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.flags(ZF | PF, ARITHMETIC);
                now.watchpoint(Read, DATA);
            })
        }),
        case("write watch: rep movsb, one iteration", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"xyz");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.watch(Write, DATA + 0x11, 1);
            guest.run(|now| {
                now.add(Rsi, 2);
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.write(DATA + 0x10, b"xy");
                now.watchpoint(Write, DATA + 0x11);
            })?;
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(DATA + 0x12, b"z");
                now.next(len);
            })
        }),
        case("read watch: movsb", ALL, |guest| {
            let len = guest.code("movsb", &[0xa4]);
            guest.poke(DATA, b"x");
            guest.gpr([(Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.watch(Read, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.write(DATA + 0x10, b"x");
                now.watchpoint(Read, DATA);
            })
        }),
        case("read watch: rep cmpsb, second operand", ALL, |guest| {
            guest.code("repe cmpsb", &[0xf3, 0xa6]);
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.watch(Read, DATA + 0x11, 1);
            guest.run(|now| {
                now.add(Rsi, 2);
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.flags(ZF | PF, ARITHMETIC);
                now.watchpoint(Read, DATA + 0x11);
            })
        }),
        case("write watch: stosb", ALL, |guest| {
            let len = guest.code("stosb", &[0xaa]);
            guest.gpr([(Rdi, DATA), (Rax, 1)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.write(DATA, &[1]);
                now.watchpoint(Write, DATA);
            })
        }),
        case("write watch: insb", ALL, |guest| {
            let len = guest.code("insb", &[0x6c]);
            guest.gpr([(Rdi, DATA), (Rdx, 0xe9)])?;
            guest.watch(Write, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.write(DATA, &[0xe9]);
                now.watchpoint(Write, DATA);
            })
        }),
        case("read watch: outsb", ALL, |guest| {
            let len = guest.code("outsb", &[0x6e]);
            guest.gpr([(Rsi, DATA), (Rdx, 0xe9)])?;
            guest.watch(Read, DATA, 1);
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.console.push(0);
                now.watchpoint(Read, DATA);
            })
        }),
        case("write watch: push", ALL, |guest| {
            let len = guest.code("push {ax}", &[0x50]);
            guest.gpr([(Rax, 0x55)])?;
            guest.watch(Write, STACK - 2, 2);
            guest.step(|now| {
                now.next(len);
                now.push(0x55, now.mode.word());
                now.watchpoint(Write, STACK - 2);
            })
        }),
        case("write watch: push of what is there", ALL, |guest| {
            let len = guest.code("push {ax}", &[0x50]);
            guest.watch(Write, STACK - 2, 2);
            guest.step(|now| {
                now.next(len);
                now.push(0, now.mode.word());
                now.watchpoint(Write, STACK - 2);
            })
        }),
        case("read watch: pop", ALL, |guest| {
            let len = guest.code("pop {ax}", &[0x58]);
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.watch(Read, STACK - 8, 1);
            guest.step(|now| {
                now.next(len);
                let size = now.mode.word();
                let value = now.pop(size);
                now.set(Rax, value, size);
                now.watchpoint(Read, STACK - 8);
            })
        }),
        case("write watch: call far", ALL, |guest| {
            let (selector, offset) =
                if guest.mode.has_paragraphs() { (0xb00, 0) } else { (guest.mode.code(), FAR) };
            let len = guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
            let size = guest.mode.word().min(4);
            guest.poke(
                DATA,
                &[&offset.to_le_bytes()[..size.into()], &selector.to_le_bytes()].concat(),
            );
            guest.gpr([(Rsi, DATA)])?;
            // The last byte pushed for CS, which is zero before and after.
            guest.watch(Write, STACK - 1, 1);
            guest.step(|now| {
                now.next(len);
                let (back, cs) = (now.cpu.rip, now.cpu.segments.cs.selector);
                now.push(cs.into(), size);
                now.push(back, size);
                now.far_jump(selector, offset);
                now.watchpoint(Write, STACK - 1);
            })
        }),
        case("write watch: the frame of an interrupt", ALL, |guest| {
            let len = guest.code("int 0x20", &[0xcd, 0x20]);
            let addr = frame_byte(guest.mode);
            guest.watch(Write, addr, 1);
            guest.run(|now| {
                now.next(len);
                now.interrupt(0x20);
                now.watchpoint(Write, addr);
            })
        }),
        case("write watch: the frame of a fault", ALL, |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            let addr = frame_byte(guest.mode);
            guest.watch(Write, addr, 1);
            guest.step(|now| {
                now.fault(0, None);
                now.watchpoint(Write, addr);
            })
        }),
        case("read watch: iret", RING0, |guest| {
            let wide = guest.wide();
            guest.code("iret", &[&wide[..], &[0xcf]].concat());
            let word = usize::from(guest.mode.word());
            let frame = [FAR, guest.mode.code().into(), 2, STACK, guest.mode.data().into()];
            let top = STACK - 5 * word as u64;
            for (at, value) in (0..).zip(frame) {
                guest.poke(top + at * word as u64, &value.to_le_bytes()[..word]);
            }
            guest.gpr([(Rsp, top)])?;
            guest.watch(Read, top + word as u64, 1);
            guest.step(|now| {
                now.iret();
                now.watchpoint(Read, top + word as u64);
            })
        }),
        case("write watch in video memory", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(VGA + 2, 0)?;
            guest.gpr([(Rax, 0x57)])?;
            guest.watch(Write, VGA + 2, 1);
            guest.run(|now| {
                now.next(len);
                now.write(VGA + 2, b"W");
                now.watchpoint(Write, VGA + 2);
            })
        }),
        case("write watch in video memory: rep stosb", ALL, |guest| {
            guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 4), (Rax, 0x57)])?;
            guest.watch(Write, VGA + 1, 1);
            guest.run(|now| {
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.write(VGA, b"WW");
                now.watchpoint(Write, VGA + 1);
            })
        }),
        case("write watch in video memory: the last element of rep stosb", ALL, |guest| {
            let len = guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 2), (Rax, 0x57)])?;
            guest.watch(Write, VGA + 1, 1);
            guest.run(|now| {
                now.next(len);
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.write(VGA, b"WW");
                now.watchpoint(Write, VGA + 1);
            })
        }),
        case("write watch in video memory: the only element of rep movsb", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"m");
            guest.point(DATA, VGA)?;
            guest.gpr([(Rcx, 1)])?;
            guest.watch(Access, VGA, 1);
            guest.run(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(VGA, b"m");
                now.watchpoint(Access, VGA);
            })
        }),
        case("write watch in video memory: the only element of rep stosb under TF", ALL, |guest| {
            let len = guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 1), (Rax, 0x57)])?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.watch(Write, VGA, 1);
            guest.run(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(VGA, b"W");
                now.debug_trap(1 << 14);
                now.watchpoint(Write, VGA);
            })
        }),
        case("write watch in video memory: stosb before a rep stosb of none", ALL, |guest| {
            let len = guest.code("stosb", &[0xaa]);
            guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 0), (Rax, 0x57)])?;
            guest.watch(Write, VGA, 1);
            guest.run(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.write(VGA, b"W");
                now.watchpoint(Write, VGA);
            })?;
            guest.step(|now| now.next(2))
        }),
        case("write watch in video memory, with the stack there: int", RING0, |guest| {
            let push = guest.code("push {ax}", &[0x50]);
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            stack_in_video_memory(guest)?;
            guest.watch(Write, VGA, 1);
            guest.break_at(handler(0x20));
            guest.run(|now| {
                now.next(push);
                now.push(now.cpu.get(Rax), now.mode.word());
                now.next(int);
                now.interrupt(0x20);
                now.breakpoint();
            })
        }),
        case("write watch in video memory, with the stack there: pusha", LEGACY, |guest| {
            let pusha = guest.code("pusha", &[0x60]);
            let push = guest.code("push {ax}", &[0x50]);
            guest.code("pusha", &[0x60]);
            stack_in_video_memory(guest)?;
            guest.watch(Write, VGA, 1);
            let all = |now: &mut Want| {
                let registers = now.cpu.gpr;
                registers[..8].iter().for_each(|value| now.push(*value, now.mode.word()));
                now.next(pusha);
            };
            guest.break_at(guest.cursor());
            guest.run(|now| {
                all(now);
                now.push(now.cpu.get(Rax), now.mode.word());
                now.next(push);
                all(now);
                now.breakpoint();
            })?;
            guest.code("pusha", &[0x60]);
            guest.step(all)
        }),
        case("write watch in video memory, with the stack there: call far", LEGACY, |guest| {
            let word = usize::from(guest.mode.word());
            let selector = guest.now.cpu.segments.cs.selector;
            let target = FAR - guest.now.cpu.segments.cs.base;
            let code =
                [&[0x9a][..], &target.to_le_bytes()[..word], &selector.to_le_bytes()].concat();
            let push = guest.code("push {ax}", &[0x50]);
            let len = guest.code("call far there", &code);
            guest.org(FAR);
            guest.code("call far there", &code);
            stack_in_video_memory(guest)?;
            guest.watch(Write, VGA, 1);
            guest.break_at(FAR);
            let call = |now: &mut Want| {
                now.next(len);
                now.push(selector.into(), now.mode.word());
                now.push(now.cpu.rip, now.mode.word());
                now.cpu.rip = target;
            };
            guest.run(|now| {
                now.push(now.cpu.get(Rax), now.mode.word());
                now.next(push);
                call(now);
                now.breakpoint();
            })?;
            guest.step(call)
        }),
        case("read watch in video memory", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.poke(VGA, b"R");
            guest.point(VGA, 0)?;
            guest.watch(Read, VGA, 2);
            guest.run(|now| {
                now.next(len);
                now.set(Rax, 0x52, 1);
                now.watchpoint(Read, VGA);
            })
        }),
        case("write watch where nothing is", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(NOTHING, 0)?;
            guest.watch(Write, NOTHING, 1);
            guest.run(|now| {
                now.next(len);
                now.watchpoint(Write, NOTHING);
            })
        }),
        case("read watch where nothing is", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.point(NOTHING, 0)?;
            guest.watch(Read, NOTHING, 1);
            guest.run(|now| {
                now.next(len);
                now.set(Rax, 0xff, 1);
                now.watchpoint(Read, NOTHING);
            })
        }),
        case("six watchpoints, and a breakpoint", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.gpr([(Rsi, DATA + 0x50), (Rax, 1)])?;
            for index in 0..6 {
                guest.watch(Write, DATA + index * 0x10, 4);
            }
            guest.break_at(CODE + len as u64 + 2);
            guest.run(|now| {
                now.next(len);
                now.write(DATA + 0x50, &[1]);
                now.watchpoint(Write, DATA + 0x50);
            })?;
            guest.run(|now| {
                now.next(2);
                now.breakpoint();
            })
        }),
    ]
}

/// The byte of a handler's frame that changes in all modes and is written first but for SS: the low byte of
/// the saved CS or, where that is 0, of what is pushed next.
pub(super) fn frame_byte(mode: Mode) -> u64 {
    match mode {
        Mode::R | Mode::P16 => STACK - 4,
        Mode::P | Mode::G => STACK - 8,
        Mode::V | Mode::P3 => STACK0 - 16,
        Mode::L => STACK - 32,
        Mode::U => STACK0 - 32,
    }
}

/// The guest's stack is in text memory.
fn stack_in_video_memory(guest: &mut Subject) -> Verdict {
    let mode = guest.mode;
    guest.set(|cpu| {
        let (segment, sp) = match mode {
            Mode::R | Mode::V => (Some(0xb800), 0x100),
            Mode::P16 => (Some(VIDEO16), 0x100),
            _ => (None, VGA + 0x100),
        };
        if let Some(selector) = segment {
            cpu.segments.ss = mode.segment(selector);
        }
        *cpu.get_mut(Rsp) = sp;
    })
}
