//! The server against a client that does what no debugger would do. Needs /dev/kvm.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
#[path = "../common/mod.rs"]
mod common;

use client::{Client, Guest, expedited};
use stepvisor::gdb::End;
use stepvisor::gdb::frame::FrameEvent;

/// `jmp $`
const LOOP: &[u8] = &[0xeb, 0xfe];
/// `inc ax; inc bx; cli; hlt`
const HALT: &[u8] = &[0x40, 0x43, 0xfa, 0xf4];
const EAX: usize = 0;
const EBX: usize = 3;
const EIP: usize = 8;

#[test]
fn a_session_steps_continues_and_is_interrupted() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    assert_eq!(client.ask("?"), "T05thread:p01.01;");
    let (stop, _) = client.resume("vCont;s:p1.1");
    assert!(stop.starts_with("T05thread:p01.01;"), "{stop}");
    assert_eq!(expedited(&stop, EIP), 0x7c00);
    client.send("vCont;c:p1.-1");
    client.raw(b"\x03");
    let (stop, _) = client.stop();
    assert!(stop.starts_with("T02"), "{stop}");
    assert_eq!(client.ask("vKill;1"), "OK");
    assert_eq!(guest.end(), End::Killed);
}

#[test]
fn breakpoints_are_reported_as_they_were_inserted() {
    let guest = Guest::boot(HALT);
    let mut client = guest.attach();
    for (insert, remove, word) in
        [("Z0,7c01,1", "z0,7c01,1", "swbreak:;"), ("Z1,7c01,1", "z1,7c01,1", "hwbreak:;")]
    {
        assert_eq!(client.ask(insert), "OK");
        let (stop, _) = client.resume("vCont;c");
        assert!(stop.starts_with(&format!("T05thread:p01.01;{word}")), "{stop}");
        assert_eq!(expedited(&stop, EIP), 0x7c01);
        assert_eq!(client.ask(remove), "OK");
        assert_eq!(client.ask("P8=007c0000"), "OK");
    }
    assert!(client.ask("z0,7c01,1").starts_with('E'), "there is none any more");
    // Both kinds at many addresses: none is refused.
    for n in 0..40 {
        assert_eq!(client.ask(&format!("Z0,{:x},1", 0x8000 + n)), "OK");
    }
    assert_eq!(client.ask("Z1,7c01,1"), "OK");
    let (stop, _) = client.resume("vCont;c");
    assert!(stop.contains("hwbreak:;"), "{stop}");
}

#[test]
fn a_range_is_stepped_without_a_reply_for_each_instruction() {
    let guest = Guest::boot(HALT);
    let mut client = guest.attach();
    let (stop, _) = client.resume("vCont;r7c00,7c02:p1.1");
    assert!(stop.starts_with("T05"), "{stop}");
    assert_eq!(expedited(&stop, EIP), 0x7c02);
    assert_eq!((expedited(&stop, EAX), expedited(&stop, EBX)), (1 + 0xaa55, 1));
}

#[test]
fn a_halt_for_ever_is_explained_and_the_session_goes_on() {
    let guest = Guest::boot(HALT);
    let mut client = guest.attach();
    let (stop, console) = client.resume("vCont;c");
    assert!(stop.starts_with("T02"), "{stop}");
    assert!(console.contains("halted for ever"), "{console}");
    // Stepping there must not look like a completed step, or a debugger would step on for ever.
    let (stop, _) = client.resume("vCont;r7c00,7d00:p1.1");
    assert!(stop.starts_with("T02"), "{stop}");
    assert_eq!(client.register(EBX), 1);
}

#[test]
fn damaged_packets_are_asked_for_again_while_acks_are_in_use() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.connect();
    client.raw(b"$?#00");
    assert_eq!(client.event(), Some(FrameEvent::Nak));
    client.raw(b"$?#3f");
    assert_eq!(client.event(), Some(FrameEvent::Ack));
    let Some(FrameEvent::Packet(first)) = client.event() else { panic!("no reply") };
    client.raw(b"-");
    assert_eq!(client.event(), Some(FrameEvent::Packet(first)), "sent again");
    client.raw(b"+");
    assert_eq!(client.ask("QStartNoAckMode"), "OK");
    client.raw(b"+-$?#00");
    assert_eq!(client.event(), Some(FrameEvent::Packet(b"E.bad checksum".to_vec())));
}

