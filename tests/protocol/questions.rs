//! The questions of the gdb script, as it puts them, and whatever else a client may put.

use crate::Server;
use crate::client::Client;

/// The answer to the question `line`, put as a search, eight bytes at a time.
fn by_search(client: &mut Client, line: &str) -> String {
    let mut answer = Vec::new();
    loop {
        let text = format!("gdb-script {line} @{}", answer.len() / 8);
        let reply = client.ask(format!("qSearch:memory:0;{:x};{text}", text.len()));
        let Some(word) = reply.strip_prefix("1,") else { break };
        answer.extend(u64::from_str_radix(word, 16).unwrap().to_le_bytes());
    }
    String::from_utf8(answer).unwrap().trim_end_matches('\0').trim_end().to_owned()
}

#[test]
fn both_ways_to_ask_give_the_same_answer() {
    let server = Server::of("calls");
    let mut client = server.connect();
    assert!(by_search(&mut client, "version").starts_with("stepvisor "));
    client.order("Z0,7c87,1");
    client.run("vCont;c");
    // `put`, called near from 7C3E, at CS = 07C0 with SS:SP = 0900:03FA.
    for question in ["caller 7c87;3fa;0;2;7c0;7c00;900;9000", "linear 7c0;5"] {
        let answer = by_search(&mut client, question);
        assert_eq!(client.monitor(&format!("gdb-script {question}")).trim_end(), answer);
        match question {
            "linear 7c0;5" => assert_eq!(answer, "7c05"),
            _ => assert_eq!(answer, "near;93fc;esp=3fc;eip=7c41;sp=93fc;ip=41"),
        }
    }
    let picture = client.monitor("gdb-script screen png");
    assert!(picture.starts_with("89504e470d0a1a0a"), "{picture}");
}

#[test]
fn what_is_no_question_is_answered_as_an_error_or_as_a_search() {
    let server = Server::of("hello");
    let mut client = server.connect();
    for bad in [
        "version now",
        "caller",
        "caller 1",
        "caller x;0;0;0;0;0;0;0",
        "caller 0;0;0;0;0;0;0;0;0",
        "caller 0;0;0;0;10000;0;0;0",
        "caller 0;0;0;0;0;0;ffffffffffffffff;0",
        "linear 1",
        "linear 10000;0",
        "screen",
        "screen gif",
        "nonsense",
    ] {
        let answer = client.monitor(&format!("gdb-script {bad}"));
        assert!(answer.starts_with("error: ") && answer.ends_with('\n'), "{bad}: {answer}");
    }
    let most = u64::MAX;
    let numbers = format!("{most:x};{most:x};{most:x};{most:x};ffff;{most:x};ffff;{most:x}");
    assert_eq!(client.monitor(&format!("gdb-script caller {numbers}")), "outermost\n");
    assert_eq!(client.ask("qSearch:memory:0;14;gdb-script version @9"), "0");
    assert_eq!(client.ask("qSearch:memory:0;15;gdb-script version @99"), "0");
    assert_eq!(client.ask("qSearch:memory:0;14;gdb-script version @x"), "0");
    // A search that finds itself: the text is in memory.
    let text = "gdb-script version @0";
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    client.order(format!("M500,15:{digits}"));
    assert_eq!(client.ask(format!("qSearch:memory:0;1000;{text}")), "1,500");
}
