//! The gdb server: what speaks the Remote Serial Protocol (RSP) with a debugger.
//!
//! Sits on top of the machine, which knows nothing of gdb. gdbstub is the protocol engine; around it stand
//! a wire layer of our own ([`frame`]), which lets only well-formed packets reach the engine, and register
//! layouts ([`layout`]) that follow the mode of the processor. Follows appendix E, "gdb Remote Serial
//! Protocol", and appendix G, "Target Descriptions", of the gdb manual.

pub mod acks;
pub mod agent;
pub mod arch;
pub mod bulk;
pub mod client;
pub mod crashes;
pub mod engine;
pub mod extended;
pub mod extension;
pub mod follow;
pub mod form;
pub mod frame;
pub mod inbox;
pub mod layout;
pub mod monitor;
pub mod outbox;
pub mod packets;
pub mod program;
pub mod questions;
pub mod segments;
pub mod server;
pub mod session;
mod srecord;
pub mod stop;
pub mod target;
pub mod transport;

pub use server::{End, Server, Stopper};
pub use transport::{Address, Listener, TransportError};
