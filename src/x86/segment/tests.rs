use super::*;
use crate::x86::registers::{CR0_PE, CR0_PG, RFLAGS_VM};

const CODE32: u64 = 0x00cf_9a00_0000_ffff;
const DATA32: u64 = 0x00cf_9200_0000_ffff;
const CODE64: u64 = 0x0020_9a00_0000_0000;
const DATA_RING3: u64 = 0x1240_f234_5678_0fff;
const CODE_EXECUTE_ONLY: u64 = 0x00cf_9800_0000_ffff;
const CODE_CONFORMING: u64 = 0x0000_9e00_0000_ffff;
const DATA_READ_ONLY: u64 = 0x0000_9000_0000_ffff;
const DATA_ABSENT: u64 = 0x0000_1200_0000_ffff;
const TSS: u64 = 0x0000_8900_8000_0067;

/// A processor in flat ring 0 protected mode whose GDT at 1000h holds all of the above, from 8 on.
fn protected() -> (CpuState, Vec<u8>) {
    let table = [
        0,
        CODE32,
        DATA32,
        CODE64,
        DATA_RING3,
        CODE_EXECUTE_ONLY,
        CODE_CONFORMING,
        DATA_READ_ONLY,
        DATA_ABSENT,
        TSS,
        0xffff_ffff,
    ];
    let mut ram = vec![0; 0x10000];
    for (n, descriptor) in table.iter().enumerate() {
        ram[0x1000 + n * 8..][..8].copy_from_slice(&descriptor.to_le_bytes());
    }
    let mut cpu = CpuState { cr0: CR0_PE, ..CpuState::default() };
    cpu.gdtr = DescriptorTable { base: 0x1000, limit: 0x57 };
    cpu.ldtr = Segment::null(0, 0);
    cpu.segments.cs = Segment::from_descriptor(8, CODE32);
    cpu.segments.ss = Segment::from_descriptor(0x10, DATA32);
    (cpu, ram)
}

#[test]
fn a_descriptor_gives_base_limit_and_rights() {
    let segment = Segment::from_descriptor(0x23, DATA_RING3);
    assert_eq!((segment.selector, segment.base, segment.limit), (0x23, 0x1234_5678, 0xfff));
    let access = Access { kind: 2, dpl: 3, default_big: true, ..Access::DATA16 };
    assert_eq!(segment.access, access);
    assert_eq!(segment.flags(), 0x0040_f200);

    let flat = Segment::from_descriptor(8, CODE32);
    assert_eq!((flat.base, flat.limit), (0, 0xffff_ffff));
    assert!(flat.access.granularity && flat.access.is_code());
    assert_eq!(flat.flags(), 0x00cf_9a00);
    assert!(Segment::from_descriptor(0x18, CODE64).access.long);
}

#[test]
fn rights_turn_back_into_their_bits() {
    assert_eq!(Access::from_descriptor_bits(!0).descriptor_bits(), 0x00f0_ff00);
    assert_eq!(Access::from_descriptor_bits(0).descriptor_bits(), 0);
}

#[test]
fn in_real_mode_a_selector_moves_the_base_and_nothing_else() {
    let mut cpu = CpuState::default();
    let access = Access { granularity: true, ..Access::DATA16 };
    cpu.segments.ds = Segment { selector: 8, base: 0, limit: 0xffff_ffff, access };
    let ram = [];
    let ds = load_segment(&cpu, &ram[..], SegmentName::Ds, 0x7c0).unwrap();
    assert_eq!(ds, Segment { selector: 0x7c0, base: 0x7c00, limit: 0xffff_ffff, access });
    cpu.cr0 = CR0_PE;
    cpu.rflags = RFLAGS_VM;
    let ds = load_segment(&cpu, &ram[..], SegmentName::Ds, 0xffff).unwrap();
    assert_eq!((ds.selector, ds.base), (0xffff, 0xf_fff0));
    assert_eq!(cpu.cpl(), 3);
}

