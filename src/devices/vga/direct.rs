//! When the host finds plain memory in the window at A0000h: each byte written is the byte that is read, and nothing
//! else happens. Then the guest can be shown the memory itself, as if it were RAM.

use super::Vga;
use super::memory::PLANE_SIZE;
use crate::pages::Pages;

/// Bytes from A0000h on that are plain memory, if any are.
pub const DIRECT_SIZE: u32 = 0x1_0000;

/// What memory the first [`DIRECT_SIZE`] bytes of the window are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direct {
    /// The beginning of [`Vga::pages`].
    Planes,
    /// The framebuffer from this offset on.
    Framebuffer(u32),
}

impl Vga {
    /// What memory the window is, if it is plain memory: with chain 4, and all that could change a byte on its way
    /// switched off, as in mode 13h, and in linear modes.
    #[must_use]
    pub fn direct(&self) -> Option<Direct> {
        if let Some(bank) = self.bank() {
            return Some(Direct::Framebuffer(bank));
        }
        let (sequencer, graphics) = (&self.registers.sequencer, &self.registers.graphics);
        let plain = sequencer.chains_four()
            && sequencer.map_mask() == 0b1111
            && graphics.writes_plainly()
            && self.window().is_some_and(|window| window.start == 0);
        plain.then_some(Direct::Planes)
    }

    /// Whether the byte `address`, counted from A0000h, is plain memory.
    #[must_use]
    pub fn is_direct(&self, address: u32) -> bool {
        address < DIRECT_SIZE && self.direct().is_some()
    }

    /// The planes' memory.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        self.memory.pages()
    }
}

const _: () = assert!(DIRECT_SIZE as usize <= PLANE_SIZE * 4);
