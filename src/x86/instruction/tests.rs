use super::*;

const REAL: CpuMode = CpuMode::Real;
const PROT: CpuMode = CpuMode::Protected32;
const LONG: CpuMode = CpuMode::Long64;

/// Decodes `bytes` with others behind them, and checks that cutting them short yields nothing.
fn kind(bytes: &[u8], mode: CpuMode) -> Kind {
    let facts = decode(&[bytes, &[0x90; 4]].concat(), mode)
        .unwrap_or_else(|| panic!("{bytes:02x?} in {mode}"));
    assert_eq!(usize::from(facts.len), bytes.len(), "length of {bytes:02x?} in {mode}");
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len], mode), None, "{len} bytes of {bytes:02x?} in {mode}");
    }
    facts.kind
}

/// The kind in 16-, 32- and 64-bit code.
fn kinds(bytes: &[u8]) -> [Kind; 3] {
    [REAL, PROT, LONG].map(|mode| kind(bytes, mode))
}

#[test]
fn unremarkable_instructions_are_other() {
    for bytes in [&[0x90][..], &[0x89, 0xd8], &[0xeb, 0xfe], &[0x0f, 0x31]] {
        assert_eq!(kinds(bytes), [Kind::Other; 3], "{bytes:02x?}");
    }
}

#[test]
fn instructions_without_operands_keep_their_kind_in_every_mode() {
    for (bytes, expected) in [
        (&[0xf4][..], Kind::Hlt),
        (&[0xcc], Kind::Int3),
        (&[0xc3], Kind::Other),
        (&[0xca, 4, 0], Kind::Other),
        (&[0xe2, 0xfe], Kind::Other),
        (&[0xe3, 0xfe], Kind::Other),
        (&[0x0f, 0x05], Kind::FastCall),
    ] {
        assert_eq!(kinds(bytes), [expected; 3], "{bytes:02x?}");
    }
}

#[test]
fn software_interrupts_carry_their_vector() {
    for n in [0, 3, 0x10, 0x80, 0xff] {
        assert_eq!(kinds(&[0xcd, n]), [Kind::Int(n); 3]);
    }
    assert_eq!(kind(&[0xce], REAL), Kind::Into);
    assert_eq!(kind(&[0xce], PROT), Kind::Into);
    assert_eq!(decode(&[0xce, 0x90], LONG), None);
}

#[test]
fn port_instructions_carry_width_and_port() {
    use Kind::{In, Out};
    let imm = Port::Immediate(0x60);
    assert_eq!(kinds(&[0xe4, 0x60]), [In { size: 1, port: imm }; 3]);
    assert_eq!(kinds(&[0xe6, 0x60]), [Out { size: 1, port: imm }; 3]);
    assert_eq!(kinds(&[0xec]), [In { size: 1, port: Port::Dx }; 3]);
    assert_eq!(kinds(&[0xee]), [Out { size: 1, port: Port::Dx }; 3]);
    for (word, dword) in [(REAL, PROT), (REAL, LONG)] {
        assert_eq!(kind(&[0xe5, 0x60], word), In { size: 2, port: imm });
        assert_eq!(kind(&[0xe5, 0x60], dword), In { size: 4, port: imm });
        assert_eq!(kind(&[0x66, 0xe7, 0x60], word), Out { size: 4, port: imm });
        assert_eq!(kind(&[0x66, 0xe7, 0x60], dword), Out { size: 2, port: imm });
        assert_eq!(kind(&[0xef], word), Out { size: 2, port: Port::Dx });
        assert_eq!(kind(&[0x66, 0xed], word), In { size: 4, port: Port::Dx });
        assert_eq!(kind(&[0xed], dword), In { size: 4, port: Port::Dx });
    }
    // REX.W does not make a port 64 bits wide.
    assert_eq!(kind(&[0x48, 0xed], LONG), In { size: 4, port: Port::Dx });
}

#[test]
fn string_io_carries_direction_and_width() {
    let string_io = |input, size| Kind::StringIo(StringIo { input, size });
    assert_eq!(kinds(&[0x6c]), [string_io(true, 1); 3]);
    assert_eq!(kinds(&[0x6e]), [string_io(false, 1); 3]);
    assert_eq!(kinds(&[0x6d]), [string_io(true, 2), string_io(true, 4), string_io(true, 4)]);
    assert_eq!(
        kinds(&[0x66, 0x6f]),
        [string_io(false, 4), string_io(false, 2), string_io(false, 2)]
    );
}

