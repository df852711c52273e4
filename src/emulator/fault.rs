//! Exceptions as instructions raise them, before their delivery (SDM vol. 3A, 6.15).

use super::Unsupported;
use crate::x86::Linear;
use crate::x86::vectors::{
    BOUND_RANGE, DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE, INVALID_TSS, NOT_PRESENT,
    PAGE_FAULT, STACK_FAULT,
};

/// A fault: the instruction has not happened, and its handler will find it as the return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Exception vector.
    pub vector: u8,
    /// The code that the handler finds on its stack outside real mode.
    pub error_code: Option<u32>,
    /// What a page fault leaves in CR2.
    pub address: Option<Linear>,
}

impl Fault {
    /// #UD.
    pub const UD: Fault = Fault::bare(INVALID_OPCODE);
    /// #DE.
    pub const DE: Fault = Fault::bare(DIVIDE_ERROR);
    /// #BR.
    pub const BR: Fault = Fault::bare(BOUND_RANGE);

    /// The exception `vector`, which has no error code.
    #[must_use]
    pub const fn bare(vector: u8) -> Fault {
        Fault { vector, error_code: None, address: None }
    }

    /// The exception `vector` with an error code.
    #[must_use]
    pub fn coded(vector: u8, code: u32) -> Fault {
        Fault { vector, error_code: Some(code), address: None }
    }

    /// #GP with `code`, a selector without its RPL or 0.
    #[must_use]
    pub fn gp(code: u32) -> Fault {
        Fault::coded(GENERAL_PROTECTION, code)
    }

    /// #SS with `code`.
    #[must_use]
    pub fn ss(code: u32) -> Fault {
        Fault::coded(STACK_FAULT, code)
    }

    /// #NP with `code`.
    #[must_use]
    pub fn np(code: u32) -> Fault {
        Fault::coded(NOT_PRESENT, code)
    }

    /// #TS with `code`.
    #[must_use]
    pub fn ts(code: u32) -> Fault {
        Fault::coded(INVALID_TSS, code)
    }

    /// #PF at `address`, with the bits of table 4-12 in `code`.
    #[must_use]
    pub fn page(address: Linear, code: u32) -> Fault {
        Fault { address: Some(address), ..Fault::coded(PAGE_FAULT, code) }
    }
}

/// Why an instruction or a delivery has not happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The processor raises an exception.
    Fault(Fault),
    /// This module cannot do it.
    Unsupported(Unsupported),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Fault(fault)
    }
}

impl From<Unsupported> for Trouble {
    fn from(unsupported: Unsupported) -> Trouble {
        Trouble::Unsupported(unsupported)
    }
}
