//! Screens for people: frames rendered as plain text, as ANSI text, as half blocks, and as pixels for PNG files.
//!
//! Sees [frames](crate::devices::frame) only, never a device, so that whatever makes frames can be shown.

pub mod ansi;
pub mod blocks;
pub mod keys;
mod look;
pub mod painter;
pub mod png;
pub mod raster;
pub mod screenshot;
pub mod sixel;
pub mod text;

pub use screenshot::{ScreenError, ScreenFormat, write_screen};
