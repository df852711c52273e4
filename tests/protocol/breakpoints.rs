//! `Z` and `z` of all types.

use crate::{Client, Server, TargetXml};

/// The value of `key` in a stop reply.
fn field<'a>(stop: &'a str, key: &str) -> Option<&'a str> {
    stop.get(3..)?.split(';').find_map(|field| field.strip_prefix(key)?.strip_prefix(':'))
}

fn eip(client: &mut Client) -> u64 {
    let xml = TargetXml::read(client, 0x10000);
    xml.get(client, "eip")
}

#[test]
fn a_stop_names_the_kind_of_breakpoint_that_is_inserted() {
    let server = Server::of("cs07c0");
    let mut client = server.connect();
    client.order("Z0,7c05,1");
    client.order("Z1,7c06,1");
    let stop = client.run("vCont;c");
    assert!(stop.contains("swbreak:;") && !stop.contains("hwbreak"), "{stop}");
    assert_eq!(eip(&mut client), 0x7c05);
    client.order("z0,7c05,1");
    let stop = client.run("vCont;c");
    assert!(stop.contains("hwbreak:;") && !stop.contains("swbreak"), "{stop}");
    assert_eq!(eip(&mut client), 0x7c06);
}

#[test]
fn no_breakpoint_shows_in_memory() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let before = client.memory(0x7c00, 512);
    for addr in 0x7c00..0x7c40 {
        client.order(format!("Z{},{addr:x},1", addr & 1));
    }
    assert_eq!(client.memory(0x7c00, 512), before);
    // Nor while the guest runs: it copies its own code to 0x600. mov si, 7c00; mov di, 600; mov cx, 20;
    // rep movsb; jmp $
    let code = "be007c".to_owned() + "bf0006" + "b92000" + "f3a4" + "ebfe";
    client.order(format!("M8000,{:x}:{code}", code.len() / 2));
    client.order("Z0,800b,1");
    let xml = TargetXml::read(&mut client, 0x10000);
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    assert!(client.run("vCont;c").contains("swbreak"));
    assert_eq!(client.memory(0x600, 0x20), before[..0x20]);
}

#[test]
fn a_hundred_breakpoints_all_stop_the_guest() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.no_acks();
    let nops = "90".repeat(100);
    client.order(format!("M8000,{:x}:{nops}ebfe", 102));
    for addr in 0x8000..0x8064 {
        client.order(format!("Z0,{addr:x},1"));
    }
    let xml = TargetXml::read(&mut client, 0x10000);
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    for addr in 0x8001..0x8064u64 {
        // As gdb steps off one: remove it, step, insert it.
        client.order(format!("z0,{:x},1", addr - 1));
        assert!(client.run("vCont;s:1").starts_with("T05"));
        client.order(format!("Z0,{:x},1", addr - 1));
        assert!(client.run("vCont;c").contains("swbreak:;"));
        assert_eq!(xml.get(&mut client, "eip"), addr);
    }
}

#[test]
fn every_kind_of_watchpoint_stops_behind_its_access_and_names_the_address() {
    // mov al, [500]; mov [500], al; nop; jmp $
    let code = "a00005a2000590ebfe";
    for (kind, stops) in [(2, &[0x8006][..]), (3, &[0x8003]), (4, &[0x8003, 0x8006])] {
        let server = Server::of("hello");
        let mut client = server.connect();
        client.order(format!("M8000,{:x}:{code}", code.len() / 2));
        let xml = TargetXml::read(&mut client, 0x10000);
        assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
        client.order(format!("Z{kind},500,1"));
        client.order("Z0,8007,1");
        for stop in stops {
            let reply = client.run("vCont;c");
            let name = ["watch", "rwatch", "awatch"][kind - 2];
            let addr = field(&reply, name).expect(&reply);
            assert_eq!(u64::from_str_radix(addr, 16), Ok(0x500), "{reply}");
            assert_eq!(xml.get(&mut client, "eip"), *stop);
        }
        assert!(client.run("vCont;c").contains("swbreak"));
        client.order(format!("z{kind},500,1"));
        assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
        assert!(client.run("vCont;c").contains("swbreak"));
    }
}

#[test]
fn a_watchpoint_is_as_long_as_it_is_said_to_be() {
    // mov [addr], al; jmp $
    for (len, first, last) in [
        (1u64, 0x500u64, 0x500u64),
        (2, 0x500, 0x501),
        (4, 0x500, 0x503),
        (8, 0x500, 0x507),
        (100, 0x500, 0x563),
    ] {
        let server = Server::of("hello");
        let mut client = server.connect();
        let xml = TargetXml::read(&mut client, 0x10000);
        client.order(format!("Z2,500,{len:x}"));
        client.order("Z0,8003,1");
        for (addr, hit) in [(first - 1, false), (first, true), (last, true), (last + 1, false)] {
            let [low, high] = [addr & 0xff, addr >> 8];
            client.order(format!("M8000,5:a2{low:02x}{high:02x}ebfe"));
            assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
            let stop = client.run("vCont;c");
            assert_eq!(stop.contains("watch:"), hit, "{len} bytes, write to {addr:#x}: {stop}");
        }
    }
}

