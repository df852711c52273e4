//! What computing instructions make of registers, flags and memory.

use super::*;
use crate::emulator::{Outcome, Unsupported, execute};
use crate::x86::Feature;
use crate::x86::registers::{
    CR0_MP, CR0_NE, CR0_TS, CR4_OSXSAVE, CR4_TSD, EFER_SCE, RFLAGS_AF, RFLAGS_CF, RFLAGS_OF,
    RFLAGS_TF, RFLAGS_ZF,
};

const DONE: Result<Outcome, Unsupported> =
    Ok(Outcome::Completed { single_step: false, unblocks_nmi: false });

impl Pc {
    /// Executes `code` at the instruction pointer.
    pub(super) fn execute(&mut self, code: &[u8]) -> Result<Outcome, Unsupported> {
        let at = self.cpu.pc();
        self.memory.write(Phys(at.0), code);
        execute(&mut self.cpu, &mut self.memory)
    }

    /// The same, and the instruction has to complete.
    #[track_caller]
    pub(super) fn complete(&mut self, code: &[u8]) {
        let next = self.cpu.rip + code.len() as u64;
        assert_eq!(self.execute(code), DONE, "{code:02x?}");
        assert_eq!(self.cpu.rip, next, "{code:02x?}");
    }

    fn set(&mut self, gpr: Gpr, value: u64) {
        *self.cpu.get_mut(gpr) = value;
    }

    fn flags(&self) -> u64 {
        self.cpu.rflags & 0x8d5
    }
}

#[test]
fn what_cpuid_does_not_offer_is_an_invalid_opcode() {
    let cases: [(Feature, &[u8]); 9] = [
        (Feature::Popcnt, &[0xf3, 0x0f, 0xb8, 0xc1]),
        (Feature::Movbe, &[0x0f, 0x38, 0xf0, 0x04, 0x25, 0, 0x90, 0, 0]),
        (Feature::Sse42, &[0xf2, 0x0f, 0x38, 0xf1, 0xc1]),
        (Feature::Cmpxchg16b, &[0x48, 0x0f, 0xc7, 0x0c, 0x25, 0, 0x90, 0, 0]),
        (Feature::Rdrand, &[0x0f, 0xc7, 0xf0]),
        (Feature::Rdseed, &[0x0f, 0xc7, 0xf8]),
        (Feature::Rdtscp, &[0x0f, 0x01, 0xf9]),
        (Feature::Bmi1, &[0xc4, 0xe2, 0x70, 0xf2, 0xc1]),
        (Feature::Bmi2, &[0xc4, 0xe2, 0x71, 0xf7, 0xc1]),
    ];
    for (feature, code) in cases {
        let mut pc = Pc::long(0);
        pc.gate64(6, CODE64, HANDLER, 0x8e, 0);
        pc.memory.msrs = vec![(0x10, 1)];
        pc.memory.random = Some(1);
        let without = {
            let mut pc = pc.clone();
            pc.memory.features = Features::all(true).without(feature);
            pc.execute(code)
        };
        assert_eq!(without, Ok(Outcome::Entered { vector: 6 }), "{feature:?}");
        let with = pc.execute(code);
        assert!(matches!(with, Ok(Outcome::Completed { .. })), "{feature:?}: {with:?}");
    }
}

#[test]
fn prefetches_with_registers_do_nothing_or_to_amd_are_invalid() {
    for (code, intel, vector) in [
        ([0x0f, 0x18, 0xc0], true, None),
        ([0x0f, 0x18, 0xc0], false, None),
        ([0x0f, 0x0d, 0xc8], true, None),
        ([0x0f, 0x0d, 0xc8], false, Some(6)),
    ] {
        let mut pc = Pc::protected(0);
        pc.gate(6, CODE0, HANDLER, 0x8e);
        pc.memory.features = Features::all(intel);
        let outcome = pc.execute(&code);
        let entered = match outcome {
            Ok(Outcome::Entered { vector }) => Some(vector),
            _ => None,
        };
        assert_eq!(entered, vector, "{code:x?}: {outcome:?}");
    }
}

