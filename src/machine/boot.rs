//! The state in which a machine starts its guest.

use super::image::{BOOT_SECTOR, Image};
use crate::x86::registers::{CR0_CD, CR0_NW, RFLAGS_FIXED};
use crate::x86::{Access, CpuState, Gpr, Phys, SegOff, Segment, SegmentName};

/// What to boot, and where.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The guest.
    pub image: Image,
    /// Where a flat image goes; the boot sector's place when not given. An ELF says itself.
    pub load: Option<Phys>,
    /// The first instruction; the image's first byte, or the ELF's entry point, when not given.
    pub entry: Option<SegOff>,
    /// BIOS drive number handed over in DL.
    pub drive: u8,
}

/// Why the guest cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The entry point cannot be written as SEG:OFF.
    #[error(
        "the entry point {0:#x} is out of reach in real mode (at most 0x10ffef): \
         link the image lower, or name another first instruction with --entry SEG:OFF"
    )]
    EntryTooHigh(u64),
}

/// What firmware leaves in AX when it enters a boot sector: its signature.
const SIGNATURE: u64 = 0xaa55;
/// The first instruction after a reset (SDM vol. 3A, 9.1.4), as far as CS:IP can tell.
const RESET_VECTOR: SegOff = SegOff::new(0xf000, 0xfff0);
/// Top of the stack below the boot sector.
const STACK: SegOff = SegOff::new(0, 0x7c00);
/// Top of the stack at the end of conventional memory, for images that lie where [`STACK`] would grow.
const HIGH_STACK: SegOff = SegOff::new(0x9000, 0xfc00);
/// Bytes of stack that an image has to leave free.
const STACK_SIZE: u64 = 0x400;

impl Boot {
    /// A boot sector (or an ELF) with all defaults: loaded at 7C00h, hard disk 80h.
    #[must_use]
    pub fn new(image: Image) -> Boot {
        Boot { image, load: None, entry: None, drive: 0x80 }
    }

    /// Where a flat image is loaded.
    #[must_use]
    pub fn load_address(&self) -> Phys {
        self.load.unwrap_or(BOOT_SECTOR)
    }

    /// The first instruction.
    ///
    /// # Errors
    /// No entry was given, and the image's own cannot be reached in real mode.
    pub fn first_instruction(&self) -> Result<SegOff, BootError> {
        let linear = match (&self.image, self.entry) {
            (_, Some(entry)) => return Ok(entry),
            (Image::Flat(_), None) => self.load_address().0,
            (Image::Elf(image), None) => image.entry,
            (Image::Rom(_), None) => return Ok(RESET_VECTOR),
            (Image::Disk(from), None) => return Ok(from.first_instruction()),
        };
        // The first 64 KiB as 0000:offset, as firmware does; above that with the 64 KiB-aligned segment.
        // The last stretch, 100000h to 10FFEFh, is reached from segment FFFFh.
        let segment = u16::try_from((linear >> 4) & !0xfff).unwrap_or(0xffff);
        let offset = linear.wrapping_sub(u64::from(segment) << 4);
        let offset = u16::try_from(offset).map_err(|_| BootError::EntryTooHigh(linear))?;
        Ok(SegOff::new(segment, offset))
    }

    /// Stack at entry: below 0000:7C00, or below 9000:FC00 if the image takes that place.
    #[must_use]
    pub fn stack(&self) -> SegOff {
        let end = STACK.linear().0;
        let taken = self.image.takes(self.load_address(), &(end - STACK_SIZE..end));
        if taken { HIGH_STACK } else { STACK }
    }

    /// Whether the stack is at its usual place, and the image takes nothing of `range`.
    #[must_use]
    pub fn leaves_free(&self, range: &std::ops::Range<u64>) -> bool {
        self.stack() == STACK && !self.image.takes(self.load_address(), range)
    }

