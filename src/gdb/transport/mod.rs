//! How a client reaches the server: TCP, a unix socket, or standard input and output.
//!
//! An acceptor thread waits for clients and a reader thread for each one's bytes; both hand what comes to a
//! [`Sink`] and know nothing of packets, but for the one that turns a second client away. Nothing polls.

mod address;
mod connection;
mod listener;
mod turn_away;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use address::{Address, ParseAddressError};
pub use connection::{Connection, ConnectionId};
pub use listener::{Acceptor, Listener};

/// What the threads report.
#[derive(Debug)]
pub enum Incoming {
    /// A client is there; it is the only one until it is gone.
    Connected(Connection),
    /// The client sent bytes.
    Bytes(ConnectionId, Vec<u8>),
    /// The client is gone.
    Closed(ConnectionId),
}

/// Takes what the threads report, on their threads. While it blocks, the client is not read from.
pub type Sink = Arc<dyn Fn(Incoming) + Send + Sync>;

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
