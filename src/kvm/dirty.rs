//! Which pages of RAM have been written: by the guest, as KVM logs it, and by us, as the mapping does
//! (api.rst, 4.8 KVM_GET_DIRTY_LOG).

use super::{KvmError, Vm};
use crate::memory::PAGE_SIZE;
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
    pub fn take_dirty_pages(&self) -> Result<Vec<Phys>, KvmError> {
        let mut pages = Vec::new();
        for (slot, (region, ours)) in (0..).zip(self.ram().take_written()) {
            let size = usize::try_from(region.size).unwrap_or(usize::MAX);
            let log = self.fd.get_dirty_log(slot, size);
            let guests = log.map_err(KvmError::ioctl("KVM_GET_DIRTY_LOG"))?;
            let words = guests.into_iter().zip(ours.into_iter().chain(std::iter::repeat(0)));
            for (word, (guest, our)) in (0..).zip(words) {
                let mut bits = guest | our;
                while bits != 0 {
                    let page = word * 64 + u64::from(bits.trailing_zeros());
                    pages.push(region.start.offset(page * PAGE_SIZE));
                    bits &= bits - 1;
                }
            }
        }
        Ok(pages)
    }
}
