//! A session that waits uses no processor: nothing polls.

use std::fs;

use crate::Server;

/// What the scheduler says about every thread of a process: state, voluntary and other switches, and ticks
/// of processor time of all of them.
#[derive(Debug, PartialEq, Eq)]
struct Activity {
    threads: Vec<(String, String)>,
    ticks: u64,
}

fn activity(id: u32) -> Activity {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let path = task.unwrap().path();
        let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
        let line =
            |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap_or("").to_owned();
        threads.push((path.display().to_string(), line("State:") + &line("voluntary_ctxt")));
    }
    threads.sort();
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // Behind the name, which ends with the last parenthesis: utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Activity { threads, ticks }
}

/// Checks that `idle` does nothing while another server is kept busy. As long as it still comes to rest it
/// may: some rounds are granted.
#[track_caller]
fn assert_idle(idle: &Server) {
    let busy = Server::of("hello");
    let mut client = busy.connect();
    client.no_acks();
    let mut before = activity(idle.id());
    for _ in 0..20 {
        for _ in 0..200 {
            client.memory(0x7c00, 64);
        }
        let after = activity(idle.id());
        let sleeps = |(_, state): &(String, String)| state.contains("S (sleeping)");
        if after == before && after.threads.iter().all(sleeps) {
            return;
        }
        before = after;
    }
    panic!("never idle: {before:?}");
}

#[test]
fn a_server_without_a_client_is_idle() {
    assert_idle(&Server::of("addloop"));
}

#[test]
fn a_stopped_session_is_idle() {
    let server = Server::of("addloop");
    let mut client = server.connect();
    client.resume("vCont;c");
    client.raw(&[3]);
    client.stop();
    assert_idle(&server);
    client.ask("?");
}

#[test]
fn a_guest_that_is_halted_for_ever_is_idle_with_and_without_a_client() {
    let mut server = Server::of("hello");
    let mut client = server.connect();
    client.run("vCont;c");
    assert_idle(&server);
    client.order("D");
    server.wait_for("a debugger may attach and look");
    assert_idle(&server);
}

#[test]
fn a_second_client_that_says_nothing_keeps_nobody_busy() {
    let server = Server::of("hello");
    let mut client = server.connect();
    client.ask("?");
    let _second = server.connect();
    assert_idle(&server);
}
