//! One client's connection: the ends that write and read.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A client that takes nothing for so long counts as gone, so that it cannot hold up the guest.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes read at once.
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
        // Not through std's buffer around standard input, whose contents no poll would tell of.
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(self.as_fd(), &mut *buffer))?)
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
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_socket = !matches!(self, Stream::Stdio);
        is_socket
            && poll(&mut [PollFd::new(self, PollFlags::RDHUP)], Some(&now))
                .is_ok_and(|ready| ready > 0)
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

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Stdio => rustix::stdio::stdin(),
        }
    }
}

/// The writing end of a client's connection. Dropping it ends the connection.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    stream: Stream,
    place: Place,
    finished: bool,
}

/// The reading end.
#[derive(Debug)]
pub struct Input {
    stream: Stream,
}

impl Connection {
    /// Both ends of `stream`, whose `place` is taken.
    pub(super) fn open(
        id: ConnectionId,
        stream: Stream,
        place: Place,
    ) -> io::Result<(Connection, Input)> {
        // From here on the place is freed whatever happens.
        let connection = Connection { id, stream, place, finished: false };
        connection.stream.prepare()?;
        let input = Input { stream: connection.stream.try_clone()? };
        Ok((connection, input))
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

    /// Ends the connection behind what was sent: the client can still read it, then it sees the end. It is
    /// left to close its own; see [`Input::wait_for_end`].
    pub fn finish(mut self) {
        self.finished = true;
        // First, so that a client that sees the end may come again.
        self.place.free(self.id);
        self.stream.shutdown(Shutdown::Write);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.finished {
            self.stream.shutdown(Shutdown::Both);
        }
        self.place.free(self.id);
    }
}

impl Input {
    /// What came next, waited for; empty at the end. A broken connection is at its end.
    pub fn read(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; CHUNK];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        buffer.truncate(count);
        buffer
    }

    /// Waits until the client has closed its end, no longer than `patience`. Closing with unread bytes would
    /// take back what was sent last.
    pub fn wait_for_end(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            // A client that goes on sending does not stay any longer.
            let left = deadline.checked_duration_since(Instant::now());
            let Some(Ok(left)) = left.map(Timespec::try_from) else { return };
            let mut input = [PollFd::new(&self, PollFlags::IN)];
            match poll(&mut input, Some(&left)) {
                Ok(1..) if !self.read().is_empty() => {}
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
