//! Task-state segments of 16 and 32 bits: where they have what (SDM vol. 3A, 8.2, figures 8-2 and 8-10).

use super::paging::{PhysRead, read_linear};
use super::{CpuState, Gpr, Linear, Segment, SegmentName};

/// The general registers in the order in which a task-state segment has them.
pub const REGISTERS: [Gpr; 8] =
    [Gpr::Rax, Gpr::Rcx, Gpr::Rdx, Gpr::Rbx, Gpr::Rsp, Gpr::Rbp, Gpr::Rsi, Gpr::Rdi];
/// The segment registers in that order; 16 bits have the first four.
pub const SEGMENTS: [SegmentName; 6] = [
    SegmentName::Es,
    SegmentName::Cs,
    SegmentName::Ss,
    SegmentName::Ds,
    SegmentName::Fs,
    SegmentName::Gs,
];

/// Where a task-state segment of 16 or 32 bits has what, in bytes from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a register.
    pub size: u8,
    /// IP or EIP.
    pub rip: u64,
    /// FLAGS or EFLAGS.
    pub flags: u64,
    registers: u64,
    /// The segment registers there are.
    pub segments: &'static [SegmentName],
    /// The selector of the local descriptor table.
    pub local_table: u64,
    /// The least limit of such a segment.
    pub limit: u32,
}

const WIDE: Layout = Layout {
    size: 4,
    rip: 0x20,
    flags: 0x24,
    registers: 0x28,
    segments: &SEGMENTS,
    local_table: 0x60,
    limit: 0x67,
};
const NARROW: Layout = Layout {
    size: 2,
    rip: 0x0e,
    flags: 0x10,
    registers: 0x12,
    segments: SEGMENTS.split_at(4).0,
    local_table: 0x2a,
    limit: 0x2b,
};

impl Layout {
    /// That of a segment of the system type `kind`: bit 3 says that it has 32 bits.
    #[must_use]
    pub fn of(kind: u8) -> &'static Layout {
        if kind & 8 != 0 { &WIDE } else { &NARROW }
    }

    /// Where the register `index` of [`REGISTERS`] is.
    #[must_use]
    pub fn register(&self, index: usize) -> u64 {
        self.registers + index as u64 * u64::from(self.size)
    }

    /// Where the selector `index` of [`SEGMENTS`] is.
    #[must_use]
    pub fn segment(&self, index: usize) -> u64 {
        self.register(REGISTERS.len() + index)
    }
}

/// A task as its segment in memory has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredTask {
    /// FLAGS or EFLAGS.
    pub flags: u64,
    /// IP or EIP.
    pub rip: u64,
    /// Selector of its code.
    pub cs: u16,
    /// SP or ESP.
    pub rsp: u64,
    /// Selector of its stack.
    pub ss: u16,
}

/// What the task-state segment `segment`, of 16 or 32 bits, has; nothing if that cannot be read.
#[must_use]
pub fn stored(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    segment: &Segment,
) -> Option<StoredTask> {
    const CS: usize = 1;
    const SS: usize = 2;
    let layout = Layout::of(segment.access.kind);
    let number = |at: u64, size: u8| {
        let mut bytes = [0; 8];
        let there = Linear(segment.base).offset(at);
        read_linear(cpu, mem, there, &mut bytes[..usize::from(size)]).ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    Some(StoredTask {
        flags: number(layout.flags, layout.size)?,
        rip: number(layout.rip, layout.size)?,
        cs: number(layout.segment(CS), 2)? as u16,
        rsp: number(layout.register(Gpr::Rsp as usize), layout.size)?,
        ss: number(layout.segment(SS), 2)? as u16,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_stored_in_16_or_in_32_bits() {
        let mut memory = vec![0; 0x1000];
        let mut put = |at: usize, bytes: &[u8]| {
            memory[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0x220, &[0x78, 0x56, 0x34, 0x12, 2, 0, 1, 0]);
        put(0x238, &[0xf0, 0xde, 0xbc, 0x0a]);
        put(0x24c, &[0x08, 0, 0, 0, 0x10, 0]);
        put(0x30e, &[0xcd, 0xab, 2, 0]);
        put(0x31a, &[0, 0x60]);
        put(0x324, &[0x18, 0, 0x20, 0]);
        let cpu = CpuState::default();
        let task = |descriptor| stored(&cpu, &memory[..], &Segment::from_descriptor(0, descriptor));
        let wide =
            StoredTask { flags: 0x1_0002, rip: 0x1234_5678, cs: 8, rsp: 0x0abc_def0, ss: 0x10 };
        assert_eq!(task(0x0000_8900_0200_0067), Some(wide));
        let narrow = StoredTask { flags: 2, rip: 0xabcd, cs: 0x18, rsp: 0x6000, ss: 0x20 };
        assert_eq!(task(0x0000_8100_0300_002b), Some(narrow));
        assert_eq!(task(0x0000_8900_0fc0_0067), None, "beyond memory");
    }
}
