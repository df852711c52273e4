//! Instruction streams by chance, the same from the same seed.

use iced_x86::{Decoder, DecoderOptions, FlowControl};

/// Pseudorandom numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether it is one of `cases` equally likely cases.
    pub fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A value that is likely to be a special one.
    pub fn value(&mut self) -> u64 {
        let value = match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            3 => (1 << self.below(64)) - 1,
            4 => self.below(0x100),
            _ => self.next(),
        };
        if self.one_in(4) { value.wrapping_neg() } else { value }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Second bytes of the opcodes 0F xx that are integer instructions, more or less.
const TWO_BYTES: [std::ops::RangeInclusive<u8>; 9] = [
    0x02..=0x03,
    0x1e..=0x1f,
    0x40..=0x4f,
    0x80..=0x8f,
    0x90..=0x9f,
    0xa0..=0xaf,
    0xb0..=0xbf,
    0xc0..=0xcf,
    0x00..=0xff,
];

/// Code for processors that execute `bits` wide instructions, `len` bytes or a little more. Displacements
/// are likely to lie within `data`.
pub fn code(chance: &mut Chance, bits: u32, len: usize, data: std::ops::Range<u64>) -> Vec<u8> {
    let mut code = vec![];
    while code.len() < len {
        code.extend(instruction(chance, bits, &data));
    }
    code
}

fn instruction(chance: &mut Chance, bits: u32, data: &std::ops::Range<u64>) -> Vec<u8> {
    if chance.one_in(12) {
        // No instruction at all, or any.
        let len = 1 + chance.below(6) as usize;
        return chance.bytes(len);
    }
    let mut bytes = vec![];
    for (prefix, cases) in [(0x66, 4), (0x67, 8), (0xf3, 24), (0xf2, 40), (0xf0, 60)] {
        if chance.one_in(cases) {
            bytes.push(prefix);
        }
    }
    if chance.one_in(16) {
        bytes.push(chance.pick(&[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
    }
    if bits == 64 && chance.one_in(2) {
        bytes.push(0x40 | chance.next() as u8 & 0xf);
    }
    if chance.one_in(4) {
        let range = chance.pick(&[0, 1, 2, 3, 4, 5, 6, 6, 7, 8]);
        let range = TWO_BYTES[range].clone();
        let width = u64::from(range.end() - range.start()) + 1;
        bytes.extend([0x0f, range.start() + chance.below(width) as u8]);
    } else {
        bytes.push(chance.next() as u8);
    }
    bytes.extend(chance.bytes(12));
    bytes.truncate(15);
    fit(chance, bits, bytes, data)
}

/// Cuts `bytes` to the instruction they begin with, and leads its displacement and its target somewhere.
fn fit(chance: &mut Chance, bits: u32, mut bytes: Vec<u8>, data: &std::ops::Range<u64>) -> Vec<u8> {
    let mut decoder = Decoder::new(bits, &bytes, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let offsets = decoder.get_constant_offsets(&instruction);
    if instruction.is_invalid() {
        bytes.truncate(3);
        return bytes;
    }
    bytes.truncate(instruction.len());
    let mut put = |at: usize, size: usize, value: u64| {
        bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    };
    if offsets.has_displacement() && offsets.displacement_size() > 1 && !chance.one_in(8) {
        let has_base = instruction.memory_base() != iced_x86::Register::None;
        let value = if has_base && bits != 16 {
            chance.below(0x200).wrapping_sub(0x100)
        } else {
            data.start + chance.below(data.end - data.start)
        };
        put(offsets.displacement_offset(), offsets.displacement_size(), value);
    }
    if offsets.has_immediate() {
        let (at, size) = (offsets.immediate_offset(), offsets.immediate_size());
        let branches = matches!(
            instruction.flow_control(),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call
        );
        if branches {
            put(at, size, chance.below(0x80).wrapping_sub(0x30));
        } else if size >= 2 {
            // Addresses and special values; others are there already.
            match chance.below(4) {
                0 | 1 => put(at, size, data.start + chance.below(data.end - data.start)),
                2 => put(at, size, chance.value()),
                _ => {}
            }
        }
    }
    bytes
}