#[test]
fn repeated_strings_carry_address_size_and_end() {
    let rep = |address_size, stops_on| Kind::Rep(Rep { address_size, stops_on, io: None });
    let each = |stops_on| [2, 4, 8].map(|size| rep(size, stops_on));
    for opcode in [0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad] {
        assert_eq!(kinds(&[opcode]), [Kind::Other; 3]);
        assert_eq!(kinds(&[0xf3, opcode]), each(StopsOn::None));
        // REPNE repeats these as REP does.
        assert_eq!(kinds(&[0xf2, opcode]), each(StopsOn::None));
    }
    for opcode in [0xa6, 0xa7, 0xae, 0xaf] {
        assert_eq!(kinds(&[opcode]), [Kind::Other; 3]);
        assert_eq!(kinds(&[0xf3, opcode]), each(StopsOn::ZeroClear));
        assert_eq!(kinds(&[0xf2, opcode]), each(StopsOn::ZeroSet));
    }
    assert_eq!(kind(&[0xf3, 0x48, 0xa5], LONG), rep(8, StopsOn::None));
    assert_eq!(kind(&[0xf3, 0x48, 0xa7], LONG), rep(8, StopsOn::ZeroClear));
}

#[test]
fn the_address_size_prefix_changes_the_counter_in_any_order() {
    let rep = |address_size| Kind::Rep(Rep { address_size, stops_on: StopsOn::None, io: None });
    for bytes in [[0x67, 0xf3, 0xa5], [0xf3, 0x67, 0xa5]] {
        assert_eq!(kinds(&bytes), [rep(4), rep(2), rep(4)]);
    }
    for bytes in [
        [0x66, 0x67, 0x26, 0xf3, 0xa5],
        [0xf3, 0x2e, 0x66, 0x67, 0xa5],
        [0x67, 0xf3, 0x66, 0x64, 0xa5],
    ] {
        assert_eq!(kinds(&bytes), [rep(4), rep(2), rep(4)]);
    }
    // Without an operand in memory that a segment prefix moves, too.
    assert_eq!(kinds(&[0x67, 0xf3, 0xab]), [rep(4), rep(2), rep(4)]);
    assert_eq!(kinds(&[0x67, 0xf3, 0xac]), [rep(4), rep(2), rep(4)]);
}

#[test]
fn of_two_repeat_prefixes_the_last_counts() {
    let rep = |stops_on| Kind::Rep(Rep { address_size: 2, stops_on, io: None });
    assert_eq!(kind(&[0xf2, 0xf3, 0xa6], REAL), rep(StopsOn::ZeroClear));
    assert_eq!(kind(&[0xf3, 0xf2, 0xa6], REAL), rep(StopsOn::ZeroSet));
}

#[test]
fn repeated_port_strings_say_so() {
    for (bytes, input, size) in [
        ([0xf3, 0x6c], true, [1, 1, 1]),
        ([0xf3, 0x6d], true, [2, 4, 4]),
        ([0xf2, 0x6e], false, [1, 1, 1]),
        ([0xf3, 0x6f], false, [2, 4, 4]),
    ] {
        let got = kinds(&bytes);
        for n in 0..3 {
            let io = Some(StringIo { input, size: size[n] });
            let address_size = [2, 4, 8][n];
            assert_eq!(got[n], Kind::Rep(Rep { address_size, stops_on: StopsOn::None, io }));
            assert!(got[n].port_width().is_some());
        }
    }
}

#[test]
fn a_repeat_prefix_elsewhere_is_ignored() {
    for prefix in [0xf2, 0xf3] {
        assert_eq!(kinds(&[prefix, 0xf4]), [Kind::Hlt; 3]);
        assert_eq!(kinds(&[prefix, 0xc3]), [Kind::Other; 3]);
        assert_eq!(kinds(&[prefix, 0xcd, 0x10]), [Kind::Int(0x10); 3]);
        assert_eq!(kinds(&[prefix, 0x89, 0xd8]), [Kind::Other; 3]);
        assert_eq!(kinds(&[prefix, 0xee]), [Kind::Out { size: 1, port: Port::Dx }; 3]);
        // SSE moves share the mnemonics MOVSD and CMPSD with strings.
        assert_eq!(kinds(&[prefix, 0x0f, 0x10, 0xc1]), [Kind::Other; 3]);
        assert_eq!(kinds(&[prefix, 0x0f, 0xc2, 0xc1, 0]), [Kind::Other; 3]);
    }
}

