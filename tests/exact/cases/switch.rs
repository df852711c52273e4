//! Switches of mode and the registers that make them.

use stepvisor::x86::DescriptorTable;
use stepvisor::x86::registers::{CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME};

use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("lgdt", RING0, |guest| {
            let len = guest.code("lgdt [{si}]", &[0x0f, 0x01, guest.at(Rsi, 2)]);
            guest.poke(DATA, &[0x97, 0, 0x00, 0x10, 0, 0, 0, 0, 0, 0]);
            guest.gpr([(Rsi, DATA)])?;
            guest.step(|now| {
                now.next(len);
                now.cpu.gdtr = DescriptorTable { base: GDT, limit: 0x97 };
            })
        }),
        case("lidt", RING0, |guest| {
            let len = guest.code("lidt [{si}]", &[0x0f, 0x01, guest.at(Rsi, 3)]);
            guest.poke(DATA, &[0xff, 2, 0x00, 0x60, 0, 0, 0, 0, 0, 0]);
            guest.gpr([(Rsi, DATA)])?;
            guest.step(|now| {
                now.next(len);
                now.cpu.idtr = DescriptorTable { base: DATA, limit: 0x2ff };
            })
        }),
        case("mov ax, cr0", RING0, |guest| {
            let len = guest.code("mov {ax}, cr0", &[0x0f, 0x20, 0xc0]);
            guest.step(|now| {
                now.next(len);
                now.set(Rax, now.cpu.cr0, 4);
            })
        }),
        case("mov cr0 sets TS", RING0, |guest| {
            let len = guest.code("mov cr0, {ax}", &[0x0f, 0x22, 0xc0]);
            let value = guest.now.cpu.cr0 | 1 << 3;
            guest.gpr([(Rax, value)])?;
            guest.step(|now| {
                now.next(len);
                now.cpu.cr0 = value;
            })
        }),
        case("clts", RING0, |guest| {
            let len = guest.code("clts", &[0x0f, 0x06]);
            guest.set(|cpu| cpu.cr0 |= 1 << 3)?;
            guest.step(|now| {
                now.next(len);
                now.cpu.cr0 &= !(1 << 3);
            })
        }),
        case("wrmsr EFER", RING0, |guest| {
            let len = guest.code("wrmsr", &[0x0f, 0x30]);
            let value = guest.now.cpu.efer | 1;
            guest.gpr([(Rcx, 0xc000_0080), (Rax, value), (Rdx, 0)])?;
            guest.step(|now| {
                now.next(len);
                now.cpu.efer = value;
            })
        }),
        case("rdmsr EFER", RING0, |guest| {
            let len = guest.code("rdmsr", &[0x0f, 0x32]);
            guest.gpr([(Rcx, 0xc000_0080), (Rdx, 5)])?;
            guest.step(|now| {
                now.next(len);
                now.set(Rax, now.cpu.efer, 4);
                now.set(Rdx, 0, 4);
            })
        }),
        case("mov cr3", PAGED_RING0, |guest| {
            let len = guest.code("mov cr3, {ax}", &[0x0f, 0x22, 0xd8]);
            let value = guest.now.cpu.cr3;
            guest.gpr([(Rax, value)])?;
            guest.step(|now| now.next(len))
        }),
        case("mov cr0 enters protected mode", &[Mode::R], |guest| {
            let len = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            guest.set(|cpu| (cpu.gpr[0], cpu.gdtr) = (cpu.cr0 | CR0_PE, TABLE))?;
            guest.step(|now| {
                now.next(len);
                now.cpu.cr0 |= CR0_PE;
            })
        }),
        case("lmsw enters protected mode", &[Mode::R], |guest| {
            let len = guest.code("lmsw ax", &[0x0f, 0x01, 0xf0]);
            guest.set(|cpu| (cpu.gpr[0], cpu.gdtr) = (1, TABLE))?;
            guest.step(|now| {
                now.next(len);
                now.cpu.cr0 |= CR0_PE;
            })
        }),
        case("from real to 32-bit protected mode", &[Mode::R], |guest| {
            let lgdt = guest.code("lgdt [si]", &[0x0f, 0x01, 0x14]);
            let mov = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            guest.code("jmp dword CODE32:FAR", &[0x66, 0xea, 0, 0xb0, 0, 0, 8, 0]);
            guest.org(FAR);
            let ds = guest.code("mov ds, bx", &[0x8e, 0xdb]);
            let ss = guest.code("mov ss, bx", &[0x8e, 0xd3]);
            let push = guest.code("push ebx", &[0x53]);
            guest.poke(DATA, &[0x8f, 0, 0x00, 0x10, 0, 0]);
            let cr0 = guest.now.cpu.cr0 | CR0_PE;
            guest.gpr([(Rax, cr0), (Rbx, DATA32.into()), (Rsi, DATA)])?;
            guest.step(|now| {
                now.next(lgdt);
                now.cpu.gdtr = TABLE;
            })?;
            guest.step(|now| {
                now.next(mov);
                now.cpu.cr0 = cr0;
            })?;
            guest.step(|now| to(now, CODE32, FAR))?;
            guest.step(|now| {
                now.next(ds);
                now.cpu.segments.ds = world::segment(DATA32);
            })?;
            guest.step(|now| {
                now.next(ss);
                now.cpu.segments.ss = world::segment(DATA32);
            })?;
            guest.step(|now| {
                now.next(push);
                now.push(DATA32.into(), 4);
            })
        }),
        case("from real to 16-bit protected mode and back", &[Mode::R], |guest| {
            let on = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            guest.code("jmp CODE16:FAR", &[0xea, 0, 0xb0, 0x18, 0]);
            guest.org(FAR);
            let off = guest.code("mov cr0, ebx", &[0x0f, 0x22, 0xc3]);
            guest.code("jmp 0x0b00:0x0010", &[0xea, 0x10, 0, 0, 0x0b]);
            let cr0 = guest.now.cpu.cr0;
            guest.set(|cpu| cpu.gdtr = TABLE)?;
            guest.gpr([(Rax, cr0 | CR0_PE), (Rbx, cr0)])?;
            guest.step(|now| {
                now.next(on);
                now.cpu.cr0 |= CR0_PE;
            })?;
            guest.step(|now| to(now, CODE16, FAR))?;
            guest.step(|now| {
                now.next(off);
                now.cpu.cr0 &= !CR0_PE;
            })?;
            guest.step(|now| now.far_jump(0xb00, 0x10))
        }),
        case("from 32-bit protected to long mode", &[Mode::P], |guest| {
            let cr4 = guest.code("mov cr4, eax", &[0x0f, 0x22, 0xe0]);
            let cr3 = guest.code("mov cr3, ebx", &[0x0f, 0x22, 0xdb]);
            let mov = guest.code("mov eax, 0x100", &[0xb8, 0, 1, 0, 0]);
            let wrmsr = guest.code("wrmsr", &[0x0f, 0x30]);
            let cr0 = guest.code("mov cr0, esi", &[0x0f, 0x22, 0xc6]);
            guest.code("jmp CODE64:FAR", &[0xea, 0, 0xb0, 0, 0, 0x38, 0]);
            guest.org(FAR);
            let push = guest.code("push rax", &[0x50]);
            let value = guest.now.cpu.cr0 | CR0_PG;
            guest.gpr([(Rax, CR4_PAE), (Rbx, PML4), (Rcx, 0xc000_0080), (Rsi, value)])?;
            guest.step(|now| {
                now.next(cr4);
                now.cpu.cr4 = CR4_PAE;
            })?;
            guest.step(|now| {
                now.next(cr3);
                now.cpu.cr3 = PML4;
            })?;
            guest.step(|now| {
                now.next(mov);
                now.set(Rax, 0x100, 4);
            })?;
            guest.step(|now| {
                now.next(wrmsr);
                now.cpu.efer |= EFER_LME;
            })?;
            guest.step(|now| {
                now.next(cr0);
                now.cpu.cr0 |= CR0_PG;
                now.cpu.efer |= EFER_LMA;
            })?;
            guest.step(|now| to(now, CODE64, FAR))?;
            guest.step(|now| {
                now.next(push);
                now.push(0x100, 8);
            })
        }),
        case("from long to 32-bit protected mode", &[Mode::L], |guest| {
            guest.code("jmp far [rsi]", &[0xff, 0x2e]);
            guest.org(FAR);
            let off = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let zero = guest.code("mov eax, ebx", &[0x89, 0xd8]);
            let wrmsr = guest.code("wrmsr", &[0x0f, 0x30]);
            guest.poke(DATA, &[0, 0xb0, 0, 0, 8, 0]);
            let value = guest.now.cpu.cr0 & !CR0_PG;
            guest.gpr([(Rsi, DATA), (Rax, value), (Rcx, 0xc000_0080)])?;
            guest.step(|now| to(now, CODE32, FAR))?;
            guest.step(|now| {
                now.next(off);
                now.cpu.cr0 = value;
                now.cpu.efer &= !EFER_LMA;
            })?;
            guest.step(|now| {
                now.next(zero);
                now.set(Rax, 0, 4);
            })?;
            guest.step(|now| {
                now.next(wrmsr);
                now.cpu.efer = 0;
            })
        }),
        case("from unpaged to paged protected mode", &[Mode::P], |guest| {
            let cr3 = guest.code("mov cr3, ebx", &[0x0f, 0x22, 0xdb]);
            let cr0 = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let value = guest.now.cpu.cr0 | CR0_PG;
            guest.gpr([(Rax, value), (Rbx, DIRECTORY)])?;
            guest.step(|now| {
                now.next(cr3);
                now.cpu.cr3 = DIRECTORY;
            })?;
            guest.step(|now| {
                now.next(cr0);
                now.cpu.cr0 = value;
            })
        }),
        case("from protected to virtual-8086 mode", &[Mode::P], |guest| {
            guest.code("iretd", &[0xcf]);
            let frame = [0xb000u32, 0, 0x2_3002, 0x9000, 0, 1, 2, 3, 4];
            for (at, value) in (0..).zip(frame) {
                guest.poke(STACK - 0x100 + at * 4, &value.to_le_bytes());
            }
            guest.gpr([(Rsp, STACK - 0x100)])?;
            guest.step(|now| {
                now.mode = Mode::V;
                now.iret();
            })
        }),
        case("the whole way by free run", &[Mode::P], |guest| {
            let cr0 = guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            let jmp = guest.code("jmp CODE64:FAR", &[0xea, 0, 0xb0, 0, 0, 0x38, 0]);
            let value = guest.now.cpu.cr0 | CR0_PG;
            assert_eq!(cr0 + jmp, 10);
            guest.set(|cpu| (cpu.cr4, cpu.cr3, cpu.efer) = (CR4_PAE, PML4, EFER_LME))?;
            guest.gpr([(Rax, value)])?;
            guest.break_at(FAR + 1);
            guest.run(|now| {
                now.cpu.cr0 = value;
                now.cpu.efer |= EFER_LMA;
                to(now, CODE64, FAR + 1);
                now.breakpoint();
            })
        }),
    ]
}

const PAGED_RING0: &[Mode] = &[Mode::G, Mode::L];

const TABLE: DescriptorTable = DescriptorTable { base: GDT, limit: 0x8f };

/// At `selector`:`offset` of the table.
fn to(now: &mut crate::want::Want, selector: u16, offset: u64) {
    now.cpu.segments.cs = world::segment(selector);
    now.cpu.rip = offset;
}
