//! The flags that say which guest is booted, on what machine, and what is at its other ends.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use stepvisor::devices::keyboard::{KeyEvent, keymap};
use stepvisor::disk::{self, Disks};
use stepvisor::machine::bootable::{HARD_DISK, NotBootable, Order};
use stepvisor::machine::image::{ImageError, ROM_SIZES};
use stepvisor::machine::{
    Boot, Catchpoint, Clock, Config, Image, Machine, Marks, OnUnclaimed, Typing,
};
use stepvisor::script::value::{self, Bios};
use stepvisor::x86::exceptions::ExceptionSet;
use stepvisor::x86::{Phys, SegOff};

use super::serial_in;
use crate::exit_code::{ExitCode, Failure};

/// Which guest, and how it starts.
#[derive(Debug, Args)]
pub struct Guest {
    /// A flat image (such as a boot sector), an image of a disk, or an ELF executable.
    pub image: Option<PathBuf>,
    /// Boots the built-in demo guest instead of an image.
    #[arg(long, conflicts_with = "image")]
    pub demo: bool,
    /// The firmware: built-in; none, for a guest alone on the bare machine; or a ROM image, which runs from the reset
    /// vector on instead of an image. It ends at 4 GiB, its last 128 KiB at 1 MiB as well.
    #[arg(long, value_name = "FILE", default_value = "built-in", value_parser = value::bios)]
    bios: Bios,
    /// Guest-physical address a flat image is loaded at [default: 0x7c00].
    #[arg(long, value_name = "ADDR", value_parser = value::number)]
    load: Option<u64>,
    /// First instruction, in hexadecimal [default: the image's first byte, or the ELF's entry point].
    #[arg(long, value_name = "SEG:OFF")]
    entry: Option<SegOff>,
    /// Which drive a flat image is, and the BIOS number handed over in DL: 0x00 is the first floppy, 0x80 the first
    /// hard disk [default: 0x80, or 0x00 if it has the size of a floppy].
    #[arg(long, value_name = "NUMBER", value_parser = value::drive)]
    drive: Option<u8>,
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
    disks: DiskFiles,
    #[command(flatten)]
    outside: Outside,
}

/// The disks, and which of them is booted.
#[derive(Debug, Default, Args)]
struct DiskFiles {
    /// Image of the floppy disk in drive A (0x00); its geometry follows from its size.
    #[arg(long, value_name = "FILE")]
    fda: Option<PathBuf>,
    /// The same in drive B (0x01).
    #[arg(long, value_name = "FILE")]
    fdb: Option<PathBuf>,
    /// Image of the first hard disk (0x80).
    #[arg(long, value_name = "FILE")]
    hda: Option<PathBuf>,
    /// Image of the second hard disk (0x81).
    #[arg(long, value_name = "FILE")]
    hdb: Option<PathBuf>,
    /// Image of a CD-ROM, El Torito if it is to be booted.
    #[arg(long, value_name = "FILE")]
    cdrom: Option<PathBuf>,
    /// Which disks are tried to be booted, if no image is: a (floppy), c (hard disk), d (CD-ROM) [default: acd].
    #[arg(long, value_name = "ORDER", conflicts_with_all = ["image", "demo"])]
    boot: Option<Order>,
    /// Writes what the guest writes to its floppy and hard disks into the files; without it they stay as they are.
    #[arg(long)]
    writable: bool,
}

/// What is at the guest's keyboard and serial ports.
#[derive(Debug, Default, Args)]
struct Outside {
    /// Types TEXT when the guest asks its keyboard: `hi{Enter}`, `{F1}`, `{Ctrl+C}`, `{Up}`; {{ is a brace.
    #[arg(long, value_name = "TEXT", value_parser = parse_keys)]
    keys: Option<Keys>,
    /// Types KEYS, written as for --keys, when so much of the guest's time has passed since its start:
    /// `500ms:hi{Enter}`. May be given more than once.
    #[arg(long, value_name = "TIME:KEYS", value_parser = parse_timed_keys)]
    keys_at: Vec<(Duration, Keys)>,
    /// Where COM1 sends to: a file, or - for standard output. Given again, the same for COM2 [default: where the
    /// debug console goes].
    #[arg(long, value_name = "FILE")]
    serial: Vec<PathBuf>,
    /// What COM1 hears, as the guest asks for it: a file, a pipe, or - for standard input. Given again, the same for
    /// COM2.
    #[arg(long, value_name = "FILE")]
    serial_in: Vec<PathBuf>,
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

/// The demo guest, so that the first try needs no file.
const DEMO_IMAGE: &[u8] = include_bytes!("../../guests/bin/demo.bin");
/// Its symbols.
pub const DEMO_SYMBOLS: &[u8] = include_bytes!("../../guests/bin/demo.elf");

impl Guest {
    /// The built-in guest.
    pub(super) fn demo() -> Guest {
        Guest {
            image: None,
            demo: true,
            bios: Bios::BuiltIn,
            load: None,
            entry: None,
            drive: None,
            memory: 64 << 20,
            on_unclaimed: UnclaimedAction::Warn,
            stop_on: ExceptionSet::NONE,
            break_on: Marks::default(),
            stop_at: Vec::new(),
            disks: DiskFiles::default(),
            outside: Outside::default(),
        }
    }

