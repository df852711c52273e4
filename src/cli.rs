//! The command line: flags, their help, and what they mean to the library.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum};
use stepvisor::devices::keyboard::{KeyEvent, keymap};
use stepvisor::gdb::transport::Address;
use stepvisor::machine::image::ROM_SIZES;
use stepvisor::machine::{Boot, Catchpoint, Clock, Config, Image, Machine, Marks, OnUnclaimed};
use stepvisor::script::discover::Shard;
use stepvisor::script::value;
use stepvisor::x86::exceptions::ExceptionSet;
use stepvisor::x86::{Phys, SegOff};

use crate::exit_code::{self, ExitCode, Failure};

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
    GdbScript,
    /// Looks at this host: whether KVM and gdb can be used, what its KVM does, and what follows from that.
    #[command(after_help = exit_code::HELP)]
    Doctor(Doctor),
    /// Runs tests of guests: files with a header and gdb commands, each with a machine and a gdb of its own.
    #[command(after_help = TEST_HELP)]
    Test(Test),
}

/// Which guest, and how it starts.
#[derive(Debug, Args)]
pub struct Guest {
    /// A flat image (such as a boot sector) or an ELF executable.
    pub image: Option<PathBuf>,
    /// Boots the built-in demo guest instead of an image.
    #[arg(long, conflicts_with = "image")]
    pub demo: bool,
    /// Runs a ROM image as the PC's firmware, from the reset vector on, instead of an image. It ends at 4 GiB, its
    /// last 128 KiB at 1 MiB as well.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "demo", "load", "entry", "drive"])]
    bios: Option<PathBuf>,
    /// Guest-physical address a flat image is loaded at [default: 0x7c00].
    #[arg(long, value_name = "ADDR", value_parser = value::number)]
    load: Option<u64>,
    /// First instruction, in hexadecimal [default: the image's first byte, or the ELF's entry point].
    #[arg(long, value_name = "SEG:OFF")]
    entry: Option<SegOff>,
    /// BIOS drive number handed over in DL: 0x00 is the first floppy, 0x80 the first hard disk.
    #[arg(long, value_name = "NUMBER", default_value = "0x80", value_parser = value::drive)]
    drive: u8,
    /// RAM: a number with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = value::memory_size)]
    memory: u64,
    /// What an access to a port or an address does where no device is; it reads as all ones anyway.
    #[arg(long, value_name = "ACTION", default_value = "warn")]
    on_unclaimed: UnclaimedAction,
    /// Stops at exceptions before the guest's handler runs: all, or names such as ud,gp,pf. Runs the guest
    /// instruction by instruction, tens of times slower.
    #[arg(long, value_name = "LIST", default_value = "none", hide_default_value = true)]
    stop_on: ExceptionSet,
    /// Stops behind breakpoints in the guest's source: int3, xchg (xchg bx, bx), a comma between them. Runs the
    /// guest instruction by instruction, tens of times slower.
    #[arg(long, value_name = "LIST", default_value = "none", hide_default_value = true)]
    break_on: Marks,
    /// Stops at `int VECTOR [ah=BYTE|al=BYTE|ax=WORD]`, before a software interrupt; `in|out|io PORT [VALUE]`,
    /// behind an access to a port or FIRST-LAST; `mode`, behind a switch of the CPU mode. Commas between them, or
    /// several times. Ports cost nothing; the others run the guest instruction by instruction.
    #[arg(long, value_name = "STOPS", value_delimiter = ',')]
    stop_at: Vec<Catchpoint>,
    #[command(flatten)]
    outside: Outside,
}

/// What is at the guest's keyboard and serial ports.
#[derive(Debug, Default, Args)]
struct Outside {
    /// Types TEXT when the guest asks its keyboard: `hi{Enter}`, `{F1}`, `{Ctrl+C}`, `{Up}`; {{ is a brace.
    #[arg(long, value_name = "TEXT", value_parser = parse_keys)]
    keys: Option<Keys>,
    /// Where COM1 sends to: a file, or - for standard output. Given again, the same for COM2 [default: where the
    /// debug console goes].
    #[arg(long, value_name = "FILE")]
    serial: Vec<PathBuf>,
    /// By what time passes for the guest's devices.
    #[arg(long, value_name = "CLOCK", default_value = "wall")]
    clock: ClockChoice,
}

/// `--clock`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ClockChoice {
    /// By the host's clock, which stands still while gdb has the guest stopped.
    #[default]
    Wall,
    /// By what the guest does, a microsecond for each port access: the same in every run.
    Virtual,
}

/// `--keys`.
#[derive(Clone, Debug)]
struct Keys(Vec<KeyEvent>);

/// `--mode-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeEvents {
    /// At the next stop, whatever it is for.
    Lazy,
    /// At the switch itself, where gdb's `catch exec` stops. The guest runs instruction by instruction, many
    /// times slower.
    Eager,
}

/// `--on-unclaimed`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnclaimedAction {
    /// A line on standard error for the first access to each port or address.
    Warn,
    /// Nothing, as on a PC.
    Ignore,
    /// The run ends there.
    Stop,
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
    /// Prints how guest, KVM and VMM shared the work: exits by reason and time.
    #[arg(long)]
    pub stats: bool,
    /// Writes every exit to FILE as Chrome trace events; opens in https://ui.perfetto.dev.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
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
                stats: false,
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

