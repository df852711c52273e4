//! Packets as debuggers send them, as they might, and as nobody does.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::client::{escape, hex};

/// What debuggers send; also parts for what is put together.
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
    b"vCont;C05:1",
    b"c",
    b"s",
    b"Hgp1.1",
    b"Hc-1",
    b"QStartNoAckMode",
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
    b"qSearch:memory:0;ffffffffffffffff;stone",
    b"qCRC:7c00,200",
    b"qCRC:0,ffffffffffffffff",
    b"x7c00,40",
    b"x0,ffff",
    b"!",
    b"R00",
    b"vRun;",
    b"vKill;1",
    b"D;1",
    b"vAttach;1",
];

/// What users type after `monitor`.
const COMMANDS: &[&str] = &[
    "help",
    "screen",
    "registers",
    "reset",
    "plan",
    "exits",
    "xp/8i 0x7c00",
    "xp/4xw 0xb8000",
    "xp/2s 0xfffffff0",
    "walk es:0",
    "walk 0xffff800000000000",
    "stop-on all",
    "stop-on none",
    "break-on int3,xchg",
    "break-on none",
    "stop-at",
    "stop-at int 0x10 ah=0x0e",
    "stop-at io 0-0xffff",
    "stop-at mode",
    "stop-at delete 1",
    "stop-at delete all",
    "mode-events eager",
    "mode-events lazy",
];

/// Numbers at which something begins or ends.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    4,
    0x500,
    0x7bff,
    0x7c00,
    0x7c06,
    0x7dfe,
    0x9_ffff,
    0xa_0000,
    0xb_8000,
    0xb_8fa0,
    0xf_ffff,
    0x10_0000,
    0x3ff_ffff,
    0x400_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    u64::MAX - 1,
    u64::MAX,
];

/// A number in hexadecimal; mostly one that means something.
pub fn number() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => select(NUMBERS),
        2 => (select(NUMBERS), 0u64..0x200).prop_map(|(number, more)| number.wrapping_add(more)),
        2 => 0u64..0x1_0000,
        1 => any::<u64>(),
    ];
    (value, 0usize..3)
        .prop_map(|(value, zeros)| format!("{:0>width$x}", value, width = 1 + zeros * 9))
}

/// Bytecode: bytecodes with operands, or bytes.
pub fn bytecode() -> impl Strategy<Value = Vec<u8>> {
    let operand = || prop_oneof![Just(0u8), Just(1), Just(8), Just(64), any::<u8>()];
    let word = || prop_oneof![(Just(0u8), 0u8..60), (any::<u8>(), any::<u8>())];
    let code = prop_oneof![
        4 => (0u8..0x38).prop_map(|opcode| vec![opcode]),
        3 => (select(&[0x22u8, 0x16, 0x2a, 0x32, 0x0d][..]), operand()).prop_map(|(op, n)| vec![op, n]),
        3 => (select(&[0x20u8, 0x21, 0x23, 0x26, 0x2c, 0x2d, 0x2e][..]), word())
            .prop_map(|(op, (high, low))| vec![op, high, low]),
        1 => any::<[u8; 8]>().prop_map(|bytes| [&[0x25][..], &bytes].concat()),
        1 => (operand(), vec(any::<u8>(), 0..12)).prop_map(|(count, text)| {
            let len = u16::try_from(text.len() + 1).unwrap().to_be_bytes();
            [&[0x34, count][..], &len, &text, &[0]].concat()
        }),
        1 => vec(any::<u8>(), 0..4),
    ];
    (vec(code, 0..12), any::<bool>()).prop_map(|(codes, ends)| {
        let mut all = codes.concat();
        all.extend(ends.then_some(0x27));
        all
    })
}

/// Lists of conditions and commands, as they stand behind a breakpoint.
pub fn lists() -> impl Strategy<Value = String> {
    let list = vec(bytecode(), 0..3).prop_map(|codes| {
        codes.iter().map(|code| format!("X{:x},{}", code.len(), hex(code))).collect::<String>()
    });
    let list = (prop_oneof![3 => Just(""), 1 => Just("cmds:0,"), 1 => Just("cmds:1,")], list);
    vec(list, 1..4).prop_map(|lists| {
        let lists: Vec<String> =
            lists.into_iter().map(|(kind, list)| format!("{kind}{list}")).collect();
        lists.join(";")
    })
}

/// `ADDR,LEN`.
fn range() -> impl Strategy<Value = String> {
    (number(), number()).prop_map(|(addr, len)| format!("{addr},{len}"))
}

