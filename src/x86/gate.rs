//! What an entry of the interrupt table says, in words: for the account of an exception that finds no
//! handler (SDM vol. 3A, 6.10 to 6.14 and 21.1.4).

use std::fmt;

use super::paging::{PhysRead, ReadError, read_linear};
use super::registers::{CR0_PE, EFER_LMA};
use super::segment::{LoadError, read_descriptor};
use super::{CpuState, DescriptorTable, Linear};

/// Where an entry leads, or why it leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A real-mode vector.
    Vector {
        /// Code segment.
        segment: u16,
        /// Offset in it.
        offset: u16,
    },
    /// A gate that leads to a code segment.
    Gate {
        /// The segment's selector.
        selector: u16,
        /// Offset in it.
        offset: u64,
    },
    /// The entry ends beyond the table's limit.
    BeyondLimit(DescriptorTable),
    /// The entry is not mapped.
    Unreadable(Linear, ReadError),
    /// P is clear; all 64 bits of the entry.
    NotPresent(u64),
    /// S and type are those of no interrupt, trap or task gate of this mode.
    NoGate {
        /// S as bit 4, and the type.
        kind: u8,
    },
    /// A task gate: a task switch.
    Task {
        /// The task-state segment's selector.
        selector: u16,
    },
    /// The gate's selector is null.
    NullSelector,
    /// The gate's selector cannot be looked up.
    NoDescriptor(LoadError),
    /// The gate's selector is none of a code segment.
    NoCode {
        /// The selector.
        selector: u16,
    },
    /// The gate leads to less privileged code.
    Outward {
        /// The selector.
        selector: u16,
        /// Its segment's level.
        dpl: u8,
        /// The current level.
        cpl: u8,
    },
    /// The code segment is not present.
    CodeNotPresent {
        /// The selector.
        selector: u16,
    },
    /// In IA-32e mode, a code segment that is not 64-bit.
    NotLong {
        /// The selector.
        selector: u16,
    },
}

impl Entry {
    /// What the table of `cpu` has for `vector`.
    pub fn read(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), vector: u8) -> Entry {
        let long = cpu.efer & EFER_LMA != 0;
        let size: u16 = match (cpu.cr0 & CR0_PE != 0, long) {
            (false, _) => 4,
            (true, false) => 8,
            (true, true) => 16,
        };
        // At most 255 * 16 + 15.
        let offset = u16::from(vector) * size;
        if offset + (size - 1) > cpu.idtr.limit {
            return Entry::BeyondLimit(cpu.idtr);
        }
        let at = Linear(cpu.idtr.base).offset(offset.into());
        let mut bytes = [0; 16];
        if let Err(error) = read_linear(cpu, mem, at, &mut bytes[..usize::from(size)]) {
            return Entry::Unreadable(at, error);
        }
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        if size == 4 {
            return Entry::Vector { segment: word(2), offset: word(0) };
        }
        let raw = u64::from(word(0))
            | u64::from(word(2)) << 16
            | u64::from(word(4)) << 32
            | u64::from(word(6)) << 48;
        let (present, kind, selector) = (bytes[5] & 0x80 != 0, bytes[5] & 0x1f, word(2));
        let wide = u64::from(word(0)) | u64::from(word(6)) << 16;
        let offset = match kind {
            0x6 | 0x7 if !long => u64::from(word(0)),
            0xe | 0xf if long => wide | u64::from(word(8)) << 32 | u64::from(word(10)) << 48,
            0xe | 0xf => wide,
            0x5 if !long => 0,
            _ => return Entry::NoGate { kind },
        };
        match () {
            () if !present => Entry::NotPresent(raw),
            () if kind == 0x5 => Entry::Task { selector },
            () => Entry::of_code(cpu, mem, selector, offset),
        }
    }

    fn of_code(
        cpu: &CpuState,
        mem: &(impl PhysRead + ?Sized),
        selector: u16,
        offset: u64,
    ) -> Entry {
        if selector & !3 == 0 {
            return Entry::NullSelector;
        }
        let access = match read_descriptor(cpu, mem, selector) {
            Ok(segment) => segment.access,
            Err(error) => return Entry::NoDescriptor(error),
        };
        let (dpl, cpl) = (access.dpl, cpu.cpl());
        let long = cpu.efer & EFER_LMA != 0;
        match () {
            () if !access.is_code() => Entry::NoCode { selector },
            () if dpl > cpl => Entry::Outward { selector, dpl, cpl },
            () if long && (!access.long || access.default_big) => Entry::NotLong { selector },
            () if !access.present => Entry::CodeNotPresent { selector },
            () => Entry::Gate { selector, offset },
        }
    }

    /// Whether it leads to code, whatever comes of going there.
    #[must_use]
    pub fn leads_on(&self) -> bool {
        matches!(self, Entry::Vector { .. } | Entry::Gate { .. } | Entry::Task { .. })
    }
}

