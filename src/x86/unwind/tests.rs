use super::*;
use crate::x86::registers::{CR0_PE, CR0_PG, EFER_LMA, EFER_LME};
use crate::x86::{Access, DescriptorTable, Segment};

/// Memory with `parts` in it.
fn memory(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut memory = vec![0; 0x10000];
    for (at, bytes) in parts {
        memory[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    memory
}

/// Real mode at CS:IP = 0100:`ip`, linear 1000h + `ip`, the stack at SS:SP = 0800:`sp`.
fn real(ip: u64, sp: u64) -> CpuState {
    let mut cpu = CpuState { rip: ip, rflags: 2, ..CpuState::default() };
    cpu.segments.cs = Segment::paragraph(0x100, Access::CODE16);
    cpu.segments.ss = Segment::paragraph(0x800, Access::DATA16);
    *cpu.get_mut(Gpr::Rsp) = sp;
    cpu
}

/// A flat GDT at 4000h: 32-bit code and data of ring 0 (08h, 10h) and ring 3 (18h, 20h).
const GDT: [u8; 40] = [
    0, 0, 0, 0, 0, 0, 0, 0, //
    0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, //
    0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0, //
    0xff, 0xff, 0, 0, 0, 0xfb, 0xcf, 0, //
    0xff, 0xff, 0, 0, 0, 0xf3, 0xcf, 0,
];

fn protected(memory: &[u8], eip: u64, esp: u64) -> CpuState {
    let gdtr = DescriptorTable { base: 0x4000, limit: 39 };
    let mut cpu = CpuState { cr0: CR0_PE, rip: eip, rflags: 2, gdtr, ..CpuState::default() };
    cpu.segments.cs = read_descriptor(&cpu, memory, 8).unwrap();
    cpu.segments.ss = read_descriptor(&cpu, memory, 0x10).unwrap();
    *cpu.get_mut(Gpr::Rsp) = esp;
    cpu
}

/// How it was entered, CS:IP of the caller, and its stack pointer.
fn found(cpu: &CpuState, memory: &[u8]) -> Option<(Entered, String, u64)> {
    let caller = caller(cpu, memory)?;
    Some((caller.entered, caller.cpu.location(), stack_pointer(&caller.cpu)))
}

#[test]
fn a_near_call_is_left_by_the_same_frame_from_each_of_its_instructions() {
    let memory = memory(&[
        (0x1010, &[0xe8, 0xed, 0x00]), // call 0100
        (0x1100, &[0x50, 0x53, 0xb8, 0x13, 0x00, 0x5b, 0x58, 0xc3]), // push ax, push bx, mov, pop, pop, ret
        (0x8ffc, &[0x13, 0x00]),
    ]);
    let places = [(0x100, 0xffc), (0x101, 0xffa), (0x102, 0xff8), (0x105, 0xff8), (0x107, 0xffc)];
    for (ip, sp) in places {
        let cpu = real(ip, sp);
        assert_eq!(found(&cpu, &memory), Some((Entered::Near, "0100:0013".to_owned(), 0xffe)));
        assert_eq!(caller(&cpu, &memory[..]).unwrap().frame, Linear(0x8ffe), "{ip:#x}");
    }
}

#[test]
fn what_is_pushed_and_popped_again_is_the_callers() {
    let memory = memory(&[
        (0x1010, &[0xe8, 0xed, 0x00]),
        (0x1100, &[0x5e, 0x1f, 0x5d, 0xc2, 0x04, 0x00]), // pop si, pop ds, pop bp, ret 4
        (0x8ff0, &[0x34, 0x12, 0x00, 0x02, 0x78, 0x56, 0x13, 0x00]),
    ]);
    let caller = caller(&real(0x100, 0xff0), &memory[..]).unwrap();
    assert_eq!((caller.cpu.get(Gpr::Rsi), caller.cpu.get(Gpr::Rbp)), (0x1234, 0x5678));
    assert_eq!(caller.cpu.segments.ds.base, 0x2000);
    assert_eq!((caller.cpu.rip, stack_pointer(&caller.cpu)), (0x13, 0xffc));
}

#[test]
fn a_frame_pointer_passes_over_room_for_locals_with_old_return_addresses_in_it() {
    let memory = memory(&[
        (0x1010, &[0xe8, 0xed, 0x00]),
        // push bp, mov bp sp, sub sp 4, nop, leave, ret
        (0x1100, &[0x55, 0x89, 0xe5, 0x83, 0xec, 0x04, 0x90, 0xc9, 0xc3]),
        (0x8ff0, &[0x13, 0x00, 0x13, 0x00, 0xcd, 0xab, 0x13, 0x00]),
    ]);
    let mut cpu = real(0x106, 0xff0);
    *cpu.get_mut(Gpr::Rbp) = 0xff4;
    let caller = caller(&cpu, &memory[..]).unwrap();
    assert_eq!((caller.frame, caller.cpu.get(Gpr::Rbp)), (Linear(0x8ff8), 0xabcd));
}

#[test]
fn far_calls_and_interrupts_are_told_by_their_returns() {
    let memory = memory(&[
        (0x2010, &[0x9a, 0x00, 0x01, 0x00, 0x01]), // 0200:0010: call 0100:0100
        (0x2020, &[0xcd, 0x21]),
        (0x1100, &[0xcb]),
        (0x1200, &[0xcf]),
        (0x8ff0, &[0x15, 0x00, 0x00, 0x02]),
        (0x8fe0, &[0x22, 0x00, 0x00, 0x02, 0x47, 0x02]),
    ]);
    let far = found(&real(0x100, 0xff0), &memory);
    assert_eq!(far, Some((Entered::Far, "0200:0015".to_owned(), 0xff4)));
    let interrupted = caller(&real(0x200, 0xfe0), &memory[..]).unwrap();
    assert_eq!(interrupted.cpu.rflags, 0x247);
    assert_eq!(interrupted.cpu.location(), "0200:0022");
    // One that no `int` raised returns to anything; but not with flags that no processor pushes.
    let mut other = memory.clone();
    other[0x8fe0] = 0x30;
    assert!(caller(&real(0x200, 0xfe0), &other[..]).is_some());
    other[0x8fe4] = 0x45;
    assert_eq!(caller(&real(0x200, 0xfe0), &other[..]), None);
}

#[test]
fn no_call_before_it_is_no_return_address() {
    let memory = memory(&[(0x1100, &[0xc3]), (0x8ffc, &[0x13, 0x00])]);
    assert_eq!(caller(&real(0x100, 0xffc), &memory[..]), None);
}

#[test]
fn code_that_never_returns_was_called_by_what_leads_to_it() {
    let mut memory = memory(&[
        (0x1010, &[0xe8, 0xed, 0x00]),
        (0x1100, &[0x50, 0x51, 0xf4, 0xeb, 0xfd]), // push ax, push cx, hlt, jmp to it
        (0x8ff8, &[0x99, 0x99, 0x99, 0x99, 0x13, 0x00]),
    ]);
    let caught = found(&real(0x103, 0xff8), &memory);
    assert_eq!(caught, Some((Entered::Near, "0100:0013".to_owned(), 0xffe)));
    // Two words lower it is something that the code cannot have left there.
    memory[0x8ff8..0x8ffa].copy_from_slice(&[0x13, 0x00]);
    assert_eq!(caller(&real(0x103, 0xff8), &memory[..]).unwrap().frame, Linear(0x8ffe));
    memory[0x8ffc..0x8ffe].fill(0);
    assert_eq!(caller(&real(0x103, 0xff8), &memory[..]), None);
}

#[test]
fn a_branch_that_loops_does_not_hide_the_return_behind_it() {
    let memory = memory(&[
        (0x1010, &[0xe8, 0xed, 0x00]),
        // again: lodsb, test al al, jz end, int 10h, jmp again, end: ret
        (0x1100, &[0xac, 0x84, 0xc0, 0x74, 0x04, 0xcd, 0x10, 0xeb, 0xf7, 0xc3]),
        (0x8ffc, &[0x13, 0x00]),
    ]);
    for ip in [0x100, 0x103, 0x105, 0x107] {
        assert!(caller(&real(ip, 0xffc), &memory[..]).is_some(), "{ip:#x}");
    }
}

#[test]
fn protected_mode_interrupts_know_stack_switches_and_virtual_8086_mode() {
    let frame: Vec<u8> =
        [0x3010u32, 0x1b, 0x202, 0x5000, 0x23].iter().flat_map(|word| word.to_le_bytes()).collect();
    let v86: Vec<u8> = [0x10u32, 0x200, 0x2_0202, 0xff0, 0x800, 0x300, 0x400, 0, 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let memory = memory(&[
        (0x4000, &GDT),
        (0x1100, &[0x83, 0xc4, 0x04, 0xcf]), // add esp, 4 (an error code), iretd
        (0x8004, &frame),
        (0x9000, &v86),
        (0x3010, &[0x90]),
        (0x2010, &[0x90]),
    ]);
    let outer = caller(&protected(&memory, 0x1100, 0x8000), &memory[..]).unwrap();
    assert_eq!((outer.cpu.rip, outer.cpu.get(Gpr::Rsp)), (0x3010, 0x5000));
    assert_eq!((outer.cpu.cpl(), outer.cpu.segments.ss.selector), (3, 0x23));
    let old = caller(&protected(&memory, 0x1103, 0x9000), &memory[..]).unwrap();
    assert_eq!(old.cpu.mode(), CpuMode::Virtual8086);
    assert_eq!((old.cpu.location(), old.cpu.pc()), ("0200:0010".to_owned(), Linear(0x2010)));
    assert_eq!((old.cpu.segments.es.base, old.cpu.segments.ds.base), (0x3000, 0x4000));
}

#[test]
fn a_frame_that_the_code_makes_for_its_own_iret_is_no_callers() {
    let mut memory = memory(&[
        (0x4000, &GDT),
        // push 23h, 5000h, 202h, 1bh, 3010h; iretd
        (0x1100, &[0x6a, 0x23, 0x68, 0, 0x50, 0, 0, 0x68, 2, 2, 0, 0]),
        (0x110c, &[0x6a, 0x1b, 0x68, 0x10, 0x30, 0, 0, 0xcf]),
        (0x3010, &[0x90]),
    ]);
    let frame = [0x23u32, 0x5000, 0x202, 0x1b, 0x3010];
    let places = [0x1100, 0x1102, 0x1107, 0x110c, 0x110e, 0x1113];
    for is_called in [false, true] {
        // By `call 1100h`, at 1010h.
        let call: &[u8] = if is_called { &[0xe8, 0xeb, 0, 0, 0] } else { &[0; 5] };
        memory[0x1010..0x1015].copy_from_slice(call);
        memory[0x8000..0x8004].copy_from_slice(&[0x15, 0x10, 0, 0]);
        let expected = is_called.then(|| (Entered::Near, "0008:00001015".to_owned(), 0x8004));
        for (pushed, eip) in places.into_iter().enumerate() {
            let esp = 0x8000 - 4 * pushed;
            for (word, at) in frame.iter().take(pushed).zip((0..0x8000).rev().step_by(4)) {
                memory[at - 3..=at].copy_from_slice(&word.to_le_bytes());
            }
            let caller = found(&protected(&memory, eip, esp as u64), &memory);
            assert_eq!(caller, expected, "{eip:#x}");
        }
    }
}

#[test]
fn a_virtual_8086_task_is_followed_as_real_mode_is() {
    let memory = memory(&[
        (0x4000, &GDT),
        (0x1010, &[0xe8, 0xed, 0x00]),
        (0x1100, &[0x50, 0x58, 0xc3]),
        (0x8ffc, &[0x13, 0x00]),
    ]);
    let mut cpu = real(0x100, 0xffc);
    cpu.cr0 = CR0_PE;
    cpu.rflags |= crate::x86::registers::RFLAGS_VM;
    assert_eq!(found(&cpu, &memory), Some((Entered::Near, "0100:0013".to_owned(), 0xffe)));
}

#[test]
fn long_mode_interrupts_always_pop_the_stack_pointer() {
    let frame: Vec<u8> =
        [0x3010u64, 0x08, 0x202, 0x5000, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    // Identity-mapped by one page of 2 MiB, tables at A000h.
    let table = |entry: u64| entry.to_le_bytes();
    let code64 = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0];
    let memory = memory(&[
        (0x4000, &code64),
        (0x1100, &[0x48, 0xcf]), // iretq
        (0x8000, &frame),
        (0x3010, &[0x90]),
        (0xa000, &table(0xb003)),
        (0xb000, &table(0xc003)),
        (0xc000, &table(0x83)),
    ]);
    let mut cpu = protected(
        &{
            let mut other = memory.clone();
            other[0x4000..0x4028].copy_from_slice(&GDT);
            other
        },
        0x1100,
        0x8000,
    );
    cpu.gdtr.limit = 15;
    cpu.cr0 |= CR0_PG;
    cpu.cr3 = 0xa000;
    cpu.cr4 = 1 << 5;
    cpu.efer = EFER_LME | EFER_LMA;
    cpu.segments.cs.access.long = true;
    cpu.segments.cs.access.default_big = false;
    assert_eq!(cpu.mode(), CpuMode::Long64);
    let caller = caller(&cpu, &memory[..]).unwrap();
    assert_eq!((caller.cpu.rip, caller.cpu.get(Gpr::Rsp)), (0x3010, 0x5000));
}

#[test]
fn a_backtrace_goes_through_all_kinds_and_ends() {
    let memory = memory(&[
        (0x0080, &[0x00, 0x03, 0x00, 0x01]),             // vector 20h
        (0x1010, &[0xe8, 0xed, 0x00, 0xf4, 0xeb, 0xfd]), // main: call 0100, hlt, jmp
        (0x1100, &[0x0e, 0xe8, 0xfc, 0x00, 0xc3]),       // push cs, call 0200, ret
        (0x1200, &[0xcd, 0x20, 0xcb]),                   // int 20h, retf
        (0x1300, &[0xcf]),
        (0x8ff0, &[0x02, 0x02, 0x00, 0x01, 0x02, 0x02, 0x04, 0x01, 0x00, 0x01, 0x13, 0x00]),
    ]);
    let mut cpu = real(0x300, 0xff0);
    cpu.idtr.limit = 0x3ff;
    let frames = backtrace(&cpu, &memory[..], 20);
    let places: Vec<String> = frames.iter().map(|frame| frame.cpu.location()).collect();
    assert_eq!(places, ["0100:0300", "0100:0202", "0100:0104", "0100:0013"]);
    assert_eq!(backtrace(&cpu, &memory[..], 2).len(), 2);
}

#[test]
fn stray_registers_are_no_trouble() {
    let memory = vec![0xff; 0x100];
    for (ip, sp) in [(0, 0), (0xffff, 0xffff), (0xffff_ffff, 1), (0x10, 0xfffe)] {
        assert_eq!(caller(&real(ip, sp), &memory[..]), None);
    }
}

/// A handler at 0100:0100 with the code `handler`, the far pointer 0300:0000 at 0100:0200, `old` at 0300:0000, and
/// at 0800:0FF0 the frame of an interrupt behind a HLT at 0200:0010.
fn hooked(handler: &[u8], old: &[u8]) -> Vec<u8> {
    memory(&[
        (0x1100, handler),
        (0x1200, &[0x00, 0x00, 0x00, 0x03]),
        (0x2010, &[0xf4, 0xfa]),
        (0x3000, old),
        (0x8ff0, &[0x11, 0x00, 0x00, 0x02, 0x46, 0x02]),
    ])
}

fn interrupted() -> Option<(Entered, String, u64)> {
    Some((Entered::Interrupt, "0200:0011".to_owned(), 0xff6))
}

#[test]
fn a_handler_that_jumps_to_the_one_before_it_returns_as_that_one_does() {
    // push ax, pop ax, jmp far [cs:200h]; push bx, pop bx, iret
    let mut memory = hooked(&[0x50, 0x58, 0x2e, 0xff, 0x2e, 0x00, 0x02], &[0x53, 0x5b, 0xcf]);
    for (ip, sp) in [(0x100, 0xff0), (0x101, 0xfee), (0x102, 0xff0)] {
        assert_eq!(found(&real(ip, sp), &memory), interrupted(), "{ip:#x}");
    }
    // 0000:0000 is no handler, though the table there reads as `iret`.
    memory[0] = 0xcf;
    memory[0x1200..0x1204].fill(0);
    assert_eq!(found(&real(0x100, 0xff0), &memory), None);
}

#[test]
fn a_pointer_is_read_where_its_segment_is_known() {
    // push ds, push cs, pop ds, pushf, call far [200h], pop ds, iret
    let own = [0x1e, 0x0e, 0x1f, 0x9c, 0xff, 0x1e, 0x00, 0x02, 0x1f, 0xcf];
    assert_eq!(found(&real(0x100, 0xff0), &hooked(&own, &[0xcf])), interrupted());
    // mov ds, ax; jmp far [200h]; jmp far [cs:bx]
    for unknown in [&[0x8e, 0xd8, 0xff, 0x2e, 0x00, 0x02][..], &[0x2e, 0xff, 0x2f]] {
        assert_eq!(found(&real(0x100, 0xff0), &hooked(unknown, &[0xcf])), None);
    }
}

#[test]
fn a_call_behind_pushf_takes_the_flags_if_what_it_calls_does() {
    // pushf, call far [cs:200h], nop, iret; pushf, call 0300:0000, nop, iret
    let indirect = [0x9c, 0x2e, 0xff, 0x1e, 0x00, 0x02, 0x90, 0xcf];
    let direct = [0x9c, 0x9a, 0x00, 0x00, 0x00, 0x03, 0x90, 0xcf];
    for handler in [indirect, direct] {
        // iret; retf 2; one whose return cannot be found: jmp ax
        for old in [&[0xcf][..], &[0xca, 2, 0], &[0xff, 0xe0]] {
            let memory = hooked(&handler, old);
            for (ip, sp) in [(0x100, 0xff0), (0x101, 0xfee), (0x106, 0xff0), (0x107, 0xff0)] {
                assert_eq!(found(&real(ip, sp), &memory), interrupted(), "{ip:#x}");
            }
        }
    }
    // pushf, call 0300:0000, popf, iret; retf
    let keeping = [0x9c, 0x9a, 0x00, 0x00, 0x00, 0x03, 0x9d, 0xcf];
    let memory = hooked(&keeping, &[0xcb]);
    for (ip, sp) in [(0x100, 0xff0), (0x101, 0xfee), (0x106, 0xfee), (0x107, 0xff0)] {
        assert_eq!(found(&real(ip, sp), &memory), interrupted(), "{ip:#x}");
    }
}

#[test]
fn handlers_that_call_each_other_have_an_end() {
    // pushf, call 0100:0100, iret; jmp far [cs:200h] to itself
    let calls = [0x9c, 0x9a, 0x00, 0x01, 0x00, 0x01, 0xcf];
    assert_eq!(found(&real(0x100, 0xff0), &hooked(&calls, &[])), interrupted());
    let mut memory = hooked(&[0x2e, 0xff, 0x2e, 0x00, 0x02], &[]);
    memory[0x1200..0x1204].copy_from_slice(&[0x00, 0x01, 0x00, 0x01]);
    assert_eq!(found(&real(0x100, 0xff0), &memory), None);
}

#[test]
fn a_handler_that_does_not_return_is_known_by_its_vector() {
    let halts = [0x50, 0xf4, 0xeb, 0xfd]; // push ax, hlt, jmp to it
    let goes_on = [0x50, 0x58, 0xff, 0xe0]; // push ax, pop ax, jmp ax
    for handler in [halts, goes_on] {
        let mut memory = hooked(&handler, &[]);
        let mut places = [real(0x100, 0xff0), real(0x101, 0xfee)];
        for cpu in &mut places {
            assert_eq!(found(cpu, &memory), None);
            cpu.idtr.limit = 0x3ff;
            assert_eq!(found(cpu, &memory), None);
        }
        memory[0x20..0x24].copy_from_slice(&[0x00, 0x01, 0x00, 0x01]);
        for cpu in &places {
            assert_eq!(found(cpu, &memory), interrupted(), "{}", cpu.location());
        }
        // Flags that no processor pushes.
        memory[0x8ff4] = 0x45;
        assert_eq!(found(&places[1], &memory), None);
    }
}

#[test]
fn what_a_handler_jumps_to_with_a_stack_of_its_own_is_not_interrupted() {
    // mov sp, 0FF0h; jmp 0110h; there hlt, jmp to it
    let mut memory = hooked(&[0xbc, 0xf0, 0x0f, 0xeb, 0x0b], &[]);
    memory[0x1110..0x1113].copy_from_slice(&[0xf4, 0xeb, 0xfd]);
    memory[0x20..0x24].copy_from_slice(&[0x00, 0x01, 0x00, 0x01]);
    let mut cpu = real(0x110, 0xff0);
    cpu.idtr.limit = 0x3ff;
    assert_eq!(found(&cpu, &memory), None);
    // In the handler itself it is there.
    cpu.rip = 0x100;
    assert_eq!(found(&cpu, &memory), interrupted());
}
