//! What the integration tests share.
#![allow(dead_code, missing_docs)]

use stepvisor::machine::{Boot, Config, Image, Machine, OnUnclaimed};
use stepvisor::x86::{Phys, SegOff};

/// A machine with `code` as its boot sector.
pub fn boot(code: &[u8]) -> Machine {
    boot_at(code, 0x7c00, SegOff::new(0, 0x7c00))
}

/// A machine with `code` at `load`, entered at `entry`.
pub fn boot_at(code: &[u8], load: u64, entry: SegOff) -> Machine {
    machine(Boot {
        load: Some(Phys(load)),
        entry: Some(entry),
        ..Boot::new(Image::parse(code).expect("image"))
    })
}

/// A machine with default devices that boots `boot`.
pub fn machine(boot: Boot) -> Machine {
    let config = Config {
        ram_size: 16 << 20,
        boot,
        devices: stepvisor::devices::Config::default(),
        on_unclaimed: OnUnclaimed::Warn,
    };
    Machine::new(config).unwrap_or_else(|error| panic!("{error}"))
}
