//! The debug registers' layout (SDM vol. 3B, 18.2): DR7 from breakpoints, hits from DR6.

use super::Linear;

/// How many breakpoints the debug registers hold.
pub const DEBUG_SLOTS: usize = 4;

/// What a debug register stops on. I/O breakpoints (R/W = 10b) are left out on purpose: no gdb packet
/// asks for one, and their encoding is easily mistaken for a read watchpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DebugKind {
    /// Before the instruction at the address.
    Execute,
    /// After a write of data.
    Write,
    /// After a read or a write of data: x86 has no slot that stops on reads alone.
    ReadWrite,
}

/// One breakpoint of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DebugSlot {
    addr: Linear,
    kind: DebugKind,
    len: u8,
}

/// Why a range does not fit one debug register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The length is none of 1, 2, 4 and 8, or not 1 for an instruction.
    #[error("a debug register cannot cover {0} bytes")]
    Length(u64),
    /// The address is no multiple of the length.
    #[error("a debug register cannot cover {len} bytes at {addr}, which is not aligned to them")]
    Alignment {
        /// Where the range starts.
        addr: Linear,
        /// How long it is.
        len: u8,
    },
}

/// What DR6 says about a debug exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugHits {
    /// B0 to B3: bit n is set if the condition of DRn was met, *enabled or not*.
    pub slots: u8,
    /// BD: a move to or from a debug register while DR7.GD was set.
    pub register_access: bool,
    /// BS: single step.
    pub single_step: bool,
    /// BT: a switch to a task whose TSS has its T flag set.
    pub task_switch: bool,
}

/// DR6 bits that read as one; bit 16 (RTM) and bit 11 (bus lock) are active low.
pub const DR6_FIXED: u64 = 0xffff_0ff0;
/// DR6.BD.
pub const DR6_BD: u64 = 1 << 13;
/// DR6.BS.
pub const DR6_BS: u64 = 1 << 14;
/// DR6.BT.
pub const DR6_BT: u64 = 1 << 15;
/// DR7 with nothing enabled: bit 10 always reads as one.
pub const DR7_FIXED: u64 = 1 << 10;
/// DR7.LE and DR7.GE: exact data breakpoints. Needed by the 386 only, advised for all.
pub const DR7_EXACT: u64 = 1 << 8 | 1 << 9;
/// DR7.GD: accesses of debug registers trap.
pub const DR7_GD: u64 = 1 << 13;

impl DebugSlot {
    /// A breakpoint of `kind` on `len` bytes at `addr`.
    ///
    /// # Errors
    /// A length or alignment that the registers cannot express.
    pub fn new(addr: Linear, kind: DebugKind, len: u64) -> Result<DebugSlot, SlotError> {
        let narrow = match len {
            1 => 1,
            2 if kind != DebugKind::Execute => 2,
            4 if kind != DebugKind::Execute => 4,
            8 if kind != DebugKind::Execute => 8,
            _ => return Err(SlotError::Length(len)),
        };
        if addr.0.is_multiple_of(len) {
            Ok(DebugSlot { addr, kind, len: narrow })
        } else {
            Err(SlotError::Alignment { addr, len: narrow })
        }
    }

    /// A breakpoint on the instruction at `addr`.
    #[must_use]
    pub fn execute(addr: Linear) -> DebugSlot {
        DebugSlot { addr, kind: DebugKind::Execute, len: 1 }
    }

    /// Where it is.
    #[must_use]
    pub fn addr(self) -> Linear {
        self.addr
    }

    /// What it stops on.
    #[must_use]
    pub fn kind(self) -> DebugKind {
        self.kind
    }

    /// How many bytes it covers.
    #[must_use]
    pub fn size(self) -> u64 {
        u64::from(self.len)
    }

    /// R/W and LEN as DR7 has them for slot 0 at bit 16.
    fn condition(self) -> u64 {
        let access = match self.kind {
            DebugKind::Execute => 0b00,
            DebugKind::Write => 0b01,
            DebugKind::ReadWrite => 0b11,
        };
        let len = match self.len {
            2 => 0b01,
            8 => 0b10,
            4 => 0b11,
            _ => 0b00,
        };
        access | len << 2
    }
}

/// The fewest aligned slots that cover `len` bytes at `addr`, which need not be aligned, or nothing if
/// that takes more than `limit`. No slot reaches beyond the range.
#[must_use]
pub fn cover(addr: Linear, kind: DebugKind, len: u64, limit: usize) -> Option<Vec<DebugSlot>> {
    let mut slots = Vec::new();
    let (mut addr, mut left) = (addr, len);
    while left > 0 {
        if slots.len() == limit {
            return None;
        }
        let sizes = if kind == DebugKind::Execute { &[1][..] } else { &[8, 4, 2, 1] };
        let size = *sizes.iter().find(|&&size| size <= left && addr.0.is_multiple_of(size))?;
        slots.push(DebugSlot::new(addr, kind, size).ok()?);
        (addr, left) = (addr.offset(size), left - size);
    }
    Some(slots)
}

/// DR7 that enables `slots` globally, so that a task switch does not clear them.
#[must_use]
pub fn dr7(slots: &[Option<DebugSlot>; DEBUG_SLOTS]) -> u64 {
    let mut dr7 = DR7_FIXED;
    for (n, slot) in slots.iter().enumerate() {
        if let Some(slot) = slot {
            dr7 |= DR7_EXACT | 0b10 << (n * 2) | slot.condition() << (16 + n * 4);
        }
    }
    dr7
}

