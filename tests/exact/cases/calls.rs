//! Fast system calls and the stacks of long mode's interrupts.

use stepvisor::x86::registers::EFER_SCE;
use stepvisor::x86::{Access, Segment};

use super::*;

/// DR6.BS, single step.
const BS: u64 = 1 << 14;
/// What SYSCALL leaves in CS and SS, and SYSRET.
const KERNEL: (u16, u16) = (CODE64, CODE64 + 8);
const PROGRAM: (u16, u16) = (USER64, USER64 - 8);
/// Where SYSCALL leads.
const CALLED: u64 = FAR + 0x80;
/// A stack of the interrupt stack table, not aligned.
const OWN_STACK: u64 = 0x8808;

pub fn cases() -> Vec<Case> {
    vec![
        case("sysret, an instruction, and syscall", &[Mode::L], |guest| {
            let sysret = set_out(guest, IF | DF)?;
            guest.org(FAR);
            let mov = guest.code("mov al, 5", &[0xb0, 5]);
            let syscall = guest.code("syscall", &[0x0f, 0x05]);
            guest.gpr([(Rcx, FAR), (Gpr::R11, 2 | DF | CF | RF)])?;
            guest.step(|now| {
                now.next(sysret);
                sysret_to(now);
            })?;
            guest.step(|now| {
                now.next(mov);
                now.set(Rax, 5, 1);
            })?;
            guest.step(|now| {
                now.next(syscall);
                syscall_from(now, IF | DF);
            })
        }),
        case("sysret and syscall in free run", &[Mode::L], |guest| {
            let sysret = set_out(guest, DF)?;
            guest.org(FAR);
            let syscall = guest.code("syscall", &[0x0f, 0x05]);
            guest.gpr([(Rcx, FAR), (Gpr::R11, 2 | DF)])?;
            guest.break_at(CALLED);
            guest.run(|now| {
                now.next(sysret);
                sysret_to(now);
                now.next(syscall);
                syscall_from(now, DF);
                now.breakpoint();
            })
        }),
        case("sysret and syscall in free run to a halt", &[Mode::L], |guest| {
            prepare(guest, DF | IF)?;
            let load = guest.code("mov al, 0xff", &[0xb0, 0xff]);
            let mask = guest.code("out 0x21, al", &[0xe6, 0x21]);
            let sysret = guest.code("sysretq", &[0x48, 0x0f, 0x07]);
            // No frame of an exception, which KVM might need, changes the guest's memory.
            guest.set(|cpu| cpu.idtr.limit = 0)?;
            guest.org(FAR);
            let mov = guest.code("mov al, 5", &[0xb0, 5]);
            let syscall = guest.code("syscall", &[0x0f, 0x05]);
            guest.org(CALLED);
            let get = guest.code("mov rbx, cr0", &[0x0f, 0x20, 0xc3]);
            let hlt = guest.code("hlt", &[0xf4]);
            guest.gpr([(Rcx, FAR), (Gpr::R11, 2 | DF | IF)])?;
            guest.run(|now| {
                now.next(load + mask + sysret);
                sysret_to(now);
                now.next(mov);
                now.set(Rax, 5, 1);
                now.next(syscall);
                syscall_from(now, DF | IF);
                now.next(get);
                *now.cpu.get_mut(Gpr::Rbx) = now.cpu.cr0;
                now.next(hlt);
                now.halt();
            })
        }),
        case("syscall under TF, which the mask clears", &[Mode::L], |guest| {
            let syscall = call_under_tf(guest, TF)?;
            guest.step(|now| {
                now.next(syscall);
                syscall_from(now, TF);
            })
        }),
        case("syscall under TF, which the mask clears, in free run", &[Mode::L], |guest| {
            let syscall = call_under_tf(guest, TF)?;
            guest.break_at(CALLED + 1);
            guest.run(|now| {
                now.next(syscall);
                syscall_from(now, TF);
                now.next(1);
                now.breakpoint();
            })
        }),
        case("syscall under TF, which stays", &[Mode::L], |guest| {
            let syscall = call_under_tf(guest, IF)?;
            guest.step(|now| {
                now.next(syscall);
                syscall_from(now, IF);
                now.debug_trap(BS);
            })
        }),
        case("sysret with TF", &[Mode::L], |guest| {
            let sysret = set_out(guest, 0)?;
            guest.gpr([(Rcx, FAR), (Gpr::R11, 2 | TF)])?;
            // Before the first instruction of the program.
            guest.step(|now| {
                now.next(sysret);
                sysret_to(now);
                now.debug_trap(BS);
            })
        }),
        case("syscall without EFER.SCE", &[Mode::L, Mode::U], |guest| {
            guest.code("syscall", &[0x0f, 0x05]);
            guest.step(|now| now.fault(6, None))
        }),
        case("int with a stack of its own", &[Mode::L, Mode::U], |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            own_stack(guest, 0x20);
            guest.step(|now| {
                now.next(int);
                enter_on_own_stack(now, 0x20, None, 0);
            })
        }),
        case("int with a stack of its own, in free run", &[Mode::L, Mode::U], |guest| {
            let int = guest.code("int 0x20", &[0xcd, 0x20]);
            own_stack(guest, 0x20);
            guest.break_at(handler(0x20));
            guest.run(|now| {
                now.next(int);
                enter_on_own_stack(now, 0x20, None, 0);
                now.breakpoint();
            })
        }),
        case("ud2 with a stack of its own, and back", &[Mode::L, Mode::U], |guest| {
            guest.code("ud2", &[0x0f, 0x0b]);
            own_stack(guest, 6);
            guest.org(handler(6));
            guest.code("iretq", &[0x48, 0xcf]);
            guest.step(|now| enter_on_own_stack(now, 6, None, RF))?;
            guest.step(|now| {
                now.iret();
                now.flags(RF, 0);
            })
        }),
        case(
            "nop where debug exceptions have a stack of their own",
            &[Mode::L, Mode::U],
            |guest| {
                let nop = guest.code("nop", &[0x90]);
                own_stack(guest, 1);
                guest.step(|now| now.next(nop))
            },
        ),
        case("nop under TF with a stack of its own", &[Mode::L, Mode::U], |guest| {
            let nop = guest.code("nop", &[0x90]);
            own_stack(guest, 1);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| {
                now.next(nop);
                now.dr[6] = stepvisor::x86::debug::DR6_FIXED | BS;
                enter_on_own_stack(now, 1, None, 0);
            })
        }),
        case("a double fault of a push that has no stack for its frame", &[Mode::L], |guest| {
            guest.code("push rax", &[0x50]);
            own_stack(guest, 8);
            guest.gpr([(Rsp, UNMAPPED + 0x1000)])?;
            guest.step(|now| {
                now.cpu.cr2 = UNMAPPED + 0xff8;
                enter_on_own_stack(now, 8, Some(0), RF);
            })
        }),
        case("iretq within ring 3", &[Mode::U], |guest| {
            guest.code("iretq", &[0x48, 0xcf]);
            let frame = [FAR, USER64.into(), 2 | CF, STACK - 0x80, USER_DATA.into()];
            for (at, word) in (DATA..).step_by(8).zip(frame) {
                guest.poke(at, &word.to_le_bytes());
            }
            guest.gpr([(Rsp, DATA)])?;
            guest.step(|now| {
                now.jump(FAR);
                now.flags(CF, 0);
                *now.cpu.get_mut(Rsp) = STACK - 0x80;
            })
        }),
    ]
}

