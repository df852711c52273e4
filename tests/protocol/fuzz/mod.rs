//! Random packets, by proptest: what does harm is shrunk to the part of it that matters.
//!
//! A run tries the same cases each time. `PROPTEST_CASES=N` tries N others of each property; what fails then is
//! added to `regressions.txt` and tried by every run from then on.

mod packets;
mod server;
mod wire;

use std::env;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// So many cases of a property, unless the environment says otherwise.
fn cases(count: u32) -> Config {
    // Knows the variables of proptest's own.
    let told = Config::default();
    let (cases, rng_seed) = match env::var_os("PROPTEST_CASES") {
        Some(_) => (told.cases, told.rng_seed),
        None => (count, RngSeed::Fixed(0x7c00)),
    };
    Config {
        cases,
        rng_seed,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/protocol/fuzz/regressions.txt",
        ))),
        // Each attempt at something smaller may cost the time of a server that hangs.
        max_shrink_time: told.max_shrink_time.max(120_000),
        ..told
    }
}
