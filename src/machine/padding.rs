//! A guest that has run off the end of its program: it executes the zeros that fill memory, each pair of them an
//! `add [bx+si], al`, and nothing shows.
//!
//! Looked at only when the guest has been left anyway, at a signal or at the end of a run, so it costs nothing; one
//! that gets out of the zeros between two looks goes unnoticed.

use super::Machine;
use super::image::BOOT_SECTOR;
use crate::x86::{CpuMode, Linear};

/// So many zeros in front of the processor, and so many behind it, are no accident.
const BEFORE: usize = 32;
const AFTER: usize = 32;
/// Where the boot sector's signature is.
const SIGNATURE: Linear = Linear(BOOT_SECTOR.0 + 510);
const SIGNATURE_BYTES: [u8; 2] = [0x55, 0xaa];

impl Machine {
    /// Tells the user, once, if the guest executes zeros.
    pub(super) fn look_for_padding(&mut self) {
        if self.told_padding || self.rerunning || !self.is_in_zeros() {
            return;
        }
        self.told_padding = true;
        let mut signature = [0; 2];
        let read = self.read_linear(SIGNATURE, &mut signature);
        let pc = self.vcpu.cpu().pc();
        let through = read == 2 && signature == SIGNATURE_BYTES && self.is_all_zeros(pc);
        let way = if through { ", through its boot signature at 0000:7DFE" } else { "" };
        let location = self.vcpu.cpu().location();
        self.observer.notice(&format!(
            "{location}: the guest executes zeros: it has run off the end of its program{way}"
        ));
    }

    fn is_in_zeros(&self) -> bool {
        let cpu = self.vcpu.cpu();
        if cpu.mode() == CpuMode::Long64 {
            return false;
        }
        let mut bytes = [0; BEFORE + AFTER];
        let Some(from) = cpu.pc().0.checked_sub(BEFORE as u64) else { return false };
        self.read_linear(Linear(from), &mut bytes) == bytes.len() && bytes.iter().all(|b| *b == 0)
    }

    /// Whether there is nothing but zeros from behind the signature to `pc`.
    fn is_all_zeros(&self, pc: Linear) -> bool {
        const MOST: u64 = 0x1_0000;
        let from = SIGNATURE.offset(2);
        let Some(len) = pc.0.checked_sub(from.0).filter(|len| *len < MOST) else { return false };
        let mut bytes = vec![1; usize::try_from(len).unwrap_or(0)];
        self.read_linear(from, &mut bytes) == bytes.len() && bytes.iter().all(|byte| *byte == 0)
    }
}
