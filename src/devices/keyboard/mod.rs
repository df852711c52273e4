//! The keyboard: what a person types, the PS/2 keyboard that sends it, and the 8042 controller between it and
//! the guest.

pub mod controller;
pub mod keymap;

mod ps2;
mod scancode;

pub use controller::Controller;
pub use keymap::{KeyEvent, KeymapError};
pub use scancode::Key;
