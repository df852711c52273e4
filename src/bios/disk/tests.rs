use super::*;
use crate::bios::rom;
use crate::devices::{self, Devices};
use crate::disk::Disks;
use crate::memory::Ram;
use crate::x86::{CpuState, SegmentName};

const STACK: u16 = 0x7000;

/// A machine whose caller's registers a test sets, AX BX CX DX in this order.
struct Bench {
    cpu: CpuState,
    ram: Ram,
    devices: Devices,
    disks: Disks,
}

/// What a call leaves: AX, CX, DX, and CF.
type Result = (u16, u16, u16, bool);

impl Bench {
    fn new(disks: Disks) -> Bench {
        let mut bench = Bench {
            cpu: CpuState::default(),
            ram: Ram::new(1 << 20).unwrap(),
            devices: Devices::new(&devices::Config::default()).unwrap(),
            disks,
        };
        power_on(&mut bench.pc());
        bench
    }

    fn pc(&mut self) -> Pc<'_> {
        let Bench { cpu, ram, devices, disks } = self;
        Pc { cpu, ram, devices, disks }
    }

    fn call(&mut self, [ax, bx, cx, dx]: [u16; 4]) -> Result {
        let mut pc = self.pc();
        pc.set_word(Gpr::Rsp, STACK);
        pc.set_caller_flags(0x0246);
        pc.set_segment(SegmentName::Es, 0);
        pc.set_word(Gpr::Rax, ax);
        pc.set_word(Gpr::Rbx, bx);
        pc.set_word(Gpr::Rcx, cx);
        pc.set_word(Gpr::Rdx, dx);
        assert_eq!(serve(&mut pc), Outcome::Return);
        assert_eq!(pc.caller_flags() & !1, 0x0246);
        let carry = pc.caller_flags() & 1 != 0;
        (pc.word(Gpr::Rax), pc.word(Gpr::Rcx), pc.word(Gpr::Rdx), carry)
    }

    fn byte(&mut self, at: u64) -> u8 {
        self.pc().read_u8(Phys(at))
    }
}

/// Each sector is filled with its number.
fn numbered(sectors: usize) -> Image {
    let bytes: Vec<u8> = (0..sectors).flat_map(|n| [(n & 0xff) as u8; SECTOR_SIZE]).collect();
    Image::from_bytes(bytes)
}

fn floppy() -> Bench {
    Bench::new(Disks { floppies: [Some(Disk::floppy(numbered(2880))), None], ..Disks::default() })
}

fn hard_disk(sectors: usize) -> Bench {
    Bench::new(Disks { hard: [Some(Disk::hard(numbered(sectors))), None], ..Disks::default() })
}

#[test]
fn a_read_over_the_callers_stack_returns_to_the_caller() {
    let mut bench = hard_disk(64);
    let [ip, cs, flags] = [0x7c1d, 0x0000, 0x0246];
    for (ax, bytes) in [(0x0208, 8 * SECTOR_SIZE), (0x0240, 0)] {
        let mut pc = bench.pc();
        pc.set_word(Gpr::Rsp, STACK);
        pc.set_frame([ip, cs, flags]);
        pc.set_segment(SegmentName::Es, 0);
        pc.set_word(Gpr::Rax, ax);
        // The stack is in the midst of the first sector.
        pc.set_word(Gpr::Rbx, STACK - 0x100);
        pc.set_word(Gpr::Rcx, 0x0002);
        pc.set_word(Gpr::Rdx, 0x0080);
        assert_eq!(serve(&mut pc), Outcome::Return);
        let failed = u16::from(bytes == 0);
        assert_eq!(pc.frame(), [ip, cs, flags | failed], "{ax:04x}");
        assert_eq!(bench.byte(u64::from(STACK) - 1), 1, "what was read is there");
        assert_eq!(bench.byte(u64::from(STACK) + 6), 1, "around the frame");
    }
}

#[test]
fn sectors_are_read_over_the_ends_of_tracks() {
    let mut pc = floppy();
    // 36 sectors from the last one of cylinder 0, head 0.
    assert_eq!(pc.call([0x0224, 0x8000, 0x0012, 0x0000]), (0x0024, 0x0012, 0x0000, false));
    for (number, lba) in (17..53).enumerate() {
        assert_eq!(pc.byte(0x8000 + 512 * number as u64 + 511), lba);
    }
}

