//! Machine code as NASM source: what `xp /8i` and the report of a failed emulation show.

use std::fmt;

use iced_x86::{Decoder, DecoderError, DecoderOptions, Formatter, NasmFormatter};

/// The text of what is no instruction.
pub const INVALID: &str = "(bad)";

/// One instruction in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where it is: the offset in CS that the listing was asked for.
    pub ip: u64,
    /// Its encoding, never empty.
    pub bytes: Vec<u8>,
    /// NASM source, or `(bad)` for a byte that begins no complete instruction.
    pub text: String,
}

/// Successive instructions from the start of some bytes to their end: see [`listing`].
pub struct Listing<'a> {
    bytes: &'a [u8],
    bits: u32,
    ip: u64,
    formatter: NasmFormatter,
}

/// The instruction that `bytes` begin with, or nothing if there are none. `bits` is the width of the code,
/// 16, 32 or 64, and `ip` the offset of the first byte, which branch targets are computed from.
///
/// A caller with a buffer of its own size should hand over 15 bytes, the longest instruction: one that is
/// cut short is `(bad)`.
#[must_use]
pub fn disassemble(bytes: &[u8], bits: u32, ip: u64) -> Option<Instruction> {
    listing(bytes, bits, ip).next()
}

/// Whether an instruction begins with `bytes` that is longer than 15 bytes, which no processor executes. Only
/// prefixes make one so long, most of them needless: without the first there is still more to come behind the rest.
#[must_use]
pub fn is_too_long(bytes: &[u8; 15], bits: u32) -> bool {
    let ends = |bytes: &[u8]| {
        let mut decoder = Decoder::new(bits, bytes, DecoderOptions::NONE);
        !decoder.decode().is_invalid() || decoder.last_error() != DecoderError::NoMoreBytes
    };
    listing(bytes, bits, 0).next().is_some_and(|code| code.text == INVALID) && !ends(&bytes[1..])
}

/// All instructions in `bytes`, one behind the other; parameters as of [`disassemble`].
#[must_use]
pub fn listing(bytes: &[u8], bits: u32, ip: u64) -> Listing<'_> {
    // The decoder knows no other widths.
    let bits = if matches!(bits, 32 | 64) { bits } else { 16 };
    Listing { bytes, bits, ip, formatter: formatter() }
}

fn formatter() -> NasmFormatter {
    let mut formatter = NasmFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(false);
    options.set_add_leading_zero_to_hex_numbers(false);
    options.set_branch_leading_zeros(false);
    options.set_space_after_operand_separator(true);
    formatter
}

impl Instruction {
    /// Length in bytes, 1 to 15.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The encoding as hexadecimal digits without gaps, as NASM's own disassembler prints it.
    #[must_use]
    pub fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Iterator for Listing<'_> {
    type Item = Instruction;

    fn next(&mut self) -> Option<Instruction> {
        let first = *self.bytes.first()?;
        let mut decoder = Decoder::with_ip(self.bits, self.bytes, self.ip, DecoderOptions::NONE);
        let decoded = decoder.decode();
        let (head, text) = match self.bytes.get(..decoded.len()) {
            Some(head) if !decoded.is_invalid() => {
                let mut text = String::new();
                self.formatter.format(&decoded, &mut text);
                (head.to_vec(), text)
            }
            _ => (vec![first], INVALID.to_owned()),
        };
        let instruction = Instruction { ip: self.ip, bytes: head, text };
        self.bytes = self.bytes.get(instruction.size()..).unwrap_or_default();
        self.ip = self.ip.wrapping_add(instruction.size() as u64);
        Some(instruction)
    }
}

