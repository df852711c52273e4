//! TODO
use super::super::pc::Pc;
pub fn serve(_pc: &mut Pc) {}
