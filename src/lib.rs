//! Stepvisor: a hypervisor you debug with gdb.
//!
//! It boots a guest image under Linux KVM, models just enough PC, and gives stock gdb an exact view of
//! it from the first real-mode instruction on. The modules are layers; each uses only those below it:
//!
//! ```text
//! testing  tests of guests in Rust
//! script   tests of guests in files: headers, assertions, gdb scripts, verdicts
//! gdb      RSP server on gdbstub: transport, wire, registers, target descriptions, monitor
//! machine  joins the rest: run, exact step, breakpoints, stop reasons
//! ui       frames to text, ANSI and PNG
//! bios     firmware: the ROM, and the services behind its interrupts
//! devices  VGA, debug, POST and exit ports: plain state machines
//! disk     disk images, copy-on-write
//! bus      port and MMIO dispatch
//! font     the character generator's glyphs, and code page 437
//! emulator single instructions and the delivery of interrupts, for what KVM cannot do
//! kvm      the only unsafe code: vm, vcpu, exits, guest debug, kick
//! memory   guest RAM and its layout
//! pages    memory that a device and the guest share
//! x86      pure knowledge: registers, modes, addresses, paging, instructions
//! ```

pub mod bios;
pub mod bus;
pub mod devices;
pub mod disk;
pub mod emulator;
pub mod font;
pub mod gdb;
pub mod kvm;
pub mod machine;
pub mod memory;
pub mod pages;
pub mod script;
pub mod testing;
pub mod ui;
pub mod x86;
