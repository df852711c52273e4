//! Stub.
#[derive(Debug)]
pub struct Instruction {
    pub len: usize,
    pub text: String,
    pub bytes: Vec<u8>,
}
pub fn disassemble(bytes: &[u8], bits: u32, ip: u64) -> Instruction {
    let _ = (bits, ip);
    Instruction { len: 1, text: "?".into(), bytes: bytes.to_vec() }
}
