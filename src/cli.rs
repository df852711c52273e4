//! The command line: flags, their help, and what they mean to the library.

mod guest;
mod serial_in;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum};
use stepvisor::gdb::transport::Address;
use stepvisor::script::discover::Shard;
use stepvisor::script::value;

use crate::exit_code;
pub use guest::{DEMO_SYMBOLS, Guest};

/// A hypervisor you debug with gdb: boots a guest under Linux KVM and gives stock gdb an exact view of
/// it, from the first real-mode instruction on.
#[derive(Debug, Parser)]
#[command(version, before_help = START, after_help = exit_code::HELP)]
#[command(args_conflicts_with_subcommands = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// Runs the built-in demo guest: the same as `stepvisor run --demo`.
    #[arg(long)]
    demo: bool,
    /// Says more about what happens (or set STEPVISOR_LOG to error, warn, info, debug or trace).
    #[arg(short, long, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do first.
const START: &str = "\
To start:  stepvisor --demo              boots a built-in guest and shows its screen
           stepvisor run boot.bin        does the same with yours
           stepvisor debug boot.elf      stops at its first instruction, in gdb";

/// One subcommand and its flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boots a guest, runs it until it ends, and prints its screen.
    #[command(after_help = exit_code::HELP)]
    Run(Run),
    /// Boots a guest and waits at its first instruction for gdb to connect.
    #[command(name = "gdbserver", after_help = exit_code::HELP)]
    GdbServer(GdbServer),
    /// Boots a guest and starts gdb on it: connected, at the first instruction, symbols loaded.
    #[command(after_help = exit_code::HELP)]
    Debug(Debug),
    /// Prints the script that gives gdb 16-bit frames and commands, for `gdb -x FILE` (`debug` loads it itself).
    #[command(after_help = exit_code::HELP)]
    GdbScript(GdbScript),
    /// Looks at this host: whether KVM and gdb can be used, what its KVM does, and what follows from that.
    #[command(after_help = exit_code::HELP)]
    Doctor(Doctor),
    /// Runs tests of guests: files with a header and gdb commands, each with a machine and a gdb of its own.
    #[command(after_help = TEST_HELP)]
    Test(Test),
}

/// `--mode-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeEvents {
    /// At the next stop, whatever it is for.
    Lazy,
    /// At the switch itself, where gdb's `catch exec` stops. The guest runs instruction by instruction, many
    /// times slower.
    Eager,
}

/// `stepvisor run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub guest: Guest,
    /// Writes the screen to a file as well: text for FILE.txt, a picture for FILE.png.
    #[arg(long, value_name = "FILE")]
    pub screen: Vec<PathBuf>,
    /// Ends a run that does not end by itself: a number with ms, s or m.
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    pub timeout: Option<Duration>,
    /// Whether the screen is shown, and keys are taken, while the guest runs: auto, on a terminal; or never.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub live: Live,
    /// The gdb that Ctrl-\ starts while the screen is shown.
    #[arg(long, value_name = "PROGRAM", default_value = "gdb", env = "STEPVISOR_GDB")]
    pub gdb: PathBuf,
    /// Prints how guest, KVM and VMM shared the work: exits by reason and time.
    #[arg(long)]
    pub stats: bool,
    /// Writes how the run ended, the screen, the registers and what the guest sent to FILE, as JSON for programs.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Writes every exit to FILE as Chrome trace events; opens in https://ui.perfetto.dev.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// `--live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Live {
    /// If standard input and output are a terminal.
    Auto,
    /// Not at all: the screen is printed at the end.
    Never,
}

/// `stepvisor gdbserver`.
#[derive(Debug, Args)]
pub struct GdbServer {
    #[command(flatten)]
    pub guest: Guest,
    /// Symbols for a gdb that has none: an ELF [default: the image, if it is one].
    #[arg(long, value_name = "ELF")]
    pub symbols: Option<PathBuf>,
    /// Where gdb connects: HOST:PORT (port 0 picks a free one and prints it) or unix:PATH.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1234")]
    pub listen: Address,
    /// Allows --listen on an address that is not loopback. Whoever connects owns the guest.
    #[arg(long)]
    pub allow_remote: bool,
    /// Talks to gdb over standard input and output: `target remote | stepvisor gdbserver --stdio IMAGE`.
    #[arg(long, conflicts_with_all = ["listen", "allow_remote"])]
    pub stdio: bool,
    /// When gdb is told that the guest has switched to another CPU mode (also: monitor mode-events).
    #[arg(long, value_name = "WHEN", default_value = "lazy")]
    pub mode_events: ModeEvents,
    /// Lets the guest run until the first gdb connects, instead of waiting at its first instruction.
    #[arg(long)]
    pub no_wait: bool,
}

