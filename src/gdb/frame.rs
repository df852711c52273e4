//! Frames of the Remote Serial Protocol: bytes from the client into events, replies into bytes.
//!
//! Owns checksums, escapes and resynchronisation (gdb manual, E.1 "Overview"). Knows no packet's meaning.
//! Whatever the bytes are, the outcome is an event: nothing a client sends can fail here.

/// Largest packet body a [`Decoder`] takes, in bytes, unless told otherwise.
pub const MAX_PACKET: usize = 0x10000;

/// What a client sent, one thing at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameEvent {
    /// A packet with a right checksum: its body as sent, escapes included (see [`unescape`]).
    Packet(Vec<u8>),
    /// The interrupt byte 03h outside a packet: the user pressed ^C.
    Interrupt,
    /// `+`: the last reply arrived.
    Ack,
    /// `-`: the last reply arrived damaged and is wanted again.
    Nak,
    /// A packet whose checksum is wrong or no checksum at all.
    BadChecksum,
    /// A packet longer than the limit; it was skipped to its end.
    Oversized,
}

/// Takes the byte stream of a client apart.
///
/// Between packets only `+`, `-` and 03h mean something, all else is noise and is skipped. A `$` always
/// starts a packet, even inside an unfinished one: it must be escaped in data, so that seeing it means that
/// the end of the last packet was lost.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    body: Vec<u8>,
    sum: u8,
    limit: usize,
    oversized: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between packets.
    Between,
    /// After `$`.
    Body,
    /// After `%`: a notification, which a client has no reason to send; read to its end and dropped.
    Notification,
    /// After `#`.
    FirstDigit { dropped: bool },
    /// After `#` and one digit, whose value is `high`; `None` if it was none.
    SecondDigit { dropped: bool, high: Option<u8> },
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new(MAX_PACKET)
    }
}

impl Decoder {
    /// A decoder between two packets that takes bodies of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Decoder {
        Decoder { state: State::Between, body: Vec::new(), sum: 0, limit, oversized: false }
    }

    /// Feeds `bytes` and returns what they completed, in order.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<FrameEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            events.extend(self.push_byte(byte));
        }
        events
    }

    fn push_byte(&mut self, byte: u8) -> Option<FrameEvent> {
        match (self.state, byte) {
            (State::Between, b'+') => return Some(FrameEvent::Ack),
            (State::Between, b'-') => return Some(FrameEvent::Nak),
            (State::Between, 0x03) => return Some(FrameEvent::Interrupt),
            (State::Between, b'%') => self.state = State::Notification,
            (State::FirstDigit { dropped } | State::SecondDigit { dropped, .. }, b'$') => {
                self.start();
                return (!dropped).then_some(FrameEvent::BadChecksum);
            }
            (_, b'$') => self.start(),
            (State::Between, _) => {}
            (State::Notification, b'#') => self.state = State::FirstDigit { dropped: true },
            (State::Notification, _) => {}
            (State::Body, b'#') => self.state = State::FirstDigit { dropped: false },
            (State::Body, _) => self.keep(byte),
            (State::FirstDigit { dropped }, _) => {
                self.state = State::SecondDigit { dropped, high: hex_digit(byte) };
            }
            (State::SecondDigit { dropped, high }, _) => {
                self.state = State::Between;
                return if dropped { None } else { Some(self.finish(high, hex_digit(byte))) };
            }
        }
        None
    }

    fn start(&mut self) {
        self.state = State::Body;
        self.body.clear();
        self.sum = 0;
        self.oversized = false;
    }

    fn keep(&mut self, byte: u8) {
        self.sum = self.sum.wrapping_add(byte);
        if self.body.len() < self.limit {
            self.body.push(byte);
        } else {
            self.oversized = true;
        }
    }

    fn finish(&mut self, high: Option<u8>, low: Option<u8>) -> FrameEvent {
        let body = std::mem::take(&mut self.body);
        match (high, low) {
            _ if self.oversized => FrameEvent::Oversized,
            (Some(high), Some(low)) if high << 4 | low == self.sum => FrameEvent::Packet(body),
            _ => FrameEvent::BadChecksum,
        }
    }
}

