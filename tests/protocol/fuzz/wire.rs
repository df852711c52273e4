//! The wire layer by itself: frames, forms of packets, bytecode, registers, and what follows the mode.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use stepvisor::gdb::agent::{Context, Plan};
use stepvisor::gdb::follow::{Follower, Postponed};
use stepvisor::gdb::form;
use stepvisor::gdb::frame::{self, Decoder, FrameEvent, Reply};
use stepvisor::gdb::layout::{Description, Layout, RegisterFile};
use stepvisor::machine::StopReason;

use super::{cases, packets};
use crate::client;

/// What bytecode sees here: registers that are their own numbers, memory that is its own address.
#[derive(Default)]
struct World {
    variables: BTreeMap<u16, u64>,
}

impl Context for World {
    fn register(&mut self, number: usize) -> Option<u64> {
        (number < 50).then_some(number as u64)
    }

    fn memory(&mut self, addr: u64, data: &mut [u8]) -> usize {
        // None at the end of the address space.
        let count = data.len().min(usize::try_from(u64::MAX - addr).unwrap_or(usize::MAX));
        data.iter_mut().zip(addr..).take(count).for_each(|(byte, at)| *byte = at.to_le_bytes()[0]);
        count
    }

    fn variable(&mut self, number: u16) -> u64 {
        self.variables.get(&number).copied().unwrap_or_default()
    }

    fn set_variable(&mut self, number: u16, value: u64) {
        self.variables.insert(number, value);
    }
}

/// An expression, and what it comes to.
#[derive(Clone, Debug)]
enum Expression {
    Number(u64),
    Register(u8),
    Byte(u16),
    Not(Box<Expression>),
    Narrow(u8, bool, Box<Expression>),
    Both(u8, Box<Expression>, Box<Expression>),
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        prop_oneof![0u64..300, any::<u64>()].prop_map(Expression::Number),
        (0u8..50).prop_map(Expression::Register),
        any::<u16>().prop_map(Expression::Byte),
    ];
    let operator = select(&[0x02u8, 0x03, 0x04, 0x0f, 0x10, 0x11, 0x13, 0x14, 0x15][..]);
    leaf.prop_recursive(5, 32, 2, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Expression::Not(Box::new(a))),
            (1u8..=64, any::<bool>(), inner.clone())
                .prop_map(|(bits, signed, a)| Expression::Narrow(bits, signed, Box::new(a))),
            (operator.clone(), inner.clone(), inner).prop_map(|(op, a, b)| Expression::Both(
                op,
                Box::new(a),
                Box::new(b)
            )),
        ]
    })
}

impl Expression {
    fn value(&self) -> u64 {
        match self {
            Expression::Number(value) => *value,
            Expression::Register(number) => u64::from(*number),
            Expression::Byte(addr) => u64::from(addr.to_le_bytes()[0]),
            Expression::Not(a) => u64::from(a.value() == 0),
            Expression::Narrow(bits, signed, a) => {
                let unused = 64 - u32::from(*bits);
                let shifted = a.value() << unused;
                if *signed {
                    (shifted.cast_signed() >> unused).cast_unsigned()
                } else {
                    shifted >> unused
                }
            }
            Expression::Both(op, a, b) => {
                let (a, b) = (a.value(), b.value());
                match op {
                    0x02 => a.wrapping_add(b),
                    0x03 => a.wrapping_sub(b),
                    0x04 => a.wrapping_mul(b),
                    0x0f => a & b,
                    0x10 => a | b,
                    0x11 => a ^ b,
                    0x13 => u64::from(a == b),
                    0x14 => u64::from(a.cast_signed() < b.cast_signed()),
                    _ => u64::from(a < b),
                }
            }
        }
    }

