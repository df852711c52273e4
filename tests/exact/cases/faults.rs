//! Faults of every kind, each way: stepped, in free run, and stopped on before the handler runs.

use stepvisor::x86::exceptions;
use stepvisor::x86::registers::{CR0_AM, CR0_EM, CR0_MP, CR0_NE, CR0_TS, CR4_OSFXSR};

use super::*;

/// CR4.OSXMMEXCPT: SSE's exceptions are #XM.
const CR4_OSXMMEXCPT: u64 = 1 << 10;
/// RFLAGS.NT.
const NT: u64 = 1 << 14;
/// The ring 3 modes in which alignment can be checked.
const CHECKED: &[Mode] = &[Mode::V, Mode::P3, Mode::U];
/// Ring 0 where tasks are switched.
const TASKS: &[Mode] = &[Mode::P16, Mode::P, Mode::G];
/// Those whose page that is not there hurts ring 3 only.
const USER_PAGED: &[Mode] = &[Mode::U];

pub fn cases() -> Vec<Case> {
    vec![
        // #NM.
        case("#NM: wait", ALL, |guest| {
            faults(guest, NM, |guest| {
                guest.code("wait", &[0x9b]);
                guest.set(|cpu| cpu.cr0 |= CR0_TS | CR0_MP)
            })
        }),
        case("#NM: fld of a page that is not there", PAGED, |guest| {
            faults(guest, NM, |guest| {
                guest.code("fld dword [{si}]", &[0xd9, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, UNMAPPED)])?;
                guest.set(|cpu| cpu.cr0 |= CR0_TS)
            })
        }),
        case("#NM: movups", ALL, |guest| {
            faults(guest, NM, |guest| {
                guest.code("movups xmm0, xmm1", &[0x0f, 0x10, 0xc1]);
                sse(guest)?;
                guest.set(|cpu| cpu.cr0 |= CR0_TS)
            })
        }),
        case("#NM: fxsave", ALL, |guest| {
            faults(guest, NM, |guest| {
                guest.code("fxsave [{si}]", &[0x0f, 0xae, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, DATA)])?;
                guest.set(|cpu| cpu.cr0 |= CR0_TS)
            })
        }),
        case("#NM: aesenc", ALL, |guest| {
            faults(guest, NM, |guest| {
                guest.code("aesenc xmm0, xmm1", &[0x66, 0x0f, 0x38, 0xdc, 0xc1]);
                sse(guest)?;
                guest.set(|cpu| cpu.cr0 |= CR0_TS)
            })
        }),
        case("#UD: movups without SSE", ALL, |guest| {
            faults(guest, Fault { vector: 6, ..NM }, |guest| {
                guest.code("movups xmm0, xmm1", &[0x0f, 0x10, 0xc1]);
                guest.set(|cpu| cpu.cr0 |= CR0_EM)
            })
        }),
        // #MF and #XM.
        case("#MF: wait after a division by zero", ALL, |guest| {
            let pending = |guest: &mut Subject| {
                let mut len = 0;
                len += guest.code("fninit", &[0xdb, 0xe3]);
                len += guest.code("fldcw [{si}]", &[0xd9, guest.at(Rsi, 5)]);
                len += guest.code("fld1", &[0xd9, 0xe8]);
                len += guest.code("fldz", &[0xd9, 0xee]);
                len += guest.code("fdivp", &[0xde, 0xf9]);
                guest.poke(DATA, &[0x40, 0]);
                guest.gpr([(Rsi, DATA)])?;
                guest.set(|cpu| cpu.cr0 |= CR0_NE | CR0_MP)?;
                Ok::<_, String>(len)
            };
            let len = pending(guest)?;
            guest.code("wait", &[0x9b]);
            guest.break_at(CODE + len as u64);
            guest.run(|now| {
                now.next(len);
                now.breakpoint();
            })?;
            guest.step(|now| now.fault(16, None))
        }),
        case("#XM: divps by zero", ALL, |guest| {
            let ldmxcsr = guest.code("ldmxcsr [{si}]", &[0x0f, 0xae, guest.at(Rsi, 2)]);
            let xorps = guest.code("xorps xmm0, xmm0", &[0x0f, 0x57, 0xc0]);
            guest.code("divps xmm0, xmm0", &[0x0f, 0x5e, 0xc0]);
            guest.poke(DATA, &[0, 0, 0, 0]);
            guest.gpr([(Rsi, DATA)])?;
            sse(guest)?;
            guest.set(|cpu| cpu.cr4 |= CR4_OSXMMEXCPT)?;
            guest.step(|now| now.next(ldmxcsr))?;
            guest.step(|now| now.next(xorps))?;
            guest.step(|now| now.fault(19, None))
        }),
        // #BR.
        case("#BR: bound", LEGACY, |guest| {
            faults(guest, Fault { vector: 5, ..NM }, |guest| {
                guest.code("bound {ax}, [{si}]", &[0x62, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, DATA), (Rax, 7)])
            })
        }),
        // #AC.
        case("#AC: mov ax, [si]", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("mov {ax}, [{si}]", &[0x8b, guest.at(Rsi, 0)]);
                unaligned(guest)
            })
        }),
        case("#AC: mov [si], ax", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("mov [{si}], {ax}", &[0x89, guest.at(Rsi, 0)]);
                unaligned(guest)
            })
        }),
        case("#AC: push", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("push {ax}", &[0x50]);
                guest.gpr([(Rsp, STACK - 3)])?;
                unaligned(guest)
            })
        }),
        case("#AC: pushf", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("pushf", &[0x9c]);
                guest.gpr([(Rsp, STACK - 3)])?;
                unaligned(guest)
            })
        }),
        case("#AC: call", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("call {ax}", &[0xff, 0xd0]);
                guest.gpr([(Rsp, STACK - 3), (Rax, FAR)])?;
                unaligned(guest)
            })
        }),
        case("#AC: ret", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("ret", &[0xc3]);
                guest.gpr([(Rsp, STACK - 0x13)])?;
                unaligned(guest)
            })
        }),
        case("#AC: rep movsw", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
                guest.code("rep movsw", &[prefix, &[0xf3, 0xa5]].concat());
                guest.gpr([(Rcx, 3), (Rdi, DATA + 0x40)])?;
                unaligned(guest)
            })
        }),
        case("#AC: div in memory", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
                guest.code("div word [{si}]", &[prefix, &[0xf7, guest.at(Rsi, 6)]].concat());
                unaligned(guest)
            })
        }),
        case("#AC: mov ds, [si]", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("mov ds, [{si}]", &[0x8e, guest.at(Rsi, 3)]);
                unaligned(guest)
            })
        }),
        case("#AC: popcnt", CHECKED, |guest| {
            faults(guest, AC_FAULT, |guest| {
                guest.code("popcnt {ax}, [{si}]", &[0xf3, 0x0f, 0xb8, guest.at(Rsi, 0)]);
                unaligned(guest)
            })
        }),
        case("no #AC in ring 0", RING0, |guest| {
            let len = guest.code("mov {ax}, [{si}]", &[0x8b, guest.at(Rsi, 0)]);
            unaligned(guest)?;
            guest.step(|now| now.next(len))
        }),
        // #SS.
        case("#SS: beyond the stack's end", SMALL_STACK, |guest| {
            faults(guest, SS, |guest| {
                guest.code("mov ax, [bp + 0]", &[0x8b, 0x46, 0]);
                guest.gpr([(Gpr::Rbp, 0xffff)])
            })
        }),
        case("#SS: div beyond the stack's end", SMALL_STACK, |guest| {
            faults(guest, SS, |guest| {
                guest.code("div word [bp + 0]", &[0xf7, 0x76, 0]);
                guest.gpr([(Gpr::Rbp, 0xffff)])
            })
        }),
        case("#SS: an address that is not canonical", LONG, |guest| {
            faults(guest, SS, |guest| {
                guest.code("mov rax, [rbp + 0]", &[0x48, 0x8b, 0x45, 0]);
                guest.gpr([(Gpr::Rbp, 1 << 63)])
            })
        }),
        case("#SS: mov ss from a segment that is not present", RING0_PROTECTED, |guest| {
            faults(guest, Fault { code: Some(ABSENT), ..SS }, |guest| {
                guest.code("mov ss, ax", &[0x8e, 0xd0]);
                guest.gpr([(Rax, ABSENT.into())])
            })
        }),
        // #GP.
        case("#GP: beyond the segment's end", SMALL_STACK, |guest| {
            faults(guest, GP, |guest| {
                guest.code("mov ax, [si]", &[0x8b, 0x04]);
                guest.gpr([(Rsi, 0xffff)])
            })
        }),
        case("#GP: an address that is not canonical", LONG, |guest| {
            faults(guest, GP, |guest| {
                guest.code("mov rax, [rsi]", &[0x48, 0x8b, 0x06]);
                guest.gpr([(Rsi, 1 << 63)])
            })
        }),
        case("#GP: movaps of an unaligned operand", ALL, |guest| {
            faults(guest, GP, |guest| {
                guest.code("movaps xmm0, [{si}]", &[0x0f, 0x28, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, DATA + 4)])?;
                sse(guest)
            })
        }),
        case("#GP: a privileged instruction", USER, |guest| {
            faults(guest, GP, |guest| {
                guest.code("hlt", &[0xf4]);
                Ok(())
            })
        }),
        case("#GP: iret with NT in long mode", &[Mode::L], |guest| {
            faults(guest, GP, |guest| {
                guest.code("iretq", &[0x48, 0xcf]);
                guest.set(|cpu| cpu.rflags |= NT)
            })
        }),
        // #NP.
        case("#NP: mov ds from a segment that is not present", RING0_PROTECTED, |guest| {
            faults(guest, Fault { vector: 11, code: Some(ABSENT), ..NM }, |guest| {
                guest.code("mov ds, ax", &[0x8e, 0xd8]);
                guest.gpr([(Rax, ABSENT.into())])
            })
        }),
        case("#NP: int through a gate that is not present", PROTECTED, |guest| {
            faults(guest, Fault { vector: 11, code: Some(0x21 * 8 + 2), ..NM }, |guest| {
                guest.code("int 0x21", &[0xcd, 0x21]);
                let size = if guest.mode.bits() == 64 { 16 } else { 8 };
                let rights = if guest.mode == Mode::P16 { 0x66 } else { 0x6e };
                guest.poke(IDT + 0x21 * size + 5, &[rights]);
                Ok(())
            })
        }),
        // #TS.
        case("#TS: a call to a ring without a stack", &[Mode::P3, Mode::U], |guest| {
            // SS of ring 1 is null; in long mode the task ends before RSP of ring 1.
            let code = if guest.mode == Mode::U { TASK } else { 0 };
            faults(guest, Fault { vector: 10, code: Some(code), ..NM }, |guest| {
                guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
                guest.poke(DATA, &[&[0; 4][..], &GATE1.to_le_bytes()].concat());
                guest.gpr([(Rsi, DATA)])?;
                if guest.mode == Mode::U { guest.set(|cpu| cpu.tr.limit = 11) } else { Ok(()) }
            })
        }),
        case("#TS: iret with NT and no task before", TASKS, |guest| {
            faults(guest, Fault { vector: 10, code: Some(0), ..NM }, |guest| {
                guest.code("iret", &[0xcf]);
                guest.set(|cpu| cpu.rflags |= NT)
            })
        }),
        case("#TS: jmp to a task that is too short", TASKS, |guest| {
            faults(guest, Fault { vector: 10, code: Some(SHORT_TASK), ..NM }, |guest| {
                let selector = SHORT_TASK.to_le_bytes();
                let offset = vec![0; guest.mode.word().into()];
                guest.code("jmp far", &[&[0xea][..], &offset, &selector].concat());
                Ok(())
            })
        }),
        // #PF, of instructions that are likelier to raise something else.
        case("#PF: fld", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("fld dword [{si}]", &[0xd9, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, UNMAPPED)])
            })
        }),
        case("#PF: movups", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("movups xmm0, [{si}]", &[0x0f, 0x10, guest.at(Rsi, 0)]);
                guest.gpr([(Rsi, UNMAPPED)])?;
                sse(guest)
            })
        }),
        case("#PF: div", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("div byte [{si}]", &[0xf6, guest.at(Rsi, 6)]);
                guest.gpr([(Rsi, UNMAPPED)])
            })
        }),
        case("#PF: mov ds", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("mov ds, [{si}]", &[0x8e, guest.at(Rsi, 3)]);
                guest.gpr([(Rsi, UNMAPPED)])
            })
        }),
        case("#PF: rep movsb", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("rep movsb", &[0xf3, 0xa4]);
                guest.gpr([(Rcx, 3), (Rsi, UNMAPPED), (Rdi, DATA)])
            })
        }),
        case("#PF: call far", PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
                guest.gpr([(Rsi, UNMAPPED)])
            })
        }),
        case("#PF: pop ax", USER_PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("pop {ax}", &[0x58]);
                guest.gpr([(Rsp, UNMAPPED)])
            })
        }),
        case("#PF: popf", USER_PAGED, |guest| {
            faults(guest, PF_READ, |guest| {
                guest.code("popf", &[0x9d]);
                guest.gpr([(Rsp, UNMAPPED)])
            })
        }),
        case("#PF: iret", USER_PAGED, |guest| {
            // Only the instruction pointer is on that page, whichever word a processor reads first.
            faults(guest, Fault { address: Some(UNMAPPED + 0xff8), ..PF_READ }, |guest| {
                guest.code("iretq", &[0x48, 0xcf]);
                guest.gpr([(Rsp, UNMAPPED + 0xff8)])
            })
        }),
    ]
}

