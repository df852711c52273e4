//! The protocol on the wire: a small client of our own says what no gdb says, and reads every byte.
//!
//! Each test starts `stepvisor gdbserver` on a unix socket of its own. Nothing here waits for time to pass:
//! a limit on reading turns a server that hangs into a failure.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod agent;
mod breakpoints;
mod client;
mod disconnect;
mod extended;
mod follow;
mod framing;
mod fuzz;
mod handshake;
mod idle;
mod interrupt;
mod malformed;
mod memory;
mod monitor;
mod peers;
mod program;
mod questions;
mod registers;
mod resume;
mod server;
mod stops;
mod target_xml;

use client::{Client, Event};
use server::Server;
use target_xml::TargetXml;
