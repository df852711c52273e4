//! Watchpoints, ranges: unaligned, across pages and out of RAM, each kind, stepped and in free run.

use super::*;

/// The second of two pages of data.
const PAGE: u64 = DATA + 0x1000;
/// A page of text memory.
const VGA_PAGE: u64 = VGA + 0x1000;
/// Those whose segments reach from RAM to where nothing is.
const ACROSS: &[Mode] = &[Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];
/// Those in which the end of RAM has a segment.
const TO_THE_END: &[Mode] = &[Mode::R, Mode::V, Mode::P, Mode::P3, Mode::G, Mode::L, Mode::U];

pub fn cases() -> Vec<Case> {
    vec![
        case("watched: a write across pages, the second", ALL, |guest| {
            writes(
                guest,
                |guest| store_wide(guest, PAGE - 1, (PAGE, 1)),
                |now, len| stored_wide(now, len, PAGE - 1),
            )
        }),
        case("watched: a read across pages, the second", ALL, |guest| {
            reads(guest, |guest| load_wide(guest, PAGE - 1, (PAGE, 1)), loaded_wide)
        }),
        case("watched: a range across pages, written at its end", ALL, |guest| {
            writes(
                guest,
                |guest| store(guest, PAGE + 2, (PAGE - 3, 6)),
                |now, len| stored(now, len, PAGE + 2),
            )
        }),
        case("watched: a range across pages, read at its end", ALL, |guest| {
            reads(guest, |guest| load(guest, PAGE + 2, (PAGE - 3, 6)), loaded)
        }),
        case("watched: a range across pages, written behind", ALL, |guest| {
            passes_by(
                guest,
                |guest| store(guest, PAGE + 3, (PAGE - 3, 6)),
                |now, len| stored(now, len, PAGE + 3),
            )
        }),
        case("watched: seven bytes, unaligned, written at the end", ALL, |guest| {
            writes(
                guest,
                |guest| store(guest, DATA + 7, (DATA + 1, 7)),
                |now, len| stored(now, len, DATA + 7),
            )
        }),
        case("watched: seven bytes, unaligned, read at the end", ALL, |guest| {
            reads(guest, |guest| load(guest, DATA + 7, (DATA + 1, 7)), loaded)
        }),
        case("watched: seven bytes, unaligned, read below", ALL, |guest| {
            passes_by(guest, |guest| load(guest, DATA, (DATA + 1, 7)), loaded)
        }),
        case("watched: seven bytes, unaligned, written above", ALL, |guest| {
            passes_by(
                guest,
                |guest| store(guest, DATA + 8, (DATA + 1, 7)),
                |now, len| stored(now, len, DATA + 8),
            )
        }),
        case("watched: eight bytes, unaligned, written from below", ALL, |guest| {
            writes(
                guest,
                |guest| store_wide(guest, DATA + 2, (DATA + 3, 8)),
                |now, len| stored_wide(now, len, DATA + 2),
            )
        }),
        case("watched: eight bytes, unaligned, read from below", ALL, |guest| {
            reads(guest, |guest| load_wide(guest, DATA + 2, (DATA + 3, 8)), loaded_wide)
        }),
        case("watched: video memory, unaligned, written from below", ALL, |guest| {
            writes(
                guest,
                |guest| store_wide(guest, VGA + 2, (VGA + 3, 3)),
                |now, len| stored_wide(now, len, VGA + 2),
            )
        }),
        case("watched: video memory, unaligned, read from below", ALL, |guest| {
            reads(guest, |guest| load_wide(guest, VGA + 2, (VGA + 3, 3)), loaded_wide)
        }),
        case("watched: video memory, written above", ALL, |guest| {
            passes_by(
                guest,
                |guest| store(guest, VGA + 6, (VGA + 3, 3)),
                |now, len| stored(now, len, VGA + 6),
            )
        }),
        case("watched: video memory, read below", ALL, |guest| {
            passes_by(guest, |guest| load(guest, VGA + 2, (VGA + 3, 3)), loaded)
        }),
        case("watched: video memory, a write across its pages", ALL, |guest| {
            writes(guest, |guest| store_wide(guest, VGA_PAGE - 1, (VGA_PAGE, 1)), passed)
        }),
        case("watched: where nothing is, written", ALL, |guest| {
            writes(guest, |guest| store(guest, NOTHING + 1, (NOTHING, 3)), passed)
        }),
        case("watched: where nothing is, read", ALL, |guest| {
            reads(
                guest,
                |guest| load(guest, NOTHING + 1, (NOTHING, 3)),
                |now, len| loaded_from_end(now, len, 0xff),
            )
        }),
        case("watched: across the end of RAM, written in RAM", TO_THE_END, |guest| {
            writes(guest, |guest| store(guest, NOTHING - 2, (NOTHING - 2, 4)), passed)
        }),
        case("watched: across the end of RAM, written behind", TO_THE_END, |guest| {
            writes(guest, |guest| store(guest, NOTHING + 1, (NOTHING - 2, 4)), passed)
        }),
        case("watched: across the end of RAM, read behind", TO_THE_END, |guest| {
            reads(
                guest,
                |guest| load(guest, NOTHING + 1, (NOTHING - 2, 4)),
                |now, len| loaded_from_end(now, len, 0xff),
            )
        }),
        case("watched: RAM, a write across its end", ACROSS, |guest| {
            writes(guest, |guest| store_wide(guest, NOTHING - 1, (NOTHING - 1, 1)), passed)
        }),
        case("watched: where nothing is, a write across the end of RAM", ACROSS, |guest| {
            writes(guest, |guest| store_wide(guest, NOTHING - 1, (NOTHING, 1)), passed)
        }),
        case("watched: RAM, a read across its end", ACROSS, |guest| {
            reads(
                guest,
                |guest| load_wide(guest, NOTHING - 1, (NOTHING - 1, 1)),
                |now, len| {
                    now.next(len);
                    now.set(Rbx, !0xff, now.mode.word());
                },
            )
        }),
        case("watched: video memory, whose page becomes RAM", &[Mode::G, Mode::L], |guest| {
            let (entry, long) = match guest.mode {
                Mode::G => (DIRECTORY + 0x1000 + (VGA >> 12) * 4, false),
                _ => (PML4 + 0x3000 + (VGA >> 12) * 8, true),
            };
            // [addr], with `reg` in the middle field of ModRM.
            let at = |opcode: &[u8], reg: u8, addr: u64, immediate: &[u8]| {
                let form = if long { vec![reg << 3 | 4, 0x25] } else { vec![reg << 3 | 5] };
                [opcode, &form, &addr.to_le_bytes()[..4], immediate].concat()
            };
            let page = (guest.now.read(entry, 4) & 0xfff | DATA).to_le_bytes();
            let len = guest.code("mov dword [entry], page", &at(&[0xc7], 0, entry, &page[..4]))
                + guest.code("invlpg [b8000]", &at(&[0x0f, 0x01], 7, VGA, &[]))
                + guest.code("mov byte [b8000], 5", &at(&[0xc6], 0, VGA, &[5]));
            guest.watch(Write, VGA, 1);
            guest.run(|now| {
                now.next(len);
                now.write(entry, &page[..4]);
                now.write(DATA, &[5]);
                now.watchpoint(Write, VGA);
            })
        }),
    ]
}

