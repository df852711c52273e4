//! `vCont`, `c`, `s`: going on, and what a stop says.

use crate::{Client, Server, TargetXml};

fn eip(client: &mut Client, xml: &TargetXml) -> u64 {
    xml.get(client, "eip")
}

#[test]
fn every_way_to_step_steps_one_instruction() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    let expected = [0x7c01, 0x7c06, 0x7c08, 0x7c0a, 0x7c0c, 0x7c0f, 0x7c12];
    let ways = [
        "s",
        "vCont;s",
        "vCont;s:1",
        "vCont;s:p1.1;c",
        "vCont;s:1;c:-1",
        "vCont;S05:1",
        "vCont;s:p1.-1",
    ];
    for (way, addr) in ways.iter().zip(expected) {
        let stop = client.run(way);
        assert!(stop.starts_with("T05"), "{way}: {stop}");
        assert_eq!(eip(&mut client, &xml), addr, "{way}");
    }
}

#[test]
fn every_way_to_continue_continues() {
    for way in ["c", "vCont;c", "vCont;c:1", "vCont;c:p1.-1", "vCont;C05", "vCont;c:-1"] {
        let server = Server::of("hello");
        let mut client = server.connect();
        client.order("Z0,7c2a,1");
        let stop = client.run(way);
        assert!(stop.contains("swbreak"), "{way}: {stop}");
    }
}

#[test]
fn a_range_is_stepped_through_to_its_end() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    for (range, end) in
        [("7c00,7c01", 0x7c01), ("7c01,7c0c", 0x7c0c), ("7c0c,7c0c", 0x7c0f), ("0,10", 0x7c12)]
    {
        let stop = client.run(&format!("vCont;r{range}:1"));
        assert!(stop.starts_with("T05"), "{range}: {stop}");
        assert_eq!(eip(&mut client, &xml), end, "{range}");
    }
    // A breakpoint inside stops it.
    client.order("Z0,7c18,1");
    let stop = client.run("vCont;r7c00,7c20:1");
    assert!(stop.contains("swbreak"), "{stop}");
    assert_eq!(eip(&mut client, &xml), 0x7c18);
}

#[test]
fn a_range_that_is_never_left_is_interrupted() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    client.order("Z0,7c20,1");
    client.run("vCont;c");
    client.order("z0,7c20,1");
    client.resume("vCont;r7c20,7c22:1");
    client.raw(&[3]);
    assert!(client.stop().starts_with("T02"));
    assert_eq!(eip(&mut client, &xml), 0x7c20);
}

#[test]
fn a_client_that_ignores_a_triple_fault_is_told_of_it_no_more_than_twice() {
    let server = Server::of("triple");
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, account) = client.stop_and_console();
    assert!(stop.starts_with("T0b") && account.contains("raised #UD"), "{stop} {account}");
    // As gdb goes on after `handle SIGSEGV nostop`.
    client.resume("vCont;C0b");
    let (stop, again) = client.stop_and_console();
    assert!(stop.starts_with("T0b") && again.contains("triple fault"), "{stop} {again}");
    assert!(!again.contains("raised #UD"), "{again}");
    client.resume("vCont;C0b");
    client.raw(b"\x03");
    let (stop, nothing) = client.stop_and_console();
    assert!(stop.starts_with("T02") && nothing.is_empty(), "{stop} {nothing}");
    // A user who looks is told, and told all once something has changed.
    client.memory(0x7c00, 1);
    client.resume("vCont;c");
    let (stop, again) = client.stop_and_console();
    assert!(stop.starts_with("T0b") && again.contains("triple fault"), "{stop} {again}");
    client.monitor("reset");
    client.resume("vCont;c");
    let (stop, account) = client.stop_and_console();
    assert!(stop.starts_with("T0b") && account.contains("raised #UD"), "{stop} {account}");
}

#[test]
fn the_ends_of_guests_are_told_apart() {
    // (code at 7c00, signal or exit, a word of the line before it)
    for (code, end, word) in [
        ("faf4", "T02", "halted for ever"),
        ("b003e6f4", "W07", "exit"),
        // mov ax, 0x1234; out 0xf4, ax: the lowest byte is all that fits.
        ("b83412e7f4", "W69", "exit"),
    ] {
        let server = Server::of("hello");
        let mut client = server.connect();
        client.order(format!("M7c00,{:x}:{code}", code.len() / 2));
        client.resume("vCont;c");
        let (stop, console) = client.stop_and_console();
        assert!(stop.starts_with(end), "{code}: {stop}");
        assert!(console.contains(word), "{code}: {console}");
    }
    let server = Server::of("triple");
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T0b") && console.contains("triple fault"), "{stop} {console}");
}

#[test]
fn an_access_to_nothing_stops_the_guest_if_told_so() {
    let server = Server::with(&["guests/bin/portio.bin", "--on-unclaimed", "stop"]);
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T0a") && console.contains("port 0x1234"), "{stop} {console}");
    // It can go on, behind the access.
    client.resume("vCont;c");
    let (stop, _) = client.stop_and_console();
    assert!(stop.starts_with("T0a"), "{stop}");
}

#[test]
fn guest_output_comes_while_it_runs_and_in_order() {
    let server = Server::of("portio");
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T02"), "{stop}");
    let lines: Vec<&str> = console.lines().collect();
    assert_eq!(lines[0], "Port E9, byte by byte.");
    assert_eq!(lines[1], "Port E9, all at once by rep outsb.");
    assert_eq!(lines[2], "!", "our own lines start new ones: {console}");
    assert!(console.lines().skip(3).all(|line| line.starts_with("stepvisor: ")), "{console}");
}

#[test]
fn packets_that_come_while_the_guest_runs_are_answered_after_its_stop() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    client.resume("vCont;c");
    client.send("m7dfe,2");
    client.send("vMustReplyEmpty");
    client.raw(&[3]);
    let stop = client.stop();
    assert!(stop.starts_with("T02"), "{stop}");
    client.expect_ack();
    assert_eq!(client.text(), "55aa");
    client.expect_ack();
    assert_eq!(client.text(), "");
}

#[test]
fn a_resume_at_an_address_is_refused_and_runs_nothing() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    for packet in ["c7c2a", "s7c2a"] {
        assert!(client.ask(packet).starts_with("E."), "{packet}");
        assert_eq!(eip(&mut client, &xml), 0x7c00);
    }
}
