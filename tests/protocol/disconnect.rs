//! Clients that come, leave, vanish, and come too many.

use crate::client::frame;
use crate::{Client, Event, Server};

/// What a real gdb sent in a session with the guest `hello`, a packet a line as gdb's own log writes it.
const SESSION: &str = include_str!("session.txt");

/// The bytes of each packet of [`SESSION`].
fn session() -> Vec<Vec<u8>> {
    SESSION.lines().map(unescape).collect()
}

/// Bytes that gdb's log writes as `\xNN`.
fn unescape(line: &str) -> Vec<u8> {
    let mut parts = line.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Plays the session as far as its first `limit` bytes, waiting for each reply.
#[track_caller]
fn replay(client: &mut Client, packets: &[Vec<u8>], mut limit: usize) {
    for packet in packets {
        let part = packet.len().min(limit);
        client.raw(&packet[..part]);
        limit -= part;
        if part < packet.len() {
            return;
        }
        loop {
            match client.event() {
                Event::Packet(body) if body.starts_with(b"O") && body != b"OK" => {}
                Event::Packet(_) => break,
                Event::Ack => {}
                other => panic!("{other:?} after {}", String::from_utf8_lossy(packet)),
            }
        }
    }
}

/// A client after another: served at once, and its guest is there.
#[track_caller]
fn next_client(server: &Server) -> Client {
    let mut client = server.connect();
    let reply = client.ask("?");
    assert!(reply.starts_with('T'), "{reply}");
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    assert_eq!(client.ask("g").len(), client.ask("g").len());
    client
}

#[test]
fn a_recorded_session_of_gdb_plays_to_its_end() {
    let mut server = Server::of("hello");
    let mut client = server.connect();
    client.leave_acks_out();
    replay(&mut client, &session(), usize::MAX);
    client.expect_end();
    server.wait_for("a debugger may attach and look");
    next_client(&server);
}

#[test]
fn a_client_may_vanish_anywhere_in_a_session() {
    let server = Server::of("hello");
    let packets = session();
    let total: usize = packets.iter().map(Vec::len).sum();
    for limit in (0..total).step_by(29) {
        let mut client = next_client(&server);
        client.monitor("reset");
        client.leave_acks_out();
        replay(&mut client, &packets, limit);
        client.vanish();
    }
    next_client(&server);
}

#[test]
fn a_client_may_vanish_without_reading_its_replies() {
    let server = Server::of("addloop");
    let packets = session();
    for count in 0..packets.len() - 1 {
        // The lot at once, and gone.
        let mut client = server.connect();
        client.try_raw(&packets[..count].concat());
        client.vanish();
    }
    let mut client = next_client(&server);
    client.resume("vCont;c");
    client.raw(&[3]);
    assert!(client.stop().starts_with("T02"));
}

#[test]
fn a_client_may_vanish_while_the_guest_runs() {
    let server = Server::of("addloop");
    for _ in 0..20 {
        let mut client = next_client(&server);
        client.resume("vCont;c");
        client.vanish();
    }
    // It goes on for whoever is next, to where it loops.
    let mut client = next_client(&server);
    client.order("Z0,7c20,1");
    client.run("vCont;c");
    assert_eq!(client.memory(0x7c22, 6), [5, 0, 4, 0, 9, 0]);
}

#[test]
fn a_guest_whose_client_vanished_runs_on() {
    let mut server = Server::of("portio");
    let mut client = server.connect();
    client.resume("vCont;c");
    client.vanish();
    server.wait_for("a debugger may attach and look");
    let mut client = next_client(&server);
    assert!(client.monitor("screen").contains("port 1234 reads FF and FFFF"));
}

#[test]
fn a_client_that_is_followed_at_once_leaves_its_place() {
    let server = Server::of("addloop");
    for _ in 0..50 {
        next_client(&server).vanish();
        let mut client = next_client(&server);
        client.order("D");
    }
}

#[test]
fn a_second_client_is_turned_away_with_a_message_and_disturbs_nobody() {
    let server = Server::of("addloop");
    let mut first = server.connect();
    first.ask("?");
    for _ in 0..20 {
        let mut second = server.connect();
        let reply = second.ask(crate::handshake::FEATURES);
        assert_eq!(reply, "E.stepvisor: another debugger is attached to this guest");
        second.expect_end();
        assert_eq!(first.memory(0x7dfe, 2), [0x55, 0xaa]);
    }
    first.resume("vCont;c");
    server.connect().try_raw(&frame(b"k"));
    first.raw(&[3]);
    assert!(first.stop().starts_with("T02"));
    // Many that say nothing.
    let _others: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    assert_eq!(first.memory(0x7dfe, 2), [0x55, 0xaa]);
}

#[test]
fn somebody_who_only_looks_whether_the_port_is_open_moves_nothing() {
    let server = Server::of("hello");
    for noise in [&b""[..], b"\0", b"GET / HTTP/1.0\r\n\r\n", b"+", b"$", b"$g#", b"\x03\x03"] {
        let mut client = server.connect();
        client.try_raw(noise);
        client.vanish();
    }
    let mut client = next_client(&server);
    assert!(client.monitor("registers").contains("EIP=00007c00"));
}

#[test]
fn somebody_who_only_looks_does_not_stop_a_guest_that_runs() {
    // "T\n" to port e9; mov dx, 0x80; mov cx, 60000; again: out dx, al; loop again; cli; hlt
    let code = [
        0xb0, b'T', 0xe6, 0xe9, 0xb0, b'\n', 0xe6, 0xe9, 0xba, 0x80, 0, 0xb9, 0x60, 0xea, 0xee,
        0xe2, 0xfd, 0xfa, 0xf4,
    ];
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("boot.bin");
    std::fs::write(&image, code).unwrap();
    let mut server = Server::with(&[image.to_str().unwrap(), "--no-wait"]);
    server.wait_for("T\n");
    server.connect().vanish();
    // Only a guest that runs on comes to its end.
    server.wait_for("a debugger may attach and look");
}

#[test]
fn a_detached_guest_runs_on() {
    let mut server = Server::of("portio");
    let mut client = server.connect();
    client.order("Z0,7c06,1");
    assert!(client.run("vCont;c").contains("swbreak"));
    client.order("D;1");
    client.expect_end();
    // What it says now goes to the server's own output.
    server.wait_for("Port E9, byte by byte.\nPort E9, all at once by rep outsb.\n");
    server.wait_for("a debugger may attach and look");
    let mut client = next_client(&server);
    assert!(client.monitor("screen").contains("port 1234 reads FF and FFFF"));
}

#[test]
fn a_killed_guest_is_gone_and_its_server_too() {
    for packet in ["k", "vKill;1", "vKill;a410"] {
        let mut server = Server::of("addloop");
        let mut client = server.connect();
        client.ask("?");
        client.send(packet);
        while client.event() != Event::End {}
        assert_eq!(server.wait().code(), Some(0), "{packet}");
    }
}
