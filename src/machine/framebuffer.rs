//! The memory that the guest and the VGA share.

use crate::devices::vga::vbe::LinearMemory;
use crate::memory::Shared;

/// The linear framebuffer.
#[derive(Debug)]
pub(super) struct Framebuffer(pub(super) Shared);

impl LinearMemory for Framebuffer {
    fn read(&self, offset: u32, data: &mut [u8]) {
        self.0.read(offset, data);
    }

    fn write(&self, offset: u32, data: &[u8]) {
        self.0.write(offset, data);
    }
}