/// A watched range: first byte and length.
type Range = (u64, u64);

/// What loads find in memory.
const CONTENTS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A store of AL at `at`.
fn store(guest: &mut Subject, at: u64, (addr, bytes): Range) -> Result<Watched, String> {
    let len = guest.code("mov [{si}], al", &[0x88, guest.at(Rsi, 0)]);
    guest.point(at, 0)?;
    guest.gpr([(Rax, 5)])?;
    Ok(Watched { len, addr, bytes })
}

fn stored(now: &mut Want, len: usize, at: u64) {
    now.next(len);
    now.write(at, &[5]);
}

/// A store of AX, as wide as the mode, at `at`.
fn store_wide(guest: &mut Subject, at: u64, (addr, bytes): Range) -> Result<Watched, String> {
    let code = [&guest.wide()[..], &[0x89, guest.at(Rsi, 0)]].concat();
    let len = guest.code("mov [{si}], {ax}", &code);
    guest.point(at, 0)?;
    guest.gpr([(Rax, 0x1111_1111_1111_1111)])?;
    Ok(Watched { len, addr, bytes })
}

fn stored_wide(now: &mut Want, len: usize, at: u64) {
    now.next(len);
    now.write(at, &vec![0x11; now.mode.word().into()]);
}

/// A load of BL from `at`.
fn load(guest: &mut Subject, at: u64, (addr, bytes): Range) -> Result<Watched, String> {
    let len = guest.code("mov bl, [{si}]", &[0x8a, guest.at(Rsi, 3)]);
    fill(guest, at);
    guest.point(at, 0)?;
    Ok(Watched { len, addr, bytes })
}

fn loaded(now: &mut Want, len: usize) {
    now.next(len);
    now.set(Rbx, CONTENTS[0].into(), 1);
}

/// A load of BX, as wide as the mode, from `at`.
fn load_wide(guest: &mut Subject, at: u64, (addr, bytes): Range) -> Result<Watched, String> {
    let code = [&guest.wide()[..], &[0x8b, guest.at(Rsi, 3)]].concat();
    let len = guest.code("mov {bx}, [{si}]", &code);
    fill(guest, at);
    guest.point(at, 0)?;
    Ok(Watched { len, addr, bytes })
}

fn loaded_wide(now: &mut Want, len: usize) {
    now.next(len);
    now.set(Rbx, u64::from_le_bytes(CONTENTS), now.mode.word());
}

/// A write to memory that is not compared.
fn passed(now: &mut Want, len: usize) {
    now.next(len);
}

/// A load of BL from memory that [`fill`] leaves alone.
fn loaded_from_end(now: &mut Want, len: usize, value: u64) {
    now.next(len);
    now.set(Rbx, value, 1);
}

/// Fills what is going to be loaded, where it is memory that is compared.
fn fill(guest: &mut Subject, at: u64) {
    if at < END as u64 || (VGA..VGA_PAGE - 0x100).contains(&at) {
        guest.poke(at, &CONTENTS);
    }
}