    /// What the machine is to be made of.
    pub fn config(&self) -> anyhow::Result<Config> {
        let files = self.disks.files();
        let unusable = |error: anyhow::Error| Failure::new(ExitCode::Image, format!("{error:#}"));
        let mut disks = files.open().map_err(|error| unusable(error.into()))?;
        let boot = if let Bios::File(path) = &self.bios {
            self.check_alone()?;
            let rom = Image::rom(&self.read(path, *ROM_SIZES.end() as u64)?);
            Boot::new(rom.map_err(|error| self.no_image(&error))?)
        } else if let Some(path) = &self.image {
            let data = self.read(path, self.memory)?;
            let disk = match disk::Image::open(path, files.access()) {
                Ok(disk) => disk,
                // Of a pipe there is only what has been read.
                Err(_) if !files.writable => disk::Image::from_bytes(data.as_slice()),
                Err(error) => return Err(unusable(error.into()).into()),
            };
            self.boot(&data, disk, &mut disks)?
        } else if self.demo {
            self.boot(DEMO_IMAGE, disk::Image::from_bytes(DEMO_IMAGE), &mut disks)?
        } else if !files.is_empty() {
            self.check_disks_alone()?;
            let order = self.disks.boot.clone().unwrap_or_default();
            Boot::from_disks(&order, &disks).map_err(|error| unusable(error.into()))?
        } else {
            let text = "no guest to boot: name an image (a boot sector or an ELF executable) or a disk \
                        (--fda, --hda, --cdrom), or take the built-in guest with --demo";
            return Err(Failure::new(ExitCode::Usage, text).into());
        };
        self.check_apart(&disks)?;
        Ok(Config {
            ram_size: self.memory,
            boot,
            devices: stepvisor::devices::Config::default(),
            on_unclaimed: match self.on_unclaimed {
                UnclaimedAction::Warn => OnUnclaimed::Warn,
                UnclaimedAction::Ignore => OnUnclaimed::Ignore,
                UnclaimedAction::Stop => OnUnclaimed::Stop,
            },
            firmware: self.bios == Bios::BuiltIn,
            disks,
        })
    }

    /// A ROM image leaves no room for another guest.
    fn check_alone(&self) -> Result<(), Failure> {
        let others = [
            (self.image.is_some(), "an image"),
            (self.demo, "--demo"),
            (self.load.is_some(), "--load"),
            (self.entry.is_some(), "--entry"),
            (self.drive.is_some(), "--drive"),
            (self.disks.boot.is_some(), "--boot"),
        ];
        let Some((_, other)) = others.into_iter().find(|(given, _)| *given) else { return Ok(()) };
        let text = format!(
            "--bios {} runs that ROM image from the reset vector on: {other} makes no sense with it",
            self.name()
        );
        Err(Failure::new(ExitCode::Usage, text))
    }

    /// What is booted from a disk goes where boot sectors go.
    fn check_disks_alone(&self) -> Result<(), Failure> {
        let others = [
            (self.load.is_some(), "--load"),
            (self.entry.is_some(), "--entry"),
            (self.drive.is_some(), "--drive"),
        ];
        let Some((_, other)) = others.into_iter().find(|(given, _)| *given) else { return Ok(()) };
        let text =
            format!("{other} is for an image: a disk is booted from its own drive, at 0000:7C00");
        Err(Failure::new(ExitCode::Usage, text))
    }

    /// No file is written from two drives.
    fn check_apart(&self, disks: &Disks) -> Result<(), Failure> {
        let Some(shared) = disks.written_in_two_drives() else { return Ok(()) };
        let DiskFiles { fda, fdb, hda, hdb, cdrom, .. } = &self.disks;
        let flags = [
            ("--fda", fda),
            ("--fdb", fdb),
            ("--hda", hda),
            ("--hdb", hdb),
            ("--cdrom", cdrom),
            ("the image", &self.image),
        ];
        let names: Vec<String> = flags
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
            .filter(|(_, path)| shared.is_in(path))
            .map(|(flag, path)| format!("{flag} {}", path.display()))
            .collect();
        let text = format!(
            "{} are the same file: with --writable, writes to one disk would change the other; \
             leave that out, or give each drive a copy of its own",
            names.join(" and ")
        );
        Err(Failure::new(ExitCode::Usage, text))
    }

