//! Free running with breakpoints: the stop is where a step would have led.

use stepvisor::x86::registers::CR0_PE;

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("breakpoint at the first instruction", ALL, |guest| {
            guest.break_at(CODE);
            guest.run(|now| now.breakpoint())?;
            guest.step(|now| now.next(1))
        }),
        case("breakpoint ahead", ALL, |guest| {
            guest.break_at(CODE + 5);
            guest.run(|now| {
                now.next(5);
                now.breakpoint();
            })
        }),
        case("breakpoint inside an instruction", ALL, |guest| {
            let len = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.break_at(CODE + 1);
            guest.break_at(CODE + 2);
            guest.run(|now| {
                now.next(len);
                now.console.push(0);
                now.breakpoint();
            })
        }),
        case("breakpoint where a fault's handler returns to", ALL, |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.org(handler(6));
            let nop = guest.code("nop", &[0x90]);
            let inc = guest.code("inc bl", &[0xfe, 0xc3]);
            iret(guest, guest.cursor());
            guest.gpr([(Rbx, 0)])?;
            guest.step(|now| now.fault(6, None))?;
            guest.step(|now| now.next(nop))?;
            guest.break_at(CODE);
            guest.run(|now| {
                now.next(inc);
                now.set(Rbx, 1, 1);
                now.iret();
                now.breakpoint();
            })
        }),
        case("breakpoint after int", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            iret(guest, handler(0x20));
            guest.break_at(CODE + 2);
            guest.run(|now| {
                now.next(int);
                now.interrupt(0x20);
                now.iret();
                now.breakpoint();
            })
        }),
        case("breakpoint in a handler", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.set(|cpu| cpu.rflags |= IF)?;
            guest.break_at(handler(0x20));
            guest.run(|now| {
                now.next(int);
                now.interrupt(0x20);
                now.breakpoint();
            })
        }),
        case("breakpoints in a handler and after it", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.org(handler(0x20));
            let nop = guest.code("nop", &[0x90]);
            iret(guest, handler(0x20) + 1);
            guest.break_at(handler(0x20));
            guest.break_at(CODE + 2);
            guest.run(|now| {
                now.next(int);
                now.interrupt(0x20);
                now.breakpoint();
            })?;
            guest.step(|now| now.next(nop))?;
            guest.run(|now| {
                now.iret();
                now.breakpoint();
            })
        }),
        case("breakpoint in the handler of a fault", ALL, |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.break_at(handler(0));
            guest.run(|now| {
                now.fault(0, None);
                now.breakpoint();
            })
        }),
        case("breakpoint on rep movsb", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let rep = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"xyz");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.break_at(CODE + 1);
            guest.break_at(CODE + 3);
            guest.run(|now| {
                now.next(nop);
                now.breakpoint();
            })?;
            // Off the breakpoint by a step, and not onto it again.
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(DATA + 0x10, b"x");
            })?;
            guest.run(|now| {
                now.add(Rsi, 2);
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.write(DATA + 0x11, b"yz");
                now.next(rep);
                now.breakpoint();
            })
        }),
        case("breakpoint after rep stosb to video memory", ALL, |guest| {
            let rep = guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 3), (Rax, 0x2b)])?;
            guest.break_at(CODE + 2);
            guest.run(|now| {
                now.add(Rdi, 3);
                now.add(Rcx, -3);
                now.write(VGA, b"+++");
                now.next(rep);
                now.breakpoint();
            })
        }),
        case("breakpoint after mov ss", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            guest.gpr([(Rax, guest.mode.data().into())])?;
            guest.break_at(CODE + 2);
            guest.run(|now| {
                now.next(ss);
                now.breakpoint();
            })
        }),
        case("breakpoint after pop ss", LEGACY, |guest| {
            let ss = guest.code("pop ss", &[0x17]);
            guest.poke(STACK - 4, &u32::from(guest.mode.data()).to_le_bytes());
            guest.gpr([(Rsp, STACK - 4)])?;
            guest.break_at(CODE + 1);
            guest.run(|now| {
                now.next(ss);
                now.pop(now.mode.word());
                now.breakpoint();
            })
        }),
        case(
            "breakpoint after sti",
            &[Mode::R, Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L],
            |guest| {
                let len = guest.code("sti", &[0xfb]);
                guest.break_at(CODE + 1);
                guest.run(|now| {
                    now.next(len);
                    now.flags(IF, 0);
                    now.breakpoint();
                })
            },
        ),
        case("breakpoint on hlt", RING0, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let hlt = guest.code("hlt", &[0xf4]);
            guest.break_at(CODE + 1);
            guest.run(|now| {
                now.next(nop);
                now.breakpoint();
            })?;
            guest.step(|now| {
                now.next(hlt);
                now.halt();
            })
        }),
        case("breakpoint on out", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let out = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.break_at(CODE + 1);
            guest.break_at(CODE + 3);
            guest.run(|now| {
                now.next(nop);
                now.breakpoint();
            })?;
            guest.step(|now| {
                now.next(out);
                now.console.push(0);
            })?;
            guest.run(|now| now.breakpoint())
        }),
        case("breakpoint after a write to video memory", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(VGA, 0)?;
            guest.gpr([(Rax, 0x43)])?;
            guest.break_at(CODE + len as u64);
            guest.run(|now| {
                now.next(len);
                now.write(VGA, b"C");
                now.breakpoint();
            })
        }),
        case("breakpoint after pushf", ALL, |guest| {
            let len = guest.code("pushf", &[0x9c]);
            guest.break_at(CODE + 1);
            guest.run(|now| {
                now.next(len);
                now.push(now.cpu.rflags & 0xfc_ffff, now.mode.word());
                now.breakpoint();
            })
        }),
        case("six breakpoints in a row", ALL, |guest| {
            for offset in 1..7 {
                guest.break_at(CODE + offset);
            }
            for offset in 1..7 {
                guest.run(|now| {
                    now.jump(CODE + offset);
                    now.breakpoint();
                })?;
                guest.step(|now| now.next(1))?;
            }
            Ok(())
        }),
        case("one address through two segments", &[Mode::R, Mode::V], |guest| {
            guest.code("jmp 0x07c0:0x0010", &[0xea, 0x10, 0, 0xc0, 7]);
            guest.org(CODE + 0x10);
            let nop = guest.code("nop", &[0x90]);
            guest.code("jmp 0x0000:0x7c10", &[0xea, 0x10, 0x7c, 0, 0]);
            guest.break_at(CODE + 0x10);
            guest.run(|now| {
                now.far_jump(0x7c0, 0x10);
                now.breakpoint();
            })?;
            guest.step(|now| now.next(nop))?;
            guest.run(|now| {
                now.far_jump(0, 0x7c10);
                now.breakpoint();
            })
        }),
        case("one address through two descriptors", &[Mode::P16, Mode::P, Mode::G], |guest| {
            let (window, code) = match guest.mode {
                Mode::P16 => (WINDOW16, CODE16),
                _ => (WINDOW32, CODE32),
            };
            let far = |selector: u16, offset: u64| {
                let size = if code == CODE16 { 2 } else { 4 };
                [&[0xea][..], &offset.to_le_bytes()[..size], &selector.to_le_bytes()].concat()
            };
            guest.code("jmp WINDOW:0xc10", &far(window, CODE + 0x10 - WINDOW));
            guest.org(CODE + 0x10);
            let nop = guest.code("nop", &[0x90]);
            guest.code("jmp CODE:0x7c10", &far(code, CODE + 0x10));
            guest.break_at(CODE + 0x10);
            guest.run(|now| {
                now.far_jump(window, CODE + 0x10 - WINDOW);
                now.breakpoint();
            })?;
            guest.step(|now| now.next(nop))?;
            guest.run(|now| {
                now.far_jump(code, CODE + 0x10);
                now.breakpoint();
            })
        }),
        case("breakpoint at the target of the switch to protected mode", &[Mode::R], |guest| {
            guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            guest.code("jmp dword CODE32:FAR", &[0x66, 0xea, 0, 0xb0, 0, 0, 8, 0]);
            let cr0 = guest.now.cpu.cr0 | CR0_PE;
            guest.gpr([(Rax, cr0)])?;
            guest.set(|cpu| (cpu.gdtr.base, cpu.gdtr.limit) = (GDT, 0x8f))?;
            guest.break_at(FAR);
            guest.run(|now| {
                now.cpu.cr0 = cr0;
                now.cpu.segments.cs = world::segment(CODE32);
                now.jump(FAR);
                now.breakpoint();
            })
        }),
        case("breakpoint right after mov cr0", &[Mode::R], |guest| {
            let len = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let cr0 = guest.now.cpu.cr0 | CR0_PE;
            guest.gpr([(Rax, cr0)])?;
            guest.set(|cpu| (cpu.gdtr.base, cpu.gdtr.limit) = (GDT, 0x8f))?;
            guest.break_at(CODE + len as u64);
            guest.run(|now| {
                now.cpu.cr0 = cr0;
                now.next(len);
                now.breakpoint();
            })
        }),
        case("breakpoint where retf leads", ALL, |guest| {
            guest.code("retf", &[0xcb]);
            let size = guest.mode.word().min(4);
            let top = STACK - 0x10;
            guest.poke(top, &FAR.to_le_bytes()[..size.into()]);
            guest.poke(top + u64::from(size), &guest.mode.code().to_le_bytes());
            guest.gpr([(Rsp, top)])?;
            guest.break_at(FAR);
            guest.run(|now| {
                now.pop(size);
                now.pop(size);
                now.far_jump(now.mode.code(), FAR);
                now.breakpoint();
            })
        }),
    ]
}

pub(super) fn iret(guest: &mut Subject, addr: u64) {
    guest.org(addr);
    let wide = guest.wide();
    guest.code("iret", &[&wide[..], &[0xcf]].concat());
}