    /// The processor as firmware would leave it: `reset` with CS:IP at the entry, DS = ES = 0, SS:SP on
    /// a usable stack, AX = AA55h, DL = drive, the other general registers 0, flags clear, caches on. For a ROM,
    /// which is the firmware, as `reset` leaves it: at the reset vector, with the base of CS at FFFF0000h.
    ///
    /// # Errors
    /// See [`Boot::first_instruction`].
    pub fn cpu_state(&self, reset: &CpuState) -> Result<CpuState, BootError> {
        if matches!(self.image, Image::Rom(_)) {
            return Ok(reset.clone());
        }
        let entry = self.first_instruction()?;
        let stack = self.stack();
        let mut cpu = CpuState { gpr: [0; 16], rflags: RFLAGS_FIXED, ..reset.clone() };
        // Firmware turns the caches on before it does anything else.
        cpu.cr0 &= !(CR0_CD | CR0_NW);
        for name in SegmentName::ALL {
            *cpu.segments.get_mut(name) = Segment::paragraph(0, Access::DATA16);
        }
        cpu.segments.cs = Segment::paragraph(entry.segment, Access::CODE16);
        cpu.segments.ss = Segment::paragraph(stack.segment, Access::DATA16);
        cpu.rip = entry.offset.into();
        *cpu.get_mut(Gpr::Rsp) = stack.offset.into();
        *cpu.get_mut(Gpr::Rax) = SIGNATURE;
        *cpu.get_mut(Gpr::Rdx) = self.drive.into();
        Ok(cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::image::{ElfImage, ElfSegment};

    fn elf(entry: u64) -> Boot {
        let addr = Phys(entry);
        let segments = vec![ElfSegment { addr, data: vec![0xf4], memory_size: 1 }];
        Boot::new(Image::Elf(ElfImage { segments, entry }))
    }

    fn entry_of(boot: &Boot) -> String {
        boot.first_instruction().map_or_else(|error| error.to_string(), |entry| entry.to_string())
    }

    #[test]
    fn a_boot_sector_starts_as_firmware_starts_it() {
        let reset = CpuState { cr0: 0x6000_0010, ..CpuState::default() };
        let cpu = Boot::new(Image::Flat(vec![0xf4])).cpu_state(&reset).unwrap();
        assert_eq!(cpu.cs_ip(), SegOff::new(0, 0x7c00));
        assert_eq!((cpu.get(Gpr::Rax), cpu.get(Gpr::Rdx)), (0xaa55, 0x80));
        assert_eq!((cpu.segments.ss.base, cpu.get(Gpr::Rsp)), (0, 0x7c00));
        assert_eq!((cpu.rflags, cpu.cr0), (RFLAGS_FIXED, 0x10));
    }

    #[test]
    fn entry_points_become_pairs() {
        assert_eq!(entry_of(&elf(0x7c05)), "0000:7C05");
        assert_eq!(entry_of(&elf(0x1_2345)), "1000:2345");
        assert_eq!(entry_of(&elf(0xf_fff0)), "F000:FFF0");
        assert_eq!(entry_of(&elf(0x10_ffef)), "FFFF:FFFF");
        assert!(entry_of(&elf(0x10_fff0)).contains("0x10fff0 is out of reach"));
    }

    #[test]
    fn an_entry_given_by_the_user_wins() {
        let boot = Boot { entry: Some(SegOff::new(0x7c0, 5)), ..elf(0x20_0000) };
        assert_eq!(entry_of(&boot), "07C0:0005");
    }

    #[test]
    fn a_rom_starts_as_the_reset_leaves_it() {
        let reset = CpuState { rip: 0xfff0, ..CpuState::default() };
        let boot = Boot::new(Image::rom(&[0xf4; 0x1_0000]).unwrap());
        assert_eq!(boot.cpu_state(&reset).unwrap(), reset);
        assert_eq!(boot.first_instruction().unwrap(), SegOff::new(0xf000, 0xfff0));
    }

    #[test]
    fn the_stack_keeps_out_of_the_image() {
        let at = |load: u64, len: usize| {
            let image = Image::Flat(vec![0; len]);
            Boot { load: Some(Phys(load)), ..Boot::new(image) }.stack().to_string()
        };
        assert_eq!(at(0x7c00, 512), "0000:7C00");
        assert_eq!(at(0, 0x7800), "0000:7C00");
        assert_eq!(at(0, 0x7801), "9000:FC00");
        assert_eq!(at(0x600, 0x10000), "9000:FC00");
    }
}