#[test]
fn pushf_carries_the_operand_size() {
    assert_eq!(kinds(&[0x9c]), [Kind::Pushf(2), Kind::Pushf(4), Kind::Pushf(8)]);
    assert_eq!([REAL, PROT].map(|mode| kind(&[0x60], mode)), [Kind::PushAll; 2]);
    assert_eq!(kinds(&[0x66, 0x9c]), [Kind::Pushf(4), Kind::Pushf(2), Kind::Pushf(2)]);
}

#[test]
fn what_may_change_the_trap_flag_or_when_traps_come_is_special() {
    for (bytes, kinds_found) in [
        (&[0x9d][..], [Kind::Popf(2), Kind::Popf(4), Kind::Popf(8)]),
        (&[0x66, 0x9d], [Kind::Popf(4), Kind::Popf(2), Kind::Popf(2)]),
        (&[0xcf], [Kind::Iret; 3]),
        (&[0x66, 0xcf], [Kind::Iret; 3]),
        (&[0xfa], [Kind::Special; 3]),                   // cli
        (&[0xfb], [Kind::Special; 3]),                   // sti
        (&[0xf1], [Kind::Int1; 3]),                      // int1
        (&[0x0f, 0x23, 0xf8], [Kind::DebugRegister; 3]), // mov dr7, eax
        (&[0x0f, 0x21, 0xf0], [Kind::DebugRegister; 3]), // mov eax, dr6
        (&[0x0f, 0x01, 0xc1], [Kind::Hypercall; 3]),     // vmcall
        (&[0x0f, 0x01, 0xd9], [Kind::Hypercall; 3]),     // vmmcall
    ] {
        assert_eq!(kinds(bytes), kinds_found, "{bytes:02x?}");
    }
    assert_eq!(kind(&[0x48, 0xcf], LONG), Kind::Iret);
    assert_eq!(kind(&[0x0f, 0xb2, 0x27], REAL), Kind::Special); // lss
    assert_eq!(kind(&[0x62, 0x06, 0, 5], REAL), Kind::Untrapped); // bound
    assert_eq!(kind(&[0x62, 0x07], PROT), Kind::Untrapped);
    for bytes in [&[0x0f, 0xae, 0xe8][..], &[0xf3, 0x0f, 0x1e, 0xfa], &[0x0f, 0xc7, 0xf0]] {
        assert_eq!(kinds(bytes), [Kind::Untrapped; 3], "{bytes:02x?}"); // lfence, endbr64, rdrand
    }
    for bytes in [&[0x0f, 0x22, 0xc0][..], &[0x0f, 0x20, 0xc0], &[0x0f, 0xa2], &[0xf3, 0x90]] {
        assert_eq!(kinds(bytes), [Kind::Special; 3], "{bytes:02x?}"); // mov cr0, cpuid, pause
    }
    // The flags of the ALU are nobody's concern.
    for bytes in [&[0x9e][..], &[0xf9], &[0xfc]] {
        assert_eq!(kinds(bytes), [Kind::Other; 3], "{bytes:02x?}");
    }
}

#[test]
fn transfers_branch() {
    for (bytes, mode) in [
        (&[0xe8, 0, 1][..], REAL),
        (&[0xff, 0x1e, 0, 5], REAL),
        (&[0xea, 0, 0x7c, 0, 0], REAL),
        (&[0xea, 0, 0x7c, 0, 0, 8, 0], PROT),
        (&[0xc3], LONG),
        (&[0xcb], PROT),
        (&[0xcf], REAL),
        (&[0xe2, 0xfe], REAL),
        (&[0x74, 0], LONG),
        (&[0x0f, 0x05], LONG),
        (&[0x0f, 0x07], LONG),
        (&[0x0f, 0x34], PROT),
        (&[0x0f, 0x35], PROT),
        (&[0x0f, 0x01, 0xc1], PROT),
        (&[0x0f, 0x01, 0xd9], PROT),
    ] {
        assert!(decode(bytes, mode).unwrap().branches, "{bytes:02x?} in {mode}");
    }
    for bytes in [[0x90, 0x90], [0x9d, 0x90], [0x01, 0xd8], [0xe6, 0xe9]] {
        assert!(!decode(&bytes, REAL).unwrap().branches, "{bytes:02x?}");
    }
    assert_eq!(decode(&[0xea, 0, 0x7c, 0, 0, 8, 0], LONG), None);
}

