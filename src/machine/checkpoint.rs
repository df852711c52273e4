//! Checkpoints: a state of the whole machine that can be gone back to.
//!
//! Kept only where a shutdown destroys the registers, which are then found by running the guest once more
//! from the last checkpoint. What a checkpoint costs are the pages that the guest has written since the one
//! before: a page that was never written is all zeros, and needs no copy.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::stop::Target;
use super::{Machine, StopReason};
use crate::devices;
use crate::disk::Disks;
use crate::kvm::{Exit, KvmError, VcpuSnapshot, probe};
use crate::memory::PAGE_SIZE;
use crate::x86::{Linear, Phys};

const ZEROS: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];

/// So many steps after a checkpoint the next one is taken.
const STEPS: u64 = 4096;
/// A guest that has run for less than this since the last checkpoint needs no other: running it again takes no
/// longer, and a debugger resumes often.
const FRESH: Duration = Duration::from_millis(20);

/// Pages with contents, by address.
pub(super) type Pages = BTreeMap<Phys, Vec<u8>>;

/// The last checkpoint, and what has happened since.
#[derive(Debug)]
pub(super) struct Rewind {
    state: State,
    /// RAM as it was: all pages that were not zeros then.
    pages: Pages,
    /// Accesses to ports and devices since, and a digest of them.
    pub(super) accesses: u64,
    pub(super) digest: u64,
    /// Steps since.
    pub(super) steps: u64,
    /// It has run without stepping since.
    pub(super) free: bool,
    /// Time in the guest since the last access.
    pub(super) tail: Duration,
    /// Time in the guest when it was taken.
    taken: Duration,
    /// Interrupts have come since, which a second run would not get.
    pub(super) interrupted: bool,
    /// The debugger has changed something since: a second run would differ.
    pub(super) stale: bool,
}

/// All that is not RAM.
#[derive(Debug)]
struct State {
    vcpu: VcpuSnapshot,
    devices: devices::State,
    disks: Disks,
    reported: HashSet<Target>,
    halted: bool,
    mid_rep: Option<Linear>,
    held_traps: u64,
}

impl Rewind {
    /// Notes an exit.
    pub(super) fn note(&mut self, exit: &Exit, stepping: bool, elapsed: Duration) {
        self.free |= !stepping;
        self.tail += elapsed;
        if !exit.is_access() {
            return;
        }
        let (kind, place) = match *exit {
            Exit::PortRead(access) => (1, u64::from(access.port)),
            Exit::PortWrite(access) => (2, u64::from(access.port)),
            Exit::MmioRead { addr, .. } => (3, addr.0),
            Exit::MmioWrite { addr, data, .. } => (4, addr.0 ^ u64::from_le_bytes(data)),
            _ => (0, 0),
        };
        self.accesses += 1;
        self.tail = Duration::ZERO;
        // FNV-1a on words: enough to tell one course from another.
        for word in [kind, place] {
            self.digest = (self.digest ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Machine {
    /// Takes a checkpoint before the guest runs on, if this host needs one and the last is not fresh.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn checkpoint_if_needed(&mut self) -> Result<(), KvmError> {
        // Until somebody has asked the host, which takes longer than most runs, it is taken for one.
        let resets = probe::known_facts().is_none_or(|facts| facts.shutdown_resets);
        if !resets || !self.vm.logs_dirty_pages() {
            self.rewind = None;
            return Ok(());
        }
        if self.rewind.as_ref().is_some_and(|rewind| self.is_fresh(rewind)) {
            return Ok(());
        }
        self.checkpoint()
    }

    fn is_fresh(&self, rewind: &Rewind) -> bool {
        let ran = self.vcpu.guest_time().saturating_sub(rewind.taken);
        !rewind.stale && !rewind.interrupted && rewind.steps < STEPS && ran < FRESH
    }

    /// Takes a checkpoint. Not between an access and its completion.
    pub(super) fn checkpoint(&mut self) -> Result<(), KvmError> {
        let mut pages = self.rewind.take().map(|rewind| rewind.pages).unwrap_or_default();
        for (addr, contents) in self.dirty_pages()? {
            if contents == ZEROS {
                pages.remove(&addr);
            } else {
                pages.insert(addr, contents);
            }
        }
        let state = State {
            vcpu: self.vcpu.snapshot()?,
            devices: self.devices.save(),
            disks: self.disks.clone(),
            reported: self.reported.clone(),
            halted: self.halted,
            mid_rep: self.mid_rep,
            held_traps: self.held_traps,
        };
        self.rewind = Some(Box::new(Rewind {
            state,
            pages,
            accesses: 0,
            digest: 0,
            steps: 0,
            free: false,
            tail: Duration::ZERO,
            taken: self.vcpu.guest_time(),
            interrupted: false,
            stale: false,
        }));
        Ok(())
    }

    /// Goes back to the last checkpoint, which stays. Returns the pages that were changed by that, as they
    /// were.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn rewind(&mut self) -> Result<Pages, KvmError> {
        let Some(mut rewind) = self.rewind.take() else { return Ok(Pages::new()) };
        let changed = self.dirty_pages()?;
        for addr in changed.keys() {
            let contents = rewind.pages.get(addr).map_or(&ZEROS[..], Vec::as_slice);
            let _ = self.vm.ram().write(*addr, contents);
        }
        // Our own writes just now make no difference to the checkpoint.
        self.vm.take_dirty_pages()?;
        let State { vcpu, devices, disks, reported, halted, mid_rep, held_traps } = &rewind.state;
        self.disks.clone_from(disks);
        self.vcpu.restore(vcpu)?;
        if let Err(error) = self.devices.restore(devices) {
            log::error!("{error}");
        }
        self.reported.clone_from(reported);
        (self.halted, self.mid_rep, self.held_traps) = (*halted, *mid_rep, *held_traps);
        (rewind.accesses, rewind.digest, rewind.steps, rewind.free) = (0, 0, 0, false);
        (rewind.tail, rewind.taken) = (Duration::ZERO, self.vcpu.guest_time());
        rewind.interrupted = false;
        self.rewind = Some(rewind);
        Ok(changed)
    }

    /// The pages written since the last call, with what they hold.
    fn dirty_pages(&mut self) -> Result<Pages, KvmError> {
        let pages = self.vm.take_dirty_pages()?.into_iter().map(|addr| {
            let mut contents = ZEROS.to_vec();
            let _ = self.vm.ram().read(addr, &mut contents);
            (addr, contents)
        });
        Ok(pages.collect())
    }

    /// An interrupt has been delivered.
    pub(super) fn note_interruption(&mut self) -> Result<(), KvmError> {
        let Some(rewind) = &self.rewind else { return Ok(()) };
        let ran = self.vcpu.guest_time().saturating_sub(rewind.taken);
        if self.rerunning || rewind.stale || ran < FRESH {
            if let Some(rewind) = &mut self.rewind {
                rewind.interrupted = true;
            }
            return Ok(());
        }
        self.checkpoint()
    }

    /// A step has ended with `stop`.
    pub(super) fn count_step(&mut self, stop: &StopReason) {
        if let Some(rewind) = &mut self.rewind
            && !matches!(stop, StopReason::Shutdown { .. })
        {
            rewind.steps += 1;
        }
    }

    /// The debugger has changed something.
    pub(super) fn forget_checkpoint(&mut self) {
        if let Some(rewind) = &mut self.rewind {
            rewind.stale = true;
        }
    }
}
