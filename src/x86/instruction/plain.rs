//! The common instructions that need no decoding to be known as unremarkable.

use super::{CpuMode, MAX_LEN};

/// True if `bytes` certainly begin no instruction of a kind but `Other`; false if only decoding tells.
/// Does not look whether they are an instruction at all.
pub(super) fn is_plain(bytes: &[u8], mode: CpuMode) -> bool {
    let long = mode == CpuMode::Long64;
    let mut rest = bytes.iter().take(MAX_LEN);
    let mut rex = false;
    loop {
        match rest.next() {
            None => return false,
            // A REX prefix is one only right before the opcode; two of them are rare.
            Some(0x40..=0x4f) if long && rex => return false,
            Some(0x40..=0x4f) if long => rex = true,
            Some(0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67) if !rex => {}
            Some(0x0f) => return rest.next().is_some_and(|&opcode| bit(&TWO_BYTES, opcode)),
            Some(&opcode) => return bit(&ONE_BYTE, opcode),
        }
    }
}

fn bit(set: &[u32; 8], opcode: u8) -> bool {
    set[usize::from(opcode >> 5)] & 1 << (opcode & 31) != 0
}

/// One-byte opcodes that are `Other` whatever follows, in every mode. Left out besides the special
/// ones: prefixes, strings (they may repeat), groups with a special member, and 62h, 8Fh, C4h, C5h,
/// which start longer opcodes in some modes.
const ONE_BYTE: [u32; 8] = set(&[
    (0x00, 0x0e), // add, or; push and pop of ES and CS
    (0x10, 0x16), // adc, push ss; not pop ss
    (0x18, 0x25), // sbb, push and pop of DS, and
    (0x27, 0x2d), // daa, sub
    (0x2f, 0x35), // das, xor
    (0x37, 0x3d), // aaa, cmp
    (0x3f, 0x3f), // aas
    (0x40, 0x61), // inc, dec, push, pop, pusha, popa
    (0x63, 0x63), // arpl, movsxd
    (0x68, 0x6b), // push imm, imul
    (0x70, 0x8d), // jcc, group 1, test, xchg, mov, lea; not mov to a segment
    (0x90, 0x99), // xchg, cbw, cwd
    (0x9b, 0x9b), // wait
    (0x9e, 0xa3), // sahf, lahf, mov with an offset
    (0xa8, 0xa9), // test
    (0xb0, 0xc1), // mov imm, shifts
    (0xc6, 0xc9), // mov imm, enter, leave
    (0xd0, 0xdf), // shifts, aam, aad, salc, xlat, x87
    (0xe3, 0xe3), // jcxz
    (0xe9, 0xe9), // jmp near
    (0xeb, 0xeb), // jmp short
    (0xf5, 0xf9), // cmc, group 3, clc, stc
    (0xfc, 0xfe), // cld, std, group 4
]);

/// The same for opcodes behind 0Fh.
const TWO_BYTES: [u32; 8] = set(&[
    (0x1f, 0x1f), // nop
    (0x40, 0x4f), // cmovcc
    (0x80, 0xa1), // jcc, setcc, push and pop of FS
    (0xa3, 0xa5), // bt, shld
    (0xa8, 0xa9), // push and pop of GS
    (0xab, 0xad), // bts, shrd
    (0xaf, 0xb1), // imul, cmpxchg
    (0xb3, 0xb7), // btr, lfs, lgs, movzx
    (0xba, 0xc1), // bit tests, bsf, bsr, movsx, xadd
    (0xc8, 0xcf), // bswap
]);

const fn set(ranges: &[(u8, u8)]) -> [u32; 8] {
    let mut bits = [0; 8];
    let mut n = 0;
    while n < ranges.len() {
        let (first, last) = ranges[n];
        let mut opcode = first;
        while opcode <= last {
            bits[(opcode >> 5) as usize] |= 1 << (opcode & 31);
            opcode += 1;
        }
        n += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, decode};
    use super::*;

    /// One mode a code width; the others decode as one of these.
    const MODES: [CpuMode; 3] = [CpuMode::Real, CpuMode::Protected32, CpuMode::Long64];

    /// The claim: where the fast path says plain, decoding finds `Other` or no instruction.
    fn check(bytes: &[u8], mode: CpuMode) -> bool {
        let plain = is_plain(bytes, mode);
        if plain {
            let kind = decode(bytes, mode).map_or(Kind::Other, |facts| facts.kind);
            assert_eq!(kind, Kind::Other, "{bytes:02x?} in {mode}");
        }
        plain
    }

    /// Calls `visit` with each prefix sequence of up to three bytes.
    fn for_each_prefix(mut visit: impl FnMut(&[u8])) {
        const PREFIXES: [u8; 16] = [
            0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x40, 0x41, 0x44,
            0x48, 0x4f,
        ];
        visit(&[]);
        for a in PREFIXES {
            visit(&[a]);
            for b in PREFIXES {
                visit(&[a, b]);
                for c in [0x26, 0x66, 0x67, 0xf2, 0xf3, 0x48] {
                    visit(&[a, b, c]);
                }
            }
        }
    }

    #[test]
    fn the_fast_path_agrees_with_decoding_for_all_prefixes_first_bytes_and_modes() {
        for mode in MODES {
            for_each_prefix(|prefix| {
                for opcode in 0..=0xff {
                    // SS and the second member of a group, once a register and once memory.
                    for modrm in [0xd0, 0x16] {
                        let tail = [opcode, modrm, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0];
                        check(&[prefix, &tail].concat(), mode);
                    }
                }
            });
        }
    }

    #[test]
    fn the_fast_path_agrees_with_decoding_for_two_byte_opcodes() {
        for mode in MODES {
            for prefix in [&[][..], &[0x66], &[0x67], &[0x2e], &[0xf2], &[0xf3], &[0x48]] {
                for opcode in 0..=0xff {
                    for modrm in 0..=0xff {
                        let tail = [0x0f, opcode, modrm, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];
                        check(&[prefix, &tail].concat(), mode);
                    }
                }
            }
        }
    }

    #[test]
    fn the_fast_path_agrees_with_decoding_for_every_modrm_byte() {
        for mode in MODES {
            for opcode in 0..=0xff {
                for modrm in 0..=0xff {
                    check(&[opcode, modrm, 1, 2, 3, 4, 5, 6, 7, 8, 9], mode);
                }
            }
        }
    }

    #[test]
    fn common_instructions_take_the_fast_path() {
        for bytes in [
            &[0x90][..],
            &[0x89, 0xd8],             // mov ax, bx
            &[0x66, 0x01, 0xd8],       // add eax, ebx
            &[0x26, 0x88, 0x07],       // mov [es:bx], al
            &[0x74, 0x05],             // jz
            &[0xeb, 0xfe],             // jmp $
            &[0x0f, 0x84, 0x00, 0x01], // jz near
            &[0x0f, 0xb6, 0xc0],       // movzx ax, al
        ] {
            for mode in MODES {
                assert!(check(bytes, mode), "{bytes:02x?} in {mode}");
            }
        }
        assert!(check(&[0x48, 0x89, 0xd8], CpuMode::Long64));
    }

    #[test]
    fn cut_and_endless_prefixes_are_left_to_the_decoder() {
        for mode in MODES {
            for bytes in [&[][..], &[0x66], &[0x0f], &[0x66; 15], &[0x2e; 20]] {
                assert!(!is_plain(bytes, mode));
            }
        }
        assert!(!is_plain(&[0x48, 0x48, 0x90], CpuMode::Long64));
    }
}
