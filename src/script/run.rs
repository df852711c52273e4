//! Runs a test: builds its guest and its machine, and has it judged, by the header alone or under gdb.

use super::guest::Guest;
use super::scene;
use super::test::{NOTHING_ASSERTED, Options, Test};
use super::verdict::{Outcome, Verdict};
use super::{alone, session};
use crate::disk::Disks;
use crate::machine::bootable::HARD_DISK;
use crate::machine::image::BOOT_SECTOR;
use crate::machine::{Boot, Config, Image, Machine, MachineError};
use crate::{devices, disk, x86};

/// RAM when the test does not say how much.
const RAM: u64 = 64 << 20;

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Test {
    /// Whether the guest has to run instruction by instruction.
    fn counts(&self) -> bool {
        let counts = |line: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word == "maybe");
            words.next() == Some("assert") && words.next() == Some("instructions:")
        };
        self.header.counts() || self.script.iter().any(|(_, line)| counts(line))
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self, options: &Options) -> Outcome {
        // What a script asserts shows when it is executed.
        if !self.has_script && self.script_must_assert() {
            return self.failed(Verdict::NoAssertion, NOTHING_ASSERTED);
        }
        let guest = match &self.image {
            Some(image) => Ok(Guest { image: image.clone(), ..Guest::default() }),
            None => Guest::of(&self.header, &options.work),
        };
        let guest = match guest {
            Ok(guest) => guest,
            Err(error) => return self.failed(Verdict::BuildError, error.to_string()),
        };
        let config = match self.config(&guest) {
            Ok(config) => config,
            Err(text) => return self.failed(Verdict::BuildError, text),
        };
        let mut machine = match Machine::new(config.clone()) {
            Ok(machine) => machine,
            Err(error @ (MachineError::Kvm(_) | MachineError::Memory(_))) => {
                return self.failed(Verdict::CannotRun, error.to_string());
            }
            Err(error) => return self.failed(Verdict::BuildError, error.to_string()),
        };
        if let Err(text) = self.prepare(&mut machine) {
            return self.failed(Verdict::BadHeader, text);
        }
        let time = self.timeout(options);
        if self.has_script {
            return session::run(self, options, &guest, &config, &mut machine);
        }
        match alone::run(&self.header, &mut machine, time, options.golden) {
            Ok(None) => Outcome::PASSED,
            Ok(Some(finding)) => {
                self.outcome(*finding, guest.symbols.as_deref(), &config, &mut machine)
            }
            Err(error) => self.failed(Verdict::CannotRun, error.to_string()),
        }
    }

    fn config(&self, guest: &Guest) -> Result<Config, String> {
        let header = &self.header;
        let mut disks = header.disks.open().map_err(|error| chain(&error))?;
        let boot = if header.guest.as_os_str().is_empty() {
            Boot::from_disks(&header.boot, &disks).map_err(|error| chain(&error))?
        } else {
            self.boot(guest, &mut disks)?
        };
        Ok(Config {
            ram_size: header.memory.unwrap_or(RAM),
            boot,
            devices: devices::Config::default(),
            on_unclaimed: header.on_unclaimed,
            firmware: !header.bare,
            disks,
        })
    }

    /// How the guest of a file is booted.
    fn boot(&self, guest: &Guest, disks: &mut Disks) -> Result<Boot, String> {
        let header = &self.header;
        let name = header.guest.display();
        let parse = if header.is_rom { Image::rom } else { Image::parse };
        let image = parse(&guest.image).map_err(|error| format!("{name}: {error}"))?;
        if header.load.is_some() && matches!(image, Image::Elf(_)) && guest.load.is_none() {
            // One that was linked for the test lies where its header says.
            let built = guest.symbols.as_ref().is_some_and(|symbols| *symbols != header.guest);
            if !built {
                return Err(format!("{name} is an ELF file, which says itself where it is loaded"));
            }
        }
        let load = header.load.or(guest.load.map(x86::Phys));
        let at_its_place = load.is_none_or(|load| load == BOOT_SECTOR) && header.entry.is_none();
        Ok(match image {
            Image::Flat(data) if at_its_place => {
                let disk = disk::Image::from_bytes(data.as_slice());
                let boot = Boot::from_flat(data, disk, header.drive, disks);
                boot.map_err(|error| format!("{name}: {error}"))?
            }
            image => {
                let drive = header.drive.unwrap_or(HARD_DISK);
                Boot { load, entry: header.entry, drive, image }
            }
        })
    }

    fn prepare(&self, machine: &mut Machine) -> Result<(), String> {
        let header = &self.header;
        machine.keep_port_writes();
        if self.counts() {
            machine.count_instructions();
            machine.remember_instructions(scene::SHOWN);
        }
        if let Some(limit) = header.limit {
            machine.limit_instructions(limit);
        }
        machine.stop_on_mut().set_exceptions(header.stop_on);
        machine.stop_on_mut().marks = header.break_on.clone();
        for catchpoint in &header.stop_at {
            machine.stop_on_mut().catchpoints.insert(catchpoint.clone());
        }
        machine.type_at_start(header.typing.clone()).map_err(|error| error.to_string())
    }
}
