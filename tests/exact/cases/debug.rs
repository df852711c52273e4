//! The guest's own debugging: its trap flag and debug registers work as without a debugger, and of ours it
//! sees nothing (SDM vol. 3B, 18).

use super::*;

/// DR6.BS, single step.
const BS: u64 = 1 << 14;
/// DR6.BD, access to a debug register.
const BD: u64 = 1 << 13;
/// DR6.RTM, active low.
const RTM: u64 = 1 << 16;
/// DR6.B0.
const B0: u64 = 1;
/// DR7 with DR0 enabled for instructions.
const EXECUTE: u64 = 0x402;
/// DR7 with DR0 enabled for writes of one byte.
const WRITE: u64 = 0x1_0402;
/// DR7 with DR0 enabled for reads and writes of one byte.
const ACCESS: u64 = 0x3_0402;

pub fn cases() -> Vec<Case> {
    vec![
        case("nop under TF", ALL, |guest| {
            let len = guest.code("nop", &[0x90]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(len);
                now.debug_trap(BS);
            })
        }),
        case("nop under TF where the guest has cleared RTM in DR6", ALL, |guest| {
            let len = guest.code("nop", &[0x90]);
            guest.debug_registers(|dr| dr[6] &= !RTM)?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(len);
                now.debug_trap(BS);
            })
        }),
        case("popf sets TF; nop", ALL, |guest| {
            let popf = guest.code("popf", &[0x9d]);
            let nop = guest.code("nop", &[0x90]);
            guest.poke(STACK - 8, &0x102u64.to_le_bytes());
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.step(|now| {
                now.next(popf);
                now.pop(now.mode.word());
                now.flags(TF, 0);
            })?;
            guest.step(|now| {
                now.next(nop);
                now.debug_trap(BS);
            })
        }),
        case("back from the handler of TF, and on", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let inc = guest.code("mov bl, 3", &[0xb3, 3]);
            guest.org(handler(1));
            let wide = guest.wide();
            guest.code("iret", &[&wide[..], &[0xcf]].concat());
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(nop);
                now.debug_trap(BS);
            })?;
            guest.step(|now| now.iret())?;
            guest.step(|now| {
                now.next(inc);
                now.set(Rbx, 3, 1);
                now.debug_trap(BS);
            })
        }),
        case("out under TF", ALL, |guest| {
            let len = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(len);
                now.console.push(0);
                now.debug_trap(BS);
            })
        }),
        case("mov [si], al to video memory under TF", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(VGA, 0)?;
            guest.gpr([(Rax, 0x54)])?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(len);
                now.write(VGA, b"T");
                now.debug_trap(BS);
            })
        }),
        case("pushf under TF", ALL, |guest| {
            let len = guest.code("pushf", &[0x9c]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(len);
                now.push(now.cpu.rflags & 0xfc_ffff, now.mode.word());
                now.debug_trap(BS);
            })
        }),
        case("rep movsb under TF", ALL, |guest| {
            guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"xy");
            guest.gpr([(Rcx, 2), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(DATA + 0x10, b"x");
                now.debug_trap_in_repetition(BS);
            })
        }),
        case("int under TF", ALL, |guest| {
            let len = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            // The interrupt clears TF, and nothing traps.
            guest.step(|now| {
                now.next(len);
                now.interrupt(0x20);
            })
        }),
        case("div by zero under TF", ALL, |guest| {
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| now.fault(0, None))
        }),
        case("mov ss, ax under TF; nop", ALL, |guest| {
            let ss = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            let nop = guest.code("nop", &[0x90]);
            guest.gpr([(Rax, guest.mode.data().into())])?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            // The load holds the trap back (SDM vol. 3A, 6.8.3).
            guest.step(|now| now.next(ss))?;
            guest.step(|now| {
                now.next(nop);
                now.debug_trap(BS);
            })
        }),
        case("popf clears TF", ALL, |guest| {
            let len = guest.code("popf", &[0x9d]);
            guest.poke(STACK - 8, &2u64.to_le_bytes());
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            // TF was set when the instruction began, so it traps.
            guest.step(|now| {
                now.next(len);
                now.pop(now.mode.word());
                now.flags(0, TF);
                now.debug_trap(BS);
            })
        }),
        case("TF in free run", ALL, |guest| {
            let len = guest.code("nop", &[0x90]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(len);
                now.debug_trap(BS);
                now.breakpoint();
            })
        }),
        case("TF in free run where the guest has cleared RTM in DR6", ALL, |guest| {
            let len = guest.code("nop", &[0x90]);
            guest.debug_registers(|dr| dr[6] &= !RTM)?;
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(len);
                now.debug_trap(BS);
                now.breakpoint();
            })
        }),
        case("popf sets TF in free run", ALL, |guest| {
            let popf = guest.code("popf", &[0x9d]);
            let nop = guest.code("nop", &[0x90]);
            guest.poke(STACK - 8, &0x102u64.to_le_bytes());
            guest.gpr([(Rsp, STACK - 8)])?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(popf + nop);
                now.pop(now.mode.word());
                now.flags(TF, 0);
                now.debug_trap(BS);
                now.breakpoint();
            })
        }),
        case("mov dr7, ax", RING0, |guest| {
            let len = guest.code("mov dr7, {ax}", &[0x0f, 0x23, 0xf8]);
            guest.gpr([(Rax, EXECUTE)])?;
            guest.step(|now| {
                now.next(len);
                now.dr[7] = EXECUTE;
            })
        }),
        case("mov dr0, ax; mov bx, dr0", RING0, |guest| {
            let write = guest.code("mov dr0, {ax}", &[0x0f, 0x23, 0xc0]);
            let read = guest.code("mov {bx}, dr0", &[0x0f, 0x21, 0xc3]);
            guest.gpr([(Rax, 0x1234)])?;
            guest.step(|now| {
                now.next(write);
                now.dr[0] = 0x1234;
            })?;
            guest.step(|now| {
                now.next(read);
                now.set(Rbx, 0x1234, 4);
            })
        }),
        case("an instruction breakpoint of the guest's own", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (CODE + 1, EXECUTE))?;
            guest.step(|now| now.next(nop))?;
            // A fault before the instruction, whose saved flags have RF clear.
            guest.step(|now| now.debug_trap(B0))
        }),
        case("an instruction breakpoint of the guest's own, passed by RF", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (CODE, EXECUTE))?;
            guest.set(|cpu| cpu.rflags |= RF)?;
            guest.step(|now| now.next(nop))
        }),
        case("an instruction breakpoint of the guest's own, in free run", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (CODE + 1, EXECUTE))?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(nop);
                now.debug_trap(B0);
                now.breakpoint();
            })
        }),
        case("a write breakpoint of the guest's own", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (DATA, WRITE))?;
            guest.gpr([(Rsi, DATA), (Rax, 9)])?;
            guest.step(|now| {
                now.next(len);
                now.write(DATA, &[9]);
                now.debug_trap(B0);
            })
        }),
        case("an access breakpoint of the guest's own, read", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (DATA, ACCESS))?;
            guest.gpr([(Rsi, DATA), (Rax, 9)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0, 1);
                now.debug_trap(B0);
            })
        }),
        case("a write breakpoint of the guest's own does not hit on a read", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (DATA, WRITE))?;
            guest.gpr([(Rsi, DATA), (Rax, 9)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0, 1);
            })
        }),
        case("a write breakpoint of the guest's own, in free run", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (DATA, WRITE))?;
            guest.gpr([(Rsi, DATA), (Rax, 9)])?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(nop + len);
                now.write(DATA, &[9]);
                now.debug_trap(B0);
                now.breakpoint();
            })
        }),
        case(
            "a write breakpoint that the guest sets in free run with others set",
            RING0,
            |guest| {
                let mut len = guest.code("mov dr0, {ax}", &[0x0f, 0x23, 0xc0]);
                len += guest.code("mov dr7, {bx}", &[0x0f, 0x23, 0xfb]);
                len += guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, DATA), (Rax, DATA), (Rbx, WRITE | 0x400)])?;
                guest.break_at(handler(1));
                guest.break_at(FAR);
                guest.run(|now| {
                    (now.dr[0], now.dr[7]) = (DATA, WRITE | 0x400);
                    now.next(len);
                    now.write(DATA, &[DATA as u8]);
                    now.debug_trap(B0);
                    now.breakpoint();
                })
            },
        ),
        case("a write breakpoint that the guest takes out in free run", RING0, |guest| {
            let mut len = guest.code("mov dr7, {ax}", &[0x0f, 0x23, 0xf8]);
            len += guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.debug_registers(|dr| (dr[0], dr[7]) = (DATA, WRITE))?;
            guest.gpr([(Rsi, DATA), (Rax, 0x400)])?;
            guest.break_at(CODE + len as u64);
            guest.run(|now| {
                now.dr[7] = 0x400;
                now.next(len);
                now.breakpoint();
            })
        }),
        case("mov dr0 behind mov ss in free run with breakpoints set", RING0, |guest| {
            let mut len = guest.code("mov ss, ax", &[0x8e, 0xd0]);
            len += guest.code("mov dr0, {bx}", &[0x0f, 0x23, 0xc3]);
            len += guest.code("nop", &[0x90]);
            guest.gpr([(Rax, guest.mode.data().into()), (Rbx, DATA)])?;
            guest.break_at(CODE + len as u64);
            guest.run(|now| {
                now.dr[0] = DATA;
                now.next(len);
                now.breakpoint();
            })
        }),
        case("general detect in free run with breakpoints set", RING0, |guest| {
            let nop = guest.code("nop", &[0x90]);
            guest.code("mov {ax}, dr0", &[0x0f, 0x21, 0xc0]);
            guest.debug_registers(|dr| dr[7] = 0x2400)?;
            guest.break_at(handler(1));
            guest.run(|now| {
                now.next(nop);
                now.dr[6] = stepvisor::x86::debug::DR6_FIXED | BD;
                now.dr[7] = 0x400;
                now.fault(1, None);
                now.breakpoint();
            })
        }),
        case("general detect", RING0, |guest| {
            guest.code("mov {ax}, dr0", &[0x0f, 0x21, 0xc0]);
            guest.debug_registers(|dr| dr[7] = 0x2400)?;
            guest.step(|now| {
                now.dr[6] = stepvisor::x86::debug::DR6_FIXED | BD;
                now.dr[7] = 0x400;
                now.fault(1, None);
            })
        }),
        case("the guest reads its own debug registers while breakpoints are set", RING0, |guest| {
            let reads = read_debug_registers(guest);
            for addr in [CODE, CODE + 3, FAR] {
                guest.break_at(addr);
            }
            for (len, register, value) in reads {
                guest.step(|now| {
                    now.next(len);
                    now.set(register, value, 4);
                })?;
            }
            Ok(())
        }),
        case("the guest reads its own debug registers in free run", RING0, |guest| {
            let reads = read_debug_registers(guest);
            let end = guest.cursor();
            for addr in [FAR, FAR + 1, FAR + 2, end] {
                guest.break_at(addr);
            }
            guest.run(|now| {
                for (len, register, value) in reads {
                    now.next(len);
                    now.set(register, value, 4);
                }
                now.breakpoint();
            })
        }),
        case("the guest copies code that has a breakpoint", ALL, |guest| {
            let len = guest.code("movsb", &[0xa4]);
            let nop = guest.code("nop", &[0x90]);
            guest.break_at(CODE + 1);
            guest.gpr([(Rsi, CODE + 1), (Rdi, DATA)])?;
            guest.run(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.write(DATA, &[0x90]);
                now.breakpoint();
            })?;
            guest.step(|now| now.next(nop))
        }),
    ]
}

/// Reads of DR0, DR6 and DR7: length, destination, what a guest that has not used them finds.
fn read_debug_registers(guest: &mut Subject) -> [(usize, Gpr, u64); 3] {
    [
        (guest.code("mov {bx}, dr0", &[0x0f, 0x21, 0xc3]), Rbx, 0),
        (guest.code("mov {cx}, dr6", &[0x0f, 0x21, 0xf1]), Rcx, 0xffff_0ff0),
        (guest.code("mov {dx}, dr7", &[0x0f, 0x21, 0xfa]), Rdx, 0x400),
    ]
}