#[test]
fn a_floppy_cannot_be_read_over_a_64_kib_boundary_but_a_hard_disk_can() {
    assert_eq!(floppy().call([0x0202, 0xfe00, 0x0001, 0x0000]).0, 0x0900);
    assert_eq!(floppy().call([0x0302, 0xfe00, 0x0001, 0x0000]).0, 0x0900);
    assert_eq!(floppy().call([0x0201, 0xfe00, 0x0001, 0x0000]), (0x0001, 1, 0, false));
    // To verify takes no buffer.
    assert_eq!(floppy().call([0x0402, 0xfe00, 0x0001, 0x0000]), (0x0002, 1, 0, false));
    assert_eq!(hard_disk(2016).call([0x0202, 0xfe00, 0x0001, 0x0080]), (2, 1, 0x80, false));
}

#[test]
fn what_is_written_is_read_again() {
    let mut pc = floppy();
    pc.pc().write(Phys(0x9000), &[0x5a; SECTOR_SIZE]);
    assert_eq!(pc.call([0x0301, 0x9000, 0x4f12, 0x0100]), (1, 0x4f12, 0x0100, false));
    assert_eq!(pc.call([0x0201, 0xa000, 0x4f12, 0x0100]), (1, 0x4f12, 0x0100, false));
    assert_eq!(pc.byte(0xa1ff), 0x5a);
}

#[test]
fn places_that_a_drive_does_not_have_are_refused() {
    let refused = |ax| (0x0100 | ax & 0xff, true);
    let cases: [[u16; 4]; 7] = [
        [0x0201, 0x9000, 0x5001, 0x0000], // cylinder 80
        [0x0201, 0x9000, 0x0013, 0x0000], // sector 19
        [0x0201, 0x9000, 0x0000, 0x0000], // sector 0
        [0x0201, 0x9000, 0x0001, 0x0200], // head 2
        [0x0200, 0x9000, 0x0001, 0x0000], // no sectors
        [0x0281, 0x9000, 0x0001, 0x0000], // 129 sectors
        [0x0201, 0x9000, 0x0001, 0x0081], // no such disk
    ];
    let mut pc = floppy();
    for case in cases {
        let (ax, .., carry) = pc.call(case);
        assert_eq!((ax, carry), refused(case[0]), "{case:x?}");
    }
    assert_eq!(pc.byte(0x474), 1);
}

#[test]
fn the_last_status_is_kept_for_each_kind_of_drive() {
    let mut pc = floppy();
    pc.call([0x0201, 0x9000, 0x5001, 0x0000]);
    assert_eq!(pc.byte(0x441), 1);
    assert_eq!(pc.call([0x0100, 0, 0, 0x0000]), (0x0100, 0, 0, true));
    pc.call([0x0201, 0x9000, 0x0001, 0x0000]);
    assert_eq!(pc.call([0x0100, 0, 0, 0x0000]), (0x0000, 0, 0, false));
}

#[test]
fn reading_behind_the_end_of_a_hard_disk_tells_how_far_it_came() {
    let mut pc = hard_disk(4);
    assert_eq!(pc.call([0x0205, 0x9000, 0x0001, 0x0080]), (0x0c04, 1, 0x0080, true));
}

#[test]
fn drives_tell_their_geometry() {
    let mut pc = floppy();
    assert_eq!(pc.call([0x0800, 0, 0x2222, 0x3300]), (0x0000, 0x4f12, 0x0101, false));
    assert_eq!((pc.pc().low(Gpr::Rbx), pc.pc().word(Gpr::Rdi)), (4, rom::DISKETTE_PARAMETERS));
    assert_eq!(pc.cpu.segments.es.base, 0xf0000);
    assert_eq!(pc.call([0x1500, 0, 0x2222, 0x3300]), (0x0100, 0x2222, 0x3300, false));
    let mut pc = hard_disk(20_480);
    assert_eq!(pc.call([0x0800, 0, 0x2222, 0x3380]), (0x0000, 0x123f, 0x0f01, false));
    assert_eq!(pc.call([0x1500, 0, 0x2222, 0x3380]), (0x0300, 0, 0x4ad0, false));
    assert_eq!(pc.call([0x0800, 0, 0x2222, 0x3381]), (0x0100, 0x2222, 0x3381, true));
}

