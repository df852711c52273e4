//! From linear to guest-physical addresses: the page walk of SDM vol. 3A, chapter 4.
//!
//! The walk has a debugger's semantics: it asks where an address leads, so that access rights are
//! reported and not enforced, accessed and dirty bits stay as they are, and the tables are read from
//! memory, never from a TLB. (In PAE mode a processor keeps the four PDPTEs in registers since the last
//! load of CR3; the walk reads those from memory too.)

use std::fmt;

use super::registers::{CR0_PG, CR4_LA57, CR4_PAE, EFER_LMA};
use super::{CpuState, Linear, Phys};
use tables::resolve;

mod tables;
#[cfg(test)]
mod tests;

/// Guest-physical memory that page tables are read from.
pub trait PhysRead {
    /// Fills `data` from `addr` on; false if any byte of it is outside memory.
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool;
}

/// Bytes as a memory that begins at physical address 0.
impl PhysRead for [u8] {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        let start = usize::try_from(addr.0).ok();
        let bytes = start.and_then(|start| self.get(start..start.checked_add(data.len())?));
        if let Some(bytes) = bytes {
            data.copy_from_slice(bytes);
        }
        bytes.is_some()
    }
}

/// How linear addresses are translated (SDM vol. 3A, 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PagingMode {
    /// CR0.PG = 0: linear addresses are physical.
    None,
    /// Two levels of 32-bit entries; 4 MiB pages if CR4.PSE is set.
    Bits32,
    /// Three levels of 64-bit entries for 32-bit addresses.
    Pae,
    /// Four levels for 48-bit addresses.
    Level4,
    /// Five levels for 57-bit addresses.
    Level5,
}

/// The kinds of table entry, from the root down (SDM vol. 3A, table 4-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Table {
    Pml5e,
    Pml4e,
    Pdpte,
    Pde,
    Pte,
}

/// One step of a walk: an entry and where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Which table the entry is in.
    pub table: Table,
    /// Where the entry is.
    pub entry_addr: Phys,
    /// What it holds; the upper half is zero in 32-bit paging.
    pub entry: u64,
}

/// Where a linear address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The guest-physical address.
    pub phys: Phys,
    /// Size of the page in bytes; 4 GiB without paging, where the whole space is one run.
    pub page_size: u64,
    /// Bytes from the address to the end of its page, itself included: as many are contiguous.
    pub remaining: u64,
    /// Every level allows writing.
    pub writable: bool,
    /// Every level allows user-mode access.
    pub user: bool,
    /// Some level forbids execution (only with EFER.NXE).
    pub no_execute: bool,
}

/// Why a linear address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The upper bits of the address are not copies of the highest bit that is translated.
    #[error("{0} is not canonical")]
    NonCanonical(Linear),
    /// The entry's present bit is clear.
    #[error("{} at {} is not present", .0.table, .0.entry_addr)]
    NotPresent(Level),
    /// The entry sets `bits` that have to be zero.
    #[error("{} at {} sets reserved bits {bits:#x}", level.table, level.entry_addr)]
    Reserved {
        /// The offending entry.
        level: Level,
        /// The bits of it that have to be zero.
        bits: u64,
    },
    /// The entry itself is at an address where there is no memory.
    #[error("{table} at {entry_addr} is outside memory")]
    OutsideMemory {
        /// Which table the entry would be in.
        table: Table,
        /// Where the entry would be.
        entry_addr: Phys,
    },
}

/// Why linear memory cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The address leads nowhere.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The address leads to something that is no memory.
    #[error("physical {0} is outside memory")]
    OutsideMemory(Phys),
}

/// The whole chain from a linear address to what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The address as it was translated: cut to 32 bits outside IA-32e mode.
    pub addr: Linear,
    /// How it was translated.
    pub mode: PagingMode,
    /// The entries that were read, from the root down; a faulting one is the last.
    pub levels: Vec<Level>,
    /// Where the address leads.
    pub result: Result<Translation, Fault>,
}

/// Follows `addr` through the page tables of `cpu` and keeps each entry on the way.
pub fn walk(cpu: &CpuState, mem: &(impl PhysRead + ?Sized), addr: Linear) -> Walk {
    let mode = PagingMode::of(cpu);
    let mut levels = Vec::new();
    let result = resolve(cpu, mem, addr, |level| levels.push(level));
    Walk { addr: mode.clip(addr), mode, levels, result }
}

/// Where `addr` leads, with the rights of its page; allocates nothing.
///
/// # Errors
/// The fault of the first entry that does not lead on.
pub fn lookup(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    addr: Linear,
) -> Result<Translation, Fault> {
    resolve(cpu, mem, addr, |_| ())
}

/// Fills `data` from linear memory at `addr` on, across page borders.
///
/// # Errors
/// Why some byte cannot be read.
pub fn read_linear(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    addr: Linear,
    data: &mut [u8],
) -> Result<(), ReadError> {
    let mut done = 0;
    while done < data.len() {
        let page = lookup(cpu, mem, addr.offset(done as u64))?;
        let left = data.len() - done;
        let len = usize::try_from(page.remaining).map_or(left, |rest| rest.min(left));
        if !mem.read_phys(page.phys, &mut data[done..done + len]) {
            return Err(ReadError::OutsideMemory(page.phys));
        }
        done += len;
    }
    Ok(())
}

impl PagingMode {
    /// How `cpu` translates.
    #[must_use]
    pub fn of(cpu: &CpuState) -> PagingMode {
        if cpu.cr0 & CR0_PG == 0 {
            PagingMode::None
        } else if cpu.efer & EFER_LMA != 0 {
            if cpu.cr4 & CR4_LA57 != 0 { PagingMode::Level5 } else { PagingMode::Level4 }
        } else if cpu.cr4 & CR4_PAE != 0 {
            PagingMode::Pae
        } else {
            PagingMode::Bits32
        }
    }

    /// `addr` cut to the width that this mode looks at: 32 bits outside IA-32e mode.
    #[must_use]
    pub fn clip(self, addr: Linear) -> Linear {
        match self {
            PagingMode::Level4 | PagingMode::Level5 => addr,
            PagingMode::None | PagingMode::Bits32 | PagingMode::Pae => Linear(addr.0 & 0xffff_ffff),
        }
    }
}

impl Table {
    /// The manual's name of the entry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Table::Pml5e => "PML5E",
            Table::Pml4e => "PML4E",
            Table::Pdpte => "PDPTE",
            Table::Pde => "PDE",
            Table::Pte => "PTE",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for PagingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PagingMode::None => "no paging",
            PagingMode::Bits32 => "32-bit paging",
            PagingMode::Pae => "PAE paging",
            PagingMode::Level4 => "4-level paging",
            PagingMode::Level5 => "5-level paging",
        })
    }
}
