//! Random damage to valid packets: the server answers or ignores, and never dies.

use std::ops::Range;

use crate::client::frame;
use crate::{Client, Event, Server};

const PACKETS: u32 = 4000;

/// What is damaged; also parts for what is put together.
const VALID: &[&[u8]] = &[
    b"?",
    b"g",
    b"m7c00,40",
    b"mb8000,10",
    b"m0,ffff",
    b"M600,4:01020304",
    b"X600,4:abcd",
    b"P0=01020304",
    b"P8=007c0000",
    b"P9=02000000",
    b"Pa=00000000",
    b"P2b=00000000",
    b"p8",
    b"p29",
    b"Z0,7c06,1",
    b"Z1,7c08,1",
    b"Z2,500,4",
    b"Z3,b8000,2",
    b"Z4,7c00,8",
    b"z0,7c06,1",
    b"z1,7c08,1",
    b"z2,500,4",
    b"vCont?",
    b"vCont;c:p1.-1",
    b"vCont;s:p1.1;c",
    b"vCont;r7c00,7c10:1",
    b"c",
    b"s",
    b"Hgp1.1",
    b"Hc-1",
    b"qSupported:multiprocess+;swbreak+",
    b"qSupported:multiprocess+;swbreak+;exec-events+",
    b"qXfer:features:read:target.xml:0,1000",
    b"qfThreadInfo",
    b"qsThreadInfo",
    b"qAttached:1",
    b"qOffsets",
    b"qTStatus",
    b"qHostInfo",
    b"qProcessInfo",
    b"Tp1.1",
    b"qRcmd,73637265656e",
    b"qRcmd,78702f3869203078376330",
    b"qRcmd,77616c6b20657333a30",
    b"qRcmd,7265736574",
    b"qRcmd,726567697374657273",
    b"vMustReplyEmpty",
    b"QThreadEvents:1",
    b"vFile:open:2f",
    b"vFile:setfs:0",
    b"vFile:open:2f686f6d65,0,0",
    b"vFile:pread:3,100,0",
    b"vFile:fstat:3",
    b"vFile:close:3",
    b"qXfer:exec-file:read:1:0,fff",
    b"Z0,7c06,1;X3,220127",
    b"Z1,7c08,1;X9,260000162022031327X3,220027",
    b"Z0,7c2e,1;Xa,23050017160822731327;cmds:1,X13,2600001620220022003401000525645c6e0027",
    b"Z0,7c2f,1;cmds:0,X14,24000005002200220034010005252d39732e0027",
    b"Z0,7c31,1;X3,210000",
    b"qSearch:memory:7c00;200;U\xaa",
    b"qSearch:memory:0;10000;stone",
    b"qCRC:7c00,200",
    b"x7c00,40",
    b"x0,ffff",
    b"!",
    b"R00",
    b"vRun;",
    b"vKill;1",
    b"D;1",
    b"vAttach;1",
    b"qRcmd,6d6f64652d6576656e7473206561676572",
    b"qRcmd,6d6f64652d6576656e7473206c617a79",
];

/// Xorshift: the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        const LIKELY: &[u8] = b"0123456789abcdef,;:=.+-pcszZmMXgG}*\x03\0\xff";
        if self.below(3) == 0 {
            self.next().to_le_bytes()[0]
        } else {
            LIKELY[self.below(LIKELY.len())]
        }
    }

    fn range(&mut self, len: usize) -> Range<usize> {
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        a.min(b)..a.max(b)
    }
}