#[test]
fn the_largest_place_of_a_floppy_can_be_read() {
    let mut pc = floppy();
    let (_, cx, dx, _) = pc.call([0x0800, 0, 0, 0]);
    assert_eq!(pc.call([0x0201, 0x9000, cx, dx & 0xff00]).0, 0x0001);
    assert_eq!(pc.byte(0x9000), (2879 & 0xff) as u8);
}

#[test]
fn an_empty_drive_a_is_there_and_fails() {
    let mut pc = Bench::new(Disks::default());
    assert_eq!((pc.byte(0x48f), result(&mut pc)), (0x07, [0; 7]));
    assert_eq!(pc.call([0x0201, 0x9000, 0x0105, 0x0100]), (0x2000, 0x0105, 0x0100, true));
    assert_eq!(result(&mut pc), [0x40, 0, 0, 1, 1, 5, 2]);
    // These do without a disk.
    assert_eq!(pc.call([0x0402, 0x9000, 0x0001, 0x0000]), (0x0002, 1, 0, false));
    assert_eq!(pc.call([0x0501, 0x9000, 0x0001, 0x0000]), (0x0001, 1, 0, false));
    assert_eq!(pc.call([0x1600, 0, 0, 0]), (0x0600, 0, 0, true));
    assert_eq!((pc.byte(0x410) & 0xc1, pc.byte(0x475)), (0x01, 0));
}

#[test]
fn sectors_can_be_named_by_number() {
    let mut pc = hard_disk(2016);
    let (ax, cx, _, carry) = pc.call([0x4100, 0x55aa, 0, 0x0080]);
    assert_eq!((ax, cx, pc.pc().word(Gpr::Rbx), carry), (0x3000, 7, 0xaa55, false));
    let packet = [16, 0, 2, 0, 0, 0, 0, 0x90, 0xde, 0x07, 0, 0, 0, 0, 0, 0];
    pc.pc().write(Phys(0x600), &packet);
    pc.pc().set_word(Gpr::Rsi, 0x600);
    assert_eq!(pc.call([0x4200, 0, 0, 0x0080]), (0x0000, 0, 0x0080, false));
    assert_eq!((pc.byte(0x9_0000), pc.byte(0x9_0200)), (0xde, 0xdf));
    // Two sectors more than there are.
    pc.pc().write(Phys(0x602), &[4, 0]);
    assert_eq!(pc.call([0x4200, 0, 0, 0x0080]), (0x0c00, 0, 0x0080, true));
    assert_eq!(pc.pc().read_u16(Phys(0x602)), 2);
    // The first sector that there is not, and more than 64 KiB.
    pc.pc().write(Phys(0x602), &[1, 0, 0, 0, 0, 0x90, 0xe0]);
    assert_eq!(pc.call([0x4200, 0, 0, 0x0080]), (0x0100, 0, 0x0080, true));
    pc.pc().write(Phys(0x602), &[129, 0, 0, 0, 0, 0x10, 0, 0]);
    assert_eq!(pc.call([0x4200, 0, 0, 0x0080]), (0x0900, 0, 0x0080, true));
    assert_eq!(pc.pc().read_u16(Phys(0x602)), 0);
    pc.pc().write(Phys(0x602), &[128, 0]);
    assert_eq!(pc.call([0x4200, 0, 0, 0x0080]), (0x0000, 0, 0x0080, false));
    assert_eq!(pc.byte(0x1_fe00), 127);
}

#[test]
fn extended_services_are_those_of_hard_disks() {
    let mut pc = hard_disk(2016);
    pc.pc().set_word(Gpr::Rsi, 0x600);
    assert_eq!(pc.call([0x4800, 0, 0, 0x0080]), (0x0100, 0, 0x0080, true));
    assert_eq!(floppy().call([0x4200, 0, 0, 0x0000]), (0x0100, 0, 0, true));
}