#[test]
fn packets_that_make_no_sense_cost_an_error_and_nothing_else() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    let bad = [
        "m",
        "m,",
        "m0",
        "mx,1",
        "m0,1,2",
        "m10000000000000000,4",
        "m0,10000000000000000",
        "M0,1",
        "M0,1:zz",
        "M10000000000000000,1:00",
        "X0,1",
        "X10000000000000000,1:a",
        "G",
        "G00",
        "Gzz",
        "p",
        "pzz",
        "p10000000000000000",
        "pfff",
        "P",
        "P0",
        "P0=",
        "P0=zz",
        "P0=00",
        "Pfff=00",
        "P0=0000000000",
        "Z",
        "Z0",
        "Z0,",
        "Z0,zz,1",
        "Z9,0,1",
        "Z0,10000000000000000,1",
        "z0,7c00,1",
        "Z2,0,10000000000000000",
        "H",
        "Hx",
        "Hg-1",
        "Hgzz",
        "T",
        "T0",
        "vCont",
        "vCont;",
        "vCont;x",
        "vCont;t",
        "vCont;s;s",
        "vCont;r1",
        "vCont;rzz,1",
        "vCont;c:zz",
        "vKill",
        "vKill;",
        "vRun",
        "vAttach;1",
        "qRcmd,zz",
        "qXfer",
        "qXfer:features:read",
        "qXfer:features:read:target.xml",
        "qXfer:features:read:target.xml:",
        "c7c00",
        "s7c00",
        "qXfer:features:read:other.xml:0,100",
        "qSupported",
        "qSupported:",
        "qSupported:;;",
        "!",
        "R00",
        "A",
        "B",
        "b",
        "bs",
        "bc",
        "t",
        "i",
        "",
        "\u{80}",
        "vMustReplyEmpty",
        "qC",
        "qOffsets",
    ];
    for packet in bad.iter().filter(|packet| !packet.starts_with("vKill")) {
        let reply = client.ask(packet);
        let expected = reply.is_empty()
            || reply.starts_with('E')
            || packet.starts_with("qSupported")
            || (packet.starts_with("Z2") && reply == "OK");
        assert!(expected, "{packet}: {reply}");
        // The register and the memory are as before, the session goes on.
        assert_eq!(client.register(EIP), 0x7c00, "after {packet}");
        assert_eq!(client.ask("m7c00,2"), "ebfe", "after {packet}");
    }
}

#[test]
fn a_packet_of_any_size_has_an_answer() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    let data = "41".repeat(0x7ff0);
    assert_eq!(client.ask(&format!("M10000,7ff0:{data}")), "OK");
    let read = client.ask("m10000,ffffffff");
    assert_eq!(read.len(), 0x10000, "what fits a packet");
    assert!(read.starts_with(&data));
    let reply = client.ask(&format!("M10000,10000:{}", "42".repeat(0x10000)));
    assert!(reply.starts_with("E.packet longer than"), "{reply}");
    assert_eq!(client.ask("m10000,1"), "41");
}

#[test]
fn reads_end_where_memory_ends() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    assert_eq!(client.ask("m90000000,4"), "E0e");
    // 2 MiB of RAM: two bytes are left.
    assert_eq!(client.ask("m1ffffe,4").len(), 4);
    assert!(client.ask("M90000000,1:00").starts_with("E."));
    assert!(client.ask("mffffffffffffffff,100").len() <= 0x200);
    assert_eq!(client.ask("m7c00,0"), "");
}

#[test]
fn a_storm_of_interrupts_stops_the_guest_once_each_time_it_runs() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    client.raw(&[0x03; 1000]);
    for _ in 0..50 {
        client.send("vCont;c");
        client.raw(&[0x03; 100]);
        let (stop, _) = client.stop();
        assert!(stop.starts_with("T02"), "{stop}");
    }
    assert_eq!(client.ask("m7c00,2"), "ebfe");
}

