//! Where the beam is on the screen: the bits of input status 1 that move.
//!
//! Time is handed in. A guest that polls must see both values of each bit even if nobody hands in any, so a read
//! that finds time where the last one left it takes the beam on by itself.

use serde::{Deserialize, Serialize};

use super::crtc::Crtc;
use super::sequencer::Sequencer;

/// Nothing is shown at the moment: retrace, horizontal or vertical.
const DISPLAY_DISABLED: u8 = 0x01;
/// The vertical retrace.
const VERTICAL_RETRACE: u8 = 0x08;

/// What a read takes at least, in nanoseconds: shorter than a horizontal retrace in every mode of the BIOS, so that
/// polling misses none.
const READ_TIME: u64 = 5_000;

/// The time by which the beam moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beam {
    /// In nanoseconds.
    time: u64,
    /// Time has passed since the last read.
    passed: bool,
}

impl Beam {
    /// Sets the time in nanoseconds. It never runs backwards.
    pub fn set_time(&mut self, nanoseconds: u64) {
        self.passed |= nanoseconds > self.time;
        self.time = self.time.max(nanoseconds);
    }

    /// The bits of input status 1, of a read now.
    pub fn poll(&mut self, crtc: &Crtc, sequencer: &Sequencer, dot_clock: u64) -> u8 {
        if !std::mem::take(&mut self.passed) {
            self.time = self.time.saturating_add(READ_TIME);
        }
        self.status(crtc, sequencer, dot_clock)
    }

    /// The same without a read. `dot_clock` is in Hz.
    #[must_use]
    pub fn status(&self, crtc: &Crtc, sequencer: &Sequencer, dot_clock: u64) -> u8 {
        let clocks = u64::from(crtc.line_clocks());
        let dots = u64::from(sequencer.dots()) << u8::from(sequencer.halves_dot_clock());
        let character = dots * 1_000_000_000_000 / dot_clock.max(1);
        // In picoseconds, or lines would be too short.
        let line_time = (clocks * character).max(1);
        let frame_time = line_time * u64::from(crtc.frame_lines());
        let now = u64::try_from(u128::from(self.time) * 1000 % u128::from(frame_time)).unwrap_or(0);
        let (line, clock) = (now / line_time, now % line_time / character.max(1));
        let (start, lines) = crtc.retrace();
        let mut status = 0;
        if line >= u64::from(crtc.shown_lines()) || clock >= u64::from(crtc.columns()) {
            status |= DISPLAY_DISABLED;
        }
        if line.wrapping_sub(u64::from(start)) < u64::from(lines) {
            status |= VERTICAL_RETRACE;
        }
        status
    }
}