#[test]
fn the_size_of_a_disk_is_told_in_full() {
    let mut pc = hard_disk(20_480);
    pc.pc().write(Phys(0x600), &[0x1a, 0]);
    pc.pc().set_word(Gpr::Rsi, 0x600);
    assert_eq!(pc.call([0x4800, 0, 0, 0x0080]), (0x0000, 0, 0x0080, false));
    let mut found = [0; 28];
    pc.pc().read(Phys(0x600), &mut found);
    let words: Vec<u16> = found.chunks(2).map(|w| u16::from_le_bytes([w[0], w[1]])).collect();
    assert_eq!(words, [26, 2, 20, 0, 16, 0, 63, 0, 20_480, 0, 0, 0, 512, 0]);
}

/// Motor and state of the drives at 43Eh and 440h.
#[test]
fn a_floppys_motor_runs_on_after_an_access() {
    let mut pc = floppy();
    assert_eq!((pc.byte(0x43e), pc.byte(0x440)), (0x01, 0x25), "the boot sector was read");
    for ax in [0x0201, 0x0301, 0x0401, 0x0501] {
        assert_eq!(pc.call([0x0000, 0, 0, 0]), (0, 0, 0, false));
        pc.pc().write(Phys(0x43e), &[0xc0, 0, 0]);
        // Where there is nothing, or on a hard disk, no motor is needed.
        pc.call([ax, 0x9000, 0x5001, 0x0000]);
        pc.call([ax, 0x9000, 0x0001, 0x0080]);
        pc.call([0x0800, 0, 0, 0]);
        assert_eq!((pc.byte(0x43e), pc.byte(0x440)), (0xc0, 0));
        assert!(!pc.call([ax, 0x9000, 0x0001, 0x0000]).3, "{ax:x}");
        assert_eq!((pc.byte(0x43e), pc.byte(0x43f), pc.byte(0x440)), (0x41, 0, 0x25), "{ax:x}");
    }
    assert_eq!(pc.call([0x0000, 0, 0, 0]), (0, 0, 0, false));
    assert_eq!(pc.byte(0x43e), 0x00);
    // An access that fails, too.
    pc.call([0x0202, 0xfe00, 0x0001, 0x0000]);
    assert_eq!((pc.byte(0x43e), pc.byte(0x440)), (0x01, 0x25));
    let mut pc = hard_disk(64);
    assert_eq!((pc.byte(0x43e), pc.byte(0x440)), (0, 0));
}

/// What the controller told, at 442h to 448h.
fn result(pc: &mut Bench) -> [u8; 7] {
    let mut found = [0; 7];
    pc.pc().read(Phys(0x442), &mut found);
    found
}

#[test]
fn the_floppy_controllers_last_result_tells_where_the_next_transfer_would_begin() {
    let mut pc = floppy();
    assert_eq!(result(&mut pc), [0x04, 0, 0, 0, 1, 1, 2], "the boot sector was read");
    let cases = [
        // AX, CX, DX; the first status, cylinder, head, sector
        ([0x0201, 0x0002, 0x0000], [0x04, 0, 1, 1]),
        ([0x0201, 0x0012, 0x0100], [0x20, 1, 0, 1]),
        ([0x0214, 0x0002, 0x0000], [0x04, 0, 1, 4]),
        ([0x0214, 0x050a, 0x0100], [0x20, 6, 0, 12]),
        ([0x0301, 0x0505, 0x0000], [0x04, 5, 1, 1]),
        // Nothing is transferred.
        ([0x0401, 0x0801, 0x0100], [0x04, 5, 1, 1]),
        ([0x0201, 0x5001, 0x0000], [0x04, 5, 1, 1]),
    ];
    for ([ax, cx, dx], [status, cylinder, head, sector]) in cases {
        pc.call([ax, 0x8000, cx, dx]);
        let expected = [status, 0, 0, cylinder, head, sector, 2];
        assert_eq!(result(&mut pc), expected, "{ax:04x} {cx:04x} {dx:04x}");
    }
    assert_eq!((pc.byte(0x48f), pc.byte(0x490), pc.byte(0x494)), (0x07, 0x17, 8));
    pc.call([0x0000, 0, 0, 0]);
    assert_eq!((pc.byte(0x48f), pc.byte(0x490), pc.byte(0x494)), (0x07, 0x00, 0));
    assert_eq!(result(&mut pc), [0x04, 0, 0, 5, 1, 1, 2]);
}

