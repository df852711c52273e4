//! The instruction at CS:IP, fetched as the processor fetches it.

use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::memory::AccessKind;
use crate::x86::instruction::MAX_LEN;
use crate::x86::{Linear, SegmentName};

impl Execution<'_> {
    /// Fetches and decodes. What no processor knows is #UD, what is longer than 15 bytes #GP.
    pub(super) fn decode(&mut self) -> Result<Instruction, Trouble> {
        let bits = self.cpu.mode().code_bits();
        let mut bytes = Vec::with_capacity(MAX_LEN);
        loop {
            // One page at a time: the next one may fault, or notice that it is read.
            bytes.extend(self.fetch_piece(bytes.len())?);
            let mut decoder = Decoder::with_ip(bits, &bytes, self.cpu.rip, DecoderOptions::NONE);
            let instruction = decoder.decode();
            return match decoder.last_error() {
                DecoderError::None => Ok(instruction),
                DecoderError::NoMoreBytes if bytes.len() < MAX_LEN => continue,
                DecoderError::NoMoreBytes => Err(Fault::gp(0).into()),
                _ if instruction.len() >= MAX_LEN => Err(Fault::gp(0).into()),
                _ => Err(Fault::UD.into()),
            };
        }
    }

    /// The bytes from `done` on that are on the same page.
    fn fetch_piece(&mut self, done: usize) -> Result<Vec<u8>, Trouble> {
        let mask = u64::MAX >> (64 - self.cpu.mode().code_bits());
        let offset = self.cpu.rip.wrapping_add(done as u64) & mask;
        let Linear(addr) = self.logical(SegmentName::Cs, offset, 1, AccessKind::Fetch)?;
        let to_page_end = 0x1000 - (addr as usize & 0xfff);
        let wanted = to_page_end.min(MAX_LEN - done);
        // Not beyond the segment either.
        let len = (1..=wanted)
            .rev()
            .find(|&len| self.logical(SegmentName::Cs, offset, len, AccessKind::Fetch).is_ok())
            .unwrap_or(1);
        let mut bytes = vec![0; len];
        self.read_linear(Linear(addr), &mut bytes, self.own_rights(AccessKind::Fetch))?;
        Ok(bytes)
    }
}