/// `stepvisor doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Prints JSON, for programs.
    #[arg(long)]
    pub json: bool,
    /// The gdb to look at.
    #[arg(long, value_name = "PROGRAM", default_value = "gdb", env = "STEPVISOR_GDB")]
    pub gdb: PathBuf,
}

/// `stepvisor test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Tests, and directories that are searched for *.gdb.
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// Only tests whose path contains TEXT; may be given more than once.
    #[arg(short, long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,
    /// Prints which tests there are, and runs none.
    #[arg(long)]
    pub list: bool,
    /// Runs every Nth test, from the Kth on: a part of them for each of N machines.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Tests that run at the same time [default: the number of processors].
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// The time that a test may take if it does not say so itself: a number with ms, s or m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::time)]
    pub timeout: Duration,
    /// Writes the files with expected screens, consoles and transcripts anew instead of comparing.
    #[arg(long)]
    pub bless: bool,
    /// Writes the results to FILE as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Prints the results in the Test Anything Protocol.
    #[arg(long)]
    pub tap: bool,
    /// The gdb to start.
    #[arg(long, value_name = "PROGRAM", default_value = "gdb", env = "STEPVISOR_GDB")]
    pub gdb: PathBuf,
    /// Reads tests on standard input and writes their outcomes: one of the processes that run them.
    #[arg(long, hide = true)]
    pub worker: bool,
}

/// What a first test looks like.
const TEST_HELP: &str = "\
A test is a file NAME.gdb:
    # guest: boot.asm                    next to it: an image, an ELF, or NASM source
    # ends: halt
    # screen contains: Hello
and, if gdb is to look at it, gdb commands below that, among them `assert $ax == 5`.

Exit codes: 0 all tests passed, 14 one did not, 2 no test was found.";

/// `stepvisor gdb-script`.
#[derive(Debug, Args)]
pub struct GdbScript {
    /// Writes it to a file in the cache and prints that file's path: gdb reads no script from a pipe.
    #[arg(long)]
    pub file: bool,
}

/// `stepvisor debug`.
#[derive(Debug, Args)]
pub struct Debug {
    #[command(flatten)]
    pub guest: Guest,
    /// Symbols: an ELF [default: the image, if it is one].
    #[arg(long, value_name = "ELF")]
    pub symbols: Option<PathBuf>,
    /// When gdb is told that the guest has switched to another CPU mode (also: monitor mode-events).
    #[arg(long, value_name = "WHEN", default_value = "lazy")]
    pub mode_events: ModeEvents,
    /// The gdb to start.
    #[arg(long, value_name = "PROGRAM", default_value = "gdb", env = "STEPVISOR_GDB")]
    pub gdb: PathBuf,
    /// Does not load the script that `stepvisor gdb-script` prints into gdb.
    #[arg(long)]
    pub no_gdb_script: bool,
    /// Further arguments for gdb.
    #[arg(last = true, value_name = "GDB ARGS")]
    pub gdb_args: Vec<OsString>,
}

impl Cli {
    /// Reads the arguments of the process, which ends here if they make no sense.
    pub fn from_arguments() -> Cli {
        Cli::try_parse().unwrap_or_else(|mut error| {
            if let Some(hint) = hint(&error) {
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
            }
            error.exit()
        })
    }

    /// The subcommand, `--demo` spelled out.
    pub fn command(self) -> Command {
        self.command.unwrap_or_else(|| {
            // Without a subcommand clap lets only --demo through.
            Command::Run(Run {
                guest: Guest::demo(),
                screen: Vec::new(),
                timeout: None,
                live: Live::Auto,
                gdb: "gdb".into(),
                stats: false,
                report: None,
                trace: None,
            })
        })
    }
}

/// What somebody may have meant who named a file where a subcommand belongs.
fn hint(error: &clap::Error) -> Option<String> {
    let ContextValue::String(name) = error.get(ContextKind::InvalidSubcommand)? else {
        return None;
    };
    let is_file = name.contains(['.', '/']) || Path::new(name).is_file();
    is_file.then(|| format!("did you mean `stepvisor run {name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        <Cli as CommandFactory>::command().debug_assert();
    }
}
