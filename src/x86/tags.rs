//! The x87 tag word in its two forms (SDM vol. 1, 8.1.7 and 10.5.1.1).
//!
//! FXSAVE keeps one bit a register, set when it is in use; FSAVE and gdb have two, which tell zeros and
//! special values from ordinary ones. The second form follows from the first and the contents.

use super::FpuState;

const VALID: u16 = 0b00;
const ZERO: u16 = 0b01;
const SPECIAL: u16 = 0b10;
const EMPTY: u16 = 0b11;

impl FpuState {
    /// TOP: which physical register ST0 is, 0 to 7.
    #[must_use]
    pub fn top(&self) -> usize {
        usize::from(self.fsw >> 11 & 7)
    }

    /// The contents of physical register `n` modulo 8.
    #[must_use]
    pub fn physical(&self, n: usize) -> [u8; 10] {
        self.st[n.wrapping_sub(self.top()) % 8]
    }

    /// The full tag word: two bits a physical register, computed from the contents.
    #[must_use]
    pub fn full_tags(&self) -> u16 {
        (0..8).fold(0, |tags, n| {
            let used = self.ftw & 1 << n != 0;
            let tag = if used { tag_of(self.physical(n)) } else { EMPTY };
            tags | tag << (n * 2)
        })
    }

    /// Takes over a full tag word. Only which registers are empty is kept, the rest follows from their
    /// contents, as FRSTOR does it.
    pub fn set_full_tags(&mut self, tags: u16) {
        self.ftw = abridged(tags);
    }
}

/// The abridged form of a full tag word.
#[must_use]
pub fn abridged(tags: u16) -> u8 {
    (0..8).fold(0, |used, n| used | u8::from(tags >> (n * 2) & 3 != EMPTY) << n)
}

fn tag_of(value: [u8; 10]) -> u16 {
    let [m @ .., e0, e1] = value;
    let mantissa = u64::from_le_bytes(m);
    match (u16::from_le_bytes([e0, e1]) & 0x7fff, mantissa) {
        (0, 0) => ZERO,
        // Infinities and NaNs, denormals, and unnormals, which lack the integer bit.
        (0 | 0x7fff, _) => SPECIAL,
        (_, mantissa) if mantissa >> 63 == 0 => SPECIAL,
        _ => VALID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(exponent: u16, mantissa: u64) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&mantissa.to_le_bytes());
        bytes[8..].copy_from_slice(&exponent.to_le_bytes());
        bytes
    }

    const ONE: u64 = 1 << 63;

    #[test]
    fn an_unused_unit_is_empty() {
        let fpu = FpuState::default();
        assert_eq!(fpu.full_tags(), 0xffff);
    }

    #[test]
    fn contents_decide_between_valid_zero_and_special() {
        for (bytes, tag) in [
            (value(0x3fff, ONE), VALID),
            (value(0xbfff, ONE), VALID),
            (value(0x7ffe, u64::MAX), VALID),
            (value(0, 0), ZERO),
            (value(0x8000, 0), ZERO),
            (value(0x7fff, ONE), SPECIAL),       // infinity
            (value(0xffff, 0xc << 60), SPECIAL), // the indefinite value
            (value(0, 1), SPECIAL),              // denormal
            (value(0, ONE), SPECIAL),            // pseudo-denormal
            (value(0x3fff, ONE >> 1), SPECIAL),  // unnormal
            (value(0x3fff, 0), SPECIAL),         // unnormal zero
        ] {
            let fpu = FpuState { ftw: 1, st: [bytes; 8], ..FpuState::default() };
            assert_eq!(fpu.full_tags(), 0xfffc | tag, "{bytes:02x?}");
        }
    }

    #[test]
    fn tags_belong_to_physical_registers_and_contents_to_the_stack() {
        // FLD1, FLDPI, FLDZ: TOP = 5, physical 7 holds one, 5 holds zero.
        let mut fpu = FpuState { fsw: 5 << 11, ftw: 0xe0, ..FpuState::default() };
        fpu.st[1] = value(0x4000, 0xc90f_daa2_2168_c235);
        fpu.st[2] = value(0x3fff, ONE);
        assert_eq!(fpu.top(), 5);
        assert_eq!(fpu.physical(7), fpu.st[2]);
        assert_eq!(fpu.physical(4), fpu.st[7]);
        assert_eq!(fpu.full_tags(), 0x07ff);
    }

    #[test]
    fn the_two_forms_convert_into_each_other() {
        let mut fpu = FpuState { fsw: 3 << 11, st: [value(0x3fff, ONE); 8], ..FpuState::default() };
        fpu.st[2] = value(0, 0);
        for ftw in 0..=0xff {
            fpu.ftw = ftw;
            let tags = fpu.full_tags();
            assert_eq!(abridged(tags), ftw);
            fpu.ftw = !ftw;
            fpu.set_full_tags(tags);
            assert_eq!(fpu.ftw, ftw);
        }
        assert_eq!(abridged(0xfffd), 1);
        assert_eq!(abridged(0xfffe), 1);
        assert_eq!(abridged(0xffff), 0);
        assert_eq!(abridged(0), 0xff);
    }
}