#[test]
fn in_protected_mode_the_table_decides() {
    let (cpu, ram) = protected();
    let load = |name, selector| load_segment(&cpu, &ram[..], name, selector);
    let cs = load(SegmentName::Cs, 8).unwrap();
    assert_eq!(cs, Segment::from_descriptor(8, CODE32 | 1 << 40));
    let es = load(SegmentName::Es, 0x23).unwrap();
    assert_eq!((es.selector, es.base, es.access.kind), (0x23, 0x1234_5678, 3));
    // A conforming segment, and CS takes over the current level, not the one asked for.
    assert_eq!(load(SegmentName::Cs, 0x33).unwrap().selector, 0x30);
    assert_eq!(load(SegmentName::Ds, 0x30).unwrap().base, 0);
    // Memory keeps its accessed bit.
    assert_eq!(read_descriptor(&cpu, &ram[..], 8).unwrap().access.kind, 0xa);
}

#[test]
fn a_null_selector_makes_a_data_register_unusable() {
    let (mut cpu, ram) = protected();
    for selector in 0..4 {
        let ds = load_segment(&cpu, &ram[..], SegmentName::Ds, selector).unwrap();
        assert!(ds.access.unusable && ds.selector == selector && ds.limit == 0);
        for name in [SegmentName::Cs, SegmentName::Ss] {
            let error = load_segment(&cpu, &ram[..], name, selector).unwrap_err();
            assert_eq!(error, LoadError::Null { name, selector });
        }
    }
    // 64-bit mode runs with a null SS, except in ring 3.
    cpu.efer = EFER_LMA;
    cpu.segments.cs.access.long = true;
    let load = |cpu: &CpuState, rpl| load_segment(cpu, &ram[..], SegmentName::Ss, rpl);
    assert!(!load(&cpu, 0).unwrap().access.unusable);
    assert!(load(&cpu, 1).is_err());
    cpu.segments.ss.access.dpl = 1;
    assert_eq!(load(&cpu, 1).unwrap().access.dpl, 1);
    cpu.segments.ss.access.dpl = 3;
    assert!(load(&cpu, 3).is_err());
}

#[test]
fn unsuitable_descriptors_are_refused() {
    use SegmentName::{Cs, Ds, Ss};
    let (cpu, ram) = protected();
    for (name, selector) in
        [(Cs, 0x10), (Ss, 8), (Ss, 0x38), (Ds, 0x28), (Ds, 0x48), (Cs, 0x48), (Ds, 0x50)]
    {
        let error = load_segment(&cpu, &ram[..], name, selector).unwrap_err();
        assert_eq!(error, LoadError::WrongType { name, selector });
    }
    for (name, selector, dpl) in [(Ss, 0x20, 3), (Ss, 0x13, 0), (Ds, 0x13, 0)] {
        let error = load_segment(&cpu, &ram[..], name, selector).unwrap_err();
        assert_eq!(error, LoadError::Privilege { selector, dpl, cpl: 0 });
    }
    assert_eq!(load_segment(&cpu, &ram[..], Ds, 0x40), Err(LoadError::NotPresent(0x40)));
    let error = load_segment(&cpu, &ram[..], Ds, 0x48).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the segment of selector 0x0048 is of a type that ds cannot hold"
    );
}

#[test]
fn ring_3_cannot_load_what_belongs_to_ring_0() {
    let (mut cpu, ram) = protected();
    cpu.segments.ss = Segment::from_descriptor(0x23, DATA_RING3);
    assert_eq!(cpu.cpl(), 3);
    assert!(load_segment(&cpu, &ram[..], SegmentName::Ss, 0x23).is_ok());
    for (name, selector) in [(SegmentName::Cs, 8), (SegmentName::Ds, 0x10)] {
        let error = load_segment(&cpu, &ram[..], name, selector).unwrap_err();
        assert_eq!(error, LoadError::Privilege { selector, dpl: 0, cpl: 3 });
    }
    // Conforming code runs at any outer level.
    let cs = load_segment(&cpu, &ram[..], SegmentName::Cs, 0x30).unwrap();
    assert_eq!((cs.selector, cs.access.dpl), (0x33, 0));
}

