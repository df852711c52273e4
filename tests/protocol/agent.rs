//! Conditions and commands that the server carries out at a breakpoint.

use crate::{Client, Server, TargetXml};

/// `mov cx, 1000; again: inc ax; loop again; jmp $` with the breakpoint on `inc ax`.
const LOOP: &str = "31c0b9e80340e2fdebfe";
const INC: u64 = 0x8005;
const END: u64 = 0x8008;

/// A guest that counts to 1000 in AX, with the bytecode `conditions` and `commands` on each count.
fn counting(server: &Server, behind: &str) -> (Client, TargetXml) {
    let mut client = server.connect();
    client.order(format!("M8000,{:x}:{LOOP}", LOOP.len() / 2));
    let xml = TargetXml::read(&mut client, 0x1000);
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    client.order(format!("Z0,{INC:x},1{behind}"));
    client.order(format!("Z0,{END:x},1"));
    (client, xml)
}

#[test]
fn a_condition_stops_the_guest_when_it_is_true_and_not_before() {
    let server = Server::of("hello");
    // $eax == 500, as gdb writes it: reg 0; const16; ext 32; equal.
    let (mut client, xml) = counting(&server, ";Xa,2600002301f416201327");
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eip"), INC);
    assert_eq!(xml.get(&mut client, "eax"), 500);
    // On from there, as gdb goes on: without the breakpoint, a step, with it.
    client.order(format!("z0,{INC:x},1"));
    client.run("vCont;s:1");
    client.order(format!("Z0,{INC:x},1;Xa,2600002301f416201327"));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eip"), END);
    assert_eq!(xml.get(&mut client, "eax"), 1000);
}

#[test]
fn one_true_condition_of_several_is_enough_and_another_list_replaces_the_first() {
    let server = Server::of("hello");
    let is = |n: u64| format!("Xa,260000_23{n:04x}_162013_27").replace('_', "");
    let (mut client, xml) = counting(&server, &format!(";{}{}", is(7), is(5)));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eax"), 5);
    client.order(format!("Z0,{INC:x},1;{}", is(9)));
    // Stands on it still, where the new condition is false.
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eax"), 9);
    client.order(format!("Z0,{INC:x},1"));
    assert_eq!(xml.get(&mut client, "eax"), 9);
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eax"), 9, "without a condition it stops at once");
    client.order(format!("z0,{INC:x},1"));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eip"), END, "one removal is enough");
}

#[test]
fn a_condition_holds_for_its_kind_of_breakpoint_only() {
    let server = Server::of("hello");
    let (mut client, _) = counting(&server, ";X3,220027");
    client.order(format!("Z1,{INC:x},1"));
    let stop = client.run("vCont;c");
    assert!(stop.contains("break:;"), "{stop}");
}

#[test]
fn a_condition_that_cannot_be_evaluated_stops_each_time_and_is_told_once() {
    let server = Server::of("hello");
    let (mut client, _) = counting(&server, ";X2,0227");
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.contains("swbreak:;"), "{stop}");
    assert!(console.contains("its stack is empty"), "{console}");
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.contains("swbreak:;") && console.is_empty(), "{stop} {console}");
}

#[test]
fn a_command_that_fails_at_another_address_each_time_is_told_once_and_another_one_anew() {
    let server = Server::of("hello");
    // The byte at $eax + f0000000h: reg 0; const32; add; ref8.
    let fails = |code: &str| format!(";cmds:0,X{:x},{code}", code.len() / 2);
    let (mut client, _) = counting(&server, &fails("26000024f0000000021727"));
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.contains("swbreak:;"), "{stop}");
    assert_eq!(console.matches("the command of the breakpoint at 0x8005 fails").count(), 1);
    assert!(console.contains("cannot read memory at 0xf0000000"), "{console}");
    // Taken away and set again it is the same; with another address in it, it is not.
    for (code, told) in [("26000024f0000000021727", 0), ("26000024e0000000021727", 1)] {
        client.order(format!("z0,{INC:x},1"));
        client.order(format!("z0,{END:x},1"));
        let xml = TargetXml::read(&mut client, 0x1000);
        assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
        client.order(format!("Z0,{INC:x},1{}", fails(code)));
        client.order(format!("Z0,{END:x},1"));
        client.resume("vCont;c");
        let (_, console) = client.stop_and_console();
        assert_eq!(console.matches("fails").count(), told, "{console}");
    }
}

#[test]
fn a_command_prints_at_each_hit_and_the_guest_goes_on() {
    let server = Server::of("hello");
    // printf("%d\\n", $eax), if 997 < $eax.
    let behind = ";Xa,2303e526000016201427;cmds:0,X13,26000016202200220034010005\
                  25645c6e0027";
    let (mut client, xml) = counting(&server, &behind.replace(' ', ""));
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.contains("swbreak:;"), "{stop}");
    assert_eq!(console, "998\n999\n");
    assert_eq!(xml.get(&mut client, "eip"), END);
}

#[test]
fn conditions_count_while_a_range_is_stepped_through() {
    let server = Server::of("hello");
    let (mut client, xml) = counting(&server, ";Xa,2600002301f416201327");
    let stop = client.run(&format!("vCont;r8000,{END:x}:1"));
    assert!(stop.contains("swbreak:;"), "{stop}");
    assert_eq!(xml.get(&mut client, "eax"), 500);
}

#[test]
fn an_interrupt_ends_a_run_of_conditions_that_are_never_true() {
    let server = Server::of("hello");
    let mut client = server.connect();
    // jmp $
    client.order("M8000,2:ebfe");
    let xml = TargetXml::read(&mut client, 0x1000);
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    client.order("Z0,8000,1;X3,220027");
    client.resume("vCont;c");
    client.raw(b"\x03");
    assert!(client.stop().starts_with("T02"));
    assert_eq!(xml.get(&mut client, "eip"), 0x8000);
}

#[test]
fn an_interrupt_ends_it_where_no_instruction_needs_the_processor() {
    let server = Server::of("hello");
    let mut client = server.connect();
    // int 0x30, whose handler it is itself.
    client.order("M8000,2:cd30");
    client.order("Mc0,4:00800000");
    let xml = TargetXml::read(&mut client, 0x1000);
    assert_eq!(xml.set(&mut client, "eip", 0x8000), "OK");
    // Away from the code, which the stack would come to.
    assert_eq!(xml.set(&mut client, "ss", 0x2000), "OK");
    // The first time around it prints; false in any case.
    let code = "2c0001200018_22012d000129_2200220034000004_785c6e00_220027".replace('_', "");
    client.order(format!("Z0,8000,1;X{:x},{code}", code.len() / 2));
    client.resume("vCont;c");
    assert_eq!(client.text(), "O780a");
    client.raw(b"\x03");
    assert!(client.stop().starts_with("T02"));
    assert_eq!(xml.get(&mut client, "eip"), 0x8000);
}

#[test]
fn lists_of_another_form_are_refused() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for behind in
        [";X", ";X1", ";X2,27", ";X1,zz", ";Y1,27", ";cmds", ";cmds:0", ";cmds:0,X1", ";;X"]
    {
        let reply = client.ask(format!("Z0,7c06,1{behind}"));
        assert!(reply.starts_with('E'), "{behind}: {reply}");
    }
    // And nothing is left of them.
    client.order("Z0,7c08,1");
    let xml = TargetXml::read(&mut client, 0x1000);
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(xml.get(&mut client, "eip"), 0x7c08);
}