    fn code(&self) -> Vec<u8> {
        match self {
            Expression::Number(value) => [&[0x25][..], &value.to_be_bytes()].concat(),
            Expression::Register(number) => vec![0x26, 0, *number],
            Expression::Byte(addr) => {
                let [high, low] = addr.to_be_bytes();
                vec![0x23, high, low, 0x17]
            }
            Expression::Not(a) => [a.code(), vec![0x0e]].concat(),
            Expression::Narrow(bits, signed, a) => {
                [a.code(), vec![if *signed { 0x16 } else { 0x2a }, *bits]].concat()
            }
            Expression::Both(op, a, b) => [a.code(), b.code(), vec![*op]].concat(),
        }
    }
}

/// `code` as the one condition of a breakpoint.
fn condition(code: &[u8]) -> Plan {
    Plan::parse(format!("X{:x},{}", code.len(), client::hex(code)).as_bytes()).unwrap()
}

/// What can happen to what follows the guest's mode.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Welcome,
    AnswerAhead,
    IsAnswered(&'static [u8]),
    Postpone,
    Resume,
    Settle,
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_decoder_takes_any_bytes_in_any_pieces(
        bytes in packets::noise(),
        cuts in vec(any::<Index>(), 0..6),
        limit in 0usize..40,
    ) {
        let mut whole = Decoder::new(limit);
        let events = whole.push(&bytes);
        for event in &events {
            if let FrameEvent::Packet(body) = event {
                prop_assert!(body.len() <= limit && !body.contains(&b'$') && !body.contains(&b'#'));
            }
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort_unstable();
        let (mut decoder, mut pieces, mut start) = (Decoder::new(limit), Vec::new(), 0);
        for end in places.into_iter().chain([bytes.len()]) {
            pieces.extend(decoder.push(&bytes[start..end]));
            start = end;
        }
        prop_assert_eq!(pieces, events);
        // Whatever came before, it is in step again two packets later.
        whole.push(b"$#00");
        prop_assert_eq!(whole.push(b"$#00"), [FrameEvent::Packet(Vec::new())]);
    }

    #[test]
    fn what_is_framed_comes_out_again(data in vec(any::<u8>(), 0..200), text in ".{0,60}") {
        let frame = Reply::new().text(&text).binary(&data).frame();
        let events = Decoder::default().push(&frame);
        let [FrameEvent::Packet(body)] = &events[..] else {
            return Err(TestCaseError::fail(format!("{events:?}")));
        };
        prop_assert_eq!(frame::unescape(body), [text.as_bytes(), &data].concat());
        let hex = Reply::new().hex(&data);
        prop_assert_eq!(frame::decode_hex(hex.body()), Some(data));
        let error = Reply::error(&text);
        let plain = |byte: &u8| !matches!(byte, b'#' | b'$' | b'}' | b'*' | 0..0x20);
        prop_assert!(error.body().starts_with(b"E.") && error.body().iter().all(plain));
    }

    #[test]
    fn any_packet_has_a_form_or_has_none(body in packets::body()) {
        let sound = form::is_sound(&body);
        let _ = (frame::decode_hex(&body), frame::decode_number(&body), Plan::parse(&body));
        // What is put into the guest is as long as it says.
        if let (true, [b'X', rest @ ..]) = (sound, &body[..]) {
            let colon = rest.iter().position(|byte| *byte == b':').unwrap();
            let comma = rest.iter().position(|byte| *byte == b',').unwrap();
            let len = frame::decode_number(&rest[comma + 1..colon]).unwrap();
            prop_assert_eq!(frame::unescape(&rest[colon + 1..]).len() as u64, len);
        }
    }

    #[test]
    fn formed_packets_are_sound(body in packets::formed()) {
        prop_assert!(form::is_sound(&body), "{}", body.escape_ascii());
    }

    #[test]
    fn conditions_of_any_bytecode_come_to_an_end(lists in packets::lists()) {
        let plan = Plan::parse(lists.as_bytes());
        prop_assert!(plan.is_some(), "{lists}");
        let verdict = plan.unwrap().decide(&mut World::default());
        prop_assert!(verdict.text.len() <= lists.len() << 16);
        // A breakpoint that cannot be decided on counts.
        prop_assert!(verdict.bad_condition.is_none() || verdict.stop || lists.contains("cmds:"));
    }

    #[test]
    fn expressions_come_to_what_they_say(expression in expression()) {
        // Is the value what it should be? `swap` and `pop` leave it as it is.
        let mut code = expression.code();
        code.extend([0x22, 7, 0x2b, 0x2b, 0x29, 0x25]);
        code.extend(expression.value().to_be_bytes());
        code.extend([0x13, 0x27]);
        let verdict = condition(&code).decide(&mut World::default());
        prop_assert_eq!((verdict.stop, verdict.bad_condition), (true, None));
        // And is it nothing else?
        code.splice(code.len() - 1.., [0x0e, 0x27]);
        let verdict = condition(&code).decide(&mut World::default());
        prop_assert_eq!((verdict.stop, verdict.bad_condition), (false, None));
    }

    #[test]
    fn any_value_fits_a_register_or_is_refused(
        description in select(&Description::ALL[..]),
        writes in vec((0usize..120, vec(any::<u8>(), 0..17)), 0..8),
        all in vec(any::<u8>(), 0..9),
    ) {
        let layout = Layout::of(description);
        let mut file = RegisterFile::default();
        for (number, bytes) in writes {
            let before = file.clone();
            if layout.write(&mut file, number, &bytes).is_err() {
                prop_assert_eq!(&file, &before);
            }
        }
        prop_assert_eq!(layout.read_all(&file).len(), layout.size());
        let bytes: Vec<u8> = all.iter().copied().chain([0]).cycle().take(layout.size()).collect();
        let before = file.clone();
        if layout.write_all(&mut file, &bytes).is_err() {
            prop_assert_eq!(&file, &before);
        }
        // Writing what is there changes nothing.
        let present = layout.read_all(&file);
        prop_assert_eq!(layout.write_all(&mut file, &present), Ok(Vec::new()));
    }

    #[test]
    fn a_client_that_follows_is_told_each_stop_once(
        able in any::<bool>(),
        happenings in vec(select(&[
            Happening::Welcome,
            Happening::AnswerAhead,
            Happening::IsAnswered(b"vCont;c:p1.-1"),
            Happening::IsAnswered(b"g"),
            Happening::Postpone,
            Happening::Resume,
            Happening::Settle,
        ][..]), 0..20),
    ) {
        let mut follower = Follower::default();
        follower.negotiate(able);
        // A welcome comes once; what is owed is told once, ahead or after; only a resume is swallowed.
        let (mut welcomed, mut owed, mut ahead) = (false, None, false);
        for happening in happenings {
            match happening {
                Happening::Welcome => {
                    let comes = able && !welcomed;
                    welcomed = true;
                    if comes {
                        owed = Some(Postponed::Welcome);
                    }
                    prop_assert_eq!(follower.welcome(), comes);
                }
                Happening::AnswerAhead => {
                    let comes = owed == Some(Postponed::Welcome);
                    if comes {
                        (owed, ahead) = (None, true);
                    }
                    prop_assert_eq!(follower.answer_ahead(), comes);
                }
                Happening::IsAnswered(body) => {
                    let comes = std::mem::take(&mut ahead) && body.starts_with(b"vCont;c");
                    prop_assert_eq!(follower.is_answered(body), comes);
                }
                Happening::Postpone => {
                    follower.postpone(StopReason::Kicked);
                    owed = Some(Postponed::Stop(StopReason::Kicked));
                }
                Happening::Resume => {
                    prop_assert_eq!(follower.take_postponed(), owed.take());
                }
                Happening::Settle => {
                    follower.settle();
                    (owed, ahead) = (None, false);
                }
            }
            prop_assert_eq!(follower.awaits_welcome(), able && !welcomed);
        }
    }
}
