//! How the guest reaches video memory: by exits, by writes that KVM queues, or as if it were RAM.
//!
//! Where the VGA's window is plain memory, the guest is shown that memory itself, as long as nobody wants to see each
//! access. To show it takes KVM as long as tens of exits; so it is shown when the guest has made about as many accesses
//! to it. Who moves banks for each pixel, or switches between planes, loses little.

use super::Machine;
use super::plan::DebugPlan;
use crate::devices::VIDEO_MEMORY;
use crate::devices::vga::{self, Direct, vbe};
use crate::kvm::{Exit, KvmError};
use crate::memory::{Shown, Window};
use crate::x86::Phys;

// `kvm::high_interrupts` has its traps behind it.
const _: () = assert!(VIDEO_MEMORY.0 + vga::DIRECT_SIZE as u64 <= 0xb_0000);

/// So many accesses to plain memory make it worth showing.
const ACCESSES: u32 = 64;

/// What KVM knows of video memory, and what it may know.
#[derive(Debug, Default)]
pub(super) struct Video {
    /// KVM may queue writes.
    may_queue: bool,
    /// Where it does: in the window that video memory was last seen in, or nowhere.
    queued: Option<(Phys, u32)>,
    /// The guest may be shown plain memory.
    may_show: bool,
    /// What it is shown.
    shown: Option<Direct>,
    /// The plain memory that was there when the guest was last entered, and the accesses to it since that came.
    direct: Option<Direct>,
    accesses: u32,
}

impl Machine {
    /// Has KVM treat video memory as `plan` allows.
    pub(super) fn follow_plan(&mut self, plan: &DebugPlan) -> Result<(), KvmError> {
        self.video.may_queue = plan.coalesce;
        self.video.may_show = plan.shows_video;
        self.follow_video_memory()
    }

    /// Has KVM follow video memory, which the guest can move and change.
    pub(super) fn follow_video_memory(&mut self) -> Result<(), KvmError> {
        self.follow_window()?;
        let direct = self.devices.vga().direct();
        if direct != self.video.direct {
            (self.video.direct, self.video.accesses) = (direct, 0);
        }
        let is_worth_it = self.video.shown == direct
            || self.video.accesses >= ACCESSES
            || self.executes_unshown();
        self.show(direct.filter(|_| is_worth_it && self.may_show()))
    }

    fn may_show(&self) -> bool {
        // A trace has each access.
        self.video.may_show && self.trace.is_none()
    }

    /// Whether the next instruction is in plain memory that the guest may be shown and is not, of which KVM executes
    /// nothing.
    pub(super) fn executes_unshown(&self) -> bool {
        let direct = self.devices.vga().direct();
        let is_there = |addr| self.devices.is_plain_memory(self.vm.ram().through_a20(addr));
        direct.is_some()
            && direct != self.video.shown
            && self.may_show()
            && self.translate(self.vcpu.cpu().pc()).is_ok_and(|there| is_there(there.phys))
    }

    fn follow_window(&mut self) -> Result<(), KvmError> {
        let wanted = self.devices.video_window().filter(|_| self.video.may_queue);
        if wanted == self.video.queued {
            return Ok(());
        }
        if let Some((start, size)) = self.video.queued.take() {
            self.vm.report_writes(start, size)?;
        }
        if let Some((start, size)) = wanted {
            self.vm.coalesce_writes(start, size)?;
        }
        self.video.queued = wanted;
        Ok(())
    }

    fn show(&mut self, direct: Option<Direct>) -> Result<(), KvmError> {
        if direct == self.video.shown {
            return Ok(());
        }
        let window = direct.map(|direct| Window {
            start: VIDEO_MEMORY,
            size: vga::DIRECT_SIZE,
            shows: match direct {
                Direct::Planes => Shown::Pages(self.devices.vga().pages().clone()),
                Direct::Framebuffer(offset) => Shown::Ram(vbe::FRAMEBUFFER.offset(offset.into())),
            },
        });
        self.vm.show(window)?;
        self.video.shown = direct;
        Ok(())
    }

    /// Notes an access of the guest to `addr`; whether it is one to plain memory. Whether such an access is seen at all
    /// depends on what the guest is shown: like one to RAM it plays no part in the course of a run.
    pub(super) fn note_direct_access(&mut self, addr: Phys) -> bool {
        let direct = self.devices.is_plain_memory(self.vm.ram().through_a20(addr));
        if direct {
            self.video.accesses = self.video.accesses.saturating_add(1);
        }
        direct
    }

    /// Whether `exit` is an access to plain memory of the VGA's.
    pub(super) fn is_direct_access(&self, exit: &Exit) -> bool {
        match *exit {
            Exit::MmioRead { addr, .. } | Exit::MmioWrite { addr, .. } => {
                self.devices.is_plain_memory(self.vm.ram().through_a20(addr))
            }
            _ => false,
        }
    }
}
