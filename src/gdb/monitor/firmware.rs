//! `bda`, `cmos` and `disk`: what the firmware keeps, and what it reads.

use super::CommandError;
use crate::bios::describe;
use crate::machine::Machine;

/// Carries out `bda`: the BIOS data area, which a guest without firmware may have, too.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn bda(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(describe::data_area(|at| {
        let mut word = [0; 2];
        let _ = machine.read_phys(at, &mut word);
        u16::from_le_bytes(word)
    }))
}

/// Carries out `cmos`.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn cmos(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(machine.describe_clock())
}

/// Carries out `disk`.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(super) fn disk(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(machine.describe_disks())
}
