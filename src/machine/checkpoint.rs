//! Checkpoints: a state of the whole machine that can be gone back to.
//!
//! Kept only where a shutdown destroys the registers, which are then found by running the guest once more
//! from the last checkpoint. What a checkpoint costs are the pages that the guest has written since the one
//! before: a page that was never written is all zeros, and needs no copy.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::stop::Target;
use super::{Machine, StopReason};
use crate::devices;
use crate::disk::Disks;
use crate::kvm::{KvmError, VcpuSnapshot, probe};
use crate::memory::PAGE_SIZE;
use crate::x86::{Linear, Phys};

const ZEROS: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];

/// So many steps after a checkpoint the next one is taken.
const STEPS: u64 = 4096;
/// A guest that has run for less than this since the last checkpoint needs no other: running it again takes no
/// longer, and a debugger resumes often.
const FRESH: Duration = Duration::from_millis(20);

/// Pages with contents, by address. To copy it copies no page.
pub(super) type Pages = BTreeMap<Phys, Rc<[u8]>>;

/// Puts what has become of some pages over `pages`, which has none that are zeros.
pub(super) fn overlay(pages: &mut Pages, changed: Pages) {
    for (addr, contents) in changed {
        if *contents == ZEROS {
            pages.remove(&addr);
        } else {
            pages.insert(addr, contents);
        }
    }
}

/// What `pages` hold at `addr`.
fn contents(pages: &Pages, addr: Phys) -> &[u8] {
    pages.get(&addr).map_or(&ZEROS, |contents| contents)
}

/// The course that a run has taken: its accesses to ports and devices, and a digest of them and of their data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) accesses: u64,
    digest: u64,
}

