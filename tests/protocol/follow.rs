//! A guest that switches modes, and a client that says it understands `exec` reports.

use crate::client::unhex;
use crate::handshake::FEATURES;
use crate::{Client, Server, TargetXml};

/// In `protected`: the far jump behind `mov cr0`, and the first 32-bit instruction.
const FAR_JUMP: u64 = 0x7c33;
const PROTECTED_ENTRY: u64 = 0x7c38;
/// In `long`: the first 64-bit instruction.
const LONG_ENTRY: u64 = 0x7d00;

/// A client that follows, at the first instruction of the guest.
fn follower(server: &Server) -> Client {
    let mut client = server.connect();
    client.ask(FEATURES);
    assert_eq!(mode(&client.ask("?")), "[real mode]");
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i8086");
    let stop = client.run("vCont;c");
    assert!(stop.starts_with("T05") && stop.contains("thread:p01.01;"), "{stop}");
    client
}

/// A client that follows, of a guest that is about to leave 16-bit code.
fn at_the_switch(server: &Server) -> Client {
    let mut client = follower(server);
    client.order(format!("Z0,{FAR_JUMP:x},1"));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    client.order(format!("z0,{FAR_JUMP:x},1"));
    client
}

/// The mode that an `exec` report names.
#[track_caller]
fn mode(report: &str) -> String {
    let name = report.strip_prefix("T05exec:").expect(report).split(';').next().unwrap();
    String::from_utf8(unhex(name)).unwrap()
}

#[test]
fn a_stop_in_another_mode_is_told_in_two_parts() {
    let server = Server::of("protected");
    let mut client = at_the_switch(&server);
    client.order(format!("Z0,{PROTECTED_ENTRY:x},1"));
    assert_eq!(mode(&client.run("vCont;c")), "[32-bit protected mode]");
    let xml = TargetXml::read(&mut client, 0x1000);
    assert_eq!(xml.architecture, "i386");
    assert_eq!(xml.get(&mut client, "eip"), PROTECTED_ENTRY);
    // The client's breakpoints are gone with the old program; it sets them again.
    client.order(format!("Z0,{PROTECTED_ENTRY:x},1"));
    let stop = client.run("vCont;c");
    assert!(stop.contains("swbreak:;"), "{stop}");
    assert_eq!(xml.get(&mut client, "eip"), PROTECTED_ENTRY, "nothing ran in between");
}

#[test]
fn a_breakpoint_that_is_not_set_again_is_no_breakpoint_any_more() {
    let server = Server::of("protected");
    let mut client = at_the_switch(&server);
    client.order(format!("Z0,{PROTECTED_ENTRY:x},1"));
    mode(&client.run("vCont;c"));
    let stop = client.run("vCont;c");
    assert!(stop.starts_with("T00") && !stop.contains("break"), "{stop}");
}

#[test]
fn a_step_ends_after_the_switch_however_the_client_goes_on() {
    for (resume, signal) in [("vCont;s:1;c", "T05"), ("vCont;r7c33,7c38:1;c", "T05"), ("c", "T00")]
    {
        let server = Server::of("protected");
        let mut client = at_the_switch(&server);
        assert_eq!(mode(&client.run("vCont;s:1;c")), "[32-bit protected mode]");
        let xml = TargetXml::read(&mut client, 0x1000);
        assert!(client.run(resume).starts_with(signal), "{resume}");
        assert_eq!(xml.get(&mut client, "eip"), PROTECTED_ENTRY, "{resume}");
    }
}

#[test]
fn an_ending_in_another_mode_keeps_its_signal_and_its_explanation() {
    let server = Server::of("triple");
    let mut client = follower(&server);
    mode(&client.run("vCont;c"));
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T0b"), "{stop}");
    assert!(console.contains("triple fault"), "{console}");
}

#[test]
fn only_the_mode_at_the_stop_is_told() {
    let server = Server::of("long");
    let mut client = follower(&server);
    // Far into protected mode and never stopped there: one report, of the mode at the stop.
    assert_eq!(mode(&client.run("vCont;c")), "[64-bit long mode]");
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i386:x86-64");
}