/// The demo guest, so that the first try needs no file.
const DEMO_IMAGE: &[u8] = include_bytes!("../guests/bin/demo.bin");
/// Its symbols.
pub const DEMO_SYMBOLS: &[u8] = include_bytes!("../guests/bin/demo.elf");

impl Guest {
    fn demo() -> Guest {
        Guest {
            image: None,
            demo: true,
            bios: None,
            load: None,
            entry: None,
            drive: 0x80,
            memory: 64 << 20,
            on_unclaimed: UnclaimedAction::Warn,
            stop_on: ExceptionSet::NONE,
            break_on: Marks::default(),
            stop_at: Vec::new(),
            outside: Outside::default(),
        }
    }

    /// What the machine is to be made of.
    pub fn config(&self) -> anyhow::Result<Config> {
        let name = self.name();
        let read = |path: &Path, most: u64| {
            read_image(path, most).map_err(|error| {
                let hint = if path.is_dir() { " (a directory)" } else { "" };
                let text = format!("cannot read the image {name}{hint}: {error}");
                Failure::new(ExitCode::Image, text)
            })
        };
        let parsed = match (&self.bios, &self.image) {
            (Some(path), _) => Image::rom(&read(path, *ROM_SIZES.end() as u64)?),
            (None, Some(path)) => Image::parse(&read(path, self.memory)?),
            (None, None) if self.demo => Image::parse(DEMO_IMAGE),
            (None, None) => {
                let text = "no guest to boot: name an image (a boot sector or an ELF executable), \
                            or take the built-in one with --demo";
                return Err(Failure::new(ExitCode::Usage, text).into());
            }
        };
        let image =
            parsed.map_err(|error| Failure::new(ExitCode::Image, format!("{name}: {error}")))?;
        if self.load.is_some() && matches!(image, Image::Elf(_)) {
            let text = format!(
                "{name} is an ELF file, which its program headers load: --load is for flat images"
            );
            return Err(Failure::new(ExitCode::Usage, text).into());
        }
        Ok(Config {
            ram_size: self.memory,
            boot: Boot { image, load: self.load.map(Phys), entry: self.entry, drive: self.drive },
            devices: stepvisor::devices::Config::default(),
            on_unclaimed: match self.on_unclaimed {
                UnclaimedAction::Warn => OnUnclaimed::Warn,
                UnclaimedAction::Ignore => OnUnclaimed::Ignore,
                UnclaimedAction::Stop => OnUnclaimed::Stop,
            },
            firmware: true,
        })
    }

    /// Builds the machine.
    pub fn machine(&self) -> anyhow::Result<Machine> {
        let machine = Machine::new(self.config()?);
        let mut machine = machine.with_context(|| self.name())?;
        machine.stop_on_mut().set_exceptions(self.stop_on);
        machine.stop_on_mut().marks = self.break_on.clone();
        for catchpoint in &self.stop_at {
            machine.stop_on_mut().catchpoints.insert(catchpoint.clone());
        }
        self.outside.connect(&mut machine)?;
        Ok(machine)
    }

    /// Whether the guest's serial output goes to standard output.
    pub fn uses_stdout(&self) -> bool {
        self.outside.serial.iter().any(|path| path.as_os_str() == "-")
    }

    /// How messages call the guest.
    pub fn name(&self) -> String {
        let file = self.bios.as_ref().or(self.image.as_ref());
        file.map_or_else(|| "demo".to_owned(), |path| path.display().to_string())
    }
}

impl Outside {
    /// Connects what was asked for to `machine`.
    fn connect(&self, machine: &mut Machine) -> anyhow::Result<()> {
        machine.set_clock(match self.clock {
            ClockChoice::Wall => Clock::Wall,
            ClockChoice::Virtual => Clock::Virtual,
        });
        for (port, path) in (1..).zip(&self.serial) {
            let sink: Box<dyn io::Write> = if path.as_os_str() == "-" {
                Box::new(io::stdout())
            } else {
                let text = format!("cannot create {} for COM{port}", path.display());
                Box::new(File::create(path).context(text)?)
            };
            let connected = machine.set_serial_sink(port, sink);
            connected
                .map_err(|error| Failure::new(ExitCode::Usage, format!("--serial: {error}")))?;
        }
        if let Some(Keys(events)) = &self.keys {
            machine
                .type_at_start(events.clone())
                .map_err(|error| Failure::new(ExitCode::Usage, format!("--keys: {error}")))?;
        }
        Ok(())
    }
}

/// Reads an image, but not much more than `memory` bytes of what cannot be loaded whole anyway: a device
/// file such as /dev/zero has no end.
fn read_image(path: &Path, memory: u64) -> io::Result<Vec<u8>> {
    const MAGIC: &[u8] = b"\x7fELF";
    let mut file = File::open(path)?;
    let mut data = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut data)?;
    // Most of an ELF file may be for the debugger only.
    let whole = data == MAGIC && file.metadata()?.is_file();
    file.take(if whole { u64::MAX } else { memory }).read_to_end(&mut data)?;
    Ok(data)
}

fn parse_keys(text: &str) -> Result<Keys, String> {
    keymap::parse(text).map(Keys).map_err(|error| error.to_string())
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
