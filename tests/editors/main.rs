//! Other debuggers than gdb's own command line: what docs/editors.md promises of them, done with them.
//!
//! Of VS Code only what it has gdb do: gdb's machine interface, driven by the documented launch
//! configuration as the C/C++ extension drives it. lldb's part says so loudly where there is no lldb: it is
//! too large to be installed for a test.
#![allow(missing_docs, missing_debug_implementations)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod conversation;
mod documented;
mod lldb;
mod mi;
mod server;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lldb_is_here = lldb::is_here();
    let trials = mi::trials()
        .into_iter()
        .chain(lldb::trials().into_iter().map(|trial| trial.with_ignored_flag(!lldb_is_here)))
        .collect::<Vec<Trial>>();
    if !lldb_is_here && !arguments.list {
        println!("\nlldb is not installed: NOTHING IS TRIED WITH LLDB");
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
