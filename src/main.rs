//! The `stepvisor` command.

fn main() {}
