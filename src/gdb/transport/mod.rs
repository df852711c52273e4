//! How a client reaches the server: TCP, a unix socket, or standard input and output.
//!
//! An acceptor thread waits for clients and hands each to a [`Sink`]; whoever gets one reads from it. Nothing
//! here knows of packets, but for what turns a second client away.

mod address;
mod connection;
mod farewell;
mod listener;
mod turn_away;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use address::{Address, ParseAddressError};
pub use connection::{Connection, ConnectionId, Input};
pub use farewell::Farewells;
pub use listener::{Acceptor, Listener};

/// Takes a client on the acceptor's thread; it is the only one until its [`Connection`] is dropped or finished.
pub type Sink = Arc<dyn Fn(Connection, Input) + Send + Sync>;

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The host name means nothing.
    #[error("cannot resolve the host in {address}")]
    Resolve {
        /// The address as given.
        address: String,
        /// The resolver's reason.
        source: io::Error,
    },
    /// Other machines could connect.
    #[error(
        "{address} can be reached from other machines, and whoever reaches it controls the guest: \
         --allow-remote permits it"
    )]
    NotLoopback {
        /// The address, resolved.
        address: SocketAddr,
    },
    /// The port or path is taken.
    #[error("{address} is in use: another port (0 for any free one) or path is needed")]
    InUse {
        /// The address as given.
        address: String,
    },
    /// Something that is no socket has the name.
    #[error("{} exists and is no socket", path.display())]
    NotASocket {
        /// The path as given.
        path: PathBuf,
    },
    /// Listening failed for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as given.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