#[test]
fn of_overlapping_watchpoints_the_client_is_told_of_the_one_that_was_hit() {
    // mov [0x500], eax; mov al, [0x502]; jmp $
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    client.order("M8000,9:66a30005a00205ebfe");
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    // Four bytes for writes; the last two, and the two behind them, for reads.
    client.order("Z2,500,4");
    client.order("Z3,502,4");
    for (name, is_theirs) in [("watch", 0x500..0x502), ("rwatch", 0x504..0x506)] {
        let reply = client.run("vCont;c");
        let addr = u64::from_str_radix(field(&reply, name).expect(&reply), 16).unwrap();
        assert!(is_theirs.contains(&addr), "{reply}");
    }
}

#[test]
fn inserting_twice_needs_removing_twice_or_once_but_ends_nothing() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for kind in 0..5 {
        client.order(format!("Z{kind},7c06,1"));
        client.order(format!("Z{kind},7c06,1"));
        client.order(format!("z{kind},7c06,1"));
        client.ask(format!("z{kind},7c06,1"));
        // One that is not there.
        client.ask(format!("z{kind},7c06,1"));
    }
    client.order("Z0,7c08,1");
    assert!(client.run("vCont;c").contains("swbreak"));
    assert_eq!(eip(&mut client), 0x7c08, "nothing is left at 7c06");
}

#[test]
fn breakpoints_at_any_address_are_taken() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for addr in ["0", "a0000", "ffffffff", "100000000", "ffffffffffffffff", "8000000000000000"] {
        for kind in 0..5 {
            client.order(format!("Z{kind},{addr},1"));
        }
    }
    for kind in 2..5 {
        client.order(format!("Z{kind},ffffffffffffffff,ffff"));
        client.order(format!("Z{kind},0,0"));
    }
    client.order("Z0,7c06,1");
    let stop = client.run("vCont;c");
    assert!(stop.starts_with("T05"), "{stop}");
}

#[test]
fn breakpoints_leave_with_their_client() {
    let mut server = Server::of("hello");
    let mut client = server.connect();
    client.order("Z0,7c06,1");
    client.order("Z1,7c08,1");
    client.order("Z2,500,4");
    client.order("D");
    server.wait_for("halted for ever");
    let mut client = server.connect();
    assert!(client.monitor("screen").contains("Loaded at 7C00"));
}

#[test]
fn who_goes_on_from_a_breakpoint_that_stays_inserted_is_not_told_of_it_again() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.order("M8000,4:4040ebfc");
    let xml = TargetXml::read(&mut client, 0x10000);
    for (register, value) in [("eip", 0x8000), ("eax", 0)] {
        assert_eq!(xml.set(&mut client, register, value), "OK");
    }
    client.order("Z0,8001,1");
    // inc ax; inc ax; jmp to the start
    for count in [1, 3, 5] {
        assert!(client.run("vCont;c").contains("swbreak"));
        let state = ["eip", "eax"].map(|register| xml.get(&mut client, register));
        assert_eq!(state, [0x8001, count]);
    }
    // One that is new, or come to by a write of the register, is where it is.
    client.order("z0,8001,1");
    client.order("Z0,8001,1");
    assert!(client.run("vCont;c").contains("swbreak"));
    assert_eq!(xml.set(&mut client, "eip", 0x8001), "OK");
    assert!(client.run("vCont;c").contains("swbreak"));
    assert_eq!(xml.get(&mut client, "eax"), 5);
}

#[test]
fn a_guest_that_is_reset_to_a_breakpoint_has_not_passed_it() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.order("Z0,7c00,1");
    for _ in 0..2 {
        assert!(client.run("vCont;c").contains("swbreak"));
        client.monitor("reset");
    }
}

#[test]
fn half_an_address_is_taken_back_wherever_it_was_set() {
    let mut server = Server::of("higherhalf");
    let mut client = server.connect();
    // The kernel is at FFFFFFFF80007D00, which no 32-bit register holds.
    for packets in [["Z0,80007d00,1", "z0,80007d00,1"], ["Z2,80007d00,1", "z2,80007d00,1"]] {
        client.order(packets[0]);
        assert!(client.monitor("plan").contains("0xffffffff80007d00"));
        assert!(!client.monitor("plan").contains("0x80007d00"));
        client.order(packets[1]);
        assert!(!client.monitor("plan").contains("80007d00"));
    }
    client.order("Z0,80007d00,1");
    let stop = client.run("vCont;c");
    assert!(stop.contains("swbreak:;"), "{stop}");
    // To a client that takes another description by itself it is still the same.
    TargetXml::read(&mut client, 0x1000);
    client.order("z0,80007d00,1");
    client.order("D");
    server.wait_for("halted for ever");
}
