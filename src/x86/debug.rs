//! The debug registers' layout (SDM vol. 3B, 18.2): DR7 from breakpoints, hits from DR6.

use super::Linear;
use super::operands::MemoryAccess;

/// How many breakpoints the debug registers hold.
pub const DEBUG_SLOTS: usize = 4;

/// One breakpoint of the processor: before the instruction at its address, or after an access to the
/// bytes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DebugSlot {
    addr: Linear,
    condition: Condition,
}

/// What a slot waits for: DR7.R/Wn and DR7.LENn (SDM vol. 3B, 18.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Condition {
    Execute,
    Data { reads: bool, size: DataSize },
}

/// How many bytes a data breakpoint covers; its address is a multiple of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DataSize {
    One,
    Two,
    Four,
    Eight,
}

/// What DR6 says about a debug exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugHits {
    /// B0 to B3: bit n is set if the condition of DRn was met, *enabled or not*.
    pub slots: u8,
}

/// DR6 bits that read as one; bit 16 (RTM) and bit 11 (bus lock) are active low.
pub const DR6_FIXED: u64 = 0xffff_0ff0;
/// DR6.RTM, active low: clear for a debug exception in a transaction.
pub const DR6_RTM: u64 = 1 << 16;
/// DR6.BD: an access to a debug register while DR7.GD was set.
pub const DR6_BD: u64 = 1 << 13;
/// DR7.GD: general detect enable.
pub const DR7_GD: u64 = 1 << 13;
/// DR7.L0 to DR7.G3: what enables the slots.
pub const DR7_ENABLE: u64 = 0xff;
/// DR6.BS: a single step by the trap flag.
pub const DR6_BS: u64 = 1 << 14;
/// DR7 with nothing enabled: bit 10 always reads as one.
pub const DR7_FIXED: u64 = 1 << 10;
/// DR7.LE and DR7.GE: exact data breakpoints. Needed by the 386 only, advised for all.
pub const DR7_EXACT: u64 = 1 << 8 | 1 << 9;

impl DebugSlot {
    /// A breakpoint on the instruction at `addr`.
    #[must_use]
    pub fn execute(addr: Linear) -> DebugSlot {
        DebugSlot { addr, condition: Condition::Execute }
    }

    /// A breakpoint on writes to the `size` bytes at `addr`, and on reads as well if `reads` says so: there
    /// is none on reads alone. The processor ignores the low bits of an address that is not aligned.
    #[must_use]
    pub fn data(addr: Linear, size: DataSize, reads: bool) -> DebugSlot {
        DebugSlot { addr, condition: Condition::Data { reads, size } }
    }

    /// Whether it waits for an access to data, not for an instruction.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.condition != Condition::Execute
    }

    /// R/W and LEN, as the lowest four bits.
    fn dr7_condition(self) -> u64 {
        let Condition::Data { reads, size } = self.condition else { return 0 };
        let kind = if reads { 0b11 } else { 0b01 };
        let len = match size {
            DataSize::One => 0b00,
            DataSize::Two => 0b01,
            DataSize::Four => 0b11,
            DataSize::Eight => 0b10,
        };
        len << 2 | kind
    }
}

impl DataSize {
    /// The largest first.
    pub const DESCENDING: [DataSize; 4] =
        [DataSize::Eight, DataSize::Four, DataSize::Two, DataSize::One];

    /// The number of bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            DataSize::One => 1,
            DataSize::Two => 2,
            DataSize::Four => 4,
            DataSize::Eight => 8,
        }
    }
}

/// Breakpoints as a program has set them in DR0 to DR7.
#[derive(Clone, Copy, Debug)]
pub struct OwnBreakpoints<'a>(pub &'a [u64; 8]);

/// What DR7.R/Wn says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnKind {
    Execute,
    Write,
    Port,
    Access,
}