/// A damaged packet.
fn mutant(random: &mut Random) -> Vec<u8> {
    let mut body = VALID[random.below(VALID.len())].to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(body.len() + 1);
        match random.below(8) {
            0 if at < body.len() => body[at] = random.byte(),
            1 => body.insert(at, random.byte()),
            2 if at < body.len() => drop(body.remove(at)),
            3 => body.truncate(at),
            4 => {
                let range = random.range(body.len());
                let copy = body[range].to_vec();
                body.splice(at..at, copy);
            }
            5 => {
                let digits = "f".repeat(random.below(20));
                body.splice(at..at, digits.into_bytes());
            }
            6 => body.extend_from_slice(VALID[random.below(VALID.len())]),
            _ if at < body.len() => body[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    body
}

/// What would end the session or the server: tested elsewhere. A client in the `extended` mode ends nothing.
fn ends_something(body: &[u8], extended: bool) -> bool {
    let starts = |word: &[u8]| body.starts_with(word);
    !extended && (starts(b"k") || starts(b"D") || starts(b"vKill")) || starts(b"qRcmd,717569742") || starts(b"qRcmd,71756974")
        // A wait for the escape of the frame's end would be ours, not the server's.
        || body.contains(&b'#') || body.contains(&b'$')
}

/// Sends `bytes`, an interrupt in case the guest runs now, and a question whose answer is not mistaken.
#[track_caller]
fn survive(client: &mut Client, bytes: &[u8], n: u32) {
    let name = format!("q{n}");
    let question = frame(format!("qRcmd,{}", crate::client::hex(name.as_bytes())).as_bytes());
    client.raw(&[bytes, b"\x03", &question].concat());
    let answer = crate::client::hex(format!("no such command: {name}\n").as_bytes());
    loop {
        match client.event() {
            Event::Packet(body) if String::from_utf8_lossy(&body).contains(&answer) => break,
            Event::End => panic!("the connection ended at {:?}", String::from_utf8_lossy(bytes)),
            _ => {}
        }
    }
    assert_eq!(client.event(), Event::Packet(b"OK".to_vec()));
}

fn fuzz(guest: &str, seed: u64, quiet: bool, extended: bool) {
    let mut server = Server::of(guest);
    let mut random = Random(seed);
    let mut client = server.connect();
    if quiet {
        client.no_acks();
    } else {
        client.leave_acks_out();
    }
    if extended {
        client.ask_anyhow("!");
    }
    for n in 0..PACKETS {
        let body = mutant(&mut random);
        if ends_something(&body, extended) {
            continue;
        }
        let mut bytes = frame(&body);
        // Now and then the frame is damaged instead.
        if random.below(10) == 0 {
            let at = random.below(bytes.len());
            bytes[at] = b"+-\x03\0x"[random.below(5)];
            bytes.extend_from_slice(&frame(b"vMustReplyEmpty"));
        }
        survive(&mut client, &bytes, n);
        assert!(server.is_alive());
        if n % 500 == 499 {
            client.ask_anyhow("qRcmd,7265736574");
        }
    }
    client.vanish();
    let mut client = server.connect();
    assert!(client.ask("?").starts_with('T'));
    client.monitor("reset");
    assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
}

#[test]
fn damaged_packets_never_end_the_server() {
    fuzz("addloop", 0x2545_f491_4f6c_dd1d, true, false);
}

#[test]
fn damaged_packets_never_end_the_server_while_they_are_acknowledged() {
    fuzz("hello", 0x9e37_79b9_7f4a_7c15, false, false);
}

#[test]
fn damaged_packets_never_end_the_server_of_a_guest_in_long_mode() {
    fuzz("long", 0xd1b5_4a32_d192_ed03, true, false);
}

#[test]
fn damaged_packets_never_end_the_server_in_the_extended_mode() {
    fuzz("modes", 0x6c62_272e_07bb_0142, true, true);
}

#[test]
fn random_bytes_never_end_the_server() {
    let server = Server::of("addloop");
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut client = server.connect();
    client.leave_acks_out();
    for n in 0..500 {
        let mut noise: Vec<u8> = (0..random.below(200)).map(|_| random.byte()).collect();
        // Whatever it was, it is over.
        noise.extend_from_slice(b"#00");
        survive(&mut client, &noise, n);
    }
}
