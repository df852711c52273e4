use super::*;
use crate::x86::registers::{CR0_PE, CR0_PG, EFER_LMA, EFER_LME, RFLAGS_FIXED};
use crate::x86::{Access, Gpr, Segment};

fn real_mode(cs: u16, ip: u64) -> RegisterFile {
    let mut file = RegisterFile::default();
    for name in SegmentName::ALL {
        *file.cpu.segments.get_mut(name) = Segment::paragraph(0, Access::DATA16);
    }
    file.cpu.segments.cs = Segment::paragraph(cs, Access::CODE16);
    file.cpu.rip = ip;
    file.cpu.rflags = RFLAGS_FIXED;
    file
}

fn long_mode() -> RegisterFile {
    let mut file = real_mode(8, 0);
    file.cpu.cr0 = CR0_PE | CR0_PG;
    file.cpu.efer = EFER_LME | EFER_LMA;
    file.cpu.segments.cs.access.long = true;
    file.cpu.segments.cs.base = 0;
    file
}

fn read(layout: &Layout, file: &RegisterFile, name: &str) -> u128 {
    let bytes = layout.read(file, layout.number(name).unwrap()).unwrap();
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
}

fn write(
    layout: &Layout,
    file: &mut RegisterFile,
    name: &str,
    value: u128,
) -> Result<Change, RegisterError> {
    let number = layout.number(name).unwrap();
    layout.write(file, number, &value.to_le_bytes()[..layout.rows()[number].bytes()])
}

/// A value for the register that none of the others has, with only bits that exist.
fn sample(layout: &Layout, name: &str) -> u128 {
    let number = layout.number(name).unwrap() as u128;
    match name {
        "eflags" => 0x0024_6ed7,
        "ftag" => 0xffff,
        "cr0" => u128::from(CR0_PE | CR0_PG) | 0x36,
        "efer" => 0x0d01,
        "cr8" => 0x9,
        "fop" => 0x700 + number,
        "cr4" => 0x6a0,
        "dr6" => 0xffff_0ff0,
        "dr7" => 0xd000_0403,
        "mxcsr" => 0x1f80 + number,
        _ if name.starts_with("st") => 0x3fff_8000_0000_0000_0000 + number,
        _ => match layout.rows()[layout.number(name).unwrap()].bits {
            16 => 0x4100 + number,
            32 if layout.rows()[number as usize].kind == "int" => 0x5100 + number,
            32 => 0x6100 + number,
            64 => 0x7100_0000_6100 + number,
            _ => 0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00 + number,
        },
    }
}

#[test]
fn the_table_has_the_size_and_order_of_the_core_structs() {
    for description in Description::ALL {
        let layout = Layout::of(description);
        let core = layout.core(&CpuState::default(), &FpuState::default());
        let count = layout.rows().iter().filter(|r| matches!(r.field, Field::Core(_))).count();
        assert_eq!(layout.offsets[count], core.len());
        assert!(layout.rows()[..count].iter().all(|r| matches!(r.field, Field::Core(_))));
        assert_eq!(layout.read_all(&RegisterFile::default()).len(), layout.size());
        // The numbers that gdb's own i386 and amd64 code uses.
        let fixed = match description {
            Description::X86_64 => [("rbx", 1), ("rbp", 6), ("rip", 16), ("mxcsr", 56)],
            _ => [("ebx", 3), ("ebp", 5), ("eip", 8), ("mxcsr", 40)],
        };
        for (name, number) in fixed {
            assert_eq!(layout.number(name), Some(number), "{name}");
        }
    }
}

#[test]
fn the_description_lists_exactly_the_rows() {
    for description in Description::ALL {
        let layout = Layout::of(description);
        let registers = layout.xml().lines().filter(|line| line.starts_with("<reg "));
        assert_eq!(registers.count(), layout.rows().len());
        for (number, row) in layout.rows().iter().enumerate() {
            let Row { name, bits, kind, .. } = row;
            let line = format!(
                "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\""
            );
            assert_eq!(layout.xml().matches(&line).count(), 1, "{line}");
            let own = kind.contains('_') && !kind.ends_with("_ptr") && *kind != "i387_ext";
            assert_eq!(own, layout.xml().contains(&format!("id=\"{kind}\"")) && *kind != "vec128");
        }
        let mut names: Vec<_> = layout.rows().iter().map(|row| &row.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), layout.rows().len());
        assert!(layout.xml().contains("<osabi>none</osabi>"));
        assert!(
            layout
                .xml()
                .contains(&format!("<architecture>{}</architecture>", description.architecture()))
        );
    }
}

