//! `monitor` over the wire: what a golden session cannot compare, since hosts differ.

use crate::Server;
use crate::client::{Client, hex};

#[test]
fn exits_are_counted_by_reason() {
    let server = Server::of("portio");
    let mut client = server.connect();
    let count = |text: &str, reason: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(reason))?;
        line[reason.len()..].split_whitespace().next()?.parse().ok()
    };
    assert_eq!(count(&client.monitor("exits"), "all"), Some(0));
    client.order("Z0,7c25,1");
    client.run("vCont;c");
    let text = client.monitor("exits");
    // A byte to port 80, and a line of 23 to port E9.
    assert_eq!(count(&text, "port write"), Some(24), "{text}");
    assert!(count(&text, "all") > Some(24), "{text}");
    assert!(text.contains("time in KVM") && text.contains(" ms"), "{text}");
}

#[test]
fn commands_of_any_shape_have_an_answer() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for command in [
        "",
        " ",
        "help",
        "  screen  ",
        "SCREEN",
        "xp/0i 0",
        "xp/1i 0xfffffffffffffff8",
        "xp 0xffffffffffffffff",
        "xp/16384xb 0",
        "xp/s 0xffffffffffffffff",
        "walk 0xffffffffffffffff",
        "walk ffff:ffff",
        "walk 10000:0",
        "walk cs:0xffffffffffffffff",
        "walk :",
        "walk ::",
        "xp/i /i",
        "\0",
        "xp \u{fffd}",
        "registers 1",
        "exits all",
        "plan b",
        "help help",
        "quit now",
        "reset me",
        "stack 0",
        "stack 99999",
        "stack -1",
        "backtrace 0",
        "backtrace x",
        "ivt 256",
        "ivt 0xff",
        "idt 0",
        "gdt 0xffff",
        "gdt 0x10000",
        "screen colour",
        "gdb-script",
        "stop-at int",
        "stop-at delete 99999999999999999999",
        "stop-at out 0-65535 0x100000000",
    ] {
        let answer = client.monitor(command);
        assert!(answer.is_empty() || answer.ends_with('\n'), "{command:?}: {answer:?}");
    }
    // Bytes that are no text, and more of them than any command has.
    for bytes in [&[0xff, 0xfe, 0][..], &[b'x'; 0x7000], &[b'\n'; 10]] {
        client.resume(&format!("qRcmd,{}", hex(bytes)));
        assert_eq!(client.stop(), "OK");
    }
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
}

#[test]
fn plan_explains_each_breakpoint_and_watchpoint() {
    let server = Server::of("hello");
    let mut client = server.connect();
    assert_eq!(client.monitor("plan"), "full speed, 0 of 4 debug registers in use\n");
    client.order("Z0,7c2a,1");
    let text = client.monitor("plan");
    assert!(text.contains("breakpoint at 0x7c2a: a debug register"), "{text}");
    client.order("Z2,b8000,2");
    let text = client.monitor("plan");
    assert!(text.contains("write watchpoint at 0xb8000, 2 bytes: the device model"), "{text}");
    client.order("Z3,600,1");
    let text = client.monitor("plan");
    assert!(text.starts_with("instruction by instruction"), "{text}");
    assert!(text.contains("read watchpoint at 0x600, 1 byte: stepping, because"), "{text}");
    assert!(text.lines().count() >= 4, "{text}");
    client.order("z3,600,1");
    client.order("z2,b8000,2");
    client.order("z0,7c2a,1");
    assert_eq!(client.monitor("plan"), "full speed, 0 of 4 debug registers in use\n");
}

#[test]
fn plan_tells_of_breakpoints_that_a_stopped_client_has_taken_out() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let mut plan_after_a_step = |inserted: &[&str]| {
        for breakpoint in inserted {
            client.order(format!("Z{breakpoint}"));
        }
        client.resume("vCont;s:1");
        client.stop();
        for breakpoint in inserted {
            client.order(format!("z{breakpoint}"));
        }
        client.monitor("plan")
    };
    let many = ["0,7c06,1", "0,7c2a,1", "0,7c2e,1", "0,7c2f,1", "0,7c30,1"];
    let text = plan_after_a_step(&many);
    assert!(text.starts_with("nothing is inserted at the moment; what was when"), "{text}");
    assert_eq!(text.matches("stepping, because 5 debug registers are needed").count(), 5, "{text}");
    // Taken out for a step off it: it is at the next instruction, behind `cli` the far jump to 7C06.
    plan_after_a_step(&many);
    let text = plan_after_a_step(&many[1..]);
    assert_eq!(text.matches("stepping, because 5 debug registers are needed").count(), 5, "{text}");
    assert_eq!(plan_after_a_step(&[]), "full speed, 0 of 4 debug registers in use\n");
}

#[test]
fn quit_ends_the_server() {
    let mut server = Server::of("hello");
    let mut client = server.connect();
    assert!(client.monitor("quit").contains("ends"));
    client.expect_end();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn reset_starts_the_guest_anew_and_keeps_breakpoints() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let start = client.ask("g");
    let memory = |client: &mut Client| {
        let mut memory = client.memory(0, 0xa0000 / 32);
        // The firmware's ticks since midnight: time goes on.
        memory[0x46c..0x470].fill(0);
        memory
    };
    let at_first = memory(&mut client);
    client.order("Z0,7c2a,1");
    for _ in 0..3 {
        assert!(client.run("vCont;c").contains("swbreak"));
        assert!(client.monitor("screen").contains("Hello"));
        client.monitor("reset");
        assert_eq!(client.ask("g"), start);
        assert!(memory(&mut client) == at_first, "memory differs");
        assert!(client.monitor("screen").contains("empty"));
    }
}
