//! INT 17h: printers, of which there are none.

use super::{Outcome, Pc};

/// INT 17h: of no port that is there, and CF says so; nothing else changes.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    pc.set_carry(true);
    Outcome::Return
}
