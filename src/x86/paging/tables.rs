//! Reading the tables of each paging mode: where the entries are and what their bits mean.

use super::{Fault, Level, PagingMode, PhysRead, Table, Translation};
use crate::x86::registers::{CR4_PSE, EFER_NXE};
use crate::x86::{CpuState, Linear, Phys};

const ENTRY_PRESENT: u64 = 1 << 0;
const ENTRY_WRITABLE: u64 = 1 << 1;
const ENTRY_USER: u64 = 1 << 2;
const ENTRY_LARGE: u64 = 1 << 7;
const ENTRY_XD: u64 = 1 << 63;
/// Address field of 64-bit entries. The processor's own limit (MAXPHYADDR) may be lower; the bits
/// above that count as address here and lead outside memory.
const ENTRY_ADDR: u64 = 0x000f_ffff_ffff_f000;

/// How one level of a mode is read.
struct Step {
    table: Table,
    /// Lowest bit of the linear address that indexes this table.
    shift: u32,
    /// Whether bit 7 may end the walk here with a large page.
    large: bool,
    /// Bits that have to be zero whatever the entry refers to.
    reserved: u64,
    /// Whether R/W, U/S and XD mean something here.
    rights: bool,
}

const LONG: [Step; 5] = [
    Step { table: Table::Pml5e, shift: 48, large: false, reserved: ENTRY_LARGE, rights: true },
    Step { table: Table::Pml4e, shift: 39, large: false, reserved: ENTRY_LARGE, rights: true },
    Step { table: Table::Pdpte, shift: 30, large: true, reserved: 0, rights: true },
    Step { table: Table::Pde, shift: 21, large: true, reserved: 0, rights: true },
    Step { table: Table::Pte, shift: 12, large: false, reserved: 0, rights: true },
];

/// Bits 62:52 are reserved in PAE entries and ignored in those of IA-32e mode (SDM vol. 3A, tables 4-8
/// to 4-11 and 4-15 to 4-20).
const PAE_HIGH: u64 = 0x7ff0_0000_0000_0000;
const PAE: [Step; 3] = [
    Step {
        table: Table::Pdpte,
        shift: 30,
        large: false,
        // Bit 5 is reserved, too, but some emulated processors set it as if it were the accessed flag.
        reserved: PAE_HIGH | ENTRY_XD | 0x1c6,
        rights: false,
    },
    Step { table: Table::Pde, shift: 21, large: true, reserved: PAE_HIGH, rights: true },
    Step { table: Table::Pte, shift: 12, large: false, reserved: PAE_HIGH, rights: true },
];

/// Translates `addr` and shows each entry on the way to `visit`.
pub(super) fn resolve(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    addr: Linear,
    visit: impl FnMut(Level),
) -> Result<Translation, Fault> {
    let mode = PagingMode::of(cpu);
    let addr = mode.clip(addr);
    let xd = cpu.efer & EFER_NXE != 0;
    match mode {
        PagingMode::None => Ok(Translation {
            phys: Phys(addr.0),
            page_size: 1 << 32,
            remaining: (1 << 32) - addr.0,
            writable: true,
            user: true,
            no_execute: false,
        }),
        PagingMode::Bits32 => resolve32(cpu, mem, addr, visit),
        PagingMode::Pae => resolve64(mem, addr, cpu.cr3 & 0xffff_ffe0, 3, &PAE, xd, visit),
        PagingMode::Level4 | PagingMode::Level5 => {
            let steps = if mode == PagingMode::Level5 { &LONG[..] } else { &LONG[1..] };
            let width = if mode == PagingMode::Level5 { 57 } else { 48 };
            let unused = 64 - width;
            if ((addr.0 << unused) as i64 >> unused) as u64 != addr.0 {
                return Err(Fault::NonCanonical(addr));
            }
            resolve64(mem, addr, cpu.cr3 & ENTRY_ADDR, 0x1ff, steps, xd, visit)
        }
    }
}

