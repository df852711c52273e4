//! Faults whose handler is a task of its own.

use stepvisor::x86::registers::CR0_TS;

use super::*;

/// Where the interrupt table may have task gates.
const GATED: &[Mode] = &[Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G];
/// Ring 0 of the same.
const GATED0: &[Mode] = &[Mode::P16, Mode::P, Mode::G];

/// Vectors.
const DE: u8 = 0;
const UD: u8 = 6;
const DOUBLE: u8 = 8;
const NP: u8 = 11;
const GP: u8 = 13;
const PAGE: u8 = 14;

pub fn cases() -> Vec<Case> {
    vec![
        case("ud2 to a task", GATED, |guest| {
            task_gate(guest, UD);
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.gpr([(Rax, 0x1234), (Rdi, 0x8765)])?;
            guest.step(|now| now.fault_in_task(None))
        }),
        case("ud2 to a task, under TF", GATED, |guest| {
            task_gate(guest, UD);
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.set(|cpu| cpu.rflags |= TF)?;
            guest.step(|now| now.fault_in_task(None))
        }),
        case("ud2 to a task, which is in single-step itself", GATED, |guest| {
            task_gate(guest, UD);
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.poke(TSS_HANDLER + 0x25, &[1]);
            guest.step(|now| now.fault_in_task(None))
        }),
        case("ud2 to a task and back, and again", GATED0, |guest| {
            task_gate(guest, UD);
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.org(FAR);
            let iret = guest.code("iret", &[0xcf]);
            guest.code("jmp short -3", &[0xeb, 0xfd]);
            // A processor does not store CR3.
            guest.poke(TSS + 0x1c, &DIRECTORY.to_le_bytes());
            let first = guest.now.cpu.clone();
            guest.step(|now| now.fault_in_task(None))?;
            let back = |now: &mut Want| {
                // The task goes on behind its IRET the next time, and is not nested then.
                now.write(TSS_HANDLER + 0x20, &(FAR as u32 + iret as u32).to_le_bytes());
                now.write(TSS_HANDLER + 0x24, &3u32.to_le_bytes());
                now.write(GDT + u64::from(HANDLER_TASK) + 5, &[0x89]);
                now.cpu = first.clone();
                now.cpu.rflags |= RF;
                now.cpu.cr0 |= CR0_TS;
            };
            guest.step(back)?;
            guest.step(|now| now.fault_in_task(None))?;
            guest.step(|now| now.jump(FAR))
        }),
        case("div by zero to a task", GATED, |guest| {
            task_gate(guest, DE);
            guest.code("div bl", &[0xf6, 0xf3]);
            guest.gpr([(Rax, 0x1234)])?;
            guest.step(|now| now.fault_in_task(None))
        }),
        case("div in memory by zero to a task", GATED, |guest| {
            task_gate(guest, DE);
            guest.code("div byte [{si}]", &[0xf6, guest.at(Rsi, 6)]);
            guest.gpr([(Rsi, DATA)])?;
            guest.step(|now| now.fault_in_task(None))
        }),
        case("mov ds from a selector beyond the table to a task", GATED0, |guest| {
            task_gate(guest, GP);
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, 0x1000)])?;
            guest.step(|now| now.fault_in_task(Some(0x1000)))
        }),
        case("mov ds from a segment that is not present to a task", GATED0, |guest| {
            task_gate(guest, NP);
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, ABSENT.into())])?;
            guest.step(|now| now.fault_in_task(Some(ABSENT)))
        }),
        case("mov cr0 to a task", GATED0, |guest| {
            task_gate(guest, GP);
            guest.code("mov cr0, eax", &[0x0f, 0x22, 0xc0]);
            // Paging without protection.
            guest.gpr([(Rax, 0x8000_0010)])?;
            guest.step(|now| now.fault_in_task(Some(0)))
        }),
        case("wrmsr to a task", GATED0, |guest| {
            task_gate(guest, GP);
            guest.code("wrmsr", &[0x0f, 0x30]);
            guest.gpr([(Rcx, 0xc000_0080), (Rdx, 0xffff_ffff)])?;
            guest.step(|now| now.fault_in_task(Some(0)))
        }),
        case("a privileged instruction to a task", &[Mode::V, Mode::P3], |guest| {
            task_gate(guest, GP);
            guest.code("hlt", &[0xf4]);
            guest.step(|now| now.fault_in_task(Some(0)))
        }),
        case("int through a gate that is not present to a task", GATED0, |guest| {
            task_gate(guest, NP);
            guest.poke(IDT + 0x21 * 8 + 5, &[0x6e]);
            guest.code("int 0x21", &[0xcd, 0x21]);
            guest.step(|now| now.fault_in_task(Some(0x21 * 8 + 2)))
        }),
        case("a double fault to a task", GATED0, |guest| {
            task_gate(guest, DOUBLE);
            for vector in [NP, GP] {
                guest.poke(IDT + u64::from(vector) * 8 + 5, &[0x6e]);
            }
            guest.code("mov ds, ax", &[0x8e, 0xd8]);
            guest.gpr([(Rax, 0x1000)])?;
            guest.step(Want::double_fault_in_task)
        }),
        case("rep movsb from a page that is not there to a task", &[Mode::G], |guest| {
            task_gate(guest, PAGE);
            guest.code("rep movsb", &[0xf3, 0xa4]);
            guest.gpr([(Rcx, 3), (Rsi, UNMAPPED - 1), (Rdi, DATA)])?;
            guest.step(|now| {
                now.add(Rcx, -1);
                now.add(Rsi, 1);
                now.add(Rdi, 1);
            })?;
            guest.step(|now| {
                now.cpu.cr2 = UNMAPPED;
                now.fault_in_task(Some(0));
            })
        }),
        case("push without a stack to a task", &[Mode::G], |guest| {
            task_gate(guest, DOUBLE);
            guest.code("push {ax}", &[0x50]);
            guest.gpr([(Rsp, UNMAPPED + 0x100)])?;
            guest.step(|now| {
                now.cpu.cr2 = UNMAPPED + 0xfc;
                now.double_fault_in_task();
            })
        }),
        case("ud2 without a stack to a task", &[Mode::G], |guest| {
            task_gate(guest, DOUBLE);
            task_gate(guest, PAGE);
            guest.code("ud2", &[0x0f, 0x0b]);
            guest.gpr([(Rsp, UNMAPPED + 0x100)])?;
            guest.step(|now| {
                now.cpu.cr2 = UNMAPPED + 0xfc;
                now.fault_in_task(Some(2));
            })
        }),
        case("stopped on before a task", GATED, |guest| {
            task_gate(guest, UD);
            task_gate(guest, DE);
            for (stop, vector, code) in [("#UD", UD, [0x0f, 0x0b]), ("#DE", DE, [0xf6, 0xf3])] {
                guest.again()?;
                guest.poke(TSS_HANDLER, &[0; 2]);
                guest.poke(GDT + u64::from(HANDLER_TASK) + 5, &[0x89]);
                guest.code(stop, &code);
                guest.stop_on(stop);
                guest.run(|now| now.exception(vector, None, None))?;
                guest.step(|now| now.fault_in_task(None))?;
            }
            Ok(())
        }),
        case("in from a port to a task", &[Mode::V, Mode::P3], |guest| {
            // The bitmap of the task's ports ends before that port, and IOPL is 0.
            task_gate(guest, GP);
            guest.code("in al, dx", &[0xec]);
            guest.set(|cpu| {
                cpu.rflags &= !(3 << 12);
                cpu.tr.limit = 0x67;
            })?;
            guest.gpr([(Rdx, 0x80)])?;
            guest.step(|now| now.fault_in_task(Some(0)))
        }),
    ]
}

/// The entry of `vector` in the interrupt table leads to the handler's task.
fn task_gate(guest: &mut Subject, vector: u8) {
    let gate = gate(HANDLER_TASK, 0, 5);
    guest.poke(IDT + u64::from(vector) * 8, &gate[..8]);
}
