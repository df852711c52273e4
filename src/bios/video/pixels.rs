//! Single pixels: AH=0C and 0D.

use super::super::pc::Pc;
use super::graphics::Picture;
use super::modes;
use crate::x86::Gpr;

/// AL of AH=0C: the colour changes the one that is there.
const XOR: u8 = 0x80;

/// AH=0C: gives the pixel CX, DX the colour AL.
pub fn serve_write(pc: &mut Pc) {
    let Some(mode) = modes::current(pc) else { return };
    let (x, y, colour) = (pc.word(Gpr::Rcx), pc.word(Gpr::Rdx), pc.low(Gpr::Rax));
    let picture = Picture::of(pc, &mode);
    let mut pixels = picture.pixels(pc, x & !7, y);
    let pixel = &mut pixels[usize::from(x & 7)];
    if colour & XOR != 0 && mode.layout.has_few_colours() {
        *pixel ^= colour & !XOR;
    } else {
        *pixel = colour;
    }
    picture.set_pixels(pc, x & !7, y, pixels);
    picture.done(pc);
}

/// AH=0D: the colour of the pixel CX, DX.
pub fn serve_read(pc: &mut Pc) {
    let Some(mode) = modes::current(pc) else { return };
    let (x, y) = (pc.word(Gpr::Rcx), pc.word(Gpr::Rdx));
    let picture = Picture::of(pc, &mode);
    let pixels = picture.pixels(pc, x & !7, y);
    picture.done(pc);
    pc.set_low(Gpr::Rax, pixels[usize::from(x & 7)]);
}
