use super::*;
use crate::x86::registers::{CR4_PSE, EFER_NXE};

/// Physical memory from address 0 on, with tables to be put into it.
struct Ram(Vec<u8>);

impl PhysRead for Ram {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        self.0[..].read_phys(addr, data)
    }
}

impl Ram {
    fn new() -> Ram {
        Ram(vec![0; 0x10000])
    }

    fn put32(&mut self, addr: usize, entry: u32) {
        self.0[addr..addr + 4].copy_from_slice(&entry.to_le_bytes());
    }

    fn put64(&mut self, addr: usize, entry: u64) {
        self.0[addr..addr + 8].copy_from_slice(&entry.to_le_bytes());
    }
}

fn cpu32(cr4: u64) -> CpuState {
    CpuState { cr0: CR0_PG | 1, cr3: 0x1000, cr4, ..CpuState::default() }
}

fn cpu64(cr4: u64) -> CpuState {
    CpuState { efer: EFER_LMA | EFER_NXE, ..cpu32(cr4 | CR4_PAE) }
}

fn leads_to(cpu: &CpuState, ram: &Ram, addr: Linear) -> Option<Phys> {
    lookup(cpu, ram, addr).ok().map(|found| found.phys)
}

fn level(table: Table, entry_addr: u64, entry: u64) -> Level {
    Level { table, entry_addr: Phys(entry_addr), entry }
}

#[test]
fn without_paging_an_address_is_itself_cut_to_32_bits() {
    let cpu = CpuState::default();
    let walk = walk(&cpu, &Ram::new(), Linear(0xf_0010_ffef));
    assert_eq!(walk.addr, Linear(0x10_ffef));
    assert_eq!(walk.mode, PagingMode::None);
    assert!(walk.levels.is_empty());
    let found = walk.result.unwrap();
    assert_eq!(found.phys, Phys(0x10_ffef));
    assert_eq!(found.remaining, 0xffef_0011);
    assert!(found.writable && found.user && !found.no_execute);
}

#[test]
fn two_levels_lead_to_a_4_kib_page() {
    let mut ram = Ram::new();
    // C000_3ABCh: directory index 300h, table index 3, offset ABCh.
    ram.put32(0x1000 + 0x300 * 4, 0x2000 | 7);
    ram.put32(0x2000 + 3 * 4, 0x0a00_5000 | 0x65);
    let walk = walk(&cpu32(0), &ram, Linear(0xc000_3abc));
    assert_eq!(
        walk.levels,
        [level(Table::Pde, 0x1c00, 0x2007), level(Table::Pte, 0x200c, 0x0a00_5065)]
    );
    assert_eq!(
        walk.result,
        Ok(Translation {
            phys: Phys(0x0a00_5abc),
            page_size: 0x1000,
            remaining: 0x544,
            writable: false,
            user: true,
            no_execute: false,
        })
    );
}

#[test]
fn four_mib_pages_need_cr4_pse() {
    let mut ram = Ram::new();
    ram.put32(0x1000 + 4, 0x0080_0000 | 0x83);
    let addr = Linear(0x0052_3456);
    let large = lookup(&cpu32(CR4_PSE), &ram, addr).unwrap();
    assert_eq!((large.phys, large.page_size), (Phys(0x0092_3456), 0x40_0000));
    assert_eq!(large.remaining, 0x40_0000 - 0x12_3456);
    assert!(large.writable && !large.user);
    // Without PSE the bit is ignored and the entry refers to a table, which is outside this memory.
    assert_eq!(
        lookup(&cpu32(0), &ram, addr),
        Err(Fault::OutsideMemory { table: Table::Pte, entry_addr: Phys(0x80_0000 + 0x123 * 4) })
    );
}

#[test]
fn pse_36_puts_a_4_mib_page_above_4_gib() {
    let mut ram = Ram::new();
    // Bits 20:13 = 5Ah, so that the page is at 5A_0040_0000h; bit 12 is PAT and no address.
    ram.put32(0x1000, 0x0040_0000 | 0x5a << 13 | 1 << 12 | 0x81);
    assert_eq!(leads_to(&cpu32(CR4_PSE), &ram, Linear(0x1234)), Some(Phys(0x5a_0040_1234)));
    ram.put32(0x1000, 0x0040_0000 | 1 << 21 | 0x81);
    let fault = lookup(&cpu32(CR4_PSE), &ram, Linear(0x1234)).unwrap_err();
    assert_eq!(
        fault,
        Fault::Reserved { level: level(Table::Pde, 0x1000, 0x0060_0081), bits: 1 << 21 }
    );
    assert_eq!(fault.to_string(), "PDE at 0x1000 sets reserved bits 0x200000");
}