#[test]
fn l_and_d_together_are_no_code_segment_in_long_mode() {
    let (mut cpu, mut ram) = protected();
    ram[0x1000 + 0x18..][..8].copy_from_slice(&(CODE64 | 1 << 54).to_le_bytes());
    assert!(load_segment(&cpu, &ram[..], SegmentName::Cs, 0x18).is_ok());
    cpu.efer = EFER_LMA;
    assert!(load_segment(&cpu, &ram[..], SegmentName::Cs, 0x18).is_err());
    assert!(load_segment(&cpu, &ram[..], SegmentName::Cs, 8).is_ok());
}

#[test]
fn selectors_beyond_their_table_name_its_limit() {
    let (mut cpu, ram) = protected();
    let read = |cpu: &CpuState, selector| read_descriptor(cpu, &ram[..], selector);
    assert!(read(&cpu, 0x50).is_ok());
    let error = read(&cpu, 0x58).unwrap_err();
    assert_eq!(error.to_string(), "selector 0x0058 is beyond the limit 0x57 of its table");
    cpu.gdtr.limit = 0x56;
    assert!(read(&cpu, 0x50).is_err());
    cpu.gdtr = DescriptorTable { base: 0, limit: 0xffff };
    assert!(read(&cpu, 0xfff8).is_ok());
    assert_eq!(read(&cpu, 0xfffc), Err(LoadError::NoLdt(0xfffc)));
}

#[test]
fn the_table_indicator_selects_the_ldt() {
    let (mut cpu, ram) = protected();
    cpu.ldtr = Segment::from_descriptor(0x48, 0x0000_8200_1010_000f);
    let ds = load_segment(&cpu, &ram[..], SegmentName::Ds, 0x04).unwrap();
    assert_eq!((ds.selector, ds.flags()), (4, 0x00cf_9300));
    assert_eq!(read_descriptor(&cpu, &ram[..], 0x0c).unwrap().flags(), CODE64_FLAGS);
    assert!(matches!(
        read_descriptor(&cpu, &ram[..], 0x14),
        Err(LoadError::BeyondLimit { limit: 0xf, .. })
    ));
}

const CODE64_FLAGS: u32 = 0x0020_9a00;

#[test]
fn system_descriptors_of_long_mode_have_64_bit_bases() {
    let (mut cpu, ram) = protected();
    assert_eq!(read_descriptor(&cpu, &ram[..], 0x48).unwrap().base, 0x8000);
    cpu.efer = EFER_LMA;
    assert_eq!(read_descriptor(&cpu, &ram[..], 0x48).unwrap().base, 0xffff_ffff_0000_8000);
    cpu.gdtr.limit = 0x4f;
    assert!(matches!(
        read_descriptor(&cpu, &ram[..], 0x48),
        Err(LoadError::BeyondLimit { limit: 0x4f, .. })
    ));
}

#[test]
fn a_descriptor_across_a_page_border_is_put_together() {
    let (mut cpu, mut ram) = protected();
    // Page 0 is physical page 4, page 1 is physical page 2; the GDT starts at FFCh.
    cpu.cr0 |= CR0_PG;
    cpu.cr3 = 0x8000;
    ram[0x8000..0x8004].copy_from_slice(&0x9003_u32.to_le_bytes());
    ram[0x9000..0x9004].copy_from_slice(&0x4003_u32.to_le_bytes());
    ram[0x9004..0x9008].copy_from_slice(&0x2003_u32.to_le_bytes());
    ram[0x4ffc..0x5000].copy_from_slice(&DATA_RING3.to_le_bytes()[..4]);
    ram[0x2000..0x2004].copy_from_slice(&DATA_RING3.to_le_bytes()[4..]);
    cpu.gdtr.base = 0xff4;
    assert_eq!(read_descriptor(&cpu, &ram[..], 8), Ok(Segment::from_descriptor(8, DATA_RING3)));
    ram[0x9004] = 0;
    let error = read_descriptor(&cpu, &ram[..], 8).unwrap_err().to_string();
    assert_eq!(
        error,
        "the descriptor of selector 0x0008 cannot be read: PTE at 0x9004 is not present"
    );
    cpu.cr0 = CR0_PE;
    cpu.gdtr.base = 0xfffc - 8;
    let error = read_descriptor(&cpu, &ram[..], 8).unwrap_err();
    assert_eq!(error, LoadError::OutsideMemory { selector: 8, phys: Phys(0xfffc) });
}
