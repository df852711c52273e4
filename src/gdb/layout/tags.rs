//! The x87 tag word in its two forms: abridged, as FXSAVE stores it, and full, as a client shows it.

use crate::x86::FpuState;

/// The 16-bit tag word, two bits a physical register (SDM vol. 1, 8.1.7 and 10.5.1.1).
pub(super) fn full(fpu: &FpuState) -> u16 {
    let top = usize::from(fpu.fsw >> 11 & 7);
    (0..8).fold(0, |word, physical| {
        let st = fpu.st[(physical + 8 - top) % 8];
        let tag = if fpu.ftw >> physical & 1 == 0 { 3 } else { tag_of(st) };
        word | tag << (2 * physical)
    })
}

/// The abridged tag word of the full one: a bit is set when the register is not empty.
pub(super) fn abridged(full: u16) -> u8 {
    (0..8).fold(0, |word, physical| {
        let used = full >> (2 * physical) & 3 != 3;
        word | u8::from(used) << physical
    })
}

/// 0 valid, 1 zero, 2 special: infinity, NaN, denormal or unsupported.
fn tag_of(st: [u8; 10]) -> u16 {
    let exponent = u16::from_le_bytes([st[8], st[9]]) & 0x7fff;
    let integer_bit = st[7] & 0x80 != 0;
    let zero = st[..8].iter().all(|byte| *byte == 0);
    match exponent {
        0 if zero => 1,
        0 | 0x7fff => 2,
        _ if integer_bit => 0,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_physical_register_not_the_stack_position() {
        let one = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f];
        let mut fpu = FpuState { fsw: 6 << 11, ftw: 0b1100_0000, ..FpuState::default() };
        // TOP = 6: ST0 is register 6 and holds zero, ST1 is register 7 and holds one.
        fpu.st[1] = one;
        assert_eq!(full(&fpu), 0x1fff);
        fpu.st[0][9] = 0x7f;
        fpu.st[0][8] = 0xff;
        assert_eq!(full(&fpu), 0x2fff);
        assert_eq!(abridged(0x2fff), 0b1100_0000);
        assert_eq!(full(&FpuState::default()), 0xffff);
    }
}
