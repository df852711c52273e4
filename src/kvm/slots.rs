//! The memory slots: what KVM shows the guest of RAM and ROM, and where (api.rst, 4.35
//! KVM_SET_USER_MEMORY_REGION).
//!
//! They follow the [`Ram`](crate::memory::Ram): ROM is a slot that KVM lets nobody write, so that each write leaves
//! the guest like one to a device. Slots cannot change, so those that are no longer right are taken away and
//! others put in their place: that takes KVM as long as tens of exits.

use std::collections::BTreeSet;

use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, kvm_userspace_memory_region};

use super::{KvmError, Vm};
use crate::memory::{PAGE_SIZE, Stretch, Window};
use crate::x86::Phys;

/// The slots that there are, and what their logs have said that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Slots {
    present: Vec<Slot>,
    dirty: BTreeSet<Phys>,
}

/// A slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u32,
    stretch: Stretch,
}

impl Vm {
    /// Has KVM show the guest what there is of RAM and ROM.
    pub(super) fn place_slots(&mut self) -> Result<(), KvmError> {
        let wanted = self.ram.stretches();
        let (kept, gone): (Vec<Slot>, Vec<Slot>) =
            self.slots.present.iter().partition(|slot| wanted.contains(&slot.stretch));
        self.collect_dirty(&gone)?;
        for slot in gone {
            let Slot { number, stretch } = slot;
            self.slots.present.retain(|slot| slot.number != number);
            self.set_slot(number, 0, stretch, 0)?;
        }
        for stretch in wanted {
            if kept.iter().any(|slot| slot.stretch == stretch) {
                continue;
            }
            let taken = |number: &u32| self.slots.present.iter().any(|slot| slot.number == *number);
            // Fewer than those that `high_interrupts` leaves.
            let Some(number) = (0..u32::MAX).find(|number| !taken(number)) else { continue };
            let flags = match stretch.read_only {
                true => KVM_MEM_READONLY,
                // To begin with it later takes KVM as long as a whole short run.
                false if self.logs_dirty_pages && stretch.shows.is_some() => {
                    KVM_MEM_LOG_DIRTY_PAGES
                }
                false => 0,
            };
            self.set_slot(number, flags, stretch, stretch.region.size)?;
            self.slots.present.push(Slot { number, stretch });
        }
        Ok(())
    }

    /// Makes or changes a slot; `size` 0 takes it away. `flags` is KVM_MEM_*.
    fn set_slot(&self, slot: u32, flags: u32, stretch: Stretch, size: u64) -> Result<(), KvmError> {
        let slot = kvm_userspace_memory_region {
            slot,
            flags,
            guest_phys_addr: stretch.region.start.0,
            memory_size: size,
            userspace_addr: stretch.region.host,
        };
        // SAFETY: the host range is a mapping, or pages of atomics, owned by `ram`, which only ever gains any and which
        // the `Vm` keeps until after the VM's descriptor is closed; KVM refuses slots that overlap.
        unsafe { self.fd.set_user_memory_region(slot) }
            .map_err(KvmError::ioctl("KVM_SET_USER_MEMORY_REGION"))
    }

    /// Makes ROM with the contents `bytes` at `addr`, of RAM or where there is nothing.
    ///
    /// # Errors
    /// It cannot be there, or a failed ioctl.
    pub fn add_rom(&mut self, addr: Phys, bytes: &[u8]) -> Result<(), KvmError> {
        self.ram.add_rom(addr, bytes)?;
        self.place_slots()
    }

    /// Switches address line A20 on or off: see [`crate::memory`].
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn set_a20(&mut self, on: bool) -> Result<(), KvmError> {
        if self.ram.a20() == on {
            return Ok(());
        }
        self.ram.set_a20(on);
        self.place_slots()
    }

    /// Shows the guest `window`, or none any longer: see [`Ram::show`](crate::memory::Ram::show).
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn show(&mut self, window: Option<Window>) -> Result<(), KvmError> {
        self.ram.show(window);
        self.place_slots()
    }

    /// Takes what the logs of `slots` say, and begins them anew.
    fn collect_dirty(&mut self, slots: &[Slot]) -> Result<(), KvmError> {
        if !self.logs_dirty_pages {
            return Ok(());
        }
        for Slot { number, stretch } in slots.iter().filter(|slot| !slot.stretch.read_only) {
            // What is a device's own, whoever keeps the device's state keeps.
            let Some(shows) = stretch.shows else { continue };
            let size = usize::try_from(stretch.region.size).unwrap_or(usize::MAX);
            let log = self.fd.get_dirty_log(*number, size);
            let log = log.map_err(KvmError::ioctl("KVM_GET_DIRTY_LOG"))?;
            self.slots.dirty.extend(pages(shows, &log));
        }
        Ok(())
    }

    /// The pages that the guest has written since the last call, by where [`Vm::ram`] has them.
    pub(super) fn take_guests_dirty_pages(&mut self) -> Result<BTreeSet<Phys>, KvmError> {
        let present = self.slots.present.clone();
        self.collect_dirty(&present)?;
        Ok(std::mem::take(&mut self.slots.dirty))
    }
}

/// The pages from `start` on whose bits are set, the lowest bit of the first word first.
pub(super) fn pages(start: Phys, bitmap: &[u64]) -> impl Iterator<Item = Phys> + '_ {
    (0..).zip(bitmap).filter(|(_, bits)| **bits != 0).flat_map(move |(word, bits)| {
        let set = (0..64).filter(move |bit| bits >> bit & 1 != 0);
        set.map(move |bit| start.offset((word * 64 + bit) * PAGE_SIZE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_a_log_are_pages() {
        let found: Vec<u64> = pages(Phys(0x1000), &[1 << 63 | 2, 1]).map(|page| page.0).collect();
        assert_eq!(found, [0x2000, 0x4_0000, 0x4_1000]);
    }
}
