//! `m`, `M`, `X`: linear memory, over borders and into holes.

use crate::client::{escape, hex, unhex};
use crate::{Client, Server};

fn small() -> Server {
    Server::with(&["guests/bin/hello.bin", "--memory", "1M"])
}

#[track_caller]
fn write_hex(client: &mut Client, addr: u64, data: &[u8]) {
    client.order(format!("M{addr:x},{:x}:{}", data.len(), hex(data)));
}

#[track_caller]
fn write_binary(client: &mut Client, addr: u64, data: &[u8]) {
    let packet = [format!("X{addr:x},{:x}:", data.len()).into_bytes(), escape(data)].concat();
    client.order(packet);
}

#[test]
fn what_is_written_is_read_in_both_encodings() {
    let server = small();
    let mut client = server.connect();
    let data: Vec<u8> = (0..=255).collect();
    write_binary(&mut client, 0x600, &data);
    assert_eq!(client.memory(0x600, 256), data);
    let backwards: Vec<u8> = (0..=255).rev().collect();
    write_hex(&mut client, 0x680, &backwards);
    assert_eq!(client.memory(0x680, 256), backwards);
    assert_eq!(client.memory(0x600, 128), data[..128]);
    client.order("M700,2:aABb");
    assert_eq!(client.memory(0x700, 2), [0xaa, 0xbb]);
}

#[test]
fn nothing_may_be_asked_for() {
    let server = small();
    let mut client = server.connect();
    assert_eq!(client.ask("m7c00,0"), "");
    client.order("M7c00,0:");
    client.order("X7c00,0:");
    client.order("X0,0:");
}

#[test]
fn borders_of_pages_and_regions_do_not_show() {
    let server = small();
    let mut client = server.connect();
    for border in [0x1000u64, 0x8000, 0xb9000, 0xe0000] {
        let data: Vec<u8> = (1..=16).collect();
        write_hex(&mut client, border - 8, &data);
        assert_eq!(client.memory(border - 8, 16), data, "{border:#x}");
        write_binary(&mut client, border - 3, b"#$}*\x03+");
        assert_eq!(client.memory(border - 3, 6), b"#$}*\x03+", "{border:#x}");
    }
    // From video memory into what lies behind it, whatever that is.
    assert_eq!(client.memory(0xb8000, 4), [0x20, 0x07, 0x20, 0x07]);
}

#[test]
fn a_read_into_a_hole_gives_what_is_before_it() {
    let server = small();
    let mut client = server.connect();
    for (start, there) in [(0x9fff8, 8), (0xffff8, 8), (0x9fffe, 2)] {
        assert_eq!(client.memory(start, 0x100).len(), there, "{start:#x}");
    }
    // However long, and across the buffer of the server.
    assert_eq!(client.memory(0x98000, 0x8000).len(), 0x8000);
    assert_eq!(client.memory(0x98000, 0x7fff).len(), 0x7fff);
    let most = client.memory(0x90000, 0xffff_ffff).len();
    assert!(most > 0 && most <= 0x10000, "{most:#x}");
}

#[test]
fn holes_are_errors_without_a_text() {
    let server = small();
    let mut client = server.connect();
    for addr in [0xa0000u64, 0x100000, 0x7fff_ffff, 0xffff_fff0] {
        // A text would be taken for data.
        let reply = client.ask(format!("m{addr:x},4"));
        assert!(reply.len() == 3 && reply.starts_with('E'), "{addr:#x}: {reply}");
        assert!(client.ask(format!("M{addr:x},1:00")).starts_with('E'), "{addr:#x}");
        assert!(client.ask(format!("X{addr:x},1:a")).starts_with('E'), "{addr:#x}");
    }
    assert!(client.ask("Mffffe,4:01020304").starts_with('E'));
    assert!(client.ask("m0,0").is_empty());
}

#[test]
fn real_mode_addresses_are_cut_to_32_bits() {
    let server = small();
    let mut client = server.connect();
    assert_eq!(client.memory(0x1_0000_7dfe, 2), [0x55, 0xaa]);
    for addr in [u64::MAX, u64::MAX - 3, 0x8000_0000_ffff_ffff] {
        assert!(client.ask(format!("m{addr:x},4")).starts_with('E'), "{addr:#x}");
    }
}

