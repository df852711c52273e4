//! Why a register cannot be written, in the words that the client shows.

/// Why a register write was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// No register has the number.
    #[error("no register has the number {number}")]
    Unknown {
        /// The number asked for.
        number: usize,
    },
    /// The value has not the size of the register.
    #[error("{name} has {expected} bytes, not {bytes}")]
    Size {
        /// The register.
        name: String,
        /// Bytes sent.
        bytes: usize,
        /// Bytes of the register.
        expected: usize,
    },
    /// The value does not fit the part of the register that exists.
    #[error("{name} cannot hold {value:#x}: {bits} bits exist")]
    TooWide {
        /// The register.
        name: String,
        /// The value sent.
        value: u128,
        /// Bits that exist.
        bits: u32,
    },
    /// A linear address for the program counter or the stack pointer lies outside its segment.
    #[error("not in segment")]
    NotInSegment,
    /// An address has no 48-bit sign extension.
    #[error("{name} cannot hold {value:#x}: not a canonical address")]
    NotCanonical {
        /// The register.
        name: String,
        /// The value sent.
        value: u64,
    },
    /// Bits that the processor keeps at zero.
    #[error("{name} cannot hold {value:#x}: reserved bits {reserved:#x}")]
    Reserved {
        /// The register.
        name: String,
        /// The value sent.
        value: u64,
        /// The bits among it that are reserved.
        reserved: u64,
    },
    /// The processor knows no such combination of bits.
    #[error("{name} cannot hold {value:#x}: {reason}")]
    Combination {
        /// The register.
        name: String,
        /// The value sent.
        value: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The register shows something that other registers decide.
    #[error("mode follows from cr0, efer, eflags and cs")]
    Derived,
}