/// A reply under construction, in the buffer in which it is sent.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Vec<u8>,
}

impl Default for Reply {
    fn default() -> Reply {
        Reply::new()
    }
}

impl Reply {
    /// An empty reply, which to a client means "not supported".
    #[must_use]
    pub fn new() -> Reply {
        Reply { bytes: vec![b'$'] }
    }

    /// The console output packet that makes a client print `text`.
    #[must_use]
    pub fn console(text: &str) -> Reply {
        Reply::new().text("O").hex(text.as_bytes())
    }

    /// The error reply that shows `text`, on one line, where the client shows error texts.
    ///
    /// A client takes no escapes out of an error text, so what would need one is replaced.
    #[must_use]
    pub fn error(text: &str) -> Reply {
        let printable = |c| match c {
            '#' | '$' | '}' | '*' => '?',
            c if char::is_control(c) => ' ',
            c => c,
        };
        Reply::new().text("E.").text(&text.chars().map(printable).collect::<String>())
    }

    /// A reply whose body is `body`, which has its escapes already.
    #[must_use]
    pub fn escaped(body: &[u8]) -> Reply {
        let mut reply = Reply::new();
        reply.bytes.extend_from_slice(body);
        reply
    }

    /// Adds `text`; bytes that a frame cannot hold are escaped.
    #[must_use]
    pub fn text(self, text: &str) -> Reply {
        self.binary(text.as_bytes())
    }

    /// Adds `data` as two hexadecimal digits a byte.
    #[must_use]
    pub fn hex(mut self, data: &[u8]) -> Reply {
        push_hex(&mut self.bytes, data);
        self
    }

    /// Adds `data` as binary with escapes.
    #[must_use]
    pub fn binary(mut self, data: &[u8]) -> Reply {
        for &byte in data {
            if matches!(byte, b'#' | b'$' | b'}' | b'*') {
                self.bytes.extend([b'}', byte ^ 0x20]);
            } else {
                self.bytes.push(byte);
            }
        }
        self
    }

    /// The body so far, escapes included.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// The finished frame: `$`, body, `#` and checksum.
    #[must_use]
    pub fn frame(mut self) -> Vec<u8> {
        let sum = self.body().iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        self.bytes.push(b'#');
        push_hex(&mut self.bytes, &[sum]);
        self.bytes
    }
}

/// The data behind the escapes of `body`; a lone `}` at its end is dropped.
#[must_use]
pub fn unescape(body: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(body.len());
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'}' {
            data.push(byte);
        } else if let Some(escaped) = bytes.next() {
            data.push(escaped ^ 0x20);
        }
    }
    data
}

/// The bytes that `digits` write, two digits each; `None` for an odd number of digits or anything else in it.
#[must_use]
pub fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?)).collect()
}

/// The number that `digits` write in hexadecimal; `None` if there are none or more than 64 bits of them.
#[must_use]
pub fn decode_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = u64::from(hex_digit(digit)?);
        (number >> 60 == 0).then_some(number << 4 | digit)
    })
}

/// The two numbers of a range `ADDR,LENGTH`.
#[must_use]
pub fn decode_range(range: &[u8]) -> Option<(u64, u64)> {
    let comma = range.iter().position(|byte| *byte == b',')?;
    Some((decode_number(range.get(..comma)?)?, decode_number(range.get(comma + 1..)?)?))
}

