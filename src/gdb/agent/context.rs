//! What agent expressions see of the machine: integer registers, linear memory, trace state variables.

/// What bytecode sees.
pub trait Context {
    /// The register with the number `number` in the client's layout, zero-extended; `None` if there is no
    /// such integer register.
    fn register(&mut self, number: usize) -> Option<u64>;

    /// Fills `data` from linear memory; how many bytes were there.
    fn memory(&mut self, addr: u64, data: &mut [u8]) -> usize;

    /// The trace state variable `number`.
    fn variable(&mut self, number: u16) -> u64;

    /// Sets the trace state variable `number`.
    fn set_variable(&mut self, number: u16, value: u64);
}