#[test]
fn what_is_sent_while_the_guest_runs_waits_for_the_stop() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    client.send("vCont;c");
    client.send("m7c00,2");
    client.send("vCont;s");
    client.send("m7c00,1");
    client.raw(b"\x03");
    assert!(client.receive().starts_with("T02"));
    assert_eq!(client.receive(), "ebfe");
    assert!(client.receive().starts_with("T05"));
    assert_eq!(client.receive(), "eb");
}

#[test]
fn a_client_that_talks_without_end_is_dropped() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    client.send("vCont;c");
    let packet = stepvisor::gdb::frame::Reply::new().text(&"m".repeat(0x8000)).frame();
    while std::io::Write::write_all(&mut client.stream, &packet).is_ok() {}
    let mut next = attach_when_free(&guest);
    assert_eq!(next.ask("m7c00,2"), "ebfe");
}

#[test]
fn a_client_may_vanish_at_any_point() {
    let guest = Guest::boot(LOOP);
    let session = b"+$qSupported:multiprocess+#c6+$Z0,7c00,1#da+$vCont;c#a8\x03+$g#67";
    for end in 0..=session.len() {
        let mut client = attach_when_free(&guest);
        client.raw(&session[..end]);
        if end % 2 == 0 {
            client.half_close();
        }
    }
    let mut client = attach_when_free(&guest);
    assert_eq!(client.register(EIP), 0x7c00);
    // The breakpoints of those who left are gone: the loop goes on.
    client.send("vCont;c");
    client.raw(b"\x03");
    assert!(client.stop().0.starts_with("T02"));
}

#[test]
fn the_guest_runs_on_after_detach_and_can_be_attached_again() {
    // inc ax; jmp back
    let guest = Guest::boot(&[0x40, 0xeb, 0xfd]);
    let mut client = guest.attach();
    assert_eq!(client.ask("Z0,7c01,1"), "OK");
    assert_eq!(client.ask("D;1"), "OK");
    assert_eq!(client.event(), None, "the server closes the connection");
    let mut last = None;
    // It runs if AX is not the same each time; a counter of 16 bits may have come round once.
    let mut moved = 0;
    for _ in 0..5 {
        let mut client = attach_when_free(&guest);
        let ax = client.register(EAX);
        moved += usize::from(last.is_some_and(|last| last != ax));
        last = Some(ax);
        assert_eq!(client.ask("D"), "OK");
    }
    assert!(moved > 0);
}

#[test]
fn somebody_who_only_connects_does_not_start_the_guest() {
    let guest = Guest::boot(HALT);
    drop(guest.connect());
    let mut client = attach_when_free(&guest);
    assert_eq!(client.register(EIP), 0x7c00);
}

#[test]
fn a_second_client_is_turned_away_and_the_first_is_not_disturbed() {
    let guest = Guest::boot(LOOP);
    let mut first = guest.attach();
    let mut second = guest.connect();
    let reply = second.ask("qSupported:multiprocess+");
    assert_eq!(reply, "E.stepvisor: another debugger is attached to this guest");
    assert_eq!(second.event(), None);
    assert_eq!(first.ask("m7c00,2"), "ebfe");
}