#[test]
fn the_state_of_a_floppy_drive_tells_its_disk() {
    let kinds = [(320, 0xb7), (360, 0x74), (720, 0x97), (1200, 0x15), (1440, 0x17), (2880, 0xd7)];
    for (kib, state) in kinds {
        let disk = Some(Disk::floppy(numbered(2 * kib)));
        let mut pc = Bench::new(Disks { floppies: [disk, None], ..Disks::default() });
        assert_eq!((pc.byte(0x48b), pc.byte(0x490)), (state & 0xc0, state), "{kib} KiB");
    }
}

#[test]
fn emulation_is_told_of_by_any_function_of_its_service_where_there_is_none() {
    let mut pc = floppy();
    pc.pc().set_word(Gpr::Rsi, 0x600);
    for ax in [0x4b00, 0x4b01, 0x4b02, 0x4bff] {
        pc.pc().write(Phys(0x600), &[0xcc; 0x14]);
        assert_eq!(pc.call([ax, 0, 0, 0x0080]), (ax & 0xff, 0, 0x0080, false));
        let mut packet = [0; 0x14];
        pc.pc().read(Phys(0x600), &mut packet);
        assert_eq!((packet[0], &packet[1..0x13], packet[0x13]), (0x13, &[0; 0x12][..], 0xcc));
    }
}

#[test]
fn formatting_a_track_fills_it() {
    let mut pc = floppy();
    assert_eq!(pc.call([0x0512, 0x9000, 0x0101, 0x0100]).0, 0x0012);
    assert_eq!(pc.call([0x0202, 0x9000, 0x0112, 0x0000]).0, 0x0002);
    assert_eq!((pc.byte(0x9000), pc.byte(0x9200)), (53, FILL_BYTE));
    // A track has 1 to 18 sectors.
    for count in [0x00, 0x13, 0xff] {
        let (ax, _, _, carry) = pc.call([0x0500 | count, 0x9000, 0x0101, 0x0000]);
        assert_eq!((ax, carry), (0x0100 | count, true));
    }
}

const FILL_BYTE: u8 = rom::DISKETTE_TABLE[8];

/// A PC with a floppy that has booted a CD-ROM as another one.
fn booted_as_floppy() -> Bench {
    let mut disks =
        Disks { floppies: [Some(Disk::floppy(numbered(2880))), None], ..Disks::default() };
    let mut bytes = vec![0; 24 * CD_SECTOR_SIZE];
    bytes[17 * CD_SECTOR_SIZE..][..30].copy_from_slice(b"\0CD001\x01EL TORITO SPECIFICATION");
    bytes[17 * CD_SECTOR_SIZE + 0x47] = 20;
    let entry = [0x88, 2, 0, 0, 0, 0, 1, 0, 21, 0, 0, 0];
    bytes[20 * CD_SECTOR_SIZE..][..32]
        .copy_from_slice(&[&[1][..], &[0; 27], &[0xaa, 0x55, 0x55, 0xaa]].concat());
    bytes[20 * CD_SECTOR_SIZE + 32..][..12].copy_from_slice(&entry);
    bytes[21 * CD_SECTOR_SIZE..][..SECTOR_SIZE].fill(0x77);
    disks.cdrom = Some(Image::from_bytes(bytes));
    disks.emulate().unwrap();
    Bench::new(disks)
}

