//! A client of the Remote Serial Protocol that takes nothing for granted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A server that says nothing for so long hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Ack,
    Nak,
    /// A packet, its escapes taken out.
    Packet(Vec<u8>),
    /// It closed the connection.
    End,
}

/// Both kinds of socket.
pub trait Stream: Read + Write + Send {
    fn end(&self);
}

impl Stream for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Stream for TcpStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// A connection; it acknowledges until told otherwise.
pub struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    acks: bool,
}

impl Client {
    pub fn unix(path: &Path) -> Client {
        Client::try_unix(path).expect("the server listens")
    }

    /// Connects to a server that may have left.
    pub fn try_unix(path: &Path) -> Option<Client> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Some(Client::over(Box::new(stream)))
    }

    pub fn tcp(address: &str) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::over(Box::new(stream))
    }

    fn over(stream: Box<dyn Stream>) -> Client {
        Client { stream, unread: Vec::new(), acks: true }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends bytes to a server that may have left.
    pub fn try_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, body: impl AsRef<[u8]>) {
        self.raw(&frame(body.as_ref()));
    }

    /// The next thing that comes.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        loop {
            if let Some((event, used)) = parse(&self.unread) {
                self.unread.drain(..used);
                if self.acks && matches!(event, Event::Packet(_)) {
                    self.try_raw(b"+");
                }
                return event;
            }
            let mut buffer = [0; 0x4000];
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.unread.is_empty(), "half a packet: {:?}", self.unread);
                    return Event::End;
                }
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Event::End;
                }
                Err(error) => panic!("nothing came from the server: {error}"),
            }
        }
    }

    /// Whether another packet has come along with what was read last.
    pub fn has_packet(&self) -> bool {
        matches!(parse(&self.unread), Some((Event::Packet(_), _)))
    }

    /// The next packet, which no acknowledgement may precede.
    #[track_caller]
    pub fn packet(&mut self) -> Vec<u8> {
        match self.event() {
            Event::Packet(body) => body,
            other => panic!("{other:?} in place of a packet"),
        }
    }

    /// As [`packet`](Self::packet), as text.
    #[track_caller]
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.packet()).into_owned()
    }

    /// Whatever acknowledges a packet.
    #[track_caller]
    pub fn expect_ack(&mut self) {
        if self.acks {
            assert_eq!(self.event(), Event::Ack);
        }
    }

    /// Sends a packet and gives the reply.
    #[track_caller]
    pub fn ask_bytes(&mut self, body: impl AsRef<[u8]>) -> Vec<u8> {
        self.send(body);
        self.expect_ack();
        self.packet()
    }

    /// As [`ask_bytes`](Self::ask_bytes), as text.
    #[track_caller]
    pub fn ask(&mut self, body: impl AsRef<[u8]>) -> String {
        String::from_utf8_lossy(&self.ask_bytes(body)).into_owned()
    }

    /// Sends a packet that must come to `OK`.
    #[track_caller]
    pub fn order(&mut self, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        assert_eq!(self.ask(body), "OK", "reply to {}", String::from_utf8_lossy(body));
    }

    /// Lets the guest go on; no reply is expected yet.
    #[track_caller]
    pub fn resume(&mut self, body: &str) {
        self.send(body);
        self.expect_ack();
    }

    /// Lets the guest go on until it stops; console output on the way is dropped.
    #[track_caller]
    pub fn run(&mut self, body: &str) -> String {
        self.resume(body);
        self.stop()
    }

    /// The stop that is due.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        self.stop_and_console().0
    }

    /// The stop that is due, and what was printed before it.
    #[track_caller]
    pub fn stop_and_console(&mut self) -> (String, String) {
        let mut console = String::new();
        loop {
            let text = self.text();
            match text.strip_prefix('O') {
                Some(hex) if hex != "K" => {
                    console.push_str(&String::from_utf8_lossy(&unhex(hex)));
                }
                _ => return (text, console),
            }
        }
    }

    /// Carries out a `monitor` command and gives what it prints.
    #[track_caller]
    pub fn monitor(&mut self, command: &str) -> String {
        self.send(format!("qRcmd,{}", hex(command.as_bytes())));
        self.expect_ack();
        let (end, console) = self.stop_and_console();
        assert_eq!(end, "OK");
        console
    }

    /// Memory by `m`.
    #[track_caller]
    pub fn memory(&mut self, addr: u64, len: usize) -> Vec<u8> {
        let reply = self.ask(format!("m{addr:x},{len:x}"));
        assert!(!reply.starts_with('E'), "memory at {addr:#x}: {reply}");
        unhex(&reply)
    }

    /// Goes to the no-ack mode, as gdb does.
    #[track_caller]
    pub fn no_acks(&mut self) {
        self.order("QStartNoAckMode");
        self.acks = false;
    }

    /// Sends no acknowledgements from now on, and leaves those that come to the caller.
    pub fn leave_acks_out(&mut self) {
        self.acks = false;
    }

    /// Leaves without a word.
    pub fn vanish(self) {
        self.leave();
    }

    /// As [`vanish`](Self::vanish), for one whose place another takes.
    pub fn leave(&self) {
        self.stream.end();
    }

    /// Waits for the server to close the connection.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.event(), Event::End);
    }
}

/// A packet around `body`.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of digits: {text}");
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16);
    (0..text.len()).step_by(2).map(digit).collect::<Result<_, _>>().expect(text)
}

/// The first thing in `bytes` and how long it is; `None` if more has to come.
fn parse(bytes: &[u8]) -> Option<(Event, usize)> {
    match bytes.first()? {
        b'+' => Some((Event::Ack, 1)),
        b'-' => Some((Event::Nak, 1)),
        b'$' => {
            let end = bytes.iter().position(|byte| *byte == b'#')?;
            let sum = bytes.get(end + 1..end + 3)?;
            let body = &bytes[1..end];
            assert_eq!(frame(body)[end + 1..], *sum, "the server's checksum");
            Some((Event::Packet(unescape(body)), end + 3))
        }
        other => panic!("the server sent {other:#x} between packets"),
    }
}

fn unescape(body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'}' => data.push(bytes.next().expect("an escaped byte") ^ 0x20),
            b'*' | b'$' => panic!("unescaped {byte:#x} in a packet"),
            _ => data.push(*byte),
        }
    }
    data
}

/// `data` as the end of an `X` packet.
pub fn escape(data: &[u8]) -> Vec<u8> {
    data.iter().fold(Vec::new(), |mut out, &byte| {
        match byte {
            b'#' | b'$' | b'}' | b'*' => out.extend([b'}', byte ^ 0x20]),
            _ => out.push(byte),
        }
        out
    })
}
