//! What a client asks first.

use crate::{Server, TargetXml};

/// What gdb 13 says it can do.
pub const FEATURES: &str = "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;\
                            vfork-events+;exec-events+;vContSupported+;QThreadEvents+;no-resumed+;\
                            memory-tagging+;xmlRegisters=i386";

#[test]
fn every_announced_feature_works() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let reply = client.ask(FEATURES);
    for feature in reply.split(';') {
        match feature {
            "multiprocess+" => assert_eq!(client.ask("qfThreadInfo"), "mp01.01"),
            "vContSupported+" => assert!(client.ask("vCont?").starts_with("vCont;")),
            "QStartNoAckMode+" => {
                // In a session of its own: see the test of the no-ack mode.
            }
            "qXfer:features:read+" => {
                let server = Server::of("hello");
                let mut client = server.connect();
                assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i8086");
            }
            "qXfer:exec-file:read+" => {
                let name = client.ask("qXfer:exec-file:read:1:0,fff");
                assert!(name.ends_with("guests/bin/hello.elf"), "{name}");
            }
            "binary-upload+" => {
                assert_eq!(client.ask_bytes("x7dfe,2"), b"b\x55\xaa");
            }
            "ConditionalBreakpoints+" => {
                let server = Server::of("hello");
                let mut client = server.connect();
                client.order("Z0,7c06,1;X3,220027");
                client.order("Z0,7c08,1;X3,220127");
                assert!(client.run("vCont;c").contains("swbreak:;"));
                assert_eq!(TargetXml::read(&mut client, 0x1000).get(&mut client, "eip"), 0x7c08);
            }
            "BreakpointCommands+" => {
                let server = Server::of("hello");
                let mut client = server.connect();
                client.order("Z0,7c06,1;cmds:0,Xd,22002200340000046869210027");
                client.order("Z0,7c08,1");
                client.resume("vCont;c");
                let (stop, console) = client.stop_and_console();
                assert!(stop.contains("swbreak:;") && console == "hi!", "{stop} {console}");
            }
            "swbreak+" | "hwbreak+" => {
                let (kind, at) = if feature == "swbreak+" { ('0', 0x7c06) } else { ('1', 0x7c08) };
                client.order(format!("Z{kind},{at:x},1"));
                let stop = client.run("vCont;c");
                assert!(stop.contains(&format!("{}:;", &feature[..7])), "{stop}");
                client.order(format!("z{kind},{at:x},1"));
            }
            "exec-events+" => {
                let server = Server::of("protected");
                let mut client = server.connect();
                client.ask("qSupported:exec-events+");
                TargetXml::read(&mut client, 0x1000);
                assert!(client.ask("?").contains("exec:"));
                TargetXml::read(&mut client, 0x1000);
                client.run("vCont;c");
                client.order("Z0,7c38,1");
                let mode = crate::client::hex(b"[32-bit protected mode]");
                let stop = client.run("vCont;c");
                assert!(stop.contains(&format!("exec:{mode};")), "{stop}");
                assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i386");
                client.order("Z0,7c38,1");
                assert!(client.run("vCont;c").contains("swbreak:;"));
            }
            size => {
                let size = size.strip_prefix("PacketSize=").expect(feature);
                let size = usize::from_str_radix(size, 16).unwrap();
                // A read that fills a packet to the brim.
                assert_eq!(client.memory(0x500, size / 2).len(), size / 2);
            }
        }
    }
    for needed in ["PacketSize=", "QStartNoAckMode+", "qXfer:features:read+", "vContSupported+"] {
        assert!(reply.contains(needed), "{needed} is not in {reply}");
    }
}

#[test]
fn a_guest_that_has_not_run_reports_sigtrap() {
    let server = Server::of("hello");
    let mut client = server.connect();
    assert_eq!(client.ask("?"), "T05thread:01;");
    client.ask("qSupported:multiprocess+");
    assert_eq!(client.ask("?"), "T05thread:p01.01;");
}