#[test]
fn loads_of_ss_are_told_from_loads_of_other_segments() {
    let shadow = Kind::LoadSs;
    assert_eq!(kinds(&[0x8e, 0xd0]), [shadow; 3]);
    assert_eq!(kinds(&[0x66, 0x8e, 0xd0]), [shadow; 3]);
    assert_eq!(kind(&[0x8e, 0x16, 0, 5], REAL), shadow);
    assert_eq!(kind(&[0x8e, 0x17], PROT), shadow);
    assert_eq!(kind(&[0x17], REAL), shadow);
    assert_eq!(kind(&[0x17], PROT), shadow);
    assert_eq!(kind(&[0x0f, 0xb2, 0x27], REAL), Kind::Special);
    assert_eq!(kinds(&[0x8e, 0xd8]), [Kind::Other; 3]);
    // Storing SS is no load of it.
    assert_eq!(kinds(&[0x8c, 0xd0]), [Kind::Other; 3]);
    assert_eq!(kind(&[0x16], REAL), Kind::Other);
    assert_eq!(kind(&[0x1f], REAL), Kind::Other);
}

#[test]
fn a_load_of_ss_is_found_from_its_end() {
    for (bytes, len) in [
        (&[0x90, 0x90, 0x8e, 0xd0][..], Some(2)),
        (&[0x40, 0x17], Some(1)),
        (&[0x90, 0x8e, 0x16, 0, 5], Some(4)),
        (&[0x90, 0x8e, 0xd8], None),
        (&[0x8e, 0xd0, 0x90], None),
        (&[], None),
    ] {
        assert_eq!(load_of_ss_at_end(bytes), len, "{bytes:02x?}");
    }
}

#[test]
fn segment_and_size_prefixes_do_not_hide_a_kind() {
    for prefix in [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67] {
        assert_eq!(kinds(&[prefix, 0xf4]), [Kind::Hlt; 3]);
        assert_eq!(kinds(&[prefix, 0x2e, 0xcd, 0x21]), [Kind::Int(0x21); 3]);
        assert_eq!(kinds(&[0x3e, prefix, 0xfb]), [Kind::Special; 3]);
    }
    for rex in 0x40..=0x4f {
        assert_eq!(kind(&[rex, 0xf4], LONG), Kind::Hlt);
        assert_eq!(kind(&[0x66, rex, 0xfa], LONG), Kind::Special);
        // A REX prefix that another prefix follows is ignored.
        assert_eq!(kind(&[rex, 0x2e, 0xf4], LONG), Kind::Hlt);
        assert_eq!(kind(&[rex, 0xf3, 0xcc], LONG), Kind::Int3);
    }
    // What is REX in 64-bit code is an instruction of its own elsewhere.
    assert_eq!(
        decode(&[0x40, 0xf4], REAL),
        Some(Facts {
            len: 1,
            kind: Kind::Other,
            branches: false,
            memory: false,
            hazard: Hazard::None
        })
    );
}

