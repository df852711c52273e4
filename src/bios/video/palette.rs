//! TODO
use super::super::pc::Pc;
pub fn serve(_pc: &mut Pc) {}
pub fn serve_colour(_pc: &mut Pc) {}
