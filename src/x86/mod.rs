//! Pure knowledge of the x86 architecture: registers, CPU modes, addresses, paging and instruction facts.
//!
//! Owns no machine and no memory: whoever calls in hands over register values and bytes. Follows the
//! Intel 64 and IA-32 Architectures Software Developer's Manual (SDM); section numbers refer to it.

pub mod address;
pub mod debug;
pub mod disasm;
pub mod dump;
pub mod exceptions;
pub mod features;
pub mod gate;
pub mod instruction;
pub mod mode;
pub mod operands;
pub mod paging;
pub mod registers;
pub mod segment;
pub mod tags;
pub mod task;
pub mod unwind;
pub mod vectors;

pub use address::{Linear, Phys, SegOff};
pub use features::{Feature, Features};
pub use mode::CpuMode;
pub use registers::{
    Access, CpuState, DescriptorTable, FpuState, Gpr, Segment, SegmentName, Segments,
};