#[test]
fn pae_walks_three_levels_from_a_32_byte_aligned_root() {
    let mut ram = Ram::new();
    let cpu = CpuState { cr3: 0x1fe0, efer: EFER_NXE, ..cpu32(CR4_PAE) };
    // FFFF_F123h: indices 3, 1FFh, 1FFh.
    ram.put64(0x1fe0 + 3 * 8, 0x3001);
    ram.put64(0x3000 + 0x1ff * 8, 0x4007);
    ram.put64(0x4000 + 0x1ff * 8, 1 << 63 | 0x9_8765_4003);
    let walk = walk(&cpu, &ram, Linear(0xffff_f123));
    assert_eq!(walk.mode, PagingMode::Pae);
    assert_eq!(
        walk.levels,
        [
            level(Table::Pdpte, 0x1ff8, 0x3001),
            level(Table::Pde, 0x3ff8, 0x4007),
            level(Table::Pte, 0x4ff8, 0x8000_0009_8765_4003),
        ]
    );
    let found = walk.result.unwrap();
    assert_eq!((found.phys, found.page_size), (Phys(0x9_8765_4123), 0x1000));
    // The PDPTE has no rights of its own.
    assert!(found.writable && !found.user && found.no_execute);
}

#[test]
fn pae_has_2_mib_pages_whatever_cr4_pse_says() {
    let mut ram = Ram::new();
    ram.put64(0x1000, 0x2001);
    ram.put64(0x2008, 0x1234_5620_0000 | 1 << 12 | 0x87);
    let found = lookup(&cpu32(CR4_PAE), &ram, Linear(0x3a_bcde)).unwrap();
    assert_eq!((found.phys, found.page_size), (Phys(0x1234_563a_bcde), 0x20_0000));
    assert_eq!(found.remaining, 0x5_4322);
}

#[test]
fn pae_entries_have_reserved_bits_that_long_mode_ignores() {
    let mut ram = Ram::new();
    let cpu = cpu32(CR4_PAE);
    let reserved = |ram: &Ram| match lookup(&cpu, ram, Linear(0)) {
        Err(Fault::Reserved { level, bits }) => (level.table, bits),
        other => panic!("{other:?}"),
    };
    ram.put64(0x1000, 0x2003);
    assert_eq!(reserved(&ram), (Table::Pdpte, 2));
    ram.put64(0x1000, 0x2001);
    ram.put64(0x2000, 1 << 52 | 0x3007);
    assert_eq!(reserved(&ram), (Table::Pde, 1 << 52));
    ram.put64(0x2000, 0x3007);
    ram.put64(0x3000, 1 << 62 | 0x4007);
    assert_eq!(reserved(&ram), (Table::Pte, 1 << 62));
    // XD needs EFER.NXE.
    ram.put64(0x3000, 1 << 63 | 0x4007);
    assert_eq!(reserved(&ram), (Table::Pte, 1 << 63));

    // The same high bits in a four-level walk.
    ram.put64(0x1000, 0x7ff0_0000_0000_2007);
    ram.put64(0x2000, 0x7ff0_0000_0000_3007);
    ram.put64(0x3000, 0x7ff0_0000_0000_4007);
    ram.put64(0x4000, 0xfff0_0000_0000_5007);
    assert_eq!(leads_to(&cpu64(0), &ram, Linear(5)), Some(Phys(0x5005)));
}

