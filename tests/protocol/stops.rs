//! Stops at catchpoints on the wire.

use crate::handshake::FEATURES;
use crate::{Client, Server};

/// In `int`: `mov al, 'A'`, the first `int 0x21` of its own behind it, and an instruction more.
const BEFORE: u64 = 0x7c2e;
const INT: u64 = 0x7c30;

/// A gdb, which follows the guest, past its welcome.
fn gdb(server: &Server) -> Client {
    let mut client = server.connect();
    client.ask(FEATURES);
    client.ask("?");
    client.run("vCont;c");
    client
}

/// Runs up to [`BEFORE`].
#[track_caller]
fn run_to_before(client: &mut Client) {
    client.order(format!("Z0,{BEFORE:x},1"));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    client.order(format!("z0,{BEFORE:x},1"));
}

#[track_caller]
fn stopped(client: &mut Client, resume: &str, signal: &str, line: &str) {
    client.resume(resume);
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with(signal) && !stop.contains("break"), "{resume}: {stop}");
    assert_eq!(console.matches(line).count(), 1, "{resume}: {console}");
}

#[test]
fn a_run_ends_at_a_catchpoint_with_a_line_and_a_trap() {
    let server = Server::of("int");
    let mut client = gdb(&server);
    assert_eq!(
        client.monitor("stop-at int 0x21 al=0x41"),
        "stop 1: int 0x21 al=0x41; the guest runs instruction by instruction\n"
    );
    let line = "stepvisor: int 0x21 with AL = 0x41, at 0000:7C30\n";
    stopped(&mut client, "vCont;c", "T05", line);
    // Once: the guest goes on from it.
    client.order(format!("Z0,{:x},1", INT + 2));
    assert!(client.run("vCont;c").contains("swbreak:;"));
    assert_eq!(client.monitor("stop-at"), "1: int 0x21 al=0x41, hit once\n");
}

#[test]
fn gdb_takes_a_catchpoint_for_no_end_of_its_own_step() {
    // It makes one to leave a breakpoint, and goes on without a word from a SIGTRAP there.
    let server = Server::of("int");
    for resume in ["vCont;s:1;c", "vCont;r7c2e,7c34:1;c"] {
        let mut client = gdb(&server);
        client.monitor("reset");
        client.monitor("stop-at delete all");
        run_to_before(&mut client);
        client.monitor("stop-at int 0x21");
        stopped(&mut client, resume, "T00", "int 0x21 with AX = 0x0041, at 0000:7C30");
        // The next step is one like any other.
        assert!(client.run("vCont;s:1;c").starts_with("T05"));
        client.vanish();
    }
}

#[test]
fn other_clients_are_stopped_again_when_they_go_on_from_their_step() {
    let server = Server::of("int");
    let mut client = server.connect();
    run_to_before(&mut client);
    client.monitor("stop-at int 0x21");
    stopped(&mut client, "vCont;s", "T05", "int 0x21 with AX = 0x0041");
    // Without a word, for that was said.
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T05") && console.is_empty(), "{stop} {console}");
    assert_eq!(client.monitor("stop-at"), "1: int 0x21, hit once\n");
    // Only once, and not if they go on stepping.
    stopped(&mut client, "vCont;c", "T05", "int 0x21 with AX = 0x0042, at 0000:7C34");
    assert!(client.run("vCont;s").starts_with("T05"));
    client.order("Z0,7c36,1");
    assert!(client.run("vCont;c").contains("swbreak:;"));
}

#[test]
fn a_condition_that_is_false_hides_no_catchpoint() {
    let server = Server::of("int");
    let mut client = gdb(&server);
    // On the instruction before, and on the very one; const8 0; end.
    client.order(format!("Z0,{BEFORE:x},1;X3,220027"));
    client.order(format!("Z0,{INT:x},1;X3,220027"));
    client.monitor("stop-at int 0x21 al=0x41");
    // gdb would take SIGTRAP for the breakpoint.
    stopped(&mut client, "vCont;c", "T00", "int 0x21 with AL = 0x41");
}

#[test]
fn an_access_to_a_port_comes_behind_what_it_prints() {
    let server = Server::with(&["--stop-at", "out 0xe9 0x6f", "guests/bin/portio.elf"]);
    let mut client = gdb(&server);
    client.resume("vCont;c");
    let (stop, console) = client.stop_and_console();
    assert!(stop.starts_with("T05"), "{stop}");
    let line = "Po\nstepvisor: write of 0x6f (1 byte) to port 0x00e9, at 0000:7C21\n";
    assert_eq!(console, line);
}

#[test]
fn plan_tells_what_each_stop_costs() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.monitor("stop-at out 0x80");
    let text = client.monitor("plan");
    assert!(text.starts_with("full speed"), "{text}");
    assert!(
        text.contains("stop at out 0x80: each access leaves the guest; costs nothing"),
        "{text}"
    );
    client.monitor("stop-at int 0x10");
    client.order("Z0,7c2a,1");
    let text = client.monitor("plan");
    assert!(text.starts_with("instruction by instruction"), "{text}");
    assert!(
        text.contains("breakpoint at 0x7c2a: stepping, because the guest is stepped anyway"),
        "{text}"
    );
    assert!(text.contains("stop at int 0x10: stepping, because the guest changes"), "{text}");
    client.monitor("stop-at delete 2");
    assert!(client.monitor("plan").starts_with("full speed"));
}