impl OwnBreakpoints<'_> {
    /// Whether any is enabled, or general detect, which guards them.
    #[must_use]
    pub fn any(self) -> bool {
        self.0[7] & (DR7_ENABLE | DR7_GD) != 0
    }

    /// DR6.B0 to DR6.B3 for an instruction at `pc`.
    #[must_use]
    pub fn instruction_hits(self, pc: Linear) -> u64 {
        self.hits(|kind, addr, _| kind == OwnKind::Execute && addr == pc.0)
    }

    /// DR6.B0 to DR6.B3 for an instruction that accesses memory so.
    #[must_use]
    pub fn data_hits(self, accesses: &[MemoryAccess]) -> u64 {
        self.hits(|kind, addr, len| {
            accesses.iter().any(|access| {
                let counts = match kind {
                    OwnKind::Write => access.write,
                    OwnKind::Access => true,
                    OwnKind::Execute | OwnKind::Port => false,
                };
                counts && access.overlaps(Linear(addr), len)
            })
        })
    }

    /// DR6.B0 to DR6.B3 for an access to `size` bytes at `port`, where CR4.DE is set.
    #[must_use]
    pub fn port_hits(self, port: u16, size: u8) -> u64 {
        let access =
            MemoryAccess { addr: Linear(port.into()), len: size.into(), read: true, write: true };
        self.hits(|kind, addr, len| kind == OwnKind::Port && access.overlaps(Linear(addr), len))
    }

    /// DR6.B0 to DR6.B3 for whatever accesses data or ports: those that are hit behind an instruction.
    #[must_use]
    pub fn traps(self) -> u64 {
        self.hits(|kind, _, _| kind != OwnKind::Execute)
    }

    fn hits(self, met: impl Fn(OwnKind, u64, u64) -> bool) -> u64 {
        let dr7 = self.0[7];
        let is_hit = |n: &usize| {
            let enabled = dr7 >> (n * 2) & 0b11 != 0;
            let condition = dr7 >> (16 + n * 4);
            let kind = match condition & 0b11 {
                0b00 => OwnKind::Execute,
                0b01 => OwnKind::Write,
                0b10 => OwnKind::Port,
                _ => OwnKind::Access,
            };
            let len = match condition >> 2 & 0b11 {
                0b00 => 1,
                0b01 => 2,
                0b10 => 8,
                _ => 4,
            };
            // The address of data is taken down to a multiple of the length.
            enabled && met(kind, self.0[*n] & !(len - 1), len)
        };
        (0..DEBUG_SLOTS).filter(is_hit).fold(0, |hits, n| hits | 1 << n)
    }
}

/// DR7 that enables `slots` globally, so that a task switch does not clear them.
#[must_use]
pub fn dr7(slots: &[Option<DebugSlot>; DEBUG_SLOTS]) -> u64 {
    let mut dr7 = DR7_FIXED;
    for (n, slot) in slots.iter().enumerate() {
        if let Some(slot) = slot {
            dr7 |= DR7_EXACT | 0b10 << (n * 2) | slot.dr7_condition() << (16 + n * 4);
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
        DebugHits { slots: (dr6 & 0xf) as u8 }
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

    fn slot(addr: u64) -> Option<DebugSlot> {
        Some(DebugSlot::execute(Linear(addr)))
    }

    #[test]
    fn dr7_without_slots_has_only_its_fixed_bit() {
        assert_eq!(dr7(&[None; 4]), 0x400);
    }

    #[test]
    fn each_slot_has_its_address_and_its_enable_bit() {
        assert_eq!(dr7(&[slot(0x7c01), None, None, None]), 0x702);
        assert_eq!(dr7(&[None, None, None, slot(0x504)]), 0x780);
        let all = [1, 2, 4, 8].map(slot);
        assert_eq!(debug_registers(&all), [1, 2, 4, 8, 0, 0, 0xffff_0ff0, 0x7aa]);
    }

    #[test]
    fn data_slots_have_their_kind_and_length() {
        let data = |size, reads| Some(DebugSlot::data(Linear(0x500), size, reads));
        let slots = [
            data(DataSize::One, false),
            data(DataSize::Two, true),
            data(DataSize::Four, false),
            data(DataSize::Eight, true),
        ];
        assert_eq!(dr7(&slots), 0xbd71_07aa);
    }

    #[test]
    fn dr6_says_which_slots_were_hit() {
        assert_eq!(DebugHits::decode(DR6_FIXED), DebugHits::default());
        assert_eq!(DebugHits::decode(0xffff_4ff5), DebugHits { slots: 0b0101 });
    }

    #[test]
    fn a_programs_own_breakpoints_are_hit_by_kind_and_place() {
        // DR0: execute 7C00h, local; DR1: 2 bytes written at 501h, taken for 500h, global; DR2: port 60h;
        // DR3: 4 bytes accessed at 600h, not enabled.
        let dr = [0x7c00, 0x501, 0x60, 0x600, 0, 0, DR6_FIXED, 0xf250_0400 | 0b01_1001];
        let own = OwnBreakpoints(&dr);
        let access =
            |addr, write: bool| MemoryAccess { addr: Linear(addr), len: 1, read: !write, write };
        assert!(own.any());
        assert_eq!([0x7c00, 0x501].map(|pc| own.instruction_hits(Linear(pc))), [1, 0]);
        assert_eq!(
            [0x4ff, 0x500, 0x501, 0x502].map(|at| own.data_hits(&[access(at, true)])),
            [0, 2, 2, 0]
        );
        assert_eq!(own.data_hits(&[access(0x500, false), access(0x600, true)]), 0);
        assert_eq!([0x5f, 0x60].map(|port| own.port_hits(port, 1)), [0, 4]);
        assert_eq!(own.port_hits(0x5e, 4), 4);
    }

    #[test]
    fn a_hit_of_a_slot_that_is_not_armed_does_not_count() {
        let armed = [None, None, slot(0x7c00), None];
        let hits = DebugHits::decode(0xffff_0ff7);
        assert_eq!(hits.among(&armed).collect::<Vec<_>>(), [2]);
    }
}
