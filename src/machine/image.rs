//! Guest images: what a file holds, and where its bytes go. Flat images and ELF executables.

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use super::bootable::has_signature;
use crate::disk::SECTOR_SIZE;
use crate::disk::el_torito::BootEntry;
use crate::disk::geometry::Geometry;
use crate::memory::{MemoryError, PAGE_SIZE, Ram, layout};
use crate::x86::{Phys, SegOff};

/// Where firmware loads a boot sector.
pub const BOOT_SECTOR: Phys = Phys(0x7c00);

/// Sizes that a ROM may have, in bytes.
pub const ROM_SIZES: std::ops::RangeInclusive<usize> = 0x1_0000..=0x100_0000;
/// As much of a ROM is below 1 MiB as well.
const LOW_ROM: usize = 0x2_0000;

/// A guest image as read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// What a disk of the machine boots, which is loaded anew at each start.
    Disk(FromDisk),
    /// Bytes without structure.
    Flat(Vec<u8>),
    /// An ELF executable: the contents of its PT_LOAD segments.
    Elf(ElfImage),
    /// The firmware itself: a ROM that ends at the end of the fourth gigabyte and, as far as its last 128 KiB, at
    /// that of the first megabyte. See [`Image::rom`].
    Rom(Vec<u8>),
}

/// What is loaded from the disk that a guest boots from, at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromDisk {
    /// The first sector of the drive that DL names.
    Sector,
    /// What the catalogue of the CD-ROM says.
    CdRom(BootEntry),
}

/// What has so many lines may be a text; a small program may have a byte 0Ah among letters.
const LINES: usize = 2;

/// The loadable part of an ELF executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfImage {
    /// PT_LOAD segments in file order.
    pub segments: Vec<ElfSegment>,
    /// Entry point, a linear address.
    pub entry: u64,
}

/// One PT_LOAD segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfSegment {
    /// Guest-physical address (`p_paddr`).
    pub addr: Phys,
    /// Contents; `memory_size` may be larger, the rest is zeros.
    pub data: Vec<u8>,
    /// Bytes in memory (`p_memsz`).
    pub memory_size: u64,
}

/// Why a file is no image, or does not fit.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Nothing in it.
    #[error("the image is empty")]
    Empty,
    /// A source text.
    #[error(
        "this is a text and not a program: a source text has to be assembled first, as by `nasm -f bin boot.asm -o \
         boot.bin`"
    )]
    Text,
    /// No ROM has this size.
    #[error(
        "a ROM of {0} bytes is not possible: from 64 KiB to 16 MiB are, in whole pages of 4 KiB"
    )]
    RomSize(u64),
    /// An ELF that is not x86.
    #[error("the ELF file is for machine {0} ({name}), not for x86", name = machine_name(*.0))]
    Machine(u16),
    /// An ELF of a class or byte order that x86 does not have.
    #[error("the ELF file is big-endian; x86 is little-endian")]
    Endianness,
    /// An ELF that is not linked.
    #[error("the ELF file is not an executable (type {0}): link it with ld first")]
    NotExecutable(u16),
    /// A program for an operating system.
    #[error(
        "the ELF file is a program for an operating system (it asks for a dynamic linker), not a guest"
    )]
    NeedsInterpreter,
    /// An executable that loads nothing.
    #[error("the ELF file has no PT_LOAD segment with contents")]
    NothingToLoad,
    /// A damaged ELF.
    #[error("the ELF file is damaged: {0}")]
    Damaged(#[from] object::read::Error),
    /// More than any machine holds.
    #[error("the segments of the ELF file take {0} bytes of memory, more than a guest can have")]
    TooLarge(u64),
    /// A segment whose size in memory is smaller than in the file.
    #[error("the ELF segment at {addr} has {file} bytes in the file but only {memory} in memory")]
    SegmentSize {
        /// Where it goes.
        addr: Phys,
        /// `p_filesz`.
        file: u64,
        /// `p_memsz`.
        memory: u64,
    },
    /// A segment whose contents are not in the file.
    #[error("the ELF file is damaged: the contents of its segment at {addr} lie outside the file")]
    SegmentOutside {
        /// Where it goes.
        addr: Phys,
    },
    /// Part of it lies outside RAM.
    #[error(
        "the image does not fit (--load moves a flat one, --memory makes room; the first sector of a disk to boot \
         from would end in 55 AA)"
    )]
    DoesNotFit(#[from] MemoryError),
    /// The image of a floppy that is none to boot from, and too large for a program.
    #[error(
        "the image has the size of a floppy, but its first sector does not end in 55 AA, as that of one to boot from \
         would; and as a program it does not fit"
    )]
    NoFloppyToBoot(#[source] MemoryError),
}