#[test]
fn monitor_commands_answer_whatever_is_typed() {
    let guest = Guest::boot(HALT);
    let mut client = guest.attach();
    assert!(client.monitor("help").contains("walk ADDR"));
    assert!(client.monitor("nonsense").contains("no such command: nonsense"));
    assert!(client.monitor("registers").contains("CS ="));
    assert!(client.monitor("xp/3i 0x7c00").contains("00007c02: fa"));
    assert!(client.monitor("xp /4xb 0x7c00").contains("0x40 0x43 0xfa 0xf4"));
    assert!(client.monitor("xp 0xffffffff00000000").contains("nothing is there"));
    assert!(client.monitor("walk 07C0:0002").contains("physical  0x7c02"));
    assert!(client.monitor("walk es:0x10").contains("RAM"));
    assert!(client.monitor("walk 0xb8000").contains("device"));
    for bad in
        ["xp", "xp/9999999x 0", "xp/8i zz", "xp 0 17", "xp 0 16 1", "walk", "walk q", "exits x"]
    {
        assert_eq!(client.monitor(bad).lines().count(), 1, "{bad}");
    }
    client.resume("vCont;s");
    assert!(client.monitor("exits").contains("debug"));
    assert!(client.monitor("reset").contains("0000:7C00"));
    assert_eq!(client.register(EIP), 0x7c00);
    client.monitor("quit");
    assert_eq!(guest.end(), End::Killed);
}

#[test]
fn kill_ends_the_guest_even_while_it_runs() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    client.send("vCont;c");
    assert_eq!(client.ask("k"), "X09");
    assert_eq!(client.event(), None);
    drop(client);
    assert_eq!(guest.end(), End::Killed);
}

#[test]
fn every_register_of_the_g_packet_can_be_written_back() {
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    let registers = client.ask("g");
    assert_eq!(client.ask(&format!("G{registers}")), "OK");
    assert_eq!(client.ask("g"), registers);
    // ES with its base, and a value for EBX.
    let mut changed = registers.clone();
    changed.replace_range(3 * 8..4 * 8, "78563412");
    changed.replace_range(13 * 8..14 * 8, "00b80000");
    assert_eq!(client.ask(&format!("G{changed}")), "OK");
    assert_eq!(client.register(EBX), 0x1234_5678);
    assert!(client.monitor("walk es:0").contains("0xb8000"));
    assert_eq!(client.ask("P8=00000200"), "E.not in segment");
}

/// A connection on which a packet was answered, as soon as the one before is gone.
fn attach_when_free(guest: &Guest) -> Client {
    loop {
        let mut client = guest.connect();
        client.send("qSupported:multiprocess+");
        match client.try_receive() {
            Some(features) if !features.starts_with('E') => return client,
            _ => {}
        }
    }
}

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn random_packets_neither_break_the_server_nor_lose_the_guest() {
    let starts = [
        "g",
        "G",
        "p",
        "P",
        "m",
        "M",
        "X",
        "Z",
        "z",
        "H",
        "T",
        "vCont",
        "vCont;",
        "qSupported:",
        "qXfer:features:read:",
        "qRcmd,",
        "qHostInfo",
        "?",
        "c",
        "s",
        "vRun;",
        "qfThreadInfo",
    ];
    let pieces = [
        "0",
        "1",
        "7c00",
        "2",
        "ff",
        "ffffffff",
        "ffffffffffffffff",
        ",",
        ":",
        ";",
        "=",
        "c",
        "s",
        "r",
        "t",
        "p1.1",
        "-1",
        "target.xml",
        "zz",
        "}\u{3}",
        "*",
        "00000000",
        "p",
        "x",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let guest = Guest::boot(LOOP);
    let mut client = guest.attach();
    for _ in 0..3000 {
        let mut body = starts[random.below(starts.len())].to_owned();
        for _ in 0..random.below(7) {
            body.push_str(pieces[random.below(pieces.len())]);
        }
        client.send(&body);
        // Nothing if the guest is stopped, and else the end of whatever the packet started.
        client.raw(b"\x03");
        client.stop();
    }
    assert!(client.monitor("help").contains("registers"));
}

#[test]
fn random_bytes_neither_break_the_server_nor_lose_the_guest() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let guest = Guest::boot(LOOP);
    for _ in 0..20 {
        let mut client = attach_when_free(&guest);
        let mut bytes = Vec::new();
        for _ in 0..2000 {
            let special = b"$#+-\x03}%mgcs0"[random.below(12)];
            let any = random.below(256).to_le_bytes()[0];
            bytes.push(if random.below(2) == 0 { any } else { special });
        }
        client.raw(&bytes);
    }
    let mut client = attach_when_free(&guest);
    assert!(client.monitor("help").contains("registers"));
}