#[test]
fn four_levels_lead_to_a_4_kib_page_in_both_halves() {
    let mut ram = Ram::new();
    // FFFF_FF80_0020_3004h: indices 1FFh, 0, 1, 3.
    ram.put64(0x1000 + 0x1ff * 8, 0x2003);
    ram.put64(0x2000, 0x3007);
    ram.put64(0x3000 + 8, 0x4007);
    ram.put64(0x4000 + 3 * 8, 0xf_ffff_ffff_f007);
    let walk = walk(&cpu64(0), &ram, Linear(0xffff_ff80_0020_3004));
    assert_eq!(
        walk.levels,
        [
            level(Table::Pml4e, 0x1ff8, 0x2003),
            level(Table::Pdpte, 0x2000, 0x3007),
            level(Table::Pde, 0x3008, 0x4007),
            level(Table::Pte, 0x4018, 0xf_ffff_ffff_f007),
        ]
    );
    let found = walk.result.unwrap();
    assert_eq!(found.phys, Phys(0xf_ffff_ffff_f004));
    assert!(found.writable && !found.user && !found.no_execute);
    assert_eq!(walk.addr, Linear(0xffff_ff80_0020_3004));
}

#[test]
fn long_mode_has_2_mib_and_1_gib_pages() {
    let mut ram = Ram::new();
    ram.put64(0x1000, 0x2007);
    ram.put64(0x2000, 0x3007);
    ram.put64(0x3000, 1 << 63 | 0x60_0000 | 1 << 12 | 0x85);
    ram.put64(0x2008, 0x1_4000_0000 | 0x83);
    let small = lookup(&cpu64(0), &ram, Linear(0x1f_ffff)).unwrap();
    assert_eq!((small.phys, small.page_size), (Phys(0x7f_ffff), 0x20_0000));
    assert_eq!(small.remaining, 1);
    assert!(!small.writable && small.user && small.no_execute);
    let large = lookup(&cpu64(0), &ram, Linear(0x7654_3210)).unwrap();
    assert_eq!((large.phys, large.page_size), (Phys(0x1_7654_3210), 0x4000_0000));
    assert_eq!(large.remaining, 0x9ab_cdf0);
}

#[test]
fn misaligned_large_pages_and_large_roots_are_reserved() {
    let mut ram = Ram::new();
    let reserved = |ram: &Ram| match lookup(&cpu64(0), ram, Linear(0)) {
        Err(Fault::Reserved { level, bits }) => (level.table, bits),
        other => panic!("{other:?}"),
    };
    ram.put64(0x1000, 0x2087);
    assert_eq!(reserved(&ram), (Table::Pml4e, 0x80));
    ram.put64(0x1000, 0x2007);
    ram.put64(0x2000, 0x2000_0000 | 1 << 13 | 0x87);
    assert_eq!(reserved(&ram), (Table::Pdpte, 0x2000_2000));
    ram.put64(0x2000, 0x3007);
    ram.put64(0x3000, 1 << 20 | 1 << 13 | 0x87);
    assert_eq!(reserved(&ram), (Table::Pde, 0x10_2000));
}

#[test]
fn five_levels_translate_57_bits() {
    let mut ram = Ram::new();
    // FF12_0000_0000_1008h: PML5 index 112h, then 0, 0, 0, 1.
    ram.put64(0x1000 + 0x112 * 8, 0x2007);
    ram.put64(0x2000, 0x3007);
    ram.put64(0x3000, 0x4007);
    ram.put64(0x4000, 0x5007);
    ram.put64(0x5008, 0x6007);
    let addr = Linear(0xff12_0000_0000_1008);
    let five = walk(&cpu64(CR4_LA57), &ram, addr);
    assert_eq!(five.levels.len(), 5);
    assert_eq!(five.levels[0], level(Table::Pml5e, 0x1890, 0x2007));
    assert_eq!(five.result.map(|found| found.phys), Ok(Phys(0x6008)));
    assert_eq!(lookup(&cpu64(0), &ram, addr), Err(Fault::NonCanonical(addr)));
}

#[test]
fn addresses_in_the_hole_are_not_canonical() {
    let ram = Ram::new();
    for (cr4, bad, good) in [
        (0, 0x8000_0000_0000, 0x7fff_ffff_ffff),
        (0, 0xffff_7fff_ffff_ffff, 0xffff_8000_0000_0000),
        (CR4_LA57, 0x100_0000_0000_0000, 0xff_ffff_ffff_ffff),
        (CR4_LA57, 0xfeff_ffff_ffff_ffff, 0xff00_0000_0000_0000),
    ] {
        let walk = walk(&cpu64(cr4), &ram, Linear(bad));
        assert!(walk.levels.is_empty());
        assert_eq!(walk.result, Err(Fault::NonCanonical(Linear(bad))));
        let other = lookup(&cpu64(cr4), &ram, Linear(good));
        assert!(matches!(other, Err(Fault::NotPresent(_))), "{good:#x}");
    }
    assert_eq!(
        Fault::NonCanonical(Linear(0x8000_0000_0000)).to_string(),
        "0x800000000000 is not canonical"
    );
}