impl Image {
    /// Reads an image: an ELF executable when it has ELF's magic number, else flat bytes.
    ///
    /// # Errors
    /// An empty file, a text, or an ELF that no x86 PC can boot.
    pub fn parse(data: &[u8]) -> Result<Image, ImageError> {
        if data.is_empty() {
            return Err(ImageError::Empty);
        }
        match FileKind::parse(data) {
            Ok(FileKind::Elf32) => parse_elf::<elf::FileHeader32<Endianness>>(data),
            Ok(FileKind::Elf64) => parse_elf::<elf::FileHeader64<Endianness>>(data),
            // A boot sector may look like anything; only ELF is ever taken for more than its bytes.
            _ if data.starts_with(&elf::ELFMAG) => parse_elf::<elf::FileHeader32<Endianness>>(data),
            _ if is_text(data) => Err(ImageError::Text),
            _ => Ok(Image::Flat(data.to_vec())),
        }
    }

    /// Takes `data` for a ROM with the processor's first instruction 16 bytes before its end.
    ///
    /// # Errors
    /// A size that is none of [`ROM_SIZES`], or no whole pages.
    pub fn rom(data: &[u8]) -> Result<Image, ImageError> {
        if !ROM_SIZES.contains(&data.len()) || !data.len().is_multiple_of(PAGE_SIZE as usize) {
            return Err(ImageError::RomSize(data.len() as u64));
        }
        Ok(Image::Rom(data.to_vec()))
    }

    /// The ROMs that the image brings along, and where each is.
    #[must_use]
    pub fn roms(&self) -> Vec<(Phys, &[u8])> {
        let Image::Rom(data) = self else { return Vec::new() };
        let low = &data[data.len().saturating_sub(LOW_ROM)..];
        let before = |end: u64, rom: &[u8]| Phys(end - rom.len() as u64);
        vec![(before(1 << 20, low), low), (before(1 << 32, data), data)]
    }

