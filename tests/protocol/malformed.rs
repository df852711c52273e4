//! Packets that are whole and make no sense: each costs an error or the empty reply, and changes nothing.

use crate::{Client, Server};

const WRONG: &[&str] = &[
    "m",
    "m,",
    "m7c00",
    "m7c00,",
    "m,4",
    "mxyz,4",
    "m7c00,xyz",
    "m7c00,4,5",
    "m 7c00,4",
    "m-1,4",
    "m10000000000000000,4",
    "m0,10000000000000000",
    "m7c00;4",
    "mg",
    "m0x7c00,4",
    "M",
    "M500",
    "M500,",
    "M500,1",
    "M500,1:",
    "M500,1:1",
    "M500,1:zz",
    "M500,2:00",
    "M500,1:0000",
    "M10000000000000000,1:00",
    "M500,10000000000000000:00",
    "M,1:00",
    "M500:00",
    "M500,fffffff:00",
    "X",
    "X500",
    "X500,",
    "X500,1",
    "X500,1:",
    "X500,2:a",
    "X500,1:ab",
    "X10000000000000000,1:a",
    "X500,1:}",
    "X500,fffff:a",
    "X,1:a",
    "G",
    "G0",
    "G00",
    "Gzz",
    "G}",
    "p",
    "pz",
    "p-1",
    "p100",
    "pffffffffffffffff",
    "p10000000000000000",
    "p0;",
    "P",
    "P0",
    "P0=",
    "P0=0",
    "P0=00",
    "P0=zzzzzzzz",
    "P0=0000000000",
    "P=00000000",
    "P100=00000000",
    "Pz=00000000",
    "P10000000000000000=00000000",
    "P0=00000000;thread:1;",
    "Z",
    "Z0",
    "Z0,",
    "Z0,7c00",
    "Z0,7c00,",
    "Z0,xyz,1",
    "Z0,7c00,xyz",
    "Z5,7c00,1",
    "Z9,7c00,1",
    "Zx,7c00,1",
    "Z0,10000000000000000,1",
    "Z0,7c00,10000000000000000",
    "Z-1,0,0",
    "Z2,500",
    "Z2,500,",
    "z",
    "z0",
    "z0,",
    "z0,7c00",
    "z0,xyz,1",
    "z5,7c00,1",
    "z0,10000000000000000,1",
    "z0,7c33,1",
    "H",
    "Hg",
    "Hx0",
    "Hgxyz",
    "Hgp1",
    "Hgp1.",
    "Hgpx.1",
    "Hg10000000000000000",
    "Hgp.1",
    "T",
    "Tx",
    "T10000000000000000",
    "Tp1.",
    "vCont;",
    "vCont;x",
    "vCont;q:1",
    "vCont;s:x",
    "vCont;r",
    "vCont;r7c00",
    "vCont;r7c00,",
    "vCont;rx,y",
    "vCont;C",
    "vCont;Czz",
    "vCont;Sxx:1",
    "vCont;s:1;x",
    "vCont:s",
    "vContx",
    "vCont;r10000000000000000,0:1",
    "qXfer",
    "qXfer:",
    "qXfer:features",
    "qXfer:features:read",
    "qXfer:features:read:target.xml",
    "qXfer:features:read:target.xml:",
    "qXfer:features:read:target.xml:0",
    "qXfer:features:read:target.xml:0,",
    "qXfer:features:read:target.xml:x,y",
    "qXfer:features:write:target.xml:0:00",
    "qXfer:features:read:target.xml:10000000000000000,1",
    "qXfer:nonsense:read:x:0,10",
    "qRcmd",
    "qRcmd,z",
    "qRcmd,0",
    "qRcmd,zz",
    "qRcmd;00",
    "qSupporte",
    "q",
    "Q",
    "v",
    "QStartNoAckMod",
    "QStartNoAckModex",
    "qHostInf",
    "qfThreadInf",
    "c1",
    "s1",
    "cxyz",
    "sxyz",
    "C",
    "Czz",
    "S",
    "Szz",
    "C05;7c00",
    "S05;7c00",
    "",
    "\u{0}",
    "\u{7f}",
    "ä",
    ":",
    ";",
    ",",
    "=",
    "vFile:open:2f,0,0",
    "vAttach;",
    "vRun",
    "vStopped",
    "vCtrlC",
    "QPassSignals:",
    "QThreadEvents:1",
];

fn state(client: &mut Client) -> (String, String, String) {
    (client.ask("g"), client.ask("m500,20"), client.ask("m7c00,200"))
}

#[test]
fn a_packet_that_makes_no_sense_costs_an_error_and_changes_nothing() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.no_acks();
    let mut accepted = Vec::new();
    for packet in WRONG {
        let before = state(&mut client);
        client.send(packet);
        let (reply, _) = client.stop_and_console();
        let harmless = state(&mut client) == before;
        if !harmless || !reply.is_empty() && !reply.starts_with('E') && !reply.starts_with("F-1,") {
            let word = if harmless { "" } else { ", and did harm" };
            accepted.push(format!("{packet:?}: {}{word}", &reply[..reply.len().min(30)]));
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
    // Nor did one of them leave a breakpoint.
    client.order("Z0,7c2a,1");
    assert!(client.run("vCont;c").contains("swbreak"));
}

#[test]
fn threads_that_do_not_exist_are_refused_or_ignored_but_end_nothing() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.ask(crate::handshake::FEATURES);
    for packet in
        ["Hgp2.1", "Hgp1.2", "Hg7", "Hcp-1.-1", "T2", "Tp1.2", "Tp2.1", "T0", "Hg0", "Hgp0.0"]
    {
        let reply = client.ask(packet);
        assert!(reply == "OK" || reply.starts_with('E'), "{packet}: {reply}");
    }
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    for packet in ["vKill;2", "vKill", "vKill;", "vKill;zz", "D;2", "D;zz"] {
        // Whatever they mean, the server survives them.
        let server = Server::of("hello");
        let mut client = server.connect();
        client.ask(crate::handshake::FEATURES);
        client.ask(packet);
    }
}

#[test]
fn addresses_wider_than_the_mode_do_no_harm() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for addr in
        ["ffffffff", "ffffffffffffffff", "100000000", "8000000000000000", "fffffffffffffffe"]
    {
        for packet in [
            format!("m{addr},1"),
            format!("m{addr},ffff"),
            format!("m{addr},ffffffffffffffff"),
            format!("Z0,{addr},1"),
            format!("z0,{addr},1"),
            format!("Z2,{addr},ffffffffffffffff"),
            format!("z2,{addr},ffffffffffffffff"),
            format!("Z4,{addr},8"),
            format!("z4,{addr},8"),
            format!("M{addr},1:00"),
            format!("X{addr},2:ab"),
        ] {
            client.ask(packet);
        }
    }
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    let stop = client.run("vCont;rffffffffffffffff,0:1");
    assert!(stop.starts_with("T05"), "{stop}");
}