#[test]
fn decimal_adjustments_follow_the_manuals_examples() {
    // AL, flags before; AX, flags after: SDM vol. 2A, "DAA" and "DAS".
    for (code, ax, before, expected, after) in [
        (0x27, 0xae, 0, 0x14, RFLAGS_CF | RFLAGS_AF | 4),
        (0x27, 0x2e, 0, 0x34, RFLAGS_AF),
        (0x2f, 0xee, 0, 0x88, RFLAGS_CF | RFLAGS_AF | 0x84),
        (0x37, 0x000b, 0, 0x0101, RFLAGS_CF | RFLAGS_AF),
        (0x37, 0x0109, 0, 0x0109, 0),
        (0x3f, 0x020e, 0, 0x0108, RFLAGS_CF | RFLAGS_AF),
    ] {
        let mut pc = Pc::real();
        pc.set(Gpr::Rax, 0xffff_0000 | ax);
        pc.cpu.rflags |= before;
        pc.complete(&[code]);
        assert_eq!(pc.cpu.get(Gpr::Rax), 0xffff_0000 | expected, "{code:#x} {ax:#x}");
        assert_eq!(pc.flags(), after, "{code:#x} {ax:#x}");
    }
}

#[test]
fn bits_are_counted_in_the_width_of_the_operand() {
    let mut pc = Pc::long(0);
    pc.set(Gpr::Rcx, 0xf0f0_0000_8000_0100);
    pc.complete(&[0xf3, 0x48, 0x0f, 0xb8, 0xc1]); // popcnt rax, rcx
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (10, 0));
    pc.complete(&[0x66, 0xf3, 0x0f, 0xb8, 0xc1]); // popcnt ax, cx
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (1, 0));
    pc.set(Gpr::Rcx, 0xffff_0000);
    pc.complete(&[0x66, 0xf3, 0x0f, 0xb8, 0xc1]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0, RFLAGS_ZF));
    // Those that no host refuses are nobody's business here.
    assert_eq!(pc.execute(&[0xf3, 0x0f, 0xbd, 0xc1]), Err(Unsupported::Unknown)); // lzcnt eax, ecx
}

#[test]
fn crc32_is_that_of_the_test_vector() {
    // CRC-32C of "123456789" is E3069283h.
    let mut pc = Pc::long(0);
    pc.set(Gpr::Rax, 0xffff_ffff_ffff_ffff);
    pc.set(Gpr::Rcx, u64::from_le_bytes(*b"12345678"));
    pc.complete(&[0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc1]); // crc32 rax, rcx
    pc.set(Gpr::Rcx, 0x39);
    pc.complete(&[0xf2, 0x0f, 0x38, 0xf0, 0xc1]); // crc32 eax, cl
    assert_eq!(pc.cpu.get(Gpr::Rax) ^ 0xffff_ffff, 0xe306_9283);
}

#[test]
fn deposits_and_extractions_are_each_others_reverse() {
    let mut pc = Pc::protected(0);
    pc.set(Gpr::Rbx, 0b1_0110);
    pc.set(Gpr::Rcx, 0xf0f0_0f0f);
    pc.complete(&[0xc4, 0xe2, 0x63, 0xf5, 0xc1]); // pdep eax, ebx, ecx
    assert_eq!(pc.cpu.get(Gpr::Rax), 0x106);
    pc.set(Gpr::Rbx, 0x106);
    pc.complete(&[0xc4, 0xe2, 0x62, 0xf5, 0xc1]); // pext eax, ebx, ecx
    assert_eq!(pc.cpu.get(Gpr::Rax), 0b1_0110);
}

#[test]
fn vex_instructions_do_not_exist_where_segments_are_paragraphs() {
    let mut pc = Pc::real();
    pc.put(6 * 4, HANDLER, 4);
    let andn = [0xc4, 0xe2, 0x60, 0xf2, 0xc1];
    assert_eq!(pc.execute(&andn), Ok(Outcome::Entered { vector: 6 }));
    assert_eq!((pc.cpu.rip, pc.stack(1, 2)[0]), (HANDLER, CODE));
    Pc::protected(0).complete(&andn);
}

#[test]
fn additions_with_one_flag_leave_the_others() {
    let mut pc = Pc::protected(0);
    pc.set(Gpr::Rax, 0xffff_ffff);
    pc.cpu.rflags |= RFLAGS_OF;
    pc.complete(&[0x66, 0x0f, 0x38, 0xf6, 0xc1]); // adcx eax, ecx
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0xffff_ffff, RFLAGS_OF));
    pc.complete(&[0xf3, 0x0f, 0x38, 0xf6, 0xc1]); // adox eax, ecx
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0, RFLAGS_OF));
}