#[test]
fn every_register_reads_back_what_was_written() {
    for description in Description::ALL {
        let layout = Layout::of(description);
        let wide = description == Description::X86_64;
        let mut file = if wide { long_mode() } else { real_mode(0x7c0, 0x1d) };
        // `sp` and `ip` are other views of esp and eip; cr0 and efer would change the mode halfway.
        let skipped = |name: &str| {
            matches!(name, "sp" | "ip" | "mode" | "eip" | "esp")
                || (name == "cr0" && !wide)
                || (wide && layout.rows()[layout.number(name).unwrap()].kind == "int32")
        };
        let names: Vec<_> = layout.rows().iter().map(|row| row.name.clone()).collect();
        for name in names.iter().filter(|name| !skipped(name)) {
            let change = write(layout, &mut file, name, sample(layout, name));
            assert!(change.is_ok(), "{name}: {change:?}");
        }
        for name in names.iter().filter(|name| !skipped(name)) {
            let expected = match name.as_str() {
                "eflags" => sample(layout, name) | u128::from(RFLAGS_FIXED),
                "efer" if !wide => sample(layout, name) & !u128::from(EFER_LMA),
                // What is not empty holds numbers that are neither zero nor special; all are empty here.
                _ => sample(layout, name),
            };
            assert_eq!(read(layout, &file, name), expected, "{name}");
        }
        let bytes = layout.read_all(&file);
        assert_eq!(layout.write_all(&mut file, &bytes), Ok(vec![]));
    }
}

#[test]
fn rbx_and_rbp_are_where_gdb_looks_for_them() {
    let mut file = long_mode();
    *file.cpu.get_mut(Gpr::Rbx) = 0xbbbb;
    *file.cpu.get_mut(Gpr::Rbp) = 0xeeee;
    let bytes = Layout::of(Description::X86_64).read_all(&file);
    assert_eq!((bytes[8..10].to_vec(), bytes[48..50].to_vec()), (vec![0xbb; 2], vec![0xee; 2]));
    let bytes = Layout::of(Description::I386).read_all(&file);
    assert_eq!((bytes[12..14].to_vec(), bytes[20..22].to_vec()), (vec![0xbb; 2], vec![0xee; 2]));
}

#[test]
fn the_pc_is_linear_and_is_taken_apart_on_write() {
    let layout = Layout::of(Description::I8086);
    let mut file = real_mode(0x7c0, 0x1d);
    assert_eq!(read(layout, &file, "eip"), 0x7c1d);
    assert_eq!(read(layout, &file, "ip"), 0x1d);
    assert_eq!(write(layout, &mut file, "eip", 0x7c20), Ok(Change::Cpu));
    assert_eq!(file.cpu.rip, 0x20);
    for outside in [0x7bff, 0x17c00, 0xffff_ffff] {
        let refused = write(layout, &mut file, "eip", outside).unwrap_err();
        assert_eq!(refused.to_string(), "not in segment");
    }
    assert_eq!(file.cpu.rip, 0x20);
    assert_eq!(write(layout, &mut file, "eip", 0x17bff), Ok(Change::Cpu));
    assert_eq!(file.cpu.rip, 0xffff);
    let wide = Layout::of(Description::X86_64);
    let mut file = long_mode();
    assert!(write(wide, &mut file, "rip", 0x8000_0000_0000).is_err());
    assert_eq!(write(wide, &mut file, "rip", 0xffff_8000_0000_0000), Ok(Change::Cpu));
}

#[test]
fn sp_is_the_linear_top_of_the_stack() {
    let layout = Layout::of(Description::I8086);
    let mut file = real_mode(0, 0x7c00);
    file.cpu.segments.ss = Segment::paragraph(0x9000, Access::DATA16);
    *file.cpu.get_mut(Gpr::Rsp) = 0xabcd_fffe;
    assert_eq!(read(layout, &file, "sp"), 0x9fffe);
    assert_eq!(read(layout, &file, "esp"), 0xabcd_fffe);
    assert_eq!(write(layout, &mut file, "sp", 0x9fff0), Ok(Change::Cpu));
    assert_eq!(file.cpu.get(Gpr::Rsp), 0xabcd_fff0);
    assert_eq!(write(layout, &mut file, "sp", 0xa0000), Err(RegisterError::NotInSegment));
    file.cpu.segments.ss.access.default_big = true;
    assert_eq!(read(layout, &file, "sp"), 0xabce_0000u128 + 0x8fff0);
}

