//! What a serial port hears: a file, a pipe or a terminal, read so that the guest never waits for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use stepvisor::kvm::Kicker;

/// Bytes that are read at a time.
const CHUNK: usize = 256;

/// Opens `path`, or standard input for `-`; what comes later in a pipe or from a terminal kicks by `kicker`.
///
/// # Errors
/// It cannot be opened, or the system has no threads left.
pub fn open(path: &Path, kicker: Kicker) -> io::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        return Ok(match file.metadata()?.is_file() {
            true => Box::new(file),
            false => Box::new(Stream::new(|| Ok(file), kicker)?),
        });
    }
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        return Ok(Box::new(File::open(path)?));
    }
    // To open a named pipe takes until somebody writes to it.
    let path = path.to_owned();
    Ok(Box::new(Stream::new(|| File::open(path), kicker)?))
}

/// A file that blocks its readers, read by a thread.
struct Stream {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Of the last chunk, what nobody has taken yet.
    rest: Vec<u8>,
}

impl Stream {
    fn new(
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
        kicker: Kicker,
    ) -> io::Result<Stream> {
        // No more than will be asked for next, so that whoever writes to a pipe is held up.
        let (sender, chunks) = sync_channel(1);
        let read = move || {
            let send = |chunk| {
                let sent = sender.send(chunk);
                kicker.kick();
                sent.is_ok()
            };
            match open() {
                Ok(file) => while next_chunk(&file).is_some_and(send) {},
                Err(error) => drop(send(Err(error))),
            }
            // A guest that sleeps has nothing to wait for any more.
            drop(sender);
            kicker.kick();
        };
        thread::Builder::new().name("serial".to_owned()).spawn(read)?;
        Ok(Stream { chunks, rest: Vec::new() })
    }
}

/// What `file` has next, waited for; nothing at its end.
fn next_chunk(mut file: &File) -> Option<io::Result<Vec<u8>>> {
    let mut bytes = vec![0; CHUNK];
    loop {
        return match file.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) => None,
            Ok(len) => {
                bytes.truncate(len);
                Some(Ok(bytes))
            }
            Err(error) => Some(Err(error)),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = match self.chunks.try_recv() {
                Ok(chunk) => chunk?,
                Err(TryRecvError::Empty) => return Err(ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => return Ok(0),
            };
        }
        let len = self.rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&self.rest[..len]);
        self.rest.drain(..len);
        Ok(len)
    }
}