#[test]
fn sixteen_bytes_are_exchanged_if_they_are_equal_and_aligned() {
    let code = [0xf0, 0x48, 0x0f, 0xc7, 0x0f]; // lock cmpxchg16b [rdi]
    let mut pc = Pc::long(0);
    pc.set(Gpr::Rdi, 0x9000);
    pc.put(0x9000, 1, 8);
    pc.put(0x9008, 2, 8);
    pc.set(Gpr::Rax, 1);
    pc.set(Gpr::Rdx, 2);
    pc.set(Gpr::Rbx, 3);
    pc.set(Gpr::Rcx, 4);
    pc.complete(&code);
    assert_eq!((pc.get(0x9000, 8), pc.get(0x9008, 8), pc.flags()), (3, 4, RFLAGS_ZF));
    pc.complete(&code);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.cpu.get(Gpr::Rdx), pc.flags()), (3, 4, 0));
    pc.set(Gpr::Rdi, 0x9008);
    pc.gate64(13, CODE64, HANDLER, 0x8e, 0);
    assert_eq!(pc.execute(&code), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn selector_queries_answer_what_the_program_may_know() {
    // Selector; rights and limit that LAR and LSL give, VERR, VERW: in ring 0 and in ring 3.
    type Answers = (Option<u64>, Option<u64>, bool, bool);
    let cases: [(u16, Answers, Answers); 5] = [
        (0, (None, None, false, false), (None, None, false, false)),
        (DATA0, (Some(0xc0_9300), Some(0xffff_ffff), true, true), (None, None, false, false)),
        (
            DATA3,
            (Some(0xc0_f300), Some(0xffff_ffff), true, true),
            (Some(0xc0_f300), Some(0xffff_ffff), true, true),
        ),
        (TASK, (Some(0x8b00), Some(0x67), false, false), (None, None, false, false)),
        (
            CONFORMING,
            (Some(0xc0_9e00), Some(0xffff_ffff), true, false),
            (Some(0xc0_9e00), Some(0xffff_ffff), true, false),
        ),
    ];
    for (selector, ring_0, ring_3) in cases {
        for (ring, expected) in [(0, ring_0), (3, ring_3)] {
            let ask = |code: &[u8]| {
                let mut pc = Pc::protected(ring);
                pc.set(Gpr::Rcx, selector.into());
                pc.complete(code);
                (pc.flags() == RFLAGS_ZF, pc.cpu.get(Gpr::Rax))
            };
            let value = |(valid, value): (bool, u64)| valid.then_some(value);
            let found = (
                value(ask(&[0x0f, 0x02, 0xc1])),
                value(ask(&[0x0f, 0x03, 0xc1])),
                ask(&[0x0f, 0x00, 0xe1]).0,
                ask(&[0x0f, 0x00, 0xe9]).0,
            );
            assert_eq!(found, expected, "{selector:#x} in ring {ring}");
        }
    }
}

#[test]
fn arpl_raises_a_selectors_level_and_nothing_else_of_the_register() {
    let mut pc = Pc::protected(0);
    pc.set(Gpr::Rax, 0x8765_0010);
    pc.set(Gpr::Rcx, 0x1b);
    pc.complete(&[0x63, 0xc8]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0x8765_0013, RFLAGS_ZF));
    pc.complete(&[0x63, 0xc8]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0x8765_0013, 0));
}

#[test]
fn enter_copies_frame_pointers_and_sees_those_it_has_just_pushed() {
    let mut pc = Pc::protected(0);
    pc.set(Gpr::Rbp, 0x7800);
    pc.put(0x77fc, 0x1111, 4);
    pc.put(0x77f8, 0x2222, 4);
    pc.complete(&[0xc8, 0x10, 0, 3]); // enter 16, 3
    assert_eq!(pc.cpu.get(Gpr::Rbp), STACK - 4);
    assert_eq!(pc.cpu.get(Gpr::Rsp), STACK - 16 - 16);
    let frame = [12, 8, 4, 0].map(|up| pc.get(STACK - 16 + up, 4));
    assert_eq!(frame, [0x7800, 0x1111, 0x2222, STACK - 4]);
    // EBP is the stack's top: the first copy is what was pushed before.
    let mut pc = Pc::protected(0);
    pc.set(Gpr::Rbp, STACK);
    pc.complete(&[0xc8, 0, 0, 2]);
    assert_eq!(pc.get(STACK - 8, 4), STACK);
}