#[test]
fn a_selector_moves_its_base_in_real_mode_and_is_loaded_elsewhere() {
    let mut file = real_mode(0, 0x7c00);
    file.cpu.segments.es.limit = 0xffff_ffff;
    let layout = Layout::of(Description::I8086);
    assert_eq!(write(layout, &mut file, "es", 0xb800), Ok(Change::Cpu));
    let es = file.cpu.segments.es;
    assert_eq!((es.selector, es.base, es.limit), (0xb800, 0xb8000, 0xffff_ffff));
    assert_eq!(es.access, Access::DATA16);
    assert!(write(layout, &mut file, "es", 0x1_0000).is_err());
    file.cpu.cr0 = CR0_PE;
    let before = file.clone();
    let wish = write(Layout::of(Description::I386), &mut file, "ds", 0x10);
    assert_eq!(wish, Ok(Change::LoadSelector(SegmentName::Ds, 0x10)));
    assert_eq!(file, before);
}

#[test]
fn a_g_packet_writes_only_what_changed_and_segments_first() {
    let layout = Layout::of(Description::I8086);
    let mut file = real_mode(0, 0x7c00);
    // A base that does not follow from its selector must survive a packet that does not touch it.
    file.cpu.segments.fs.base = 0x12345;
    let mut wanted = file.clone();
    wanted.cpu.segments.cs = Segment::paragraph(0x2000, Access::CODE16);
    wanted.cpu.rip = 5;
    *wanted.cpu.get_mut(Gpr::Rax) = 9;
    let bytes = layout.read_all(&wanted);
    assert_eq!(layout.write_all(&mut file, &bytes), Ok(vec![Change::Cpu]));
    assert_eq!(file, wanted);
    let mut outside = bytes.clone();
    outside[32..36].copy_from_slice(&0x50_0000u32.to_le_bytes());
    outside[0] = 77;
    assert!(layout.write_all(&mut file, &outside).is_err());
    assert_eq!(file, wanted, "a refused packet changes nothing");
    assert!(layout.write_all(&mut file, &bytes[1..]).is_err());
    assert!(layout.write(&mut file, 999, &[0; 4]).is_err());
    assert!(layout.write(&mut file, 0, &[0; 3]).is_err());
}

#[test]
fn values_that_no_processor_holds_are_refused_by_name() {
    let layout = Layout::of(Description::X86_64);
    let mut file = long_mode();
    let before = file.clone();
    for (name, value, text) in [
        ("cr8", 0x10, "cr8 cannot hold 0x10: 4 bits exist"),
        ("cr0", 0x8000_0000, "cr0 cannot hold 0x80000000: paging needs protection, pg needs pe"),
        ("efer", 0x2, "efer cannot hold 0x2: reserved bits 0x2"),
        ("gs_base", 1 << 47, "gs_base cannot hold 0x800000000000: not a canonical address"),
        ("mode", 0, "mode follows from cr0, efer, eflags and cs"),
    ] {
        assert_eq!(write(layout, &mut file, name, value).unwrap_err().to_string(), text);
    }
    assert!(write(layout, &mut file, "eflags", 0x2_0002).is_err());
    assert_eq!(file, before);
}

#[test]
fn leaving_paging_leaves_long_mode() {
    let layout = Layout::of(Description::X86_64);
    let mut file = long_mode();
    assert_eq!(write(layout, &mut file, "cr0", 1), Ok(Change::Cpu));
    assert_eq!(file.cpu.efer, EFER_LME);
}

#[test]
fn a_32_bit_layout_leaves_upper_halves_alone() {
    let mut file = long_mode();
    *file.cpu.get_mut(Gpr::Rax) = 0x1111_2222_3333_4444;
    let layout = Layout::of(Description::I386);
    assert_eq!(write(layout, &mut file, "eax", 5), Ok(Change::Cpu));
    assert_eq!(file.cpu.get(Gpr::Rax), 0x1111_2222_0000_0005);
}

#[test]
fn expedited_registers_have_the_values_of_the_full_packet() {
    for description in Description::ALL {
        let layout = Layout::of(description);
        let mut file = real_mode(0x7c0, 0x1d);
        file.cpu.gpr = std::array::from_fn(|n| n as u64 * 0x101);
        let expedited = layout.expedited(&file.cpu);
        for (number, value) in &expedited {
            assert_eq!(layout.read(&file, *number).as_ref(), Some(value), "{number}");
        }
        let pc = if description == Description::X86_64 { 16 } else { 8 };
        assert!(expedited.iter().any(|(number, _)| *number == pc));
    }
}