fn push_hex(bytes: &mut Vec<u8>, data: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.reserve(data.len() * 2);
    for byte in data {
        bytes.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(body: &[u8]) -> FrameEvent {
        FrameEvent::Packet(body.to_vec())
    }

    #[test]
    fn a_packet_may_arrive_in_any_pieces() {
        let bytes = b"+$m7c00,10#f4\x03";
        let whole = [FrameEvent::Ack, packet(b"m7c00,10"), FrameEvent::Interrupt];
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut events = decoder.push(&bytes[..cut]);
            events.extend(decoder.push(&bytes[cut..]));
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn noise_between_packets_is_skipped() {
        let events = Decoder::default().push(b"\0\r\n\xffabc#12$?#3f\r\n\0$g#67");
        assert_eq!(events, [packet(b"?"), packet(b"g")]);
    }

    #[test]
    fn a_wrong_checksum_is_told_apart_from_a_packet() {
        let events = Decoder::default().push(b"$g#66$g#zz$g#6$g#67-");
        let bad = FrameEvent::BadChecksum;
        assert_eq!(events, [bad.clone(), bad.clone(), bad, packet(b"g"), FrameEvent::Nak]);
    }

    #[test]
    fn checksum_digits_may_be_in_upper_case() {
        assert_eq!(Decoder::default().push(b"$OK#9A$OK#9a"), [packet(b"OK"), packet(b"OK")]);
    }

    #[test]
    fn a_dollar_inside_a_packet_starts_the_next_one() {
        assert_eq!(Decoder::default().push(b"$m7c0$g#67"), [packet(b"g")]);
    }

    #[test]
    fn a_notification_is_dropped() {
        assert_eq!(Decoder::default().push(b"%Stop:T05#00$g#67"), [packet(b"g")]);
    }

    #[test]
    fn data_bytes_mean_nothing_inside_a_packet() {
        let body = b"X500,4:\x03+-\0";
        let frame = Reply::escaped(body).frame();
        assert_eq!(Decoder::default().push(&frame), [packet(body)]);
    }

    #[test]
    fn a_packet_beyond_the_limit_is_one_error_and_costs_no_memory() {
        let mut decoder = Decoder::new(8);
        let mut events = decoder.push(b"$123456789");
        events.extend(decoder.push(&[b'x'; 4096]));
        assert!(decoder.body.len() <= 8);
        events.extend(decoder.push(b"#00$12345678#a4"));
        assert_eq!(events, [FrameEvent::Oversized, packet(b"12345678")]);
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let data: Vec<u8> = (0..=255).collect();
        let frame = Reply::new().text("m").binary(&data).frame();
        let [FrameEvent::Packet(body)] = &Decoder::default().push(&frame)[..] else {
            panic!("no packet")
        };
        assert_eq!(unescape(body), [b"m".as_slice(), &data].concat());
        assert_eq!(unescape(b"a}"), b"a");
    }

    #[test]
    fn replies_have_the_form_the_manual_gives() {
        assert_eq!(Reply::new().frame(), b"$#00");
        assert_eq!(Reply::new().text("OK").frame(), b"$OK#9a");
        assert_eq!(Reply::console("hi\n").body(), b"O68690a");
        assert_eq!(Reply::error("no\nroom #1").body(), b"E.no room ?1");
    }

    #[test]
    fn numbers_wider_than_64_bits_are_refused() {
        assert_eq!(decode_number(b"7c00"), Some(0x7c00));
        assert_eq!(decode_number(b"0000000000000000001"), Some(1));
        assert_eq!(decode_number(b"ffffffffffffffff"), Some(u64::MAX));
        for bad in [&b""[..], b"10000000000000000", b"7c00 ", b"-1", b"xx"] {
            assert_eq!(decode_number(bad), None, "{bad:?}");
        }
        assert_eq!(decode_range(b"7c00,10"), Some((0x7c00, 0x10)));
        for bad in [&b""[..], b"7c00", b"7c00,", b",10", b"7c00,10,1", b"7c00;10"] {
            assert_eq!(decode_range(bad), None, "{bad:?}");
        }
        assert_eq!(decode_hex(b"0aF0"), Some(vec![0x0a, 0xf0]));
        assert_eq!(decode_hex(b"0aF"), None);
    }

    #[test]
    fn random_bytes_never_break_the_decoder() {
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..2000 {
            let mut decoder = Decoder::new(64);
            for _ in 0..next() % 300 {
                // Half of the bytes are those that mean something to a frame.
                let byte = next().to_le_bytes()[0];
                let special = b"$#+-}%\x030a"[usize::from(byte) % 9];
                let byte = if next() % 2 == 0 { byte } else { special };
                for event in decoder.push(&[byte]) {
                    if let FrameEvent::Packet(body) = event {
                        assert!(body.len() <= 64 && !body.contains(&b'$'));
                    }
                }
            }
            // Whatever came before, two packets later it is in step again.
            decoder.push(b"$g#67");
            assert_eq!(decoder.push(b"$g#67"), [packet(b"g")]);
        }
    }
}
