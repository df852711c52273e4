//! The program that the guest is: offered to a client that has none of its own, for its symbols.
//!
//! Answers `qXfer:exec-file:read` (gdb manual, E.19 "General Query Packets") with a name, and for a client
//! that reads the file through the server the `vFile` packets (E.7 "Host I/O Packets"). There is no other
//! file: nothing else of this host can be read, and nothing written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{MAX_PACKET, Reply, decode_hex, decode_number};
use super::layout::{Description, Layout};
use super::segments::{HEADERS, Segments};

/// Files that a client may have open at a time.
const MOST_OPEN: usize = 64;
/// Room in a packet for what stands around binary data.
const HEAD: usize = 32;

// Error numbers of the protocol (E.13.9 "Constants").
const NO_SUCH_FILE: u32 = 2;
const BAD_NUMBER: u32 = 9;
const TOO_MANY: u32 = 24;
const READ_ONLY: u32 = 30;
const FAILED: u32 = 5;
const INVALID: u32 = 22;

/// An ELF file and the name under which clients find it.
#[derive(Debug)]
pub struct Program {
    name: String,
    content: Content,
    /// The architecture that gdb would take from it.
    description: Option<Description>,
    open: BTreeSet<u64>,
}

#[derive(Debug)]
enum Content {
    File(File),
    Bytes(&'static [u8]),
}

impl Content {
    fn len(&self) -> io::Result<u64> {
        match self {
            Content::File(file) => file.metadata().map(|data| data.len()),
            Content::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read(&self, offset: u64, count: usize) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Content::File(file) => {
                let mut data = vec![0; count];
                let read = file.read_at(&mut data, offset)?;
                data.truncate(read);
                Ok(Cow::Owned(data))
            }
            Content::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.get(start..).unwrap_or_default();
                Ok(Cow::Borrowed(rest.get(..count).unwrap_or(rest)))
            }
        }
    }
}

