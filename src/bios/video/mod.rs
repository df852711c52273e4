//! INT 10h: the screen.

use super::{Outcome, Pc};
use crate::bios::data_area::CURSOR_POSITIONS;
use crate::x86::{Gpr, Phys};

/// Sets mode 3 and its fields of the data area.
pub fn power_on(pc: &mut Pc<'_>) {
    pc.devices.vga_mut().set_mode(3, true);
    pc.write_u16(CURSOR_POSITIONS, 0);
}

/// INT 10h.
pub fn serve(pc: &mut Pc<'_>) -> Outcome {
    if pc.high(Gpr::Rax) == 0x0e {
        let [column, row] = pc.read_u16(CURSOR_POSITIONS).to_le_bytes();
        let at = (u64::from(row) * 80 + u64::from(column)) * 2;
        let (column, row) = match pc.low(Gpr::Rax) {
            13 => (0, row),
            10 => (column, (row + 1).min(24)),
            character => {
                pc.write_u8(Phys(0xb_8000 + at), character);
                (column + 1, row)
            }
        };
        pc.write_u16(CURSOR_POSITIONS, u16::from_le_bytes([column, row]));
    }
    Outcome::Return
}
