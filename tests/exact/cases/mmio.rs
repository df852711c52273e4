//! Memory outside RAM: text memory, and addresses where nothing is.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("mov [si], al to video memory", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(VGA + 4, 0)?;
            guest.gpr([(Rax, 0x41)])?;
            guest.step(|now| {
                now.next(len);
                now.write(VGA + 4, b"A");
            })
        }),
        case("mov [si], ax to video memory", ALL, |guest| {
            let len = guest
                .code("mov [{si}], {ax}", &[&guest.wide()[..], &[0x89, guest.at(Rsi, 0)]].concat());
            let value = 0x1142_1141_1142_1141u64;
            guest.point(VGA + 3, 0)?;
            guest.gpr([(Rax, value)])?;
            guest.step(|now| {
                now.next(len);
                now.write(VGA + 3, &value.to_le_bytes()[..usize::from(now.mode.word())]);
            })
        }),
        case("mov al, [si] from video memory", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.poke(VGA + 8, b"Q");
            guest.point(VGA + 8, 0)?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0x51, 1);
            })
        }),
        case("mov ax, [si] from video memory", ALL, |guest| {
            let len = guest
                .code("mov {ax}, [{si}]", &[&guest.wide()[..], &[0x8b, guest.at(Rsi, 0)]].concat());
            guest.poke(VGA + 8, &[1, 2, 3, 4, 5, 6, 7, 8]);
            guest.point(VGA + 8, 0)?;
            guest.gpr([(Rax, 0x8877_6655_4433_2211)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0x0807_0605_0403_0201, now.mode.word());
            })
        }),
        case("inc byte [si] in video memory", ALL, |guest| {
            let len = guest.code("inc byte [{si}]", &[0xfe, guest.at(Rsi, 0)]);
            guest.poke(VGA + 2, &[0x20]);
            guest.point(VGA + 2, 0)?;
            guest.step(|now| {
                now.next(len);
                now.write(VGA + 2, &[0x21]);
                now.flags(PF, ARITHMETIC & !CF);
            })
        }),
        case("xchg [si], al in video memory", ALL, |guest| {
            let len = guest.code("xchg [{si}], al", &[0x86, guest.at(Rsi, 0)]);
            guest.poke(VGA + 2, &[0x55]);
            guest.point(VGA + 2, 0)?;
            guest.gpr([(Rax, 0x99)])?;
            guest.step(|now| {
                now.next(len);
                now.write(VGA + 2, &[0x99]);
                now.set(Rax, 0x55, 1);
            })
        }),
        case("two writes to video memory", ALL, |guest| {
            let code = [0x88, guest.at(Rsi, 0)];
            let first = guest.code("mov [{si}], al", &code);
            let second = guest.code("mov [{si}], al", &code);
            guest.point(VGA, 0)?;
            guest.gpr([(Rax, 0x42)])?;
            guest.step(|now| {
                now.next(first);
                now.write(VGA, b"B");
            })?;
            guest.step(|now| now.next(second))
        }),
        case("movsb from RAM to video memory", ALL, |guest| {
            let len = guest.code("movsb", &[0xa4]);
            guest.poke(DATA, b"M");
            guest.point(DATA, VGA + 6)?;
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.write(VGA + 6, b"M");
            })
        }),
        case("movsb from video memory to RAM", ALL, |guest| {
            let len = guest.code("movsb", &[0xa4]);
            guest.poke(VGA + 6, b"W");
            guest.point(VGA + 6, DATA)?;
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
                now.write(DATA, b"W");
            })
        }),
        case("rep movsb inside video memory", ALL, |guest| {
            let len = guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.poke(VGA + 0x100, b"uvw");
            guest.point(VGA + 0x100, VGA)?;
            guest.gpr([(Rcx, 3)])?;
            for (index, byte) in (0..).zip(*b"uvw") {
                guest.step(|now| {
                    now.add(Rsi, 1);
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(VGA + index, &[byte]);
                    now.next(if index == 2 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("rep stosb to video memory", ALL, |guest| {
            let len = guest.code("rep stosb", &[0xf3, 0xaa]);
            guest.point(0, VGA + 0x20)?;
            guest.gpr([(Rcx, 3), (Rax, 0x2a)])?;
            for index in 0..3 {
                guest.step(|now| {
                    now.add(Rdi, 1);
                    now.add(Rcx, -1);
                    now.write(VGA + 0x20 + index, b"*");
                    now.next(if index == 2 { len } else { 0 });
                })?;
            }
            Ok(())
        }),
        case("lodsb from video memory", ALL, |guest| {
            let len = guest.code("lodsb", &[0xac]);
            guest.poke(VGA, b"L");
            guest.point(VGA, 0)?;
            guest.step(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.set(Rax, 0x4c, 1);
            })
        }),
        case("mov [si], al to nothing", ALL, |guest| {
            let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
            guest.point(NOTHING, 0)?;
            guest.gpr([(Rax, 0x41)])?;
            guest.step(|now| now.next(len))
        }),
        case("mov al, [si] from nothing", ALL, |guest| {
            let len = guest.code("mov al, [{si}]", &[0x8a, guest.at(Rsi, 0)]);
            guest.point(NOTHING, 0)?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, 0xff, 1);
            })
        }),
    ]
}