#[test]
fn reading_and_writing_have_no_side_effects_on_the_guest() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let before = client.monitor("exits");
    client.memory(0xb8000, 4000);
    write_hex(&mut client, 0xb8000, &[0x41, 0x1f]);
    client.memory(0, 0x400);
    assert_eq!(client.monitor("exits"), before);
    assert!(client.monitor("screen").starts_with('A'));
}

#[test]
fn long_mode_memory_is_seen_through_the_page_tables() {
    let server = Server::of("long");
    let mut client = server.connect();
    client.order("Z0,7d08,1");
    assert!(client.run("vCont;c").starts_with("T05"));
    crate::TargetXml::read(&mut client, 0x1000);
    assert_eq!(client.memory(0x1000, 8), 0x2023u64.to_le_bytes());
    // The identity map gets a second entry: linear 1 GiB is physical 0 too.
    write_hex(&mut client, 0x2008, &0x3023u64.to_le_bytes());
    assert_eq!(client.memory(0x4000_7dfe, 2), [0x55, 0xaa]);
    assert_eq!(client.memory(0x400b_8000, 2), client.memory(0xb8000, 2));
    // Over the border from one mapping to the other: the last page of the first GiB has no memory.
    assert!(client.ask("m3ffffffe,4").starts_with('E'));
    // A page that is not there, seen from the page before it.
    write_hex(&mut client, 0x3008, &[0; 8]);
    assert_eq!(client.memory(0x1f_fffc, 0x10).len(), 4);
    assert!(client.ask("m200000,4").starts_with('E'));
    for addr in ["800000000000", "ffff7fffffffffff", "ffffffffffffffff"] {
        assert!(client.ask(format!("m{addr},1")).starts_with('E'), "{addr}");
    }
}

#[test]
fn a_dump_of_all_memory_is_what_was_put_there() {
    let server = small();
    let mut client = server.connect();
    client.no_acks();
    let pattern: Vec<u8> = (0..0x4000u32).map(|n| (n * 7 + n / 256) as u8).collect();
    for addr in (0x10000..0x90000).step_by(pattern.len()) {
        write_binary(&mut client, addr, &pattern);
    }
    let mut addr = 0x10000;
    while addr < 0x90000 {
        let part = unhex(&client.ask(format!("m{addr:x},7fff")));
        for (n, byte) in part.iter().enumerate() {
            let at = addr as usize + n;
            if at < 0x90000 {
                assert_eq!(*byte, pattern[(at - 0x10000) % pattern.len()], "{at:#x}");
            }
        }
        addr += part.len() as u64;
    }
}

#[test]
fn memory_is_searched_for_bytes() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let search = |client: &mut Client, addr: u64, len: u64, pattern: &[u8]| {
        let packet =
            [format!("qSearch:memory:{addr:x};{len:x};").as_bytes(), &escape(pattern)].concat();
        client.ask(packet)
    };
    assert_eq!(search(&mut client, 0x7c00, 0x200, b"\x55\xaa"), "1,7dfe");
    assert_eq!(search(&mut client, 0x7c00, 0x1ff, b"\x55\xaa"), "0");
    assert_eq!(search(&mut client, 0, 0x10_0000, b"\xfa\xea\x06\x7c"), "1,7c00");
    // Bytes that a packet holds with escapes only, across the parts in which memory is read.
    client.order([&b"X1fffe,4:"[..], &escape(b"#$}*")].concat());
    assert_eq!(search(&mut client, 0x7c00, 0x10_0000, b"#$}*"), "1,1fffe");
    // Of nothing, and beyond the end of memory.
    assert!(search(&mut client, 0, 0x100, b"").starts_with('E'));
    assert!(search(&mut client, 0, u64::MAX, b"not to be found in there").starts_with('E'));
    assert!(search(&mut client, 0xffff_ffff_ffff, 0x10, b"a").starts_with('E'));
    // It takes no longer for a pattern that nearly fits everywhere.
    let zeros = [&[0; 4000][..], b"1"].concat();
    assert_eq!(search(&mut client, 0x10_0000, 0x40_0000, &zeros), "0");
    for bad in ["", "0", "0;", "0;10", "x;10;a", "0;x;a"] {
        assert!(client.ask(format!("qSearch:memory:{bad}")).starts_with('E'), "{bad}");
    }
}

