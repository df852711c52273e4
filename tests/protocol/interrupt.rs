//! 03h: ^C, at any time and any number of times.

use crate::client::frame;
use crate::{Event, Server, TargetXml};

#[test]
fn an_interrupt_of_a_stopped_guest_means_nothing() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    client.raw(&[3; 1000]);
    assert_eq!(client.ask("?"), "T05thread:01;");
    client.raw(&[3; 1000]);
    let stop = client.run("vCont;s:1");
    assert!(stop.starts_with("T05"), "{stop}");
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
}

#[test]
fn a_storm_of_interrupts_stops_a_running_guest_once() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    for round in 0..20 {
        client.resume("vCont;c");
        client.raw(&[3; 1000]);
        let stop = client.stop();
        assert!(stop.starts_with("T02"), "{round}: {stop}");
        // Nothing of the storm is left for later.
        assert_eq!(client.ask("m7dfe,2"), "55aa", "{round}");
    }
}

#[test]
fn interrupts_between_steps_lose_no_step() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    let expected =
        [0x7c01u64, 0x7c03, 0x7c05, 0x7c0b, 0x7c11, 0x7c14, 0x7c18, 0x7c1a, 0x7c1c, 0x7c20, 0x7c20];
    for addr in expected {
        // One that comes with the step stops it before or after its instruction.
        client.raw(&[3, 3]);
        client.resume("vCont;s:1");
        client.raw(&[3]);
        let mut stop = client.stop();
        if xml.get(&mut client, "eip") != addr {
            assert!(stop.starts_with("T02"), "{stop}");
            stop = client.run("vCont;s:1");
            assert_eq!(xml.get(&mut client, "eip"), addr, "{stop}");
        }
    }
}

#[test]
fn an_interrupt_that_a_stop_has_overtaken_counts_when_the_debugger_goes_on_by_itself() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    client.order("Z0,7c20,1");
    let stop = client.run("vCont;c");
    assert!(stop.starts_with("T05"), "{stop}");
    // As gdb does that evaluates a condition: ^C, and at once the step off the breakpoint.
    client.raw(&[&[3][..], &frame(b"vCont;s:1")].concat());
    client.expect_ack();
    let stop = client.stop();
    assert!(stop.starts_with("T02"), "{stop}");
}

#[test]
fn a_guest_that_runs_step_by_step_is_interrupted() {
    // Five breakpoints and a watchpoint: more than debug registers do.
    let server = Server::of("addloop");
    let mut client = server.connect();
    for addr in 0x500..0x508 {
        client.order(format!("Z0,{addr:x},1"));
    }
    client.order("Z2,600,4");
    client.order("Z0,7c20,1");
    assert!(client.run("vCont;c").contains("swbreak"));
    client.order("z0,7c20,1");
    for _ in 0..5 {
        client.resume("vCont;c");
        client.raw(&[3]);
        assert!(client.stop().starts_with("T02"));
    }
    assert_eq!(client.memory(0x7c22, 6), [5, 0, 4, 0, 9, 0]);
}

#[test]
fn a_guest_that_leaves_for_devices_all_the_time_is_interrupted() {
    // in al, 0xe9; mov es:[0], al with ES = B800; out 0x80, al; jmp back
    for code in ["e4e9ebfc", "26a20000ebfa", "e680ebfc", "a4ebfd", "f3aaebfc", "cd20ebfc"] {
        let server = Server::of("hello");
        let mut client = server.connect();
        let xml = TargetXml::read(&mut client, 0x10000);
        assert_eq!(xml.set(&mut client, "es", 0xb800), "OK");
        assert_eq!(xml.set(&mut client, "edi", 0), "OK");
        assert_eq!(xml.set(&mut client, "ecx", 0xffff), "OK");
        // INT 20h, for the last: iret at 0:600.
        client.order("M80,4:00060000");
        client.order("M600,1:cf");
        client.order(format!("M8000,{:x}:{code}", code.len() / 2));
        assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
        for _ in 0..5 {
            client.resume("vCont;c");
            client.raw(&[3]);
            let stop = client.stop();
            assert!(stop.starts_with("T02"), "{code}: {stop}");
        }
    }
}

#[test]
fn a_guest_that_waits_in_hlt_is_interrupted() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    // sti; hlt; nop: no device ever ends the wait.
    client.order("M7c00,3:fbf490");
    client.run("vCont;s:1");
    assert!(client.run("vCont;s:1").starts_with("T05"), "a step over HLT is a step");
    assert_eq!(xml.get(&mut client, "eip"), 0x7c02);
    for _ in 0..5 {
        client.resume("vCont;c");
        client.raw(&[3]);
        let (stop, console) = client.stop_and_console();
        assert!(stop.starts_with("T02"), "{stop}");
        assert_eq!(console, "");
        assert_eq!(xml.get(&mut client, "eip"), 0x7c02);
    }
    // Whoever steps there is told, and does not wait.
    client.resume("vCont;s:1");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T02") && console.contains("waiting for an interrupt"), "{console}");
    assert!(client.run("vCont;s:1").starts_with("T02"));
    assert!(client.run("vCont;r7c00,7d00:1").starts_with("T02"));
    assert_eq!(xml.get(&mut client, "eip"), 0x7c02);
    // Elsewhere it goes on.
    assert_eq!(xml.set(&mut client, "eip", 0x7c00), "OK");
    assert!(client.run("vCont;s:1").starts_with("T05"));
    assert_eq!(xml.get(&mut client, "eip"), 0x7c01);
}

#[test]
fn an_interrupt_that_comes_with_the_stop_is_harmless() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let xml = TargetXml::read(&mut client, 0x10000);
    client.order("Z0,7c33,1");
    for _ in 0..50 {
        assert_eq!(xml.set(&mut client, "eip", 0x7c2e), "OK");
        client.resume("vCont;c");
        client.raw(&[3]);
        // Either of the two; exactly one of them.
        let stop = client.stop();
        assert!(stop.starts_with("T05") || stop.starts_with("T02"), "{stop}");
        assert_eq!(client.ask("vMustReplyEmpty"), "");
    }
}

#[test]
fn kill_and_detach_work_while_the_guest_runs() {
    let mut server = Server::of("addloop");
    let mut client = server.connect();
    client.resume("vCont;c");
    client.order("D");
    client.expect_end();
    let mut client = server.connect();
    client.resume("vCont;c");
    client.send("k");
    client.expect_ack();
    assert_eq!(client.text(), "X09", "a client that waits is told");
    client.expect_end();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_end_of_the_server_is_told_to_a_client_that_waits() {
    let mut server = Server::of("addloop");
    let mut client = server.connect();
    client.resume("vCont;c");
    let id = rustix::process::Pid::from_raw(server.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(client.event(), Event::Packet(b"X0f".to_vec()));
    client.expect_end();
    assert_eq!(server.wait().code(), Some(130));
}
