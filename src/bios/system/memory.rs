//! INT 15h AH=87, 88, E8: memory above 1 MiB.

use crate::bios::Pc;
use crate::bios::data_area::EBDA;
use crate::bios::rom;
use crate::memory::layout;
use crate::x86::{Gpr, Phys, SegmentName};

const MIB: u64 = 1 << 20;
/// "SMAP".
const SIGNATURE: u64 = 0x534d_4150;
/// Bytes of an entry of the memory map.
const ENTRY: usize = 20;
const USABLE: u32 = 1;
const RESERVED: u32 = 2;

/// The end of RAM.
pub fn end_of_ram(pc: &Pc<'_>) -> u64 {
    let low = pc
        .ram
        .regions()
        .filter(|region| !pc.ram.is_rom(region.start) && region.start.0 < *layout::RAM_SIZES.end());
    low.map(|region| region.start.0 + region.size).max().unwrap_or(0)
}

/// AH=88h: KiB from 1 MiB on in AX, of which the function can say 63 MiB.
pub fn extended_size(pc: &mut Pc<'_>) {
    let size = end_of_ram(pc).saturating_sub(MIB).min(63 * MIB) / 1024;
    pc.set_word(Gpr::Rax, (size & 0xffff) as u16);
    pc.set_carry(false);
}

/// AH=E8h.
pub fn sizes(pc: &mut Pc<'_>) {
    match pc.low(Gpr::Rax) {
        0x01 => {
            let end = end_of_ram(pc);
            let below = end.saturating_sub(MIB).min(15 * MIB) / 1024;
            let above = end.saturating_sub(16 * MIB) / (64 * 1024);
            for (register, value) in
                [(Gpr::Rax, below), (Gpr::Rcx, below), (Gpr::Rbx, above), (Gpr::Rdx, above)]
            {
                pc.set_word(register, value.min(0xffff) as u16);
            }
            pc.set_carry(false);
        }
        0x20 => map(pc),
        _ => pc.unsupported(),
    }
}

/// What INT 15h AX=E820h answers: start, end and kind.
fn entries(pc: &Pc<'_>) -> Vec<(u64, u64, u32)> {
    let ebda = u64::from(EBDA) << 4;
    let end = end_of_ram(pc);
    let mut entries = vec![
        (0, ebda, USABLE),
        (ebda, 0xa_0000, RESERVED),
        (rom::START.0, rom::START.0 + rom::SIZE as u64, RESERVED),
    ];
    if end > MIB {
        entries.push((MIB, end, USABLE));
    }
    entries
}

/// AX=E820h: one entry of the memory map.
fn map(pc: &mut Pc<'_>) {
    let low = |pc: &Pc<'_>, register: Gpr| pc.cpu.get(register) & 0xffff_ffff;
    let wrong = low(pc, Gpr::Rdx) != SIGNATURE || low(pc, Gpr::Rcx) < ENTRY as u64;
    let entries = entries(pc);
    // Programs of 16 bits set BX alone.
    let number = usize::from(pc.word(Gpr::Rbx));
    let Some((start, end, kind)) = entries.get(number).copied().filter(|_| !wrong) else {
        return pc.unsupported();
    };
    let at = pc.address(SegmentName::Es, pc.word(Gpr::Rdi));
    for (offset, value) in [(0, start), (8, end - start)] {
        pc.write(at.offset(offset), &value.to_le_bytes());
    }
    pc.write_u32(at.offset(16), kind);
    let next = if number + 1 < entries.len() { low(pc, Gpr::Rbx) + 1 } else { 0 };
    for (register, value) in [(Gpr::Rax, SIGNATURE), (Gpr::Rbx, next), (Gpr::Rcx, ENTRY as u64)] {
        *pc.cpu.get_mut(register) = value;
    }
    pc.set_carry(false);
}

/// AH=87h: CX words from one place to another; the descriptors of both are in the table at ES:SI. A20 is on for the
/// copy, and as before afterwards.
pub fn move_block(pc: &mut Pc<'_>) {
    let table = pc.address(SegmentName::Es, pc.word(Gpr::Rsi));
    let [from, to] = [0x10, 0x18].map(|offset| {
        let mut descriptor = [0; 8];
        pc.read(table.offset(offset), &mut descriptor);
        let [_, _, a, b, c, _, _, d] = descriptor;
        Phys(u32::from_le_bytes([a, b, c, d]).into())
    });
    let mut data = vec![0; usize::from(pc.word(Gpr::Rcx)) * 2];
    pc.read_behind_a20(from, &mut data);
    pc.write_behind_a20(to, &data);
    pc.succeed();
}
