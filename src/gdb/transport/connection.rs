//! One client's connection: the writing end, and the thread that reads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{Incoming, Sink};

/// A client that takes nothing for so long counts as gone, so that it cannot hold up the guest.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes handed to a [`Sink`] at once.
const CHUNK: usize = 0x4000;

/// Tells the clients of a server apart; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub(super) u64);

/// The place of the one client: zero while it is free.
#[derive(Clone, Debug, Default)]
pub(super) struct Place(Arc<AtomicU64>);

impl Place {
    /// Takes the place for `id` if it is free.
    pub(super) fn take(&self, id: ConnectionId) -> bool {
        self.0.compare_exchange(0, id.0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether `id` has the place.
    fn is_of(&self, id: ConnectionId) -> bool {
        self.0.load(Ordering::Acquire) == id.0
    }

    /// Frees the place if `id` has it.
    fn free(&self, id: ConnectionId) {
        let _ = self.0.compare_exchange(id.0, 0, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// The two directions of a connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Stdio,
}

impl Stream {
    pub(super) fn try_clone(&self) -> io::Result<Stream> {
        Ok(match self {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
            Stream::Unix(stream) => Stream::Unix(stream.try_clone()?),
            Stream::Stdio => Stream::Stdio,
        })
    }

    /// Replies are small and waited for, so none may wait for more to fill a segment.
    fn prepare(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(WRITE_TIMEOUT))
            }
            Stream::Unix(stream) => stream.set_write_timeout(Some(WRITE_TIMEOUT)),
            Stream::Stdio => Ok(()),
        }
    }

    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Stream::Unix(stream) => stream.set_read_timeout(Some(timeout)),
            Stream::Stdio => Ok(()),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Stream::Tcp(stream) => stream.read(buffer),
                Stream::Unix(stream) => stream.read(buffer),
                Stream::Stdio => io::stdin().lock().read(buffer),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Stdio => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        // Fails only on a connection that is down already.
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
            Stream::Stdio => Ok(()),
        };
    }
}

/// The writing end of a client's connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    stream: Stream,
    place: Place,
    /// What the client still sends interests nobody; it is left to close its end.
    finished: Arc<AtomicBool>,
}

impl Connection {
    /// Starts reading from `stream`, whose `place` is taken, and announces it to `sink`.
    pub(super) fn start(
        id: ConnectionId,
        stream: Stream,
        place: Place,
        sink: &Sink,
    ) -> io::Result<()> {
        // From here on the place is freed whatever happens.
        let connection = Connection { id, stream, place, finished: Arc::default() };
        connection.stream.prepare()?;
        let mut reader = connection.stream.try_clone()?;
        let (sink, place) = (Arc::clone(sink), connection.place.clone());
        let finished = Arc::clone(&connection.finished);
        thread::Builder::new().name("gdb reader".to_owned()).spawn(move || {
            sink(Incoming::Connected(connection));
            let mut buffer = vec![0; CHUNK];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if place.is_of(id) {
                    sink(Incoming::Bytes(id, buffer.iter().take(count).copied().collect()));
                } else if !finished.load(Ordering::Acquire) {
                    // Cut off. A client that does not stop sending would keep the stream alive.
                    break;
                }
            }
            // In this order, so that the next client is announced after the end of this one.
            sink(Incoming::Closed(id));
            place.free(id);
        })?;
        Ok(())
    }

    /// Which connection this is.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Sends `bytes` at once.
    ///
    /// # Errors
    ///
    /// The client is gone, or takes nothing any more.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() { Ok(()) } else { self.stream.write(bytes) }
    }

    /// Ends the connection behind what was sent: the client can still read it, then it sees the end.
    pub fn finish(self) {
        self.finished.store(true, Ordering::Release);
        self.stream.shutdown(Shutdown::Write);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.finished.load(Ordering::Acquire) {
            self.stream.shutdown(Shutdown::Both);
        }
        self.place.free(self.id);
    }
}