impl Program {
    /// The file `path`, under its full name.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Program> {
        let name = path.canonicalize()?.to_string_lossy().into_owned();
        Ok(Program::new(name, Content::File(File::open(path)?)))
    }

    /// A file that is part of this program, under the name `name`.
    #[must_use]
    pub fn built_in(name: &str, bytes: &'static [u8]) -> Program {
        Program::new(name.to_owned(), Content::Bytes(bytes))
    }

    fn new(name: String, content: Content) -> Program {
        let head = content.read(0, 20).unwrap_or_default();
        // e_machine: EM_386, EM_X86_64.
        let description = match head.get(18..20) {
            Some([3, 0]) => Some(Description::I386),
            Some([62, 0]) => Some(Description::X86_64),
            _ => None,
        };
        Program { name, content, description, open: BTreeSet::new() }
    }

    /// The layout that fits its architecture.
    #[must_use]
    pub fn layout(&self) -> Option<&'static Layout> {
        self.description.map(Layout::of)
    }

    /// Where it is linked to run.
    #[must_use]
    pub fn segments(&self) -> Segments {
        Segments::parse(&self.content.read(0, HEADERS).unwrap_or_default())
    }

    /// Closes what a client has left open.
    pub fn forget_client(&mut self) {
        self.open.clear();
    }

    /// Its name, as clients are told.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The reply to the packet `vFile:REQUEST`.
    pub fn host_io(&mut self, request: &[u8]) -> Reply {
        let Some(colon) = request.iter().position(|byte| *byte == b':') else {
            return Reply::new();
        };
        let (operation, arguments) = request.split_at(colon);
        let arguments: Vec<&[u8]> =
            arguments.get(1..).unwrap_or_default().split(|byte| *byte == b',').collect();
        let number = |n: usize| arguments.get(n).and_then(|digits| decode_number(digits));
        match operation {
            b"setfs" => result(0),
            b"open" => self.open_file(arguments.first().copied().unwrap_or_default(), number(1)),
            b"close" => match number(0) {
                Some(fd) if self.open.remove(&fd) => result(0),
                _ => failure(BAD_NUMBER),
            },
            b"pread" => match (number(0), number(1), number(2)) {
                (Some(fd), Some(count), Some(offset)) if self.open.contains(&fd) => {
                    self.read(offset, count)
                }
                (Some(_), Some(_), Some(_)) => failure(BAD_NUMBER),
                _ => failure(INVALID),
            },
            b"fstat" => match number(0) {
                Some(fd) if self.open.contains(&fd) => self.status(),
                _ => failure(BAD_NUMBER),
            },
            b"pwrite" | b"unlink" => failure(READ_ONLY),
            b"readlink" => failure(INVALID),
            _ => Reply::new(),
        }
    }

    fn open_file(&mut self, name: &[u8], flags: Option<u64>) -> Reply {
        let (Some(name), Some(flags)) = (decode_hex(name), flags) else { return failure(INVALID) };
        if name != self.name.as_bytes() {
            return failure(NO_SUCH_FILE);
        }
        // Reading only: all other flags write or create.
        if flags != 0 {
            return failure(READ_ONLY);
        }
        let mut free = (3..).filter(|fd| !self.open.contains(fd));
        match free.next() {
            Some(fd) if self.open.len() < MOST_OPEN => {
                self.open.insert(fd);
                result(fd)
            }
            _ => failure(TOO_MANY),
        }
    }

    fn read(&self, offset: u64, count: u64) -> Reply {
        let count = usize::try_from(count).unwrap_or(MAX_PACKET).min(MAX_PACKET - HEAD);
        match self.content.read(offset, count) {
            Ok(data) => {
                let data = fitting(&data, MAX_PACKET - HEAD);
                Reply::new().text(&format!("F{:x};", data.len())).binary(data)
            }
            Err(error) => {
                log::warn!("cannot read {}: {error}", self.name);
                failure(FAILED)
            }
        }
    }

    /// The protocol's `struct stat`, big-endian.
    fn status(&self) -> Reply {
        const REGULAR_READABLE: u32 = 0o100_444;
        const BLOCK: u64 = 512;
        let Ok(size) = self.content.len() else { return failure(FAILED) };
        let mut data = Vec::with_capacity(64);
        // Device, inode, mode, links, user, group, device of a special file.
        for field in [0, 1, REGULAR_READABLE, 1, 0, 0, 0] {
            data.extend(field.to_be_bytes());
        }
        for field in [size, BLOCK, size.div_ceil(BLOCK)] {
            data.extend(field.to_be_bytes());
        }
        // Three times that mean nothing.
        data.extend([0; 12]);
        Reply::new().text(&format!("F{:x};", data.len())).binary(&data)
    }
}

/// The part of `data` from `offset` on, of at most `count` bytes, as a reply of `qXfer`.
#[must_use]
pub fn chunk(data: &[u8], offset: u64, count: u64) -> Reply {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let rest = data.get(start..).unwrap_or_default();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_PACKET - HEAD);
    let part = fitting(rest.get(..count).unwrap_or(rest), MAX_PACKET - HEAD);
    let more = if part.len() < rest.len() { "m" } else { "l" };
    Reply::new().text(more).binary(part)
}

/// As much of `data` as takes no more than `room` bytes with its escapes.
fn fitting(data: &[u8], room: usize) -> &[u8] {
    let mut left = room;
    let cost = |byte: &u8| if matches!(byte, b'#' | b'$' | b'}' | b'*') { 2 } else { 1 };
    let fits = |byte: &&u8| {
        let cost = cost(byte);
        let fits = cost <= left;
        left = left.saturating_sub(cost);
        fits
    };
    let count = data.iter().take_while(fits).count();
    data.get(..count).unwrap_or(data)
}

fn result(value: u64) -> Reply {
    Reply::new().text(&format!("F{value:x}"))
}

fn failure(number: u32) -> Reply {
    Reply::new().text(&format!("F-1,{number:x}"))
}