#[test]
fn hazards_are_what_an_instruction_may_fault_for() {
    let hazard = |bytes: &[u8]| decode(bytes, PROT).unwrap().hazard;
    for (bytes, expected) in [
        (&[0x90][..], Hazard::None),
        (&[0x0f, 0x0b], Hazard::Undefined),               // ud2
        (&[0xf7, 0xf3], Hazard::Divide),                  // div ebx
        (&[0xd4, 0x0a], Hazard::Divide),                  // aam
        (&[0x8e, 0xd8], Hazard::LoadSegment),             // mov ds, ax
        (&[0x8c, 0xd8], Hazard::None),                    // mov ax, ds
        (&[0x1f], Hazard::LoadSegment),                   // pop ds
        (&[0x0f, 0xb2, 0x27], Hazard::LoadSegment),       // lss esp, [edi]
        (&[0xea, 0, 0, 0, 0, 8, 0], Hazard::LoadSegment), // jmp 8:0
        (&[0xff, 0x1e], Hazard::LoadSegment),             // call far [esi]
        (&[0xff, 0x16], Hazard::None),                    // call [esi]
        (&[0xcb], Hazard::LoadSegment),                   // retf
        (&[0xdb, 0xe3], Hazard::X87),                     // fninit
        (&[0x9b], Hazard::X87),                           // wait
        (&[0x0f, 0x77], Hazard::X87),                     // emms
        (&[0x0f, 0x58, 0xc1], Hazard::Simd),              // addps xmm0, xmm1
        (&[0x66, 0x0f, 0x38, 0xdc, 0xc1], Hazard::Simd),  // aesenc xmm0, xmm1
        (&[0x0f, 0xae, 0x06], Hazard::Simd),              // fxsave [esi]
        (&[0xf2, 0x0f, 0x38, 0xf0, 0xc3], Hazard::None),  // crc32 eax, bl
    ] {
        assert_eq!(hazard(bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn what_is_no_instruction_is_nothing() {
    for mode in [REAL, PROT, LONG] {
        for bytes in [
            &[][..],
            &[0xf0, 0xf4],       // lock hlt
            &[0xf0, 0xf3, 0xa4], // lock rep movsb
            &[0x0f, 0xff],       // cut ud0
            &[0x8d, 0xc0],       // lea from a register
            &[0x8e, 0xc8],       // mov cs
            &[0x66; 15],
            &[
                0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                0x66, 0xf4,
            ], // 16 bytes
        ] {
            assert_eq!(decode(bytes, mode), None, "{bytes:02x?} in {mode}");
        }
    }
    assert_eq!(decode(&[[0x66; 14].as_slice(), &[0xf4]].concat(), REAL).unwrap().len, 15);
}

#[test]
fn every_pair_of_bytes_decodes_to_something_or_nothing_in_every_mode() {
    for mode in [REAL, PROT, LONG] {
        for word in 0..=0xffff_u16 {
            let facts = decode(&[word.to_le_bytes().as_slice(), &[0xff; 13]].concat(), mode);
            assert!(facts.is_none_or(|facts| (1..=15).contains(&facts.len)));
        }
    }
}

#[test]
fn what_may_touch_memory_is_told_from_what_cannot() {
    for (bytes, memory) in [
        (&[0x90][..], false),
        (&[0x01, 0xd8], false),             // add eax, ebx
        (&[0xeb, 0xfe], false),             // jmp $
        (&[0xea, 0, 0, 0, 0, 8, 0], false), // jmp 8:0
        (&[0xc8, 0, 0, 0], true),           // enter 0, 0
        (&[0x50], true),                    // push eax
        (&[0xe8, 0, 0, 0, 0], true),        // call
        (&[0xa4], true),                    // movsb
        (&[0xd7], true),                    // xlatb
        (&[0x8b, 0x06], true),              // mov eax, [esi]
        (&[0xa1, 0, 0, 0, 0], true),        // mov eax, [0]
        (&[0xf3, 0x6e], true),              // rep outsb
    ] {
        assert_eq!(decode(bytes, PROT).unwrap().memory, memory, "{bytes:02x?}");
    }
}

#[test]
fn a_jump_to_itself_is_told_from_other_jumps() {
    let is_one = |bytes: &[u8], mode| jumps_to_itself(bytes, mode, 0x7c10);
    assert!(is_one(b"\xeb\xfe", CpuMode::Real));
    assert!(is_one(b"\xe9\xfd\xff", CpuMode::Real));
    assert!(is_one(b"\xe9\xfb\xff\xff\xff", CpuMode::Protected32));
    for other in [b"\xeb\xfd".as_slice(), b"\x74\xfe", b"\xe2\xfe", b"\xf4\xeb\xfd", b"\xeb", b""] {
        assert!(!is_one(other, CpuMode::Real), "{other:x?}");
    }
}
