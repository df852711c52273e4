//! The program that is offered to a client without one.

use std::fs;
use std::path::Path;

use crate::client::hex;
use crate::{Client, Server};

/// The name under which the client finds the program.
fn name(client: &mut Client) -> String {
    let reply = client.ask("qXfer:exec-file:read:1:0,fff");
    reply.strip_prefix('l').expect(&reply).to_owned()
}

fn open(client: &mut Client, name: &str, flags: u32) -> String {
    client.ask(format!("vFile:open:{},{flags:x},0", hex(name.as_bytes())))
}

/// The data behind `F` and the length.
fn data(reply: &[u8]) -> &[u8] {
    let end = reply.iter().position(|byte| *byte == b';').unwrap();
    let len = std::str::from_utf8(&reply[1..end]).unwrap();
    let data = &reply[end + 1..];
    assert_eq!(usize::from_str_radix(len, 16).unwrap(), data.len());
    data
}

#[test]
fn the_image_is_offered_if_it_has_symbols_and_read_through_the_server() {
    let server = Server::of("long");
    let mut client = server.connect();
    let name = name(&mut client);
    assert!(Path::new(&name).is_absolute() && name.ends_with("guests/bin/long.elf"), "{name}");
    let whole = fs::read(&name).unwrap();
    assert_eq!(client.ask("vFile:setfs:0"), "F0");
    let fd = open(&mut client, &name, 0).strip_prefix('F').unwrap().to_owned();
    let mut read = Vec::new();
    loop {
        let reply = client.ask_bytes(format!("vFile:pread:{fd},3e8,{:x}", read.len()));
        if data(&reply).is_empty() {
            break;
        }
        read.extend_from_slice(data(&reply));
    }
    assert_eq!(read, whole);
    let status = client.ask_bytes(format!("vFile:fstat:{fd}"));
    let size = &data(&status)[28..36];
    assert_eq!(size, (whole.len() as u64).to_be_bytes());
    assert_eq!(client.ask(format!("vFile:close:{fd}")), "F0");
    assert_eq!(client.ask(format!("vFile:pread:{fd},10,0")), "F-1,9");
    // As much as fits a packet, however much is wanted.
    let fd = open(&mut client, &name, 0).strip_prefix('F').unwrap().to_owned();
    let reply = client.ask_bytes(format!("vFile:pread:{fd},ffffffffffffffff,0"));
    assert!(whole.starts_with(data(&reply)) && !data(&reply).is_empty());
}

#[test]
fn the_file_that_symbols_names_is_offered_and_the_demo_has_its_own() {
    let server = Server::with(&["guests/bin/hello.bin", "--symbols", "guests/bin/hello.elf"]);
    assert!(name(&mut server.connect()).ends_with("guests/bin/hello.elf"));
    let server = Server::with(&["--demo"]);
    let mut client = server.connect();
    let name = name(&mut client);
    let fd = open(&mut client, &name, 0).strip_prefix('F').unwrap().to_owned();
    let reply = client.ask_bytes(format!("vFile:pread:{fd},4,0"));
    assert_eq!(data(&reply), b"\x7fELF");
}

#[test]
fn without_symbols_the_name_is_no_file() {
    let server = Server::with(&["guests/bin/hello.bin"]);
    let mut client = server.connect();
    assert_eq!(name(&mut client), "[real mode]");
    assert_eq!(client.ask("vFile:open:2f,0,0"), "");
}

#[test]
fn no_other_file_can_be_read_and_none_written() {
    let server = Server::of("hello");
    let mut client = server.connect();
    let name = name(&mut client);
    for other in
        ["/etc/passwd", "/", "", ".", "just probing", &format!("{name}/"), &format!("/.{name}")]
    {
        assert_eq!(open(&mut client, other, 0), "F-1,2", "{other}");
    }
    for flags in [1, 2, 0x200, 0x400, 0x800] {
        assert_eq!(open(&mut client, &name, flags), "F-1,1e", "{flags:#x}");
    }
    assert_eq!(client.ask("vFile:unlink:2f"), "F-1,1e");
    assert_eq!(client.ask("vFile:pwrite:3,0,x"), "F-1,1e");
    assert_eq!(client.ask("vFile:close:3"), "F-1,9");
    assert_eq!(client.ask("vFile:something:3"), "");
    // Nor as many as one likes.
    let opened = (0..1000).filter(|_| !open(&mut client, &name, 0).starts_with("F-1")).count();
    assert!((1..1000).contains(&opened), "{opened}");
    client.vanish();
    let mut client = server.connect();
    assert!(!open(&mut client, &name, 0).starts_with("F-1"), "closed with its client");
}
