//! Values of registers as a client sends them: cut to a width, or refused for it.

use super::{RegisterError, Row};

#[allow(clippy::cast_possible_truncation)]
pub(super) fn low_64(value: u128) -> u64 {
    value as u64
}

/// Refuses a value of more than `bits` bits.
pub(super) fn check_width(row: &Row, value: u128, bits: u32) -> Result<(), RegisterError> {
    if value >> bits == 0 {
        return Ok(());
    }
    Err(RegisterError::TooWide { name: row.name.clone(), value, bits })
}

/// Refuses an address whose upper bits are no copy of bit 47.
pub(super) fn check_canonical(row: &Row, value: u64) -> Result<(), RegisterError> {
    if matches!(value >> 47, 0 | 0x1_ffff) {
        return Ok(());
    }
    Err(RegisterError::NotCanonical { name: row.name.clone(), value })
}
