//! The whole server with a real machine: whatever a client sends, the guest and the listener are there for the
//! next one.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{cases, packets};
use crate::client::{frame, hex};
use crate::{Client, Event, Server};

/// Bytes that a report shows as text.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// What a client does next.
#[derive(Clone, Debug)]
enum Act {
    /// Sends packets at once, one of them perhaps with a frame that is damaged at this place.
    Packets(Vec<Bytes>, Option<(Index, u8)>),
    Noise(Bytes),
    /// Sends packets and is gone, and another one comes.
    Leave(Vec<Bytes>),
    /// Detaches, and another one comes.
    Detach,
}

fn body() -> impl Strategy<Value = Bytes> {
    packets::body().prop_map(Bytes)
}

fn act() -> impl Strategy<Value = Act> {
    let damage = (any::<Index>(), select(&b"+-\x03\0x"[..]));
    prop_oneof![
        12 => vec(body(), 1..4).prop_map(|bodies| Act::Packets(bodies, None)),
        2 => (vec(body(), 1..3), damage)
            .prop_map(|(bodies, damage)| Act::Packets(bodies, Some(damage))),
        1 => packets::noise().prop_map(|noise| Act::Noise(Bytes(noise))),
        1 => vec(body(), 0..3).prop_map(Act::Leave),
        1 => Just(Act::Detach),
    ]
}

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
struct Manner {
    quiet: bool,
    extended: bool,
    follows: bool,
}

/// What would end the server: tested elsewhere. A client in the extended mode ends nothing.
fn ends_something(body: &[u8], extended: bool) -> bool {
    let starts = |word: &[u8]| body.starts_with(word);
    let quits = b"71756974";
    let ends = starts(b"k") || starts(b"D") || starts(b"vKill");
    // The end of a frame within it makes packets of what is behind.
    let splits = body.contains(&b'#') || body.contains(&b'$');
    !extended && ends || starts(b"qRcmd") && body.windows(8).any(|part| part == quits) || splits
}

/// Whether noise holds a packet that would end the server.
fn holds_an_end(noise: &[u8]) -> bool {
    noise.windows(2).any(|pair| matches!(pair, b"$k" | b"$D" | b"$v"))
}

/// A server and its present client.
struct Scene {
    server: Server,
    client: Client,
    manner: Manner,
    asked: u32,
}

impl Scene {
    fn new(guest: &str, manner: Manner) -> Scene {
        let server = Server::of(guest);
        let client = server.connect();
        let mut scene = Scene { server, client, manner, asked: 0 };
        assert!(scene.introduce());
        scene
    }

    fn introduce(&mut self) -> bool {
        let Manner { quiet, extended, follows } = self.manner;
        self.client.leave_acks_out();
        let features: &[u8] =
            if follows { b"qSupported:swbreak+;exec-events+" } else { b"qSupported" };
        let quiet: &[u8] = if quiet { b"QStartNoAckMode" } else { b"?" };
        let extended: &[u8] = if extended { b"!" } else { b"vCont?" };
        self.survive(&[features, quiet, extended].map(frame).concat())
    }

    /// Has the client leave, after it has sent `bytes`, and another one come.
    fn change(&mut self, bytes: &[u8]) -> bool {
        self.client.try_raw(bytes);
        self.client.leave();
        match self.server.try_connect() {
            Some(client) => self.client = client,
            None => return self.ended(bytes),
        }
        self.introduce()
    }

    /// The server has ended, which it may if the guest has.
    #[track_caller]
    fn ended(&mut self, bytes: &[u8]) -> bool {
        let code = self.server.wait().code();
        let by_guest = code.is_some_and(|code| code % 2 == 1);
        assert!(by_guest, "the server ended ({code:?}) at {}", bytes.escape_ascii());
        false
    }

    /// Carries out `act`; false if the guest has ended, and the server with it.
    fn play(&mut self, act: &Act) -> bool {
        let extended = self.manner.extended;
        let framed = |bodies: &[Bytes]| {
            let sent = bodies.iter().filter(|body| !ends_something(&body.0, extended));
            sent.flat_map(|body| frame(&body.0)).collect::<Vec<u8>>()
        };
        match act {
            Act::Packets(bodies, damage) => {
                let mut bytes = framed(bodies);
                if let (Some((at, byte)), false) = (damage, bytes.is_empty()) {
                    *at.get_mut(&mut bytes) = *byte;
                    bytes.extend_from_slice(&frame(b"vMustReplyEmpty"));
                }
                self.survive(&bytes)
            }
            Act::Noise(noise) if holds_an_end(&noise.0) => true,
            // Whatever it was, it is over.
            Act::Noise(noise) => self.survive(&[&noise.0, &b"#00"[..]].concat()),
            Act::Leave(bodies) => self.change(&framed(bodies)),
            Act::Detach => self.change(&[&b"\x03"[..], &frame(b"D")].concat()),
        }
    }

    /// Sends `bytes`, interrupts in case the guest runs now, and a question whose answer is not mistaken. False if
    /// the guest has ended.
    #[track_caller]
    fn survive(&mut self, bytes: &[u8]) -> bool {
        self.asked += 1;
        let name = format!("q{}", self.asked);
        let question = frame(format!("qRcmd,{}", hex(name.as_bytes())).as_bytes());
        // What was sent ahead may let it run as often as there are packets.
        let packets = bytes.iter().filter(|byte| **byte == b'$').count();
        self.client.try_raw(&[bytes, &vec![0x03; packets + 1], &question].concat());
        let answer = hex(format!("no such command: {name}\n").as_bytes());
        loop {
            match self.client.event() {
                Event::Packet(body) if String::from_utf8_lossy(&body).contains(&answer) => break,
                Event::End => return self.ended(bytes),
                _ => {}
            }
        }
        assert_eq!(self.client.event(), Event::Packet(b"OK".to_vec()));
        assert!(self.server.is_alive());
        true
    }

    /// A client that behaves finds a guest that it can read and step.
    fn find_all_well(self) {
        self.client.leave();
        let mut client = self.server.connect();
        assert!(client.ask("?").starts_with('T'));
        let registers = client.ask("g");
        assert!(registers.len() > 300 && !registers.starts_with('E'), "{registers}");
        assert!(client.run("s").starts_with('T'));
        client.monitor("stop-on none");
        client.monitor("break-on none");
        client.monitor("stop-at delete all");
        client.monitor("mode-events lazy");
        client.monitor("reset");
        assert_eq!(client.memory(0x7dfe, 2), [0x55, 0xaa]);
        let start = client.monitor("registers");
        assert!(client.run("s").starts_with("T05"));
        assert_ne!(client.monitor("registers"), start);
    }
}

fn manner() -> impl Strategy<Value = Manner> {
    any::<(bool, bool, bool)>().prop_map(|(quiet, extended, follows)| Manner {
        quiet,
        extended,
        follows,
    })
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn a_server_survives_all_that_is_sent_to_it(
        guest in select(&["addloop", "hello", "int", "modes", "long"][..]),
        manner in manner(),
        acts in vec(act(), 1..80),
    ) {
        let mut scene = Scene::new(guest, manner);
        if acts.iter().all(|act| scene.play(act)) {
            scene.find_all_well();
        }
    }
}