#[test]
fn a_floppy_that_a_cd_rom_emulates_is_drive_a_until_it_is_ended() {
    let mut pc = booted_as_floppy();
    let first_byte = |pc: &mut Bench, drive| {
        assert_eq!(pc.call([0x0201, 0x9000, 0x0001, drive]).0, 0x0001);
        pc.byte(0x9000)
    };
    assert_eq!((first_byte(&mut pc, 0), first_byte(&mut pc, 1)), (0x77, 0));
    pc.pc().set_word(Gpr::Rsi, 0x600);
    assert_eq!(pc.call([0x4b01, 0, 0, 0]), (0x0001, 0, 0, false));
    assert_eq!((pc.byte(0x600), pc.byte(0x601), pc.byte(0x604)), (0x13, 2, 21));
    assert_eq!(pc.call([0x4b00, 0, 0, 0]), (0x0000, 0, 0, false));
    assert_eq!(first_byte(&mut pc, 0), 0);
    // The CD-ROM itself has sectors of 2,048 bytes.
    pc.pc().write(Phys(0x600), &[16, 0, 1, 0, 0, 0, 0, 0x90, 21, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pc.call([0x4200, 0, 0, 0x00e0]).0, 0x0000);
    assert_eq!((pc.byte(0x9_01ff), pc.byte(0x9_0200)), (0x77, 0));
    // It has no tracks to format, and may have been changed.
    assert_eq!(pc.call([0x0501, 0, 0x0001, 0x00e0]), (0x0101, 1, 0x00e0, true));
    assert_eq!(pc.call([0x4900, 0, 0, 0x00e0]), (0x0600, 0, 0x00e0, true));
    // Its size is told as that of any disk that may be in the drive.
    pc.pc().write(Phys(0x600), &[30]);
    assert_eq!(pc.call([0x4800, 0, 0, 0x00e0]), (0x0000, 0, 0x00e0, false));
    let mut told = [0; 30];
    pc.pc().read(Phys(0x600), &mut told);
    let expected = [&[30, 0, 0x74, 0][..], &[0xff; 20], &[0x00, 0x08], &[0xff; 4]].concat();
    assert_eq!(told[..], expected);
    // It is locked twice before it can be taken out.
    let locks = [
        (0x4502, 0x0000),
        (0x4500, 0x0001),
        (0x4500, 0x0001),
        (0x4600, 0xb100),
        (0x4501, 0x0001),
        (0x4502, 0x0001),
        (0x4501, 0x0000),
        (0x4501, 0xb000),
        (0x4503, 0x0103),
        (0x4600, 0x0000),
    ];
    for (ax, then) in locks {
        let failed = then > 0xff;
        assert_eq!(pc.call([ax, 0, 0, 0x00e0]), (then, 0, 0x00e0, failed), "{ax:04x}");
    }
    for _ in 0..0xff {
        assert_eq!(pc.call([0x4500, 0, 0, 0x00e0]).0, 0x0001);
    }
    assert_eq!(pc.call([0x4500, 0, 0, 0x00e0]), (0xb401, 0, 0x00e0, true));
}

#[test]
fn the_end_of_an_emulation_changes_what_is_told_of_it_in_the_media_type_alone() {
    let mut pc = booted_as_floppy();
    pc.pc().set_word(Gpr::Rsi, 0x600);
    let mut packet = [0x13, 2, 0, 1, 21, 0, 0, 0, 0, 0, 0, 0, 0xc0, 7, 1, 0, 79, 18, 1];
    for (ax, media_type) in [(0x4b01, 2), (0x4b00, 2), (0x4b01, 0), (0x4b00, 0), (0x4b02, 0)] {
        pc.pc().write(Phys(0x600), &[0xcc; 0x13]);
        assert_eq!(pc.call([ax, 0, 0, 0]), (ax & 0xff, 0, 0, false));
        let mut told = [0; 0x13];
        pc.pc().read(Phys(0x600), &mut told);
        packet[1] = media_type;
        assert_eq!(told, packet, "{ax:04x}");
    }
    let text = describe::describe(&pc.disks, |_| 0);
    assert!(
        text.contains("00h  floppy, 80 cylinders") && text.contains("emulation is ended"),
        "{text}"
    );
}

#[test]
fn a_service_that_changes_dl_has_its_status_with_the_drive_that_was_asked() {
    let mut pc = hard_disk(64);
    pc.call([0x0201, 0x9000, 0x0000, 0x0080]);
    assert_eq!(pc.byte(0x474), 1);
    let (.., carry) = pc.call([0x0800, 0, 0, 0x0080]);
    assert_eq!((carry, pc.byte(0x474), pc.byte(0x441)), (false, 0, 0));
}
