//! INT 17h: printers, of which there are none.

use super::{Outcome, Pc};
use crate::x86::Gpr;

/// Status in AH: the printer has not answered.
const TIMEOUT: u8 = 0x01;

/// INT 17h: every function times out.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    match pc.high(Gpr::Rax) {
        0x00..=0x02 => pc.set_high(Gpr::Rax, TIMEOUT),
        _ => pc.unsupported(),
    }
    Outcome::Return
}
