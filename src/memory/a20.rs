//! Address line A20, which a PC can switch off: then the second megabyte shows the first, as on an 8086, whose
//! addresses end at 1 MiB.
//!
//! The other odd megabytes, which a PC has wrap as well, are left as they are: a guest in real mode, for which this is
//! made, reaches none of them.

use super::{Ram, Region, Stretch};
use crate::x86::Phys;

/// What the line counts: bit 20.
pub(super) const A20: u64 = 1 << 20;

impl Ram {
    /// Switches address line A20 on or off. At first it is on.
    pub fn set_a20(&mut self, on: bool) {
        self.a20_is_off = !on;
    }

    /// Whether address line A20 is on.
    #[must_use]
    pub fn a20(&self) -> bool {
        !self.a20_is_off
    }

    /// Where an access to `addr` goes.
    #[must_use]
    pub fn through_a20(&self, addr: Phys) -> Phys {
        if self.a20_is_off && addr.0 >> 20 == 1 { Phys(addr.0 - A20) } else { addr }
    }

    /// Where an access to `len` bytes at `addr` goes, and how many of them go there in a row.
    pub(super) fn route(&self, addr: Phys, len: usize) -> (Phys, usize) {
        if !self.a20_is_off || addr.0 >= 2 * A20 {
            return (addr, len);
        }
        let rest = usize::try_from(A20 - addr.0 % A20).unwrap_or(len);
        (self.through_a20(addr), len.min(rest))
    }

    /// What the guest finds where `stretches` are in their places.
    pub(super) fn wrapped(&self, stretches: Vec<Stretch>) -> Vec<Stretch> {
        if !self.a20_is_off {
            return stretches;
        }
        let at = |stretch: &Stretch| stretch.region.start.0 >> 20;
        let mirrored = stretches.iter().filter(|stretch| at(stretch) == 0).map(|stretch| Stretch {
            region: Region { start: stretch.region.start.offset(A20), ..stretch.region },
            ..*stretch
        });
        let mirrored: Vec<Stretch> = mirrored.collect();
        let mut all: Vec<Stretch> =
            stretches.into_iter().filter(|stretch| at(stretch) != 1).chain(mirrored).collect();
        all.sort_by_key(|stretch| stretch.region.start);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a20_the_second_megabyte_is_the_first() {
        let mut ram = Ram::new(4 << 20).unwrap();
        ram.load(Phys(0), &[1, 2, 3]).unwrap();
        ram.load(Phys(0x10_0000), &[4]).unwrap();
        ram.load(Phys(0xf_ffff), &[9]).unwrap();
        ram.set_a20(false);
        let mut data = [0; 4];
        assert_eq!(ram.read(Phys(0xf_ffff), &mut data), 1);
        assert_eq!(ram.read(Phys(0x10_0000), &mut data), 4);
        assert_eq!(data, [1, 2, 3, 0]);
        assert_eq!(ram.write(Phys(0x10_0001), &[7]), 1);
        assert_eq!(
            (ram.contiguous(Phys(0x1a_0000), 1), ram.contiguous(Phys(0x1f_ffff), 2)),
            (0, 1)
        );
        let found = ram.stretches();
        let found: Vec<_> = found.iter().map(|s| (s.region.start.0, s.shows.unwrap().0)).collect();
        let expected = [
            (0, 0),
            (0xc_0000, 0xc_0000),
            (0x10_0000, 0),
            (0x1c_0000, 0xc_0000),
            (0x20_0000, 0x20_0000),
        ];
        assert_eq!(found, expected);
        ram.set_a20(true);
        assert_eq!(ram.read(Phys(0), &mut data), 4);
        assert_eq!(data, [1, 7, 3, 0]);
        assert_eq!(ram.read(Phys(0x10_0000), &mut data), 4);
        assert_eq!(data, [4, 0, 0, 0]);
    }
}