/// SDM vol. 3A, 4.3.
fn resolve32(
    cpu: &CpuState,
    mem: &(impl PhysRead + ?Sized),
    addr: Linear,
    mut visit: impl FnMut(Level),
) -> Result<Translation, Fault> {
    let mut read = |table, base: u64, shift: u32| {
        let entry_addr = Phys(base + ((addr.0 >> shift) & 0x3ff) * 4);
        let mut bytes = [0; 4];
        if !mem.read_phys(entry_addr, &mut bytes) {
            return Err(Fault::OutsideMemory { table, entry_addr });
        }
        let level = Level { table, entry_addr, entry: u64::from(u32::from_le_bytes(bytes)) };
        visit(level);
        present(level)
    };
    let pde = read(Table::Pde, cpu.cr3 & 0xffff_f000, 22)?;
    if pde.entry & ENTRY_LARGE != 0 && cpu.cr4 & CR4_PSE != 0 {
        unreserved(pde, 1 << 21)?;
        // PSE-36: bits 20:13 of the entry are bits 39:32 of the address.
        let base = pde.entry & 0xffc0_0000 | (pde.entry & 0x1f_e000) << 19;
        return Ok(Translation::of(addr, base, 22, pde.entry, false));
    }
    let pte = read(Table::Pte, pde.entry & 0xffff_f000, 12)?;
    Ok(Translation::of(addr, pte.entry & 0xffff_f000, 12, pde.entry & pte.entry, false))
}

/// SDM vol. 3A, 4.4 and 4.5. `root_mask` cuts the index of the first table.
fn resolve64(
    mem: &(impl PhysRead + ?Sized),
    addr: Linear,
    root: u64,
    root_mask: u64,
    steps: &[Step],
    xd: bool,
    mut visit: impl FnMut(Level),
) -> Result<Translation, Fault> {
    let mut base = root;
    let mut mask = root_mask;
    let mut rights = ENTRY_WRITABLE | ENTRY_USER;
    let mut no_execute = false;
    let mut shift = 0;
    for step in steps {
        let entry_addr = Phys(base + ((addr.0 >> step.shift) & mask) * 8);
        let mut bytes = [0; 8];
        if !mem.read_phys(entry_addr, &mut bytes) {
            return Err(Fault::OutsideMemory { table: step.table, entry_addr });
        }
        let entry = u64::from_le_bytes(bytes);
        let level = Level { table: step.table, entry_addr, entry };
        visit(level);
        present(level)?;
        let ends = step.large && entry & ENTRY_LARGE != 0;
        // A large page's address has zeros from the PAT bit up to its own size.
        let low = if ends { (1 << step.shift) - (1 << 13) } else { 0 };
        let high = if xd { 0 } else { ENTRY_XD };
        unreserved(level, step.reserved | low | high)?;
        if step.rights {
            rights &= entry;
            no_execute |= entry & ENTRY_XD != 0;
        }
        (base, mask, shift) = (entry & ENTRY_ADDR, 0x1ff, step.shift);
        if ends {
            break;
        }
    }
    Ok(Translation::of(addr, base, shift, rights, no_execute))
}

fn present(level: Level) -> Result<Level, Fault> {
    if level.entry & ENTRY_PRESENT == 0 { Err(Fault::NotPresent(level)) } else { Ok(level) }
}

fn unreserved(level: Level, zeros: u64) -> Result<(), Fault> {
    match level.entry & zeros {
        0 => Ok(()),
        bits => Err(Fault::Reserved { level, bits }),
    }
}

impl Translation {
    /// `addr` in the page of 2^`shift` bytes that `base` is in. `rights` holds R/W and U/S as an entry does.
    fn of(addr: Linear, base: u64, shift: u32, rights: u64, no_execute: bool) -> Translation {
        let page_size = 1 << shift;
        let offset = addr.0 & (page_size - 1);
        Translation {
            // The PAT bit of a large page lies inside the offset.
            phys: Phys(base & !(page_size - 1) | offset),
            page_size,
            remaining: page_size - offset,
            writable: rights & ENTRY_WRITABLE != 0,
            user: rights & ENTRY_USER != 0,
            no_execute,
        }
    }
}