#[test]
fn the_last_stop_is_told_again_and_to_the_next_client() {
    let mut server = Server::of("triple");
    let mut client = server.connect();
    assert!(client.run("vCont;c").starts_with("T0b"));
    assert_eq!(client.ask("?"), "T0bthread:01;");
    client.order("D");
    server.wait_for("triple fault");
    // A stop without a client: the message is the event to wait for.
    server.wait_for("a debugger may attach and look");
    assert_eq!(server.connect().ask("?"), "T0bthread:01;");
}

#[test]
fn the_one_thread_is_found() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.ask(FEATURES);
    assert_eq!(client.ask("Hgp0.0"), "OK");
    assert_eq!(client.ask("Hc-1"), "OK");
    assert_eq!(client.ask("qfThreadInfo"), "mp01.01");
    assert_eq!(client.ask("qsThreadInfo"), "l");
    assert_eq!(client.ask("Tp1.1"), "OK");
    assert_eq!(client.ask("qAttached:1"), "1");
}

#[test]
fn the_description_comes_in_chunks_of_any_size() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let whole = TargetXml::read(&mut client, 0xfff0);
    for chunk in [1 << 16, 0x1000, 0x7f, 1 + whole.text.len() / 2] {
        assert_eq!(TargetXml::read(&mut client, chunk).text, whole.text, "chunk {chunk:#x}");
    }
    let len = whole.text.len();
    assert_eq!(client.ask(format!("qXfer:features:read:target.xml:{len:x},10")), "l");
    assert_eq!(client.ask("qXfer:features:read:target.xml:ffffffffff,10"), "l");
    assert!(client.ask("qXfer:features:read:other.xml:0,10").starts_with('E'));
    assert!(client.ask("qXfer:features:read::0,10").starts_with('E'));
    assert_eq!(client.ask("qXfer:memory-map:read::0,1000"), "");
}

#[test]
fn unknown_packets_have_the_empty_reply() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for packet in [
        "vMustReplyEmpty",
        "qTStatus",
        "qL1160000000000000000",
        "QNonStop:1",
        "QProgramSignals:0;1",
        "qSymbol::",
        "bc",
        "bs",
        "r",
        "R00",
        "vRun;",
        "t500:1,2",
        "A1,0,41",
        "d",
        "y",
        "jThreadsInfo",
        "QDisableRandomization:1",
        "vAttach;1",
        "QTinit",
        "Qbtrace:off",
        "_m",
        "~",
        "1",
        "i",
        "I",
    ] {
        let reply = client.ask(packet);
        assert_eq!(reply, "", "{packet}");
    }
}

#[test]
fn lldb_is_told_what_it_debugs() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let triple = crate::client::hex(b"i386-unknown-unknown-code16");
    for packet in ["qHostInfo", "qProcessInfo"] {
        let reply = client.ask(packet);
        assert!(reply.contains(&format!("triple:{triple};")), "{packet}: {reply}");
        assert!(reply.contains("endian:little;") && reply.contains("ptrsize:4;"), "{reply}");
    }
}

#[test]
fn a_client_over_tcp_is_served_alike() {
    let server = Server::on_tcp(&["guests/bin/hello.elf"]);
    let mut client = crate::Client::tcp(server.address());
    assert_eq!(client.ask("?"), "T05thread:01;");
    client.no_acks();
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    client.order("Z0,7c06,1");
    assert!(client.run("vCont;c").contains("swbreak:;"));
}

#[test]
fn without_acknowledgements_packets_stand_alone() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.no_acks();
    assert_eq!(client.ask("?"), "T05thread:01;");
    // A stray acknowledgement or a NAK means nothing any more.
    client.raw(b"+-+");
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    // The next client starts with them again.
    client.order("D");
    client.expect_end();
    server.connect().ask("?");
}