#[test]
fn checksums_are_those_of_the_manual() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.order("M500,9:313233343536373839");
    // CRC-32/MPEG-2 of "123456789".
    assert_eq!(client.ask("qCRC:500,9"), "C376e6e7");
    assert_eq!(client.ask("qCRC:500,0"), "Cffffffff");
    for bad in ["500", "500,", "x,1", "4000000,10", "0,ffffffffffffffff"] {
        assert!(client.ask(format!("qCRC:{bad}")).starts_with('E'), "{bad}");
    }
}

#[test]
fn memory_is_read_as_binary_data() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let all: Vec<u8> = (0..=255).collect();
    client.order([&b"X500,100:"[..], &escape(&all)].concat());
    assert_eq!(client.ask_bytes("x500,100"), [b"b", &all[..]].concat());
    assert_eq!(client.ask("x500,0"), "b");
    // As much as fits, and as much as there is.
    assert!(client.ask_bytes("x0,ffffffff").len() > 0x1000);
    assert_eq!(client.ask_bytes("x3fffff8,10").len(), 1 + 8);
    for bad in ["x", "x0", "x0,", "xz,1", "x4000000,1"] {
        assert!(client.ask(bad).starts_with('E'), "{bad}");
    }
}

/// A guest in long mode that maps its third and fourth MiB again and again, to the end of the lower half: RAM without
/// a gap, from 2 MiB on for 512 GiB at least.
fn endless_memory() -> (Server, Client) {
    let server = Server::of("long");
    let mut client = server.connect();
    client.order("Z0,7d08,1");
    assert!(client.run("vCont;c").starts_with("T05"));
    let again: [(u64, u64); 4] =
        [(0x4000, 0x20_0083), (0x3008, 0x20_0083), (0x2008, 0x4023), (0x1008, 0x2023)];
    for (table, entry) in again {
        let count = (0x1000 - table % 0x1000) / 8;
        write_binary(&mut client, table, &entry.to_le_bytes().repeat(count as usize));
    }
    write_binary(&mut client, 0x20_7dfe, &[0x55, 0xaa]);
    assert_eq!(client.memory(0x7fff_ffe0_7dfe, 2), [0x55, 0xaa]);
    (server, client)
}

/// Packets that come to no end there.
const ENDLESS: [&str; 2] =
    ["qSearch:memory:200000;7fffffe00000;nowhere in there", "qCRC:200000,7fffffe00000"];

#[test]
fn a_search_without_end_is_interrupted() {
    let (_server, mut client) = endless_memory();
    for packet in ENDLESS {
        client.resume(packet);
        // It takes long, and a client that wonders is not answered with something else.
        client.raw(b"-");
        client.raw(b"\x03");
        assert_eq!(client.text(), "E.interrupted");
        assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    }
    // Once that is over, ^C is what it was. The guest goes round in a jump to itself.
    client.order("z0,7d08,1");
    write_binary(&mut client, 0x7d08, &[0xeb, 0xfe]);
    client.resume("vCont;c");
    client.raw(b"\x03");
    assert!(client.stop().starts_with("T02"));
}

#[test]
fn a_client_that_has_given_a_search_up_gets_no_late_reply() {
    let (_server, mut client) = endless_memory();
    client.no_acks();
    for packet in ENDLESS {
        client.send(packet);
        assert_eq!(client.ask("vMustReplyEmpty"), "");
        assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
    }
}

#[test]
fn a_client_may_leave_during_a_search() {
    let (mut server, client) = endless_memory();
    let mut last = client;
    for packet in ENDLESS {
        last.resume(packet);
        last.vanish();
        last = server.connect();
        assert!(last.ask("?").starts_with('T'));
    }
    last.resume(ENDLESS[0]);
    last.send("k");
    last.expect_ack();
    assert_eq!(last.text(), "X09");
    assert_eq!(server.wait().code(), Some(0));
}