impl Course {
    fn note(&mut self, words: [u64; 4]) {
        self.accesses += 1;
        // FNV-1a on words: enough to tell one course from another.
        for word in words {
            self.digest = (self.digest ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The last checkpoint, and what has happened since.
#[derive(Clone, Debug)]
pub(super) struct Rewind {
    vcpu: Rc<VcpuSnapshot>,
    rest: Rc<Rest>,
    /// RAM as it was: all pages that were not zeros then.
    pub(super) pages: Pages,
    /// The course so far: since the checkpoint, or while the guest runs again since the first one.
    pub(super) course: Course,
    /// As it was at the checkpoint.
    start: Course,
    /// How many accesses there were, up to the last that left the guest. KVM may have queued some since.
    pub(super) served: u64,
    /// Steps since.
    pub(super) steps: u64,
    /// It has run without stepping since.
    pub(super) free: bool,
    /// Time in the guest since the last access.
    pub(super) tail: Duration,
    /// Time in the guest when it was taken.
    pub(super) taken: Duration,
    /// Interrupts have come since, which a second run would not get.
    pub(super) interrupted: bool,
    /// The debugger has changed something since: a second run would differ.
    pub(super) stale: bool,
}

/// All but RAM and the processor.
#[derive(Debug)]
pub(super) struct Rest {
    devices: devices::State,
    disks: Disks,
    reported: HashSet<Target>,
    halted: bool,
    mid_rep: Option<Linear>,
    held_traps: u64,
    behind_load_of_ss: bool,
}

/// A kind of access, for [`Machine::note_access`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    PortRead = 1,
    PortWrite,
    MmioRead,
    MmioWrite,
}

impl Rewind {
    /// Notes an exit, which is one of the accesses of the course or not.
    pub(super) fn note(&mut self, is_access: bool, stepping: bool, elapsed: Duration) {
        self.free |= !stepping;
        self.tail += elapsed;
        if is_access {
            self.tail = Duration::ZERO;
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
        let last = self.rewind.take();
        let course = last.as_ref().filter(|_| self.rerunning).map(|last| last.course);
        let mut pages = last.map(|last| last.pages).unwrap_or_default();
        overlay(&mut pages, self.dirty_pages()?);
        let course = course.unwrap_or_default();
        self.rewind = Some(Box::new(Rewind {
            vcpu: Rc::new(self.vcpu.snapshot()?),
            rest: Rc::new(self.rest()),
            pages,
            course,
            start: course,
            served: course.accesses,
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
            let _ = self.vm.ram().write_behind_a20(*addr, contents(&rewind.pages, *addr));
        }
        // Our own writes just now make no difference to the checkpoint.
        self.vm.take_dirty_pages()?;
        self.vcpu.restore(&rewind.vcpu)?;
        self.put_rest(&rewind.rest)?;
        (rewind.course, rewind.served) = (rewind.start, rewind.start.accesses);
        (rewind.steps, rewind.free) = (0, false);
        (rewind.tail, rewind.taken) = (Duration::ZERO, self.vcpu.guest_time());
        rewind.interrupted = false;
        self.rewind = Some(rewind);
        Ok(changed)
    }

    /// All but RAM and the processor, as it is.
    pub(super) fn rest(&self) -> Rest {
        Rest {
            devices: self.devices.save(),
            disks: self.disks.clone(),
            reported: self.reported.clone(),
            halted: self.halted,
            mid_rep: self.mid_rep,
            held_traps: self.held_traps,
            behind_load_of_ss: self.behind_load_of_ss,
        }
    }

    fn put_rest(&mut self, rest: &Rest) -> Result<(), KvmError> {
        let Rest { devices, disks, reported, halted, mid_rep, held_traps, behind_load_of_ss } =
            rest;
        if let Err(error) = self.devices.restore(devices) {
            log::error!("{error}");
        }
        self.disks.clone_from(disks);
        self.reported.clone_from(reported);
        (self.halted, self.mid_rep, self.held_traps) = (*halted, *mid_rep, *held_traps);
        self.behind_load_of_ss = *behind_load_of_ss;
        self.follow_a20()
    }

    /// The pages written since the last call, with what they hold.
    fn dirty_pages(&mut self) -> Result<Pages, KvmError> {
        let pages = self.vm.take_dirty_pages()?.into_iter().map(|addr| {
            let mut contents = ZEROS;
            let _ = self.vm.ram().read_behind_a20(addr, &mut contents);
            (addr, Rc::from(contents))
        });
        Ok(pages.collect())
    }

    /// Puts the machine where it was after the shutdown of a run that set out from `first`: RAM as it was then,
    /// `memory`, and so all the rest, but for the processor, which stands at the checkpoint. It may not be gone
    /// back to again.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn put_aside_back(
        &mut self,
        first: Rewind,
        memory: Pages,
        rest: &Rest,
    ) -> Result<(), KvmError> {
        let mut now = self.rewind.take().map(|rewind| rewind.pages).unwrap_or_default();
        overlay(&mut now, self.dirty_pages()?);
        let addrs: BTreeSet<Phys> = now.keys().chain(memory.keys()).copied().collect();
        for addr in addrs {
            let wanted = contents(&memory, addr);
            if contents(&now, addr) != wanted {
                let _ = self.vm.ram().write_behind_a20(addr, wanted);
            }
        }
        self.vm.take_dirty_pages()?;
        self.vcpu.restore(&first.vcpu)?;
        self.put_rest(rest)?;
        self.rewind = Some(Box::new(Rewind { pages: memory, stale: true, ..first }));
        Ok(())
    }

    /// An access that the guest makes, with its data, of a run or of a run again.
    pub(super) fn note_access(&mut self, kind: Access, place: u64, size: usize, data: u64) {
        if let Some(rewind) = &mut self.rewind {
            rewind.course.note([kind as u64, place, size as u64, data]);
        }
    }

    /// The accesses of the last exit are served and noted.
    pub(super) fn note_served(&mut self) {
        if let Some(rewind) = &mut self.rewind {
            rewind.served = rewind.course.accesses;
        }
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
