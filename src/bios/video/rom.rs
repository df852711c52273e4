//! What the video services have in the ROM besides fonts: tables that they hand out pointers to, and code.

pub use crate::bios::rom::{
    FONT_8 as FONT_8X8, FONT_8_UPPER as FONT_8X8_UPPER, FONT_14 as FONT_8X14, FONT_16 as FONT_8X16,
    SEGMENT,
};

/// The characters that differ in cells of 9x14 and 9x16: none. The list ends with a zero.
pub const FONT_9_WIDE: u16 = 0xc000;
/// The table that [`data_area::VIDEO_SAVE_POINTER`](crate::bios::data_area::VIDEO_SAVE_POINTER) points to: parameters,
/// and six areas that there are not.
pub const SAVE_POINTERS: u16 = 0xc010;
/// The table that AH=1B points to: modes and functions that there are.
pub const FUNCTIONALITY: u16 = 0xc030;

/// The name of the firmware, its maker's, the product's and its revision, for VBE.
pub const OEM_NAME: u16 = 0xc040;
/// The maker.
pub const OEM_VENDOR: u16 = 0xc050;
/// The product.
pub const OEM_PRODUCT: u16 = 0xc060;
/// Its revision.
pub const OEM_REVISION: u16 = 0xc070;
/// The function that VBE lets programs call to set a bank.
pub const SET_BANK: u16 = 0xc080;

/// The far pointer to `offset` in the ROM, as it lies in memory.
#[must_use]
pub const fn pointer(offset: u16) -> u32 {
    (SEGMENT as u32) << 16 | offset as u32
}

/// The modes 0-7 and D-13, all three numbers of lines, two fonts of eight at once, and the functions of a VGA (IBM
/// PS/2 BIOS Interface Technical Reference, "static functionality table").
const FUNCTIONS: [u8; 16] =
    [0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x07, 0x02, 0x08, 0xff, 0x0e, 0, 0, 0, 0];

/// All of it: each piece with its offset in the segment.
#[must_use]
pub fn pieces() -> Vec<(u16, Vec<u8>)> {
    vec![
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
