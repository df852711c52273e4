//! A guest that has run off the end of its program: it executes the zeros that fill memory, each pair of them an
//! `add [bx+si], al`, and the signature of its boot sector; and nothing shows.
//!
//! Looked at when the guest has been left anyway, at a signal or at the end of a run, so it costs nothing; one that gets
//! out of the zeros between two looks goes unnoticed, as on a fast processor it does. So when a run has come to an
//! end that may be due to it, a second machine is run from the start, by exact steps, and those show it on any host. A
//! debug register on the signature would show it at once, but makes each exit dearer for every guest that has one.

use std::time::{Duration, Instant};

use super::image::BOOT_SECTOR;
use super::{Config, Interrupts, Machine, OnUnclaimed, StopReason};
use crate::x86::{CpuMode, Linear};

/// So many zeros in front of the processor, and so many behind it, are no accident.
const BEFORE: usize = 32;
const AFTER: usize = 32;
/// Where the boot sector's signature is.
const SIGNATURE: Linear = Linear(BOOT_SECTOR.0 + 510);
const SIGNATURE_BYTES: [u8; 2] = [0x55, 0xaa];
/// Where a 16-bit program that starts at segment 0 can run on to.
const LAST: u64 = 0x1_0000;
/// What the second run may take: instructions, and time.
const MOST_STEPS: u32 = 20_000;
const PATIENCE: Duration = Duration::from_millis(300);

impl Machine {
    /// Tells the user, once, if the guest executes zeros.
    pub(super) fn look_for_padding(&mut self) {
        if self.told_padding || self.rerunning || !self.is_in_zeros() {
            return;
        }
        self.told_padding = true;
        let pc = self.vcpu.cpu().pc();
        let through = self.has_signature() && self.is_all_zeros(SIGNATURE.offset(2), pc);
        let way = if through { ", through its boot signature at 0000:7DFE" } else { "" };
        let location = self.vcpu.cpu().location();
        self.tell(format!(
            "{location}: the guest executes zeros: it has run off the end of its program{way}"
        ));
    }

    /// After a run that has come to an end, or somebody has ended: tells the user, once, if the guest had run off the end
    /// of its program before. It takes some tenths of a second at most, and no time where the end is one that programs
    /// look for, unless it is among zeros behind the boot sector.
    pub fn look_back_for_padding(&mut self) {
        if self.told_padding || self.looked_back || self.altered || !self.may_have_run_off() {
            return;
        }
        self.looked_back = true;
        let Some(mut again) = self.started_anew() else { return };
        if let Some(text) = again.run_off_its_end() {
            self.told_padding = true;
            self.tell(text);
        }
    }

    fn may_have_run_off(&self) -> bool {
        let behind = SIGNATURE.offset(2);
        let pc = self.vcpu.cpu().pc();
        match self.last_stop() {
            Some(
                StopReason::Halted { .. }
                | StopReason::Exit { .. }
                | StopReason::PowerOff { .. }
                | StopReason::Reset { .. }
                | StopReason::Firmware { .. },
            ) => {
                (behind.0..LAST).contains(&pc.0)
                    && self.has_signature()
                    && self.is_all_zeros(behind, behind.offset(AFTER as u64))
            }
            _ => true,
        }
    }

    /// A machine like this at its first instruction, of which nobody hears; nothing where that may do harm.
    fn started_anew(&self) -> Option<Machine> {
        let mut disks = self.disks.clone();
        let hard = disks.hard.iter().chain(&disks.floppies).flatten();
        if hard.into_iter().any(|disk| disk.image.changes_its_file()) {
            return None;
        }
        disks.forget_changes();
        let config = Config {
            ram_size: self.ram_size,
            boot: self.boot.clone(),
            devices: self.optional_devices.clone(),
            on_unclaimed: OnUnclaimed::Ignore,
            firmware: self.firmware,
            disks,
        };
        let mut machine = Machine::new(config).ok()?;
        machine.type_at_start(self.typing.clone()).ok()?;
        machine.set_interrupts(Interrupts::On);
        Some(machine)
    }

    /// Runs by steps until the guest has run off its end, and says where.
    fn run_off_its_end(&mut self) -> Option<String> {
        const END: &str = "it has run off the end of its program";
        let begin = Instant::now();
        // The first of the zeros that are executed.
        let mut zeros: Option<String> = None;
        for _ in 0..MOST_STEPS {
            if begin.elapsed() > PATIENCE {
                break;
            }
            let cpu = self.vcpu.cpu();
            let (pc, location) = (cpu.pc(), cpu.location());
            if pc == SIGNATURE && cpu.mode() == CpuMode::Real && self.has_signature() {
                return Some(match zeros {
                    Some(from) => format!(
                        "{from}: the guest executed zeros from here on, and its boot signature at {location}: {END}"
                    ),
                    None => format!("{location}: the guest executed its boot signature: {END}"),
                });
            }
            zeros = self.is_all_zeros(pc, pc.offset(2)).then(|| zeros.unwrap_or(location));
            if let Some(from) = zeros.as_ref().filter(|_| self.is_in_zeros()) {
                return Some(format!("{from}: the guest executed zeros from here on: {END}"));
            }
            let stop = match self.step() {
                StopReason::Halted { interruptible: true, .. } => self.wake(),
                stop => stop,
            };
            if !matches!(stop, StopReason::Stepped | StopReason::Kicked) {
                break;
            }
        }
        None
    }

    fn is_in_zeros(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let from = cpu.pc().0.checked_sub(BEFORE as u64).map(Linear);
        cpu.mode() != CpuMode::Long64
            && from.is_some_and(|from| self.is_all_zeros(from, cpu.pc().offset(AFTER as u64)))
    }

    fn has_signature(&self) -> bool {
        let mut bytes = [0; 2];
        self.read_linear(SIGNATURE, &mut bytes) == 2 && bytes == SIGNATURE_BYTES
    }

    /// Whether there is nothing but zeros from `from` to `to`, which may be 64 KiB behind.
    fn is_all_zeros(&self, from: Linear, to: Linear) -> bool {
        let Some(len) = to.0.checked_sub(from.0).filter(|len| *len < LAST) else { return false };
        let mut bytes = vec![1; usize::try_from(len).unwrap_or(0)];
        self.read_linear(from, &mut bytes) == bytes.len() && bytes.iter().all(|byte| *byte == 0)
    }
}