#[test]
fn a_client_that_does_not_follow_keeps_its_registers() {
    let server = Server::of("protected");
    let mut client = server.connect();
    client.ask("qSupported:swbreak+");
    let before = TargetXml::read(&mut client, 0x1000);
    client.order(format!("Z0,{PROTECTED_ENTRY:x},1"));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(client.ask("g").len(), 2 * before.size());
    assert_eq!(before.get(&mut client, "eip"), PROTECTED_ENTRY);
    assert_eq!(before.architecture, "i8086");
}

#[test]
fn a_client_is_told_at_connect_that_it_debugs_no_program_of_another_architecture() {
    // The first description is that of the program, the next that of the mode.
    for (guest, architecture) in [("protected", "i386"), ("long", "i386:x86-64")] {
        let server = Server::of(guest);
        let mut client = server.connect();
        client.ask(FEATURES);
        assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, architecture);
        assert_eq!(mode(&client.ask("?")), "[real mode]");
        let xml = TargetXml::read(&mut client, 0x1000);
        assert_eq!(xml.architecture, "i8086");
        let stop = client.run("vCont;c");
        assert!(stop.starts_with("T05thread:p01.01;"), "{stop}");
        assert_eq!(xml.get(&mut client, "eip"), 0x7c00, "nothing ran");
        // Once only.
        assert_eq!(client.ask("?"), "T05thread:p01.01;");
    }
}

#[test]
fn without_acknowledgements_the_stop_comes_ahead_of_the_resumption() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.ask(FEATURES);
    client.no_acks();
    mode(&client.ask("?"));
    let xml = TargetXml::read(&mut client, 0x1000);
    assert!(client.ask("vCont?").starts_with("vCont;"));
    assert_eq!(client.text(), "T05thread:p01.01;");
    // Has been answered.
    client.resume("vCont;c:p1.-1");
    assert_eq!(xml.get(&mut client, "eip"), 0x7c00);
    // The next one runs.
    client.order("Z0,7c06,1");
    assert!(client.run("vCont;c:p1.-1").contains("swbreak:;"));
}

#[test]
fn acknowledgements_stay_for_a_client_that_asks_early_how_it_may_resume() {
    // gdb 16 does, and then sets its breakpoints and resumes without another question.
    let server = Server::of("hello");
    let mut client = server.connect();
    client.ask(FEATURES);
    assert!(client.ask("vCont?").starts_with("vCont;"));
    assert!(client.ask("QStartNoAckMode").starts_with('E'));
    mode(&client.ask("?"));
    let xml = TargetXml::read(&mut client, 0x1000);
    client.order("Z0,7c06,1");
    client.resume("vCont;c:p1.-1");
    assert!(client.has_packet(), "the stop comes along with the acknowledgement");
    assert!(client.stop().starts_with("T05thread:p01.01;"));
    assert_eq!(xml.get(&mut client, "eip"), 0x7c00);
    // The next one runs, and no more is owed.
    assert!(client.run("vCont;c:p1.-1").contains("swbreak:;"));
    client.no_acks();
    assert_eq!(xml.get(&mut client, "eip"), 0x7c06);
}

#[test]
fn the_next_client_is_told_of_the_mode_that_it_finds() {
    let mut server = Server::of("long");
    let mut client = server.connect();
    client.order("D");
    server.wait_for("a debugger may attach and look");
    let mut client = server.connect();
    client.ask(FEATURES);
    assert_eq!(mode(&client.ask("?")), "[64-bit long mode]");
    assert_eq!(TargetXml::read(&mut client, 0x1000).architecture, "i386:x86-64");
    // Why it stopped, in the signal; the line about it was printed when it happened.
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T02") && console.is_empty(), "{stop} {console}");
}

#[test]
fn whoever_asks_for_it_is_told_of_each_switch_at_once() {
    let server = Server::of("modes");
    let mut client = follower(&server);
    assert!(client.monitor("mode-events eager").contains("eager"));
    let expected = [
        "[16-bit protected mode]",
        "[32-bit protected mode]",
        "[32-bit compatibility mode]",
        "[64-bit long mode]",
        "[32-bit compatibility mode]",
        "[32-bit protected mode]",
        "[16-bit protected mode]",
        "[real mode]",
    ];
    for name in expected {
        assert_eq!(mode(&client.run("vCont;c")), name);
        TargetXml::read(&mut client, 0x1000);
    }
    assert!(client.run("vCont;c").starts_with("T02"));
}

