//! The physical address map of the PC: where RAM is, and where it is not.

use std::ops::Range;

/// First byte of the legacy video window A0000h–BFFFFh, which is never RAM.
pub const VIDEO_START: u64 = 0xa_0000;
/// First byte past the legacy video window.
pub const VIDEO_END: u64 = 0xc_0000;
/// RAM sizes that can be asked for, in bytes: the first megabyte must exist, and everything from 3 GiB up
/// belongs to devices and to KVM's own pages.
pub const RAM_SIZES: std::ops::RangeInclusive<u64> = 0x10_0000..=0xc000_0000;
/// Where KVM keeps its three TSS pages on Intel hosts without unrestricted guest (KVM_SET_TSS_ADDR): below the
/// largest ROM there can be.
pub const KVM_TSS: u64 = 0xfeff_d000;
/// Where KVM keeps its identity page table on such hosts (KVM_SET_IDENTITY_MAP_ADDR).
pub const KVM_IDENTITY_MAP: u64 = 0xfeff_c000;

/// The ranges of guest-physical addresses that are RAM when the machine has `size` bytes: all from 0 to
/// `size` but for the video window, as on a PC whose upper memory is shadow RAM.
#[must_use]
pub fn ram_ranges(size: u64) -> [Range<u64>; 2] {
    [0..VIDEO_START, VIDEO_END..size]
}
