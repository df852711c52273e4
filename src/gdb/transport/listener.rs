//! Listening for clients, one at a time.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::connection::{Connection, ConnectionId, Place, Stream};
use super::turn_away::turn_away;
use super::{Address, Sink, TransportError};

/// How long the end of a client that has hung up may take before the next one is turned away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most clients that are being turned away at once; more are dropped without a word.
const MOST_TURNED_AWAY: usize = 8;
/// So many failures to accept in a row mean that it will never work again.
const MOST_FAILURES: usize = 64;

/// A bound address on which nobody is accepted yet.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
    Stdio,
}

/// The name of a unix socket in the file system, which goes when the server goes.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: by the time of removal the name may belong to somebody else.
    identity: Option<(u64, u64)>,
}

impl Listener {
    /// Binds `address`. Only loopback addresses, unix sockets and stdio are taken unless `allow_remote`.
    ///
    /// # Errors
    ///
    /// The address is not permitted, does not exist or is in use.
    pub fn bind(address: &Address, allow_remote: bool) -> Result<Listener, TransportError> {
        match address {
            Address::Tcp { host, port } => bind_tcp(address, host, *port, allow_remote),
            Address::Unix(path) => bind_unix(address, path),
            Address::Stdio => Ok(Listener { socket: Socket::Stdio, address: Address::Stdio }),
        }
    }

    /// The address with the port that was really taken.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Starts accepting clients, which go to `sink`.
    ///
    /// # Errors
    ///
    /// The system has no more threads.
    pub fn start(self, sink: Sink) -> io::Result<Acceptor> {
        let stop = Arc::new(AtomicBool::new(false));
        let desk = Desk { sink, place: Place::default(), turned_away: Arc::default(), last_id: 0 };
        let (waker, file, thread) = match self.socket {
            Socket::Tcp(listener) => {
                let waker = Waker::Tcp(reachable(listener.local_addr()?));
                let accept = move || Ok(Stream::Tcp(listener.accept()?.0));
                (waker, None, Some(desk.spawn(accept, Arc::clone(&stop))?))
            }
            Socket::Unix(listener, file) => {
                let waker = Waker::Unix(file.path.clone());
                let accept = move || Ok(Stream::Unix(listener.accept()?.0));
                (waker, Some(file), Some(desk.spawn(accept, Arc::clone(&stop))?))
            }
            Socket::Stdio => {
                let id = ConnectionId(1);
                desk.place.take(id, &Stream::Stdio, PATIENCE)?;
                let (connection, input) = Connection::open(id, Stream::Stdio, desk.place.clone())?;
                (desk.sink)(connection, input);
                (Waker::None, None, None)
            }
        };
        Ok(Acceptor { stop, waker, thread, _file: file })
    }
}

fn bind_tcp(
    address: &Address,
    host: &str,
    port: u16,
    allow_remote: bool,
) -> Result<Listener, TransportError> {
    let resolved: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|source| TransportError::Resolve { address: address.to_string(), source })?
        .collect();
    let remote = resolved.iter().find(|address| !address.ip().is_loopback());
    if let Some(address) = remote.filter(|_| !allow_remote) {
        return Err(TransportError::NotLoopback { address: *address });
    }
    let failed = |source| listen_error(address, source);
    let listener = TcpListener::bind(&resolved[..]).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let address = Address::Tcp { host: host.to_owned(), port };
    Ok(Listener { socket: Socket::Tcp(listener), address })
}

fn bind_unix(address: &Address, path: &Path) -> Result<Listener, TransportError> {
    let failed = |source| listen_error(address, source);
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(TransportError::NotASocket { path: path.to_owned() });
        }
        // Left behind by a server that died, unless somebody answers.
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(failed)?;
            }
            _ => return Err(TransportError::InUse { address: address.to_string() }),
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    let identity = Some((metadata.dev(), metadata.ino()));
    let file = SocketFile { path: path.to_owned(), identity };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Listener { socket: Socket::Unix(listener, file), address: address.clone() })
}

fn listen_error(address: &Address, source: io::Error) -> TransportError {
    let address = address.to_string();
    if source.kind() == io::ErrorKind::AddrInUse {
        TransportError::InUse { address }
    } else {
        TransportError::Listen { address, source }
    }
}

/// An address under which this machine reaches a listener that may be bound to every interface.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into())
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into())
        }
        _ => {}
    }
    address
}

/// What the acceptor thread needs: it lets the first client in and turns others away.
struct Desk {
    sink: Sink,
    place: Place,
    turned_away: Arc<AtomicUsize>,
    last_id: u64,
}

impl Desk {
    fn spawn(
        mut self,
        mut accept: impl FnMut() -> io::Result<Stream> + Send + 'static,
        stop: Arc<AtomicBool>,
    ) -> io::Result<JoinHandle<()>> {
        let run = move || {
            let mut failures = 0;
            while failures < MOST_FAILURES {
                let accepted = accept();
                if stop.load(Ordering::Acquire) {
                    return;
                }
                match accepted.and_then(|stream| self.receive(stream)) {
                    Ok(()) => failures = 0,
                    Err(error) => {
                        log::warn!("cannot accept a debugger: {error}");
                        failures += 1;
                    }
                }
            }
            log::error!("no more debuggers are accepted");
        };
        thread::Builder::new().name("gdb acceptor".to_owned()).spawn(run)
    }

    fn receive(&mut self, stream: Stream) -> io::Result<()> {
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        if self.place.take(id, &stream, PATIENCE)? {
            let (connection, input) = Connection::open(id, stream, self.place.clone())?;
            (self.sink)(connection, input);
            return Ok(());
        }
        log::warn!("a second debugger was turned away");
        let count = Arc::clone(&self.turned_away);
        if count.fetch_add(1, Ordering::AcqRel) >= MOST_TURNED_AWAY {
            count.fetch_sub(1, Ordering::AcqRel);
            return Ok(());
        }
        let run = move || {
            if let Err(error) = turn_away(stream) {
                log::debug!("the second debugger left early: {error}");
            }
            count.fetch_sub(1, Ordering::AcqRel);
        };
        thread::Builder::new().name("gdb turn-away".to_owned()).spawn(run).map(drop)
    }
}

/// How the acceptor thread is woken to end.
#[derive(Debug)]
enum Waker {
    Tcp(SocketAddr),
    Unix(PathBuf),
    None,
}

/// The running acceptor; dropping it ends listening, but no connection.
#[derive(Debug)]
pub struct Acceptor {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    _file: Option<SocketFile>,
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A connection of our own ends the wait in accept.
        let woken = match &self.waker {
            Waker::Tcp(address) => TcpStream::connect(address).is_ok(),
            Waker::Unix(path) => UnixStream::connect(path).is_ok(),
            Waker::None => true,
        };
        // If it cannot be woken, it is left to the end of the process.
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path).map(|found| (found.dev(), found.ino()));
        if now.ok() == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}
