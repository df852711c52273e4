//! Repeated string instructions in RAM: one iteration a step.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("rep movsb", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"xyz");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            for (index, byte) in (0..).zip(*b"xyz") {
                guest.step(|now| {
                    now.add(Rsi, 1);
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(DATA + 0x10 + index, &[byte]);
                    now.next(if index == 2 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep movsb, backwards and overlapping", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(DATA, b"abc");
            guest.gpr([(Rcx, 3), (Rsi, DATA + 2), (Rdi, DATA + 3)])?;
            guest.set(|cpu| cpu.rflags |= DF)?;
            for (index, byte) in [(3, b'c'), (2, b'b'), (1, b'a')] {
                guest.step(|now| {
                    now.add(Rsi, -1);
                    now.add(Rdi, -1);
                    now.add(Rcx, -1);
                    now.write(DATA + index, &[byte]);
                    now.next(if index == 1 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep stosb", ALL, |guest| {
            let len = guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.gpr([(Rcx, 2), (Rax, 0x77), (Rdi, DATA)])?;
            for index in 0..2 {
                guest.step(|now| {
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(DATA + index, &[0x77]);
                    now.next(if index == 1 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep lodsb", ALL, |guest| {
            let len = guest.code("rep lodsb", &[0xf3, 0xac]);
            guest.poke(DATA, b"12");
            guest.gpr([(Rcx, 2), (Rsi, DATA)])?;
            for byte in *b"12" {
                guest.step(|now| {
                    now.add(Rsi, 1);
                    now.add(Rcx, -1);
                    now.set(Rax, byte.into(), 1);
                    now.next(if byte == b'2' { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep with a counter of zero", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.gpr([(Rcx, 0), (Rsi, DATA), (Rdi, DATA + 1)])?;
            guest.step(|now| now.next(len))
        }),
        case("repe cmpsb until they differ", ALL, |guest| {
            let len = guest.code("repe cmpsb", &[0xf3, 0xa6]);
            guest.poke(DATA, b"aa");
            guest.poke(DATA + 0x10, b"ab");
            guest.gpr([(Rcx, 5), (Rsi, DATA), (Rdi, DATA + 0x10)])?;
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.flags(ZF | PF, ARITHMETIC);
            })?;
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.flags(CF | PF | AF | SF, ARITHMETIC);
                now.next(len);
            })
        }),
        case("repne scasb until it is found", ALL, |guest| {
            let len = guest.code("repne scasb", &[0xf2, 0xae]);
            guest.poke(DATA, b"ab");
            guest.gpr([(Rcx, 5), (Rax, 0x62), (Rdi, DATA)])?;
            guest.step(|now| {
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.flags(0, ARITHMETIC);
            })?;
            guest.step(|now| {
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.flags(ZF | PF, ARITHMETIC);
                now.next(len);
            })
        }),
        case("movsb is one step", ALL, |guest| {
            let len = guest.code("movsb", &[0xa4]);
            guest.poke(DATA, b"!");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdi, DATA + 1)])?;
            guest.step(|now| {
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.write(DATA + 1, b"!");
                now.next(len);
            })
        }),
        case("rep movsb runs into a page that is not there", PAGED, |guest| {
            guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(UNMAPPED - 2, b"pq");
            guest.gpr([(Rcx, 4), (Rsi, UNMAPPED - 2), (Rdi, DATA)])?;
            for (index, byte) in (0..).zip(*b"pq") {
                guest.step(|now| {
                    now.add(Rsi, 1);
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(DATA + index, &[byte]);
                })?;
            }
            guest.step(|now| {
                let user = now.mode == Mode::U;
                now.cpu.cr2 = UNMAPPED;
                now.fault(14, Some(if user { 4 } else { 0 }));
            })
        }),
    ]
}
