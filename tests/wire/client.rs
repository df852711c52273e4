//! A small client of the remote protocol, and a server on a thread of its own for it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stepvisor::gdb::frame::{Decoder, FrameEvent, Reply, decode_hex};
use stepvisor::gdb::{End, Listener, Server, Stopper};
use stepvisor::machine::observer::Deaf;

use crate::common;

/// Longer than anything here takes; only a fault makes a test wait so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a guest, stopped and joined when dropped.
pub struct Guest {
    address: String,
    stopper: Stopper,
    thread: Option<JoinHandle<End>>,
}

impl Guest {
    /// A guest with `code` as its boot sector, waiting for a debugger.
    pub fn boot(code: &[u8]) -> Guest {
        let code = code.to_vec();
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut machine = common::boot(&code);
            let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), false).unwrap();
            let server = Server::new(&mut machine, listener, Box::new(Deaf));
            sender.send((server.address().to_string(), server.stopper())).unwrap();
            server.serve().unwrap()
        });
        let (address, stopper) = receiver.recv().unwrap();
        Guest { address, stopper, thread: Some(thread) }
    }

    /// A connection on which nothing was said yet.
    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, decoder: Decoder::new(1 << 20), events: Vec::new(), acks: true }
    }

    /// A connection as gdb has it after its first packets.
    pub fn attach(&self) -> Client {
        let mut client = self.connect();
        let features = client.ask("qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+");
        assert!(features.contains("QStartNoAckMode+"), "{features}");
        assert_eq!(client.ask("QStartNoAckMode"), "OK");
        client.acks = false;
        client
    }

    /// How serving ended; waits for it.
    pub fn end(mut self) -> End {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stopper.stop();
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    decoder: Decoder,
    events: Vec<FrameEvent>,
    acks: bool,
}

impl Client {
    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends `body` as a packet.
    pub fn send(&mut self, body: &str) {
        self.raw(&Reply::escaped(body.as_bytes()).frame());
    }

    /// What comes next; `None` at the end of the connection.
    pub fn event(&mut self) -> Option<FrameEvent> {
        self.try_event().unwrap()
    }

    fn try_event(&mut self) -> std::io::Result<Option<FrameEvent>> {
        let mut buffer = [0; 4096];
        while self.events.is_empty() {
            match self.stream.read(&mut buffer)? {
                0 => return Ok(None),
                count => self.events = self.decoder.push(&buffer[..count]),
            }
        }
        Ok(Some(self.events.remove(0)))
    }

    /// The next packet's body; `None` if the server ends the connection, in whatever way.
    pub fn try_receive(&mut self) -> Option<String> {
        loop {
            if let FrameEvent::Packet(body) = self.try_event().ok()?? {
                return Some(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }

    /// The next packet's body, acknowledged if need be.
    pub fn receive(&mut self) -> String {
        loop {
            match self.event().expect("the server closed the connection") {
                FrameEvent::Packet(body) => {
                    if self.acks {
                        self.raw(b"+");
                    }
                    return String::from_utf8_lossy(&body).into_owned();
                }
                FrameEvent::Ack if self.acks => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The reply to `body`.
    pub fn ask(&mut self, body: &str) -> String {
        self.send(body);
        self.receive()
    }

    /// The stop reply to the resume packet `body`, and the console lines before it.
    pub fn resume(&mut self, body: &str) -> (String, String) {
        self.send(body);
        self.stop()
    }

    /// The next stop reply, and the console lines before it.
    pub fn stop(&mut self) -> (String, String) {
        let mut console = String::new();
        loop {
            let reply = self.receive();
            match reply.strip_prefix('O').filter(|text| *text != "K") {
                Some(hex) => console
                    .push_str(&String::from_utf8(decode_hex(hex.as_bytes()).unwrap()).unwrap()),
                None => return (reply, console),
            }
        }
    }

    /// What `monitor COMMAND` prints.
    pub fn monitor(&mut self, command: &str) -> String {
        let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        let (last, console) = self.resume(&format!("qRcmd,{hex}"));
        assert_eq!(last, "OK");
        console
    }

    /// Register number `n`, 32 bits.
    pub fn register(&mut self, n: usize) -> u32 {
        number(&self.ask(&format!("p{n:x}")))
    }

    /// Closes the writing direction.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

/// A little-endian 32-bit number in hexadecimal.
pub fn number(hex: &str) -> u32 {
    let bytes = decode_hex(hex.as_bytes()).unwrap();
    u32::from_le_bytes(bytes.try_into().unwrap())
}

/// The expedited register `n` of a stop reply.
pub fn expedited(stop: &str, n: usize) -> u32 {
    let key = format!(";{n:02x}:");
    let start = stop.find(&key).unwrap_or_else(|| panic!("no register {n} in {stop}")) + key.len();
    number(&stop[start..start + 8])
}
