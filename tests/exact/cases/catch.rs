//! Catchpoints in free run: software interrupts, ports and switches of the mode.

use stepvisor::machine::Caught;
use stepvisor::machine::stop_on::caught::What;
use stepvisor::x86::registers::CR0_PE;

use super::breakpoints::iret;
use super::*;

/// The first catchpoint stops the guest at `what`, whose place is `now`'s.
fn caught(now: &mut crate::want::Want, what: What) {
    now.stop = StopReason::Caught(Caught { number: 1, what, location: now.cpu.location() });
}

/// `int vector` or another form of it, AX as it is.
fn interrupt(now: &mut crate::want::Want, vector: u8, other_form: Option<&'static str>) {
    let ax = (now.cpu.get(Rax) & 0xffff) as u16;
    caught(now, What::Interrupt { vector, other_form, ax, half: None });
}

pub fn cases() -> Vec<Case> {
    vec![
        case("catch int 0x20, then run through its handler", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            iret(guest, handler(0x20));
            guest.stop_at("int 0x20");
            guest.break_at(CODE + 3);
            guest.run(|now| {
                now.next(nop);
                interrupt(now, 0x20, None);
            })?;
            guest.run(|now| {
                now.next(int);
                now.interrupt(0x20);
                now.iret();
                now.breakpoint();
            })
        }),
        case("catch int 0x20, then step into its handler", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.set(|cpu| cpu.rflags |= IF | CF)?;
            guest.stop_at("int 0x20");
            guest.run(|now| interrupt(now, 0x20, None))?;
            guest.step(|now| {
                now.next(int);
                now.interrupt(0x20);
            })
        }),
        case("catch int 0x20 with a value in AX only", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            let mov = guest.code("mov al, 5", &[0xb0, 5]);
            guest.code("int 0x20", &[0xcd, 0x20]);
            iret(guest, handler(0x20));
            guest.stop_at("int 0x20 ax=0x1205");
            guest.gpr([(Rax, 0x1204)])?;
            guest.run(|now| {
                // What the first one has left below the stack pointer.
                now.next(int);
                now.interrupt(0x20);
                now.iret();
                now.next(mov);
                now.set(Rax, 5, 1);
                interrupt(now, 0x20, None);
            })
        }),
        case("catch int3", ALL, |guest| {
            let len = guest.code("int3", &[0xcc]);
            guest.stop_at("int 3");
            guest.run(|now| interrupt(now, 3, Some("int3")))?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(3);
            })
        }),
        case("catch icebp", ALL, |guest| {
            let len = guest.code("int1", &[0xf1]);
            guest.stop_at("int 1");
            guest.run(|now| interrupt(now, 1, Some("int1")))?;
            guest.step(|now| {
                now.next(len);
                now.interrupt(1);
            })
        }),
        case("catch into with an overflow", LEGACY, |guest| {
            let nop = guest.code("into", &[0xce]);
            let len = guest.code("add al, 1", &[0x04, 1]);
            guest.code("into", &[0xce]);
            guest.gpr([(Rax, 0x7f)])?;
            guest.stop_at("int 4");
            guest.run(|now| {
                now.next(nop + len);
                now.set(Rax, 0x80, 1);
                now.flags(OF | SF | AF, CF | PF | ZF);
                interrupt(now, 4, Some("into"));
            })
        }),
        case("catch the int of a handler", ALL, |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.org(handler(0x20));
            guest.code("int 0x21", &[0xcd, 0x21]);
            guest.stop_at("int 0x21");
            guest.run(|now| {
                now.next(int);
                now.interrupt(0x20);
                interrupt(now, 0x21, None);
            })
        }),
        case("catch out", ALL, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let len = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.gpr([(Rax, 0x41)])?;
            guest.stop_at("out 0xe9 0x41");
            guest.run(|now| {
                now.next(nop);
                let what = What::Port { port: 0xe9, size: 1, write: true, value: 0x41 };
                caught(now, what);
                now.next(len);
                now.console.push(0x41);
            })?;
            guest.step(|now| now.next(1))
        }),
        case("catch in", ALL, |guest| {
            let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
            let len = guest.code("in ax, dx", &[prefix, &[0xed]].concat());
            guest.gpr([(Rax, 0x1234_5678), (Rdx, 0x234)])?;
            guest.stop_at("in 0x200-0x2ff 0xffff");
            guest.run(|now| {
                caught(now, What::Port { port: 0x234, size: 2, write: false, value: 0xffff });
                now.next(len);
                now.set(Rax, 0xffff, 2);
            })?;
            guest.step(|now| now.next(1))
        }),
        case("catch an element of rep outsb", ALL, |guest| {
            let rep = guest.code("rep outsb", &[0xf3, 0x6e]);
            guest.poke(DATA, b"abc");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdx, 0xe9)])?;
            guest.stop_at("out 0xe9 0x62");
            guest.run(|now| {
                caught(now, What::Port { port: 0xe9, size: 1, write: true, value: 0x62 });
                now.add(Rcx, -2);
                now.add(Rsi, 2);
                now.console.extend(b"ab");
            })?;
            guest.step(|now| {
                now.add(Rcx, -1);
                now.add(Rsi, 1);
                now.console.push(b'c');
                now.next(rep);
            })
        }),
        case("catch the last element of rep outsb", ALL, |guest| {
            let rep = guest.code("rep outsb", &[0xf3, 0x6e]);
            guest.poke(DATA, b"abc");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdx, 0xe9)])?;
            guest.stop_at("out 0xe9 0x63");
            guest.run(|now| {
                caught(now, What::Port { port: 0xe9, size: 1, write: true, value: 0x63 });
                now.next(rep);
                now.add(Rcx, -3);
                now.add(Rsi, 3);
                now.console.extend(b"abc");
            })
        }),
        case("catch each element of rep insb", ALL, |guest| {
            let rep = guest.code("rep insb", &[0xf3, 0x6c]);
            guest.gpr([(Rcx, 2), (Rdi, DATA), (Rdx, 0x234)])?;
            guest.stop_at("in 0x234");
            for index in 0..2 {
                guest.run(|now| {
                    caught(now, What::Port { port: 0x234, size: 1, write: false, value: 0xff });
                    now.add(Rcx, -1);
                    now.add(Rdi, 1);
                    now.write(DATA + index, &[0xff]);
                    now.next(if index == 1 { rep } else { 0 });
                })?;
            }
            guest.step(|now| now.next(1))
        }),
        case("catch the switch to protected mode", &[Mode::R], |guest| {
            let nop = guest.code("nop", &[0x90]);
            let len = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let value = guest.now.cpu.cr0 | CR0_PE;
            guest.gpr([(Rax, value)])?;
            guest.stop_at("mode");
            guest.run(|now| {
                let from = now.cpu.mode();
                now.next(nop + len);
                now.cpu.cr0 = value;
                let to = now.cpu.mode();
                caught(now, What::ModeSwitch { from, to });
            })
        }),
        case("catch the switch to real mode", &[Mode::P16], |guest| {
            let len = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let value = guest.now.cpu.cr0 & !CR0_PE;
            guest.gpr([(Rax, value)])?;
            guest.stop_at("mode");
            guest.run(|now| {
                let from = now.cpu.mode();
                now.next(len);
                now.cpu.cr0 = value;
                let to = now.cpu.mode();
                caught(now, What::ModeSwitch { from, to });
            })
        }),
        case("catch the way to ring 0 out of virtual-8086 mode", &[Mode::V], |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            guest.stop_at("mode");
            guest.run(|now| {
                let from = now.cpu.mode();
                now.next(int);
                now.interrupt(0x20);
                let to = now.cpu.mode();
                caught(now, What::ModeSwitch { from, to });
            })
        }),
    ]
}