/// DR0 to DR7 that arm `slots`, in the order of their numbers; DR4 and DR5 do not exist and DR6 is clear.
#[must_use]
pub fn debug_registers(slots: &[Option<DebugSlot>; DEBUG_SLOTS]) -> [u64; 8] {
    let [a, b, c, d] = slots.map(|slot| slot.map_or(0, |slot| slot.addr.0));
    [a, b, c, d, 0, 0, DR6_FIXED, dr7(slots)]
}

impl DebugHits {
    /// What `dr6` says.
    #[must_use]
    pub fn decode(dr6: u64) -> DebugHits {
        DebugHits {
            slots: (dr6 & 0xf) as u8,
            register_access: dr6 & DR6_BD != 0,
            single_step: dr6 & DR6_BS != 0,
            task_switch: dr6 & DR6_BT != 0,
        }
    }

    /// Numbers of the slots that were hit and are in `armed`. A processor may report a slot whose
    /// condition was met though it is not enabled.
    pub fn among(self, armed: &[Option<DebugSlot>; DEBUG_SLOTS]) -> impl Iterator<Item = usize> {
        (0..DEBUG_SLOTS).filter(move |&n| self.slots & 1 << n != 0 && armed[n].is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(addr: u64, kind: DebugKind, len: u64) -> Option<DebugSlot> {
        Some(DebugSlot::new(Linear(addr), kind, len).unwrap())
    }

    #[test]
    fn dr7_without_slots_has_only_its_fixed_bit() {
        assert_eq!(dr7(&[None; 4]), 0x400);
    }

    #[test]
    fn dr7_holds_enable_access_and_length_of_each_slot() {
        use DebugKind::{Execute, ReadWrite, Write};
        assert_eq!(dr7(&[slot(0x7c01, Execute, 1), None, None, None]), 0x0000_0702);
        assert_eq!(dr7(&[None, slot(0x500, Write, 1), None, None]), 0x0010_0708);
        assert_eq!(dr7(&[None, None, slot(0x502, ReadWrite, 2), None]), 0x0700_0720);
        assert_eq!(dr7(&[None, None, None, slot(0x504, Write, 4)]), 0xd000_0780);
        assert_eq!(dr7(&[slot(0x508, ReadWrite, 8), None, None, None]), 0x000b_0702);
        let all =
            [slot(1, Execute, 1), slot(2, Write, 2), slot(4, ReadWrite, 4), slot(8, Write, 8)];
        assert_eq!(dr7(&all), 0x9f50_07aa);
        assert_eq!(debug_registers(&all), [1, 2, 4, 8, 0, 0, 0xffff_0ff0, 0x9f50_07aa]);
    }

    #[test]
    fn slots_that_the_registers_cannot_express_are_refused() {
        use DebugKind::{Execute, Write};
        let new = |addr, kind, len| DebugSlot::new(Linear(addr), kind, len);
        for len in [0, 3, 5, 16, u64::MAX] {
            assert_eq!(new(0, Write, len), Err(SlotError::Length(len)));
        }
        assert_eq!(new(0x7c00, Execute, 2), Err(SlotError::Length(2)));
        let error = new(0x502, Write, 4).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a debug register cannot cover 4 bytes at 0x502, which is not aligned to them"
        );
    }

    #[test]
    fn a_range_is_covered_by_aligned_slots_exactly() {
        let cover = |addr, len, limit| {
            cover(Linear(addr), DebugKind::Write, len, limit)
                .map(|slots| slots.iter().map(|s| (s.addr().0, s.size())).collect::<Vec<_>>())
        };
        assert_eq!(cover(0x500, 8, 4), Some(vec![(0x500, 8)]));
        assert_eq!(cover(0x501, 7, 4), Some(vec![(0x501, 1), (0x502, 2), (0x504, 4)]));
        assert_eq!(cover(0x503, 4, 4), Some(vec![(0x503, 1), (0x504, 2), (0x506, 1)]));
        assert_eq!(cover(0x503, 4, 2), None);
        assert_eq!(cover(0, u64::MAX, 4), None);
        assert_eq!(cover(0x500, 0, 4), Some(vec![]));
        assert_eq!(
            super::cover(Linear(3), DebugKind::Execute, 1, 1),
            Some(vec![DebugSlot::execute(Linear(3))])
        );
    }

    #[test]
    fn dr6_tells_its_causes_apart() {
        assert_eq!(DebugHits::decode(DR6_FIXED), DebugHits::default());
        let hits = DebugHits::decode(0xffff_4ff5);
        assert_eq!(hits, DebugHits { slots: 0b0101, single_step: true, ..DebugHits::default() });
        assert!(DebugHits::decode(0x2000).register_access);
        assert!(DebugHits::decode(0x8000).task_switch);
    }

    #[test]
    fn a_hit_of_a_slot_that_is_not_armed_does_not_count() {
        let armed = [None, None, slot(0x7c00, DebugKind::Execute, 1), None];
        let hits = DebugHits::decode(0xffff_0ff7);
        assert_eq!(hits.among(&armed).collect::<Vec<_>>(), [2]);
    }
}
