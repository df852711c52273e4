//! One step is one instruction, whatever the instruction is and whatever KVM the host has.

mod common;

use common::boot;
use stepvisor::machine::{Machine, StopReason};
use stepvisor::x86::{Gpr, Linear};

#[test]
fn explore() {
    // each: name, code
    let cases: &[(&str, &[u8])] = &[
        ("nop nop hlt", &[0x90, 0x90, 0xf4]),
        (
            "out e9; in e9; out dx unclaimed",
            &[0xb0, 0x41, 0xe6, 0xe9, 0xe4, 0xe9, 0xe5, 0x42, 0xe7, 0x10, 0x90, 0xf4],
        ),
        (
            "mmio",
            &[
                0xb8, 0x00, 0xb8, 0x8e, 0xc0, 0x26, 0xc6, 0x06, 0, 0, 0x41, 0x26, 0xa1, 0, 0, 0x26,
                0xa3, 1, 0, 0x26, 0xff, 0x06, 4, 0, 0x90, 0xf4,
            ],
        ),
        ("rep stosw ram", &[0xb9, 3, 0, 0xbf, 0, 5, 0xf3, 0xab, 0x90, 0xf4]),
        (
            "rep movsw vga->vga",
            &[
                0xb8, 0x00, 0xb8, 0x8e, 0xc0, 0x8e, 0xd8, 0xb9, 3, 0, 0xbf, 0, 0, 0xbe, 160, 0,
                0xf3, 0xa5, 0x90, 0xf4,
            ],
        ),
        ("rep outsb", &[0xb9, 3, 0, 0xbe, 0, 0x7c, 0xba, 0xe9, 0, 0xf3, 0x6e, 0x90, 0xf4]),
        ("pushf popf", &[0x9c, 0x58, 0x9c, 0x9d, 0x90, 0xf4]),
        (
            "int 60h",
            &[
                0xc7, 0x06, 0x80, 1, 0x0f, 0x7c, 0xc7, 0x06, 0x82, 1, 0, 0, 0xcd, 0x60, 0xf4, 0x40,
                0xcf,
            ],
        ),
        (
            "int 80h",
            &[0xc7, 0x06, 0, 2, 0x0f, 0x7c, 0xc7, 0x06, 2, 2, 0, 0, 0xcd, 0x80, 0xf4, 0x40, 0xcf],
        ),
        ("mov ss", &[0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0, 0x7c, 0x90, 0xf4]),
        ("sti", &[0xfb, 0x90, 0x90, 0xf4]),
        (
            "div0",
            &[
                0xc7, 0x06, 0, 0, 0x10, 0x7c, 0xc7, 0x06, 2, 0, 0, 0, 0x31, 0xdb, 0xf7, 0xf3, 0x90,
                0xf4,
            ],
        ),
    ];
    for (name, code) in cases {
        let mut m = boot(code);
        println!("== {name}");
        for _ in 0..24 {
            let stop = m.step();
            let c = m.cpu();
            println!(
                "  {:?} ip={:x} ax={:x} cx={:x} sp={:x} fl={:x} di={:x}",
                stop,
                c.rip,
                c.get(Gpr::Rax),
                c.get(Gpr::Rcx),
                c.get(Gpr::Rsp),
                c.rflags,
                c.get(Gpr::Rdi)
            );
            if stop != StopReason::Stepped {
                break;
            }
        }

        let mut b = [0; 16];
        m.read_linear(Linear(0x500), &mut b);
        println!("  500: {b:x?}");
        m.read_linear(Linear(0xb8000), &mut b);
        println!("  b8000: {b:x?}");
        println!("{}", m.stats());
    }
}
