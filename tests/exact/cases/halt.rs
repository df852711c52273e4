//! HLT.

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("hlt", RING0, |guest| {
            let len = guest.code("hlt", &[0xf4]);
            guest.step(|now| {
                now.next(len);
                now.halt();
            })?;
            // It stays halted, however it is asked to go on.
            guest.step(|now| now.halt())?;
            guest.run(|now| now.halt())
        }),
        case("hlt with interrupts enabled", RING0, |guest| {
            let len = guest.code("hlt", &[0xf4]);
            guest.set(|cpu| cpu.rflags |= IF)?;
            guest.step(|now| {
                now.next(len);
                now.halt();
            })
        }),
        case("sti; hlt", RING0, |guest| {
            let sti = guest.code("sti", &[0xfb]);
            let hlt = guest.code("hlt", &[0xf4]);
            guest.step(|now| {
                now.next(sti);
                now.flags(IF, 0);
            })?;
            guest.step(|now| {
                now.next(hlt);
                now.halt();
            })
        }),
        case("out; hlt", RING0, |guest| {
            let out = guest.code("out 0xe9, al", &[0xe6, 0xe9]);
            let hlt = guest.code("hlt", &[0xf4]);
            guest.step(|now| {
                now.next(out);
                now.console.push(0);
            })?;
            guest.step(|now| {
                now.next(hlt);
                now.halt();
            })
        }),
        case("hlt is not for every ring", USER, |guest| {
            guest.code("hlt", &[0xf4]);
            guest.step(|now| now.fault(13, Some(0)))
        }),
        case("hlt in free run", RING0, |guest| {
            let nop = guest.code("nop", &[0x90]);
            let hlt = guest.code("hlt", &[0xf4]);
            guest.run(|now| {
                now.next(nop + hlt);
                now.halt();
            })
        }),
    ]
}