    fn usage(&self, error: &dyn std::error::Error) -> Failure {
        Failure::new(ExitCode::Usage, format!("{}: {error}", self.name()))
    }

    fn read(&self, path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
        read_image(path, most).map_err(|error| {
            let hint = if path.is_dir() { " (a directory)" } else { "" };
            let text = format!("cannot read the image {}{hint}: {error}", self.name());
            Failure::new(ExitCode::Image, text).into()
        })
    }

    fn no_image(&self, error: &ImageError) -> Failure {
        Failure::new(ExitCode::Image, format!("{}: {error}", self.name()))
    }

    /// How the image `data`, which `disk` has as well, is booted.
    fn boot(&self, data: &[u8], disk: disk::Image, disks: &mut Disks) -> anyhow::Result<Boot> {
        let image = Image::parse(data).map_err(|error| self.no_image(&error))?;
        if self.load.is_some() && matches!(image, Image::Elf(_)) {
            let name = self.name();
            let text = format!(
                "{name} is an ELF file, which its program headers load: --load is for flat images"
            );
            return Err(Failure::new(ExitCode::Usage, text).into());
        }
        Ok(match image {
            Image::Flat(data) if self.load.is_none() && self.entry.is_none() => {
                let boot = Boot::from_flat(data, disk, self.drive, disks);
                boot.map_err(|error| match error {
                    NotBootable::CdRom(_) => {
                        Failure::new(ExitCode::Image, format!("{}: {error}", self.name()))
                    }
                    _ => self.usage(&error),
                })?
            }
            image => {
                let drive = self.drive.unwrap_or(HARD_DISK);
                Boot { image, load: self.load.map(Phys), entry: self.entry, drive }
            }
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
        self.ports_on_stdout().next().is_some()
    }

    /// The serial ports that send there, 1 for COM1.
    pub fn ports_on_stdout(&self) -> impl Iterator<Item = usize> {
        let ports = (1..).zip(&self.outside.serial);
        ports.filter(|(_, path)| path.as_os_str() == "-").map(|(port, _)| port)
    }

    /// Whether a serial port hears standard input.
    pub fn uses_stdin(&self) -> bool {
        self.outside.serial_in.iter().any(|path| path.as_os_str() == "-")
    }

    /// How messages call the guest.
    pub fn name(&self) -> String {
        let DiskFiles { fda, hda, cdrom, fdb, hdb, .. } = &self.disks;
        let disks = [fda, hda, cdrom, fdb, hdb].into_iter().flatten();
        let rom = match &self.bios {
            Bios::File(path) => Some(path),
            _ => None,
        };
        let file = rom.into_iter().chain(&self.image).chain(disks).next();
        file.map_or_else(|| "demo".to_owned(), |path| path.display().to_string())
    }
}

impl DiskFiles {
    fn files(&self) -> disk::Files {
        let DiskFiles { fda, fdb, hda, hdb, cdrom, boot: _, writable } = self;
        disk::Files {
            fda: fda.clone(),
            fdb: fdb.clone(),
            hda: hda.clone(),
            hdb: hdb.clone(),
            cdrom: cdrom.clone(),
            writable: *writable,
        }
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
        for (port, path) in (1..).zip(&self.serial_in) {
            let source = serial_in::open(path, machine.kicker());
            let source =
                source.with_context(|| format!("cannot read {} for COM{port}", path.display()))?;
            let connected = machine.set_serial_source(port, source);
            connected
                .map_err(|error| Failure::new(ExitCode::Usage, format!("--serial-in: {error}")))?;
        }
        let typing = Typing {
            keys: self.keys.as_ref().map(|Keys(events)| events.clone()).unwrap_or_default(),
            timed: self.keys_at.iter().map(|(at, Keys(events))| (*at, events.clone())).collect(),
            serial: Vec::new(),
        };
        let typed = machine.type_at_start(typing);
        typed.map_err(|error| {
            Failure::new(ExitCode::Usage, format!("--keys, --keys-at: {error}")).into()
        })
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

fn parse_timed_keys(text: &str) -> Result<(Duration, Keys), value::ValueError> {
    let (at, keys) = value::timed_keys(text, |keys| Ok(keys.to_owned()))?;
    Ok((at, Keys(keys)))
}

fn parse_keys(text: &str) -> Result<Keys, String> {
    keymap::parse(text).map(Keys).map_err(|error| error.to_string())
}
