//! The cases, by topic.

mod io;

use crate::Case;
use crate::world::Mode;

/// All of them.
pub fn all() -> impl Iterator<Item = Case> {
    [io::cases()].into_iter().flatten()
}

/// All modes.
const ALL: &[Mode] = &[Mode::R, Mode::V, Mode::P16, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];
