use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::*;
use crate::gdb::frame::{Decoder, FrameEvent, Reply};

fn listen(text: &str) -> (Address, Acceptor, Receiver<(Connection, Input)>) {
    let listener = Listener::bind(&text.parse().unwrap(), false).unwrap();
    let address = listener.address().clone();
    let (sender, receiver) = mpsc::channel();
    let sink: Sink = Arc::new(move |connection, input| drop(sender.send((connection, input))));
    (address, listener.start(sink).unwrap(), receiver)
}

fn connect(address: &Address) -> TcpStream {
    TcpStream::connect(address.to_string()).unwrap()
}

/// A path in a new directory, which goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stepvisor-transport-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("gdb.sock")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn bytes_go_both_ways_and_the_end_is_reported() {
    let (address, _acceptor, receiver) = listen("127.0.0.1:0");
    assert!(!address.to_string().ends_with(":0"), "port 0 becomes the real one");
    let mut client = connect(&address);
    let (mut connection, mut input) = receiver.recv().unwrap();
    client.write_all(b"+$?#3f").unwrap();
    let mut got = Vec::new();
    while got.len() < 6 {
        got.extend(input.read());
    }
    assert_eq!(got, b"+$?#3f");
    connection.send(b"$OK#9a").unwrap();
    let mut reply = [0; 6];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"$OK#9a");
    drop(client);
    assert_eq!(input.read(), b"");
}

#[test]
fn the_next_client_is_let_in_after_the_end_of_the_first() {
    let (address, _acceptor, receiver) = listen("localhost:0");
    for _ in 0..20 {
        let client = connect(&address);
        let (connection, mut input) = receiver.recv().unwrap();
        drop(client);
        assert_eq!(input.read(), b"");
        // The place is free once the old connection is let go, even if somebody could still read.
        drop(connection);
    }
    let mut client = connect(&address);
    drop(receiver.recv().unwrap());
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0, "dropping a connection ends it");
}

#[test]
fn a_second_client_is_told_why_it_cannot_have_the_guest() {
    let (address, _acceptor, receiver) = listen("127.0.0.1:0");
    let _first = connect(&address);
    let (mut connection, _input) = receiver.recv().unwrap();
    let mut second = connect(&address);
    second.write_all(b"+").unwrap();
    second.write_all(&Reply::new().text("qSupported:swbreak+").frame()).unwrap();
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).unwrap();
    let events = Decoder::default().push(&answer);
    let [FrameEvent::Ack, FrameEvent::Packet(body)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(body, b"E.stepvisor: another debugger is attached to this guest");
    drop(second);
    assert!(receiver.try_recv().is_err(), "the first session hears nothing of it");
    connection.send(b"$OK#9a").unwrap();
}

#[test]
fn clients_that_do_not_leave_are_waited_for_by_a_few_threads_only() {
    let (address, _acceptor, receiver) = listen("127.0.0.1:0");
    let farewells = Farewells::default();
    let mut clients: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut client = connect(&address);
            let (mut connection, input) = receiver.recv().unwrap();
            client.write_all(b"$D#44+++").unwrap();
            connection.send(b"$OK#9a").unwrap();
            connection.finish();
            farewells.bid(input, Duration::from_secs(600));
            client
        })
        .collect();
    let waiting = || {
        let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
        let names =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
        names.filter(|name| name.trim() == "gdb farewell").count()
    };
    assert!(waiting() <= 8, "{}", waiting());
    // The others lose nothing of what was sent to them.
    for client in &mut clients {
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, b"$OK#9a");
    }
}

#[test]
fn addresses_that_other_machines_reach_need_permission() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = Listener::bind(&everywhere, false).unwrap_err();
    assert!(matches!(refused, TransportError::NotLoopback { .. }));
    assert!(refused.to_string().contains("--allow-remote"));
    let (sender, receiver) = mpsc::channel();
    let sink: Sink = Arc::new(move |connection, input| drop(sender.send((connection, input))));
    let acceptor = Listener::bind(&everywhere, true).unwrap().start(sink).unwrap();
    drop(acceptor);
    assert!(receiver.recv().is_err(), "the acceptor and its sink are gone");
}

#[test]
fn a_port_in_use_is_reported_as_such() {
    let (address, _acceptor, _receiver) = listen("127.0.0.1:0");
    let refused = Listener::bind(&address, false).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("{address} is in use: another port (0 for any free one) or path is needed")
    );
}

#[test]
fn a_unix_socket_is_private_and_goes_with_the_server() {
    let scratch = Scratch::new();
    let path = scratch.socket();
    let (address, acceptor, receiver) = listen(&format!("unix:{}", path.display()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let client = UnixStream::connect(&path).unwrap();
    let connection = receiver.recv().unwrap();
    assert!(matches!(Listener::bind(&address, false), Err(TransportError::InUse { .. })));
    drop((client, connection, acceptor));
    assert!(!path.exists());
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let scratch = Scratch::new();
    let path = scratch.socket();
    let address = Address::Unix(path.clone());
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the system leaves the name behind");
    drop(Listener::bind(&address, false).unwrap());
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Listener::bind(&address, false), Err(TransportError::NotASocket { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}