impl fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("bytes", &self.bytes)
            .field("bits", &self.bits)
            .field("ip", &self.ip)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], bits: u32, ip: u64) -> String {
        let instruction = disassemble(bytes, bits, ip).unwrap();
        assert_eq!(instruction.bytes, bytes, "{}", instruction.text);
        instruction.text
    }

    #[test]
    fn an_instruction_of_more_than_15_bytes_is_told_from_what_is_none() {
        let prefixed = |count: usize, code: &[u8]| {
            let mut bytes = [0x90; 15];
            bytes[..count].fill(0x66);
            bytes[count..].iter_mut().zip(code).for_each(|(byte, new)| *byte = *new);
            bytes
        };
        assert!(is_too_long(&prefixed(15, &[]), 32));
        assert!(is_too_long(&prefixed(11, &[0xc7, 0x05, 0, 5]), 32), "mov word [dword], word");
        assert!(is_too_long(&prefixed(14, &[0x0f]), 64));
        assert!(!is_too_long(&prefixed(14, &[]), 32), "15 bytes");
        assert!(!is_too_long(&prefixed(3, &[0x06]), 64));
    }

    #[test]
    fn real_mode_code_reads_as_its_author_wrote_it() {
        for (bytes, source) in [
            (&[0xb8, 0xc0, 0x07][..], "mov ax, 0x7c0"),
            (&[0xb4, 0x0e], "mov ah, 0xe"),
            (&[0xcd, 0x10], "int 0x10"),
            (&[0x8e, 0xd8], "mov ds, ax"),
            (&[0xac], "lodsb"),
            (&[0x08, 0xc0], "or al, al"),
            (&[0xf3, 0xa5], "rep movsw"),
            (&[0xf2, 0xae], "repne scasb"),
            (&[0x26, 0x89, 0x07], "mov [es:bx], ax"),
            (&[0x8b, 0x46, 0xfe], "mov ax, [bp-0x2]"),
            (&[0xc6, 0x06, 0x00, 0x05, 0x41], "mov byte [0x500], 0x41"),
            (&[0x66, 0xb8, 0xef, 0xbe, 0xad, 0xde], "mov eax, 0xdeadbeef"),
            (&[0xe6, 0x20], "out 0x20, al"),
            (&[0xee], "out dx, al"),
            (&[0xfa], "cli"),
            (&[0xf4], "hlt"),
        ] {
            assert_eq!(text(bytes, 16, 0x7c00), source);
        }
    }

    #[test]
    fn branches_show_where_they_lead() {
        for (bytes, bits, ip, source) in [
            (&[0xeb, 0x1b][..], 16, 0x7c00, "jmp short 0x7c1d"),
            (&[0xeb, 0xfe], 16, 0x5, "jmp short 0x5"),
            (&[0x74, 0x05], 16, 0xfffe, "je short 0x5"),
            (&[0xe8, 0x2d, 0x00], 16, 0x7c00, "call 0x7c30"),
            (&[0xe2, 0xfc], 16, 0x7c10, "loop 0x7c0e"),
            (&[0xea, 0x05, 0x00, 0xc0, 0x07], 16, 0x7c00, "jmp 0x7c0:0x5"),
            (&[0xe9, 0xfb, 0xff, 0xff, 0xff], 32, 0x10_0000, "jmp 0x100000"),
            (&[0xe8, 0, 0, 0, 0], 64, 0xffff_ffff_8000_0000, "call 0xffffffff80000005"),
            (&[0xc3], 64, 0, "ret"),
            (&[0xff, 0xe0], 16, 0, "jmp ax"),
        ] {
            assert_eq!(text(bytes, bits, ip), source);
        }
    }

    #[test]
    fn the_width_of_the_code_decides_what_bytes_mean() {
        let bytes = [0xb8, 0x34, 0x12, 0x48, 0x90];
        let all = |bits| listing(&bytes, bits, 0).map(|i| i.text).collect::<Vec<_>>().join("; ");
        assert_eq!(all(16), "mov ax, 0x1234; dec ax; nop");
        assert_eq!(all(32), "mov eax, 0x90481234");
        assert_eq!(text(&[0x48, 0x89, 0xd8], 64, 0), "mov rax, rbx");
        assert_eq!(text(&[0x8b, 0x05, 0x10, 0, 0, 0], 64, 0x1000), "mov eax, [rel 0x1016]");
        // Widths that do not exist count as 16.
        assert_eq!(all(0), all(16));
    }

    #[test]
    fn a_listing_counts_on_and_wraps() {
        let ips: Vec<u64> = listing(&[0x90, 0xb8, 1, 0, 0x90], 16, 0x7c00).map(|i| i.ip).collect();
        assert_eq!(ips, [0x7c00, 0x7c01, 0x7c04]);
        let ips: Vec<u64> = listing(&[0x90, 0x90], 64, u64::MAX).map(|i| i.ip).collect();
        assert_eq!(ips, [u64::MAX, 0]);
    }

    #[test]
    fn bad_and_cut_bytes_are_one_byte_each() {
        let texts =
            |bytes: &[u8]| listing(bytes, 16, 0).map(|i| (i.hex(), i.text)).collect::<Vec<_>>();
        let pair = |hex: &str, text: &str| (hex.to_owned(), text.to_owned());
        assert_eq!(texts(&[]), []);
        assert_eq!(texts(&[0xf0, 0xf4]), [pair("f0", "(bad)"), pair("f4", "hlt")]);
        assert_eq!(texts(&[0xb8, 0x90]), [pair("b8", "(bad)"), pair("90", "nop")]);
        assert_eq!(texts(&[0x66; 2]), [pair("66", "(bad)"), pair("66", "(bad)")]);
        assert_eq!(disassemble(&[], 16, 0), None);
    }

    #[test]
    fn every_pair_of_bytes_has_a_text_in_every_width() {
        for bits in [16, 32, 64] {
            for word in 0..=0xffff_u16 {
                let bytes = [word.to_le_bytes().as_slice(), &[0x24; 6]].concat();
                let mut seen = 0;
                for instruction in listing(&bytes, bits, u64::MAX - 3).take(3) {
                    assert!(!instruction.text.is_empty());
                    seen += instruction.size();
                }
                assert!((1..=bytes.len()).contains(&seen));
            }
        }
    }
}