const RING0_PROTECTED: &[Mode] = &[Mode::P16, Mode::P, Mode::G, Mode::L];
const SMALL_STACK: &[Mode] = &[Mode::R, Mode::V, Mode::P16];
const LONG: &[Mode] = &[Mode::L, Mode::U];

/// A fault of the instruction.
#[derive(Clone, Copy)]
struct Fault {
    vector: u8,
    /// The error code, outside real mode.
    code: Option<u16>,
    /// What is in CR2 then.
    address: Option<u64>,
}

const NM: Fault = Fault { vector: 7, code: None, address: None };
const AC_FAULT: Fault = Fault { vector: 17, code: Some(0), ..NM };
const SS: Fault = Fault { vector: 12, code: Some(0), ..NM };
const GP: Fault = Fault { vector: 13, code: Some(0), ..NM };
/// Of the first byte of the page that is not there.
const PF_READ: Fault = Fault { vector: 14, code: Some(0), address: Some(UNMAPPED) };

/// Stepped, the guest is at the handler's first instruction; so it is in free run with a breakpoint there; and where
/// it stops on the exception it is where it was, and at the handler after one step.
fn faults(guest: &mut Subject, fault: Fault, prepare: fn(&mut Subject) -> Verdict) -> Verdict {
    let Fault { vector, code, address } = fault;
    let user = if address.is_some() && guest.mode == Mode::U { 4 } else { 0 };
    let code = code.map(|code| code | user);
    let enter = |now: &mut Want| {
        now.cpu.cr2 = address.unwrap_or(now.cpu.cr2);
        now.fault(vector, code);
    };
    let mut way = |way: &str, go: &dyn Fn(&mut Subject) -> Verdict| {
        guest.again()?;
        prepare(guest)?;
        go(guest).map_err(|difference| format!("{way}: {difference}"))
    };
    way("stepped", &|guest| guest.step(enter))?;
    way("in free run", &|guest| {
        guest.break_at(world::handler(vector));
        guest.run(|now| {
            enter(now);
            now.breakpoint();
        })
    })?;
    way("stopped on", &|guest| {
        guest.stop_on(&exceptions::mnemonic(vector));
        guest.run(|now| {
            // Its frame has been below the stack pointer.
            let before = now.cpu.clone();
            enter(now);
            now.cpu = before;
            now.exception(vector, code, address);
        })?;
        guest.step(enter)
    })
}

fn sse(guest: &mut Subject) -> Verdict {
    guest.set(|cpu| cpu.cr4 |= CR4_OSFXSR)
}

/// Alignment is checked, and SI is not aligned.
fn unaligned(guest: &mut Subject) -> Verdict {
    guest.gpr([(Rsi, DATA + 1)])?;
    guest.set(|cpu| {
        cpu.cr0 |= CR0_AM;
        cpu.rflags |= AC;
    })
}
