//! Tests of guests: a file with a header and, if it has them, gdb commands, judged without a person.
//!
//! A test is read ([`header`]), its guest is built ([`guest`]), and it is run: by the machine alone if the file
//! is all header, else under a gdb that executes the commands one by one ([`session`]). What both can assert is
//! in [`check`]; what came of it is a [`verdict`]. Knows no terminal and no command line.

pub mod cache;
pub mod check;
pub mod discover;
pub mod ending;
pub mod guest;
pub mod header;
pub mod register;
pub mod scene;
pub mod session;
pub mod transcript;
pub mod value;
pub mod verdict;

mod alone;
mod answer;
mod clock;
mod dependencies;
mod judge;
mod run;
mod test;

pub use check::{Check, Golden};
pub use ending::Ending;
pub use header::Header;
pub use test::{Options, Test};
pub use verdict::{Failure, Outcome, Verdict};
