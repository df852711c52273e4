//! Bytes that are no packets, and packets that are damaged.

use crate::client::frame;
use crate::{Client, Event, Server};

#[track_caller]
fn expect_sigtrap(client: &mut Client) {
    client.expect_ack();
    assert_eq!(client.text(), "T05thread:01;");
}

#[test]
fn noise_between_packets_is_skipped() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for noise in [
        &b"\0"[..],
        b"\r\n",
        b"garbage #12 ",
        b"\xff\xfe",
        b"++++",
        b"#",
        b"##00",
        b"}}",
        b"%Stop:T05#00",
        b"%#00",
    ] {
        client.raw(&[noise, &frame(b"?"), noise].concat());
        expect_sigtrap(&mut client);
    }
}

#[test]
fn a_damaged_packet_is_asked_for_again() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for damaged in
        [&b"$?#00"[..], b"$?#zz", b"$?#3", b"$?#", b"$g?#3f", b"$?##3", b"$#01", b"$m7c00,1#\0\0"]
    {
        client.raw(damaged);
        if !damaged.ends_with(b"#3") && damaged != b"$?#" {
            assert_eq!(client.event(), Event::Nak, "{damaged:?}");
        }
        // Without its last digits it is known to be damaged once the next packet starts.
        client.send("?");
        if damaged.ends_with(b"#3") || damaged == b"$?#" {
            assert_eq!(client.event(), Event::Nak, "{damaged:?}");
        }
        expect_sigtrap(&mut client);
    }
}

#[test]
fn checksums_in_capitals_are_right() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.raw(b"$?#3F");
    expect_sigtrap(&mut client);
}

#[test]
fn a_nak_brings_the_reply_again_as_often_as_wanted() {
    let server = Server::of("hello");
    let mut client = server.connect();
    // Before there was any.
    client.raw(b"---");
    let reply = client.ask("m7c00,8");
    for _ in 0..3 {
        client.raw(b"-");
        assert_eq!(client.text(), reply);
    }
    // The stop reply, too.
    let stop = client.run("vCont;s:1");
    client.raw(b"-");
    assert_eq!(client.text(), stop);
    assert_eq!(client.ask("m7c00,8"), reply, "the guest moved once");
    // And each packet has its own.
    client.ask("?");
    client.raw(b"-");
    assert_eq!(client.text(), "T05thread:01;");
}

#[test]
fn a_packet_may_arrive_byte_by_byte() {
    let server = Server::on_tcp(&["guests/bin/hello.elf"]);
    let mut client = Client::tcp(server.address());
    for byte in frame(b"m7dfe,2") {
        client.raw(&[byte]);
    }
    client.expect_ack();
    assert_eq!(client.text(), "55aa");
}

#[test]
fn many_packets_may_arrive_at_once() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.raw(&frame(b"m7dfe,2").repeat(500));
    for _ in 0..500 {
        client.expect_ack();
        assert_eq!(client.text(), "55aa");
    }
}

#[test]
fn a_dollar_inside_a_packet_begins_another() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.raw(b"$m7c00,$m7c$$$?#3f");
    expect_sigtrap(&mut client);
}

#[test]
fn data_that_looks_like_protocol_is_data() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let data = b"\x03\x03+-%\0$?#3f}*";
    let packet = [&b"X600,d:"[..], &crate::client::escape(data)].concat();
    client.order(packet);
    assert_eq!(client.memory(0x600, data.len()), data);
}

#[test]
fn a_packet_of_a_mebibyte_is_one_error() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for len in [0x10001, 1 << 20] {
        for fill in *b"g}0\0" {
            let reply = client.ask(vec![fill; len]);
            assert!(reply.starts_with("E.") && reply.contains("65536"), "{reply}");
        }
    }
    // The largest that fits is taken.
    let data = "a5".repeat((0x10000 - "M10000,7ff8:".len()) / 2);
    client.order(format!("M10000,{:x}:{data}", data.len() / 2));
    assert_eq!(client.memory(0x10000, 0x7ff0), vec![0xa5; 0x7ff0]);
}

#[test]
fn damage_in_the_mode_without_acknowledgements_is_told() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.no_acks();
    client.raw(b"$?#00");
    assert!(client.text().starts_with("E."));
    assert_eq!(client.ask("?"), "T05thread:01;");
}