#[test]
fn bound_is_a_fault_with_the_instruction_as_its_return_address() {
    let mut pc = Pc::protected(0);
    pc.gate(5, CODE0, HANDLER, 0x8e);
    pc.set(Gpr::Rdi, 0x9000);
    pc.put(0x9000, 0xffff_fffe, 4);
    pc.put(0x9004, 2, 4);
    for (index, inside) in [(0xffff_fffe, true), (2, true), (3, false), (0xffff_fffd, false)] {
        let mut pc = pc.clone();
        pc.set(Gpr::Rax, index);
        let outcome = pc.execute(&[0x62, 0x07]);
        if inside {
            assert_eq!(outcome, DONE, "{index:#x}");
        } else {
            assert_eq!(outcome, Ok(Outcome::Entered { vector: 5 }), "{index:#x}");
            assert_eq!(pc.stack(1, 4), [CODE]);
        }
    }
}

#[test]
fn extended_registers_and_time_stamps_ask_for_permission() {
    let mut pc = Pc::protected(0);
    pc.gate(6, CODE0, HANDLER, 0x8e);
    assert_eq!(pc.clone().execute(&[0x0f, 0x01, 0xd0]), Ok(Outcome::Entered { vector: 6 }));
    pc.cpu.cr4 |= CR4_OSXSAVE;
    pc.complete(&[0x0f, 0x01, 0xd0]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.cpu.get(Gpr::Rdx)), (7, 0));

    let rdtscp = [0x0f, 0x01, 0xf9];
    let mut pc = Pc::protected(3);
    pc.memory.msrs = vec![(0x10, 0x1_2345_6789), (0xc000_0103, 42)];
    pc.gate(13, CODE0, HANDLER, 0x8e);
    pc.complete(&rdtscp);
    let found = [Gpr::Rax, Gpr::Rdx, Gpr::Rcx].map(|gpr| pc.cpu.get(gpr));
    assert_eq!(found, [0x2345_6789, 1, 42]);
    pc.cpu.cr4 |= CR4_TSD;
    assert_eq!(pc.execute(&rdtscp), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn without_randomness_the_number_is_zero_and_the_carry_says_so() {
    let mut pc = Pc::protected(0);
    pc.memory.random = Some(0x1_2345_6789);
    pc.complete(&[0x0f, 0xc7, 0xf0]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0x2345_6789, RFLAGS_CF));
    pc.memory.random = None;
    pc.complete(&[0x0f, 0xc7, 0xf8]);
    assert_eq!((pc.cpu.get(Gpr::Rax), pc.flags()), (0, 0));
}

#[test]
fn wait_raises_what_is_pending_unless_the_x87_belongs_to_another_task() {
    let mut pc = Pc::protected(0);
    pc.gate(7, CODE0, HANDLER, 0x8e);
    pc.gate(16, CODE0, HANDLER, 0x8e);
    pc.complete(&[0x9b]);
    pc.memory.x87_pending = true;
    pc.complete(&[0x9b]);
    pc.cpu.cr0 |= CR0_NE;
    assert_eq!(pc.clone().execute(&[0x9b]), Ok(Outcome::Entered { vector: 16 }));
    pc.cpu.cr0 |= CR0_TS | CR0_MP;
    assert_eq!(pc.execute(&[0x9b]), Ok(Outcome::Entered { vector: 7 }));
}

#[test]
fn sysenter_and_sysexit_go_by_their_registers() {
    let mut pc = Pc::protected(3);
    pc.memory.msrs = vec![(0x174, CODE0.into()), (0x175, 0x5000), (0x176, HANDLER)];
    let outcome = pc.execute(&[0x0f, 0x34]);
    assert_eq!(outcome, DONE);
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp), pc.cpu.cpl()), (HANDLER, 0x5000, 0));
    let selectors = (pc.cpu.segments.cs.selector, pc.cpu.segments.ss.selector);
    assert_eq!(selectors, (CODE0, DATA0));
    pc.set(Gpr::Rcx, STACK);
    pc.set(Gpr::Rdx, CODE);
    assert_eq!(pc.execute(&[0x0f, 0x35]), DONE);
    assert_eq!((pc.cpu.rip, pc.cpu.get(Gpr::Rsp), pc.cpu.cpl()), (CODE, STACK, 3));
    let selectors = (pc.cpu.segments.cs.selector, pc.cpu.segments.ss.selector);
    assert_eq!(selectors, (CODE3, DATA3));
}

