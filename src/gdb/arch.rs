//! The architecture in gdbstub's terms: one for all modes.
//!
//! gdbstub fixes the architecture of a target at compile time, but a guest changes its mode. So the
//! registers are bytes here, in whatever [`Layout`](super::layout::Layout) the session uses at the time.

use std::num::NonZeroUsize;

use gdbstub::arch::{Arch, RegId, Registers};

/// x86 in any mode.
#[derive(Clone, Copy, Debug)]
pub enum X86 {}

impl Arch for X86 {
    type Usize = u64;
    type Registers = RegisterBytes;
    type BreakpointKind = usize;
    type RegId = RegisterNumber;
}

/// The body of a `g` or `G` packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterBytes(pub Vec<u8>);

impl Registers for RegisterBytes {
    type ProgramCounter = u64;

    /// Not asked for by the protocol engine; where the program counter is depends on the layout.
    fn pc(&self) -> u64 {
        0
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().for_each(|byte| write_byte(Some(*byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.to_vec();
        Ok(())
    }
}

/// The number of a register in the layout of the session; it may not exist there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegisterNumber(pub usize);

impl RegId for RegisterNumber {
    fn from_raw_id(id: usize) -> Option<(RegisterNumber, Option<NonZeroUsize>)> {
        Some((RegisterNumber(id), None))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}
