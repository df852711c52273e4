//! Memory: `m`, `M`, `X`, by linear address.

use gdbstub::target::{TargetError, TargetResult};

use super::{FAULT, Guest};
use crate::machine::Physical;
use crate::x86::Linear;

impl Guest<'_> {
    /// Fills `data` with what the client sees from `addr` on; how many bytes are there.
    #[must_use]
    pub fn read(&self, addr: Linear, data: &mut [u8]) -> usize {
        let count = self.machine.read_linear(addr, data);
        self.overlay(addr, data.get_mut(..count).unwrap_or_default());
        count
    }

    /// Reads as much from `addr` on as is there. An error has no text here: clients take one for data.
    pub(super) fn read_memory(
        &mut self,
        addr: Linear,
        data: &mut [u8],
    ) -> TargetResult<usize, Self> {
        match self.read(addr, data) {
            0 if !data.is_empty() => Err(TargetError::Errno(FAULT)),
            count => Ok(count),
        }
    }

    /// Puts what the client is shown in place of what was read at `addr`.
    fn overlay(&self, addr: Linear, data: &mut [u8]) {
        for (start, shadow) in &self.shadow {
            for (byte, at) in data.iter_mut().zip(addr.0..) {
                let place = at.checked_sub(start.0).and_then(|n| usize::try_from(n).ok());
                *byte = place.and_then(|n| shadow.get(n)).copied().unwrap_or(*byte);
            }
        }
    }

    /// Writes all of `data` from `addr` on, or says where it had to stop.
    pub(super) fn write_memory(&mut self, addr: Linear, data: &[u8]) -> TargetResult<(), Self> {
        let written = self.machine.write_linear(addr, data);
        if written == data.len() {
            return Ok(());
        }
        let end = addr.offset(written as u64);
        let found = self.machine.translate(end).map(|found| self.machine.physical(found.phys));
        let why = match found {
            Ok(Physical::Rom) => "it is ROM",
            _ => "nothing is mapped there",
        };
        Err(self.refuse(format!("cannot write memory at {end}: {why}")))
    }
}
