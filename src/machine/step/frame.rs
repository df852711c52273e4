//! What an interrupt or exception has pushed, as far as the top of the stack tells (SDM vol. 3A, 6.12.1 and 6.14.2;
//! for real mode 21.1.4).

use crate::machine::Machine;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::{CpuState, Linear};

/// A frame on top of the stack: an error code, if there is one, then IP, CS, FLAGS and what else was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PushedFrame {
    /// Bytes a word.
    pub width: u64,
    /// Words before IP: 1 with an error code, else 0.
    pub error_code: u64,
}

impl Machine {
    /// The frame on top of the stack that leads back to `rip` in the code segment of `before`, if there is one.
    pub(super) fn pushed_frame(&self, before: &CpuState, rip: u64) -> Option<PushedFrame> {
        // The gate decides the width in protected mode.
        let widths: &[u64] = match (before.cr0 & CR0_PE != 0, before.efer & EFER_LMA != 0) {
            (false, _) => &[2],
            (true, false) => &[4, 2],
            (true, true) => &[8],
        };
        let forms = widths
            .iter()
            .flat_map(|&width| [0, 1].map(|error_code| PushedFrame { width, error_code }));
        forms.into_iter().find(|frame| {
            let word = |n: u64| self.read_word(self.slot(*frame, n), frame.width);
            let mask = u64::MAX >> (64 - 8 * frame.width);
            word(0) == Some(rip & mask)
                && word(1).map(|cs| cs & 0xffff) == Some(before.segments.cs.selector.into())
        })
    }

    /// Where the flags are in the frame of a fault of the instruction that `before` is about to execute, if
    /// such a frame is on the top of the stack.
    pub(super) fn pushed_flags(&self, before: &CpuState) -> Option<Linear> {
        self.pushed_frame(before, before.rip).map(|frame| self.slot(frame, 2))
    }

    /// Word `n` of `frame`, IP being 0.
    fn slot(&self, frame: PushedFrame, n: u64) -> Linear {
        self.stack_address((n + frame.error_code) * frame.width)
    }

    pub(super) fn read_word(&self, addr: Linear, width: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let word = bytes.get_mut(..usize::try_from(width).ok()?)?;
        (self.read_linear(addr, word) == word.len()).then(|| u64::from_le_bytes(bytes))
    }
}
