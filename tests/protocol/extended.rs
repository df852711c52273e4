//! The extended mode: a client that has the guest started anew.

use crate::handshake::FEATURES;
use crate::{Client, Server, TargetXml};

/// A client in the extended mode.
fn extended(server: &Server) -> Client {
    let mut client = server.connect();
    client.ask("qSupported:multiprocess+");
    client.order("!");
    client
}

fn eip(client: &mut Client) -> u64 {
    TargetXml::read(client, 0x1000).get(client, "eip")
}

#[test]
fn nothing_lets_a_guest_go_on_that_has_ended() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    client.order("!");
    client.order("vKill;1");
    for packet in ["c", "s", "C05", "vCont;c", "vCont;s:p1.1", "vCont:c", "vContc", "vCont"] {
        assert!(client.ask(packet).starts_with('E'), "{packet}");
    }
    assert_eq!(client.ask("?"), "W00");
    assert!(client.ask("vRun;").starts_with("T05"));
    assert!(client.run("s").starts_with("T05"));
}

#[test]
fn the_guest_is_started_anew_after_a_kill_and_without_one() {
    let mut server = Server::of("hello");
    let mut client = extended(&server);
    assert_eq!(client.ask("qAttached:1"), "1");
    for kill in [true, false] {
        client.order("Z0,7c0c,1");
        client.order("M500,1:55");
        assert!(client.run("vCont;c").contains("swbreak:;"));
        if kill {
            client.order("vKill;1");
            assert!(client.ask("vCont;c").starts_with('E'), "there is nothing to resume");
            assert_eq!(client.ask("?"), "W00");
            assert_eq!(client.ask("qfThreadInfo"), "l");
        }
        assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
        assert_eq!(eip(&mut client), 0x7c00);
        assert_eq!(client.memory(0x500, 1), [0]);
        assert_eq!(client.ask("qAttached:1"), "0");
    }
    assert!(server.is_alive());
}

#[test]
fn a_guest_that_was_killed_waits_for_the_next_client_at_its_start() {
    let server = Server::of("hello");
    let mut client = extended(&server);
    client.order("M500,1:55");
    client.order("vKill;1");
    client.vanish();
    let mut client = server.connect();
    assert_eq!(client.ask("?"), "T05thread:01;");
    assert_eq!(eip(&mut client), 0x7c00);
    assert_eq!(client.memory(0x500, 1), [0]);
}

#[test]
fn a_guest_that_has_exited_is_started_anew() {
    let mut server = Server::of("hello");
    let mut client = extended(&server);
    for status in [3, 5] {
        // mov al, N; out 0xf4, al
        client.order(format!("M7c00,4:b0{status:02x}e6f4"));
        assert_eq!(client.run("vCont;c"), format!("W{:02x}", 2 * status + 1));
        assert!(client.ask("vCont;c").starts_with('E'));
        assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
        assert_eq!(eip(&mut client), 0x7c00);
        assert_eq!(client.memory(0x7c00, 1), [0xfa], "the image was loaded anew");
    }
    assert!(server.is_alive());
}

#[test]
fn a_guest_that_is_let_go_runs_and_can_be_started_anew() {
    let mut server = Server::of("hello");
    let mut client = extended(&server);
    client.order("Z0,7c0c,1");
    client.order("D;1");
    server.wait_for("halted for ever");
    assert!(client.ask("vCont;c").starts_with('E'));
    assert!(client.monitor("screen").contains("Loaded at 7C00"), "the client is still there");
    assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
    assert_eq!(eip(&mut client), 0x7c00);
}

#[test]
fn the_guest_is_killed_while_it_runs() {
    let mut server = Server::of("addloop");
    let mut client = extended(&server);
    client.resume("vCont;c");
    client.order("vKill;1");
    assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
    assert_eq!(eip(&mut client), 0x7c00);
    assert!(server.is_alive());
}

#[test]
fn the_older_packet_starts_it_anew_without_a_reply() {
    let server = Server::of("hello");
    let mut client = extended(&server);
    client.run("vCont;s:1");
    client.send("R00");
    client.expect_ack();
    assert_eq!(eip(&mut client), 0x7c00);
}

#[test]
fn a_new_start_is_reported_in_the_mode_that_the_guest_is_in_then() {
    let server = Server::of("long");
    let mut client = server.connect();
    client.ask(FEATURES);
    client.order("!");
    client.ask("?");
    TargetXml::read(&mut client, 0x1000);
    client.run("vCont;c");
    assert!(client.run("vCont;c").contains("exec:"));
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i386:x86-64");
    assert!(client.run("vCont;c").starts_with("T02"));
    assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
    // It looks for a program, which must not be one of another architecture; then at the registers.
    assert_eq!(client.ask("qXfer:exec-file:read:1:0,fff"), "l[real mode]");
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i8086");
    // One that does not look has a program.
    assert_eq!(client.ask("vRun;"), "T05thread:p01.01;");
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i386:x86-64");
    client.order("Z0,7c06,1");
    assert!(client.run("vCont;c").contains("exec:"));
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i8086");
}

#[test]
fn without_the_extended_mode_a_kill_ends_the_server() {
    let mut server = Server::of("hello");
    let mut client = server.connect();
    assert_eq!(client.ask("vRun;"), "");
    client.order("vKill;1");
    assert!(server.wait().success());
}
