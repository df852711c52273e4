//! Faults that other debug servers for virtual machines have, each with a test that this one has not.

use crate::client::{hex, unhex};
use crate::{Server, TargetXml};

#[test]
fn rbx_and_rbp_are_not_confused() {
    let server = Server::of("long");
    let mut client = server.connect();
    client.order("Z0,7d08,1");
    client.run("vCont;c");
    let xml = TargetXml::read(&mut client, 0x10000);
    assert_eq!(xml.set(&mut client, "rbx", 0xb), "OK");
    assert_eq!(xml.set(&mut client, "rbp", 0xbb), "OK");
    // push rbx; push rbp: the guest's own view.
    client.order("M600,2:5355");
    assert_eq!(xml.set(&mut client, "rsp", 0x7000), "OK");
    assert_eq!(xml.set(&mut client, "rip", 0x600), "OK");
    client.run("vCont;s:1");
    client.run("vCont;s:1");
    assert_eq!(
        client.memory(0x6ff0, 16),
        [&0xbbu64.to_le_bytes()[..], &0xbu64.to_le_bytes()].concat()
    );
    let g = unhex(&client.ask("g"));
    assert_eq!(g[8..16], 0xbu64.to_le_bytes(), "rbx is the second register of a g packet");
    assert_eq!(g[48..56], 0xbbu64.to_le_bytes(), "rbp is the seventh");
}

#[test]
fn a_selector_is_written_with_its_base() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    assert_eq!(xml.set(&mut client, "es", 0xb800), "OK");
    // mov byte es:[0], 'x': where the guest writes decides.
    client.order("M600,6:26c606000078");
    assert_eq!(xml.set(&mut client, "eip", 0x600), "OK");
    client.run("vCont;s:1");
    assert_eq!(client.memory(0xb8000, 1), b"x");
}

#[test]
fn a_step_over_out_executes_one_instruction() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    // out 0x80, al; inc bx; out dx, al; inc bx; in al, 0x80; inc bx
    client.order("M600,8:e68043ee43e48043");
    assert_eq!(xml.set(&mut client, "eip", 0x600), "OK");
    for (addr, bx) in [(0x602, 0), (0x603, 1), (0x604, 1), (0x605, 2), (0x607, 2), (0x608, 3)] {
        client.run("vCont;s:1");
        assert_eq!((xml.get(&mut client, "eip"), xml.get(&mut client, "ebx")), (addr, bx));
    }
}

#[test]
fn the_server_sleeps_while_the_guest_waits_for_nothing() {
    // The busy loop of peers: see `idle`, where the guest is halted and stopped. Here its end is waited
    // for by a server whose client has gone.
    let mut server = Server::of("hello");
    let mut client = server.connect();
    client.order("D");
    server.wait_for("halted for ever");
    assert_eq!(server.take_printed().matches("halted for ever").count(), 1, "said once");
}

#[test]
fn string_io_drops_no_data() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    // rep outsb; rep insb; hlt. What is sent to the debug port comes as console output.
    client.order("M600,5:f36ef36cf4");
    let text: String = (0..300).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    client.order(format!("M1000,{:x}:{}", text.len(), hex(text.as_bytes())));
    for (name, value) in [("eip", 0x600), ("esi", 0x1000), ("ecx", 300), ("edx", 0xe9)] {
        assert_eq!(xml.set(&mut client, name, value), "OK");
    }
    client.order("Z0,602,1");
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.contains("swbreak"), "{stop}");
    assert_eq!(console, text);
    assert_eq!(xml.get(&mut client, "esi"), 0x1000 + 300);
    // Reading the debug port gives E9 each time.
    assert_eq!(xml.set(&mut client, "ecx", 300), "OK");
    assert_eq!(xml.set(&mut client, "edi", 0x2000), "OK");
    client.order("z0,602,1");
    client.order("Z0,604,1");
    assert!(client.run("vCont;c").contains("swbreak"));
    assert_eq!(client.memory(0x2000, 301), [&[0xe9; 300][..], &[0]].concat());
    // The same step by step.
    assert_eq!(xml.set(&mut client, "eip", 0x600), "OK");
    assert_eq!(xml.set(&mut client, "esi", 0x1000), "OK");
    assert_eq!(xml.set(&mut client, "ecx", 30), "OK");
    client.resume("vCont;r600,602:1");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T05"), "{stop}");
    assert_eq!(console, text[..30]);
}

#[test]
fn a_watchpoint_watches_memory_and_not_a_port() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    // out 0x80, al; mov [0x80], al; nop
    client.order("M600,6:e680a2800090");
    for kind in ["Z2", "Z4"] {
        client.order(format!("{kind},80,1"));
        assert_eq!(xml.set(&mut client, "eip", 0x600), "OK");
        let stop = client.run("vCont;c");
        assert!(stop.contains("watch:"), "{stop}");
        assert_eq!(
            xml.get(&mut client, "eip"),
            0x605,
            "{kind}: behind the store, not behind the out"
        );
        client.order(format!("z{},80,1", &kind[1..]));
    }
}

#[test]
fn a_triple_fault_does_not_reboot_in_silence() {
    let server = Server::of("triple");
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T0b"), "{stop}");
    assert!(console.contains("triple fault"), "{console}");
    let xml = TargetXml::read(&mut client, 0x10000);
    assert_eq!(xml.architecture, "i386");
    assert_eq!(xml.get(&mut client, "cs"), 8);
    assert!(client.monitor("screen").contains("About to triple fault."));
    // And not on the second try either.
    assert!(client.run("vCont;c").starts_with("T0b"));
    assert!(client.run("vCont;s:1").starts_with("T0b"));
}

// "Features announced in qSupported that do not work": `handshake::every_announced_feature_works`.