    /// Puts the image into `ram`: a flat one at `load`, an ELF where its program headers say, a ROM and what is
    /// on a disk not at all.
    ///
    /// # Errors
    /// Something of it lies outside RAM; RAM may then hold a part of it.
    pub fn load(&self, ram: &Ram, load: Phys) -> Result<(), ImageError> {
        match self {
            Image::Rom(_) | Image::Disk(_) => {}
            Image::Flat(data) => ram.load(load, data).map_err(|error| {
                let sectors = data.len().is_multiple_of(SECTOR_SIZE);
                let sectors = sectors.then_some((data.len() / SECTOR_SIZE) as u64);
                if sectors.is_some_and(Geometry::is_floppy_size) && !has_signature(data) {
                    return ImageError::NoFloppyToBoot(error);
                }
                error.into()
            })?,
            Image::Elf(image) => {
                for segment in &image.segments {
                    let size = usize::try_from(segment.memory_size).unwrap_or(usize::MAX);
                    if ram.contiguous(segment.addr, size) < size {
                        // Named with its whole size before so much as a byte is allocated for it.
                        return Err(ram.outside(segment.addr, size).into());
                    }
                    let mut data = segment.data.clone();
                    data.resize(size, 0);
                    ram.load(segment.addr, &data)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the image, a flat one loaded at `load`, takes any byte of `range`.
    #[must_use]
    pub fn takes(&self, load: Phys, range: &std::ops::Range<u64>) -> bool {
        let overlaps =
            |addr: Phys, len: u64| addr.0 < range.end && addr.0.saturating_add(len) > range.start;
        match self {
            Image::Flat(data) => overlaps(load, data.len() as u64),
            // Nothing is loaded for a ROM; and what a disk boots starts at the boot sector's place.
            Image::Rom(_) | Image::Disk(_) => false,
            Image::Elf(image) => image.segments.iter().any(|s| overlaps(s.addr, s.memory_size)),
        }
    }
}

impl FromDisk {
    /// The first instruction: as a boot sector expects it, segment 0000h with the offset.
    pub(super) fn first_instruction(self) -> SegOff {
        match self {
            FromDisk::Sector => SegOff::new(0, 0x7c00),
            FromDisk::CdRom(entry) => {
                SegOff::new(entry.segment & 0xf000, (entry.segment & 0x0fff) << 4)
            }
        }
    }
}

/// Whether `data` is lines of text, in ASCII or what extends it. Programs have bytes that are no characters.
fn is_text(data: &[u8]) -> bool {
    // DOS may end a text with 1Ah.
    let is_written = |byte: &u8| !byte.is_ascii_control() || b"\t\n\r\x0c\x1a".contains(byte);
    data.iter().filter(|byte| **byte == b'\n').count() >= LINES && data.iter().all(is_written)
}

fn parse_elf<Elf: FileHeader<Endian = Endianness>>(data: &[u8]) -> Result<Image, ImageError> {
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    if endian != Endianness::Little {
        return Err(ImageError::Endianness);
    }
    let machine = header.e_machine(endian);
    if !matches!(machine, elf::EM_386 | elf::EM_X86_64) {
        return Err(ImageError::Machine(machine.0));
    }
    let kind = header.e_type(endian);
    if !matches!(kind, elf::ET_EXEC | elf::ET_DYN) {
        return Err(ImageError::NotExecutable(kind.0));
    }
    let mut segments = Vec::new();
    let mut total: u64 = 0;
    for program in header.program_headers(endian, data)? {
        if program.p_type(endian) == elf::PT_INTERP {
            return Err(ImageError::NeedsInterpreter);
        }
        let memory_size: u64 = program.p_memsz(endian).into();
        if program.p_type(endian) != elf::PT_LOAD || memory_size == 0 {
            continue;
        }
        // Headers may name the same bytes over and over: no more is taken than a machine could hold.
        total = total.saturating_add(memory_size);
        if total > *layout::RAM_SIZES.end() {
            return Err(ImageError::TooLarge(total));
        }
        let addr = Phys(program.p_paddr(endian).into());
        let bytes =
            program.data(endian, data).map_err(|()| ImageError::SegmentOutside { addr })?.to_vec();
        if bytes.len() as u64 > memory_size {
            let file = bytes.len() as u64;
            return Err(ImageError::SegmentSize { addr, file, memory: memory_size });
        }
        segments.push(ElfSegment { addr, data: bytes, memory_size });
    }
    if segments.is_empty() {
        return Err(ImageError::NothingToLoad);
    }
    Ok(Image::Elf(ElfImage { segments, entry: header.e_entry(endian).into() }))
}

/// Names of the machines people mix up with x86.
fn machine_name(machine: u16) -> &'static str {
    match elf::Machine(machine) {
        elf::EM_ARM => "Arm",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
        elf::EM_MIPS => "MIPS",
        elf::EM_S390 => "S/390",
        _ => "another architecture",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF32 executable with one segment; the fields that tests damage are arguments.
    fn elf32(
        machine: elf::Machine,
        kind: elf::FileType,
        file_size: u32,
        memory_size: u32,
    ) -> Vec<u8> {
        let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
        let word = |elf: &mut Vec<u8>, value: u32| elf.extend(value.to_le_bytes());
        half(&mut elf, kind.0);
        half(&mut elf, machine.0);
        for value in [1, 0x7c00, 52, 0, 0] {
            word(&mut elf, value);
        }
        for value in [52, 32, 1, 40, 0, 0] {
            half(&mut elf, value);
        }
        for value in [elf::PT_LOAD.0, 84, 0x7c00, 0x7c00, file_size, memory_size, 5, 1] {
            word(&mut elf, value);
        }
        elf.extend([0xf4, 0x90]);
        elf
    }

    #[test]
    fn bytes_without_magic_are_a_flat_image() {
        assert_eq!(Image::parse(&[0xf4]).unwrap(), Image::Flat(vec![0xf4]));
    }

    #[test]
    fn a_rom_is_at_both_ends() {
        let places = |len: usize| {
            let image = Image::rom(&vec![0; len]).unwrap();
            let roms = image.roms();
            roms.iter().map(|(addr, data)| (addr.0, data.len())).collect::<Vec<_>>()
        };
        assert_eq!(places(0x1_0000), [(0xf_0000, 0x1_0000), (0xffff_0000, 0x1_0000)]);
        assert_eq!(places(0x4_0000), [(0xe_0000, 0x2_0000), (0xfffc_0000, 0x4_0000)]);
        for len in [0, 0xf000, 0x1_0001, 0x100_1000] {
            let error = Image::rom(&vec![0; len]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("a ROM of {len} bytes is not possible")), "{error}");
        }
        assert!(Image::Flat(vec![0xf4]).roms().is_empty());
    }

    #[test]
    fn an_elf_is_loaded_by_its_program_headers() {
        let image = Image::parse(&elf32(elf::EM_386, elf::ET_EXEC, 2, 4)).unwrap();
        let Image::Elf(parsed) = &image else { panic!("{image:?}") };
        assert_eq!(parsed.entry, 0x7c00);
        let ram = Ram::new(1 << 20).unwrap();
        ram.load(Phys(0x7c00), &[9; 5]).unwrap();
        image.load(&ram, BOOT_SECTOR).unwrap();
        let mut data = [7; 5];
        assert_eq!(ram.read(Phys(0x7c00), &mut data), 5);
        assert_eq!(data, [0xf4, 0x90, 0, 0, 9]);
    }

    #[test]
    fn what_cannot_boot_is_named() {
        let error = |data: &[u8]| Image::parse(data).unwrap_err().to_string();
        assert_eq!(error(&[]), "the image is empty");
        let arm = elf32(elf::EM_AARCH64, elf::ET_EXEC, 2, 2);
        assert_eq!(error(&arm), "the ELF file is for machine 183 (AArch64), not for x86");
        let object = elf32(elf::EM_386, elf::ET_REL, 2, 2);
        assert!(error(&object).contains("link it with ld"));
        let shrunk = elf32(elf::EM_386, elf::ET_EXEC, 2, 1);
        assert!(error(&shrunk).contains("2 bytes in the file but only 1 in memory"));
        let outside = elf32(elf::EM_386, elf::ET_EXEC, 200, 200);
        assert!(error(&outside).contains("segment at 0x7c00 lie outside the file"));
        assert!(error(b"\x7fELF").contains("damaged"));
        let huge = elf32(elf::EM_386, elf::ET_EXEC, 2, u32::MAX);
        assert!(error(&huge).contains("take 4294967295 bytes of memory"));
        let mut program = elf32(elf::EM_386, elf::ET_DYN, 2, 2);
        program[52..56].copy_from_slice(&elf::PT_INTERP.0.to_le_bytes());
        assert!(error(&program).contains("program for an operating system"));
    }

    #[test]
    fn an_elf_cut_off_anywhere_is_an_error_and_never_a_panic() {
        let whole = elf32(elf::EM_386, elf::ET_EXEC, 2, 2);
        for len in 4..whole.len() {
            assert!(Image::parse(&whole[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_segment_larger_than_memory_is_refused_without_allocating_it() {
        let image = Image::parse(&elf32(elf::EM_386, elf::ET_EXEC, 2, 0xa000_0000)).unwrap();
        let ram = Ram::new(1 << 20).unwrap();
        assert!(matches!(image.load(&ram, BOOT_SECTOR), Err(ImageError::DoesNotFit(_))));
    }
}