/// Has the guest load the registers of SYSCALL, and stops it before a SYSRET, whose length it gives.
fn set_out(guest: &mut Subject, mask: u64) -> Result<usize, String> {
    prepare(guest, mask)?;
    Ok(guest.code("sysretq", &[0x48, 0x0f, 0x07]))
}

/// The same before a SYSCALL of ring 0 with the trap flag set.
fn call_under_tf(guest: &mut Subject, mask: u64) -> Result<usize, String> {
    prepare(guest, mask)?;
    let len = guest.code("syscall", &[0x0f, 0x05]);
    guest.set(|cpu| cpu.rflags |= TF)?;
    Ok(len)
}

fn prepare(guest: &mut Subject, mask: u64) -> Verdict {
    let selectors = u64::from(USER64 - 0x13) << 48 | u64::from(CODE64) << 32;
    let star = (0xc000_0081u32, selectors);
    let lstar = (0xc000_0082, CALLED);
    let fmask = (0xc000_0084, mask);
    let start = guest.cursor();
    for (index, value) in [star, lstar, fmask] {
        let [low, high] = [value as u32, (value >> 32) as u32];
        guest.code("mov ecx, MSR", &[&[0xb9][..], &index.to_le_bytes()].concat());
        guest.code("mov eax, LOW", &[&[0xb8][..], &low.to_le_bytes()].concat());
        guest.code("mov edx, HIGH", &[&[0xba][..], &high.to_le_bytes()].concat());
        guest.code("wrmsr", &[0x0f, 0x30]);
    }
    guest.set(|cpu| cpu.efer |= EFER_SCE)?;
    let end = guest.cursor();
    guest.break_at(end);
    guest.run(|now| {
        now.next((end - start) as usize);
        now.set(Rcx, fmask.0.into(), 4);
        now.set(Rax, mask, 4);
        now.set(Rdx, 0, 4);
        now.breakpoint();
    })?;
    guest.remove_break(end);
    Ok(())
}

