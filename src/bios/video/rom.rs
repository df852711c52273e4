//! What the video services have in the ROM at F000h: fonts and tables that they hand out pointers to, and code.

pub use crate::bios::rom::SEGMENT;
use crate::font;

/// The 8x8 font, all of it.
pub const FONT_8X8: u16 = 0x1000;
/// Its upper half.
pub const FONT_8X8_UPPER: u16 = FONT_8X8 + 0x80 * 8;
/// The 8x14 font.
pub const FONT_8X14: u16 = FONT_8X8 + 0x100 * 8;
/// The 8x16 font.
pub const FONT_8X16: u16 = FONT_8X14 + 0x100 * 14;
/// The characters that differ in cells of 9x14 and 9x16: none. The list ends with a zero.
pub const FONT_9_WIDE: u16 = FONT_8X16 + 0x100 * 16;
/// The table that [`data_area::VIDEO_SAVE_POINTER`](crate::bios::data_area::VIDEO_SAVE_POINTER) points to.
pub const SAVE_POINTERS: u16 = FONT_9_WIDE + 0x10;
/// The table that AH=1B points to: modes and functions that there are.
pub const FUNCTIONALITY: u16 = SAVE_POINTERS + 0x20;
/// The name of the firmware, for VBE.
pub const OEM_NAME: u16 = FUNCTIONALITY + 0x10;
/// Its maker.
pub const OEM_VENDOR: u16 = OEM_NAME + 0x10;
/// The product.
pub const OEM_PRODUCT: u16 = OEM_VENDOR + 0x10;
/// Its revision.
pub const OEM_REVISION: u16 = OEM_PRODUCT + 0x10;
/// The function that VBE lets programs call to set a bank.
pub const SET_BANK: u16 = OEM_REVISION + 0x10;
/// The lower half of the 8x8 font, where the first PC had it.
const FONT_8X8_LOWER: u16 = 0xfa6e;
/// The table that INT 1Dh points to.
pub const CGA_PARAMETERS: u16 = 0xf0a4;

/// The far pointer to `offset` in the ROM, as it lies in memory.
#[must_use]
pub const fn pointer(offset: u16) -> u32 {
    (SEGMENT as u32) << 16 | offset as u32
}

/// The 6845's registers for 40 and 80 columns, graphics and a monochrome monitor; bytes of memory, columns and the
/// CGA's mode register for the modes 0 to 7 (IBM PC Technical Reference, BIOS listing).
#[rustfmt::skip]
const CGA: [u8; 88] = [
    0x38, 0x28, 0x2d, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0,
    0x71, 0x50, 0x5a, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0,
    0x38, 0x28, 0x2d, 0x0a, 0x7f, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0, 0, 0, 0,
    0x61, 0x50, 0x52, 0x0f, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0d, 0x0b, 0x0c, 0, 0, 0, 0,
    0x00, 0x08, 0x00, 0x10, 0x00, 0x40, 0x00, 0x40,
    0x28, 0x28, 0x50, 0x50, 0x28, 0x28, 0x50, 0x50,
    0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29,
];

/// The modes 0-7 and D-13, all three numbers of lines, two fonts of eight at once, and the functions of a VGA (IBM
/// PS/2 BIOS Interface Technical Reference, "static functionality table").
const FUNCTIONS: [u8; 16] =
    [0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x07, 0x02, 0x08, 0xff, 0x0e, 0, 0, 0, 0];

/// All of it: each piece with its offset in the segment.
#[must_use]
pub fn pieces() -> Vec<(u16, Vec<u8>)> {
    let small = font::FONT_8X8.as_flattened();
    vec![
        (FONT_8X8, small.to_vec()),
        (FONT_8X14, font::FONT_8X14.as_flattened().to_vec()),
        (FONT_8X16, font::FONT_8X16.as_flattened().to_vec()),
        (FONT_8X8_LOWER, small[..0x80 * 8].to_vec()),
        (CGA_PARAMETERS, CGA.to_vec()),
        (FONT_9_WIDE, vec![0]),
        (SAVE_POINTERS, vec![0; 0x1c]),
        (FUNCTIONALITY, FUNCTIONS.to_vec()),
        (OEM_NAME, b"Stepvisor VBE\0".to_vec()),
        (OEM_VENDOR, b"Stepvisor\0".to_vec()),
        (OEM_PRODUCT, b"VBE\0".to_vec()),
        (OEM_REVISION, b"1\0".to_vec()),
        // mov ax, 4F05h; int 10h; retf
        (SET_BANK, vec![0xb8, 0x05, 0x4f, 0xcd, 0x10, 0xcb]),
    ]
}
