//! One client's connection: the writing end, and the thread that reads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Incoming, Sink};

/// A client that takes nothing for so long counts as gone, so that it cannot hold up the guest.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes handed to a [`Sink`] at once.
const CHUNK: usize = 0x4000;

/// Tells the clients of a server apart; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub(super) u64);

/// The place of the one client.
#[derive(Clone, Debug, Default)]
pub(super) struct Place(Arc<(Mutex<Option<Occupant>>, Condvar)>);

/// Who has the place.
#[derive(Debug)]
struct Occupant {
    id: ConnectionId,
    stream: Stream,
}

impl Place {
    /// Takes the place for `id` on `stream` if it is free. It counts as free when its client has hung up;
    /// then this waits until the client's end has been dealt with, at most for `patience`.
    pub(super) fn take(
        &self,
        id: ConnectionId,
        stream: &Stream,
        patience: Duration,
    ) -> io::Result<bool> {
        let stream = stream.try_clone()?;
        let occupied = |place: &mut Option<Occupant>| place.is_some();
        let mut place = self.lock();
        if place.as_ref().is_some_and(|occupant| occupant.stream.is_hung_up()) {
            let waited = self.0.1.wait_timeout_while(place, patience, occupied);
            place = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if place.is_some() {
            return Ok(false);
        }
        *place = Some(Occupant { id, stream });
        Ok(true)
    }

    /// Whether `id` has the place.
    fn is_of(&self, id: ConnectionId) -> bool {
        self.lock().as_ref().is_some_and(|occupant| occupant.id == id)
    }

    /// Frees the place if `id` has it.
    fn free(&self, id: ConnectionId) {
        if self.lock().take_if(|occupant| occupant.id == id).is_some() {
            self.0.1.notify_all();
        }
    }

    /// Nobody leaves it half changed.
    fn lock(&self) -> MutexGuard<'_, Option<Occupant>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Whether the other end has closed its writing direction, at least. What it sent before may still be
    /// unread.
    fn is_hung_up(&self) -> bool {
        let poll_fd = match self {
            Stream::Tcp(stream) => PollFd::new(stream, PollFlags::RDHUP),
            Stream::Unix(stream) => PollFd::new(stream, PollFlags::RDHUP),
            Stream::Stdio => return false,
        };
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [poll_fd], Some(&now)).is_ok_and(|ready| ready > 0)
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
        // First, so that a client that sees the end may come again.
        self.place.free(self.id);
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
