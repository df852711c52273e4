//! Where the beam is on the screen: the bits of input status 1 that move.
//!
//! Time is handed in. A guest that polls must see both values of each bit even if nobody hands in any, so a read
//! that finds time where the last one left it takes the beam on by itself. And it must see each line even where
//! an access takes longer than the retrace between two lines.

use serde::{Deserialize, Serialize};

use super::crtc::Crtc;
use super::sequencer::Sequencer;

/// Nothing is shown at the moment: retrace, horizontal or vertical.
const DISPLAY_DISABLED: u8 = 0x01;
/// The vertical retrace.
const VERTICAL_RETRACE: u8 = 0x08;

/// How far the beam moves at most from one read to the next while a guest polls, in nanoseconds: shorter than a
/// horizontal retrace in every mode of the BIOS, so that polling misses none.
const READ_TIME: u64 = 5_000;
/// Reads that follow each other within this time, in nanoseconds, are polling. An exit takes a fraction of it.
const POLLING: u64 = 50_000;

/// The time by which the beam moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beam {
    /// Where the beam is, in nanoseconds since power-on. While a guest polls on a host that is slower than a PC,
    /// the beam waits for it.
    time: u64,
    /// The time now.
    now: u64,
    /// The time of the last read.
    read: u64,
}

impl Beam {
    /// Sets the time in nanoseconds. It never runs backwards.
    pub fn set_time(&mut self, nanoseconds: u64) {
        self.now = self.now.max(nanoseconds);
    }

    /// The bits of input status 1, of a read now.
    pub fn poll(&mut self, crtc: &Crtc, sequencer: &Sequencer, dot_clock: u64) -> u8 {
        self.time = match self.now - self.read {
            // There is no clock.
            0 => self.time.saturating_add(READ_TIME),
            passed @ ..POLLING => self.time.saturating_add(passed.min(READ_TIME)),
            _ => self.time.max(self.now),
        };
        self.read = self.now;
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
