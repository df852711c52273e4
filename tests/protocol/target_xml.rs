//! The target description as a client reads it.

use crate::client::{Client, unhex};

/// One register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    pub name: String,
    pub number: usize,
    pub bytes: usize,
    pub kind: String,
}

/// Architecture and registers.
#[derive(Clone, Debug)]
pub struct TargetXml {
    pub text: String,
    pub architecture: String,
    pub registers: Vec<Register>,
}

impl TargetXml {
    /// Reads it in chunks of `chunk` bytes.
    #[track_caller]
    pub fn read(client: &mut Client, chunk: usize) -> TargetXml {
        let mut text = String::new();
        loop {
            let offset = text.len();
            let reply = client.ask(format!("qXfer:features:read:target.xml:{offset:x},{chunk:x}"));
            let (more, part) = reply.split_at(1);
            assert!(part.len() <= chunk);
            text.push_str(part);
            match more {
                "m" => {}
                "l" => return TargetXml::parse(text),
                other => panic!("qXfer: {other}"),
            }
        }
    }

    fn parse(text: String) -> TargetXml {
        let architecture = between(&text, "<architecture>", "</architecture>").to_owned();
        let registers = text
            .split("<reg ")
            .skip(1)
            .map(|reg| {
                let attribute = |name: &str| between(reg, &format!("{name}=\""), "\"");
                Register {
                    name: attribute("name").to_owned(),
                    number: attribute("regnum").parse().unwrap(),
                    bytes: attribute("bitsize").parse::<usize>().unwrap() / 8,
                    kind: attribute("type").to_owned(),
                }
            })
            .collect();
        TargetXml { text, architecture, registers }
    }

    /// Bytes of a `g` packet.
    pub fn size(&self) -> usize {
        self.registers.iter().map(|register| register.bytes).sum()
    }

    #[track_caller]
    pub fn register(&self, name: &str) -> &Register {
        self.registers.iter().find(|register| register.name == name).expect(name)
    }

    /// The bytes of `register` in a `g` packet.
    pub fn slice<'a>(&self, g: &'a [u8], register: &Register) -> &'a [u8] {
        let mut before: Vec<&Register> = self.registers.iter().collect();
        before.sort_by_key(|other| other.number);
        let offset: usize =
            before.iter().take_while(|other| other.number < register.number).map(|r| r.bytes).sum();
        &g[offset..offset + register.bytes]
    }

    /// The value of a register of up to 64 bits, by `p`.
    #[track_caller]
    pub fn get(&self, client: &mut Client, name: &str) -> u64 {
        let register = self.register(name);
        let reply = client.ask(format!("p{:x}", register.number));
        assert_eq!(reply.len(), 2 * register.bytes, "{name}: {reply}");
        number(&unhex(&reply))
    }

    /// Sets a register of up to 64 bits by `P`; gives the reply.
    #[track_caller]
    pub fn set(&self, client: &mut Client, name: &str, value: u64) -> String {
        let register = self.register(name);
        let bytes = &value.to_le_bytes()[..register.bytes];
        client.ask(format!("P{:x}={}", register.number, crate::client::hex(bytes)))
    }
}

pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[track_caller]
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).expect(end).0
}