#[test]
fn an_entry_that_is_not_present_ends_the_walk_at_its_level() {
    let mut ram = Ram::new();
    // Even with all other bits set, reserved ones included.
    ram.put64(0x1000, 0x2007);
    ram.put64(0x2000, !1);
    let walk = walk(&cpu64(0), &ram, Linear(0x1234));
    let last = level(Table::Pdpte, 0x2000, !1);
    assert_eq!(walk.levels, [level(Table::Pml4e, 0x1000, 0x2007), last]);
    assert_eq!(walk.result, Err(Fault::NotPresent(last)));
    assert_eq!(Fault::NotPresent(last).to_string(), "PDPTE at 0x2000 is not present");
}

#[test]
fn a_table_outside_memory_is_named() {
    let cpu = CpuState { cr3: 0xf_ffff_ffff_f000, ..cpu64(0) };
    let walk = walk(&cpu, &Ram::new(), Linear(0xffff_ffff_ffff_ffff));
    assert!(walk.levels.is_empty());
    let fault = walk.result.unwrap_err();
    assert_eq!(fault.to_string(), "PML4E at 0xffffffffffff8 is outside memory");
}

#[test]
fn flags_in_cr3_are_no_address_bits() {
    let mut ram = Ram::new();
    ram.put32(0x1000, 0x2003);
    ram.put32(0x2000, 0x3003);
    let cpu = CpuState { cr3: 0x1018, ..cpu32(0) };
    assert_eq!(leads_to(&cpu, &ram, Linear(7)), Some(Phys(0x3007)));
    ram.put64(0x1000, 0x2007);
    ram.put64(0x2000, 0x87);
    let cpu = CpuState { cr3: 1 << 63 | 0x1fff, ..cpu64(0) };
    assert_eq!(leads_to(&cpu, &ram, Linear(7)), Some(Phys(7)));
}

#[test]
fn compatibility_mode_uses_the_same_tables_as_64_bit_mode() {
    let mut ram = Ram::new();
    ram.put64(0x1000, 0x2007);
    ram.put64(0x2000, 0x87);
    let mut cpu = cpu64(0);
    for long in [false, true] {
        cpu.segments.cs.access.long = long;
        assert_eq!(leads_to(&cpu, &ram, Linear(0x1234)), Some(Phys(0x1234)));
    }
}

#[test]
fn a_range_is_read_across_page_borders_up_to_a_hole() {
    let mut ram = Ram::new();
    ram.put32(0x1000, 0x2003);
    ram.put32(0x2000, 0x8003);
    ram.put32(0x2004, 0x4003);
    ram.0[0x8ffe..0x9000].copy_from_slice(b"ab");
    ram.0[0x4000..0x4002].copy_from_slice(b"cd");
    let mut data = [0; 4];
    assert_eq!(read_linear(&cpu32(0), &ram, Linear(0xffe), &mut data), Ok(()));
    assert_eq!(&data, b"abcd");
    let hole = Fault::NotPresent(level(Table::Pte, 0x2008, 0));
    assert_eq!(read_linear(&cpu32(0), &ram, Linear(0x1ffe), &mut data), Err(hole.into()));
    let outside = read_linear(&CpuState::default(), &ram, Linear(0xfffe), &mut data);
    assert_eq!(outside, Err(ReadError::OutsideMemory(Phys(0xfffe))));
    assert_eq!(read_linear(&cpu32(0), &ram, Linear(0x2000), &mut []), Ok(()));
}

#[test]
fn a_range_wraps_at_4_gib_without_long_mode() {
    /// The first and the last bytes below 4 GiB.
    struct Ends;
    impl PhysRead for Ends {
        fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
            data.fill(if addr.0 == 0 { b'0' } else { b'f' });
            addr.0 + data.len() as u64 <= 1 << 32
        }
    }
    let mut data = [0; 4];
    let read = read_linear(&CpuState::default(), &Ends, Linear(0xffff_fffe), &mut data);
    assert_eq!((read, &data), (Ok(()), b"ff00"));
}
