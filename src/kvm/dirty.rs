//! Which pages of RAM have been written: by the guest, as KVM logs it, and by us, as the mapping does
//! (api.rst, 4.8 KVM_GET_DIRTY_LOG).

use super::slots::pages;
use super::{KvmError, Vm};
use crate::x86::Phys;

impl Vm {
    /// Whether KVM logs which pages the guest writes: only where a shutdown may destroy the registers. It
    /// costs the guest a fault at the first write to each page after each [`Vm::take_dirty_pages`].
    #[must_use]
    pub fn logs_dirty_pages(&self) -> bool {
        self.logs_dirty_pages
    }

    /// The pages that were written since the last call or since power-on, in ascending order. Needs
    /// [`Vm::logs_dirty_pages`].
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn take_dirty_pages(&mut self) -> Result<Vec<Phys>, KvmError> {
        let mut written = self.take_guests_dirty_pages()?;
        for (region, ours) in self.ram().take_written() {
            written.extend(pages(region.start, &ours));
        }
        Ok(written.into_iter().collect())
    }
}
