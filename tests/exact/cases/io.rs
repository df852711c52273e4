//! Ports: OUT, IN and the string instructions.

use stepvisor::x86::Gpr::{Rax, Rcx, Rdi, Rdx, Rsi};

use super::ALL;
use crate::Case;
use crate::world::DATA;
use stepvisor::machine::StopReason;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "out imm8, al",
            modes: ALL,
            run: |guest| {
                let len = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
                guest.gpr([(Rax, 0x41)])?;
                guest.step(|now| {
                    now.next(len);
                    now.console.push(0x41);
                })
            },
        },
        Case {
            name: "out dx, al",
            modes: ALL,
            run: |guest| {
                let len = guest.code("out dx, al", &[0xee]);
                guest.gpr([(Rax, 0x42), (Rdx, 0xe9)])?;
                guest.step(|now| {
                    now.next(len);
                    now.console.push(0x42);
                })
            },
        },
        Case {
            name: "out twice",
            modes: ALL,
            run: |guest| {
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
            },
        },
        Case {
            name: "out to the exit port",
            modes: ALL,
            run: |guest| {
                let len = guest.code("out 0xf4, al", &[0xe6, 0xf4]);
                guest.gpr([(Rax, 0x10)])?;
                guest.step(|now| {
                    now.next(len);
                    now.stop = StopReason::Exit { status: 0x21 };
                })
            },
        },
        Case {
            name: "in al, imm8",
            modes: ALL,
            run: |guest| {
                let len = guest.code("in al, 0xe9", &[0xe4, 0xe9]);
                guest.gpr([(Rax, 0x1234_5678)])?;
                guest.step(|now| {
                    now.next(len);
                    now.set(Rax, 0xe9, 1);
                })
            },
        },
        Case {
            name: "in ax, dx, no device",
            modes: ALL,
            run: |guest| {
                let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
                let len = guest.code("in ax, dx", &[prefix, &[0xed]].concat());
                guest.gpr([(Rax, 0x1234_5678), (Rdx, 0x234)])?;
                guest.step(|now| {
                    now.next(len);
                    now.set(Rax, 0xffff, 2);
                })
            },
        },
        Case {
            name: "outsb",
            modes: ALL,
            run: |guest| {
                let len = guest.code("outsb", &[0x6e]);
                guest.poke(DATA, b"x");
                guest.gpr([(Rdx, 0xe9), (Rsi, DATA)])?;
                guest.step(|now| {
                    now.next(len);
                    now.add(Rsi, 1);
                    now.console.push(b'x');
                })
            },
        },
        Case {
            name: "insb",
            modes: ALL,
            run: |guest| {
                let len = guest.code("insb", &[0x6c]);
                guest.gpr([(Rdx, 0xe9), (Rdi, DATA)])?;
                guest.step(|now| {
                    now.next(len);
                    now.add(Rdi, 1);
                    now.write(DATA, &[0xe9]);
                })
            },
        },
        Case {
            name: "rep outsb",
            modes: ALL,
            run: |guest| {
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
            },
        },
        Case {
            name: "rep insb",
            modes: ALL,
            run: |guest| {
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
            },
        },
    ]
}