/// SYSRET to 64-bit code (SDM vol. 2B).
fn sysret_to(now: &mut Want) {
    now.cpu.rip = now.cpu.get(Rcx);
    now.cpu.rflags = now.cpu.get(Gpr::R11) & !RF;
    flat(now, PROGRAM, 3);
}

/// SYSCALL (SDM vol. 2B), the next instruction being the present one.
fn syscall_from(now: &mut Want, mask: u64) {
    *now.cpu.get_mut(Rcx) = now.cpu.rip;
    *now.cpu.get_mut(Gpr::R11) = now.cpu.rflags;
    now.flags(0, mask);
    now.cpu.rip = CALLED;
    flat(now, KERNEL, 0);
}

fn flat(now: &mut Want, (cs, ss): (u16, u16), dpl: u8) {
    let data = Access { dpl, default_big: true, granularity: true, ..Access::DATA16 };
    let code = Access { kind: 0xb, long: true, default_big: false, ..data };
    let segment = |selector, access| Segment { selector, base: 0, limit: u32::MAX, access };
    now.cpu.segments.cs = segment(cs, code);
    now.cpu.segments.ss = segment(ss, data);
}

/// The handler of `vector` runs on [`OWN_STACK`], by the first entry of the interrupt stack table.
fn own_stack(guest: &mut Subject, vector: u64) {
    guest.poke(IDT + vector * 16 + 4, &[1]);
    guest.poke(TSS + 36, &OWN_STACK.to_le_bytes());
}

/// Entering that handler (SDM vol. 3A, 6.14.5), with `flag` set in the flags that are saved.
fn enter_on_own_stack(now: &mut Want, vector: u8, error_code: Option<u64>, flag: u64) {
    let old = now.cpu.clone();
    now.flags(0, IF | TF | RF);
    let segments = old.segments;
    if segments.cs.selector & 3 == 3 {
        now.cpu.segments.ss = world::segment(0);
    }
    now.cpu.segments.cs = world::segment(CODE64);
    *now.cpu.get_mut(Rsp) = OWN_STACK & !15;
    now.push(segments.ss.selector.into(), 8);
    now.push(old.get(Rsp), 8);
    now.push(old.rflags | flag, 8);
    now.push(segments.cs.selector.into(), 8);
    now.push(old.rip, 8);
    if let Some(code) = error_code {
        now.push(code, 8);
    }
    now.cpu.rip = handler(vector);
}
