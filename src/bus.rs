//! Dispatch of addresses to whoever claims them: one sorted table for ports, one for MMIO.
//!
//! A table knows ranges and ids, nothing of devices. Ranges are inclusive, so that the last address of
//! the space can be claimed, and never overlap, so that an address has at most one owner.

use std::fmt;
use std::ops::{RangeInclusive, Sub};

/// An address space divided among owners: `A` is the kind of address, `I` names an owner.
#[derive(Clone, Debug)]
pub struct AddressMap<A, I> {
    /// Sorted by `first`; no two overlap.
    claims: Vec<Claim<A, I>>,
}

#[derive(Clone, Debug)]
struct Claim<A, I> {
    first: A,
    last: A,
    id: I,
}

/// Why a range cannot be claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict<A: fmt::LowerHex + fmt::Debug> {
    /// Another owner has some of it.
    #[error(
        "addresses {first:#x}-{last:#x} overlap {taken_first:#x}-{taken_last:#x}, which are taken"
    )]
    Taken {
        /// First address asked for.
        first: A,
        /// Last address asked for.
        last: A,
        /// First address of the range that is in the way.
        taken_first: A,
        /// Last address of the range that is in the way.
        taken_last: A,
    },
    /// The range holds no address.
    #[error("the address range {first:#x}-{last:#x} is empty")]
    Empty {
        /// First address asked for.
        first: A,
        /// Last address asked for.
        last: A,
    },
}

impl<A, I> Default for AddressMap<A, I> {
    fn default() -> AddressMap<A, I> {
        AddressMap { claims: Vec::new() }
    }
}

impl<A, I> AddressMap<A, I>
where
    A: Copy + Ord + Sub<Output = A> + fmt::LowerHex + fmt::Debug,
    I: Copy,
{
    /// A map in which nothing is claimed.
    #[must_use]
    pub fn new() -> AddressMap<A, I> {
        AddressMap::default()
    }

    /// Makes `id` the owner of every address in `range`; refuses if any of them has one already.
    pub fn claim(&mut self, range: RangeInclusive<A>, id: I) -> Result<(), Conflict<A>> {
        let (first, last) = range.into_inner();
        if first > last {
            return Err(Conflict::Empty { first, last });
        }
        let at = self.claims.partition_point(|claim| claim.last < first);
        if let Some(taken) = self.claims.get(at).filter(|claim| claim.first <= last) {
            let (taken_first, taken_last) = (taken.first, taken.last);
            return Err(Conflict::Taken { first, last, taken_first, taken_last });
        }
        self.claims.insert(at, Claim { first, last, id });
        Ok(())
    }

    /// Who owns `address`, and how far into the claimed range it lies.
    #[must_use]
    pub fn find(&self, address: A) -> Option<(I, A)> {
        let at = self.claims.partition_point(|claim| claim.last < address);
        let claim = self.claims.get(at).filter(|claim| claim.first <= address)?;
        Some((claim.id, address - claim.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_with_its_offset() {
        let mut map = AddressMap::new();
        map.claim(0xb8000..=0xbffff_u64, 'v').unwrap();
        map.claim(0xa0000..=0xaffff, 'g').unwrap();
        assert_eq!(map.find(0xb8000), Some(('v', 0)));
        assert_eq!(map.find(0xbffff), Some(('v', 0x7fff)));
        assert_eq!(map.find(0xa1234), Some(('g', 0x1234)));
        assert_eq!([0x9ffff, 0xb0000, 0xc0000].map(|free| map.find(free)), [None; 3]);
    }

    #[test]
    fn the_ends_of_the_space_can_be_claimed() {
        let mut map = AddressMap::new();
        map.claim(0..=0_u16, 0).unwrap();
        map.claim(u16::MAX..=u16::MAX, 1).unwrap();
        assert_eq!(map.find(0), Some((0, 0)));
        assert_eq!(map.find(u16::MAX), Some((1, 0)));
        assert_eq!(map.find(1), None);
    }

    #[test]
    fn an_overlap_is_refused_and_changes_nothing() {
        let mut map = AddressMap::new();
        map.claim(0x10..=0x1f_u16, 'a').unwrap();
        for range in [0x00..=0x10, 0x1f..=0x2f, 0x12..=0x13, 0x00..=0xff] {
            let error = map.claim(range, 'b').unwrap_err();
            assert!(error.to_string().contains("0x10-0x1f"), "{error}");
        }
        #[allow(clippy::reversed_empty_ranges)]
        let empty = map.claim(2..=1, 'b');
        assert_eq!(empty, Err(Conflict::Empty { first: 2, last: 1 }));
        assert_eq!((0..0x100).filter(|&port| map.find(port).is_some()).count(), 0x10);
        map.claim(0x20..=0x20, 'b').unwrap();
        assert_eq!(map.find(0x20), Some(('b', 0)));
    }
}
