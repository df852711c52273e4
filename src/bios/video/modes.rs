//! The modes as the services see them: where the picture is in memory, and how characters lie on it.

use super::super::{data_area, pc::Pc};
use crate::devices::vga::vbe::{FRAMEBUFFER, LinearMode};
use crate::x86::Phys;

/// How the picture is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Characters and attributes in turn.
    Text,
    /// Even and odd rows of pixels in different places, some bits a pixel.
    Cga {
        /// 1 or 2.
        bits: u8,
    },
    /// A bit of a pixel in each of four planes.
    Planar,
    /// A byte a pixel.
    Packed,
    /// One to four bytes a pixel, in the linear framebuffer.
    Linear {
        /// Bytes.
        size: u8,
    },
}

impl Layout {
    /// A pixel has less than eight bits: bit 7 of a colour asks for XOR.
    #[must_use]
    pub const fn has_few_colours(self) -> bool {
        matches!(self, Layout::Cga { .. } | Layout::Planar)
    }

    /// Bytes of video memory that the CRT controller's address counter counts as one; planes count as one byte.
    #[must_use]
    pub const fn address_unit(self) -> u32 {
        match self {
            Layout::Planar | Layout::Cga { bits: 1 } => 1,
            Layout::Cga { .. } | Layout::Text => 2,
            Layout::Packed | Layout::Linear { .. } => 4,
        }
    }
}

/// A mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its number for AH=00.
    pub number: u8,
    /// How the picture is in memory.
    pub layout: Layout,
    /// Characters in a row.
    pub columns: u16,
    /// Rows of characters.
    pub rows: u8,
    /// Scan lines of a character.
    pub height: u8,
    /// Where video memory begins.
    pub memory: Phys,
    /// Bytes from a page to the next.
    pub page_size: u16,
}

impl Mode {
    const fn text(number: u8, columns: u16, memory: u64) -> Mode {
        let page_size = if columns == 40 { 0x800 } else { 0x1000 };
        let (layout, memory) = (Layout::Text, Phys(memory));
        Mode { number, layout, columns, rows: 25, height: 16, memory, page_size }
    }

    const fn cga(number: u8, columns: u16, bits: u8) -> Mode {
        let (layout, memory, page_size) = (Layout::Cga { bits }, Phys(0xb_8000), 0x4000);
        Mode { number, layout, columns, rows: 25, height: 8, memory, page_size }
    }

    const fn graphics(number: u8, layout: Layout, size: (u16, u8, u8), page_size: u16) -> Mode {
        let (columns, rows, height) = size;
        Mode { number, layout, columns, rows, height, memory: Phys(0xa_0000), page_size }
    }
}

/// All modes that AH=00 sets.
static MODES: [Mode; 16] = [
    Mode::text(0x00, 40, 0xb_8000),
    Mode::text(0x01, 40, 0xb_8000),
    Mode::text(0x02, 80, 0xb_8000),
    Mode::text(0x03, 80, 0xb_8000),
    Mode::cga(0x04, 40, 2),
    Mode::cga(0x05, 40, 2),
    Mode::cga(0x06, 80, 1),
    Mode::text(0x07, 80, 0xb_0000),
    Mode::graphics(0x0d, Layout::Planar, (40, 25, 8), 0x2000),
    Mode::graphics(0x0e, Layout::Planar, (80, 25, 8), 0x4000),
    Mode::graphics(0x0f, Layout::Planar, (80, 25, 14), 0x8000),
    Mode::graphics(0x10, Layout::Planar, (80, 25, 14), 0x8000),
    Mode::graphics(0x11, Layout::Planar, (80, 30, 16), 0xa000),
    Mode::graphics(0x12, Layout::Planar, (80, 30, 16), 0xa000),
    Mode::graphics(0x13, Layout::Packed, (40, 25, 8), 0x2000),
    Mode::graphics(0x6a, Layout::Planar, (100, 37, 16), 0),
];

/// The mode of the number.
#[must_use]
pub fn find(number: u8) -> Option<&'static Mode> {
    MODES.iter().find(|mode| mode.number == number)
}

/// What [`data_area::VIDEO_MODE`] is in a mode of VBE.
pub const VBE: u8 = 0xff;

/// The mode that is set, as the BIOS data area says and, in a mode of VBE, the VGA.
#[must_use]
pub fn current(pc: &Pc) -> Option<Mode> {
    let number = pc.read_u8(data_area::VIDEO_MODE);
    match pc.devices.vga().linear_mode() {
        Some(mode) if number == VBE => Some(linear(mode)),
        _ => find(number).copied(),
    }
}

/// A mode of the linear framebuffer, which has characters of 8x16 in it.
#[must_use]
pub fn linear(mode: LinearMode) -> Mode {
    let size = mode.pixel_size() as u8;
    let rows = (mode.height / 16).clamp(1, 0xff) as u8;
    let columns = mode.width / 8;
    // As SeaBIOS counts: an eighth of the pixels in steps of 8 KiB, and of that what the word can hold.
    let page = (u32::from(mode.width) * u32::from(mode.height) / 8).next_multiple_of(0x2000);
    let page_size = (page & 0xffff) as u16;
    let layout = Layout::Linear { size };
    Mode { number: VBE, layout, columns, rows, height: 16, memory: FRAMEBUFFER, page_size }
}

/// Bytes of a page of text, which begins at a multiple of 2 KiB.
#[must_use]
pub fn text_page_size(columns: u16, rows: u16) -> u16 {
    columns.saturating_mul(rows).saturating_mul(2).saturating_add(0x7ff) & !0x7ff
}
