//! What a serial port hears: a file, a pipe or a terminal, read so that the guest never waits for it.

use std::fs::File;
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
    let file = if path.as_os_str() == "-" {
        File::from(io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        File::open(path)?
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        return Ok(Box::new(file));
    }
    Ok(Box::new(Stream::new(file, kicker)?))
}

/// A file that blocks its readers, read by a thread.
struct Stream {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Of the last chunk, what nobody has taken yet.
    rest: Vec<u8>,
}

impl Stream {
    fn new(mut file: File, kicker: Kicker) -> io::Result<Stream> {
        // No more than will be asked for next, so that whoever writes to a pipe is held up.
        let (sender, chunks) = sync_channel(1);
        let read = move || {
            loop {
                let mut bytes = vec![0; CHUNK];
                let chunk = match file.read(&mut bytes) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Ok(0) => break,
                    Ok(len) => {
                        bytes.truncate(len);
                        Ok(bytes)
                    }
                    Err(error) => Err(error),
                };
                let is_over = chunk.is_err();
                if sender.send(chunk).is_err() || is_over {
                    break;
                }
                kicker.kick();
            }
            // A guest that sleeps has nothing to wait for any more.
            drop(sender);
            kicker.kick();
        };
        thread::Builder::new().name("serial".to_owned()).spawn(read)?;
        Ok(Stream { chunks, rest: Vec::new() })
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