/// A packet of the right form, whatever it says.
pub fn formed() -> impl Strategy<Value = Vec<u8>> {
    let data = || vec(any::<u8>(), 0..40);
    let text = |packet: String| packet.into_bytes();
    let action = prop_oneof![
        Just("c".to_owned()),
        Just("s".to_owned()),
        any::<u8>().prop_map(|signal| format!("C{signal:02x}")),
        any::<u8>().prop_map(|signal| format!("S{signal:02x}")),
        range().prop_map(|range| format!("r{range}")),
        Just("t".to_owned()),
    ];
    let thread = select(&["", ":1", ":p1.1", ":p1.-1", ":-1", ":0", ":p2.5"][..]);
    prop_oneof![
        (select(&["m", "x", "qCRC:"][..]), range())
            .prop_map(move |(name, range)| text(format!("{name}{range}"))),
        (number(), data()).prop_map(move |(addr, data)| {
            text(format!("M{addr},{:x}:{}", data.len(), hex(&data)))
        }),
        (number(), data()).prop_map(|(addr, data)| {
            [format!("X{addr},{:x}:", data.len()).as_bytes(), &escape(&data)].concat()
        }),
        (0u32..0x60, select(&[1usize, 2, 4, 8, 10, 16][..]), any::<u128>()).prop_map(
            move |(register, size, value)| {
                text(format!("P{register:x}={}", hex(&value.to_le_bytes()[..size])))
            }
        ),
        (0u32..0x80).prop_map(move |register| text(format!("p{register:x}"))),
        (vec(any::<u8>(), 1..9), 0usize..700).prop_map(move |(pattern, len)| {
            let all: Vec<u8> = pattern.iter().copied().cycle().take(len).collect();
            text(format!("G{}", hex(&all)))
        }),
        (select(&["Z", "z"][..]), 0u32..6, range())
            .prop_map(move |(name, kind, range)| text(format!("{name}{kind},{range}"))),
        (0u32..2, 0x7c00u32..0x7c40, lists())
            .prop_map(move |(kind, addr, lists)| text(format!("Z{kind},{addr:x},1;{lists}"))),
        vec((action, thread), 1..4).prop_map(move |actions| {
            let actions: Vec<String> = actions.into_iter().map(|(verb, who)| verb + who).collect();
            text(format!("vCont;{}", actions.join(";")))
        }),
        (number(), number(), data()).prop_map(|(addr, len, pattern)| {
            [format!("qSearch:memory:{addr};{len};").as_bytes(), &escape(&pattern)].concat()
        }),
        range().prop_map(move |range| text(format!("qXfer:features:read:target.xml:{range}"))),
        range().prop_map(move |range| text(format!("qXfer:exec-file:read::{range}"))),
        (number(), range()).prop_map(move |(fd, range)| text(format!("vFile:pread:{fd},{range}"))),
        select(COMMANDS).prop_map(move |line| text(format!("qRcmd,{}", hex(line.as_bytes())))),
        (select(COMMANDS), vec(" -~", 0..3)).prop_map(move |(line, more)| {
            text(format!("qRcmd,{}", hex(format!("{line}{}", more.concat()).as_bytes())))
        }),
    ]
}

/// One place of a packet made wrong.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, Index),
    Digits(Index, usize),
    Flip(Index, u32),
}

/// A byte, mostly one that means something.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        2 => select(&b"0123456789abcdef,;:=.+-pcszZmMXgG}*\x03\0\xff"[..]),
        1 => any::<u8>(),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    prop_oneof![
        (index(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (index(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        index().prop_map(Damage::Remove),
        index().prop_map(Damage::Truncate),
        (index(), index()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (index(), 0usize..20).prop_map(|(at, count)| Damage::Digits(at, count)),
        (index(), 0u32..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
    ]
}

impl Damage {
    fn apply(self, body: &mut Vec<u8>) {
        // One place more than there are bytes: the end.
        let place = |at: Index, body: &Vec<u8>| at.index(body.len() + 1);
        match self {
            Damage::Insert(at, byte) => body.insert(place(at, body), byte),
            Damage::Truncate(at) => body.truncate(place(at, body)),
            Damage::Repeat(from, to) => {
                let (from, to) = (place(from, body), place(to, body));
                let copy = body[from.min(to)..from.max(to)].to_vec();
                body.splice(from..from, copy);
            }
            Damage::Digits(at, count) => {
                let at = place(at, body);
                body.splice(at..at, "f".repeat(count).into_bytes());
            }
            _ if body.is_empty() => {}
            Damage::Replace(at, byte) => *at.get_mut(body) = byte,
            Damage::Remove(at) => drop(body.remove(at.index(body.len()))),
            Damage::Flip(at, bit) => *at.get_mut(body) ^= 1 << bit,
        }
    }
}

/// The body of a packet of any kind.
pub fn body() -> impl Strategy<Value = Vec<u8>> {
    let sound = || prop_oneof![select(VALID).prop_map(<[u8]>::to_vec), formed()];
    let damaged = (sound(), vec(damage(), 1..4)).prop_map(|(mut body, damages)| {
        damages.into_iter().for_each(|damage| damage.apply(&mut body));
        body
    });
    let joined = (sound(), sound()).prop_map(|(first, second)| [first, second].concat());
    prop_oneof![
        4 => sound(),
        4 => damaged,
        1 => joined,
        1 => vec(byte(), 0..30),
    ]
}

/// Bytes without any frame, or with parts of one.
pub fn noise() -> impl Strategy<Value = Vec<u8>> {
    let special = select(&b"$#+-}%\x03"[..]);
    vec(prop_oneof![1 => special, 3 => byte()], 0..100)
}