#[test]
fn steps_end_at_a_switch_that_is_told_at_once() {
    // Through a range that has both instructions of the switch, from mov cr0 to the far jump.
    for resume in ["vCont;s:1;c", "vCont;r7c2e,7c36:1;c"] {
        let server = Server::with(&["guests/bin/modes.elf", "--mode-events", "eager"]);
        let mut client = follower(&server);
        let xml = TargetXml::read(&mut client, 0x1000);
        client.order("Z0,7c2e,1");
        assert!(client.run("vCont;c").contains("swbreak:;"));
        client.order("z0,7c2e,1");
        assert_eq!(mode(&client.run(resume)), "[16-bit protected mode]", "{resume}");
        assert!(client.run("vCont;s:1;c").starts_with("T05"));
        assert_eq!(xml.get(&mut client, "eip"), 0x7c31, "nothing ran in between");
    }
}

#[test]
fn a_switch_at_a_breakpoint_with_a_false_condition_is_told() {
    let server = Server::with(&["guests/bin/modes.elf", "--mode-events", "eager"]);
    let mut client = follower(&server);
    client.order("Z0,7c2e,1;X3,220027");
    assert_eq!(mode(&client.run("vCont;c")), "[16-bit protected mode]");
}

#[test]
fn a_condition_on_registers_is_left_to_a_client_that_knew_another_mode() {
    // 1 == 2, and the register 0 is 1234h.
    for (condition, is_told) in [("X6,220122021327", false), ("X8,2600002312341327", true)] {
        let server = Server::of("long");
        let mut client = follower(&server);
        client.order(format!("Z0,{LONG_ENTRY:x},1;{condition}"));
        let report = client.run("vCont;c");
        assert_eq!(mode(&report), "[64-bit long mode]");
        let xml = TargetXml::read(&mut client, 0x1000);
        assert_eq!(xml.get(&mut client, "rip") == LONG_ENTRY, is_told, "{condition}");
        if !is_told {
            continue;
        }
        // Set again, it is decided here, now that the client knows the mode.
        client.order(format!("Z0,{LONG_ENTRY:x},1;{condition}"));
        assert!(client.run("vCont;c").contains("swbreak:;"));
    }
}

#[test]
fn a_client_that_does_not_follow_stops_with_a_line_about_the_switch() {
    let server = Server::with(&["guests/bin/modes.elf", "--mode-events", "eager"]);
    let mut client = server.connect();
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T05") && !stop.contains("exec"), "{stop}");
    assert!(console.contains("switched to 16-bit protected mode"), "{console}");
}

#[test]
fn without_a_client_no_switch_stops_the_guest() {
    let mut server = Server::with(&["guests/bin/modes.elf", "--mode-events", "eager"]);
    server.connect().order("D");
    server.wait_for("halted for ever");
    assert!(!server.take_printed().contains("switched"));
}

#[test]
fn what_a_watchpoint_saw_is_told_with_its_old_value_after_a_switch() {
    let server = Server::of("modes");
    let mut client = follower(&server);
    // Written in 32-bit code: the first stop there. The client reads it before it resumes, to remember it.
    client.order("Z2,2000,4");
    client.order("M2000,4:11223344");
    assert_eq!(mode(&client.run("vCont;c")), "[32-bit protected mode]");
    TargetXml::read(&mut client, 0x1000);
    client.order("Z2,2000,4");
    let old = [0, 0, 0x11, 0x22, 0x33, 0x44, 0, 0];
    assert_eq!(client.memory(0x1ffe, 8), old);
    assert_eq!(client.ask_bytes("x1ffe,8"), [b"b", &old[..]].concat());
    assert_eq!(client.ask(format!("qSearch:memory:1f00;200;{}", "\x11\x22\x33\x44")), "1,2000");
    // `rep stosd` has cleared it.
    assert!(client.run("vCont;c").contains("watch:2000;"));
    assert_eq!(client.memory(0x2000, 4), [0; 4]);
}
