//! TODO
use super::super::pc::Pc;
pub fn serve_combination(_pc: &mut Pc) {}
pub fn serve_state(_pc: &mut Pc) {}