impl fmt::Display for Entry {
    /// What follows "entry 6 of the IDT".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Vector { segment, offset } => write!(f, "leads to {segment:04X}:{offset:04X}"),
            Entry::Gate { selector, offset } => write!(f, "leads to {selector:04X}:{offset:08X}"),
            Entry::BeyondLimit(DescriptorTable { base, limit }) => {
                write!(f, "is beyond the table's limit (base {base:#x}, limit {limit:#x})")
            }
            Entry::Unreadable(at, error) => write!(f, "at {at} cannot be read: {error}"),
            Entry::NotPresent(raw) => write!(f, "is not present ({raw:016x})"),
            Entry::NoGate { kind } => write!(f, "is no gate (type {kind:#04x})"),
            Entry::Task { selector } => write!(f, "is a task gate (selector {selector:#06x})"),
            Entry::NullSelector => f.write_str("has the null selector"),
            Entry::NoDescriptor(error) => write!(f, "leads nowhere: {error}"),
            Entry::NoCode { selector } => {
                write!(f, "leads to selector {selector:#06x}, which is no code segment")
            }
            Entry::Outward { selector, dpl, cpl } => {
                write!(f, "leads from ring {cpl} to code of ring {dpl} (selector {selector:#06x})")
            }
            Entry::CodeNotPresent { selector } => {
                write!(f, "leads to the code segment {selector:#06x}, which is not present")
            }
            Entry::NotLong { selector } => {
                write!(f, "leads to the code segment {selector:#06x}, which is not 64-bit")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDT: usize = 0x100;
    const GDT: usize = 0x800;

    /// What a gate with these bytes for #UD says in flat protected mode.
    fn said(gate: [u8; 8]) -> String {
        let mut memory = vec![0; 0x1000];
        memory[IDT + 48..IDT + 56].copy_from_slice(&gate);
        let descriptors: [u64; 4] =
            [0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_1b00_0000_ffff];
        for (at, entry) in (GDT..).step_by(8).zip(descriptors) {
            memory[at..at + 8].copy_from_slice(&entry.to_le_bytes());
        }
        let cpu = CpuState {
            cr0: CR0_PE,
            idtr: DescriptorTable { base: IDT as u64, limit: 0x7f },
            gdtr: DescriptorTable { base: GDT as u64, limit: 0x1f },
            ..CpuState::default()
        };
        Entry::read(&cpu, &memory[..], 6).to_string()
    }

    #[test]
    fn every_way_to_no_handler_has_its_words() {
        assert_eq!(said([0x34, 0x12, 8, 0, 0, 0x8e, 1, 0]), "leads to 0008:00011234");
        assert_eq!(said([0; 8]), "is no gate (type 0x00)");
        let absent = [0x34, 0x12, 8, 0, 0, 0x0e, 0, 0];
        assert_eq!(said(absent), "is not present (00000e0000081234)");
        assert_eq!(said([0, 0, 3, 0, 0, 0x8e, 0, 0]), "has the null selector");
        let beyond = said([0, 0, 0x20, 0, 0, 0x8e, 0, 0]);
        assert!(beyond.contains("selector 0x0020 is beyond the limit 0x1f"), "{beyond}");
        let data = said([0, 0, 0x10, 0, 0, 0x8e, 0, 0]);
        assert_eq!(data, "leads to selector 0x0010, which is no code segment");
        let code = said([0, 0, 0x18, 0, 0, 0x8e, 0, 0]);
        assert_eq!(code, "leads to the code segment 0x0018, which is not present");
        assert_eq!(said([0, 0, 8, 0, 0, 0x85, 0, 0]), "is a task gate (selector 0x0008)");
    }

    #[test]
    fn a_short_table_says_where_it_is() {
        let idtr = DescriptorTable { base: 0x500, limit: 0x17 };
        let cpu = CpuState { idtr, ..CpuState::default() };
        let text = Entry::read(&cpu, &[0; 8][..], 6).to_string();
        assert_eq!(text, "is beyond the table's limit (base 0x500, limit 0x17)");
        let inside = Entry::read(&cpu, &[0; 8][..], 5);
        assert!(matches!(inside, Entry::Unreadable(Linear(0x514), _)), "{inside:?}");
    }
}