#[test]
fn syscall_and_sysret_trap_by_the_flags_that_they_load() {
    let mut pc = Pc::long(3);
    pc.cpu.efer |= EFER_SCE;
    let star = 0x20 << 48 | u64::from(CODE64) << 32;
    let masked = |mask| vec![(0xc000_0081, star), (0xc000_0082, HANDLER), (0xc000_0084, mask)];
    pc.cpu.rflags |= RFLAGS_TF;
    for (mask, single_step) in [(RFLAGS_TF, false), (0, true)] {
        let mut pc = pc.clone();
        pc.memory.msrs = masked(mask);
        let outcome = Outcome::Completed { single_step, unblocks_nmi: false };
        assert_eq!(pc.execute(&[0x0f, 0x05]), Ok(outcome), "mask {mask:#x}");
        assert_eq!((pc.cpu.rip, pc.cpu.cpl()), (HANDLER, 0));
        assert_eq!(pc.cpu.get(Gpr::R11), RFLAGS_FIXED | RFLAGS_TF);
    }
    for (flags, single_step) in [(0, false), (RFLAGS_TF, true)] {
        let mut pc = Pc::long(0);
        pc.cpu.efer |= EFER_SCE;
        pc.memory.msrs = masked(0);
        pc.set(Gpr::R11, flags);
        pc.set(Gpr::Rcx, HANDLER);
        let outcome = Outcome::Completed { single_step, unblocks_nmi: false };
        assert_eq!(pc.execute(&[0x48, 0x0f, 0x07]), Ok(outcome), "flags {flags:#x}");
        assert_eq!((pc.cpu.rip, pc.cpu.cpl()), (HANDLER, 3));
    }
}

#[test]
fn an_operand_on_a_page_that_is_not_there_faults_before_anything_has_changed() {
    let mut pc = Pc::long(0);
    pc.gate64(14, CODE64, HANDLER, 0x8e, 0);
    pc.put(PAGES + 0x3000 + 8 * 0xa, 0, 8);
    pc.set(Gpr::Rdi, 0x9ffe);
    let before = pc.cpu.gpr;
    // popcnt eax, [rdi], which straddles the border.
    assert_eq!(pc.execute(&[0xf3, 0x0f, 0xb8, 0x07]), Ok(Outcome::Entered { vector: 14 }));
    assert_eq!((pc.cpu.cr2, pc.stack(2, 8)), (0xa000, vec![0, CODE]));
    pc.cpu.gpr[Gpr::Rsp as usize] = before[Gpr::Rsp as usize];
    assert_eq!(pc.cpu.gpr, before);
}

#[test]
fn a_segment_that_ends_or_may_not_be_written_is_a_general_protection_fault() {
    let faults = |change: fn(&mut Pc), code: &[u8]| {
        let mut pc = Pc::protected(0);
        pc.gate(13, CODE0, HANDLER, 0x8e);
        pc.set(Gpr::Rdi, 0x9000);
        change(&mut pc);
        assert_eq!(pc.execute(code), Ok(Outcome::Entered { vector: 13 }), "{code:02x?}");
        assert_eq!(pc.stack(2, 4), [0, CODE]);
    };
    faults(|pc| pc.cpu.segments.ds.limit = 0x9002, &[0xf3, 0x0f, 0xb8, 0x07]);
    faults(|pc| pc.cpu.segments.ds.access.unusable = true, &[0xf3, 0x0f, 0xb8, 0x07]);
    // movbe [edi], eax into read-only data, and into code.
    faults(|pc| pc.cpu.segments.ds.access.kind = 1, &[0x0f, 0x38, 0xf1, 0x07]);
    faults(|pc| pc.cpu.segments.ds.access.kind = 0xb, &[0x2e, 0x0f, 0x38, 0xf1, 0x07]);
}

#[test]
fn what_no_processor_knows_is_an_invalid_opcode_and_what_is_too_long_a_general_protection_fault() {
    let mut pc = Pc::protected(0);
    pc.gate(6, CODE0, HANDLER, 0x8e);
    pc.gate(13, CODE0, HANDLER + 13, 0x8e);
    for code in [&[0x0f, 0xff, 0xc0][..], &[0x0f, 0x01, 0xc1], &[0x0f, 0x01, 0xd8], &[0xf0, 0x27]] {
        assert_eq!(pc.clone().execute(code), Ok(Outcome::Entered { vector: 6 }), "{code:02x?}");
    }
    let long = [&[0x66; 15][..], &[0x27]].concat();
    assert_eq!(pc.execute(&long), Ok(Outcome::Entered { vector: 13 }));
}

