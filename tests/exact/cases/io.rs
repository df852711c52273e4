//! Ports: OUT, IN and the string instructions.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("out imm8, al", ALL, |guest| {
            let len = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.gpr([(Rax, 0x41)])?;
            guest.step(|now| {
                now.next(len);
                now.console.push(0x41);
            })
        }),
        case("out dx, al", ALL, |guest| {
            let len = guest.code("out dx, al", &[0xee]);
            guest.gpr([(Rax, 0x42), (Rdx, 0xe9)])?;
            guest.step(|now| {
                now.next(len);
                now.console.push(0x42);
            })
        }),
        case("out twice", ALL, |guest| {
            let first = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            let second = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            guest.gpr([(Rax, 0x43)])?;
            for len in [first, second] {
                guest.step(|now| {
                    now.next(len);
                    now.console.push(0x43);
                })?;
            }
            Ok(())
        }),
        case("out to the exit port", ALL, |guest| {
            let len = guest.code("out 0xf4, al", &[0xe6, 0xf4]);
            guest.gpr([(Rax, 0x10)])?;
            guest.step(|now| {
                now.next(len);
                now.stop = StopReason::Exit { status: 0x21 };
            })
        }),
        case("in al, imm8", ALL, |guest| {
            let len = guest.code("in al, 0xe9", &[0xe4, 0xe9]);
            guest.gpr([(Rax, 0x1234_5678)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0xe9, 1);
            })
        }),
        case("in ax, dx, no device", ALL, |guest| {
            let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
            let len = guest.code("in ax, dx", &[prefix, &[0xed]].concat());
            guest.gpr([(Rax, 0x1234_5678), (Rdx, 0x234)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0xffff, 2);
            })
        }),
        case("outsb", ALL, |guest| {
            let len = guest.code("outsb", &[0x6e]);
            guest.poke(DATA, b"x");
            guest.gpr([(Rdx, 0xe9), (Rsi, DATA)])?;
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.console.push(b'x');
            })
        }),
        case("insb", ALL, |guest| {
            let len = guest.code("insb", &[0x6c]);
            guest.gpr([(Rdx, 0xe9), (Rdi, DATA)])?;
            guest.step(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.write(DATA, &[0xe9]);
            })
        }),
        case("rep outsb", ALL, |guest| {
            let len = guest.code("rep outsb", &[0xf3, 0x6e]);
            guest.poke(DATA, b"abc");
            guest.gpr([(Rcx, 3), (Rdx, 0xe9), (Rsi, DATA)])?;
            for item in *b"abc" {
                guest.step(|now| {
                    now.add(Rsi, 1);
                    now.add(Rcx, -1);
                    now.console.push(item);
                    now.next(if item == b'c' { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep insb", ALL, |guest| {
            let len = guest.code("rep insb", &[0xf3, 0x6c]);
            guest.gpr([(Rcx, 3), (Rdx, 0xe9), (Rdi, DATA)])?;
            for index in 0..3 {
                guest.step(|now| {
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(DATA + index, &[0xe9]);
                    now.next(if index == 2 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
    ]
}