#[test]
fn floating_point_is_left_to_others_and_changes_nothing() {
    for code in [&[0xd9, 0xe8][..], &[0x0f, 0x58, 0xc1], &[0x0f, 0xfc, 0xc1], &[0x0f, 0xae, 0x07]] {
        let mut pc = Pc::protected(0);
        pc.cpu.cr4 |= crate::x86::registers::CR4_OSFXSR;
        let before = pc.cpu.clone();
        assert_eq!(pc.execute(code), Err(Unsupported::Fpu), "{code:02x?}");
        assert_eq!(pc.cpu, before);
    }
    assert_eq!(Pc::protected(0).execute(&[0x01, 0x00]), Err(Unsupported::Unknown));
}

#[test]
fn floating_point_that_is_switched_off_is_an_exception() {
    let faults = |change: fn(&mut CpuState), code: &[u8], vector: u8| {
        let mut pc = Pc::protected(0);
        pc.gate(vector, CODE0, HANDLER, 0x8e);
        change(&mut pc.cpu);
        assert_eq!(pc.execute(code), Ok(Outcome::Entered { vector }), "{code:02x?}");
    };
    faults(|cpu| cpu.cr0 |= crate::x86::registers::CR0_EM, &[0xd9, 0xe8], 7);
    faults(|cpu| cpu.cr0 |= crate::x86::registers::CR0_TS, &[0xd9, 0xe8], 7);
    faults(|cpu| cpu.cr0 |= crate::x86::registers::CR0_EM, &[0x0f, 0xfc, 0xc1], 6);
    faults(|_| {}, &[0x0f, 0x58, 0xc1], 6);
    faults(|_| {}, &[0xc5, 0xf0, 0x58, 0xc1], 6);
}

#[test]
fn the_guests_trap_flag_is_due_after_what_completes_and_not_after_what_enters_a_handler() {
    let mut pc = Pc::real();
    pc.cpu.rflags |= RFLAGS_TF;
    let due = Ok(Outcome::Completed { single_step: true, unblocks_nmi: false });
    assert_eq!(pc.execute(&[0x27]), due);
    assert_eq!(pc.execute(&[0xcd, 0x30]), Ok(Outcome::Entered { vector: 0x30 }));
}

#[test]
fn what_needs_no_sse_is_not_refused_for_want_of_it() {
    // emms; paddb mm0, mm1
    for code in [&[0x0f, 0x77][..], &[0x0f, 0xfc, 0xc1]] {
        assert_eq!(Pc::protected(0).execute(code), Err(Unsupported::Fpu), "{code:02x?}");
    }
    // cvtpi2ps xmm0, mm1 and xsave [edi] without CR4.OSFXSR and CR4.OSXSAVE.
    for (cr4, code) in
        [(0, &[0x0f, 0x2a, 0xc1][..]), (crate::x86::registers::CR4_OSFXSR, &[0x0f, 0xae, 0x27])]
    {
        let mut pc = Pc::protected(0);
        pc.gate(6, CODE0, HANDLER, 0x8e);
        pc.cpu.cr4 |= cr4;
        assert_eq!(pc.execute(code), Ok(Outcome::Entered { vector: 6 }), "{code:02x?}");
    }
}

#[test]
fn monitor_takes_its_address_in_the_address_size() {
    let mut pc = Pc::real();
    pc.set(Gpr::Rax, 0x1_0000);
    pc.complete(&[0x0f, 0x01, 0xc8]);
}

#[test]
fn fetching_looks_no_further_than_the_instruction_goes() {
    let mut pc = Pc::long(0);
    let entry = |page: u64| PAGES + 0x3000 + 8 * page;
    let accessed = |pc: &Pc, page| pc.memory.bytes[entry(page) as usize] & 0x20 != 0;
    // mfence, up to the end of its page.
    pc.cpu.rip = 0x8ffd;
    pc.complete(&[0x0f, 0xae, 0xf0]);
    assert!(accessed(&pc, 8) && !accessed(&pc, 9));
}

#[test]
fn pusha_pushes_all_registers_and_sp_as_it_was() {
    for (size, code) in [(4, &[0x60][..]), (2, &[0x66, 0x60])] {
        let mut pc = Pc::protected(0);
        let values = [1, 2, 3, 4, STACK, 6, 7, 8];
        pc.cpu.gpr[..8].copy_from_slice(&values);
        assert!(matches!(pc.execute(code), Ok(Outcome::Completed { .. })));
        assert_eq!(pc.cpu.get(Gpr::Rsp), STACK - 8 * size as u64);
        assert_eq!(pc.stack(8, size), [8, 7, 6, STACK, 4, 3, 2, 1]);
    }
}
